//! Finding a leader that there is already, from inside and outside its round. The scenarios are
//! those that Apache ZooKeeper has met (`FLEOutOfElectionTest`, `FLEBackwardElectionRoundTest`,
//! `FLELostMessageTest`, `FLETest`), as facts.

use super::*;
use crate::zab::election::ballots::{Ballot, Ballots};
use PeerState::{Following, Leading, Looking, Observing};

/// Server 2 of five, in round 3; the others have a leader since round 1.
fn latecomer() -> Server {
    let mut server = Server::looking(2, of_voters(5), 0x2_0000_0009, 2);
    server.restart(0x2_0000_0009, 2);
    server.restart(0x2_0000_0009, 2);
    server
}

#[test]
fn a_latecomer_joins_the_leader_that_a_quorum_has() {
    let led = vote(5, 0, 1, 3);
    let mut server = latecomer();
    assert_eq!(server.hear(1, Following, led), (vec![], None));
    assert_eq!(server.hear(3, Following, led), (vec![], None));
    assert_eq!(server.hear(5, Leading, led), (vec![], Some(elected(led))));
    assert_eq!((server.election.round(), server.election.vote()), (1, led));
    assert_eq!(server.hear(4, Looking, vote(4, 0, 9, 0)).0, vec![(4, Following, led)]);
}

#[test]
fn a_quorum_of_followers_is_not_enough_without_the_leader() {
    let led = vote(5, 0, 1, 3);
    let mut server = latecomer();
    for follower in [1, 3, 4] {
        assert_eq!(server.hear(follower, Following, led).1, None);
    }
    // The leader has crashed, and looks again; it does not say that it leads.
    assert_eq!(server.hear(5, Looking, vote(5, 0, 1, 3)).1, None);
    assert_eq!(server.after(200).1, None);
}

#[test]
fn a_leader_without_a_quorum_is_not_joined() {
    let mut server = latecomer();
    assert_eq!(server.hear(5, Leading, vote(5, 0, 1, 3)).1, None);
    assert_eq!(server.hear(4, Following, vote(5, 0, 1, 3)).1, None);
    // Observers do not make it one.
    assert_eq!(server.hear(3, Observing, vote(5, 0, 1, 3)).1, None);
    assert_eq!(server.hear(7, Following, vote(5, 0, 1, 3)).1, None);
}

#[test]
fn established_servers_may_differ_in_zxid_and_round() {
    let mut server = latecomer();
    server.hear(1, Following, vote(5, 0x1_0000_0001, 1, 3));
    server.hear(3, Following, vote(5, 0x1_0000_0002, 2, 3));
    let led = vote(5, 0x2_0000_0001, 4, 3);
    assert_eq!(server.hear(5, Leading, led).1, Some(elected(led)));
    assert_eq!(server.election.round(), 4);
}

#[test]
fn established_servers_may_not_differ_in_epoch() {
    let mut server = latecomer();
    server.hear(1, Following, vote(5, 0, 1, 2));
    server.hear(3, Following, vote(5, 0, 1, 3));
    assert_eq!(server.hear(5, Leading, vote(5, 0, 1, 3)).1, None);
    // Until that follower has caught up.
    assert_eq!(server.hear(1, Following, vote(5, 0, 1, 3)).1, Some(elected(vote(5, 0, 1, 3))));
}

#[test]
fn in_its_own_round_a_server_compares_the_leader_alone() {
    let mut server = latecomer();
    server.hear(1, Following, vote(5, 0, 3, 2));
    server.hear(3, Following, vote(5, 0, 3, 3));
    let led = vote(5, 0, 3, 3);
    assert_eq!(server.hear(5, Leading, led).1, Some(elected(led)));
}

#[test]
fn the_epoch_is_not_compared_with_servers_that_do_not_raise_it() {
    let mut old = message_of(Following, vote(5, 0, 9, 2)).to_bytes().to_vec();
    old.truncate(40);
    let mut server = latecomer();
    server.hear_bytes(1, old.clone().into());
    server.hear_bytes(3, old.into());
    let led = vote(5, 0, 9, 3);
    assert_eq!(server.hear(5, Leading, led).1, Some(elected(led)));
}

#[test]
fn a_server_that_others_follow_leads_only_in_their_round() {
    // In the first round it is elected by those who have already decided ...
    let mut server = Server::looking(1, of_voters(3), 0, 0);
    let led = vote(1, 0, 1, 0);
    assert_eq!(server.hear(2, Following, led).1, Some(elected(led)));
    assert_eq!(server.election.vote(), led);
    // ... and no longer after it has given up (ZOOKEEPER-1514).
    server.restart(0, 0);
    assert_eq!(server.hear(2, Following, led).1, None);
    assert_eq!(server.hear(3, Following, led).1, None);
    assert_eq!(server.after(200).1, None);
}

#[test]
fn one_who_has_decided_counts_in_its_own_round() {
    let mut server = Server::looking(2, of_voters(3), 0, 0);
    let won = vote(3, 0, 1, 0);
    server.hear(1, Looking, won);
    assert_eq!(server.hear(3, Leading, won).1, Some(elected(won)));
    // Even the last follower, when it is the last to be heard.
    let mut server = Server::looking(2, of_voters(3), 0, 0);
    server.hear(3, Looking, won);
    assert_eq!(server.hear(1, Following, won).1, Some(elected(won)));
}

