//! Sessions across servers: they move, expire and survive their leaders.

use super::*;

#[test]
fn every_server_knows_a_session_and_its_end() {
    let mut cluster = Cluster::new(3);
    let at = cluster.follower();
    let (conn, session) = cluster.open(at);
    cluster.create(at, conn, 1, "/e", 1);
    cluster.deliver();
    cluster.check();
    for id in cluster.others(ServerId(0)) {
        assert!(cluster.has(id, "/e"));
    }
    cluster.seen(conn);
    cluster.ask(at, conn, 2, OpCode::CloseSession, Request::CloseSession);
    cluster.deliver();
    let seen = cluster.seen(conn);
    assert_eq!(seen[0].outcome(), (2, 0));
    assert_eq!(seen[1..], [Seen::Closed(CloseReason::ClientRequest)]);
    cluster.check();
    assert!(!cluster.has(at, "/e"));
    let replica = cluster.at(at).replica.as_ref().expect("it is up");
    assert!(replica.sessions().get(session).is_none());
}

#[test]
fn a_session_can_be_closed_through_another_server() {
    let mut cluster = Cluster::new(3);
    let (first, second) = (cluster.follower(), cluster.leader());
    let (old, session) = cluster.open(first);
    cluster.create(first, old, 1, "/e", 1);
    cluster.deliver();
    let new = cluster.reopen(second, session);
    cluster.ask(second, new, 2, OpCode::CloseSession, Request::CloseSession);
    cluster.deliver();
    assert_eq!(cluster.seen(new).last(), Some(&Seen::Closed(CloseReason::ClientRequest)));
    assert_eq!(cluster.seen(old).last(), Some(&Seen::Closed(CloseReason::SessionExpired)));
    assert!(!cluster.has(first, "/e"));
    cluster.check();
}

#[test]
fn who_comes_by_an_old_connection_is_told_to_go() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.leader();
    let learners = cluster.others(leader);
    // From a learner to the leader, and from one learner to another.
    let ways = [leader, learners[1]].map(|second| (learners[0], second));
    for ((first, second), is_multi) in ways.into_iter().flat_map(|way| [(way, false), (way, true)])
    {
        let (old, session) = cluster.open(first);
        let new = cluster.reopen(second, session);
        let path = format!("/{session}");
        if is_multi {
            let ops = vec![MultiOp::Create(create_op(&path, 0))];
            cluster.ask(first, old, 1, OpCode::Multi, Request::Multi(MultiRequest { ops }));
        } else {
            cluster.create(first, old, 1, &path, 0);
        }
        cluster.deliver();
        assert_eq!(cluster.seen(old), [Seen::Closed(CloseReason::SessionMoved)]);
        assert!(!cluster.has(leader, &path));
        cluster.create(second, new, 1, &path, 0);
        cluster.deliver();
        assert_eq!(cluster.outcomes(new), [(1, 0)]);
    }
    cluster.check();
}

#[test]
fn a_session_that_moves_away_from_the_leader_leaves_at_once() {
    let mut cluster = Cluster::new(3);
    let (first, second) = (cluster.leader(), cluster.follower());
    let (old, session) = cluster.open(first);
    let new = cluster.reopen(second, session);
    assert_eq!(cluster.seen(old), [Seen::Closed(CloseReason::SessionMoved)]);
    cluster.create(second, new, 1, "/a", 1);
    cluster.deliver();
    assert_eq!(cluster.outcomes(new), [(1, 0)]);
    // And back.
    let last = cluster.reopen(first, session);
    cluster.create(first, last, 2, "/b", 1);
    cluster.deliver();
    assert_eq!(cluster.outcomes(last), [(2, 0)]);
}

#[test]
fn a_session_taken_over_on_one_learner_belongs_to_the_newcomer() {
    let mut cluster = Cluster::new(3);
    let at = cluster.follower();
    let (old, session) = cluster.open(at);
    let new = cluster.reopen(at, session);
    assert_eq!(cluster.seen(old), [Seen::Closed(CloseReason::SessionTakenOver)]);
    cluster.create(at, new, 1, "/a", 1);
    cluster.deliver();
    assert_eq!(cluster.outcomes(new), [(1, 0)]);
}

