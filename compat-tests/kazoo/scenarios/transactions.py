"""Transactions (multi)."""

from kazoo.exceptions import (
    BadVersionError, NodeExistsError, NoNodeError, RolledBackError, RuntimeInconsistency)
from kazoo.protocol.states import ZnodeStat

from scenarios import eventually, scenario


@scenario
def transaction_commits(world):
    client, root = world.rooted()
    client.create(f"{root}/old", b"1")
    transaction = client.transaction()
    transaction.check(f"{root}/old", 0)
    transaction.create(f"{root}/new", b"2")
    transaction.create(f"{root}/new/s-", sequence=True)
    transaction.set_data(f"{root}/new", b"3")
    transaction.delete(f"{root}/old")
    results = transaction.commit()
    assert results[0] is True and results[4] is True
    assert results[1:3] == [f"{root}/new", f"{root}/new/s-0000000000"]
    assert isinstance(results[3], ZnodeStat) and results[3].version == 1
    assert client.get(f"{root}/new")[0] == b"3"
    # All parts have one zxid.
    stat = client.exists(f"{root}/new")
    assert stat.czxid == stat.mzxid == stat.pzxid
    assert client.exists(f"{root}/old") is None


@scenario
def transaction_rolls_back(world):
    client, root = world.rooted()
    before = client.exists(root)
    transaction = client.transaction()
    transaction.create(f"{root}/a")
    transaction.set_data(root, b"changed")
    transaction.check(root, 77)
    transaction.create(f"{root}/b")
    results = transaction.commit()
    assert [type(result) for result in results] == [
        RolledBackError, RolledBackError, BadVersionError, RuntimeInconsistency]
    assert client.exists(root) == before
    assert client.get_children(root) == []


@scenario
def transaction_errors(world):
    client, root = world.rooted()
    client.create(f"{root}/there")
    for build, kind in [
            (lambda parts: parts.create(f"{root}/there"), NodeExistsError),
            (lambda parts: parts.delete(f"{root}/missing"), NoNodeError),
            (lambda parts: parts.set_data(f"{root}/missing", b""), NoNodeError),
            (lambda parts: parts.check(f"{root}/missing", 0), NoNodeError)]:
        transaction = client.transaction()
        build(transaction)
        assert [type(result) for result in transaction.commit()] == [kind]


@scenario
def transaction_fires_watches(world):
    client, root = world.rooted()
    client.create(f"{root}/a")
    seen = []
    client.get(f"{root}/a", watch=seen.append)
    client.get_children(root, watch=seen.append)
    with client.transaction() as transaction:
        transaction.set_data(f"{root}/a", b"1")
        transaction.create(f"{root}/b")
    eventually(lambda: len(seen) == 2, "both watches fire")
    assert [(event.type, event.path) for event in seen] == [
        ("CHANGED", f"{root}/a"), ("CHILD", root)]


@scenario
def transaction_of_a_thousand(world):
    client, root = world.rooted()
    transaction = client.transaction()
    for number in range(1000):
        transaction.create(f"{root}/{number}", b"x")
    assert transaction.commit() == [f"{root}/{number}" for number in range(1000)]
    assert client.exists(root).numChildren == 1000
