"""One server of any kind on a data directory that it may share with others, one after the other."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

from harness import cache
from harness.members import ZABRA, command_of
from harness.profiles import SUPER_DIGEST
from harness.servers import four_letter, free_port

START_SECONDS = 90
STOP_SECONDS = 30
KEYS = {
    "tickTime": "2000",
    "clientPortAddress": "127.0.0.1",
    "maxClientCnxns": "0",
    "maxSessionTimeout": "600000",
    "admin.enableServer": "false",
    "extendedTypesEnabled": "true",
    "4lw.commands.whitelist": "*",
    "DigestAuthenticationProvider.superDigest": SUPER_DIGEST,
}


class Ended(Exception):
    """A server that was to serve has ended; the message is its log."""


class Server:
    """A server on a directory, a context manager: it is killed in the end, as a power cut does."""

    def __init__(self, kind: str, directory: Path, flags: dict[str, str] | None = None):
        self.kind = kind
        self.port = free_port()
        self._log = directory / f"log-{kind}"
        config = directory / "zoo.cfg"
        keys = {"dataDir": directory / "data", "dataLogDir": directory / "datalog",
                "clientPort": self.port, **KEYS}
        config.write_text("".join(f"{key}={value}\n" for key, value in keys.items()))
        # Logs are not made large ahead: they are copied.
        flags = {"znode.container.checkIntervalMs": "3600000", "preAllocSize": "64",
                 **(flags or {})}
        flags = {f"zookeeper.{key}": value for key, value in flags.items()}
        command, environment = command_of(kind, config, flags, "-Xmx512m")
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=directory,
                env={**os.environ, **environment})

    def __enter__(self) -> "Server":
        try:
            self._wait()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, *_) -> None:
        self.kill()

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise Ended(self.log())
            try:
                if b"Mode:" in four_letter(self.port, b"srvr"):
                    return
            except OSError:
                pass
            time.sleep(0.05)
        raise Ended(f"does not serve: {self.log()}")

    def log(self) -> str:
        """All it has written."""
        return self._log.read_text(errors="replace")

    def digest(self) -> int:
        """The digest of the tree that Apache ZooKeeper says it has loaded."""
        return int(re.findall(r"Snapshot loaded in .* digest is (-?\d+)", self.log())[-1])

    def kill(self) -> None:
        """Ends it by force."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """Asks it to end, as an operator does."""
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(STOP_SECONDS)
        if self.kind == ZABRA and code != 0:
            raise Ended(f"ended with {code}: {self.log()}")


def zabra(*arguments) -> str:
    """What a command of Zabra's prints."""
    done = subprocess.run([str(cache.zabra_binary()), *map(str, arguments)], text=True,
                          capture_output=True)
    if done.returncode != 0:
        raise Ended(f"zabra {' '.join(map(str, arguments))}: {done.returncode}\n{done.stderr}")
    return done.stdout
