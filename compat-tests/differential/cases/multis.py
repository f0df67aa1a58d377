"""multi: all or nothing, what each operation sees of those before it, and malformed ones."""

from differential import protocol as p
from differential.cases import case
from differential.jute import boolean, int32, ustring

# A follower of Apache ZooKeeper never answers a multi that its leader cannot read.
unreadable = case(servers=(1,))


def state(t):
    """What is there after a multi."""
    t.call("ctl", p.get_children2(t.root), p.get_data(t.root), p.get_ephemerals("/"))


@case
def multi_empty(t):
    t.call("ctl", p.multi(), p.exists(t.root), p.multi())


@case
def multi_of_every_operation(t):
    r = t.root
    t.call("ctl", p.multi(
        p.create(f"{r}/a", b"1"), p.create2(f"{r}/b", b"2"), p.create_container(f"{r}/c"),
        p.create_ttl(f"{r}/t", 100000), p.create(f"{r}/e", flags=p.EPHEMERAL),
        p.create(f"{r}/s-", flags=p.SEQUENTIAL), p.set_data(f"{r}/a", b"new", 0),
        p.check(f"{r}/a", 1), p.delete(f"{r}/b"), p.check(r)))
    state(t)


@case
def multi_fails_in_the_middle(t):
    r = t.root
    t.call("ctl", p.multi(p.create(f"{r}/a"), p.set_data(r, b"1"), p.delete(f"{r}/none"),
                          p.create(f"{r}/b"), p.delete(f"{r}/none2")))
    state(t)


@case
def multi_fails_first_and_last(t):
    r = t.root
    t.call("ctl", p.multi(p.check(r, 9), p.create(f"{r}/a")))
    t.call("ctl", p.multi(p.create(f"{r}/a"), p.check(r, 9)))
    t.call("ctl", p.multi(p.check(f"{r}/none")))
    state(t)


@unreadable
def multi_each_error(t):
    r = t.root
    t.call("ctl", p.create(f"{r}/x"), p.create(f"{r}/x/y"),
           p.create(f"{r}/ro", acl=p.READ_ONLY), p.create(f"{r}/e", flags=p.EPHEMERAL),
           p.create(f"{r}/wo", acl=[(30, "world", "anyone")]))
    for bad in [p.create(f"{r}/x"), p.create(f"{r}/no/x"), p.create(f"{r}/e/x"),
                p.create(f"{r}/ro/x"), p.create(f"{r}/n", acl=[]), p.create(f"{r}/n", acl=None),
                p.create("n"), p.create(f"{r}/n/"), p.create(f"{r}/n\0"), p.delete(f"{r}/x"),
                p.delete(f"{r}/none"), p.delete(f"{r}/x/y", 4), p.delete("/"), p.delete("n"),
                p.set_data(f"{r}/x", b"", 3), p.set_data(f"{r}/none", b""),
                p.set_data(f"{r}/ro", b""), p.set_data("n", b""), p.check(f"{r}/x", 3),
                p.check(f"{r}/none"), p.check(f"{r}/wo"), p.check("n"), p.check(f"{r}/x/")]:
        t.call("ctl", p.multi(p.set_data(r, b"before"), bad, p.set_data(r, b"after")))
    state(t)


@case
def multi_later_operations_see_earlier(t):
    r = t.root
    t.call("ctl", p.multi(p.create(f"{r}/a"), p.create(f"{r}/a/b"), p.create(f"{r}/a/b/c"),
                          p.set_data(f"{r}/a/b", b"1", 0), p.check(f"{r}/a/b", 1),
                          p.delete(f"{r}/a/b/c"), p.delete(f"{r}/a/b", 1), p.create(f"{r}/a/b"),
                          p.check(f"{r}/a/b", 0)))
    state(t)
    t.call("ctl", p.exists(f"{r}/a"), p.exists(f"{r}/a/b"))


@case
def multi_rolled_back_is_not_seen_by_the_next(t):
    r = t.root
    t.connect("a")
    t.call("a", p.multi(p.create(f"{r}/a"), p.delete(f"{r}/none")), p.create(f"{r}/a/b"),
           p.multi(p.set_data(r, b"x", 0), p.check(r, 5)), p.set_data(r, b"y", 0),
           p.create(f"{r}/a"))
    state(t)


@case
def multi_rollback_gives_back_the_sequence(t):
    r = t.root
    fails = p.multi(p.create(f"{r}/s-", flags=p.SEQUENTIAL),
                    p.create(f"{r}/s-", flags=p.SEQUENTIAL), p.delete(f"{r}/none"))
    t.connect("a")
    t.call("a", fails, p.create(f"{r}/s-", flags=p.SEQUENTIAL), fails,
           p.multi(p.create(f"{r}/s-", flags=p.SEQUENTIAL),
                   p.create(f"{r}/t-", flags=p.SEQUENTIAL)))
    state(t)


