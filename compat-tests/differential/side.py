"""One of the two servers, or of the two ensembles: the connections to it and what its values are
called."""

import select
import socket
import struct
import time

from differential import decode
from differential import protocol as p
from differential.jute import Reader, Truncated, boolean, buffer, int32, int64

PASSWORD_SEED = 0xB3415C00
REPLY_SECONDS = 15
POST_TIMEOUT_MS = 40000
LEVEL_PAUSE_SECONDS = 0.002


def password_of(session: int) -> bytes:
    """The password that ZooKeeper gives a session: 16 bytes of java.util.Random."""
    mask = (1 << 48) - 1
    state = ((session & (1 << 64) - 1) ^ PASSWORD_SEED ^ 0x5DEECE66D) & mask
    words = []
    for _ in range(4):
        state = (state * 0x5DEECE66D + 0xB) & mask
        words.append(struct.pack("<I", state >> 16 & 0xFFFFFFFF))
    return b"".join(words)


class Connection:
    """One TCP connection, before and after its handshake."""

    def __init__(self, name: str, address, tap=None):
        self.name = name
        # Told of every frame: direction, name of the connection, bytes.
        self._tap = tap
        self.socket = socket.socket()
        self.socket.settimeout(REPLY_SECONDS)
        # The number of its server.
        self.at = 1
        self.open = True
        self.established = False
        # Whether its server knows all the watches of the session.
        self.told = False
        # Whether a ping may be used to find out that everything before it has arrived.
        self.pingable = True
        self.pending: list[tuple[int, int]] = []
        # The zxid of the last ping that asks how far the server is, and what was to say of it.
        self.fencing = False
        self.level = 0
        self.pong = ""
        self._next_xid = 1
        self._received = b""
        try:
            self.socket.connect(address)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except ConnectionRefusedError:
            raise
        except OSError:
            # Accepted and closed at once, before we got here: that shows when reading.
            pass

    def send_bytes(self, data: bytes) -> None:
        """Sends as it is. That the other end is gone shows when reading."""
        if self._tap is not None:
            self._tap(">", self.name, data)
        try:
            self.socket.sendall(data)
        except OSError:
            pass

    def send(self, side, *requests: p.Request) -> None:
        """Sends requests in one piece and remembers what replies to expect."""
        data = b""
        for request in requests:
            xid = request.xid
            if xid is None:
                xid = self._next_xid
                self._next_xid += 1
            body = int32(xid) + int32(request.op) + request.encode(side)
            data += int32(len(body)) + body
            # A ping is answered under its own number, whatever it was sent with.
            self.pending.append((p.PING_XID if request.op == p.PING else xid, request.op))
        self.send_bytes(data)

    def frame(self, seconds: float = REPLY_SECONDS) -> bytes | None:
        """The next frame; None if the connection has ended. Raises TimeoutError."""
        deadline = time.monotonic() + seconds
        while self.open:
            if len(self._received) >= 4:
                length = struct.unpack(">i", self._received[:4])[0]
                if len(self._received) >= 4 + length:
                    frame = self._received[4:4 + length]
                    self._received = self._received[4 + length:]
                    if self._tap is not None:
                        self._tap("<", self.name, frame)
                    return frame
            chunk = self._more(deadline)
            if not chunk:
                self.close()
                return None
            self._received += chunk
        return None

    def _more(self, deadline: float) -> bytes:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([self.socket], [], [], left)[0]:
            raise TimeoutError
        try:
            return self.socket.recv(1 << 20)
        except OSError:
            return b""

    def close(self) -> None:
        """Closes our end."""
        self.open = False
        self.established = False
        self.socket.close()


