"""What a run has: the servers under test, a directory, the clock, and the results."""

import contextlib
import logging
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harness.members import take_port
from harness.report import Tally
from harness.targets import Alone
from process import Trouble, wait

ZOOKEEPER_SECONDS = 30
COMMAND_SECONDS = 90


class Broken(Exception):
    """A step failed, and those behind it make no sense."""


class World:
    """The surroundings of one software."""

    def __init__(self, name: str, target, tally: Tally, seconds: float):
        self.name = name
        self.target = target
        self.seconds = seconds
        # The user of a database must get in.
        self.directory = Path(tempfile.mkdtemp(prefix=f"software-{name}-"))
        self.directory.chmod(0o755)
        self.failed = False
        self._tally = tally
        self._began = time.monotonic()
        # What kazoo has to say when servers are killed.
        self._log = logging.FileHandler(self.directory / "kazoo.log")
        self._log.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        logging.getLogger("kazoo").addHandler(self._log)

    def zookeeper(self) -> str:
        """The addresses of the servers, as clients take them."""
        return ",".join(self.target.addresses())

    def port(self) -> int:
        """A port for the software."""
        return take_port()

    def begin_load(self) -> None:
        """From now on the time of the load is counted."""
        self._began = time.monotonic()

    def loaded(self) -> float:
        """For how long the load has run."""
        return time.monotonic() - self._began

    def left(self, part: float) -> float:
        """How many seconds are left until this part of the time is over."""
        return self._began + part * self.seconds - time.monotonic()

    def until(self, part: float) -> None:
        """Sleeps until this part of the time is over."""
        time.sleep(max(0, self.left(part)))

    def repeat(self, name: str, part: float, seconds: float, action) -> None:
        """A step that does something as often as there is time for, until this part of the time is
        over; each may take so many seconds. Without any time there is no such step."""
        if self.left(part) <= seconds:
            return
        with self.step(name) as facts:
            done = []
            while self.left(part) > seconds:
                done.append(action())
            facts += [f"{len(done)} times", *dict.fromkeys(done)]

    @contextlib.contextmanager
    def step(self, name: str):
        """Runs a step and prints its line; `facts` that it adds are shown below it."""
        facts = []
        self.note(f"--- {name}")
        try:
            yield facts
        except Exception as error:
            self.failed = True
            reason = str(error) if isinstance(error, Trouble) else repr(error)
            self._tally.fail(f"{self.name}/{name}", reason)
            self.note(f"FAIL {reason}")
            raise Broken from error
        self._tally.ok(f"{self.name}/{name}")
        for fact in facts:
            print(f"    {fact}", flush=True)
            self.note(fact)

    def note(self, text: str) -> None:
        """Writes a line with the time of day into the run's own log."""
        with (self.directory / "run.log").open("a") as log:
            log.write(f"{time.strftime('%H:%M:%S')} {text}\n")

    def command(self, words: list[str], text: str = "") -> str:
        """Runs a program of the software to its end, and returns what it printed."""
        self.note(f"$ {' '.join(words)}")
        try:
            done = subprocess.run(words, input=text, capture_output=True, text=True,
                                  timeout=COMMAND_SECONDS, cwd=self.directory, check=False)
        except subprocess.TimeoutExpired as error:
            raise Trouble(f"{words[-1]} takes longer than {COMMAND_SECONDS} seconds") from error
        self.note(done.stdout + done.stderr)
        if done.returncode != 0:
            raise Trouble(f"{' '.join(words[:3])} ... ended with {done.returncode}:\n"
                          + (done.stdout + done.stderr)[-2000:])
        return done.stdout

    def lose_leader(self) -> str:
        """Kills the server that leads. One alone is started again at once. A sentence about it."""
        address = self.target.leader()
        began = time.monotonic()
        self.target.end(address, kill=True)
        if isinstance(self.target, Alone):
            self.target.restore()
            what = "the server was killed and serves again"
        else:
            wait(lambda: self.target.leader() != address, "another leader of ZooKeeper",
                 ZOOKEEPER_SECONDS)
            what = "the leader of ZooKeeper was killed, another one leads"
        return f"{what} after {time.monotonic() - began:.1f} s"

    def servers_are_well(self) -> None:
        """A step: the servers under test have nothing to complain about."""
        with self.step("the servers of ZooKeeper are well"):
            self.target.restore()
            if complaints := self.target.complaints():
                raise Trouble("\n".join(complaints))

    def close(self, keep: bool) -> None:
        """Removes the directory. After a failure the logs stay, with those of the servers."""
        logging.getLogger("kazoo").removeHandler(self._log)
        self._log.close()
        if self.failed or keep:
            for number, log in enumerate(self.target.logs()):
                shutil.copy(log, self.directory / f"zookeeper-{number}-{log.name}")
            print(f"{self.name}: the logs are in {self.directory}", file=sys.stderr, flush=True)
        else:
            shutil.rmtree(self.directory, ignore_errors=True)


def java(jars: str, heap: str, main: str, *arguments: str, properties=()) -> list[str]:
    """The words that start a Java program that shares the machine with many."""
    return [_java(), f"-Xmx{heap}", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
            *(f"-D{item}" for item in properties), "-cp", jars, main, *arguments]


def _java() -> str:
    """The Java on this machine."""
    found = shutil.which("java")
    if not found:
        raise Trouble("the command `java` is missing; .ci/setup software installs it")
    return found


def no_deaths(processes) -> None:
    """Fails if one of them has ended by itself."""
    for process in processes:
        process.running()
        if process.deaths:
            raise Trouble("\n".join(process.deaths))


def all_live(processes) -> None:
    """Fails if one of them does not run, or has ended by itself before."""
    no_deaths(processes)
    for process in processes:
        if not process.running():
            raise Trouble(f"{process.name} does not run")
