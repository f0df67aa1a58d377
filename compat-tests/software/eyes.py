"""Looks at what software has written into ZooKeeper."""

import time

from kazoo.client import KazooClient
from kazoo.exceptions import ConnectionClosedError, ConnectionLoss, OperationTimeoutError
from kazoo.handlers.threading import KazooTimeoutError

from process import Trouble

LOOK_SECONDS = 60
AGAIN = (ConnectionClosedError, ConnectionLoss, OperationTimeoutError, KazooTimeoutError)


class Eyes:
    """A client that reads, with an end to its patience: a server that lost everything lets nobody
    in who has seen more."""

    def __init__(self, addresses: str, stack):
        self._client = KazooClient(addresses, timeout=30)
        stack.callback(self._client.close)
        stack.callback(self._client.stop)
        self._client.start(LOOK_SECONDS)

    def _ask(self, ask, path: str):
        deadline = time.monotonic() + LOOK_SECONDS
        while time.monotonic() < deadline:
            try:
                return ask(path).get(timeout=max(0.1, deadline - time.monotonic()))
            except AGAIN:
                time.sleep(0.1)
        raise Trouble(f"ZooKeeper does not answer what is in {path} for {LOOK_SECONDS} seconds")

    def get(self, path: str):
        """The data and the stat of a znode."""
        return self._ask(self._client.get_async, path)

    def children(self, path: str) -> list[str]:
        """The children of a znode, sorted."""
        return sorted(self._ask(self._client.get_children_async, path))

    def owner(self, path: str) -> int:
        """The session that a znode belongs to; 0 if there is no such znode."""
        stat = self._ask(self._client.exists_async, path)
        return stat.ephemeralOwner if stat else 0
