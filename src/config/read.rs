//! Settings to groups: one function per group of `Config`, with every default beside its key.
//!
//! Reads no file. What is wrong becomes a problem in the settings.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::error::{Origin, Problem};
use super::keys;
use super::options::{
    Admin, Audit, AuthProvider, AuthSettings, ClientPorts, Containers, DIGEST_ALGORITHMS, Endpoint,
    FourLetterWords, Limits, Metrics, MetricsProvider, MultiAddress, Quorum, QuorumSecurity,
    QuorumTiming, SessionLimits, Storage, Tls, TlsProperties, TreeSettings,
};
use super::secret::Secret;
use super::settings::{Settings, Whole};

const MS: &str = "milliseconds";
const BYTES: &str = "bytes";
const TICKS: &str = "ticks";

/// `tickTime`.
pub(super) fn tick_time(settings: &mut Settings) -> u32 {
    settings.number("tickTime", 3000, 1, MS)
}

/// The ports that `zoo.cfg` itself names.
pub(super) fn client_ports(settings: &mut Settings) -> ClientPorts {
    ClientPorts {
        plain: endpoint(settings, "clientPort", "clientPortAddress"),
        secure: endpoint(settings, "secureClientPort", "secureClientPortAddress"),
        backlog: optional(settings, "clientPortListenBacklog", ""),
        tcp_keep_alive: settings.boolean("clientTcpKeepAlive", false),
        port_unification: settings.boolean("client.portUnification", false),
    }
}

/// A port and its address, which is every address unless it is set.
fn endpoint(settings: &mut Settings, port_key: &str, host_key: &str) -> Option<Endpoint> {
    let has_port = settings.get(port_key).is_some();
    let port = port(settings, port_key);
    let host = settings.filled(host_key);
    if let Some(setting) = settings.get(host_key).filter(|_| !has_port) {
        settings.problems.push(setting.refuse(format!("needs {port_key}, which is not set")));
    }
    port.map(|port| Endpoint::new(host.unwrap_or_else(|| Endpoint::ANY_HOST.to_owned()), port))
}

fn port(settings: &mut Settings, key: &str) -> Option<u16> {
    settings.whole(key, Whole::PORT).and_then(|port| u16::try_from(port).ok())
}

/// A number that -1 leaves unset.
fn optional(settings: &mut Settings, key: &str, unit: &'static str) -> Option<u32> {
    let number = settings.whole(key, Whole::from(-1, unit));
    number.and_then(|number| u32::try_from(number).ok())
}

/// A limit that 0 or -1 switches off; then it is 0.
fn limit(settings: &mut Settings, key: &str, default: u32, unit: &'static str) -> u32 {
    match settings.whole(key, Whole::from(-1, unit)) {
        Some(number) => u32::try_from(number).unwrap_or(0),
        None => default,
    }
}

/// What clients may take.
pub(super) fn limits(settings: &mut Settings) -> Limits {
    Limits {
        connections_per_ip: limit(settings, "maxClientCnxns", 60, "connections"),
        connections: limit(settings, "maxCnxns", 0, "connections"),
        frame_bytes: settings.number("jute.maxbuffer", 0xf_ffff, 1, BYTES),
        outstanding_requests: settings.number("globalOutstandingLimit", 1000, 1, "requests"),
        large_request_bytes: optional(settings, "largeRequestThreshold", BYTES),
        large_requests_bytes: settings.number("largeRequestMaxBytes", 104_857_600, 1, BYTES),
        sessionless_timeout_ms: settings.number("nio.sessionlessCnxnTimeout", 10_000, 1, MS),
        slow_request_ms: settings.number("request.warningthresholdms", 1000, 0, MS),
    }
}

