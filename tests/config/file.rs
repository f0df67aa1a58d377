//! One file, or none: defaults, every complaint word for word, remarks and precedence.

use std::path::Path;

use zabra::config::{
    AuthProvider, Config, Endpoint, MetricsProvider, Origin, Secret, SessionLimits, Sources,
};

use crate::world::World;

#[test]
fn a_minimal_file_has_zookeepers_defaults() {
    let config = World::usual("").config();
    assert_eq!(config.tick_time_ms, 3000);
    assert_eq!(config.sessions, SessionLimits { min_timeout_ms: 6000, max_timeout_ms: 60_000 });
    assert_eq!(config.client.plain, Some(Endpoint::any(2181)));
    assert_eq!(config.client.secure, None);
    assert_eq!(config.client.backlog, None);
    assert_eq!(config.limits.connections_per_ip, 60);
    assert_eq!(config.limits.connections, 0);
    assert_eq!(config.limits.frame_bytes, 1_048_575);
    assert_eq!(config.limits.outstanding_requests, 1000);
    assert_eq!(config.storage.data_dir, Path::new("/data"));
    assert_eq!(config.storage.log_dir, Path::new("/data"));
    assert!(config.storage.force_sync && config.storage.create_dirs && config.tree.digest);
    assert!(!config.tree.extended_types && !config.tree.enforce_quota && !config.auth.skip_acl);
    assert_eq!(config.tree.containers.check_interval_ms, 60_000);
    assert_eq!(config.tree.containers.max_never_used_ms, 0);
    assert!(config.auth.digest_enabled);
    assert_eq!(config.auth.digest_algorithm, "SHA1");
    assert_eq!(config.auth.super_digest, None);
    assert_eq!(config.four_letter.iter().collect::<Vec<_>>(), ["srvr"]);
    assert!(config.admin.enabled);
    assert_eq!(config.admin.endpoint, Endpoint::any(8080));
    assert_eq!(config.admin.command_url, "/commands");
    assert_eq!(config.metrics.provider, MetricsProvider::Default);
    assert_eq!(config.metrics.endpoint, Endpoint::any(7000));
    assert!(config.quorum.standalone_enabled && config.quorum.leader_serves);
    assert_eq!(config.ensemble, None);
    assert_eq!(config.my_id, None);
    assert_eq!((config.notes, config.warnings), (Vec::new(), Vec::new()));
    assert_eq!(config.file.as_deref(), Some(Path::new("zoo.cfg")));
    let initial = config.initial.as_ref().map(Secret::expose);
    assert_eq!(initial, Some("dataDir=/data\nclientPort=2181\n"));
}

/// Something in every group.
const EVERY_GROUP: &str = "dataLogDir=/log\n\
     clientPortAddress=10.0.0.1\n\
     secureClientPort=2281\n\
     secureClientPortAddress=::1\n\
     clientPortListenBacklog=100\n\
     clientTcpKeepAlive=true\n\
     tickTime=1000\n\
     minSessionTimeout=1\n\
     maxSessionTimeout=-1\n\
     maxClientCnxns=0\n\
     maxCnxns=7\n\
     largeRequestThreshold=1024\n\
     nio.sessionlessCnxnTimeout=0x10\n\
     forceSync=no\n\
     fsync.warningthresholdms=20\n\
     skipACL=yes\n\
     DigestAuthenticationProvider.digestAlg=sha-256\n\
     zookeeper.DigestAuthenticationProvider.superDigest=super:abc=\n\
     authProvider.1=org.apache.zookeeper.server.auth.EnsembleAuthenticationProvider\n\
     ensembleAuthName=one, two,\n\
     enforce.auth.enabled=true\n\
     enforce.auth.schemes=digest, x509\n\
     extendedTypesEnabled=TRUE\n\
     enforceQuota=true\n\
     digest.enabled=false\n\
     4lw.commands.whitelist=ruok, mntr\n\
     admin.enableServer=false\n\
     admin.serverAddress=127.0.0.1\n\
     admin.serverPort=0\n\
     admin.commandURL=/cmd/\n\
     metricsProvider.className=\
     org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider\n\
     metricsProvider.httpPort=7070\n\
     ssl.keyStore.location=/keys.p12\n\
     ssl.keyStore.password=secret\n\
     ssl.quorum.trustStore.password=secret too\n\
     audit.enable=true\n";

