//! A server finds what it had.

use super::super::{Recovery, RecoveryError};
use super::*;
use jute::disk::TreeMark;

fn log_of(bench: &Bench, after: Zxid) -> Recovery {
    let mut recovery = Recovery::new(TREE);
    for (zxid, payload) in bench.log.iter().filter(|(zxid, _)| *zxid > after) {
        recovery.entry(*zxid, payload.clone()).expect("what was logged can be replayed");
    }
    recovery
}

fn busy() -> (Bench, SessionId, SessionId) {
    let mut bench = Bench::new();
    let (a, b) = (bench.open(A), bench.open(B));
    bench.create(A, 1, "/e", 1);
    bench.create(B, 1, "/f", 1);
    bench.create(B, 2, "/f", 1);
    bench.close(A, 2);
    bench.sync();
    (bench, a, b)
}

#[test]
fn nothing_stored_is_a_fresh_tree() {
    let recovered = Recovery::new(TREE).finish().expect("nothing is wrong");
    assert_eq!(recovered.tree.digest(), Tree::new(TREE).digest());
    assert!(recovered.sessions.is_empty() && recovered.session_changes.is_empty());
}

#[test]
fn a_log_alone_brings_everything_back() {
    let (bench, a, b) = busy();
    let recovered = log_of(&bench, Zxid::ZERO).finish().expect("nothing is wrong");
    assert_eq!(recovered.tree.digest(), bench.tree.digest());
    assert_eq!(recovered.tree.last_zxid(), bench.tree.last_zxid());
    assert_eq!(recovered.replayed, 6);
    assert_eq!(recovered.sessions.into_iter().collect::<Vec<_>>(), [(b, TIMEOUT_MS)]);
    let changes = [(a, Some(TIMEOUT_MS)), (b, Some(TIMEOUT_MS)), (a, None)];
    assert_eq!(recovered.session_changes, changes);
}

#[test]
fn what_the_log_changed_in_sessions_is_still_to_be_stored() {
    let (bench, a, b) = busy();
    let recovered = log_of(&bench, Zxid::ZERO).finish().expect("nothing is wrong");
    let mut replica = Replica::new(
        options(),
        &recovered.tree,
        recovered.sessions,
        recovered.session_changes,
        bench.now,
    );
    assert!(replica.sessions().get(a).is_none() && replica.sessions().get(b).is_some());
    let changes = replica.take_session_changes();
    assert!(changes.contains(&(b, Some(TIMEOUT_MS))) && changes.contains(&(a, None)));
    assert_eq!(replica.take_session_changes(), []);
}

#[test]
fn a_stored_tree_and_the_log_behind_it() {
    let (mut bench, _, b) = busy();
    let mark = TreeMark { applied: bench.last_zxid(), digest: bench.tree.digest() };
    let stored: Vec<_> = bench.tree.dump().collect();
    bench.create(B, 3, "/later", 0);
    bench.sync();
    let mut recovery = Recovery::new(TREE);
    for (path, record) in stored {
        recovery.znode(&path, record).expect("it was stored");
    }
    recovery.session(b, 4000);
    recovery.mark(&mark).expect("it was stored");
    for (zxid, payload) in bench.log.iter().filter(|(zxid, _)| zxid.0 > mark.applied) {
        recovery.entry(*zxid, payload.clone()).expect("it was logged");
    }
    let recovered = recovery.finish().expect("nothing is wrong");
    assert_eq!(recovered.tree.digest(), bench.tree.digest());
    assert_eq!(recovered.sessions.into_iter().collect::<Vec<_>>(), [(b, 4000)]);
    assert_eq!((recovered.session_changes, recovered.replayed), (vec![], 1));
}

#[test]
fn damage_is_not_passed_over() {
    let (bench, ..) = busy();
    let (zxid, payload) = bench.log[0].clone();
    let mut recovery = Recovery::new(TREE);
    assert_eq!(recovery.entry(Zxid(2), payload.clone()), Err(RecoveryError::WrongZxid(zxid)));
    let short = recovery.entry(zxid, payload.slice(..20));
    assert!(matches!(short, Err(RecoveryError::Decode(_))));
    let mut recovery = log_of(&bench, Zxid::ZERO);
    let mark = TreeMark { applied: 6, digest: bench.tree.digest() };
    assert_eq!(recovery.mark(&mark), Err(RecoveryError::BehindMark));
    let mut recovery = Recovery::new(TREE);
    let wrong = TreeMark { applied: 1, digest: 1 };
    let (root, record) = bench.tree.dump().next().expect("a root");
    recovery.znode(&root, record.clone()).expect("a root");
    assert!(matches!(recovery.mark(&wrong), Err(RecoveryError::Load(_))));
    let mut recovery = Recovery::new(TREE);
    recovery.znode(&root, record.clone()).expect("a root");
    let (zxid, payload) = bench.log[0].clone();
    assert_eq!(recovery.entry(zxid, payload), Err(RecoveryError::NoMark));
    assert_eq!(recovery.finish().err(), Some(RecoveryError::NoMark));
    let mut recovery = log_of(&bench, Zxid::ZERO);
    assert_eq!(recovery.znode(&root, record), Err(RecoveryError::BehindMark));
}

#[test]
fn a_tree_that_is_not_as_the_leader_had_it_is_refused() {
    let (bench, ..) = busy();
    let mut recovery = Recovery::new(TREE);
    let mut outcome = Ok(());
    // The third entry, a create, is left out.
    for (zxid, payload) in bench.log.iter().filter(|(zxid, _)| *zxid != Zxid(3)) {
        outcome = outcome.and_then(|()| recovery.entry(*zxid, payload.clone()));
    }
    assert!(matches!(outcome, Err(RecoveryError::Digest { .. })), "{outcome:?}");
}

#[test]
fn a_member_applies_no_more_than_it_knows_to_be_decided() {
    let (bench, a, b) = busy();
    for (decided, sessions) in [(0, vec![]), (2, vec![a, b]), (6, vec![b])] {
        let mut recovery = Recovery::member(TREE, Zxid(decided));
        for (zxid, payload) in bench.log.clone() {
            recovery.entry(zxid, payload).expect("what was logged can be read");
        }
        let recovered = recovery.finish().expect("nothing is wrong");
        assert_eq!(recovered.tree.applied_zxid(), Zxid(decided));
        assert_eq!(recovered.sessions.into_keys().collect::<Vec<_>>(), sessions);
        let tail: Vec<_> = bench.log.iter().filter(|(zxid, _)| zxid.0 > decided).cloned().collect();
        let found =
            recovered.tail.iter().map(|entry| (Zxid(entry.txn.header.zxid), &entry.payload));
        assert!(found.eq(tail.iter().map(|(zxid, payload)| (*zxid, payload))));
    }
}

#[test]
fn a_member_refuses_a_log_that_it_cannot_read_whatever_is_decided() {
    let mut recovery = Recovery::member(TREE, Zxid::ZERO);
    let garbage = recovery.entry(Zxid(1), Bytes::from_static(b"?"));
    assert!(matches!(garbage, Err(RecoveryError::Decode(_))));
}
