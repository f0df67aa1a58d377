import java.io.Closeable;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooKeeper;

/** What a scenario gets: clients with a root path of their own, closed at its end. */
final class World implements Closeable {
    /** Longer than anything takes on a busy machine. */
    static final int PATIENCE_SECONDS = 30;
    static final int SESSION_MS = 10_000;

    /** All servers. */
    final String servers;
    /** The one that clients of this scenario see, unless it is about several. */
    final String server;
    final String root;
    final boolean quick;
    private final List<Closeable> open = new ArrayList<>();

    World(String servers, String name, boolean quick) throws Exception {
        this.servers = servers;
        String[] all = servers.split(",");
        this.server = all[Math.floorMod(name.hashCode(), all.length)];
        this.quick = quick;
        this.root = "/java-" + name + "-" + System.nanoTime();
        client(server).create(root, new byte[0], Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
    }

    /** A connected client that sees the scenario's root as "/". */
    ZooKeeper client() throws Exception {
        return client(server + root);
    }

    /** A connected client of any connect string. */
    ZooKeeper client(String connect) throws Exception {
        Events events = new Events();
        ZooKeeper client = new ZooKeeper(connect, SESSION_MS, events);
        events.awaitState(Watcher.Event.KeeperState.SyncConnected);
        return keep(client);
    }

    /** A client whose connection can be cut, through a proxy of its own. */
    Cuttable cuttable() throws Exception {
        Proxy proxy = keep(new Proxy(server));
        Events events = new Events();
        ZooKeeper client = keep(new ZooKeeper(proxy.address() + root, SESSION_MS, events));
        events.awaitState(Watcher.Event.KeeperState.SyncConnected);
        return new Cuttable(client, proxy, events);
    }

    /** Takes something along that is closed at the end. */
    <T> T keep(T thing) {
        if (thing instanceof ZooKeeper) {
            open.add(() -> {
                try {
                    ((ZooKeeper) thing).close(1000);
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            });
        } else {
            open.add((Closeable) thing);
        }
        return thing;
    }

    @Override
    public void close() {
        for (int at = open.size() - 1; at >= 0; at--) {
            try {
                open.get(at).close();
            } catch (Exception ignored) {
                // The scenario has told what matters.
            }
        }
    }

    /** A client and what it takes to cut its connection. */
    record Cuttable(ZooKeeper client, Proxy proxy, Events events) {}

    /** Collects events. */
    static final class Events implements Watcher {
        private final LinkedBlockingQueue<WatchedEvent> queue = new LinkedBlockingQueue<>();

        @Override
        public void process(WatchedEvent event) {
            queue.add(event);
        }

        /** The next event of a znode, as "Type path"; events of the connection are passed over. */
        String next() throws InterruptedException {
            while (true) {
                WatchedEvent event = take();
                if (event.getType() != Event.EventType.None) {
                    return event.getType() + " " + event.getPath();
                }
            }
        }

        /** Waits until the connection gets into a state. */
        void awaitState(Event.KeeperState state) throws InterruptedException {
            while (take().getState() != state) {
                // An earlier state.
            }
        }

        private WatchedEvent take() throws InterruptedException {
            WatchedEvent event = queue.poll(PATIENCE_SECONDS, TimeUnit.SECONDS);
            Check.that(event != null, "waited in vain for an event");
            return event;
        }

        /** Nothing more may have come; call it after something that came behind it. */
        void none() {
            queue.removeIf(event -> event.getType() == Event.EventType.None);
            Check.equal(queue.toString(), "[]");
        }
    }

    /** Waits for callbacks of asynchronous calls. */
    static final class Results {
        private final List<Object> results = new ArrayList<>();
        private final CountDownLatch missing;

        Results(int count) {
            missing = new CountDownLatch(count);
        }

        synchronized void add(Object result) {
            results.add(result);
            missing.countDown();
        }

        List<Object> await() throws InterruptedException {
            Check.that(missing.await(PATIENCE_SECONDS, TimeUnit.SECONDS), "callbacks are missing");
            synchronized (this) {
                return new ArrayList<>(results);
            }
        }
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
            Thread.sleep(50);
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
