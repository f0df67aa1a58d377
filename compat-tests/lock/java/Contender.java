import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.channels.FileLock;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.leader.LeaderSelector;
import org.apache.curator.framework.recipes.leader.LeaderSelectorListenerAdapter;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.LockInternalsDriver;
import org.apache.curator.framework.recipes.locks.StandardLockInternalsDriver;
import org.apache.curator.retry.RetryForever;

/**
 * Takes a Curator lock, or leads, again and again, until it is killed: {@code Contender
 * lock|lock-sorted|latch|selector HOST:PORT PATH DIRECTORY SLOT TIMEOUT_MS HOLD_MS}. While it holds
 * it does what critical.py does.
 */
public class Contender {
    /** Curator sorts kazoo's names behind its own unless it is told to look at the numbers. */
    private static final LockInternalsDriver SORTED = new StandardLockInternalsDriver() {
        @Override
        public String fixForSorting(String name, String lockName) {
            return name.substring(Math.max(0, name.length() - 10));
        }
    };

    /** A lock that tells where its znode is. */
    private static class Mutex extends InterProcessMutex {
        Mutex(CuratorFramework client, String path, LockInternalsDriver driver) {
            super(client, path, driver);
        }

        String znode() {
            return getLockPath();
        }
    }

    private final CuratorFramework client;
    private final String path;
    private final Path directory;
    private final String slot;
    private final long milliseconds;

    Contender(CuratorFramework client, String[] arguments) {
        this.client = client;
        path = arguments[2];
        directory = Path.of(arguments[3]);
        slot = arguments[4];
        milliseconds = Long.parseLong(arguments[6]);
    }

    public static void main(String[] arguments) throws Exception {
        int timeout = Integer.parseInt(arguments[5]);
        try (CuratorFramework client = CuratorFrameworkFactory.newClient(
                arguments[1], timeout, timeout, new RetryForever(100))) {
            client.start();
            new Contender(client, arguments).run(arguments[0]);
        }
    }

    private void run(String kind) throws Exception {
        Mutex mutex = new Mutex(client, path,
                kind.equals("lock-sorted") ? SORTED : new StandardLockInternalsDriver());
        while (true) {
            switch (kind) {
                case "latch" -> latch();
                case "selector" -> selector();
                default -> {
                    mutex.acquire();
                    try {
                        hold(mutex.znode());
                    } finally {
                        mutex.release();
                    }
                }
            }
        }
    }

    private void latch() throws Exception {
        try (LeaderLatch latch = new LeaderLatch(client, path, slot)) {
            latch.start();
            latch.await();
            hold(latch.getOurPath());
        }
    }

    private void selector() throws Exception {
        CountDownLatch done = new CountDownLatch(1);
        var listener = new LeaderSelectorListenerAdapter() {
            @Override
            public void takeLeadership(CuratorFramework client) throws Exception {
                hold(own());
                done.countDown();
            }
        };
        try (LeaderSelector selector = new LeaderSelector(client, path, listener)) {
            selector.setId(slot);
            selector.start();
            done.await();
        }
    }

    /** The znode of this contender: the selector does not tell. */
    private String own() throws Exception {
        long session = client.getZookeeperClient().getZooKeeper().getSessionId();
        for (String name : client.getChildren().forPath(path)) {
            var stat = client.checkExists().forPath(path + "/" + name);
            if (stat != null && stat.getEphemeralOwner() == session) {
                return path + "/" + name;
            }
        }
        throw new IllegalStateException("the leader has no znode");
    }

    private void hold(String znode) throws Exception {
        var stat = client.checkExists().forPath(znode);
        if (stat == null) {
            return;
        }
        long token = stat.getCzxid();
        try (var file = new RandomAccessFile(directory.resolve("holder").toFile(), "rw");
                FileLock lock = file.getChannel().tryLock()) {
            if (lock == null) {
                violation(slot + " with " + token + " beside " + file.readLine());
            }
            Path history = directory.resolve("history");
            List<String> lines = Files.exists(history) ? Files.readAllLines(history) : List.of();
            String last = lines.isEmpty() ? null : lines.get(lines.size() - 1);
            if (last != null && Long.parseLong(last.split(" ")[0]) >= token) {
                violation(slot + " with " + token + " after " + last);
            }
            file.setLength(0);
            file.getChannel().write(ByteBuffer.wrap(slot.getBytes(StandardCharsets.US_ASCII)));
            append("history", token + " " + slot);
            Thread.sleep(milliseconds);
            file.setLength(0);
        }
    }

    private void violation(String text) throws Exception {
        append("violations", text);
        Runtime.getRuntime().halt(3);
    }

    private void append(String file, String line) throws Exception {
        Files.writeString(directory.resolve(file), line + "\n", StandardOpenOption.CREATE,
                StandardOpenOption.APPEND);
    }
}
