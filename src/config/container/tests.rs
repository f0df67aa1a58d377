//! The environments of compose files that people have.

use super::*;
use std::io::{Error, ErrorKind};

/// Variables, files that can be read, and directories that are there.
#[derive(Default)]
struct Machine<'a> {
    variables: &'a [(&'a str, &'a str)],
    files: &'a [(&'a str, &'a str)],
    there: &'a [&'a str],
}

impl Machine<'_> {
    fn plan(&self) -> Result<Plan, String> {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let variables: BTreeMap<_, _> = self.variables.iter().map(own).collect();
        let read = |path: &Path| {
            let found = self.files.iter().find(|(name, _)| Path::new(name) == path);
            found.map(|(_, text)| text.as_bytes().to_vec()).ok_or(Error::from(ErrorKind::NotFound))
        };
        let exists = |path: &Path| {
            let file = self.files.iter().any(|(name, _)| Path::new(name) == path);
            file || self.there.iter().any(|name| Path::new(name) == path)
        };
        let from = Surroundings { variables: &variables, read: &read, exists: &exists };
        from.plan().map_err(|error| error.to_string())
    }
}

fn plan(variables: &[(&str, &str)]) -> Plan {
    Machine { variables, ..Machine::default() }.plan().expect("these variables are right")
}

fn refusal(variables: &[(&str, &str)]) -> String {
    Machine { variables, ..Machine::default() }.plan().expect_err("these variables are wrong")
}

fn has(plan: &Plan, line: &str) -> bool {
    plan.text().lines().any(|found| found == line)
}

#[test]
fn the_official_image_without_variables() {
    let plan = plan(&[]);
    assert_eq!(plan.image, Image::Official);
    assert_eq!(plan.config, Path::new("/conf/zoo.cfg"));
    let expected = "dataDir=/data\ndataLogDir=/datalog\ntickTime=2000\ninitLimit=5\nsyncLimit=2\n\
                    autopurge.snapRetainCount=3\nautopurge.purgeInterval=0\nmaxClientCnxns=60\n\
                    standaloneEnabled=true\nadmin.enableServer=true\n\
                    server.1=localhost:2888:3888;2181\n";
    assert_eq!(plan.text(), expected);
    assert_eq!(plan.my_id.as_ref().map(|my_id| (&*my_id.id, my_id.always)), Some(("1", false)));
    assert_eq!(plan.my_id_file(), Path::new("/data/myid"));
    assert_eq!(plan.directories, ["/data", "/datalog", "/logs"].map(std::path::PathBuf::from));
}

/// The compose file of its documentation.
const ENSEMBLE: &str = "server.1=zoo1:2888:3888;2181 server.2=zoo2:2888:3888;2181 \
                        server.3=zoo3:2888:3888;2181";

#[test]
fn three_official_servers() {
    let plan = plan(&[
        ("ZOO_MY_ID", "2"),
        ("ZOO_SERVERS", ENSEMBLE),
        ("ZOO_4LW_COMMANDS_WHITELIST", "srvr, ruok"),
        ("ZOO_CFG_EXTRA", "quorumListenOnAllIPs=true metricsProvider.httpPort=7070"),
        ("JVMFLAGS", "-Xmx512m -Dzookeeper.skipACL=yes"),
    ]);
    for line in [
        "server.2=zoo2:2888:3888;2181",
        "4lw.commands.whitelist=srvr, ruok",
        "quorumListenOnAllIPs=true",
        "metricsProvider.httpPort=7070",
    ] {
        assert!(has(&plan, line), "{line} is missing in {}", plan.text());
    }
    assert!(plan.notes.is_empty() && !plan.text().contains("clientPort"));
}

#[test]
fn a_list_of_the_time_before_3_5_has_a_port_all_the_same() {
    let servers = "server.1=zoo1:2888:3888 server.2=zoo2:2888:3888 server.3=zoo3:2888:3888";
    let old = plan(&[("ZOO_MY_ID", "3"), ("ZOO_SERVERS", servers)]);
    assert!(has(&old, "clientPort=2181"));
    assert_eq!(
        old.notes,
        ["ZOO_SERVERS names no client port (;2181) for server 3: it listens on 2181"]
    );
    let extra = ("ZOO_CFG_EXTRA", "clientPort=2281");
    let said = plan(&[("ZOO_MY_ID", "3"), ("ZOO_SERVERS", servers), extra]);
    assert!(has(&said, "clientPort=2281") && !has(&said, "clientPort=2181"));
    let port = plan(&[("ZOO_MY_ID", "3"), ("ZOO_SERVERS", servers), ("ZOO_PORT", "2381")]);
    assert!(has(&port, "clientPort=2381"));
}

