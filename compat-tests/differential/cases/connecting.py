"""The handshake: its forms, what is refused and how, and sessions taken up again."""

from differential import protocol as p
from differential.cases import case
from differential.jute import buffer, int32, int64


def connect_body(read_only=b"\0", password=bytes(16), timeout=10000, session=0, seen=0) -> bytes:
    """A ConnectRequest."""
    return (int32(0) + int64(seen) + int32(timeout) + int64(session) + buffer(password)
            + read_only)


def frame(body: bytes) -> bytes:
    """A body behind its length."""
    return int32(len(body)) + body


@case
def connect_without_read_only_byte(t):
    t.connect("a", read_only=None)
    t.call("a", p.exists(t.root))
    t.close("a")


@case
def connect_read_only_true(t):
    t.connect("a", read_only=1)
    t.call("a", p.set_data(t.root, b"1"))


@case
def connect_read_only_byte_two(t):
    t.connect("a", read_only=2)


@case
def connect_trailing_bytes(t):
    t.connect("a", more=b"more")
    t.call("a", p.exists(t.root))


@case
def connect_protocol_version_ignored(t):
    t.connect("a", version=7)
    t.connect("b", version=-1)


@case
def connect_timeout_clamped(t):
    for name, timeout in [("zero", 0), ("negative", -5), ("small", 1), ("low", 4000),
                          ("mid", 4001), ("high", 40000), ("over", 40001), ("max", 2**31 - 1)]:
        t.connect(name, timeout=timeout)


@case(profile="guarded")
def connect_timeout_configured_bounds(t):
    for name, timeout in [("low", 1000), ("mid", 6000), ("high", 100000)]:
        t.connect(name, timeout=timeout, pingable=False)
        t.call_and_end(name, p.ping())


@case
def connect_zxid_ahead(t):
    t.connect("a", seen=1000)


@case
def connect_zxid_equal(t):
    t.call("ctl", p.create(f"{t.root}/x"))
    t.connect("a", seen=1)
    t.connect("b", seen=3)


@case
def connect_zxid_negative(t):
    t.connect("a", seen=-(1 << 40))


@case
def connect_unknown_session(t):
    t.connect("a")
    t.close("a")
    t.dial("b")
    t.send_bytes("b", frame(connect_body(session=0x1234, password=b"p" * 16)), replies=1,
                 ends=True)


@case
def connect_unknown_session_old_client(t):
    t.dial("b")
    t.send_bytes("b", frame(connect_body(b"", session=0x1234, password=b"p" * 16)), replies=1,
                 ends=True)


@case
def connect_password_wrong(t):
    t.connect("a")
    t.call("a", p.create(f"{t.root}/e", flags=p.EPHEMERAL))
    t.connect("b", session="a", password=b"x" * 16)
    t.connect("a", session="a")
    t.call("a", p.exists(f"{t.root}/e"))


@case
def connect_password_short_null_empty(t):
    t.connect("a")
    t.drop("a")
    t.connect("b", session="a", password=b"x" * 3)
    t.connect("c", session="a", password=b"")
    t.connect("a", session="a")


@case
def connect_new_session_ignores_password(t):
    t.connect_with("b", frame(connect_body(password=None)))
    t.connect("c", password=b"y" * 16)
    t.connect("d", password=b"")


@case
def connect_closed_session_again(t):
    t.connect("a")
    for side in t.sides:
        side.gone = side.sessions["a"]
    t.close("a")
    for side in t.sides:
        side.sessions["old"] = side.gone
    t.connect("b", session="old")


@case
def reconnect_takes_over(t):
    t.connect("a")
    t.call("a", p.create(f"{t.root}/e", flags=p.EPHEMERAL))
    t.connect("b", session="a")
    t.fence()
    t.call("b", p.get_ephemerals("/"), p.exists(f"{t.root}/e"))
    t.close("b")
    t.call("ctl", p.exists(f"{t.root}/e"))


@case
def reconnect_changes_timeout(t):
    t.connect("a", timeout=10000)
    t.reconnect("a", timeout=20000)
    t.reconnect("a", timeout=1)
    t.reconnect("a", timeout=10**6)


@case
def reconnect_drops_watches_and_auth(t):
    t.connect("a")
    t.call("a", p.auth("digest", b"u:p"), p.get_data(t.root, True))
    t.call("a", p.who_am_i())
    t.reconnect("a")
    t.call("a", p.who_am_i())
    t.call("ctl", p.set_data(t.root, b"1"))
    t.call("a", p.check_watches(t.root, p.ANY))


@case
def reconnect_seen_zxid_ahead_keeps_session(t):
    t.connect("a")
    t.reconnect("a", seen=10**6)
    t.reconnect("a", seen=0)
    t.call("a", p.exists(t.root))


@case
def reconnect_with_old_client_form(t):
    t.connect("a")
    t.reconnect("a", read_only=None)
    t.call("a", p.exists(t.root))


@case
def handshake_cut_short(t):
    body = connect_body()
    for at, length in enumerate([0, 4, 12, 16, 24, 28, 43]):
        t.dial(f"c{at}")
        t.send_bytes(f"c{at}", frame(body[:length]), ends=True)


@case
def handshake_password_length_too_large(t):
    t.dial("c")
    t.send_bytes("c", frame(connect_body()[:24] + int32(1 << 30) + bytes(16)), ends=True)


@case
def handshake_password_length_negative(t):
    t.dial("c")
    t.send_bytes("c", frame(connect_body()[:24] + int32(-2) + bytes(16)), ends=True)


@case
def handshake_frame_length_zero(t):
    t.dial("c")
    t.send_bytes("c", int32(0), ends=True)


@case
def handshake_frame_length_negative(t):
    t.dial("c")
    t.send_bytes("c", int32(-5), ends=True)


@case
def handshake_frame_too_long(t):
    t.dial("c")
    t.send_bytes("c", int32(1 << 20), ends=True)
    t.dial("d")
    t.send_bytes("d", int32(2**31 - 1), ends=True)


@case
def handshake_in_single_bytes(t):
    t.dial("c")
    data = frame(connect_body(session=77, password=b"q" * 16))
    for at in range(len(data) - 1):
        for side in t.sides:
            side.connections["c"].send_bytes(data[at:at + 1])
    t.send_bytes("c", data[-1:], replies=1, ends=True)


@case
def handshake_with_request_behind_it(t):
    """A request sent without waiting for the connect reply is answered after it."""
    t.dial("c")
    request = int32(1) + int32(p.EXISTS) + p.exists("/zookeeper").body
    t.send_bytes("c", frame(connect_body(session=99, password=b"q" * 16)) + frame(request),
                 replies=1, ends=True)


@case
def close_and_reply(t):
    t.connect("a")
    t.close("a")


@case
def close_with_requests_behind_it(t):
    t.connect("a")
    t.call_and_end("a", p.set_data(t.root, b"1"), p.close_session())
    t.call("ctl", p.get_data(t.root))


@case
def close_with_body(t):
    t.connect("a")
    t.call_and_end("a", p.close_session().plus(b"rubbish"))


@case
def close_twice_by_two_connections(t):
    t.connect("a")
    t.connect("b", session="a")
    t.close("b")
    t.fence()


@case(profile="guarded")
def too_many_connections_from_an_address(t):
    for at in range(5):
        t.connect(f"c{at}", pingable=False)
    t.dial("over")
    t.send_bytes("over", frame(connect_body()), ends=True)
