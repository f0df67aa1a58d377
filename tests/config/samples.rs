//! Files as people have them: they must load, and mean what they mean to ZooKeeper.

use std::path::Path;

use zabra::config::{Endpoint, MetricsProvider};

use crate::world::World;

/// What the entrypoint of the official image writes without any variable set.
const OFFICIAL_IMAGE: &str = "dataDir=/data
dataLogDir=/datalog
tickTime=2000
initLimit=5
syncLimit=2
autopurge.snapRetainCount=3
autopurge.purgeInterval=0
maxClientCnxns=60
standaloneEnabled=true
admin.enableServer=true
server.1=localhost:2888:3888;2181
";

#[test]
fn official_image() {
    let config = World::cfg(OFFICIAL_IMAGE).file("/data/myid", b"1\n").config();
    assert_eq!(config.client.plain, Some(Endpoint::any(2181)));
    assert_eq!(config.storage.data_dir, Path::new("/data"));
    assert_eq!(config.storage.log_dir, Path::new("/datalog"));
    assert_eq!(config.tick_time_ms, 2000);
    assert_eq!(config.my_id, Some(1));
    assert_eq!(config.ensemble, None);
    assert!(config.admin.enabled);
    assert_eq!((config.quorum.init_limit, config.quorum.sync_limit), (5, 2));
    assert_eq!(
        config.notes,
        [
            "zoo.cfg:6: autopurge.snapRetainCount has no meaning here: Zabra keeps its tree in a \
             database and writes no snapshot files",
            "zoo.cfg:7: autopurge.purgeInterval has no meaning here: the log of transactions is \
             cut, sized and trimmed by the server itself",
            "zoo.cfg:11: server.1 = \"localhost:2888:3888;2181\" is the only server, so it runs \
             alone",
        ]
    );
}

/// The image of three services, with the Prometheus exporter that its description shows.
#[test]
fn official_image_in_compose() {
    let text = OFFICIAL_IMAGE.replace(
        "server.1=localhost:2888:3888;2181\n",
        "server.1=0.0.0.0:2888:3888;2181\nserver.2=zoo2:2888:3888;2181\n\
         server.3=zoo3:2888:3888;2181\n4lw.commands.whitelist=*\n\
         metricsProvider.className=\
         org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider\n\
         metricsProvider.httpPort=7070\n",
    );
    let config = World::cfg(&text).file("/data/myid", b"1").config();
    let ensemble = config.ensemble.as_ref().expect("three servers are an ensemble");
    assert_eq!(ensemble.my_id, 1);
    assert_eq!(
        ensemble.membership.to_string(),
        "server.1=0.0.0.0:2888:3888:participant;0.0.0.0:2181\n\
         server.2=zoo2:2888:3888:participant;0.0.0.0:2181\n\
         server.3=zoo3:2888:3888:participant;0.0.0.0:2181\n\
         version=0"
    );
    assert_eq!(config.client.plain, Some(Endpoint::any(2181)));
    assert!(config.four_letter.is_enabled("wchp"));
    assert_eq!(config.metrics.provider, MetricsProvider::Prometheus);
    assert_eq!(config.metrics.endpoint.port, 7070);
}

/// `config/zookeeper.properties` of Apache Kafka.
#[test]
fn kafka() {
    let config = World::cfg(
        "# the directory where the snapshot is stored.\n\
         dataDir=/tmp/zookeeper\n\
         # the port at which the clients will connect\n\
         clientPort=2181\n\
         # disable the per-ip limit on the number of connections since this is a non-production\n\
         maxClientCnxns=0\n\
         # Disable the adminserver by default to avoid port conflicts.\n\
         admin.enableServer=false\n\
         # admin.serverPort=8080\n",
    )
    .variable("KAFKA_OPTS", "-Dzookeeper.4lw.commands.whitelist=ruok,srvr,mntr,stat")
    .config();
    assert_eq!(config.limits.connections_per_ip, 0);
    assert!(!config.admin.enabled);
    assert!(config.four_letter.is_enabled("stat") && !config.four_letter.is_enabled("cons"));
    assert_eq!(config.notes, Vec::<String>::new());
}

/// What Bitnami's scripts write with three servers and without TLS.
#[test]
fn bitnami() {
    let config = World::cfg(
        "tickTime=2000\n\
         initLimit=10\n\
         syncLimit=5\n\
         dataDir=/bitnami/zookeeper/data\n\
         clientPort=2181\n\
         maxCnxns=0\n\
         maxClientCnxns=60\n\
         reconfigEnabled=false\n\
         quorumListenOnAllIPs=false\n\
         autopurge.purgeInterval=0\n\
         autopurge.snapRetainCount=3\n\
         maxSessionTimeout=40000\n\
         preAllocSize=65536\n\
         snapCount=100000\n\
         4lw.commands.whitelist=srvr, mntr\n\
         admin.serverAddress=127.0.0.1\n\
         admin.serverPort=8080\n\
         admin.enableServer=true\n\
         zookeeper.electionPortBindRetry=0\n\
         server.1=zookeeper1:2888:3888;2181\n\
         server.2=zookeeper2:2888:3888;2181\n\
         server.3=zookeeper3:2888:3888:observer;2181\n",
    )
    .file("/bitnami/zookeeper/data/myid", b"3")
    .config();
    assert_eq!(config.quorum.bind_retries, 0);
    assert_eq!(config.admin.endpoint, Endpoint::new("127.0.0.1", 8080));
    assert!(config.four_letter.is_enabled("mntr"));
    let ensemble = config.ensemble.as_ref().expect("it is an ensemble");
    assert_eq!(ensemble.membership.voters(), 2);
    let about: Vec<&str> =
        config.notes.iter().filter_map(|note| note.split_whitespace().nth(1)).collect();
    let keys =
        ["autopurge.purgeInterval", "autopurge.snapRetainCount", "preAllocSize", "snapCount"];
    assert_eq!(about[..4], keys);
    assert_eq!(
        config.notes[4..],
        ["zoo.cfg:20: two participants survive no failure; three survive one"]
    );
}

/// `HBase` lists its only server, from 0 on and without the port behind the semicolon.
#[test]
fn hbase() {
    let config = World::cfg(
        "dataDir=/tmp/hbase-root/zookeeper\n\
         clientPort=2181\n\
         initLimit=10\n\
         syncLimit=5\n\
         maxClientCnxns=300\n\
         server.0=localhost:2888:3888\n",
    )
    .file("/tmp/hbase-root/zookeeper/myid", b"0")
    .config();
    assert_eq!(config.ensemble, None);
    assert_eq!(config.my_id, Some(0));
    assert_eq!(config.client.plain, Some(Endpoint::any(2181)));
    assert_eq!(config.limits.connections_per_ip, 300);
}

/// ZooKeeper's own sample, with its blank lines and comments.
#[test]
fn zoo_sample() {
    let config = World::cfg(
        "# The number of milliseconds of each tick\n\
         tickTime=2000\n\
         # The number of ticks that the initial \n\
         # synchronization phase can take\n\
         initLimit=10\n\
         syncLimit=5\n\
         dataDir=/tmp/zookeeper\n\
         clientPort=2181\n\
         #maxClientCnxns=60\n\
         #\n\
         ## Metrics Providers\n\
         #metricsProvider.exportJvmInfo=true\n",
    )
    .config();
    assert_eq!(config.sessions.max_timeout_ms, 40_000);
    assert_eq!(config.notes, Vec::<String>::new());
}
