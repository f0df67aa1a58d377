"""Sessions that end by silence. The servers here have short ticks, so these cases take seconds."""

import time

from differential import protocol as p
from differential.cases import case


@case(profile="defaults")
def session_expires_and_its_ephemerals_go(t):
    t.connect("w")
    t.connect("a", timeout=500)
    t.call("a", p.create(f"{t.root}/e", b"", p.EPHEMERAL))
    t.call("w", p.exists(f"{t.root}/e", True))
    t.drop("a")
    t.await_event("w")
    t.call("w", p.exists(f"{t.root}/e"))
    t.connect("a", session="a")


@case(profile="defaults")
def session_kept_by_pings(t):
    t.connect("a", timeout=1000)
    t.call("a", p.create(f"{t.root}/e", flags=p.EPHEMERAL))
    for _ in range(8):
        time.sleep(0.3)
        t.fence()
    t.call("ctl", p.exists(f"{t.root}/e"))


@case(profile="defaults")
def session_kept_by_reconnecting(t):
    t.connect("a", timeout=1500)
    t.call("a", p.create(f"{t.root}/e", flags=p.EPHEMERAL))
    for _ in range(4):
        time.sleep(0.5)
        t.reconnect("a", timeout=1500)
    t.call("ctl", p.exists(f"{t.root}/e"))


@case(profile="defaults", servers=(1,))
def session_silent_with_open_connection_is_closed(t):
    t.connect("a", timeout=500, pingable=False)
    t.connect("w")
    t.call("w", p.exists(f"{t.root}/e", True))
    t.call("a", p.create(f"{t.root}/e", flags=p.EPHEMERAL))
    t.await_event("w")
    t.call("w", p.exists(f"{t.root}/e", True))
    t.await_event("w")
    t.await_end("a")
    t.connect("a", session="a")


@case(profile="defaults")
def session_bounds_by_default(t):
    for name, timeout in [("low", 1), ("mid", 1234), ("high", 10**7)]:
        t.connect(name, timeout=timeout)


@case(profile="defaults")
def session_timeout_lengthened_by_reconnecting(t):
    t.connect("a", timeout=500)
    t.call("a", p.create(f"{t.root}/e", flags=p.EPHEMERAL))
    t.reconnect("a", timeout=5000)
    t.drop("a")
    time.sleep(2)
    t.call("ctl", p.exists(f"{t.root}/e"))
