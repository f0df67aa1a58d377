"""Watches: of one shot, persistent, recursive, and the ones kazoo renews by itself."""

from collections import namedtuple

from kazoo.exceptions import EXCEPTIONS, NoNodeError
from kazoo.protocol.serialization import int_struct, write_string

from scenarios import cut, eventually, raises, scenario

PERSISTENT = 0
PERSISTENT_RECURSIVE = 1
ANY = 3
NO_WATCHER = -121


class AddWatch(namedtuple("AddWatch", "path mode")):
    """The request addWatch, which this version of kazoo does not have yet."""

    type = 106

    def serialize(self):
        return write_string(self.path) + int_struct.pack(self.mode)

    @classmethod
    def deserialize(cls, buffer, offset):
        return int_struct.unpack_from(buffer, offset)[0]


class RemoveWatches(namedtuple("RemoveWatches", "path kind")):
    """The request removeWatches, likewise."""

    type = 18

    def serialize(self):
        return write_string(self.path) + int_struct.pack(self.kind)

    @classmethod
    def deserialize(cls, _buffer, _offset):
        return True


def call(client, request):
    """Sends a request that kazoo has no method for."""
    answer = client.handler.async_result()
    client._call(request, answer)
    return answer.get(30)


class Recorder:
    """Hears of every event of some paths, also those of watches that stay.

    Kazoo forgets a callback when it is called; this one is put back each time.
    """

    def __init__(self, client, paths):
        self.events = []
        self._client = client
        for path in paths:
            self._listen(path)

    def _listen(self, path):
        self._client._data_watchers[path].add(self._on_data)
        self._client._child_watchers[path].add(self._on_children)

    def _on_data(self, event):
        self._listen(event.path)
        self.events.append((event.type, event.path))

    def _on_children(self, event):
        # Kazoo tells both kinds of callbacks of a deletion; it is one event.
        if event.type == "CHILD":
            self._on_data(event)

    def expect(self, *events):
        """The events up to now are exactly these."""
        eventually(lambda: len(self.events) >= len(events), f"the events {events}")
        assert self.events == list(events), self.events


@scenario
def watch_data_once(world):
    client, root = world.rooted()
    seen = []
    client.get(root, watch=seen.append)
    client.set(root, b"1")
    client.set(root, b"2")
    client.sync(root)
    eventually(lambda: seen, "the watch fires")
    assert [(event.type, event.path, event.state) for event in seen] == [
        ("CHANGED", root, "CONNECTED")]


@scenario
def watch_exists(world):
    client, root = world.rooted()
    other = world.client()
    seen = []
    path = f"{root}/a"
    assert client.exists(path, watch=seen.append) is None
    other.create(path)
    eventually(lambda: len(seen) == 1, "created")
    client.exists(path, watch=seen.append)
    other.set(path, b"1")
    eventually(lambda: len(seen) == 2, "changed")
    client.exists(path, watch=seen.append)
    other.delete(path)
    eventually(lambda: len(seen) == 3, "deleted")
    assert [event.type for event in seen] == ["CREATED", "CHANGED", "DELETED"]
    # A read that fails leaves no watch.
    with raises(NoNodeError):
        client.get(path, watch=seen.append)
    other.create(path)
    client.sync(path)
    assert len(seen) == 3


@scenario
def watch_children_once(world):
    client, root = world.rooted()
    other = world.client()
    seen = []
    client.get_children(root, watch=seen.append)
    other.set(root, b"not a child")
    other.create(f"{root}/a")
    other.create(f"{root}/b")
    client.sync(root)
    eventually(lambda: seen, "the watch fires")
    assert [(event.type, event.path) for event in seen] == [("CHILD", root)]


@scenario
def watch_event_precedes_the_new_value(world):
    client, root = world.rooted()
    other = world.client()
    order = []
    client.get(root, watch=lambda _: order.append("event"))
    other.set(root, b"new")
    while client.get(root)[0] != b"new":
        pass
    eventually(lambda: order, "the event")
    assert client._data_watchers.get(root) is None


