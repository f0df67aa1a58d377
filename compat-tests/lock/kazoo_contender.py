"""Takes a kazoo lock, or leads by a kazoo election, again and again, until it is killed.

`kazoo_contender.py lock|lock-sorted|election HOST:PORT PATH DIRECTORY SLOT TIMEOUT_MS HOLD_MS`.
"""

import logging
import sys
from pathlib import Path

from critical import hold
from kazoo.client import KazooClient
from kazoo.exceptions import KazooException


def main() -> None:
    """Never ends by itself, unless its session does: then it is started anew."""
    kind, address, path, directory, slot, timeout, milliseconds = sys.argv[1:]
    logging.disable(logging.CRITICAL)
    client = KazooClient(hosts=address, timeout=int(timeout) / 1000)
    client.start()
    # kazoo sees Curator's names only if it is told to.
    extra = ["-lock-"] if kind == "lock-sorted" else []
    lock = client.Lock(path, slot, extra_lock_patterns=extra)
    election = client.Election(path, slot)

    def critical(lock):
        stat = client.exists(f"{path}/{lock.node}")
        if stat is not None:
            hold(Path(directory), slot, stat.czxid, int(milliseconds) / 1000)

    while True:
        if kind == "election":
            election.run(critical, election.lock)
        else:
            with lock:
                critical(lock)


if __name__ == "__main__":
    try:
        main()
    except (KazooException, KeyboardInterrupt):
        sys.exit(1)
