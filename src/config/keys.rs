//! Every key that ZooKeeper 3.9 knows, and what becomes of it here.
//!
//! The one table to look at for "is this key honoured?". A key that is [`Fate::Used`] has a field
//! in `Config`; any other is accepted, and one note says why it changes nothing.

/// How ZooKeeper comes to know a key, which decides how strictly its value is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Read from `zoo.cfg` by name (`QuorumPeerConfig`). Numbers are decimal, booleans are
    /// strictly true or false.
    File,
    /// The system property `zookeeper.KEY`; `zoo.cfg` may set it without the prefix. Numbers may
    /// be hexadecimal or octal, and a boolean that is not "true" is false, as in Java.
    Property,
    /// A system property without prefix. ZooKeeper ignores it in `zoo.cfg`; here it counts.
    Bare,
}

/// What becomes of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It fills a field of `Config`.
    Used,
    /// It changes nothing, for this reason.
    Unused(&'static str),
}

/// What is known of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) kind: Kind,
    pub(super) fate: Fate,
    /// Whether the value must not appear in messages.
    pub(super) secret: bool,
}

type Row = (&'static str, Kind, Fate);

const fn file(name: &'static str) -> Row {
    (name, Kind::File, Fate::Used)
}

const fn property(name: &'static str) -> Row {
    (name, Kind::Property, Fate::Used)
}

const fn bare(name: &'static str) -> Row {
    (name, Kind::Bare, Fate::Used)
}

const fn unused(name: &'static str, reason: &'static str) -> Row {
    (name, Kind::Property, Fate::Unused(reason))
}

const JVM: &str = "Zabra is not a Java program and has no garbage collector to watch";
const NO_SNAPSHOTS: &str = "Zabra keeps its tree in a database and writes no snapshot files";
const LOG: &str = "the log of transactions is cut, sized and trimmed by the server itself";
const GROUPING: &str = "writes that wait while the disk is busy go to it together, without delay";
const NETWORK: &str = "one network layer serves all connections, and sizes itself";
const WATCHES: &str = "there is one watch table, which drops a closed connection's watches at once";
const CACHE: &str = "replies are made straight from memory, so no cache is needed";
const PIPELINE: &str = "requests do not pass through ZooKeeper's chain of processors";
const TOKENS: &str = "connections are not throttled by tokens; use maxCnxns and maxClientCnxns";
const THROTTLE: &str = "requests are not queued before they are read; use globalOutstandingLimit";
const SASL: &str = "SASL authentication is not supported; use the digest or the x509 scheme";
const PEERS: &str = "links between servers are asynchronous and never wait for a slow peer";
const STATS: &str = "requests are not counted by path";
const CLIENT: &str = "it configures a client, not a server";
const ALWAYS: &str = "Zabra always does what the default of this key says";
const CLASSES: &str = "Java classes cannot be loaded";
const EXPORTER: &str = "the exporter needs no such setting";

/// Keys with one spelling, in the order of ZooKeeper's own documentation.
const KEYS: &[Row] = &[
    // Read from the file by name.
    file("dataDir"),
    file("dataLogDir"),
    file("tickTime"),
    file("clientPort"),
    file("clientPortAddress"),
    file("secureClientPort"),
    file("secureClientPortAddress"),
    file("clientPortListenBacklog"),
    file("maxClientCnxns"),
    file("minSessionTimeout"),
    file("maxSessionTimeout"),
    file("localSessionsEnabled"),
    file("localSessionsUpgradingEnabled"),
    file("initLimit"),
    file("syncLimit"),
    file("connectToLearnerMasterLimit"),
    file("electionAlg"),
    file("quorumListenOnAllIPs"),
    file("peerType"),
    file("syncEnabled"),
    file("observerMasterPort"),
    file("dynamicConfigFile"),
    file("version"),
    file("standaloneEnabled"),
    file("reconfigEnabled"),
    file("oraclePath"),
    file("sslQuorum"),
    file("portUnification"),
    file("sslQuorumReloadCertFiles"),
    file("quorum.auth.enableSasl"),
    file("quorum.auth.serverRequireSasl"),
    file("quorum.auth.learnerRequireSasl"),
    file("multiAddress.enabled"),
    file("multiAddress.reachabilityCheckTimeoutMs"),
    file("multiAddress.reachabilityCheckEnabled"),
    file("metricsProvider.className"),
    file("metricsProvider.httpHost"),
    file("metricsProvider.httpPort"),
    unused(
        "metricsProvider.httpsPort",
        "metrics are served without TLS; use metricsProvider.httpPort",
    ),
    unused("metricsProvider.exportJvmInfo", JVM),
    unused("metricsProvider.numWorkerThreads", EXPORTER),
    unused("metricsProvider.maxQueueSize", EXPORTER),
    unused("metricsProvider.workerShutdownTimeoutMs", EXPORTER),
    unused("metricsProvider.prometheusMetricsSummaryRotateIntervalSeconds", EXPORTER),
    unused("autopurge.snapRetainCount", NO_SNAPSHOTS),
    unused("autopurge.purgeInterval", LOG),
    unused("quorum.auth.learner.saslLoginContext", SASL),
    unused("quorum.auth.server.saslLoginContext", SASL),
    unused("quorum.auth.kerberos.servicePrincipal", SASL),
    unused("quorum.cnxn.threads.size", PEERS),
    unused("jvm.pause.monitor", JVM),
    unused("jvm.pause.sleep.time.ms", JVM),
    unused("jvm.pause.warn-threshold.ms", JVM),
    unused("jvm.pause.info-threshold.ms", JVM),
    // Storage.
    property("forceSync"),
    property("fsync.warningthresholdms"),
    property("datadir.autocreate"),
    property("db.autocreate"),
    property("snapshot.trust.empty"),
    property("digest.enabled"),
    unused("preAllocSize", LOG),
    unused("snapCount", NO_SNAPSHOTS),
    unused("snapSizeLimitInKb", NO_SNAPSHOTS),
    unused("txnLogSizeLimitInKb", LOG),
    property("commitLogCount"),
    property("snapshotSizeFactor"),
    unused("snapshot.compression.method", NO_SNAPSHOTS),
    unused("serializeLastProcessedZxid.enabled", NO_SNAPSHOTS),
    unused("closeSessionTxn.enabled", ALWAYS),
    unused("flushDelay", GROUPING),
    unused("maxWriteQueuePollTime", GROUPING),
    unused("maxBatchSize", GROUPING),
    unused("intBufferStartingSizeBytes", PIPELINE),
    unused("traceFile", "no version since 3.5 reads it"),
    // Requests and connections.
    bare("jute.maxbuffer"),
    property("maxCnxns"),
    property("globalOutstandingLimit"),
    property("largeRequestThreshold"),
    property("largeRequestMaxBytes"),
    property("nio.sessionlessCnxnTimeout"),
    property("clientTcpKeepAlive"),
    property("client.portUnification"),
    unused("jute.maxbuffer.extrasize", "jute.maxbuffer limits clients only, so no extra is needed"),
    unused("request_throttle_max_requests", THROTTLE),
    unused("request_throttle_stall_time", THROTTLE),
    unused("request_throttle_drop_stale", THROTTLE),
    unused("request_stale_connection_check", THROTTLE),
    unused("request_stale_latency_check", THROTTLE),
    unused("request_throttler.shutdownTimeout", THROTTLE),
    unused("throttled_op_wait_time", THROTTLE),
    unused("connection_throttle_tokens", TOKENS),
    unused("connection_throttle_fill_time", TOKENS),
    unused("connection_throttle_fill_count", TOKENS),
    unused("connection_throttle_freeze_time", TOKENS),
    unused("connection_throttle_drop_increase", TOKENS),
    unused("connection_throttle_drop_decrease", TOKENS),
    unused("connection_throttle_decrease_ratio", TOKENS),
    unused("connection_throttle_weight_enabled", TOKENS),
    unused("connection_throttle_global_session_weight", TOKENS),
    unused("connection_throttle_renew_session_weight", TOKENS),
    unused("connection_throttle_local_session_weight", TOKENS),
    unused("maxResponseCacheSize", CACHE),
    unused("maxGetChildrenResponseCacheSize", CACHE),
    unused("serverCnxnFactory", NETWORK),
    unused("nio.numSelectorThreads", NETWORK),
    unused("nio.numWorkerThreads", NETWORK),
    unused("nio.directBufferBytes", NETWORK),
    unused("nio.shutdownTimeout", NETWORK),
    unused("netty.server.outstandingHandshake.limit", NETWORK),
    unused("netty.server.earlyDropSecureConnectionHandshakes", NETWORK),
    unused("netty.advancedFlowControl.enabled", NETWORK),
    unused("commitProcessor.numWorkerThreads", PIPELINE),
    unused("commitProcessor.maxReadBatchSize", PIPELINE),
    unused("commitProcessor.maxCommitBatchSize", PIPELINE),
    unused("commitProcessor.shutdownTimeout", PIPELINE),
    unused("watchManagerName", WATCHES),
    unused("watcherCleanThreadsNum", WATCHES),
    unused("watcherCleanThreshold", WATCHES),
    unused("watcherCleanIntervalInSeconds", WATCHES),
    unused("maxInProcessingDeadWatchers", WATCHES),
    unused("bitHashCacheSize", WATCHES),
    unused("pathStats.enabled", STATS),
    unused("pathStats.slotCapacity", STATS),
    unused("pathStats.slotDuration", STATS),
    unused("pathStats.maxDepth", STATS),
    unused("pathStats.initialDelay", STATS),
    unused("pathStats.delay", STATS),
    unused("pathStats.topPathMax", STATS),
    unused("pathStats.sampleRate", STATS),
    // The tree.
    property("extendedTypesEnabled"),
    property("emulate353TTLNodes"),
    property("enforceQuota"),
    bare("znode.container.checkIntervalMs"),
    bare("znode.container.maxPerMinute"),
    bare("znode.container.maxNeverUsedIntervalMs"),
    bare("readonlymode.enabled"),
    // Authentication and permissions.
    property("skipACL"),
    property("DigestAuthenticationProvider.enabled"),
    property("DigestAuthenticationProvider.superDigest"),
    property("DigestAuthenticationProvider.digestAlg"),
    property("X509AuthenticationProvider.superUser"),
    property("ensembleAuthName"),
    property("sessionRequireClientSASLAuth"),
    property("enforce.auth.enabled"),
    property("enforce.auth.schemes"),
    property("audit.enable"),
    // Keys of this server's own.
    property("audit.file"),
    property("audit.format"),
    property("request.warningthresholdms"),
    unused("audit.impl.class", "the audit log is written by the server itself"),
    unused("enableEagerACLCheck", "permissions are checked once, where the transaction is made"),
    unused("IPAuthenticationProvider.usexforwardedfor", "client addresses are taken from sockets"),
    unused("SASLAuthenticationProvider.superPassword", SASL),
    unused("superUser", SASL),
    unused("allowSaslFailedClients", SASL),
    unused("letAnySaslUserDoX", SASL),
    unused("sasl.serverconfig", SASL),
    unused("kerberos.removeHostFromPrincipal", SASL),
    unused("kerberos.removeRealmFromPrincipal", SASL),
    unused("kerberos.canonicalizeHostNames", SASL),
    unused("kerberos.minReLoginTimeMs", SASL),
    unused("kinit", SASL),
    unused("security.auth_to_local", SASL),
    unused("requireKerberosConfig", SASL),
    unused("server.principal", SASL),
    unused("server.realm", SASL),
    ("java.security.auth.login.config", Kind::Bare, Fate::Unused(SASL)),
    // Administration.
    property("4lw.commands.whitelist"),
    property("admin.enableServer"),
    property("admin.serverAddress"),
    property("admin.serverPort"),
    property("admin.idleTimeout"),
    property("admin.commandURL"),
    property("admin.portUnification"),
    property("admin.forceHttps"),
    property("admin.needClientAuth"),
    property("admin.rateLimiterIntervalInMS"),
    property("admin.snapshot.enabled"),
    property("admin.restore.enabled"),
    unused("admin.httpVersion", "the version of HTTP is agreed on with each client"),
    unused("controllerPort", "the controller is a part of ZooKeeper's own tests"),
    unused("jmx.log4j.disable", JVM),
    unused("jmx.log4j.mbean", JVM),
    unused("log.dir", "the log goes to the standard error output"),
    unused("log.file", "the log goes to the standard error output"),
    unused("root.logger", "the log goes to the standard error output"),
    unused("console.threshold", "the log goes to the standard error output"),
    // Election and links between servers.
    property("cnxTimeout"),
    property("quorumCnxnTimeoutMs"),
    property("tcpKeepAlive"),
    property("electionPortBindRetry"),
    property("fastleader.minNotificationInterval"),
    property("fastleader.maxNotificationInterval"),
    property("leaderServes"),
    property("leader.maxTimeToWaitForEpoch"),
    property("leader.maxConcurrentSnapSyncs"),
    property("leader.maxConcurrentDiffSyncs"),
    property("leaderConnectDelayDuringRetryMs"),
    property("forceSnapshotSync"),
    property("observer.reconnectDelayMs"),
    property("observer.election.DelayMs"),
    property("observer.syncEnabled"),
    unused("observerMaster.sizeLimit", "observers are sent what they lack from the log"),
    unused("leader.ackLoggingFrequency", "slow acknowledgements show in the metrics"),
    unused("leader.closeSocketAsync", PEERS),
    unused("learner.closeSocketAsync", PEERS),
    unused("learner.asyncSending", PEERS),
    ("follower.nodelay", Kind::Bare, Fate::Unused(ALWAYS)),
    ("leader.nodelay", Kind::Bare, Fate::Unused(ALWAYS)),
    unused("follower.skipLearnerRequestToNextProcessor", PIPELINE),
    unused("forward_learner_requests_to_commit_processor_disabled", PIPELINE),
    unused("messageTracker.Enabled", "messages between servers are not recorded"),
    unused("messageTracker.BufferSize", "messages between servers are not recorded"),
    // TLS, besides the families below.
    property("client.certReload"),
    property("ssl.authProvider"),
    unused("ssl.context.supplier.class", CLASSES),
    unused("ssl.quorum.context.supplier.class", CLASSES),
    unused("fips-mode", "it selects Java's security providers"),
    unused("ssl.sslProvider", "it selects one of Java's implementations of TLS"),
    // Clients share a few properties with servers.
    unused("clientCnxnSocket", CLIENT),
    unused("client.secure", CLIENT),
    unused("disableAutoWatchReset", CLIENT),
    unused("request.timeout", CLIENT),
    unused("sasl.client", CLIENT),
    unused("sasl.client.username", CLIENT),
    unused("sasl.client.canonicalize.hostname", CLIENT),
    unused("sasl.clientconfig", CLIENT),
];

/// The keys below `ssl.` for clients and below `ssl.quorum.` for the links between servers.
pub(super) const TLS_KEYS: &[&str] = &[
    "protocol",
    "enabledProtocols",
    "ciphersuites",
    "keyStore.location",
    "keyStore.password",
    "keyStore.passwordPath",
    "keyStore.type",
    "trustStore.location",
    "trustStore.password",
    "trustStore.passwordPath",
    "trustStore.type",
    "hostnameVerification",
    "clientHostnameVerification",
    "allowReverseDnsLookup",
    "crl",
    "ocsp",
    "clientAuth",
    "handshakeDetectionTimeoutMillis",
];

/// The prefixes of [`TLS_KEYS`].
pub(super) const TLS_PREFIXES: [&str; 2] = ["ssl.", "ssl.quorum."];

/// Keys with a number or a name after a prefix.
const FAMILIES: &[Row] = &[
    file("server."),
    file("group."),
    file("weight."),
    property("authProvider."),
    unused("superUser.", SASL),
    unused("metricsProvider.ssl.", "metrics are served without TLS"),
];

/// Names that ZooKeeper's documentation uses for keys which it reads by another one.
const DOCUMENTED_NAMES: &[(&str, &str)] = &[
    ("connectionMaxTokens", "connection_throttle_tokens"),
    ("connectionTokenFillTime", "connection_throttle_fill_time"),
    ("connectionTokenFillCount", "connection_throttle_fill_count"),
    ("connectionFreezeTime", "connection_throttle_freeze_time"),
    ("connectionDropIncrease", "connection_throttle_drop_increase"),
    ("connectionDropDecrease", "connection_throttle_drop_decrease"),
    ("connectionDecreaseRatio", "connection_throttle_decrease_ratio"),
    ("requestThrottleLimit", "request_throttle_max_requests"),
    ("requestThrottleStallTime", "request_throttle_stall_time"),
    ("requestThrottleDropStale", "request_throttle_drop_stale"),
    ("requestStaleLatencyCheck", "request_stale_latency_check"),
    ("requestStaleConnectionCheck", "request_stale_connection_check"),
    ("throttledOpWaitTime", "throttled_op_wait_time"),
    ("advancedFlowControlEnabled", "netty.advancedFlowControl.enabled"),
    ("outstandingHandshake.limit", "netty.server.outstandingHandshake.limit"),
    ("maxConcurrentSnapSyncs", "leader.maxConcurrentSnapSyncs"),
    ("maxConcurrentDiffSyncs", "leader.maxConcurrentDiffSyncs"),
    ("maxTimeToWaitForEpoch", "leader.maxTimeToWaitForEpoch"),
    ("authProvider", "authProvider.1"),
    ("superDigest", "DigestAuthenticationProvider.superDigest"),
];

/// What is known of a key without the prefix `zookeeper.`; none if it is unknown.
pub(super) fn find(name: &str) -> Option<Known> {
    let row = KEYS.iter().find(|(known, ..)| *known == name);
    let row = row.or_else(|| FAMILIES.iter().find(|(prefix, ..)| is_member(name, prefix)));
    let (kind, fate) = match row {
        Some((_, kind, fate)) => (*kind, *fate),
        None if is_tls(name) => (Kind::Property, Fate::Used),
        None => return None,
    };
    Some(Known { kind, fate, secret: is_secret(name) })
}

/// Whether a key that could belong to a family is one of its own: `server.principal`.
pub(super) fn is_exact(name: &str) -> bool {
    KEYS.iter().any(|(known, ..)| *known == name)
}

fn is_member(name: &str, prefix: &str) -> bool {
    name.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty())
}

