import static org.apache.zookeeper.KeeperException.Code;

import java.util.List;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.Watcher.WatcherType;
import org.apache.zookeeper.ZooKeeper;

/** Watches of every kind, their removal, and their way over a reconnect. */
final class Watches {
    private Watches() {}

    static void register() {
        Scenarios.add("watch-of-single-calls", Watches::singleCalls);
        Scenarios.add("watch-persistent", Watches::persistent);
        Scenarios.add("watch-recursive", Watches::recursive);
        Scenarios.add("watch-with-zxid", Watches::withZxid);
        Scenarios.add("watch-removed-by-watcher", Watches::removedByWatcher);
        Scenarios.add("watch-removed-all", Watches::removedAll);
        Scenarios.add("watch-removal-of-nothing", Watches::removalOfNothing);
        Scenarios.add("watch-over-a-reconnect", Watches::overReconnect);
        Scenarios.add("watch-of-what-happened-meanwhile", Watches::happenedMeanwhile);
        Scenarios.add("watch-many-over-a-reconnect", Watches::manyOverReconnect);
    }

    private static void singleCalls(World w) throws Exception {
        ZooKeeper zk = w.client();
        ZooKeeper other = w.client();
        World.Events events = new World.Events();
        Check.equal(zk.exists("/x", events), null);
        Znodes.create(other, "/x");
        Check.equal(events.next(), "NodeCreated /x");
        zk.getData("/x", events, null);
        other.setData("/x", null, -1);
        Check.equal(events.next(), "NodeDataChanged /x");
        zk.getChildren("/x", events);
        Znodes.create(other, "/x/y");
        Check.equal(events.next(), "NodeChildrenChanged /x");
        zk.getData("/x/y", events, null);
        zk.getChildren("/x", events);
        other.delete("/x/y", -1);
        Check.equal(List.of(events.next(), events.next()),
            List.of("NodeDeleted /x/y", "NodeChildrenChanged /x"));
        other.setData("/x", null, -1);
        zk.getData("/x", false, null);
        events.none();
    }

    private static void persistent(World w) throws Exception {
        ZooKeeper zk = w.client();
        ZooKeeper other = w.client();
        World.Events events = new World.Events();
        zk.addWatch("/x", events, AddWatchMode.PERSISTENT);
        for (int round = 0; round < 2; round++) {
            Znodes.create(other, "/x");
            other.setData("/x", null, -1);
            Znodes.create(other, "/x/y");
            other.setData("/x/y", null, -1);
            other.delete("/x/y", -1);
            other.delete("/x", -1);
            for (String event : List.of("NodeCreated", "NodeDataChanged", "NodeChildrenChanged",
                "NodeChildrenChanged", "NodeDeleted")) {
                Check.equal(events.next(), event + " /x");
            }
        }
    }

    private static void recursive(World w) throws Exception {
        ZooKeeper zk = w.client();
        ZooKeeper other = w.client();
        World.Events events = new World.Events();
        zk.addWatch("/", events, AddWatchMode.PERSISTENT_RECURSIVE);
        Znodes.create(other, "/x");
        Znodes.create(other, "/x/y", CreateMode.EPHEMERAL);
        other.setData("/x/y", null, -1);
        other.close();
        for (String event : List.of("NodeCreated /x", "NodeCreated /x/y", "NodeDataChanged /x/y",
            "NodeDeleted /x/y")) {
            Check.equal(events.next(), event);
        }
    }

    private static void withZxid(World w) throws Exception {
        ZooKeeper zk = w.client();
        Znodes.create(zk, "/x");
        var zxids = new java.util.concurrent.LinkedBlockingQueue<Long>();
        zk.getData("/x", event -> zxids.add(event.getZxid()), null);
        long zxid = zk.setData("/x", null, -1).getMzxid();
        Check.equal(zxids.poll(World.PATIENCE_SECONDS, java.util.concurrent.TimeUnit.SECONDS), zxid);
    }

    private static void removedByWatcher(World w) throws Exception {
        ZooKeeper zk = w.client();
        Znodes.create(zk, "/x");
        World.Events one = new World.Events();
        World.Events two = new World.Events();
        zk.getData("/x", one, null);
        zk.getData("/x", two, null);
        zk.removeWatches("/x", one, WatcherType.Data, false);
        Check.equal(one.next(), "DataWatchRemoved /x");
        Check.fails(Code.NOWATCHER, () -> zk.removeWatches("/x", one, WatcherType.Data, false));
        zk.setData("/x", null, -1);
        Check.equal(two.next(), "NodeDataChanged /x");
        zk.addWatch("/x", one, AddWatchMode.PERSISTENT);
        zk.removeWatches("/x", one, WatcherType.Persistent, false);
        Check.equal(one.next(), "PersistentWatchRemoved /x");
        zk.setData("/x", null, -1);
        zk.getData("/x", false, null);
        one.none();
    }

