import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.AsyncCallback;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.OpResult;
import org.apache.zookeeper.Transaction;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.Watcher.Event.EventType;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.ClientInfo;
import org.apache.zookeeper.data.Id;
import org.apache.zookeeper.data.Stat;

/** Scenarios of the official Java client. Prints "ok NAME" or "FAIL NAME: reason" for each. */
public final class Scenarios {
    private static final List<ACL> OPEN = ZooDefs.Ids.OPEN_ACL_UNSAFE;
    private static final int WAIT_SECONDS = 30;

    private final String address;
    private final List<ZooKeeper> clients = new ArrayList<>();
    private String root;

    private Scenarios(String address) {
        this.address = address;
    }

    interface Scenario {
        void run() throws Exception;
    }

    public static void main(String[] args) throws Exception {
        String only = args.length > 1 ? args[1] : "";
        Scenarios scenarios = new Scenarios(args[0]);
        boolean good = true;
        for (Map.Entry<String, Scenario> entry : scenarios.all().entrySet()) {
            if (entry.getKey().contains(only)) {
                good &= scenarios.run(entry.getKey(), entry.getValue());
            }
        }
        System.exit(good ? 0 : 1);
    }

    private Map<String, Scenario> all() {
        Map<String, Scenario> all = new LinkedHashMap<>();
        all.put("create-persistent", this::createPersistent);
        all.put("create-sequential", this::createSequential);
        all.put("create-ephemeral", this::createEphemeral);
        all.put("create-container", this::createContainer);
        all.put("create-ttl", this::createTtl);
        all.put("create-errors", this::createErrors);
        all.put("set-and-delete", this::setAndDelete);
        all.put("children-and-counts", this::childrenAndCounts);
        all.put("multi-commits", this::multiCommits);
        all.put("multi-rolls-back", this::multiRollsBack);
        all.put("multi-reads", this::multiReads);
        all.put("async-in-order", this::asyncInOrder);
        all.put("async-errors", this::asyncErrors);
        all.put("watch-once", this::watchOnce);
        all.put("watch-persistent", this::watchPersistent);
        all.put("watch-recursive", this::watchRecursive);
        all.put("watch-remove", this::watchRemove);
        all.put("watches-after-reconnect", this::watchesAfterReconnect);
        all.put("session-taken-over", this::sessionTakenOver);
        all.put("session-wrong-password", this::sessionWrongPassword);
        all.put("acl", this::acl);
        all.put("who-am-i", this::whoAmI);
        all.put("get-ephemerals", this::getEphemerals);
        all.put("sync", this::sync);
        all.put("config", this::config);
        all.put("large-value", this::largeValue);
        return all;
    }

    private boolean run(String name, Scenario scenario) throws Exception {
        CompletableFuture<Void> done = new CompletableFuture<>();
        Thread thread = new Thread(() -> {
            try {
                root = "/java-" + name + "-" + Long.toHexString(System.nanoTime());
                connect().create(root, new byte[0], OPEN, CreateMode.PERSISTENT);
                scenario.run();
                done.complete(null);
            } catch (Throwable error) {
                done.completeExceptionally(error);
            }
        });
        thread.setDaemon(true);
        thread.start();
        try {
            done.get(90, TimeUnit.SECONDS);
            System.out.println("ok " + name);
            return true;
        } catch (Exception error) {
            Throwable cause = error.getCause() == null ? error : error.getCause();
            String text = String.valueOf(cause).replace('\n', ' ');
            System.out.println("FAIL " + name + ": " + text);
            for (StackTraceElement element : cause.getStackTrace()) {
                if (element.getClassName().startsWith("Scenarios")) {
                    System.out.println("    at " + element);
                }
            }
            return false;
        } finally {
            for (ZooKeeper client : clients) {
                client.close(1000);
            }
            clients.clear();
        }
    }

    // What the scenarios share.

    /** Remembers events, and waits for them. */
    static final class Events implements Watcher {
        final BlockingQueue<WatchedEvent> queue = new LinkedBlockingQueue<>();

        @Override
        public void process(WatchedEvent event) {
            queue.add(event);
        }

        void expect(EventType type, String path) throws InterruptedException {
            WatchedEvent event = queue.poll(WAIT_SECONDS, TimeUnit.SECONDS);
            check(event != null, "no event; wanted " + type + " " + path);
            same(type + " " + path, event.getType() + " " + event.getPath());
        }

