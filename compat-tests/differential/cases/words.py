"""The four-letter words: their texts with what must differ (versions, times, traffic) taken out."""

import re

from differential import protocol as p
from differential.cases import case
from harness.servers import four_letter

# What differs from run to run, as pattern and replacement; applied to each line.
VARYING = [
    (re.compile(r"^(Zookeeper version: ).*"), r"\1VERSION"),
    (re.compile(r"^(Latency min/avg/max: )\d+/\d+\.\d+/\d+$"), r"\1N/N.N/N"),
    (re.compile(r"^(Received|Sent|Connections|Outstanding): \d+$"), r"\1: N"),
    (re.compile(r"^Zxid: 0x[0-9a-f]+$"), "Zxid: 0xN"),
    (re.compile(r"(/\[?[0-9a-f.:]+\]?):\d+"), r"\1:PORT"),
    (re.compile(r"(queued|recved|sent|est|lresp|llat|minlat|avglat|maxlat)=\d+(\.\d+)?"), r"\1=N"),
    (re.compile(r"(lcxid|lzxid)=0x[0-9a-f]+"), r"\1=0xN"),
    (re.compile(r"\[\d\]\("), "[N]("),
    (re.compile(r"^(\d+ )?(.*)expire at .*"), r"N \2expire at TIME"),
    # What lies below the configured directory is each server's own.
    (re.compile(r"^(dataDir|dataLogDir)=/.*$"), r"\1=DIRECTORY"),
    (re.compile(r"^(dataDirSize|dataLogSize|datadir_size|logdir_size)(=|: )\d+$"), r"\1\2N"),
    (re.compile(r"^clientPort=\d+$"), "clientPort=PORT"),
    (re.compile(r"^0x[0-9a-f]+: -?\d+$"), "0xN: N"),
]


def plain(side, text: str) -> str:
    """A text in which only what must be equal is left."""
    lines = []
    for line in text.split("\n"):
        for session, name in side.names.sessions.items():
            line = line.replace(f"0x{session:x}", f"<{name}>")
        for pattern, replacement in VARYING:
            line = pattern.sub(replacement, line)
        lines.append(line)
    return "\n".join(lines)


def word(t, name: str, shown=plain):
    """Sends a word to both servers and compares."""
    t.compare(name, lambda side: shown(side, ask(side, name)))


def ask(side, name: str) -> str:
    """The answer to a word."""
    return four_letter(side.server.port, name.encode(), side.server.host).decode()


def sorted_lines(side, text: str) -> str:
    """For lists of connections, which come in no certain order."""
    return "\n".join(sorted(set(plain(side, text).split("\n"))))


@case
def word_ruok_isro(t):
    word(t, "ruok")
    word(t, "isro")


@case
def word_srvr(t):
    t.call("ctl", p.create(f"{t.root}/x"))
    word(t, "srvr")
    word(t, "srvr", lambda side, text: side.names.zxid(int(
        re.search(r"Zxid: 0x([0-9a-f]+)", text)[1], 16)))


@case
def word_stat(t):
    word(t, "stat", sorted_lines)


@case
def word_cons(t):
    t.connect("a")
    t.call("a", p.set_data(t.root, b"1"))
    word(t, "cons", sorted_lines)


@case
def word_conf(t):
    word(t, "conf")


@case(profile="guarded")
def word_conf_not_whitelisted(t):
    for name in ["conf", "ruok", "mntr", "isro", "stat", "wchs", "dump"]:
        word(t, name)
    word(t, "srvr")


@case
def word_envi(t):
    """The names of the lines; a server that is no Java program may leave out what is Java's."""
    shown = ["zookeeper.version", "host.name", "os.name", "os.arch", "os.version", "user.name",
             "user.home", "user.dir"]
    t.compare("envi", lambda side: [line.split("=")[0] for line in ask(side, "envi").split("\n")
                                    if line.split("=")[0] in ["Environment:", *shown]])


@case
def word_dirs(t):
    word(t, "dirs")


@case
def word_resets(t):
    word(t, "srst")
    word(t, "crst")
    word(t, "gtmk")
    t.compare("stmk", lambda side: four_letter(side.server.port, b"stmk" + bytes(6) + b"\1\x32"))