/// A client that takes over a session may count its requests from the beginning.
#[test]
fn nobody_gets_the_reply_to_another_connections_write() {
    let mut cluster = Cluster::new(3);
    let at = cluster.follower();
    let (old, session) = cluster.open(at);
    cluster.create(at, old, 1, "/old", 0);
    let new = cluster.connect(at, again(session));
    // The answers to both are on their way.
    cluster.at(at).is_stalled = true;
    cluster.deliver();
    cluster.seen(old);
    cluster.seen(new);
    cluster.create(at, new, 1, "/old", 0);
    cluster.deliver();
    cluster.flush(at);
    cluster.deliver();
    assert_eq!(cluster.seen(old), []);
    assert_eq!(cluster.outcomes(new), [(1, ErrorCode::NodeExists.number())]);
}

#[test]
fn two_who_ask_for_one_session_at_once_do_not_share_it() {
    let mut cluster = Cluster::new(3);
    let at = cluster.follower();
    let (_, session) = cluster.open(at);
    let first = cluster.connect(at, again(session));
    let gone = cluster.connect(at, again(session));
    let second = cluster.connect(at, again(session));
    cluster.input(at, Input::Closed(gone));
    cluster.deliver();
    assert_eq!(cluster.seen(gone), []);
    let seen = cluster.seen(first);
    assert_eq!(seen.last(), Some(&Seen::Closed(CloseReason::SessionTakenOver)));
    assert!(matches!(cluster.seen(second).as_slice(), [Seen::Welcome(..)]));
}

#[test]
fn wrong_passwords_and_unknown_sessions_are_refused_by_learners() {
    let mut cluster = Cluster::new(3);
    let at = cluster.follower();
    let (_, session) = cluster.open(cluster.leader());
    let wrong = Handshake { password: Bytes::from_static(&[7; 16]), ..again(session) };
    for handshake in [wrong, again(SessionId(4711))] {
        let conn = cluster.connect(at, handshake);
        cluster.deliver();
        let refused = Seen::Welcome(SessionId(0), 0, vec![0; 16]);
        let closed = Seen::Closed(CloseReason::SessionGone);
        assert_eq!(cluster.seen(conn), [refused, closed]);
    }
}

#[test]
fn the_leader_keeps_alive_who_pings_a_learner_and_ends_who_does_not() {
    let mut cluster = Cluster::new(3);
    let at = cluster.follower();
    let (living, _) = cluster.open(at);
    cluster.create(at, living, 1, "/living", 1);
    let (silent, _) = cluster.open(at);
    cluster.create(at, silent, 1, "/silent", 1);
    cluster.deliver();
    cluster.seen(living);
    cluster.seen(silent);
    cluster.at(at).clients.remove(&silent);
    cluster.pass_with_pings(10_000);
    assert_eq!(cluster.seen(silent), [Seen::Closed(CloseReason::SessionExpired)]);
    assert!(!cluster.has(at, "/silent") && cluster.has(at, "/living"));
    assert_eq!(cluster.seen(living), []);
    cluster.check();
}

#[test]
fn a_new_leader_keeps_sessions_and_ephemerals() {
    let mut cluster = Cluster::new(3);
    let (old, at) = (cluster.leader(), cluster.follower());
    let (conn, session) = cluster.open(at);
    cluster.create(at, conn, 1, "/e", 1);
    cluster.deliver();
    cluster.seen(conn);
    cluster.crash(old);
    cluster.pass(3000);
    assert_eq!(cluster.seen(conn), [Seen::Closed(CloseReason::NotServing)]);
    let leader = cluster.leader();
    assert_ne!(leader, old);
    cluster.check();
    let learner = *cluster.others(leader).iter().find(|id| **id != old).expect("two are left");
    let conn = cluster.reopen(learner, session);
    cluster.create(learner, conn, 2, "/f", 1);
    cluster.deliver();
    assert_eq!(cluster.outcomes(conn), [(2, 0)]);
    // Its timeout began anew with the leader.
    cluster.pass_with_pings(20_000);
    assert!(cluster.has(leader, "/e") && cluster.has(leader, "/f"));
    cluster.at(learner).clients.remove(&conn);
    cluster.pass(10_000);
    assert!(!cluster.has(leader, "/e") && !cluster.has(leader, "/f"));
    cluster.start(old);
    cluster.pass(3000);
    cluster.check();
}

