"""Frames, headers and bodies that are large, cut, wrong or unknown; numbers of requests."""

from differential import protocol as p
from differential.cases import case
from differential.jute import buffer, int32, int64, ustring

# The longest frame a server takes with the default jute.maxbuffer.
LONGEST = 0xFFFFF


def filled(path: str, length: int) -> p.Request:
    """A setData whose frame has exactly so many bytes."""
    overhead = 8 + 4 + len(path) + 4 + 4
    return p.set_data(path, b"d" * (length - overhead))


@case
def frame_longest_accepted(t):
    t.call("ctl", filled(t.root, LONGEST))
    t.call("ctl", p.get_data(t.root))


@case
def frame_one_too_long(t):
    t.connect("a")
    t.call_and_end("a", filled(t.root, LONGEST + 1))
    t.reconnect("a")
    t.call("a", p.get_data(t.root))


@case
def frame_length_zero(t):
    t.connect("a")
    t.send_bytes("a", int32(0), ends=True)
    t.reconnect("a")


@case
def frame_length_negative(t):
    t.connect("a")
    t.send_bytes("a", int32(-1), ends=True)
    t.reconnect("a")


@case
def frame_header_cut(t):
    for length in [1, 3, 4, 7]:
        t.connect(f"a{length}")
        t.send_bytes(f"a{length}", int32(length) + bytes(length), ends=True)


@case
def frame_in_two_parts(t):
    t.connect("a")
    body = int32(1) + int32(p.EXISTS) + p.exists(t.root).body
    data = int32(len(body)) + body
    for side in t.sides:
        side.connections["a"].pingable = False
        side.connections["a"].send_bytes(data[:9])
    t.call("ctl", p.exists(t.root))
    for side in t.sides:
        side.connections["a"].pending.append((1, p.EXISTS))
        side.connections["a"].send_bytes(data[9:])
    for side in t.sides:
        side.read_replies(side.connections["a"])
        side.connections["a"].pingable = True
    t.fence()


@case
def frames_many_in_one_piece(t):
    t.connect("a")
    t.call("a", *[p.set_data(t.root, str(n).encode()) if n % 3 else p.get_data(t.root)
                  for n in range(200)])


def _unknown(op: int):
    def run(t):
        t.connect("a")
        t.call("a", p.exists(t.root))
        t.call_and_end("a", p.raw(op, p.check(t.root).body))
        t.reconnect("a")
        t.call("a", p.get_data(t.root))
    run.__name__ = f"unknown_op_{op}".replace("-", "minus_")
    case(run)


for _op in [0, 10, 13, 23, 99, 108, 1000, 2**31 - 1, -1, -2, -12, -(2**31)]:
    _unknown(_op)


@case
def check_alone_that_would_fail(t):
    t.connect("a")
    t.call_and_end("a", p.check(f"{t.root}/none"))


@case
def delete_container_by_a_client(t):
    t.call("ctl", p.create_container(f"{t.root}/c"), p.create(f"{t.root}/plain"))
    t.connect("a")
    t.call("a", p.raw(p.DELETE_CONTAINER, ustring(f"{t.root}/c"), "deleteContainer"))
    # Whatever became of it, later cases find the same tree on both servers.
    t.call("ctl", p.delete(f"{t.root}/c"))


@case
def create_session_by_a_client(t):
    t.connect("a")
    t.connect_again("a", p.raw(p.CREATE_SESSION, int32(5000), "createSession"))
    t.call("ctl", p.exists(t.root))


def _bodies(root: str) -> dict[str, p.Request]:
    """A good request of every operation that has a body."""
    return {
        "create": p.create(f"{root}/new", b"data"),
        "create2": p.create2(f"{root}/new", b"data"),
        "create_container": p.create_container(f"{root}/new", b"data"),
        "create_ttl": p.create_ttl(f"{root}/new", 100000, b"data"),
        "delete": p.delete(f"{root}/node"),
        "exists": p.exists(f"{root}/node"),
        "get_data": p.get_data(f"{root}/node"),
        "set_data": p.set_data(f"{root}/node", b"data"),
        "get_acl": p.get_acl(f"{root}/node"),
        "set_acl": p.set_acl(f"{root}/node", p.OPEN),
        "get_children": p.get_children(f"{root}/node"),
        "get_children2": p.get_children2(f"{root}/node"),
        "sync": p.sync(f"{root}/node"),
        "multi": p.multi(p.set_data(f"{root}/node", b"1"), p.check(f"{root}/node")),
        "multi_read": p.multi_read(p.get_data(f"{root}/node"), p.get_children(f"{root}/node")),
        "reconfig": p.reconfig("a", "b", "c", 1),
        "check_watches": p.check_watches(f"{root}/node", p.ANY),
        "remove_watches": p.remove_watches(f"{root}/node", p.ANY),
        "get_ephemerals": p.get_ephemerals(f"{root}/node"),
        "get_all_children_number": p.get_all_children_number(f"{root}/node"),
        "add_watch": p.add_watch(f"{root}/node"),
        "sasl": p.sasl(b"token"),
    }


