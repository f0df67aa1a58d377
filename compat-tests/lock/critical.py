"""What a holder does while it holds: it proves that it is alone, and that its token is new.

`critical.py DIRECTORY SLOT [MILLISECONDS]`, with the token in ZABRA_FENCING_TOKEN. The file `holder`
in the directory is locked by fcntl, which the kernel undoes when a process dies; a holder that finds
it locked is not alone. `history` gets a line `TOKEN SLOT` per holder. Violations go to a file of this
name. Contender.java does the same.
"""

import fcntl
import os
import sys
import time
from pathlib import Path


def hold(directory: Path, slot: str, token: int, seconds: float) -> None:
    """Holds for some time; a violation is written down and raised."""
    with open(directory / "holder", "a+", encoding="ascii") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            violation(directory, f"{slot} with {token} beside {file.read()}")
        history = directory / "history"
        lines = history.read_text().splitlines() if history.exists() else []
        if lines and int(lines[-1].split()[0]) >= token:
            violation(directory, f"{slot} with {token} after {lines[-1]}")
        file.truncate(0)
        file.write(f"{slot}")
        file.flush()
        with open(history, "a", encoding="ascii") as out:
            out.write(f"{token} {slot}\n")
        time.sleep(seconds)
        file.truncate(0)
        file.flush()


def violation(directory: Path, text: str) -> None:
    """Writes it down for the test, and ends the holder."""
    with open(directory / "violations", "a", encoding="ascii") as out:
        out.write(text + "\n")
    raise SystemExit(3)


if __name__ == "__main__":
    hold(Path(sys.argv[1]), sys.argv[2], int(os.environ["ZABRA_FENCING_TOKEN"]),
         float(sys.argv[3] if len(sys.argv) > 3 else 30) / 1000)
