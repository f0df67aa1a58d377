"""Two servers, step by step: send the same to both, wait for both, compare what they said.

After every step each open connection is pinged. A ping passes through the server's pipeline behind
everything before it, so when it is answered every watch event has arrived: no step needs to sleep.
With ensembles pings go on until every server is where the furthest one is.
"""

from differential import protocol as p
from differential.side import Side

CREDENTIALS = ("digest", b"user:password")


class Difference(Exception):
    """The two servers did not do the same."""


class Lockstep:
    """The two servers and the steps that a case is made of.

    With one server alone nothing is compared; that is for recording.
    """

    def __init__(self, *sides: Side, root: str = "", recorder=None):
        self.sides = sides
        self.root = root
        self.recorder = recorder
        self.steps = 0
        self.differences: list[str] = []

    # The start and the end of a case.

    def begin(self, root: str, guarded: bool = False) -> None:
        """Makes a new root for a case and counts zxids from there.

        Guarded servers talk to nobody who has not authenticated, not even to pings.
        """
        self.root = root
        self.differences = []
        self.steps = 0
        for side in self.sides:
            side.names.base = 1 << 62
            side.open_posts()
            side.start_turns()
        self.connect("ctl", pingable=not guarded)
        if guarded:
            self.authenticate("ctl")
        self.call("ctl", p.create(root))
        for side in self.sides:
            side.names.base = side.last_zxid
            side.lines.clear()
        # What went before counts from somewhere else and says nothing.
        self.differences = []

    def end(self) -> None:
        """Closes every session that may live, so that none expires within a later case."""
        for side in self.sides:
            side.close_posts()
            for connection in side.connections.values():
                connection.close()
            for name in list(side.sessions):
                self._close_quietly(side, name)
            side.connections.clear()
            side.sessions.clear()
            side.lines.clear()

    @staticmethod
    def _close_quietly(side: Side, session: str) -> None:
        try:
            side.send_connect("end", timeout=4000, session=session, password=None, seen=None,
                              read_only=0, version=0, more=b"")
            side.read_connect("end", session)
            connection = side.connections["end"]
            if connection.established:
                connection.send(side, p.auth(*CREDENTIALS), p.close_session())
                side.read_until_end(connection)
            connection.close()
        except OSError:
            # The server is gone; the next case says so.
            pass

    # Steps.

    def connect(self, name: str, *, timeout: int = 30000, session: str | None = None,
                password: bytes | None = None, seen: int | None = None,
                read_only: int | None = 0, version: int = 0, more: bytes = b"",
                pingable: bool = True, at: int | None = None) -> None:
        """Opens a connection, with a new session or with that of another name; in an ensemble to
        the server of the number `at`, or the next one in turn."""
        for side in self.sides:
            side.send_connect(name, timeout=timeout, session=session, password=password, at=at,
                              seen=seen, read_only=read_only, version=version, more=more)
            side.connections[name].pingable = pingable
        for side in self.sides:
            side.read_connect(name, session or name)
        again = f" session of {session}" if session else ""
        where = f" at server {at}" if at else ""
        self._finish(f"{name} connects{again}{where} timeout={timeout} seen={seen}")

    def reconnect(self, name: str, **options) -> None:
        """Drops the connection without closing the session, and takes the session up again."""
        self.connect(name, session=name, **options)

    def authenticate(self, name: str) -> None:
        """Sends credentials; from then on the connection can be pinged on any server."""
        self.call(name, p.auth(*CREDENTIALS))
        for side in self.sides:
            side.connections[name].pingable = True

    def drop(self, *names: str) -> None:
        """Closes connections at our end; their sessions live on."""
        for side in self.sides:
            for name in names:
                side.connections[name].close()

    def call(self, name: str, *requests: p.Request, sort_events: bool = False) -> None:
        """Sends requests, all at once, and waits for every reply.

        ZooKeeper handles auth and sasl when it reads them, perhaps before what was sent ahead of
        them: so these may only come first, or two servers alike would differ.
        """
        inline = [request.op in (p.AUTH, p.SASL) for request in requests]
        assert inline == sorted(inline, reverse=True), "auth must come first"
        for side in self.sides:
            side.connections[name].send(side, *requests)
        for side in self.sides:
            side.read_replies(side.connections[name])
        self._finish(f"{name}: " + " | ".join(request.label for request in requests), sort_events)

    def each(self, name: str, *requests: p.Request) -> None:
        """Sends requests one by one, each when the one before is answered."""
        for request in requests:
            self.call(name, request)

    def together(self, requests: dict[str, p.Request]) -> None:
        """Each connection sends one request; the replies are read only when all are sent.

        Only for requests whose outcome does not depend on the order between connections.
        """
        for side in self.sides:
            for name, request in requests.items():
                side.connections[name].send(side, request)
        for side in self.sides:
            for name in requests:
                side.read_replies(side.connections[name])
        self._finish("together: " + ", ".join(f"{name}: {request.label}"
                                              for name, request in requests.items()))

    def relay(self, writer: str, writes: list[p.Request], reader: str,
              reads: list[p.Request]) -> None:
        """One connection writes; when it is answered another one reads behind a sync.

        Nothing but the sync makes what the reader's server answers certain. It must not be the
        leader: Apache ZooKeeper's answers a sync before it has applied all that it has committed.
        """
        for side in self.sides:
            side.connections[writer].send(side, *writes)
            side.read_replies(side.connections[writer])
            side.connections[reader].send(side, p.sync("/"), *reads)
            side.read_replies(side.connections[reader])
        self._finish(f"{writer}: " + " | ".join(request.label for request in writes)
                     + f"; then {reader}: sync | " + " | ".join(one.label for one in reads))

    def close(self, name: str) -> None:
        """Closes the session; the events of its ephemerals come in no certain order."""
        for side in self.sides:
            side.connections[name].send(side, p.close_session())
        for side in self.sides:
            side.read_until_end(side.connections[name])
            side.sessions.pop(name, None)
        self._finish(f"{name} closes its session", sort_events=True)

    def call_and_end(self, name: str, *requests: p.Request) -> None:
        """Sends requests after which the server is to close the connection."""
        for side in self.sides:
            side.connections[name].send(side, *requests)
        for side in self.sides:
            side.read_until_end(side.connections[name])
        self._finish(f"{name}: " + " | ".join(request.label for request in requests))

    def dial(self, name: str) -> None:
        """Opens a connection and sends nothing."""
        for side in self.sides:
            side.dial(name)

    def send_bytes(self, name: str, data: bytes, replies: int = 0, ends: bool = False) -> None:
        """Sends bytes as they are; then reads so many frames, or until the end."""
        for side in self.sides:
            side.connections[name].send_bytes(data)
        for side in self.sides:
            connection = side.connections[name]
            side.read_frames(connection, replies)
            if ends:
                side.read_until_end(connection)
        self._finish(f"{name} sends {data[:40].hex()}{'...' if len(data) > 40 else ''}")

    def connect_with(self, name: str, data: bytes) -> None:
        """Opens a connection and sends these bytes as its handshake."""
        self.dial(name)
        for side in self.sides:
            side.connections[name].send_bytes(data)
        for side in self.sides:
            side.read_connect(name, name)
        self._finish(f"{name} connects with {data.hex()}")

    def connect_again(self, name: str, request: p.Request) -> None:
        """Sends a request that is answered like a handshake."""
        for side in self.sides:
            side.connections[name].send(side, request)
            side.connections[name].pending.clear()
        for side in self.sides:
            side.read_connect(name, name)
        self._finish(f"{name}: {request.label}")

    def listen(self, name: str, seconds: float) -> None:
        """Says what comes within a time."""
        for side in self.sides:
            side.read_for(side.connections[name], seconds)
        self._finish(f"{name} listens {seconds} s")

    def await_event(self, name: str, seconds: float = 30) -> None:
        """Waits for an event that comes with time, such as the end of a session.

        Nothing is pinged, as the next such thing may have happened or not.
        """
        for side in self.sides:
            side.read_until_event(side.connections[name], seconds)
        self._finish(f"{name} awaits an event", ping=False)

    def await_end(self, name: str, seconds: float = 30) -> None:
        """Waits until the server closes the connection."""
        for side in self.sides:
            side.read_until_end(side.connections[name], seconds)
        self._finish(f"{name} awaits the end", ping=False)

    def restart(self, kill: bool = False) -> None:
        """Restarts both servers with their data; every connection is lost, sessions are not."""
        for side in self.sides:
            for connection in side.connections.values():
                connection.close()
        # Both end before either starts: sessions that nobody pings live on in a server that runs,
        # and expire there while the other one takes its time. They do not age while it is down.
        for side in self.sides:
            side.server.end(kill)
        for side in self.sides:
            side.server.start_again()
            side.open_posts()
        self._finish("the servers are killed and started" if kill else "the servers restart")

    def let_ping(self, pingable: bool) -> None:
        """Whether steps ping the connections that are open now."""
        for side in self.sides:
            for connection in side.connections.values():
                connection.pingable = pingable

    def fence(self) -> None:
        """Reads what has happened on every connection."""
        self._finish("fence")

    def compare(self, what: str, value) -> None:
        """Compares `value(side)` of both."""
        for side in self.sides:
            side.say(f"{what}: {value(side)}")
        self._finish(what)

    # Comparing.

    def _finish(self, label: str, sort_events: bool = False, ping: bool = True) -> None:
        asked = [side.send_pings(ping) for side in self.sides]
        for side, connections in zip(self.sides, asked, strict=True):
            side.read_pings(connections)
        self.steps += 1
        said = [self._arranged(side.lines, sort_events) for side in self.sides]
        for side in self.sides:
            side.lines.clear()
        if self.recorder is not None:
            self.recorder(self.steps, label, said)
        if said[0] != said[-1]:
            self.differences.append(self._describe(label, said))

    def _describe(self, label: str, said: list[list[str]]) -> str:
        text = [f"step {self.steps}: {label}"]
        # Pongs are shown only where nothing else differs.
        replies = [[line for line in lines if f" xid={p.PING_XID} " not in line]
                   for lines in said]
        shown = replies if replies[0] != replies[1] else said
        for side, lines, other in zip(self.sides, shown, reversed(shown), strict=True):
            text.append(f"  {side.label}:")
            text += [f"    {'  ' if line in other else '! '}{line}" for line in lines]
        return "\n".join(text)

    @staticmethod
    def _arranged(lines: list[str], sort_events: bool) -> list[str]:
        """The lines by connection, each connection's in the order they came."""
        lines = sorted(lines, key=lambda line: line.split(" ", 1)[0])
        if not sort_events:
            return lines
        arranged: list[str] = []
        run: list[str] = []
        for line in lines:
            if " event " in line and (not run or run[0].split(" ")[0] == line.split(" ")[0]):
                run.append(line)
                continue
            arranged += sorted(run)
            run = []
            if " event " in line:
                run.append(line)
            else:
                arranged.append(line)
        return arranged + sorted(run)
