import static org.apache.zookeeper.KeeperException.Code;

import java.util.ArrayList;
import java.util.List;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.OpResult;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooKeeper;

/** Several operations in one: multi, transactions, multiRead. */
final class Transactions {
    private Transactions() {}

    static void register() {
        Scenarios.add("multi-of-every-kind", Transactions::everyKind);
        Scenarios.add("multi-that-fails", Transactions::fails);
        Scenarios.add("multi-asynchronous", Transactions::asynchronous);
        Scenarios.add("multi-of-reads", Transactions::reads);
        Scenarios.add("multi-of-many", Transactions::many);
        Scenarios.add("transaction", Transactions::transaction);
    }

    private static Op create(String path, CreateMode mode) {
        return Op.create(path, Znodes.bytes("1"), Ids.OPEN_ACL_UNSAFE, mode);
    }

    /** Results as short texts; this client does not take its root off the paths in them. */
    private static List<String> shown(World w, List<OpResult> results) {
        List<String> texts = new ArrayList<>();
        for (OpResult result : results) {
            if (result instanceof OpResult.CreateResult created) {
                texts.add("create " + created.getPath().replace(w.root, "")
                    + (created.getStat() == null ? "" : " " + created.getStat().getVersion()));
            } else if (result instanceof OpResult.SetDataResult set) {
                texts.add("set " + set.getStat().getVersion());
            } else if (result instanceof OpResult.ErrorResult error) {
                texts.add("error " + Code.get(error.getErr()));
            } else if (result instanceof OpResult.GetDataResult data) {
                texts.add("data " + new String(data.getData()));
            } else if (result instanceof OpResult.GetChildrenResult children) {
                texts.add("children " + children.getChildren());
            } else {
                texts.add(result.getClass().getSimpleName());
            }
        }
        return texts;
    }

    private static void everyKind(World w) throws Exception {
        ZooKeeper zk = w.client();
        Check.equal(shown(w, zk.multi(List.of(
            create("/p", CreateMode.PERSISTENT), create("/e", CreateMode.EPHEMERAL),
            create("/s-", CreateMode.PERSISTENT_SEQUENTIAL), create("/c", CreateMode.CONTAINER),
            Op.create("/t", Znodes.bytes("1"), Ids.OPEN_ACL_UNSAFE,
                CreateMode.PERSISTENT_WITH_TTL, 100_000),
            Op.check("/p", 0), Op.setData("/p", Znodes.bytes("2"), 0), Op.delete("/t", 0)))),
            List.of("create /p", "create /e", "create /s-0000000002", "create /c 0",
                "create /t 0", "CheckResult", "set 1", "DeleteResult"));
        Check.equal(Znodes.sorted(zk.getChildren("/", false)),
            List.of("c", "e", "p", "s-0000000002"));
    }

    private static void fails(World w) throws Exception {
        ZooKeeper zk = w.client();
        try {
            zk.multi(List.of(create("/a", CreateMode.PERSISTENT), Op.check("/none", 0),
                create("/b", CreateMode.PERSISTENT)));
            throw new AssertionError("no error");
        } catch (KeeperException e) {
            Check.equal(e.code(), Code.NONODE);
            Check.equal(shown(w, e.getResults()),
                List.of("error OK", "error NONODE", "error RUNTIMEINCONSISTENCY"));
        }
        Check.equal(zk.getChildren("/", false), List.of());
        Check.equal(Znodes.create(zk, "/s-", CreateMode.PERSISTENT_SEQUENTIAL), "/s-0000000000");
    }

    private static void asynchronous(World w) throws Exception {
        ZooKeeper zk = w.client();
        World.Results results = new World.Results(2);
        zk.multi(List.of(create("/a", CreateMode.PERSISTENT)),
            (code, path, context, done) -> results.add(code + " " + shown(w, done)), null);
        zk.multi(List.of(create("/b", CreateMode.PERSISTENT), Op.delete("/none", -1)),
            (code, path, context, done) -> results.add(Code.get(code) + " " + shown(w, done)), null);
        Check.equal(results.await(),
            List.of("0 [create /a]", "NONODE [error OK, error NONODE]"));
    }

    private static void reads(World w) throws Exception {
        ZooKeeper zk = w.client();
        Znodes.create(zk, "/x");
        Check.equal(shown(w, zk.multi(List.of(Op.getData("/x"), Op.getChildren("/"),
            Op.getData("/none"), Op.getChildren("/x")))),
            List.of("data data", "children [x]", "error NONODE", "children []"));
    }

    private static void many(World w) throws Exception {
        ZooKeeper zk = w.client();
        List<Op> operations = new ArrayList<>();
        for (int at = 0; at < 1000; at++) {
            operations.add(create("/" + at, CreateMode.PERSISTENT));
        }
        Check.equal(zk.multi(operations).size(), 1000);
        Check.equal(zk.getChildren("/", false).size(), 1000);
    }

    private static void transaction(World w) throws Exception {
        ZooKeeper zk = w.client();
        Check.equal(shown(w, zk.transaction()
            .create("/a", Znodes.bytes("1"), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT)
            .setData("/a", Znodes.bytes("2"), 0).check("/a", 1).delete("/a", 1).commit()),
            List.of("create /a", "set 1", "CheckResult", "DeleteResult"));
    }
}
