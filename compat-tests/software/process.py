"""Programs that a run starts, and ends by their ids."""

import contextlib
import os
import subprocess
import time
from pathlib import Path

import psutil

from harness.servers import end

STOP_SECONDS = 30


class Trouble(Exception):
    """The software did not do what it should; the message says what."""


def wait(condition, what: str, seconds: float, pause: float = 0.1):
    """Waits until a condition holds, and returns what it returned. Errors of it count as no."""
    deadline = time.monotonic() + seconds
    last = None
    while True:
        try:
            if found := condition():
                return found
            last = None
        except Trouble:
            raise
        except Exception as error:  # pylint: disable=broad-exception-caught
            last = error
        if time.monotonic() > deadline:
            raise Trouble(f"waited {seconds} seconds for {what}" + (f": {last!r}" if last else ""))
        time.sleep(pause)


class Process:
    """A program with a log. It may be started again when it has ended."""

    def __init__(self, name: str, words: list[str], directory: Path,
                 environment: dict[str, str] | None = None):
        self.name = name
        self.log = directory / f"{name}.log"
        # Ends that nobody asked for, as sentences.
        self.deaths = []
        self.lives = 0
        self._words = words
        self._directory = directory
        self._environment = environment or {}
        self._process = None

    def start(self) -> None:
        """Starts it and does not wait. In a session of its own, it does not get our Ctrl-C."""
        assert not self.running(), f"{self.name} runs already"
        self.lives += 1
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._words, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=self._directory, start_new_session=True,
                env={**os.environ, **self._environment})

    def running(self) -> bool:
        """Whether it lives. An end that nobody asked for is noted."""
        if self._process is None:
            return False
        code = self._process.poll()
        if code is None:
            return True
        self.deaths.append(f"{self.name} ended by itself with {code}:\n{self.tail()}")
        self._process = None
        return False

    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def kill(self) -> None:
        """Ends it by force."""
        if self.running():
            self._process.kill()
            self._process.wait()
            self._process = None

    def kill_family(self) -> None:
        """Ends it by force, and all that it has started and that has not left it."""
        if self.running():
            family = psutil.Process(self._process.pid).children(recursive=True)
            self.kill()
            _kill_all(family)

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Asks it to end, as an operator does."""
        if self.running():
            if not end(self._process, seconds):
                self.deaths.append(f"{self.name} does not end when it is asked to")
            self._process = None

    def tail(self, lines: int = 15) -> str:
        """The last lines it wrote."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def kill_stranger(pid: int, directory: Path) -> None:
    """Ends a process that a program of ours has started, with all its children, by force. Its id
    comes from a file and may be somebody else's by now: it must work in this directory."""
    try:
        process = psutil.Process(pid)
        if Path(process.cwd()) == directory:
            _kill_all([process, *process.children(recursive=True)])
    except psutil.NoSuchProcess:
        pass


def _kill_all(family: list[psutil.Process]) -> None:
    for one in family:
        # Whoever has ended meanwhile is left alone, even if another has its id.
        with contextlib.suppress(psutil.NoSuchProcess):
            one.kill()
    _, alive = psutil.wait_procs(family, timeout=STOP_SECONDS)
    if alive:
        raise Trouble(f"processes outlive SIGKILL: {[one.pid for one in alive]}")
