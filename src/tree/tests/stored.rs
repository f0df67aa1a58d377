//! What goes to a store, and what comes back from it.

use super::*;
use jute::Decode;
use jute::disk::{TreeMark, ZnodeRecord};
use std::collections::BTreeMap;

fn everything(tree: &Tree) -> BTreeMap<String, ZnodeRecord> {
    tree.dump().collect()
}

fn load(
    nodes: impl IntoIterator<Item = (String, ZnodeRecord)>,
    mark: &TreeMark,
) -> Result<Tree, LoadError> {
    let mut loader = TreeLoader::new(TreeOptions::default());
    for (path, record) in nodes {
        loader.insert(&path, record)?;
    }
    loader.finish(mark)
}

fn drained(tree: &mut Tree) -> Vec<String> {
    tree.drain_dirty().into_iter().map(|(path, _)| path).collect()
}

/// Whatever was expected, and in whatever order they come.
#[test]
fn znodes_that_come_twice_are_noticed() {
    let mut world = World::new();
    world.create_all(&["/p", "/p/a", "/p/b", "/q", "/q/a"]);
    let (tree, zxid) = (everything(&world.tree), world.tree.applied_zxid());
    let names: Vec<_> = tree.keys().cloned().collect();
    for expected in [0, 3, 1_000_000] {
        for order in [names.clone(), ["/", "/q", "/q/a", "/p", "/p/b"].map(str::to_owned).into()] {
            for again in order.iter().filter(|path| *path != "/") {
                let mut loader = TreeLoader::new(TreeOptions::default());
                loader.expect(expected);
                for path in &order {
                    loader.insert(path, tree[path].clone()).expect("it is new");
                }
                let twice = loader.insert(again, tree[again].clone());
                assert_eq!(twice, Err(LoadError::Duplicate(again.clone())));
            }
        }
        let mut loader = TreeLoader::new(TreeOptions::default());
        loader.expect(expected);
        for (path, record) in &tree {
            loader.insert(path, record.clone()).expect("it is new");
        }
        let copy = loader.finish_unchecked(zxid).expect("a tree");
        assert_eq!(everything(&copy), tree);
    }
}

#[test]
fn a_fresh_tree_has_everything_to_write() {
    let mut world = World::new();
    assert_eq!(world.tree.dirty_len(), 4);
    let drained = world.tree.drain_dirty();
    let decoded = drained.into_iter().map(|(path, bytes)| {
        (path, ZnodeRecord::from_bytes(bytes.expect("a record")).expect("a good one"))
    });
    assert_eq!(decoded.collect::<BTreeMap<_, _>>(), everything(&world.tree));
    assert_eq!((world.tree.dirty_len(), world.tree.drain_dirty()), (0, vec![]));
}

#[test]
fn parents_whose_stat_changed_are_written_too() {
    let mut world = World::new();
    world.create_all(&["/p", "/p/a"]);
    world.tree.drain_dirty();
    world.create("/p/b", "");
    assert_eq!(drained(&mut world.tree), ["/p", "/p/b"]);
    world.delete("/p/b");
    assert_eq!(drained(&mut world.tree), ["/p/b", "/p"]);
    world.apply(set_data("/p/a", None, 1));
    world.apply(set_acl("/p/a", vec![], 1));
    assert_eq!(drained(&mut world.tree), ["/p/a"]);
    world.apply(delete("/p/b"));
    assert_eq!(drained(&mut world.tree), ["/p"], "its pzxid moved");
    world.apply_at(2, create("/p/a", ""));
    world.apply_at(2, Txn::Error(-1));
    assert_eq!(drained(&mut world.tree), ["/p/a", "/p"], "its list may have changed");
}

#[test]
fn a_path_is_written_once_whatever_happened_to_it() {
    let mut world = World::new();
    world.create("/a", "old");
    world.tree.drain_dirty();
    world.delete("/a");
    world.create("/a", "new");
    let drained = world.tree.drain_dirty();
    let [(root, _), (path, Some(record))] = &drained[..] else { panic!("{drained:?}") };
    assert_eq!((root.as_str(), path.as_str()), ("/", "/a"));
    let record = record.clone();
    let record = ZnodeRecord::from_bytes(record).expect("a record");
    assert_eq!(record.data.as_deref(), Some(&b"new"[..]));

    world.create("/b", "");
    world.delete("/b");
    world.create("/c", "takes the place of /b in memory");
    let drained: Vec<_> = world.tree.drain_dirty().into_iter().collect();
    let paths: Vec<_> =
        drained.iter().map(|(path, bytes)| (path.as_str(), bytes.is_some())).collect();
    assert_eq!(paths, [("/b", false), ("/", true), ("/c", true)]);
}

#[test]
fn records_tell_null_data_and_open_lists() {
    let mut world = World::new();
    let open = CreateTxn { acl: Some(perms::world(perms::ALL)), ..create_txn("/open", "") };
    let null = CreateTxn { data: None, acl: Some(vec![]), ..create_txn("/null", "") };
    world.apply(Txn::Create(open));
    world.apply(Txn::Create(null));
    let nodes = everything(&world.tree);
    assert_eq!((&nodes["/open"].data, &nodes["/open"].acl), (&Some(Bytes::new()), &None));
    assert_eq!((&nodes["/null"].data, &nodes["/null"].acl), (&None, &Some(vec![])));
}

