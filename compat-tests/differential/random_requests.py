"""The requests that random operations are made of: any, from a small universe of names."""

import random
import re
from collections import deque

from differential import protocol as p
from harness.profiles import SUPER, digest_id

ROOT = "/random"
HOUR_MS = 3_600_000
LONGEST_TTL = (1 << 40) - 1

ANYONE = (p.ALL, "world", "anyone")
ONE_ID = digest_id("one:1")
USERS = [b"one:1", b"two:2", SUPER.encode()]
GOOD_ACLS = [
    p.READ_ONLY, p.CREATOR,
    [(p.READ | p.ADMIN, "world", "anyone")],
    [(p.ALL & ~p.READ, "world", "anyone")],
    [(p.READ, "world", "anyone"), (p.ALL, "auth", "")],
    [(p.ALL, "digest", ONE_ID)],
    [(p.ALL, "digest", "one:abc"), (p.READ, "world", "anyone")],
    [(p.ALL, "ip", "127.0.0.1")],
    [(p.ALL, "ip", "127.0.0.0/8")],
    [(p.ALL, "ip", "10.0.0.1"), (p.CREATE_PERM | p.DELETE_PERM, "world", "anyone")],
    [ANYONE, ANYONE],
    [(63, "world", "anyone")],
    [(-1, "world", "anyone")],
    [(0, "world", "anyone"), (p.ALL, "auth", "ignored")],
]
BAD_ACLS = [
    None, [],
    [(p.ALL, None, "anyone")],
    [(p.ALL, "bogus", "x")],
    [(p.ALL, "world", "someone")],
    [(p.ALL, "digest", "nocolon")],
    [(p.ALL, "digest", "a:b:c")],
    [(p.ALL, "ip", "300.1.1.1")],
    [(p.ALL, "ip", "127.0.0.1/99")],
    [ANYONE, (p.READ, "super", "")],
]
# A null id makes the reference throw in the middle of a multi, which it does not survive in order.
BAD_ACLS_ALONE = [*BAD_ACLS, [(p.ALL, "world", None)], [(p.ALL, "digest", None)]]
SPECIAL_PATHS = ["/", "", "/zookeeper", "/zookeeper/quota", "/zookeeper/config",
                 "/zookeeper/more", "/nothing"]
INVALID_PATHS = ["random", ROOT + "/", ROOT + "//a", ROOT + "/a/", ROOT + "/./a", ROOT + "/a/..",
                 ROOT + "/\0", ROOT + "/a\x01", ROOT + "/\U0001f600", ROOT.encode() + b"/\xff",
                 ROOT + "/\ufffe", ROOT + "/\x85", ROOT + "/\uf8ff", "//", "/.", "a/b"]
QUOTA = "/zookeeper/quota" + ROOT
LIMITS = [b"", b"count=-1,bytes=-1", b"count=3,bytes=10", b"bytes=5", b"count=4",
          b"count=-1,bytes=20=;byteHardLimit=-1;countHardLimit=-1"]
HARD_LIMITS = [b"count=-1,bytes=-1=;countHardLimit=12", b"count=1,bytes=1=;byteHardLimit=40",
               b"count=9,bytes=9=;byteHardLimit=60;countHardLimit=25"]
ODD_MODE = re.compile(r"create/\d+ [^;]* flags=([567]|-1)|createTTL [^;]* flags=([79]|-1)")
UNKNOWN_OPS = [0, 10, 23, 99, 108, 1000, -1, -2]


