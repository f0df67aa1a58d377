"""Quotas: what their znodes hold, soft and hard limits, and which quota governs a path."""

from differential import protocol as p
from differential.cases import case


def quota_node(path: str) -> str:
    """Where the quota of a path is kept."""
    return f"/zookeeper/quota{path}"


def set_quota(t, path: str, limits: bytes):
    """Makes the znodes that zkCli's setquota makes."""
    at = "/zookeeper/quota"
    for part in path[1:].split("/"):
        at += f"/{part}"
        t.call("ctl", p.create(at))
    t.call("ctl", p.create(f"{at}/zookeeper_limits", limits))
    t.call("ctl", p.create(f"{at}/zookeeper_stats", b"count=0,bytes=0"))


def stats(t, path: str):
    """What the server counts."""
    t.call("ctl", p.get_data(f"{quota_node(path)}/zookeeper_stats"),
           p.get_data(f"{quota_node(path)}/zookeeper_limits"))


@case
def quota_stats_follow_changes(t):
    t.call("ctl", p.set_data(t.root, b"12345"), p.create(f"{t.root}/old", b"123"))
    set_quota(t, t.root, b"count=5,bytes=50")
    stats(t, t.root)
    t.call("ctl", p.create(f"{t.root}/x", b"12"), p.create(f"{t.root}/x/y", None))
    stats(t, t.root)
    t.call("ctl", p.set_data(f"{t.root}/x", b"1234567"), p.set_data(f"{t.root}/x/y", b"1"))
    stats(t, t.root)
    t.call("ctl", p.set_data(f"{t.root}/x", None), p.delete(f"{t.root}/x/y"))
    stats(t, t.root)
    t.call("ctl", p.delete(f"{t.root}/x"), p.delete(f"{t.root}/old"))
    stats(t, t.root)


@case
def quota_soft_limits_do_not_refuse(t):
    set_quota(t, t.root, b"count=1,bytes=1")
    t.call("ctl", p.create(f"{t.root}/x", b"12345"), p.create(f"{t.root}/y", b"12345"),
           p.set_data(f"{t.root}/x", b"1234567890"))
    stats(t, t.root)


@case
def quota_hard_limits_not_enforced_by_default(t):
    set_quota(t, t.root, b"count=-1,bytes=-1=;byteHardLimit=1;countHardLimit=1")
    t.call("ctl", p.create(f"{t.root}/x", b"12345"), p.set_data(t.root, b"12345"))
    stats(t, t.root)


def _hard(name: str, limits: bytes):
    def run(t):
        """Grows and shrinks around the limits."""
        t.call("ctl", p.set_data(t.root, b"1234"))
        set_quota(t, t.root, limits)
        for at in range(4):
            t.call("ctl", p.create(f"{t.root}/{at}", b"12"))
            stats(t, t.root)
        for data in [b"123", b"1234567", b"", None, b"x" * 50, b"1", b"12345678901"]:
            t.each("ctl", p.set_data(f"{t.root}/0", data), p.set_data(t.root, data))
            stats(t, t.root)
        t.each("ctl", p.set_data(t.root, b"1234", 99), p.create(f"{t.root}/s-", flags=2))
        t.call("ctl", p.multi(p.create(f"{t.root}/m", b"123456789"), p.delete(f"{t.root}/m")))
        stats(t, t.root)
        t.each("ctl", p.delete(f"{t.root}/1"), p.create(f"{t.root}/again", b""))
        stats(t, t.root)
        # Limits that were lowered below what is there.
        t.call("ctl", p.set_data(f"{quota_node(t.root)}/zookeeper_limits",
                                 b"count=-1,bytes=-1=;byteHardLimit=2;countHardLimit=1"))
        t.each("ctl", p.set_data(t.root, b"1"), p.set_data(t.root, b""), p.set_data(t.root, b"12"),
               p.create(f"{t.root}/more"), p.set_data(f"{t.root}/0", b""))
        stats(t, t.root)
    run.__name__ = f"quota_hard_{name}"
    case(run, profile="strict")


_hard("count", b"count=-1,bytes=-1=;countHardLimit=4")
_hard("bytes", b"count=-1,bytes=-1=;byteHardLimit=10")
_hard("both", b"count=-1,bytes=-1=;byteHardLimit=14;countHardLimit=5")
_hard("none_but_soft", b"count=2,bytes=3")


@case(profile="strict")
def quota_of_the_nearest_ancestor(t):
    r = t.root
    for path in ["/a", "/a/b", "/ab"]:
        t.call("ctl", p.create(r + path))
    set_quota(t, f"{r}/a", b"count=-1,bytes=-1=;countHardLimit=3")
    t.call("ctl", p.create(f"{quota_node(r)}/a/b"),
           p.create(f"{quota_node(r)}/a/b/zookeeper_limits",
                    b"count=-1,bytes=-1=;countHardLimit=9"),
           p.create(f"{quota_node(r)}/a/b/zookeeper_stats", b""))
    for at in range(4):
        t.each("ctl", p.create(f"{r}/a/b/{at}"), p.create(f"{r}/a/{at}"), p.create(f"{r}/ab/{at}"))
        stats(t, f"{r}/a")
        stats(t, f"{r}/a/b")


