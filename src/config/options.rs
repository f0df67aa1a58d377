//! What a configuration says, in groups: plain data, with ZooKeeper's key beside each field.
//!
//! Knows nothing of the modules that obey it. All times are milliseconds.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use super::secret::Secret;

/// A host, by name or by number, and a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    /// A name, an IPv4 address or an IPv6 address without brackets.
    pub host: String,
    /// 0 lets the system choose, where one listens.
    pub port: u16,
}

impl Endpoint {
    /// The host that stands for every address of this machine.
    pub const ANY_HOST: &'static str = "0.0.0.0";

    /// An endpoint.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port }
    }

    /// Every address of this machine.
    pub fn any(port: u16) -> Self {
        Self::new(Self::ANY_HOST, port)
    }

    /// Whether it means every address of this machine. As in Java, that includes the IPv6
    /// addresses even where it is written `0.0.0.0`.
    pub fn is_any(&self) -> bool {
        matches!(self.host.as_str(), Self::ANY_HOST | "::" | "0:0:0:0:0:0:0:0")
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", bracketed(&self.host), self.port)
    }
}

/// A host as it stands before a colon: an IPv6 address in brackets.
pub(super) fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

/// Where clients connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientPorts {
    /// `clientPort` and `clientPortAddress`, or the own entry in the list of servers. None only
    /// if `secure` is set.
    pub plain: Option<Endpoint>,
    /// `secureClientPort` and `secureClientPortAddress`, or the own entry in the list of servers.
    pub secure: Option<Endpoint>,
    /// `clientPortListenBacklog`; none (-1) leaves it to the server.
    pub backlog: Option<u32>,
    /// `clientTcpKeepAlive`, false.
    pub tcp_keep_alive: bool,
    /// `client.portUnification`, false: the plain port takes TLS as well.
    pub port_unification: bool,
}

/// What one client, or all of them, may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `maxClientCnxns`, 60: connections from one IP address; 0 is no limit.
    pub connections_per_ip: u32,
    /// `maxCnxns`, 0: connections in all; 0 is no limit.
    pub connections: u32,
    /// `jute.maxbuffer`, 1,048,575: bytes in a frame from a client.
    pub frame_bytes: u32,
    /// `globalOutstandingLimit`, 1000: requests in work before busy connections are not read.
    pub outstanding_requests: u32,
    /// `largeRequestThreshold`, none (-1): bytes from which on a request counts as large.
    pub large_request_bytes: Option<u32>,
    /// `largeRequestMaxBytes`, 104,857,600: bytes of large requests in work.
    pub large_requests_bytes: u32,
    /// `nio.sessionlessCnxnTimeout`, 10,000: how long a connection may take to open a session.
    pub sessionless_timeout_ms: u32,
    /// `request.warningthresholdms`, 1000: a slower request is worth a line in the log; 0 is none.
    /// No key of ZooKeeper's.
    pub slow_request_ms: u64,
}

/// The range of session timeouts that a client can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionLimits {
    /// `minSessionTimeout`, 2 ticks.
    pub min_timeout_ms: i32,
    /// `maxSessionTimeout`, 20 ticks; never less than the minimum.
    pub max_timeout_ms: i32,
}

/// Where and how data is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storage {
    /// `dataDir`.
    pub data_dir: PathBuf,
    /// `dataLogDir`; the same as `data_dir` unless it is set.
    pub log_dir: PathBuf,
    /// `forceSync`, yes: a write is on the disk before it is acknowledged.
    pub force_sync: bool,
    /// `fsync.warningthresholdms`, 1000: a slower sync is worth a warning.
    pub sync_warning_ms: u64,
    /// `datadir.autocreate`, true: missing directories are made.
    pub create_dirs: bool,
    /// `db.autocreate`, true: a server without data starts with an empty tree. False makes that
    /// depend on the file `initialize` in the data directory.
    pub create_database: bool,
    /// `snapshot.trust.empty`, false: take over an Apache ZooKeeper server's log that comes without
    /// a snapshot, as if it began with the first transaction ever.
    pub trust_empty_snapshot: bool,
}

