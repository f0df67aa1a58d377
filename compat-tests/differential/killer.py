"""Kills the servers of an ensemble now and then, and starts them again, in a thread of its own."""

import random
import threading
import time

from harness.members import Ensemble, Member

PAUSE_SECONDS = (5.0, 14.0)
DOWN_SECONDS = (0.1, 3.0)
# A kill waits this long for requests to be on their way, and then a moment more.
AIM_SECONDS = 1.0
MOMENT_SECONDS = (0.0, 0.002)


class Killer:
    """Ends servers by `kill -9`: mostly the leader, else a follower, seldom both at once."""

    def __init__(self, ensemble: Ensemble, seed: int):
        self._ensemble = ensemble
        self._rng = random.Random(seed)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        # Who is to be killed as soon as requests are on their way.
        self._victims: list[Member] = []
        self._lock = threading.Lock()
        self._shot = threading.Event()
        self.leaders = 0
        self.followers = 0
        # What went wrong with the servers.
        self.failure = ""

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    @property
    def aims(self) -> bool:
        """Whether the next requests that are sent are to be the last ones of some server."""
        return bool(self._victims)

    def shoot(self) -> None:
        """Kills, a moment after requests were sent, if it is time for that."""
        if not self._victims:
            return
        with self._lock:
            time.sleep(self._rng.uniform(*MOMENT_SECONDS))
            for victim in self._victims:
                victim.kill()
            self._victims = []
            self._shot.set()

    def finish(self) -> None:
        """Kills nothing more; returns when all servers run."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._rng.uniform(*PAUSE_SECONDS)):
            try:
                self._kill_some()
            except Exception as error:  # The main thread ends the run with it.
                self.failure = f"{type(error).__name__}: {error}"
                return

    def _kill_some(self) -> None:
        leader = self._ensemble.leader()
        followers = [member for member in self._ensemble if member is not leader]
        roll = self._rng.random()
        victims = [leader] if roll < 0.65 else [self._rng.choice(followers)]
        if roll > 0.92:
            victims = [*victims, leader]
        self._shot.clear()
        self._victims = victims
        if not self._shot.wait(AIM_SECONDS):
            self.shoot()
        self.leaders += leader in victims
        self.followers += victims[0] is not leader
        time.sleep(self._rng.uniform(*DOWN_SECONDS))
        self._ensemble.launch(*(victim.number for victim in victims))
        self._ensemble.wait_serving()
