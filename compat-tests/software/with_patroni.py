"""Patroni, which keeps a cluster of PostgreSQL, with the lock of its leader in ZooKeeper.

Three members with the settings of Patroni's own sample, and synchronous replication: then no
acknowledged row may be lost, whatever member is.
"""

import contextlib
import json
import os
import shutil
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import psycopg2
import yaml
from kazoo.exceptions import NoNodeError

from eyes import Eyes
from process import Process, Trouble, kill_stranger, wait
from world import World, all_live

MEMBERS = ["first", "second", "third"]
SCOPE = "batman"
USER = "postgres"
# As in Patroni's sample.
TTL = 30
LOOP_WAIT = 10
TICK_SECONDS = 2
START_SECONDS = 180
REPLICA_SECONDS = 120
WRITE_SECONDS = 60
# What the others need to notice that the lock is free, and to take it, when ZooKeeper has ended
# the session: that may be a tick late.
RACE_SECONDS = 10
PASSWORDS = {"superuser": "postgres", "replication": "replicator", "rewind": "rewind_user"}


def settings(world: World, name: str, port: int, api: int, programs: Path) -> dict:
    """What Patroni's sample has for one member."""
    home = world.directory / name
    return {
        "scope": SCOPE,
        "name": name,
        "restapi": {"listen": f"127.0.0.1:{api}", "connect_address": f"127.0.0.1:{api}"},
        "zookeeper": {"hosts": world.target.addresses()},
        "bootstrap": {
            "dcs": {
                "ttl": TTL,
                "loop_wait": LOOP_WAIT,
                "retry_timeout": 10,
                "maximum_lag_on_failover": 1048576,
                "synchronous_mode": True,
                "postgresql": {
                    "use_pg_rewind": True,
                    "pg_hba": ["host replication replicator 127.0.0.1/32 md5",
                               "host all all 127.0.0.1/32 md5"],
                },
            },
            "initdb": [{"encoding": "UTF8"}, "data-checksums"],
        },
        "postgresql": {
            "listen": f"127.0.0.1:{port}",
            "connect_address": f"127.0.0.1:{port}",
            "bin_dir": str(programs),
            "data_dir": str(home / "data"),
            "pgpass": str(home / "pgpass"),
            "authentication": {role: {"username": user, "password": "zalando"}
                               for role, user in PASSWORDS.items()},
            "parameters": {"unix_socket_directories": str(home), "shared_buffers": "32MB"},
        },
    }


def postgres_programs() -> Path:
    """The directory with PostgreSQL's programs: Debian's newest, or where `postgres` is."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"),
                   key=lambda path: float(path.parts[-3]))
    if not found and (named := shutil.which("postgres")):
        found = [Path(named).resolve()]
    if not found:
        raise Trouble("PostgreSQL is missing; .ci/setup software installs it on Debian and Ubuntu")
    return found[-1].parent


def as_user() -> list[str]:
    """The words in front of a command that make it run as somebody whom PostgreSQL takes. The
    Python may be one that only root can read, so that much of root is kept."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--init-groups",
            "--inh-caps=+dac_override", "--ambient-caps=+dac_override", "--"]