@case
def word_wchs_wchc_wchp(t):
    t.connect("a")
    t.connect("b")
    word(t, "wchs")
    t.call("a", p.get_data(t.root, True), p.exists(f"{t.root}/x", True),
           p.get_children(t.root, True), p.add_watch(f"{t.root}/y", p.RECURSIVE))
    t.call("b", p.get_data(t.root, True), p.add_watch(f"{t.root}/y", p.PERSISTENT))
    for name in ["wchs", "wchc", "wchp"]:
        word(t, name, sorted_lines)
    t.call("ctl", p.set_data(t.root, b"1"))
    for name in ["wchs", "wchc", "wchp"]:
        word(t, name, sorted_lines)


@case
def word_dump(t):
    t.connect("a")
    t.call("a", p.create(f"{t.root}/e1", flags=p.EPHEMERAL),
           p.create(f"{t.root}/e2", flags=p.EPHEMERAL))
    word(t, "dump", dump_lines)


def dump_lines(side, text: str) -> str:
    """The dump without buckets of time, into which sessions fall by chance, and without
    connections of other cases that the server has not missed yet."""
    text = re.sub(r"Sets \(\d+\)", "Sets (N)", text)
    text = re.sub(r"(Connections Sets .*)/\(\d+\)", r"\1/(N)", text)
    return "\n".join(line for line in sorted_lines(side, text).split("\n")
                     if "sessionId: 0x" not in line)


@case
def word_hash(t):
    word(t, "hash", lambda side, text: sorted(set(plain(side, text).split("\n")))[:1])


STEADY = ["zk_server_state", "zk_znode_count", "zk_ephemerals_count", "zk_watch_count",
          "zk_global_sessions", "zk_local_sessions", "zk_outstanding_requests",
          "zk_approximate_data_size"]


@case
def word_mntr(t):
    t.connect("a")
    t.call("a", p.create(f"{t.root}/e", b"12345", p.EPHEMERAL), p.get_data(t.root, True),
           p.add_watch(t.root))
    t.compare("mntr", lambda side: sorted(line for line in ask(side, "mntr").split("\n")
                                          if line.split("\t")[0] in STEADY))


@case
def word_mntr_names(t):
    """Every key of the reference is there; a server may have more."""
    t.call("ctl", p.create(f"{t.root}/x"), p.get_data(t.root))
    known = mntr_names(t.sides[0])
    t.compare("keys of mntr that are missing", lambda side: sorted(known - mntr_names(side)))


def mntr_names(side) -> set[str]:
    """The keys of mntr, without those that are made of paths."""
    return {line.split("\t")[0] for line in ask(side, "mntr").split("\n")
            if "_per_namespace" not in line}


@case
def word_mntr_number_forms(t):
    def forms(side):
        return sorted(re.sub(r"\d+", "N", line) for line in ask(side, "mntr").split("\n")
                      if line.split("\t")[0] in STEADY + ["zk_avg_latency", "zk_max_latency",
                                                          "zk_packets_sent", "zk_uptime"])
    t.compare("mntr", forms)


@case
def word_unknown(t):
    for data in [b"abcd", b"RUOK", b"ruo", b"quit"]:
        t.dial("w")
        t.send_bytes("w", data + b"\n" * 4, ends=True)


@case
def word_in_a_session_is_a_length(t):
    t.connect("a")
    t.send_bytes("a", b"ruok", ends=True)
    t.reconnect("a")


@case
def word_with_line_end(t):
    t.compare("ruok", lambda side: four_letter(side.server.port, b"ruok\r\n"))


@case
def word_in_two_parts(t):
    t.dial("w")
    for side in t.sides:
        side.connections["w"].send_bytes(b"ru")
    t.call("ctl", p.exists(t.root))
    for side in t.sides:
        connection = side.connections["w"]
        connection.send_bytes(b"ok")
        side.say(f"w {connection.socket.recv(10)!r}")
    t.fence()


@case(profile="defaults")
def word_telnet_close(t):
    t.compare("telnet", lambda side: four_letter(side.server.port, b"\xff\xf4\xff\xfd"))
