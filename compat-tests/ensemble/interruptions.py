"""Measures interruptions of service; started by `failover`.

The prober is no client library: it connects to the servers round and round without pause, so that
what is measured is the servers' time and not a library's patience. A session is not needed before:
the first write is a create, in a session that is opened for it.
"""

import argparse
import signal
import statistics
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
sys.path.insert(0, str(HERE))

from harness.members import APACHE, ZABRA, Ensemble  # noqa: E402
from raw import SEQUENTIAL, Raw  # noqa: E402

# As ZooKeeper's sample configuration has them; elections as they are by default.
KEYS = {"tickTime": "2000", "initLimit": "10", "syncLimit": "5", "minSessionTimeout": "4000"}
PATIENCE_SECONDS = 60
RETRY_SECONDS = 0.005
TRY_SECONDS = 1.0


def write(port: int) -> bool:
    """Whether a server makes a session and a znode now."""
    try:
        with Raw(port, patience=TRY_SECONDS) as session:
            return session.create("/probe-", b"x", SEQUENTIAL) == 0
    except OSError:
        return False


def until_written(ports: list[int], started: float) -> float:
    """Seconds from a moment to the first successful write on any of the servers."""
    while time.monotonic() - started < PATIENCE_SECONDS:
        for port in ports:
            if write(port):
                return time.monotonic() - started
        time.sleep(RETRY_SECONDS)
    raise SystemExit(f"no write within {PATIENCE_SECONDS} seconds")


def failover(ensemble: Ensemble) -> float:
    """Kills the leader and measures; brings it back and waits until all serve."""
    leader = ensemble.leader()
    others = [member.client_port for member in ensemble if member is not leader]
    started = time.monotonic()
    leader.kill()
    took = until_written(others, started)
    ensemble.restart(leader.number)
    # So that it is again a full ensemble, and quiet.
    ensemble.wait(lambda: ensemble.leader().figures().get("zk_synced_followers") == "2",
                  "both followers")
    time.sleep(1)
    return took


def cold_start(ensemble: Ensemble) -> float:
    """Starts all three and measures; kills them afterwards."""
    started = time.monotonic()
    ensemble.launch(1, 2, 3)
    took = until_written([member.client_port for member in ensemble], started)
    ensemble.wait_serving()
    for member in ensemble:
        member.kill()
    return took


def row(what: str, zabra: list[float], apache: list[float]) -> str:
    """A line of the table."""
    cells = [f"{statistics.median(times) * 1000:,.0f} ({min(times) * 1000:,.0f}–"
             f"{max(times) * 1000:,.0f})" for times in (zabra, apache)]
    ratio = statistics.median(zabra) / statistics.median(apache)
    return f"| {what} | {cells[0]} | {cells[1]} | {ratio:.2f}× |"


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20, help="how often the leader is killed")
    parser.add_argument("--starts", type=int, default=5, help="how often all are started")
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    starts, kills = {ZABRA: [], APACHE: []}, {ZABRA: [], APACHE: []}
    with Ensemble([ZABRA] * 3, keys=KEYS) as zabra, Ensemble([APACHE] * 3, keys=KEYS) as apache:
        both = [(ZABRA, zabra), (APACHE, apache)]
        for _ in range(chosen.starts):
            for kind, ensemble in both:
                starts[kind].append(cold_start(ensemble))
        for _, ensemble in both:
            ensemble.start()
        for _ in range(chosen.runs):
            for kind, ensemble in both:
                kills[kind].append(failover(ensemble))
    print("| until the first write succeeds, ms | Zabra | Apache ZooKeeper | ratio |")
    print("|---|---|---|---|")
    print(row(f"`kill -9` of the leader, median of {chosen.runs} (range)",
              kills[ZABRA], kills[APACHE]))
    print(row(f"cold start of three, median of {chosen.starts} (range)",
              starts[ZABRA], starts[APACHE]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
