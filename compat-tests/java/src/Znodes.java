import static org.apache.zookeeper.KeeperException.Code;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.apache.zookeeper.AsyncCallback;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooDefs.Perms;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.admin.ZooKeeperAdmin;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.ClientInfo;
import org.apache.zookeeper.data.Id;
import org.apache.zookeeper.data.Stat;

/** Znodes one at a time: creation in every mode, versions, children, permissions. */
final class Znodes {
    private Znodes() {}

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static String create(ZooKeeper zk, String path) throws Exception {
        return create(zk, path, CreateMode.PERSISTENT);
    }

    static String create(ZooKeeper zk, String path, CreateMode mode) throws Exception {
        return zk.create(path, bytes("data"), Ids.OPEN_ACL_UNSAFE, mode);
    }

    static List<String> sorted(List<String> names) {
        List<String> copy = new ArrayList<>(names);
        Collections.sort(copy);
        return copy;
    }

    static void register() {
        Scenarios.add("create-in-every-mode", Znodes::everyMode);
        Scenarios.add("create-with-stat", Znodes::withStat);
        Scenarios.add("create-with-ttl", Znodes::withTtl);
        Scenarios.add("container-removed-when-empty", Znodes::containerRemoved);
        Scenarios.add("ttl-node-removed-in-time", Znodes::ttlNodeRemoved);
        Scenarios.add("create-errors", Znodes::createErrors);
        Scenarios.add("data-and-versions", Znodes::dataAndVersions);
        Scenarios.add("delete-rules", Znodes::deleteRules);
        Scenarios.add("children-and-numbers", Znodes::childrenAndNumbers);
        Scenarios.add("ephemerals-by-prefix", Znodes::ephemeralsByPrefix);
        Scenarios.add("acl-and-who-am-i", Znodes::aclAndWhoAmI);
        Scenarios.add("acl-versions", Znodes::aclVersions);
        Scenarios.add("sync-and-config", Znodes::syncAndConfig);
        Scenarios.add("reconfig-refused", Znodes::reconfigRefused);
        Scenarios.add("data-null-empty-large", Znodes::dataSizes);
        Scenarios.add("unicode-paths", Znodes::unicodePaths);
        Scenarios.add("asynchronous-calls", Znodes::asynchronous);
        Scenarios.add("asynchronous-calls-keep-their-order", Znodes::asynchronousOrder);
        Scenarios.add("asynchronous-errors", Znodes::asynchronousErrors);
    }

    private static void everyMode(World w) throws Exception {
        ZooKeeper zk = w.client();
        Check.equal(create(zk, "/p", CreateMode.PERSISTENT), "/p");
        Check.equal(create(zk, "/e", CreateMode.EPHEMERAL), "/e");
        Check.equal(create(zk, "/s-", CreateMode.PERSISTENT_SEQUENTIAL), "/s-0000000002");
        Check.equal(create(zk, "/s-", CreateMode.EPHEMERAL_SEQUENTIAL), "/s-0000000003");
        Check.equal(create(zk, "/c", CreateMode.CONTAINER), "/c");
        Check.equal(zk.create("/t", bytes("x"), Ids.OPEN_ACL_UNSAFE,
            CreateMode.PERSISTENT_WITH_TTL, new Stat(), 100_000), "/t");
        Check.equal(zk.create("/t-", bytes("x"), Ids.OPEN_ACL_UNSAFE,
            CreateMode.PERSISTENT_SEQUENTIAL_WITH_TTL, new Stat(), 100_000), "/t-0000000006");
        Check.equal(zk.exists("/e", false).getEphemeralOwner(), zk.getSessionId());
        for (String path : List.of("/p", "/c", "/t")) {
            Check.equal(zk.exists(path, false).getEphemeralOwner(), 0L);
        }
        zk.close();
        Check.equal(sorted(w.client().getChildren("/", false)),
            List.of("c", "p", "s-0000000002", "t", "t-0000000006"));
    }

