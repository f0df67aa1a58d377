"""Three servers: sessions that move, syncs, watches, identities and quotas across servers.

The third server leads. Sessions that nobody asks to move are where they were opened.
"""

import time

from differential import protocol as p
from differential.cases import case
from differential.cases.quotas import set_quota, stats
from differential.cases.restarting import change_usage, uncountable_usage
from differential.cases.watching import KINDS, WATCHES, everything
from harness.profiles import SUPER

SERVERS = (1, 2, 3)
PAIRS = [(one, other) for one in SERVERS for other in SERVERS if one != other]


def _moves(start: int, to: int):
    def run(t):
        """A session goes to another server while its old connection is open, which then ends as
        soon as it asks for a change; meanwhile it may read."""
        x = f"{t.root}/x"
        t.connect("a", at=start)
        t.call("a", p.create(x, b"1", p.EPHEMERAL), p.get_data(x, True))
        t.connect("b", session="a", at=to)
        t.call("b", p.create2(f"{t.root}/y", flags=p.EPHEMERAL), p.get_ephemerals("/"))
        t.call("a", p.exists(x), p.get_children(t.root))
        t.call_and_end("a", p.create(f"{t.root}/z"))
        t.call("b", p.exists(f"{t.root}/z"), p.set_data(x, b"2"))
        t.close("b")
        t.call("ctl", p.get_children2(t.root))
        t.connect("c", session="a", at=start)
    run.__name__ = f"ensemble_session_moves_from_{start}_to_{to}"
    case(run, servers=(3,))


def _moved_requests(name: str, request):
    def run(t):
        """What a connection whose session is elsewhere gets for it."""
        t.call("ctl", p.create(f"{t.root}/x"))
        for start, to in PAIRS:
            t.connect(f"a{start}{to}", at=start)
            t.connect(f"b{start}{to}", session=f"a{start}{to}", at=to)
            t.call_and_end(f"a{start}{to}", request(t.root))
            t.call(f"b{start}{to}", p.exists(f"{t.root}/x"))
    run.__name__ = f"ensemble_moved_session_asks_for_{name}"
    case(run, servers=(3,))


for _pair in PAIRS:
    _moves(*_pair)
_moved_requests("set_data", lambda root: p.set_data(f"{root}/x", b"1"))
_moved_requests("delete", lambda root: p.delete(f"{root}/x"))
_moved_requests("multi", lambda root: p.multi(p.create(f"{root}/m"), p.delete(f"{root}/m")))
_moved_requests("set_acl", lambda root: p.set_acl(f"{root}/x", p.OPEN))
_moved_requests("failing_multi", lambda root: p.multi(p.check(f"{root}/x", 9)))


@case(servers=(3,))
def ensemble_session_goes_round(t):
    """The same session at every server, one after the other, behind a dropped connection."""
    t.connect("a", at=1)
    t.call("a", p.create(f"{t.root}/e", flags=p.EPHEMERAL))
    for at in (2, 3, 1, 3, 2, 1):
        t.reconnect("a", at=at)
        t.call("a", p.create(f"{t.root}/n-", flags=p.EPHEMERAL_SEQUENTIAL), p.who_am_i(),
               p.get_ephemerals("/"), p.exists(f"{t.root}/e"))
    t.close("a")
    t.call("ctl", p.get_children2(t.root))


@case(servers=(3,))
def ensemble_session_moves_back_and_forth(t):
    """Both connections stay open; only the one that came last may change anything."""
    t.connect("a", at=1)
    t.connect("b", session="a", at=2)
    t.call("b", p.create(f"{t.root}/1"))
    t.connect("c", session="a", at=1)
    t.call("c", p.create(f"{t.root}/2"))
    t.call_and_end("b", p.create(f"{t.root}/3"))
    t.call("c", p.get_children2(t.root))


@case(servers=(3,))
def ensemble_move_with_a_wrong_password(t):
    """A stranger at another server does not touch the session or its connection."""
    for start, to in PAIRS:
        name = f"a{start}{to}"
        t.connect(name, at=start)
        t.connect(f"b{start}{to}", session=name, password=b"wrong password!!", at=to)
        t.call(name, p.create(f"{t.root}/{name}", flags=p.EPHEMERAL))


