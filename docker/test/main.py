"""The scenarios of the image. Prints a line for each, figures, and `N passed, N failed`."""

import argparse
import json
import logging
import re
import socket
import subprocess
import sys
import tempfile
import time
import traceback
import uuid
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "compat-tests"))

from kazoo.client import KazooClient  # noqa: E402

from engine import IMAGE, Engine, NoEngine, call  # noqa: E402
from harness import cache  # noqa: E402
from harness.servers import free_port  # noqa: E402

EXAMPLES = HERE.parent / "examples"
PATIENCE = 180
# Health checks as public compose files have them.
HABITS = [
    "zkServer.sh status",
    "echo ruok | nc localhost 2181 | grep imok",
    '[ "$(echo ruok | nc -w 2 localhost 2181)" = imok ]',
    "nc -z localhost 2181",
    "echo stat | nc localhost 2181 | grep Mode",
    "echo mntr | nc -q 1 localhost 2181 | grep zk_server_state",
    "cub zk-ready localhost:2181 30",
    "zkCli.sh -server localhost:2181 ls / | grep '\\[zookeeper\\]'",
    "zookeeper-shell localhost:2181 ls / | grep zookeeper",
    "ZOO_HC_TIMEOUT=10 /opt/bitnami/scripts/zookeeper/healthcheck.sh",
    "curl -s http://localhost:8080/commands/ruok | grep error | grep null",
    "exec 3<>/dev/tcp/localhost/2181; echo ruok >&3; grep imok <&3",
]


def wait(holds, what: str, seconds: float = PATIENCE):
    """Waits until something holds, and gives it."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            found = holds()
        except (OSError, RuntimeError):
            found = None
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(0.1)


def ask(port: int, word: str) -> str:
    """A server's answer to a four-letter word."""
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(word.encode())
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    return answer.decode()


class Project:
    """The containers of a compose file, with ports of this machine that are free; the engine
    would choose others at each restart."""

    def __init__(self, file: Path, directory: str):
        copy = Path(directory, "docker-compose.yml")
        port = lambda match: f'- "127.0.0.1:{free_port()}:{match[1]}"'
        copy.write_text(re.sub(r'- "?\d+:(\d+)"?$', port, file.read_text(), flags=re.M))
        self._compose = ["docker-compose", "-f", str(copy), "-p", "zabra" + uuid.uuid4().hex[:8]]

    def __call__(self, *command: str, check: bool = True) -> str:
        return call(*self._compose, *command, check=check)

    def container(self, service: str) -> str:
        """A service's container."""
        return self("ps", "-q", service).split()[0]

    def services(self) -> list[str]:
        """All services."""
        return sorted(self("config", "--services").split())

    def port(self, service: str, inside: int) -> int:
        """Where a service's port is on this machine."""
        return int(self("port", service, str(inside)).strip().rsplit(":", 1)[1])


@contextmanager
def project(file: Path):
    """A compose file's containers, up; they and their volumes are removed at the end."""
    with tempfile.TemporaryDirectory() as directory:
        made = Project(file, directory)
        try:
            made("up", "-d")
            yield made
        except BaseException:
            print(made("logs", "--tail", "20", "--no-color", check=False), file=sys.stderr)
            raise
        finally:
            made("down", "-v", "-t", "5", check=False)


@contextmanager
def container(*options: str, command: tuple[str, ...] = ()):
    """A container with options of `docker run`, removed with its volumes at the end."""
    name = call("docker", "run", "-d", *options, IMAGE, *command).strip()
    try:
        yield name
    except BaseException:
        print(call("docker", "logs", "--tail", "20", name, check=False), file=sys.stderr)
        raise
    finally:
        call("docker", "rm", "-fv", name, check=False)


def state(name: str) -> dict:
    """What the engine knows of a container's state."""
    return json.loads(call("docker", "inspect", "-f", "{{json .State}}", name))


def published(name: str, inside: int) -> int:
    """Where a container's port is on this machine."""
    return int(call("docker", "port", name, str(inside)).split()[0].rsplit(":", 1)[1])


def inside(name: str, script: str) -> subprocess.CompletedProcess:
    """Runs a script in a container, by bash."""
    return subprocess.run(["docker", "exec", name, "bash", "-c", script], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)


