"""Contenders as processes that are started again whenever they end, and the traces they leave."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from kazoo.client import KazooClient

HERE = Path(__file__).resolve().parent
WAIT_SECONDS = 150
SESSION_MS = 5000
# What a contender may end with: done, its session lost, killed.
FAIR_ENDS = {0, 1, 125, -signal.SIGKILL, -signal.SIGTERM}


class Arena:
    """A path, a directory for the traces, and the contenders."""

    def __init__(self, address: str, path: str, directory: Path, hold_ms: int = 20):
        self.address = address
        self.path = path
        self.directory = directory
        self.hold_ms = hold_ms
        self.unfair = []
        self._stopping = False
        self._processes = {}
        self._threads = []

    def enter(self, kind: str, count: int) -> None:
        """Adds contenders of a kind."""
        for number in range(count):
            slot = f"{kind}{number}"
            thread = threading.Thread(target=self._keep, args=(kind, slot), daemon=True)
            self._threads.append(thread)
            self._processes[slot] = None
            thread.start()

    def _keep(self, kind: str, slot: str) -> None:
        while not self._stopping:
            process = subprocess.Popen(self._command(kind, slot), stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                       text=True, errors="replace", cwd=HERE)
            self._processes[slot] = process
            if self._stopping:
                process.kill()
            _, errors = process.communicate()
            if process.returncode not in FAIR_ENDS and not self._stopping:
                self.unfair.append(f"{slot} ended with {process.returncode}: {errors[-500:]}")
                return

    def _command(self, kind: str, slot: str) -> list[str]:
        family, _, variant = kind.partition("-")
        if family == "zabra":
            return [os.environ["COMPAT_LOCK_ZABRA"], variant, "--server", self.address,
                    "--session-timeout", f"{SESSION_MS}ms", self.path, "--", sys.executable,
                    str(HERE / "critical.py"), str(self.directory), slot, str(self.hold_ms)]
        rest = [variant, self.address, self.path, str(self.directory), slot, str(SESSION_MS),
                str(self.hold_ms)]
        if family == "kazoo":
            return [sys.executable, str(HERE / "kazoo_contender.py"), *rest]
        return ["java", "-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp",
                os.environ["COMPAT_LOCK_CLASSPATH"], "Contender", *rest]

    def holder(self) -> str:
        """The slot that holds now, as far as one can see; empty if none does."""
        try:
            return (self.directory / "holder").read_text()
        except FileNotFoundError:
            return ""

    def kill(self, slot: str) -> None:
        """Ends a contender as `kill -9` does."""
        process = self._processes[slot]
        if process is not None:
            process.kill()

    def history(self) -> list[tuple[int, str]]:
        """The tokens and slots of all holders so far."""
        try:
            lines = (self.directory / "history").read_text().splitlines()
        except FileNotFoundError:
            return []
        return [(int(token), slot) for token, slot in (line.split(" ") for line in lines)]

    def counts(self) -> dict[str, int]:
        """How often each contender has held."""
        counts = dict.fromkeys(self._processes, 0)
        for _, slot in self.history():
            counts[slot] += 1
        return counts

    def wait(self, condition, what: str) -> None:
        """Waits until the condition holds; ends at once if something is wrong."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not condition():
            self.check()
            assert time.monotonic() < deadline, f"never: {what}; held so far: {self.counts()}"
            time.sleep(0.005)
        self.check()

    def everyone(self, more: int) -> None:
        """Waits until each has held so many times more."""
        before = self.counts()
        self.wait(lambda: all(count - before[slot] >= more
                              for slot, count in self.counts().items()),
                  f"each holds {more} times more")

    def check(self) -> None:
        """Fails if two held at once, a token did not grow, or a contender ended badly."""
        violations = self.directory / "violations"
        assert not violations.exists(), violations.read_text()
        assert not self.unfair, self.unfair
        tokens = [token for token, _ in self.history()]
        assert tokens == sorted(set(tokens)), "a token did not grow"

    def stop(self) -> None:
        """Ends all contenders."""
        self._stopping = True
        for process in self._processes.values():
            if process is not None:
                process.terminate()
        for thread in self._threads:
            thread.join(10)
        for process in self._processes.values():
            if process is not None and process.poll() is None:
                process.kill()

    def left_behind(self) -> list[str]:
        """The znodes that remain when all sessions have ended."""
        client = KazooClient(hosts=self.address)
        client.start()
        try:
            deadline = time.monotonic() + WAIT_SECONDS
            while True:
                names = client.get_children(self.path)
                if not names or time.monotonic() > deadline:
                    return names
                time.sleep(0.2)
        finally:
            client.stop()
            client.close()
