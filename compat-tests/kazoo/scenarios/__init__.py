"""The scenarios, and what they share. A scenario is a function of a `World`; it asserts."""

import importlib
import socket
import threading
import time
import uuid
import zlib
from contextlib import contextmanager

from kazoo.client import KazooClient

WAIT_SECONDS = 30
MODULES = ["znodes", "access", "transactions", "watching", "sessions", "recipes", "contested",
           "large", "killing"]
SUPER = "super:secret"

_scenarios = []


def scenario(function):
    """Registers a scenario; its name is that of the function."""
    _scenarios.append((function.__name__.replace("_", "-"), function))
    return function


def chosen(only: str):
    """The scenarios whose name has the text, in the order of the modules."""
    for module in MODULES:
        importlib.import_module(f"scenarios.{module}")
    return [(name, function) for name, function in _scenarios if only in name]


@contextmanager
def raises(kind):
    """Asserts that the block raises exactly this exception of kazoo."""
    try:
        yield
    except kind as error:
        assert type(error) is kind, f"{type(error).__name__} instead of {kind.__name__}"
    else:
        raise AssertionError(f"{kind.__name__} was not raised")


def eventually(condition, what: str) -> None:
    """Waits until the condition holds: the order of events is the server's, the delay is not."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(0.01)


class World:
    """What a scenario has: a server, an own path, and clients that are closed after it."""

    def __init__(self, addresses: str, name: str, quick: bool):
        self.addresses = addresses
        # Clients of one scenario see the same server, unless it is about several.
        servers = addresses.split(",")
        self.address = servers[zlib.crc32(name.encode()) % len(servers)]
        self.quick = quick
        self.root = f"/kazoo-{name}-{uuid.uuid4().hex[:8]}"
        self._clients = []
        self._threads = []

    def client(self, timeout: float = 10, start: bool = True, chroot: str = "", hosts: str = "",
               **options):
        """A new client, started unless said otherwise."""
        client = KazooClient(hosts=(hosts or self.address) + chroot, timeout=timeout, **options)
        self._clients.append(client)
        if start:
            client.start(timeout=WAIT_SECONDS)
        return client

    def rooted(self, **options):
        """A new client, and the path of this scenario, which exists."""
        client = self.client(**options)
        client.ensure_path(self.root)
        return client, self.root

    def background(self, function, *arguments) -> "Background":
        """Runs the function beside the scenario; `result()` waits for what it returns."""
        thread = Background(function, arguments)
        thread.start()
        return thread

    def close(self) -> None:
        """Ends the sessions of this scenario."""
        for client in self._clients:
            try:
                client.stop()
                client.close()
            except Exception:  # a client that the scenario broke on purpose
                pass


class Background(threading.Thread):
    """A thread whose failure is not lost."""

    def __init__(self, function, arguments):
        super().__init__(daemon=True)
        self._function = function
        self._arguments = arguments
        self._error = None
        self._value = None

    def run(self):
        try:
            self._value = self._function(*self._arguments)
        except BaseException as error:  # handed to whoever asks for the result
            self._error = error

    def result(self):
        """What the function returned, or raises what it raised."""
        self.join(WAIT_SECONDS)
        assert not self.is_alive(), "still running"
        if self._error is not None:
            raise self._error
        return self._value


def cut(client) -> None:
    """Breaks the connection of a client under it, as a failing network would."""
    client._connection._socket.shutdown(socket.SHUT_RDWR)