@case(profile="strict")
def quota_limits_removed_and_changed(t):
    set_quota(t, t.root, b"count=-1,bytes=-1=;countHardLimit=1")
    t.call("ctl", p.create(f"{t.root}/x"))
    t.each("ctl", p.delete(f"{quota_node(t.root)}/zookeeper_limits"), p.create(f"{t.root}/x"))
    t.call("ctl", p.get_data(f"{quota_node(t.root)}/zookeeper_stats"))
    t.call("ctl", p.create(f"{quota_node(t.root)}/zookeeper_limits", b"count=1,bytes=-1"))
    t.call("ctl", p.create(f"{t.root}/y"))
    stats(t, t.root)
    t.each("ctl", p.delete(f"{quota_node(t.root)}/zookeeper_stats"), p.create(f"{t.root}/z"))
    t.call("ctl", p.create(f"{quota_node(t.root)}/zookeeper_stats", b"rubbish"))
    stats(t, t.root)


@case(profile="strict")
def quota_of_a_path_that_does_not_exist(t):
    set_quota(t, f"{t.root}/later", b"count=-1,bytes=-1=;countHardLimit=2")
    t.each("ctl", p.create(f"{t.root}/later"), p.create(f"{t.root}/later/x"),
           p.create(f"{t.root}/later/y"))
    stats(t, f"{t.root}/later")


@case(profile="strict")
def quota_and_ephemerals(t):
    set_quota(t, t.root, b"count=-1,bytes=-1=;countHardLimit=3")
    t.connect("a")
    t.each("a", p.create(f"{t.root}/e1", b"12", p.EPHEMERAL), p.create(f"{t.root}/e2", b"3", 1),
           p.create(f"{t.root}/e3", b"4", p.EPHEMERAL))
    stats(t, t.root)
    t.close("a")
    stats(t, t.root)
    t.call("ctl", p.create(f"{t.root}/x"))


@case(profile="strict")
def quota_within_a_multi(t):
    """ZooKeeper counts what is applied, so a multi's own operations before are not counted."""
    set_quota(t, t.root, b"count=-1,bytes=-1=;countHardLimit=3")
    t.call("ctl", p.multi(p.create(f"{t.root}/a"), p.create(f"{t.root}/b"),
                          p.create(f"{t.root}/c"), p.create(f"{t.root}/d")))
    stats(t, t.root)


@case
def quota_texts_that_are_odd(t):
    r = t.root
    for at, text in enumerate([b"", b"rubbish", b"count=1", b"bytes=2,count=1", b"count=x,bytes=y",
                               b"count=1,bytes=2,", b"count=1;bytes=2", b"=,=",
                               b"count=-1,bytes=-1=;byteHardLimit=5;countHardLimit=6;other=7"]):
        t.call("ctl", p.create(f"{r}/{at}", b"12345"))
        t.call("ctl", p.create(quota_node(r)), p.create(quota_node(f"{r}/{at}")))
        t.call("ctl", p.create(f"{quota_node(r)}/{at}/zookeeper_limits", text))
        t.call("ctl", p.create(f"{quota_node(r)}/{at}/zookeeper_stats", text))
        t.call("ctl", p.create(f"{r}/{at}/x", b"1"), p.set_data(f"{r}/{at}", b"123"))
        stats(t, f"{r}/{at}")


@case
def quota_stats_node_written_by_a_client(t):
    set_quota(t, t.root, b"count=5,bytes=50")
    t.connect("a")
    node = f"{quota_node(t.root)}/zookeeper_stats"
    t.call("a", p.get_data(node, True), p.add_watch(node))
    t.call("ctl", p.set_data(node, b"count=100,bytes=1000"), p.get_data(node))
    t.call("ctl", p.create(f"{t.root}/x", b"12"), p.get_data(node), p.exists(node))
    t.call("ctl", p.create(f"{t.root}/y", b"12"), p.delete(node), p.create(f"{t.root}/z"))


@case
def quota_nodes_that_are_not_quotas(t):
    r = t.root
    t.call("ctl", p.create(quota_node(r)), p.create(f"{quota_node(r)}/other", b"x"),
           p.create(f"{r}/zookeeper_limits", b"count=1,bytes=1"), p.create(f"{r}/zookeeper_stats"))
    t.call("ctl", p.create(f"{r}/x", b"12345"), p.get_data(f"{r}/zookeeper_stats"),
           p.get_data(f"{quota_node(r)}/other"))
