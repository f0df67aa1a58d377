"""Large values and many znodes."""

import os

from kazoo.exceptions import ConnectionLoss

from scenarios import eventually, raises, scenario

# The largest request that a server takes by default: jute.maxbuffer, just under one MiB.
MOST = 0xFFFFF


@scenario
def large_values(world):
    client, root = world.rooted()
    for size in [1, 1000, 65_536, 500_000, MOST - 1000]:
        value = os.urandom(size)
        client.create(f"{root}/{size}", value)
        assert client.get(f"{root}/{size}")[0] == value
        turned = value[::-1]
        assert client.set(f"{root}/{size}", turned).dataLength == size
        assert client.get(f"{root}/{size}")[0] == turned


@scenario
def too_large_a_value_drops_the_connection(world):
    client, root = world.rooted()
    with raises(ConnectionLoss):
        client.create(f"{root}/x", bytes(MOST + 1))
    eventually(lambda: client.connected, "the client comes back")
    assert client.retry(client.exists, f"{root}/x") is None


@scenario
def a_thousand_ephemerals(world):
    watcher, root = world.rooted()
    client = world.client()
    pending = [client.create_async(f"{root}/{number}", ephemeral=True) for number in range(1000)]
    assert [made.get(60) for made in pending] == [f"{root}/{number}" for number in range(1000)]
    assert watcher.exists(root).numChildren == 1000
    owner = client.client_id[0]
    assert watcher.exists(f"{root}/999").ephemeralOwner == owner
    client.stop()
    eventually(lambda: watcher.exists(root).numChildren == 0, "all go at once")
    assert watcher.exists(root).cversion == 2000


@scenario
def ten_thousand_children(world):
    client, root = world.rooted()
    count = 2000 if world.quick else 10_000
    names = {f"child-{number:05}" for number in range(count)}
    pending = [client.create_async(f"{root}/{name}", b"x") for name in names]
    for made in pending:
        made.get(60)
    assert set(client.get_children(root)) == names
    stat = client.exists(root)
    assert (stat.numChildren, stat.cversion) == (count, count)


@scenario
def deep_paths(world):
    client, root = world.rooted()
    path = root + "/d" * 200
    client.ensure_path(path)
    assert client.exists(path) is not None
    client.delete(f"{root}/d", recursive=True)
    assert client.get_children(root) == []
