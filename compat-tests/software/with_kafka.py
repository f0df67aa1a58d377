"""Kafka that keeps its brokers, its controller and its topics in ZooKeeper.

Three brokers as in Kafka's quick start, and a load that knows which records were acknowledged.
"""

import contextlib
import json
import subprocess
import time
from pathlib import Path

from harness import cache, programs
from eyes import Eyes
from load import Load
from process import Process, Trouble, wait
from world import World, all_live, java, no_deaths

HERE = Path(__file__).resolve().parent
BROKERS = [1, 2, 3]
TOPICS = ["events", "orders", "clicks"]
PARTITIONS = 3
RATE = 600
# The chroot is part of the address that Kafka is given.
CHROOT = "/kafka"
START_SECONDS = 120
# Kafka's own bound is 18 seconds, by default.
SESSION_SECONDS = 18
TICK_SECONDS = 2
LEVEL_SECONDS = 120

SETTINGS = """\
broker.id={number}
listeners=PLAINTEXT://127.0.0.1:{port}
log.dirs={data}
zookeeper.connect={zookeeper}
num.partitions=1
offsets.topic.replication.factor=3
transaction.state.log.replication.factor=3
default.replication.factor=3
min.insync.replicas=2
group.initial.rebalance.delay.ms=0
"""


class Kafka:
    """Three brokers and who looks at them."""

    def __init__(self, world: World, stack: contextlib.ExitStack):
        self.world = world
        classes = world.directory / "classes"
        classes.mkdir()
        jars = f"{cache.kafka_jars()}/*"
        subprocess.run([programs.need("javac"), "-nowarn", "-cp", jars, "-d", str(classes),
                        str(HERE / "java" / "RecordLoad.java")], check=True)
        self._jars = f"{classes}:{jars}"
        self._logging = f"log4j.configuration=file:{HERE / 'log4j.properties'}"
        self.ports = {number: world.port() for number in BROKERS}
        self.brokers = {number: self._broker(number) for number in BROKERS}
        for broker in self.brokers.values():
            stack.callback(broker.kill)
        self._eyes = Eyes(world.zookeeper(), stack)
        self._stack = stack

    def _broker(self, number: int) -> Process:
        directory = self.world.directory
        settings = directory / f"server-{number}.properties"
        settings.write_text(SETTINGS.format(
            number=number, port=self.ports[number], data=directory / f"kafka-{number}",
            zookeeper=self.world.zookeeper() + CHROOT))
        return Process(f"broker-{number}", java(
            self._jars, "256m", "kafka.Kafka", str(settings), properties=[self._logging]),
            directory)

    @property
    def bootstrap(self) -> str:
        """The addresses of the brokers."""
        return ",".join(f"127.0.0.1:{port}" for port in self.ports.values())

    def tool(self, main: str, *arguments: str, text: str = "") -> str:
        """Runs one of Kafka's command line tools."""
        return self.world.command(java(
            self._jars, "128m", main, *arguments, "--bootstrap-server", self.bootstrap,
            properties=[self._logging]), text)

    def topics(self, *arguments: str) -> str:
        """Runs kafka-topics."""
        return self.tool("org.apache.kafka.tools.TopicCommand", *arguments)

    def load(self) -> Load:
        """Starts the load."""
        words = java(self._jars, "256m", "RecordLoad", self.bootstrap, ",".join(TOPICS),
                     str(PARTITIONS), str(RATE), properties=[self._logging])
        load = Load(words, self.world.directory / "load.log")
        self._stack.callback(load.end)
        return load

    def look(self, path: str):
        """The JSON in a znode of Kafka's, and its stat."""
        data, stat = self._eyes.get(CHROOT + path)
        return json.loads(data), stat

    def children(self, path: str) -> list[str]:
        """The children of a znode of Kafka's, sorted."""
        return self._eyes.children(CHROOT + path)

    def registered(self) -> list[int]:
        """The ids that are registered."""
        return [int(name) for name in self.children("/brokers/ids")]

    def wait_registered(self, *numbers: int) -> None:
        """Waits until exactly these brokers are registered."""
        expected = sorted(numbers or BROKERS)

        def look() -> bool:
            no_deaths(self.brokers.values())
            return self.registered() == expected
        wait(look, f"the brokers {expected} in /brokers/ids", START_SECONDS)

    def sessions(self) -> dict[int, int]:
        """The sessions by which the brokers are registered."""
        return {number: self.look(f"/brokers/ids/{number}")[1].ephemeralOwner
                for number in self.registered()}

    def controller(self) -> int:
        """Who is the controller."""
        return self.look("/controller")[0]["brokerid"]

    def epoch(self) -> int:
        """How many controllers there have been."""
        return self.look("/controller_epoch")[0]

    def wait_in_sync(self, *topics: str) -> None:
        """Waits until every partition has all its replicas, as ZooKeeper has it."""

        def look() -> bool:
            for topic in topics:
                states = [self.look(f"/brokers/topics/{topic}/partitions/{partition}/state")[0]
                          for partition in self.children(f"/brokers/topics/{topic}/partitions")]
                if any(sorted(state["isr"]) != BROKERS for state in states):
                    return False
            return True
        wait(look, "all replicas in sync", LEVEL_SECONDS)