/// The range of session timeouts: 2 to 20 ticks.
pub(super) fn session_limits(settings: &mut Settings, tick_time_ms: u32) -> SessionLimits {
    let ticks = |count: u32| i32::try_from(tick_time_ms.saturating_mul(count)).unwrap_or(i32::MAX);
    let mut timeout = |key: &str, default: i32, least: i64| {
        // -1 is how ZooKeeper writes "not set".
        match settings.get(key) {
            Some(setting) if setting.value == "-1" => default,
            _ => settings.number(key, default, least, MS),
        }
    };
    let limits = SessionLimits {
        min_timeout_ms: timeout("minSessionTimeout", ticks(2), 0),
        max_timeout_ms: timeout("maxSessionTimeout", ticks(20), 1),
    };
    let SessionLimits { min_timeout_ms: min, max_timeout_ms: max } = limits;
    if min > max {
        let reason =
            format!("the smallest session timeout, {min} ms, is more than the largest, {max} ms");
        let min_line = settings.get("minSessionTimeout").filter(|setting| setting.value != "-1");
        let line = min_line.or_else(|| settings.get("maxSessionTimeout"));
        settings.problems.extend(line.map(|line| line.refuse(reason)));
    }
    limits
}

/// Where data is kept. `missing` is where a missing `dataDir` is to be added.
pub(super) fn storage(settings: &mut Settings, missing: &Origin) -> Storage {
    if settings.get("dataDir").is_none() {
        settings.problems.push(Problem {
            origin: missing.clone(),
            key: Some("dataDir".to_owned()),
            value: None,
            reason: "must be set: it names the directory for the data".to_owned(),
        });
    }
    let data_dir = settings.path("dataDir").unwrap_or_default();
    for key in ["dataDir", "dataLogDir"] {
        let relative = |value: &str| !value.is_empty() && PathBuf::from(value).is_relative();
        if let Some(setting) = settings.get(key).filter(|setting| relative(&setting.value))
            && setting.origin != Origin::BuiltIn
        {
            settings.note(&setting, "is relative to the directory the server is started in");
        }
    }
    Storage {
        log_dir: settings.path("dataLogDir").unwrap_or_else(|| data_dir.clone()),
        data_dir,
        force_sync: settings.switch("forceSync", "yes", "no", true),
        sync_warning_ms: settings.number("fsync.warningthresholdms", 1000, 0, MS),
        create_dirs: settings.boolean("datadir.autocreate", true),
        create_database: settings.boolean("db.autocreate", true),
        trust_empty_snapshot: settings.boolean("snapshot.trust.empty", false),
    }
}

/// What the tree allows.
pub(super) fn tree(settings: &mut Settings) -> TreeSettings {
    TreeSettings {
        extended_types: settings.boolean("extendedTypesEnabled", false),
        emulate_353_ttl: settings.boolean("emulate353TTLNodes", false),
        enforce_quota: settings.boolean("enforceQuota", false),
        digest: settings.boolean("digest.enabled", true),
        containers: Containers {
            check_interval_ms: settings.number("znode.container.checkIntervalMs", 60_000, 1, MS),
            max_per_minute: settings.number("znode.container.maxPerMinute", 10_000, 1, "znodes"),
            max_never_used_ms: settings.number("znode.container.maxNeverUsedIntervalMs", 0, 0, MS),
        },
    }
}

/// Who is believed to be whom. Client certificates have a provider as soon as there is a secure
/// port.
pub(super) fn auth(settings: &mut Settings, has_secure_port: bool) -> AuthSettings {
    let digest_enabled = settings.boolean("DigestAuthenticationProvider.enabled", true);
    let mut providers = providers(settings);
    if has_secure_port {
        providers.insert(AuthProvider::X509);
    }
    let mut available: BTreeSet<&str> = providers.iter().map(|known| known.scheme()).collect();
    available.insert(AuthProvider::Ip.scheme());
    if digest_enabled {
        available.insert(AuthProvider::Digest.scheme());
    }
    AuthSettings {
        skip_acl: settings.switch("skipACL", "yes", "no", false),
        digest_enabled,
        digest_algorithm: digest_algorithm(settings),
        super_digest: super_digest(settings),
        x509_super_user: settings.text("X509AuthenticationProvider.superUser"),
        ensemble_names: settings.list("ensembleAuthName"),
        enforced_schemes: enforced_schemes(settings, &available),
        providers,
    }
}

fn super_digest(settings: &mut Settings) -> Option<Secret> {
    let setting = settings.get("DigestAuthenticationProvider.superDigest")?;
    let parts: Vec<&str> = setting.value.split(':').collect();
    if parts.len() != 2 || parts.iter().any(|part| part.is_empty()) {
        settings.note(&setting, "matches nobody: it must be user:digest, such as super:<digest>");
    }
    Some(Secret::new(setting.value))
}