#[test]
fn fractions_are_read() {
    for (value, permille) in
        [("0.5", 500), ("1", 1000), ("0", 0), ("-1", 0), ("1.1", 1000), ("NaN", 1000), ("", 1000)]
    {
        let config = World::usual(&format!("snapshotSizeFactor={value}\n")).config();
        assert_eq!(config.quorum.snapshot_size_permille, permille, "{value}");
    }
}

#[test]
fn every_group_is_filled() {
    let config = World::usual(EVERY_GROUP).config();
    assert_eq!(config.storage.log_dir, Path::new("/log"));
    assert_eq!(config.client.plain, Some(Endpoint::new("10.0.0.1", 2181)));
    assert_eq!(config.client.secure, Some(Endpoint::new("::1", 2281)));
    assert_eq!(config.client.backlog, Some(100));
    assert!(config.client.tcp_keep_alive);
    assert_eq!(config.tick_time_ms, 1000);
    assert_eq!(config.sessions, SessionLimits { min_timeout_ms: 1, max_timeout_ms: 20_000 });
    assert_eq!(config.limits.connections_per_ip, 0);
    assert_eq!(config.limits.connections, 7);
    assert_eq!(config.limits.large_request_bytes, Some(1024));
    assert_eq!(config.limits.sessionless_timeout_ms, 16);
    assert!(!config.storage.force_sync);
    assert_eq!(config.storage.sync_warning_ms, 20);
    assert!(config.auth.skip_acl);
    assert_eq!(config.auth.digest_algorithm, "SHA-256");
    let digest = config.auth.super_digest.as_ref().map(Secret::expose);
    assert_eq!(digest, Some("super:abc="));
    let providers: Vec<_> = config.auth.providers.iter().copied().collect();
    assert_eq!(providers, [AuthProvider::X509, AuthProvider::Ensemble]);
    assert_eq!(config.auth.ensemble_names, ["one", "two"]);
    assert_eq!(config.auth.enforced_schemes, ["digest", "x509"]);
}

#[test]
fn every_other_group_is_filled() {
    let config = World::usual(EVERY_GROUP).config();
    assert!(config.tree.extended_types && config.tree.enforce_quota && !config.tree.digest);
    assert_eq!(config.four_letter.iter().collect::<Vec<_>>(), ["mntr", "ruok", "srvr"]);
    assert!(!config.admin.enabled);
    assert_eq!(config.admin.endpoint, Endpoint::new("127.0.0.1", 0));
    assert_eq!(config.admin.command_url, "/cmd");
    assert_eq!(config.metrics.provider, MetricsProvider::Prometheus);
    assert_eq!(config.metrics.endpoint, Endpoint::any(7070));
    assert_eq!(config.tls.client.values["keyStore.location"], "/keys.p12");
    let password = config.tls.client.key_store_password.as_ref().map(Secret::expose);
    assert_eq!(password, Some("secret"));
    assert!(config.tls.quorum.trust_store_password.is_some());
    assert!(config.audit.enabled);
    assert_eq!(config.notes, Vec::<String>::new());
}