#[test]
fn what_is_wrong_is_said_of_the_variable() {
    let table: &[(&[(&str, &str)], &str)] = &[
        (&[("ZOO_TICK_TIME", "fast")], "environment: ZOO_TICK_TIME = \"fast\": as tickTime of"),
        (&[("ZOO_MY_ID", "two"), ("ZOO_SERVERS", ENSEMBLE)], "ZOO_MY_ID"),
        (&[("ZOO_MY_ID", "7"), ("ZOO_SERVERS", ENSEMBLE)], "ZOO_MY_ID"),
        (&[("ZOO_SERVERS", "server.1=zoo1:x:3888;2181")], "environment: ZOO_SERVERS = \"zoo1:x:"),
        (&[("JVMFLAGS", "-Dzookeeper.maxCnxns=many")], "JVMFLAGS: zookeeper.maxCnxns = \"many\""),
        (&[("ZABRA_IMAGE", "redhat")], "ZABRA_IMAGE = \"redhat\": must be one of official, bitn"),
        (&[("SERVER_COUNT", "0")], "SERVER_COUNT = \"0\": must be a whole number from 1 to 255"),
        (&[("ZOOKEEPER_TICK_TIME", "2000")], "ZOOKEEPER_CLIENT_PORT: must be set"),
        (
            &[("ZOOKEEPER_CLIENT_PORT", "2181"), ("ZOOKEEPER_SERVERS", "a:1:2;b:1:2;c:1:2")],
            "ZOOKEEPER_SERVER_ID: must be set with ZOOKEEPER_SERVERS",
        ),
        (&[("ZOOKEEPER_CLIENT_PORT", "x")], "ZOOKEEPER_CLIENT_PORT = \"x\": as clientPort of"),
        (&[("ZOO_PORT_NUMBER", "2181")], "ALLOW_ANONYMOUS_LOGIN: must be yes"),
        (&[("ZOO_ENABLE_AUTH", "yes")], "ZOO_ENABLE_AUTH = \"yes\": there is no SASL"),
        (
            &[("ALLOW_ANONYMOUS_LOGIN", "yes"), ("ZOO_TLS_CLIENT_ENABLE", "true")],
            "ZOO_TLS_CLIENT_ENABLE = \"true\": there is no TLS",
        ),
        (
            &[("ALLOW_ANONYMOUS_LOGIN", "yes"), ("ZOO_SERVERS", "a:1:2::1 b:1:2")],
            "ZOO_SERVERS = \"a:1:2::1 b:1:2\": b:1:2 must be host:port:port::id",
        ),
        (
            &[("ALLOW_ANONYMOUS_LOGIN", "yes"), ("ZOO_SERVER_ID_FILE", "/run/none")],
            "ZOO_SERVER_ID_FILE = \"/run/none\": cannot be read",
        ),
    ];
    for (variables, expected) in table {
        let found = refusal(variables);
        assert!(found.contains(expected), "{variables:?}: {found}");
    }
}

#[test]
fn a_file_that_is_there_wins() {
    let there = Machine {
        variables: &[("ZOO_TICK_TIME", "fast")],
        files: &[("/conf/zoo.cfg", "dataDir=/elsewhere\n")],
        ..Machine::default()
    };
    let plan = there.plan().expect("the variables do not count");
    assert!(plan.config_exists);
}

#[test]
fn a_number_that_is_there_wins() {
    let files = [("/data/myid", "3\n")];
    let variables = [("ZOO_MY_ID", "77"), ("ZOO_SERVERS", ENSEMBLE)];
    let there = Machine { variables: &variables, files: &files, ..Machine::default() };
    assert!(there.plan().is_ok());
}

#[test]
fn bitnamis_image() {
    let servers = "zoo1:2888:3888,zoo2:2888:3888:observer;zoo3:2888:3888";
    let plan = plan(&[
        ("ALLOW_ANONYMOUS_LOGIN", "yes"),
        ("ZOO_SERVER_ID", "3"),
        ("ZOO_SERVERS", servers),
        ("ZOO_PORT_NUMBER", "2281"),
        ("ZOO_ENABLE_ADMIN_SERVER", "TRUE"),
        ("ZOO_ENABLE_PROMETHEUS_METRICS", "yes"),
        ("ZOO_CFG_jute_maxbuffer", "4194304"),
        ("ZOO_LOG_LEVEL", "WARN"),
    ]);
    assert_eq!(plan.image, Image::Bitnami);
    for line in [
        "dataDir=/bitnami/zookeeper/data",
        "clientPort=2281",
        "initLimit=10",
        "syncLimit=5",
        "4lw.commands.whitelist=srvr, mntr",
        "admin.enableServer=true",
        "reconfigEnabled=false",
        "electionPortBindRetry=0",
        "metricsProvider.httpPort=7000",
        "server.1=zoo1:2888:3888;2281",
        "server.2=zoo2:2888:3888:observer;2281",
        "server.3=zoo3:2888:3888;2281",
        "jute.maxbuffer=4194304",
    ] {
        assert!(has(&plan, line), "{line} is missing in {}", plan.text());
    }
    assert_eq!(plan.log_level.as_deref(), Some("WARN"));
    assert_eq!(plan.my_id.expect("it has one").id, "3");
}