def _cut(name: str):
    def run(t):
        t.connect("a")
        t.call("a", p.create(f"{t.root}/node"))
        whole = _bodies(t.root)[name]
        for length in sorted({0, 1, 4, len(whole.body) // 2, len(whole.body) - 4,
                              len(whole.body) - 1}):
            t.call("a", whole.cut(len(whole.body) - length))
        t.call("a", p.get_children2(t.root), p.get_data(f"{t.root}/node"))
    run.__name__ = f"cut_{name}"
    case(run)


def _longer(name: str):
    def run(t):
        t.connect("a")
        t.call("a", p.create(f"{t.root}/node"))
        t.call("a", _bodies(t.root)[name].plus(b"\0\1trailing"))
        t.call("a", p.get_children2(t.root))
    run.__name__ = f"trailing_bytes_{name}"
    case(run)


for _name in _bodies(""):
    _cut(_name)
    _longer(_name)


@case
def cut_set_watches(t):
    t.connect("a")
    lists = int64(0) + int32(1) + ustring("/x")
    for length in [0, 7, 8, 12, len(lists) - 1, len(lists)]:
        t.call("a", p.raw(p.SET_WATCHES, lists[:length]).with_xid(p.SET_WATCHES_XID))
        t.call("a", p.raw(p.SET_WATCHES2, lists[:length]).with_xid(p.SET_WATCHES_XID))


@case
def cut_auth(t):
    whole = p.auth("digest", b"u:p")
    for length in [0, 3, 4, 10, len(whole.body) - 1]:
        t.connect("a")
        t.call_and_end("a", whole.cut(len(whole.body) - length))
    t.connect("b")
    t.call("b", whole.plus(b"more"), p.who_am_i())


@case
def length_inside_negative(t):
    t.connect("a")
    for op in [p.CREATE, p.EXISTS, p.SET_DATA, p.SYNC, p.GET_EPHEMERALS]:
        t.call("a", p.raw(op, int32(-2) + bytes(40)))
    t.call("a", p.raw(p.SET_DATA, ustring(t.root) + int32(-7) + bytes(40)))


@case
def length_inside_too_large(t):
    t.connect("a")
    for op in [p.CREATE, p.EXISTS, p.DELETE, p.SYNC]:
        t.call("a", p.raw(op, int32(2**31 - 1) + bytes(40)))
        t.call("a", p.raw(op, int32(41) + bytes(40)))


def _vector_counts(name: str, *counts: int):
    def run(t):
        t.connect("a")
        for count in counts:
            rule = int32(31) + ustring("world") + ustring("anyone")
            body = ustring(f"{t.root}/v") + buffer(b"") + int32(count) + rule + int32(0)
            t.call("a", p.raw(p.CREATE, body))
        t.call("a", p.exists(f"{t.root}/v"))
    run.__name__ = f"vector_count_{name}"
    case(run)


_vector_counts("negative", -2, -(2**31))
_vector_counts("too_large", 2**31 - 1, 2, 1000)


@case
def path_not_utf8(t):
    t.connect("a")
    for path in [b"/\xff\xfe", b"/\xc3", b"/a\xe2\x82", b"/\xed\xa0\x80", b"/\xc0\x80"]:
        full = t.root.encode() + path
        t.call("a", p.exists(full))
        t.call("a", p.create(full))
        t.call("a", p.get_children(t.root))


@case
def boolean_other_than_zero_and_one(t):
    t.connect("a")
    t.call("a", p.exists(t.root, 2))
    t.call("ctl", p.set_data(t.root, b"1"))
    t.call("a", p.get_data(t.root, 255))
    t.call("ctl", p.set_data(t.root, b"2"))
    t.call("a", p.get_children(t.root, 128))
    t.call("ctl", p.create(f"{t.root}/x"))


@case
def xid_zero_negative_repeated(t):
    t.connect("a")
    for xid in [0, -100, -1, 5, 5, 3, 2**31 - 1, -(2**31)]:
        t.call("a", p.get_data(t.root).with_xid(xid))
        t.call("a", p.set_data(t.root, b"1").with_xid(xid))