#[test]
fn clients_of_another_leader_hear_what_they_missed() {
    let mut cluster = Cluster::new(3);
    let (old, at) = (cluster.leader(), cluster.follower());
    let (conn, session) = cluster.open(at);
    cluster.exists(at, conn, 1, "/a", true);
    let seen = cluster.seen(conn)[0].zxid();
    cluster.crash(old);
    cluster.pass(3000);
    let leader = cluster.leader();
    let (writer, _) = cluster.open(leader);
    cluster.create(leader, writer, 1, "/a", 0);
    cluster.deliver();
    let conn = cluster.reopen(at, session);
    let op = jute::client::SetWatches2 {
        relative_zxid: seen,
        data_watches: Some(Vec::new()),
        exist_watches: Some(vec!["/a".to_owned()]),
        child_watches: Some(Vec::new()),
        persistent_watches: Some(Vec::new()),
        persistent_recursive_watches: Some(Vec::new()),
    };
    cluster.ask(at, conn, -8, OpCode::SetWatches2, Request::SetWatches(op));
    let seen = cluster.seen(conn);
    assert_eq!(seen[0], Seen::Event(EventType::Created, "/a".to_owned(), -1));
}

#[test]
fn nobody_is_served_without_a_quorum() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.leader();
    let (conn, session) = cluster.open(leader);
    for id in cluster.others(leader) {
        cluster.crash(id);
    }
    cluster.create(leader, conn, 1, "/lost", 0);
    cluster.pass(10_000);
    assert_eq!(cluster.seen(conn), [Seen::Closed(CloseReason::NotServing)]);
    for handshake in [fresh(), again(session)] {
        let conn = cluster.connect(leader, handshake);
        cluster.deliver();
        assert_eq!(cluster.seen(conn), [Seen::Closed(CloseReason::NotServing)]);
    }
    assert!(!cluster.has(leader, "/lost"));
}

/// What a leader alone has proposed is dropped if another leader was elected meanwhile.
#[test]
fn what_was_not_decided_is_dropped_or_decided_everywhere() {
    let mut cluster = Cluster::new(3);
    let old = cluster.leader();
    let (conn, _) = cluster.open(old);
    cluster.create(old, conn, 1, "/kept", 0);
    cluster.deliver();
    for id in cluster.others(old) {
        cluster.crash(id);
    }
    cluster.create(old, conn, 2, "/lost", 0);
    cluster.deliver();
    cluster.crash(old);
    for id in cluster.others(old) {
        cluster.start(id);
    }
    cluster.pass(3000);
    let leader = cluster.leader();
    let (writer, _) = cluster.open(leader);
    cluster.create(leader, writer, 1, "/new", 0);
    cluster.deliver();
    cluster.start(old);
    cluster.pass(3000);
    cluster.check();
    assert!(cluster.has(old, "/kept") && cluster.has(old, "/new") && !cluster.has(old, "/lost"));
}

/// A client may have seen the beginning of the epoch at the leader.
#[test]
fn a_new_epoch_is_seen_everywhere() {
    let mut cluster = Cluster::new(3);
    let (leader, at) = (cluster.leader(), cluster.follower());
    let seen = cluster.at(leader).tree.last_zxid();
    assert_eq!((seen.counter(), cluster.at(leader).tree.applied_zxid()), (0, Zxid::ZERO));
    let conn = cluster.connect(at, Handshake { last_zxid_seen: seen, ..fresh() });
    cluster.deliver();
    assert!(matches!(cluster.seen(conn).as_slice(), [Seen::Welcome(..)]));
    let conn = cluster.connect(at, Handshake { last_zxid_seen: Zxid(seen.0 + 9), ..fresh() });
    assert_eq!(cluster.seen(conn), [Seen::Closed(CloseReason::ZxidAhead)]);
}

#[test]
fn a_write_at_another_server_is_not_taken_for_one_here() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.leader();
    let [here, there, ..] = cluster.others(leader)[..] else { panic!("three voters") };
    let (conn, session) = cluster.open(here);
    // What is decided cannot be applied there yet.
    cluster.at(there).is_stalled = true;
    cluster.create(here, conn, 1, "/a", 0);
    cluster.deliver();
    assert_eq!(cluster.outcomes(conn), [(1, 0)]);
    let conn = cluster.reopen(there, session);
    cluster.create(there, conn, 1, "/a", 0);
    cluster.deliver();
    cluster.flush(there);
    cluster.deliver();
    assert_eq!(cluster.outcomes(conn), [(1, ErrorCode::NodeExists.number())]);
}
