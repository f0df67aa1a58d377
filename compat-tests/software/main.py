"""Starts the servers under test and runs each software on them. Started by `run`."""

import argparse
import contextlib
import shutil
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import with_hbase  # noqa: E402
import with_kafka  # noqa: E402
import with_patroni  # noqa: E402
from harness import cache  # noqa: E402
from harness.profiles import PROFILES, Profile  # noqa: E402
from harness.report import Tally  # noqa: E402
from harness.servers import Servers  # noqa: E402
from harness.targets import KINDS, Alone, Together  # noqa: E402
from world import Broken, World  # noqa: E402

SOFTWARE = {"kafka": with_kafka.run, "patroni": with_patroni.run, "hbase": with_hbase.run}
# As in ZooKeeper's own zoo_sample.cfg.
SAMPLE = Profile("sample", {
    "tickTime": "2000",
    "initLimit": "10",
    "syncLimit": "5",
    "minSessionTimeout": "4000",
    "maxSessionTimeout": "40000",
    "4lw.commands.whitelist": "*",
})


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", choices=["zabra", "apache", *KINDS], default="zabra-3",
                        help="what is under test [default: zabra-3]")
    parser.add_argument("--only", default="", choices=["", *SOFTWARE], help="one software")
    parser.add_argument("--seconds", type=float, default=60, metavar="N",
                        help="how long each is under load at least, half of it before the leader "
                             "of ZooKeeper is killed, half of it after that [default: 60]")
    parser.add_argument("--keep", action="store_true", help="keep logs and data")
    parser.add_argument("--list", action="store_true", help="print the names")
    return parser.parse_args()


def interrupt(_signal, _frame) -> None:
    """A plain kill must end what was started too, so it becomes an exception."""
    raise KeyboardInterrupt


def heed_signals(heed: bool) -> None:
    """Lets signals interrupt, or not while what was started is ended."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt if heed else signal.SIG_IGN)


def start(stack: contextlib.ExitStack, name: str):
    """The servers under test."""
    if name in KINDS:
        return stack.enter_context(Together(name, SAMPLE))
    return Alone(stack.enter_context(Servers()).get(name, SAMPLE.name))


def run_one(name: str, options: argparse.Namespace, tally: Tally) -> None:
    """Runs one software on servers of its own."""
    with contextlib.ExitStack() as stack:
        stack.callback(heed_signals, True)
        world = World(name, start(stack, options.target), tally, options.seconds)
        stack.callback(lambda: world.close(options.keep))
        try:
            SOFTWARE[name](world, stack)
        except Broken:
            pass
        except BaseException:
            world.failed = True
            raise
        finally:
            heed_signals(False)


def main() -> int:
    """The exit code."""
    options = parse()
    names = [options.only] if options.only else list(SOFTWARE)
    if options.list:
        print("\n".join(names))
        return 0
    if "apache" not in options.target and not shutil.which(cache.zabra_binary()):
        print(f"{cache.zabra_binary()} is missing: build it, or set ZABRA_BIN", file=sys.stderr)
        return 2
    PROFILES[SAMPLE.name] = SAMPLE
    heed_signals(True)
    tally = Tally()
    for name in names:
        try:
            run_one(name, options, tally)
        except KeyboardInterrupt:
            tally.fail(name, "interrupted")
            break
        except Exception as error:  # pylint: disable=broad-exception-caught
            tally.fail(name, repr(error))
    return tally.finish()


if __name__ == "__main__":
    sys.exit(main())
