"""Two servers and an oracle (`oraclePath`): the one whose file says 1 goes on alone when the other is
gone, and the other follows when it comes back."""

import time

import checks
from harness.members import APACHE, ZABRA
from load import Load

from . import scenario

# Kinds of servers 1 and 2, and whether among the quick ones.
ARRANGEMENTS = [
    ("zabra-and-java", [ZABRA, APACHE], True),
    ("java-and-zabra", [APACHE, ZABRA], False),
    ("zabra-and-zabra", [ZABRA, ZABRA], False),
]


def _say(member, text: str) -> None:
    """What the oracle of a member says from now on."""
    file = member.directory / "oracle"
    member.directory.mkdir(parents=True, exist_ok=True)
    new = file.with_name("oracle.new")
    new.write_text(text)
    new.replace(file)


def _alone(kinds):
    def function(w):
        """Each of both goes on alone under load, once as the leader and once as the follower."""
        with w.ensemble(kinds) as ensemble:
            for member in ensemble:
                _say(member, "0")
                member.keys["oraclePath"] = str(member.directory / "oracle")
            ensemble.start()
            with Load(ensemble.addresses(), sessions=4) as load:
                load.go_on(100)
                for killed, left in ((1, 2), (2, 1), (1, 2)):
                    was = ensemble[left].mode()
                    ensemble[killed].kill()
                    # Without the oracle's word nobody serves.
                    ensemble.wait(lambda: not ensemble[left].mode(),
                                  f"{ensemble[left].name} to stop serving", 30)
                    time.sleep(0.5)
                    if ensemble[left].mode():
                        raise checks.Failed("one of two serves against the oracle's word")
                    _say(ensemble[left], "1")
                    ensemble.wait(lambda: ensemble[left].mode() == "leader",
                                  f"{ensemble[left].name} to lead alone", 60)
                    load.go_on(100)
                    w.say(f"{ensemble[left].name}, the {was}, went on alone")
                    ensemble.restart(killed)
                    ensemble.wait(lambda: ensemble[killed].mode() == "follower",
                                  f"{ensemble[killed].name} to follow", 30)
                    _say(ensemble[left], "0")
                    load.go_on(100)
                w.say(checks.everything(ensemble, load))
    return function


for _name, _kinds, _quick in ARRANGEMENTS:
    scenario(f"oracle: {_name}", _quick)(_alone(_kinds))