class Requests:
    """Random requests.

    Never made, because the reference does not survive them: limits of the quota of the root,
    statistics or limits of a quota that are no numbers, a TTL of -1 with flags of no TTL, null
    paths in a multi. Nor made, because Zabra refuses
    them on purpose: deleteContainer and createSession from a client.
    """

    def __init__(self, rng: random.Random, hard_quotas: bool, spoilt: bool = True):
        self._rng = rng
        # Whether some requests cannot be read. A follower of the reference does not answer these.
        self._spoils = spoilt
        self._hard_quotas = hard_quotas
        self._nodes = self._universe()
        # Names that a server has made: sequential ones.
        self.made: deque[str] = deque(maxlen=12)
        # How far zxids have come, counted from the start of the seed.
        self.zxid = 0

    @staticmethod
    def _universe() -> list[str]:
        nodes = []
        for first in ("a", "ab", "b", "\u00e9"):
            nodes.append(f"{ROOT}/{first}")
            for second in ("x", "y", "z z"):
                nodes.append(f"{ROOT}/{first}/{second}")
                nodes += [f"{ROOT}/{first}/{second}/{third}" for third in ("1", "2")]
        return nodes

    # Values.

    def chance(self, percent: float) -> bool:
        """True so many times of a hundred."""
        return self._rng.random() * 100 < percent

    def path(self) -> str | bytes:
        """A path, mostly of the universe."""
        roll = self._rng.random()
        if roll < 0.76:
            return self._node()
        if roll < 0.86 and self.made:
            return self._rng.choice(self.made)
        if roll < 0.90:
            return self._rng.choice(SPECIAL_PATHS)
        if roll < 0.93:
            return self._rng.choice(INVALID_PATHS)
        if roll < 0.95:
            return self._rng.choice(self._nodes) + "/deeper"
        return ROOT if roll < 0.98 else self._quota_path()

    def _node(self) -> str:
        """A node; those higher up are fewer but asked for as often, or all would be missing."""
        depth = self._rng.choice((2, 2, 3, 3, 4))
        return self._rng.choice([node for node in self._nodes if node.count("/") == depth])

    def _quota_path(self) -> str:
        return self._rng.choice([QUOTA, f"{QUOTA}/a", f"{QUOTA}/a/x", f"{QUOTA}/zookeeper_limits",
                                 f"{QUOTA}/zookeeper_stats", f"{QUOTA}/a/zookeeper_limits",
                                 f"{QUOTA}/a/zookeeper_stats"])

    def version(self) -> int:
        """A version that is right often, since most are small."""
        return self._rng.choice((-1, -1, -1, -1, 0, 0, 0, 1, 1, 2, 3, 7, -2))

    def data(self) -> bytes | None:
        """Null, empty or small data."""
        return self._rng.choice((None, b"", b"x", b"data", b"\0\xff", b"0123456789" * 9))

    def acl(self, alone: bool = True) -> p.Acl:
        """Mostly open; sometimes restricted; sometimes wrong."""
        roll = self._rng.random()
        if roll < 0.85:
            return p.OPEN
        if roll < 0.97:
            return self._rng.choice(GOOD_ACLS)
        return self._rng.choice(BAD_ACLS_ALONE if alone else BAD_ACLS)

    def since(self) -> int:
        """A zxid of the past, or the future."""
        return self._rng.randint(0, self.zxid + 3)

    def several(self, most: int = 3) -> list:
        """Some paths."""
        return [self.path() for _ in range(self._rng.randint(0, most))]

    # Requests.

    def any(self, alone: bool) -> p.Request:
        """Any request; `alone` if it is not one of a burst."""
        request = self._any(alone)
        while not self._spoils and is_unreadable(request):
            request = self._any(alone)
        return request

    def _any(self, alone: bool) -> p.Request:
        if self.chance(2):
            return self._quota()
        kinds = self._kinds()
        kind = self._rng.choices(list(kinds), list(kinds.values()))[0]
        request = kind(alone) if kind in (self._create, self._set_acl) else kind()
        return self._spoilt(request) if self._spoils and self.chance(1.5) else request

    def _kinds(self) -> dict:
        return {self._create: 24, self._delete: 12, self._set_data: 8, self._set_acl: 3,
                self._multi: 9, self._read: 24, self._multi_read: 3, self._add_watch: 4,
                self._drop_watch: 4, self._set_watches: 2, self._other: 7}

    def _create(self, alone: bool, within: bool = False) -> p.Request:
        rng = self._rng
        path, data, acl = self.path(), self.data(), self.acl(alone and not within)
        op = rng.choice((p.CREATE, p.CREATE, p.CREATE2, p.CREATE2, p.CREATE_CONTAINER,
                         p.CREATE_TTL))
        if is_quota(path):
            # No ephemeral: the end of a session deletes in no certain order, and what goes before
            # the limits still counts.
            return p.create(path, rng.choice(LIMITS), 0, acl, rng.choice((p.CREATE, p.CREATE2)))
        if op == p.CREATE_TTL:
            return self._create_ttl(path, data, acl)
        if op == p.CREATE_CONTAINER:
            odd = (0, 1, 2, 3) if alone and not within else (0, 2)
            flags = p.CONTAINER if self.chance(85) else rng.choice(odd)
            return p.create_container(path, data, flags, acl)
        flags = rng.choice((0, 0, 0, 0, 0, 1, 1, 1, 2, 3, 3))
        if self.chance(3):
            flags = rng.choice((4, 5, 6, 7, -1))
        return p.create(path, data, flags, acl, op)

    def _create_ttl(self, path, data, acl) -> p.Request:
        if self.chance(8):
            return p.create_ttl(path, self._rng.choice((0, 1, HOUR_MS)), data,
                                self._rng.choice((0, 1, 2, 3, 4, 9)), acl)
        ttl = self._rng.choice((HOUR_MS, HOUR_MS, LONGEST_TTL))
        if self.chance(8):
            ttl = self._rng.choice((0, -1, -HOUR_MS, LONGEST_TTL + 1, (1 << 63) - 1))
        return p.create_ttl(path, ttl, data, self._rng.choice((p.TTL, p.TTL_SEQUENTIAL)), acl)

    def _delete(self) -> p.Request:
        if self.made and self.chance(30):
            return p.delete(self.made.popleft(), self.version())
        return p.delete(self.path(), self.version())

    def _set_data(self) -> p.Request:
        path, data = self.path(), self.data()
        if is_quota(path):
            data = self._rng.choice(LIMITS)
        return p.set_data(path, data, self.version())

    def _set_acl(self, alone: bool) -> p.Request:
        # A root that nobody may change would end the test.
        path = self.path()
        if path in ("", "/", ROOT):
            return p.set_acl(path, p.OPEN, self.version())
        return p.set_acl(path, self.acl(alone) if self.chance(60)
                         else self._rng.choice(GOOD_ACLS), self.version())

    def _quota(self) -> p.Request:
        where = self._rng.choice((QUOTA, f"{QUOTA}/a", f"{QUOTA}/a/x"))
        limits = HARD_LIMITS if self._hard_quotas and self.chance(40) else LIMITS
        data = self._rng.choice(limits)
        return self._rng.choice((
            p.create(where), p.create(f"{where}/zookeeper_limits", data),
            p.create(f"{where}/zookeeper_stats", data), p.get_data(f"{where}/zookeeper_stats"),
            p.set_data(f"{where}/zookeeper_limits", data),
            p.get_data(f"{where}/zookeeper_stats", True),
            p.delete(f"{where}/zookeeper_limits"), p.delete(f"{where}/zookeeper_stats")))

    def _within(self) -> p.Request:
        """An operation of a multi."""
        kind = self._rng.choices((0, 1, 2, 3), (50, 20, 15, 15))[0]
        if kind == 0:
            return self._create(False, within=True)
        if kind == 1:
            return self._delete()
        return self._set_data() if kind == 2 else p.check(self.path(), self.version())

    def _multi(self) -> p.Request:
        operations = [self._within() for _ in range(self._rng.choice((0, 1, 2, 2, 3, 3, 4, 5)))]
        if self.chance(2):
            operations.append(self._rng.choice((p.get_data(ROOT), p.set_acl(ROOT, p.OPEN),
                                                p.exists(ROOT), p.close_session())))
        return p.multi(*operations)

    def _multi_read(self) -> p.Request:
        operations = [self._rng.choice((p.get_data, p.get_children))(self.path(), self.chance(10))
                      for _ in range(self._rng.randint(0, 5))]
        if self.chance(4):
            operations.append(self._rng.choice((p.get_data(None), p.exists(ROOT),
                                                p.delete(ROOT), p.get_children2(ROOT))))
        return p.multi_read(*operations)

    def _read(self) -> p.Request:
        kind = self._rng.choice((p.exists, p.exists, p.get_data, p.get_data, p.get_children,
                                 p.get_children2, p.get_acl))
        path = None if self.chance(1) else self.path()
        return kind(path) if kind is p.get_acl else kind(path, self.chance(45))

    def _add_watch(self) -> p.Request:
        return p.add_watch(self.path(), self._rng.choice((0, 0, 0, 1, 1, 1, 1, 1, 2, -1)))

    def _drop_watch(self) -> p.Request:
        kind = self._rng.choice((p.check_watches, p.check_watches, p.remove_watches))
        return kind(self.path(), self._rng.choice((1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 0, 6)))

    def _set_watches(self) -> p.Request:
        lists = [self.several() for _ in range(5)]
        if self.chance(50):
            return p.set_watches(self.since(), *lists[:3])
        return p.set_watches2(self.since(), *lists)

    def _other(self) -> p.Request:
        prefix = self._rng.choice((None, "", "/", ROOT, f"{ROOT}/a", self.path()))
        return self._rng.choice((
            p.ping(), p.sync(self.path()), p.sync(self.path()), p.get_ephemerals(prefix),
            p.get_all_children_number(self.path()), p.who_am_i(), p.get_ephemerals(prefix),
            p.reconfig("server.9=localhost:1:2"), p.set_data(None), p.delete(None)))

    def _spoilt(self, request: p.Request) -> p.Request:
        """The same with bytes missing or too many."""
        if not isinstance(request.body, bytes) or not request.body or request.op == p.CREATE_TTL:
            return request
        if self.chance(50):
            return request.plus(self._rng.randbytes(self._rng.randint(1, 9)))
        return request.cut(self._rng.randint(1, len(request.body)))


def is_quota(path) -> bool:
    """Whether a node of this name has the limits or the statistics of a quota."""
    return isinstance(path, str) and path.endswith(("zookeeper_limits", "zookeeper_stats"))


def is_unreadable(request: p.Request) -> bool:
    """Whether the reference cannot make out a request: one without a list or a path, or a multi in
    which a mode does not fit."""
    odd = request.op == p.MULTI and ODD_MODE.search(request.label)
    return bool(odd) or "None" in request.label
