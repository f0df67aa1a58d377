"""Where Zabra's answers to operators differ from those of Apache ZooKeeper on purpose.

Each is a pattern of `WHERE NAME` that must match as a whole, and the reason. `WHERE` is the name of
the comparison, such as `command/environment`; `NAME` is that of a field, a metric or a header.
"""

import re

# What ZooKeeper has and Zabra has not, or has with another type.
MISSING: dict[str, str] = {
    r"command/(system_properties|sysp) (java|jdk|jetty|sun|native)\..*":
        "properties of the Java machine; there is none",
    r"command/(system_properties|sysp) org\.slf4j\..*": "how this test lets ZooKeeper log",
    r"command/(system_properties|sysp) zookeeper\.(server|group|weight)\..*":
        "the members of an ensemble are no properties here; voting_view shows them",
    r"command/(initial_configuration|icfg) initial_configuration":
        "a member of an ensemble shows its file here, and null there",
    r"command/(system_properties|sysp) (file|line|path|user)\..*":
        "properties of the Java machine; those of the process are shown",
    r"metrics jvm_.*":
        "of the Java machine, only what dashboards and alerts ask for has a counterpart",
    r"metrics ack_latency.*|metrics learner_handler_qp_.*":
        "sets of samples appear with their first member, and these never have one here",
    r"metrics synced_observers(\{\})?":
        "a follower without observers of its own shows none, as in ZooKeeper's mntr",
}

# What Zabra has and ZooKeeper has not.
ADDED: dict[str, str] = {
    r"metrics zabra_.*|metrics rocksdb_.*": "figures that ZooKeeper does not have",
    r"metrics observer_master_id(\{\})?": "what mntr shows, in both",
    r"metrics \w+_total(\{.*\})?": "names that ZooKeeper 3.10 has, beside those of 3.9",
    r"metrics \w+\{(key,)?quantile=0.95(,key)?\}": "a quantile that ZooKeeper 3.10 has",
    r"command/(system_properties|sysp) zookeeper\..*":
        "keys that ZooKeeper reads by name are properties of the process here as well",
}


def reason(table: dict[str, str], where: str, name: str) -> str | None:
    """Why there may be such a difference, if there is a reason."""
    return next((why for pattern, why in table.items()
                 if re.fullmatch(pattern, f"{where} {name}")), None)