#[test]
fn a_loaded_tree_is_the_one_that_was_stored() {
    let mut world = World::new();
    world.create_all(&["/a", "/a/b", "/a-b", "/a/b/c"]);
    world.apply(ephemeral("/a/e"));
    world.apply(container("/c"));
    world.apply(set_acl("/a", perms::world(perms::READ), 1));
    world.apply(set_data("/", Some("top"), 1));
    let nodes = everything(&world.tree);
    let mark = TreeMark { applied: world.zxid, digest: world.tree.digest() };
    let mut tree = load(nodes.clone(), &mark).expect("a tree");
    assert_eq!((everything(&tree), tree.digest()), (nodes, world.tree.digest()));
    assert_eq!(tree.last_zxid(), Zxid(world.zxid));
    assert_eq!(
        (tree.node_count(), tree.data_size()),
        (world.tree.node_count(), world.tree.data_size())
    );
    assert_eq!((tree.ephemerals(SESSION), tree.ephemeral_count()), (vec!["/a/e".to_owned()], 1));
    assert_eq!(tree.removal_candidates(i64::MAX, 1), ["/c"]);
    assert_eq!(drained(&mut tree), [""; 0], "the store has it all");
}

#[test]
fn what_is_no_tree_is_not_loaded() {
    let root = || ("/".to_owned(), ZnodeRecord::default());
    let at = |path: &str| (path.to_owned(), ZnodeRecord::default());
    let mark = TreeMark::default();
    let cases = [
        (vec![], LoadError::NoRoot),
        (vec![at("/a"), root()], LoadError::NoParent("/a".to_owned())),
        (vec![root(), at("")], LoadError::Duplicate("/".to_owned())),
        (vec![root(), at("/a"), at("/a")], LoadError::Duplicate("/a".to_owned())),
        (vec![root(), at("/a/b")], LoadError::NoParent("/a/b".to_owned())),
        (vec![root(), at("//b")], LoadError::InvalidPath("//b".to_owned())),
        (vec![root(), at("a/b")], LoadError::NoParent("a/b".to_owned())),
        (vec![root(), at("a")], LoadError::InvalidPath("a".to_owned())),
        (vec![root(), at("/a/")], LoadError::InvalidPath("/a/".to_owned())),
    ];
    for (nodes, error) in cases {
        assert_eq!(load(nodes, &mark).expect_err("an error"), error);
    }
}

#[test]
fn a_digest_that_differs_stops_the_load() {
    let tree = Tree::new(TreeOptions::default());
    let mut nodes = everything(&tree);
    let mark = TreeMark { applied: 5, digest: tree.digest() };
    let without = TreeMark { digest: 0, ..mark };
    assert!(load(nodes.clone(), &mark).is_ok());
    nodes.entry("/".to_owned()).or_default().stat.cversion = 1;
    let (expected, error) = (mark.digest, load(nodes.clone(), &mark).expect_err("an error"));
    assert!(
        matches!(error, LoadError::DigestMismatch { expected: found, .. } if found == expected)
    );
    assert_eq!(load(nodes, &without).expect("not checked").last_zxid(), Zxid(5));
}

#[test]
fn missing_system_nodes_are_added() {
    let root = [(String::new(), ZnodeRecord::default())];
    let mut tree = load(root, &TreeMark::default()).expect("a tree");
    assert_eq!(tree.node_count(), 5);
    assert_eq!(**tree.node(CONFIG_PATH).expect("config").acl(), perms::world(perms::READ));
    assert_eq!(drained(&mut tree), [SYSTEM_PATH, QUOTA_PATH, CONFIG_PATH]);
}

/// A replay from any earlier point of a log must end in the same tree.
#[test]
fn a_log_applied_twice_leads_to_the_same_tree() {
    let log = [
        create("/a", "1"),
        ephemeral("/a/e"),
        create("/a/b", ""),
        delete("/a/e"),
        set_data("/a", Some("2"), 1),
        create("/a/e", "now persistent"),
        delete("/a/b"),
        set_acl("/a", perms::world(perms::READ), 1),
        close(&[]),
    ];
    let cversion = |body: &Txn, version| match body {
        Txn::Create(body) => Txn::Create(CreateTxn { parent_cversion: version, ..body.clone() }),
        Txn::Create2(body) => Txn::Create2(CreateTxn { parent_cversion: version, ..body.clone() }),
        other => other.clone(),
    };
    let versions = [1, 1, 2, 0, 0, 3, 0, 0, 0];
    let log: Vec<_> =
        log.iter().zip(versions).map(|(body, version)| cversion(body, version)).collect();
    let mut world = World::new();
    for body in &log {
        world.apply(body.clone());
    }
    let (digest, nodes) = (world.tree.digest(), everything(&world.tree));
    for from in 0..log.len() {
        for (place, body) in log.iter().enumerate().skip(from) {
            world.apply_at(i64::try_from(place).expect("small") + 1, body.clone());
        }
        let after = everything(&world.tree);
        assert_eq!((world.tree.digest(), &after), (digest, &nodes), "from {from}");
    }
}
