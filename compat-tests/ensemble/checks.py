"""What must hold when a scenario is over: all servers have the same tree, with all that was
acknowledged, and no log says otherwise."""

import re
import time

from kazoo.client import KazooClient

from harness.members import IMAGE_BEGINS, ZABRA
from load import Load, client

# Made by every server for itself.
LOCAL = {"/zookeeper/config"}


class Failed(AssertionError):
    """Something that must hold does not."""


def tree(connection: KazooClient) -> dict:
    """Every znode of a server: its data, its stat, its ACL."""
    found = {}
    level = ["/"]
    while level:
        nodes = [(path, connection.get_async(path), connection.get_acls_async(path))
                 for path in level if path not in LOCAL]
        parents = []
        for path, node, acls in nodes:
            data, stat = node.get(30)
            found[path] = (data, tuple(stat), tuple(map(str, acls.get(30)[0])))
            if stat.numChildren:
                parents.append(path)
        children = [(path, connection.get_children_async(path)) for path in parents]
        level = [f"{path.rstrip('/')}/{name}" for path, names in children
                 for name in names.get(30)]
    return found


def read(address: str) -> dict:
    """The tree of the server at an address, as of now."""
    connection = client(address)
    connection.start(timeout=60)
    try:
        connection.sync("/")
        return tree(connection)
    finally:
        connection.stop()
        connection.close()


def difference(one: dict, other: dict) -> str:
    """The first znodes in which trees differ."""
    paths = sorted(path for path in one.keys() | other.keys()
                   if one.get(path) != other.get(path))
    return "\n".join(f"{path}: {one.get(path)} / {other.get(path)}" for path in paths[:5])


def same_trees(ensemble) -> dict:
    """Compares the trees of all servers that run; the tree."""
    members = [member for member in ensemble if member.running()]
    first = read(members[0].address)
    for member in members[1:]:
        found = read(member.address)
        if found != first:
            raise Failed(f"{members[0].name} and {member.name} have different trees:\n"
                         + difference(first, found))
    return first


def same_digests(ensemble) -> int:
    """Compares the digests that servers remember of every 128th transaction; how many.

    Apache ZooKeeper remembers wrong ones while it reads a snapshot that was written to meanwhile,
    its own or its leader's; so of it only those count that lived once and were sent none."""
    known = {}
    compared = 0
    for member in ensemble:
        if member.kind != ZABRA and (member.lives > 1 or IMAGE_BEGINS in member.log_text()):
            continue
        for zxid, digest in re.findall(r"([0-9a-f]+): (-?\d+)", member.ask("hash")):
            other, theirs = known.setdefault(zxid, (member.name, digest))
            if theirs != digest:
                raise Failed(f"after 0x{zxid} the digest of {other} is {theirs}, that of "
                             f"{member.name} {digest}")
            compared += other != member.name
    return compared


def acknowledged(load: Load, found: dict) -> None:
    """Everything that a writer was told is in the tree."""
    for writer in load.writers:
        for path, data in writer.created.items():
            if found.get(path, (None,))[0] != data:
                raise Failed(f"{path} was acknowledged with {data}; it is {found.get(path)}")
        data, version = writer.counter
        node = found[f"{writer.root}/counter"]
        if (node[0], node[1][4]) != (data, version):
            raise Failed(f"{writer.root}/counter was acknowledged as {data} {version}: {node}")
        ephemeral = found.get(writer.ephemeral())
        if ephemeral is None or ephemeral[1][7] != writer.session[0]:
            raise Failed(f"{writer.ephemeral()} vanished: {ephemeral}")


def clean_logs(ensemble) -> None:
    """No server ended by itself, and no log has what it must not have."""
    complaints = ensemble.complaints()
    if complaints:
        raise Failed("\n".join(complaints[:20]))


def ephemerals_end(ensemble, load: Load) -> None:
    """When the sessions are closed, their ephemerals are gone everywhere."""
    for writer in load.writers:
        writer.client.stop()
    deadline = time.monotonic() + 20
    paths = [writer.ephemeral() for writer in load.writers]
    for member in ensemble:
        if not member.running():
            continue
        connection = client(member.address)
        connection.start(timeout=60)
        try:
            for path in paths:
                while connection.exists(path):
                    if time.monotonic() > deadline:
                        raise Failed(f"{path} outlived its session on {member.name}")
                    time.sleep(0.05)
        finally:
            connection.stop()
            connection.close()


def everything(ensemble, load: Load | None = None) -> str:
    """All of this; a line about what was compared."""
    if load is not None:
        load.finish()
    found = same_trees(ensemble)
    said = f"{len(found)} znodes equal on {sum(member.running() for member in ensemble)} servers"
    if load is not None:
        acknowledged(load, found)
        load.over = True
        ephemerals_end(ensemble, load)
        said = f"{load.summary()}; {said}"
    compared = same_digests(ensemble)
    clean_logs(ensemble)
    return f"{said}, {compared} digests"


def same_trees_under_load(ensemble, load: Load) -> str:
    """Compares trees while writers rest."""
    load.pause()
    try:
        found = same_trees(ensemble)
    finally:
        load.resume()
    return f"{len(found)} znodes equal half way"
