//! What accepted requests become, and what later requests see of it before it is applied.

use super::*;
use jute::txn::{CreateContainerTxn, CreateTtlTxn, DeleteTxn, SetAclTxn, SetDataTxn};

fn data() -> Option<Bytes> {
    Some(Bytes::from_static(b"data"))
}

#[test]
fn the_operation_decides_the_kind_of_create() {
    let acl = || stored_acl(31, "world", "anyone");
    let plain = |path: &str, ephemeral, parent_cversion| CreateTxn {
        path: path.to_owned(),
        data: data(),
        acl: acl(),
        ephemeral,
        parent_cversion,
    };
    let container = |path: &str, parent_cversion| {
        let path = path.to_owned();
        Txn::CreateContainer(CreateContainerTxn { path, data: data(), acl: acl(), parent_cversion })
    };
    let ttl = |path: &str, parent_cversion| {
        let path = path.to_owned();
        Txn::CreateTtl(CreateTtlTxn { path, data: data(), acl: acl(), parent_cversion, ttl: 9 })
    };
    let mut bench = bench();
    bench.run_all(&[create("/a", 0)]);
    let cases = [
        (create("/a/a", 0), Txn::Create(plain("/a/a", false, 1))),
        (create("/a/b", 1), Txn::Create(plain("/a/b", true, 2))),
        (create("/a/c", 2), Txn::Create(plain("/a/c0000000002", false, 3))),
        (create("/a/", 3), Txn::Create(plain("/a/0000000003", true, 4))),
        (create("/a/d", 4), Txn::Create(plain("/a/d", false, 5))),
        (create_with(OpCode::Create2, "/a/e", 0, -1), Txn::Create2(plain("/a/e", false, 6))),
        (create_with(OpCode::CreateContainer, "/a/f", 4, -1), container("/a/f", 7)),
        (create_with(OpCode::CreateContainer, "/a/g", 0, -1), container("/a/g", 8)),
        (create_with(OpCode::CreateContainer, "/a/h", 3, -1), container("/a/h0000000008", 9)),
        (create_with(OpCode::CreateTtl, "/a/i", 5, 9), ttl("/a/i", 10)),
        (create_with(OpCode::CreateTtl, "/a/j", 6, 9), ttl("/a/j0000000010", 11)),
    ];
    for (request, expected) in cases {
        assert_eq!(bench.pend(&request), expected, "{request:?}");
    }
    bench.apply();
    assert_eq!(bench.tree.ephemerals(ALICE), ["/a/0000000003", "/a/b"]);
    assert_eq!(bench.tree.node("/a").expect("it exists").child_count(), 11);
}

#[test]
fn the_header_says_who_asked_and_when() {
    let mut bench = bench();
    let txn = bench.prepare(BOB, &create("/a", 0));
    let header = TxnHeader { client_id: 0x20, cxid: 7, zxid: 1, time: 1001, kind: 1 };
    assert_eq!(txn.header, header);
    let txn = bench.prep.refuse(BOB, Xid(8), ErrorCode::MarshallingError, Zxid(2), 1002);
    let header = TxnHeader { client_id: 0x20, cxid: 8, zxid: 2, time: 1002, kind: -1 };
    assert_eq!(txn, Transaction { header, body: Txn::Error(-5), digest: None });
}

#[test]
fn versions_count_through_pending_changes() {
    let mut bench = bench();
    bench.pend(&create("/a", 0));
    let version_of = |version| {
        let (path, data) = ("/a".to_owned(), Some(Bytes::from_static(b"x")));
        Txn::SetData(SetDataTxn { path, data, version })
    };
    assert_eq!(bench.pend(&set_data("/a", b"x", 0)), version_of(1));
    assert_eq!(bench.pend(&set_data("/a", b"x", 0)), refused(ErrorCode::BadVersion));
    assert_eq!(bench.pend(&set_data("/a", b"x", -1)), version_of(2));
    let acl = stored_acl(1, "world", "anyone");
    let set = SetAclTxn { path: "/a".to_owned(), acl, version: 1 };
    assert_eq!(bench.pend(&set_acl("/a", raw_acl(1, "world", "anyone"), 0)), Txn::SetAcl(set));
    assert_eq!(bench.pend(&set_data("/a", b"x", 2)), refused(ErrorCode::NoAuth));
    bench.apply();
    assert_eq!(bench.pend(&set_data("/a", b"x", 2)), refused(ErrorCode::NoAuth));
    let gone = DeleteTxn { path: "/a".to_owned() };
    assert_eq!(bench.pend(&delete("/a", 2)), Txn::Delete(gone));
    assert_eq!(bench.pend(&delete("/a", 2)), refused(ErrorCode::NoNode));
    bench.apply();
}

#[test]
fn versions_wrap_and_do_not_skip_minus_one() {
    let mut bench = bench();
    bench.run_all(&[create("/a", 0)]);
    for (forced, next) in [(i32::MAX, i32::MIN), (-2, -1), (-1, 0)] {
        bench.zxid = bench.zxid.next();
        let body = Txn::SetData(SetDataTxn { path: "/a".to_owned(), data: None, version: forced });
        let header = TxnHeader { zxid: bench.zxid.0, kind: 5, ..TxnHeader::default() };
        bench.tree.apply(&Transaction { header, body, digest: None }, &mut Vec::new());
        let expected = Txn::SetData(SetDataTxn {
            path: "/a".to_owned(),
            data: Some(Bytes::from_static(b"x")),
            version: next,
        });
        assert_eq!(bench.run(&set_data("/a", b"x", forced)), expected);
    }
}

