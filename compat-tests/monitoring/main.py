"""Asks Apache ZooKeeper and Zabra for all that operators see, and compares names and types."""

import argparse
import json
import logging
import re
import sys
import time
import traceback
import urllib.error
import urllib.request
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
sys.path.insert(0, str(HERE))

from kazoo.client import KazooClient  # noqa: E402

import shapes  # noqa: E402
from deliberate import ADDED, MISSING, reason  # noqa: E402
from harness.members import APACHE, ZABRA, Ensemble  # noqa: E402
from harness.profiles import PROFILES, SUPER, SUPER_DIGEST, Profile  # noqa: E402
from harness.report import Tally  # noqa: E402
from harness.servers import Servers, four_letter, free_port  # noqa: E402

PROMETHEUS = "org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider"
# More than servers here ask for between two restores.
RESTORE_SECONDS = 1.0
ASK_SECONDS = 20
NAMESPACED = re.compile("zk_[a-z]+_app_(read|write)_per_namespace")
# Neither asks anything nor resets what others ask for.
COMMANDS = [
    "configuration", "connections", "dirs", "dump", "environment", "get_trace_mask", "hash",
    "initial_configuration", "is_read_only", "last_snapshot", "leader", "monitor", "observers",
    "ruok", "server_stats", "stats", "system_properties", "voting_view", "watch_summary", "watches",
    "watches_by_path", "zabstate",
]
ALIASES = ["conf", "config", "cons", "env", "envi", "gtmk", "icfg", "isro", "lsnp", "lead", "mntr",
           "obsr", "srvr", "stat", "sysp", "wchs", "wchc", "wchp"]
ODDITIES = ["", "/", "/nonsense", "/a/b", "/set_trace_mask", "/set_trace_mask?traceMask=x",
            "/set_trace_mask?traceMask=306", "/crst", "/srst", "/orst", "/snapshot", "/restore",
            "/connection_stat_reset", "/stat_reset", "/observer_connection_stat_reset"]


@dataclass
class Side:
    """One server, and where it can be asked."""

    client: str
    admin: str
    metrics: str = ""


@dataclass
class Answer:
    """What came of an HTTP request."""

    status: int
    kind: str
    headers: dict[str, str]
    body: bytes


def ask(url: str, method: str = "GET", headers=None, body: bytes | None = None) -> Answer:
    """An HTTP request."""
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=ASK_SECONDS) as response:
            return _answer(response.status, response)
    except urllib.error.HTTPError as error:
        return _answer(error.code, error)


def _answer(status: int, response) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    kind = headers.get("content-type", "").partition(";")[0]
    return Answer(status, kind, headers, response.read())


class Difference(AssertionError):
    """The two servers differ, and nothing says that they may."""


def compare(where: str, theirs: dict[str, str], ours: dict[str, str]) -> None:
    """Two shapes must be equal but for what is deliberate."""
    found = []
    for name, kind in theirs.items():
        if ours.get(name) != kind and reason(MISSING, where, name) is None:
            found.append(f"{name}: {kind} there, {ours.get(name, 'missing')} here")
    for name, kind in ours.items():
        if name not in theirs and reason(ADDED, where, name) is None:
            found.append(f"{name}: only here, {kind}")
    if found:
        raise Difference(f"{where}\n" + "\n".join(found))


@contextmanager
def connected(client: str):
    """A session."""
    zookeeper = KazooClient(hosts=client, timeout=30)
    zookeeper.start()
    try:
        yield zookeeper
    finally:
        zookeeper.stop()
        zookeeper.close()


@contextmanager
def in_use(client: str):
    """Something to see: a session with an ephemeral, watches, a quota, and enough transactions for
    an entry in the log of digests."""
    with connected(client) as zookeeper:
        zookeeper.ensure_path("/app/data")
        zookeeper.create("/app/ephemeral", b"", ephemeral=True)
        zookeeper.ensure_path("/zookeeper/quota/app")
        zookeeper.create("/zookeeper/quota/app/zookeeper_limits", b"count=100,bytes=100000")
        zookeeper.create("/zookeeper/quota/app/zookeeper_stats", b"count=0,bytes=0")
        for number in range(140):
            zookeeper.set("/app/data", b"%d" % number)
        zookeeper.get("/app/data", watch=lambda _: None)
        zookeeper.get_children("/app", watch=lambda _: None)
        zookeeper.exists("/app/data")
        with zookeeper.transaction() as transaction:
            transaction.create("/app/gone")
            transaction.delete("/app/gone")
        yield


