"""The recipes of kazoo, with several clients each."""

import threading

from kazoo.exceptions import LockTimeout
from kazoo.recipe.cache import TreeCache, TreeEvent

from scenarios import eventually, raises, scenario


def in_turn(world, make_lock, workers: int = 4, rounds: int = 5) -> None:
    """Several clients add to a plain counter under the lock: no addition may be lost."""
    client, root = world.rooted()
    client.create(f"{root}/count", b"0")
    inside = []

    def work(own):
        lock = make_lock(own, f"{root}/lock")
        for _ in range(rounds):
            with lock:
                inside.append(own)
                assert inside == [own], "two holders at once"
                value = int(own.get(f"{root}/count")[0])
                own.set(f"{root}/count", str(value + 1).encode())
                inside.pop()

    tasks = [world.background(work, world.client()) for _ in range(workers)]
    for task in tasks:
        task.result()
    assert client.get(f"{root}/count")[0] == str(workers * rounds).encode()
    assert client.get_children(f"{root}/lock") == []


@scenario
def lock_excludes(world):
    in_turn(world, lambda client, path: client.Lock(path))


@scenario
def write_lock_excludes(world):
    in_turn(world, lambda client, path: client.WriteLock(path))


@scenario
def semaphore_of_one_excludes(world):
    client, root = world.rooted()
    first, second = world.client(), world.client()
    held = first.Semaphore(f"{root}/s", "first")
    waiting = second.Semaphore(f"{root}/s", "second")
    assert held.acquire()
    assert not waiting.acquire(blocking=False)
    task = world.background(waiting.acquire)
    held.release()
    assert task.result()
    assert waiting.lease_holders() == ["second"]
    waiting.release()
    assert client.get_children(f"{root}/s") == []


@scenario
def lock_contenders_and_timeout(world):
    _, root = world.rooted()
    holder = world.client().Lock(f"{root}/l", "holder")
    waiter = world.client().Lock(f"{root}/l", "waiter")
    assert holder.acquire()
    assert not waiter.acquire(blocking=False)
    with raises(LockTimeout):
        waiter.acquire(timeout=0.3)
    task = world.background(waiter.acquire)
    eventually(lambda: holder.contenders() == ["holder", "waiter"], "both are listed")
    holder.release()
    assert task.result()
    waiter.release()


@scenario
def lock_is_freed_by_a_closed_session(world):
    _, root = world.rooted()
    owner, other = world.client(), world.client()
    assert owner.Lock(f"{root}/l").acquire()
    task = world.background(other.Lock(f"{root}/l").acquire)
    owner.stop()
    assert task.result()


@scenario
def read_locks_share(world):
    _, root = world.rooted()
    readers = [world.client().ReadLock(f"{root}/l") for _ in range(3)]
    writer = world.client().WriteLock(f"{root}/l")
    assert all(reader.acquire() for reader in readers)
    assert not writer.acquire(blocking=False)
    task = world.background(writer.acquire)
    for reader in readers:
        reader.release()
    assert task.result()
    assert not readers[0].acquire(blocking=False)
    writer.release()
    assert readers[0].acquire()


@scenario
def semaphore_counts(world):
    _, root = world.rooted()
    leases = [world.client().Semaphore(f"{root}/s", f"id{number}", max_leases=3)
              for number in range(4)]
    assert all(lease.acquire() for lease in leases[:3])
    assert not leases[3].acquire(blocking=False)
    assert sorted(leases[0].lease_holders()) == ["id0", "id1", "id2"]
    task = world.background(leases[3].acquire)
    leases[1].release()
    assert task.result()
    assert sorted(leases[0].lease_holders()) == ["id0", "id2", "id3"]


@scenario
def election(world):
    _, root = world.rooted()
    led = []
    over = {name: threading.Event() for name in ("a", "b", "c")}
    elections, tasks = {}, []

    def lead(name):
        led.append(name)
        over[name].wait(30)

    for name in over:
        elections[name] = world.client().Election(f"{root}/election", name)
        tasks.append(world.background(elections[name].run, lead, name))
        eventually(lambda: name in elections[name].contenders(), f"{name} stands")
    assert led == ["a"] and elections["a"].contenders() == ["a", "b", "c"]
    for done, event in enumerate(over.values()):
        eventually(lambda: len(led) == done + 1, "the next one leads")
        event.set()
    for task in tasks:
        task.result()
    assert led == ["a", "b", "c"]


@scenario
def queue(world):
    client, root = world.rooted()
    shared = client.Queue(f"{root}/q")
    for value, priority in [(b"late", 200), (b"one", 100), (b"two", 100), (b"first", 1)]:
        shared.put(value, priority)
    assert len(shared) == 4
    other = world.client().Queue(f"{root}/q")
    assert [other.get() for _ in range(5)] == [b"first", b"one", b"two", b"late", None]


