"""Ensembles of three servers that take the place of one in a comparison."""

from harness.members import Ensemble
from harness.profiles import Profile
from harness.servers import Servers
from harness.targets import KINDS

LEADER = 3


class Trio:
    """Three servers, of which the third leads; used like a `Server`."""

    def __init__(self, target: str, profile: Profile):
        self.kind = target
        self.host = "127.0.0.1"
        self._ensemble = Ensemble(KINDS[target], keys=profile.keys, flags=profile.flags)

    @property
    def port(self) -> int:
        """Where the first server listens."""
        return self._ensemble[1].client_port

    def places(self) -> list[tuple[str, int]]:
        """Where each server listens, in the order of their numbers."""
        return [(self.host, member.client_port) for member in self._ensemble]

    def plain(self, frame: bytes) -> bytes:
        """A frame in which the ports of the servers, which it may tell, are the same for all."""
        for member in self._ensemble:
            ports = f":{member.quorum_port}:{member.election_port}".encode()
            frame = frame.replace(ports, b":2888%d:3888%d" % (member.number, member.number))
        return frame

    def start(self) -> "Trio":
        """Starts all; the third leads."""
        self._ensemble.start(leader=LEADER)
        return self

    def end(self, kill: bool) -> None:
        """Ends all, the leader last, and keeps their data."""
        for member in self._ensemble:
            if kill:
                member.kill()
            else:
                member.stop()

    def start_again(self) -> None:
        """Starts all with the data and the ports they had."""
        self._ensemble.start(leader=LEADER)

    def running(self) -> bool:
        """Whether every server lives."""
        return all([member.running() for member in self._ensemble])

    def stop(self) -> None:
        """Ends what was started and removes its data."""
        self._ensemble.__exit__(None, None, None)


class Trios(Servers):
    """Servers whose targets may also be `zabra-3`, `apache-3` and `mixed`."""

    @staticmethod
    def _make(target: str, profile: Profile):
        return Trio(target, profile) if target in KINDS else Servers._make(target, profile)
