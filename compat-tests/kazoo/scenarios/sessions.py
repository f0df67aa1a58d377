"""Sessions: how they move, end and expire."""

import socket
import struct

from kazoo.protocol.serialization import Connect

from scenarios import cut, eventually, scenario


@scenario
def session_survives_a_cut_connection(world):
    client, root = world.rooted()
    other = world.client()
    session = client.client_id
    path = client.create(f"{root}/e", ephemeral=True)
    states = []
    client.add_listener(states.append)
    cut(client)
    eventually(lambda: "SUSPENDED" in states, "the client notices")
    eventually(lambda: client.connected, "the client is back")
    assert client.client_id == session
    assert other.exists(path).ephemeralOwner == session[0]
    assert "LOST" not in states


@scenario
def session_taken_over_by_another_client(world):
    client, root = world.rooted()
    watcher = world.client()
    path = client.create(f"{root}/e", ephemeral=True)
    session = client.client_id
    client._stopped.set()  # the old client must not take the session back
    heir = world.client(client_id=session)
    assert heir.client_id == session
    assert heir.get(path)[1].ephemeralOwner == session[0]
    heir.stop()
    eventually(lambda: watcher.exists(path) is None, "closing the session removes it")


@scenario
def session_wrong_password(world):
    client, root = world.rooted()
    path = client.create(f"{root}/e", ephemeral=True)
    session, password = client.client_id
    thief = world.client(client_id=(session, bytes(16)), start=False)
    states = []
    thief.add_listener(states.append)
    thief.start_async().wait(30)
    eventually(lambda: thief.connected, "the thief gets a session of its own")
    assert thief.client_id[0] != session
    # The owner may lose its connection by the attempt, but not its session.
    assert client.retry(client.exists, path).ephemeralOwner == session
    assert client.client_id == (session, password)


@scenario
def session_closed_elsewhere_expires(world):
    client, root = world.rooted()
    watcher = world.client()
    path = client.create(f"{root}/e", ephemeral=True)
    states = []
    client.add_listener(states.append)
    # Taking the session over and closing it is what an expiry looks like to the first client.
    world.client(client_id=client.client_id).stop()
    eventually(lambda: "LOST" in states, "the first client learns that its session is gone")
    eventually(lambda: client.connected, "and gets a new one")
    assert watcher.exists(path) is None


@scenario
def session_expires_without_heartbeats(world):
    watcher, root = world.rooted()
    client = world.client(timeout=2)
    path = client.create(f"{root}/e", ephemeral=True)
    seen = []
    watcher.exists(path, watch=seen.append)
    session = client.client_id
    # The client vanishes without a word: no close, no more heartbeats.
    client._stopped.set()
    cut(client)
    assert watcher.exists(path) is not None
    eventually(lambda: seen, "the session expires")
    assert seen[0].type == "DELETED" and watcher.exists(path) is None
    late = world.client(client_id=session, start=False)
    late.start(timeout=30)
    assert late.client_id[0] != session[0], "an expired session cannot be taken up again"


@scenario
def session_timeout_is_negotiated(world):
    for wanted, given in [(0.001, 1.0), (10, 10.0), (1000, 40.0)]:
        client = world.client(timeout=wanted, start=False)
        assert negotiated(client) == given, wanted


def negotiated(client) -> float:
    """What the server answers to this client's wish, in seconds."""
    with socket.create_connection(client.hosts[0]) as link:
        request = Connect(0, 0, client._session_timeout, 0, bytes(16), False).serialize()
        link.sendall(struct.pack(">i", len(request)) + request)
        answer = link.recv(4 + 36, socket.MSG_WAITALL)
    return struct.unpack_from(">iii", answer)[2] / 1000


@scenario
def session_stays_alive_by_heartbeats(world):
    client, root = world.rooted(timeout=2)
    watcher = world.client()
    path = client.create(f"{root}/e", ephemeral=True)
    seen = []
    watcher.exists(path, watch=seen.append)
    session = client.client_id
    client.handler.sleep_func(5)
    assert not seen and client.client_id == session and client.exists(path) is not None