        void expectState(KeeperState state) throws InterruptedException {
            WatchedEvent event;
            do {
                event = queue.poll(WAIT_SECONDS, TimeUnit.SECONDS);
                check(event != null, "never " + state);
            } while (event.getType() != EventType.None || event.getState() != state);
        }

        void expectNone() {
            check(queue.isEmpty(), "unexpected " + queue);
        }
    }

    /** A client that can vanish without closing its session. */
    static final class Client extends ZooKeeper {
        Client(String address, Watcher watcher) throws IOException {
            super(address, 10_000, watcher);
        }

        Client(String address, Watcher watcher, long id, byte[] password) throws IOException {
            super(address, 10_000, watcher, id, password);
        }

        void vanish() {
            try {
                cnxn.disconnect();
            } catch (Exception error) {
                throw new IllegalStateException(error);
            }
        }
    }

    private Client connect() throws Exception {
        Events events = new Events();
        Client client = new Client(address, events);
        clients.add(client);
        events.expectState(KeeperState.SyncConnected);
        return client;
    }

    static void check(boolean condition, String what) {
        if (!condition) {
            throw new AssertionError(what);
        }
    }

    static void same(Object wanted, Object got) {
        check(wanted.equals(got), "wanted " + wanted + ", got " + got);
    }

    static void refused(Code code, Scenario action) throws Exception {
        try {
            action.run();
        } catch (KeeperException error) {
            same(code, error.code());
            return;
        }
        throw new AssertionError("not refused with " + code);
    }

    interface Condition {
        boolean holds() throws Exception;
    }

