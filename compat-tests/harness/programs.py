"""Builds the suites that are programs of their own, once, into the cache, and becomes them.

Used by the `run` of a suite. A tool that is missing is a failure that says so, never a skip.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from harness import cache

# What a suite calls the failure that it could not be built.
INSTALL = "install"
HINT = ".ci/setup test installs it on Debian and Ubuntu"


class Missing(Exception):
    """A tool or a library that the suite needs is not on this machine."""


def need(tool: str) -> str:
    """The path of a command that has to be there."""
    found = shutil.which(tool)
    if not found:
        raise Missing(f"the command `{tool}` is missing; {HINT}")
    return found


def sources(folder: Path, *patterns: str) -> list[Path]:
    """The files of a suite that its program depends on, in an order that does not change."""
    return sorted(file for pattern in patterns for file in folder.glob(pattern))


def build(words: list[str], folder: Path, **environment: str) -> None:
    """Runs a command that builds; what it prints goes to standard error."""
    subprocess.run(words, check=True, cwd=folder, stdin=subprocess.DEVNULL, stdout=sys.stderr,
                   env={**os.environ, **environment})


def become(prepare) -> None:
    """Replaces this process by the program whose words `prepare()` returns, and passes on the
    arguments. If it cannot be built that is printed as a failure, and the exit code is 1."""
    try:
        words = prepare()
    except (Missing, OSError, subprocess.CalledProcessError) as error:
        print(f"FAIL {INSTALL}: {error}", flush=True)
        sys.exit(1)
    os.execv(words[0], [*words, *sys.argv[1:]])


def shared(name: str) -> str:
    """A directory of the cache for what a build tool downloads; it outlives single versions."""
    directory = cache.cache_dir() / name
    directory.mkdir(exist_ok=True)
    return str(directory)