/// The algorithm by Java's names, in letters of any case.
fn digest_algorithm(settings: &mut Settings) -> &'static str {
    let Some(setting) = settings.get("DigestAuthenticationProvider.digestAlg") else {
        return DIGEST_ALGORITHMS[0];
    };
    let name = match setting.value.to_ascii_uppercase().as_str() {
        "SHA" | "SHA-1" => "SHA1".to_owned(),
        other => other.to_owned(),
    };
    let known = DIGEST_ALGORITHMS.into_iter().find(|algorithm| *algorithm == name);
    known.unwrap_or_else(|| {
        let reason = format!("must be one of {}", DIGEST_ALGORITHMS.join(", "));
        settings.problems.push(setting.refuse(reason));
        DIGEST_ALGORITHMS[0]
    })
}

const AUTH_PACKAGE: &str = "org.apache.zookeeper.server.auth.";

fn providers(settings: &mut Settings) -> BTreeSet<AuthProvider> {
    let mut providers = BTreeSet::new();
    for (_, setting) in settings.family("authProvider.") {
        match setting.value.strip_prefix(AUTH_PACKAGE) {
            Some("DigestAuthenticationProvider") => providers.insert(AuthProvider::Digest),
            Some("IPAuthenticationProvider") => providers.insert(AuthProvider::Ip),
            Some("X509AuthenticationProvider") => providers.insert(AuthProvider::X509),
            Some("SASLAuthenticationProvider") => providers.insert(AuthProvider::Sasl),
            Some("EnsembleAuthenticationProvider") => providers.insert(AuthProvider::Ensemble),
            _ => {
                settings.note(&setting, "has no meaning here: Java classes cannot be loaded");
                false
            }
        };
    }
    providers
}

/// The schemes of which one is needed. Naming one that is not available is a mistake that would
/// lock everybody out.
fn enforced_schemes(settings: &mut Settings, available: &BTreeSet<&str>) -> Vec<String> {
    let sasl = settings.boolean("sessionRequireClientSASLAuth", false);
    let enforced = settings.boolean("enforce.auth.enabled", false);
    let schemes = settings.list("enforce.auth.schemes");
    let (key, schemes) = match (sasl, enforced) {
        (true, _) => ("sessionRequireClientSASLAuth", vec![AuthProvider::Sasl.scheme().to_owned()]),
        (false, true) if schemes.is_empty() => {
            let line = settings.get("enforce.auth.enabled");
            let reason = "needs enforce.auth.schemes, a comma separated list of schemes";
            settings.problems.extend(line.map(|line| line.refuse(reason)));
            return schemes;
        }
        (false, true) => ("enforce.auth.schemes", schemes),
        (false, false) => return Vec::new(),
    };
    for scheme in schemes.iter().filter(|scheme| !available.contains(scheme.as_str())) {
        let line = settings.get(key);
        let available: Vec<&str> = available.iter().copied().collect();
        let reason = format!(
            "needs the scheme {scheme}, which has no provider; there are {}",
            available.join(", ")
        );
        settings.problems.extend(line.map(|line| line.refuse(reason)));
    }
    schemes
}

/// The four-letter words that are answered.
pub(super) fn four_letter_words(settings: &mut Settings, read_only_mode: bool) -> FourLetterWords {
    let words = settings.list("4lw.commands.whitelist");
    let known = |word: &str| word == "*" || FourLetterWords::ALL.contains(&word);
    let strange: Vec<&str> = words.iter().map(String::as_str).filter(|word| !known(word)).collect();
    if let Some(setting) = settings.get("4lw.commands.whitelist").filter(|_| !strange.is_empty()) {
        let text = format!("names {}, and there is no such word", strange.join(", "));
        settings.note(&setting, &text);
    }
    FourLetterWords::new(&words, read_only_mode)
}

