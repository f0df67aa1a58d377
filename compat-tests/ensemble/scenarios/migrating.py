"""Rolling migration: three servers replaced one by one, without data, under load."""

import time

import checks
from harness.members import APACHE, DEBIAN, ZABRA
from load import Load

from . import scenario


def _migration(kinds):
    def function(w):
        """Each kind follows the one before; the leader is replaced last, as an operator does."""
        first, *others = kinds
        with w.ensemble([first] * 3) as ensemble:
            ensemble.start(leader=3)
            with Load(ensemble.addresses(), sessions=6) as load:
                load.go_on(600)
                for kind in others:
                    leader = ensemble.leader().number
                    for number in [n for n in (1, 2, 3) if n != leader] + [leader]:
                        began = time.monotonic()
                        before = ensemble[number].name
                        ensemble.replace(number, w.kind(kind))
                        load.go_on(300)
                        w.say(f"{before} became {ensemble[number].name} in "
                              f"{time.monotonic() - began:.1f} s, {ensemble.leader().name} leads")
                    w.say(checks.same_trees_under_load(ensemble, load))
                w.say(checks.everything(ensemble, load))
    return function


scenario("migrate: java to zabra and back", quick=True)(_migration([APACHE, ZABRA, APACHE]))
scenario("migrate: java 3.8 to zabra to java 3.9")(_migration([DEBIAN, ZABRA, APACHE]))
scenario("migrate: zabra to java 3.8")(_migration([ZABRA, DEBIAN]))
