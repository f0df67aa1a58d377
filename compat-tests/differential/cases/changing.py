"""delete, setData, setACL and getACL: versions, the order of errors, and what a Stat shows."""

from differential import protocol as p
from differential.cases import case
from harness.profiles import digest_id

SYSTEM = ["/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"]


@case
def delete_order_of_errors(t):
    t.call("ctl", p.create(f"{t.root}/x"), p.create(f"{t.root}/x/y"))
    t.call("ctl", p.delete(f"{t.root}/no/such"), p.delete(f"{t.root}/no"))
    t.call("ctl", p.delete(f"{t.root}/x", 7), p.delete(f"{t.root}/x", 0), p.delete(f"{t.root}/x"))
    t.call("ctl", p.delete(f"{t.root}/x/y", 1), p.delete(f"{t.root}/x/y", -2),
           p.delete(f"{t.root}/x/y", 0), p.delete(f"{t.root}/x/y", 0))
    t.call("ctl", p.exists(t.root), p.exists(f"{t.root}/x"))


@case
def delete_permission_before_existence(t):
    t.call("ctl", p.create(f"{t.root}/p", acl=[(31 - p.DELETE_PERM, "world", "anyone")]))
    t.call("ctl", p.create(f"{t.root}/p/x"), p.delete(f"{t.root}/p/x"),
           p.delete(f"{t.root}/p/none"), p.delete(f"{t.root}/p/x", 9))
    t.call("ctl", p.delete(f"{t.root}/p"))


@case
def delete_system_nodes(t):
    for path in SYSTEM:
        t.call("ctl", p.delete(path), p.delete(path, 99), p.multi(p.delete(path)))


@case
def delete_moves_pzxid_of_parent(t):
    t.call("ctl", p.create(f"{t.root}/x"), p.create(f"{t.root}/y"))
    t.call("ctl", p.set_data(t.root, b"1"), p.delete(f"{t.root}/x"), p.exists(t.root))
    t.call("ctl", p.delete(f"{t.root}/none"), p.exists(t.root))


@case
def delete_ephemeral_of_another_session(t):
    t.connect("a")
    t.connect("b")
    t.call("a", p.create(f"{t.root}/e", flags=p.EPHEMERAL))
    t.call("b", p.delete(f"{t.root}/e"), p.create(f"{t.root}/e", flags=p.EPHEMERAL))
    t.call("a", p.get_ephemerals("/"))
    t.close("a")
    t.call("b", p.exists(f"{t.root}/e"), p.get_ephemerals("/"))


@case
def set_data_versions(t):
    t.call("ctl", p.set_data(t.root, b"1", 0), p.set_data(t.root, b"2", 0),
           p.set_data(t.root, b"2", 1), p.set_data(t.root, b"3", -1), p.set_data(t.root, b"3", -2),
           p.set_data(t.root, b"3", 3), p.set_data(t.root, b"4", 2**31 - 1), p.get_data(t.root))


@case
def set_data_null_and_empty(t):
    t.call("ctl", p.set_data(t.root, None), p.get_data(t.root), p.set_data(t.root, b""),
           p.get_data(t.root), p.set_data(t.root, None), p.exists(t.root))


@case
def set_data_same_again_counts(t):
    t.call("ctl", *[p.set_data(t.root, b"same") for _ in range(5)])


@case
def set_data_system_nodes(t):
    for path in SYSTEM:
        t.call("ctl", p.set_data(path, b"data"), p.get_data(path), p.set_data(path, None))


@case
def set_data_keeps_children_part_of_stat(t):
    t.call("ctl", p.create(f"{t.root}/x"), p.set_data(t.root, b"1"), p.create(f"{t.root}/y"),
           p.set_acl(t.root, p.OPEN), p.exists(t.root))


@case
def set_data_missing_before_version(t):
    t.call("ctl", p.set_data(f"{t.root}/none", b"1", 5), p.set_data(f"{t.root}/none/x", b"1"))


