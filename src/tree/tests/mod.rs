//! The tree's behaviour, transaction by transaction.

mod changes;
mod quotas;
mod sessions;
mod stored;

use super::*;
use crate::types::{ErrorCode, Stat};
use bytes::Bytes;
use jute::txn::{
    CloseSessionTxn, CreateContainerTxn, CreateTtlTxn, CreateTxn, DeleteTxn, SetAclTxn, SetDataTxn,
    TxnHeader,
};

const SESSION: SessionId = SessionId(0x0100_0000_0000_0007);
/// The time of the transaction with zxid 0.
const START: i64 = 1_700_000_000_000;

/// A tree and the zxid of its last transaction.
struct World {
    tree: Tree,
    zxid: i64,
}

impl World {
    fn new() -> Self {
        Self::with(ExtendedTypes::On)
    }

    fn with(extended_types: ExtendedTypes) -> Self {
        let options = TreeOptions { extended_types, ..TreeOptions::default() };
        Self { tree: Tree::new(options), zxid: 0 }
    }

    /// Applies the next transaction, one millisecond after the last.
    fn apply(&mut self, body: Txn) -> (Applied, Vec<Change>) {
        self.zxid += 1;
        self.apply_at(self.zxid, body)
    }

    /// Applies a transaction with a given zxid and checks what must hold after every one.
    fn apply_at(&mut self, zxid: i64, body: Txn) -> (Applied, Vec<Change>) {
        let mut changes = Vec::new();
        let applied = self.tree.apply(&transaction(zxid, body), &mut changes);
        let parts = self.tree.dump();
        let digest: i64 = parts
            .map(|(path, node)| i64::from(node_digest(&path, node.data.as_deref(), &node.stat)))
            .sum();
        assert_eq!(self.tree.digest(), digest, "the digest must follow every change");
        (applied, changes)
    }

    /// Creates a persistent node and gives back its stat.
    fn create(&mut self, path: &str, data: &str) -> Stat {
        match self.apply(create(path, data)).0 {
            Applied::Create { path: created, stat } => {
                assert_eq!(created, path);
                stat
            }
            other => panic!("create {path} came to {other:?}"),
        }
    }

    fn create_all(&mut self, paths: &[&str]) {
        for path in paths {
            self.create(path, "");
        }
    }

    fn delete(&mut self, path: &str) {
        assert_eq!(self.apply(delete(path)).0, Applied::Delete, "{path}");
    }

    fn stat(&self, path: &str) -> Stat {
        self.tree.node(path).expect(path).stat()
    }

    fn data(&self, path: &str) -> &str {
        let data = self.tree.node(path).expect(path).data().expect("data");
        std::str::from_utf8(data).expect("text")
    }

    fn children(&self, path: &str) -> Vec<&str> {
        let mut names: Vec<_> = self.tree.node(path).expect(path).children().collect();
        names.sort_unstable();
        names
    }
}

fn transaction(zxid: i64, body: Txn) -> Transaction {
    let (kind, time) = (body.kind(), START + zxid);
    let header = TxnHeader { client_id: SESSION.0, cxid: 1, zxid, time, kind };
    Transaction { header, body, digest: None }
}

fn create_txn(path: &str, data: &str) -> CreateTxn {
    let data = Some(Bytes::copy_from_slice(data.as_bytes()));
    CreateTxn { path: path.to_owned(), data, acl: None, ephemeral: false, parent_cversion: -1 }
}

fn create(path: &str, data: &str) -> Txn {
    Txn::Create(create_txn(path, data))
}

fn ephemeral(path: &str) -> Txn {
    Txn::Create2(CreateTxn { ephemeral: true, ..create_txn(path, "") })
}

fn container(path: &str) -> Txn {
    let CreateTxn { path, data, acl, parent_cversion, .. } = create_txn(path, "");
    Txn::CreateContainer(CreateContainerTxn { path, data, acl, parent_cversion })
}

fn with_ttl(path: &str, ttl: i64) -> Txn {
    let CreateTxn { path, data, acl, parent_cversion, .. } = create_txn(path, "");
    Txn::CreateTtl(CreateTtlTxn { path, data, acl, parent_cversion, ttl })
}