@case
def xid_of_ping_and_auth_on_other_requests(t):
    t.connect("a")
    t.call("a", p.exists(t.root).with_xid(-4))
    t.call("a", p.create(f"{t.root}/x").with_xid(-8))
    t.call("a", p.who_am_i().with_xid(-4))


@case
def ping_with_other_xid_and_body(t):
    t.connect("a")
    t.call("a", p.ping().with_xid(17))
    t.call("a", p.ping().plus(b"body"))


@case
def ping_keeps_its_place(t):
    t.connect("a")
    t.call("a", p.set_data(t.root, b"1"), p.ping(), p.set_data(t.root, b"2"), p.ping(),
           p.get_data(t.root), p.ping())


@case
def auth_with_other_xid(t):
    t.connect("a")
    t.call("a", p.auth("digest", b"u:p").with_xid(9))
    t.call("a", p.who_am_i())


@case
def set_watches_with_other_xid(t):
    t.connect("a")
    t.call("a", p.set_watches(0, data=[t.root]).with_xid(12))


@case
def sasl_without_configuration(t):
    t.connect("a")
    t.call("a", p.sasl(b"token"))
    t.connect("b")
    t.call("b", p.sasl(b""), p.who_am_i())
    t.connect("c")
    t.call("c", p.sasl(None), p.who_am_i())


@case
def half_a_frame_and_gone(t):
    t.connect("a")
    for side in t.sides:
        side.connections["a"].send_bytes(int32(100) + bytes(50))
    t.drop("a")
    t.connect("a", session="a")
    t.call("a", p.exists(t.root))


def _paths(name: str, path):
    """Every operation with a strange path."""
    def run(t):
        t.connect("a")
        for request in [
            p.create(path), p.create2(path), p.create_container(path),
            p.create_ttl(path, 1000), p.create(path, flags=p.EPHEMERAL),
            p.delete(path), p.delete(path, 5), p.set_data(path, b"1"), p.set_data(path, b"1", 9),
            p.set_acl(path, p.OPEN, 77), p.exists(path), p.exists(path, True), p.get_data(path),
            p.get_data(path, True), p.get_acl(path), p.get_children(path), p.get_children2(path),
            p.get_children(path, True), p.sync(path), p.get_ephemerals(path),
            p.get_all_children_number(path), p.multi(p.check(path)), p.multi(p.create(path)),
            p.multi(p.delete(path, 5)), p.multi(p.set_data(path, b"1", 9)),
            p.multi_read(p.get_data(path), p.get_children(path)),
            p.check_watches(path, p.ANY), p.remove_watches(path, p.ANY),
        ]:
            t.call("a", request)
    run.__name__ = f"path_{name}"
    case(run)


for _name, _path in {
    "null": None,
    "empty": "",
    "relative": "relative",
    "relative_with_slash": "no/slash/first",
    "trailing_slash": "/zookeeper/",
    "double_slash": "//zookeeper",
    "double_slash_inside": "/zookeeper//config",
    "only_slashes": "//",
    "dot": "/zookeeper/.",
    "dot_dot": "/zookeeper/../x",
    "dot_names_that_are_fine": "/zookeeper/.../..x",
    "nul": "/zookeeper/a\0b",
    "control_1f": "/zookeeper/\x1f",
    "del_7f": "/zookeeper/\x7f",
    "control_9f": "/zookeeper/\x9f",
    "private_use_f8ff": "/zookeeper/\uf8ff",
    "specials_fff0": "/zookeeper/\ufff0",
    "specials_fffd": "/zookeeper/\ufffd",
    "emoji": "/zookeeper/\U0001f993",
    "missing_parent": "/none/none",
}.items():
    _paths(_name, _path)


@case
def path_set_acl_with_any_version(t):
    """setACL with a version that fits, on every strange path: nothing there may change."""
    for path in ["", "x", "/zookeeper/", "//", "/zookeeper/a\0b", None]:
        t.call("ctl", p.set_acl(path, p.OPEN, 99))
        t.call("ctl", p.set_acl(path, None))


@case
def add_watch_on_strange_paths(t):
    t.connect("a")
    for path in ["", "x", "/zookeeper/", "//", "/a\0b", f"{t.root}/", "/\U0001f993", None]:
        for mode in [p.PERSISTENT, p.RECURSIVE]:
            t.call("a", p.add_watch(path, mode))
    t.call("ctl", p.create(f"{t.root}/x"))
    for path in ["", "x", "/zookeeper/", "//", f"{t.root}/"]:
        t.call("a", p.check_watches(path, p.ANY), p.remove_watches(path, p.ANY))
