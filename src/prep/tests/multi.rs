//! Several writes in one transaction.

use super::*;
use ErrorCode::{BadArguments, MarshallingError, NoNode, RuntimeInconsistency};
use jute::client::PathWatch;

fn parts(txn: Txn) -> Vec<Txn> {
    match txn {
        Txn::Multi(parts) => parts,
        other => panic!("{other:?} is no multi"),
    }
}

#[test]
fn operations_see_each_other() {
    let mut bench = bench();
    let request = multi([
        create("/a", 0),
        create("/a/s", 2),
        create("/a/s", 2),
        Request::Check(path_version("/a", 0)),
        set_data("/a", b"x", 0),
        set_data("/a", b"y", 1),
        delete("/a/s0000000000", 0),
    ]);
    let txn = bench.prepare(ALICE, &request);
    assert_eq!(txn.header.kind, 14);
    let parts = parts(txn.body);
    assert_eq!(path_of(&parts[2]), "/a/s0000000001");
    assert!(matches!(&parts[3], Txn::Check(check) if check.version == 1));
    assert!(matches!(&parts[5], Txn::SetData(set) if set.version == 2));
    bench.apply();
    let node = bench.tree.node("/a").expect("it was created");
    assert_eq!((node.child_count(), node.data()), (1, Some(&b"y"[..])));
}

#[test]
fn the_first_failure_marks_the_others_and_undoes_all() {
    let mut bench = bench();
    bench.run_all(&[create("/a", 0), create("/a/old", 0)]);
    let before = bench.tree.digest();
    let request = multi([
        create("/a/s", 2),
        delete("/a/old", -1),
        delete("/none", -1),
        create("/a/b", 0),
        delete("/none", -1),
    ]);
    let txn = bench.prepare(ALICE, &request);
    assert_eq!(txn.digest.map(|digest| digest.tree_digest), Some(before));
    assert_eq!(txn.header.kind, 14);
    let parts = parts(txn.body);
    assert_eq!(path_of(&parts[0]), "/a/s0000000001");
    assert!(matches!(&parts[1], Txn::Delete(_)));
    let inconsistent = refused(RuntimeInconsistency);
    assert_eq!(parts[2..], [refused(NoNode), inconsistent.clone(), inconsistent]);
    // Not even a sequence number is used up.
    assert_eq!(path_of(&bench.pend(&create("/a/s", 2))), "/a/s0000000001");
    assert!(matches!(bench.pend(&delete("/a/old", -1)), Txn::Delete(_)));
    bench.apply();
}

#[test]
fn what_was_pending_before_a_failure_stays() {
    let mut bench = bench();
    bench.pend(&create("/a", 0));
    bench.pend(&create("/a/s", 2));
    bench.pend(&create("/e", 1));
    let failing = || {
        multi([
            set_data("/a", b"x", -1),
            create("/a/s", 2),
            create("/a/s", 2),
            delete("/e", -1),
            create("/f", 1),
            delete("/none", -1),
        ])
    };
    bench.pend(&failing());
    assert_eq!(path_of(&bench.pend(&create("/a/s", 2))), "/a/s0000000001");
    bench.pend(&failing());
    assert_eq!(path_of(&bench.pend(&create("/a/s", 2))), "/a/s0000000002");
    assert!(matches!(bench.pend(&set_data("/a", b"x", 0)), Txn::SetData(_)));
    let Txn::CloseSession(close) = bench.pend(&Request::CloseSession) else { panic!("no close") };
    assert_eq!(close.paths_to_delete, Some(vec!["/e".to_owned()]));
    bench.apply();
}

#[test]
fn an_empty_multi_is_one() {
    let mut bench = bench();
    let txn = bench.prepare(NOBODY, &multi([]));
    assert_eq!(txn.body, Txn::Multi(Vec::new()));
    assert!(txn.digest.is_some());
    bench.apply();
}

#[test]
fn what_cannot_be_read_refuses_the_whole() {
    let nameless = |op| Request::Create(create_op(op, None, 0, -1));
    let no_acl = |op, flags, ttl| {
        Request::Create(CreateOp { acl: None, ..create_op(op, Some("/x"), flags, ttl) })
    };
    let null_id = vec![RawAcl { perms: 31, id: RawId { scheme: Some("world".into()), id: None } }];
    let cases = [
        nameless(OpCode::Create),
        nameless(OpCode::CreateTtl),
        Request::Delete(PathVersion { path: None, version: 0 }),
        Request::Check(PathVersion { path: None, version: 0 }),
        Request::SetData(SetDataRequest { path: None, data: None, version: 0 }),
        Request::GetData(PathWatch { path: Some("/a".to_owned()), watch: false }),
        create("/x", 7),
        create("/x", 5),
        create_with(OpCode::Create2, "/x", 6, -1),
        create_with(OpCode::CreateContainer, "/x", -1, -1),
        no_acl(OpCode::Create, 0, -1),
        no_acl(OpCode::CreateContainer, 4, -1),
        create_with_acl("/x", 0, Some(null_id)),
    ];
    let mut bench = bench();
    bench.run_all(&[create("/a", 0)]);
    for request in cases {
        // What comes before it is not done either, and a failure before it makes no difference
        // unless it is only found out in its turn.
        let request = multi([create("/a/s", 2), request]);
        let txn = bench.prepare(ALICE, &request);
        assert_eq!((txn.body, txn.digest), (refused(MarshallingError), None), "{request:?}");
        assert_eq!(bench.prep.pending(), 0);
    }
    bench.apply();
}

#[test]
fn the_mode_decides_what_a_create_is() {
    let mut bench = bench();
    let request = multi([
        create("/a", 4),
        create_with(OpCode::Create2, "/b", 4, -1),
        create_with(OpCode::Create2, "/c", 0, -1),
        create_with(OpCode::CreateContainer, "/d", 0, -1),
        create_with(OpCode::CreateTtl, "/e", 5, 9),
        create_with(OpCode::CreateTtl, "/f", 4, 9),
        create_with(OpCode::CreateTtl, "/g", 1, 9),
        create_with(OpCode::CreateTtl, "/h", 0, -1),
    ]);
    let kinds: Vec<_> = parts(bench.run(&request)).iter().map(Txn::kind).collect();
    assert_eq!(kinds, [19, 19, 15, 19, 21, 19, 1, 1]);
    // createTTL is not read as strictly as the others.
    let request = multi([create_with(OpCode::CreateTtl, "/i", 7, 9)]);
    assert_eq!(bench.run(&request), Txn::Multi(vec![refused(BadArguments)]));
    let request = multi([create_with(OpCode::CreateTtl, "/i", 5, 0)]);
    assert_eq!(bench.run(&request), Txn::Multi(vec![refused(BadArguments)]));
}