fn delete(path: &str) -> Txn {
    Txn::Delete(DeleteTxn { path: path.to_owned() })
}

fn set_data(path: &str, data: Option<&str>, version: i32) -> Txn {
    let data = data.map(|data| Bytes::copy_from_slice(data.as_bytes()));
    Txn::SetData(SetDataTxn { path: path.to_owned(), data, version })
}

fn set_acl(path: &str, acl: Vec<Acl>, version: i32) -> Txn {
    Txn::SetAcl(SetAclTxn { path: path.to_owned(), acl: Some(acl), version })
}

fn close(paths: &[&str]) -> Txn {
    let paths = paths.iter().map(|path| (*path).to_owned()).collect();
    Txn::CloseSession(CloseSessionTxn { paths_to_delete: Some(paths) })
}

const fn refused(code: ErrorCode) -> Applied {
    Applied::Error(code.number())
}

#[test]
fn a_fresh_tree_is_the_references() {
    let world = World::new();
    let tree = &world.tree;
    assert_eq!(tree.digest(), 0x51c6_d660);
    assert_eq!((tree.node_count(), tree.data_size(), tree.last_zxid()), (5, 44, Zxid::ZERO));
    assert_eq!((tree.descendants("/"), tree.descendants("/zookeeper")), (Some(3), Some(2)));
    assert_eq!((world.stat("/").cversion, world.stat("/zookeeper").cversion), (-1, -2));
    assert_eq!(world.children("/zookeeper"), ["config", "quota"]);
    for path in ["", "/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"] {
        let node = tree.node(path).expect(path);
        let config = path == CONFIG_PATH;
        let perms = if config { perms::READ } else { perms::ALL };
        assert_eq!(**node.acl(), perms::world(perms), "{path}");
        assert_eq!(node.data(), Some(&b""[..]), "{path}");
        let aversion = if config { -1 } else { 0 };
        assert_eq!(node.stored_stat(), StatPersisted { aversion, ..StatPersisted::default() });
    }
}

#[test]
fn a_created_node_and_its_parent_carry_the_transaction() {
    let mut world = World::new();
    let stat = world.create("/a", "hello");
    let time = START + 1;
    let wanted = Stat {
        czxid: 1,
        mzxid: 1,
        pzxid: 1,
        ctime: time,
        mtime: time,
        data_length: 5,
        ..Stat::default()
    };
    assert_eq!((stat, world.stat("/a")), (wanted.clone(), wanted));
    let parent = world.tree.node("/").expect("root");
    let stored = StatPersisted { cversion: 1, pzxid: 1, ..StatPersisted::default() };
    assert_eq!(parent.stored_stat(), stored, "nothing else of the parent changes");
    assert_eq!((parent.child_count(), world.stat("/").num_children), (2, 2));
    assert_eq!((world.tree.node_count(), world.tree.data_size()), (6, 44 + 2 + 5));
    assert_eq!(world.tree.last_zxid(), Zxid(1));
}

#[test]
fn the_visible_cversion_counts_deletions_too() {
    let mut world = World::new();
    world.create_all(&["/p", "/p/a", "/p/b"]);
    assert_eq!(world.stat("/p").cversion, 2);
    world.delete("/p/a");
    let stat = world.stat("/p");
    assert_eq!((stat.cversion, stat.num_children, stat.pzxid), (3, 1, 4));
    assert_eq!(world.tree.node("/p").expect("/p").stored_stat().cversion, 2);
}

#[test]
fn a_creation_moves_the_parent_only_forwards() {
    let mut world = World::new();
    world.create("/p", "");
    let cases = [("/p/a", 5, 5, 2), ("/p/b", 5, 5, 2), ("/p/c", 3, 5, 2), ("/p/d", -1, 6, 5)];
    for (path, parent_cversion, cversion, pzxid) in cases {
        world.apply(Txn::Create(CreateTxn { parent_cversion, ..create_txn(path, "") }));
        let stat = world.tree.node("/p").expect("/p").stored_stat();
        assert_eq!((stat.cversion, stat.pzxid), (cversion, pzxid), "{path}");
    }
    assert_eq!(world.children("/p"), ["a", "b", "c", "d"]);
}

