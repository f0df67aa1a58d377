//! Single rules of the election, message by message.

use super::*;
use crate::zab::NotificationError;
use PeerState::{Following, Leading, Looking, Observing};

fn to_others(me: i64, count: i64, vote: Vote) -> Vec<(i64, PeerState, Vote)> {
    (1..=count).filter(|id| *id != me).map(|id| (id, Looking, vote)).collect()
}

#[test]
fn a_server_is_silent_before_its_first_election() {
    let mut server = Server { election: election(1, of_voters(3)), now: Moment(0) };
    assert_eq!(server.hear(2, Looking, vote(2, 0, 1, 0)), (vec![], None));
    assert_eq!(server.hear(9, Looking, vote(2, 0, 1, 0)), (vec![], None));
    assert_eq!(server.after(1_000_000), (vec![], None));
    assert_eq!(server.election.next_tick(), None);
    assert!(!server.election.is_looking());
}

#[test]
fn an_election_begins_with_a_vote_for_oneself() {
    let mut server = Server::looking(2, of_voters(3), 5, 1);
    assert_eq!(server.restart(6, 1), to_others(2, 3, vote(2, 6, 2, 1)));
    assert_eq!((server.election.round(), server.election.vote()), (2, vote(2, 6, 2, 1)));
}

#[test]
fn a_better_vote_is_taken_over_and_told() {
    let better = [vote(1, 0, 1, 2), vote(1, 6, 1, 1), vote(3, 5, 1, 1)];
    for better in better {
        let mut server = Server::looking(2, of_voters(5), 5, 1);
        let (said, outcome) = server.hear(4, Looking, better);
        assert_eq!((said, outcome), (to_others(2, 5, better), None));
    }
}

#[test]
fn a_worse_vote_is_answered_with_the_better_one() {
    for worse in [vote(3, 9, 1, 0), vote(3, 4, 1, 1), vote(1, 5, 1, 1)] {
        let mut server = Server::looking(2, of_voters(5), 5, 1);
        assert_eq!(server.hear(4, Looking, worse), (vec![(4, Looking, vote(2, 5, 1, 1))], None));
    }
    let mut server = Server::looking(2, of_voters(5), 5, 1);
    assert_eq!(server.hear(4, Looking, vote(2, 5, 1, 1)), (vec![], None));
}

#[test]
fn a_quorum_decides_after_a_wait() {
    let mut server = Server::looking(3, of_voters(3), 5, 1);
    assert_eq!(server.hear(1, Looking, vote(3, 5, 1, 1)), (vec![], None));
    assert_eq!(server.election.next_tick(), Some(server.now.plus(200)));
    assert_eq!(server.after(199), (vec![], None));
    assert_eq!(server.after(1), (vec![], Some(elected(vote(3, 5, 1, 1)))));
    assert!(!server.election.is_looking());
    assert_eq!(server.election.next_tick(), None);
}

#[test]
fn the_wait_is_not_put_off_by_what_is_not_better() {
    let mut server = Server::looking(5, of_voters(5), 5, 1);
    let own = vote(5, 5, 1, 1);
    server.hear(1, Looking, own);
    server.hear(2, Looking, own);
    server.after(150);
    assert_eq!(server.hear(3, Looking, own), (vec![], None));
    assert_eq!(server.after(50).1, Some(elected(own)));
}

#[test]
fn everyone_decides_at_once() {
    let mut server = Server::looking(2, of_voters(3), 5, 1);
    assert_eq!(server.hear(1, Looking, vote(3, 5, 1, 1)).1, None);
    assert_eq!(server.hear(3, Looking, vote(3, 5, 1, 1)).1, Some(elected(vote(3, 5, 1, 1))));
}

#[test]
fn a_better_vote_ends_the_wait() {
    let mut server = Server::looking(2, of_voters(5), 5, 1);
    server.hear(1, Looking, vote(2, 5, 1, 1));
    server.hear(3, Looking, vote(2, 5, 1, 1));
    server.after(199);
    let better = vote(4, 6, 1, 1);
    assert_eq!(server.hear(4, Looking, better), (to_others(2, 5, better), None));
    assert_eq!(server.after(1).1, None);
    server.hear(1, Looking, better);
    assert_eq!(server.after(200).1, Some(elected(better)));
}

#[test]
fn votes_of_an_older_round_are_answered_and_not_counted() {
    let mut server = Server::looking(3, of_voters(3), 5, 1);
    server.restart(5, 1);
    let own = vote(3, 5, 2, 1);
    assert_eq!(server.hear(1, Looking, vote(3, 5, 1, 1)), (vec![(1, Looking, own)], None));
    assert_eq!(server.hear(1, Looking, vote(1, 9, 1, 9)), (vec![(1, Looking, own)], None));
    assert_eq!(server.election.vote(), own);
    assert_eq!(server.after(200), (to_others(3, 3, own), None));
}

#[test]
fn a_later_round_starts_afresh() {
    let mut server = Server::looking(3, of_voters(5), 5, 1);
    server.hear(1, Looking, vote(4, 9, 1, 1));
    server.hear(2, Looking, vote(4, 9, 1, 1));
    // A worse vote than that of the old round, and than its own: it votes for itself again.
    let own = vote(3, 5, 7, 1);
    assert_eq!(server.hear(1, Looking, vote(1, 4, 7, 1)), (to_others(3, 5, own), None));
    assert_eq!(server.election.round(), 7);
    // Those of the old round are forgotten.
    assert_eq!(server.hear(5, Looking, own).1, None);
    assert_eq!(server.after(200), (to_others(3, 5, own), None));
}

