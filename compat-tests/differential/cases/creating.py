"""create in all its forms: what is refused first, names, sequences, kinds of znodes and Stats."""

from differential import protocol as p
from differential.cases import case
from differential.jute import buffer, int32, ustring
from harness.profiles import digest_id


def look(t, *paths):
    """The Stats of some znodes."""
    t.call("ctl", *[p.exists(path) for path in paths])


def _flags(op: int, profile: str):
    def run(t):
        t.connect("a")
        for flags in [0, 1, 2, 3, 4, 5, 6, 7, 8, 100, -1, 2**31 - 1]:
            path = f"{t.root}/f{flags}"
            t.call("a", p.create(path, b"d", flags, op=op))
            t.call("a", p.multi(p.create(path + "m", b"d", flags, op=op)))
            look(t, t.root, path, path + "m")
        t.call("a", p.get_ephemerals("/"), p.get_children2(t.root))
        t.close("a")
        t.call("ctl", p.get_children2(t.root))
    run.__name__ = f"flags_of_op_{op}" + ("" if profile == "main" else f"_{profile}")
    case(run, profile=profile)


for _op in [p.CREATE, p.CREATE2, p.CREATE_CONTAINER]:
    for _profile in ["main", "defaults"]:
        _flags(_op, _profile)


def _ttl(profile: str):
    def run(t):
        t.connect("a")
        for flags in [0, 1, 2, 3, 4, 7, -1]:
            for ttl in [0, 1, 1000]:
                t.call("a", p.create_ttl(f"{t.root}/f{flags}", ttl, b"d", flags))
                t.call("a", p.multi(p.create_ttl(f"{t.root}/m{flags}", ttl, b"d", flags)))
        for flags in [5, 6]:
            for at, ttl in enumerate([0, -1, 1, -1000, 2**40 - 1, 2**40, 2**63 - 1, -(2**63)]):
                t.call("a", p.create_ttl(f"{t.root}/t{flags}-{at}", ttl, b"d", flags))
                t.call("a", p.multi(p.create_ttl(f"{t.root}/n{flags}-{at}", ttl, b"d", flags)))
        t.call("a", p.get_children2(t.root))
    run.__name__ = f"flags_and_ttls_of_create_ttl_{profile}"
    case(run, profile=profile)


for _profile in ["main", "defaults"]:
    _ttl(_profile)


@case
def flags_checked_before_everything(t):
    t.call("ctl", p.create("none", flags=9, acl=None))
    t.call("ctl", p.create(f"{t.root}/no/parent", flags=9))
    t.call("ctl", p.create_ttl("none", 0, acl=None))
    t.call("ctl", p.create_ttl(None, 0, acl=None))


@case
def acl_checked_before_parent(t):
    t.call("ctl", p.create(f"{t.root}/no/parent", acl=None))
    t.call("ctl", p.create(f"{t.root}/no/parent", acl=[]))
    t.call("ctl", p.create(f"{t.root}/no/parent", acl=[(31, "x", "y")]))
    t.call("ctl", p.create(f"{t.root}/no/parent"))
    t.call("ctl", p.create("relative", acl=None))


@case
def permission_checked_before_existence(t):
    t.call("ctl", p.create(f"{t.root}/p", acl=[(31 - p.CREATE_PERM, "world", "anyone")]))
    t.call("ctl", p.create(f"{t.root}/p/x"))
    t.call("ctl", p.create(f"{t.root}/p/x\0"), p.create(f"{t.root}/p/.."))
    t.call("ctl", p.create(f"{t.root}/p/x", acl=[]))


@case
def existence_checked_before_ephemeral_parent(t):
    t.connect("a")
    t.call("a", p.create(f"{t.root}/e", flags=p.EPHEMERAL))
    t.call("a", p.create(f"{t.root}/e/child"))
    t.call("a", p.create(f"{t.root}/e/child", flags=p.SEQUENTIAL))
    t.call("a", p.create(f"{t.root}/e/"), p.create(f"{t.root}/e"))
    t.call("ctl", p.create(f"{t.root}/e/child", flags=p.EPHEMERAL))
    look(t, t.root, f"{t.root}/e")


@case
def existing_node_again(t):
    t.call("ctl", p.create(f"{t.root}/x", b"1"), p.create(f"{t.root}/x", b"2"))
    t.call("ctl", p.create2(f"{t.root}/x"), p.create(f"{t.root}/x", flags=p.EPHEMERAL))
    t.call("ctl", p.create_container(f"{t.root}/x"), p.create_ttl(f"{t.root}/x", 1000))
    t.call("ctl", p.get_data(f"{t.root}/x"))
    look(t, t.root)