fn is_tls(name: &str) -> bool {
    let is_suffix = |suffix: &str| TLS_KEYS.contains(&suffix);
    TLS_PREFIXES.into_iter().any(|prefix| name.strip_prefix(prefix).is_some_and(is_suffix))
}

/// Whether messages must keep silent about the value. Unknown keys are judged by their name too.
pub(super) fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.ends_with("password") || name.ends_with("superdigest")
}

/// Every known key that is not one of a family.
pub(super) fn names() -> impl Iterator<Item = String> {
    let tls = TLS_PREFIXES
        .iter()
        .flat_map(|prefix| TLS_KEYS.iter().map(move |suffix| format!("{prefix}{suffix}")));
    KEYS.iter().map(|(name, ..)| (*name).to_owned()).chain(tls)
}

/// The known key that an unknown one is most like; none if none is near.
pub(super) fn nearest(unknown: &str) -> Option<String> {
    if let Some((_, key)) = DOCUMENTED_NAMES.iter().find(|(name, _)| *name == unknown) {
        return Some((*key).to_owned());
    }
    let families = FAMILIES.iter().map(|(prefix, ..)| format!("{prefix}1"));
    let wanted = unknown.to_ascii_lowercase();
    let allowed = (unknown.chars().count() / 3).max(2);
    names()
        .chain(families)
        .map(|key| (distance(&wanted, &key.to_ascii_lowercase()), key))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, key)| key)
}