    static void eventually(String what, Condition condition) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(WAIT_SECONDS);
        while (!condition.holds()) {
            check(System.nanoTime() < deadline, "never happened: " + what);
            Thread.sleep(20);
        }
    }

    static byte[] bytes(String text) {
        return text.getBytes(UTF_8);
    }

    // Znodes.

    private void createPersistent() throws Exception {
        ZooKeeper client = connect();
        Stat stat = new Stat();
        same(root + "/a",
            client.create(root + "/a", bytes("1"), OPEN, CreateMode.PERSISTENT, stat));
        same(0, stat.getVersion());
        same(1, stat.getDataLength());
        same(stat.getCzxid(), stat.getPzxid());
        Stat read = new Stat();
        same("1", new String(client.getData(root + "/a", false, read), UTF_8));
        same(stat, read);
        client.create(root + "/null", null, OPEN, CreateMode.PERSISTENT);
        check(client.getData(root + "/null", false, null) == null, "null data is kept");
    }

    private void createSequential() throws Exception {
        ZooKeeper client = connect();
        same(root + "/s-0000000000",
            client.create(root + "/s-", null, OPEN, CreateMode.PERSISTENT_SEQUENTIAL));
        String second = client.create(root + "/s-", null, OPEN, CreateMode.EPHEMERAL_SEQUENTIAL);
        same(root + "/s-0000000001", second);
        same(client.getSessionId(), client.exists(second, false).getEphemeralOwner());
    }

    private void createEphemeral() throws Exception {
        ZooKeeper client = connect();
        ZooKeeper owner = connect();
        owner.create(root + "/e", null, OPEN, CreateMode.EPHEMERAL);
        same(owner.getSessionId(), client.exists(root + "/e", false).getEphemeralOwner());
        refused(Code.NOCHILDRENFOREPHEMERALS,
            () -> client.create(root + "/e/c", null, OPEN, CreateMode.PERSISTENT));
        owner.close();
        check(client.exists(root + "/e", false) == null, "it goes with its session");
    }

    private void createContainer() throws Exception {
        ZooKeeper client = connect();
        client.create(root + "/c", null, OPEN, CreateMode.CONTAINER);
        same(0L, client.exists(root + "/c", false).getEphemeralOwner());
        client.create(root + "/c/child", null, OPEN, CreateMode.PERSISTENT);
        client.delete(root + "/c/child", -1);
        eventually("the empty container is removed",
            () -> client.exists(root + "/c", false) == null);
    }

    private void createTtl() throws Exception {
        ZooKeeper client = connect();
        Stat stat = new Stat();
        client.create(root + "/t", null, OPEN, CreateMode.PERSISTENT_WITH_TTL, stat, 1500);
        // The TTL is kept in the field that names the owner, but clients do not see it there.
        same(0L, client.exists(root + "/t", false).getEphemeralOwner());
        String name = client.create(root + "/t-", null, OPEN,
            CreateMode.PERSISTENT_SEQUENTIAL_WITH_TTL, stat, 3_600_000);
        same(root + "/t-0000000001", name);
        eventually("the TTL node is removed", () -> client.exists(root + "/t", false) == null);
        check(client.exists(name, false) != null, "one with a longer TTL stays");
    }

    private void createErrors() throws Exception {
        ZooKeeper client = connect();
        refused(Code.NODEEXISTS, () -> client.create(root, null, OPEN, CreateMode.PERSISTENT));
        refused(Code.NONODE,
            () -> client.create(root + "/a/b", null, OPEN, CreateMode.PERSISTENT));
        refused(Code.INVALIDACL, () -> client.create(root + "/a", null,
            Collections.singletonList(new ACL(31, new Id("nosuch", "x"))), CreateMode.PERSISTENT));
        refused(Code.INVALIDACL, () -> client.create(root + "/a", null,
            ZooDefs.Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT));
        refused(Code.BADARGUMENTS, () -> client.delete("/zookeeper", -1));
    }

    private void setAndDelete() throws Exception {
        ZooKeeper client = connect();
        same(1, client.setData(root, bytes("x"), 0).getVersion());
        refused(Code.BADVERSION, () -> client.setData(root, bytes("y"), 0));
        client.create(root + "/a", null, OPEN, CreateMode.PERSISTENT);
        refused(Code.NOTEMPTY, () -> client.delete(root, -1));
        refused(Code.BADVERSION, () -> client.delete(root + "/a", 5));
        client.delete(root + "/a", 0);
        refused(Code.NONODE, () -> client.delete(root + "/a", -1));
    }

    private void childrenAndCounts() throws Exception {
        ZooKeeper client = connect();
        for (String path : Arrays.asList("/a", "/b", "/a/1", "/a/2", "/a/2/x")) {
            client.create(root + path, null, OPEN, CreateMode.PERSISTENT);
        }
        Stat stat = new Stat();
        List<String> children = client.getChildren(root, false, stat);
        Collections.sort(children);
        same(Arrays.asList("a", "b"), children);
        same(2, stat.getNumChildren());
        same(5, client.getAllChildrenNumber(root));
        same(3, client.getAllChildrenNumber(root + "/a"));
        same(0, client.getAllChildrenNumber(root + "/b"));
        refused(Code.NONODE, () -> client.getAllChildrenNumber(root + "/missing"));
    }

    private void multiCommits() throws Exception {
        ZooKeeper client = connect();
        Transaction transaction = client.transaction();
        transaction.check(root, 0).create(root + "/a", bytes("1"), OPEN, CreateMode.PERSISTENT)
            .setData(root + "/a", bytes("2"), 0)
            .create(root + "/b", null, OPEN, CreateMode.EPHEMERAL_SEQUENTIAL)
            .delete(root + "/a", 1);
        List<OpResult> results = transaction.commit();
        same(5, results.size());
        same(root + "/a", ((OpResult.CreateResult) results.get(1)).getPath());
        same(1, ((OpResult.SetDataResult) results.get(2)).getStat().getVersion());
        same(root + "/b0000000001", ((OpResult.CreateResult) results.get(3)).getPath());
        same(Collections.singletonList("b0000000001"), client.getChildren(root, false));
        results = client.multi(Arrays.asList(
            Op.create(root + "/c", null, OPEN, CreateMode.CONTAINER),
            Op.create(root + "/c/t", null, OPEN, CreateMode.PERSISTENT_WITH_TTL, 60_000)));
        same(root + "/c/t", ((OpResult.CreateResult) results.get(1)).getPath());
        check(((OpResult.CreateResult) results.get(1)).getStat() != null, "TTL creates have a stat");
        same(0, client.multi(new ArrayList<>()).size());
    }

    private void multiRollsBack() throws Exception {
        ZooKeeper client = connect();
        Stat before = client.exists(root, false);
        try {
            client.multi(Arrays.asList(
                Op.create(root + "/a", null, OPEN, CreateMode.PERSISTENT),
                Op.delete(root + "/missing", -1),
                Op.setData(root, bytes("x"), -1)));
            throw new AssertionError("not refused");
        } catch (KeeperException error) {
            same(Code.NONODE, error.code());
            List<Integer> codes = new ArrayList<>();
            for (OpResult result : error.getResults()) {
                codes.add(((OpResult.ErrorResult) result).getErr());
            }
            same(Arrays.asList(0, Code.NONODE.intValue(),
                Code.RUNTIMEINCONSISTENCY.intValue()), codes);
        }
        same(before, client.exists(root, false));
    }

    private void multiReads() throws Exception {
        ZooKeeper client = connect();
        client.create(root + "/a", bytes("1"), OPEN, CreateMode.PERSISTENT);
        List<OpResult> results = client.multi(Arrays.asList(
            Op.getData(root + "/a"), Op.getChildren(root), Op.getData(root + "/missing")));
        same("1", new String(((OpResult.GetDataResult) results.get(0)).getData(), UTF_8));
        same(Collections.singletonList("a"),
            ((OpResult.GetChildrenResult) results.get(1)).getChildren());
        same(Code.NONODE.intValue(), ((OpResult.ErrorResult) results.get(2)).getErr());
    }

    // The asynchronous calls.

    private void asyncInOrder() throws Exception {
        ZooKeeper client = connect();
        List<String> order = Collections.synchronizedList(new ArrayList<>());
        List<String> wanted = new ArrayList<>();
        CountDownLatch left = new CountDownLatch(600);
        for (int number = 0; number < 200; number++) {
            String path = root + "/" + number;
            wanted.addAll(Arrays.asList("create " + path, "get " + path + " x", "delete " + path));
            client.create(path, bytes("x"), OPEN, CreateMode.PERSISTENT, (code, at, ctx, name) -> {
                order.add(code == 0 ? "create " + name : "error " + code);
                left.countDown();
            }, null);
            client.getData(path, false, (AsyncCallback.DataCallback) (code, at, ctx, data, stat) -> {
                order.add(code == 0 ? "get " + at + " " + new String(data, UTF_8) : "error " + code);
                left.countDown();
            }, null);
            client.delete(path, 0, (code, at, ctx) -> {
                order.add(code == 0 ? "delete " + at : "error " + code);
                left.countDown();
            }, null);
        }
        check(left.await(WAIT_SECONDS, TimeUnit.SECONDS), "not all were answered");
        same(wanted, order);
    }

    private void asyncErrors() throws Exception {
        ZooKeeper client = connect();
        BlockingQueue<Integer> codes = new LinkedBlockingQueue<>();
        client.delete(root + "/missing", -1, (code, at, ctx) -> codes.add(code), null);
        client.exists(root + "/missing", false, (code, at, ctx, stat) -> codes.add(code), null);
        client.setData(root, null, 9, (code, at, ctx, stat) -> codes.add(code), null);
        client.multi(Collections.singletonList(Op.check(root, 9)),
            (code, at, ctx, results) -> codes.add(code), null);
        client.getACL(root, null, (code, at, ctx, acl, stat) -> codes.add(code), null);
        for (Code wanted : Arrays.asList(
                Code.NONODE, Code.NONODE, Code.BADVERSION, Code.BADVERSION, Code.OK)) {
            same(wanted.intValue(), codes.poll(WAIT_SECONDS, TimeUnit.SECONDS));
        }
    }

    // Watches.

    private void watchOnce() throws Exception {
        ZooKeeper client = connect();
        ZooKeeper other = connect();
        Events data = new Events();
        Events children = new Events();
        client.exists(root + "/a", data);
        client.getChildren(root, children);
        other.create(root + "/a", null, OPEN, CreateMode.PERSISTENT);
        data.expect(EventType.NodeCreated, root + "/a");
        children.expect(EventType.NodeChildrenChanged, root);
        client.getData(root + "/a", data, null);
        other.setData(root + "/a", null, -1);
        data.expect(EventType.NodeDataChanged, root + "/a");
        client.getData(root + "/a", data, null);
        client.getChildren(root + "/a", children);
        other.delete(root + "/a", -1);
        data.expect(EventType.NodeDeleted, root + "/a");
        children.expect(EventType.NodeDeleted, root + "/a");
        other.create(root + "/a", null, OPEN, CreateMode.PERSISTENT);
        client.exists(root, false);
        data.expectNone();
        children.expectNone();
    }

    private void watchPersistent() throws Exception {
        ZooKeeper client = connect();
        ZooKeeper other = connect();
        Events events = new Events();
        client.addWatch(root, events, AddWatchMode.PERSISTENT);
        other.setData(root, bytes("1"), -1);
        other.setData(root, bytes("2"), -1);
        other.create(root + "/a", null, OPEN, CreateMode.PERSISTENT);
        other.setData(root + "/a", bytes("unseen"), -1);
        other.delete(root + "/a", -1);
        events.expect(EventType.NodeDataChanged, root);
        events.expect(EventType.NodeDataChanged, root);
        events.expect(EventType.NodeChildrenChanged, root);
        events.expect(EventType.NodeChildrenChanged, root);
        other.delete(root, -1);
        other.create(root, null, OPEN, CreateMode.PERSISTENT);
        events.expect(EventType.NodeDeleted, root);
        events.expect(EventType.NodeCreated, root);
        events.expectNone();
    }

    private void watchRecursive() throws Exception {
        ZooKeeper client = connect();
        ZooKeeper other = connect();
        Events events = new Events();
        client.addWatch(root, events, AddWatchMode.PERSISTENT_RECURSIVE);
        other.create(root + "/a", null, OPEN, CreateMode.PERSISTENT);
        other.create(root + "/a/b", null, OPEN, CreateMode.PERSISTENT);
        other.setData(root + "/a/b", bytes("1"), -1);
        other.multi(Arrays.asList(Op.delete(root + "/a/b", -1), Op.delete(root + "/a", -1)));
        events.expect(EventType.NodeCreated, root + "/a");
        events.expect(EventType.NodeCreated, root + "/a/b");
        events.expect(EventType.NodeDataChanged, root + "/a/b");
        events.expect(EventType.NodeDeleted, root + "/a/b");
        events.expect(EventType.NodeDeleted, root + "/a");
        events.expectNone();
    }

    private void watchRemove() throws Exception {
        ZooKeeper client = connect();
        Events events = new Events();
        client.getData(root, events, null);
        client.removeWatches(root, events, Watcher.WatcherType.Data, false);
        events.expect(EventType.DataWatchRemoved, root);
        refused(Code.NOWATCHER,
            () -> client.removeWatches(root, events, Watcher.WatcherType.Data, false));
        client.getChildren(root, events);
        client.removeAllWatches(root, Watcher.WatcherType.Children, false);
        events.expect(EventType.ChildWatchRemoved, root);
        client.addWatch(root, events, AddWatchMode.PERSISTENT_RECURSIVE);
        client.removeAllWatches(root, Watcher.WatcherType.Any, false);
        events.expect(EventType.PersistentWatchRemoved, root);
        client.setData(root, null, -1);
        client.create(root + "/a", null, OPEN, CreateMode.PERSISTENT);
        events.expectNone();
    }

    private void watchesAfterReconnect() throws Exception {
        Events session = new Events();
        ZooKeeper client = new ZooKeeper(address, 10_000, session);
        clients.add(client);
        session.expectState(KeeperState.SyncConnected);
        ZooKeeper other = connect();
        Events once = new Events();
        Events stays = new Events();
        client.getData(root, once, null);
        client.addWatch(root, stays, AddWatchMode.PERSISTENT_RECURSIVE);
        // A second client with the same session takes the connection away for a moment.
        Events thief = new Events();
        Client taker = new Client(address, thief,
            client.getSessionId(), client.getSessionPasswd());
        thief.expectState(KeeperState.SyncConnected);
        session.expectState(KeeperState.Disconnected);
        session.expectState(KeeperState.SyncConnected);
        // The two would now take turns forever: the first must end without closing the session.
        taker.vanish();
        eventually("the client is back for good", () -> exists(client, root));
        other.setData(root, bytes("1"), -1);
        next(once, EventType.NodeDataChanged);
        next(stays, EventType.NodeDataChanged);
    }

    /** The next event that is not about the connection. */
    private void next(Events events, EventType type) throws InterruptedException {
        WatchedEvent event;
        do {
            event = events.queue.poll(WAIT_SECONDS, TimeUnit.SECONDS);
            check(event != null, "no event; wanted " + type);
        } while (event.getType() == EventType.None);
        same(type, event.getType());
        same(root, event.getPath());
    }

    // Sessions and identities.

    private void sessionTakenOver() throws Exception {
        ZooKeeper watcher = connect();
        Client first = connect();
        first.create(root + "/e", null, OPEN, CreateMode.EPHEMERAL);
        long id = first.getSessionId();
        byte[] password = first.getSessionPasswd();
        first.vanish();
        Events events = new Events();
        ZooKeeper second = new ZooKeeper(address, 10_000, events, id, password);
        events.expectState(KeeperState.SyncConnected);
        same(id, second.getSessionId());
        same(id, second.exists(root + "/e", false).getEphemeralOwner());
        second.close();
        check(watcher.exists(root + "/e", false) == null, "closing it removes the ephemeral");
        Events late = new Events();
        ZooKeeper third = new ZooKeeper(address, 10_000, late, id, password);
        late.expectState(KeeperState.Expired);
        third.close();
    }

    private void sessionWrongPassword() throws Exception {
        ZooKeeper owner = connect();
        owner.create(root + "/e", null, OPEN, CreateMode.EPHEMERAL);
        Events events = new Events();
        ZooKeeper thief = new ZooKeeper(address, 10_000, events, owner.getSessionId(),
            new byte[16]);
        events.expectState(KeeperState.Expired);
        thief.close();
        // The owner may lose its connection by the attempt, but not its session.
        eventually("the owner is connected", () -> exists(owner, root + "/e"));
        same(owner.getSessionId(), owner.exists(root + "/e", false).getEphemeralOwner());
    }

    private static boolean exists(ZooKeeper client, String path) throws Exception {
        try {
            return client.exists(path, false) != null;
        } catch (KeeperException.ConnectionLossException again) {
            return false;
        }
    }

    private void acl() throws Exception {
        ZooKeeper client = connect();
        ZooKeeper other = connect();
        client.addAuthInfo("digest", bytes("ann:pass"));
        client.create(root + "/a", bytes("1"), ZooDefs.Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT);
        refused(Code.NOAUTH, () -> other.getData(root + "/a", false, null));
        refused(Code.NOAUTH, () -> other.setACL(root + "/a", OPEN, -1));
        Stat stat = new Stat();
        List<ACL> acl = client.getACL(root + "/a", stat);
        same(1, acl.size());
        same("digest", acl.get(0).getId().getScheme());
        check(acl.get(0).getId().getId().startsWith("ann:"), "the user is named");
        refused(Code.BADVERSION, () -> client.setACL(root + "/a", OPEN, 3));
        same(1, client.setACL(root + "/a", OPEN, stat.getAversion()).getAversion());
        same("1", new String(other.getData(root + "/a", false, null), UTF_8));
    }

    private void whoAmI() throws Exception {
        ZooKeeper client = connect();
        client.addAuthInfo("digest", bytes("ann:pass"));
        client.exists(root, false);
        List<String> who = new ArrayList<>();
        for (ClientInfo info : client.whoAmI()) {
            who.add(info.getAuthScheme() + ":" + info.getUser());
        }
        Collections.sort(who);
        same(Arrays.asList("digest:ann", "ip:127.0.0.1"), who);
    }

    private void getEphemerals() throws Exception {
        ZooKeeper client = connect();
        ZooKeeper other = connect();
        other.create(root + "/others", null, OPEN, CreateMode.EPHEMERAL);
        same(0, client.getEphemerals().size());
        for (String name : Arrays.asList("/x", "/xy", "/z")) {
            client.create(root + name, null, OPEN, CreateMode.EPHEMERAL);
        }
        List<String> all = client.getEphemerals();
        Collections.sort(all);
        same(Arrays.asList(root + "/x", root + "/xy", root + "/z"), all);
        List<String> some = client.getEphemerals(root + "/x");
        Collections.sort(some);
        same(Arrays.asList(root + "/x", root + "/xy"), some);
        same(0, client.getEphemerals("/nowhere").size());
    }

    private void sync() throws Exception {
        ZooKeeper client = connect();
        ZooKeeper writer = connect();
        writer.setData(root, bytes("1"), -1);
        BlockingQueue<String> answers = new LinkedBlockingQueue<>();
        client.sync(root, (code, path, ctx) -> answers.add(code + " " + path), null);
        same("0 " + root, answers.poll(WAIT_SECONDS, TimeUnit.SECONDS));
        same("1", new String(client.getData(root, false, null), UTF_8));
    }

    private void config() throws Exception {
        ZooKeeper client = connect();
        Stat stat = new Stat();
        byte[] config = client.getConfig(false, stat);
        check(config != null, "the configuration has a text, empty for a server alone");
        same("", new String(config, UTF_8).trim());
        List<ACL> acl = client.getACL(ZooDefs.CONFIG_NODE, null);
        same(ZooDefs.Ids.READ_ACL_UNSAFE, acl);
        refused(Code.NOAUTH, () -> client.setData(ZooDefs.CONFIG_NODE, bytes("x"), -1));
    }

    private void largeValue() throws Exception {
        ZooKeeper client = connect();
        byte[] value = new byte[1_000_000];
        new java.util.Random(1).nextBytes(value);
        client.create(root + "/big", value, OPEN, CreateMode.PERSISTENT);
        check(Arrays.equals(value, client.getData(root + "/big", false, null)), "it is read back");
    }
}