@case
def existing_root_and_system_nodes(t):
    for path in ["/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"]:
        t.call("ctl", p.create(path), p.create2(path), p.create(path, flags=p.EPHEMERAL))


@case
def children_of_system_nodes(t):
    t.connect("a")
    for parent in ["/zookeeper", "/zookeeper/config", "/zookeeper/quota"]:
        t.call("a", p.create(f"{parent}/{t.root[1:]}", b"d"))
        t.call("a", p.create(f"{parent}/{t.root[1:]}/deep", b"d"))
        t.call("a", p.get_children(f"{parent}/{t.root[1:]}"))
        t.call("a", p.set_data(f"{parent}/{t.root[1:]}", b"e"))
        t.call("a", p.delete(f"{parent}/{t.root[1:]}/deep"))
        t.call("a", p.delete(f"{parent}/{t.root[1:]}"))


@case
def stat_of_new_node_and_parent(t):
    t.call("ctl", p.create2(f"{t.root}/x", b"12345"))
    look(t, t.root, f"{t.root}/x")
    t.call("ctl", p.create2(f"{t.root}/x/y", None))
    look(t, t.root, f"{t.root}/x", f"{t.root}/x/y")


@case
def visible_cversion_counts_deletes(t):
    for at in range(5):
        t.call("ctl", p.create(f"{t.root}/{at}"))
        look(t, t.root)
    for at in range(3):
        t.call("ctl", p.delete(f"{t.root}/{at}"))
        look(t, t.root)
    t.call("ctl", p.create(f"{t.root}/s", flags=p.SEQUENTIAL))
    look(t, t.root)


@case
def sequence_counts_creates_only(t):
    t.call("ctl", p.create(f"{t.root}/s-", flags=p.SEQUENTIAL))
    t.call("ctl", p.create(f"{t.root}/plain"), p.create(f"{t.root}/s-", flags=p.SEQUENTIAL))
    t.call("ctl", p.delete(f"{t.root}/plain"), p.create(f"{t.root}/t-", flags=p.SEQUENTIAL))
    t.call("ctl", p.create(f"{t.root}/plain"), p.create(f"{t.root}/plain"))
    t.call("ctl", p.create(f"{t.root}/s-", flags=p.EPHEMERAL_SEQUENTIAL))
    t.call("ctl", p.create_ttl(f"{t.root}/s-", 10000, flags=p.TTL_SEQUENTIAL))
    t.call("ctl", p.get_children2(t.root))


@case
def sequence_of_failed_creates(t):
    t.call("ctl", p.create(f"{t.root}/s-", flags=p.SEQUENTIAL, acl=[]))
    t.call("ctl", p.create(f"{t.root}/s\0-", flags=p.SEQUENTIAL))
    t.call("ctl", p.create(f"{t.root}/\U0001f993", flags=p.SEQUENTIAL))
    t.call("ctl", p.create(f"{t.root}/s-", flags=p.SEQUENTIAL))


@case
def sequence_number_taken(t):
    t.call("ctl", p.create(f"{t.root}/s-0000000001"))
    t.call("ctl", p.create(f"{t.root}/s-", flags=p.SEQUENTIAL))
    t.call("ctl", p.create(f"{t.root}/s-", flags=p.SEQUENTIAL))


@case
def sequence_with_empty_name(t):
    t.call("ctl", p.create(f"{t.root}/", flags=p.SEQUENTIAL))
    t.call("ctl", p.create2(f"{t.root}/", flags=p.EPHEMERAL_SEQUENTIAL))
    t.call("ctl", p.create(f"{t.root}", flags=p.SEQUENTIAL))
    t.call("ctl", p.create("/", flags=p.EPHEMERAL_SEQUENTIAL))
    t.call("ctl", p.create("", flags=p.SEQUENTIAL), p.create("x", flags=p.SEQUENTIAL))
    t.call("ctl", p.create(f"{t.root}/.", flags=p.SEQUENTIAL))
    t.call("ctl", p.create(f"{t.root}//", flags=p.SEQUENTIAL))


