"""Access control: ACLs, and the schemes digest, ip, world and super."""

from kazoo.exceptions import (
    AuthFailedError, InvalidACLError, NoAuthError, NoNodeError)
from kazoo.security import (
    ACL, CREATOR_ALL_ACL, Id, OPEN_ACL_UNSAFE, Permissions, READ_ACL_UNSAFE, make_acl,
    make_digest_acl)

from scenarios import SUPER, cut, raises, scenario


@scenario
def acl_default_is_open(world):
    client, root = world.rooted()
    acls, stat = client.get_acls(root)
    assert acls == OPEN_ACL_UNSAFE and stat.aversion == 0
    with raises(NoNodeError):
        client.get_acls(f"{root}/missing")


@scenario
def acl_set_and_version(world):
    client, root = world.rooted()
    stat = client.set_acls(root, READ_ACL_UNSAFE, version=0)
    assert (stat.aversion, stat.version) == (1, 0)
    acls, _ = client.get_acls(root)
    assert acls == READ_ACL_UNSAFE
    with raises(NoAuthError):
        client.set_acls(root, OPEN_ACL_UNSAFE)
    with raises(NoAuthError):
        client.set(root, b"x")
    with raises(NoAuthError):
        client.create(f"{root}/child")
    assert client.get(root)[0] == b""


@scenario
def acl_digest(world):
    client, root = world.rooted()
    acl = make_digest_acl("ann", "pass", all=True)
    path = client.create(f"{root}/secret", b"value", acl=[acl])
    with raises(NoAuthError):
        client.get(path)
    with raises(NoAuthError):
        client.set(path, b"x")
    with raises(NoAuthError):
        client.exists(path)
    client.add_auth("digest", "ann:wrong")
    with raises(NoAuthError):
        client.get(path)
    client.add_auth("digest", "ann:pass")
    assert client.get(path)[0] == b"value"
    assert client.get_acls(path)[0] == [acl]
    # The right to delete is the parent's to give.
    world.client().delete(path)


@scenario
def acl_auth_scheme(world):
    client, root = world.rooted()
    with raises(InvalidACLError):
        client.create(f"{root}/none", acl=CREATOR_ALL_ACL)
    client.add_auth("digest", "bob:pass")
    client.create(f"{root}/mine", b"1", acl=CREATOR_ALL_ACL)
    assert client.get_acls(f"{root}/mine")[0] == [make_digest_acl("bob", "pass", all=True)]
    other = world.client(auth_data=[("digest", "bob:pass")])
    assert other.get(f"{root}/mine")[0] == b"1"
    with raises(NoAuthError):
        world.client().get(f"{root}/mine")


@scenario
def acl_permissions_apart(world):
    client, root = world.rooted()
    anyone = Id("world", "anyone")
    for letter, permission in [("r", Permissions.READ), ("w", Permissions.WRITE),
                               ("c", Permissions.CREATE), ("a", Permissions.ADMIN)]:
        client.create(f"{root}/{letter}", b"1", acl=[ACL(permission, anyone)])
    attempts = {
        "r": lambda path: client.get(path),
        "w": lambda path: client.set(path, b"2"),
        "c": lambda path: client.create(f"{path}/child"),
        "a": lambda path: client.set_acls(path, [ACL(Permissions.ADMIN, anyone)]),
    }
    for node in attempts:
        for letter, attempt in attempts.items():
            if letter == node:
                attempt(f"{root}/{node}")
            else:
                with raises(NoAuthError):
                    attempt(f"{root}/{node}")
    # Nobody may delete the child: CREATE alone was given.
    with raises(NoAuthError):
        client.delete(f"{root}/c/child")


@scenario
def acl_ip(world):
    client, root = world.rooted()
    everything = Permissions.ALL
    client.create(f"{root}/near", b"1", acl=[ACL(everything, Id("ip", "127.0.0.1"))])
    client.create(f"{root}/net", b"2", acl=[ACL(everything, Id("ip", "127.0.0.0/8"))])
    client.create(f"{root}/far", b"3", acl=[ACL(everything, Id("ip", "10.1.2.3"))])
    assert client.get(f"{root}/near")[0] == b"1"
    assert client.get(f"{root}/net")[0] == b"2"
    with raises(NoAuthError):
        client.get(f"{root}/far")
    with raises(InvalidACLError):
        client.create(f"{root}/bad", acl=[ACL(everything, Id("ip", "not-an-address"))])


@scenario
def acl_invalid(world):
    client, root = world.rooted()
    with raises(InvalidACLError):
        client.create(f"{root}/a", acl=[make_acl("nosuchscheme", "x", all=True)])
    with raises(InvalidACLError):
        client.create(f"{root}/b", acl=[make_acl("digest", "noseparator", all=True)])
    with raises(InvalidACLError):
        client.create(f"{root}/c", acl=[make_acl("world", "someone", all=True)])


@scenario
def acl_super(world):
    client, root = world.rooted()
    path = client.create(f"{root}/locked", b"1", acl=[make_digest_acl("x", "y", all=True)])
    boss = world.client(auth_data=[("digest", SUPER)])
    assert boss.get(path)[0] == b"1"
    boss.set_acls(path, OPEN_ACL_UNSAFE)
    assert client.get(path)[0] == b"1"


@scenario
def auth_is_sent_again_after_reconnect(world):
    client, root = world.rooted(auth_data=[("digest", "cid:pass")])
    path = client.create(f"{root}/mine", b"1", acl=CREATOR_ALL_ACL)
    cut(client)
    assert client.retry(client.get, path)[0] == b"1"


@scenario
def auth_unknown_scheme(world):
    client, _ = world.rooted()
    with raises(AuthFailedError):
        client.add_auth("nosuchscheme", "a:b")
