"""Client sessions of a soak: on one side each, with what a client library remembers of them.

That is its identity, the last zxid it has seen, what it has authenticated as and the watches it
waits for, to go on at another server after a lost connection.
"""

import time
from dataclasses import dataclass, field

from differential import decode
from differential import protocol as p
from differential.jute import Reader, boolean, buffer, int32, int64, ustring, vector
from differential.side import Connection

REPLY_SECONDS = 30
LEVEL_SECONDS = 60
LEVEL_PAUSE_SECONDS = 0.003
# If servers are not level by then, an election may have counted zxids on without a change.
NUDGE_SECONDS = 1.0
CLOCK_SLACK_MS = 60_000
NO_NODE = -101

WRITES = {p.CREATE, p.CREATE2, p.CREATE_CONTAINER, p.CREATE_TTL, p.DELETE, p.SET_DATA, p.SET_ACL,
          p.MULTI}
FIRED_BY = {"created": ("data", "exist"), "changed": ("data", "exist"),
            "deleted": ("data", "exist", "child"), "children": ("child",)}
LISTS = ("data", "exist", "child")
REMOVED_BY = {p.CHILDREN: ("child",), p.DATA: ("data", "exist"), p.PERSISTENT_KIND: ("persistent",),
              p.RECURSIVE_KIND: ("recursive",),
              p.ANY: ("data", "exist", "child", "persistent", "recursive")}


class Difference(Exception):
    """The two sides did not do the same, or one did what it must not."""


class Lost(Exception):
    """A connection has ended that nobody ended."""


class Refused(Exception):
    """The server knows no such session."""


class Names(decode.Names):
    """Names for a run of any length: zxids stay in the text as `<zxid>`, to be matched later."""

    def __init__(self):
        super().__init__()
        self._started = time.time() * 1000

    def zxid(self, value: int) -> str:
        """In brackets, but for those that mean nothing."""
        return str(value) if value in (0, -1) else f"<{value}>"

    def fits(self, zxid: int, value: int) -> bool:
        """Whether this time lies within the run."""
        return self._started - CLOCK_SLACK_MS < value < time.time() * 1000 + CLOCK_SLACK_MS


@dataclass
class Reply:
    """What came for a request, with session ids replaced by names and zxids in brackets."""

    request: p.Request
    zxid: int
    err: int
    text: str


@dataclass
class Event:
    """A watch event."""

    zxid: int
    kind: str
    path: str
    text: str


@dataclass
class Watches:
    """What a client waits for. One-shot watches go when their event comes; the others stay."""

    data: set[str] = field(default_factory=set)
    exist: set[str] = field(default_factory=set)
    child: set[str] = field(default_factory=set)
    persistent: set[str] = field(default_factory=set)
    recursive: set[str] = field(default_factory=set)
    # Path -> how often its deletion may still be told: a server to which watches are moved says it
    # once for each list that the path is in.
    repeats: dict[str, int] = field(default_factory=dict)

    def learn(self, request: p.Request, err: int) -> None:
        """Takes note of the watch that a request has set or removed."""
        path, watch = watched(request)
        if watch == "exist" and err in (0, NO_NODE):
            (self.data if err == 0 else self.exist).add(path)
        elif watch in ("data", "child", "persistent", "recursive") and err == 0:
            getattr(self, watch).add(path)
        elif isinstance(watch, int) and err == 0:
            for name in REMOVED_BY.get(watch, ()):
                getattr(self, name).discard(path)

    def fire(self, event: Event) -> None:
        """Takes note of an event, which must have a watch that it is for."""
        lists = [getattr(self, name) for name in FIRED_BY[event.kind]]
        matched = any(event.path in paths for paths in lists)
        for paths in lists:
            paths.discard(event.path)
        if matched or self._stays(event.path):
            return
        if event.kind == "deleted" and self.repeats.get(event.path, 0) > 0:
            self.repeats[event.path] -= 1
            return
        raise Difference(f"an event without a watch: {event.text}")

    def _stays(self, path: str) -> bool:
        above = any(path == root or path.startswith(root.rstrip("/") + "/")
                    for root in self.recursive)
        return above or path in self.persistent

    def shots(self) -> dict[str, set[str]]:
        """The one-shot watches that have not fired."""
        return {name: set(getattr(self, name)) for name in LISTS}

    def request(self, since: int) -> p.Request:
        """setWatches2 for all of them."""
        names = (*LISTS, "persistent", "recursive")
        self.repeats = {}
        for name in LISTS:
            for path in getattr(self, name):
                self.repeats[path] = self.repeats.get(path, -1) + 1
        body = int64(since) + b"".join(vector(ustring, sorted(getattr(self, name)))
                                       for name in names)
        return p.Request(p.SET_WATCHES2, body, f"setWatches2 since {since}", p.SET_WATCHES_XID)