#[test]
fn bitnamis_chart() {
    let servers = "zk-0.zk-headless:2888:3888::1 zk-1.zk-headless:2888:3888::2 \
                   zk-2.zk-headless:2888:3888::7";
    let files = [("/run/id", "7\n")];
    let variables = [
        ("ALLOW_EMPTY_PASSWORD", "yes"),
        ("ZOO_SERVER_ID_FILE", "/run/id"),
        ("ZOO_SERVERS", servers),
    ];
    let plan = Machine { variables: &variables, files: &files, ..Machine::default() }.plan();
    let plan = plan.expect("these variables are right");
    assert!(has(&plan, "server.7=zk-2.zk-headless:2888:3888;2181"));
    assert_eq!(plan.my_id.expect("it has one").id, "7");
}

#[test]
fn one_bitnami_server_is_alone() {
    let plan = plan(&[("ALLOW_ANONYMOUS_LOGIN", "yes"), ("ZOO_SERVERS", "zoo1:2888:3888")]);
    assert!(!plan.text().contains("server.1"));
}

#[test]
fn confluents_image() {
    let plan = plan(&[
        ("ZOOKEEPER_CLIENT_PORT", "22181"),
        ("ZOOKEEPER_TICK_TIME", "1000"),
        ("ZOOKEEPER_SERVER_ID", "2"),
        ("ZOOKEEPER_SERVERS", "zk1:2888:3888;zk2:2888:3888;zk3:2888:3888"),
        ("ZOOKEEPER_AUTOPURGE_SNAP_RETAIN_COUNT", "3"),
        ("ZOOKEEPER_SYNC_LIMIT", "7"),
        ("ZOOKEEPER_JUTE_MAX_BUFFER", "4194304"),
        ("ZOOKEEPER_4LW_COMMANDS_WHITELIST", "*"),
        ("ZOOKEEPER_QUORUM_LISTEN_ON_ALL_IPS", "true"),
        ("ZOOKEEPER_LOG4J_ROOT_LOGLEVEL", "WARN"),
        ("ZOOKEEPER_PORT_2181_TCP_ADDR", "10.0.0.1"),
        ("KAFKA_OPTS", "-Dzookeeper.4lw.commands.whitelist=ruok"),
    ]);
    assert_eq!(plan.image, Image::Confluent);
    let expected = "dataDir=/var/lib/zookeeper/data\ndataLogDir=/var/lib/zookeeper/log\n\
                    initLimit=10\n\
                    server.1=zk1:2888:3888\nserver.2=zk2:2888:3888\nserver.3=zk3:2888:3888\n\
                    4lw.commands.whitelist=*\nautopurge.snapRetainCount=3\nclientPort=22181\n\
                    jute.maxbuffer=4194304\nquorumListenOnAllIPs=true\nsyncLimit=7\n\
                    tickTime=1000\n";
    assert_eq!(plan.text(), expected);
    assert!(plan.my_id.expect("it has one").always);
    assert_eq!(plan.notes, ["ZOOKEEPER_PORT_2181_TCP_ADDR is not known and has no effect"]);
}

#[test]
fn a_service_of_the_name_makes_no_confluent_image() {
    let variables = [("ZOOKEEPER_SERVICE_HOST", "10.0.0.1"), ("ZOOKEEPER_PORT", "tcp://10.0.0.1")];
    assert_eq!(plan(&variables).image, Image::Official);
}

#[test]
fn volumes_show_the_image_too() {
    let of = |there: &[&str], variables: &[(&str, &str)]| {
        let found = Machine { variables, there, ..Machine::default() }.plan();
        found.expect("these variables are right").image
    };
    assert_eq!(of(&["/bitnami/zookeeper"], &[("ALLOW_EMPTY_PASSWORD", "1")]), Image::Bitnami);
    assert_eq!(of(&["/zookeeper/data"], &[]), Image::Debezium);
    assert_eq!(of(&["/opt/zookeeper-3.4.13"], &[]), Image::Wurstmeister);
    let said = [("ZABRA_IMAGE", "official")];
    assert_eq!(of(&["/opt/zookeeper-3.4.13"], &said), Image::Official);
}

#[test]
fn debeziums_image() {
    let plan = plan(&[("SERVER_ID", "2"), ("SERVER_COUNT", "3")]);
    assert!(has(&plan, "server.3=zookeeper-3:2888:3888") && has(&plan, "clientPort=2181"));
    assert_eq!(plan.my_id_file(), Path::new("/zookeeper/data/myid"));
}

#[test]
fn values_stay_on_their_lines() {
    let plan = plan(&[("ZOO_DATA_DIR", "/a\\b\nclientPort=1")]);
    assert!(has(&plan, "dataDir=/a\\\\b\\nclientPort=1"), "{}", plan.text());
}