def shape_of(answer: Answer) -> dict[str, str]:
    """Status, kind of content, and the shape of the content."""
    shape = {"(status)": str(answer.status), "(content)": answer.kind}
    if answer.kind == "application/json":
        shape.update(shapes.of_json(answer.body.decode()))
    return shape


def commands(tally: Tally, name: str, theirs: Side, ours: Side) -> None:
    """Every command that only looks."""
    for command in COMMANDS + ALIASES:
        where = f"command/{command}"
        with case(tally, f"{name}/{where}"):
            there, here = (ask(f"{side.admin}/commands/{command}") for side in (theirs, ours))
            compare(where, shape_of(there), shape_of(here))
            primary = [json.loads(answer.body)["command"] for answer in (there, here)]
            assert primary[0] == primary[1], primary


def oddities(tally: Tally, name: str, theirs: Side, ours: Side) -> None:
    """What is asked wrongly, and what changes something: status and text are equal."""
    for path in ODDITIES:
        with case(tally, f"{name}/commands{path}"):
            answers = [ask(f"{side.admin}/commands{path}") for side in (theirs, ours)]
            there, here = ((answer.status, answer.body.decode()) for answer in answers)
            assert there == here, f"{there} there, {here} here"
    for method in ["HEAD", "PUT", "DELETE", "TRACE", "OPTIONS"]:
        with case(tally, f"{name}/{method}"):
            there, here = (ask(f"{side.admin}/commands/ruok", method) for side in (theirs, ours))
            assert there.status == here.status, f"{there.status} there, {here.status} here"


def snapshots(tally: Tally, name: str, theirs: Side, ours: Side) -> None:
    """Who may have a snapshot, what it comes with, and that Apache ZooKeeper restores it."""
    credentials = {"Authorization": f"digest {SUPER}"}
    for given in ["digest super:wrong", "nonsense a", "digest", "a b c", f"digest {SUPER}", "ip"]:
        with case(tally, f"{name}/snapshot as {given}"):
            there, here = (_snapshot(side, {"Authorization": given}) for side in (theirs, ours))
            assert (there.status, there.kind) == (here.status, here.kind), (there, here)
            assert there.body[:4] == here.body[:4]
            wanted = {"last_zxid", "snapshot_size"}
            assert wanted & set(there.headers) == wanted & set(here.headers)
    with case(tally, f"{name}/restored by Apache ZooKeeper"):
        made = _snapshot(ours, credentials)
        assert int(made.headers["snapshot_size"]) == len(made.body), made.headers
        restored = ask(f"{theirs.admin}/commands/restore", "POST", credentials, made.body)
        assert restored.status == 200, restored
        assert json.loads(restored.body)["last_zxid"] == int(made.headers["last_zxid"], 16)
        with connected(theirs.client) as there, connected(ours.client) as here:
            assert there.get("/app/data") == here.get("/app/data")
    with case(tally, f"{name}/restored from Apache ZooKeeper"):
        with connected(theirs.client) as there:
            there.create("/app/theirs", b"theirs")
            expected = there.get("/app/theirs")
        made = _snapshot(theirs, credentials)
        # Theirs has just had one.
        time.sleep(RESTORE_SECONDS)
        answers = [ask(f"{side.admin}/commands/restore", "POST", credentials, made.body)
                   for side in (ours, theirs)]
        assert answers[0].body == answers[1].body, answers
        # Zabra begins anew; a client finds it again.
        with connected(ours.client) as here:
            assert here.retry(here.get, "/app/theirs") == expected


def _snapshot(side: Side, headers: dict[str, str]) -> Answer:
    # Apache ZooKeeper names snapshots by zxid, and admits few of them at a time.
    time.sleep(0.01)
    return ask(f"{side.admin}/commands/snapshot", headers=headers)


def words(tally: Tally, name: str, theirs: Side, ours: Side) -> None:
    """The word `mntr`; the other words are compared by the differential tests."""
    with case(tally, f"{name}/mntr"):
        there, here = (_word(side, b"mntr") for side in (theirs, ours))
        compare("mntr", shapes.of_lines(there), shapes.of_lines(here))
    with case(tally, f"{name}/bytes by namespace"):
        there, here = (_by_namespace(_word(side, b"mntr")) for side in (theirs, ours))
        assert there == here, f"{there} there, {here} here"


def _by_namespace(mntr: str) -> dict[str, str]:
    """What `in_use` has read and written, which is the same everywhere."""
    figures = dict(line.split("\t") for line in mntr.splitlines())
    return {name: value for name, value in figures.items() if NAMESPACED.fullmatch(name)}


