"""Four-letter words of a leader, a follower and an observer, and of one that serves nobody: the
same names and shapes from an ensemble of Apache ZooKeeper and from one of Zabra."""

import re

import checks
from harness.members import APACHE, ZABRA
from raw import EPHEMERAL, Raw

from . import scenario

ROLES = {1: "follower", 3: "leader", 4: "observer"}
# Words whose answers may differ in numbers only.
SHAPES = ["srvr", "conf", "isro", "ruok", "dump", "wchs", "stat", "dirs", "gtmk", "crst", "srst"]
IDLE = ["srvr", "conf", "isro", "ruok", "dump", "wchs", "wchc", "wchp", "stat", "dirs", "gtmk",
        "crst", "srst", "mntr", "cons", "hash"]
# Figures that must be equal, whoever serves.
STEADY = ["zk_server_state", "zk_peer_state", "zk_quorum_size", "zk_learners",
          "zk_synced_followers", "zk_synced_observers", "zk_synced_non_voting_followers",
          "zk_pending_syncs", "zk_observer_master_id", "zk_global_sessions", "zk_local_sessions",
          "zk_ephemerals_count", "zk_znode_count", "zk_last_proposal_size",
          "zk_min_proposal_size", "zk_max_proposal_size", "zk_digest_mismatches_count"]
# Apache ZooKeeper has these only after somebody wrote to a namespace.
PER_NAMESPACE = "_per_namespace"


def shape(text: str) -> str:
    """A text without what must differ: numbers, paths, versions, and the order of lists."""
    text = re.sub(r"Zookeeper version: .*", "Zookeeper version: V", text)
    text = re.sub(r"(dataDir|dataLogDir)=.*", r"\1=D", text)
    text = re.sub(r"expire at .*:", "expire at T:", text)
    # Neither the ids of sessions nor the buckets of time they fall into are the same twice.
    text = re.sub(r"0x[0-9a-f]+", "0xN", text)
    text = re.sub(r"\d+ expire", "N expire", text)
    text = re.sub(r"Sets \(\d+\)/\(\d+\)", "Sets (N)/(N)", text)
    text = re.sub(r"(?<=[=:/ \[])-?\d+(\.\d+)?", "N", text)
    text = re.sub(r"N(\.N)+", "N", text)
    return "\n".join(sorted(set(text.split("\n"))))


def names(member) -> set[str]:
    """The names of its figures."""
    return {name for name in member.figures() if PER_NAMESPACE not in name}


def compare(what: str, theirs, ours) -> list[str]:
    """A difference, as lines; none if there is none."""
    return [] if theirs == ours else [f"{what}: {theirs!r} / {ours!r}"]


def gather(w, kind):
    """The answers of all roles: shapes, names of figures, steady figures, answers when idle."""
    with w.ensemble([kind] * 4, observers=(4,)) as ensemble:
        ensemble.start(leader=3)
        sessions = [Raw(ensemble[number].client_port) for number in ROLES]
        for number, session in enumerate(sessions):
            session.create(f"/e{number}", b"12345", flags=EPHEMERAL)
            session.exists(f"/e{number}", watch=True)
        ensemble.wait_level()
        leader = ensemble[3]
        ensemble.wait(lambda: leader.figures().get("zk_synced_followers") == "2", "followers")
        ensemble.wait(lambda: leader.figures().get("zk_synced_observers") == "1", "an observer")
        found = {}
        for number, role in ROLES.items():
            member = ensemble[number]
            checked = {word: shape(member.ask(word)) for word in SHAPES}
            figures = member.figures()
            steady = {name: figures.get(name) for name in STEADY}
            found[role] = checked, names(member), steady
        for session in sessions:
            session.cut()
        ensemble[1].kill()
        ensemble[2].kill()
        ensemble.wait(lambda: not leader.mode(), "the leader to step down", 30)
        idle = {word: leader.ask(word) for word in IDLE}
        return found, idle


def dumps(w, kind):
    """What all roles dump of sessions that only one server knows, and of others."""
    keys = {"localSessionsEnabled": "true", "localSessionsUpgradingEnabled": "true"}
    with w.ensemble([kind] * 4, observers=(4,), keys=keys) as ensemble:
        ensemble.start(leader=3)
        sessions = []
        for number in ROLES:
            for path in (None, f"/e{number}"):
                session = Raw(ensemble[number].client_port)
                # What creates an ephemeral is made known to all.
                if path is None:
                    session.exists("/")
                else:
                    session.create(path, flags=EPHEMERAL)
                sessions.append(session)
        ensemble.wait_level()
        found = {role: shape(ensemble[number].ask("dump")) for number, role in ROLES.items()}
        for session in sessions:
            session.cut()
        return found


@scenario("words: dump with local sessions")
def dump(w):
    """Gathers both and compares."""
    theirs, ours = dumps(w, APACHE), dumps(w, ZABRA)
    found = [line for role in theirs for line in compare(role, theirs[role], ours[role])]
    if found:
        raise checks.Failed("\n".join(["dumps differ", *found]))


@scenario("words: as Apache ZooKeeper's, in every role", quick=True)
def words(w):
    """Gathers both and compares."""
    theirs, their_idle = gather(w, APACHE)
    ours, our_idle = gather(w, ZABRA)
    found = []
    for role, (shapes, known, steady) in theirs.items():
        our_shapes, our_names, our_steady = ours[role]
        for word in SHAPES:
            found += compare(f"{role} {word}", shapes[word], our_shapes[word])
        found += compare(f"{role} mntr: missing names", set(), known - our_names)
        for name in STEADY:
            found += compare(f"{role} {name}", steady[name], our_steady[name])
    for word in IDLE:
        found += compare(f"idle {word}", their_idle[word], our_idle[word])
    if found:
        raise checks.Failed("\n".join(["answers differ", *found]))
