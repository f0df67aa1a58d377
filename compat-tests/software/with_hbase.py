"""HBase, which finds its masters and region servers by ZooKeeper.

Two masters, three region servers and their files in a directory of this machine, as HBase's
documentation has it for tests; and a load that knows which rows were acknowledged.
"""

import contextlib
import subprocess
import time
from pathlib import Path

from harness import cache, programs
from eyes import Eyes
from load import Load
from process import Process, Trouble, wait
from world import World, all_live, java, no_deaths

HERE = Path(__file__).resolve().parent
MASTERS = ["master-1", "master-2"]
REGION_SERVERS = ["region-1", "region-2", "region-3"]
MAINS = {"master": "org.apache.hadoop.hbase.master.HMaster",
         "region": "org.apache.hadoop.hbase.regionserver.HRegionServer"}
REGIONS = 6
RATE = 200
START_SECONDS = 120
# HBase asks for 90 seconds, and gets what the servers allow.
SESSION_SECONDS = 40
TICK_SECONDS = 2
LEVEL_SECONDS = 120
# As in HBase's own scripts.
OPEN = ["java.lang", "java.lang.reflect", "java.nio", "java.util", "java.util.concurrent",
        "jdk.internal.ref", "sun.nio.ch"]


class HBase:
    """All its servers, and who looks at them."""

    def __init__(self, world: World, stack: contextlib.ExitStack):
        self.world = world
        classes = world.directory / "classes"
        classes.mkdir()
        jars = f"{cache.hbase_jars()}/*"
        subprocess.run([programs.need("javac"), "-nowarn", "-cp", jars, "-d", str(classes),
                        str(HERE / "java" / "RowLoad.java")], check=True)
        self._jars = f"{classes}:{jars}"
        self.ports = {name: world.port() for name in [*MASTERS, *REGION_SERVERS]}
        self.servers = {name: Process(name, self._java(
            name, "512m", MAINS[name.partition("-")[0]], "start"), world.directory)
            for name in self.ports}
        for server in self.servers.values():
            stack.callback(server.kill)
        self._eyes = Eyes(world.zookeeper(), stack)
        self._stack = stack

    def _java(self, name: str, heap: str, main: str, *arguments: str) -> list[str]:
        """The words that start a Java program with the settings of a server or of a client."""
        settings = self.world.directory / f"conf-{name}"
        settings.mkdir(exist_ok=True)
        port = self.ports.get(name, 0)
        keys = {
            "hbase.cluster.distributed": "true",
            "hbase.rootdir": f"file://{self.world.directory}/hbase",
            "hbase.tmp.dir": f"{self.world.directory}/tmp-{name}",
            "hbase.zookeeper.quorum": self.world.zookeeper(),
            "hbase.master.port": str(port),
            "hbase.regionserver.port": str(port),
            "hbase.master.hostname": "127.0.0.1",
            "hbase.regionserver.hostname": "127.0.0.1",
            "hbase.master.info.port": "-1",
            "hbase.regionserver.info.port": "-1",
            # Files of this machine; without checksums beside them, what is flushed is there.
            "hbase.unsafe.stream.capability.enforce": "false",
            "fs.file.impl": "org.apache.hadoop.fs.RawLocalFileSystem",
        }
        properties = "".join(f"<property><name>{key}</name><value>{value}</value></property>\n"
                             for key, value in keys.items())
        (settings / "hbase-site.xml").write_text(
            f"<configuration>\n{properties}</configuration>\n")
        words = java(f"{settings}:{self._jars}", heap, main, *arguments,
                     properties=[f"log4j.configuration=file:{HERE / 'log4j.properties'}"])
        opened = [word for name in OPEN
                  for word in ("--add-opens", f"java.base/{name}=ALL-UNNAMED")]
        return [words[0], *opened, *words[1:]]

    def quick_start(self) -> None:
        """The steps of HBase's quick start."""
        said = self.world.command(self._java("client", "256m", "RowLoad", "quickstart"))
        if "well" not in said.split():
            raise Trouble(said)

    def load(self) -> Load:
        """Starts the load."""
        load = Load(self._java("load", "256m", "RowLoad", "run", str(REGIONS), str(RATE)),
                    self.world.directory / "load.log")
        self._stack.callback(load.end)
        return load

    def _registered(self, path: str) -> dict[str, str]:
        """Which servers are registered below a znode of HBase's, and by what names."""
        names = {str(port): name for name, port in self.ports.items()}
        return {names[child.split(",")[1]]: child for child in self._eyes.children(path)}

    def region_servers(self) -> dict[str, int]:
        """The region servers that are registered, and their sessions."""
        return {name: self._eyes.owner(f"/hbase/rs/{child}")
                for name, child in self._registered("/hbase/rs").items()}

    def waiting(self) -> list[str]:
        """The masters that wait for the active one to end."""
        return list(self._registered("/hbase/backup-masters"))

    def active_session(self) -> int:
        """The session of the active master; 0 if there is none."""
        return self._eyes.owner("/hbase/master")

    def active(self) -> str:
        """The active master: the one that does not wait."""
        name, = (name for name in MASTERS if name not in self.waiting())
        return name

    def wait_complete(self) -> None:
        """Waits until all are registered: an active master, one that waits, and region servers."""

        def look() -> bool:
            no_deaths(self.servers.values())
            return (self.active_session() != 0 and len(self.waiting()) == 1
                    and sorted(self.region_servers()) == REGION_SERVERS)
        wait(look, "two masters and three region servers", START_SECONDS)


