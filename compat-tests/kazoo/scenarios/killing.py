"""Servers that are killed under their clients, holders that are killed with what they hold, and
reading behind what was written elsewhere."""

import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager

from kazoo.client import KazooClient
from kazoo.exceptions import ConnectionClosedError, ConnectionLoss, NodeExistsError
from kazoo.exceptions import OperationTimeoutError

from scenarios import WAIT_SECONDS, eventually, scenario

CONTROL = "ZABRA_COMPAT_CONTROL"
CONTROL_SECONDS = 90
LOST = (ConnectionLoss, ConnectionClosedError, OperationTimeoutError)
HOLDER = """
import sys
from kazoo.client import KazooClient
client = KazooClient(hosts=sys.argv[1], timeout=2)
client.start(timeout=30)
if sys.argv[3] == "lock":
    client.Lock(sys.argv[2], "holder").acquire()
    print("held", flush=True)
    sys.stdin.read()
else:
    def lead():
        print("held", flush=True)
        sys.stdin.read()
    client.Election(sys.argv[2], "holder").run(lead)
"""


def control(*words: str) -> list[str]:
    """Asks whoever started the servers for something; what it answers."""
    host, _, port = os.environ[CONTROL].rpartition(":")
    with socket.create_connection((host, int(port)), timeout=CONTROL_SECONDS) as link:
        link.sendall((" ".join(words) + "\n").encode())
        answer = link.makefile().readline().split()
    assert answer[:1] == ["ok"], f"{words}: {answer}"
    return answer[1:]


@contextmanager
def killed(address: str):
    """A server is dead meanwhile."""
    control("kill", address)
    try:
        yield
    finally:
        control("restore")


def insist(act):
    """Repeats what fails for want of a connection."""
    results = []

    def attempt():
        try:
            results.append(act())
        except LOST:
            return False
        return True
    eventually(attempt, "a connection")
    return results[0]


def server_of(client) -> str:
    """Where a client is connected."""
    host, port = client._connection._socket.getpeername()[:2]
    return f"{host}:{port}"


@scenario
def failover(world):
    """The connected server is killed: session and ephemerals stay, and so do the watches, which
    kazoo sets anew by its recipes only."""
    client, root = world.rooted(timeout=20, hosts=world.addresses)
    session = client.client_id[0]
    client.create(root + "/ephemeral", ephemeral=True)
    client.create(root + "/node", b"before")
    data, children = [], []
    client.DataWatch(root + "/node", lambda value, stat: data.append(value))
    client.ChildrenWatch(root, lambda names: children.append(sorted(names)))
    with killed(server_of(client)):
        if len(control("servers")) == 1:
            control("restore")
        stat = insist(lambda: client.exists(root + "/ephemeral"))
        assert client.client_id[0] == session and stat.ephemeralOwner == session
        insist(lambda: client.set(root + "/node", b"after"))
        eventually(lambda: data[-1] == b"after", "the watch of the data")

        def create():
            try:
                client.create(root + "/child")
            except NodeExistsError:
                # An earlier attempt was done, and its reply lost.
                pass
        insist(create)
        eventually(lambda: children[-1] == ["child", "ephemeral", "node"],
                   "the watch of the children")


@scenario
def leader_killed(world):
    """The leader is killed under writes; what was acknowledged is on every server."""
    client, root = world.rooted(timeout=20, hosts=world.addresses)
    acknowledged, stop = [], threading.Event()

    def write():
        while not stop.is_set():
            name = f"write-{len(acknowledged):06}"

            def create():
                try:
                    client.create(f"{root}/{name}")
                except NodeExistsError:
                    pass
            insist(create)
            acknowledged.append(name)
    writer = world.background(write)
    eventually(lambda: len(acknowledged) >= 50, "writes before")
    leader, = control("leader")
    with killed(leader):
        if len(control("servers")) == 1:
            control("restore")
        seen = len(acknowledged)
        eventually(lambda: len(acknowledged) >= seen + 50, "writes after")
        stop.set()
        writer.result()
    for address in control("servers"):
        reader = KazooClient(hosts=address, timeout=20)
        reader.start(timeout=WAIT_SECONDS)
        reader.sync(root)
        missing = set(acknowledged) - set(reader.get_children(root))
        reader.stop()
        reader.close()
        assert not missing, f"{address} has not {sorted(missing)[:5]}"


def hand_over(world, kind: str, get) -> None:
    """A holder in another process is killed; whoever waits has it, and not before."""
    client, root = world.rooted()
    path = root + "/held"
    process = subprocess.Popen([sys.executable, "-c", HOLDER, world.address, path, kind],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "held\n"
        waiter = world.background(get, client, path, lambda: process.poll())
        eventually(lambda: len(client.get_children(path)) == 2, "the other contender")
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert waiter.result() == -signal.SIGKILL, "two held it"
    finally:
        process.kill()
        process.wait()


@scenario
def lock_of_a_killed_holder(world):
    """The next contender gets the lock of a killed process, never before."""
    def lock(client, path, state):
        with client.Lock(path, "waiter"):
            return state()
    hand_over(world, "lock", lock)


@scenario
def election_after_a_killed_leader(world):
    """The next candidate leads after a killed process, never before."""
    def elect(client, path, state):
        states = []
        client.Election(path, "waiter").run(lambda: states.append(state()))
        return states[0]
    hand_over(world, "election", elect)


@scenario
def sync_and_read_across_servers(world):
    """Behind a sync, another server has what was written; a client reads its own writes anyway.

    The reader is on a follower, if there is one: a leader of Apache ZooKeeper's answers the sync of
    its own client before it has applied what is decided.
    """
    leader, = control("leader")
    follower = next((address for address in control("servers") if address != leader), leader)
    _, root = world.rooted()
    writer, reader = (world.client(hosts=address) for address in (leader, follower))
    for number in range(50 if world.quick else 200):
        text = str(number).encode()
        writer.set(root, text)
        assert writer.get(root)[0] == text, "its own write is not read"
        reader.sync(root)
        assert reader.get(root)[0] == text, "the other server lags behind a sync"