#[test]
fn a_cversion_at_its_end_stays_there() {
    let mut world = World::new();
    world.create("/p", "");
    let last = CreateTxn { parent_cversion: i32::MAX, ..create_txn("/p/a", "") };
    world.apply(Txn::Create(last));
    world.create("/p/b", "");
    let stat = world.tree.node("/p").expect("/p").stored_stat();
    assert_eq!((stat.cversion, stat.pzxid), (i32::MAX, 2));
    assert_eq!(world.stat("/p").cversion, i32::MAX.wrapping_mul(2) - 2);
}

#[test]
fn creating_what_is_there_mends_acl_and_parent() {
    let read = perms::world(perms::READ);
    let again = |parent_cversion| CreateTxn {
        acl: Some(perms::world(perms::READ)),
        parent_cversion,
        ..create_txn("/p/a", "other")
    };
    let kinds = [(Txn::Create(again(9)), 9, 3), (Txn::Create2(again(9)), 1, 2)];
    for (body, cversion, pzxid) in kinds {
        let mut world = World::new();
        world.create_all(&["/p", "/p/a"]);
        let before = world.stat("/p/a");
        world.tree.drain_dirty();
        assert_eq!(world.apply(body), (refused(ErrorCode::NodeExists), vec![]));
        assert_eq!((world.stat("/p/a"), world.data("/p/a")), (before, ""));
        assert_eq!(**world.tree.node("/p/a").expect("/p/a").acl(), *read);
        let stat = world.tree.node("/p").expect("/p").stored_stat();
        assert_eq!((stat.cversion, stat.pzxid), (cversion, pzxid));
        let dirty = world.tree.drain_dirty();
        let has = |wanted: &str| dirty.iter().any(|(path, _)| path == wanted);
        assert_eq!((has("/p/a"), has("/p")), (true, pzxid == 3));
    }
}

#[test]
fn ill_placed_creations_are_refused() {
    let mut world = World::new();
    world.create("/a", "");
    let cases = [
        ("/x/y", ErrorCode::NoNode),
        ("/a//b", ErrorCode::NoNode),
        ("x", ErrorCode::NoNode),
        ("", ErrorCode::NoNode),
        ("/", ErrorCode::NodeExists),
        ("/a", ErrorCode::NodeExists),
        ("/a/", ErrorCode::BadArguments),
        ("//b", ErrorCode::BadArguments),
    ];
    for (path, code) in cases {
        assert_eq!(world.apply(create(path, "")), (refused(code), vec![]), "{path:?}");
    }
    assert_eq!(world.tree.node_count(), 6);
    assert_eq!(world.tree.last_zxid(), Zxid(9), "a refused transaction counts");
}

#[test]
fn deleting_what_is_gone_still_moves_the_parent() {
    let mut world = World::new();
    world.create_all(&["/p", "/p/a"]);
    world.delete("/p/a");
    let digest = world.tree.digest();
    assert_eq!(world.apply(delete("/p/a")), (refused(ErrorCode::NoNode), vec![]));
    assert_eq!((world.stat("/p").pzxid, world.stat("/p").cversion), (4, 2));
    assert_ne!(world.tree.digest(), digest);
    world.apply_at(2, delete("/p/a"));
    assert_eq!(world.stat("/p").pzxid, 4, "but never back");
}

#[test]
fn ill_placed_deletions_are_refused() {
    let mut world = World::new();
    let digest = world.tree.digest();
    for (path, code) in [
        ("/x/y", ErrorCode::NoNode),
        ("x", ErrorCode::NoNode),
        ("", ErrorCode::NoNode),
        ("/", ErrorCode::BadArguments),
        ("/zookeeper/", ErrorCode::BadArguments),
        ("//zookeeper", ErrorCode::BadArguments),
    ] {
        assert_eq!(world.apply(delete(path)), (refused(code), vec![]), "{path:?}");
    }
    assert_eq!(world.tree.digest(), digest);
}

#[test]
fn a_deletion_takes_along_what_is_below() {
    let mut world = World::new();
    world.create_all(&["/a", "/a/b", "/a/b/c", "/a/d", "/e"]);
    let (applied, changes) = world.apply(delete("/a"));
    assert_eq!((applied, changes.len()), (Applied::Delete, 4));
    assert_eq!((world.children("/"), world.tree.node_count()), (vec!["e", "zookeeper"], 6));
    assert_eq!(world.tree.data_size(), 44 + 2);
    assert!(world.tree.node("/a/b/c").is_none());
}