/// Line 3 of an otherwise valid file, and the one complaint about it.
const REFUSALS: &[(&str, &str)] = &[
    ("tickTime=abc", r#"tickTime = "abc": must be a whole number of milliseconds, at least 1"#),
    ("tickTime=0", r#"tickTime = "0": must be a whole number of milliseconds, at least 1"#),
    ("tickTime", r#"tickTime = "": must be a whole number of milliseconds, at least 1"#),
    (
        "tickTime=99999999999999999999",
        "tickTime = \"99999999999999999999\": must be a whole number of milliseconds, from 1 \
             to 2147483647",
    ),
    // Keys of zoo.cfg's own are decimal.
    ("tickTime=0x10", r#"tickTime = "0x10": must be a whole number of milliseconds, at least 1"#),
    (
        "secureClientPort=65536",
        r#"secureClientPort = "65536": must be a whole number, from 0 to 65535"#,
    ),
    (
        "secureClientPortAddress=::1",
        r#"secureClientPortAddress = "::1": needs secureClientPort, which is not set"#,
    ),
    ("clientPortAddress=", r#"clientPortAddress = "": must not be empty"#),
    ("dataLogDir=", r#"dataLogDir = "": must not be empty"#),
    (
        "maxClientCnxns=-2",
        r#"maxClientCnxns = "-2": must be a whole number of connections, at least -1"#,
    ),
    (
        "minSessionTimeout=-2",
        r#"minSessionTimeout = "-2": must be a whole number of milliseconds, at least 0"#,
    ),
    (
        "minSessionTimeout=60001",
        "minSessionTimeout = \"60001\": the smallest session timeout, 60001 ms, is more than \
             the largest, 60000 ms",
    ),
    (
        "maxSessionTimeout=5999",
        "maxSessionTimeout = \"5999\": the smallest session timeout, 6000 ms, is more than \
             the largest, 5999 ms",
    ),
    (
        "jute.maxbuffer=1MB",
        r#"jute.maxbuffer = "1MB": must be a whole number of bytes, at least 1"#,
    ),
    ("localSessionsEnabled=yes", r#"localSessionsEnabled = "yes": must be true or false"#),
    ("standaloneEnabled=", r#"standaloneEnabled = "": must be true or false"#),
    ("electionAlg=2", r#"electionAlg = "2": must be 3, the only election there is"#),
    ("peerType=leader", r#"peerType = "leader": must be participant or observer"#),
    (
        "DigestAuthenticationProvider.digestAlg=MD5",
        "DigestAuthenticationProvider.digestAlg = \"MD5\": must be one of SHA1, SHA-224, \
             SHA-256, SHA-384, SHA-512, SHA-512/224, SHA-512/256, SHA3-224, SHA3-256, SHA3-384, \
             SHA3-512",
    ),
    (
        "enforce.auth.enabled=true",
        "enforce.auth.enabled = \"true\": needs enforce.auth.schemes, a comma separated list \
             of schemes",
    ),
    (
        "sessionRequireClientSASLAuth=true",
        "sessionRequireClientSASLAuth = \"true\": needs the scheme sasl, which has no \
             provider; there are digest, ip",
    ),
    (
        "quorum.auth.learnerRequireSasl=true",
        "quorum.auth.learnerRequireSasl = \"true\": needs quorum.auth.enableSasl=true",
    ),
    (
        "metricsProvider.className=x.Y",
        "metricsProvider.className = \"x.Y\": must be one of \
             org.apache.zookeeper.metrics.impl.DefaultMetricsProvider, \
             org.apache.zookeeper.metrics.impl.NullMetricsProvider, \
             org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider",
    ),
    ("version=xyz", r#"version = "xyz": must be a hexadecimal number"#),
    ("standaloneEnabled=false", r#"standaloneEnabled = "false": needs at least one server.N"#),
    ("a=\\u00g0", r"\u must be followed by four hexadecimal digits"),
];

#[test]
fn every_refusal_says_where_what_and_what_is_allowed() {
    for (line, expected) in REFUSALS {
        assert_eq!(World::usual(line).errors(), [format!("zoo.cfg:3: {expected}")], "{line}");
    }
}

#[test]
fn a_file_without_a_data_directory_or_without_itself() {
    assert_eq!(
        World::cfg("clientPort=2181").errors(),
        ["zoo.cfg: dataDir: must be set: it names the directory for the data"]
    );
    assert_eq!(
        World::cfg("dataDir=\nclientPort=2181").errors(),
        [r#"zoo.cfg:1: dataDir = "": must not be empty"#]
    );
    assert_eq!(World::default().errors(), ["zoo.cfg: cannot be read: entity not found"]);
}

#[test]
fn all_problems_are_reported_together_in_the_order_of_their_places() {
    let world =
        World::cfg("tickTime=x\n\n# comment\ninitLimit=y\nadmin.serverPort=z\nsslQuorum=on")
            .variable("JVMFLAGS", "-Dzookeeper.maxCnxns=-9")
            .flag("clientPort", "http");
    assert_eq!(
        world.errors(),
        [
            "zoo.cfg: dataDir: must be set: it names the directory for the data",
            r#"zoo.cfg:1: tickTime = "x": must be a whole number of milliseconds, at least 1"#,
            r#"zoo.cfg:4: initLimit = "y": must be a whole number of ticks, at least 0"#,
            r#"zoo.cfg:5: admin.serverPort = "z": must be a whole number, from 0 to 65535"#,
            r#"zoo.cfg:6: sslQuorum = "on": must be true or false"#,
            "JVMFLAGS: zookeeper.maxCnxns = \"-9\": must be a whole number of connections, at \
             least -1",
            r#"command line: clientPort = "http": must be a whole number, from 0 to 65535"#,
        ]
    );
}

/// Line 3 of an otherwise valid file, and the one remark about it.
const REMARKS: &[(&str, &str)] = &[
    (
        "autopurge.purgeInterval=1",
        "autopurge.purgeInterval has no meaning here: the log of transactions is cut, sized \
             and trimmed by the server itself",
    ),
    (
        "superUser.2=bob",
        "superUser.2 has no meaning here: SASL authentication is not supported; use the \
             digest or the x509 scheme",
    ),
    (
        "authProvider.2=com.example.Mine",
        "authProvider.2 = \"com.example.Mine\" has no meaning here: Java classes cannot be \
             loaded",
    ),
    ("maxCnxns=", "maxCnxns = \"\" counts as not set"),
    ("=1", "a value without a key has no effect"),
    (
        "jute.maxbuffer=4194304",
        "jute.maxbuffer counts here, though ZooKeeper reads it only as -Djute.maxbuffer=...",
    ),
    ("enforceQuota=yes", "enforceQuota = \"yes\" counts as false: only \"true\" counts as true"),
    ("skipACL=true", "skipACL = \"true\" counts as no: only \"yes\" changes that"),
    ("snapshotSizeFactor=33", "snapshotSizeFactor = \"33\" counts as 1: it must be from 0 to 1"),
    ("commitLogCount=100", "commitLogCount = \"100\" counts as 500, which is the least"),
    ("forceSync=false", "forceSync = \"false\" counts as yes: only \"no\" changes that"),
    ("clientPort=2182", "clientPort = \"2182\" counts; the earlier value, at line 2, does not"),
    (
        "dataLogDir=log",
        "dataLogDir = \"log\" is relative to the directory the server is started in",
    ),
    (
        "4lw.commands.whitelist=ruok, lead",
        "4lw.commands.whitelist = \"ruok, lead\" names lead, and there is no such word",
    ),
    (
        "DigestAuthenticationProvider.superDigest=abc",
        "DigestAuthenticationProvider.superDigest matches nobody: it must be user:digest, \
             such as super:<digest>",
    ),
    (
        "peerType=observer",
        "peerType = \"observer\" has no meaning: the list of servers says \
             participant",
    ),
    ("weight.3=2", "weight.3 = \"2\" has no meaning: there is no server.3"),
];

#[test]
fn what_changes_nothing_or_can_surprise_is_said_once() {
    for (line, expected) in REMARKS {
        let notes = World::usual(line).config().notes;
        assert_eq!(notes, [format!("zoo.cfg:3: {expected}")], "{line}");
    }
}

#[test]
fn unknown_keys_are_warned_of() {
    for (line, expected) in [
        ("tickTme=2000", "tickTme is not known and has no effect; did you mean tickTime?"),
        (
            "throttledOpWaitTime=2",
            "throttledOpWaitTime is not known and has no effect; did you mean \
             throttled_op_wait_time?",
        ),
        ("my.own.key=1", "my.own.key is not known and has no effect"),
    ] {
        let config = World::usual(line).config();
        assert_eq!(config.warnings, [format!("zoo.cfg:3: {expected}")], "{line}");
        assert_eq!(config.notes, Vec::<String>::new(), "{line}");
    }
}

#[test]
fn a_server_without_a_client_port_gets_the_usual_one() {
    let config = World::cfg("dataDir=/data").config();
    assert_eq!(config.client.plain, Some(Endpoint::any(2181)));
    assert_eq!(config.notes, ["zoo.cfg: no client port is set, so clients connect to 2181"]);
    let config = World::cfg("dataDir=/data\nsecureClientPort=2281").config();
    assert_eq!(config.client.plain, None);
    assert_eq!(config.client.secure, Some(Endpoint::any(2281)));
}

#[test]
fn later_sources_win() {
    let file = "tickTime=1000\nskipACL=yes\nmaxClientCnxns=5\n";
    let world = World::usual(file);
    assert_eq!(world.config().tick_time_ms, 1000);

    let world = world
        .variable("KAFKA_OPTS", "-Dzookeeper.4lw.commands.whitelist=ruok -Dzookeeper.maxCnxns=1")
        .variable("SERVER_JVMFLAGS", "-Xmx1g -Dzookeeper.maxCnxns=2 -Djute.maxbuffer=0xfffff0")
        .variable("JVMFLAGS", "-Dzookeeper.maxCnxns=3 '-Dzookeeper.skipACL=no' -Duser.name=x");
    let config = world.config();
    assert_eq!(config.limits.connections, 3);
    assert_eq!(config.limits.frame_bytes, 0xff_fff0);
    assert!(!config.auth.skip_acl);
    assert!(config.four_letter.is_enabled("ruok"));
    let variable = |place, name: &str| Origin::Environment(place, name.to_owned());
    assert_eq!(config.origin("maxCnxns"), Some(&variable(2, "JVMFLAGS")));
    assert_eq!(config.origin("jute.maxbuffer"), Some(&variable(1, "SERVER_JVMFLAGS")));
    assert_eq!(config.origin("tickTime"), Some(&Origin::File("zoo.cfg".into(), Some(3))));
    assert_eq!(config.origin("syncLimit"), None);
    assert_eq!(
        config.notes,
        [
            "SERVER_JVMFLAGS: -Xmx1g has no meaning here: Zabra is not a Java program",
            "JVMFLAGS: zookeeper.skipACL = \"no\" counts; zoo.cfg:4 says otherwise",
            "JVMFLAGS: -Duser.name has no meaning here: Zabra is not a Java program",
        ]
    );

    let config = world.flag("tickTime", "500").flag("zookeeper.maxCnxns", "4").config();
    assert_eq!(config.tick_time_ms, 500);
    assert_eq!(config.limits.connections, 4);
    assert_eq!(config.limits.connections_per_ip, 5);
}

#[test]
fn a_property_of_the_environment_needs_its_prefix_or_a_known_name() {
    let config = World::usual("")
        .variable("JVMFLAGS", "-Dzookeeper.skpACL=yes -Dreadonlymode.enabled=true")
        .config();
    assert!(config.read_only_mode);
    assert_eq!(config.four_letter.iter().collect::<Vec<_>>(), ["isro", "srvr"]);
    assert_eq!(
        config.warnings,
        ["JVMFLAGS: zookeeper.skpACL is not known and has no effect; did you mean skipACL?"]
    );
}

#[test]
fn arguments_as_zookeepers_standalone_main_takes_them() {
    let load = |arguments: &[&str]| {
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.into()).collect();
        let sources = Sources::arguments(&arguments).map_err(|error| error.to_string())?;
        World::default().load_from(sources)
    };
    let config = load(&["2182", "/data"]).expect("two arguments are enough");
    assert_eq!(config.client.plain, Some(Endpoint::any(2182)));
    assert_eq!(config.storage.data_dir, Path::new("/data"));
    assert_eq!((config.tick_time_ms, config.limits.connections_per_ip), (3000, 0));
    let config = load(&["2182", "/data", "500", "9"]).expect("four arguments are allowed");
    assert_eq!((config.tick_time_ms, config.limits.connections_per_ip), (500, 9));

    let form = "command line: must be a configuration file, or port datadir [ticktime] \
         [maxcnxns], not";
    assert_eq!(load(&["2181"]), Err(format!("{form} 1 arguments")));
    assert_eq!(load(&["1", "2", "3", "4", "5"]), Err(format!("{form} 5 arguments")));
    let expected = "command line: clientPort = \"x\": must be a whole number, from 0 to 65535";
    assert_eq!(load(&["x", "/data"]), Err(expected.to_owned()));
}

#[test]
fn secrets_are_never_shown() {
    let secrets = "zookeeper.DigestAuthenticationProvider.superDigest=super:s3cret\n\
         ssl.keyStore.password=s3cret\n\
         ssl.quorum.trustStore.password=s3cret\n\
         SASLAuthenticationProvider.superPassword=s3cret\n\
         my.password=s3cret\n\
         other.key=s3cret\n";
    let world = World::usual(secrets)
        .variable("JVMFLAGS", "-Djavax.net.ssl.keyStorePassword=s3cret -Dzookeeper.x=s3cret");
    let shown = format!("{:?} {:?}", world.config(), Sources::file("a").with_flag("b", "s3cret"));
    assert!(!shown.contains("s3cret"), "{shown}");
    let error = World::usual(&format!("{secrets}tickTime=0\n")).load();
    assert!(error.is_err_and(|error| !error.contains("s3cret")));
}

#[test]
fn both_spellings_of_a_key_are_one_key() {
    let config = World::usual("zookeeper.skipACL=yes\nzookeeper.tickTime=700\n").config();
    assert!(config.auth.skip_acl);
    assert_eq!(config.tick_time_ms, 700);
    let config = World::usual("zookeeper.jute.maxbuffer=10\n").config();
    assert_eq!(config.limits.frame_bytes, 10);
}

#[test]
fn a_path_may_have_any_letters() {
    let utf_8 = World::default().file("zoo.cfg", "dataDir=/donn\u{e9}es\nclientPort=1".as_bytes());
    assert_eq!(utf_8.config().storage.data_dir, Path::new("/donn\u{e9}es"));
    let latin_1 = World::default().file("zoo.cfg", b"dataDir=/donn\xe9es\nclientPort=1");
    assert_eq!(latin_1.config().storage.data_dir, Path::new("/donn\u{e9}es"));
}

#[test]
fn files_are_read_from_the_disk() {
    let dir = std::env::temp_dir().join(format!("zabra-config-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a directory for the test");
    let path = dir.join("zoo.cfg");
    let text = format!("dataDir={}\nclientPort=2199\n", dir.display());
    std::fs::write(&path, text).expect("a file for the test");
    std::fs::write(dir.join("myid"), "3\n").expect("a file for the test");
    let config = Config::load(&Sources::file(&path));
    std::fs::remove_dir_all(&dir).expect("the directory is still there");
    let config = config.expect("the configuration is valid");
    assert_eq!(config.my_id, Some(3));
    assert_eq!(config.client.plain, Some(Endpoint::any(2199)));
}