#[test]
fn votes_are_sent_again_at_ever_longer_intervals() {
    let mut server = Server::looking(1, of_voters(3), 0, 0);
    let mut intervals = Vec::new();
    for _ in 0..11 {
        let due = server.election.next_tick().expect("it is looking");
        intervals.push(due.since(server.now));
        assert_eq!(server.after(due.since(server.now)).0, to_others(1, 3, vote(1, 0, 1, 0)));
    }
    let doubled = [200, 400, 800, 1600, 3200, 6400, 12800, 25600, 51200, 60000, 60000];
    assert_eq!(intervals, doubled);
    server.restart(0, 0);
    assert_eq!(server.election.next_tick(), Some(server.now.plus(200)));
}

#[test]
fn who_has_a_leader_answers_those_who_look() {
    let mut server = Server::looking(2, of_voters(3), 5, 1);
    server.hear(1, Looking, vote(3, 5, 1, 1));
    server.hear(3, Looking, vote(3, 5, 1, 1));
    let won = vote(3, 5, 1, 1);
    assert_eq!(server.hear(1, Looking, vote(1, 0, 9, 9)), (vec![(1, Following, won)], None));
    assert_eq!(server.hear(1, Following, won), (vec![], None));
    server.election.established(Following, Epoch(2));
    let led = vote(3, 5, 1, 2);
    assert_eq!(server.hear(1, Looking, vote(1, 0, 9, 9)), (vec![(1, Following, led)], None));
    // A stranger is answered too, and nobody who has a leader.
    let none = vote(i64::MIN, i64::MIN, 1, i64::MIN);
    assert_eq!(server.hear(7, Looking, none), (vec![(7, Following, led)], None));
    assert_eq!(server.hear(7, Observing, won), (vec![], None));
}

#[test]
fn a_stranger_is_told_the_vote_and_not_counted() {
    let mut server = Server::looking(2, of_voters(3), 5, 1);
    let own = vote(2, 5, 1, 1);
    assert_eq!(server.hear(7, Looking, vote(3, 9, 9, 9)), (vec![(7, Looking, own)], None));
    assert_eq!((server.election.vote(), server.election.round()), (own, 1));
}

#[test]
fn a_vote_for_a_stranger_is_ignored() {
    let mut server = Server::looking(2, of_voters(3), 5, 1);
    assert_eq!(server.hear(1, Looking, vote(7, 9, 1, 9)), (vec![], None));
    assert_eq!(server.hear(1, Looking, vote(7, 9, 5, 9)), (vec![], None));
    assert_eq!(server.hear(1, Leading, vote(7, 9, 1, 9)), (vec![], None));
    assert_eq!(server.hear(1, Observing, vote(3, 9, 1, 9)), (vec![], None));
    assert_eq!((server.election.vote(), server.election.round()), (vote(2, 5, 1, 1), 1));
}

#[test]
fn who_does_not_know_its_log_has_no_say() {
    let mut server = Server::looking(2, of_voters(3), 5, 1);
    assert_eq!(server.hear(3, Looking, vote(3, -1, 1, 9)), (vec![], None));
    let mut server = Server::looking(2, of_voters(3), -1, 0);
    assert_eq!(server.hear(1, Looking, vote(2, -1, 1, 0)), (vec![], None));
    assert_eq!(server.hear(3, Looking, vote(3, 5, 1, 0)), (vec![], None));
    assert_eq!(server.after(200).1, None);
    assert_eq!(server.election.vote(), vote(2, -1, 1, 0));
    // Nor is its own vote counted with those who follow it.
    assert_eq!(server.hear(1, Following, vote(2, -1, 1, 0)).1, None);
}

#[test]
fn a_vote_that_has_been_overtaken_is_not_counted() {
    let mut server = Server::looking(3, of_voters(3), 5, 1);
    server.hear(1, Looking, vote(3, 5, 1, 1));
    server.hear(1, Looking, vote(1, 5, 1, 1));
    assert_eq!(server.after(200).1, Some(elected(vote(3, 5, 1, 1))));
}

#[test]
fn a_round_beyond_all_numbers_does_no_harm() {
    let mut server = Server::looking(3, of_voters(3), 5, 1);
    server.hear(1, Looking, vote(1, 0, i64::MAX, 0));
    assert_eq!(server.election.round(), i64::MAX);
    server.restart(5, 1);
    assert_eq!(server.election.round(), i64::MIN);
}

#[test]
fn bytes_that_are_no_message_change_nothing() {
    let mut server = Server::looking(2, of_voters(3), 5, 1);
    let mut out = Vec::new();
    let short = Bytes::from_static(b"short");
    let heard = server.election.notified(ServerId(1), short, server.now, &mut out);
    assert_eq!(heard, Err(NotificationError::Truncated(5)));
    assert!(out.is_empty() && server.election.is_looking());
}

#[test]
fn two_servers_do_not_answer_each_other_without_end() {
    // Server 1 does not know server 4, which does know server 1, and has the better vote.
    let mut old = election(1, of_voters(3));
    let mut new = election(4, of_voters(5));
    let (now, mut to_new, mut to_old) = (Moment(0), Vec::new(), Vec::new());
    old.start(Zxid(0), Epoch(0), now, &mut to_new);
    new.start(Zxid(0), Epoch(0), now, &mut to_old);
    let mut said = 0;
    loop {
        to_old.retain(|(to, _)| *to == ServerId(1));
        let Some((_, message)) = to_old.pop() else { break };
        to_new.clear();
        old.notified(ServerId(4), message, now, &mut to_new).expect("it is well-formed");
        for (_, message) in to_new.drain(..) {
            new.notified(ServerId(1), message, now, &mut to_old).expect("it is well-formed");
            said += 1;
            assert!(said < 100, "they go on and on");
        }
    }
    assert!(said > 0);
}