    private static void withStat(World w) throws Exception {
        ZooKeeper zk = w.client();
        Stat stat = new Stat();
        zk.create("/x", bytes("12345"), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT, stat);
        Check.equal(stat, zk.exists("/x", false));
        Check.equal(stat.getDataLength(), 5);
        Check.equal(stat.getCzxid(), stat.getMzxid());
        Check.equal(stat.getCtime(), stat.getMtime());
        zk.create("/c", bytes("1"), Ids.OPEN_ACL_UNSAFE, CreateMode.CONTAINER, stat);
        Check.equal(stat, zk.exists("/c", false));
    }

    private static void withTtl(World w) throws Exception {
        ZooKeeper zk = w.client();
        for (long ttl : new long[] {1, 1000, (1L << 40) - 1}) {
            zk.create("/t" + ttl, bytes(""), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_WITH_TTL,
                null, ttl);
        }
        Check.fails(Code.BADARGUMENTS, () -> {
            try {
                zk.create("/t", bytes(""), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_WITH_TTL,
                    null, 1L << 40);
            } catch (IllegalArgumentException e) {
                throw new org.apache.zookeeper.KeeperException.BadArgumentsException();
            }
        });
    }

    private static void containerRemoved(World w) throws Exception {
        ZooKeeper zk = w.client();
        create(zk, "/c", CreateMode.CONTAINER);
        create(zk, "/c/child");
        Thread.sleep(1000);
        zk.delete("/c/child", -1);
        Check.eventually("the container goes", () -> zk.exists("/c", false) == null);
    }

    private static void ttlNodeRemoved(World w) throws Exception {
        ZooKeeper zk = w.client();
        for (String path : List.of("/short", "/parent")) {
            zk.create(path, null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_WITH_TTL, null, 1500);
        }
        zk.create("/long", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_WITH_TTL, null,
            3_600_000);
        create(zk, "/parent/child");
        Check.eventually("the node goes", () -> zk.exists("/short", false) == null);
        Check.equal(sorted(zk.getChildren("/", false)), List.of("long", "parent"));
    }

    private static void createErrors(World w) throws Exception {
        ZooKeeper zk = w.client();
        create(zk, "/x");
        create(zk, "/e", CreateMode.EPHEMERAL);
        Check.fails(Code.NODEEXISTS, () -> create(zk, "/x"));
        Check.fails(Code.NONODE, () -> create(zk, "/no/such"));
        Check.fails(Code.NOCHILDRENFOREPHEMERALS, () -> create(zk, "/e/x"));
        Check.fails(Code.INVALIDACL, () -> zk.create("/y", null,
            Arrays.asList(new ACL(Perms.ALL, new Id("nosuch", "x"))), CreateMode.PERSISTENT));
        Check.fails(Code.INVALIDACL, () -> zk.create("/y", null, Ids.CREATOR_ALL_ACL,
            CreateMode.PERSISTENT));
        Check.equal(create(zk, "/e", CreateMode.EPHEMERAL_SEQUENTIAL), "/e0000000002");
    }

    private static void dataAndVersions(World w) throws Exception {
        ZooKeeper zk = w.client();
        create(zk, "/x");
        Check.equal(zk.setData("/x", bytes("1"), 0).getVersion(), 1);
        Check.fails(Code.BADVERSION, () -> zk.setData("/x", bytes("2"), 0));
        Stat stat = zk.setData("/x", bytes("2"), -1);
        Stat read = new Stat();
        Check.equal(new String(zk.getData("/x", false, read)), "2");
        Check.equal(read, stat);
        Check.that(stat.getMzxid() > stat.getCzxid(), "mzxid has not moved");
        Check.equal(zk.exists("/none", false), null);
        Check.fails(Code.NONODE, () -> zk.getData("/none", false, null));
        Check.fails(Code.NONODE, () -> zk.setData("/none", null, -1));
    }

    private static void deleteRules(World w) throws Exception {
        ZooKeeper zk = w.client();
        create(zk, "/x");
        create(zk, "/x/y");
        Check.fails(Code.NOTEMPTY, () -> zk.delete("/x", -1));
        Check.fails(Code.BADVERSION, () -> zk.delete("/x/y", 7));
        Check.fails(Code.NONODE, () -> zk.delete("/none", -1));
        zk.delete("/x/y", 0);
        zk.delete("/x", -1);
        Stat root = new Stat();
        Check.equal(zk.getChildren("/", false, root), List.of());
        Check.equal(root.getCversion(), 2);
        Check.fails(Code.BADARGUMENTS, () -> w.client(w.server).delete("/zookeeper/quota", -1));
    }

