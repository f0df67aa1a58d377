"""The scenarios. Each is a function of a `World`, registered by `scenario`."""

import importlib
from pathlib import Path

from harness.members import APACHE, ZABRA, Ensemble

_REGISTERED = []


def scenario(name: str, quick: bool = False):
    """Registers a scenario; the quick ones are part of every run of all compatibility tests."""
    def register(function):
        _REGISTERED.append((name, quick, function))
        return function
    return register


def chosen(text: str, quick: bool) -> list:
    """Names and functions of the scenarios whose names have the text."""
    for module in sorted(Path(__file__).parent.glob("[a-z]*.py")):
        importlib.import_module(f"scenarios.{module.stem}")
    return [(name, function) for name, is_quick, function in _REGISTERED
            if text in name and (is_quick or not quick)]


class World:
    """What a scenario works with."""

    def __init__(self, target: str, keep: bool, quick: bool):
        self.said = []
        self.quick = quick
        self._target = target
        self._keep = keep
        self._directories = []

    def kind(self, kind: str) -> str:
        """The kind of server to use: Apache ZooKeeper in Zabra's place in a control run."""
        return APACHE if kind == ZABRA and self._target == "apache" else kind

    def ensemble(self, kinds: list[str], **more) -> Ensemble:
        """An ensemble that is not started yet, a context manager."""
        made = Ensemble([self.kind(kind) for kind in kinds], keep=self._keep, **more)
        self._directories.append(made.directory)
        return made

    def say(self, text: str) -> None:
        """Something worth knowing when one looks closer."""
        self.said.append(text)

    def kept(self) -> str:
        """Where logs and data are."""
        return " ".join(map(str, self._directories)) if self._keep else ""
