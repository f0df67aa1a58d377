//! Clients of an observer that learns from a follower (ZK: `ObserverMaster`).

use super::*;
use crate::zab::packet;

/// An ensemble, its observer, and whom that learns from.
fn observed() -> (Cluster, ServerId, ServerId) {
    let mut cluster = Cluster::behind_a_follower(3);
    let observer = ServerId(4);
    let Role::Observing(master) = cluster.at(observer).replica.as_ref().expect("up").status().role
    else {
        panic!("it observes");
    };
    assert_ne!(master, cluster.leader());
    (cluster, observer, master)
}

#[test]
fn writes_and_syncs_go_through_the_follower() {
    let (mut cluster, observer, master) = observed();
    let (conn, session) = cluster.open(observer);
    cluster.create(observer, conn, 1, "/e", 1);
    cluster.sync(observer, conn, 2);
    cluster.exists(observer, conn, 3, "/e", false);
    cluster.deliver();
    assert_eq!(cluster.outcomes(conn), [(1, 0), (2, 0), (3, 0)]);
    cluster.check();
    let asked =
        |who| cluster.packets.iter().any(|(to, it)| *to == who && it.kind == packet::REQUEST);
    assert!(asked(master) && asked(cluster.leader()));
    cluster.ask(observer, conn, 4, OpCode::CloseSession, Request::CloseSession);
    cluster.deliver();
    cluster.check();
    assert!(!cluster.has(master, "/e"));
    let replica = cluster.at(master).replica.as_ref().expect("it is up");
    assert!(replica.sessions().get(session).is_none());
}

#[test]
fn a_sync_comes_behind_what_is_decided_before_it() {
    let (mut cluster, observer, _) = observed();
    let (conn, _) = cluster.open(observer);
    let leader = cluster.leader();
    let (other, _) = cluster.open(leader);
    for turn in 1..10 {
        let path = format!("/{turn}");
        cluster.create(leader, other, turn, &path, 0);
        cluster.sync(observer, conn, 2 * turn);
        cluster.exists(observer, conn, 2 * turn + 1, &path, false);
        cluster.deliver();
        assert_eq!(cluster.outcomes(conn), [(2 * turn, 0), (2 * turn + 1, 0)]);
    }
}

#[test]
fn the_leader_hears_of_an_observers_sessions_through_the_follower() {
    let (mut cluster, observer, master) = observed();
    let (conn, session) = cluster.open(observer);
    cluster.pass_with_pings(10_000);
    let at_leader = |cluster: &mut Cluster| {
        let leader = cluster.leader();
        let replica = cluster.at(leader).replica.as_ref().expect("it is up");
        replica.sessions().get(session).is_some()
    };
    assert!(at_leader(&mut cluster), "it is heard of");
    cluster.at(observer).clients.remove(&conn);
    cluster.pass_with_pings(10_000);
    assert!(!at_leader(&mut cluster), "nobody hears of it");
    assert!(!cluster.at(master).replica.as_ref().expect("up").sessions().iter().any(|_| true));
}

#[test]
fn a_session_moves_between_an_observer_and_its_follower() {
    let (mut cluster, observer, master) = observed();
    let (first, session) = cluster.open(observer);
    let second = cluster.reopen(master, session);
    // What was left behind at the observer does not pass, and nobody takes it for something else.
    cluster.create(observer, first, 1, "/late", 0);
    cluster.create(master, second, 1, "/here", 0);
    cluster.deliver();
    assert_eq!(cluster.outcomes(second), [(1, 0)]);
    assert!(!cluster.has(master, "/late"));
    // And back: the connection at the follower is one no more.
    let third = cluster.reopen(observer, session);
    assert_eq!(cluster.seen(second), [Seen::Closed(CloseReason::SessionMoved)]);
    cluster.create(observer, third, 2, "/there", 1);
    cluster.deliver();
    assert_eq!(cluster.outcomes(third), [(2, 0)]);
    assert!(cluster.has(master, "/there"));
}

#[test]
fn a_write_of_an_observers_client_is_not_taken_for_one_here() {
    let (mut cluster, observer, master) = observed();
    let (first, session) = cluster.open(observer);
    let leader = cluster.leader();
    for server in [ServerId(1), ServerId(2), ServerId(3)] {
        cluster.at(server).is_stalled = true;
    }
    cluster.create(observer, first, 1, "/old", 0);
    cluster.deliver();
    let second = cluster.reopen(master, session);
    cluster.create(master, second, 1, "/new", 0);
    cluster.deliver();
    assert_eq!(cluster.seen(second), []);
    for server in [leader, ServerId(1), ServerId(2), ServerId(3)] {
        cluster.flush(server);
    }
    cluster.deliver();
    assert_eq!(cluster.outcomes(second), [(1, 0)]);
    assert!(cluster.has(master, "/old") && cluster.has(master, "/new"));
}

#[test]
fn unknown_sessions_are_refused_through_the_follower() {
    let (mut cluster, observer, _) = observed();
    let conn = cluster.connect(observer, again(SessionId(0x0900_0000_0000_0001)));
    cluster.deliver();
    let seen = cluster.seen(conn);
    assert_eq!(seen.last(), Some(&Seen::Closed(CloseReason::SessionGone)), "{seen:?}");
}

#[test]
fn sessions_outlive_the_follower_that_they_were_heard_of_through() {
    let (mut cluster, observer, master) = observed();
    let (conn, session) = cluster.open(observer);
    cluster.create(observer, conn, 1, "/e", 1);
    cluster.deliver();
    cluster.crash(master);
    cluster.pass(1000);
    assert_eq!(cluster.seen(conn).last(), Some(&Seen::Closed(CloseReason::NotServing)));
    let conn = cluster.reopen(observer, session);
    cluster.exists(observer, conn, 2, "/e", false);
    cluster.create(observer, conn, 3, "/e2", 1);
    cluster.deliver();
    assert_eq!(cluster.outcomes(conn), [(2, 0), (3, 0)]);
}
