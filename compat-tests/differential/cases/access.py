"""Permissions and authentication: who may do what, and how refusals look."""

from differential import protocol as p
from differential.cases import case
from harness.profiles import SUPER, digest_id


def attempts(path: str) -> list[p.Request]:
    """One request of every kind that a permission may forbid; most versions are wrong."""
    return [
        p.exists(path), p.get_data(path), p.get_children(path), p.get_children2(path),
        p.get_acl(path), p.get_all_children_number(path), p.set_data(path, b"new"),
        p.set_acl(path, p.OPEN, 99), p.create(f"{path}/new"), p.delete(f"{path}/new"),
        p.create(f"{path}/s-", flags=p.SEQUENTIAL), p.delete(f"{path}/none"),
        p.multi(p.check(path)), p.multi(p.set_data(path, b"multi")),
        p.multi(p.create(f"{path}/m"), p.delete(f"{path}/m")),
        p.multi_read(p.get_data(path), p.get_children(path)), p.sync(path),
        p.get_ephemerals(path), p.add_watch(path), p.delete(path, 99),
    ]


def _permission(perms: int):
    def run(t):
        path = f"{t.root}/p"
        t.call("ctl", p.create(path, b"d", acl=[(perms, "world", "anyone")]))
        for request in attempts(path):
            t.call("ctl", request)
    run.__name__ = f"access_with_permissions_{perms}"
    case(run)


for _perms in [0, p.READ, p.WRITE, p.CREATE_PERM, p.DELETE_PERM, p.ADMIN, p.ALL, 32, -1]:
    _permission(_perms)


def _scheme(name: str, acl, *auths):
    def run(t):
        path = f"{t.root}/p"
        t.call("ctl", p.create(path, b"d", acl=acl))
        t.connect("a")
        for request in auths:
            t.call("a", request)
        t.call("a", p.who_am_i())
        for request in attempts(path):
            t.call("a", request)
    run.__name__ = f"access_by_{name}"
    case(run)


_USER = digest_id("u:p")
_scheme("digest_right", [(31, "digest", _USER)], p.auth("digest", b"u:p"))
_scheme("digest_wrong_password", [(31, "digest", _USER)], p.auth("digest", b"u:q"))
_scheme("digest_nobody", [(31, "digest", _USER)])
_scheme("digest_second_of_two", [(31, "digest", _USER)], p.auth("digest", b"v:q"),
        p.auth("digest", b"u:p"))
_scheme("digest_part_of_permissions", [(p.READ, "digest", _USER), (p.WRITE, "world", "anyone")],
        p.auth("digest", b"u:p"))
_scheme("ip_exact", [(31, "ip", "127.0.0.1")])
_scheme("ip_other", [(31, "ip", "10.0.0.1")])
_scheme("ip_network", [(31, "ip", "127.0.0.0/8")])
_scheme("ip_network_other", [(31, "ip", "10.0.0.0/8")])
_scheme("ip_bits_zero", [(31, "ip", "10.0.0.1/0")])
_scheme("ip_six", [(31, "ip", "::1")])
_scheme("super_user", [(0, "world", "anyone")], p.auth("digest", SUPER.encode()))
_scheme("super_user_wrong_password", [(0, "world", "anyone")], p.auth("digest", b"super:wrong"))


@case
def access_of_super_user_to_system_nodes(t):
    t.connect("a")
    t.call("a", p.auth("digest", SUPER.encode()))
    t.call("a", p.get_data("/zookeeper/config"), p.set_data("/zookeeper/config", b"written"),
           p.get_data("/zookeeper/config"), p.set_data("/zookeeper/config", b""),
           p.delete("/zookeeper/config"), p.get_acl("/zookeeper/config"),
           p.create(f"/zookeeper/config/{t.root[1:]}"),
           p.delete(f"/zookeeper/config/{t.root[1:]}"))
    t.call("a", p.reconfig("server.1=a:1:2;3"))


@case
def access_through_auth_acl_on_set(t):
    t.connect("a")
    t.call("a", p.auth("digest", b"u:p"), p.create(f"{t.root}/x"),
           p.set_acl(f"{t.root}/x", p.CREATOR), p.get_acl(f"{t.root}/x"))
    t.call("ctl", p.get_data(f"{t.root}/x"), p.get_acl(f"{t.root}/x"), p.delete(f"{t.root}/x"))


@case
def access_is_per_connection(t):
    t.connect("a")
    t.call("a", p.auth("digest", b"u:p"), p.create(f"{t.root}/x", b"d", acl=p.CREATOR))
    t.reconnect("a")
    t.call("a", p.get_data(f"{t.root}/x"))
    t.call("a", p.auth("digest", b"u:p"), p.get_data(f"{t.root}/x"))


@case
def access_is_not_inherited(t):
    t.call("ctl", p.create(f"{t.root}/p", acl=[(p.CREATE_PERM, "world", "anyone")]),
           p.create(f"{t.root}/p/x", b"d"), p.get_data(f"{t.root}/p/x"),
           p.get_data(f"{t.root}/p"), p.get_children(f"{t.root}/p"),
           p.create(f"{t.root}/p/x/y"), p.delete(f"{t.root}/p/x"), p.delete(f"{t.root}/p"))


@case
def access_of_own_ephemerals_at_close(t):
    """A session's ephemerals go when it closes, whatever their and their parent's permissions."""
    t.connect("a")
    t.call("ctl", p.create(f"{t.root}/p"))
    t.call("a", p.create(f"{t.root}/p/e", flags=p.EPHEMERAL, acl=[(0, "world", "anyone")]))
    t.call("ctl", p.set_acl(f"{t.root}/p", p.READ_ONLY))
    t.call("a", p.delete(f"{t.root}/p/e"))
    t.close("a")
    t.call("ctl", p.get_children2(f"{t.root}/p"))


