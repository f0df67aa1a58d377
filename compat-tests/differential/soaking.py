"""A soak: random client programs, done by Apache ZooKeeper and by servers that are killed.

The clients take turns, and each does the same on both sides. When a connection is lost, whatever
was asked for on it and not answered has happened or not. What has is read back from the killed
side, and the reference, which nobody kills, is brought in line: its client does as much of that and
no more. From then on all replies have to be the same again. A client whose connection is lost drops
that to the reference too, so that both sides see the same program.
"""

import ast
import random
import re
import time
from bisect import bisect_left, insort
from collections import Counter, deque

from differential import protocol as p
from differential.clients import (WRITES, Client, Difference, Event, Half, Lost, Refused, Reply,
                                  barrier)
from differential.killer import Killer
from differential.programs import Programs, is_count, paths_of
from differential.random_ops import comparable
from differential.random_requests import ROOT, USERS

SHOWN_HISTORY = 40
CLIENTS = 5
LONG_MS = 120_000
SHORT_MS = 3_000
RECOVERY_SECONDS = 120
RETRY_SECONDS = 0.05
EXPIRY_SECONDS = 90
PROGRESS_SECONDS = 60
SURVEY_SECONDS = 60
EXPIRE_SECONDS = 100
BURSTS = (1, 1, 1, 2, 2, 3, 4, 6)
BURSTS_AT_A_KILL = (4, 8, 12, 16)
ZXID = re.compile(r"<(\d+)>")
# Permissions of everybody in an access control list, and requests that give one to a node.
OF_WORLD = re.compile(r"\((-?\d+), 'world'")
ACL = re.compile(r"setACL| acl=|createTTL")


class Zxids:
    """Which zxid of one side is which of the other, as learned from replies; the order is the
    same."""

    def __init__(self):
        self._pairs: dict[int, int] = {}
        self._order: list[int] = []

    def match(self, one: int, other: int) -> bool:
        """Whether the two may be one change."""
        known = self._pairs.get(one)
        if known is not None:
            return known == other
        at = bisect_left(self._order, one)
        if at > 0 and self._pairs[self._order[at - 1]] >= other:
            return False
        if at < len(self._order) and self._pairs[self._order[at]] <= other:
            return False
        self._pairs[one] = other
        insort(self._order, one)
        return True

    def same(self, one: str, other: str) -> bool:
        """Whether two texts are the same but for zxids that match."""
        if ZXID.sub("<>", one) != ZXID.sub("<>", other):
            return False
        pairs = zip(ZXID.findall(one), ZXID.findall(other), strict=True)
        return all([self.match(int(left), int(right)) for left, right in pairs])


