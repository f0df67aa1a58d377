"""Requests of the client protocol, good and bad: what is sent after the four bytes of length.

Every builder returns a `Request`. Where a value differs between the two servers (a zxid, a session
id), the body is a function of the `Side` it is sent to.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from differential.jute import boolean, buffer, int32, int64, ustring, vector

NOTIFICATION, CREATE, DELETE, EXISTS, GET_DATA, SET_DATA, GET_ACL, SET_ACL = range(8)
GET_CHILDREN, SYNC, PING = 8, 9, 11
GET_CHILDREN2, CHECK, MULTI, CREATE2, RECONFIG = 12, 13, 14, 15, 16
CHECK_WATCHES, REMOVE_WATCHES, CREATE_CONTAINER, DELETE_CONTAINER, CREATE_TTL = 17, 18, 19, 20, 21
MULTI_READ, AUTH, SET_WATCHES, SASL = 22, 100, 101, 102
GET_EPHEMERALS, GET_ALL_CHILDREN_NUMBER, SET_WATCHES2, ADD_WATCH, WHO_AM_I = 103, 104, 105, 106, 107
CREATE_SESSION, CLOSE_SESSION = -10, -11

# Flags of create.
EPHEMERAL, SEQUENTIAL, EPHEMERAL_SEQUENTIAL, CONTAINER, TTL, TTL_SEQUENTIAL = 1, 2, 3, 4, 5, 6
# Permissions.
READ, WRITE, CREATE_PERM, DELETE_PERM, ADMIN, ALL = 1, 2, 4, 8, 16, 31
# Kinds of watches in checkWatches and removeWatches.
CHILDREN, DATA, ANY, PERSISTENT_KIND, RECURSIVE_KIND = 1, 2, 3, 4, 5
# Modes of addWatch.
PERSISTENT, RECURSIVE = 0, 1

Acl = list[tuple[int, str | None, str | None]] | None
OPEN: Acl = [(ALL, "world", "anyone")]
READ_ONLY: Acl = [(READ, "world", "anyone")]
CREATOR: Acl = [(ALL, "auth", "")]

PING_XID, AUTH_XID, SET_WATCHES_XID = -2, -4, -8


@dataclass(frozen=True)
class Request:
    """What is sent, and how it is called in reports."""

    op: int
    body: bytes | Callable
    label: str
    # None: the connection's next number.
    xid: int | None = None

    def encode(self, side) -> bytes:
        """The body for one of the servers."""
        return self.body if isinstance(self.body, bytes) else self.body(side)

    def with_xid(self, xid: int) -> "Request":
        """The same with a chosen xid."""
        return replace(self, xid=xid)

    def cut(self, count: int) -> "Request":
        """The same without its last bytes."""
        return replace(self, body=self.body[:-count], label=f"{self.label} cut by {count}")

    def plus(self, more: bytes) -> "Request":
        """The same with bytes behind it."""
        return replace(self, body=self.body + more, label=f"{self.label} and {len(more)} bytes")


def raw(op: int, body: bytes = b"", label: str = "") -> Request:
    """Any operation with any body."""
    return Request(op, body, label or f"op {op} {body.hex()}")


def acl_bytes(acl: Acl) -> bytes:
    """A list of access rules: permissions, scheme, id."""
    return vector(lambda rule: int32(rule[0]) + ustring(rule[1]) + ustring(rule[2]), acl)


def create(path, data: bytes | None = b"", flags: int = 0, acl: Acl = OPEN,
           op: int = CREATE) -> Request:
    """create, create2, createContainer: they take the same record."""
    body = ustring(path) + buffer(data) + acl_bytes(acl) + int32(flags)
    return Request(op, body, f"create/{op} {path!r} {len(data or b'')}B flags={flags}"
                             + ("" if acl == OPEN else f" acl={acl}"))


def create2(path, data: bytes | None = b"", flags: int = 0, acl: Acl = OPEN) -> Request:
    """create that answers with the Stat."""
    return create(path, data, flags, acl, CREATE2)


def create_container(path, data: bytes | None = b"", flags: int = CONTAINER,
                     acl: Acl = OPEN) -> Request:
    """A znode that goes away after its last child."""
    return create(path, data, flags, acl, CREATE_CONTAINER)


def create_ttl(path, ttl: int, data: bytes | None = b"", flags: int = TTL,
               acl: Acl = OPEN) -> Request:
    """A znode that goes away when it has not changed for `ttl` milliseconds."""
    body = ustring(path) + buffer(data) + acl_bytes(acl) + int32(flags) + int64(ttl)
    return Request(CREATE_TTL, body, f"createTTL {path!r} flags={flags} ttl={ttl}")


def delete(path, version: int = -1) -> Request:
    """delete"""
    return Request(DELETE, ustring(path) + int32(version), f"delete {path!r} v={version}")


def set_data(path, data: bytes | None = b"", version: int = -1) -> Request:
    """setData"""
    return Request(SET_DATA, ustring(path) + buffer(data) + int32(version),
                   f"setData {path!r} {len(data or b'')}B v={version}")


def set_acl(path, acl: Acl, version: int = -1) -> Request:
    """setACL"""
    return Request(SET_ACL, ustring(path) + acl_bytes(acl) + int32(version),
                   f"setACL {path!r} {acl} v={version}")


def check(path, version: int = -1) -> Request:
    """check, for a multi"""
    return Request(CHECK, ustring(path) + int32(version), f"check {path!r} v={version}")


def _reading(op: int, name: str):
    def build(path, watch=False) -> Request:
        return Request(op, ustring(path) + boolean(watch),
                       f"{name} {path!r}" + (" watch" if watch else ""))
    return build


exists = _reading(EXISTS, "exists")
get_data = _reading(GET_DATA, "getData")
get_children = _reading(GET_CHILDREN, "getChildren")
get_children2 = _reading(GET_CHILDREN2, "getChildren2")


def get_acl(path) -> Request:
    """getACL"""
    return Request(GET_ACL, ustring(path), f"getACL {path!r}")


def sync(path) -> Request:
    """sync"""
    return Request(SYNC, ustring(path), f"sync {path!r}")


def get_ephemerals(prefix) -> Request:
    """getEphemerals"""
    return Request(GET_EPHEMERALS, ustring(prefix), f"getEphemerals {prefix!r}")


def get_all_children_number(path) -> Request:
    """getAllChildrenNumber"""
    return Request(GET_ALL_CHILDREN_NUMBER, ustring(path), f"getAllChildrenNumber {path!r}")


def who_am_i() -> Request:
    """whoAmI"""
    return Request(WHO_AM_I, b"", "whoAmI")


def ping() -> Request:
    """ping"""
    return Request(PING, b"", "ping", PING_XID)


def close_session() -> Request:
    """closeSession"""
    return Request(CLOSE_SESSION, b"", "closeSession")


def auth(scheme: str | None, data: bytes | None, kind: int = 0) -> Request:
    """auth"""
    return Request(AUTH, int32(kind) + ustring(scheme) + buffer(data), f"auth {scheme} {data!r}",
                   AUTH_XID)


def sasl(token: bytes | None) -> Request:
    """sasl"""
    return Request(SASL, buffer(token), f"sasl {token!r}")


def add_watch(path, mode: int = PERSISTENT) -> Request:
    """addWatch"""
    return Request(ADD_WATCH, ustring(path) + int32(mode), f"addWatch {path!r} mode={mode}")


def check_watches(path, kind: int) -> Request:
    """checkWatches"""
    return Request(CHECK_WATCHES, ustring(path) + int32(kind), f"checkWatches {path!r} {kind}")


def remove_watches(path, kind: int) -> Request:
    """removeWatches"""
    return Request(REMOVE_WATCHES, ustring(path) + int32(kind), f"removeWatches {path!r} {kind}")


def set_watches(since: int, data=(), exist=(), child=()) -> Request:
    """setWatches; `since` counts from the start of the case."""
    lists = b"".join(vector(ustring, paths) for paths in (data, exist, child))
    return Request(SET_WATCHES, lambda side: int64(side.base + since) + lists,
                   f"setWatches since +{since} data={data} exist={exist} child={child}",
                   SET_WATCHES_XID)


def set_watches2(since: int, data=(), exist=(), child=(), persistent=(),
                 recursive=()) -> Request:
    """setWatches2; `since` counts from the start of the case."""
    lists = b"".join(vector(ustring, paths)
                     for paths in (data, exist, child, persistent, recursive))
    return Request(SET_WATCHES2, lambda side: int64(side.base + since) + lists,
                   f"setWatches2 since +{since} data={data} exist={exist} child={child}"
                   f" persistent={persistent} recursive={recursive}", SET_WATCHES_XID)


def reconfig(joining=None, leaving=None, members=None, version: int = -1) -> Request:
    """reconfig"""
    body = ustring(joining) + ustring(leaving) + ustring(members) + int64(version)
    return Request(RECONFIG, body, f"reconfig {joining} {leaving} {members} {version}")


MULTI_END = int32(-1) + boolean(True) + int32(-1)


def multi_body(operations) -> bytes:
    """The operations of a multi, each behind a header, without the end."""
    return b"".join(int32(one.op) + boolean(False) + int32(-1) + one.body for one in operations)


def multi(*operations: Request, op: int = MULTI) -> Request:
    """All or nothing."""
    labels = "; ".join(one.label for one in operations)
    return Request(op, multi_body(operations) + MULTI_END, f"multi/{op} [{labels}]")


def multi_read(*operations: Request) -> Request:
    """Several reads in one request."""
    return multi(*operations, op=MULTI_READ)
