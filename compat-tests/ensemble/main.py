"""Runs the scenarios with the kazoo that is installed beside this Python. Started by `run`."""

import argparse
import logging
import signal
import sys
import time
import traceback
import warnings
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
# The launcher's name must not hide modules, and one report format serves all suites.
sys.path.insert(0, str(HERE))

from scenarios import World, chosen  # noqa: E402

SCENARIO_SECONDS = 420


def overdue(_signal, _frame):
    """A scenario must not hang the run."""
    raise TimeoutError(f"took more than {SCENARIO_SECONDS} seconds")


def interrupted(_signal, _frame):
    """A plain kill must end the servers too, so it becomes an exception."""
    raise KeyboardInterrupt


def run(name: str, function, options: argparse.Namespace) -> bool:
    """Runs one scenario and prints one line, and what is known of a failure."""
    world = World(options.target, options.keep, options.quick)
    started = time.monotonic()
    signal.alarm(SCENARIO_SECONDS)
    try:
        function(world)
    except Exception as error:  # every failure is a result, whatever its type
        signal.alarm(0)
        first, *rest = f"{type(error).__name__}: {error}".splitlines()
        print(f"FAIL {name}: {first}", flush=True)
        for line in rest + traceback.format_tb(error.__traceback__) * options.verbose:
            print("    " + line.rstrip().replace("\n", "\n    "), flush=True)
        return False
    else:
        print(f"ok {name}", flush=True)
        return True
    finally:
        signal.alarm(0)
        if options.verbose:
            for line in world.said:
                print(f"    {line}", flush=True)
            print(f"    {time.monotonic() - started:.0f} seconds {world.kept()}", flush=True)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", metavar="TEXT",
                        help="scenarios with TEXT in the name")
    parser.add_argument("--quick", action="store_true", help="the few that say most")
    parser.add_argument("--target", choices=["zabra", "apache"], default="zabra",
                        help="apache: Apache ZooKeeper 3.9.5 in Zabra's place, as a control")
    parser.add_argument("--keep", action="store_true", help="keep logs and data of the servers")
    parser.add_argument("--list", action="store_true", help="print the names and end")
    parser.add_argument("-v", "--verbose", action="store_true", help="say what was seen")
    return parser.parse_args()


def main() -> int:
    """The exit code."""
    options = parse()
    scenarios = chosen(options.only, options.quick)
    if options.list:
        print("\n".join(name for name, _ in scenarios))
        return 0
    # Scenarios break connections on purpose; what kazoo says about that is no result.
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, overdue)
    signal.signal(signal.SIGTERM, interrupted)
    results = [run(name, function, options) for name, function in scenarios]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