    private static void childrenAndNumbers(World w) throws Exception {
        ZooKeeper zk = w.client();
        for (String path : List.of("/a", "/a/b", "/a/b/c", "/d")) {
            create(zk, path);
        }
        Check.equal(sorted(zk.getChildren("/", false)), List.of("a", "d"));
        Stat stat = new Stat();
        Check.equal(zk.getChildren("/a", false, stat), List.of("b"));
        Check.equal(stat.getNumChildren(), 1);
        Check.equal(zk.getAllChildrenNumber("/"), 4);
        Check.equal(zk.getAllChildrenNumber("/a"), 2);
        Check.fails(Code.NONODE, () -> zk.getAllChildrenNumber("/none"));
    }

    private static void ephemeralsByPrefix(World w) throws Exception {
        ZooKeeper zk = w.client(w.server);
        for (String name : List.of("/a1", "/a2", "/b")) {
            create(zk, w.root + name, CreateMode.EPHEMERAL);
        }
        Check.equal(sorted(zk.getEphemerals()),
            List.of(w.root + "/a1", w.root + "/a2", w.root + "/b"));
        Check.equal(sorted(zk.getEphemerals(w.root + "/a")),
            List.of(w.root + "/a1", w.root + "/a2"));
        Check.equal(w.client(w.server).getEphemerals(), List.of());
    }

    private static void aclAndWhoAmI(World w) throws Exception {
        ZooKeeper owner = w.client();
        ZooKeeper other = w.client();
        owner.addAuthInfo("digest", bytes("user:password"));
        owner.create("/x", bytes("1"), Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT);
        Check.fails(Code.NOAUTH, () -> other.getData("/x", false, null));
        Check.fails(Code.NOAUTH, () -> other.exists("/x", false));
        Check.fails(Code.NOAUTH, () -> other.setACL("/x", Ids.OPEN_ACL_UNSAFE, -1));
        List<ACL> acl = owner.getACL("/x", new Stat());
        Check.equal(acl.get(0).getId().getScheme(), "digest");
        List<String> names = new ArrayList<>();
        for (ClientInfo info : owner.whoAmI()) {
            names.add(info.getAuthScheme() + ":" + info.getUser());
        }
        Check.equal(sorted(names), List.of("digest:user", "ip:127.0.0.1"));
        ZooKeeper superUser = w.client();
        superUser.addAuthInfo("digest", bytes("super:secret"));
        Check.equal(new String(superUser.getData("/x", false, null)), "1");
    }

    private static void aclVersions(World w) throws Exception {
        ZooKeeper zk = w.client();
        create(zk, "/x");
        Check.equal(zk.getACL("/x", null), Ids.OPEN_ACL_UNSAFE);
        Check.equal(zk.setACL("/x", Ids.READ_ACL_UNSAFE, 0).getAversion(), 1);
        Check.fails(Code.NOAUTH, () -> zk.setData("/x", null, -1));
        Check.fails(Code.NOAUTH, () -> zk.setACL("/x", Ids.OPEN_ACL_UNSAFE, 0));
        create(zk, "/y");
        Check.fails(Code.BADVERSION, () -> zk.setACL("/y", Ids.OPEN_ACL_UNSAFE, 3));
        Check.fails(Code.NONODE, () -> zk.setACL("/none", Ids.OPEN_ACL_UNSAFE, -1));
    }

    private static void syncAndConfig(World w) throws Exception {
        ZooKeeper zk = w.client();
        World.Results results = new World.Results(1);
        zk.sync("/", (code, path, context) -> results.add(code + path), null);
        Check.equal(results.await(), List.of("0/"));
        String config = new String(w.client(w.server).getConfig(false, null));
        long servers = w.servers.split(",").length;
        // A server that is alone has no members to tell of.
        long members = servers == 1 ? 0 : servers;
        Check.equal(config.lines().filter(line -> line.startsWith("server.")).count(), members);
        Check.equal(config.isEmpty(), members == 0);
    }

