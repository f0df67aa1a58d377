"""Configurations that are seldom used: other limits, another digest, some of the words."""

import base64
import hashlib

from differential import protocol as p
from differential.cases import case
from differential.cases.framing import filled
from differential.cases.words import word


@case(profile="variant")
def variant_frame_limit(t):
    t.call("ctl", filled(t.root, 5000))
    t.connect("a")
    t.call_and_end("a", filled(t.root, 5001))
    t.call("ctl", p.exists(t.root))


@case(profile="variant")
def variant_reply_longer_than_the_limit(t):
    for at in range(20):
        t.call("ctl", p.create(f"{t.root}/{'n' * 400}-{at}"))
    t.call("ctl", p.get_children2(t.root))


@case(profile="variant")
def variant_digest_algorithm(t):
    sha256 = base64.b64encode(hashlib.sha256(b"u:p").digest()).decode()
    sha1 = base64.b64encode(hashlib.sha1(b"u:p").digest()).decode()
    t.call("ctl", p.create(f"{t.root}/new", b"1", acl=[(31, "digest", f"u:{sha256}")]),
           p.create(f"{t.root}/old", b"2", acl=[(31, "digest", f"u:{sha1}")]))
    t.connect("a")
    t.call("a", p.auth("digest", b"u:p"), p.get_data(f"{t.root}/new"),
           p.get_data(f"{t.root}/old"), p.create(f"{t.root}/mine", acl=p.CREATOR),
           p.get_acl(f"{t.root}/mine"))


@case(profile="variant")
def variant_whitelist(t):
    for name in ["ruok", "isro", "conf", "mntr", "srvr"]:
        word(t, name)


@case(profile="variant")
def variant_connection_without_a_session_is_closed(t):
    t.dial("c")
    t.await_end("c")


@case(profile="variant")
def variant_close_without_the_list_of_ephemerals(t):
    t.connect("a")
    t.call("a", p.create(f"{t.root}/e1", flags=p.EPHEMERAL), p.create(f"{t.root}/e2", flags=1))
    t.call("ctl", p.add_watch(t.root, p.RECURSIVE))
    t.close("a")
    t.call("ctl", p.get_children2(t.root))
