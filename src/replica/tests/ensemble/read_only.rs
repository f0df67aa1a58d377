//! A server without a leader, in read-only mode.

use super::*;

/// A leader that has lost everybody else, with `/a` in its tree.
fn alone(read_only_mode: bool) -> (Cluster, ServerId, SessionId) {
    let mut cluster = Cluster::with(3, ReplicaOptions { read_only_mode, ..options() });
    let at = cluster.leader();
    let (conn, session) = cluster.open(at);
    cluster.create(at, conn, 1, "/a", 0);
    cluster.deliver();
    for id in cluster.others(at) {
        cluster.crash(id);
    }
    // The leader notices after the limit; from then on reads have to wait for two seconds.
    cluster.pass(10_000);
    cluster.seen(conn);
    (cluster, at, session)
}

fn patient() -> Handshake {
    Handshake { read_only: Some(true), ..fresh() }
}

#[test]
fn who_does_not_mind_can_read() {
    let (mut cluster, at, _) = alone(true);
    let conn = cluster.connect(at, patient());
    assert!(matches!(cluster.seen(conn).as_slice(), [Seen::Welcome(..)]));
    assert!(cluster.eyes.read_only.contains(&conn));
    cluster.exists(at, conn, 1, "/a", true);
    cluster.create(at, conn, 2, "/b", 0);
    cluster.sync(at, conn, 3);
    cluster.ask(at, conn, 4, OpCode::Multi, multi(Vec::new()));
    cluster.ask(at, conn, 5, OpCode::CloseSession, Request::CloseSession);
    let seen = cluster.seen(conn);
    let not_read_only = ErrorCode::NotReadOnly.number();
    let refused = |xid| (xid, not_read_only);
    let outcomes: Vec<_> = seen[..5].iter().map(Seen::outcome).collect();
    assert_eq!(outcomes, [(1, 0), refused(2), refused(3), refused(4), (5, 0)]);
    assert_eq!(seen[5..], [Seen::Closed(CloseReason::ClientRequest)]);
}

#[test]
fn who_minds_and_who_has_a_session_must_go() {
    let (mut cluster, at, session) = alone(true);
    for handshake in [fresh(), Handshake { read_only: None, ..fresh() }, again(session)] {
        let conn = cluster.connect(at, handshake);
        assert_eq!(cluster.seen(conn), [Seen::Closed(CloseReason::NotServing)]);
    }
    let conn = cluster.connect(at, Handshake { read_only: Some(true), ..again(session) });
    assert_eq!(cluster.seen(conn), [Seen::Closed(CloseReason::NotServing)]);
}

#[test]
fn a_session_of_read_only_mode_goes_on_and_expires() {
    let (mut cluster, at, _) = alone(true);
    let old = cluster.connect(at, patient());
    let [Seen::Welcome(session, ..)] = cluster.seen(old)[..] else { panic!("no session") };
    let new = cluster.connect(at, Handshake { read_only: Some(true), ..again(session) });
    assert_eq!(cluster.seen(old), [Seen::Closed(CloseReason::SessionTakenOver)]);
    assert!(matches!(cluster.seen(new).as_slice(), [Seen::Welcome(..)]));
    cluster.at(at).clients.clear();
    cluster.pass(10_000);
    assert_eq!(cluster.seen(new), [Seen::Closed(CloseReason::SessionExpired)]);
}

#[test]
fn clients_must_come_again_when_there_is_a_leader() {
    let (mut cluster, at, session) = alone(true);
    let conn = cluster.connect(at, patient());
    cluster.seen(conn);
    let others = cluster.others(at);
    cluster.start(others[0]);
    cluster.pass(3000);
    assert_eq!(cluster.seen(conn), [Seen::Closed(CloseReason::NotServing)]);
    cluster.check();
    assert!(!cluster.at(at).replica.as_ref().expect("it is up").is_read_only());
    let conn = cluster.reopen(at, session);
    cluster.create(at, conn, 2, "/b", 0);
    cluster.deliver();
    assert_eq!(cluster.outcomes(conn), [(2, 0)]);
    assert!(!cluster.eyes.read_only.contains(&conn));
}

#[test]
fn without_the_mode_nobody_is_served() {
    let (mut cluster, at, _) = alone(false);
    let conn = cluster.connect(at, patient());
    assert_eq!(cluster.seen(conn), [Seen::Closed(CloseReason::NotServing)]);
}
