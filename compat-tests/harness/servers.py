"""Starts and stops servers for tests: Apache ZooKeeper, Zabra, or one that runs already.

A server gets a free loopback port and a temporary data directory; `stop` ends it by its process
id and removes the directory. Use `Servers` as a context manager, so that nothing survives.
"""

import os
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
from pathlib import Path

from harness import cache
from harness.profiles import PROFILES, Profile

START_SECONDS = 90
STOP_SECONDS = 15
START_ATTEMPTS = 3


class StartError(Exception):
    """A server did not come up; the message has the end of its log."""


def free_port() -> int:
    """A port that is free now. Another program may take it first: starting is tried again."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def four_letter(port: int, word: bytes, host: str = "127.0.0.1", timeout: float = 10) -> bytes:
    """Sends a four-letter word and returns all that comes back."""
    with socket.create_connection((host, port), timeout=timeout) as link:
        link.sendall(word)
        answer = b""
        while chunk := link.recv(65536):
            answer += chunk
        return answer


def end(process: subprocess.Popen, seconds: float = STOP_SECONDS) -> bool:
    """Asks a process to end, as an operator does, and ends it by force if it takes longer; whether
    asking was enough."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(seconds)
        return True
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return False


class Server:
    """A running server."""

    def __init__(self, kind: str, profile: Profile, command):
        self.kind = kind
        self.profile = profile
        self.host = "127.0.0.1"
        self.port = 0
        self._command = command
        self._process = None
        self._directory = None

    def start(self) -> "Server":
        """Starts it and waits until it serves."""
        for attempt in range(START_ATTEMPTS):
            try:
                self._launch()
                return self
            except StartError:
                self.stop()
                if attempt == START_ATTEMPTS - 1:
                    raise
        raise AssertionError("unreachable")

    def end(self, kill: bool) -> None:
        """Ends it, by force or not, and keeps its data."""
        if kill:
            self._process.kill()
        self._end_process()

    def start_again(self) -> None:
        """Starts it with the data and the port it had, and waits until it serves."""
        self._run()

    def _launch(self) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix=f"compat-{self.kind}-"))
        self.port = free_port()
        config = self._directory / "zoo.cfg"
        keys = {"dataDir": str(self._directory / "data"), "clientPort": str(self.port),
                "clientPortAddress": self.host, "admin.enableServer": "false",
                **self.profile.keys}
        config.write_text("".join(f"{key}={value}\n" for key, value in keys.items()))
        (self._directory / "data").mkdir()
        self._run()

    def _run(self) -> None:
        command, environment = self._command(self._directory / "zoo.cfg", self.profile)
        self.log = self._directory / "log"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self._directory,
                env={**os.environ, **environment})
        self._wait_until_serving()

    def _wait_until_serving(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise StartError(f"{self.kind} ended with {self._process.returncode}:\n"
                                 + self.log_tail())
            try:
                if self._answers():
                    return
            except OSError:
                pass
            time.sleep(0.05)
        raise StartError(f"{self.kind} does not serve:\n{self.log_tail()}")

    def _answers(self) -> bool:
        """Whether a handshake is answered; it asks for a session that cannot be, so none is made."""
        request = struct.pack(">iqiqi16s?", 0, 0, 10000, 1, 16, b"", False)
        with socket.create_connection((self.host, self.port), timeout=2) as link:
            link.sendall(struct.pack(">i", len(request)) + request)
            return len(link.recv(64)) > 0

    def places(self) -> list[tuple[str, int]]:
        """Where clients connect: one place."""
        return [(self.host, self.port)]

    def plain(self, frame: bytes) -> bytes:
        """A frame without what no two servers can share: that is nothing."""
        return frame

    def log_tail(self) -> str:
        """The last lines that the server wrote."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-30:])

    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def _end_process(self) -> None:
        if self._process is not None:
            end(self._process)
        self._process = None

    def stop(self) -> None:
        """Ends the process that `start` made, and removes its data."""
        self._end_process()
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None


class External:
    """A server that somebody else started: it is used and left alone."""

    def __init__(self, host: str, port: int):
        self.kind = "external"
        self.host = host
        self.port = port

    def places(self) -> list[tuple[str, int]]:
        """Where clients connect: one place."""
        return [(self.host, self.port)]

    def plain(self, frame: bytes) -> bytes:
        """A frame without what no two servers can share: that is nothing."""
        return frame

    def running(self) -> bool:
        """Somebody else's business."""
        return True

    def stop(self) -> None:
        """Nothing to do."""


def _apache_command(config: Path, profile: Profile):
    jars = f"{cache.apache_jars()}/*"
    if profile.keys.get("admin.enableServer") == "true":
        jars += f":{cache.monitoring_jars()}/*"
    flags = [f"-D{key}={value}" for key, value in profile.flags.items()]
    return (["java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", *flags,
             "-cp", jars, "org.apache.zookeeper.server.quorum.QuorumPeerMain",
             str(config)], {})


def _zabra_command(config: Path, profile: Profile):
    flags = " ".join(f"-D{key}={value}" for key, value in profile.flags.items())
    return [str(cache.zabra_binary()), "server", str(config)], {"SERVER_JVMFLAGS": flags}


def _other_command(text: str):
    def command(config: Path, profile: Profile):
        flags = " ".join(f"-D{key}={value}" for key, value in profile.flags.items())
        return [*shlex.split(text), str(config)], {"SERVER_JVMFLAGS": flags}
    return command


class Servers:
    """The servers of one test run: at most one per target and profile, all stopped at the end.

    A target is `apache`, `zabra`, `host:port` of a running server, or a command that is given the
    path of a zoo.cfg as its last argument. A `side` keeps two servers of one target apart.
    """

    def __init__(self):
        self._running = {}

    def __enter__(self) -> "Servers":
        # A plain kill must end the servers too, so it becomes an exception.
        signal.signal(signal.SIGTERM, _interrupt)
        return self

    def __exit__(self, *_) -> None:
        for server in self._running.values():
            server.stop()
        self._running.clear()

    def get(self, target: str, profile: str = "main", side: str = ""):
        """A running server of the target, started at the first use."""
        key = (side, target, profile)
        server = self._running.get(key)
        if server is not None and server.running():
            return server
        if server is not None:
            server.stop()
        server = self._make(target, PROFILES[profile])
        self._running[key] = server
        if not isinstance(server, External):
            server.start()
        return server

    def drop(self, target: str, profile: str = "main", side: str = "") -> None:
        """Stops a server, so that the next to ask for it gets a new one with an empty tree."""
        server = self._running.pop((side, target, profile), None)
        if server is not None:
            server.stop()

    @staticmethod
    def _make(target: str, profile: Profile):
        if target == "apache":
            return Server("apache", profile, _apache_command)
        if target == "zabra":
            return Server("zabra", profile, _zabra_command)
        host, colon, port = target.rpartition(":")
        if colon and port.isdigit() and " " not in target:
            return External(host, int(port))
        return Server("other", profile, _other_command(target))


def _interrupt(_signal, _frame):
    raise KeyboardInterrupt
