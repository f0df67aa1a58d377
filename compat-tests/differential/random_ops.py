"""Seeded random operations on two servers at once: the same in every run of a seed.

A few sessions take turns. A turn is a burst of requests sent in one piece, a new connection, a lost
one, a session's end. After each turn its replies are read from both servers; after a few turns all
connections are pinged, and then what each connection received, in order, must be the same on both.

Nothing is generated whose outcome is a matter of timing in the reference (a second session's burst
at the same time; within a burst a hard quota, a `container` that is ephemeral, anything behind a
setACL, which the reference checks against the old list if it is quick), nor what is known to break
the reference (see `Requests`).

With ensembles every server has to have a change before another session's turn: all are level first,
or the turn begins with a `sync`.
"""

import ast
import random
import time
from collections import deque
from dataclasses import dataclass

from differential import deliberate
from differential import protocol as p
from differential.random_requests import ROOT, UNKNOWN_OPS, USERS, Requests
from harness.servers import four_letter
from harness.trios import LEADER

SHOWN_HISTORY = 30
MOST_DIFFERENCES = 5
TURNS_PER_FENCE = 6
TURNS_PER_SURVEY = 1200
SURVEYED_AT_ONCE = 40
# Figures of `mntr` that count what the requests have left behind. Not approximate_data_size: the
# reference loses count when it rewrites the statistics of a quota.
FIGURES = ["znode_count", "watch_count", "ephemerals_count", "num_alive_connections"]
FIGURE_SECONDS = 3


@dataclass
class Actor:
    """One of those who take turns: a session, and its connection if it has one."""

    session: str
    connection: str | None
    connections: int = 1


