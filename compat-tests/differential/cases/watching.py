"""Watches: which event goes to whom, in which order, and what is left afterwards."""

from differential import protocol as p
from differential.cases import case
from harness.profiles import digest_id

KINDS = [p.CHILDREN, p.DATA, p.ANY, p.PERSISTENT_KIND, p.RECURSIVE_KIND]
WATCHES = {
    "exists": lambda path: p.exists(path, True),
    "data": lambda path: p.get_data(path, True),
    "children": lambda path: p.get_children(path, True),
    "children2": lambda path: p.get_children2(path, True),
    "persistent": lambda path: p.add_watch(path, p.PERSISTENT),
    "recursive": lambda path: p.add_watch(path, p.RECURSIVE),
}


def everything(t, base: str):
    """Changes of every kind at and around a znode and its child, twice."""
    for _ in range(2):
        t.call("ctl", p.create(base, b"1"))
        t.call("ctl", p.set_data(base, b"2"))
        t.call("ctl", p.create(f"{base}/child"))
        t.call("ctl", p.set_data(f"{base}/child", b"3"))
        t.call("ctl", p.create(f"{base}/child/grand"))
        t.call("ctl", p.set_acl(base, p.OPEN))
        t.call("ctl", p.delete(f"{base}/child/grand"))
        t.call("ctl", p.delete(f"{base}/child"))
        t.call("ctl", p.set_data(base, b"4", 99), p.delete(f"{base}/none"))
        t.call("ctl", p.delete(base))


def _fires(name: str):
    def run(t):
        """A watch set while the znode is there, and one set while it is not."""
        t.connect("a")
        t.connect("b")
        base = f"{t.root}/node"
        t.call("a", WATCHES[name](base))
        everything(t, base)
        t.call("ctl", p.create(base))
        t.call("b", WATCHES[name](base))
        t.call("ctl", p.create(f"{base}/child"))
        t.call("ctl", p.delete(f"{base}/child"))
        t.call("ctl", p.delete(base))
        everything(t, base)
        t.call("b", p.check_watches(base, p.ANY))
    run.__name__ = f"watch_{name}_fires"
    case(run)


def _pairs(first: str, second: str):
    def run(t):
        """Two watches of one connection on one znode, and the second also on its parent."""
        t.connect("a")
        base = f"{t.root}/node"
        t.call("ctl", p.create(base))
        t.call("a", WATCHES[first](base), WATCHES[second](base), WATCHES[second](t.root))
        t.call("ctl", p.set_data(base, b"1"))
        t.call("ctl", p.create(f"{base}/child"))
        t.call("ctl", p.delete(f"{base}/child"))
        t.call("a", *[p.check_watches(base, kind) for kind in KINDS])
        t.call("a", WATCHES[first](base), WATCHES[second](base), WATCHES[second](t.root))
        t.call("ctl", p.delete(base))
        t.call("a", *[p.check_watches(base, kind) for kind in KINDS])
        everything(t, base)
    run.__name__ = f"watch_{first}_with_{second}"
    case(run)


for _first in WATCHES:
    _fires(_first)
    if _first != "children2":
        for _second in WATCHES:
            if _second != "children2":
                _pairs(_first, _second)


@case
def watch_set_twice_fires_once(t):
    t.connect("a")
    t.call("a", p.get_data(t.root, True), p.get_data(t.root, True), p.exists(t.root, True))
    t.call("ctl", p.set_data(t.root, b"1"))
    t.call("ctl", p.set_data(t.root, b"2"))


@case
def watch_of_several_connections(t):
    for name in "abc":
        t.connect(name)
        t.call(name, p.get_data(t.root, True), p.get_children(t.root, True))
    t.call("b", p.set_data(t.root, b"1"))
    t.call("c", p.create(f"{t.root}/x"))


@case
def watch_own_change_comes_before_its_reply(t):
    t.connect("a")
    t.call("a", p.get_data(t.root, True), p.set_data(t.root, b"1"), p.get_data(t.root, True),
           p.create(f"{t.root}/x"), p.set_data(t.root, b"2"))
    t.call("a", p.add_watch(t.root, p.RECURSIVE), p.create(f"{t.root}/y"),
           p.multi(p.set_data(f"{t.root}/y", b"1"), p.delete(f"{t.root}/y")), p.exists(t.root))


@case
def watch_set_between_pipelined_writes(t):
    t.connect("a")
    t.call("a", p.set_data(t.root, b"1"), p.get_data(t.root, True), p.set_data(t.root, b"2"),
           p.set_data(t.root, b"3"), p.get_data(t.root, True), p.delete(f"{t.root}/none"),
           p.get_children(t.root, True), p.create(f"{t.root}/x"), p.create(f"{t.root}/y"))


