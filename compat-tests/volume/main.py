"""An Apache ZooKeeper server's data directory goes on under Zabra, and goes back. Started by `run`."""

import argparse
import hashlib
import json
import logging
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
# The launcher's name must not hide modules, and one report format serves all suites.
sys.path.insert(0, str(HERE))

import fill  # noqa: E402
from harness.members import APACHE, DEBIAN, ZABRA  # noqa: E402
from server import Ended, Server, zabra  # noqa: E402

SCENARIO_SECONDS = 3600
# A part of them is deleted again.
ZNODES = 115_000
QUICK_ZNODES = 3_000


class Failed(AssertionError):
    """Something that must hold does not."""


class World:
    """What a scenario works with."""

    def __init__(self, directory: Path, znodes: int):
        self.directory = directory
        self.znodes = znodes
        self.said = []

    def place(self, name: str) -> Path:
        """A directory for a server."""
        made = self.directory / name
        for part in ("data", "datalog"):
            (made / part).mkdir(parents=True)
        return made

    def copy(self, place: Path, name: str) -> Path:
        """A copy of a server's directory."""
        made = self.directory / name
        shutil.copytree(place, made)
        return made


def must(condition: bool, what: str) -> None:
    """Fails unless it holds."""
    if not condition:
        raise Failed(what)


def same(one: dict, other: dict, what: str) -> None:
    """Compares trees."""
    must(one == other, f"{what}: {fill.difference(one, other)}")