class Side:
    """A server under comparison, or an ensemble: each new connection goes to its next server."""

    def __init__(self, label: str, server, tap=None):
        self.label = label
        self.server = server
        self._tap = tap
        self.names = decode.Names()
        self.connections: dict[str, Connection] = {}
        # Session name -> (id, password) of every session that may still live.
        self.sessions: dict[str, tuple[int, bytes]] = {}
        self.last_zxid = 0
        self.lines: list[str] = []
        # How many connections of the case have chosen their server by turns.
        self._turns = 0
        # A connection to each server of an ensemble, that tells how far it is.
        self._posts: list[Connection] = []

    @property
    def base(self) -> int:
        """The zxid from which a case counts."""
        return self.names.base

    def say(self, line: str) -> None:
        """Adds a line to what this step showed."""
        self.lines.append(line)

    # Connecting.

    def dial(self, name: str, at: int | None = None) -> Connection:
        """Opens a connection without a handshake, to the server of this number or the next one."""
        old = self.connections.get(name)
        if old is not None and old.open:
            old.close()
        places = self.server.places()
        if at is None:
            at = self._turns % len(places) + 1
            self._turns += 1
        connection = Connection(name, places[(at - 1) % len(places)], self._tap)
        connection.at = at
        self.connections[name] = connection
        return connection

    def send_connect(self, name: str, *, timeout: int, session: str | None, password: bytes | None,
                     seen: int | None, read_only: int | None, version: int, more: bytes,
                     at: int | None = None) -> None:
        """Sends a ConnectRequest; `read_only` None leaves the byte out."""
        connection = self.dial(name, at)
        identity = (0, bytes(16)) if session is None else self.sessions[session]
        body = (int32(version) + int64(0 if seen is None else self.base + seen) + int32(timeout)
                + int64(identity[0]) + buffer(identity[1] if password is None else password)
                + (b"" if read_only is None else boolean(read_only)) + more)
        connection.send_bytes(int32(len(body)) + body)

    def read_connect(self, name: str, session: str) -> None:
        """Reads the ConnectResponse and says what it is."""
        connection = self.connections[name]
        frame = self._frame(connection)
        if frame is None:
            return
        try:
            self._connected(connection, session, frame)
        except Truncated:
            self.say(f"{name} undecodable connect reply {frame.hex()}")

    def _connected(self, connection: Connection, session: str, frame: bytes) -> None:
        reader = Reader(frame)
        version, timeout, identity = reader.int32(), reader.int32(), reader.int64()
        password = reader.buffer()
        read_only = reader.rest().hex()
        if identity == 0:
            kind = "zero" if password == bytes(16) else repr(password)
        else:
            kind = "derived" if password == password_of(identity) else "not derived"
        if timeout > 0:
            connection.established = True
            self.sessions[session] = (identity, password)
            self.names.sessions[identity] = session
        self.say(f"{connection.name} connected version={version} timeout={timeout}"
                 f" session={self.names.session(identity)} password={kind}"
                 f" readonly={read_only or 'absent'}")
        if timeout <= 0:
            self.expect_end(connection)

    # Reading.

    def _frame(self, connection: Connection, seconds: float = REPLY_SECONDS) -> bytes | None:
        try:
            frame = connection.frame(seconds)
        except TimeoutError:
            self.say(f"{connection.name} silent for {seconds} s")
            connection.pending.clear()
            return None
        if frame is None:
            self.say(f"{connection.name} closed by the server")
            connection.pending.clear()
        return frame

    def expect_end(self, connection: Connection) -> None:
        """Says what still comes until the server closes."""
        while (frame := self._frame(connection)) is not None:
            self.say(f"{connection.name} unexpected frame {frame.hex()}")

    def read_replies(self, connection: Connection) -> None:
        """Says events and replies until all that was asked is answered."""
        while connection.pending and (frame := self._frame(connection)) is not None:
            self._show(connection, frame)

    def read_frames(self, connection: Connection, count: int) -> None:
        """Says so many frames as they are."""
        for _ in range(count):
            frame = self._frame(connection)
            if frame is None:
                return
            self.say(f"{connection.name} frame {frame.hex()}")

    def read_for(self, connection: Connection, seconds: float) -> None:
        """Says what comes within a time; nothing is fine."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0 and connection.open:
            try:
                frame = connection.frame(left)
            except TimeoutError:
                return
            if frame is None:
                self.say(f"{connection.name} closed by the server")
            else:
                self._show(connection, frame)

    def read_until_event(self, connection: Connection, seconds: float) -> None:
        """Says what comes until there is an event, or the connection ends."""
        while (frame := self._frame(connection, seconds)) is not None:
            self._show(connection, frame)
            if frame[:4] == int32(-1):
                return

    def read_until_end(self, connection: Connection, seconds: float = REPLY_SECONDS) -> None:
        """Says what comes until the server closes."""
        while (frame := self._frame(connection, seconds)) is not None:
            self._show(connection, frame)

    def _show(self, connection: Connection, frame: bytes) -> None:
        name = connection.name
        try:
            reader = Reader(self.server.plain(frame))
            xid, zxid, err = reader.int32(), reader.int64(), reader.int32()
            self.last_zxid = max(self.last_zxid, zxid)
            if xid == -1 and not any(pending[0] == -1 for pending in connection.pending):
                self.say(f"{name} {decode.event(reader, self.names, zxid, err)}")
                return
            op = self._answered(connection, xid)
            shown = decode.body(op, reader.rest(), self.names) if op is not None else " unasked"
            line = f"{name} xid={xid} zxid={self.names.zxid(zxid)} err={err}{shown}"
            if xid == p.PING_XID and connection.fencing:
                connection.level, connection.pong = zxid, line
            else:
                self.say(line)
        except Truncated:
            self.say(f"{name} undecodable frame {frame.hex()}")

    @staticmethod
    def _answered(connection: Connection, xid: int) -> int | None:
        for at, (pending, op) in enumerate(connection.pending):
            if pending == xid:
                # An auth reply may overtake; any other reply out of order is a fault, which shows
                # because the lines come in another order.
                del connection.pending[at]
                return op
        return None

    # Fences.

    def send_pings(self, everyone: bool = True) -> list[Connection]:
        """Asks every connection for a ping; its answer comes after all that happened before.

        Else only the servers of an ensemble are asked how far they are, which the case cannot see.
        """
        asked = [connection for _, connection in sorted(self.connections.items())
                 if everyone and connection.established and connection.pingable]
        for connection in [*asked, *self._posts]:
            self._ask_level(connection)
        return asked

    def read_pings(self, connections: list[Connection]) -> None:
        """Reads what happened on these connections; see `send_pings`.

        The servers of an ensemble apply the same changes at different times. A ping is answered
        with the zxid of the last one, so all are pinged until all have what any of them has.
        """
        waiting = [*connections, *self._posts]
        for connection in waiting:
            self.read_replies(connection)
        if self._posts:
            self._level(waiting)
        for connection in waiting:
            connection.fencing = False
        for connection in connections:
            if connection.pong:
                self.say(connection.pong)

    def _ask_level(self, connection: Connection) -> None:
        connection.fencing = True
        connection.pong = ""
        connection.send(self, p.ping())

    def _level(self, connections: list[Connection]) -> None:
        deadline = time.monotonic() + REPLY_SECONDS
        while behind := [connection for connection in connections
                         if connection.open and connection.level < self.last_zxid]:
            if time.monotonic() > deadline:
                self.say("fence: servers do not come level")
                return
            time.sleep(LEVEL_PAUSE_SECONDS)
            for connection in behind:
                self._ask_level(connection)
                self.read_replies(connection)

    # Posts.

    def start_turns(self) -> None:
        """From here on, connections go to the first server, the second and so on."""
        self._turns = 0

    def open_posts(self) -> None:
        """Connects to every server of an ensemble, to learn how far each is.

        After a restart the sessions are taken up again: one left behind would expire within a case.
        """
        places = self.server.places()
        if len(places) == 1:
            return
        self._posts = []
        for number in range(1, len(places) + 1):
            name = f"post{number}"
            self.send_connect(name, timeout=POST_TIMEOUT_MS, password=None, seen=None, at=number,
                              session=name if name in self.sessions else None, read_only=0,
                              version=0, more=b"")
            self.read_connect(name, name)
            self._posts.append(self.connections.pop(name))
        # Behind an election followers are level with their leader only after the first change.
        self._posts[0].send(self, p.delete("/nothing"))
        self.read_replies(self._posts[0])
        self.lines.clear()

    def close_posts(self) -> None:
        """Ends the connections to every server; their sessions are closed like any other."""
        for connection in self._posts:
            connection.close()
        self._posts = []