@case
def watch_not_set_by_a_failed_read(t):
    t.connect("a")
    x = f"{t.root}/x"
    t.call("a", p.get_data(x, True), p.get_children(x, True), p.get_children2(x, True))
    t.call("ctl", p.create(x), p.set_data(x, b"1"))
    t.call("a", p.check_watches(x, p.ANY))


@case
def watch_not_set_without_permission(t):
    t.connect("a")
    x = f"{t.root}/x"
    t.call("ctl", p.create(x, acl=[(30, "world", "anyone")]))
    t.call("a", p.get_data(x, True), p.get_children(x, True), p.exists(x, True))
    t.call("a", p.check_watches(x, p.ANY))


@case
def watch_events_need_read_permission(t):
    """Events of znodes that a connection may not read are withheld, and use up its watch."""
    secret = [(31, "digest", digest_id("u:p"))]
    t.connect("may")
    t.connect("maynot")
    t.call("ctl", p.auth("digest", b"u:p"))
    t.call("may", p.auth("digest", b"u:p"))
    x = f"{t.root}/x"
    for name in ["may", "maynot"]:
        t.call(name, p.exists(x, True), p.add_watch(t.root, p.RECURSIVE),
               p.add_watch(x, p.PERSISTENT), p.get_children(t.root, True))
    t.call("ctl", p.create(x, acl=secret))
    t.call("ctl", p.set_data(x, b"1"))
    t.call("ctl", p.create(f"{x}/y"))
    t.call("ctl", p.set_data(f"{x}/y", b"2"))
    t.call("ctl", p.delete(f"{x}/y"))
    t.call("ctl", p.set_acl(x, p.OPEN))
    t.call("ctl", p.set_data(x, b"3"))
    t.call("ctl", p.set_acl(x, secret))
    t.call("ctl", p.delete(x))


@case
def watch_children_event_needs_permission_on_the_parent(t):
    secret = [(31, "digest", digest_id("u:p"))]
    t.connect("a")
    t.call("ctl", p.auth("digest", b"u:p"), p.create(f"{t.root}/p"))
    t.call("a", p.get_children(f"{t.root}/p", True), p.add_watch(f"{t.root}/p", p.PERSISTENT))
    t.call("ctl", p.set_acl(f"{t.root}/p", secret))
    t.call("ctl", p.create(f"{t.root}/p/x"))
    t.call("ctl", p.set_acl(f"{t.root}/p", p.OPEN))
    t.call("ctl", p.create(f"{t.root}/p/y"), p.create(f"{t.root}/p/z", acl=secret))
    t.call("ctl", p.delete(f"{t.root}/p/z"))


@case
def watch_modes_wrong(t):
    t.connect("a")
    for mode in [-1, 2, 3, 100]:
        t.call("a", p.add_watch(t.root, mode))
    t.call("a", p.check_watches(t.root, p.ANY))


@case
def watch_kinds_wrong(t):
    t.connect("a")
    t.call("a", p.get_data(t.root, True))
    for kind in [0, -1, 6, 100]:
        t.call("a", p.check_watches(t.root, kind), p.remove_watches(t.root, kind))
    t.call("ctl", p.set_data(t.root, b"1"))


@case
def watch_mode_replaced(t):
    t.connect("a")
    t.call("a", p.add_watch(t.root, p.PERSISTENT), p.add_watch(t.root, p.RECURSIVE))
    t.call("ctl", p.create(f"{t.root}/x"), p.set_data(f"{t.root}/x", b"1"))
    t.call("a", *[p.check_watches(t.root, kind) for kind in KINDS])
    t.call("a", p.add_watch(t.root, p.PERSISTENT))
    t.call("ctl", p.create(f"{t.root}/y"), p.set_data(t.root, b"1"))


@case
def watch_recursive_on_the_way_up(t):
    t.connect("a")
    t.call("ctl", p.create(f"{t.root}/a"), p.create(f"{t.root}/a/b"), p.create(f"{t.root}/ab"))
    t.call("a", p.add_watch(t.root, p.RECURSIVE), p.add_watch(f"{t.root}/a", p.RECURSIVE),
           p.add_watch(f"{t.root}/a/b", p.RECURSIVE))
    for path in ["", "/a", "/a/b", "/ab"]:
        t.call("ctl", p.set_data(t.root + path, b"1"))
    t.call("ctl", p.create(f"{t.root}/a/b/c"), p.delete(f"{t.root}/a/b/c"))
    t.call("a", p.remove_watches(t.root, p.RECURSIVE_KIND))
    t.call("ctl", p.set_data(t.root, b"2"), p.set_data(f"{t.root}/a", b"2"))


