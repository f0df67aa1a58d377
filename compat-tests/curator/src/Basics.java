import static org.apache.zookeeper.KeeperException.Code;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.curator.framework.AuthInfo;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.api.CuratorWatcher;
import org.apache.curator.framework.api.transaction.CuratorOp;
import org.apache.curator.framework.api.transaction.CuratorTransactionResult;
import org.apache.curator.retry.RetryForever;
import org.apache.curator.retry.RetryOneTime;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.data.Stat;

/** Scenarios that every client has: znodes, lists of access, transactions, watches, much at once. */
final class Basics {
    private Basics() {}

    static void register() {
        Suite.add("connect", Basics::connect);
        Suite.add("create_modes", Basics::createModes);
        Suite.add("read_write", Basics::readWrite);
        Suite.add("children", Basics::children);
        Suite.add("acl_auth", Basics::aclAuth);
        Suite.add("multi", Basics::multi);
        Suite.add("watch_once", Basics::watchOnce);
        Suite.add("watch_persistent", w -> watchOn(w, AddWatchMode.PERSISTENT));
        Suite.add("watch_recursive", w -> watchOn(w, AddWatchMode.PERSISTENT_RECURSIVE));
        Suite.add("chroot", Basics::chroot);
        Suite.add("large_values", Basics::largeValues);
        Suite.add("ephemerals_1000", Basics::thousandEphemerals);
        Suite.add("unicode", Basics::unicode);
        Suite.add("children_10000", Basics::manyChildren);
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static void connect(World w) throws Exception {
        CuratorFramework client = w.client();
        client.create().withMode(CreateMode.EPHEMERAL).forPath("/e");
        client.close();
        Check.equal(w.client().checkExists().forPath("/e"), null);
    }

    private static void createModes(World w) throws Exception {
        CuratorFramework client = w.client();
        long session = client.getZookeeperClient().getZooKeeper().getSessionId();
        client.create().forPath("/p", bytes("p"));
        Check.equal(client.create().withMode(CreateMode.PERSISTENT_SEQUENTIAL).forPath("/s-"),
            "/s-0000000001");
        Stat stat = new Stat();
        client.create().storingStatIn(stat).withMode(CreateMode.EPHEMERAL).forPath("/e");
        Check.equal(stat.getEphemeralOwner(), session);
        Check.equal(client.create().withMode(CreateMode.EPHEMERAL_SEQUENTIAL).forPath("/s-"),
            "/s-0000000003");
        String guarded = client.create().withProtection()
            .withMode(CreateMode.EPHEMERAL_SEQUENTIAL).forPath("/g-");
        Check.that(guarded.endsWith("g-0000000004"), guarded);
        client.create().withMode(CreateMode.CONTAINER).forPath("/c");
        client.create().forPath("/c/child");
        client.delete().forPath("/c/child");
        client.create().withTtl(100).withMode(CreateMode.PERSISTENT_WITH_TTL).forPath("/t");
        Check.eventually("the ends of container and TTL znode",
            () -> client.checkExists().forPath("/c") == null
                && client.checkExists().forPath("/t") == null);
        client.create().creatingParentsIfNeeded().forPath("/a/b/c");
        client.create().orSetData().forPath("/a/b/c", bytes("again"));
        Check.equal(new String(client.getData().forPath("/a/b/c")), "again");
    }

    private static void readWrite(World w) throws Exception {
        CuratorFramework client = w.client();
        client.create().forPath("/n", bytes("0"));
        Stat stat = client.setData().withVersion(0).forPath("/n", bytes("1"));
        Check.equal(stat.getVersion(), 1);
        Stat read = new Stat();
        Check.equal(new String(client.getData().storingStatIn(read).forPath("/n")), "1");
        Check.equal(read, stat);
        Check.equal(read.getDataLength(), 1);
        Check.fails(Code.BADVERSION, () -> client.setData().withVersion(0).forPath("/n"));
        Check.fails(Code.BADVERSION, () -> client.delete().withVersion(0).forPath("/n"));
        Check.fails(Code.NODEEXISTS, () -> client.create().forPath("/n"));
        Check.fails(Code.NONODE, () -> client.getData().forPath("/none"));
        client.create().forPath("/n/child");
        Check.fails(Code.NOTEMPTY, () -> client.delete().forPath("/n"));
        client.delete().guaranteed().deletingChildrenIfNeeded().withVersion(1).forPath("/n");
        Check.equal(client.checkExists().forPath("/n"), null);
    }

    private static void children(World w) throws Exception {
        CuratorFramework client = w.client();
        for (String name : List.of("a", "b", "c")) {
            client.create().creatingParentsIfNeeded().forPath("/parent/" + name);
        }
        Stat stat = new Stat();
        List<String> names = client.getChildren().storingStatIn(stat).forPath("/parent");
        Collections.sort(names);
        Check.equal(names, List.of("a", "b", "c"));
        Check.equal(stat.getNumChildren(), 3);
        Check.equal(stat.getCversion(), 3);
    }

    private static void aclAuth(World w) throws Exception {
        CuratorFramework owner = CuratorFrameworkFactory.builder().connectString(w.server)
            .authorization(List.of(new AuthInfo("digest", bytes("me:secret")))).namespace(w.root)
            .retryPolicy(new RetryForever(50)).build();
        owner.start();
        w.keep(owner);
        owner.create().withACL(Ids.CREATOR_ALL_ACL).forPath("/mine", bytes("x"));
        CuratorFramework other = w.client();
        Check.fails(Code.NOAUTH, () -> other.getData().forPath("/mine"));
        Check.equal(owner.getACL().forPath("/mine").get(0).getId().getScheme(), "digest");
        Stat stat = owner.setACL().withVersion(0).withACL(Ids.READ_ACL_UNSAFE).forPath("/mine");
        Check.equal(stat.getAversion(), 1);
        Check.equal(new String(other.getData().forPath("/mine")), "x");
        Check.fails(Code.NOAUTH, () -> other.setData().forPath("/mine"));
        Check.fails(Code.NOAUTH, () -> owner.setACL().withACL(Ids.OPEN_ACL_UNSAFE).forPath("/mine"));
    }

    private static void multi(World w) throws Exception {
        CuratorFramework client = w.client();
        client.create().forPath("/a", bytes("0"));
        List<CuratorTransactionResult> results = client.transaction().forOperations(
            client.transactionOp().create().forPath("/b", bytes("b")),
            client.transactionOp().setData().withVersion(0).forPath("/a", bytes("1")),
            client.transactionOp().check().withVersion(1).forPath("/a"),
            client.transactionOp().delete().forPath("/b"));
        Check.equal(results.get(0).getForPath(), "/b");
        Check.equal(results.get(1).getResultStat().getVersion(), 1);
        List<CuratorOp> failing = List.of(
            client.transactionOp().create().forPath("/c"),
            client.transactionOp().check().withVersion(7).forPath("/a"),
            client.transactionOp().create().forPath("/d"));
        try {
            client.transaction().forOperations(failing);
            throw new AssertionError("it succeeded");
        } catch (KeeperException e) {
            Check.equal(e.code(), Code.BADVERSION);
            Check.equal(e.getResults().get(1).getType(), -1);
        }
        Check.equal(client.checkExists().forPath("/c"), null);
    }

    /** Collects events as "Type path". */
    private static final class Events {
        private final LinkedBlockingQueue<String> queue = new LinkedBlockingQueue<>();

        CuratorWatcher watcher() {
            return event -> queue.add(event.getType() + " " + event.getPath());
        }

        String next() throws Exception {
            String event = queue.poll(World.PATIENCE_SECONDS, TimeUnit.SECONDS);
            Check.that(event != null, "waited in vain for an event");
            return event;
        }

        void none() {
            Check.equal(queue.toString(), "[]");
        }
    }

    private static void watchOnce(World w) throws Exception {
        CuratorFramework client = w.client();
        Events events = new Events();
        client.create().forPath("/n");
        client.getData().usingWatcher(events.watcher()).forPath("/n");
        client.checkExists().usingWatcher(events.watcher()).forPath("/later");
        client.getChildren().usingWatcher(events.watcher()).forPath("/n");
        client.setData().forPath("/n", bytes("1"));
        Check.equal(events.next(), "NodeDataChanged /n");
        client.create().forPath("/later");
        Check.equal(events.next(), "NodeCreated /later");
        client.create().forPath("/n/child");
        Check.equal(events.next(), "NodeChildrenChanged /n");
        client.setData().forPath("/n", bytes("2"));
        client.delete().forPath("/n/child");
        events.none();
    }

    private static void watchOn(World w, AddWatchMode mode) throws Exception {
        boolean all = mode == AddWatchMode.PERSISTENT_RECURSIVE;
        CuratorFramework client = w.client();
        client.create().forPath("/n");
        Events events = new Events();
        client.watchers().add().withMode(mode).usingWatcher(events.watcher()).forPath("/n");
        for (int round = 0; round < 3; round++) {
            client.setData().forPath("/n", bytes("x"));
            Check.equal(events.next(), "NodeDataChanged /n");
            client.create().forPath("/n/child");
            Check.equal(events.next(), all ? "NodeCreated /n/child" : "NodeChildrenChanged /n");
            client.setData().forPath("/n/child", bytes("x"));
            if (all) {
                Check.equal(events.next(), "NodeDataChanged /n/child");
            }
            client.delete().forPath("/n/child");
            Check.equal(events.next(), all ? "NodeDeleted /n/child" : "NodeChildrenChanged /n");
        }
        client.watchers().removeAll().forPath("/n");
        client.setData().forPath("/n", bytes("y"));
        client.sync().forPath("/n");
        String last = events.queue.poll();
        Check.that(last == null || last.startsWith("PersistentWatchRemoved"), "" + last);
    }

    private static void chroot(World w) throws Exception {
        CuratorFramework client = w.client();
        client.create().creatingParentsIfNeeded().forPath("/part/inner", bytes("x"));
        CuratorFramework inside = CuratorFrameworkFactory.newClient(
            w.server + "/" + w.root + "/part", new RetryForever(50));
        inside.start();
        w.keep(inside);
        Check.equal(new String(inside.getData().forPath("/inner")), "x");
        Check.equal(inside.create().forPath("/new"), "/new");
        Check.that(client.checkExists().forPath("/part/new") != null, "it is elsewhere");
    }

    private static void largeValues(World w) throws Exception {
        CuratorFramework client = w.client();
        byte[] large = new byte[1_000_000];
        large[999_999] = 7;
        client.create().forPath("/n", large);
        Check.that(java.util.Arrays.equals(client.getData().forPath("/n"), large), "it differs");
        CuratorFramework impatient = CuratorFrameworkFactory.builder().connectString(w.server)
            .namespace(w.root).retryPolicy(new RetryOneTime(10)).build();
        impatient.start();
        w.keep(impatient);
        Check.fails(Code.CONNECTIONLOSS, () -> impatient.setData().forPath("/n", new byte[1 << 20]));
        Check.equal(client.checkExists().forPath("/n").getVersion(), 0);
    }

    private static void many(CuratorFramework client, String prefix, int count, CreateMode mode)
            throws Exception {
        CountDownLatch done = new CountDownLatch(count);
        AtomicInteger failed = new AtomicInteger();
        for (int at = 0; at < count; at++) {
            client.create().withMode(mode).inBackground((c, event) -> {
                failed.addAndGet(event.getResultCode() == 0 ? 0 : 1);
                done.countDown();
            }).forPath(prefix + at);
        }
        Check.that(done.await(World.PATIENCE_SECONDS, TimeUnit.SECONDS), "not all are created");
        Check.equal(failed.get(), 0);
    }

    private static void thousandEphemerals(World w) throws Exception {
        CuratorFramework owner = w.client();
        many(owner, "/e", 1000, CreateMode.EPHEMERAL);
        CuratorFramework other = w.client();
        Check.equal(other.getChildren().forPath("/").size(), 1000);
        owner.close();
        Check.equal(other.getChildren().forPath("/"), List.of());
    }

    private static void unicode(World w) throws Exception {
        CuratorFramework client = w.client();
        List<String> names = new ArrayList<>(List.of("żółć", "日本語", "with space"));
        for (String name : names) {
            // The client itself takes no paths beyond the basic plane.
            String data = name + " 😀";
            client.create().forPath("/" + name, bytes(data));
            Check.equal(new String(client.getData().forPath("/" + name), StandardCharsets.UTF_8), data);
        }
        List<String> found = client.getChildren().forPath("/");
        Collections.sort(found);
        Collections.sort(names);
        Check.equal(found, names);
    }

    private static void manyChildren(World w) throws Exception {
        CuratorFramework client = w.client();
        int count = w.quick ? 2000 : 10_000;
        for (int at = 0; at < count; at += 1000) {
            many(client, "/child-" + at + "-", 1000, CreateMode.PERSISTENT);
        }
        Check.equal(client.getChildren().forPath("/").size(), count);
        Check.equal(client.checkExists().forPath("/").getNumChildren(), count);
    }
}