class Walk:
    """The turns of one seed."""

    def __init__(self, t, seed: int):
        self._t = t
        self._seed = seed
        self._rng = random.Random(seed)
        hard_quotas = seed % 3 == 0
        self._bursts = (1,) if hard_quotas else (1, 1, 1, 2, 3, 4, 6, 10)
        self._hard_quotas = hard_quotas
        # Whether connections are to several servers.
        self._spread = len(t.sides[0].server.places()) > 1
        self._requests = Requests(self._rng, hard_quotas, spoilt=not self._spread)
        # Whether the last turn changed an ACL, which the reference checks late.
        self._access_changed = False
        self._history: deque[str] = deque(maxlen=SHOWN_HISTORY)
        self._turn = 0
        self._next_survey = TURNS_PER_SURVEY
        self._sessions = 0
        self._actors: list[Actor] = []
        self.done = 0
        self.differences: list[str] = []

    def run(self, operations: int) -> None:
        """So many requests, or fewer if the servers have come apart."""
        self._t.begin(ROOT)
        self._actors.append(Actor("ctl", "ctl"))
        self._auth(self._actors[0], USERS[2])
        for _ in range(self._rng.randint(2, 4)):
            self._actors.append(Actor("", None))
            self._new_session(self._actors[-1])
        self._populate()
        while self.done < operations and len(self.differences) < MOST_DIFFERENCES:
            self._take_turn()
            if self._turn % TURNS_PER_FENCE == 0:
                self._fence()
            if self._turn >= self._next_survey:
                self._survey()
        self._survey()

    def _populate(self) -> None:
        """Most of the nodes higher up, so that there is something to work on."""
        paths = [ROOT, *(f"{ROOT}/{name}" for name in ("a", "ab", "b", "\u00e9"))]
        paths += [f"{path}/x" for path in paths[1:]]
        self._call(self._present()[0], [p.create(path) for path in paths])

    def _present(self) -> list[Actor]:
        return [actor for actor in self._actors if actor.connection is not None]

    # Turns.

    def _take_turn(self) -> None:
        absent = [actor for actor in self._actors if actor.connection is None]
        present = self._present()
        if absent and (not present or self._requests.chance(25)):
            self._let_level()
            self._come_back(self._rng.choice(absent))
            return
        actor = self._rng.choice(present)
        if self._turn % 60 == 59:
            self._let_level()
            self._auth(actor, USERS[2])
            if actor.connection is not None:
                self._populate()
            return
        kinds = (self._burst, self._some_auth, self._lose, self._take_over, self._intrude,
                 self._offend, self._close)
        kind = self._rng.choices(kinds, (90, 2.5, 2, 1, 0.7, 0.7, 1.2))[0]
        if kind == self._burst and self._may_sync(actor):
            self._call(actor, [p.sync(ROOT), *self._some(synced=True)])
            return
        self._let_level()
        kind(actor)

    def _let_level(self) -> None:
        """The servers of an ensemble are to have all that happened before."""
        if self._spread:
            self._fence()

    def _may_sync(self, actor: Actor) -> bool:
        """Whether this turn has but a sync before it, which is not enough for a connection to the
        reference's leader, nor for what the reference checks against what is applied."""
        at = self._t.sides[0].connections[actor.connection].at
        return (self._spread and at % 3 != LEADER % 3 and not self._hard_quotas
                and not self._access_changed and self._requests.chance(50))

    def _some(self, synced: bool = False) -> list[p.Request]:
        count = self._rng.choice(self._bursts)
        requests: list[p.Request] = []
        while len(requests) < count and (not requests or requests[-1].op != p.SET_ACL):
            requests.append(self._requests.any(count == 1 and not synced))
        return requests

    def _burst(self, actor: Actor) -> None:
        self._call(actor, self._some())

    def _some_auth(self, actor: Actor) -> None:
        if self._requests.chance(85):
            self._auth(actor, self._rng.choice(USERS))
            return
        scheme, data = self._rng.choice([("ip", b""), ("world", b"anyone"), ("bogus", b"x"),
                                         ("digest", b"nocolon"), ("digest", b""), ("sasl", b"")])
        self._call(actor, [p.auth(scheme, data)])
        # A refusal comes before the end of the connection.
        self._fence()
        self._look_at(actor)

    def _auth(self, actor: Actor, user: bytes) -> None:
        self._call(actor, [p.auth("digest", user)])

    def _lose(self, actor: Actor) -> None:
        """The connection ends at our side."""
        self._fence()
        self._begin_turn(f"{actor.connection} is dropped")
        for side in self._t.sides:
            side.connections.pop(actor.connection).close()
        actor.connection = None

    def _come_back(self, actor: Actor) -> None:
        """A new connection for a session, as clients do it."""
        if self._requests.chance(10):
            self._connect("stranger", actor.session, password=b"wrong password!!")
            self._forget("stranger")
        if self._requests.chance(5):
            self._connect("stranger", actor.session, seen=self._requests.zxid + 1000)
            self._forget("stranger")
        self._attach(actor)
        if actor.connection is None or self._requests.chance(40):
            return
        self._auth(actor, self._rng.choice(USERS))
        if actor.connection is not None:
            lists = [self._requests.several(4) for _ in range(5)]
            self._call(actor, [p.set_watches2(self._requests.since(), *lists)])

    def _attach(self, actor: Actor) -> None:
        actor.connections += 1
        name = f"{actor.session}.{actor.connections}"
        seen = self._rng.choice((None, self._requests.zxid // 2, self._requests.zxid))
        self._connect(name, actor.session, seen=seen)
        actor.connection = name if self._lives(name) else None

    def _take_over(self, actor: Actor) -> None:
        """A second connection for a session that has one: the first is closed."""
        self._fence()
        old = actor.connection
        self._attach(actor)
        if self._spread and actor.connection is not None:
            # Another server does not hear of it until the old connection asks for a change.
            self._fence()
            for side in self._t.sides:
                side.connections[old].send(side, p.create(ROOT))
        self._end(old)

    def _intrude(self, actor: Actor) -> None:
        """A wrong password for a session that has a connection."""
        self._fence()
        password = self._rng.choice((b"wrong password!!", b"", b"short", bytes(16)))
        at = self._t.sides[0].connections[actor.connection].at
        self._connect("intruder", actor.session, password=password, at=at)
        self._end(actor.connection)
        self._forget("intruder")
        actor.connection = None

    def _offend(self, actor: Actor) -> None:
        """A request that ends the connection; alone, as its answer overtakes others."""
        last = p.raw(self._rng.choice(UNKNOWN_OPS), self._rng.randbytes(self._rng.randint(0, 20)))
        self._fence()
        self._send(actor, [last])
        self._end(actor.connection)
        actor.connection = None

    def _close(self, actor: Actor) -> None:
        """The session ends, and another begins. Its ephemerals go in no certain order."""
        self._fence()
        self._end_session(actor, self._some() if self._requests.chance(50) else [])
        if self._requests.chance(30):
            self._connect("stranger", "gone")
            self._forget("stranger")
        self._forget_gone()
        self._new_session(actor)

    def _forget_gone(self) -> None:
        for side in self._t.sides:
            del side.sessions["gone"]

    def _end_session(self, actor: Actor, requests: list[p.Request]) -> None:
        self._send(actor, [*requests, p.close_session()])
        self._end(actor.connection)
        for side in self._t.sides:
            side.sessions["gone"] = side.sessions.pop(actor.session)
        self._fence(sort_events=True)

    def _new_session(self, actor: Actor) -> None:
        self._sessions += 1
        actor.session, actor.connections = f"s{self._sessions}", 1
        actor.connection = f"s{self._sessions}.1"
        self._connect(actor.connection, None, named=actor.session,
                      timeout=self._rng.choice((30000, 40000, 100000)),
                      read_only=self._rng.choice((None, 0, 1)))

    # The state that all this has led to.

    def _survey(self) -> None:
        """Reads every node, and what the servers count."""
        self._next_survey = self._turn + TURNS_PER_SURVEY
        surveyor = Actor("", None)
        self._new_session(surveyor)
        self._auth(surveyor, USERS[2])
        paths = ["/"]
        while paths:
            some, paths = paths[:SURVEYED_AT_ONCE], paths[SURVEYED_AT_ONCE:]
            self._fence()
            if surveyor.connection is None:
                return
            self._call(surveyor, [ask(path) for path in some
                                  for ask in (p.get_children2, p.get_data, p.get_acl)])
            paths += self._children(some)
        self._fence()
        self._end_session(surveyor, [])
        self._forget_gone()
        self._compare_figures()

    def _children(self, paths: list[str]) -> list[str]:
        """The children that the first server just named; the survey asks three things of a node."""
        replies = [line for line in self._t.sides[0].lines if " xid=" in line]
        found = []
        for path, reply in zip(paths, replies[-3 * len(paths)::3], strict=False):
            start, end = reply.find("["), reply.find("] stat(")
            if 0 <= start < end:
                found += [f"{path.rstrip('/')}/{name}"
                          for name in ast.literal_eval(reply[start:end + 1])]
        return found

    def _compare_figures(self) -> None:
        """Compares counts; a server may need a moment to notice that a connection is gone."""
        deadline = time.monotonic() + FIGURE_SECONDS
        while True:
            pair = [figures(side.server) for side in self._t.sides]
            if pair[0] == pair[1]:
                return
            if time.monotonic() > deadline:
                break
            time.sleep(0.05)
        text = [f"  {side.label}: {counts}"
                for side, counts in zip(self._t.sides, pair, strict=True)]
        self.differences.append("\n".join(
            [f"seed {self._seed}, before turn {self._turn + 1}: figures", *text]))

    # What turns are made of.

    def _begin_turn(self, label: str) -> None:
        self._turn += 1
        self._history.append(f"{self._turn}. {label}")

    def _call(self, actor: Actor, requests: list[p.Request]) -> None:
        self._send(actor, requests)
        for side in self._t.sides:
            side.read_replies(side.connections[actor.connection])
        self._learn(actor.connection, requests)
        self._look_at(actor)

    def _look_at(self, actor: Actor) -> None:
        """Notices that a connection is gone."""
        if actor.connection is not None and not self._lives(actor.connection):
            self._forget(actor.connection)
            actor.connection = None

    def _send(self, actor: Actor, requests: list[p.Request]) -> None:
        name = actor.connection
        self._begin_turn(f"{name}: " + " | ".join(request.label for request in requests))
        self.done += len(requests)
        self._access_changed = any(one.op == p.SET_ACL for one in requests)
        for side in self._t.sides:
            side.say(f"{name} -- turn {self._turn}")
        for side in self._t.sides:
            side.connections[name].send(side, *requests)

    def _learn(self, name: str, requests: list[p.Request]) -> None:
        """Remembers names that the first server has made."""
        side = self._t.sides[0]
        self._requests.zxid = max(self._requests.zxid, side.last_zxid - side.base)
        if not any(request.op in (p.CREATE, p.CREATE2, p.CREATE_TTL, p.MULTI)
                   for request in requests):
            return
        for line in side.lines[-2 * len(requests):]:
            for word in line.split("'")[1::2]:
                if line.startswith(name) and word[-10:].isdigit() and word.startswith(ROOT):
                    self._requests.made.append(word)

    def _connect(self, name: str, session: str | None, *, named: str = "", timeout: int = 30000,
                 password: bytes | None = None, seen: int | None = None,
                 read_only: int | None = 0, at: int | None = None) -> None:
        self._begin_turn(f"{name} connects to session {session or named} seen={seen}"
                         f" password={password} timeout={timeout}")
        for side in self._t.sides:
            side.say(f"{name} -- turn {self._turn}")
            side.send_connect(name, timeout=timeout, session=session, password=password, at=at,
                              seen=seen, read_only=read_only, version=0, more=b"")
        for side in self._t.sides:
            side.read_connect(name, session or named)

    def _lives(self, name: str) -> bool:
        """Whether the connection is established on both servers."""
        return all(side.connections[name].established for side in self._t.sides)

    def _end(self, name: str) -> None:
        """The servers are to close this connection."""
        for side in self._t.sides:
            side.read_until_end(side.connections[name], 3)
        self._forget(name)

    def _forget(self, name: str) -> None:
        for side in self._t.sides:
            side.connections.pop(name).close()

    # Comparing.

    def _fence(self, sort_events: bool = False) -> None:
        asked = [side.send_pings() for side in self._t.sides]
        for side, connections in zip(self._t.sides, asked, strict=True):
            side.read_pings(connections)
        said = [streams(side.lines, sort_events) for side in self._t.sides]
        for side in self._t.sides:
            side.lines.clear()
        for name in sorted(said[0].keys() | said[1].keys()):
            pair = [each.get(name, []) for each in said]
            if pair[0] != pair[1]:
                self.differences.append(self._describe(name, pair))

    def _describe(self, name: str, pair: list[list[str]]) -> str:
        at = next((index for index, (one, other) in enumerate(zip(*pair, strict=False))
                   if one != other), min(map(len, pair)))
        text = [f"seed {self._seed}, before turn {self._turn + 1}: {name} received"]
        for side, lines in zip(self._t.sides, pair, strict=True):
            text.append(f"  {side.label}:")
            shown = enumerate(lines[max(0, at - 8):at + 4], max(0, at - 8))
            text += [f"    {'! ' if index == at else '  '}{line}" for index, line in shown]
        if not self.differences:
            text += ["  the turns before:", *(f"    {line}" for line in self._history)]
        return "\n".join(text)


def streams(lines: list[str], sort_events: bool) -> dict[str, list[str]]:
    """What each connection received, in order; events side by side sorted if asked."""
    grouped: dict[str, list[str]] = {}
    for line in lines:
        name, _, said = comparable(line).partition(" ")
        grouped.setdefault(name, []).append(said)
    if not sort_events:
        return grouped
    for name, said in grouped.items():
        ordered: list[str] = []
        run: list[str] = []
        for line in [*said, ""]:
            if line.startswith("event "):
                run.append(line)
                continue
            ordered += [*sorted(run), line]
            run = []
        grouped[name] = ordered
    return grouped


def comparable(line: str) -> str:
    """The line without what may differ, on purpose or by chance.

    The access rules that one `auth` stands for come in any order if they are several.
    """
    for theirs, ours in deliberate.TEXTS.items():
        line = line.replace(theirs, ours)
    start, end = line.find(" [("), line.find(")] stat(")
    if start < 0 or end < 0 or line.count("'digest'") < 2:
        return line
    rules = sorted(ast.literal_eval(line[start + 1:end + 2]))
    return f"{line[:start + 1]}{rules}{line[end + 2:]}"


def figures(server) -> list[dict[str, str]]:
    """What a server counts, or each one of an ensemble."""
    counts = []
    for host, port in server.places():
        answer = four_letter(port, b"mntr", host).decode()
        rows = dict(line.split("\t", 1) for line in answer.splitlines() if "\t" in line)
        counts.append({name: rows.get(f"zk_{name}", "missing") for name in FIGURES})
    return counts


def run_seed(t, seed: int, operations: int) -> tuple[int, list[str]]:
    """Runs a seed; how many requests were sent, and the differences."""
    walk = Walk(t, seed)
    walk.run(operations)
    return walk.done, walk.differences
