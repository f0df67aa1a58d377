"""An Apache ZooKeeper leader changes the members of the ensemble. Zabra cannot do that: it goes on
following, says so, and does not vote with members that are none any more."""

import os
import subprocess
import time

import checks
from harness.members import APACHE, ZABRA, command_of
from load import Load, client

from . import scenario

KEYS = {"reconfigEnabled": "true"}
# Whoever may write /zookeeper/config may reconfigure.
FLAGS = {"zookeeper.skipACL": "yes"}
JOINING = "server.9=127.0.0.1:2999:3999:observer;127.0.0.1:2199"
WARNED = "members were changed by a reconfig, as of"
ENDED = "members were changed by a reconfig, which this server cannot follow"


@scenario("reconfig: a java leader gets an observer more")
def reconfig(w):
    """Server 1 is Zabra. The observer exists in the configuration only."""
    with w.ensemble([ZABRA, APACHE, APACHE], keys=KEYS, flags=FLAGS) as ensemble:
        ensemble.start(leader=3)
        first = ensemble[1]
        with Load(ensemble.addresses(), sessions=3) as load:
            load.go_on(200)
            admin = client(ensemble[3].address)
            admin.start(timeout=60)
            shown, _ = admin.reconfig(joining=JOINING, leaving=None, new_members=None)
            admin.stop()
            admin.close()
            if b"server.9=" not in shown:
                raise checks.Failed(f"the configuration is {shown}")
            if first.kind == ZABRA:
                ensemble.wait(lambda: WARNED in first.log_text(), "a warning")
            load.go_on(200)
            w.say(f"{first.name} still is a {first.mode()}")
            checks.same_trees_under_load(ensemble, load)
            w.say(checks.everything(ensemble, load))
        if first.kind == ZABRA:
            # It would have to vote now.
            ensemble[3].kill()
            deadline = time.monotonic() + 20
            while first.running():
                if time.monotonic() > deadline:
                    raise checks.Failed("it goes on without its leader")
                time.sleep(0.05)
            if ENDED not in first.log_text():
                raise checks.Failed(first.log_tail())
            # The configuration that it is started with is older than what its tree shows.
            command, environment = command_of(ZABRA, first.directory / "zoo.cfg", first.flags, "")
            again = subprocess.run(command, capture_output=True, text=True, timeout=60,
                                   env={**os.environ, **environment})
            w.say(f"started again, it ends with {again.returncode}")
            if again.returncode != 2 or ENDED not in again.stderr:
                raise checks.Failed(f"it ends with {again.returncode}: {again.stderr[-500:]}")
