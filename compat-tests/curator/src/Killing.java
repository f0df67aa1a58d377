import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.ZooKeeper;

/** Sessions that end, servers and holders that are killed, and reading across servers. */
final class Killing {
    static final String HOLD = "--hold";
    private static final int EACH = 50;

    private Killing() {}

    static void register() {
        Suite.add("session_expiry", Killing::sessionExpiry);
        Suite.add("failover", Killing::failover);
        Suite.add("leader_killed", Killing::leaderKilled);
        Suite.add("lock_killed_holder", w -> killedHolder(w, "lock"));
        Suite.add("election_killed_holder", w -> killedHolder(w, "election"));
        Suite.add("sync_read", Killing::syncRead);
    }

    private static void sessionExpiry(World w) throws Exception {
        CuratorFramework client = w.client();
        LinkedBlockingQueue<ConnectionState> states = new LinkedBlockingQueue<>();
        client.getConnectionStateListenable().addListener((c, state) -> states.add(state));
        ZooKeeper inner = client.getZookeeperClient().getZooKeeper();
        long session = inner.getSessionId();
        client.create().withMode(CreateMode.EPHEMERAL).forPath("/e");
        // Its twin closes it, so that the server ends it while the client is away.
        CountDownLatch connected = new CountDownLatch(1);
        ZooKeeper twin = new ZooKeeper(w.server, World.SESSION_MS, event -> {
            if (event.getState() == org.apache.zookeeper.Watcher.Event.KeeperState.SyncConnected) {
                connected.countDown();
            }
        }, session, inner.getSessionPasswd());
        connected.await();
        twin.close();
        Check.eventually("LOST and RECONNECTED", () -> states.contains(ConnectionState.LOST)
            && states.contains(ConnectionState.RECONNECTED));
        Check.equal(client.checkExists().forPath("/e"), null);
        Check.that(client.getZookeeperClient().getZooKeeper().getSessionId() != session, "the same");
    }

    /** Where a client is connected. */
    private static String serverOf(CuratorFramework client) throws Exception {
        String text = client.getZookeeperClient().getZooKeeper().toString();
        String remote = text.replaceAll("(?s).*remoteserver:\\S*/(\\S+) lastZxid.*", "$1");
        Check.that(World.control("servers").contains(remote), "connected to " + remote);
        return remote;
    }

    private static void failover(World w) throws Exception {
        CuratorFramework client = w.client(w.servers, World.SESSION_MS);
        long session = client.getZookeeperClient().getZooKeeper().getSessionId();
        client.create().withMode(CreateMode.EPHEMERAL).forPath("/e");
        client.create().forPath("/n");
        LinkedBlockingQueue<String> events = new LinkedBlockingQueue<>();
        client.getData().usingWatcher((org.apache.zookeeper.Watcher) event -> {
            if (event.getPath() != null) {
                events.add(event.getType() + " " + event.getPath());
            }
        }).forPath("/n");
        try (AutoCloseable dead = World.killed(serverOf(client))) {
            Check.equal(client.checkExists().forPath("/e").getEphemeralOwner(), session);
            client.setData().forPath("/n", Basics.bytes("after"));
            Check.equal(events.poll(World.PATIENCE_SECONDS, TimeUnit.SECONDS), "NodeDataChanged /n");
        }
        Check.equal(client.getZookeeperClient().getZooKeeper().getSessionId(), session);
    }