def quick_start(kafka: Kafka) -> None:
    """The steps of Kafka's quick start: a topic, some events written, the same events read."""
    kafka.topics("--create", "--topic", "quickstart-events")
    described = kafka.topics("--describe", "--topic", "quickstart-events")
    if "ReplicationFactor: 3" not in described:
        raise Trouble(f"the topic is not as it should be:\n{described}")
    events = "This is my first event\nThis is my second event\n"
    kafka.tool("kafka.tools.ConsoleProducer", "--topic", "quickstart-events",
               text=events)
    read = kafka.tool("org.apache.kafka.tools.consumer.ConsoleConsumer", "--topic",
                      "quickstart-events", "--from-beginning", "--max-messages", "2",
                      "--timeout-ms", "60000")
    if read != events:
        raise Trouble(f"read {read!r}")


def make_topics(kafka: Kafka) -> None:
    """Three topics of three partitions with three replicas each."""
    for topic in TOPICS:
        kafka.topics("--create", "--topic", topic, "--partitions", str(PARTITIONS),
                     "--replication-factor", "3")
    listed = set(kafka.topics("--list").split())
    if not listed >= set(TOPICS):
        raise Trouble(f"kafka-topics lists {sorted(listed)}")
    kafka.wait_in_sync(*TOPICS)


def administer(kafka: Kafka) -> None:
    """Changes the quick start's topic in ways that go through ZooKeeper, and removes it."""
    topic = "quickstart-events"
    kafka.topics("--alter", "--topic", topic, "--partitions", "3")
    wait(lambda: len(kafka.children(f"/brokers/topics/{topic}/partitions")) == 3,
         "three partitions", LEVEL_SECONDS)
    kafka.tool("kafka.admin.ConfigCommand", "--alter", "--entity-type", "topics",
               "--entity-name", topic, "--add-config", "retention.ms=3600000")
    config, _ = kafka.look(f"/config/topics/{topic}")
    if config["config"].get("retention.ms") != "3600000":
        raise Trouble(f"/config/topics/{topic} has {config}")
    kafka.topics("--delete", "--topic", topic)
    wait(lambda: topic not in kafka.children("/brokers/topics")
         and not kafka.children("/admin/delete_topics"), "the topic to go", LEVEL_SECONDS)


def restart(kafka: Kafka, load: Load) -> str:
    """Restarts a broker that is not the controller, and was started least."""
    controller = kafka.controller()
    number = min((number for number in BROKERS if number != controller),
                 key=lambda number: kafka.brokers[number].lives)
    session = kafka.sessions()[number]
    kafka.brokers[number].stop(60)
    kafka.wait_registered(*(other for other in BROKERS if other != number))
    kafka.brokers[number].start()
    kafka.wait_registered()
    if kafka.sessions()[number] == session:
        raise Trouble("the broker came back with its old session")
    kafka.wait_in_sync(*TOPICS)
    load.moves(LEVEL_SECONDS)
    return f"broker {number}"