/// What the tree allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeSettings {
    /// `extendedTypesEnabled`, false: znodes with a time to live.
    pub extended_types: bool,
    /// `emulate353TTLNodes`, false: read times to live as 3.5.3 wrote them.
    pub emulate_353_ttl: bool,
    /// `enforceQuota`, false: hard quotas refuse changes.
    pub enforce_quota: bool,
    /// `digest.enabled`, true.
    pub digest: bool,
    /// Removal of containers and of znodes whose time is over.
    pub containers: Containers,
}

/// When container and TTL znodes are removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Containers {
    /// `znode.container.checkIntervalMs`, 60,000.
    pub check_interval_ms: u32,
    /// `znode.container.maxPerMinute`, 10,000.
    pub max_per_minute: u32,
    /// `znode.container.maxNeverUsedIntervalMs`, 0: the age at which a container that never had a
    /// child is removed; 0 is never.
    pub max_never_used_ms: i64,
}

/// Who is believed to be whom, and who may do everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthSettings {
    /// `skipACL`, no: every permission is granted.
    pub skip_acl: bool,
    /// `DigestAuthenticationProvider.enabled`, true.
    pub digest_enabled: bool,
    /// `DigestAuthenticationProvider.digestAlg`, SHA1: one of [`DIGEST_ALGORITHMS`].
    pub digest_algorithm: &'static str,
    /// `DigestAuthenticationProvider.superDigest`: `user:digest`.
    pub super_digest: Option<Secret>,
    /// `X509AuthenticationProvider.superUser`: a distinguished name.
    pub x509_super_user: Option<String>,
    /// `ensembleAuthName`: names a client may call this ensemble by; empty accepts any.
    pub ensemble_names: Vec<String>,
    /// `authProvider.*`: ZooKeeper's own providers that are switched on besides ip and digest.
    pub providers: BTreeSet<AuthProvider>,
    /// `enforce.auth.schemes` if `enforce.auth.enabled`, or sasl if `sessionRequireClientSASLAuth`:
    /// a connection must have an identity of one of these. Empty enforces nothing.
    pub enforced_schemes: Vec<String>,
}

/// The digests that `DigestAuthenticationProvider.digestAlg` can name, spelt as here.
pub const DIGEST_ALGORITHMS: [&str; 11] = [
    "SHA1",
    "SHA-224",
    "SHA-256",
    "SHA-384",
    "SHA-512",
    "SHA-512/224",
    "SHA-512/256",
    "SHA3-224",
    "SHA3-256",
    "SHA3-384",
    "SHA3-512",
];

/// An authentication provider of ZooKeeper's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AuthProvider {
    /// `DigestAuthenticationProvider`.
    Digest,
    /// `IPAuthenticationProvider`.
    Ip,
    /// `X509AuthenticationProvider`.
    X509,
    /// `SASLAuthenticationProvider`.
    Sasl,
    /// `EnsembleAuthenticationProvider`.
    Ensemble,
}

impl AuthProvider {
    /// The scheme it is responsible for.
    pub const fn scheme(self) -> &'static str {
        match self {
            Self::Digest => "digest",
            Self::Ip => "ip",
            Self::X509 => "x509",
            Self::Sasl => "sasl",
            Self::Ensemble => "ensemble",
        }
    }
}

/// The four-letter words that are answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FourLetterWords {
    enabled: BTreeSet<String>,
}

impl FourLetterWords {
    /// Every word there is.
    pub const ALL: [&'static str; 18] = [
        "conf", "cons", "crst", "dirs", "dump", "envi", "gtmk", "hash", "isro", "mntr", "ruok",
        "srst", "srvr", "stat", "stmk", "wchc", "wchp", "wchs",
    ];

    /// `4lw.commands.whitelist`: these words, or all of them if one is `*`. `srvr` is always
    /// enabled, because `zkServer.sh status` needs it, and `isro` on a server that can be
    /// read-only.
    pub(super) fn new(words: &[String], read_only_mode: bool) -> Self {
        let mut enabled: BTreeSet<String> = words.iter().cloned().collect();
        if enabled.remove("*") {
            enabled.extend(Self::ALL.map(str::to_owned));
        }
        enabled.insert("srvr".to_owned());
        if read_only_mode {
            enabled.insert("isro".to_owned());
        }
        Self { enabled }
    }