def start(hbase: HBase) -> None:
    """Starts everything: one master first, so that it is the active one."""
    hbase.servers[MASTERS[0]].start()
    wait(hbase.active_session, "an active master", START_SECONDS)
    for name in [MASTERS[1], *REGION_SERVERS]:
        hbase.servers[name].start()
    hbase.wait_complete()
    if hbase.active() != MASTERS[0]:
        raise Trouble(f"{hbase.active()} is the active master")


def lose_region_server(hbase: HBase, load: Load) -> str:
    """Kills a region server: the others serve its regions when its session has ended. It is the one
    that was started least."""
    name = min(REGION_SERVERS, key=lambda name: hbase.servers[name].lives)
    hbase.servers[name].kill()
    began = time.monotonic()
    wait(lambda: name not in hbase.region_servers(), f"{name} to be forgotten",
         SESSION_SECONDS * 2)
    took = time.monotonic() - began
    load.moves(LEVEL_SECONDS)
    all_regions = time.monotonic() - began
    hbase.servers[name].start()
    hbase.wait_complete()
    return f"{name}: forgotten after {took:.1f} s, all regions serve after {all_regions:.1f} s"


def lose_leader(hbase: HBase, load: Load) -> str:
    """Kills the leader of ZooKeeper: no server loses its session, the active master stays."""
    before = hbase.region_servers(), hbase.active(), hbase.active_session()
    fact = hbase.world.lose_leader()
    load.moves(LEVEL_SECONDS)
    # A session that was not taken over has ended by then.
    time.sleep(SESSION_SECONDS + TICK_SECONDS)
    all_live(hbase.servers.values())
    after = hbase.region_servers(), hbase.active(), hbase.active_session()
    if after != before:
        raise Trouble(f"region servers, active master and its session were {before}, now {after}")
    return fact


def lose_master(hbase: HBase, load: Load) -> str:
    """Kills the active master: the other one takes over when its session has ended."""
    old, session = hbase.active(), hbase.active_session()
    hbase.servers[old].kill()
    began = time.monotonic()
    wait(lambda: hbase.active_session() not in (0, session) and not hbase.waiting(),
         "another active master", SESSION_SECONDS * 2)
    took = time.monotonic() - began
    # This goes through the new one.
    hbase.quick_start()
    load.moves(LEVEL_SECONDS)
    hbase.servers[old].start()
    hbase.wait_complete()
    if hbase.active() == old:
        raise Trouble(f"{old} is the active master again")
    return f"{hbase.active()} after {old}, after {took:.1f} s"


def run(world: World, stack: contextlib.ExitStack) -> None:
    """All of it; what it starts is ended by the stack."""
    with world.step("two masters and three region servers start"):
        hbase = HBase(world, stack)
        start(hbase)
    with world.step("quick start"):
        hbase.quick_start()
    world.begin_load()
    load = hbase.load()
    with world.step("rows are written into every region"):
        load.moves(LEVEL_SECONDS)
    with world.step("a region server is killed") as facts:
        facts.append(lose_region_server(hbase, load))
    world.repeat("region servers are killed in turn", 0.5, 120,
                 lambda: lose_region_server(hbase, load))
    with world.step("the leader of ZooKeeper is killed") as facts:
        world.until(0.5)
        facts.append(lose_leader(hbase, load))
    with world.step("the active master is killed") as facts:
        facts.append(lose_master(hbase, load))
    with world.step("the killed server of ZooKeeper comes back"):
        world.target.restore()
        load.moves(LEVEL_SECONDS)
        hbase.wait_complete()
    world.repeat("masters are killed in turn", 1, 120, lambda: lose_master(hbase, load))
    with world.step("every acknowledged row is there") as facts:
        world.until(1)
        sent, acknowledged, found, longest = load.finish()
        if not 0 < acknowledged == sent == found:
            raise Trouble(f"{sent} sent, {acknowledged} acknowledged, {found} found")
        facts.append(f"{acknowledged} rows in {world.loaded():.0f} s, the longest wait for "
                     f"one {longest / 1000:.1f} s")
    with world.step("all servers live and are registered"):
        all_live(hbase.servers.values())
        hbase.wait_complete()
    world.servers_are_well()