def lose_leader(kafka: Kafka, load: Load) -> str:
    """Kills the leader of ZooKeeper: no broker loses its session, the controller stays."""
    sessions, controller, epoch = kafka.sessions(), kafka.controller(), kafka.epoch()
    fact = kafka.world.lose_leader()
    load.moves(LEVEL_SECONDS)
    # A session that was not taken over has ended by then.
    time.sleep(SESSION_SECONDS + TICK_SECONDS)
    all_live(kafka.brokers.values())
    seen = kafka.sessions(), kafka.controller(), kafka.epoch()
    if seen != (sessions, controller, epoch):
        raise Trouble(f"sessions, controller and epoch were {sessions}, {controller}, {epoch}, "
                      f"and now {seen}")
    load.check()
    return fact


def change_controller(kafka: Kafka, load: Load) -> str:
    """Kills the controller: another broker takes over when its session has ended."""
    old, epoch = kafka.controller(), kafka.epoch()
    kafka.brokers[old].kill()
    began = time.monotonic()
    wait(lambda: kafka.controller() != old and kafka.epoch() > epoch, "another controller",
         SESSION_SECONDS * 2)
    took = time.monotonic() - began
    kafka.wait_registered(*(other for other in BROKERS if other != old))
    load.moves(LEVEL_SECONDS)
    kafka.brokers[old].start()
    kafka.wait_registered()
    kafka.wait_in_sync(*TOPICS)
    load.moves(LEVEL_SECONDS)
    return (f"broker {kafka.controller()} after {old}, after {took:.1f} s; "
            f"epoch {kafka.epoch()} after {epoch}")


def run(world: World, stack: contextlib.ExitStack) -> None:
    """All of it; what it starts is ended by the stack."""
    with world.step("three brokers start"):
        kafka = Kafka(world, stack)
        for broker in kafka.brokers.values():
            broker.start()
        kafka.wait_registered()
    with world.step("quick start"):
        quick_start(kafka)
    with world.step("topics with three replicas"):
        make_topics(kafka)
    world.begin_load()
    load = kafka.load()
    with world.step("a topic is changed and deleted"):
        load.moves(LEVEL_SECONDS)
        administer(kafka)
    with world.step("a broker is restarted") as facts:
        facts.append(restart(kafka, load))
    world.repeat("brokers are restarted in turn", 0.5, 60, lambda: restart(kafka, load))
    with world.step("the leader of ZooKeeper is killed") as facts:
        world.until(0.5)
        facts.append(lose_leader(kafka, load))
    with world.step("the controller is killed") as facts:
        facts.append(change_controller(kafka, load))
    with world.step("the killed server of ZooKeeper comes back"):
        world.target.restore()
        load.moves(LEVEL_SECONDS)
        kafka.wait_registered()
    world.repeat("controllers are killed in turn", 1, 60, lambda: change_controller(kafka, load))
    with world.step("every acknowledged record is read in order") as facts:
        world.until(1)
        sent, acknowledged, consumed, longest = load.finish()
        if not 0 < sent == acknowledged == consumed:
            raise Trouble(f"{sent} sent, {acknowledged} acknowledged, {consumed} read")
        facts.append(f"{acknowledged} records in {world.loaded():.0f} s, the longest wait "
                     f"for one {longest / 1000:.1f} s")
    with world.step("all brokers live and are registered"):
        all_live(kafka.brokers.values())
        kafka.wait_registered()
        kafka.wait_in_sync(*TOPICS, "__consumer_offsets")
        if late := kafka.topics("--describe", "--under-replicated-partitions").strip():
            raise Trouble(f"partitions without all replicas:\n{late}")
    world.servers_are_well()
