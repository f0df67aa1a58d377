"""Random operations over several interleaved sessions, the same for a seed wherever it runs.

The generator keeps no model of the tree: a small universe of names makes that operations meet
often, and versions are guessed from what the reference replied. Whatever comes back is compared.
"""

import random
import re

from differential import protocol as p
from differential.lockstep import Lockstep
from harness.profiles import SUPER, digest_id

SESSIONS = ["a", "b", "c", "d"]
NAMES = ["x", "y", "z", "xx", "long-name", "ü"]
USERS = [b"u:p", b"v:q", b"w"]
STOP_AFTER = 5

ACLS = [
    *[p.OPEN] * 30,
    p.READ_ONLY,
    p.CREATOR,
    [(31, "digest", digest_id("u:p")), (p.READ, "world", "anyone")],
    [(31, "digest", digest_id("v:q"))],
    [(31 - p.CREATE_PERM, "world", "anyone")],
    [(31 - p.DELETE_PERM, "world", "anyone")],
    [(31 - p.READ, "world", "anyone"), (31, "ip", "127.0.0.1")],
    [(31 - p.WRITE, "world", "anyone"), (31, "ip", "10.0.0.0/8")],
    [(31 - p.ADMIN, "world", "anyone")],
    [],
    None,
    [(31, "nosuch", "x")],
]


class Generator:
    """Makes requests from a seed."""

    def __init__(self, seed: int, root: str):
        self.random = random.Random(seed)
        self.root = root
        # Paths seen lately in replies, so that sequential names are used again.
        self.seen: list[str] = []
        # Version that a path was last seen with.
        self.versions: dict[str, int] = {}

    def chance(self, probability: float) -> bool:
        """True so often."""
        return self.random.random() < probability

    def path(self) -> str:
        """A path in the small universe, now and then one that makes no sense."""
        r = self.random
        if self.chance(0.01):
            return r.choice(["/", "", "x", self.root + "/", self.root + "//x", "/zookeeper",
                             "/zookeeper/config", "/zookeeper/quota", self.root + "/a\0b"])
        if self.seen and self.chance(0.15):
            return r.choice(self.seen)
        depth = r.choice([0, 1, 1, 1, 1, 2, 2, 2, 3])
        return "/".join([self.root, *[r.choice(NAMES) for _ in range(depth)]])

    def version(self, path: str) -> int:
        """Often any, often right, sometimes wrong."""
        r = self.random
        if self.chance(0.4):
            return -1
        if path in self.versions and self.chance(0.6):
            return self.versions[path]
        return r.choice([0, 0, 1, 2, 3, -2, 100])

    def data(self) -> bytes | None:
        """Short data, sometimes null, seldom long."""
        r = self.random
        if self.chance(0.05):
            return None
        return r.randbytes(r.choice([0, 1, 3, 10, 10, 100, 3000]))

    def create(self) -> p.Request:
        """Any sort of create."""
        r = self.random
        path, data, acl = self.path(), self.data(), r.choice(ACLS)
        kind = r.random()
        if kind < 0.08:
            return p.create_container(path, data, r.choice([4, 4, 4, 0, 2, 3]), acl)
        if kind < 0.16:
            return p.create_ttl(path, r.choice([10**7, 10**9, 2**40 - 1, 0, -5]), data,
                                r.choice([5, 5, 6]), acl)
        flags = r.choice([0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 3, 4, 5, 9])
        return (p.create if self.chance(0.6) else p.create2)(path, data, flags, acl)

    def delete(self) -> p.Request:
        """delete"""
        path = self.path()
        return p.delete(path, self.version(path))

    def set_data(self) -> p.Request:
        """setData"""
        path = self.path()
        return p.set_data(path, self.data(), self.version(path))

    def set_acl(self) -> p.Request:
        """setACL"""
        return p.set_acl(self.path(), self.random.choice(ACLS),
                         self.random.choice([-1, -1, -1, 0, 1, 2]))

    def check(self) -> p.Request:
        """check, for a multi"""
        path = self.path()
        return p.check(path, self.version(path))

    def part(self) -> p.Request:
        """An operation of a multi."""
        r = self.random
        return r.choice([self.create, self.create, self.set_data, self.set_data, self.delete,
                         self.check])()

    def multi(self) -> p.Request:
        """A few operations; many of these would hardly ever succeed."""
        return p.multi(*[self.part() for _ in range(self.random.choice([0, 1, 2, 2, 3, 3, 5]))])

    def multi_read(self) -> p.Request:
        """A few reads."""
        r = self.random
        return p.multi_read(*[r.choice([p.get_data, p.get_children])(self.path(), self.chance(0.3))
                              for _ in range(r.choice([0, 1, 2, 3]))])

    def read(self) -> p.Request:
        """A read, perhaps with a watch."""
        build = self.random.choice([p.exists, p.exists, p.get_data, p.get_data, p.get_children,
                                    p.get_children2])
        return build(self.path(), self.chance(0.4))

    def other_read(self) -> p.Request:
        """A read without a watch."""
        return self.random.choice([
            lambda: p.get_acl(self.path()), lambda: p.sync(self.path()),
            lambda: p.get_ephemerals(self.random.choice(["/", self.root, self.path()])),
            lambda: p.get_all_children_number(self.path()), p.who_am_i, p.ping, self.multi_read,
        ])()

    def watch(self) -> p.Request:
        """Something about watches."""
        r = self.random
        kind = r.choice([1, 2, 3, 4, 5])
        return r.choice([
            lambda: p.add_watch(self.path(), r.choice([0, 1])),
            lambda: p.add_watch(self.path(), r.choice([0, 1])),
            lambda: p.remove_watches(self.path(), kind),
            lambda: p.check_watches(self.path(), kind),
        ])()

    def replay(self, now: int) -> p.Request:
        """setWatches with what may have been watched."""
        r = self.random

        def paths():
            return [self.path() for _ in range(r.choice([0, 1, 2, 4]))]

        since = max(0, now - r.choice([0, 1, 5, 50]))
        if self.chance(0.5):
            return p.set_watches(since, paths(), paths(), paths())
        return p.set_watches2(since, paths(), paths(), paths(), paths(), paths())

    def request(self) -> p.Request:
        """Any request that can be sent among others."""
        chosen = self.random.random()
        for limit, build in [(0.26, self.create), (0.38, self.delete), (0.50, self.set_data),
                             (0.54, self.set_acl), (0.63, self.multi), (0.80, self.read),
                             (0.90, self.other_read), (1.0, self.watch)]:
            if chosen < limit:
                return build()
        raise AssertionError("unreachable")

    def learn(self, line: str) -> None:
        """Takes paths and versions from a reply of the reference."""
        for path in re.findall(r"'(/[^']*\d{10})'", line):
            if path.startswith(self.root):
                self.seen = [*self.seen[-19:], path]
        found = re.search(r"event changed '([^']*)'", line)
        if found and found[1] in self.versions:
            self.versions[found[1]] += 1


