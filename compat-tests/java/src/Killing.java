import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.io.Writer;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.zookeeper.AsyncCallback.StringCallback;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooKeeper;

/** Killed servers, killed holders, much at once, and reading behind what was written elsewhere. */
final class Killing {
    static final String HOLD = "--hold";
    private static final int SESSION_MS = 20_000;
    private static final int EACH = 50;

    private Killing() {}

    static void register() {
        Scenarios.add("failover", Killing::failover);
        Scenarios.add("leader_killed", Killing::leaderKilled);
        Scenarios.add("lock_killed_holder", Killing::killedHolder);
        Scenarios.add("election_killed_holder", Killing::killedHolder);
        Scenarios.add("ephemerals_1000", Killing::thousandEphemerals);
        Scenarios.add("children_10000", Killing::manyChildren);
        Scenarios.add("sync_read", Killing::syncRead);
    }

    /** Asks whoever started the servers for something; what it answers. */
    private static List<String> control(String question) throws Exception {
        String[] place = System.getenv("ZABRA_COMPAT_CONTROL").split(":");
        try (Socket socket = new Socket(place[0], Integer.parseInt(place[1]))) {
            Writer out = new OutputStreamWriter(socket.getOutputStream(), StandardCharsets.UTF_8);
            out.write(question + "\n");
            out.flush();
            String answer = new BufferedReader(
                new InputStreamReader(socket.getInputStream(), StandardCharsets.UTF_8)).readLine();
            List<String> words = Arrays.asList(answer.split(" "));
            Check.that(words.get(0).equals("ok"), question + ": " + answer);
            return words.subList(1, words.size());
        }
    }

    /** A server that is dead while this is open; the only one is started again at once. */
    private static AutoCloseable killed(String address) throws Exception {
        control("kill " + address);
        if (control("servers").size() == 1) {
            control("restore");
        }
        return () -> control("restore");
    }

    /** A call that is repeated while there is no connection. */
    private interface Attempt<T> {
        T run() throws Exception;
    }

    private static <T> T insist(Attempt<T> attempt) throws Exception {
        AtomicReference<T> result = new AtomicReference<>();
        Check.eventually("a connection", () -> {
            try {
                result.set(attempt.run());
                return true;
            } catch (KeeperException.ConnectionLossException e) {
                return false;
            }
        });
        return result.get();
    }

    private static ZooKeeper anywhere(World w, String servers) throws Exception {
        World.Events events = new World.Events();
        ZooKeeper zk = new ZooKeeper(servers + w.root, SESSION_MS, events);
        events.awaitState(org.apache.zookeeper.Watcher.Event.KeeperState.SyncConnected);
        return w.keep(zk);
    }

    /** Where a client is connected. */
    private static String serverOf(ZooKeeper zk) throws Exception {
        // "sessionid:0x… local:/… remoteserver:localhost/127.0.0.1:PORT lastZxid:…"
        String remote = zk.toString().replaceAll("(?s).*remoteserver:\\S*/(\\S+) lastZxid.*", "$1");
        Check.that(control("servers").contains(remote), "connected to " + remote);
        return remote;
    }

    private static void failover(World w) throws Exception {
        ZooKeeper zk = anywhere(w, w.servers);
        long session = zk.getSessionId();
        Znodes.create(zk, "/e", CreateMode.EPHEMERAL);
        Znodes.create(zk, "/n");
        World.Events data = new World.Events();
        World.Events children = new World.Events();
        zk.getData("/n", data, null);
        zk.getChildren("/", children);
        try (AutoCloseable dead = killed(serverOf(zk))) {
            Check.equal(insist(() -> zk.exists("/e", false)).getEphemeralOwner(), session);
            Check.equal(zk.getSessionId(), session);
            insist(() -> zk.setData("/n", Znodes.bytes("after"), -1));
            Check.equal(data.next(), "NodeDataChanged /n");
            insist(() -> createOnce(zk, "/child"));
            Check.equal(children.next(), "NodeChildrenChanged /");
        }
    }