@case
def access_pipelined_after_set_acl(t):
    """ZooKeeper judges requests by the ACL from before a setACL that is still on its way."""
    t.connect("a")
    x = f"{t.root}/x"
    t.call("a", p.create(x, b"d"), p.set_acl(x, [(p.READ | p.ADMIN, "world", "anyone")]),
           p.set_data(x, b"e"), p.get_data(x), p.create(f"{x}/y"),
           p.set_acl(x, [(p.WRITE, "world", "anyone")]), p.get_data(x), p.set_data(x, b"f"),
           p.set_acl(x, p.OPEN), p.get_acl(x))


def _auth_ends(name: str, request: p.Request):
    def run(t):
        """Authentication that fails ends the connection; the session and its ephemerals stay."""
        t.connect("a")
        t.call("a", p.create(f"{t.root}/e", flags=p.EPHEMERAL))
        t.call_and_end("a", request)
        t.call("ctl", p.exists(f"{t.root}/e"))
        t.reconnect("a")
        t.call("a", p.exists(f"{t.root}/e"), p.who_am_i())
    run.__name__ = f"auth_fails_{name}"
    case(run)


_auth_ends("unknown_scheme", p.auth("nosuch", b"u:p"))
_auth_ends("empty_scheme", p.auth("", b"u:p"))
_auth_ends("null_scheme", p.auth(None, b"u:p"))
_auth_ends("world_scheme", p.auth("world", b"anyone"))
_auth_ends("auth_scheme", p.auth("auth", b""))
_auth_ends("super_scheme", p.auth("super", b""))
_auth_ends("sasl_scheme", p.auth("sasl", b"x"))
_auth_ends("x509_scheme", p.auth("x509", b"x"))
_auth_ends("upper_case_scheme", p.auth("DIGEST", b"u:p"))
_auth_ends("null_data", p.auth("digest", None))


def _auth_passes(name: str, request: p.Request):
    def run(t):
        t.connect("a")
        t.call("a", request, p.who_am_i())
        t.call("a", p.create(f"{t.root}/x", acl=p.CREATOR), p.get_acl(f"{t.root}/x"))
    run.__name__ = f"auth_passes_{name}"
    case(run)


_auth_passes("empty_data", p.auth("digest", b""))
_auth_passes("no_colon", p.auth("digest", b"user"))
_auth_passes("only_colon", p.auth("digest", b":"))
_auth_passes("colon_first", p.auth("digest", b":password"))
_auth_passes("colon_last", p.auth("digest", b"user:"))
_auth_passes("two_colons", p.auth("digest", b"user:pass:word"))
_auth_passes("unicode", p.auth("digest", "üser:pässwörd".encode()))
_auth_passes("not_utf8", p.auth("digest", b"\xff\xfe:x"))
_auth_passes("ip_scheme", p.auth("ip", b"1.2.3.4"))
_auth_passes("kind_not_zero", p.auth("digest", b"u:p", kind=7))


@case
def auth_reply_among_pipelined_requests(t):
    """Auth is handled when it is read, so requests behind it have its permissions."""
    t.connect("a")
    x = f"{t.root}/x"
    t.call("a", p.auth("digest", b"u:p"), p.create(x, b"d", acl=p.CREATOR), p.get_data(x),
           p.who_am_i())


@case
def auth_many_identities(t):
    t.connect("a")
    t.call("a", *[p.auth("digest", f"user{at}:p".encode()) for at in range(20)])
    t.call("a", p.who_am_i(), p.create(f"{t.root}/x", acl=p.CREATOR), p.get_acl(f"{t.root}/x"))


@case(profile="guarded")
def auth_enforced_for_every_request(t):
    for at, request in enumerate([
        p.exists(t.root), p.create(f"{t.root}/x"), p.ping(), p.who_am_i(), p.close_session(),
        p.multi(), p.sync("/"), p.set_watches(0), p.raw(99),
    ]):
        t.connect(f"c{at}", pingable=False)
        t.call_and_end(f"c{at}", request)
    t.call("ctl", p.exists(f"{t.root}/x"))


@case(profile="guarded")
def auth_enforced_and_given(t):
    t.connect("a", pingable=False)
    t.call("a", p.auth("ip", b"x"))
    t.call_and_end("a", p.exists(t.root))
    t.connect("b", pingable=False)
    t.authenticate("b")
    t.call("b", p.create(f"{t.root}/x"), p.exists(f"{t.root}/x"), p.who_am_i())
    t.close("b")


@case(profile="guarded")
def auth_enforced_and_wrong(t):
    t.connect("a", pingable=False)
    t.call_and_end("a", p.auth("nosuch", b"x"))
    t.connect("b", pingable=False)
    t.call_and_end("b", p.sasl(b"x"), p.exists(t.root))


@case(profile="open")
def access_not_checked_at_all(t):
    path = f"{t.root}/p"
    t.call("ctl", p.create(path, b"d", acl=[(0, "world", "anyone")]))
    for request in attempts(path):
        t.call("ctl", request)
    t.call("ctl", p.create(f"{t.root}/x", acl=[]), p.create(f"{t.root}/x", acl=[(31, "no", "x")]))
    t.call("ctl", p.create(f"{t.root}/d", acl=[(31, "digest", _USER)]), p.get_acl(f"{t.root}/d"))
    t.call("ctl", p.set_data("/zookeeper/config", b"x"), p.set_data("/zookeeper/config", b""))
    t.call("ctl", p.create(f"{t.root}/a", acl=p.CREATOR))
    t.connect("a")
    t.call("a", p.add_watch(path, p.RECURSIVE))
    t.call("ctl", p.set_data(path, b"watched"))
