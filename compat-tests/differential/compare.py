"""Runs cases and random operations on two servers, or ensembles, and counts what is equal."""

import traceback

from differential import deliberate
from differential.cases import Case, all_cases
from differential.lockstep import Lockstep
from differential.random_ops import run_seed
from differential.side import Side

SHOWN_DIFFERENCES = 5


def chosen_cases(only: str | None, servers: int = 1) -> list[Case]:
    """The cases for so many servers whose names have the text, or all."""
    return [case for case in all_cases()
            if servers in case.servers and (only is None or only in case.name)]


class Comparison:
    """Two targets, and the servers of each that are running."""

    def __init__(self, servers, first: str, second: str, tally, verbose: bool = False,
                 count: int = 1):
        self._servers = servers
        self._count = count
        self._targets = (first, second)
        self._tally = tally
        self._recorder = self._print_step if verbose else None

    def lockstep(self, profile: str) -> Lockstep:
        """The two servers of a profile."""
        sides = []
        for label, target in zip("ab", self._targets, strict=True):
            server = self._servers.get(target, profile, label)
            sides.append(Side(f"{label} ({target})", server))
        return Lockstep(*sides, recorder=self._recorder)

    def cases(self, only: str | None) -> None:
        """Runs the named cases."""
        for case in chosen_cases(only, self._count):
            self._case(case)

    def _case(self, case: Case) -> None:
        if case.profile != "main" and self._external():
            return
        explained = deliberate.CASES.get(case.name)
        t = None
        try:
            t = self.lockstep(case.profile)
            t.begin(f"/{case.name}", guarded=case.profile == "guarded")
            case.run(t)
            differences = t.differences
        except Exception:  # A case that breaks off is a failure like any other.
            differences = [*(t.differences if t else []), traceback.format_exc()]
        if t is not None:
            t.end()
        if differences:
            self._start_afresh(case.profile)
        if differences and explained and {"zabra", "zabra-3", "mixed"} & {*self._targets}:
            self._tally.ok(f"{case.name} (differs on purpose: {explained})")
        elif differences:
            self._tally.fail(case.name, "\n".join(differences[:SHOWN_DIFFERENCES]))
        else:
            self._tally.ok(case.name)

    def _start_afresh(self, profile: str) -> None:
        """Gives those who come next servers with empty trees."""
        for label, target in zip("ab", self._targets, strict=True):
            self._servers.drop(target, profile, label)

    def _external(self) -> bool:
        """Whether a target runs already, and so has but one configuration."""
        return any(":" in target and target.rpartition(":")[2].isdigit()
                   for target in self._targets)

    def random(self, seeds, operations: int) -> None:
        """Runs random operations, each seed on an empty tree, so that it does the same alone."""
        for seed in seeds:
            try:
                t = self.lockstep("random")
                done, differences = run_seed(t, seed, operations)
                t.end()
            except Exception:
                done, differences = 0, [traceback.format_exc()]
            name = f"random seed {seed}: {done} operations"
            self._start_afresh("random")
            if differences:
                self._tally.fail(name, "\n".join(differences[:SHOWN_DIFFERENCES]))
            else:
                self._tally.ok(name)

    @staticmethod
    def _print_step(step: int, label: str, said) -> None:
        print(f"  {step}. {label}")
        for line in said[0]:
            print(f"       {line}")