/// How many characters must be inserted, deleted or replaced to make one text of the other.
fn distance(from: &str, to: &str) -> usize {
    // A key is short; an absurdly long one is like nothing, and must not cost quadratic time.
    const LONGEST: usize = 80;
    let to: Vec<char> = to.chars().collect();
    if from.len() > LONGEST {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (index, c) in from.chars().enumerate() {
        let mut diagonal = index;
        row[0] = index + 1;
        for (column, wanted) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(c != *wanted);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
pub(super) fn used_keys() -> impl Iterator<Item = &'static str> {
    KEYS.iter().filter(|(.., fate)| *fate == Fate::Used).map(|(name, ..)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_stands_twice_in_the_table() {
        for (index, (name, ..)) in KEYS.iter().enumerate() {
            assert!(KEYS[..index].iter().all(|(other, ..)| other != name), "{name}");
        }
    }

    #[test]
    fn keys_are_found_by_name_family_and_tls_suffix() {
        let used = |kind| Some((kind, Fate::Used, false));
        let table = [
            ("tickTime", used(Kind::File)),
            ("skipACL", used(Kind::Property)),
            ("jute.maxbuffer", used(Kind::Bare)),
            ("server.1", used(Kind::File)),
            ("server.", None),
            ("server.principal", Some((Kind::Property, Fate::Unused(SASL), false))),
            ("authProvider.sasl", used(Kind::Property)),
            ("superUser.7", Some((Kind::Property, Fate::Unused(SASL), false))),
            ("ssl.keyStore.password", Some((Kind::Property, Fate::Used, true))),
            ("ssl.quorum.ciphersuites", used(Kind::Property)),
            ("ssl.quorum.nonsense", None),
            ("ticktime", None),
            ("", None),
        ];
        for (name, expected) in table {
            let found = find(name).map(|known| (known.kind, known.fate, known.secret));
            assert_eq!(found, expected, "{name}");
        }
    }

    #[test]
    fn the_nearest_key_is_suggested() {
        let table = [
            ("ticktime", Some("tickTime")),
            ("tickTme", Some("tickTime")),
            ("maxClientConns", Some("maxClientCnxns")),
            ("server1", Some("server.1")),
            ("connectionMaxTokens", Some("connection_throttle_tokens")),
            ("ssl.quorum.keystore.location", Some("ssl.quorum.keyStore.location")),
            ("4lw.command.whitelist", Some("4lw.commands.whitelist")),
            ("completely.different", None),
            ("x", None),
            ("", None),
        ];
        for (name, expected) in table {
            assert_eq!(nearest(name).as_deref(), expected, "{name}");
        }
        assert_eq!(nearest(&"k".repeat(100_000)), None);
    }

    #[test]
    fn distance_counts_single_changes() {
        for (from, to, expected) in [("", "", 0), ("", "ab", 2), ("abc", "axc", 1), ("ab", "b", 1)]
        {
            assert_eq!(distance(from, to), expected, "{from} {to}");
        }
    }
}
