//! Lists of servers: what makes an ensemble, and what contradicts itself.

use std::path::Path;

use zabra::config::{Config, Endpoint, Ensemble, Role};

use crate::world::World;

const LIMITS: &str = "initLimit=10\nsyncLimit=5\n";

/// A `zoo.cfg` whose list of servers starts at line 5, on the server with this id.
fn listed(id: &str, servers: &str) -> World {
    World::usual(&format!("{LIMITS}{servers}")).file("/data/myid", id.as_bytes())
}

fn ensemble(config: &Config) -> &Ensemble {
    config.ensemble.as_ref().expect("it is an ensemble")
}

#[test]
fn three_servers_and_an_observer() {
    let config = listed(
        "4",
        "server.1=a:2888:3888\nserver.2=b:2888:3888\nserver.3=c:2888:3888\n\
         server.4=[2001:db8::4]:2888:3888:observer\npeerType=observer\n",
    )
    .config();
    let ensemble = ensemble(&config);
    assert_eq!(ensemble.my_id, 4);
    assert_eq!(ensemble.membership.voters(), 3);
    assert_eq!(ensemble.membership.members[&4].role, Role::Observer);
    assert_eq!(ensemble.membership.members[&4].addresses[0].host, "2001:db8::4");
    assert_eq!(ensemble.dynamic_file, None);
    assert_eq!(config.quorum.connect_limit, 10);
    assert_eq!(config.notes, Vec::<String>::new());
}

#[test]
fn one_voter_is_an_ensemble_only_if_it_is_told_so() {
    let alone = listed("1", "server.1=a:1:2\n").config();
    assert_eq!(alone.ensemble, None);
    let config = listed("1", "server.1=a:1:2\nserver.2=b:1:2:observer\nstandaloneEnabled=false\n");
    assert_eq!(ensemble(&config.config()).membership.voters(), 1);
}

#[test]
fn several_addresses() {
    let servers = "server.1=a:1:2|b:1:2\nserver.2=c:1:2\nserver.3=d:1:2\n";
    let config = listed("1", &format!("{servers}multiAddress.enabled=true\n")).config();
    assert_eq!(ensemble(&config).membership.members[&1].addresses.len(), 2);
    assert_eq!(
        listed("1", servers).errors(),
        ["zoo.cfg:5: server.1 = \"a:1:2|b:1:2\": has several addresses, which need \
             multiAddress.enabled=true"]
    );
}

#[test]
fn an_oracle_is_for_two_voters() {
    let (two, oracle) = ("server.1=a:1:2\nserver.2=b:1:2\n", "oraclePath=/mnt/oracle\n");
    let config = listed("1", &format!("{two}{oracle}")).config();
    assert_eq!(config.quorum.oracle_path.as_deref(), Some(Path::new("/mnt/oracle")));
    assert_eq!(config.notes, Vec::<String>::new());
    let config = listed("1", &format!("{two}server.3=c:1:2\n{oracle}")).config();
    assert_eq!(
        config.notes,
        ["zoo.cfg:8: oraclePath = \"/mnt/oracle\" has no effect: it is for 2 participants, and \
          there are 3"]
    );
    assert_eq!(
        listed("1", &format!("{two}group.1=1:2\n{oracle}")).errors(),
        ["zoo.cfg:7: group.1: cannot be had together with oraclePath: remove one of them"]
    );
}

#[test]
fn groups_and_weights() {
    let servers = "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\nserver.4=d:1:2:observer\n";
    let config =
        listed("1", &format!("{servers}group.1=1:2\ngroup.2=3\nweight.2=5\nweight.4=3\n")).config();
    assert_eq!(
        ensemble(&config).membership.to_string(),
        "server.1=a:1:2:participant\nserver.2=b:1:2:participant\nserver.3=c:1:2:participant\n\
         server.4=d:1:2:observer\ngroup.1=1:2\ngroup.2=3\nweight.1=1\nweight.2=5\nweight.3=1\n\
         version=0"
    );

    let table: &[(&str, &[&str])] = &[
        (
            "group.1=1:x",
            &[
                "zoo.cfg:5: server.1 = \"a:1:2\": votes, but is in no group, although there are \
             groups or weights",
                "zoo.cfg:6: server.2 = \"b:1:2\": votes, but is in no group, although there are \
             groups or weights",
                "zoo.cfg:7: server.3 = \"c:1:2\": votes, but is in no group, although there are \
             groups or weights",
                "zoo.cfg:9: group.1 = \"1:x\": must be ids of servers, separated by colons",
            ],
        ),
        (
            "group.1=1:2:3:9",
            &["zoo.cfg:9: group.1 = \"1:2:3:9\": names server 9, but there is no server.9"],
        ),
        (
            "group.1=1:2:3:4",
            &["zoo.cfg:9: group.1 = \"1:2:3:4\": names server 4, which is an observer"],
        ),
        (
            "group.1=1:2\ngroup.2=2:3",
            &["zoo.cfg:10: group.2 = \"2:3\": names server 2, which is in group.1"],
        ),
        (
            "group.1=1:2",
            &["zoo.cfg:7: server.3 = \"c:1:2\": votes, but is in no group, although there are \
             groups or weights"],
        ),
        (
            "group.1=1:2:3\nweight.1=0\nweight.2=0\nweight.3=0",
            &["zoo.cfg:9: group.1: needs a voter whose weight is more than 0"],
        ),
        (
            "group.1=1:2:3\nweight.1=-1",
            &["zoo.cfg:10: weight.1 = \"-1\": must be a whole number, from 0 to 2147483647"],
        ),
        ("group.x=1:2:3", &["zoo.cfg:9: group.x: must have a whole number after group."]),
    ];
    for (lines, expected) in table {
        assert_eq!(listed("1", &format!("{servers}{lines}\n")).errors(), *expected, "{lines}");
    }
}

