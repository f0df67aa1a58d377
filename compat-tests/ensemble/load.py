"""Clients that write all the time, and remember everything that they were told.

Every session has the addresses of all servers. A request is repeated only where kazoo's own retry
does so: after the loss of its connection, or a timeout. Anything else that goes wrong is a failure.
"""

import random
import threading
import time
from collections import Counter

from kazoo.client import KazooClient
from kazoo.exceptions import BadVersionError, ConnectionLoss, NoNodeError, OperationTimeoutError
from kazoo.protocol.states import KazooState
from kazoo.security import OPEN_ACL_UNSAFE, make_digest_acl

# What kazoo's KazooRetry repeats.
RETRIED = (ConnectionLoss, OperationTimeoutError)
RETRY = {"max_tries": -1, "delay": 0.05, "backoff": 1.5, "max_delay": 0.3}
SESSION_SECONDS = 30.0
# Between two requests of a session: enough to write all the time, and trees stay small.
PAUSE_SECONDS = 0.004
END_SECONDS = 60


def client(addresses: str, **more) -> KazooClient:
    """A kazoo client that goes on trying to connect."""
    return KazooClient(addresses, timeout=SESSION_SECONDS, connection_retry=dict(RETRY),
                       command_retry=dict(RETRY), **more)


class Writer(threading.Thread):
    """One session. What it was told is in `created` and `counter`; what went wrong in `failures`."""

    def __init__(self, load: "Load", number: int):
        super().__init__(name=f"writer {number}", daemon=True)
        self.number = number
        self.root = f"/load/{number}"
        self.created = {}
        self.counter = (b"", -1)
        self.seen_version = -1
        self.acknowledged = 0
        self.errors = Counter()
        self.failures = []
        self.resting = False
        self.reconnects = 0
        # The longest time between two acknowledged writes, and when it ended.
        self.gap = (0.0, 0.0)
        self._last = None
        self._load = load
        self.client = client(load.addresses)
        self.session = None

    def open(self) -> None:
        """Connects and creates what it works on."""
        self.client.start(timeout=60)
        self.session = self.client.client_id
        self.client.add_listener(self._hear)
        self.again("ensure", lambda: self.client.ensure_path(self.root))
        self.again("counter", lambda: self.client.create(f"{self.root}/counter", b""))
        self.counter = (b"", 0)
        acl = OPEN_ACL_UNSAFE + [make_digest_acl(f"user{self.number}", "secret", read=True)]
        self.again("acl", lambda: self.client.create(f"{self.root}/guarded", b"g", acl=acl))
        self.again("ephemeral", lambda: self.client.create(self.ephemeral(), ephemeral=True))

    def watch(self, neighbour: "Writer") -> None:
        """Watches another writer's counter, whose version must never go back."""
        @self.client.DataWatch(f"{neighbour.root}/counter")
        def _see(_data, stat):
            if stat is None:
                self.failures.append("a counter vanished")
            elif stat.version < self.seen_version:
                self.failures.append(f"version {stat.version} seen after {self.seen_version}")
            else:
                self.seen_version = stat.version

    def ephemeral(self) -> str:
        """The znode that lives as long as the session."""
        return f"{self.root}/ephemeral"

    def _hear(self, state) -> None:
        if state == KazooState.LOST and not self._load.over:
            self.failures.append(f"session 0x{self.session[0]:x} lost")
        if state == KazooState.CONNECTED:
            self.reconnects += 1

    def run(self) -> None:
        """Writes until the load ends."""
        dice = random.Random(self.number)
        try:
            while not self._load.stopping:
                self.resting = not self._load.running.is_set()
                self._load.running.wait()
                self.resting = False
                self._step(dice.random())
                time.sleep(PAUSE_SECONDS)
        except Exception as error:  # every other error is one that no client library repeats
            self.failures.append(f"{type(error).__name__}: {error}")

    def _step(self, dice: float) -> None:
        if dice < 0.45:
            self._create()
        elif dice < 0.85:
            self._set_counter()
        elif dice < 0.92:
            self._come_and_go()
        else:
            self._look_after_the_ephemeral()

    def _create(self) -> None:
        data = b"%d-%d" % (self.number, len(self.created))
        path = self.again("create", lambda: self.client.create(
            f"{self.root}/n-", data, sequence=True))
        self.created[path] = data
        self._written()

    def _set_counter(self) -> None:
        data, version = self.counter
        path, wanted = f"{self.root}/counter", b"%d" % (version + 1)
        while True:
            try:
                stat = self.client.set(path, wanted, version)
                break
            except RETRIED as error:
                self._lost("set", error)
            except BadVersionError:
                # Right only if an attempt without an answer did it.
                found, stat = self.again("get", lambda: self.client.get(path))
                if found == wanted and stat.version == version + 1:
                    break
                raise AssertionError(f"{path} is {found} {stat.version}, not {data} {version}") \
                    from None
        if stat.version != version + 1:
            raise AssertionError(f"{path}: version {stat.version} after {version}")
        self.counter = (wanted, stat.version)
        self._written()

    def _come_and_go(self) -> None:
        path = self.again("create", lambda: self.client.create(
            f"{self.root}/come-", ephemeral=True, sequence=True))
        try:
            self.again("delete", lambda: self.client.delete(path))
        except NoNodeError:
            # An attempt without an answer did it.
            if not self.errors["delete ConnectionLoss"]:
                raise
        self._written()

    def _look_after_the_ephemeral(self) -> None:
        stat = self.again("exists", lambda: self.client.exists(self.ephemeral()))
        if stat is None or stat.ephemeralOwner != self.session[0]:
            raise AssertionError(f"{self.ephemeral()} vanished: {stat}")

    def again(self, what: str, call):
        """Repeats a request as kazoo's retry would."""
        while True:
            try:
                return call()
            except RETRIED as error:
                self._lost(what, error)

    def _lost(self, what: str, error: Exception) -> None:
        self.errors[f"{what} {type(error).__name__}"] += 1
        if self._load.abandoned:
            raise error
        time.sleep(0.02)

    def _written(self) -> None:
        now = time.monotonic()
        self.acknowledged += 1
        if self._last is not None and now - self._last > self.gap[0]:
            self.gap = (now - self._last, now)
        self._last = now