class Soak:
    """The clients on both sides, and what they have seen."""

    def __init__(self, reference: Half, killed: Half, seed: int, only_zabra: bool,
                 killer: Killer, left_out: int = 0):
        self._sides = (reference, killed)
        self._reference = reference
        self._killed = killed
        self._rng = random.Random(seed)
        # The statistics of quotas are the same on all servers of Zabra, however often they start,
        # and on the reference, which never does; see `is_count`.
        self._reads_counts = only_zabra
        self._programs = Programs(self._rng, self._reads_counts)
        self._zxids = Zxids()
        self._killer = killer
        # A leader of Apache ZooKeeper answers a sync before it has applied all that it should.
        self._sync_is_enough = only_zabra
        # The number of the write that is kept from the reference, to see that this is noticed.
        self._left_out = left_out
        self._auths: dict[str, list[bytes]] = {}
        self._names = 0
        # Whether all servers and clients have all that happened.
        self._level = True
        # Since then: what was asked for, and whose connection was lost.
        self._window: list[p.Request] = []
        self._shaken: set[str] = set()
        self._unordered = False
        self.history: deque[str] = deque(maxlen=SHOWN_HISTORY)
        self.counts: Counter[str] = Counter()

    # The run.

    def begin(self) -> None:
        """Opens the sessions and makes something to work on."""
        self._open("admin")
        self._authenticate("admin", USERS[2])
        self._call("admin", [p.create(ROOT)])
        for _ in range(CLIENTS):
            self._open_next()
        self._populate()
        self._settle()

    def turn(self) -> None:
        """What one client does next."""
        kinds = (self._burst, self._some_auth, self._move, self._close)
        kind = self._rng.choices(kinds, (94, 2, 3, 1))[0]
        self.counts["turns"] += 1
        if self.counts["turns"] % 80 == 0:
            self._settle()
            self._populate()
        kind(self._rng.choice([name for name in self._auths if name != "admin"]))

    def _populate(self) -> None:
        paths = [f"{ROOT}/{name}" for name in ("a", "ab", "b", "\u00e9")]
        paths += [f"{path}/x" for path in paths]
        self._call("admin", [p.create(path) for path in paths])
        self._settle()

    # Turns.

    def _burst(self, name: str) -> None:
        """Requests in one piece, behind a sync or when all servers have what happened before."""
        # There is more to be lost when a server is about to be killed.
        count = self._rng.choice(BURSTS_AT_A_KILL if self._killer.aims else BURSTS)
        requests: list[p.Request] = []
        while len(requests) < count and (not requests or requests[-1].op != p.SET_ACL):
            requests.append(self._programs.any(False))
        if not self._level and not (self._sync_is_enough and self._rng.random() < 0.5):
            self._settle()
        if not self._level or self._rng.random() < 0.1:
            requests.insert(0, p.sync(ROOT))
        self._call(name, requests)
        # The reference looks at an ACL that has changed late; and a node that has come and gone
        # between two looks leaves no trace for a client that was away.
        if requests[-1].op == p.SET_ACL or len(self._window) > 12:
            self._settle()

    def _some_auth(self, name: str) -> None:
        self._settle()
        self._authenticate(name, self._rng.choice(USERS))

    def _authenticate(self, name: str, user: bytes) -> None:
        self._auths[name].append(user)
        self._call(name, [p.auth("digest", user)])

    def _move(self, name: str) -> None:
        """The client drops its connection and goes to some server."""
        self._settle()
        self._say(f"{name} moves")
        self.counts["moves"] += 1
        for side in self._sides:
            side.clients[name].drop()
        self._recover([])

    def _close(self, name: str) -> None:
        """A session ends by request, and another begins."""
        self._settle()
        self._say(f"{name} closes its session")
        self._close_killed(self._killed.clients[name])
        reference = self._reference.clients[name]
        reference.call(p.close_session())
        self._forget(name)
        self.counts["closed"] += 1
        self._open_next()

    def _close_killed(self, client: Client) -> None:
        """Closes until that is answered, or the session is not known any more."""
        deadline = time.monotonic() + RECOVERY_SECONDS
        while True:
            try:
                if not client.connected:
                    client.connect(self._some_server())
                client.call(p.close_session())
                return
            except Refused:
                return
            except Lost as error:
                self._shaken.add(client.name)
                self.counts["undetermined closes"] += 1
                if time.monotonic() > deadline:
                    raise Difference(f"{client.name} cannot close its session") from error
                time.sleep(RETRY_SECONDS)

    def _forget(self, name: str) -> None:
        """A session is gone on both sides; the events of its ephemerals come in any order."""
        self._unordered = True
        for side in self._sides:
            side.clients.pop(name).drop()
        del self._auths[name]
        self._level = False
        self._settle()

    def expire(self) -> None:
        """A session falls silent; when it is gone on both sides its ephemerals are, too."""
        self._settle()
        self._names += 1
        name = f"short{self._names}"
        self._open(name, SHORT_MS)
        paths = [f"{ROOT}/{name}-{at}" for at in range(3)]
        self._call(name, [p.create(path, b"e", p.EPHEMERAL) for path in paths])
        self._settle()
        self._say(f"{name} falls silent")
        for side in self._sides:
            side.clients[name].drop()
        del self._auths[name]
        gone = [side.clients.pop(name) for side in self._sides]
        self._unordered = True
        deadline = time.monotonic() + EXPIRY_SECONDS
        while self._left(paths) > 0:
            if time.monotonic() > deadline:
                raise Difference(f"{name} does not expire")
            time.sleep(0.3)
            # The sides do not expire it at the same time, so events are not compared yet.
            self._catch_up()
        self._settle()
        for client in gone:
            self._demand_gone(client)
        self.counts["expired"] += 1

    def _left(self, paths: list[str]) -> int:
        """How many of these nodes there are, on either side."""
        found = 0
        for side in self._sides:
            try:
                replies = side.clients["admin"].call(p.sync(ROOT), *map(p.exists, paths))
                found += sum(reply.err == 0 for reply in replies[1:])
            except Lost:
                return len(paths)
        return found

    def _demand_gone(self, client: Client) -> None:
        deadline = time.monotonic() + RECOVERY_SECONDS
        while time.monotonic() < deadline:
            try:
                client.connect(self._some_server())
                break
            except Refused:
                return
            except Lost:
                time.sleep(RETRY_SECONDS)
        raise Difference(f"{client.name} has expired, and is taken back")

    # Sessions.

    def _open_next(self) -> None:
        self._names += 1
        name = f"s{self._names}"
        self._open(name)
        self._authenticate(name, self._rng.choice(USERS))

    def _open(self, name: str, timeout: int = LONG_MS) -> None:
        self._say(f"{name} opens a session")
        self._auths[name] = []
        granted = []
        for side in self._sides:
            client = side.new(name, timeout)
            granted.append(self._connect(client))
        if granted[0] != granted[1]:
            raise Difference(f"{name} is granted {granted[0]} and {granted[1]}")

    def _some_server(self) -> int:
        return self._rng.randint(1, len(self._killed.places))

    def _connect(self, client: Client) -> str:
        """Tries servers until one takes the client."""
        deadline = time.monotonic() + RECOVERY_SECONDS
        number = self._some_server()
        while True:
            try:
                return client.connect(number)
            except Lost as error:
                if time.monotonic() > deadline:
                    raise Difference(f"no server takes {client.name}") from error
                number += 1
                time.sleep(RETRY_SECONDS)
            except Refused as error:
                raise Difference(f"the session of {client.name} is lost") from error

    # Requests.

    def _call(self, name: str, requests: list[p.Request]) -> None:
        """Does the same on both sides and compares the replies, as far as there are any."""
        self._say(f"{name}: " + " | ".join(request.label for request in requests))
        self._window += requests
        self._level = False
        self.counts["operations"] += len(requests)
        replies, lost = self._ask_killed(name, requests)
        answered = self._ask_reference(name, requests[:len(replies)])
        for one, other in zip(answered, replies, strict=True):
            self._compare(name, one, other)
        if lost:
            self._shaken.add(name)
            self._recover(requests[len(replies):], name)

    def _ask_killed(self, name: str, requests: list[p.Request]) -> tuple[list[Reply], bool]:
        client = self._killed.clients[name]
        # Behind a sync, a server has all that anybody has been told of.
        known = self._killed.furthest if requests[0].op == p.SYNC else 0
        replies: list[Reply] = []
        try:
            client.send(requests)
            if any(request.op in WRITES for request in requests):
                self._killer.shoot()
            for request in requests:
                replies.append(client.read(request))
        except Lost:
            return replies, True
        if any(0 < reply.zxid < known for reply in replies[1:]):
            raise Difference(f"{name} reads behind a sync what is older than 0x{known:x}")
        return replies, False

    def _ask_reference(self, name: str, requests: list[p.Request]) -> list[Reply]:
        """Whoever asks this must be answered, but for what is kept from it to see what happens."""
        kept = []
        for request in requests:
            if request.op in WRITES:
                self.counts["writes"] += 1
                if self.counts["writes"] == self._left_out:
                    request = p.exists(ROOT)
            kept.append(request)
        try:
            replies = self._reference.clients[name].call(*kept) if kept else []
        except Lost as error:
            raise Difference(f"{name} has lost its connection to the reference") from error
        for reply, request in zip(replies, requests, strict=True):
            reply.request = request
        return replies

    def _compare(self, name: str, one: Reply, other: Reply) -> None:
        texts = [comparable(f"err={reply.err}{reply.text}") for reply in (one, other)]
        same = self._zxids.same(*texts)
        if same and one.request.op in WRITES:
            same = self._zxids.match(one.zxid, other.zxid)
        if not same:
            raise Difference(f"{name}: {one.request.label}\n"
                             f"  {self._reference.label}: zxid={one.zxid:x} {texts[0]}\n"
                             f"  {self._killed.label}: zxid={other.zxid:x} {texts[1]}")

    # After a loss.

    def _recover(self, rest: list[p.Request], name: str = "") -> None:
        """Connects whoever has lost the connection, finds out what has become of `rest`, which the
        client of this name had asked for, and moves watches; until nobody is lost."""
        begun = time.monotonic()
        rest = [request for request in rest if request.op in WRITES]
        while True:
            if time.monotonic() - begun > RECOVERY_SECONDS:
                raise Difference(f"clients lose their connections for {RECOVERY_SECONDS} s")
            self._meet_lost()
            try:
                if rest:
                    self._resolve(name, rest)
                    rest = []
                self._move_watches()
                return
            except Lost as error:
                self.counts["lost again"] += 1
                self._shaken.add(str(error))

    def _meet_lost(self) -> None:
        """Whoever has no connection to the killed side gets new ones to both, as the same user."""
        for name, client in self._killed.clients.items():
            if client.connected:
                continue
            self._shaken.add(name)
            reference = self._reference.clients[name]
            if reference.connected:
                self._reference_level(reference)
                reference.drop()
            while not client.connected:
                self._connect(client)
                try:
                    client.call(*[p.auth("digest", user) for user in self._auths[name]])
                except Lost:
                    self.counts["lost again"] += 1
            self._connect(reference)
            reference.call(*[p.auth("digest", user) for user in self._auths[name]])
            self.counts["reconnects"] += 1

    @staticmethod
    def _reference_level(client: Client) -> None:
        """What was on its way to the client before its connection ends has arrived."""
        client.call(p.ping())

    def _resolve(self, name: str, rest: list[p.Request]) -> None:
        """Finds out how many of some writes have happened, and lets the reference do them.

        They happen in order, so some first ones have. None can come later: its session is with
        another connection now, and the barrier is behind all that was taken from the old one.
        """
        paths = sorted({path for request in rest for path in paths_of(request)} | {"/"})
        killed, reference = (side.clients[name] for side in self._sides[::-1])
        killed.call(barrier())
        there = self._facts(killed, paths)
        done = 0
        while not self._alike(self._facts(reference, paths), there):
            if done == len(rest):
                raise Difference(
                    f"{name}: these were not answered, and what is there is none of what they can"
                    " have done: " + " | ".join(request.label for request in rest)
                    + "".join(f"\n  {side.label}: {facts}" for side, facts in zip(
                        self._sides, (self._facts(reference, paths), there), strict=True)))
            reference.call(rest[done])
            done += 1
        self.counts["happened"] += done
        self.counts["may not have happened"] += len(rest) - done
        self._say(f"{name}: of {len(rest)} writes that were not answered the reference needed"
                  f" {done}")

    @staticmethod
    def _facts(client: Client, paths: list[str]) -> list[str]:
        return [f"{path} err={reply.err}{reply.text}" for path, reply in zip(
            paths, client.call(*[p.exists(path) for path in paths]), strict=True)]

    @staticmethod
    def _alike(one: list[str], other: list[str]) -> bool:
        """Versions count all changes of a node, so zxids need not be looked at."""
        return [ZXID.sub("", text) for text in one] == [ZXID.sub("", text) for text in other]

    def _move_watches(self) -> None:
        """Sets watches again for whoever has come back."""
        for name, client in self._killed.clients.items():
            reference = self._reference.clients[name]
            if not client.connection.told:
                client.set_watches()
                reference.set_watches()

    # Comparing events.

    def _settle(self) -> None:
        """All servers come level and all events arrive; then the clients' events are compared."""
        self._catch_up()
        if self._shaken:
            self._align_watches()
        for name in self._auths:
            self._compare_events(name)
        if not self._shaken and not self._unordered:
            self._compare_all_shots()
        self._level = True
        self._window = []
        self._shaken = set()
        self._unordered = False

    def _catch_up(self) -> None:
        """All servers come level and all events arrive."""
        while lost := self._killed.level():
            self._shaken.update(lost)
            self._recover([])
        if self._reference.level():
            raise Difference("the reference has closed a connection")

    def _compare_all_shots(self) -> None:
        for name in self._auths:
            one, other = (side.clients[name].watches.shots() for side in self._sides)
            if one != other:
                raise Difference(f"{name} waits for {one} and for {other}")

    def _compare_events(self, name: str) -> None:
        pair = []
        for side in self._sides:
            client = side.clients[name]
            pair.append(client.events)
            client.events = []
        self.counts["events"] += len(pair[0])
        if name in self._shaken or (self._unordered and self._shaken):
            # Each has had its watch, and none twice; see `Watches` and `_align_watches`.
            return
        if self._unordered:
            pair = [sorted(events, key=lambda event: event.text) for events in pair]
        if not self._same_events(*pair):
            shown = [[event.text for event in events] for events in pair]
            raise Difference(f"{name} is told\n  {self._reference.label}: {shown[0]}\n"
                             f"  {self._killed.label}: {shown[1]}")

    def _same_events(self, one: list[Event], other: list[Event]) -> bool:
        return len(one) == len(other) and all([
            left.text == right.text and (left.zxid <= 0 and right.zxid <= 0
                                         or self._zxids.match(left.zxid, right.zxid))
            for left, right in zip(one, other, strict=True)])

    def _align_watches(self) -> None:
        """Where connections were lost, the same watches must have fired on both sides, but for two
        kinds. One that waits for a node to come: that may have come and gone while the client was
        away. And one of a node that the client may not read: its event is withheld and uses it up,
        and a server at which it is set again tells what changed all the same."""
        for name in self._auths:
            shots = [side.clients[name].watches.shots() for side in self._sides]
            if shots[0] == shots[1]:
                continue
            self._align(name, shots)

    def _align(self, name: str, shots: list[dict[str, set[str]]]) -> None:
        odd = {path for key in shots[0] for path in shots[0][key] ^ shots[1][key]}
        for path in odd:
            touched = sum(request.op in WRITES and path in paths_of(request)
                          for request in self._window)
            only_exist = all(path in shots[0][key] & shots[1][key] or path not in
                             shots[0][key] | shots[1][key] for key in ("data", "child"))
            undetermined = (only_exist and touched > 1) or self._may_be_withheld(path)
            if not (undetermined and name in self._shaken):
                raise Difference(f"{name} waits for {path}: {self._reference.label} "
                                 f"{[key for key in shots[0] if path in shots[0][key]]}, "
                                 f"{self._killed.label} "
                                 f"{[key for key in shots[1] if path in shots[1][key]]}")
            self.counts["undetermined watches"] += 1
            for side in self._sides:
                side.clients[name].forget_shots(path)

    def _may_be_withheld(self, path: str) -> bool:
        """Whether a node is, or may have been since both sides were last the same, one that not
        everybody may read."""
        [reply] = self._reference.clients["admin"].call(p.get_acl(path))
        of_world = [int(perms) for perms in OF_WORLD.findall(reply.text)]
        is_closed = reply.err == 0 and not any(perms & p.READ for perms in of_world)
        return is_closed or any(path in paths_of(request) and ACL.search(request.label)
                                for request in self._window)

    # The whole tree.

    def survey(self, number: int | None = None) -> None:
        """Reads every node on both sides; at the killed side from one server."""
        self._settle()
        self._say(f"survey at {number or 'some server'}")
        for side in self._sides if number else ():
            side.clients["admin"].drop()
        if number:
            self._move_admin(number)
        paths = ["/"]
        while paths:
            some, paths = paths[:40], paths[40:]
            requests = [ask(path) for path in some
                        for ask in (p.get_children2, p.get_data, p.get_acl)
                        # It says how many servers there are.
                        if path != "/zookeeper/config"
                        and (self._reads_counts or not is_count(ask(path)))]
            if requests:
                self._call("admin", requests)
            paths += self._children(some)
        self.counts["surveys"] += 1

    def _move_admin(self, number: int) -> None:
        """The survey is of this server, which runs."""
        deadline = time.monotonic() + RECOVERY_SECONDS
        admin = self._killed.clients["admin"]
        while True:
            try:
                admin.connect(number)
                admin.call(p.auth("digest", USERS[2]), barrier())
                break
            except Lost as error:
                if time.monotonic() > deadline:
                    raise Difference(f"server {number} takes nobody") from error
                time.sleep(RETRY_SECONDS)
        reference = self._reference.clients["admin"]
        self._connect(reference)
        reference.call(p.auth("digest", USERS[2]))

    def _children(self, paths: list[str]) -> list[str]:
        """The children on the reference, which were the same on the other side."""
        found = []
        client = self._reference.clients["admin"]
        for path in paths:
            reply, = client.call(p.get_children(path))
            if reply.err == 0:
                found += [f"{path.rstrip('/')}/{name}" for name in eval_names(reply.text)]
        return found

    def prune(self) -> None:
        """Deletes sequential nodes when there are many, as clients do that clean up."""
        client = self._reference.clients["admin"]
        for parent in self._crowded(client):
            children = eval_names(client.call(p.get_children(parent))[0].text)
            doomed = [f"{parent.rstrip('/')}/{name}" for name in children if name[-10:].isdigit()]
            for at in range(0, len(doomed), 20):
                self._call("admin", [p.delete(path) for path in doomed[at:at + 20]])
                self._settle()

    @staticmethod
    def _crowded(client: Client) -> list[str]:
        crowded, paths = [], ["/"]
        while paths:
            path = paths.pop()
            names = eval_names(client.call(p.get_children(path))[0].text)
            if sum(name[-10:].isdigit() for name in names) > 20:
                crowded.append(path)
            if path.count("/") < 4:
                paths += [f"{path.rstrip('/')}/{name}" for name in names
                          if path != "/" or name == ROOT[1:]]
        return crowded

    def _say(self, line: str) -> None:
        self.history.append(f"{self.counts['turns']}. {line}")


def eval_names(text: str) -> list[str]:
    """The names in the text of a reply."""
    start, end = text.find("["), text.rfind("]")
    return ast.literal_eval(text[start:end + 1]) if 0 <= start < end else []
