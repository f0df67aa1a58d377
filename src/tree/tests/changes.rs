//! What watches are told, and multis.

use super::*;
use jute::txn::CheckVersionTxn;

fn open() -> SharedAcl {
    perms::world(perms::ALL).into()
}

fn created(path: &str, data: &str) -> Change {
    let (path, bytes) = (path.to_owned(), data.len());
    Change::Created { path, bytes, acl: open(), parent_acl: open() }
}

fn deleted(path: &str) -> Change {
    Change::Deleted { path: path.to_owned(), acl: open(), parent_acl: open() }
}

fn data_changed(path: &str, data: &str) -> Change {
    Change::DataChanged { path: path.to_owned(), bytes: data.len(), acl: open() }
}

#[test]
fn changes_carry_the_lists_that_decide_who_may_know() {
    let mut world = World::new();
    let list = |perms| SharedAcl::from(perms::world(perms));
    let with = |path: &str, perms| {
        let acl = Some(perms::world(perms));
        Txn::Create(CreateTxn { acl, ..create_txn(path, "") })
    };
    world.apply(with("/p", perms::READ));
    let (path, acl, parent_acl) = ("/p/c".to_owned(), list(perms::WRITE), list(perms::READ));
    let changes = world.apply(with("/p/c", perms::WRITE)).1;
    let (same_acl, same_parent_acl) = (acl.clone(), parent_acl.clone());
    assert_eq!(changes, [Change::Created { path: path.clone(), bytes: 0, acl, parent_acl }]);

    let changes = world.apply(set_data("/p/c", Some("x"), 1)).1;
    let set = Change::DataChanged { path: path.clone(), bytes: 1, acl: same_acl.clone() };
    assert_eq!(changes, [set]);

    let changes = world.apply(delete("/p/c")).1;
    let gone = Change::Deleted { path, acl: same_acl, parent_acl: same_parent_acl };
    assert_eq!(changes, [gone]);
}

#[test]
fn a_multi_applies_all_its_parts_with_one_zxid() {
    let mut world = World::new();
    world.create("/old", "");
    let parts = vec![
        create("/a", "1"),
        ephemeral("/a/e"),
        set_data("/a", Some("22"), 1),
        Txn::Check(CheckVersionTxn { path: "/a".to_owned(), version: 1 }),
        delete("/old"),
    ];
    let (applied, changes) = world.apply(Txn::Multi(parts));
    let Applied::Multi(results) = applied else { panic!("{applied:?}") };
    let [Applied::Create { stat, .. }, Applied::Create2 { .. }, Applied::SetData(set), rest @ ..] =
        &results[..]
    else {
        panic!("{results:?}")
    };
    assert_eq!((stat.data_length, stat.num_children), (1, 0), "as of its own part");
    assert_eq!((set.data_length, set.num_children, set.version), (2, 1, 1));
    assert_eq!(rest, [Applied::Check, Applied::Delete]);
    let expected =
        [created("/a", "1"), created("/a/e", ""), data_changed("/a", "22"), deleted("/old")];
    assert_eq!(changes, expected);
    assert_eq!((world.stat("/a").czxid, world.stat("/a/e").czxid), (2, 2));
    assert_eq!(world.tree.last_zxid(), Zxid(2));
}

#[test]
fn a_refused_multi_does_nothing_and_says_why() {
    let mut world = World::new();
    let digest = world.tree.digest();
    let parts = vec![
        create("/a", ""),
        delete("/zookeeper/quota"),
        Txn::Error(-101),
        create("/b", ""),
        Txn::Error(-2),
    ];
    let (applied, changes) = world.apply(Txn::Multi(parts));
    let codes = [0, 0, -101, -2, -2].map(Applied::Error);
    assert_eq!((applied, changes), (Applied::Multi(codes.to_vec()), vec![]));
    assert_eq!((world.tree.digest(), world.tree.last_zxid()), (digest, Zxid(1)));
}

#[test]
fn an_empty_multi_is_one() {
    let mut world = World::new();
    assert_eq!(world.apply(Txn::Multi(vec![])), (Applied::Multi(vec![]), vec![]));
}

#[test]
fn parts_of_a_replayed_multi_fail_one_by_one() {
    let mut world = World::new();
    let parts = vec![create("/a", ""), create("/b", "")];
    world.create("/a", "");
    let (applied, changes) = world.apply(Txn::Multi(parts));
    let Applied::Multi(results) = applied else { panic!("{applied:?}") };
    assert_eq!(results[0], refused(ErrorCode::NodeExists));
    assert!(matches!(results[1], Applied::Create { .. }));
    assert_eq!(changes, [created("/b", "")]);
}

/// Where a lock's waiters stand in line and the first one goes: the recipe that most clients use.
#[test]
fn a_lock_passes_on_when_its_holder_is_gone() {
    let mut world = World::new();
    world.create("/lock", "");
    for waiter in 0..3 {
        let path = format!("/lock/w-{waiter:010}");
        let txn =
            CreateTxn { ephemeral: true, parent_cversion: waiter + 1, ..create_txn(&path, "") };
        let header =
            TxnHeader { client_id: i64::from(waiter) + 1, ..transaction(9, close(&[])).header };
        let txn = Transaction { header, body: Txn::Create(txn), digest: None };
        world.tree.apply(&txn, &mut Vec::new());
    }
    let line = ["w-0000000000", "w-0000000001", "w-0000000002"];
    assert_eq!(world.children("/lock"), line);
    let header = TxnHeader { client_id: 1, zxid: 10, ..TxnHeader::default() };
    let body = close(&["/lock/w-0000000000"]);
    let mut changes = Vec::new();
    world.tree.apply(&Transaction { header, body, digest: None }, &mut changes);
    assert_eq!(changes, [deleted("/lock/w-0000000000")]);
    assert_eq!(world.children("/lock"), line[1..]);
    assert_eq!((world.stat("/lock").cversion, world.stat("/lock").pzxid), (4, 10));
}

#[test]
fn lists_are_kept_as_long_as_someone_has_them() {
    let mut world = World::new();
    let start = world.tree.acls.len();
    world.create_all(&["/a", "/a/b"]);
    for (path, perms) in [("/a", 4), ("/a/b", 4), ("/", 2), ("/a", 3), ("/", 31)] {
        world.apply(set_acl(path, perms::world(perms), 1));
    }
    assert_eq!(world.tree.acls.len(), start + 2);
    world.apply(Txn::Create(CreateTxn { acl: Some(vec![]), ..create_txn("/a", "") }));
    assert_eq!(world.tree.acls.len(), start + 2, "one went, one came");
    world.delete("/a");
    assert_eq!(world.tree.acls.len(), start);
}