class Load:
    """Several writers, numbered from `first` on. Use as a context manager; `finish` before the servers are compared."""

    def __init__(self, addresses: str, sessions: int = 4, first: int = 0):
        self.addresses = addresses
        self.stopping = False
        self.abandoned = False
        self.over = False
        self.running = threading.Event()
        self.running.set()
        self.writers = [Writer(self, first + number) for number in range(sessions)]

    def __enter__(self) -> "Load":
        for writer in self.writers:
            writer.open()
        for writer, neighbour in zip(self.writers, self.writers[1:] + self.writers[:1]):
            writer.watch(neighbour)
        for writer in self.writers:
            writer.start()
        return self

    def __exit__(self, *_) -> None:
        self.abandoned = self.stopping = self.over = True
        self.running.set()
        for writer in self.writers:
            writer.client.stop()
            writer.client.close()

    def acknowledged(self) -> int:
        """Writes that were acknowledged so far."""
        return sum(writer.acknowledged for writer in self.writers)

    def go_on(self, writes: int = 200, seconds: float = 60) -> None:
        """Waits until every session has had so many more writes acknowledged."""
        wanted = {writer: writer.acknowledged + writes // len(self.writers)
                  for writer in self.writers}
        deadline = time.monotonic() + seconds
        while any(writer.acknowledged < number for writer, number in wanted.items()):
            failures = self.failures()
            if failures:
                raise AssertionError("\n".join(failures))
            if time.monotonic() > deadline:
                raise AssertionError(f"no {writes} writes within {seconds} seconds: "
                                     + str([writer.acknowledged for writer in self.writers]))
            time.sleep(0.02)

    def pause(self) -> None:
        """Lets the writers rest, each with nothing under way."""
        self.running.clear()
        deadline = time.monotonic() + END_SECONDS
        while not all(writer.resting or not writer.is_alive() for writer in self.writers):
            if time.monotonic() > deadline:
                raise AssertionError("a request was not answered")
            time.sleep(0.01)

    def resume(self) -> None:
        """Lets them go on."""
        self.running.set()

    def failures(self) -> list[str]:
        """Everything that went wrong so far."""
        return [f"{writer.name}: {failure}" for writer in self.writers
                for failure in writer.failures]

    def errors(self) -> Counter:
        """What was repeated, by request and error."""
        return sum((writer.errors for writer in self.writers), Counter())

    def finish(self) -> None:
        """Ends the writing; the sessions stay. Fails if anything went wrong."""
        self.stopping = True
        self.running.set()
        for writer in self.writers:
            writer.join(END_SECONDS)
            if writer.is_alive():
                writer.failures.append("a request was not answered")
        failures = self.failures()
        if failures:
            raise AssertionError("\n".join(failures))
        # Every watch has seen the last version.
        deadline = time.monotonic() + END_SECONDS
        for writer, neighbour in zip(self.writers, self.writers[1:] + self.writers[:1]):
            while writer.seen_version < neighbour.counter[1]:
                if time.monotonic() > deadline:
                    raise AssertionError(f"{writer.name} saw version {writer.seen_version} of "
                                         f"{neighbour.counter[1]}")
                time.sleep(0.02)

    def summary(self) -> str:
        """One line for people."""
        gap = max(writer.gap[0] for writer in self.writers)
        repeated = ", ".join(f"{count} {name}" for name, count in sorted(self.errors().items()))
        return (f"{self.acknowledged()} writes, {len(self.writers)} sessions, longest pause "
                f"{gap:.1f} s, repeated: {repeated or 'nothing'}")