/// The own id, lines from line 5 on, and what is wrong with them.
const CONTRADICTIONS: &[(&str, &str, &[&str])] = &[
    (
        "1",
        "server.1=a:1:2:observer\n",
        &["zoo.cfg:5: server.1 = \"a:1:2:observer\": is an observer, and there is no participant"],
    ),
    (
        "1",
        "server.1=a:1:2\nserver.2=b:1:2:observer\n",
        &["zoo.cfg:6: server.2 = \"b:1:2:observer\": is an observer, and the only participant \
             runs alone; set standaloneEnabled=false, or add participants"],
    ),
    (
        "1",
        "server.1=a:1:2\nserver.2=a:1:3\nserver.3=c:1:2\n",
        &["zoo.cfg:6: server.2 = \"a:1:3\": shares a:1 with server.1"],
    ),
    (
        "1",
        "server.1=a:1:2\nserver.2=b:1:2\nserver.2=c:1:2\n",
        &["zoo.cfg:7: server.2 = \"c:1:2\": is also given at line 6"],
    ),
    ("1", "server.one=a:1:2\n", &["zoo.cfg:5: server.one: must have a whole number after server."]),
    (
        "4",
        "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\n",
        &["/data/myid: says that this is server 4, but there is no server.4"],
    ),
    ("one", "", &["/data/myid:1: the server's id must be a whole number, not \"one\""]),
    (
        "255",
        "server.255=a:1:2\nserver.2=b:1:2\nextendedTypesEnabled=true\n",
        &["/data/myid: says that this is server 255; with extendedTypesEnabled the id must be \
             at most 254"],
    ),
    (
        "1",
        "server.1=a:1:2;2182\nserver.2=b:1:2\n",
        &["zoo.cfg:2: clientPort = \"0.0.0.0:2181\": contradicts server.1, which says \
             0.0.0.0:2182 (zoo.cfg:5)"],
    ),
    (
        "1",
        "server.1=a:1:2;2181\nserver.2=b:1:2\nclientPortAddress=10.0.0.1\n",
        &["zoo.cfg:2: clientPort = \"10.0.0.1:2181\": contradicts server.1, which says \
             0.0.0.0:2181 (zoo.cfg:5)"],
    ),
    (
        "1",
        "server.1=a:1:2;;2282\nserver.2=b:1:2\nsecureClientPort=2281\n",
        &["zoo.cfg:7: secureClientPort = \"0.0.0.0:2281\": contradicts server.1, which says \
             0.0.0.0:2282 (zoo.cfg:5)"],
    ),
    (
        "1",
        "server.1=a:1:2\nserver.2=b\n",
        &["zoo.cfg:6: server.2 = \"b\": must be host:port:electionPort or \
             host:port:electionPort:role, and after a semicolon the client port or host:port"],
    ),
];

#[test]
fn contradictions_are_refused() {
    for (id, servers, expected) in CONTRADICTIONS {
        assert_eq!(listed(id, servers).errors(), *expected, "{servers}");
    }
}

#[test]
fn an_ensemble_needs_its_limits_and_an_id() {
    let world = World::usual("initLimit=0\nserver.1=a:1:2\nserver.2=b:1:2\n");
    let needs = "must be set in an ensemble: a whole number of ticks, at least 1";
    assert_eq!(
        world.errors(),
        [
            "/data/myid: must hold the id of this server, the N of its server.N".to_owned(),
            format!("zoo.cfg: syncLimit: {needs}"),
            format!("zoo.cfg:3: initLimit = \"0\": {needs}"),
        ]
    );
}

