"""Who leads and who learns: every arrangement of kinds under load, and its leader killed."""

import checks
from harness.members import APACHE, DEBIAN, ZABRA
from load import Load

from . import scenario

# Name, kinds of servers 1, 2, ..., observers, who leads, and whether it is among the quick ones.
ARRANGEMENTS = [
    ("java-leader-zabra-follower", [ZABRA, APACHE, APACHE], (), 3, True),
    ("java-leader-zabra-followers", [ZABRA, ZABRA, APACHE], (), 3, False),
    ("java-leader-zabra-observer", [APACHE, APACHE, APACHE, ZABRA], (4,), 3, False),
    ("java-3.8-leader-zabra-follower", [ZABRA, DEBIAN, DEBIAN], (), 3, False),
    ("java-3.8-leader-zabra-observer", [DEBIAN, DEBIAN, DEBIAN, ZABRA], (4,), 3, False),
    ("zabra-leader-java-followers", [APACHE, APACHE, ZABRA], (), 3, True),
    ("zabra-leader-java-3.8-followers", [DEBIAN, DEBIAN, ZABRA], (), 3, False),
    ("zabra-leader-java-observer", [ZABRA, ZABRA, ZABRA, APACHE, DEBIAN], (4, 5), 3, False),
    ("zabra-leader-mixed-five", [APACHE, ZABRA, DEBIAN, ZABRA, ZABRA], (), 5, False),
    ("zabra-alone-among-itself", [ZABRA, ZABRA, ZABRA, ZABRA], (4,), 3, False),
]


def _served(kinds, observers, leader):
    def function(w):
        """The ensemble serves writers on all its servers."""
        with w.ensemble(kinds, observers=observers) as ensemble:
            ensemble.start(leader=leader)
            with Load(ensemble.addresses(), sessions=2 * len(kinds)) as load:
                load.go_on(800)
                w.say(checks.everything(ensemble, load))
    return function


def _leader_killed(kinds, observers, leader):
    def function(w):
        """The leader is killed under load, comes back, and so once more: whoever leads then."""
        with w.ensemble(kinds, observers=observers) as ensemble:
            ensemble.start(leader=leader)
            with Load(ensemble.addresses(), sessions=2 * len(kinds)) as load:
                load.go_on(400)
                for _ in range(2):
                    killed = ensemble.leader()
                    killed.kill()
                    load.go_on(300)
                    w.say(f"{killed.name} was killed, {ensemble.leader().name} leads")
                    ensemble.restart(killed.number)
                    load.go_on(200)
                w.say(checks.everything(ensemble, load))
    return function


def _all_killed(kinds, observers, leader):
    def function(w):
        """All servers are killed under load, and started again."""
        with w.ensemble(kinds, observers=observers) as ensemble:
            ensemble.start(leader=leader)
            with Load(ensemble.addresses(), sessions=2 * len(kinds)) as load:
                load.go_on(400)
                for member in ensemble:
                    member.kill()
                ensemble.start()
                load.go_on(200)
                w.say(checks.everything(ensemble, load))
    return function


for _name, _kinds, _observers, _leader, _quick in ARRANGEMENTS:
    scenario(_name)(_served(_kinds, _observers, _leader))
    scenario(f"{_name}, leader killed", _quick)(_leader_killed(_kinds, _observers, _leader))
scenario("java-leader-zabra-follower, all killed")(_all_killed([ZABRA, APACHE, APACHE], (), 3))
scenario("zabra-leader-java-followers, all killed")(_all_killed([APACHE, DEBIAN, ZABRA], (), 3))


def _follower_paused(kinds, leader):
    def function(w):
        """A follower hangs for longer than the leader has patience, and goes on."""
        with w.ensemble(kinds) as ensemble:
            ensemble.start(leader=leader)
            with Load(ensemble.addresses(), sessions=6) as load:
                load.go_on(300)
                ensemble[1].pause()
                load.go_on(300)
                # syncLimit × tickTime is 4 seconds.
                ensemble.wait(lambda: ensemble[leader].figures().get("zk_synced_followers") == "1",
                              "the leader to give the follower up", 20)
                ensemble[1].resume()
                ensemble.wait_serving()
                ensemble.wait(lambda: ensemble[leader].figures().get("zk_synced_followers") == "2",
                              "the follower to be back", 20)
                load.go_on(200)
                w.say(checks.everything(ensemble, load))
    return function


def _leader_paused(kinds, leader):
    def function(w):
        """The leader hangs until another leads, and goes on: it must follow, and serve nothing
        that the others do not know."""
        with w.ensemble(kinds) as ensemble:
            ensemble.start(leader=leader)
            with Load(ensemble.addresses(), sessions=6) as load:
                load.go_on(300)
                ensemble[leader].pause()
                load.go_on(300)
                w.say(f"{ensemble.leader().name} leads")
                ensemble[leader].resume()
                ensemble.wait(lambda: ensemble[leader].mode() == "follower",
                              "the old leader to follow", 30)
                load.go_on(200)
                w.say(checks.everything(ensemble, load))
    return function


scenario("java-leader-zabra-follower, follower paused")(
    _follower_paused([ZABRA, APACHE, APACHE], 3))
scenario("zabra-leader-java-followers, follower paused")(
    _follower_paused([APACHE, APACHE, ZABRA], 3))
scenario("java-leader-zabra-follower, leader paused")(_leader_paused([ZABRA, ZABRA, APACHE], 3))
scenario("zabra-leader-java-followers, leader paused")(_leader_paused([APACHE, APACHE, ZABRA], 3))
