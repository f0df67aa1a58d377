"""Servers are replaced and their data stay: Apache ZooKeeper's go on under Zabra, under load, and
go back."""

import subprocess

import checks
from harness import cache
from harness.members import APACHE, DEBIAN, ZABRA
from load import Load

from . import scenario

# Snapshots are written while transactions are applied.
SNAPSHOTS = {"zookeeper.snapCount": "400"}


def _one_by_one(kind):
    def function(w):
        """The followers first, killed as a power cut does; the leader last."""
        with w.ensemble([kind] * 3, flags=SNAPSHOTS) as ensemble:
            ensemble.start(leader=3)
            with Load(ensemble.addresses(), sessions=6) as load:
                load.go_on(1500)
                for number in (1, 2, 3):
                    ensemble[number].kill()
                    ensemble[number].succeed(w.kind(ZABRA))
                    ensemble.restart(number)
                    load.go_on(300)
                    w.say(_taken_over(ensemble[number]))
                w.say(checks.everything(ensemble, load))
    return function


def _taken_over(member) -> str:
    """What it says of the data that it found."""
    lines = [line for line in member.log_text().splitlines() if "took over" in line]
    if member.kind == ZABRA and not lines:
        raise checks.Failed(f"{member.name} took nothing over:\n{member.log_tail()}")
    return "".join(lines[-1:])


scenario("volume: java's data under zabra, one by one", quick=True)(_one_by_one(APACHE))
scenario("volume: java 3.8's data under zabra, one by one")(_one_by_one(DEBIAN))


@scenario("volume: all at once, and back")
def _(w):
    """All are killed in the middle of it; the others start on the same data, with an end of the log
    that nobody has decided."""
    with w.ensemble([APACHE] * 3, flags=SNAPSHOTS) as ensemble:
        ensemble.start(leader=3)
        with Load(ensemble.addresses(), sessions=6) as load:
            load.go_on(1500)
            for kind in (w.kind(ZABRA), APACHE):
                for member in ensemble:
                    member.kill()
                for member in ensemble:
                    if member.kind == ZABRA:
                        _go_back(member)
                    member.succeed(kind)
                ensemble.launch(1, 2, 3)
                ensemble.wait_serving()
                load.go_on(600)
                w.say(" ".join(f"{member.name} {member.mode()}" for member in ensemble))
            w.say(checks.everything(ensemble, load))


def _go_back(member) -> None:
    """Puts Zabra's data in the place of the older ones of Apache ZooKeeper."""
    data = member.data()
    (data / "version-2").rename(data / "before")
    subprocess.run([str(cache.zabra_binary()), "export", str(data)], check=True,
                   capture_output=True)
