"""A connection that says exactly what it is told to: what no client library lets one do."""

import socket
import struct

CREATE, DELETE, EXISTS, SET_DATA, SYNC, PING = 1, 2, 3, 5, 9, 11
SET_WATCHES, CLOSE = 101, -11
EVENT_XID, PING_XID, SET_WATCHES_XID = -1, -2, -8
PERSISTENT, EPHEMERAL, SEQUENTIAL = 0, 1, 2
SESSION_MOVED, SESSION_EXPIRED = -118, -112
NO_PASSWORD = bytes(16)


def text(value: str | bytes) -> bytes:
    """A string or a buffer of a record."""
    data = value.encode() if isinstance(value, str) else value
    return struct.pack(">i", len(data)) + data


def texts(values: list[str]) -> bytes:
    """A list of strings."""
    return struct.pack(">i", len(values)) + b"".join(map(text, values))


class Refused(OSError):
    """There is no such session, or not with this password."""


class Raw:
    """A connection with a session."""

    def __init__(self, port: int, session: int = 0, password: bytes = NO_PASSWORD,
                 timeout_ms: int = 30000, patience: float = 10):
        self.link = socket.create_connection(("127.0.0.1", port), timeout=patience)
        self.link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.zxid = 0
        self.events = []
        self._xid = 0
        try:
            self._send(struct.pack(">iqiq", 0, 0, timeout_ms, session) + text(password) + b"\0")
            reply = self._receive()
        except OSError:
            self.cut()
            raise
        self.timeout_ms, self.session = struct.unpack(">iq", reply[4:16])
        self.password = reply[20:36]
        if self.session == 0:
            self.cut()
            raise Refused("no such session")

    def __enter__(self) -> "Raw":
        return self

    def __exit__(self, *_) -> None:
        self.cut()

    def cut(self) -> None:
        """Ends the connection; the session does not hear of it."""
        self.link.close()

    def call(self, op: int, body: bytes = b"", xid: int | None = None) -> tuple[int, bytes]:
        """A request: the error code and the body of the reply. Events on the way are kept."""
        if xid is None:
            self._xid += 1
            xid = self._xid
        self._send(struct.pack(">ii", xid, op) + body)
        while True:
            reply = self._receive()
            got, zxid, error = struct.unpack(">iqi", reply[:16])
            if got == EVENT_XID:
                self.events.append(reply[28:].decode())
                continue
            if got != xid:
                raise AssertionError(f"a reply to {got} where {xid} was asked")
            self.zxid = max(self.zxid, zxid)
            return error, reply[16:]

    def create(self, path: str, data: bytes = b"", flags: int = PERSISTENT) -> int:
        """The error code."""
        acl = struct.pack(">ii", 1, 31) + text("world") + text("anyone")
        return self.call(CREATE, text(path) + text(data) + acl + struct.pack(">i", flags))[0]

    def set_data(self, path: str, data: bytes) -> int:
        """The error code."""
        return self.call(SET_DATA, text(path) + text(data) + struct.pack(">i", -1))[0]

    def exists(self, path: str, watch: bool = False) -> int:
        """The owner of a znode, 0 for one that is not ephemeral, -1 if there is none."""
        error, body = self.call(EXISTS, text(path) + bytes([watch]))
        return struct.unpack(">q", body[44:52])[0] if error == 0 else -1

    def sync(self, path: str) -> int:
        """The error code."""
        return self.call(SYNC, text(path))[0]

    def ping(self) -> None:
        """What keeps a session alive."""
        self.call(PING, xid=PING_XID)

    def set_watches(self, since: int, paths: list[str]) -> None:
        """Watches the data of paths again, of which it saw the last at a zxid."""
        body = struct.pack(">q", since) + texts(paths) + texts([]) + texts([])
        error, _ = self.call(SET_WATCHES, body, SET_WATCHES_XID)
        assert error == 0, error

    def close(self) -> None:
        """Ends the session."""
        self.call(CLOSE)
        self.cut()

    def _send(self, body: bytes) -> None:
        self.link.sendall(struct.pack(">i", len(body)) + body)

    def _receive(self) -> bytes:
        length, = struct.unpack(">i", self._exactly(4))
        return self._exactly(length)

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            chunk = self.link.recv(count - len(data))
            if not chunk:
                raise ConnectionResetError("closed")
            data += chunk
        return data