    private static void reconfigRefused(World w) throws Exception {
        try (ZooKeeperAdmin admin = new ZooKeeperAdmin(w.server, World.SESSION_MS, event -> {})) {
            Check.fails(Code.RECONFIGDISABLED, () -> admin.reconfigure(
                "server.2=127.0.0.1:1:2;3", null, null, -1, new Stat()));
        }
    }

    private static void dataSizes(World w) throws Exception {
        ZooKeeper zk = w.client();
        zk.create("/null", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        Check.equal(zk.getData("/null", false, null), null);
        zk.setData("/null", new byte[0], -1);
        Check.equal(zk.getData("/null", false, null).length, 0);
        byte[] large = new byte[1_000_000];
        Arrays.fill(large, (byte) 7);
        zk.setData("/null", large, -1);
        Check.that(Arrays.equals(zk.getData("/null", false, null), large), "other data");
    }

    private static void unicodePaths(World w) throws Exception {
        ZooKeeper zk = w.client();
        for (String path : List.of("/ünïcödé", "/日本語", "/a b", "/кириллица")) {
            Check.equal(create(zk, path), path);
            Check.that(zk.exists(path, false) != null, path + " is not there");
        }
        Check.equal(zk.getChildren("/", false).size(), 4);
    }

    private static void asynchronous(World w) throws Exception {
        ZooKeeper zk = w.client();
        World.Results results = new World.Results(8);
        zk.create("/x", bytes("1"), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT,
            (AsyncCallback.Create2Callback) (code, path, context, name, stat) ->
                results.add(code + " create " + name + " " + stat.getVersion()), null);
        zk.exists("/x", false, (AsyncCallback.StatCallback) (code, path, context, stat) ->
            results.add(code + " exists " + stat.getDataLength()), null);
        zk.setData("/x", bytes("22"), 0, (AsyncCallback.StatCallback) (code, path, context, stat) ->
            results.add(code + " set " + stat.getVersion()), null);
        zk.getData("/x", false, (AsyncCallback.DataCallback) (code, path, context, data, stat) ->
            results.add(code + " get " + new String(data)), null);
        zk.getACL("/x", new Stat(), (code, path, context, acl, stat) ->
            results.add(code + " acl " + acl.size()), null);
        zk.getChildren("/", false,
            (AsyncCallback.Children2Callback) (code, path, context, names, stat) ->
                results.add(code + " children " + names), null);
        zk.delete("/x", 1, (code, path, context) -> results.add(code + " delete " + path), null);
        zk.getAllChildrenNumber("/", (code, path, context, number) ->
            results.add(code + " number " + number), null);
        Check.equal(results.await(), List.of("0 create /x 0", "0 exists 1", "0 set 1", "0 get 22",
            "0 acl 1", "0 children [x]", "0 delete /x", "0 number 0"));
    }

    private static void asynchronousOrder(World w) throws Exception {
        ZooKeeper zk = w.client();
        int count = w.quick ? 200 : 2000;
        World.Results results = new World.Results(count);
        List<Object> expected = new ArrayList<>();
        for (int at = 0; at < count; at++) {
            expected.add(String.format("/s-%010d", at));
            zk.create("/s-", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_SEQUENTIAL,
                (AsyncCallback.StringCallback) (code, path, context, name) -> results.add(name),
                null);
        }
        Check.equal(results.await(), expected);
    }

    private static void asynchronousErrors(World w) throws Exception {
        ZooKeeper zk = w.client();
        World.Results results = new World.Results(3);
        zk.getData("/none", false, (AsyncCallback.DataCallback) (code, path, context, data, stat) ->
            results.add(Code.get(code)), null);
        zk.delete("/none", -1, (code, path, context) -> results.add(Code.get(code)), null);
        zk.setData("/", null, 5, (code, path, context, stat) -> results.add(Code.get(code)), null);
        Check.equal(results.await(), List.of(Code.NONODE, Code.NONODE, Code.BADVERSION));
    }
}