@case
def watch_recursive_on_root(t):
    t.connect("a")
    t.call("a", p.add_watch("/", p.RECURSIVE), p.add_watch("/", p.PERSISTENT))
    t.call("ctl", p.set_data(t.root, b"1"), p.create(f"{t.root}/x"), p.set_data("/", b"1"))
    t.call("a", p.remove_watches("/", p.ANY))
    t.call("ctl", p.set_data(t.root, b"2"), p.set_data("/", None))


def _removes(kind: int):
    def run(t):
        """All sorts of watches, of which one kind is removed."""
        t.connect("a")
        x = f"{t.root}/x"
        t.call("ctl", p.create(x))
        t.call("a", *[p.remove_watches(x, kind), p.check_watches(x, kind)])
        for name in WATCHES:
            t.call("a", WATCHES[name](x))
            t.call("a", *[p.check_watches(x, each) for each in KINDS])
            t.call("a", p.remove_watches(x, kind))
            t.call("a", *[p.check_watches(x, each) for each in KINDS])
            t.call("a", p.remove_watches(x, kind))
        t.call("a", *[WATCHES[name](x) for name in WATCHES])
        t.call("a", p.remove_watches(x, kind))
        t.call("a", *[p.check_watches(x, each) for each in KINDS])
        t.call("ctl", p.set_data(x, b"1"))
        t.call("ctl", p.create(f"{x}/y"))
        t.call("ctl", p.delete(f"{x}/y"))
        t.call("ctl", p.delete(x))
        t.call("a", *[p.check_watches(x, each) for each in KINDS])
    run.__name__ = f"watch_remove_kind_{kind}"
    case(run)


for _kind in KINDS:
    _removes(_kind)


@case
def watch_removed_by_one_connection_only(t):
    for name in "ab":
        t.connect(name)
        t.call(name, p.get_data(t.root, True), p.add_watch(t.root, p.RECURSIVE))
    t.call("a", p.remove_watches(t.root, p.ANY))
    t.call("ctl", p.set_data(t.root, b"1"), p.create(f"{t.root}/x"))


@case
def watch_removal_of_missing_path(t):
    t.connect("a")
    t.call("a", p.exists(f"{t.root}/x", True))
    t.call("a", p.remove_watches(f"{t.root}/y", p.ANY), p.remove_watches(f"{t.root}/x", p.DATA),
           p.remove_watches(f"{t.root}/x", p.DATA))


def _replay(with_persistent: bool):
    def run(t):
        """A client that comes back asks for its watches; what it missed comes at once."""
        r = t.root
        t.connect("a")
        names = ["same", "changed", "deleted", "kid", "kidless"]
        for name in names:
            t.call("ctl", p.create(f"{r}/{name}"))
        t.call("a", p.sync("/"))
        seen = len(names) + 1
        t.drop("a")
        t.call("ctl", p.set_data(f"{r}/changed", b"1"), p.delete(f"{r}/deleted"),
               p.create(f"{r}/kid/x"), p.create(f"{r}/born"), p.create(f"{r}/kidless/x"),
               p.delete(f"{r}/kidless/x"))
        t.connect("a", session="a")
        paths = [f"{r}/{name}" for name in [*names, "born", "none"]]
        request = (p.set_watches2(seen, paths, paths, paths, paths, paths) if with_persistent
                   else p.set_watches(seen, paths, paths, paths))
        t.call("a", request)
        t.call("a", *[p.check_watches(path, kind) for path in paths for kind in KINDS])
        for name in [*names, "born", "none"]:
            t.call("ctl", p.create(f"{r}/{name}"))
            t.call("ctl", p.set_data(f"{r}/{name}", b"2"))
            t.call("ctl", p.create(f"{r}/{name}/new"))
    run.__name__ = "watch_replay" + ("_with_persistent" if with_persistent else "")
    case(run)


_replay(False)
_replay(True)


@case
def watch_replay_at_the_borders_of_zxids(t):
    r = t.root
    t.connect("a")
    t.call("ctl", p.create(f"{r}/x"), p.set_data(f"{r}/x", b"1"), p.create(f"{r}/x/y"))
    for since in range(6):
        t.call("a", p.set_watches(since, [f"{r}/x"], [], [f"{r}/x"]))
        t.call("a", p.check_watches(f"{r}/x", p.DATA), p.check_watches(f"{r}/x", p.CHILDREN))
        t.call("a", p.remove_watches(f"{r}/x", p.ANY))


