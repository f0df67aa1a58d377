"""Ensembles for tests, of Apache ZooKeeper 3.9.5, Debian's 3.8.0 and Zabra in any mixture.

Every member gets the same zoo.cfg, whatever its kind, and a `myid`. Ports are taken from below the
range that the system gives to outgoing connections, so that a member finds its ports free when it
comes back: from $ZABRA_COMPAT_PORT on. Use `Ensemble` as a context manager: it ends what it
started, by process ids.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from harness import cache
from harness.servers import end, four_letter

APACHE = "apache-3.9"
DEBIAN = "apache-3.8"
ZABRA = "zabra"
KINDS = [APACHE, DEBIAN, ZABRA]

FIRST_PORT = int(os.environ.get("ZABRA_COMPAT_PORT", "21000"))
LAST_PORT = FIRST_PORT + 400
WAIT_SECONDS = 60
STOP_SECONDS = 15
ASK_SECONDS = 3
DIRECTORY = "ensemble-"

KEYS = {
    "tickTime": "500",
    "initLimit": "20",
    "syncLimit": "8",
    "minSessionTimeout": "1000",
    "maxSessionTimeout": "40000",
    "maxClientCnxns": "0",
    "admin.enableServer": "false",
    "4lw.commands.whitelist": "*",
}

# What no log may have: digests that differ, and programming errors.
MISMATCH = re.compile(r"[Dd]igests? .*(not match|differ|mismatch)")
BROKEN = {
    # The request processors of a learner end like this whenever their leader is killed.
    "apache": re.compile(r"NullPointerException|ClassCastException|IllegalStateException|"
                         r"AssertionError|OutOfMemoryError|"
                         r"Severe unrecoverable error(?!.*(Follower|Observer)RequestProcessor)|"
                         r"Committing zxid 0x\w+ but next pending txn|"
                         r"CRC check failed|Unreasonable length"),
    ZABRA: re.compile(r"panicked at| ERROR "),
}
# What 3.8.0 does by itself, among its own kind too: a learner that an Apache ZooKeeper told of a
# decision just before it may serve gives up its leader and begins anew (ZOOKEEPER-4394). From then
# on its log has transactions twice, and digests do not match when it reads that again. Zabra tells
# nothing at that time.
TOLD_TOO_EARLY = '"pif" is null'
KNOWN_3_8 = re.compile(r'"this.learner.sock" is null|from thread : SyncThread')
# What a learner says of whom it learns from, and of the image of a tree that it is sent.
CONNECTED = re.compile(r"Successfully connected to leader, using address: (\S+):(\d+)")
# What waiting for a server leaves in its log.
NOISE = "NIOServerCnxn - Processing"
IMAGE_BEGINS = "Getting a snapshot from leader"
IMAGE_ENDS = "Learner received NEWLEADER message"


class MemberError(Exception):
    """A member did not do what it should; the message has the end of its log."""


_next_port = FIRST_PORT


def take_port() -> int:
    """A port that nobody listens on now, and that this process has not given out lately."""
    global _next_port
    for _ in range(LAST_PORT - FIRST_PORT):
        port = _next_port
        _next_port = FIRST_PORT if port + 1 >= LAST_PORT else port + 1
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise MemberError("no free ports")


def command_of(kind: str, config: Path, flags: dict[str, str], heap: str):
    """The command and the environment that start a server of this kind."""
    properties = [f"-D{key}={value}" for key, value in flags.items()]
    if kind == ZABRA:
        return [str(cache.zabra_binary()), "server", str(config)], {
            "SERVER_JVMFLAGS": " ".join(properties)}
    # What is in front is what is found: Debian's jar names a logger of its own in its manifest.
    jars = [f"{cache.logging_jars()}/*", *map(str, cache.apache_jars().glob("slf4j-api-*.jar"))]
    if kind == DEBIAN:
        own = cache.debian_jars()
        jars += [f"{own}/zookeeper.jar", f"{own}/zookeeper-jute.jar"]
    jars.append(f"{cache.apache_jars()}/*")
    if "admin.enableServer=true" in config.read_text().splitlines():
        jars.append(f"{cache.monitoring_jars()}/*")
    log = ["-Dorg.slf4j.simpleLogger.showDateTime=true",
           "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
           "-Dorg.slf4j.simpleLogger.showThreadName=false"]
    return ["java", heap, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", *log, *properties,
            "-cp", ":".join(jars), "org.apache.zookeeper.server.quorum.QuorumPeerMain",
            str(config)], {}


@dataclass
class Member:
    """One server of an ensemble. Its id and its ports stay; its kind and its data may change."""

    number: int
    kind: str
    directory: Path
    observer: bool = False
    flags: dict[str, str] = field(default_factory=dict)
    heap: str = "-Xmx256m"
    # Keys of zoo.cfg that it alone has.
    keys: dict[str, str] = field(default_factory=dict)
    # Where the others find it.
    host: str = "127.0.0.1"

    def __post_init__(self):
        self.client_port, self.quorum_port, self.election_port = (take_port() for _ in range(3))
        self.lives = 0
        # The times of day at which it was started, and as what.
        self.history = []
        self.log = None
        # Ends that nobody asked for, as sentences.
        self.deaths = []
        self._process = None
        self._paused = False
        self._generation = 0

    @property
    def name(self) -> str:
        """Id and kind, for messages."""
        return f"{self.number}:{self.kind}"

    @property
    def address(self) -> str:
        """Where clients find it."""
        return f"127.0.0.1:{self.client_port}"

    def server_line(self) -> str:
        """Its line in every member's zoo.cfg."""
        role = ":observer" if self.observer else ""
        return (f"server.{self.number}={self.host}:{self.quorum_port}:{self.election_port}{role}\n")

    def data(self) -> Path:
        """Its data directory."""
        return self.directory / f"data-{self._generation}"

    def start(self, common: str) -> None:
        """Starts it with what all members' zoo.cfg have in common; does not wait."""
        assert self._process is None, f"{self.name} runs already"
        self.data().mkdir(parents=True, exist_ok=True)
        (self.data() / "myid").write_text(f"{self.number}\n")
        config = self.directory / "zoo.cfg"
        own = f"dataDir={self.data()}\nclientPort={self.client_port}\n"
        if self.observer:
            own += "peerType=observer\n"
        own += "".join(f"{key}={value}\n" for key, value in self.keys.items())
        # What is written last counts.
        config.write_text(common + own)
        self.lives += 1
        self.history.append((time.strftime("%H:%M:%S"), self.kind))
        self.log = self.directory / f"log-{self.lives}-{self.kind}"
        command, environment = command_of(self.kind, config, self.flags, self.heap)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.directory,
                env={**os.environ, **environment})

    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def running(self) -> bool:
        """Whether its process lives. An end that nobody asked for is noted."""
        if self._process is None:
            return False
        code = self._process.poll()
        if code is None:
            return True
        self.deaths.append(f"{self.name} ended by itself with {code}:\n{self.log_tail()}")
        self._process = None
        return False

    def kill(self) -> None:
        """Ends it by force."""
        if self.running():
            self._process.kill()
            self._process.wait()
            self._process = None
            self._paused = False

    def stop(self) -> None:
        """Asks it to end, as an operator does."""
        if self._paused:
            self.resume()
        if self.running():
            if not end(self._process):
                self.deaths.append(f"{self.name} does not end when it is asked to")
            self._process = None

    def pause(self) -> None:
        """Stops it from running, with its connections open. Returns when every thread stands."""
        self._process.send_signal(signal.SIGSTOP)
        self._paused = True
        deadline = time.monotonic() + STOP_SECONDS
        while not all(state == "T" for state in self._thread_states()):
            if time.monotonic() > deadline:
                raise MemberError(f"{self.name} does not stand still")
            time.sleep(0.01)

    def _thread_states(self) -> list[str]:
        states = []
        for stat in Path(f"/proc/{self.pid()}/task").glob("*/stat"):
            # The name in parentheses may have spaces.
            states.append(stat.read_text().rpartition(")")[2].split()[0])
        return states

    def resume(self) -> None:
        """Lets it run again."""
        self._process.send_signal(signal.SIGCONT)
        self._paused = False

    def replace(self, kind: str) -> None:
        """Makes it a server of another kind without data, when it has ended."""
        assert self._process is None, f"{self.name} still runs"
        self.kind = kind
        self._generation += 1

    def succeed(self, kind: str) -> None:
        """Makes it a server of another kind that goes on with its data, when it has ended."""
        assert self._process is None, f"{self.name} still runs"
        self.kind = kind

    def ask(self, word: str) -> str:
        """Its answer to a four-letter word; nothing if there is none."""
        try:
            return four_letter(self.client_port, word.encode(), timeout=ASK_SECONDS).decode()
        except OSError:
            return ""

    def mode(self) -> str:
        """Its role, as `srvr` tells it; empty if it does not serve."""
        found = re.search(r"^Mode: (\S+)", self.ask("srvr"), re.MULTILINE)
        return found[1] if found else ""

    def zxid(self) -> int:
        """Its last zxid, as `srvr` tells it; -1 if it does not serve."""
        found = re.search(r"^Zxid: 0x([0-9a-f]+)", self.ask("srvr"), re.MULTILINE)
        return int(found[1], 16) if found else -1

    def figures(self) -> dict[str, str]:
        """What `mntr` tells."""
        lines = (line.split("\t") for line in self.ask("mntr").splitlines())
        return {words[0]: words[1] for words in lines if len(words) == 2}

    def log_text(self) -> str:
        """All it has written in this life."""
        return self.log.read_text(errors="replace") if self.log else ""

    def log_tail(self) -> str:
        """The last lines it wrote."""
        lines = [line for line in self.log_text().splitlines() if NOISE not in line]
        return "\n".join(lines[-30:])

    def complaints(self, was_java) -> list[str]:
        """Lines in the logs of all its lives that none should have.

        An image that Apache ZooKeeper sends while it is written to has part of the transactions
        that follow; a learner finds digests that do not match, until it has them all. `was_java`
        says of a host and a port of servers and a time of day whether that was Apache
        ZooKeeper's.
        """
        found = []
        spoilt = False
        for log in sorted(self.directory.glob("log-*")):
            kind = ZABRA if log.name.endswith(ZABRA) else "apache"
            debian = log.name.endswith(DEBIAN)
            leader, image, at = None, False, ""
            for line in log.read_text(errors="replace").splitlines():
                if line[2:3] == ":":
                    at = line[:12]
                if connected := CONNECTED.search(line):
                    leader = connected[1], int(connected[2])
                image = IMAGE_BEGINS in line or (image and IMAGE_ENDS not in line)
                of_java = leader is not None and was_java(*leader, at)
                if debian and TOLD_TOO_EARLY in line and of_java:
                    spoilt = True
                elif BROKEN[kind].search(line) and not (debian and KNOWN_3_8.search(line)):
                    found.append(f"{self.number} {log.name}: {line[:300]}")
                elif MISMATCH.search(line) and not (image and of_java) and not (debian and spoilt):
                    found.append(f"{self.number} {log.name}: {line[:300]}")
        return found


