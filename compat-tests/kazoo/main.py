"""Runs the scenarios with the kazoo that is installed beside this Python. Started by `run`."""

import argparse
import logging
import signal
import sys
import traceback
import warnings

from scenarios import World, chosen

SCENARIO_SECONDS = 90


def overdue(_signal, _frame):
    """A scenario must not hang the run."""
    raise TimeoutError(f"took more than {SCENARIO_SECONDS} seconds")


def run(name, function, address, quick) -> bool:
    """Runs one scenario and prints one line (and the traceback of a failure)."""
    world = World(address, name, quick)
    signal.alarm(SCENARIO_SECONDS)
    try:
        function(world)
    except Exception as error:  # every failure is a result, whatever its type
        signal.alarm(0)
        reason = str(error).splitlines() or [""]
        print(f"FAIL {name}: {type(error).__name__}: {reason[0]}", flush=True)
        for line in traceback.format_exc().splitlines():
            print(f"    {line}", flush=True)
        return False
    else:
        print(f"ok {name}", flush=True)
        return True
    finally:
        signal.alarm(0)
        world.close()


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address", metavar="HOST:PORT[,HOST:PORT...]")
    parser.add_argument("--only", default="", metavar="TEXT")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    # Scenarios break connections on purpose; what kazoo says about that is no result.
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, overdue)
    results = [run(name, function, options.address, options.quick)
               for name, function in chosen(options.only)]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
