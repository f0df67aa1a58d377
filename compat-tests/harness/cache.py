"""Installs what the tests need, once, into a cache directory outside the repository.

The directory is $ZABRA_COMPAT_CACHE, or zabra/compat under $XDG_CACHE_HOME or ~/.cache.
Versions are part of the names in it, so a new pin installs anew and never mixes with an old one.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

COMPAT = Path(__file__).resolve().parent.parent
REPOSITORY = COMPAT.parent
DEBIAN_PACKAGE = "libzookeeper-java=3.8.0-11+deb12u2"


def cache_dir() -> Path:
    """Where installed clients and jars are kept."""
    chosen = os.environ.get("ZABRA_COMPAT_CACHE")
    if chosen:
        directory = Path(chosen)
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        directory = Path(base) / "zabra" / "compat"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def fingerprint(*files: Path) -> str:
    """A short name for the content of the files: a changed pin makes a changed name."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def installed(name: str, install) -> Path:
    """The directory `name` of the cache, filled by `install(directory)` if it is not there yet.

    A directory counts only with its mark, which is written last: an interrupted install is redone.
    """
    directory = cache_dir() / name
    mark = directory / ".complete"
    if not mark.exists():
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        print(f"installing {name} ...", file=sys.stderr, flush=True)
        install(directory)
        mark.touch()
    return directory


def apache_jars() -> Path:
    """The directory with the jars of Apache ZooKeeper: its server, its client and zkCli."""
    return _maven_jars("apache", COMPAT / "apache" / "pom.xml")


def logging_jars() -> Path:
    """The directory with what makes Apache ZooKeeper write its log to standard error."""
    return _maven_jars("logging", COMPAT / "apache" / "logging.xml")


def curator_jars() -> Path:
    """The directory with Curator's recipes; what they need besides is in `apache_jars`."""
    return _maven_jars("curator", COMPAT / "lock" / "pom.xml")


def clojure_jars() -> Path:
    """The directory with Clojure."""
    return _maven_jars("clojure", COMPAT / "clojure" / "pom.xml")


def monitoring_jars() -> Path:
    """The directory with what makes Apache ZooKeeper answer over HTTP."""
    return _maven_jars("monitoring", COMPAT / "apache" / "monitoring.xml")


def kafka_jars() -> Path:
    """The directory with Kafka and its tools."""
    return _maven_jars("kafka", COMPAT / "software" / "kafka.xml")


def hbase_jars() -> Path:
    """The directory with HBase and its Hadoop."""
    return _maven_jars("hbase", COMPAT / "software" / "hbase.xml", "-DincludeScope=runtime")


def debian_jars() -> Path:
    """The directory with zookeeper.jar and zookeeper-jute.jar of Debian's ZooKeeper 3.8.0.

    What they need besides is compatible with the jars of `apache_jars`.
    """

    def install(directory: Path) -> None:
        subprocess.run(["apt-get", "download", DEBIAN_PACKAGE], check=True, stdout=sys.stderr,
                       cwd=directory)
        package, = directory.glob("*.deb")
        subprocess.run(["dpkg-deb", "-x", str(package), str(directory / "unpacked")], check=True)
        for name in ["zookeeper.jar", "zookeeper-jute.jar"]:
            shutil.copy(directory / "unpacked" / "usr" / "share" / "java" / name, directory)

    return installed(f"debian-{DEBIAN_PACKAGE.partition('=')[2]}", install)


def _maven_jars(name: str, pom: Path, *options: str) -> Path:
    def install(directory: Path) -> None:
        command = ["mvn", "-q", "-B", "-f", str(pom), "dependency:copy-dependencies",
                   f"-DoutputDirectory={directory}", *options]
        subprocess.run(command, check=True, stdout=sys.stderr, cwd=directory)

    return installed(f"{name}-{fingerprint(pom)}", install)


def python_with(requirements: Path) -> Path:
    """The Python of a virtual environment that has what the requirements file lists."""

    def install(directory: Path) -> None:
        subprocess.run([sys.executable, "-m", "venv", str(directory)], check=True)
        subprocess.run([str(directory / "bin" / "pip"), "install", "-q",
                        "--disable-pip-version-check", "-r", str(requirements)],
                       check=True, stdout=sys.stderr)

    return installed(f"venv-{fingerprint(requirements)}", install) / "bin" / "python"


def zabra_binary() -> Path:
    """The server under test: $ZABRA_BIN, or the release build of this repository."""
    chosen = os.environ.get("ZABRA_BIN")
    if chosen:
        return Path(chosen)
    target = Path(os.environ.get("CARGO_TARGET_DIR") or REPOSITORY / "target")
    return target / "release" / "zabra"
