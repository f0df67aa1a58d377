"""Creating, reading, changing and deleting znodes."""

import time

from kazoo.exceptions import (
    BadArgumentsError, BadVersionError, NoChildrenForEphemeralsError, NodeExistsError, NoNodeError,
    NotEmptyError)

from scenarios import cut, eventually, raises, scenario


@scenario
def connect_and_close(world):
    client = world.client()
    assert client.connected
    session, password = client.client_id
    assert session != 0 and len(password) == 16
    client.stop()
    assert not client.connected
    client.start()
    assert client.client_id[0] != session


@scenario
def four_letter_words(world):
    client = world.client()
    assert client.command(b"ruok") == "imok"
    assert "Mode: " in client.command(b"srvr")
    assert client.server_version() >= (3, 4)


@scenario
def create_persistent(world):
    client, root = world.rooted()
    before = int(time.time() * 1000)
    path, stat = client.create(f"{root}/a", b"value", include_data=True)
    assert path == f"{root}/a"
    assert (stat.version, stat.cversion, stat.aversion) == (0, 0, 0)
    assert (stat.dataLength, stat.numChildren, stat.ephemeralOwner) == (5, 0, 0)
    assert stat.czxid == stat.mzxid == stat.pzxid > 0
    assert abs(stat.ctime - before) < 60_000 and stat.ctime == stat.mtime
    assert client.get(path) == (b"value", stat)
    with raises(NodeExistsError):
        client.create(path)
    with raises(NoNodeError):
        client.create(f"{root}/missing/child")
    assert client.create(f"{root}/deep/er/path", makepath=True) == f"{root}/deep/er/path"


@scenario
def create_sequential(world):
    client, root = world.rooted()
    made = [client.create(f"{root}/n-", sequence=True) for _ in range(3)]
    assert made == [f"{root}/n-{number:010}" for number in range(3)]
    client.create(f"{root}/other")
    # The number counts every child that was ever made under the parent.
    assert client.create(f"{root}/n-", sequence=True) == f"{root}/n-0000000004"
    client.delete(f"{root}/n-0000000004")
    assert client.create(f"{root}/x", sequence=True) == f"{root}/x0000000005"
    assert client.create(f"{root}/", sequence=True) == f"{root}/0000000006"


@scenario
def create_ephemeral(world):
    client, root = world.rooted()
    owner = world.client()
    owner.create(f"{root}/e", b"mine", ephemeral=True)
    assert client.exists(f"{root}/e").ephemeralOwner == owner.client_id[0]
    with raises(NoChildrenForEphemeralsError):
        client.create(f"{root}/e/child")
    owner.stop()
    eventually(lambda: client.exists(f"{root}/e") is None, "the ephemeral goes with its session")


@scenario
def create_ephemeral_sequential(world):
    client, root = world.rooted()
    owner = world.client()
    made = [owner.create(f"{root}/s-", ephemeral=True, sequence=True) for _ in range(3)]
    assert made == [f"{root}/s-{number:010}" for number in range(3)]
    assert client.get(made[1])[1].ephemeralOwner == owner.client_id[0]
    owner.stop()
    eventually(lambda: client.get_children(root) == [], "all ephemerals go")


@scenario
def versions(world):
    client, root = world.rooted()
    path = client.create(f"{root}/v", b"0")
    first = client.set(path, b"1")
    second = client.set(path, b"22", version=1)
    assert (first.version, second.version, second.dataLength) == (1, 2, 2)
    assert second.mzxid > first.mzxid > second.czxid and second.mtime >= first.mtime
    with raises(BadVersionError):
        client.set(path, b"3", version=1)
    assert client.get(path) == (b"22", second)
    with raises(BadVersionError):
        client.delete(path, version=1)
    assert client.delete(path, version=2)
    with raises(NoNodeError):
        client.get(path)
    with raises(NoNodeError):
        client.set(path, b"")
    with raises(NoNodeError):
        client.delete(path)
    assert client.exists(path) is None


@scenario
def children(world):
    client, root = world.rooted()
    names = {f"c{number}" for number in range(50)}
    for name in names:
        client.create(f"{root}/{name}", name.encode())
    assert set(client.get_children(root)) == names
    listed, stat = client.get_children(root, include_data=True)
    assert set(listed) == names
    assert (stat.numChildren, stat.cversion, stat.version) == (50, 50, 0)
    with raises(NotEmptyError):
        client.delete(root)
    client.delete(f"{root}/c0")
    after = client.exists(root)
    assert (after.numChildren, after.cversion) == (49, 51)
    assert after.pzxid > stat.pzxid and after.mzxid == stat.mzxid
    with raises(NoNodeError):
        client.get_children(f"{root}/missing")
    client.delete(root, recursive=True)
    assert client.exists(root) is None


@scenario
def empty_and_binary_values(world):
    client, root = world.rooted()
    for name, value in [("empty", b""), ("zeros", b"\0" * 10), ("all", bytes(range(256)))]:
        client.create(f"{root}/{name}", value)
        assert client.get(f"{root}/{name}")[0] == value


@scenario
def unicode_paths(world):
    client, root = world.rooted()
    names = ["größe", "中文", "ελληνικά", "ﬀ-ligature", "a b c", "x%y&z"]
    for name in names:
        assert client.create(f"{root}/{name}", name.encode()) == f"{root}/{name}"
    assert sorted(client.get_children(root)) == sorted(names)
    for name in names:
        assert client.get(f"{root}/{name}")[0] == name.encode()
        client.delete(f"{root}/{name}")
    assert client.get_children(root) == []
    # Characters that need surrogates in UTF-16, and control characters, are refused in paths.
    for name in ["emoji-😀", "bell-\x07", "null-\0"]:
        with raises(BadArgumentsError):
            client.create(f"{root}/{name}")


@scenario
def chroot(world):
    plain, root = world.rooted()
    inside = world.client(chroot=root)
    assert inside.create("/a", b"1") == "/a"
    assert inside.create("/s-", sequence=True) == "/s-0000000001"
    assert plain.get(f"{root}/a")[0] == b"1"
    assert sorted(inside.get_children("/")) == ["a", "s-0000000001"]
    seen = []
    inside.get("/a", watch=seen.append)
    plain.set(f"{root}/a", b"2")
    eventually(lambda: seen, "the watch fires")
    assert seen[0].path == "/a" and seen[0].type == "CHANGED"
    nowhere = world.client(chroot=f"{root}/missing")
    with raises(NoNodeError):
        nowhere.create("/a")


@scenario
def sync(world):
    writer, root = world.rooted()
    reader = world.client()
    for number in range(20):
        writer.set(root, str(number).encode())
        assert reader.sync(root) == root
        assert reader.get(root)[0] == str(number).encode()


@scenario
def pipelined(world):
    client, root = world.rooted()
    creates = [client.create_async(f"{root}/{number}", b"x") for number in range(500)]
    reads = [client.get_async(f"{root}/{number}") for number in range(500)]
    deletes = [client.delete_async(f"{root}/{number}") for number in range(500)]
    assert [made.get(30) for made in creates] == [f"{root}/{number}" for number in range(500)]
    # A read that follows a write on the same connection sees it.
    assert all(read.get(30)[0] == b"x" for read in reads)
    assert all(deleted.get(30) for deleted in deletes)
    assert client.get_children(root) == []


@scenario
def connection_loss_keeps_data(world):
    client, root = world.rooted()
    client.create(f"{root}/a", b"1")
    session = client.client_id
    cut(client)
    assert client.retry(client.get, f"{root}/a")[0] == b"1"
    assert client.client_id == session
