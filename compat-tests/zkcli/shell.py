"""Compares `zabra shell` with zkCli against one server, command by command and script by script.

Output, error output and exit codes must be the same once zxids, times, session ids and addresses
are taken out, except where deliberate.py says why they differ.
"""

import re
import shlex
import subprocess
import sys
import uuid
from pathlib import Path
from typing import NamedTuple

from deliberate import DIFFERENCES, LEFT_OUT
from harness import cache

HERE = Path(__file__).resolve().parent
SECONDS = 600
EVENT = re.compile(r"^WatchedEvent (.*)")
# What differs between two runs of the same program.
VOLATILE = [
    (re.compile(r"^(ctime|mtime) = (?!.* 1970$).*", re.M), r"\1 = TIME"),
    (re.compile(r"0x(?!0\b)[0-9a-f]+"), "0xN"),
    (re.compile(r"zxid: [0-9]+"), "zxid: N"),
    (re.compile(r"^\[zk: [^]]*\] ", re.M), ""),
]


class Result(NamedTuple):
    """What a command or script prints: each stream as lines, and the exit code."""

    out: str
    err: str
    exit: str


class Comparison:
    """Compares, prints and counts."""

    def __init__(self, address: str, only: str):
        self.address = address
        self.only = only
        self.failed = 0
        self.used = set()

    def report(self, name: str, wanted: Result, got: Result, command: str) -> None:
        """Prints whether two results are the same, deliberate differences apart."""
        faults = [stream for stream in Result._fields
                  if getattr(wanted, stream) != getattr(got, stream)
                  and not self.is_deliberate(command, stream, getattr(got, stream))]
        if self.only not in name:
            return
        if not faults:
            print(f"ok {name}", flush=True)
            return
        self.failed += 1
        print(f"FAIL {name}: differs from zkCli in {', '.join(faults)}", flush=True)
        for title, result in [("zkCli", wanted), ("shell", got)]:
            for stream in faults:
                for line in getattr(result, stream).splitlines() or [""]:
                    print(f"    {title} {stream}: {line}", flush=True)

    def is_deliberate(self, command: str, stream: str, ours: str) -> bool:
        """Whether deliberate.py has a reason for this."""
        covering = {index for index, difference in enumerate(DIFFERENCES)
                    if difference.covers(command, stream, ours)}
        self.used |= covering
        return bool(covering)

    def report_unused(self) -> None:
        """A reason that is not needed any more must go."""
        for index, difference in enumerate(DIFFERENCES):
            if index not in self.used:
                self.failed += 1
                print(f"FAIL shell deliberate: not needed: {difference.commands}", flush=True)


def compare(address: str, classes: str, only: str) -> bool:
    """Whether all is the same on both sides."""
    if not cache.zabra_binary().exists():
        # Another server is tested, where Zabra has not been built.
        print("no `zabra shell` to compare with zkCli", file=sys.stderr)
        return True
    comparison = Comparison(address, only)
    lines = [line for line in (HERE / "shell.txt").read_text().splitlines()
             if line and not line.startswith("#")]
    for line, wanted, got in zip(lines, zkcli_commands(address, classes, lines),
                                 shell_commands(address, lines)):
        comparison.report(f"shell {line}", wanted, got, line)
    for script in sorted((HERE / "sessions").glob("*.txt")):
        wanted, got = (session(program, address, script.read_text())
                       for program in (zkcli_session(address, classes), shell_session(address)))
        comparison.report(f"shell session {script.stem}", wanted, got, f"session {script.stem}")
    comparison.report_unused()
    return comparison.failed == 0


def zkcli_commands(address: str, classes: str, lines: list[str]) -> list[Result]:
    """What zkCli prints for each line."""
    root = new_root()
    words = ["\t".join(shlex.split(line.replace("@", root))) for line in lines]
    process = subprocess.run(
        ["java", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dfile.encoding=UTF-8",
         "-cp", f"{classes}:{cache.apache_jars()}/*", "OneShots", address],
        input="\n".join(words) + "\n", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        encoding="utf-8", timeout=SECONDS, check=True)
    results, streams = [], {"out": [], "err": []}
    for line in process.stdout.splitlines():
        mark, _, text = line.partition(" ")
        if mark == "exit":
            results.append(result(streams["out"], streams["err"], text, root))
            streams = {"out": [], "err": []}
        else:
            streams[mark].append(text)
    if len(results) != len(lines):
        raise AssertionError(f"zkCli ended after {len(results)} of {len(lines)} commands")
    return results


def shell_commands(address: str, lines: list[str]):
    """What the shell prints for each line."""
    root = new_root()
    for line in lines:
        words = shlex.split(line.replace("@", root))
        process = subprocess.run(
            [str(cache.zabra_binary()), "shell", "-server", address, *words],
            stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", timeout=SECONDS,
            check=False)
        yield result(process.stdout.splitlines(), process.stderr.splitlines(),
                     str(process.returncode), root)


def session(program: list[str], address: str, script: str) -> Result:
    """What a program prints when it reads a script. Events may come at any time, so they are
    compared among themselves."""
    root = new_root()
    text = script.replace("SERVER@", f"{address}{root}").replace("SERVER", address)
    process = subprocess.run(
        program, input=text.replace("@", root), capture_output=True, encoding="utf-8",
        timeout=SECONDS, check=False)
    errors = [line for line in process.stderr.splitlines() if not re.match("SLF4J|[0-9:,. -]*.*"
              r"\[(main|myid)", line)]
    lines = [line.replace(address, "SERVER") for line in process.stdout.splitlines()]
    events = [line for line in lines if EVENT.match(line) and " type:None " not in line]
    return result(lines, errors, str(process.returncode), root, events)


def zkcli_session(address: str, classes: str) -> list[str]:
    """How zkCli is started to read lines."""
    return ["java", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
            "-Dfile.encoding=UTF-8", "-cp", f"{classes}:{cache.apache_jars()}/*", "Session",
            "-server", address]


def shell_session(address: str) -> list[str]:
    """How the shell is started to read lines."""
    return [str(cache.zabra_binary()), "shell", "-server", address]


def new_root() -> str:
    """A path that nobody else uses."""
    return f"/shell-{uuid.uuid4().hex[:8]}"


def result(out: list[str], err: list[str], code: str, root: str, events=()) -> Result:
    """The streams without what differs from run to run."""
    def is_wanted(line: str) -> bool:
        aside = line.strip() in ("", "WATCHER::") or EVENT.match(line)
        return not aside and not any(re.match(pattern, line) for pattern, _ in LEFT_OUT)

    def normal(lines: list[str]) -> str:
        text = "".join(f"{line}\n" for line in lines).replace(root, "@")
        for pattern, replacement in VOLATILE:
            text = pattern.sub(replacement, text)
        return text

    streams = [line for line in out if is_wanted(line)] + list(events)
    return Result(normal(streams), normal([line for line in err if is_wanted(line)]), code)