@scenario
def queue_gives_each_item_once(world):
    client, root = world.rooted()
    for number in range(60):
        client.Queue(f"{root}/q").put(str(number).encode())

    def drain(own):
        taken = []
        shared = own.Queue(f"{root}/q")
        while (value := shared.get()) is not None:
            taken.append(int(value))
        return taken

    tasks = [world.background(drain, world.client()) for _ in range(3)]
    assert sorted(sum((task.result() for task in tasks), [])) == list(range(60))


@scenario
def locking_queue(world):
    client, root = world.rooted()
    producer = client.LockingQueue(f"{root}/q")
    producer.put_all([b"one", b"two"])
    first, second = world.client(), world.client()
    one, two = first.LockingQueue(f"{root}/q"), second.LockingQueue(f"{root}/q")
    assert one.get(10) == b"one" and two.get(10) == b"two"
    assert one.holds_lock() and one.consume() and len(producer) == 1
    # What a consumer took and did not finish comes back when its session ends.
    second.stop()
    assert one.get(10) == b"two" and one.consume() and len(producer) == 0
    assert one.get(0.2) is None
    task = world.background(one.get, 20)
    producer.put(b"three")
    assert task.result() == b"three"


@scenario
def barrier(world):
    client, root = world.rooted()
    gate = client.Barrier(f"{root}/b")
    gate.create()
    task = world.background(world.client().Barrier(f"{root}/b").wait, 20)
    assert not world.client().Barrier(f"{root}/b").wait(0.2)
    assert gate.remove()
    assert task.result() is True
    assert gate.wait(1) is True


@scenario
def double_barrier(world):
    _, root = world.rooted()
    log = []

    def work(own, name):
        both = own.DoubleBarrier(f"{root}/b", 3, name)
        log.append("before")
        both.enter()
        log.append("inside")
        both.leave()
        log.append("after")

    tasks = [world.background(work, world.client(), f"id{number}") for number in range(3)]
    for task in tasks:
        task.result()
    assert log == ["before"] * 3 + ["inside"] * 3 + ["after"] * 3, log


@scenario
def counter(world):
    client, root = world.rooted()
    client.Counter(f"{root}/c", default=100)

    def work(own):
        shared = own.Counter(f"{root}/c", default=100)
        for _ in range(10):
            shared += 3
            shared -= 1

    for task in [world.background(work, world.client()) for _ in range(3)]:
        task.result()
    assert client.Counter(f"{root}/c", default=100).value == 160
    real = client.Counter(f"{root}/real", default=1.5)
    real += 2.25
    assert real.value == 3.75


@scenario
def party(world):
    _, root = world.rooted()
    clients = [world.client() for _ in range(3)]
    parties = [own.Party(f"{root}/p", f"member{number}") for number, own in enumerate(clients)]
    for member in parties:
        member.join()
    assert sorted(parties[0]) == ["member0", "member1", "member2"] and len(parties[0]) == 3
    parties[1].leave()
    clients[2].stop()
    eventually(lambda: list(parties[0]) == ["member0"], "one left, one's session ended")
    shallow = clients[0].ShallowParty(f"{root}/shallow", "only")
    shallow.join()
    assert list(shallow) == ["only"]


@scenario
def tree_cache(world):
    client, root = world.rooted()
    writer = world.client()
    writer.create(f"{root}/a", b"1")
    cache = TreeCache(client, root)
    events = []
    cache.listen(lambda event: events.append(
        (event.event_type, event.event_data.path if event.event_data else None)))
    cache.start()
    eventually(lambda: (TreeEvent.INITIALIZED, None) in events, "the cache is filled")
    assert cache.get_data(f"{root}/a").data == b"1"
    for change, event in [
            (lambda: writer.set(f"{root}/a", b"2"), (TreeEvent.NODE_UPDATED, f"{root}/a")),
            (lambda: writer.create(f"{root}/a/b", b"3"), (TreeEvent.NODE_ADDED, f"{root}/a/b")),
            (lambda: writer.delete(f"{root}/a/b"), (TreeEvent.NODE_REMOVED, f"{root}/a/b"))]:
        change()
        eventually(lambda: event in events, f"the cache follows: {event}")
    assert cache.get_data(f"{root}/a").data == b"2"
    assert cache.get_children(f"{root}/a") == frozenset()
    cache.close()


@scenario
def set_partitioner(world):
    _, root = world.rooted()
    items = set(range(6))
    make = lambda own, name: own.SetPartitioner(  # noqa: E731
        f"{root}/sp", set=tuple(items), time_boundary=0.3, identifier=name)
    first = make(world.client(), "first")
    first.wait_for_acquire(20)
    assert first.acquired and set(first) == items
    second_client = world.client()
    second = make(second_client, "second")
    eventually(lambda: first.release, "the first is asked to let go")
    first.release_set()
    first.wait_for_acquire(20)
    second.wait_for_acquire(20)
    assert first.acquired and second.acquired
    assert len(list(first)) == len(list(second)) == 3
    assert set(first) | set(second) == items
    second_client.stop()
    eventually(lambda: first.release, "the second is gone")
    first.release_set()
    first.wait_for_acquire(20)
    assert set(first) == items
    first.finish()
