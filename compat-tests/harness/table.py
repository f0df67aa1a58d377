"""The table of clients and scenarios.

A suite may have scenarios of other names for what a column means: its file `covers.txt` has lines
`COLUMN: NAME NAME ...`, and all of them must have passed.
"""

from pathlib import Path

COMPAT = Path(__file__).resolve().parent.parent
MARKS = {"ok": "ok", "FAIL": "FAIL", "own": "own", "none": "-"}


def columns() -> list[tuple[str, str]]:
    """Every scenario that clients share, and its letters."""
    lines = (COMPAT / "scenarios.txt").read_text().splitlines()
    return [tuple(line.split()[:2]) for line in lines if line and not line.startswith("#")]


def covers(suite: str) -> dict[str, list[str]]:
    """The scenarios of a suite by the column that they are about, if that is not their name."""
    file = COMPAT / suite / "covers.txt"
    lines = file.read_text().splitlines() if file.exists() else []
    pairs = (line.partition(":") for line in lines if line and not line.startswith("#"))
    return {column.strip(): names.split() for column, _, names in pairs}


class Table:
    """The results of client suites."""

    def __init__(self):
        self._results: dict[str, dict[str, str]] = {}

    def add(self, suite: str, name: str, result: str) -> None:
        """A result is `ok`, `FAIL`, `none`, or `own` for a failure that is the client's own."""
        self._results.setdefault(suite, {})[name] = result

    def failures(self) -> list[tuple[str, str]]:
        """Suites and scenarios that failed."""
        return [(suite, name) for suite, results in self._results.items()
                for name, result in results.items() if result == "FAIL"]

    def _cell(self, suite: str, column: str) -> tuple[str, set[str]]:
        results = self._results[suite]
        names = covers(suite).get(column, [column])
        found = [results.get(name) for name in names]
        if None in found:
            # It was not run: that is neither good nor bad.
            return "", set(names)
        for worst in ("FAIL", "own", "none", "ok"):
            if worst in found:
                return MARKS[worst], set(names)
        raise AssertionError("unreachable")

    def text(self) -> str:
        """The table, with how many of the scenarios passed that only some clients have."""
        shared = columns()
        head = ["", *(letters for _, letters in shared), "more"]
        rows = [head]
        for suite, results in self._results.items():
            cells, seen = [], set()
            for column, _ in shared:
                cell, names = self._cell(suite, column)
                cells.append(cell)
                seen |= names
            more = [result for name, result in results.items() if name not in seen]
            passed = sum(result == "ok" for result in more)
            rows.append([suite, *cells, f"{passed}/{len(more)}" if more else ""])
        widths = [max(len(row[at]) for row in rows) for at in range(len(head))]
        return "\n".join(" ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
                         for row in rows)