class Ensemble:
    """Servers that know one another. `kinds` are those of members 1, 2, ...; all voters but the
    numbers in `observers`. Where all listen on one port for each other, as for observers, each
    needs an address of its own: `apart`."""

    def __init__(self, kinds: list[str], observers=(), keys=None, flags=None, keep: bool = False,
                 heap: str = "-Xmx256m", apart: bool = False):
        self.directory = Path(tempfile.mkdtemp(prefix=DIRECTORY))
        self.members = {
            number: Member(number, kind, self.directory / f"server-{number}", number in observers,
                           dict(flags or {}), heap)
            for number, kind in enumerate(kinds, start=1)}
        if apart:
            for member in self.members.values():
                member.host = f"127.0.0.{member.number}"
        self._keys = {**KEYS, **(keys or {})}
        self._keep = keep

    def __enter__(self) -> "Ensemble":
        return self

    def __exit__(self, *_) -> None:
        # One that has ended by itself is noted before all are ended.
        for member in self.members.values():
            member.running()
        for member in self.members.values():
            member.kill()
        if not self._keep:
            shutil.rmtree(self.directory, ignore_errors=True)

    def __getitem__(self, number: int) -> Member:
        return self.members[number]

    def __iter__(self):
        return iter(self.members.values())

    def common(self) -> str:
        """What the zoo.cfg of all members have in common."""
        keys = "".join(f"{key}={value}\n" for key, value in self._keys.items())
        return keys + "".join(member.server_line() for member in self)

    def voters(self) -> list[Member]:
        """Those who vote."""
        return [member for member in self if not member.observer]

    def addresses(self, *numbers: int) -> str:
        """The addresses of all members, or of some, as clients take them."""
        members = [self[number] for number in numbers] or list(self)
        return ",".join(member.address for member in members)

    def launch(self, *numbers: int) -> None:
        """Starts members and does not wait."""
        for number in numbers:
            self[number].start(self.common())

    def start(self, leader: int | None = None) -> None:
        """Starts all and waits until all serve. If a leader is wanted, it and just enough voters of
        lower numbers are started first, so that it wins."""
        if leader is not None:
            lower = [voter.number for voter in self.voters() if voter.number < leader]
            first = [leader, *lower[:len(self.voters()) // 2]]
            self.launch(*first)
            self.wait_serving(*first)
        self.launch(*(member.number for member in self if not member.running()))
        self.wait_serving()
        if leader is not None and self.leader().number != leader:
            raise MemberError(f"{self.leader().name} leads, {leader} was to")

    def restart(self, number: int) -> None:
        """Starts a member that has ended, and waits until it serves."""
        self.launch(number)
        self.wait_serving(number)

    def replace(self, number: int, kind: str) -> None:
        """Ends a member as an operator does, and starts one of another kind in its place, with the
        same id and without data. Waits until it serves."""
        self[number].stop()
        self[number].replace(kind)
        self.restart(number)

    def wait_serving(self, *numbers: int, seconds: float = WAIT_SECONDS) -> None:
        """Waits until these members, or all that run, serve clients as part of one ensemble."""
        members = [self[number] for number in numbers] or [
            member for member in self if member.running()]
        self.wait(lambda: all(member.mode() in ("leader", "follower", "observer")
                              for member in members),
                  f"{[member.name for member in members]} to serve", seconds)

    def wait(self, condition, what: str, seconds: float = WAIT_SECONDS) -> None:
        """Waits for a condition; if it does not come the error shows the ends of all logs."""
        deadline = time.monotonic() + seconds
        while not condition():
            for member in self:
                if not member.running() and member.deaths:
                    raise MemberError(member.deaths[-1])
            if time.monotonic() > deadline:
                raise MemberError(f"waited {seconds} seconds for {what}\n" + self.log_tails())
            time.sleep(0.02)

    def leader(self) -> Member:
        """Who leads now. Waits for a leader."""
        found = []

        def look():
            found[:] = [member for member in self if member.running()
                        and not member._paused and member.mode() == "leader"]
            return len(found) == 1
        self.wait(look, "one leader")
        return found[0]

    def wait_level(self, seconds: float = WAIT_SECONDS) -> None:
        """Waits until all that run show the same last zxid. Nothing may be written meanwhile."""
        self.wait(lambda: len({member.zxid() for member in self if member.running()}) == 1,
                  "equal zxids", seconds)

    def log_tails(self) -> str:
        """The ends of all logs."""
        return "\n".join(f"--- {member.name} {member.mode()}\n{member.log_tail()}"
                         for member in self)

    def complaints(self) -> list[str]:
        """What no run should have: ends that nobody asked for, and lines of logs."""
        found = []
        for member in self:
            member.running()
            found += member.deaths + member.complaints(self._was_java)
        return found

    def _was_java(self, host: str, port: int, at: str) -> bool:
        """A port of all is the one for observers, of members with hosts of their own."""
        found = [member for member in self if member.quorum_port == port]
        member, = found or [member for member in self if host.endswith(member.host)]
        kinds = [kind for start, kind in member.history if start <= at]
        return bool(kinds) and kinds[-1] != ZABRA
