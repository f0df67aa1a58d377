import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicLong;
import org.apache.curator.framework.recipes.barriers.DistributedBarrier;
import org.apache.curator.framework.recipes.barriers.DistributedDoubleBarrier;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.leader.LeaderSelector;
import org.apache.curator.framework.recipes.leader.LeaderSelectorListenerAdapter;
import org.apache.curator.framework.recipes.locks.InterProcessMultiLock;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessReadWriteLock;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreV2;
import org.apache.curator.framework.recipes.locks.Lease;
import org.apache.curator.framework.recipes.nodes.GroupMember;
import org.apache.curator.framework.recipes.nodes.PersistentNode;
import org.apache.curator.framework.recipes.queue.SimpleDistributedQueue;
import org.apache.curator.framework.recipes.shared.SharedCount;
import org.apache.curator.retry.RetryNTimes;
import org.apache.curator.utils.CloseableUtils;
import org.apache.zookeeper.CreateMode;

/** Curator's recipes. */
final class Recipes {
    private static final int WORKERS = 4;

    private Recipes() {}

    static void register() {
        Suite.add("leader_latch", Recipes::leaderLatch);
        Suite.add("leader_selector", Recipes::leaderSelector);
        Suite.add("mutex", Recipes::mutex);
        Suite.add("read_write_lock", Recipes::readWriteLock);
        Suite.add("semaphore", Recipes::semaphore);
        Suite.add("multi_lock", Recipes::multiLock);
        Suite.add("persistent_node", Recipes::persistentNode);
        Suite.add("cache", Recipes::cache);
        Suite.add("group_member", Recipes::groupMember);
        Suite.add("atomic_long", Recipes::atomicLong);
        Suite.add("shared_count", Recipes::sharedCount);
        Suite.add("barrier", Recipes::barrier);
        Suite.add("double_barrier", Recipes::doubleBarrier);
        Suite.add("queue", Recipes::queue);
    }