@case
def multi_rollback_keeps_pending_changes(t):
    """A rolled-back multi must leave the changes of requests before it that are not applied yet."""
    r = t.root
    t.connect("a")
    t.call("a", p.create(f"{r}/a"), p.set_data(f"{r}/a", b"1"), p.create(f"{r}/s-", flags=2),
           p.multi(p.set_data(f"{r}/a", b"2"), p.create(f"{r}/s-", flags=2), p.delete(f"{r}/no")),
           p.set_data(f"{r}/a", b"3", 1), p.create(f"{r}/s-", flags=2), p.delete(f"{r}/a", 2))
    state(t)


@case
def multi_same_zxid_and_time(t):
    r = t.root
    t.call("ctl", p.multi(p.create2(f"{r}/a"), p.create2(f"{r}/b"), p.set_data(r, b"1")))
    t.call("ctl", p.exists(r), p.exists(f"{r}/a"), p.exists(f"{r}/b"))


@case
def multi_sequence_numbers(t):
    r = t.root
    t.call("ctl", p.multi(*[p.create(f"{r}/s-", flags=p.SEQUENTIAL) for _ in range(5)]))
    t.call("ctl", p.multi(p.create(f"{r}/s-", flags=p.EPHEMERAL_SEQUENTIAL), p.delete(
        f"{r}/s-0000000000"), p.create2(f"{r}/s-", flags=p.SEQUENTIAL)))
    state(t)


@case
def multi_results_of_create_kinds(t):
    r = t.root
    for at, build in enumerate([p.create, p.create2, p.create_container]):
        for flags in range(5):
            t.call("ctl", p.multi(build(f"{r}/{at}-{flags}-", b"d", flags)))
    t.call("ctl", p.multi(p.create_ttl(f"{r}/t", 1000)),
           p.multi(p.create_ttl(f"{r}/t-", 1000, flags=p.TTL_SEQUENTIAL)))
    state(t)


@unreadable
def multi_with_flags_that_fail(t):
    r = t.root
    for flags in [5, 6, 7, -1]:
        for build in [p.create, p.create2, p.create_container]:
            t.call("ctl", p.multi(p.set_data(r, b"1"), build(f"{r}/x", b"", flags)))
    t.call("ctl", p.multi(p.set_data(r, b"1"), p.create_ttl(f"{r}/x", 0)))
    t.call("ctl", p.multi(p.set_data(r, b"1"), p.create_ttl(f"{r}/x", 2**40)))
    state(t)


@case(profile="defaults")
def multi_with_types_switched_off(t):
    r = t.root
    for build in [p.create, p.create2, p.create_container]:
        t.call("ctl", p.multi(p.set_data(r, b"1"), build(f"{r}/x-", b"", p.CONTAINER)))
    t.call("ctl", p.multi(p.set_data(r, b"1"), p.create_ttl(f"{r}/x", 1000)))
    state(t)


@unreadable
def multi_with_operations_not_allowed(t):
    r = t.root
    for bad in [p.set_acl(r, p.OPEN), p.exists(r), p.get_acl(r), p.get_children2(r), p.sync(r),
                p.multi(), p.close_session(), p.reconfig(), p.add_watch(r), p.who_am_i(),
                p.raw(p.DELETE_CONTAINER, ustring(f"{r}/x")), p.raw(0), p.raw(-1), p.raw(99),
                p.raw(-10, int32(5000))]:
        t.call("ctl", p.multi(p.set_data(r, b"1"), bad), p.multi(bad))
    state(t)


@unreadable
def multi_without_end(t):
    body = p.multi_body([p.set_data(t.root, b"1")])
    t.call("ctl", p.raw(p.MULTI, body), p.raw(p.MULTI, b""), p.raw(p.MULTI_READ, b""))
    t.call("ctl", p.raw(p.MULTI, body + int32(-1)), p.raw(p.MULTI, body + int32(-1) + b"\1"))
    state(t)


@unreadable
def multi_with_strange_headers(t):
    r = t.root
    one = p.set_data(r, b"1")
    end = p.MULTI_END
    for body in [
        int32(p.SET_DATA) + boolean(False) + int32(77) + one.body + end,
        int32(p.SET_DATA) + boolean(True) + int32(-1) + one.body + end,
        int32(-1) + boolean(False) + int32(-1) + end,
        int32(5) + boolean(True) + int32(0),
        int32(99) + boolean(True) + int32(3),
        p.multi_body([one]) + end + p.multi_body([one]) + end,
        p.multi_body([one]) + int32(-1) + b"\2" + int32(-1),
        p.multi_body([one]) + int32(7) + b"\1" + int32(9),
        end,
    ]:
        t.call("ctl", p.raw(p.MULTI, body))
        t.call("ctl", p.get_data(r))


