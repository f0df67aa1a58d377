"""What the clients of a soak do: seeded random requests, each write with a tag of its own.

Nothing is asked for that depends on what kind of server or on how many answers (the configuration),
and nothing that ends a connection, as that is what kills do.
"""

import ast
import re

from differential import protocol as p
from differential.random_requests import LIMITS, QUOTA, ROOT, Requests, is_quota

PATH = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")
STATS = "zookeeper_stats"
READS = {p.EXISTS, p.GET_DATA, p.MULTI_READ, p.GET_CHILDREN2, p.GET_ACL, p.SET_DATA}
# The root has a second name, whose watches nobody hears of when the root changes, but who asks for
# them anew does.
UNFIT = ("''", "/zookeeper/config", "\U0001f600", " None", "=None", "\\xff")


def paths_of(request: p.Request) -> set[str]:
    """The paths that a request names, and all above them."""
    found: set[str] = set()
    for token in PATH.findall(request.label):
        path = ast.literal_eval(token)
        while path.startswith("/") and path != "/":
            found.add(path)
            path = path.rpartition("/")[0] or "/"
    return {path for path in found if "//" not in path and not path.endswith("/")
            and all(character.isprintable() for character in path)
            and not {".", ".."} & {*path.split("/")}}


def is_count(request: p.Request) -> bool:
    """Whether it reads the statistics of a quota. An Apache ZooKeeper that starts from a snapshot
    counts anew, and finds other figures than one that has added up changes."""
    return STATS in request.label and request.op in READS


class Programs(Requests):
    """Random requests of clients that may lose their connections."""

    def __init__(self, rng, counts: bool):
        super().__init__(rng, hard_quotas=False, spoilt=False)
        # Whether to read the statistics of quotas, too.
        self._counts = counts
        self._tag = 0

    def data(self) -> bytes | None:
        """Data that no other write has."""
        self._tag += 1
        return f"{self._tag}".encode() + self._rng.choice((b"", b"", b" data", b"0123456789" * 9))

    def any(self, alone: bool) -> p.Request:
        """A request that any server answers, and the same."""
        while True:
            request = super().any(alone)
            if not any(text in request.label for text in UNFIT) and (
                    self._counts or not is_count(request)):
                return request

    def _kinds(self) -> dict:
        return {self._create: 24, self._delete: 12, self._set_data: 12, self._set_acl: 3,
                self._multi: 9, self._read: 24, self._multi_read: 3, self._add_watch: 3,
                self._drop_watch: 3, self._other: 6}

    def _multi(self) -> p.Request:
        """Operations on nodes of which none is another's parent: what clients see of such a multi
        does not depend on when they look."""
        operations: list[p.Request] = []
        for _ in range(self._rng.choice((1, 2, 2, 3, 3, 4))):
            one = self._within()
            if not any(self._related(one, other) for other in operations):
                operations.append(one)
        return p.multi(*operations)

    @staticmethod
    def _related(one: p.Request, other: p.Request) -> bool:
        above, below = paths_of(one), paths_of(other)
        # The root is above all.
        return bool((above & below) - {ROOT, "/zookeeper", "/zookeeper/quota", QUOTA}
                    and (max(above, key=len) in below or max(below, key=len) in above))

    def _multi_read(self) -> p.Request:
        return p.multi_read(*[self._rng.choice((p.get_data, p.get_children))(self.path())
                              for _ in range(self._rng.randint(0, 5))])

    def _other(self) -> p.Request:
        prefix = self._rng.choice(("/", ROOT, f"{ROOT}/a"))
        return self._rng.choice((
            p.sync(self.path()), p.get_ephemerals(prefix), p.get_all_children_number(ROOT),
            p.get_all_children_number(self.path()), p.who_am_i()))

    def _set_data(self) -> p.Request:
        path = self.path()
        data = self._rng.choice(LIMITS) if is_quota(path) else self.data()
        return p.set_data(path, data, self.version())
