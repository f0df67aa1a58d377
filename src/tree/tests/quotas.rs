//! Quotas, and ZooKeeper's own nodes.

use super::*;
use jute::disk::TreeMark;

const QUOTA: &str = "/zookeeper/quota/a";
const STATS: &str = "/zookeeper/quota/a/zookeeper_stats";
const LIMITS: &str = "/zookeeper/quota/a/zookeeper_limits";

/// A quota on `/a`, below which there are two nodes with three bytes each.
fn with_quota() -> World {
    let mut world = World::new();
    for (path, data) in [("/a", "abc"), ("/a/b", "def"), ("/ab", "other"), (QUOTA, "")] {
        world.create(path, data);
    }
    world.create(LIMITS, "count=3,bytes=100=;byteHardLimit=10;countHardLimit=4");
    world.create(STATS, "what the client says does not matter");
    world
}

#[test]
fn usage_is_counted_when_the_stats_are_created() {
    let world = with_quota();
    assert_eq!(world.data(STATS), "count=2,bytes=6");
    let numbers = |count, bytes, count_hard, bytes_hard| QuotaNumbers {
        count,
        bytes,
        count_hard,
        bytes_hard,
    };
    let wanted = QuotaLimit {
        prefix: "/a".to_owned(),
        limits: numbers(3, 100, 4, 10),
        used: numbers(2, 6, -1, -1),
    };
    for path in ["/a", "/a/b", "/a/not/there/yet"] {
        assert_eq!(world.tree.quota(path).as_ref(), Some(&wanted), "{path}");
    }
    for path in ["/", "", "/ab", "/b", LIMITS, "a"] {
        assert_eq!(world.tree.quota(path), None, "{path}");
    }
}

#[test]
fn usage_follows_without_leaving_a_trace() {
    let mut world = with_quota();
    let (before, size) = (world.stat(STATS), world.tree.data_size());
    let steps = [
        (create("/a/c", "xy"), "count=3,bytes=8"),
        (set_data("/a/c", Some("wxyz"), 1), "count=3,bytes=10"),
        (set_data("/a/c", None, 2), "count=3,bytes=6"),
        (create("/ab/c", "not below"), "count=3,bytes=6"),
        (delete("/a/b"), "count=2,bytes=3"),
        (delete("/a/b"), "count=2,bytes=3"),
        (delete("/a"), "count=0,bytes=0"),
    ];
    for (body, wanted) in steps {
        let changes = world.apply(body.clone()).1;
        assert_eq!(world.data(STATS), wanted, "after {body:?}");
        let stats_changed = changes.iter().any(|change| format!("{change:?}").contains(STATS));
        assert!(!stats_changed, "no watch on the stats fires");
    }
    let after = world.stat(STATS);
    assert_eq!(after, before, "not even a version changed, and the length happens not to");
    assert_eq!(world.tree.data_size(), size + (5 + 9) - (2 + 3) - (4 + 3));
}

#[test]
fn the_nearest_quota_is_the_one_that_counts() {
    let mut world = with_quota();
    let inner = "/zookeeper/quota/a/b";
    world.create(inner, "");
    world.create(&format!("{inner}/zookeeper_limits"), "count=1,bytes=1");
    let stats = format!("{inner}/zookeeper_stats");
    world.create(&stats, "");
    assert_eq!(world.data(&stats), "count=1,bytes=3");
    world.create("/a/b/c", "1234");
    assert_eq!((world.data(&stats), world.data(STATS)), ("count=2,bytes=7", "count=2,bytes=6"));
    world.delete(&format!("{inner}/zookeeper_limits"));
    world.create("/a/b/d", "1");
    assert_eq!((world.data(&stats), world.data(STATS)), ("count=2,bytes=7", "count=3,bytes=7"));
    assert_eq!(world.tree.quota("/a/b").expect("that of /a").prefix, "/a");
}

#[test]
fn without_stats_there_is_nothing_to_keep() {
    let mut world = with_quota();
    world.delete(STATS);
    world.create("/a/c", "");
    assert_eq!(world.tree.quota("/a"), None);
    world.delete(LIMITS);
    world.create(STATS, "");
    assert_eq!(world.data(STATS), "count=3,bytes=6");
    world.create("/a/d", "");
    assert_eq!(world.data(STATS), "count=3,bytes=6", "stats without limits stand still");
    assert_eq!(world.tree.limit_nodes, 0);
}