@unreadable
def multi_with_a_cut_operation(t):
    one = p.create(f"{t.root}/x", b"data")
    for count in [1, 4, 8, 20]:
        body = p.multi_body([p.set_data(t.root, b"1"), one.cut(count)])
        t.call("ctl", p.raw(p.MULTI, body))
        t.call("ctl", p.raw(p.MULTI, body + p.MULTI_END))
    state(t)


@unreadable
def multi_with_null_paths(t):
    r = t.root
    for bad in [p.create(None), p.delete(None), p.set_data(None), p.check(None)]:
        t.call("ctl", p.multi(bad), p.multi(p.set_data(r, b"1"), bad, p.set_data(r, b"2")))
    state(t)
    t.call("ctl", p.create(f"{r}/still-works"))


@unreadable
def multi_with_null_acl_id(t):
    for acl in [[(31, "world", None)], [(31, None, "anyone")], [(31, None, None)]]:
        t.call("ctl", p.multi(p.create(f"{t.root}/x", acl=acl)),
               p.multi(p.set_data(t.root, b"1"), p.create(f"{t.root}/x", acl=acl)))
    state(t)


@unreadable
def multi_with_several_faults(t):
    """The first fault that is found decides whether the request takes a zxid."""
    r = t.root
    faults = [p.create(f"{r}/f", flags=9), p.create2(f"{r}/t", flags=p.TTL),
              p.create_container(f"{r}/c", flags=p.TTL), p.create_ttl(f"{r}/l", 0),
              p.create_ttl(f"{r}/p", 10, flags=0), p.create(f"{r}/a", acl=None),
              p.create2(f"{r}/e", acl=[]), p.create(None), p.exists(r),
              p.create_ttl(f"{r}/n", 10, acl=None), p.create_ttl(f"{r}/b", 10, flags=9)]
    for first in faults:
        for second in faults:
            t.call("ctl", p.multi(first, second))
    state(t)


@case
def multi_permissions_of_a_node_made_in_it(t):
    r = t.root
    t.call("ctl", p.multi(p.create(f"{r}/p", acl=p.READ_ONLY), p.create(f"{r}/p/x")))
    t.call("ctl", p.multi(p.create(f"{r}/p", acl=p.READ_ONLY), p.set_data(f"{r}/p", b"")))
    t.call("ctl", p.multi(p.create(f"{r}/p", acl=p.READ_ONLY), p.check(f"{r}/p", 0)))
    state(t)


@case
def multi_ephemeral_and_its_child(t):
    r = t.root
    t.connect("a")
    t.call("a", p.multi(p.create(f"{r}/e", flags=p.EPHEMERAL), p.create(f"{r}/e/x")))
    t.call("a", p.multi(p.create(f"{r}/e", flags=p.EPHEMERAL), p.delete(f"{r}/e"),
                        p.create(f"{r}/e"), p.create(f"{r}/e/x")))
    t.call("a", p.multi(p.create(f"{r}/f", flags=p.EPHEMERAL)), p.get_ephemerals("/"))
    t.close("a")
    state(t)


@case
def multi_of_many(t):
    r = t.root
    t.connect("a")
    t.call("a", p.multi(*[p.create(f"{r}/{at}", b"x" * 100) for at in range(500)]))
    t.call("a", p.multi(*[p.set_data(f"{r}/{at}", b"y", 0) for at in range(500)],
                        p.check(f"{r}/0", 0)))
    t.call("a", p.multi(*[p.delete(f"{r}/{at}", 0) for at in range(500)]))
    state(t)


@case
def multi_events(t):
    r = t.root
    t.connect("a")
    t.call("a", p.exists(f"{r}/a", True), p.get_children(r, True), p.get_data(r, True),
           p.add_watch(r, p.RECURSIVE))
    t.call("ctl", p.multi(p.create(f"{r}/a"), p.set_data(f"{r}/a", b"1"), p.set_data(r, b"2"),
                          p.create(f"{r}/a/b"), p.delete(f"{r}/a/b"), p.delete(f"{r}/a")))
    t.call("ctl", p.multi(p.create(f"{r}/a"), p.delete(f"{r}/none")))
    t.call("ctl", p.create(f"{r}/a"))