@case(servers=(3,))
def ensemble_move_of_a_closed_session(t):
    for start, to in PAIRS:
        t.connect("a", at=start)
        for side in t.sides:
            side.gone = side.sessions["a"]
        t.close("a")
        for side in t.sides:
            side.sessions["gone"] = side.gone
        t.connect("b", session="gone", at=to)


@case(servers=(3,))
def ensemble_move_with_a_zxid_ahead(t):
    """No server takes a client that has seen more than it has."""
    t.connect("a", at=1)
    for at in SERVERS:
        t.connect("b", session="a", seen=10**6, at=at)
    t.call("a", p.create(f"{t.root}/x"))


def _syncs(writer: int, reader: int):
    def run(t):
        """A change through one server is read at another behind a sync, with nothing between."""
        t.connect("w", at=writer)
        t.connect("r", at=reader)
        x = f"{t.root}/x"
        t.relay("w", [p.create(x, b"0")], "r", [p.get_data(x), p.get_children2(t.root)])
        for at in range(40):
            t.relay("w", [p.set_data(x, b"%d" % at)], "r", [p.get_data(x)])
        t.relay("w", [p.create(f"{x}/{at}") for at in range(50)], "r", [p.get_children2(x)])
        t.relay("w", [p.multi(*[p.delete(f"{x}/{at}") for at in range(50)]), p.delete(x)], "r",
                [p.exists(x), p.get_children2(t.root)])
        t.relay("w", [p.create(x), p.set_acl(x, p.READ_ONLY)], "r", [p.get_acl(x)])
    run.__name__ = f"ensemble_sync_at_{reader}_after_writes_at_{writer}"
    case(run, servers=(3,))


# Not at the leader: see `Lockstep.relay`.
for _writer in SERVERS:
    for _reader in (1, 2):
        _syncs(_writer, _reader)


@case(servers=(3,))
def ensemble_sync_of_paths_that_are_not_there(t):
    for at in SERVERS:
        t.connect(f"a{at}", at=at)
        t.each(f"a{at}", p.sync("/"), p.sync("/none"), p.sync(t.root))


def _watches(name: str):
    def run(t):
        """A watch at every server, of changes that go through every server."""
        base = f"{t.root}/node"
        for at in SERVERS:
            t.connect(f"w{at}", at=at)
            t.call(f"w{at}", WATCHES[name](base) if name != "data" else p.exists(base, True))
        everything(t, base)
        for at in SERVERS:
            t.connect(f"c{at}", at=at)
            t.call(f"c{at}", p.create(base, b"1"))
            for watcher in SERVERS:
                t.call(f"w{watcher}", WATCHES[name](base))
            t.call(f"c{at}", p.set_data(base, b"2"))
            t.call(f"c{at}", p.create(f"{base}/x"))
            t.call(f"c{at}", p.delete(f"{base}/x"))
            t.call(f"c{at}", p.delete(base))
        for watcher in SERVERS:
            t.call(f"w{watcher}", *[p.check_watches(base, kind) for kind in KINDS])
    run.__name__ = f"ensemble_watch_{name}_across_servers"
    case(run, servers=(3,))


for _name in WATCHES:
    _watches(_name)


@case(servers=(3,))
def ensemble_watch_comes_before_what_a_sync_shows(t):
    """The reader's server tells of the change before it answers behind the sync."""
    x = f"{t.root}/x"
    t.connect("r", at=2)
    t.call("ctl", p.create(x))
    for at in range(20):
        t.call("r", p.get_data(x, True), p.get_children(t.root, True))
        t.relay("ctl", [p.set_data(x, b"%d" % at), p.create(f"{t.root}/{at}")], "r",
                [p.get_data(x)])


def _replay(start: int, to: int):
    def run(t):
        """A session asks another server for its watches; what it missed comes at once."""
        r = t.root
        names = ["same", "changed", "deleted", "kid"]
        t.connect("a", at=start)
        for name in names:
            t.call("ctl", p.create(f"{r}/{name}"))
        seen = len(names) + 1
        t.drop("a")
        t.call("ctl", p.set_data(f"{r}/changed", b"1"), p.delete(f"{r}/deleted"),
               p.create(f"{r}/kid/x"), p.create(f"{r}/born"))
        t.connect("a", session="a", seen=seen, at=to)
        paths = [f"{r}/{name}" for name in [*names, "born", "none"]]
        t.call("a", p.set_watches2(seen, paths, paths, paths, paths, paths))
        t.call("a", *[p.check_watches(path, kind) for path in paths for kind in KINDS])
        for path in paths:
            t.call("ctl", p.create(path))
            t.call("ctl", p.set_data(path, b"2"))
            t.call("ctl", p.create(f"{path}/new"))
    run.__name__ = f"ensemble_watch_replay_at_{to}_of_those_at_{start}"
    case(run, servers=(3,))


