//! Sessions that one server alone knows.

use super::*;
use crate::tree::{Transaction, Txn};

fn cluster(local_sessions: LocalSessions) -> Cluster {
    Cluster::with(3, ReplicaOptions { local_sessions, ..options() })
}

/// The transactions that begin or end sessions, in a server's log.
fn session_txns(cluster: &mut Cluster, at: ServerId) -> usize {
    let log = cluster.at(at).log.iter();
    let txns = log.map(|(_, payload)| {
        Transaction::from_bytes(payload.clone()).expect("what was logged can be read").body
    });
    txns.filter(|txn| matches!(txn, Txn::CreateSession(_) | Txn::CloseSession(_))).count()
}

/// The leader and a follower.
fn both(cluster: &Cluster) -> [ServerId; 2] {
    [cluster.leader(), cluster.follower()]
}

#[test]
fn a_local_session_writes_and_ends_without_transactions_of_its_own() {
    let mut cluster = cluster(LocalSessions::Fixed);
    for at in both(&cluster) {
        let conn = cluster.connect(at, fresh());
        // Nothing has to arrive anywhere.
        assert!(matches!(cluster.seen(conn).as_slice(), [Seen::Welcome(..)]));
        cluster.create(at, conn, 1, &format!("/{at}"), 0);
        cluster.sync(at, conn, 2);
        cluster.ask(at, conn, 3, OpCode::CloseSession, Request::CloseSession);
        cluster.deliver();
        let seen = cluster.seen(conn);
        let outcomes: Vec<_> = seen[..3].iter().map(Seen::outcome).collect();
        assert_eq!(outcomes, [(1, 0), (2, 0), (3, 0)]);
        assert_eq!(seen[3..], [Seen::Closed(CloseReason::ClientRequest)]);
        let replica = cluster.at(at).replica.as_ref().expect("it is up");
        assert!(replica.local_sessions().is_empty() && replica.sessions().is_empty());
        assert_eq!(session_txns(&mut cluster, at), 0);
    }
    cluster.check();
}

#[test]
fn a_local_session_owns_nothing() {
    let mut cluster = cluster(LocalSessions::Fixed);
    for at in both(&cluster) {
        let (conn, _) = cluster.open(at);
        let ephemeral = MultiOp::Create(create_op("/m", 1));
        cluster.create(at, conn, 1, &format!("/{at}"), 0);
        cluster.create(at, conn, 2, "/e", 1);
        cluster.ask(at, conn, 3, OpCode::Multi, multi(vec![ephemeral]));
        cluster.create(at, conn, 4, &format!("/{at}/b"), 0);
        cluster.deliver();
        let local = ErrorCode::EphemeralOnLocalSession.number();
        assert_eq!(cluster.outcomes(conn), [(1, 0), (2, local), (3, local), (4, 0)]);
    }
    cluster.check();
}

#[test]
fn an_ephemeral_makes_a_session_known_to_all() {
    let mut cluster = cluster(LocalSessions::Upgradable);
    for at in both(&cluster) {
        let (conn, session) = cluster.open(at);
        let path = format!("/{at}");
        cluster.create(at, conn, 1, &path, 1);
        cluster.create(at, conn, 2, &path, 1);
        cluster.deliver();
        assert_eq!(cluster.outcomes(conn), [(1, 0), (2, ErrorCode::NodeExists.number())]);
        cluster.check();
        for id in cluster.others(ServerId(0)) {
            let replica = cluster.at(id).replica.as_ref().expect("it is up");
            assert!(replica.sessions().get(session).is_some(), "{id} does not know it");
            assert!(replica.local_sessions().is_empty());
        }
        let other = cluster.others(at)[0];
        let moved = cluster.reopen(other, session);
        cluster.create(at, conn, 3, "/x", 0);
        cluster.create(other, moved, 4, &format!("{path}b"), 1);
        cluster.deliver();
        assert_eq!(cluster.outcomes(moved), [(4, 0)]);
        cluster.at(at).clients.clear();
        cluster.at(other).clients.clear();
        cluster.pass(10_000);
        assert!(!cluster.has(at, &path), "the session has expired");
        cluster.check();
    }
}

#[test]
fn a_local_session_expires_where_it_is() {
    let mut cluster = cluster(LocalSessions::Fixed);
    for at in both(&cluster) {
        let (living, _) = cluster.open(at);
        let (silent, session) = cluster.open(at);
        cluster.at(at).clients.remove(&silent);
        cluster.pass_with_pings(10_000);
        assert_eq!(cluster.seen(silent), [Seen::Closed(CloseReason::SessionExpired)]);
        assert_eq!(cluster.seen(living), []);
        let conn = cluster.connect(at, again(session));
        cluster.deliver();
        assert_eq!(cluster.seen(conn).last(), Some(&Seen::Closed(CloseReason::SessionGone)));
    }
    cluster.check();
}

#[test]
fn a_local_session_goes_on_at_its_own_server_alone() {
    let mut cluster = cluster(LocalSessions::Fixed);
    let [leader, follower] = both(&cluster);
    for (at, other) in [(leader, follower), (follower, leader)] {
        let (old, session) = cluster.open(at);
        let refused = cluster.connect(other, again(session));
        cluster.deliver();
        assert_eq!(cluster.seen(refused).last(), Some(&Seen::Closed(CloseReason::SessionGone)));
        assert_eq!(cluster.seen(old), []);
        let new = cluster.reopen(at, session);
        assert_eq!(cluster.seen(old), [Seen::Closed(CloseReason::SessionTakenOver)]);
        cluster.create(at, new, 1, &format!("/{at}"), 0);
        cluster.deliver();
        assert_eq!(cluster.outcomes(new), [(1, 0)]);
    }
}

#[test]
fn local_sessions_end_with_their_servers_role() {
    let mut cluster = cluster(LocalSessions::Upgradable);
    let (old, at) = (cluster.leader(), cluster.follower());
    let (conn, session) = cluster.open(at);
    cluster.crash(old);
    cluster.pass(3000);
    assert_eq!(cluster.seen(conn), [Seen::Closed(CloseReason::NotServing)]);
    let conn = cluster.connect(at, again(session));
    cluster.deliver();
    assert_eq!(cluster.seen(conn).last(), Some(&Seen::Closed(CloseReason::SessionGone)));
    cluster.check();
}