def checksums(place: Path) -> dict:
    """What is in Apache ZooKeeper's files."""
    files = sorted(place.glob("*/version-2/*"))
    return {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def go_on(w: World, kind: str, flags: dict[str, str]) -> None:
    """The whole way: filled, taken over, exported, started again."""
    place = w.place("volume")
    # A handful of snapshots and logs, however many znodes there are.
    flags = {**flags, "snapCount": str(max(int(flags["snapCount"]), w.znodes // 4))}
    with Server(kind, place, flags) as server:
        owners = fill.fill(server.port, w.znodes)
        sessions = [owner.client_id for owner in owners]
        before = fill.tree(server.port)
        server.kill()
    leave(owners)
    files = checksums(place)
    names = [Path(name).name for name in files]
    w.said.append(f"{len(before)} znodes in {sum('snapshot' in name for name in names)} snapshots "
                  f"and {sum('log.' in name for name in names)} logs")
    # Without digests it cannot read with digests what it wrote, and knows none.
    with Server(kind, w.copy(place, "control"), flags) as control:
        digest = control.digest()
    with Server(ZABRA, place) as server:
        found = fill.tree(server.port)
        w.said.append(next(line for line in server.log().splitlines() if "took over" in line))
        # A client that read the tree and went has had a session, which changes no znode.
        same(before, found, "taken over")
        owners = resume(server, sessions)
        with_more = fill.tree(server.port)
        server.stop()
    leave(owners)
    must(checksums(place) == files, "Apache ZooKeeper's files were changed")
    imported = zabra("import", place / "data", "--log-dir", place / "datalog",
                     "--into", w.directory / "by-hand")
    if flags.get("digest.enabled") != "false":
        must(f"digest {digest % 2 ** 64:#x}\n" in imported, f"digest {digest:#x}, and {imported}")
    go_back(w, place, with_more, flags)
    trap(place, kind, flags)


def resume(server: Server, sessions: list) -> list:
    """Sessions go on with what they own, and one of them makes something new. The connections."""
    connections = []
    for number, session in enumerate(sessions):
        connection = fill.connected(server.port, session)
        must(connection.client_id[0] == session[0], f"session {session[0]:#x} was not kept")
        stat = connection.exists(f"/owned-{number}")
        must(stat is not None and stat.ephemeralOwner == session[0], "an ephemeral was not kept")
        connections.append(connection)
    connections[0].create("/under-zabra", b"new")
    path = connections[0].create("/sequence-", b"", sequence=True)
    must(path not in ("/sequence-", "/sequence-0000000000"), f"{path} is not the next one")
    return connections


def leave(connections: list) -> None:
    """Ends clients of a server that has ended, so that their sessions do not."""
    for connection in connections:
        connection.stop()
        connection.close()


def go_back(w: World, place: Path, expected: dict, flags: dict[str, str]) -> None:
    """Apache ZooKeeper of both versions starts from what is exported."""
    bare = flags.get("digest.enabled") == "false"
    for kind in (APACHE, DEBIAN):
        back = w.place(f"back-{kind}")
        told = zabra("export", back / "data", "--log-dir", back / "datalog",
                     "--from", place / "data", "--from-log", place / "datalog",
                     *["--no-digest"] * bare)
        inspected = json.loads(zabra("inspect", place / "data", "--log-dir", place / "datalog",
                                     "--json"))
        with Server(kind, back, flags) as server:
            same(expected, fill.tree(server.port), f"exported to {kind}")
            must("not match" not in server.log(), f"a digest differs in {kind}")
            if not bare and "transactions" not in told:
                digest = int(inspected["zabra"]["digest"], 16)
                must(server.digest() % 2 ** 64 == digest, f"{kind} has digest {server.digest():#x}")


def trap(place: Path, kind: str, flags: dict[str, str]) -> None:
    """The old server ran once more: Zabra must not go on as if it had not."""
    with Server(ZABRA, place) as server:
        server.stop()
    with Server(kind, place, flags) as server:
        connection = fill.connected(server.port)
        connection.create("/too-late", b"")
        connection.stop()
        connection.close()
        server.stop()
    try:
        with Server(ZABRA, place):
            pass
    except Ended as ended:
        must("has run on its data since" in str(ended), f"the reason is missing: {ended}")
        return
    raise Failed("Zabra started beside newer data")


SCENARIOS = [
    ("3.9 goes on and back", True, APACHE, {"snapCount": "700"}),
    ("3.8 goes on and back", False, DEBIAN, {"snapCount": "20000"}),
    ("3.9 with gzip", False, APACHE, {"snapCount": "5000", "snapshot.compression.method": "gz"}),
    ("3.9 with snappy", True, APACHE,
     {"snapCount": "1000", "snapshot.compression.method": "snappy"}),
    ("3.9 without digests", False, APACHE, {"snapCount": "5000", "digest.enabled": "false"}),
]


def overdue(_signal, _frame):
    """A scenario must not hang the run."""
    raise TimeoutError(f"took more than {SCENARIO_SECONDS} seconds")


def interrupted(_signal, _frame):
    """A plain kill must end the servers too, so it becomes an exception."""
    raise KeyboardInterrupt


def run(name: str, kind: str, flags: dict[str, str], options: argparse.Namespace) -> bool:
    """Runs one scenario and prints one line, and what is known of a failure."""
    directory = Path(tempfile.mkdtemp(prefix="volume-"))
    w = World(directory, options.znodes or (QUICK_ZNODES if options.quick else ZNODES))
    started = time.monotonic()
    signal.alarm(SCENARIO_SECONDS)
    try:
        go_on(w, kind, flags)
    except Exception as error:  # every failure is a result, whatever its type
        signal.alarm(0)
        first, *rest = f"{type(error).__name__}: {error}".splitlines()
        print(f"FAIL {name}: {first}", flush=True)
        for line in rest[-40:] + traceback.format_tb(error.__traceback__) * options.verbose:
            print("    " + line.rstrip().replace("\n", "\n    "), flush=True)
        return False
    else:
        print(f"ok {name}", flush=True)
        return True
    finally:
        signal.alarm(0)
        if options.verbose:
            for line in [*w.said, f"{time.monotonic() - started:.0f} seconds"]:
                print(f"    {line}", flush=True)
        if options.keep:
            print(f"    {directory}", flush=True)
        else:
            shutil.rmtree(directory, ignore_errors=True)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", metavar="TEXT",
                        help="scenarios with TEXT in the name")
    parser.add_argument("--quick", action="store_true", help="few znodes, and few scenarios")
    parser.add_argument("--znodes", type=int, default=0, metavar="N",
                        help=f"so many znodes [default: {ZNODES}, quick: {QUICK_ZNODES}]")
    parser.add_argument("--keep", action="store_true", help="keep logs and data of the servers")
    parser.add_argument("--list", action="store_true", help="print the names and end")
    parser.add_argument("-v", "--verbose", action="store_true", help="say what was seen")
    return parser.parse_args()


def main() -> int:
    """The exit code."""
    options = parse()
    chosen = [(name, kind, flags) for name, is_quick, kind, flags in SCENARIOS
              if options.only in name and (is_quick or not options.quick)]
    if options.list:
        print("\n".join(name for name, *_ in chosen))
        return 0
    # Scenarios break connections on purpose; what kazoo says about that is no result.
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    random.seed(1)
    signal.signal(signal.SIGALRM, overdue)
    signal.signal(signal.SIGTERM, interrupted)
    results = [run(*scenario, options) for scenario in chosen]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