    private static void removedAll(World w) throws Exception {
        ZooKeeper zk = w.client();
        World.Events events = new World.Events();
        Znodes.create(zk, "/x");
        zk.getData("/x", events, null);
        zk.getChildren("/x", events);
        zk.addWatch("/x", events, AddWatchMode.PERSISTENT_RECURSIVE);
        zk.removeAllWatches("/x", WatcherType.Any, false);
        var removed = List.of(events.next(), events.next(), events.next());
        Check.equal(Znodes.sorted(removed), List.of("ChildWatchRemoved /x", "DataWatchRemoved /x",
            "PersistentWatchRemoved /x"));
        zk.setData("/x", null, -1);
        zk.getData("/x", false, null);
        events.none();
    }

    private static void removalOfNothing(World w) throws Exception {
        ZooKeeper zk = w.client();
        Check.fails(Code.NOWATCHER, () -> zk.removeAllWatches("/none", WatcherType.Any, false));
        Check.fails(Code.NOWATCHER, () -> zk.removeWatches("/none", event -> {},
            WatcherType.Children, false));
    }

    private static void overReconnect(World w) throws Exception {
        World.Cuttable cut = w.cuttable();
        ZooKeeper zk = cut.client();
        ZooKeeper other = w.client();
        Znodes.create(other, "/x");
        World.Events once = new World.Events();
        World.Events always = new World.Events();
        World.Events below = new World.Events();
        zk.getData("/x", once, null);
        zk.addWatch("/x", always, AddWatchMode.PERSISTENT);
        zk.addWatch("/", below, AddWatchMode.PERSISTENT_RECURSIVE);
        cut.proxy().cut();
        cut.events().awaitState(org.apache.zookeeper.Watcher.Event.KeeperState.SyncConnected);
        zk.exists("/", false);
        other.setData("/x", null, -1);
        Check.equal(once.next(), "NodeDataChanged /x");
        Check.equal(always.next(), "NodeDataChanged /x");
        Check.equal(below.next(), "NodeDataChanged /x");
    }

    private static void happenedMeanwhile(World w) throws Exception {
        World.Cuttable cut = w.cuttable();
        ZooKeeper zk = cut.client();
        ZooKeeper other = w.client();
        Znodes.create(other, "/changed");
        Znodes.create(other, "/deleted");
        Znodes.create(other, "/parent");
        World.Events changed = new World.Events();
        World.Events deleted = new World.Events();
        World.Events created = new World.Events();
        World.Events children = new World.Events();
        zk.getData("/changed", changed, null);
        zk.exists("/deleted", deleted);
        zk.exists("/created", created);
        zk.getChildren("/parent", children);
        cut.proxy().cutAndRefuse();
        other.setData("/changed", null, -1);
        other.delete("/deleted", -1);
        Znodes.create(other, "/created");
        Znodes.create(other, "/parent/x");
        cut.proxy().restore();
        Check.equal(changed.next(), "NodeDataChanged /changed");
        Check.equal(deleted.next(), "NodeDeleted /deleted");
        Check.equal(created.next(), "NodeCreated /created");
        Check.equal(children.next(), "NodeChildrenChanged /parent");
    }

    /** More than a setWatches request holds: the client sends several. */
    private static void manyOverReconnect(World w) throws Exception {
        World.Cuttable cut = w.cuttable();
        ZooKeeper zk = cut.client();
        int count = w.quick ? 500 : 3000;
        String name = "/" + "long-name-".repeat(10);
        World.Events events = new World.Events();
        for (int at = 0; at < count; at++) {
            zk.exists(name + at, events, (code, path, context, stat) -> {}, null);
        }
        zk.exists("/", false);
        cut.proxy().cut();
        cut.events().awaitState(org.apache.zookeeper.Watcher.Event.KeeperState.SyncConnected);
        zk.exists("/", false);
        ZooKeeper other = w.client();
        for (int at : new int[] {0, count / 2, count - 1}) {
            Znodes.create(other, name + at);
            Check.equal(events.next(), "NodeCreated " + name + at);
        }
    }
}