@case
def sequence_from_several_sessions(t):
    for name in "abc":
        t.connect(name)
    for _ in range(4):
        for name in "abc":
            t.call(name, p.create(f"{t.root}/{name}-", flags=p.EPHEMERAL_SEQUENTIAL))
    t.close("b")
    t.call("a", p.create(f"{t.root}/last-", flags=p.SEQUENTIAL), p.get_children2(t.root))


@case
def sequence_pipelined(t):
    t.connect("a")
    t.call("a", *[p.create(f"{t.root}/q-", str(n).encode(), p.SEQUENTIAL) for n in range(50)])
    t.call("a", p.get_children2(t.root))


@case
def container_and_its_children(t):
    t.call("ctl", p.create_container(f"{t.root}/c", b"d"))
    look(t, f"{t.root}/c")
    t.call("ctl", p.create(f"{t.root}/c/x"), p.create(f"{t.root}/c/y", flags=p.SEQUENTIAL))
    look(t, f"{t.root}/c")
    t.call("ctl", p.delete(f"{t.root}/c"), p.delete(f"{t.root}/c/x"))
    look(t, f"{t.root}/c")


@case
def container_with_sequence_and_ephemeral_flags(t):
    t.connect("a")
    for flags in [0, 1, 2, 3, 4]:
        t.call("a", p.create_container(f"{t.root}/c{flags}-", b"d", flags))
        t.call("a", p.multi(p.create_container(f"{t.root}/m{flags}-", b"d", flags)))
    t.call("a", p.get_children2(t.root), p.get_ephemerals("/"))
    t.call("a", p.create(f"{t.root}/c1-/child"), p.get_children2(f"{t.root}/c1-"))
    t.close("a")
    t.call("ctl", p.get_children2(t.root))


@case
def ttl_node_takes_children(t):
    t.call("ctl", p.create_ttl(f"{t.root}/t", 10**6, b"d"))
    t.call("ctl", p.create(f"{t.root}/t/x"), p.create(f"{t.root}/t/e", flags=p.EPHEMERAL))
    look(t, f"{t.root}/t")
    t.call("ctl", p.set_data(f"{t.root}/t", b"new"), p.delete(f"{t.root}/t/x"))
    look(t, f"{t.root}/t")


@case
def data_null_empty_large(t):
    t.call("ctl", p.create2(f"{t.root}/null", None), p.create2(f"{t.root}/empty", b""))
    t.call("ctl", p.create2(f"{t.root}/large", bytes(range(256)) * 4000))
    t.call("ctl", *[p.get_data(f"{t.root}/{name}") for name in ["null", "empty", "large"]])


@case
def names_allowed_and_refused(t):
    for name in ["with space", "ünïcödé", "日本語", "a:b", "a?b*c", "..a", "a..", "...", "-", "~",
                 "tab\t", "newline\n", "\x7f", "\x80", "\xa0", "\ud7ff", "\ue000", "\uf8ff",
                 "\uf900", "\uffef", "\ufff0", "\ufffd", "\uffff", "\U00010000", ".", ".."]:
        t.call("ctl", p.create(f"{t.root}/{name}".encode("utf-8", "surrogatepass")))
        t.call("ctl", p.exists(f"{t.root}/{name}".encode("utf-8", "surrogatepass")))
    t.call("ctl", p.get_children2(t.root))


@case
def names_long_and_deep(t):
    t.call("ctl", p.create(f"{t.root}/{'n' * 10000}"), p.get_children2(t.root))
    path = f"{t.root}/deep"
    for _ in range(100):
        t.call("ctl", p.create(path))
        path += "/d"
    t.call("ctl", p.get_all_children_number(t.root), p.exists(path), p.create(path + "/x/y"))


