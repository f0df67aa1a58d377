"""Ephemerals and the ends of sessions that clients close, and containers that go by themselves."""

from differential import protocol as p
from differential.cases import case


@case
def ephemerals_go_with_the_session(t):
    t.connect("a")
    t.call("a", *[p.create(f"{t.root}/{at}", b"d", p.EPHEMERAL) for at in range(20)])
    t.call("a", p.get_ephemerals("/"))
    t.close("a")
    t.call("ctl", p.get_children2(t.root))


@case
def ephemerals_under_several_parents(t):
    t.connect("a")
    for at in range(4):
        t.call("ctl", p.create(f"{t.root}/{at}"), p.create(f"{t.root}/{at}/kept"))
        t.call("a", p.create(f"{t.root}/{at}/e", flags=p.EPHEMERAL))
    t.close("a")
    for at in range(4):
        t.call("ctl", p.get_children2(f"{t.root}/{at}"))
    t.call("ctl", p.exists(t.root))


@case
def ephemeral_owner_is_shown(t):
    t.connect("a")
    t.connect("b")
    t.call("a", p.create2(f"{t.root}/e", flags=p.EPHEMERAL))
    t.call("b", p.create2(f"{t.root}/f", flags=p.EPHEMERAL), p.exists(f"{t.root}/e"))
    t.call("a", p.exists(f"{t.root}/f"), p.get_data(f"{t.root}/e"))


@case
def ephemerals_created_and_closed_in_one_piece(t):
    t.connect("a")
    t.call_and_end("a", p.create(f"{t.root}/e", flags=p.EPHEMERAL),
                   p.create(f"{t.root}/f", flags=p.EPHEMERAL), p.delete(f"{t.root}/e"),
                   p.multi(p.create(f"{t.root}/g", flags=p.EPHEMERAL)), p.close_session())
    t.call("ctl", p.get_children2(t.root))


@case
def ephemeral_in_a_failed_multi_is_not_left(t):
    t.connect("a")
    t.call_and_end("a", p.multi(p.create(f"{t.root}/e", flags=p.EPHEMERAL), p.delete("/none")),
                   p.close_session())
    t.call("ctl", p.get_children2(t.root))


@case
def ephemeral_made_again_by_another(t):
    t.connect("a")
    t.connect("b")
    t.call("a", p.create(f"{t.root}/e", flags=p.EPHEMERAL))
    t.call("b", p.create(f"{t.root}/e", flags=p.EPHEMERAL), p.exists(f"{t.root}/e", True))
    t.close("a")
    t.call("b", p.create(f"{t.root}/e", flags=p.EPHEMERAL), p.exists(f"{t.root}/e"))
    t.close("b")
    t.call("ctl", p.exists(f"{t.root}/e"))


@case
def ephemerals_survive_a_lost_connection(t):
    t.connect("a")
    t.call("a", p.create(f"{t.root}/e", flags=p.EPHEMERAL))
    t.drop("a")
    t.call("ctl", p.exists(f"{t.root}/e"))
    t.connect("a", session="a")
    t.call("a", p.exists(f"{t.root}/e"), p.get_ephemerals("/"))


@case
def session_closed_by_a_reconnected_client(t):
    t.connect("a")
    t.call("a", p.create(f"{t.root}/e", flags=p.EPHEMERAL))
    t.reconnect("a")
    t.close("a")
    t.call("ctl", p.exists(f"{t.root}/e"))


@case
def sessions_take_zxids(t):
    for name in "abc":
        t.connect(name)
        t.call("ctl", p.exists(t.root))
    t.reconnect("a")
    t.close("b")
    t.call("ctl", p.exists(t.root))


@case
def sessions_many_in_turn(t):
    for at in range(30):
        t.connect(f"s{at}")
        t.call(f"s{at}", p.create(f"{t.root}/e-", flags=p.EPHEMERAL_SEQUENTIAL))
    for at in range(0, 30, 2):
        t.close(f"s{at}")
    t.call("ctl", p.get_children2(t.root))


@case(profile="reaping")
def container_goes_after_its_last_child(t):
    t.connect("a")
    t.call("ctl", p.create(f"{t.root}/kept"))
    t.call("a", p.exists(f"{t.root}/c", True), p.add_watch(f"{t.root}/c/x"))
    t.call("ctl", p.multi(p.create_container(f"{t.root}/c"), p.create(f"{t.root}/c/x")))
    t.call("a", p.exists(f"{t.root}/c", True), p.get_children(t.root, True))
    t.listen("a", 1.0)
    t.call("ctl", p.exists(f"{t.root}/c"))
    # From here on the server acts by itself, so it is asked for nothing until it has.
    t.let_ping(False)
    t.call("ctl", p.delete(f"{t.root}/c/x"))
    for _ in range(3):
        t.await_event("a")
    t.let_ping(True)
    t.call("ctl", p.get_children2(t.root))


@case(profile="reaping")
def container_never_used_goes_later(t):
    t.connect("a", pingable=False)
    t.call("a", p.exists(f"{t.root}/c", True))
    t.call("ctl", p.create_container(f"{t.root}/c"), p.exists(f"{t.root}/c"))
    t.await_event("a")
    t.call("a", p.exists(f"{t.root}/c", True))
    t.await_event("a")
    t.call("ctl", p.get_children2(t.root))


@case(profile="reaping")
def ttl_node_goes_when_unchanged(t):
    t.connect("a", pingable=False)
    t.call("ctl", p.create_ttl(f"{t.root}/t", 2000, b"d"))
    t.call("ctl", p.create_ttl(f"{t.root}/long", 10**7), p.create_ttl(f"{t.root}/parent", 1000),
           p.create(f"{t.root}/parent/child"))
    t.call("a", p.get_data(f"{t.root}/t", True))
    t.await_event("a")
    t.call("ctl", p.get_children2(t.root), p.exists(f"{t.root}/parent"))