@case
def set_data_permission_before_version(t):
    t.call("ctl", p.create(f"{t.root}/x", acl=p.READ_ONLY), p.set_data(f"{t.root}/x", b"1", 5),
           p.set_data(f"{t.root}/x", b"1"))


@case
def set_acl_versions(t):
    t.call("ctl", p.set_acl(t.root, p.OPEN, 0), p.set_acl(t.root, p.OPEN, 0),
           p.set_acl(t.root, p.OPEN, 1), p.set_acl(t.root, p.OPEN, -1),
           p.set_acl(t.root, p.OPEN, -2), p.set_acl(t.root, p.OPEN, 99), p.get_acl(t.root))


@case
def set_acl_order_of_errors(t):
    t.call("ctl", p.set_acl(f"{t.root}/none", None, 9), p.set_acl(f"{t.root}/none", p.OPEN, 9))
    t.call("ctl", p.create(f"{t.root}/x", acl=p.READ_ONLY), p.set_acl(f"{t.root}/x", p.OPEN, 9),
           p.set_acl(f"{t.root}/x", [], 9), p.set_acl(f"{t.root}/x", p.OPEN))


@case
def set_acl_changes_only_aversion(t):
    t.call("ctl", p.create(f"{t.root}/x", b"d"), p.set_data(f"{t.root}/x", b"e"))
    t.call("ctl", p.set_acl(f"{t.root}/x", [(31, "world", "anyone"), (1, "ip", "1.2.3.4")]))
    t.call("ctl", p.exists(f"{t.root}/x"), p.get_acl(f"{t.root}/x"), p.exists(t.root))


@case
def set_acl_system_nodes(t):
    for path in SYSTEM[1:]:
        t.call("ctl", p.get_acl(path), p.set_acl(path, [], 7), p.set_acl(path, p.OPEN, 77))


@case
def get_acl_masks_digests(t):
    secret = digest_id("u:p")
    t.call("ctl", p.create(f"{t.root}/x", acl=[(p.READ, "world", "anyone"),
                                               (31, "digest", secret), (31, "ip", "9.9.9.9")]))
    t.call("ctl", p.create(f"{t.root}/admin", acl=[(p.ADMIN, "world", "anyone"),
                                                   (31, "digest", secret)]))
    t.call("ctl", p.create(f"{t.root}/closed", acl=[(31, "digest", secret)]))
    t.call("ctl", p.create(f"{t.root}/writable", acl=[(p.WRITE, "world", "anyone")]))
    paths = [f"{t.root}/{name}" for name in ["x", "admin", "closed", "writable", "none"]]
    t.call("ctl", *[p.get_acl(path) for path in paths])
    t.connect("a")
    t.call("a", p.auth("digest", b"u:p"))
    t.call("a", *[p.get_acl(path) for path in paths])


@case
def get_acl_masks_odd_digests(t):
    for at, name in enumerate(["u:h", "u:", "longer:x"]):
        path = f"{t.root}/{at}"
        t.call("ctl", p.create(path, acl=[(p.READ, "world", "anyone"), (31, "digest", name)]))
        t.call("ctl", p.get_acl(path))


@case
def many_writes_of_all_kinds_pipelined(t):
    t.connect("a")
    x = f"{t.root}/x"
    t.call("a", p.create(x), p.set_data(x, b"1", 0), p.set_data(x, b"2", 0), p.set_acl(x, p.OPEN),
           p.set_data(x, b"3", 1), p.exists(x), p.create(f"{x}/y"), p.delete(x), p.delete(f"{x}/y"),
           p.delete(x, 1), p.delete(x, 2), p.set_data(x, b"4"), p.create(x, b"again"),
           p.get_data(x), p.sync(x), p.get_acl(x))


@case
def writes_by_several_sessions_in_turn(t):
    for name in "abcd":
        t.connect(name)
    for at in range(40):
        t.call("abcd"[at % 4], p.set_data(t.root, str(at).encode(), at if at % 5 else at + 1))
    t.call("a", p.get_data(t.root))