def one_server() -> None:
    """The image alone: its size, start, memory, and end."""
    size = int(call("docker", "image", "inspect", "-f", "{{.Size}}", IMAGE))
    started = time.monotonic()
    with container("-p", "127.0.0.1::2181", "-e", "ZOO_4LW_COMMANDS_WHITELIST=*") as name:
        wait(lambda: "Mode: standalone" in ask(published(name, 2181), "srvr"), "the server")
        healthy = time.monotonic() - started
        status = inside(name, "cat /proc/$(pgrep -x zabra)/status").stdout
        memory = next(int(line.split()[1]) for line in status.splitlines()
                      if line.startswith("VmRSS"))
        uid = next(line.split()[1] for line in status.splitlines() if line.startswith("Uid"))
        assert uid == "1000", f"it runs as user {uid}"
        started = time.monotonic()
        call("docker", "stop", name)
        stopped = time.monotonic() - started
        assert state(name)["ExitCode"] == 0, state(name)
    print(f"image {size / 1e6:.1f} MB (target 80), healthy after {healthy:.2f} s (target 1, with "
          f"the engine's part), memory at rest {memory / 1024:.1f} MB (target 40), stopped after "
          f"{stopped:.2f} s (target 2)", flush=True)


def health_checks() -> None:
    """Every habit of public compose files."""
    failed = []
    with container("-p", "127.0.0.1::2181", "-e", "ZOO_4LW_COMMANDS_WHITELIST=*") as name:
        wait(lambda: "Mode" in ask(published(name, 2181), "srvr"), "the server")
        for habit in HABITS:
            done = inside(name, habit)
            if done.returncode:
                failed.append(f"{habit}: exit code {done.returncode}: {done.stdout}")
    assert not failed, "\n".join(failed)


def clients_of(compose: Project, port: int) -> KazooClient:
    """A client with the addresses of all services."""
    addresses = [f"127.0.0.1:{compose.port(service, port)}" for service in compose.services()]
    client = KazooClient(",".join(addresses), timeout=10, connection_retry={"max_tries": -1},
                         command_retry={"max_tries": -1})
    client.start(timeout=60)
    return client


def roles(compose: Project, port: int) -> dict[str, str]:
    """Each service's mode."""
    found = {}
    for service in compose.services():
        try:
            lines = ask(compose.port(service, port), "srvr").splitlines()
        except (OSError, RuntimeError):
            continue
        mode = [line.removeprefix("Mode: ") for line in lines if line.startswith("Mode: ")]
        found[service] = mode[0] if mode else "none"
    return found


def is_whole(compose: Project, port: int) -> bool:
    """Whether all services serve, under one leader."""
    modes = list(roles(compose, port).values())
    return len(modes) == 3 and modes.count("leader") == 1 and modes.count("follower") == 2


def ensemble(file: Path, port: int, checked: bool) -> None:
    """Three servers: healthy, used, restarted, without their leader, and with new containers."""
    with project(file) as compose:
        wait(lambda: is_whole(compose, port), "three servers")
        if checked:
            for service in compose.services():
                health = lambda: state(compose.container(service))["Health"]["Status"] == "healthy"
                wait(health, f"{service} to be healthy")
        client = clients_of(compose, port)
        client.create("/kept", b"0")
        written = 1

        def write() -> None:
            nonlocal written
            client.retry(client.set, "/kept", str(written).encode())
            written += 1

        compose("restart", "-t", "5")
        wait(lambda: is_whole(compose, port), "three servers after a restart")
        write()
        leader = next(name for name, mode in roles(compose, port).items() if mode == "leader")
        compose("kill", leader)
        write()
        compose("up", "-d", leader)
        wait(lambda: is_whole(compose, port), "three servers after the leader was killed")
        write()
        client.stop()
        # A new image with the old volumes.
        compose("up", "-d", "--force-recreate")
        wait(lambda: is_whole(compose, port), "three servers in new containers")
        client = clients_of(compose, port)
        found = client.retry(client.get, "/kept")[0]
        assert found == str(written - 1).encode(), f"{found} was kept of {written - 1}"
        client.stop()
        client.close()


def official_ensemble() -> None:
    """The compose file of the official image's documentation."""
    ensemble(EXAMPLES / "ensemble" / "docker-compose.yml", 2181, checked=False)


def bitnami_ensemble() -> None:
    """Bitnami's."""
    ensemble(HERE / "compose" / "bitnami.yml", 2181, checked=True)