def watched(request: p.Request) -> tuple[str, str | int | None]:
    """The path of a request and the kind of watch it sets; a number is a kind that it removes."""
    if request.op not in (p.EXISTS, p.GET_DATA, p.GET_CHILDREN, p.GET_CHILDREN2, p.ADD_WATCH,
                          p.REMOVE_WATCHES):
        return "", None
    reader = Reader(request.body)
    path = reader.ustring()
    if request.op == p.ADD_WATCH:
        return path, {p.PERSISTENT: "persistent", p.RECURSIVE: "recursive"}.get(reader.int32())
    if request.op == p.REMOVE_WATCHES:
        return path, reader.int32()
    if not reader.boolean():
        return path, None
    return path, {p.EXISTS: "exist", p.GET_DATA: "data"}.get(request.op, "child")


class Client:
    """A session on one side."""

    def __init__(self, name: str, half: "Half", timeout: int):
        self.name = name
        self._half = half
        self.timeout = timeout
        self.connection: Connection | None = None
        self.identity: tuple[int, bytes] = (0, bytes(16))
        self.seen = 0
        # The last zxid seen on a connection that had the watches: what came later may be news.
        self.since = 0
        self.watches = Watches()
        self.events: list[Event] = []

    @property
    def connected(self) -> bool:
        """Whether it has a connection, as far as it knows."""
        return self.connection is not None

    def drop(self) -> None:
        """Ends the connection and keeps the session."""
        if self.connection is not None:
            if self.connection.told:
                self.since = self.seen
            self.connection.close()
            self.connection = None

    def connect(self, number: int) -> str:
        """Connects to the server of this number, with the session if there is one; what the server
        grants. Raises `Lost` if there is no answer, `Refused` if the session is gone."""
        self.drop()
        places = self._half.places
        try:
            self.connection = Connection(self.name, places[(number - 1) % len(places)])
        except OSError as error:
            raise Lost(self.name) from error
        self.connection.at = number
        self.connection.told = self.identity[0] == 0
        body = (int32(0) + int64(self.seen) + int32(self.timeout) + int64(self.identity[0])
                + buffer(self.identity[1]) + boolean(False))
        self.connection.send_bytes(int32(len(body)) + body)
        reader = Reader(self._frame())
        version, timeout, identity = reader.int32(), reader.int32(), reader.int64()
        password = reader.buffer()
        if timeout <= 0:
            self.drop()
            raise Refused(self.name)
        if self.identity[0] not in (0, identity):
            raise Difference(f"{self.name} came back and got another session on {self._half.label}")
        self.identity = (identity, password)
        self._half.names.sessions[identity] = self.name
        return f"version={version} timeout={timeout} readonly={reader.rest().hex()}"

    def _frame(self) -> bytes:
        try:
            frame = self.connection.frame(REPLY_SECONDS)
        except TimeoutError as error:
            self.drop()
            raise Difference(f"{self.name}: no answer from {self._half.label} for"
                             f" {REPLY_SECONDS} s") from error
        if frame is None:
            self.drop()
            raise Lost(self.name)
        return frame

    def send(self, requests: list[p.Request]) -> None:
        """Sends requests in one piece."""
        if self.connection is None:
            raise Lost(self.name)
        self.connection.send(None, *requests)

    def read(self, request: p.Request) -> Reply:
        """The reply to the oldest request that waits for one; events on the way are kept."""
        if self.connection is None:
            raise Lost(self.name)
        while True:
            frame = self._frame()
            reader = Reader(frame)
            xid, zxid, err = reader.int32(), reader.int64(), reader.int32()
            if xid == -1:
                self._event(reader, zxid, err)
                continue
            expected, op = self.connection.pending.pop(0)
            if xid != expected or op != request.op:
                raise Difference(f"{self.name}: a reply to {xid} where {expected} was asked on"
                                 f" {self._half.label}")
            self._note(zxid, op)
            self.watches.learn(request, err)
            return Reply(request, zxid, err, decode.body(op, reader.rest(), self._half.names))

    def _note(self, zxid: int, op: int) -> None:
        """Time does not go backwards for a session, wherever it is connected."""
        if op == p.AUTH or zxid <= 0:
            return
        if zxid < self.seen:
            raise Difference(f"{self.name} saw 0x{self.seen:x} and then 0x{zxid:x} on"
                             f" {self._half.label}")
        self.seen = zxid
        self._half.furthest = max(self._half.furthest, zxid)

    def _event(self, reader: Reader, zxid: int, err: int) -> None:
        start = Reader(reader.rest())
        kind, state, path = start.int32(), start.int32(), start.ustring()
        event = Event(zxid, decode.EVENTS.get(kind, str(kind)), path,
                      f"{decode.EVENTS.get(kind, kind)} {path!r} state={state} err={err}"
                      f" {start.rest().hex()}")
        if zxid > 0:
            self.seen = max(self.seen, zxid)
        self.events.append(event)
        try:
            self.watches.fire(event)
        except Difference as error:
            raise Difference(f"{self.name} on {self._half.label}: {error}") from error

    def set_watches(self) -> None:
        """Tells the server of a new connection which watches there are."""
        self.call(self.watches.request(self.since))
        self.connection.told = True

    def forget_shots(self, path: str) -> None:
        """Waits no more for what happens to a node once."""
        for kind in (p.DATA, p.CHILDREN):
            lists = [getattr(self.watches, name) for name in LISTS if name in REMOVED_BY[kind]]
            if any(path in paths for paths in lists):
                # The server may have none any more.
                self.call(p.remove_watches(path, kind))
            for paths in lists:
                paths.discard(path)

    def call(self, *requests: p.Request) -> list[Reply]:
        """Requests and their replies."""
        self.send(list(requests))
        return [self.read(request) for request in requests]


