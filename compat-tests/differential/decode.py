"""Replies and events as lines of text in which nothing is left that may differ between servers.

Zxids count from the start of the case, session ids become the names the case gave them, and a time
becomes `@` if it is the one time of its zxid. Everything else is kept as it came.
"""

import hashlib
import time
from itertools import groupby

from differential import protocol as r
from differential.jute import Reader, Truncated

EVENTS = {-1: "none", 1: "created", 2: "deleted", 3: "changed", 4: "children"}
# A time further off than this from the test's own clock is wrong, in milliseconds.
CLOCK_SLACK = 120_000


class Names:
    """What values of one server mean, learned as they come."""

    def __init__(self):
        self.base = 0
        self.sessions: dict[int, str] = {}
        self._times: dict[int, int] = {}

    def zxid(self, value: int) -> str:
        """A zxid relative to the base; what is older cannot be compared."""
        if value in (0, -1):
            return str(value)
        return f"+{value - self.base}" if value > self.base else "old"

    def session(self, value: int) -> str:
        """A session's name."""
        return "0" if value == 0 else self.sessions.get(value, f"unknown session 0x{value:x}")

    def time(self, zxid: int, value: int) -> str:
        """`@` for the time of that zxid, which must be the same wherever it appears."""
        if zxid == 0:
            return "0" if value == 0 else "start"
        known = self._times.setdefault(zxid, value)
        if known != value:
            return f"@{value - known:+}"
        return "@" if self.fits(zxid, value) else f"@{value}"

    def fits(self, zxid: int, value: int) -> bool:
        """Whether the time of a zxid may be this: now, but for what is older than the case."""
        return zxid <= self.base or abs(value - time.time() * 1000) < CLOCK_SLACK


def show_bytes(data: bytes | None) -> str:
    """Short data as it is, long data by length and hash."""
    if data is None or len(data) <= 80:
        return repr(data)
    return f"{len(data)}B:{hashlib.sha1(data).hexdigest()[:12]}"


def stat(reader: Reader, names: Names) -> str:
    """A Stat."""
    czxid, mzxid, ctime, mtime = (reader.int64() for _ in range(4))
    version, cversion, aversion = (reader.int32() for _ in range(3))
    owner = reader.int64()
    length, children = reader.int32(), reader.int32()
    pzxid = reader.int64()
    return (f"stat(c={names.zxid(czxid)}{names.time(czxid, ctime)}"
            f" m={names.zxid(mzxid)}{names.time(mzxid, mtime)} p={names.zxid(pzxid)}"
            f" v={version} cv={cversion} av={aversion} owner={names.session(owner)}"
            f" len={length} n={children})")


def _sorted_strings(reader: Reader) -> str:
    values = reader.vector(reader.ustring)
    return str(None if values is None else sorted(values))


def _acl(reader: Reader) -> str:
    """An ACL; the ids that an `auth` entry became come in the order of a Java hash set, so runs of
    digests with the same permissions are sorted."""
    rules = reader.vector(lambda: (reader.int32(), reader.ustring(), reader.ustring()))
    if rules is None:
        return "None"
    runs = groupby(rules, key=lambda rule: (rule[0], rule[1]))
    return str([rule for (_, scheme), run in runs
                for rule in (sorted(run, key=str) if scheme == "digest" else run)])


def _data(reader: Reader, names: Names) -> str:
    return f"{show_bytes(reader.buffer())} {stat(reader, names)}"


def _path(reader: Reader, _names: Names) -> str:
    return repr(reader.ustring())


def _path_stat(reader: Reader, names: Names) -> str:
    return f"{reader.ustring()!r} {stat(reader, names)}"


def _clients(reader: Reader, _names: Names) -> str:
    clients = reader.vector(lambda: (reader.ustring(), reader.ustring()))
    return str(None if clients is None else sorted(clients, key=str))


def _multi(reader: Reader, names: Names) -> str:
    parts = []
    while True:
        kind, done, err = reader.int32(), reader.boolean(), reader.int32()
        if done:
            ending = "" if (kind, err) == (-1, -1) else f" end={kind},{err}"
            return "[" + "; ".join(parts) + "]" + ending
        if kind == -1:
            parts.append(f"err={err}/{reader.int32()}")
        elif kind in _BODIES:
            parts.append(f"{kind}({err}): {_BODIES[kind](reader, names)}")
        else:
            parts.append(f"{kind}({err})")


_BODIES = {
    r.CREATE: _path,
    r.CREATE2: _path_stat,
    r.CREATE_CONTAINER: _path_stat,
    r.CREATE_TTL: _path_stat,
    r.EXISTS: stat,
    r.SET_DATA: stat,
    r.SET_ACL: stat,
    r.GET_DATA: _data,
    r.RECONFIG: _data,
    r.GET_ACL: lambda reader, names: f"{_acl(reader)} {stat(reader, names)}",
    r.GET_CHILDREN: lambda reader, _: _sorted_strings(reader),
    r.GET_CHILDREN2: lambda reader, names: f"{_sorted_strings(reader)} {stat(reader, names)}",
    r.GET_EPHEMERALS: lambda reader, _: _sorted_strings(reader),
    r.GET_ALL_CHILDREN_NUMBER: lambda reader, _: str(reader.int32()),
    r.SYNC: _path,
    r.ADD_WATCH: lambda reader, _: f"code={reader.int32()}",
    r.WHO_AM_I: _clients,
    r.SASL: lambda reader, _: f"token={reader.buffer()!r}",
    r.MULTI: _multi,
    r.MULTI_READ: _multi,
}


def body(op: int, data: bytes, names: Names) -> str:
    """The body of the reply to an operation; bytes that do not fit it are shown as they are."""
    if op not in _BODIES:
        return f" bytes={data.hex()}" if data else ""
    if not data:
        return ""
    reader = Reader(data)
    try:
        text = _BODIES[op](reader, names)
    except Truncated:
        return f" undecodable={data.hex()}"
    rest = reader.rest()
    return f" {text}" + (f" trailing={rest.hex()}" if rest else "")


def event(reader: Reader, names: Names, zxid: int, err: int) -> str:
    """A watch event."""
    kind, state, path = reader.int32(), reader.int32(), reader.ustring()
    rest = reader.rest()
    return (f"event {EVENTS.get(kind, kind)} {path!r} zxid={names.zxid(zxid)}"
            + ("" if state == 3 else f" state={state}") + ("" if err == 0 else f" err={err}")
            + (f" trailing={rest.hex()}" if rest else ""))