#[test]
fn the_own_entry_gives_the_client_ports() {
    let two = |own: &str| {
        World::cfg(&format!(
            "dataDir=/data\n{LIMITS}server.1=a:1:2{own}\nserver.2=b:1:2;9\nserver.3=c:1:2\n"
        ))
        .file("/data/myid", b"1")
        .config()
    };
    let config = two(";10.0.0.1:2190;2281");
    assert_eq!(config.client.plain, Some(Endpoint::new("10.0.0.1", 2190)));
    assert_eq!(config.client.secure, Some(Endpoint::any(2281)));
    let config = two("");
    assert_eq!(config.client.plain, Some(Endpoint::any(2181)));
    assert_eq!(config.notes, ["zoo.cfg: no client port is set, so clients connect to 2181"]);

    // A name may be the address that the list has.
    let named = listed("1", "server.1=a:1:2;a:2181\nserver.2=b:1:2\nclientPortAddress=10.0.0.1\n");
    assert_eq!(named.config().client.plain, Some(Endpoint::new("a", 2181)));
    // A server that runs alone is the one that is listed, even without myid.
    let alone = World::cfg("dataDir=/data\nserver.7=a:1:2;2199\n");
    assert_eq!(alone.config().client.plain, Some(Endpoint::any(2199)));
    let alone = alone.file("/data/myid", b"1");
    assert_eq!(alone.config().client.plain, Some(Endpoint::any(2199)));
}

#[test]
fn a_dynamic_file_has_the_servers() {
    let cfg = format!("dataDir=/data\n{LIMITS}dynamicConfigFile=/conf/zoo.cfg.dynamic.10000000a\n");
    let servers = "server.1=a:1:2;2181\nserver.2=b:1:2;2181\nserver.3=c:1:2;2181\n";
    let world = World::cfg(&cfg)
        .file("/data/myid", b"2")
        .file("/conf/zoo.cfg.dynamic.10000000a", servers.as_bytes());
    let config = world.config();
    let first = ensemble(&config);
    assert_eq!(first.membership.version, 0x1_0000_000a);
    assert_eq!(first.membership.members.len(), 3);
    assert_eq!(first.last_seen, None);
    let file = Path::new("/conf/zoo.cfg.dynamic.10000000a");
    assert_eq!(first.dynamic_file.as_deref(), Some(file));
    assert_eq!(config.client.plain, Some(Endpoint::any(2181)));

    let next = format!("{servers}server.4=d:1:2:observer\nversion=10000000b\n");
    let world = world.file("zoo.cfg.dynamic.next", next.as_bytes());
    let config = world.config();
    let last_seen = ensemble(&config).last_seen.as_ref().expect("there is a next file");
    assert_eq!(last_seen.version, 0x1_0000_000b);
    assert_eq!(last_seen.members.len(), 4);

    let world = world.file("zoo.cfg.dynamic.next", b"server.1=nonsense\n");
    let config = world.config();
    assert_eq!(ensemble(&config).last_seen, None);
    assert_eq!(config.notes.len(), 1);
    assert!(config.notes[0].starts_with("zoo.cfg.dynamic.next:1: the file is not used: must be"));
}

#[test]
fn a_dynamic_file_has_nothing_else() {
    let cfg = format!("dataDir=/data\n{LIMITS}dynamicConfigFile=dynamic\nserver.1=a:1:2\n");
    let servers = "server.1=a:1:2;2181\nserver.2=b:1:2;2181\nversion=1\nclientPort=2181\n";
    let world = World::cfg(&cfg).file("/data/myid", b"1").file("dynamic", servers.as_bytes());
    assert_eq!(
        world.errors(),
        [
            "dynamic:3: version: must not be in this file: the version stands at the end of the \
             file's name",
            "dynamic:4: clientPort: must not be in this file, which has only server.N, group.N \
             and weight.N",
            "zoo.cfg:5: server.1: must be in the dynamic configuration file, dynamic, not here",
        ]
    );
    let world = World::cfg(&format!("dataDir=/data\n{LIMITS}dynamicConfigFile=absent\n"));
    assert_eq!(world.errors(), ["absent: cannot be read: entity not found"]);
}

#[test]
fn numbers_of_voters_that_gain_nothing_are_remarked() {
    let servers = "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\nserver.4=d:1:2\n";
    assert_eq!(
        listed("1", servers).config().notes,
        ["zoo.cfg:5: 4 participants survive no more failures than 3"]
    );
}
