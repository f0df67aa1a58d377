import static org.apache.zookeeper.KeeperException.Code;

import java.util.List;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooKeeper;

/** Sessions: resumed, taken over, expired, closed, and with credentials. */
final class Sessions {
    private Sessions() {}

    static void register() {
        Scenarios.add("session-resumed-after-a-cut", Sessions::resumed);
        Scenarios.add("session-taken-over", Sessions::takenOver);
        Scenarios.add("session-expired", Sessions::expired);
        Scenarios.add("session-with-wrong-password", Sessions::wrongPassword);
        Scenarios.add("session-closed", Sessions::closed);
        Scenarios.add("session-timeout-negotiated", Sessions::negotiated);
        Scenarios.add("session-kept-while-idle", Sessions::idle);
        Scenarios.add("auth-again-after-a-cut", Sessions::authAgain);
        Scenarios.add("auth-that-fails", Sessions::authFails);
        Scenarios.add("frame-too-long", Sessions::frameTooLong);
    }

    private static void resumed(World w) throws Exception {
        World.Cuttable cut = w.cuttable();
        long session = cut.client().getSessionId();
        Znodes.create(cut.client(), "/e", CreateMode.EPHEMERAL);
        for (int round = 0; round < 3; round++) {
            cut.proxy().cut();
            cut.events().awaitState(KeeperState.Disconnected);
            cut.events().awaitState(KeeperState.SyncConnected);
            Check.equal(cut.client().getSessionId(), session);
            Check.equal(cut.client().exists("/e", false).getEphemeralOwner(), session);
        }
    }

    private static void takenOver(World w) throws Exception {
        World.Cuttable owner = w.cuttable();
        Znodes.create(owner.client(), "/e", CreateMode.EPHEMERAL);
        // Else the two would take the session from each other.
        owner.proxy().cutAndRefuse();
        World.Events events = new World.Events();
        ZooKeeper taker = w.keep(new ZooKeeper(w.server + w.root, World.SESSION_MS, events,
            owner.client().getSessionId(), owner.client().getSessionPasswd()));
        events.awaitState(KeeperState.SyncConnected);
        Check.equal(taker.getSessionId(), owner.client().getSessionId());
        Check.equal(taker.exists("/e", false).getEphemeralOwner(), taker.getSessionId());
        taker.close();
        Check.equal(w.client().exists("/e", false), null);
        owner.proxy().restore();
        owner.events().awaitState(KeeperState.Expired);
    }

    private static void expired(World w) throws Exception {
        World.Events events = new World.Events();
        Proxy proxy = w.keep(new Proxy(w.server));
        ZooKeeper zk = w.keep(new ZooKeeper(proxy.address() + w.root, 1000, events));
        events.awaitState(KeeperState.SyncConnected);
        Znodes.create(zk, "/e", CreateMode.EPHEMERAL);
        World.Events gone = new World.Events();
        w.client().exists("/e", gone);
        proxy.cutAndRefuse();
        Check.equal(gone.next(), "NodeDeleted /e");
        proxy.restore();
        events.awaitState(KeeperState.Expired);
        Check.fails(Code.SESSIONEXPIRED, () -> zk.exists("/", false));
    }

    private static void wrongPassword(World w) throws Exception {
        ZooKeeper owner = w.client();
        Znodes.create(owner, "/e", CreateMode.EPHEMERAL);
        World.Events events = new World.Events();
        w.keep(new ZooKeeper(w.server + w.root, World.SESSION_MS, events, owner.getSessionId(),
            new byte[16]));
        events.awaitState(KeeperState.Expired);
        Check.that(w.client().exists("/e", false) != null, "the session was ended");
    }

    private static void closed(World w) throws Exception {
        ZooKeeper zk = w.client();
        for (int at = 0; at < 20; at++) {
            Znodes.create(zk, "/e" + at, CreateMode.EPHEMERAL);
        }
        zk.close();
        Check.fails(Code.SESSIONEXPIRED, () -> zk.exists("/", false));
        Check.equal(w.client().getChildren("/", false), List.of());
    }

    /** The server's tick is 500 ms: sessions live from one second to forty. */
    private static void negotiated(World w) throws Exception {
        for (int[] pair : new int[][] {{800, 1000}, {5000, 5000}, {100_000, 40_000}}) {
            World.Events events = new World.Events();
            ZooKeeper zk = w.keep(new ZooKeeper(w.server, pair[0], events));
            events.awaitState(KeeperState.SyncConnected);
            Check.equal(zk.getSessionTimeout(), pair[1]);
        }
    }

    private static void idle(World w) throws Exception {
        World.Events events = new World.Events();
        ZooKeeper zk = w.keep(new ZooKeeper(w.server + w.root, 1000, events));
        events.awaitState(KeeperState.SyncConnected);
        Znodes.create(zk, "/e", CreateMode.EPHEMERAL);
        Thread.sleep(3000);
        Check.equal(w.client().exists("/e", false).getEphemeralOwner(), zk.getSessionId());
    }

    private static void authAgain(World w) throws Exception {
        World.Cuttable cut = w.cuttable();
        cut.client().addAuthInfo("digest", Znodes.bytes("user:password"));
        cut.client().create("/x", Znodes.bytes("1"), Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT);
        cut.proxy().cut();
        cut.events().awaitState(KeeperState.Disconnected);
        cut.events().awaitState(KeeperState.SyncConnected);
        Check.equal(new String(cut.client().getData("/x", false, null)), "1");
    }

    private static void authFails(World w) throws Exception {
        World.Events events = new World.Events();
        ZooKeeper zk = w.keep(new ZooKeeper(w.server, World.SESSION_MS, events));
        events.awaitState(KeeperState.SyncConnected);
        zk.addAuthInfo("nosuch", Znodes.bytes("x"));
        events.awaitState(KeeperState.AuthFailed);
        Check.fails(Code.AUTHFAILED, () -> zk.exists("/", false));
    }

    private static void frameTooLong(World w) throws Exception {
        ZooKeeper zk = w.client();
        Znodes.create(zk, "/x");
        Check.fails(Code.CONNECTIONLOSS, () -> zk.setData("/x", new byte[1 << 20], -1));
        ZooKeeper other = w.client();
        Check.equal(new String(other.getData("/x", false, null)), "data");
    }
}