class Run:
    """One seed."""

    def __init__(self, t: Lockstep, seed: int):
        self.t = t
        self.generator = Generator(seed, f"/random-{seed}")
        self.random = self.generator.random
        self.operations = 0
        self.dropped: set[str] = set()
        self._asked: p.Request | None = None

    def go(self, operations: int) -> None:
        """Runs so many operations, or until there are a few differences."""
        t = self.t
        t.begin(self.generator.root)
        recorder = t.recorder

        def record(step, label, said):
            self._learn(said[0])
            if recorder is not None:
                recorder(step, label, said)

        t.recorder = record
        for name in SESSIONS:
            t.connect(name)
        while self.operations < operations and len(t.differences) < STOP_AFTER:
            self._step()
        t.recorder = recorder

    def _learn(self, lines: list[str]) -> None:
        for line in lines:
            self.generator.learn(line)
        if self._asked is not None:
            found = [re.search(r"err=0 .*stat\(.* v=(-?\d+) ", line) for line in lines]
            path = self._asked.label.split("'")
            if len(path) > 1 and any(found):
                self.generator.versions[path[1]] = int(next(m for m in found if m)[1])
        self._asked = None

    def _step(self) -> None:
        r, t = self.random, self.t
        name = r.choice(SESSIONS)
        if name in self.dropped:
            self._return(name)
            return
        chosen = r.random()
        if chosen < 0.70:
            request = self.generator.request()
            self._asked = request
            self._call(name, request)
        elif chosen < 0.94:
            count = r.choice([2, 3, 5, 8, 20])
            self._call(name, *self._burst(count))
        elif chosen < 0.955:
            user = r.choice([*USERS, SUPER.encode()] if r.random() < 0.1 else USERS)
            self._call(name, p.auth("digest", user), p.who_am_i())
        elif chosen < 0.975:
            self._call(name, self.generator.replay(t.sides[0].last_zxid - t.sides[0].base))
        elif chosen < 0.985:
            # The connection is lost; the session waits for its client.
            t.drop(name)
            self.dropped.add(name)
        elif chosen < 0.993:
            t.reconnect(name, timeout=r.choice([10000, 30000]), read_only=r.choice([0, 1, None]))
            self.operations += 1
        else:
            t.close(name)
            t.connect(name)
            self.operations += 2

    def _burst(self, count: int) -> list[p.Request]:
        """Requests sent in one piece; only the last may change an ACL.

        ZooKeeper judges by the old ACL while a setACL is on its way, and so by chance.
        """
        requests = [self.generator.request() for _ in range(count)]
        return [*(one for one in requests[:-1] if one.op != p.SET_ACL), requests[-1]]

    def _call(self, name: str, *requests: p.Request) -> None:
        self.t.call(name, *requests)
        self.operations += len(requests)

    def _return(self, name: str) -> None:
        self.dropped.discard(name)
        seen = self.random.choice([None, 0, 1])
        self.t.connect(name, session=name, seen=seen)
        self._call(name, self.generator.replay(self.t.sides[0].last_zxid - self.t.sides[0].base))


def run_seed(t: Lockstep, seed: int, operations: int) -> tuple[int, list[str]]:
    """Runs one seed; how many operations it did, and the differences."""
    run = Run(t, seed)
    run.go(operations)
    return run.operations, [f"seed {seed}, {difference}" for difference in t.differences]