    /** Creates a znode, which an earlier attempt whose reply was lost may have done. */
    private static String createOnce(ZooKeeper zk, String path) throws Exception {
        try {
            return zk.create(path, new byte[0], Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        } catch (KeeperException.NodeExistsException e) {
            return path;
        }
    }

    private static void leaderKilled(World w) throws Exception {
        ZooKeeper zk = anywhere(w, w.servers);
        List<String> acknowledged = Collections.synchronizedList(new ArrayList<>());
        AtomicBoolean stop = new AtomicBoolean();
        AtomicReference<Throwable> problem = new AtomicReference<>();
        Thread writer = new Thread(() -> {
            try {
                while (!stop.get()) {
                    String name = String.format("write-%06d", acknowledged.size());
                    insist(() -> createOnce(zk, "/" + name));
                    acknowledged.add(name);
                }
            } catch (Throwable e) {
                problem.set(e);
            }
        });
        writer.start();
        try {
            reach(acknowledged, EACH, problem);
            try (AutoCloseable dead = killed(control("leader").get(0))) {
                reach(acknowledged, acknowledged.size() + EACH, problem);
            }
        } finally {
            stop.set(true);
            writer.join();
        }
        Check.equal(problem.get(), null);
        for (String server : w.servers.split(",")) {
            ZooKeeper reader = anywhere(w, server);
            sync(reader);
            List<String> missing = new ArrayList<>(acknowledged);
            missing.removeAll(reader.getChildren("/", false));
            Check.equal(missing, List.of());
        }
    }

    private static void reach(List<String> done, int count, AtomicReference<Throwable> problem)
            throws Exception {
        Check.eventually(count + " writes", () -> done.size() >= count || problem.get() != null);
    }

    private static void sync(ZooKeeper zk) throws Exception {
        CountDownLatch done = new CountDownLatch(1);
        AtomicInteger code = new AtomicInteger();
        zk.sync("/", (result, path, context) -> {
            code.set(result);
            done.countDown();
        }, null);
        done.await();
        Check.equal(code.get(), 0);
    }

    /** What the other process does: it takes its place in the line, says so, and waits. */
    static void hold(String connect, String path) throws Exception {
        World.Events events = new World.Events();
        ZooKeeper zk = new ZooKeeper(connect, 2000, events);
        events.awaitState(org.apache.zookeeper.Watcher.Event.KeeperState.SyncConnected);
        Check.equal(first(zk, path), queue(zk, path));
        System.out.println("held");
        System.in.read();
    }

    private static String queue(ZooKeeper zk, String path) throws Exception {
        return zk.create(path + "/n-", new byte[0], Ids.OPEN_ACL_UNSAFE,
            CreateMode.EPHEMERAL_SEQUENTIAL);
    }

    private static String first(ZooKeeper zk, String path) throws Exception {
        List<String> names = zk.getChildren(path, false);
        // Before whoever asks there is nobody: it comes first.
        return names.isEmpty() ? path + "/n-0000000000" : path + "/" + Collections.min(names);
    }

    /** The recipe of locks and of elections alike: who has the lowest number holds. */
    private static void killedHolder(World w) throws Exception {
        ZooKeeper zk = w.client();
        Znodes.create(zk, "/line");
        Process holder = new ProcessBuilder(System.getProperty("java.home") + "/bin/java",
            "-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp",
            System.getProperty("java.class.path"), "Scenarios", HOLD, w.server + w.root, "/line")
            .redirectError(ProcessBuilder.Redirect.DISCARD).start();
        try {
            String said = new BufferedReader(
                new InputStreamReader(holder.getInputStream(), StandardCharsets.UTF_8)).readLine();
            Check.equal(said, "held");
            String before = first(zk, "/line");
            World.Events gone = new World.Events();
            Check.that(zk.exists(before, gone) != null, "the holder's znode");
            String own = queue(zk, "/line");
            Check.equal(first(zk, "/line"), before);
            holder.destroyForcibly().waitFor();
            Check.equal(gone.next(), "NodeDeleted " + before);
            Check.equal(first(zk, "/line"), own);
        } finally {
            holder.destroyForcibly().waitFor();
        }
    }

    private static void many(ZooKeeper zk, String prefix, int count, CreateMode mode)
            throws Exception {
        World.Results results = new World.Results(count);
        StringCallback callback = (code, path, context, name) -> results.add(code);
        for (int at = 0; at < count; at++) {
            zk.create(prefix + at, new byte[0], Ids.OPEN_ACL_UNSAFE, mode, callback, null);
        }
        Check.equal(results.await(), Collections.nCopies(count, 0));
    }

    private static void thousandEphemerals(World w) throws Exception {
        ZooKeeper owner = w.client();
        many(owner, "/e", 1000, CreateMode.EPHEMERAL);
        ZooKeeper other = w.client();
        Check.equal(other.getChildren("/", false).size(), 1000);
        owner.close();
        Check.equal(other.getChildren("/", false), List.of());
    }

    private static void manyChildren(World w) throws Exception {
        ZooKeeper zk = w.client();
        int count = w.quick ? 2000 : 10_000;
        for (int at = 0; at < count; at += 1000) {
            many(zk, "/child-" + at + "-", 1000, CreateMode.PERSISTENT);
        }
        Check.equal(zk.getChildren("/", false).size(), count);
        Check.equal(zk.exists("/", false).getNumChildren(), count);
    }

    private static void syncRead(World w) throws Exception {
        String[] all = w.servers.split(",");
        ZooKeeper writer = anywhere(w, all[0]);
        ZooKeeper reader = anywhere(w, all[all.length - 1]);
        Znodes.create(writer, "/n");
        for (int round = 0; round < (w.quick ? 50 : 200); round++) {
            String text = Integer.toString(round);
            writer.setData("/n", Znodes.bytes(text), -1);
            Check.equal(new String(writer.getData("/n", false, null)), text);
            sync(reader);
            Check.equal(new String(reader.getData("/n", false, null)), text);
        }
    }
}
