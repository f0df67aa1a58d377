//! Nodes that do not stay: ephemerals, containers, nodes with a TTL.

use super::*;

#[test]
fn ephemerals_are_listed_by_their_owner() {
    let mut world = World::new();
    world.create("/p", "");
    for path in ["/p/z", "/e", "/p/a"] {
        let Applied::Create2 { stat, .. } = world.apply(ephemeral(path)).0 else {
            panic!("{path}")
        };
        assert_eq!(stat.ephemeral_owner, SESSION.0);
    }
    assert_eq!(world.tree.node("/e").expect("/e").owner(), EphemeralOwner::Session(SESSION));
    assert_eq!(world.tree.ephemerals(SESSION), ["/e", "/p/a", "/p/z"]);
    assert_eq!(world.tree.ephemerals(SessionId(SESSION.0 + 1)), [""; 0]);
    assert_eq!((world.tree.ephemeral_count(), world.tree.ephemeral_owners()), (3, vec![SESSION]));
    world.delete("/p/a");
    assert_eq!(world.tree.ephemerals(SESSION), ["/e", "/p/z"]);
}

#[test]
fn closing_a_session_deletes_the_list_first_then_what_is_left() {
    let mut world = World::new();
    world.create("/keep", "");
    for path in ["/e1", "/e2", "/e3", "/e4"] {
        world.apply(ephemeral(path));
    }
    let (applied, changes) = world.apply(close(&["/e3", "/gone", "/e1", "/no/where"]));
    let paths: Vec<_> = changes
        .iter()
        .map(|change| match change {
            Change::Deleted { path, .. } => path.as_str(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!((applied, paths), (Applied::CloseSession, vec!["/e3", "/e1", "/e2", "/e4"]));
    assert_eq!((world.tree.ephemeral_count(), world.children("/")), (0, vec!["keep", "zookeeper"]));
    assert_eq!((world.stat("/").pzxid, world.stat("/").cversion), (6, 2 * 5 - 2));
}

#[test]
fn a_session_closed_without_a_list_loses_its_nodes_too() {
    let mut world = World::new();
    world.apply(ephemeral("/e"));
    let body = CloseSessionTxn { paths_to_delete: None };
    assert_eq!(world.apply(Txn::CloseSession(body)).1.len(), 1);
    assert!(world.tree.node("/e").is_none());
    assert_eq!(world.tree.ephemeral_owners(), []);
}

#[test]
fn a_node_created_anew_belongs_to_its_new_owner() {
    let mut world = World::new();
    world.apply(ephemeral("/e"));
    world.delete("/e");
    world.create("/e", "");
    world.apply(close(&[]));
    assert!(world.tree.node("/e").is_some());
}

#[test]
fn containers_and_ttls_show_no_owner_but_are_stored_with_one() {
    let mut world = World::new();
    for (body, raw, owner) in [
        (container("/c"), i64::MIN, EphemeralOwner::Container),
        (with_ttl("/t", 0x1234), -0x00ff_ffff_ffff_edcc, EphemeralOwner::Ttl(0x1234)),
    ] {
        let Applied::Create2 { path, stat } = world.apply(body).0 else { panic!("{owner:?}") };
        let node = world.tree.node(&path).expect("the new node");
        assert_eq!((stat.ephemeral_owner, node.stat().ephemeral_owner), (0, 0));
        assert_eq!((node.stored_stat().ephemeral_owner, node.owner()), (raw, owner));
    }
    assert_eq!(world.tree.ephemeral_count(), 0);
}

#[test]
fn without_extended_types_a_ttl_is_taken_for_a_session() {
    let mut world = World::with(ExtendedTypes::Off);
    world.apply(with_ttl("/t", 5));
    let owner = SessionId(-0x00ff_ffff_ffff_fffb);
    assert_eq!(world.stat("/t").ephemeral_owner, owner.0);
    assert_eq!(world.tree.ephemerals(owner), ["/t"]);
    assert_eq!(world.tree.removal_candidates(i64::MAX, 1), [""; 0]);
}

#[test]
fn a_ttl_that_cannot_be_makes_a_persistent_node() {
    let mut world = World::new();
    for (path, ttl) in
        [("/a", -1), ("/b", 0), ("/c", EphemeralOwner::MAX_TTL + 1), ("/d", i64::MIN)]
    {
        assert!(matches!(world.apply(with_ttl(path, ttl)).0, Applied::Create2 { .. }), "{ttl}");
        assert_eq!(world.tree.node(path).expect(path).owner(), EphemeralOwner::Void, "{ttl}");
    }
    assert_eq!(world.tree.removal_candidates(i64::MAX, 1), [""; 0]);
}

#[test]
fn used_up_containers_and_outlived_nodes_may_go() {
    let mut world = World::new();
    // Each is one millisecond younger than the one before.
    for body in [container("/used"), container("/new"), container("/busy"), with_ttl("/t", 100)] {
        world.apply(body);
    }
    world.apply(with_ttl("/parent", 100));
    world.create_all(&["/used/x", "/busy/x", "/parent/x", "/plain"]);
    world.apply(ephemeral("/e"));
    assert_eq!(world.tree.removal_candidates(START + 10_000, 0), ["/t"]);
    world.delete("/used/x");
    assert_eq!(world.tree.removal_candidates(START + 4, 1000), ["/used"]);
    assert_eq!(world.tree.removal_candidates(START + 1002, 1000), ["/t", "/used"]);
    assert_eq!(world.tree.removal_candidates(START + 1003, 1000), ["/new", "/t", "/used"]);
    assert_eq!(world.tree.removal_candidates(START + 1003, 0), ["/t", "/used"], "0 is never");
    assert_eq!(world.tree.removal_candidates(START + 104, 0), ["/used"], "not yet");
    assert_eq!(world.tree.removal_candidates(START + 105, 0), ["/t", "/used"]);
    world.apply(set_data("/t", None, 1));
    assert_eq!(world.tree.removal_candidates(START + 105, 0), ["/used"], "a change renews it");
    world.delete("/used");
    assert_eq!(world.tree.removal_candidates(START + 105, 0), [""; 0]);
}