#[test]
fn pending_creates_and_deletes_are_seen() {
    let mut bench = bench();
    bench.pend(&create("/a", 0));
    assert_eq!(bench.pend(&create("/a", 0)), refused(ErrorCode::NodeExists));
    bench.pend(&create("/a/b", 0));
    assert_eq!(bench.pend(&delete("/a", -1)), refused(ErrorCode::NotEmpty));
    bench.pend(&delete("/a/b", -1));
    bench.pend(&delete("/a", -1));
    assert_eq!(bench.pend(&create("/a/b", 0)), refused(ErrorCode::NoNode));
    // A new znode of the same name begins anew.
    bench.pend(&create("/a", 0));
    assert_eq!(path_of(&bench.pend(&create("/a/s", 2))), "/a/s0000000000");
    bench.apply();
}

#[test]
fn the_root_has_one_state_under_both_names() {
    let mut bench = bench();
    bench.pend(&set_acl("/", raw_acl(perms::READ | perms::ADMIN, "world", "anyone"), -1));
    assert_eq!(bench.pend(&create("/a", 0)), refused(ErrorCode::NoAuth));
    bench.pend(&set_acl("/", open_acl(), 1));
    bench.pend(&create("/a", 0));
    bench.pend(&set_data("/", b"root", 0));
    assert_eq!(path_of(&bench.pend(&create("/", 2))), "/0000000001");
    bench.apply();
}

#[test]
fn auth_in_a_list_stands_for_the_clients_identities() {
    let mut bench = bench();
    bench.identities = vec![digest_identity("u"), digest_identity("v")];
    let request = create_with_acl("/a", 0, raw_acl(31, "auth", ""));
    let Txn::Create(body) = bench.run(&request) else { panic!("it is refused") };
    let ids: Vec<_> = body.acl.iter().flatten().map(|acl| acl.id.id.as_str()).collect();
    assert_eq!(ids, ["u:hash", "v:hash"]);
    bench.identities = vec![digest_identity("w")];
    assert_eq!(bench.run(&create("/a/b", 0)), refused(ErrorCode::NoAuth));
    bench.identities = vec![digest_identity("v")];
    assert!(matches!(bench.run(&create("/a/b", 0)), Txn::Create(_)));
}

#[test]
fn sequence_numbers_stop_at_the_largest() {
    let mut bench = bench();
    bench.run_all(&[create("/a", 0)]);
    bench.force_cversion("/a", i32::MAX - 1);
    assert_eq!(path_of(&bench.pend(&create("/a/s", 2))), "/a/s2147483646");
    // The transaction's number wraps, and trees do not go back with it, in ZooKeeper neither.
    let Txn::Create(body) = bench.pend(&create("/a/s", 2)) else { panic!("it is refused") };
    assert_eq!((body.path.as_str(), body.parent_cversion), ("/a/s2147483647", i32::MIN));
    assert_eq!(bench.pend(&create("/a/s", 2)), refused(ErrorCode::NodeExists));
    assert_eq!(path_of(&bench.pend(&create("/a/other", 2))), "/a/other2147483647");
    bench.apply();
    assert_eq!(bench.pend(&create("/a/s", 2)), refused(ErrorCode::NodeExists));
}

#[test]
fn negative_sequence_numbers_keep_their_sign() {
    use crate::tree::TreeLoader;
    let mut bench = bench();
    bench.run_all(&[create("/a", 0), create("/b", 0)]);
    let mut loader = TreeLoader::new(TreeOptions::default());
    for (path, mut record) in bench.tree.dump() {
        match path.as_str() {
            "/a" => record.stat.cversion = i32::MIN,
            "/b" => record.stat.cversion = -2,
            _ => {}
        }
        loader.insert(&path, record).expect("parents come first");
    }
    bench.tree = loader.finish_unchecked(bench.zxid).expect("the tree is whole");
    let Txn::Create(first) = bench.pend(&create("/a/s", 2)) else { panic!("it is refused") };
    assert_eq!((first.path.as_str(), first.parent_cversion), ("/a/s-2147483648", i32::MIN + 1));
    assert_eq!(path_of(&bench.pend(&create("/a/s", 2))), "/a/s-2147483647");
    // -1 in a transaction means one more than before, which is the same.
    assert_eq!(path_of(&bench.pend(&create("/b/s", 2))), "/b/s-000000002");
    assert_eq!(path_of(&bench.pend(&create("/b/s", 2))), "/b/s-000000001");
    assert_eq!(path_of(&bench.pend(&create("/b/s", 2))), "/b/s0000000000");
    bench.apply();
}

#[test]
fn digests_can_be_switched_off() {
    let mut bench = Bench::new(PrepOptions { digest: false, ..options() });
    let requests = [create("/a", 0), set_data("/a", b"x", -1), delete("/a", -1)];
    for request in requests {
        assert_eq!(bench.prepare(ALICE, &request).digest, None);
    }
    bench.apply();
}

#[test]
fn cleared_changes_are_forgotten() {
    let mut bench = bench();
    bench.pend(&create("/a", 0));
    bench.prepare(ALICE, &Request::CloseSession);
    bench.prep.clear();
    bench.prepared.clear();
    assert_eq!(bench.pend(&delete("/a", -1)), refused(ErrorCode::NoNode));
    bench.pend(&create("/a", 0));
    bench.apply();
}

#[test]
#[should_panic(expected = "in the order of their zxids")]
fn zxids_must_rise() {
    let mut bench = bench();
    bench.pend(&create("/a", 0));
    bench.zxid = Zxid::ZERO;
    bench.pend(&create("/b", 0));
}
