"""What client suites are run against: one server or three, as one thing with addresses.

A target can be asked who leads, have one of its servers killed, and be made whole again.
"""

from pathlib import Path

from harness.members import APACHE, ZABRA, Ensemble, Member
from harness.profiles import Profile
from harness.servers import Server

# The kinds of three servers; the last one leads at first, as all begin empty.
KINDS = {
    "zabra-3": [ZABRA] * 3,
    "apache-3": [APACHE] * 3,
    "mixed": [ZABRA, APACHE, ZABRA],
}


class Alone:
    """One server."""

    def __init__(self, server: Server):
        self._server = server

    def addresses(self) -> list[str]:
        """Where clients connect."""
        return [f"{self._server.host}:{self._server.port}"]

    def leader(self) -> str:
        """The address of the server that leads: the only one."""
        return self.addresses()[0]

    def end(self, address: str, kill: bool) -> None:
        """Ends the server with this address, by force or not, and keeps its data."""
        assert address in self.addresses(), f"no server is at {address}"
        if self._server.running():
            self._server.end(kill)

    def restore(self) -> None:
        """Starts what does not run, and waits until it serves."""
        if not self._server.running():
            self._server.start_again()

    def logs(self) -> list[Path]:
        """What the server has written."""
        return [self._server.log]

    def complaints(self) -> list[str]:
        """What went wrong meanwhile: a server that ended by itself."""
        return [] if self._server.running() else [f"the server ended:\n{self._server.log_tail()}"]


class Together:
    """Three servers. Use it as a context manager."""

    def __init__(self, target: str, profile: Profile):
        self._ensemble = Ensemble(KINDS[target], keys=profile.keys, flags=profile.flags)
        self._told: set[str] = set()

    def __enter__(self) -> "Together":
        self._ensemble.__enter__()
        try:
            self._ensemble.start(leader=len(self._ensemble.members))
        except BaseException:
            self._ensemble.__exit__()
            raise
        return self

    def __exit__(self, *error) -> None:
        self._ensemble.__exit__(*error)

    def _member(self, address: str) -> Member:
        found = [member for member in self._ensemble if member.address == address]
        assert found, f"no server is at {address}"
        return found[0]

    def addresses(self) -> list[str]:
        """Where clients connect."""
        return [member.address for member in self._ensemble]

    def leader(self) -> str:
        """The address of the server that leads now."""
        return self._ensemble.leader().address

    def end(self, address: str, kill: bool) -> None:
        """Ends the server with this address, by force or not, and keeps its data."""
        member = self._member(address)
        if kill:
            member.kill()
        else:
            member.stop()

    def restore(self) -> None:
        """Starts what does not run, and waits until all serve and have the same."""
        self._ensemble.launch(*(member.number for member in self._ensemble
                                if not member.running()))
        self._ensemble.wait_serving()

    def logs(self) -> list[Path]:
        """What the servers have written, in all their lives."""
        return [log for member in self._ensemble
                for log in sorted(member.directory.glob("log-*"))]

    def complaints(self) -> list[str]:
        """What went wrong since the last time: ends that nobody asked for, and lines of logs."""
        found = [line for line in self._ensemble.complaints() if line not in self._told]
        self._told.update(found)
        return found
