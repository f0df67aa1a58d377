"""What servers know after they were stopped or killed: everything they have answered."""

import time

from differential import protocol as p
from differential.cases import case
from differential.cases.quotas import quota_node, set_quota, stats

# A session that expires soon, but not while the other server is still starting.
SHORT_MS = 4000


def come_back(t, *names: str):
    """Takes sessions up again after a restart."""
    for name in names:
        t.connect(name, session=name)


def _kept(kill: bool):
    def run(t):
        r = t.root
        t.connect("a")
        t.call("a", p.create(f"{r}/p", b"data"), p.create(f"{r}/p/x", None),
               p.create(f"{r}/s-", flags=p.SEQUENTIAL), p.create_container(f"{r}/c", b"c"),
               p.create_ttl(f"{r}/t", 10**8, b"t"), p.create(f"{r}/e", b"e", p.EPHEMERAL),
               p.set_data(f"{r}/p", b"changed"), p.set_acl(f"{r}/p", p.OPEN + p.READ_ONLY),
               p.delete(f"{r}/p/x"), p.create(f"{r}/gone"), p.delete(f"{r}/gone"),
               p.multi(p.create(f"{r}/m"), p.set_data(f"{r}/m", b"1")),
               p.multi(p.create(f"{r}/n"), p.check("/none")), p.create(f"{r}/no/such"))
        t.restart(kill)
        come_back(t, "ctl", "a")
        paths = [r, *(f"{r}/{name}" for name in ["p", "c", "t", "e", "m", "n", "s-0000000001"])]
        for path in paths:
            t.call("ctl", p.get_data(path), p.get_acl(path), p.get_children2(path))
        t.call("a", p.get_ephemerals("/"), p.create(f"{r}/s-", flags=p.SEQUENTIAL),
               p.create2(f"{r}/after"), p.set_data(f"{r}/p", b"again", 1))
        t.close("a")
        t.call("ctl", p.get_children2(r))
    run.__name__ = "restart_keeps_everything" + ("_though_killed" if kill else "")
    case(run, profile="restarted")


_kept(False)
_kept(True)


@case(profile="restarted")
def restart_twice_with_writes_between(t):
    for at in range(3):
        t.call("ctl", p.create(f"{t.root}/{at}"), p.set_data(t.root, str(at).encode(), at))
        t.restart(kill=at == 1)
        come_back(t, "ctl")
    t.call("ctl", p.get_children2(t.root), p.get_data(t.root), p.create2(f"{t.root}/last"))


@case(profile="restarted")
def restart_forgets_watches_and_auth(t):
    t.connect("a")
    t.call("a", p.auth("digest", b"u:p"), p.get_data(t.root, True), p.add_watch(t.root))
    t.restart()
    come_back(t, "ctl", "a")
    t.call("a", p.who_am_i(), p.check_watches(t.root, p.ANY))
    t.call("ctl", p.set_data(t.root, b"1"))
    t.call("a", p.set_watches(0, [t.root]))


@case(profile="restarted")
def restart_and_zxid_ahead(t):
    t.restart()
    t.connect("b", seen=10**6)
    come_back(t, "ctl")
    t.connect("b", seen=0)


@case(profile="restarted")
def restart_and_wrong_password(t):
    t.connect("a")
    t.call("a", p.create(f"{t.root}/e", flags=p.EPHEMERAL))
    t.restart(kill=True)
    t.connect("b", session="a", password=b"x" * 16)
    come_back(t, "ctl", "a")
    t.call("a", p.exists(f"{t.root}/e"))


@case(profile="restarted")
def restart_and_closed_session(t):
    t.connect("a")
    for side in t.sides:
        side.gone = side.sessions["a"]
    t.close("a")
    t.restart()
    for side in t.sides:
        side.sessions["gone"] = side.gone
    come_back(t, "ctl")
    t.connect("b", session="gone")


@case(profile="restarted")
def restart_and_session_that_does_not_come_back(t):
    """Its time starts anew with the server; then it and its ephemerals go."""
    t.connect("a", timeout=SHORT_MS)
    t.call("a", p.create(f"{t.root}/e", flags=p.EPHEMERAL))
    t.restart()
    come_back(t, "ctl")
    t.call("ctl", p.exists(f"{t.root}/e", True))
    t.await_event("ctl")
    t.call("ctl", p.exists(f"{t.root}/e"))
    t.connect("a", session="a")