#[test]
fn set_data_takes_the_version_from_the_transaction() {
    let mut world = World::new();
    world.create("/a", "hello");
    for (data, length) in [(Some("longer data"), 11), (None, 0), (Some(""), 0), (Some("x"), 1)] {
        let (applied, changes) = world.apply(set_data("/a", data, -7));
        let stat = world.stat("/a");
        assert_eq!(applied, Applied::SetData(stat.clone()));
        assert_eq!((stat.version, stat.data_length), (-7, length));
        assert_eq!((stat.mzxid, stat.mtime), (world.zxid, START + world.zxid));
        assert_eq!((stat.czxid, stat.pzxid, stat.ctime), (1, 1, START + 1));
        assert_eq!(world.tree.node("/a").expect("/a").data(), data.map(str::as_bytes));
        assert_eq!(world.tree.data_size(), 46 + data.unwrap_or_default().len() as u64);
        assert!(matches!(&changes[..], [Change::DataChanged { path, .. }] if path == "/a"));
    }
    assert_eq!(world.apply(set_data("/b", None, 1)), (refused(ErrorCode::NoNode), vec![]));
}

#[test]
fn set_acl_changes_the_list_and_its_version_alone() {
    let mut world = World::new();
    let before = world.create("/a", "hello");
    let (applied, changes) = world.apply(set_acl("/a", perms::world(perms::READ), 4));
    let wanted = Stat { aversion: 4, ..before };
    assert_eq!((applied, changes), (Applied::SetAcl(wanted.clone()), vec![]));
    assert_eq!(world.stat("/a"), wanted);
    assert_eq!(**world.tree.node("/a").expect("/a").acl(), perms::world(perms::READ));
    let lost = world.apply(set_acl("/b", vec![], 1));
    assert_eq!(lost, (refused(ErrorCode::NoNode), vec![]));
}

#[test]
fn the_roots_data_and_list_can_change_too() {
    let mut world = World::new();
    world.apply(set_data("/", Some("top"), 1));
    world.apply(set_acl("/", perms::world(perms::READ), 1));
    let root = world.tree.node("").expect("root");
    assert_eq!((root.data(), root.stat().mzxid), (Some(&b"top"[..]), 1));
    assert_eq!(**root.acl(), perms::world(perms::READ));
    assert_eq!(root.stat().num_children, 1);
}

#[test]
fn error_check_and_session_transactions_only_move_the_zxid() {
    let mut world = World::new();
    let digest = world.tree.digest();
    let check = jute::txn::CheckVersionTxn { path: "/none".to_owned(), version: 3 };
    let session = jute::txn::CreateSessionTxn { time_out: 6000 };
    for (body, applied) in [
        (Txn::Error(-110), Applied::Error(-110)),
        (Txn::Check(check), Applied::Check),
        (Txn::CreateSession(session), Applied::CreateSession),
        (close(&[]), Applied::CloseSession),
    ] {
        assert_eq!(world.apply(body), (applied, vec![]));
    }
    assert_eq!((world.tree.last_zxid(), world.tree.digest()), (Zxid(4), digest));
    world.apply_at(2, Txn::Error(-101));
    assert_eq!(world.tree.last_zxid(), Zxid(4), "a replay does not set it back");
}

#[test]
fn digests_are_remembered_now_and_then() {
    let mut world = World::new();
    for zxid in 1..=300 {
        world.apply_at(zxid, Txn::Error(-101));
    }
    let digest = world.tree.digest();
    let log: Vec<_> = world.tree.digest_log().collect();
    assert_eq!(log, [(Zxid(128), digest), (Zxid(256), digest)]);
}

#[test]
fn without_digests_there_are_none() {
    let options = TreeOptions { digest: false, ..TreeOptions::default() };
    let mut tree = Tree::new(options);
    tree.apply(&transaction(1, create("/a", "x")), &mut Vec::new());
    assert_eq!((tree.digest(), tree.node("/a").expect("/a").digest()), (0, 0));
}