/// The HTTP server for administration.
pub(super) fn admin(settings: &mut Settings) -> Admin {
    let host = settings.filled("admin.serverAddress");
    let port = port(settings, "admin.serverPort").unwrap_or(8080);
    let url = settings.text("admin.commandURL").unwrap_or_else(|| "/commands".to_owned());
    Admin {
        enabled: settings.switch("admin.enableServer", "true", "false", true),
        endpoint: host.map_or_else(|| Endpoint::any(port), |host| Endpoint::new(host, port)),
        idle_timeout_ms: settings.number("admin.idleTimeout", 30_000, 1, MS),
        command_url: url.trim_end_matches('/').to_owned(),
        rate_limit_ms: settings.number("admin.rateLimiterIntervalInMS", 300_000, 0, MS),
        snapshot: settings.boolean("admin.snapshot.enabled", true),
        restore: settings.boolean("admin.restore.enabled", true),
        port_unification: settings.boolean("admin.portUnification", false),
        force_https: settings.boolean("admin.forceHttps", false),
        need_client_auth: settings.boolean("admin.needClientAuth", false),
    }
}

/// The log of who changed what.
pub(super) fn audit(settings: &mut Settings) -> Audit {
    Audit {
        enabled: settings.boolean("audit.enable", false),
        file: settings.path("audit.file"),
        json: match settings.get("audit.format") {
            None => false,
            Some(setting) => match setting.value.as_str() {
                "text" => false,
                "json" => true,
                _ => {
                    settings.problems.push(setting.refuse("must be text or json"));
                    false
                }
            },
        },
    }
}

/// `metricsProvider.className` of ZooKeeper's own providers.
const METRICS_PROVIDERS: [(&str, MetricsProvider); 3] = [
    ("org.apache.zookeeper.metrics.impl.DefaultMetricsProvider", MetricsProvider::Default),
    ("org.apache.zookeeper.metrics.impl.NullMetricsProvider", MetricsProvider::Null),
    (
        "org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider",
        MetricsProvider::Prometheus,
    ),
];

/// How metrics are published.
pub(super) fn metrics(settings: &mut Settings) -> Metrics {
    let mut provider = MetricsProvider::Default;
    if let Some(setting) = settings.get("metricsProvider.className") {
        let known = METRICS_PROVIDERS.iter().find(|(class, _)| *class == setting.value);
        if let Some((_, known)) = known {
            provider = *known;
        } else {
            let classes = METRICS_PROVIDERS.map(|(class, _)| class).join(", ");
            settings.problems.push(setting.refuse(format!("must be one of {classes}")));
        }
    }
    let host = settings.filled("metricsProvider.httpHost");
    let port = port(settings, "metricsProvider.httpPort").unwrap_or(7000);
    let endpoint = host.map_or_else(|| Endpoint::any(port), |host| Endpoint::new(host, port));
    Metrics { provider, endpoint }
}

/// Certificates, as they were written.
pub(super) fn tls(settings: &mut Settings) -> Tls {
    let [client, quorum] = keys::TLS_PREFIXES.map(|prefix| TlsProperties {
        key_store_password: settings.text(&format!("{prefix}keyStore.password")).map(Secret::new),
        trust_store_password: settings
            .text(&format!("{prefix}trustStore.password"))
            .map(Secret::new),
        values: tls_values(settings, prefix),
    });
    Tls {
        client,
        quorum,
        auth_provider: settings.text("ssl.authProvider"),
        reload_client_certificates: settings.boolean("client.certReload", false),
    }
}

fn tls_values(settings: &mut Settings, prefix: &str) -> BTreeMap<String, String> {
    let suffixes = keys::TLS_KEYS.iter().filter(|suffix| !keys::is_secret(suffix));
    suffixes
        .filter_map(|suffix| {
            let value = settings.text(&format!("{prefix}{suffix}"))?;
            Some(((*suffix).to_owned(), value))
        })
        .collect()
}