for _pair in [(1, 2), (2, 3), (3, 1)]:
    _replay(*_pair)


@case(servers=(3,))
def ensemble_watch_stays_at_the_old_server(t):
    """Watches belong to connections: those of the old one still tell, the new one has none."""
    t.connect("a", at=1)
    t.call("a", p.get_data(t.root, True), p.add_watch(t.root, p.RECURSIVE))
    t.connect("b", session="a", at=2)
    t.call("b", p.check_watches(t.root, p.ANY))
    t.call("ctl", p.set_data(t.root, b"1"), p.create(f"{t.root}/x"))
    t.call("a", p.check_watches(t.root, p.ANY))
    t.call_and_end("a", p.set_data(t.root, b"2"))


@case(servers=(3,))
def ensemble_watch_on_ephemerals_of_a_session_elsewhere(t):
    for at in SERVERS:
        t.connect(f"w{at}", at=at)
    for at in SERVERS:
        t.connect("a", at=at)
        t.call("a", p.create(f"{t.root}/e", flags=p.EPHEMERAL))
        for watcher in SERVERS:
            t.call(f"w{watcher}", p.get_data(f"{t.root}/e", True), p.get_children(t.root, True))
        t.close("a")
        t.call("ctl", p.get_children2(t.root))


def _access(start: int, to: int):
    def run(t):
        """Identities are of connections: a session that moves has to say again who it is."""
        x = f"{t.root}/x"
        t.connect("a", at=start)
        t.call("a", p.auth("digest", b"u:p"), p.create(x, b"d", acl=p.CREATOR), p.who_am_i())
        t.connect("other", at=to)
        t.call("other", p.get_data(x), p.set_data(x, b"e"), p.delete(x), p.get_acl(x))
        t.connect("b", session="a", at=to)
        t.call("b", p.get_data(x), p.set_data(x, b"e"), p.who_am_i())
        t.call("b", p.auth("digest", b"u:p"), p.get_data(x), p.set_data(x, b"e"), p.who_am_i())
        t.call("other", p.auth("digest", b"u:wrong"), p.set_data(x, b"f"), p.who_am_i())
        t.call("other", p.auth("digest", b"u:p"), p.set_data(x, b"f"), p.who_am_i())
        t.call("other", p.set_acl(x, [(p.READ, "ip", "127.0.0.1"), (p.ADMIN, "auth", "")]))
        t.call("b", p.get_acl(x), p.get_data(x), p.set_data(x, b"g"))
        t.call_and_end("b", p.auth("nosuch", b"x"))
        t.connect("s", at=to)
        t.call("s", p.auth("digest", SUPER.encode()), p.set_data(x, b"h"), p.delete(x))
    run.__name__ = f"ensemble_access_at_{start}_and_{to}"
    case(run, servers=(3,))


for _pair in PAIRS:
    _access(*_pair)


def _quotas(name: str, profile: str, limits: bytes):
    def run(t):
        """Changes through every server count, and every server shows the same."""
        set_quota(t, t.root, limits)
        for at in SERVERS:
            t.connect(f"a{at}", at=at)
        for at in (*SERVERS, *SERVERS):
            node = f"{t.root}/{at}"
            t.each(f"a{at}", p.create(node, b"12", p.EPHEMERAL), p.set_data(node, b"1234567"),
                   p.create(f"{t.root}/s-", b"1", p.EPHEMERAL_SEQUENTIAL))
            for reader in SERVERS:
                t.call(f"a{reader}", p.get_data(f"/zookeeper/quota{t.root}/zookeeper_stats"))
        t.each("a2", p.set_data(f"/zookeeper/quota{t.root}/zookeeper_limits", b"count=3,bytes=9"))
        t.each("a1", p.create(f"{t.root}/more", b"x" * 40))
        t.connect("a1b", session="a1", at=2)
        t.each("a1b", p.create(f"{t.root}/moved", b"x", p.EPHEMERAL))
        stats(t, t.root)
        t.close("a1b")
        t.close("a3")
        stats(t, t.root)
        t.call("a2", p.delete(f"/zookeeper/quota{t.root}/zookeeper_limits"),
               p.create(f"{t.root}/after", b"x" * 40))
        stats(t, t.root)
    run.__name__ = f"ensemble_quota_{name}"
    case(run, profile=profile, servers=(3,))


