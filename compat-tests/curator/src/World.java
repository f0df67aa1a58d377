import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.retry.RetryForever;
import org.apache.zookeeper.KeeperException;

/** What a scenario gets: clients that see a root of their own as "/", closed at its end. */
final class World implements AutoCloseable {
    /** Longer than anything takes on a busy machine. */
    static final int PATIENCE_SECONDS = 60;
    static final int SESSION_MS = 20_000;
    private static final int RETRY_MS = 50;

    /** All servers. */
    final String servers;
    /** The one that clients of this scenario see, unless it is about several. */
    final String server;
    final String root;
    final boolean quick;
    private final Deque<AutoCloseable> open = new ArrayDeque<>();

    World(String servers, String name, boolean quick) throws Exception {
        this.servers = servers;
        this.quick = quick;
        String[] all = servers.split(",");
        this.server = all[Math.floorMod(name.hashCode(), all.length)];
        this.root = "compat-curator-" + name + "-" + System.nanoTime();
        CuratorFramework above = keep(CuratorFrameworkFactory.newClient(
            servers, SESSION_MS, SESSION_MS, new RetryForever(RETRY_MS)));
        above.start();
        above.create().forPath("/" + root);
        open.addFirst(() -> above.delete().deletingChildrenIfNeeded().forPath("/" + root));
    }

    /** A client of this scenario's server. */
    CuratorFramework client() throws Exception {
        return client(server, SESSION_MS);
    }

    /** A client of some servers. */
    CuratorFramework client(String where, int sessionMillis) throws Exception {
        CuratorFramework made = CuratorFrameworkFactory.builder().connectString(where)
            .sessionTimeoutMs(sessionMillis).connectionTimeoutMs(SESSION_MS).namespace(root)
            .retryPolicy(new RetryForever(RETRY_MS)).build();
        made.start();
        keep(made);
        Check.that(made.blockUntilConnected(PATIENCE_SECONDS, TimeUnit.SECONDS), "no connection");
        // What was there before is seen on this server too.
        made.sync().forPath("/");
        return made;
    }

    /** Takes something along that is closed at the end, before what came earlier. */
    <T extends AutoCloseable> T keep(T thing) {
        open.addFirst(thing);
        return thing;
    }

    @Override
    public void close() {
        // The znodes go last but for the client that removes them.
        for (AutoCloseable thing : open) {
            try {
                thing.close();
            } catch (Exception ignored) {
                // The scenario has told what matters.
            }
        }
    }

    /** Asks whoever started the servers for something; what it answers. */
    static List<String> control(String question) throws Exception {
        String[] place = System.getenv("ZABRA_COMPAT_CONTROL").split(":");
        try (Socket socket = new Socket(place[0], Integer.parseInt(place[1]))) {
            socket.getOutputStream().write((question + "\n").getBytes(StandardCharsets.UTF_8));
            String answer = new BufferedReader(
                new InputStreamReader(socket.getInputStream(), StandardCharsets.UTF_8)).readLine();
            List<String> words = Arrays.asList(answer.split(" "));
            Check.that(words.get(0).equals("ok"), question + ": " + answer);
            return words.subList(1, words.size());
        }
    }

    /** Kills a server; the only one is started again at once, others when the result is closed. */
    static AutoCloseable killed(String address) throws Exception {
        control("kill " + address);
        if (control("servers").size() == 1) {
            control("restore");
        }
        return () -> control("restore");
    }
}

/** Assertions. */
final class Check {
    private Check() {}

    static void that(boolean holds, String otherwise) {
        if (!holds) {
            throw new AssertionError(otherwise);
        }
    }

    static void equal(Object actual, Object expected) {
        that(actual == null ? expected == null : actual.equals(expected),
            actual + " is not " + expected);
    }

    interface Condition {
        boolean holds() throws Exception;
    }

    /** Waits until the condition holds: that it will is the server's word, not how soon. */
    static void eventually(String what, Condition condition) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(World.PATIENCE_SECONDS);
        while (!condition.holds()) {
            that(System.nanoTime() < deadline, "never happened: " + what);
            Thread.sleep(20);
        }
    }

    interface Call {
        void run() throws Exception;
    }

    /** The call must fail with this code. */
    static void fails(KeeperException.Code code, Call call) throws Exception {
        try {
            call.run();
        } catch (KeeperException e) {
            equal(e.code(), code);
            return;
        }
        throw new AssertionError("no " + code);
    }
}