class Half:
    """One of the two sides of a soak: a server or three, and the sessions there."""

    def __init__(self, label: str, places: list[tuple[str, int]]):
        self.label = label
        self.places = places
        self.names = Names()
        self.clients: dict[str, Client] = {}
        # The last zxid that anybody has seen.
        self.furthest = 0

    def new(self, name: str, timeout: int) -> Client:
        """A client without a session yet."""
        self.clients[name] = Client(name, self, timeout)
        return self.clients[name]

    def level(self) -> list[str]:
        """Pings until every client's server has what any server has shown; then all events are
        there. The names of those who have lost their connection meanwhile."""
        begun = time.monotonic()
        behind = [client for client in self.clients.values() if client.connected]
        lost: list[str] = []
        nudged = False
        while behind:
            lost += self._ping(behind)
            behind = [client for client in behind
                      if client.connected and client.seen < self.furthest]
            waited = time.monotonic() - begun
            if behind and waited > LEVEL_SECONDS:
                raise Difference(f"{self.label}: {[client.name for client in behind]} are not told"
                                 f" what others saw, for {LEVEL_SECONDS} s")
            if behind and waited > NUDGE_SECONDS and not nudged:
                nudged = True
                lost += self._nudge(behind[0])
            if behind:
                time.sleep(LEVEL_PAUSE_SECONDS)
        return lost

    def _ping(self, clients: list[Client]) -> list[str]:
        lost = []
        for client in clients:
            client.send([p.ping()])
        for client in clients:
            try:
                client.read(p.ping())
            except Lost:
                lost.append(client.name)
        return lost

    @staticmethod
    def _nudge(client: Client) -> list[str]:
        try:
            client.call(barrier())
        except Lost:
            return [client.name]
        return []


def barrier() -> p.Request:
    """A write that changes nothing: what was written before is applied when it is answered."""
    return p.delete("/nothing/at/all")