class Member:
    """One Patroni with its PostgreSQL."""

    def __init__(self, world: World, name: str, programs: Path):
        self.name = name
        self.port = world.port()
        self.api = world.port()
        home = world.directory / name
        home.mkdir()
        self.config = home / "patroni.yml"
        self.config.write_text(yaml.safe_dump(
            settings(world, name, self.port, self.api, programs)))
        self._data = home / "data"
        if os.geteuid() == 0:
            shutil.chown(home, USER, USER)
        self.patroni = Process(f"patroni-{name}",
                               [*as_user(), sys.executable, "-m", "patroni", str(self.config)],
                               world.directory, {"HOME": str(home)})

    def kill(self) -> None:
        """Ends both by force: Patroni first, or it would start PostgreSQL again."""
        self.patroni.kill_family()
        try:
            # A PostgreSQL that only recovers has a minus in front.
            pid = abs(int((self._data / "postmaster.pid").read_text().split()[0]))
        except (OSError, ValueError, IndexError):
            return
        kill_stranger(pid, self._data)

    def ask(self, path: str, seconds: float = 2) -> tuple[int, dict]:
        """The status and the JSON that its REST API answers; 0 if there is no answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.api}/{path}",
                                        timeout=seconds) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, {}
        except (OSError, ValueError):
            return 0, {}


class Watcher(threading.Thread):
    """Asks every member in turn, all the time, whether it is the primary that has the lock."""

    def __init__(self, members: list[Member]):
        super().__init__(daemon=True)
        self.asked = 0
        self.double = []
        self.held = []
        self._members = members
        self._ended = threading.Event()

    def run(self) -> None:
        # Who has said yes since a member said so last, while it did not say no.
        since: dict[str, set[str]] = {}
        while not self._ended.wait(0.05):
            for member in self._members:
                status, _ = member.ask("primary", 1)
                self.asked += 1
                if status != 200:
                    since.pop(member.name, None)
                    continue
                # It was the primary before and it still is: nobody may have been in between.
                if others := since.get(member.name):
                    self.double.append(f"{time.strftime('%H:%M:%S')} {member.name} and {others}")
                for name in since:
                    if name != member.name:
                        since[name].add(member.name)
                since[member.name] = set()
                if not self.held or self.held[-1] != member.name:
                    self.held.append(member.name)

    def end(self) -> None:
        """Ends it."""
        self._ended.set()
        self.join(10)


class Writer(threading.Thread):
    """Writes numbered rows to whoever takes them, and remembers which were acknowledged."""

    def __init__(self, members: list[Member]):
        super().__init__(daemon=True)
        self.acknowledged = []
        self.times = []
        self.sent = 0
        self._members = members
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.is_set():
            try:
                with contextlib.closing(connect(*self._members)) as connection:
                    connection.autocommit = True
                    self._write(connection)
            except psycopg2.Error:
                self._ended.wait(0.2)

    def _write(self, connection) -> None:
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE IF NOT EXISTS rows (number int PRIMARY KEY)")
            while not self._ended.wait(0.01):
                self.sent += 1
                cursor.execute("INSERT INTO rows VALUES (%s)", (self.sent,))
                if connection.notices:
                    # "The transaction has committed locally, but might not have been replicated".
                    del connection.notices[:]
                    continue
                self.times.append(time.monotonic())
                self.acknowledged.append(self.sent)

    def moves(self, seconds: float = WRITE_SECONDS) -> float:
        """Waits until a row that is sent from now on is acknowledged; how long that took."""
        before, began = self.sent, time.monotonic()
        wait(lambda: self.acknowledged and self.acknowledged[-1] > before + 1,
             "rows to be acknowledged", seconds)
        return time.monotonic() - began

    def longest_wait(self, since: float) -> float:
        """The longest time without an acknowledged row since then, until now."""
        times = [moment for moment in list(self.times) if moment >= since]
        return max(after - before
                   for before, after in zip([since, *times], [*times, time.monotonic()]))

    def give_up(self) -> None:
        """Lets it end, and does not wait."""
        self._ended.set()

    def end(self) -> None:
        """Ends it."""
        self._ended.set()
        self.join(30)
        if self.is_alive():
            raise Trouble("a row is neither acknowledged nor refused")


def connect(*members: Member, only: str = "read-write"):
    """A connection to the one that takes rows, or to any of them."""
    return psycopg2.connect(
        host=",".join("127.0.0.1" for _ in members), user="postgres", password="zalando",
        port=",".join(str(member.port) for member in members), dbname="postgres",
        connect_timeout=3, target_session_attrs=only)


class Cluster:
    """All members, and who looks at them."""

    def __init__(self, world: World, stack: contextlib.ExitStack):
        self.world = world
        # How often the leader was meant to change.
        self.changes = 0
        programs = postgres_programs()
        self.members = {name: Member(world, name, programs) for name in MEMBERS}
        for member in self.members.values():
            stack.callback(member.kill)
        self._eyes = Eyes(world.zookeeper(), stack)

    def all(self) -> list[Member]:
        """The members."""
        return list(self.members.values())

    def lock(self) -> tuple[str, int]:
        """Who has the lock, and by what session; nobody if it is free."""
        path = f"/service/{SCOPE}/leader"
        try:
            data, stat = self._eyes.get(path)
        except NoNodeError:
            return "", 0
        return data.decode(), stat.ephemeralOwner

    def sessions(self) -> dict[str, int]:
        """The sessions by which the members are registered."""
        path = f"/service/{SCOPE}/members"
        return {name: self._eyes.owner(f"{path}/{name}") for name in self.members}

    def control(self, *words: str) -> str:
        """Runs patronictl."""
        config = self.members[MEMBERS[0]].config
        return self.world.command([str(Path(sys.executable).with_name("patronictl")), "-c",
                                   str(config), *words])

    def list(self) -> dict[str, dict]:
        """What `patronictl list` shows, by name."""
        return {row["Member"]: row for row in json.loads(self.control("list", "-f", "json"))}

    def wait_whole(self) -> dict[str, dict]:
        """Waits until `patronictl list` shows a leader that has the lock, and the other two as
        replicas that stream, one of them synchronous."""

        def look():
            all_live([member.patroni for member in self.all()])
            rows = self.list()
            leader, _ = self.lock()
            roles = {name: row["Role"] for name, row in rows.items()}
            expected = sorted(["Leader", "Sync Standby", "Replica"])
            states = {row["State"] for name, row in rows.items() if name != leader}
            timelines = {row["TL"] for row in rows.values()}
            if (sorted(roles.values()) == expected and roles.get(leader) == "Leader"
                    and states == {"streaming"} and rows[leader]["State"] == "running"
                    and len(timelines) == 1):
                return rows
            raise ValueError(f"patronictl shows {rows}")
        return wait(look, "a leader, a synchronous standby and a replica", REPLICA_SECONDS, 1)

    def standby(self) -> str:
        """Who is the synchronous standby."""
        return next(name for name, row in self.wait_whole().items()
                    if row["Role"] == "Sync Standby")


def fail_over(cluster: Cluster, writer: Writer) -> str:
    """Kills the leader: another takes the lock when ZooKeeper has ended the session."""
    cluster.wait_whole()
    old, _ = cluster.lock()
    began = time.monotonic()
    cluster.members[old].kill()
    cluster.changes += 1
    wait(lambda: cluster.lock()[0] not in ("", old), "another leader", TTL * 2)
    took = time.monotonic() - began
    if took > TTL + RACE_SECONDS:
        raise Trouble(f"the lock changed after {took:.1f} seconds, the ttl is {TTL}")
    writer.moves()
    new, _ = cluster.lock()
    return (f"{new} after {old}: the lock after {took:.1f} s, rows after "
            f"{writer.longest_wait(began):.1f} s")


def rejoin(cluster: Cluster) -> None:
    """The killed leader comes back as a replica."""
    leader, _ = cluster.lock()
    killed = [member for member in cluster.all() if not member.patroni.running()]
    for member in killed:
        member.patroni.start()
    rows = cluster.wait_whole()
    if cluster.lock()[0] != leader:
        raise Trouble(f"{leader} is the leader no more: {rows}")


def lose_leader(cluster: Cluster, writer: Writer) -> list[str]:
    """Kills the leader of ZooKeeper: no member loses its session, the leader of Patroni stays and
    never stops taking rows."""
    before, sessions = cluster.lock(), cluster.sessions()
    timeline = cluster.wait_whole()[before[0]]["TL"]
    began = time.monotonic()
    fact = cluster.world.lose_leader()
    # A session that was not taken over has ended by then.
    time.sleep(TTL + TICK_SECONDS)
    writer.moves()
    if (after := cluster.lock()) != before:
        raise Trouble(f"the lock and its session were {before}, and now {after}")
    if (now := cluster.sessions()) != sessions:
        raise Trouble(f"the sessions were {sessions}, and now {now}")
    if (now := cluster.wait_whole()[before[0]]["TL"]) != timeline:
        raise Trouble(f"the timeline was {timeline}, and now {now}")
    longest = writer.longest_wait(began)
    if longest > 5:
        raise Trouble(f"no row was taken for {longest:.1f} seconds")
    return [fact, f"the longest wait for a row {longest:.1f} s"]


def switch_over(cluster: Cluster, writer: Writer) -> str:
    """`patronictl switchover` to the synchronous standby."""
    old, _ = cluster.lock()
    new = cluster.standby()
    began = time.monotonic()
    cluster.changes += 1
    cluster.control("switchover", SCOPE, "--leader", old, "--candidate", new, "--force")
    wait(lambda: cluster.lock()[0] == new, f"{new} to lead", TTL)
    took = time.monotonic() - began
    writer.moves()
    rows = cluster.wait_whole()
    if rows[new]["Role"] != "Leader":
        raise Trouble(f"patronictl shows {rows}")
    return (f"{new} after {old}: the lock after {took:.1f} s, the longest wait for a row "
            f"{writer.longest_wait(began):.1f} s")


def compare(cluster: Cluster, writer: Writer) -> str:
    """Every acknowledged row is there, on every member, and none that nobody wrote."""
    writer.end()
    acknowledged = set(writer.acknowledged)
    for member in cluster.all():
        def rows(member=member) -> set[int]:
            with contextlib.closing(connect(member, only="any")) as connection:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT number FROM rows")
                    return {number for number, in cursor.fetchall()}
        try:
            wait(lambda rows=rows: acknowledged <= rows(), "all rows", 30)
        except Trouble as error:
            lost = sorted(acknowledged - rows())
            raise Trouble(f"{member.name} has lost {len(lost)} acknowledged rows: "
                          f"{lost[:20]}") from error
        if strange := rows() - set(range(1, writer.sent + 1)):
            raise Trouble(f"{member.name} has rows that nobody wrote: {sorted(strange)[:20]}")
    return f"{len(acknowledged)} rows acknowledged of {writer.sent} sent"


def run(world: World, stack: contextlib.ExitStack) -> None:
    """All of it; what it starts is ended by the stack."""
    with world.step("three members start"):
        cluster = Cluster(world, stack)
        for member in cluster.all():
            member.patroni.start()
        wait(lambda: len(cluster.list()) == len(MEMBERS), "all members", START_SECONDS, 1)
        cluster.wait_whole()
    watcher = Watcher(cluster.all())
    watcher.start()
    stack.callback(watcher.end)
    writer = Writer(cluster.all())
    stack.callback(writer.give_up)
    world.begin_load()
    writer.start()
    with world.step("rows are written"):
        writer.moves()
    with world.step("the leader is killed and another takes over") as facts:
        facts.append(fail_over(cluster, writer))
    with world.step("the killed leader comes back as a replica"):
        rejoin(cluster)

    def fail_over_and_back() -> str:
        fact = fail_over(cluster, writer)
        rejoin(cluster)
        return fact
    world.repeat("leaders are killed in turn", 0.5, 120, fail_over_and_back)
    with world.step("the leader of ZooKeeper is killed") as facts:
        world.until(0.5)
        facts += lose_leader(cluster, writer)
    with world.step("patronictl switchover") as facts:
        facts.append(switch_over(cluster, writer))
    with world.step("the killed server of ZooKeeper comes back"):
        world.target.restore()
        cluster.wait_whole()
        writer.moves()
    world.repeat("patronictl switchover, again and again", 1, 90,
                 lambda: switch_over(cluster, writer))
    with world.step("every acknowledged row is on every member") as facts:
        world.until(1)
        facts.append(f"{compare(cluster, writer)} in {world.loaded():.0f} s")
    with world.step("never two leaders, and all members live") as facts:
        cluster.wait_whole()
        watcher.end()
        if watcher.double:
            raise Trouble("two leaders at once:\n" + "\n".join(watcher.double[:20]))
        if len(watcher.held) != 1 + cluster.changes:
            raise Trouble(f"the leaders were {watcher.held}")
        all_live([member.patroni for member in cluster.all()])
        facts.append(f"asked {watcher.asked} times; the leaders were "
                     f"{', '.join(watcher.held)}")
    world.servers_are_well()
