//! Sessions that begin and end in what is pending.

use super::*;

fn closed_paths(txn: &Txn) -> Vec<&str> {
    match txn {
        Txn::CloseSession(body) => body.paths_to_delete.iter().flatten().map(|p| &**p).collect(),
        other => panic!("{other:?} closes nothing"),
    }
}

#[test]
fn closing_lists_what_the_session_will_own() {
    let mut bench = bench();
    bench.run_all(&[create("/p", 0), create("/z", 1), create("/gone", 1), create("/p/b", 1)]);
    bench.pend(&create("/p/c", 1));
    bench.pend(&create("/p/a", 3));
    bench.pend(&delete("/gone", -1));
    bench.pend(&create("/passing", 1));
    bench.pend(&delete("/passing", -1));
    bench.pend(&set_data("/z", b"x", -1));
    // Deleted by one, created by the other.
    bench.pend(&delete("/p/b", -1));
    bench.prepare(BOB, &create("/p/b", 1));
    let txn = bench.prepare(ALICE, &Request::CloseSession).body;
    assert_eq!(closed_paths(&txn), ["/p/a0000000002", "/p/c", "/z"]);
    let txn = bench.prepare(BOB, &Request::CloseSession).body;
    assert_eq!(closed_paths(&txn), ["/p/b"]);
    // The parent is empty before any of this is applied.
    bench.sessions.insert(NOBODY, 1000, Moment(0));
    assert!(matches!(bench.prepare(NOBODY, &delete("/p", -1)).body, Txn::Delete(_)));
    bench.apply();
    assert_eq!(bench.tree.ephemeral_count(), 0);
}

#[test]
fn a_pending_close_ends_the_session() {
    let mut bench = bench();
    bench.pend(&create("/e", 1));
    bench.pend(&Request::CloseSession);
    assert_eq!(bench.pend(&create("/x", 0)), refused(ErrorCode::SessionExpired));
    assert_eq!(bench.pend(&create("/x", 1)), refused(ErrorCode::SessionExpired));
    // Another close finds nothing left to do.
    assert_eq!(closed_paths(&bench.pend(&Request::CloseSession)), Vec::<&str>::new());
    bench.sessions.remove(ALICE);
    bench.apply();
    assert_eq!(bench.pend(&create("/x", 0)), refused(ErrorCode::SessionExpired));
}

#[test]
fn closing_is_never_refused() {
    let mut bench = bench();
    bench.run_all(&[create("/e", 1)]);
    for session in [NOBODY, CLOSING] {
        let txn = bench.prepare(session, &Request::CloseSession);
        assert_eq!(closed_paths(&txn.body), Vec::<&str>::new());
        assert_eq!((txn.header.kind, txn.header.client_id), (-11, session.0));
        assert!(txn.digest.is_some());
    }
    bench.apply();
}

#[test]
fn a_pending_session_can_write() {
    let mut bench = bench();
    assert_eq!(bench.prepare(NOBODY, &create("/x", 1)).body, refused(ErrorCode::SessionExpired));
    let txn = bench.prepare(NOBODY, &Request::CreateSession(4000));
    assert!(matches!(&txn.body, Txn::CreateSession(body) if body.time_out == 4000));
    assert_eq!((txn.header.kind, txn.digest.is_some()), (-10, true));
    assert!(matches!(bench.prepare(NOBODY, &create("/x", 1)).body, Txn::Create(_)));
    let txn = bench.prepare(NOBODY, &Request::CloseSession);
    assert_eq!(closed_paths(&txn.body), ["/x"]);
    bench.apply();
}
