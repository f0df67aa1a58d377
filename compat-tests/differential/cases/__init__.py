"""The named edge cases, grouped by what they are about.

A case is a function that takes a `Lockstep` whose connection `ctl` is open, and drives it. It
asserts nothing: every step is compared between the servers. It works below `t.root`, which is new.
"""

from dataclasses import dataclass
from importlib import import_module

# The words come early: a quota with an odd text breaks Apache's mntr.
GROUPS = ["connecting", "words", "framing", "creating", "changing", "reading", "multis",
          "watching", "access", "quotas", "ephemerals", "expiring", "restarting", "variants",
          "ensembles"]

# What is about one server: the words that tell of it (`monitoring/` asks for them in ensembles),
# few connections, no word to ask whether it serves; and requests that cannot be read, which
# followers of Apache ZooKeeper leave without an answer.
ALONE_GROUPS = {"words", "framing"}
ALONE_PROFILES = {"guarded", "variant"}


@dataclass(frozen=True)
class Case:
    """A named case, the profile of the servers it needs, and how many of them it may have."""

    name: str
    run: object
    profile: str
    servers: tuple[int, ...] = (1, 3)


_CASES: dict[str, Case] = {}


def case(function=None, *, profile: str = "main", servers: tuple[int, ...] = (1, 3)):
    """Registers a case; its name is the function's with dashes."""
    def register(function):
        name = function.__name__.replace("_", "-")
        if name in _CASES:
            raise ValueError(f"two cases are called {name}")
        group = function.__module__.rpartition(".")[2]
        alone = group in ALONE_GROUPS or profile in ALONE_PROFILES
        _CASES[name] = Case(name, function, profile, (1,) if alone else servers)
        return function
    return register if function is None else register(function)


def all_cases() -> list[Case]:
    """Every case, in the order of the groups."""
    for group in GROUPS:
        import_module(f"differential.cases.{group}")
    return list(_CASES.values())