/// What servers of an ensemble need.
pub(super) fn quorum(settings: &mut Settings) -> Quorum {
    if let Some(setting) = settings.get("electionAlg").filter(|setting| setting.value != "3") {
        settings.problems.push(setting.refuse("must be 3, the only election there is"));
    }
    let init_limit = settings.number("initLimit", 0, 0, TICKS);
    let sync_enabled = settings.boolean("syncEnabled", true);
    let master_port =
        settings.whole("observerMasterPort", Whole { unit: "", min: -1, max: 65_535 });
    Quorum {
        init_limit,
        sync_limit: settings.number("syncLimit", 0, 0, TICKS),
        connect_limit: match limit(settings, "connectToLearnerMasterLimit", 0, TICKS) {
            0 => init_limit,
            ticks => ticks,
        },
        standalone_enabled: settings.boolean("standaloneEnabled", true),
        reconfig_enabled: settings.boolean("reconfigEnabled", false),
        listen_on_all: settings.boolean("quorumListenOnAllIPs", false),
        observers_log: settings.boolean("observer.syncEnabled", sync_enabled),
        observer_master_port: master_port
            .and_then(|port| u16::try_from(port).ok())
            .filter(|port| *port > 0),
        oracle_path: settings.path("oraclePath"),
        local_sessions: settings.boolean("localSessionsEnabled", false),
        local_session_upgrades: settings.boolean("localSessionsUpgradingEnabled", false),
        leader_serves: settings.switch("leaderServes", "yes", "no", true),
        security: quorum_security(settings),
        timing: quorum_timing(settings),
        multi_address: MultiAddress {
            enabled: settings.boolean("multiAddress.enabled", false),
            reachability_check: settings.boolean("multiAddress.reachabilityCheckEnabled", true),
            reachability_timeout_ms: settings.number(
                "multiAddress.reachabilityCheckTimeoutMs",
                1000,
                1,
                MS,
            ),
        },
        tcp_keep_alive: settings.boolean("tcpKeepAlive", false),
        bind_retries: limit(settings, "electionPortBindRetry", 3, "attempts"),
        max_snapshot_syncs: settings.number("leader.maxConcurrentSnapSyncs", 10, 1, "followers"),
        max_diff_syncs: settings.number("leader.maxConcurrentDiffSyncs", 100, 1, "followers"),
        commit_log_count: commit_log_count(settings),
        force_snapshot_sync: settings.boolean("forceSnapshotSync", false),
        snapshot_size_permille: settings.permille("snapshotSizeFactor", 1000),
    }
}

/// How links are protected; what needs something else must have it.
fn quorum_security(settings: &mut Settings) -> QuorumSecurity {
    const ENABLE: &str = "quorum.auth.enableSasl";
    const LEARNER: &str = "quorum.auth.learnerRequireSasl";
    const SERVER: &str = "quorum.auth.serverRequireSasl";
    let security = QuorumSecurity {
        tls: settings.boolean("sslQuorum", false),
        port_unification: settings.boolean("portUnification", false),
        reload_certificates: settings.boolean("sslQuorumReloadCertFiles", false),
        sasl: settings.boolean(ENABLE, false),
        learner_requires_sasl: settings.boolean(LEARNER, false),
        server_requires_sasl: settings.boolean(SERVER, false),
    };
    let contradictions = [
        (SERVER, security.server_requires_sasl, ENABLE, security.sasl),
        (LEARNER, security.learner_requires_sasl, ENABLE, security.sasl),
        (SERVER, security.server_requires_sasl, LEARNER, security.learner_requires_sasl),
    ];
    for (key, on, needed, has) in contradictions {
        if on && !has {
            let line = settings.get(key);
            settings.problems.extend(line.map(|line| line.refuse(format!("needs {needed}=true"))));
        }
    }
    security
}

/// Less than the default counts as the default, as in ZooKeeper.
fn commit_log_count(settings: &mut Settings) -> u32 {
    const LEAST: u32 = 500;
    let count = settings.number("commitLogCount", LEAST, 0, "transactions");
    if count < LEAST
        && let Some(setting) = settings.get("commitLogCount")
    {
        settings.note(&setting, "counts as 500, which is the least");
    }
    count.max(LEAST)
}

fn quorum_timing(settings: &mut Settings) -> QuorumTiming {
    QuorumTiming {
        connect_timeout_ms: settings.number("cnxTimeout", 5000, 1, MS),
        link_timeout_ms: optional(settings, "quorumCnxnTimeoutMs", MS),
        min_notification_ms: settings.number("fastleader.minNotificationInterval", 200, 1, MS),
        max_notification_ms: settings.number("fastleader.maxNotificationInterval", 60_000, 1, MS),
        epoch_wait_ms: optional(settings, "leader.maxTimeToWaitForEpoch", MS),
        leader_retry_ms: settings.number("leaderConnectDelayDuringRetryMs", 100, 0, MS),
        observer_reconnect_ms: settings.number("observer.reconnectDelayMs", 0, 0, MS),
        observer_election_ms: settings.number("observer.election.DelayMs", 200, 0, MS),
    }
}
