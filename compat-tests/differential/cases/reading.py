"""Reads: what they show of the tree, and what they refuse."""

from differential import protocol as p
from differential.cases import case


@case
def read_root_and_system_nodes(t):
    for path in ["/zookeeper", "/zookeeper/quota", "/zookeeper/config"]:
        t.call("ctl", p.exists(path), p.get_acl(path), p.get_all_children_number(path))
    t.call("ctl", p.get_data("/zookeeper/config"), p.get_data("/"), p.get_acl("/"))


@case
def read_missing(t):
    path = f"{t.root}/none"
    t.call("ctl", p.exists(path), p.get_data(path), p.get_acl(path), p.get_children(path),
           p.get_children2(path), p.get_all_children_number(path), p.sync(path),
           p.get_ephemerals(path))


@case
def read_children_of_many(t):
    t.connect("a")
    t.call("a", *[p.create(f"{t.root}/{at:04}") for at in range(500)])
    t.call("a", p.get_children(t.root), p.get_children2(t.root),
           p.get_all_children_number(t.root))


@case
def read_children_after_changes(t):
    t.call("ctl", p.create(f"{t.root}/a"), p.create(f"{t.root}/b"), p.get_children2(t.root))
    t.call("ctl", p.delete(f"{t.root}/a"), p.get_children2(t.root), p.get_children2(f"{t.root}/b"))


@case
def read_all_children_number(t):
    for path in ["/a", "/a/b", "/a/b/c", "/ab", "/a0"]:
        t.call("ctl", p.create(t.root + path))
    for path in ["", "/a", "/a/b", "/ab", "/a/b/c", "/a/"]:
        t.call("ctl", p.get_all_children_number(t.root + path))
    t.call("ctl", p.get_all_children_number("/"), p.get_all_children_number(""))


@case
def read_ephemerals_by_prefix(t):
    t.connect("a")
    t.connect("b")
    for path in ["/e", "/e1", "/x"]:
        t.call("a", p.create(t.root + path, flags=p.EPHEMERAL))
    t.call("b", p.create(t.root + "/other", flags=p.EPHEMERAL))
    for prefix in ["/", "", None, t.root, f"{t.root}/", f"{t.root}/e", f"{t.root}/e1",
                   f"{t.root}/none", "none", t.root[:-1], "//"]:
        t.call("a", p.get_ephemerals(prefix))
        t.call("b", p.get_ephemerals(prefix))


@case
def read_sync_echoes(t):
    for path in ["/", "", "x", t.root, "/no/such", "//", "/a\0b"]:
        t.call("ctl", p.sync(path))


@case
def read_who_am_i(t):
    t.connect("a")
    t.call("a", p.who_am_i())
    for request in [p.auth("digest", b"u:p"), p.auth("digest", b"nocolon"), p.auth("ip", b"x")]:
        t.call("a", request, p.who_am_i())
    t.call("a", p.auth("digest", b"super:secret"), p.who_am_i().plus(b"body"))


@case
def read_your_writes_pipelined(t):
    t.connect("a")
    requests = []
    for at in range(30):
        requests += [p.set_data(t.root, str(at).encode()), p.get_data(t.root), p.exists(t.root)]
    t.call("a", *requests)


@case
def read_does_not_take_a_zxid(t):
    t.call("ctl", p.exists(t.root), p.get_data("/none"), p.sync("/"), p.get_children("/none"),
           p.who_am_i(), p.get_ephemerals("/"), p.check_watches("/x", p.ANY), p.exists(t.root))


@case
def read_several_at_once(t):
    x = f"{t.root}/x"
    t.call("ctl", p.create(x, b"data"), p.create(f"{x}/y"))
    t.call("ctl", p.multi_read())
    t.call("ctl", p.multi_read(p.get_data(x), p.get_children(x), p.get_data(f"{x}/y")))
    t.call("ctl", p.multi_read(p.get_data("/none"), p.get_children("/none"), p.get_data(x)))
    t.call("ctl", p.multi_read(p.get_data("relative"), p.get_children(f"{x}/"), p.get_data("")))
    t.call("ctl", p.multi_read(p.get_data(x), p.get_children(None), p.get_data(x)))


@case
def read_several_with_watches(t):
    t.connect("a")
    t.call("a", p.multi_read(p.get_data(t.root, True), p.get_children(t.root, True)))
    t.call("a", p.check_watches(t.root, p.ANY))
    t.call("ctl", p.set_data(t.root, b"1"), p.create(f"{t.root}/x"))


@case
def read_several_of_other_kinds(t):
    for request in [p.exists(t.root), p.set_data(t.root, b"1"), p.create(f"{t.root}/x"),
                    p.get_children2(t.root), p.get_acl(t.root), p.check(t.root)]:
        t.call("ctl", p.multi_read(request))
        t.call("ctl", p.multi_read(p.get_data(t.root), request))
    t.call("ctl", p.multi(p.get_data(t.root)), p.multi(p.get_children(t.root)))
    t.call("ctl", p.multi(p.set_data(t.root, b"2"), p.get_data(t.root)))
    t.call("ctl", p.get_data(t.root))


@case
def read_several_without_permission(t):
    t.call("ctl", p.create(f"{t.root}/x", acl=[(30, "world", "anyone")]))
    t.call("ctl", p.multi_read(p.get_data(f"{t.root}/x"), p.get_children(f"{t.root}/x"),
                               p.get_data(t.root)))


@case
def reconfig_of_a_server_alone(t):
    t.call("ctl", p.reconfig("server.1=localhost:1:2;3"), p.reconfig(None, "1"),
           p.reconfig(None, None, "server.1=localhost:1:2:participant;3"), p.reconfig())


@case(profile="strict", servers=(1,))
def reconfig_enabled_on_a_server_alone(t):
    t.call("ctl", p.reconfig("server.1=localhost:1:2;3"), p.reconfig(None, "1"),
           p.reconfig(None, None, "rubbish", 7), p.exists(t.root))
    t.connect("a")
    t.call("a", p.auth("digest", b"super:secret"), p.reconfig("server.2=localhost:4:5;6"))