@case
def acl_forms(t):
    good = digest_id("u:p")
    for at, acl in enumerate([
        None, [], [(31, None, "anyone")], [(31, "world", None)], [(31, None, None)],
        [(31, "", "")], [(31, "world", "someone")], [(31, "world", "")], [(31, "World", "anyone")],
        [(0, "world", "anyone")], [(-1, "world", "anyone")], [(63, "world", "anyone")],
        [(2**31 - 1, "world", "anyone")], [(31, "nosuch", "x")], [(31, "super", "")],
        [(31, "sasl", "x")], [(31, "x509", "CN=x")], [(31, "key", "x")],
        [(31, "digest", "u")], [(31, "digest", "u:")], [(31, "digest", ":h")],
        [(31, "digest", ":")], [(31, "digest", "u:h:i")], [(31, "digest", "u::h")],
        [(31, "digest", "")], [(31, "digest", good)],
        [(31, "ip", "127.0.0.1")], [(31, "ip", "127.0.0.1/8")], [(31, "ip", "127.0.0.1/0")],
        [(31, "ip", "127.0.0.1/32")], [(31, "ip", "127.0.0.1/33")], [(31, "ip", "127.0.0.1/")],
        [(31, "ip", "127.0.0.1/-1")], [(31, "ip", "127.0.0.1/x")], [(31, "ip", "127.0.0.256")],
        [(31, "ip", "127.0.0")], [(31, "ip", "1.2.3.4.5")], [(31, "ip", "")], [(31, "ip", "/8")],
        [(31, "ip", "::1")], [(31, "ip", "::1/128")], [(31, "ip", "::1/129")],
        [(31, "ip", "2001:db8::/32")], [(31, "ip", "::ffff:127.0.0.1")], [(31, "ip", ":::1")],
        [(31, "ip", "localhost")], [(31, "ip", "127.0.0.1/8/8")], [(31, "ip", "1.2.3.4/08")],
        [(31, "ip", " 127.0.0.1")], [(31, "ip", "+1.2.3.4")], [(31, "ip", "01.2.3.4")],
        [(31, "auth", "")], [(31, "auth", "x")], [(31, "auth", None)],
        [(31, "world", "anyone"), (31, "world", "anyone")],
        [(1, "world", "anyone"), (2, "world", "anyone"), (1, "world", "anyone")],
        [(31, "world", "anyone"), (31, "nosuch", "x")],
        [(1, "digest", good), (31, "world", "anyone"), (1, "digest", good)],
    ]):
        path = f"{t.root}/{at}"
        t.call("ctl", p.create(path, acl=acl), p.get_acl(path))
        t.call("ctl", p.set_acl(t.root, acl), p.get_acl(t.root))
        t.call("ctl", p.set_acl(t.root, p.OPEN))


@case
def acl_auth_becomes_the_callers_ids(t):
    t.connect("a")
    t.call("a", p.create(f"{t.root}/none", acl=p.CREATOR))
    t.call("a", p.auth("digest", b"u:p"), p.create(f"{t.root}/one", acl=p.CREATOR))
    t.call("a", p.auth("digest", b"v:q"), p.auth("digest", b"u:p"))
    t.call("a", p.create(f"{t.root}/two", acl=[(p.READ | p.ADMIN, "auth", "ignored"),
                                               (31, "world", "anyone"), (31, "auth", "")]))
    t.call("a", p.get_acl(f"{t.root}/one"), p.get_acl(f"{t.root}/two"))
    t.call("ctl", p.get_acl(f"{t.root}/one"), p.get_acl(f"{t.root}/two"))


@case
def failed_creates_take_a_zxid(t):
    t.call("ctl", p.create(f"{t.root}/a/b"), p.exists(t.root), p.create(t.root),
           p.exists(t.root), p.create("x"), p.create(f"{t.root}/x", flags=55), p.exists(t.root))


@case
def pipelined_creates_see_each_other(t):
    t.connect("a")
    t.call("a", p.create(f"{t.root}/a"), p.create(f"{t.root}/a/b"), p.create(f"{t.root}/a/b/c"),
           p.delete(f"{t.root}/a"), p.delete(f"{t.root}/a/b/c"), p.delete(f"{t.root}/a/b"),
           p.create(f"{t.root}/a/b"), p.exists(f"{t.root}/a"), p.delete(f"{t.root}/a/b"),
           p.delete(f"{t.root}/a"), p.create(f"{t.root}/a/b"), p.create(f"{t.root}/a"),
           p.exists(f"{t.root}/a"))


@case
def ephemeral_of_a_session_with_its_own_deletes(t):
    t.connect("a")
    t.call("a", p.create(f"{t.root}/e", flags=p.EPHEMERAL), p.delete(f"{t.root}/e"),
           p.create(f"{t.root}/e"), p.create(f"{t.root}/f", flags=p.EPHEMERAL))
    t.close("a")
    t.call("ctl", p.get_children2(t.root))


@case
def create_record_with_unknown_tail(t):
    """What an old or a new client might send behind the flags is not looked at."""
    body = ustring(f"{t.root}/x") + buffer(b"") + p.acl_bytes(p.OPEN) + int32(0) + int32(77)
    t.call("ctl", p.raw(p.CREATE, body), p.raw(p.CREATE2, body))
