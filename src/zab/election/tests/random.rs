//! One server among any messages at all: it never panics, and some things always hold.

use super::*;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Start(i64, i64),
    Hear(i64, PeerState, Vote),
    Bytes(i64, Vec<u8>),
    Wait(u64),
    Establish(i64),
}

fn any_number() -> impl Strategy<Value = i64> {
    prop_oneof![10 => 0..6_i64, 1 => Just(-1), 1 => Just(i64::MIN), 1 => Just(i64::MAX)]
}

fn any_step() -> impl Strategy<Value = Step> {
    use PeerState::{Following, Leading, Looking, Observing};
    let state = prop::sample::select(vec![Looking, Looking, Following, Leading, Observing]);
    let numbers = [any_number(), any_number(), any_number(), any_number()];
    let bytes = prop::collection::vec(any::<u8>(), 0..60);
    prop_oneof![
        1 => (any_number(), any_number()).prop_map(|(zxid, epoch)| Step::Start(zxid, epoch)),
        10 => (0..6_i64, state, numbers).prop_map(|(from, state, [leader, zxid, round, epoch])| {
            Step::Hear(from, state, vote(leader, zxid, round, epoch))
        }),
        1 => (0..6_i64, bytes).prop_map(|(from, bytes)| Step::Bytes(from, bytes)),
        2 => (0..500_u64).prop_map(Step::Wait),
        1 => (0..9_i64).prop_map(Step::Establish),
    ]
}

/// Three voters of whom one weighs nothing, or four; server 5 observes.
fn any_ensemble() -> impl Strategy<Value = Ensemble> {
    let weights = [(ServerId(3), 0)];
    let groups = vec![ids(1..=3)];
    let weighed = Ensemble::hierarchical(groups, weights.into(), ids([5]));
    prop_oneof![Just(weighed), Just(Ensemble::majority(ids(1..=4), ids([5])))]
}

proptest! {
    #[test]
    fn any_messages_are_survived(
        ensemble in any_ensemble(),
        me in prop::sample::select(vec![1_i64, 2, 3, 5]),
        steps in prop::collection::vec(any_step(), 1..60),
    ) {
        let mut server = Server { election: election(me, ensemble.clone()), now: Moment(0) };
        for step in steps {
            let before = (server.election.is_looking(), server.election.round());
            let vote_before = server.election.vote();
            let mut out = Vec::new();
            let mut outcome = None;
            match step {
                Step::Start(zxid, epoch) => drop(server.restart(zxid, epoch)),
                Step::Hear(from, state, vote) => (out, outcome) = server.hear(from, state, vote),
                Step::Bytes(from, bytes) => {
                    let mut ignored = Vec::new();
                    let id = ServerId(from);
                    let heard =
                        server.election.notified(id, bytes.into(), server.now, &mut ignored);
                    outcome = heard.ok().flatten();
                }
                Step::Wait(millis) => (out, outcome) = server.after(millis),
                Step::Establish(epoch) if server.election.round() != 0 && !before.0 => {
                    server.election.established(PeerState::Following, Epoch(epoch));
                }
                Step::Establish(_) => {}
            }
            prop_assert!(out.iter().all(|(to, _, _)| *to != me));
            prop_assert_eq!(server.election.next_tick().is_some(), server.election.is_looking());
            if let Some(outcome) = outcome {
                prop_assert!(before.0 && !server.election.is_looking());
                prop_assert!(ensemble.is_voter(outcome.leader));
                prop_assert_eq!(outcome.vote, server.election.vote());
            } else if before.0
                && server.election.is_looking()
                && before.1 == server.election.round()
            {
                // Within a round votes only get better.
                let (now, then) = (server.election.vote().rank(), vote_before.rank());
                prop_assert!(now >= then);
            }
        }
    }
}
