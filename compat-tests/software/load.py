"""A program that writes and reads all the time, and knows what was acknowledged."""

import subprocess
import threading
from pathlib import Path

from process import Trouble, wait

# How many writes from now on, of the slowest writer, show that all goes on.
SOME = 20
FINISH_SECONDS = 300


class Load:
    """The program. It prints `progress WRITTEN READ`, of its slowest part, `bad SENTENCE`, and
    `done` with numbers after its standard input has ended."""

    def __init__(self, words: list[str], log: Path):
        self.written = self.read = 0
        self._bad = []
        self._done = None
        with log.open("ab") as errors:
            self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                             stderr=errors, text=True, start_new_session=True)
        self._reader = threading.Thread(target=self._take, daemon=True)
        self._reader.start()

    def _take(self) -> None:
        for line in self._process.stdout:
            word, _, rest = line.strip().partition(" ")
            if word == "progress":
                self.written, self.read = map(int, rest.split())
            elif word == "done":
                self._done = list(map(int, rest.split()))
            else:
                self._bad.append(line.strip())

    def check(self) -> None:
        """Fails if anything was wrong until now."""
        if self._bad:
            raise Trouble("\n".join(self._bad[:20]))
        if self._process.poll() is not None:
            raise Trouble(f"the load ended with {self._process.returncode}")

    def moves(self, seconds: float) -> None:
        """Waits until what is written from now on, everywhere, is acknowledged and read."""
        goal = self.written + SOME
        wait(lambda: self.written >= goal, "writes to be acknowledged everywhere", seconds)
        wait(lambda: self.read >= goal, "what was written to be read", seconds)
        self.check()

    def finish(self) -> list[int]:
        """Stops writing and waits until all is read; the numbers of the end."""
        self.check()
        self._process.stdin.close()
        try:
            self._process.wait(FINISH_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise Trouble(f"the load does not end within {FINISH_SECONDS} seconds") from error
        self._reader.join(10)
        if self._bad:
            raise Trouble("\n".join(self._bad[:20]))
        if self._done is None:
            raise Trouble(f"the load ended with {self._process.returncode} and no result")
        return self._done

    def end(self) -> None:
        """Ends it by force, if it still runs."""
        self._process.kill()
        self._process.wait()