    /// Whether this word is answered.
    pub fn is_enabled(&self, word: &str) -> bool {
        self.enabled.contains(word)
    }

    /// The words that are answered, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.enabled.iter().map(String::as_str)
    }
}

/// The HTTP server for administration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// `admin.enableServer`, true.
    pub enabled: bool,
    /// `admin.serverAddress` 0.0.0.0 and `admin.serverPort` 8080.
    pub endpoint: Endpoint,
    /// `admin.idleTimeout`, 30,000.
    pub idle_timeout_ms: u32,
    /// `admin.commandURL`, `/commands`: without a slash at its end.
    pub command_url: String,
    /// `admin.rateLimiterIntervalInMS`, 300,000: between two snapshots or two restores.
    pub rate_limit_ms: u64,
    /// `admin.snapshot.enabled`, true.
    pub snapshot: bool,
    /// `admin.restore.enabled`, true.
    pub restore: bool,
    /// `admin.portUnification`, false: HTTPS as well as HTTP.
    pub port_unification: bool,
    /// `admin.forceHttps`, false.
    pub force_https: bool,
    /// `admin.needClientAuth`, false.
    pub need_client_auth: bool,
}

/// The log of who changed what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// `audit.enable`, false.
    pub enabled: bool,
    /// `audit.file`: where it is written, if not among the other lines of the log. No key of
    /// ZooKeeper's.
    pub file: Option<PathBuf>,
    /// `audit.format`, text: whether it is json rather than ZooKeeper's lines. No key of
    /// ZooKeeper's.
    pub json: bool,
}

/// How metrics are published, besides the word `mntr` and the HTTP server for administration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metrics {
    /// `metricsProvider.className`.
    pub provider: MetricsProvider,
    /// `metricsProvider.httpHost` 0.0.0.0 and `metricsProvider.httpPort` 7000: where Prometheus
    /// finds them, if it is the provider.
    pub endpoint: Endpoint,
}

/// ZooKeeper's metrics providers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricsProvider {
    /// `DefaultMetricsProvider`.
    Default,
    /// `NullMetricsProvider`: none are kept.
    Null,
    /// `PrometheusMetricsProvider`.
    Prometheus,
}

/// Certificates and what is asked of them, as they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// `ssl.*`: connections of clients.
    pub client: TlsProperties,
    /// `ssl.quorum.*`: links between servers.
    pub quorum: TlsProperties,
    /// `ssl.authProvider`: the scheme of client certificates, `x509` if none.
    pub auth_provider: Option<String>,
    /// `client.certReload`, false.
    pub reload_client_certificates: bool,
}

/// One family of TLS properties.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsProperties {
    /// Suffix of the key, such as `keyStore.location`, and value. No passwords.
    pub values: BTreeMap<String, String>,
    /// `keyStore.password`.
    pub key_store_password: Option<Secret>,
    /// `trustStore.password`.
    pub trust_store_password: Option<Secret>,
}

/// What servers of an ensemble need, present in a standalone server's configuration too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quorum {
    /// `initLimit`: ticks to connect and to synchronise. Required of an ensemble; 0 if not set.
    pub init_limit: u32,
    /// `syncLimit`: ticks a follower may lag. Required of an ensemble; 0 if not set.
    pub sync_limit: u32,
    /// `connectToLearnerMasterLimit`, `init_limit`: ticks.
    pub connect_limit: u32,
    /// `standaloneEnabled`, true: one voter runs alone.
    pub standalone_enabled: bool,
    /// `reconfigEnabled`, false.
    pub reconfig_enabled: bool,
    /// `quorumListenOnAllIPs`, false.
    pub listen_on_all: bool,
    /// `syncEnabled` and over it `observer.syncEnabled`, true: observers log transactions.
    pub observers_log: bool,
    /// `observerMasterPort`: where a follower serves observers, and an observer finds followers;
    /// none if it is 0 or less.
    pub observer_master_port: Option<u16>,
    /// `oraclePath`: a file whose first character is 1 while this server, one of two voters, may
    /// go on alone.
    pub oracle_path: Option<PathBuf>,
    /// `localSessionsEnabled`, false.
    pub local_sessions: bool,
    /// `localSessionsUpgradingEnabled`, false.
    pub local_session_upgrades: bool,
    /// `leaderServes`, yes: the leader has clients of its own.
    pub leader_serves: bool,
    /// How links between servers are protected.
    pub security: QuorumSecurity,
    /// How long servers wait for each other.
    pub timing: QuorumTiming,
    /// What is known of several addresses for one server.
    pub multi_address: MultiAddress,
    /// `tcpKeepAlive`, false.
    pub tcp_keep_alive: bool,
    /// `electionPortBindRetry`, 3; 0 is for ever.
    pub bind_retries: u32,
    /// `leader.maxConcurrentSnapSyncs`, 10.
    pub max_snapshot_syncs: u32,
    /// `leader.maxConcurrentDiffSyncs`, 100.
    pub max_diff_syncs: u32,
    /// `commitLogCount`, 500, and no less.
    pub commit_log_count: u32,
    /// `forceSnapshotSync`, false.
    pub force_snapshot_sync: bool,
    /// `snapshotSizeFactor`, in thousandths: a learner is sent the log rather than the tree if that
    /// is at most so much of the tree's size. 0 for less: never what is only on disk. 1, where
    /// ZooKeeper has 0.33: here a byte of the log costs no more than one of the tree.
    pub snapshot_size_permille: u64,
}