_quotas("soft", "main", b"count=4,bytes=20")
_quotas("hard_but_not_enforced", "main", b"count=-1,bytes=-1=;byteHardLimit=20;countHardLimit=4")
_quotas("hard_count", "strict", b"count=-1,bytes=-1=;countHardLimit=5")
_quotas("hard_bytes", "strict", b"count=-1,bytes=-1=;byteHardLimit=20")


def _expires(start: int):
    def run(t):
        """A session that falls silent at one server goes, with its ephemerals, at all of them."""
        for at in SERVERS:
            t.connect(f"w{at}", at=at)
        t.connect("a", timeout=1500, at=start)
        t.call("a", p.create(f"{t.root}/e", flags=p.EPHEMERAL))
        for at in SERVERS:
            t.call(f"w{at}", p.exists(f"{t.root}/e", True))
        t.drop("a")
        for at in SERVERS:
            t.await_event(f"w{at}")
        for at in SERVERS:
            t.call(f"w{at}", p.exists(f"{t.root}/e"))
            t.connect("a", session="a", at=at)
    run.__name__ = f"ensemble_session_at_{start}_expires"
    case(run, profile="defaults", servers=(3,))


for _start in SERVERS:
    _expires(_start)


@case(profile="defaults", servers=(3,))
def ensemble_session_is_kept_by_pings_at_every_server(t):
    for at in SERVERS:
        t.connect(f"a{at}", timeout=1500, at=at)
        t.call(f"a{at}", p.create(f"{t.root}/{at}", flags=p.EPHEMERAL))
    for _ in range(10):
        time.sleep(0.3)
        t.fence()
    t.call("ctl", p.get_children2(t.root))


@case(profile="defaults", servers=(3,))
def ensemble_session_is_kept_by_moving(t):
    t.connect("a", timeout=2000, at=1)
    t.call("a", p.create(f"{t.root}/e", flags=p.EPHEMERAL))
    for at in (2, 3, 1, 2, 3):
        time.sleep(0.6)
        t.reconnect("a", timeout=2000, at=at)
    t.call("ctl", p.exists(f"{t.root}/e"))


def _restarts(kill: bool):
    def run(t):
        """All servers end and come back: sessions go on at servers that they were not at."""
        r = t.root
        for at in SERVERS:
            t.connect(f"a{at}", at=at)
            t.call(f"a{at}", p.create(f"{r}/{at}", b"d", p.EPHEMERAL), p.create(f"{r}/p{at}"),
                   p.create(f"{r}/s-", flags=p.SEQUENTIAL), p.set_data(f"{r}/p{at}", b"x"))
        t.restart(kill)
        t.connect("ctl", session="ctl")
        for at in SERVERS:
            t.connect(f"a{at}", session=f"a{at}", at=at % 3 + 1)
            t.call(f"a{at}", p.get_data(f"{r}/{at}"), p.get_ephemerals("/"),
                   p.create(f"{r}/s-", flags=p.SEQUENTIAL), p.get_children2(r))
        for at in SERVERS:
            t.close(f"a{at}")
        t.call("ctl", p.get_children2(r))
    run.__name__ = "ensemble_restarts" + ("_though_killed" if kill else "")
    case(run, profile="restarted", servers=(3,))


_restarts(False)
_restarts(True)


@case(profile="restarted", servers=(3,))
def ensemble_restarts_keep_the_usage_of_quotas(t):
    """All servers state the same, before and after."""
    paths = uncountable_usage(t)
    change_usage(t, paths)
    t.restart()
    for at in SERVERS:
        t.connect("ctl", session="ctl", at=at)
        change_usage(t, paths)
