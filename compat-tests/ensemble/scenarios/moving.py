"""Sessions across servers: moved with their password, kept alive through any server, expired."""

import time

import checks
from harness.members import APACHE, DEBIAN, ZABRA
from raw import EPHEMERAL, SESSION_MOVED, Raw, Refused

from . import scenario

# Kinds of servers 1, 2, 3; 3 leads.
ARRANGEMENTS = [
    ("java-leader", [ZABRA, APACHE, APACHE]),
    ("java-leader-zabra-followers", [ZABRA, ZABRA, APACHE]),
    ("zabra-leader", [APACHE, ZABRA, ZABRA]),
    ("zabra-leader-java-followers", [APACHE, DEBIAN, ZABRA]),
    ("zabra-among-itself", [ZABRA, ZABRA, ZABRA]),
]
SHORT_MS = 3000


def until(condition, what: str, seconds: float = 20) -> None:
    """Waits for something that must come."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise checks.Failed(f"waited for {what}")
        time.sleep(0.05)


def expect(found, wanted, what: str) -> None:
    """Something that must be."""
    if found != wanted:
        raise checks.Failed(f"{what}: {found}, not {wanted}")


def refused(port: int, session: int, password: bytes) -> None:
    """Nobody may go on with this session."""
    for _ in range(5):
        try:
            with Raw(port, session, password):
                raise checks.Failed(f"0x{session:x} goes on")
        except Refused:
            return
        except OSError:
            # The end of the session, which just arrived there, has closed the connection.
            pass
    raise checks.Failed("connections are closed without an answer")


def _moved(kinds):
    def function(w):
        """A session goes from each server to each other one."""
        with w.ensemble(kinds) as ensemble:
            ensemble.start(leader=3)
            ports = [member.client_port for member in ensemble]
            with Raw(ports[0]) as other:
                expect(other.create("/m"), 0, "create")
                expect(other.create("/m/w"), 0, "create")
                for here in range(3):
                    for there in range(3):
                        if here != there:
                            name = f"{ensemble[here + 1].name} to {ensemble[there + 1].name}"
                            _move(ports, here, there, other, name)
            w.say(checks.everything(ensemble))
    return function


def _move(ports, here, there, other, name):
    ephemeral = f"/m/e{here}{there}"
    with Raw(ports[here]) as first:
        expect(first.create(ephemeral, flags=EPHEMERAL), 0, name)
        expect(first.exists("/m/w", watch=True), 0, name)
        seen = first.zxid
        session, password = first.session, first.password
    # The connection is cut; what it watched changes meanwhile.
    expect(other.set_data("/m/w", b"1"), 0, name)
    refused(ports[there], session, b"x" * 16)
    with Raw(ports[there], session, password) as second:
        expect(second.session, session, name)
        expect(second.password, password, name)
        expect(second.create(f"{ephemeral}-2", flags=EPHEMERAL), 0, name)
        expect(second.exists(ephemeral), session, f"{name}: owner")
        second.set_watches(seen, ["/m/w"])
        expect(second.events, ["/m/w"], f"{name}: events after 0x{seen:x}")
        # Back again while this connection stands: it must not write any more.
        with Raw(ports[here], session, password) as third:
            expect(third.set_data("/m/w", b"2"), 0, name)
            try:
                expect(second.set_data("/m/w", b"3"), SESSION_MOVED, f"{name}: old connection")
            except OSError:
                pass
            third.close()
    refused(ports[there], session, password)
    until(lambda: other.exists(ephemeral) == -1, f"{name}: {ephemeral} to vanish")
    expect(other.exists(f"{ephemeral}-2"), -1, name)


def _kept_alive(kinds):
    def function(w):
        """Sessions that only send pings live, whatever server they are at; those that send nothing
        expire, and take their ephemerals with them everywhere."""
        with w.ensemble(kinds) as ensemble:
            ensemble.start(leader=3)
            ports = [member.client_port for member in ensemble]
            sessions = [Raw(port, timeout_ms=SHORT_MS) for port in ports]
            for number, session in enumerate(sessions):
                expect(session.timeout_ms, SHORT_MS, "granted timeout")
                expect(session.create(f"/e{number}", flags=EPHEMERAL), 0, "create")
            end = time.monotonic() + 3 * SHORT_MS / 1000
            while time.monotonic() < end:
                for session in sessions:
                    session.ping()
                time.sleep(0.3)
            for number, session in enumerate(sessions):
                expect(session.exists(f"/e{number}"), session.session, "an ephemeral")
                session.cut()
            watchers = [Raw(port) for port in ports]
            started = time.monotonic()
            for watcher in watchers:
                until(lambda w=watcher: all(w.exists(f"/e{n}") == -1 for n in range(3)),
                      "ephemerals to vanish")
            took = time.monotonic() - started
            w.say(f"expired after {took:.1f} s")
            if took < 1:
                raise checks.Failed(f"sessions of {SHORT_MS} ms expired within {took:.1f} s")
            for session in sessions:
                refused(ports[0], session.session, session.password)
            for watcher in watchers:
                watcher.close()
            w.say(checks.everything(ensemble))
    return function


def _survive(kinds):
    def function(w):
        """Sessions and ephemerals survive a leader that is killed, and then expire as they must:
        the new leader knows them all."""
        with w.ensemble(kinds) as ensemble:
            ensemble.start(leader=3)
            ports = [member.client_port for member in ensemble]
            with Raw(ports[0], timeout_ms=8000) as session:
                expect(session.create("/e", flags=EPHEMERAL), 0, "create")
                known = session.session, session.password
            ensemble[3].kill()
            ensemble.wait_serving(1, 2)
            w.say(f"{ensemble.leader().name} leads")
            with Raw(ports[1], *known, timeout_ms=8000) as session:
                expect(session.exists("/e"), known[0], "the ephemeral after the leader's end")
                expect(session.create("/e2", flags=EPHEMERAL), 0, "create")
            with Raw(ports[0]) as watcher:
                until(lambda: watcher.exists("/e") == -1, "the ephemeral to vanish", 30)
                expect(watcher.exists("/e2"), -1, "the other ephemeral")
                watcher.close()
            ensemble.restart(3)
            w.say(checks.everything(ensemble))
    return function


for _name, _kinds in ARRANGEMENTS:
    scenario(f"sessions: {_name}, moved", _name in ("java-leader", "zabra-leader"))(_moved(_kinds))
    scenario(f"sessions: {_name}, kept alive and expired")(_kept_alive(_kinds))
    scenario(f"sessions: {_name}, survive the leader")(_survive(_kinds))