@case
def watch_replay_of_nothing_and_null_lists(t):
    t.connect("a")
    t.call("a", p.set_watches(0), p.set_watches2(0))
    t.call("a", p.set_watches(0, None, None, None))
    t.call("a", p.set_watches2(0, None, None, None, None, None))
    t.call("a", p.set_watches(0, [None], [], []))
    t.call("a", p.exists(t.root))


@case
def watch_replay_of_strange_paths(t):
    t.connect("a")
    for path in ["", "x", "//", "/zookeeper/", "/a\0b", "/\U0001f993"]:
        t.call("a", p.set_watches(0, [path]))
        t.call("a", p.set_watches(0, (), [path]))
        t.call("a", p.set_watches(0, (), (), [path]))
        t.call("a", p.set_watches2(0, (), (), (), [path], [path]))


@case
def watch_replay_is_not_filtered_by_permission(t):
    r = t.root
    t.call("ctl", p.create(f"{r}/x", acl=[(30, "world", "anyone")]), p.set_data(f"{r}/x", b"1"))
    t.connect("a")
    t.call("a", p.set_watches(0, [f"{r}/x"], [f"{r}/x"], [f"{r}/x"]))


@case
def watch_of_exists_on_deleted_node_sees_it_again(t):
    t.connect("a")
    x = f"{t.root}/x"
    t.call("a", p.exists(x, True))
    t.call("ctl", p.create(x))
    t.call("a", p.exists(x, True))
    t.call("ctl", p.delete(x))
    t.call("a", p.exists(x, True))
    t.call("ctl", p.create(x), p.delete(x))


@case
def watch_on_data_and_children_of_deleted_node(t):
    t.connect("a")
    x = f"{t.root}/x"
    t.call("ctl", p.create(x))
    t.call("a", p.get_data(x, True), p.get_children(x, True), p.get_children(t.root, True))
    t.call("ctl", p.delete(x))


@case
def watch_on_ephemerals_of_a_closing_session(t):
    t.connect("a")
    t.connect("b")
    for at in range(5):
        t.call("a", p.create(f"{t.root}/e{at}", flags=p.EPHEMERAL))
        t.call("b", p.get_data(f"{t.root}/e{at}", True))
    t.call("b", p.add_watch(t.root, p.RECURSIVE), p.add_watch(t.root, p.PERSISTENT))
    t.close("a")


@case
def watch_dropped_with_the_connection(t):
    t.connect("a")
    t.call("a", p.get_data(t.root, True), p.add_watch(t.root, p.RECURSIVE))
    t.reconnect("a")
    t.call("a", p.check_watches(t.root, p.ANY))
    t.call("ctl", p.set_data(t.root, b"1"))


@case
def watch_of_sequential_create_names_the_node(t):
    t.connect("a")
    t.call("a", p.add_watch(t.root, p.RECURSIVE), p.exists(f"{t.root}/s-0000000000", True))
    t.call("ctl", p.create(f"{t.root}/s-", flags=p.SEQUENTIAL))


@case
def watch_survives_failed_writes(t):
    t.connect("a")
    t.call("a", p.get_data(t.root, True), p.get_children(t.root, True))
    t.call("ctl", p.set_data(t.root, b"1", 9), p.create(f"{t.root}/x/y"), p.delete(t.root, 8),
           p.multi(p.create(f"{t.root}/x"), p.check(t.root, 9)))
    t.call("ctl", p.set_data(t.root, b"1"))


@case
def watch_many_on_one_connection(t):
    t.connect("a")
    paths = [f"{t.root}/{at}" for at in range(200)]
    t.call("ctl", p.multi(*[p.create(path) for path in paths]))
    t.call("a", *[p.get_data(path, True) for path in paths])
    t.call("ctl", p.multi(*[p.set_data(path, b"1") for path in paths]))
    t.call("ctl", p.multi(*[p.set_data(path, b"2") for path in paths]))


@case
def watch_on_config_and_system_nodes(t):
    t.connect("a")
    for path in ["/zookeeper", "/zookeeper/config"]:
        t.call("a", p.get_data(path, True), p.get_children(path, True))
    t.call("ctl", p.create(f"/zookeeper/{t.root[1:]}"), p.set_data("/zookeeper/config", b"x"))
    t.call("ctl", p.delete(f"/zookeeper/{t.root[1:]}"))