@scenario
def watch_persistent(world):
    client, root = world.rooted()
    other = world.client()
    record = Recorder(client, [root])
    assert call(client, AddWatch(root, PERSISTENT)) == 0
    other.set(root, b"1")
    record.expect(("CHANGED", root))
    other.set(root, b"2")
    record.expect(("CHANGED", root), ("CHANGED", root))
    other.create(f"{root}/a")
    record.expect(("CHANGED", root), ("CHANGED", root), ("CHILD", root))
    record.events.clear()
    other.set(f"{root}/a", b"1")
    other.delete(f"{root}/a")
    record.expect(("CHILD", root))
    record.events.clear()
    call(client, RemoveWatches(root, ANY))
    other.set(root, b"3")
    client.sync(root)
    assert record.events == []


@scenario
def watch_persistent_recursive(world):
    client, root = world.rooted()
    other = world.client()
    record = Recorder(client, [root, f"{root}/a", f"{root}/a/b"])
    assert call(client, AddWatch(root, PERSISTENT_RECURSIVE)) == 0
    for change, event in [
            (lambda: other.create(f"{root}/a"), ("CREATED", f"{root}/a")),
            (lambda: other.create(f"{root}/a/b"), ("CREATED", f"{root}/a/b")),
            (lambda: other.set(f"{root}/a/b", b"1"), ("CHANGED", f"{root}/a/b")),
            (lambda: other.set(root, b"1"), ("CHANGED", root)),
            (lambda: other.delete(f"{root}/a/b"), ("DELETED", f"{root}/a/b")),
            (lambda: other.delete(f"{root}/a"), ("DELETED", f"{root}/a"))]:
        change()
        record.expect(event)
        record.events.clear()
        client.sync(root)
    with raises(EXCEPTIONS[NO_WATCHER]):
        call(client, RemoveWatches(f"{root}/a", ANY))
    call(client, RemoveWatches(root, ANY))
    other.set(root, b"2")
    client.sync(root)
    assert record.events == []


@scenario
def data_watch(world):
    client, root = world.rooted()
    other = world.client()
    seen = []
    path = f"{root}/a"

    @client.DataWatch(path)
    def changed(data, stat):
        seen.append((data, stat.version if stat else None))

    other.create(path, b"1")
    eventually(lambda: len(seen) == 2, "created")
    other.set(path, b"2")
    eventually(lambda: len(seen) == 3, "changed")
    other.delete(path)
    eventually(lambda: len(seen) == 4, "deleted")
    assert seen == [(None, None), (b"1", 0), (b"2", 1), (None, None)]


@scenario
def children_watch(world):
    client, root = world.rooted()
    other = world.client()
    seen = []

    @client.ChildrenWatch(root)
    def changed(children):
        seen.append(sorted(children))

    other.create(f"{root}/a")
    eventually(lambda: seen[-1] == ["a"], "a is listed")
    other.create(f"{root}/b")
    eventually(lambda: seen[-1] == ["a", "b"], "b is listed")
    other.delete(f"{root}/a")
    eventually(lambda: seen[-1] == ["b"], "a is gone")
    assert seen[0] == []


@scenario
def data_watch_survives_reconnect(world):
    client, root = world.rooted()
    other = world.client()
    seen = []

    @client.DataWatch(root)
    def changed(data, _):
        seen.append(data)

    cut(client)
    other.set(root, b"while away")
    eventually(lambda: seen and seen[-1] == b"while away", "the change is seen after all")


@scenario
def watches_of_many_clients(world):
    client, root = world.rooted()
    seen = []
    watchers = [world.client() for _ in range(20)]
    for watcher in watchers:
        watcher.get(root, watch=lambda event: seen.append(event.type))
    client.set(root, b"1")
    eventually(lambda: len(seen) == 20, "all 20 hear of it")
    assert set(seen) == {"CHANGED"}