def _word(side: Side, word: bytes) -> str:
    host, _, port = side.client.partition(":")
    return four_letter(int(port), word, host).decode()


def metrics(tally: Tally, name: str, theirs: Side, ours: Side) -> None:
    """The page for Prometheus."""
    with case(tally, f"{name}/metrics"):
        there, here = (ask(f"{side.metrics}/metrics") for side in (theirs, ours))
        assert there.status == here.status == 200
        assert there.headers["content-type"] == here.headers["content-type"]
        compare("metrics", shapes.of_metrics(there.body.decode()),
                shapes.of_metrics(here.body.decode()))


@contextmanager
def case(tally: Tally, name: str):
    """One comparison, and one line about it."""
    try:
        yield
    except Exception as error:  # every failure is a result, whatever its type
        known = isinstance(error, (Difference, AssertionError))
        tally.fail(name, str(error) if known else traceback.format_exc())
    else:
        tally.ok(name)


def ports(provider: str) -> tuple[dict[str, str], Side]:
    """The keys that open ports of its own to a server's operators."""
    admin, exporter = free_port(), free_port()
    keys = {
        "admin.enableServer": "true",
        "admin.serverAddress": "127.0.0.1",
        "admin.serverPort": str(admin),
    }
    if provider:
        keys |= {"metricsProvider.className": provider,
                 "metricsProvider.httpHost": "127.0.0.1",
                 "metricsProvider.httpPort": str(exporter)}
    return keys, Side("", f"http://127.0.0.1:{admin}", f"http://127.0.0.1:{exporter}")


def started(servers: Servers, side_name: str, target: str, provider: str) -> Side:
    """A server of its own."""
    name = f"monitoring-{side_name}-{'metrics' if provider else 'plain'}"
    keys, side = ports(provider)
    keys |= {
        "4lw.commands.whitelist": "*",
        "admin.rateLimiterIntervalInMS": str(int(RESTORE_SECONDS * 1000 / 2)),
        "DigestAuthenticationProvider.superDigest": SUPER_DIGEST,
    }
    PROFILES[name] = Profile(name, keys)
    server = servers.get(target, name)
    side.client = f"{server.host}:{server.port}"
    return side


def alone(tally: Tally, target: str) -> None:
    """Servers that run alone."""
    with Servers() as servers, ExitStack() as stack:
        theirs, measured = (started(servers, "theirs", "apache", it) for it in ("", PROMETHEUS))
        ours, measuring = (started(servers, "ours", target, it) for it in ("", PROMETHEUS))
        for side in (theirs, ours, measured, measuring):
            stack.enter_context(in_use(side.client))
        commands(tally, "alone", theirs, ours)
        words(tally, "alone", theirs, ours)
        metrics(tally, "alone", measured, measuring)
        oddities(tally, "alone", theirs, ours)
        snapshots(tally, "alone", theirs, ours)


@contextmanager
def ensemble(kind: str, provider: str):
    """A leader, a follower and an observer, by role."""
    with Ensemble([kind, kind, kind], observers=[3]) as members:
        sides = {}
        for member in members:
            keys, sides[member.number] = ports(provider)
            member.keys = keys
            sides[member.number].client = member.address
        members.start(leader=2)
        with in_use(members[1].address):
            yield {"leader": sides[2], "follower": sides[1], "observer": sides[3]}


def together(tally: Tally, target: str) -> None:
    """Servers of an ensemble, in each role."""
    kind = ZABRA if target == "zabra" else APACHE
    with ensemble(APACHE, "") as theirs, ensemble(kind, "") as ours:
        for role in theirs:
            commands(tally, role, theirs[role], ours[role])
            words(tally, role, theirs[role], ours[role])
    # Apart, as with the provider ZooKeeper's words have other names.
    with ensemble(APACHE, PROMETHEUS) as theirs, ensemble(kind, PROMETHEUS) as ours:
        for role in theirs:
            metrics(tally, role, theirs[role], ours[role])


PARTS = {"alone": alone, "together": together}


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", metavar="TEXT", help="of the names that --list shows")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--quick", action="store_true", help="no ensembles")
    parser.add_argument("--target", choices=["zabra", "apache"], default="zabra")
    options = parser.parse_args()
    chosen = [part for name, part in PARTS.items() if options.only in name]
    if options.list:
        print("".join(f"{name}\n" for name in PARTS if options.only in name), end="")
        return 0
    logging.disable(logging.CRITICAL)
    tally = Tally()
    for part in chosen:
        if part is alone or options.only or not options.quick:
            part(tally, options.target)
    return tally.finish()


if __name__ == "__main__":
    sys.exit(main())