    private static void leaderKilled(World w) throws Exception {
        CuratorFramework client = w.client(w.servers, World.SESSION_MS);
        List<String> acknowledged = Collections.synchronizedList(new ArrayList<>());
        AtomicBoolean stop = new AtomicBoolean();
        AtomicReference<Throwable> problem = new AtomicReference<>();
        Thread writer = new Thread(() -> {
            try {
                while (!stop.get()) {
                    String name = String.format("write-%06d", acknowledged.size());
                    try {
                        client.create().forPath("/" + name);
                    } catch (KeeperException.NodeExistsException e) {
                        // An attempt whose reply was lost has done it.
                    }
                    acknowledged.add(name);
                }
            } catch (Throwable e) {
                problem.set(e);
            }
        });
        writer.start();
        try {
            reach(acknowledged, EACH, problem);
            try (AutoCloseable dead = World.killed(World.control("leader").get(0))) {
                reach(acknowledged, acknowledged.size() + EACH, problem);
            }
        } finally {
            stop.set(true);
            writer.join();
        }
        Check.equal(problem.get(), null);
        for (String server : w.servers.split(",")) {
            List<String> missing = new ArrayList<>(acknowledged);
            missing.removeAll(w.client(server, World.SESSION_MS).getChildren().forPath("/"));
            Check.equal(missing, List.of());
        }
    }

    private static void reach(List<String> done, int count, AtomicReference<Throwable> problem)
            throws Exception {
        Check.eventually(count + " writes", () -> done.size() >= count || problem.get() != null);
    }

    /** What the other process does: it takes what there is to hold, says so, and waits. */
    static void hold(String server, String root, String kind) throws Exception {
        CuratorFramework client = org.apache.curator.framework.CuratorFrameworkFactory.builder()
            .connectString(server).sessionTimeoutMs(2000).namespace(root)
            .retryPolicy(new org.apache.curator.retry.RetryForever(50)).build();
        client.start();
        if (kind.equals("lock")) {
            new InterProcessMutex(client, "/held").acquire();
        } else {
            LeaderLatch latch = new LeaderLatch(client, "/held", "holder");
            latch.start();
            latch.await();
        }
        System.out.println("held");
        System.in.read();
    }

    private static void killedHolder(World w, String kind) throws Exception {
        CuratorFramework client = w.client();
        Process holder = new ProcessBuilder(System.getProperty("java.home") + "/bin/java",
            "-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp",
            System.getProperty("java.class.path"), "Suite", HOLD, w.server, w.root, kind)
            .redirectError(ProcessBuilder.Redirect.DISCARD).start();
        AtomicBoolean killed = new AtomicBoolean();
        try {
            String said = new BufferedReader(
                new InputStreamReader(holder.getInputStream(), StandardCharsets.UTF_8)).readLine();
            Check.equal(said, "held");
            LinkedBlockingQueue<Boolean> taken = new LinkedBlockingQueue<>();
            Thread waiter = new Thread(() -> {
                try {
                    wait(client, w, kind);
                    taken.add(killed.get());
                } catch (Exception e) {
                    // Nothing is taken, which is noticed.
                }
            });
            waiter.start();
            Check.eventually("two in the line", () -> client.getChildren().forPath("/held").size() == 2);
            killed.set(true);
            holder.destroyForcibly().waitFor();
            Check.equal(taken.poll(World.PATIENCE_SECONDS, TimeUnit.SECONDS), true);
        } finally {
            holder.destroyForcibly().waitFor();
        }
    }

    private static void wait(CuratorFramework client, World w, String kind) throws Exception {
        if (kind.equals("lock")) {
            InterProcessMutex mutex = new InterProcessMutex(client, "/held");
            mutex.acquire();
        } else {
            LeaderLatch latch = w.keep(new LeaderLatch(client, "/held", "waiter"));
            latch.start();
            latch.await();
        }
    }

    private static void syncRead(World w) throws Exception {
        String[] all = w.servers.split(",");
        CuratorFramework writer = w.client(all[0], World.SESSION_MS);
        CuratorFramework reader = w.client(all[all.length - 1], World.SESSION_MS);
        writer.create().forPath("/n");
        for (int round = 0; round < (w.quick ? 50 : 200); round++) {
            String text = Integer.toString(round);
            writer.setData().forPath("/n", Basics.bytes(text));
            Check.equal(new String(writer.getData().forPath("/n")), text);
            reader.sync().forPath("/n");
            Check.equal(new String(reader.getData().forPath("/n")), text);
        }
    }
}