def confluent_ensemble() -> None:
    """Confluent's."""
    ensemble(HERE / "compose" / "confluent.yml", 22181, checked=True)


def single_example() -> None:
    """The example of one server becomes healthy."""
    with project(EXAMPLES / "single" / "docker-compose.yml") as compose:
        health = lambda: state(compose.container("zookeeper"))["Health"]["Status"] == "healthy"
        wait(health, "the server to be healthy")


def bad_variables() -> None:
    """What cannot be is said in the log, and the container ends."""
    table = [
        (["ZOO_TICK_TIME=fast"], 'ZOO_TICK_TIME = "fast"'),
        (["ZOOKEEPER_CLIENT_PORT=x"], 'ZOOKEEPER_CLIENT_PORT = "x"'),
        (["ZOO_SERVER_ID=1"], "ALLOW_ANONYMOUS_LOGIN: must be yes"),
        (["ALLOW_ANONYMOUS_LOGIN=yes", "ZOO_TLS_CLIENT_ENABLE=true"], "ZOO_TLS_CLIENT_ENABLE"),
        (["ZOO_CFG_EXTRA=secureClientPort=2281"], "secureClientPort"),
    ]
    for variables, expected in table:
        options = [word for variable in variables for word in ("-e", variable)]
        with container(*options) as name:
            wait(lambda: state(name)["Status"] == "exited", f"{variables} to be refused")
            assert state(name)["ExitCode"] != 0, f"{variables} are no error"
            log = call("docker", "logs", name)
            assert expected in log, f"{variables}: {log}"


def volumes() -> None:
    """Foreign and read-only volumes, a user of the operator's, a configuration of theirs."""
    with tempfile.TemporaryDirectory() as directory:
        data = Path(directory, "data")
        data.mkdir(mode=0o700)
        Path(directory, "zoo.cfg").write_text("dataDir=/data\nclientPort=2281\n")
        bind = ["-v", f"{data}:/data"]
        config = ["-v", f"{directory}/zoo.cfg:/conf/zoo.cfg:ro", "-p", "127.0.0.1::2281"]
        with container(*bind, *config) as name:
            wait(lambda: "Mode" in ask(published(name, 2281), "srvr"), "the server")
        assert data.stat().st_uid == 1000, "the directory was not given to the server's user"
        with container("-v", f"{data}:/data:ro") as name:
            wait(lambda: state(name)["Status"] == "exited", "a read-only volume to be refused")
            assert "/data" in call("docker", "logs", name) and state(name)["ExitCode"] != 0
        with container("--user", "12345", *bind) as name:
            wait(lambda: state(name)["Status"] == "exited", "a foreign volume to be refused")
            assert "/data" in call("docker", "logs", name) and state(name)["ExitCode"] != 0
    with container("--user", "12345", "-p", "127.0.0.1::2181") as name:
        wait(lambda: "Mode" in ask(published(name, 2181), "srvr"), "the server of user 12345")


def other_commands() -> None:
    """Commands that are no server's are run as they are."""
    run = ["docker", "run", "--rm", IMAGE]
    assert call(*run, "echo", "hello").strip() == "hello"
    assert "zabra" in call(*run, "zabra", "--version")


SCENARIOS = [one_server, health_checks, single_example, official_ensemble, bitnami_ensemble,
             confluent_ensemble, bad_variables, volumes, other_commands]


def main() -> int:
    """The exit code."""
    # Connections are lost on purpose.
    logging.getLogger("kazoo").setLevel(logging.CRITICAL)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", metavar="TEXT", help="scenarios with this text")
    chosen = parser.parse_args()
    engine, failed = None, 0
    try:
        engine = Engine()
        engine.build(cache.zabra_binary(), cache.cache_dir())
        wanted = [scenario for scenario in SCENARIOS if chosen.only in scenario.__name__]
        for scenario in wanted:
            try:
                scenario()
                print(f"ok {scenario.__name__}", flush=True)
            except Exception:  # whatever it is, the others are still to be run
                failed += 1
                print(f"FAIL {scenario.__name__}: {traceback.format_exc()}", flush=True)
        print(f"{len(wanted) - failed} passed, {failed} failed")
    except NoEngine as reason:
        print(f"NOT TESTED: the image ({reason}). What the environment means is tested without.")
    finally:
        if engine:
            engine.close()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
