"""A Docker engine: the one that runs, or one started for this test; and the image to test in it."""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

IMAGE = "zabra"
BASE = "debian:bookworm-slim"
OWN_BASE = "zabra-base"
ROOT = Path(__file__).resolve().parent.parent.parent


class NoEngine(Exception):
    """There is no engine, and none can be started."""


def call(*command: str, check: bool = True, seconds: float = 600, **more) -> str:
    """What a command prints; its errors are shown if it fails."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=seconds, text=True, **more)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}")
    return done.stdout


def without_compiler(recipe: str) -> str:
    """A Dockerfile without the stage that compiles: old builders run it, needed or not."""
    before, stage, rest = recipe.partition("FROM ${BUILDER} AS compiled\n")
    assert stage, "the Dockerfile has no stage that compiles"
    return before + rest[rest.index("\nFROM "):]


class Engine:
    """A running engine. One that was started here is ended here."""

    def __init__(self):
        self._daemon = None
        self._directory = None
        if not self._answers():
            self._start()

    @staticmethod
    def _answers() -> bool:
        try:
            call("docker", "info", seconds=20)
        except (OSError, RuntimeError, subprocess.TimeoutExpired):
            return False
        return True

    def _start(self) -> None:
        if os.geteuid() != 0 or not shutil.which("dockerd"):
            raise NoEngine("no Docker engine answers, and none can be started by this user")
        self._directory = Path(tempfile.mkdtemp(prefix="zabra-docker-"))
        socket = f"unix://{self._directory}/socket"
        os.environ["DOCKER_HOST"] = socket
        with (self._directory / "log").open("wb") as log:
            self._daemon = subprocess.Popen(
                ["dockerd", "--data-root", f"{self._directory}/data", "--exec-root",
                 f"{self._directory}/exec", "--pidfile", f"{self._directory}/pid", "-H", socket],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + 60
        while not self._answers():
            if self._daemon.poll() is not None or time.monotonic() > deadline:
                tail = (self._directory / "log").read_text(errors="replace").splitlines()[-3:]
                self.close()
                raise NoEngine("dockerd does not come up: " + " | ".join(tail))
            time.sleep(0.5)

    def close(self) -> None:
        """Ends the engine if it was started here."""
        if self._daemon:
            self._daemon.terminate()
            self._daemon.wait(60)
            self._daemon = None
        if self._directory:
            shutil.rmtree(self._directory, ignore_errors=True)

    def build(self, program: Path, cache: Path) -> None:
        """Builds the image with a program that is compiled already."""
        base = self._base(cache)
        with tempfile.TemporaryDirectory() as context:
            shutil.copytree(ROOT / "docker", f"{context}/docker", symlinks=True)
            shutil.copy(program, f"{context}/zabra")
            recipe = Path(context, "docker", "Dockerfile")
            recipe.write_text(without_compiler(recipe.read_text()))
            # The builder that every engine has.
            call("docker", "build", "--network", "host", "-f", str(recipe),
                 "--build-arg", f"BASE={base}", "--build-arg", "BINARY=prebuilt", "-t", IMAGE,
                 context, env={**os.environ, "DOCKER_BUILDKIT": "0"}, seconds=1200)

    @staticmethod
    def _base(cache: Path) -> str:
        """A Debian: the usual one, or one made here where no image can be had."""
        if call("docker", "image", "ls", "-q", BASE).strip():
            return BASE
        try:
            call("docker", "pull", "-q", BASE, seconds=120)
            return BASE
        except (RuntimeError, subprocess.TimeoutExpired):
            print(f"{BASE} cannot be pulled here; making a Debian by debootstrap", flush=True)
        archive = cache / "debian-bookworm.tar"
        if not archive.exists():
            if not shutil.which("debootstrap"):
                raise NoEngine("no Debian to build on can be pulled, and there is no debootstrap")
            with tempfile.TemporaryDirectory() as directory:
                call("debootstrap", "--variant=minbase", "bookworm", f"{directory}/root",
                     seconds=1800)
                # What debootstrap may have left mounted does not belong to it.
                call("umount", f"{directory}/root/proc", check=False)
                partial = archive.with_suffix(".partial")
                call("tar", "--one-file-system", "-C", f"{directory}/root", "-cf", str(partial), ".")
                partial.rename(archive)
        call("docker", "import", str(archive), OWN_BASE)
        return OWN_BASE
