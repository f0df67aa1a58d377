//! From the first vote to the first decisions.

use super::*;

#[test]
fn three_servers_find_a_leader_and_decide() {
    let mut cluster = Cluster::new(3, 0).start_all();
    cluster.run(1000);
    assert_eq!(cluster.leader(), id(3));
    assert_eq!(cluster.write_one("a"), zxid(1, 1));
    assert_eq!(cluster.write_one("b"), zxid(1, 2));
    cluster.check_equal();
    assert_eq!(cluster.applied(id(1)), ["a", "b"]);
}

#[test]
fn observers_learn_and_do_not_vote() {
    let mut cluster = Cluster::new(3, 1).start_all();
    cluster.run(1000);
    cluster.write_one("a");
    cluster.check_equal();
    assert!(cluster.saw(id(4), packet::INFORM));
    assert!(!cluster.saw(id(4), packet::COMMIT));
    cluster.crash(id(1));
    cluster.crash(id(2));
    cluster.run(3000);
    assert!(cluster.leaders().is_empty(), "an observer is no part of a quorum");
}

#[test]
fn one_voter_leads_alone() {
    let mut cluster = Cluster::new(1, 1).start_all();
    cluster.run(1000);
    cluster.write_one("a");
    cluster.check_equal();
}

#[test]
fn nothing_is_decided_before_a_quorum_has_stored_it() {
    let mut cluster = Cluster::new(3, 0).start_all();
    cluster.run(1000);
    for server in [1, 2] {
        cluster.stall(id(server));
    }
    cluster.propose(id(3), "a");
    cluster.run(100);
    assert!(cluster.history.is_empty());
    cluster.go_on(id(1));
    cluster.run(0);
    assert_eq!(cluster.applied(id(3)), ["a"]);
    assert_eq!(cluster.applied(id(1)), ["a"]);
    assert!(cluster.applied(id(2)).is_empty(), "it has not stored it itself");
    cluster.go_on(id(2));
    cluster.run(0);
    cluster.check_equal();
}

#[test]
fn a_leader_whose_disk_stalls_gets_no_reply_but_followers_do() {
    let mut cluster = Cluster::new(3, 0).start_all();
    cluster.run(1000);
    cluster.stall(id(3));
    cluster.propose(id(3), "a");
    cluster.run(0);
    assert_eq!(cluster.applied(id(1)), ["a"]);
    assert!(cluster.applied(id(3)).is_empty());
}

#[test]
fn a_sync_comes_behind_what_was_outstanding() {
    let mut cluster = Cluster::new(3, 0).start_all();
    cluster.run(1000);
    let link = cluster.links.iter().find(|(_, link)| link.learner == id(1)).map(|(id, _)| *id);
    let link = link.expect("server 1 follows");
    cluster.stall(id(1));
    cluster.stall(id(3));
    cluster.propose(id(3), "a");
    let mut out = Vec::new();
    cluster.server(id(3)).peer.as_mut().expect("it is up").sync(link, &mut out);
    cluster.carry_out(id(3), out);
    cluster.propose(id(3), "b");
    cluster.run(0);
    assert!(!cluster.saw(id(1), packet::SYNC));
    // Its own disk has both at once.
    cluster.go_on(id(3));
    cluster.run(0);
    let mut to_first: Vec<i32> =
        cluster.seen.iter().filter(|(to, _)| *to == id(1)).map(|(_, kind)| *kind).collect();
    to_first.retain(|kind| [packet::COMMIT, packet::SYNC].contains(kind));
    // And before what was proposed behind it.
    assert!(to_first.ends_with(&[packet::COMMIT, packet::SYNC, packet::COMMIT]), "{to_first:?}");
}

/// A learner has a client's write behind its sync, and would not know it before the sync is
/// answered.
#[test]
fn a_sync_comes_before_what_was_proposed_behind_it() {
    let mut cluster = Cluster::new(3, 0).start_all();
    cluster.run(1000);
    let link = cluster.links.iter().find(|(_, link)| link.learner == id(1)).map(|(id, _)| *id);
    let link = link.expect("server 1 follows");
    cluster.stall(id(1));
    cluster.stall(id(3));
    cluster.propose(id(3), "a");
    let mut out = Vec::new();
    cluster.server(id(3)).peer.as_mut().expect("it is up").sync(link, &mut out);
    cluster.carry_out(id(3), out);
    cluster.propose(id(3), "b");
    cluster.run(0);
    // A disk that has stored both tells of the newer one.
    cluster.server(id(3)).unsaved.drain(..1);
    cluster.go_on(id(3));
    cluster.run(0);
    let to_first = cluster.seen.iter().filter(|(to, _)| *to == id(1)).map(|(_, kind)| *kind);
    let order: Vec<i32> =
        to_first.filter(|kind| [packet::COMMIT, packet::SYNC].contains(kind)).collect();
    assert!(order.ends_with(&[packet::COMMIT, packet::SYNC, packet::COMMIT]), "{order:?}");
}