#[test]
fn an_observer_votes_for_nobody_and_finds_the_leader() {
    let ensemble = Ensemble::majority(ids(1..=3), ids([9]));
    let mut server = Server { election: election(9, ensemble), now: Moment(0) };
    let none = vote(i64::MIN, i64::MIN, 1, i64::MIN);
    assert_eq!(server.restart(77, 7), [1, 2, 3].map(|id| (id, Looking, Vote { round: 1, ..none })));
    let led = vote(3, 5, 4, 2);
    assert_eq!(server.hear(1, Following, led), (vec![], None));
    assert_eq!(server.hear(3, Leading, led), (vec![], Some(elected(led))));
    assert_eq!(server.election.state, Observing);
    // Nobody would hear what it says.
    assert_eq!(server.hear(2, Looking, vote(2, 5, 1, 2)), (vec![], None));
}

#[test]
fn an_observer_takes_part_in_an_election() {
    let ensemble = Ensemble::majority(ids(1..=3), ids([9]));
    let mut server = Server::looking(9, ensemble, 77, 7);
    let best = vote(2, 5, 6, 2);
    assert_eq!(server.hear(2, Looking, best).0, [1, 2, 3].map(|id| (id, Looking, best)));
    assert_eq!(server.hear(1, Looking, best).1, None);
    assert_eq!(server.after(200).1, Some(elected(best)));
}

#[test]
fn a_server_without_weight_does_not_win_and_follows_who_does() {
    let weights = [(1, 1), (2, 1), (3, 0)].map(|(id, weight)| (ServerId(id), weight));
    let ensemble = Ensemble::hierarchical(vec![ids(1..=3)], weights.into(), BTreeSet::new());
    let mut server = Server::looking(1, ensemble.clone(), 0, 0);
    assert_eq!(server.hear(3, Looking, vote(3, 9, 1, 9)), (vec![], None));
    assert_eq!(server.election.vote(), vote(1, 0, 1, 0));
    // Everyone has been heard now, and all who count agree.
    let better = vote(2, 0, 1, 0);
    assert_eq!(server.hear(2, Looking, better).1, Some(elected(better)));

    // Unheard, it might be about to begin a later round.
    let mut server = Server::looking(1, ensemble.clone(), 0, 0);
    assert_eq!(server.hear(2, Looking, better).1, None);
    assert_eq!(server.after(200).1, Some(elected(better)));

    let mut server = Server::looking(3, ensemble, 9, 9);
    assert_eq!(server.hear(1, Looking, better).1, None);
    assert_eq!(server.hear(2, Looking, better).1, None);
    assert_eq!(server.after(200).1, None);
    server.hear(1, Following, better);
    assert_eq!(server.hear(2, Leading, better).1, Some(elected(better)));
}

/// Whether the ballots of servers 0, 1, 3 and 4 out of five make a quorum with another.
fn quorum(ballots: [Ballot; 4], other: &Ballot) -> bool {
    let mut heard = Ballots::default();
    for (id, ballot) in [0, 1, 3, 4].into_iter().zip(ballots) {
        heard.put(ServerId(id), ballot);
    }
    heard.have_quorum(&Ensemble::majority(ids(0..5), BTreeSet::new()), other)
}

const fn ballot(version: i32, zxid: i64, round: i64, epoch: i64, state: PeerState) -> Ballot {
    Ballot { vote: vote(4, zxid, round, epoch), state, version }
}

#[test]
fn votes_are_equal_as_zookeeper_says() {
    let mixed = [
        ballot(1, 0x1_0000_0001, 1, 2, Following),
        ballot(1, 0x1_0000_0002, 1, 2, Following),
        ballot(1, 0x2_0000_0001, 2, 2, Following),
        ballot(1, 0x2_0000_0001, 2, 2, Leading),
    ];
    assert!(quorum(mixed, &ballot(0, 0x2_0000_0001, 2, 2, Following)));
    let versions = [
        ballot(1, 0x1_0000_0001, 1, 1, Following),
        ballot(1, 0x1_0000_0001, 1, 1, Following),
        ballot(0, 0x2_0000_0001, 2, 2, Following),
        ballot(0, 0x2_0000_0001, 2, 2, Leading),
    ];
    assert!(quorum(versions, &ballot(0, 0x2_0000_0001, 2, 2, Following)));
    assert!(!quorum(versions, &ballot(0, 0x2_0000_0001, 2, 2, Looking)));
    let rounds = [
        ballot(0, 0x1_0000_0001, 1, 1, Looking),
        ballot(0, 0x2_0000_0001, 2, 2, Looking),
        ballot(0, 0x2_0000_0001, 3, 2, Looking),
        ballot(0, 0x2_0000_0001, 3, 2, Leading),
    ];
    assert!(!quorum(rounds, &ballot(0, 0x2_0000_0001, 2, 2, Looking)));
    let same = [Looking, Looking, Looking, Leading].map(|state| ballot(0, 7, 1, 1, state));
    assert!(quorum(same, &ballot(0, 7, 1, 1, Looking)));
}
