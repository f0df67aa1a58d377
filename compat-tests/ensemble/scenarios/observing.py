"""Observers that learn from followers (`observerMasterPort`): Zabra's behind Apache ZooKeeper's
followers, Apache ZooKeeper's behind Zabra's, under load, with the follower or the leader killed, and
far behind."""

import time

import checks
from harness.members import APACHE, ZABRA, take_port
from load import Load
from raw import EPHEMERAL, Raw

from . import scenario
from .catching_up import ALWAYS_SNAPSHOT, burst, how

# Kinds of servers 1, 2, 3, which vote and of which 3 leads, and of the observer; whether among the
# quick ones.
ARRANGEMENTS = [
    ("zabra-behind-java", [APACHE, APACHE, APACHE, ZABRA], True),
    ("java-behind-zabra", [ZABRA, ZABRA, APACHE, APACHE], True),
    ("java-behind-zabra-with-zabra-leader", [ZABRA, ZABRA, ZABRA, APACHE], False),
    ("zabra-behind-zabra-with-java-leader", [ZABRA, ZABRA, APACHE, ZABRA], False),
    ("zabra-behind-zabra", [ZABRA, ZABRA, ZABRA, ZABRA], False),
]
LEADER, OBSERVER = 3, 4


def observed(w, kinds, **more):
    """An ensemble whose followers serve observers."""
    keys = {"observerMasterPort": str(take_port())}
    return w.ensemble(kinds, observers=(OBSERVER,), keys=keys, apart=True, **more)


def master(ensemble) -> int:
    """From whom the observer learns; 0 if it does not serve."""
    return int(ensemble[OBSERVER].figures().get("zk_observer_master_id", "0"))


def check_followed(ensemble, w) -> int:
    """The observer learns from a follower, which counts it; its number."""
    number = master(ensemble)
    leader = ensemble.leader().number
    if number in (0, leader):
        raise checks.Failed(f"the observer learns from {number}, and {leader} leads")
    counted = ensemble[number].figures().get("zk_synced_observers")
    theirs = ensemble[leader].figures().get("zk_synced_observers")
    if (counted, theirs) != ("1", "0"):
        raise checks.Failed(f"observers: {counted} at the follower, {theirs} at the leader")
    w.say(f"observing {ensemble[number].name}")
    return number


def _moves(kinds):
    def function(w):
        """The follower, then the leader is killed under load: the observer goes on with another
        follower, and its clients' sessions go on."""
        with observed(w, kinds) as ensemble:
            ensemble.start(leader=LEADER)
            # Some know the observer only.
            with Load(ensemble.addresses(OBSERVER), sessions=4) as load, \
                    Load(ensemble.addresses(1, 2, 3), sessions=3, first=4) as voters:
                load.go_on(200)
                for who in ("follower", "leader", "follower"):
                    number = check_followed(ensemble, w)
                    killed = ensemble[number] if who == "follower" else ensemble.leader()
                    killed.kill()
                    ensemble.wait(lambda: master(ensemble) not in (0, killed.number),
                                  "the observer to find another server")
                    load.go_on(100)
                    voters.go_on(100)
                    ensemble.restart(killed.number)
                    # It may have found nobody but the leader; it stays there.
                    if who == "leader" and master(ensemble) == ensemble.leader().number:
                        ensemble[OBSERVER].kill()
                        ensemble.restart(OBSERVER)
                    load.go_on(100)
                voters.finish()
                w.say(checks.everything(ensemble, load))
                w.say(voters.summary())
    return function


def _far_behind(kinds, flags, wanted):
    def function(w):
        """The observer comes back far behind, and gets what it lacks from a follower."""
        with observed(w, kinds, flags=flags) as ensemble:
            ensemble.start(leader=LEADER)
            burst(ensemble[LEADER].address, 300)
            with Load(ensemble.addresses(1, 2), sessions=4) as load:
                load.go_on(100)
                ensemble[OBSERVER].kill()
                burst(ensemble[LEADER].address, 3000)
                ensemble.restart(OBSERVER)
                check_followed(ensemble, w)
                found = how(ensemble[OBSERVER])
                if found != wanted:
                    raise checks.Failed(f"brought up to date by {found}, not {wanted}")
                load.go_on(100)
                # What it has learned must be on its disk too.
                ensemble[OBSERVER].kill()
                load.go_on(100)
                ensemble.restart(OBSERVER)
                load.go_on(100)
                w.say(checks.everything(ensemble, load))
    return function


def _sessions(kinds):
    def function(w):
        """A session of the observer's: kept alive, moved, expired, and synced through a follower."""
        with observed(w, kinds) as ensemble:
            ensemble.start(leader=LEADER)
            follower = check_followed(ensemble, w)
            with Raw(ensemble[OBSERVER].client_port, timeout_ms=2000) as kept:
                if kept.create("/kept", flags=EPHEMERAL):
                    raise checks.Failed("the observer does not pass on a write")
                for _ in range(30):
                    # Longer than its timeout in all, and heard of through the follower.
                    time.sleep(0.2)
                    kept.exists("/")
                with Raw(ensemble[follower].client_port) as other:
                    if other.exists("/kept") != kept.session:
                        raise checks.Failed("a session that is heard of has expired")
                    for turn in range(20):
                        other.create(f"/turn{turn}")
                        kept.sync("/")
                        if kept.exists(f"/turn{turn}") != 0:
                            raise checks.Failed(f"turn {turn} is not seen behind a sync")
                session, password = kept.session, kept.password
            # From the observer to its own follower and back.
            for number in (follower, OBSERVER, LEADER, OBSERVER):
                with Raw(ensemble[number].client_port, session, password, 2000) as moved:
                    if moved.session != session:
                        raise checks.Failed(f"the session did not move to {number}")
                    if moved.create(f"/moved-{time.monotonic_ns()}", flags=EPHEMERAL):
                        raise checks.Failed(f"the session does not write at {number}")
            with Raw(ensemble[LEADER].client_port) as other:
                ensemble.wait(lambda: other.exists("/kept") == -1, "the session to expire", 20)
            w.say(checks.everything(ensemble))
    return function


for _name, _kinds, _quick in ARRANGEMENTS:
    scenario(f"observer masters: {_name}, killed", _quick)(_moves(_kinds))
    scenario(f"observer masters: {_name}, far behind")(_far_behind(_kinds, {}, "DIFF"))
    scenario(f"observer masters: {_name}, snapshot")(
        _far_behind(_kinds, ALWAYS_SNAPSHOT, "SNAP"))
    scenario(f"observer masters: {_name}, sessions")(_sessions(_kinds))