@case(profile="restarted")
def restart_keeps_quotas(t):
    at = f"/zookeeper/quota{t.root}"
    t.call("ctl", p.create(at), p.create(f"{at}/zookeeper_limits", b"count=3,bytes=30"),
           p.create(f"{at}/zookeeper_stats", b"count=0,bytes=0"), p.create(f"{t.root}/x", b"12345"))
    t.restart()
    come_back(t, "ctl")
    t.call("ctl", p.get_data(f"{at}/zookeeper_stats"), p.create(f"{t.root}/y", b"1"),
           p.delete(f"{t.root}/x"), p.get_data(f"{at}/zookeeper_stats"))


def uncountable_usage(t) -> list[str]:
    """Makes quotas whose usage is the sum of the changes so far, but not what a count of the znodes
    comes to; the paths that they are of."""
    r = t.root
    paths = [f"{r}/{name}" for name in ("outer", "outer/inner", "bare", "written", "early")]
    for path in paths:
        t.call("ctl", p.create(path, b"12345"))
    for path in paths[:4]:
        set_quota(t, path, b"count=-1,bytes=-1")
    # A change counts for the nearest quota.
    t.call("ctl", p.create(f"{r}/outer/inner/x", b"123"), p.set_data(f"{r}/outer/inner", b"1"),
           p.create(f"{r}/outer/y", b"12"))
    # Nothing counts as long as there are no limits.
    limits = f"{quota_node(f'{r}/bare')}/zookeeper_limits"
    t.call("ctl", p.delete(limits), p.create(f"{r}/bare/x", b"123"),
           p.create(limits, b"count=-1,bytes=-1"))
    early = quota_node(f"{r}/early")
    t.call("ctl", p.create(early), p.create(f"{early}/zookeeper_stats"),
           p.create(f"{r}/early/x", b"123"),
           p.create(f"{early}/zookeeper_limits", b"count=-1,bytes=-1"))
    t.call("ctl", p.set_data(f"{quota_node(f'{r}/written')}/zookeeper_stats",
                             b"count=70,bytes=700"))
    return paths


def change_usage(t, paths: list[str]):
    """Changes something below all these quotas, and looks at what they state."""
    for path in paths:
        stats(t, path)
        t.call("ctl", p.create(f"{path}/new-", b"1234", p.SEQUENTIAL), p.set_data(path, b"1"))
        stats(t, path)


def _keeps_usage(kill: bool):
    def run(t):
        """ZooKeeper starts from a snapshot from before the quotas, and goes through the log."""
        paths = uncountable_usage(t)
        change_usage(t, paths)
        t.restart(kill)
        come_back(t, "ctl")
        change_usage(t, paths)
    run.__name__ = "restart_keeps_the_usage_of_quotas" + ("_though_killed" if kill else "")
    case(run, profile="restarted")


_keeps_usage(False)
_keeps_usage(True)


@case(profile="restarted")
def restart_twice_and_the_usage_of_quotas(t):
    """ZooKeeper has written a snapshot when it started, and counts when it starts from that."""
    paths = uncountable_usage(t)
    for _ in range(2):
        t.restart()
        come_back(t, "ctl")
        change_usage(t, paths)


@case(profile="restarted")
def restart_keeps_many(t):
    t.connect("a")
    t.call("a", p.multi(*[p.create(f"{t.root}/{n:04}", b"x" * 50) for n in range(1000)]))
    t.call("a", *[p.create(f"{t.root}/e{n}", flags=p.EPHEMERAL) for n in range(100)])
    t.restart(kill=True)
    come_back(t, "ctl", "a")
    t.call("ctl", p.get_children2(t.root), p.get_all_children_number(t.root))
    t.close("a")
    t.call("ctl", p.get_children2(t.root))


@case(profile="restarted")
def restart_and_sessions_timeouts(t):
    t.connect("short", timeout=SHORT_MS)
    t.connect("long", timeout=9000)
    t.restart()
    come_back(t, "ctl", "short", "long")
    for _ in range(4):
        time.sleep(SHORT_MS / 2000)
        t.fence()
    t.call("short", p.exists(t.root))
