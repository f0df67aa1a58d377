"""The scenarios: who shares a lock or an election with whom. Started by `run`."""

import argparse
import random
import signal
import sys
import tempfile
import traceback
import uuid
from pathlib import Path

from arena import Arena

# Stock kazoo and stock Curator do not see each other; with these settings they do.
MIXED = [("zabra-lock", 6), ("kazoo-lock-sorted", 5), ("curator-lock-sorted", 5)]

# Zabra with clients that know nothing of it.
STOCK = {
    "lock-shared-with-kazoo": [("zabra-lock", 2), ("kazoo-lock", 2)],
    "lock-shared-with-curator": [("zabra-lock", 2), ("curator-lock", 2)],
    "election-shared-with-kazoo": [("zabra-elect", 2), ("kazoo-election", 2)],
    "election-shared-with-curators-latch": [("zabra-elect", 2), ("curator-latch", 2)],
    "election-shared-with-curators-selector": [("zabra-elect", 2), ("curator-selector", 2)],
}


def contended(arena: Arena, quick: bool) -> None:
    """16 contenders of three kinds on one path, and holders killed at random."""
    for kind, count in MIXED:
        arena.enter(kind, count)
    arena.everyone(1)
    for _ in range(4 if quick else 25):
        arena.wait(arena.holder, "somebody holds")
        victim = arena.holder()
        if victim:
            arena.kill(victim)
        # The others go on when the servers have noticed.
        before = len(arena.history())
        goal = before + random.randint(2, 12)
        arena.wait(lambda goal=goal: len(arena.history()) >= goal, "others hold")
    arena.everyone(2)


def stock(kinds):
    """Zabra and one other kind, which must not start before the path is there."""
    def scenario(arena: Arena, quick: bool) -> None:
        for kind, count in kinds:
            arena.enter(kind, count)
        arena.everyone(3 if quick else 20)
    return scenario


SCENARIOS = {"sixteen-contenders-and-killed-holders": contended,
             **{name: stock(kinds) for name, kinds in STOCK.items()}}


def run(name: str, scenario, options) -> bool:
    """Runs one scenario and prints one line (and the traceback of a failure)."""
    with tempfile.TemporaryDirectory(prefix="compat-lock-") as directory:
        arena = Arena(options.address, f"/lock-{uuid.uuid4().hex[:8]}/{name}", Path(directory))
        try:
            try:
                scenario(arena, options.quick)
            finally:
                arena.stop()
            arena.check()
            left = arena.left_behind()
            assert not left, f"left behind: {left}"
        except Exception as error:  # every failure is a result, whatever its type
            print(f"FAIL {name}: {type(error).__name__}: {error}", flush=True)
            for line in traceback.format_exc().splitlines():
                print(f"    {line}", flush=True)
            return False
        print(f"ok {name}", flush=True)
        return True


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address", metavar="HOST:PORT")
    parser.add_argument("--only", default="", metavar="TEXT")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    results = [run(name, scenario, options) for name, scenario in SCENARIOS.items()
               if options.only in name]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