    /** Runs a task for each client at once; none may fail. */
    private static void together(World w, int count, Work work) throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(count);
        try {
            List<Callable<Void>> tasks = new ArrayList<>();
            for (int at = 0; at < count; at++) {
                CuratorFramework client = w.client();
                tasks.add(() -> {
                    work.run(client);
                    return null;
                });
            }
            for (Future<Void> done : threads.invokeAll(tasks, World.PATIENCE_SECONDS, TimeUnit.SECONDS)) {
                done.get();
            }
        } finally {
            threads.shutdownNow();
        }
    }

    private interface Work {
        void run(CuratorFramework client) throws Exception;
    }

    private static void leaderLatch(World w) throws Exception {
        List<LeaderLatch> latches = new ArrayList<>();
        for (int at = 0; at < 3; at++) {
            LeaderLatch latch = new LeaderLatch(w.client(), "/latch", "" + at,
                LeaderLatch.CloseMode.SILENT);
            latch.start();
            latches.add(latch);
        }
        while (!latches.isEmpty()) {
            Check.eventually("one leader",
                () -> latches.stream().filter(LeaderLatch::hasLeadership).count() == 1);
            LeaderLatch leader = latches.stream().filter(LeaderLatch::hasLeadership).findAny().get();
            Check.equal(leader.getLeader().getId(), leader.getId());
            Check.equal(leader.getParticipants().size(), latches.size());
            latches.remove(leader);
            leader.close();
        }
    }

    private static void leaderSelector(World w) throws Exception {
        AtomicInteger leaders = new AtomicInteger();
        CountDownLatch turns = new CountDownLatch(6);
        List<String> wrong = new CopyOnWriteArrayList<>();
        for (int at = 0; at < 3; at++) {
            LeaderSelector selector = new LeaderSelector(w.client(), "/select",
                new LeaderSelectorListenerAdapter() {
                    @Override
                    public void takeLeadership(CuratorFramework client) throws Exception {
                        if (leaders.incrementAndGet() != 1) {
                            wrong.add("two lead");
                        }
                        Thread.sleep(5);
                        leaders.decrementAndGet();
                        turns.countDown();
                    }
                });
            selector.autoRequeue();
            selector.start();
            w.keep(selector);
        }
        Check.that(turns.await(World.PATIENCE_SECONDS, TimeUnit.SECONDS), "too few turns");
        Check.equal(wrong, List.of());
    }

    private static void mutex(World w) throws Exception {
        AtomicInteger holders = new AtomicInteger();
        together(w, WORKERS, client -> {
            InterProcessMutex mutex = new InterProcessMutex(client, "/mutex");
            for (int round = 0; round < 5; round++) {
                mutex.acquire();
                mutex.acquire();
                Check.equal(holders.incrementAndGet(), 1);
                holders.decrementAndGet();
                mutex.release();
                mutex.release();
            }
        });
        InterProcessMutex held = new InterProcessMutex(w.client(), "/mutex");
        held.acquire();
        Check.that(!new InterProcessMutex(w.client(), "/mutex").acquire(200, TimeUnit.MILLISECONDS),
            "two hold it");
    }

    private static void readWriteLock(World w) throws Exception {
        InterProcessReadWriteLock one = new InterProcessReadWriteLock(w.client(), "/rw");
        InterProcessReadWriteLock other = new InterProcessReadWriteLock(w.client(), "/rw");
        one.readLock().acquire();
        Check.that(other.readLock().acquire(World.PATIENCE_SECONDS, TimeUnit.SECONDS), "readers share");
        Check.that(!other.writeLock().acquire(200, TimeUnit.MILLISECONDS), "a writer among readers");
        other.readLock().release();
        one.readLock().release();
        Check.that(other.writeLock().acquire(World.PATIENCE_SECONDS, TimeUnit.SECONDS), "the writer");
        Check.that(!one.readLock().acquire(200, TimeUnit.MILLISECONDS), "a reader beside a writer");
        other.writeLock().release();
    }

    private static void semaphore(World w) throws Exception {
        AtomicInteger holders = new AtomicInteger();
        together(w, WORKERS, client -> {
            InterProcessSemaphoreV2 semaphore = new InterProcessSemaphoreV2(client, "/semaphore", 2);
            for (int round = 0; round < 5; round++) {
                Lease lease = semaphore.acquire();
                Check.that(holders.incrementAndGet() <= 2, "more than two");
                holders.decrementAndGet();
                semaphore.returnLease(lease);
            }
        });
    }

    private static void multiLock(World w) throws Exception {
        CuratorFramework client = w.client();
        InterProcessMultiLock both = new InterProcessMultiLock(client, List.of("/one", "/two"));
        both.acquire();
        InterProcessMutex one = new InterProcessMutex(w.client(), "/two");
        Check.that(!one.acquire(200, TimeUnit.MILLISECONDS), "one of both is free");
        both.release();
        Check.that(one.acquire(World.PATIENCE_SECONDS, TimeUnit.SECONDS), "it is not free");
    }

    private static void persistentNode(World w) throws Exception {
        CuratorFramework client = w.client();
        PersistentNode node = w.keep(new PersistentNode(client, CreateMode.EPHEMERAL, false,
            "/persistent", Basics.bytes("1")));
        node.start();
        Check.that(node.waitForInitialCreate(World.PATIENCE_SECONDS, TimeUnit.SECONDS), "not made");
        client.delete().forPath("/persistent");
        Check.eventually("made again", () -> client.checkExists().forPath("/persistent") != null);
        node.setData(Basics.bytes("2"));
        Check.eventually("the new data",
            () -> new String(client.getData().forPath("/persistent")).equals("2"));
    }

    private static void cache(World w) throws Exception {
        CuratorFramework client = w.client();
        client.create().creatingParentsIfNeeded().forPath("/tree/a", Basics.bytes("1"));
        CuratorCache cache = w.keep(CuratorCache.build(w.client(), "/tree"));
        List<String> events = new CopyOnWriteArrayList<>();
        cache.listenable().addListener((type, before, now) ->
            events.add(type + " " + (now == null ? before : now).getPath()));
        cache.start();
        Check.eventually("the tree", () -> cache.size() == 2);
        client.setData().forPath("/tree/a", Basics.bytes("2"));
        client.create().forPath("/tree/a/b");
        Check.eventually("the changes", () -> cache.size() == 3
            && new String(cache.get("/tree/a").get().getData()).equals("2"));
        client.delete().deletingChildrenIfNeeded().forPath("/tree");
        Check.eventually("nothing left", () -> cache.size() == 0);
        Check.eventually("the events of all of it", () -> events.containsAll(
            List.of("NODE_CREATED /tree/a/b", "NODE_CHANGED /tree/a", "NODE_DELETED /tree")));
    }

    private static void groupMember(World w) throws Exception {
        GroupMember one = w.keep(new GroupMember(w.client(), "/group", "one", Basics.bytes("1")));
        GroupMember two = new GroupMember(w.client(), "/group", "two", Basics.bytes("2"));
        one.start();
        two.start();
        Check.eventually("both", () -> one.getCurrentMembers().keySet().equals(Set.of("one", "two")));
        CloseableUtils.closeQuietly(two);
        Check.eventually("one left", () -> one.getCurrentMembers().keySet().equals(Set.of("one")));
    }

    private static void atomicLong(World w) throws Exception {
        together(w, WORKERS, client -> {
            DistributedAtomicLong number =
                new DistributedAtomicLong(client, "/number", new RetryNTimes(10_000, 1));
            for (int round = 0; round < 25; round++) {
                Check.that(number.increment().succeeded(), "not counted");
            }
        });
        DistributedAtomicLong number =
            new DistributedAtomicLong(w.client(), "/number", new RetryNTimes(10, 1));
        Check.equal(number.get().postValue(), WORKERS * 25L);
    }

    private static void sharedCount(World w) throws Exception {
        SharedCount one = w.keep(new SharedCount(w.client(), "/count", 5));
        SharedCount two = w.keep(new SharedCount(w.client(), "/count", 5));
        one.start();
        two.start();
        one.setCount(7);
        Check.eventually("the other sees it", () -> two.getCount() == 7);
        Check.that(two.trySetCount(two.getVersionedValue(), 8), "not set");
        Check.eventually("the first sees it", () -> one.getCount() == 8);
    }

    private static void barrier(World w) throws Exception {
        DistributedBarrier barrier = new DistributedBarrier(w.client(), "/barrier");
        barrier.setBarrier();
        CountDownLatch through = new CountDownLatch(WORKERS);
        Thread remover = new Thread(() -> {
            try {
                Check.equal(through.getCount(), (long) WORKERS);
                barrier.removeBarrier();
            } catch (Exception e) {
                // Nobody comes through, which is noticed.
            }
        });
        remover.start();
        together(w, WORKERS, client -> {
            Check.that(new DistributedBarrier(client, "/barrier")
                .waitOnBarrier(World.PATIENCE_SECONDS, TimeUnit.SECONDS), "held up");
            through.countDown();
        });
        Check.equal(through.getCount(), 0L);
    }

    private static void doubleBarrier(World w) throws Exception {
        AtomicInteger inside = new AtomicInteger();
        AtomicInteger leaving = new AtomicInteger();
        together(w, WORKERS, client -> {
            DistributedDoubleBarrier barrier =
                new DistributedDoubleBarrier(client, "/double", WORKERS);
            inside.incrementAndGet();
            Check.that(barrier.enter(World.PATIENCE_SECONDS, TimeUnit.SECONDS), "not in");
            Check.equal(inside.get(), WORKERS);
            leaving.incrementAndGet();
            Check.that(barrier.leave(World.PATIENCE_SECONDS, TimeUnit.SECONDS), "not out");
            Check.equal(leaving.get(), WORKERS);
        });
    }

    private static void queue(World w) throws Exception {
        SimpleDistributedQueue in = new SimpleDistributedQueue(w.client(), "/queue");
        List<String> expected = new ArrayList<>();
        for (int at = 0; at < 40; at++) {
            in.offer(Basics.bytes("item-" + at));
            expected.add("item-" + at);
        }
        List<String> taken = new CopyOnWriteArrayList<>();
        together(w, WORKERS, client -> {
            SimpleDistributedQueue out = new SimpleDistributedQueue(client, "/queue");
            for (byte[] item = out.poll(); item != null; item = out.poll()) {
                taken.add(new String(item));
            }
        });
        List<String> sorted = new ArrayList<>(taken);
        Collections.sort(sorted);
        Collections.sort(expected);
        Check.equal(sorted, expected);
    }
}
