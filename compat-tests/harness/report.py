"""Counts results and prints them: one line each, and a last line `N passed, N failed`."""

import sys


class Tally:
    """The results so far."""

    def __init__(self):
        self.passed = 0
        self.failed = 0

    def ok(self, name: str) -> None:
        """A scenario did what it should."""
        self.passed += 1
        print(f"ok {name}", flush=True)

    def fail(self, name: str, reason: str) -> None:
        """A scenario did not; the reason may have several lines."""
        self.failed += 1
        first, *rest = str(reason).splitlines() or ["no reason given"]
        print(f"FAIL {name}: {first}", flush=True)
        for line in rest:
            print(f"    {line}", flush=True)

    def finish(self) -> int:
        """Prints the totals; the exit code of the program."""
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        sys.stdout.flush()
        return 0 if self.failed == 0 and self.passed > 0 else 1