/// How links between servers are protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QuorumSecurity {
    /// `sslQuorum`, false.
    pub tls: bool,
    /// `portUnification`, false: take plain links as well.
    pub port_unification: bool,
    /// `sslQuorumReloadCertFiles`, false.
    pub reload_certificates: bool,
    /// `quorum.auth.enableSasl`, false.
    pub sasl: bool,
    /// `quorum.auth.learnerRequireSasl`, false; never without `sasl`.
    pub learner_requires_sasl: bool,
    /// `quorum.auth.serverRequireSasl`, false; never without `learner_requires_sasl`.
    pub server_requires_sasl: bool,
}

/// How long servers wait for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuorumTiming {
    /// `cnxTimeout`, 5000.
    pub connect_timeout_ms: u32,
    /// `quorumCnxnTimeoutMs`; none (-1) is a tick times `sync_limit`.
    pub link_timeout_ms: Option<u32>,
    /// `fastleader.minNotificationInterval`, 200.
    pub min_notification_ms: u32,
    /// `fastleader.maxNotificationInterval`, 60,000.
    pub max_notification_ms: u32,
    /// `leader.maxTimeToWaitForEpoch`; none (-1) is `init_limit`.
    pub epoch_wait_ms: Option<u32>,
    /// `leaderConnectDelayDuringRetryMs`, 100.
    pub leader_retry_ms: u32,
    /// `observer.reconnectDelayMs`, 0.
    pub observer_reconnect_ms: u32,
    /// `observer.election.DelayMs`, 200.
    pub observer_election_ms: u32,
}

/// Several addresses for one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MultiAddress {
    /// `multiAddress.enabled`, false.
    pub enabled: bool,
    /// `multiAddress.reachabilityCheckEnabled`, true.
    pub reachability_check: bool,
    /// `multiAddress.reachabilityCheckTimeoutMs`, 1000.
    pub reachability_timeout_ms: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_endpoint_has_brackets() {
        assert_eq!(Endpoint::new("::1", 2181).to_string(), "[::1]:2181");
        assert_eq!(Endpoint::new("zoo1", 2181).to_string(), "zoo1:2181");
        assert_eq!(Endpoint::any(0).to_string(), "0.0.0.0:0");
    }

    #[test]
    fn both_wildcards_mean_every_address() {
        assert!(Endpoint::any(1).is_any());
        assert!(Endpoint::new("::", 1).is_any());
        assert!(!Endpoint::new("::1", 1).is_any());
    }

    #[test]
    fn words() {
        let words = |list: &[&str], read_only| {
            let list: Vec<String> = list.iter().map(|word| (*word).to_owned()).collect();
            FourLetterWords::new(&list, read_only).iter().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(words(&[], false), ["srvr"]);
        assert_eq!(words(&[], true), ["isro", "srvr"]);
        assert_eq!(words(&["ruok", "mntr"], false), ["mntr", "ruok", "srvr"]);
        assert_eq!(words(&["ruok", "*"], false), FourLetterWords::ALL);
    }
}