/// ZooKeeper stops at the first of these.
#[test]
fn no_client_can_stop_the_server_through_quota_nodes() {
    let mut world = World::new();
    for path in [
        "/zookeeper/quota/zookeeper_limits",
        "/zookeeper/quota/zookeeper_stats",
        "/zookeeper/zookeeper_limits",
        "/zookeeper/zookeeper_stats",
        "/zookeeper/quotas",
        "/zookeeper/quotas/zookeeper_limits",
        "/zookeeper/quotas/zookeeper_stats",
        "/zookeeper_limits",
        "/a",
        QUOTA,
        LIMITS,
        STATS,
    ] {
        world.create(path, "garbage=,;=x,count=99999999999999999999");
    }
    assert_eq!(world.data("/zookeeper/quota/zookeeper_stats"), "count=6,bytes=78");
    world.apply(set_data(STATS, None, 1));
    world.create("/a/b", "x");
    assert_eq!(world.data(STATS), "count=0,bytes=0", "-1 and one more");
    world.apply(set_data(STATS, Some("count=9223372036854775807,bytes=x"), 1));
    world.create("/a/c", "");
    assert_eq!(world.tree.quota("/a").expect("a quota").limits.count, -1);
    for path in ["/zookeeper/zookeeper_limits", "/zookeeper/quota/zookeeper_limits"] {
        world.delete(path);
    }
    assert_eq!(world.tree.quota("/zookeeper_limits"), None);
}

/// A loader that has all znodes of a tree.
fn loader_of(tree: &Tree) -> TreeLoader {
    let mut loader = TreeLoader::new(tree.options);
    for (path, record) in tree.dump() {
        loader.insert(&path, record).expect("a znode");
    }
    loader
}

/// Or the servers of an ensemble, which start at different times, would differ.
#[test]
fn usage_is_what_it_was_after_a_load() {
    let mut world = with_quota();
    let inner = "/zookeeper/quota/a/b";
    let inner_stats = &format!("{inner}/zookeeper_stats");
    world.create(inner, "");
    world.create(&format!("{inner}/zookeeper_limits"), "count=1,bytes=1");
    world.create(inner_stats, "");
    world.create("/a/b/c", "counts for the inner quota only");
    let mark = TreeMark { applied: world.zxid, digest: world.tree.digest() };
    let mut again = loader_of(&world.tree).finish(&mark).expect("the digest");
    assert_eq!(again.dirty_len(), 0, "the store has it all");
    for path in ["/a", "/a/b"] {
        assert_eq!(again.quota(path), world.tree.quota(path), "{path}");
    }
    assert_eq!(again.quota("/a").expect("a quota").used.count, 2);
    again.apply(&transaction(world.zxid + 1, create("/a/d", "")), &mut Vec::new());
    assert_eq!(again.quota("/a").expect("a quota").used.count, 3);
}

/// Its usage is of another moment than its znodes.
#[test]
fn usage_is_counted_again_in_a_fuzzy_image() {
    let mut world = with_quota();
    world.apply(set_data(STATS, Some("count=77,bytes=77"), 1));
    let mut tree = loader_of(&world.tree).finish_fuzzy(Zxid(9)).expect("a tree");
    assert_eq!(tree.quota("/a").expect("a quota").used.count, 2);
    let paths: Vec<_> = tree.drain_dirty().into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, [STATS], "the store learns of it");
}

#[test]
fn the_configuration_is_local_and_silent() {
    let mut world = World::new();
    let digest = world.tree.digest();
    world.tree.set_config(b"server.1=x\nversion=100000002", Zxid(0x1_0000_0002), 77);
    let stat = world.stat(CONFIG_PATH);
    assert_eq!((stat.version, stat.mzxid, stat.mtime), (-1, 0x1_0000_0002, 77));
    assert_eq!((stat.czxid, stat.ctime, stat.aversion), (0, 0, -1));
    assert_eq!(world.data(CONFIG_PATH), "server.1=x\nversion=100000002");
    assert_eq!((world.tree.digest(), world.tree.last_zxid()), (digest, Zxid::ZERO));

    let body = SetDataTxn { path: CONFIG_PATH.to_owned(), data: None, version: -1 };
    let (applied, changes) = world.apply(Txn::Reconfig(body));
    assert_eq!(applied, Applied::Reconfig(world.stat(CONFIG_PATH)));
    assert_eq!(changes.len(), 1);
}

#[test]
fn a_lost_configuration_node_comes_back() {
    let mut world = World::new();
    world.delete(CONFIG_PATH);
    world.tree.set_config(b"x", Zxid(3), 7);
    assert_eq!((world.data(CONFIG_PATH), world.stat(CONFIG_PATH).aversion), ("x", -1));
}
