"""Recipes when clients fail or contend: what they are for."""

import datetime
import threading

from kazoo.client import KazooClient
from kazoo.exceptions import BadVersionError
from kazoo.recipe.watchers import PatientChildrenWatch
from scenarios import WAIT_SECONDS, eventually, scenario


def end_session(world, client) -> None:
    """Ends a client's session under it, as the server does when it expires."""
    other = KazooClient(hosts=world.address, client_id=client.client_id, timeout=10)
    other.start(timeout=WAIT_SECONDS)
    other.stop()
    other.close()


@scenario
def lock_is_freed_by_a_lost_session(world):
    first, root = world.rooted()
    second = world.client()
    assert first.Lock(f"{root}/lock", "one").acquire()
    wanted = second.Lock(f"{root}/lock", "two")
    waiting = world.background(wanted.acquire)
    eventually(lambda: len(second.get_children(f"{root}/lock")) == 2, "the second waits")
    end_session(world, first)
    assert waiting.result()


@scenario
def election_after_the_leader_is_lost(world):
    first, root = world.rooted()
    second = world.client()
    leaders, done = [], threading.Event()

    def lead(name):
        leaders.append(name)
        done.wait(WAIT_SECONDS)

    world.background(first.Election(f"{root}/election", "one").run, lead, "one")
    eventually(lambda: leaders == ["one"], "the first leads")
    waiting = world.background(second.Election(f"{root}/election", "two").run, lead, "two")
    eventually(lambda: len(second.get_children(f"{root}/election")) == 2, "the second waits")
    end_session(world, first)
    eventually(lambda: leaders == ["one", "two"], "the second leads")
    done.set()
    waiting.result()


@scenario
def locking_queue_gives_back_what_was_not_consumed(world):
    first, root = world.rooted()
    queue = first.LockingQueue(f"{root}/queue")
    queue.put(b"item")
    assert queue.get(timeout=5) == b"item"
    first.stop()
    other = world.client().LockingQueue(f"{root}/queue")
    assert other.get(timeout=WAIT_SECONDS) == b"item"
    assert other.consume()


@scenario
def counting_by_versions(world):
    """Several clients add to one number; a version that does not fit makes them try again."""
    first, root = world.rooted()
    clients = [first, *(world.client() for _ in range(3))]
    first.create(f"{root}/n", b"0")
    rounds = 10 if world.quick else 50

    def count(client):
        done = 0
        while done < rounds:
            data, stat = client.get(f"{root}/n")
            try:
                client.set(f"{root}/n", str(int(data) + 1).encode(), version=stat.version)
                done += 1
            except BadVersionError:
                pass

    for thread in [world.background(count, client) for client in clients]:
        thread.result()
    data, stat = first.get(f"{root}/n")
    assert (int(data), stat.version) == (4 * rounds, 4 * rounds)


@scenario
def shallow_party(world):
    first, root = world.rooted()
    guests = [client.ShallowParty(f"{root}/party", f"guest{n}")
              for n, client in enumerate([first, world.client()])]
    for guest in guests:
        guest.join()
    assert sorted(guests[1]) == ["guest0", "guest1"]
    first.stop()
    assert list(guests[1]) == ["guest1"]


@scenario
def leases(world):
    first, root = world.rooted()
    minute = datetime.timedelta(minutes=1)
    assert first.NonBlockingLease(f"{root}/lease", minute, "one")
    assert not world.client().NonBlockingLease(f"{root}/lease", minute, "two")
    assert first.NonBlockingLease(f"{root}/lease", minute, "one")


@scenario
def patient_children_watch(world):
    client, root = world.rooted()
    client.create(f"{root}/a")
    names, changed = PatientChildrenWatch(client, root, time_boundary=0.2).start().get(
        timeout=WAIT_SECONDS)
    assert names == ["a"]
    client.create(f"{root}/b")
    eventually(changed.ready, "the change is told")


@scenario
def ends_of_sessions_are_seen_by_others(world):
    first, root = world.rooted()
    other = world.client()
    seen = []
    for n in range(10):
        first.create(f"{root}/e{n}", ephemeral=True)
        other.exists(f"{root}/e{n}", watch=lambda event: seen.append(event.path))
    end_session(world, first)
    eventually(lambda: sorted(seen) == [f"{root}/e{n}" for n in range(10)], "all have gone")
