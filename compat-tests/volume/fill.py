"""Fills a server with everything that a data directory can hold, and reads all of it."""

import random

from kazoo.client import KazooClient
from kazoo.protocol.serialization import Create, int_struct, long_struct, write_buffer, write_string
from kazoo.security import OPEN_ACL_UNSAFE, make_acl, make_digest_acl

# A server may be slow where others run.
SESSION_SECONDS = 600.0
AUTH = ("digest", "super:secret")
# Made by every server for itself, or kept by it.
LOCAL = {"/zookeeper/config"}
WINDOW = 500
CONTAINER = 4
WITH_TTL = 5


class CreateMore(Create):
    """A create of a container or of a znode with a time to live, which kazoo does not have."""

    ttl = None

    @property
    def type(self):
        """The operation's code."""
        return 19 if self.ttl is None else 21

    def serialize(self):
        """The body of the request."""
        body = bytearray(write_string(self.path) + write_buffer(self.data))
        body += int_struct.pack(len(self.acl))
        for acl in self.acl:
            body += int_struct.pack(acl.perms) + write_string(acl.id.scheme)
            body += write_string(acl.id.id)
        body += int_struct.pack(self.flags)
        return body if self.ttl is None else body + long_struct.pack(self.ttl)


def client(port: int, session=None) -> KazooClient:
    """A client, of a session that was there already if one is named."""
    return KazooClient(f"127.0.0.1:{port}", timeout=SESSION_SECONDS, client_id=session,
                       auth_data=[AUTH], connection_retry={"max_tries": -1, "max_delay": 0.3})


def connected(port: int, session=None) -> KazooClient:
    """The same, connected."""
    made = client(port, session)
    made.start(timeout=60)
    return made


def more(connection: KazooClient, path: str, ttl: int | None = None) -> None:
    """Creates a container, or a znode with a time to live in milliseconds."""
    request = CreateMore(path, b"more", OPEN_ACL_UNSAFE, CONTAINER if ttl is None else WITH_TTL)
    request.ttl = ttl
    result = connection.handler.async_result()
    connection._call(request, result)
    result.get(30)


class Pipeline:
    """Sends requests without waiting for each."""

    def __init__(self):
        self._waiting = []

    def add(self, result) -> None:
        """A request that was sent."""
        self._waiting.append(result)
        if len(self._waiting) >= WINDOW:
            self.finish()

    def finish(self) -> None:
        """Waits for all; each must have succeeded."""
        for result in self._waiting:
            result.get(60)
        self._waiting.clear()


def place(number: int) -> str:
    """The path of one of many znodes."""
    return f"/many-{number // 100}/n{number}"


def fill(port: int, znodes: int) -> list:
    """Makes so many znodes; the connections whose sessions own ephemerals."""
    dice = random.Random(znodes)
    first, *_ = owners = [connected(port) for _ in range(3)]
    acls = [OPEN_ACL_UNSAFE, [make_digest_acl("reader", "secret", read=True)],
            [make_acl("ip", "127.0.0.1", all=True), make_digest_acl("x", "y", all=True)]]
    pipeline = Pipeline()
    for parent in range(znodes // 100 + 1):
        pipeline.add(first.create_async(f"/many-{parent}", b"parent", acl=acls[parent % 3]))
    pipeline.finish()
    for number in range(znodes):
        data = dice.randbytes(dice.choice([0, 10, 100, 1000]))
        pipeline.add(first.create_async(place(number), data, acl=acls[number % 7 % 3]))
        if number % 5 == 4:
            pipeline.add(first.set_async(place(number - 1), dice.randbytes(50)))
        if number % 11 == 10:
            pipeline.add(first.delete_async(place(number - 2)))
        if number % 13 == 12:
            pipeline.add(first.set_acls_async(place(number), acls[number % 3]))
    pipeline.finish()
    special(first)
    for number, owner in enumerate(owners):
        owner.create(f"/owned-{number}", b"mine", ephemeral=True)
        owner.create(f"/many-0/owned-{number}-", b"mine", ephemeral=True, sequence=True)
    return owners


def special(first: KazooClient) -> None:
    """What is rare: containers, times to live, quotas, transactions, odd names, large data."""
    more(first, "/container")
    first.create("/container/child", b"c")
    more(first, "/outlived", ttl=10 ** 9)
    first.create("/quota/a/b", b"q", makepath=True)
    first.create("/zookeeper/quota/quota/zookeeper_limits", b"count=1000,bytes=100000",
                 makepath=True)
    first.create("/zookeeper/quota/quota/zookeeper_stats", b"count=0,bytes=0")
    first.create("/quota/a/c", b"counted")
    first.create("/ünïcödé €", "dätä".encode())
    first.create("/large", b"x" * 900_000)
    for number in range(3):
        first.create("/sequence-", str(number).encode(), sequence=True)
    transaction = first.transaction()
    transaction.create("/multi", b"1")
    transaction.create("/multi/inner", b"2")
    transaction.set_data("/large", b"y" * 800_000)
    transaction.delete("/quota/a/b")
    assert len(transaction.commit()) == 4
    refused = first.transaction()
    refused.create("/never", b"")
    refused.check("/multi", 5)
    refused.commit()
    session = connected(int(first.hosts[0][1]))
    session.create("/closed", b"", ephemeral=True)
    session.stop()
    session.close()


def tree(port: int) -> dict:
    """Every znode of a server: its data, its stat, its ACL."""
    connection = connected(port)
    try:
        found, level = {}, ["/"]
        while level:
            nodes = [(path, connection.get_async(path), connection.get_acls_async(path))
                     for path in level if path not in LOCAL]
            parents = []
            for path, node, acls in nodes:
                data, stat = node.get(60)
                found[path] = (data, tuple(stat), tuple(map(str, acls.get(60)[0])))
                if stat.numChildren:
                    parents.append(path)
            children = [(path, connection.get_children_async(path)) for path in parents]
            level = [f"{path.rstrip('/')}/{name}" for path, names in children
                     for name in names.get(60)]
        return found
    finally:
        connection.stop()
        connection.close()


def difference(one: dict, other: dict) -> str:
    """The first znodes in which trees differ."""
    paths = sorted(path for path in one.keys() | other.keys() if one.get(path) != other.get(path))
    return f"{len(paths)} differ:\n" + "\n".join(
        f"{path}: {one.get(path)} / {other.get(path)}"[:500] for path in paths[:5])
