//! Bitnami's image: the rules of its `libzookeeper.sh`.

use super::super::error::{ConfigError, Problem};
use super::plan::{MyId, escape};
use super::{Image, Plan, Surroundings, is_yes, problem};
use std::collections::BTreeMap;

/// The directory that its volume is mounted at.
pub(super) const VOLUME: &str = "/bitnami/zookeeper";
const DATA: &str = "/bitnami/zookeeper/data";
const CONFIG: &str = "/opt/bitnami/zookeeper/conf/zoo.cfg";

/// Variables with the keys that they set and their defaults.
const KEYS: [(&str, &str, &str); 13] = [
    ("ZOO_TICK_TIME", "tickTime", "2000"),
    ("ZOO_INIT_LIMIT", "initLimit", "10"),
    ("ZOO_SYNC_LIMIT", "syncLimit", "5"),
    ("ZOO_PRE_ALLOC_SIZE", "preAllocSize", "65536"),
    ("ZOO_SNAPCOUNT", "snapCount", "100000"),
    ("ZOO_MAX_CNXNS", "maxCnxns", "0"),
    ("ZOO_MAX_CLIENT_CNXNS", "maxClientCnxns", "60"),
    ("ZOO_AUTOPURGE_INTERVAL", "autopurge.purgeInterval", "0"),
    ("ZOO_AUTOPURGE_RETAIN_COUNT", "autopurge.snapRetainCount", "3"),
    ("ZOO_4LW_COMMANDS_WHITELIST", "4lw.commands.whitelist", "srvr, mntr"),
    ("ZOO_MAX_SESSION_TIMEOUT", "maxSessionTimeout", "40000"),
    ("ZOO_ADMIN_SERVER_ADDRESS", "admin.serverAddress", "127.0.0.1"),
    ("ZOO_ADMIN_SERVER_PORT_NUMBER", "admin.serverPort", "8080"),
];
/// Variables that say yes or no, with the keys that they set.
const SWITCHES: [(&str, &str); 3] = [
    ("ZOO_RECONFIG_ENABLED", "reconfigEnabled"),
    ("ZOO_LISTEN_ALLIPS_ENABLED", "quorumListenOnAllIPs"),
    ("ZOO_ENABLE_ADMIN_SERVER", "admin.enableServer"),
];
/// Variables that ask for what there is not.
const MISSING: [(&str, &str); 4] = [
    ("ZOO_ENABLE_AUTH", "SASL"),
    ("ZOO_ENABLE_QUORUM_AUTH", "SASL"),
    ("ZOO_TLS_CLIENT_ENABLE", "TLS"),
    ("ZOO_TLS_QUORUM_ENABLE", "TLS"),
];
const SERVERS: &str = "ZOO_SERVERS";
const PORT: &str = "ZOO_PORT_NUMBER";
/// The old and the new name of the same consent.
const CONSENT: [&str; 2] = ["ALLOW_ANONYMOUS_LOGIN", "ALLOW_EMPTY_PASSWORD"];
const PREFIX: &str = "ZOO_CFG_";
const FILE_SUFFIX: &str = "_FILE";

/// Whether a variable shows that the image is Bitnami's: other images have none of these.
pub(super) fn is_telling(name: &str) -> bool {
    const OWN: [&str; 6] = [
        "ZOO_SERVER_ID",
        "ZOO_PORT_NUMBER",
        "ZOO_PEER_TYPE",
        "ZOO_HEAP_SIZE",
        "ZOO_LISTEN_ALLIPS_ENABLED",
        "ZOO_RECONFIG_ENABLED",
    ];
    let name = name.strip_suffix(FILE_SUFFIX).unwrap_or(name);
    CONSENT.contains(&name)
        || OWN.contains(&name)
        || name.starts_with("ZOO_ENABLE_")
        || name.starts_with("ZOO_TLS_")
        || name.starts_with("BITNAMI_")
}

pub(super) fn plan(from: &Surroundings<'_>) -> Result<Plan, ConfigError> {
    let variables = read_files(from)?;
    let from = &Surroundings { variables: &variables, ..*from };
    let mut problems = refusals(from);
    let mut plan = Plan::new(Image::Bitnami, CONFIG, DATA);
    plan.line("dataDir", DATA);
    if let Some(dir) = from.filled("ZOO_DATA_LOG_DIR") {
        plan.key(from, "dataLogDir", "ZOO_DATA_LOG_DIR", "");
        plan.directories.push(dir.into());
    }
    plan.key(from, "clientPort", PORT, "2181");
    for (variable, key, default) in KEYS {
        plan.key(from, key, variable, default);
    }
    for (variable, key) in SWITCHES {
        plan.switch(from, key, variable);
    }
    if from.value("ZOO_ENABLE_PROMETHEUS_METRICS").is_some_and(is_yes) {
        plan.line(
            "metricsProvider.className",
            "org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider",
        );
        plan.key(from, "metricsProvider.httpPort", "ZOO_PROMETHEUS_METRICS_PORT_NUMBER", "7000");
    }
    if from.filled("ZOO_PEER_TYPE").is_some() {
        plan.key(from, "peerType", "ZOO_PEER_TYPE", "");
    }
    plan.line("electionPortBindRetry", "0");
    problems.extend(add_servers(&mut plan, from));
    for (name, value) in from.variables.range(PREFIX.to_owned()..) {
        let Some(key) = name.strip_prefix(PREFIX) else { break };
        plan.line_of(name, format!("{}={}", key.replace('_', "."), escape(value)));
    }
    let id = from.filled("ZOO_SERVER_ID").unwrap_or("1").to_owned();
    plan.my_id = Some(MyId { id, variable: "ZOO_SERVER_ID", always: false });
    plan.log_level = from.filled("ZOO_LOG_LEVEL").map(str::to_owned);
    if problems.is_empty() { Ok(plan) } else { Err(ConfigError::new(problems)) }
}

/// The variables, with those that stand in files.
fn read_files(from: &Surroundings<'_>) -> Result<BTreeMap<String, String>, ConfigError> {
    let mut variables = from.variables.clone();
    for (name, path) in from.variables {
        // Names of key stores end so, too; they are paths themselves.
        let Some(base) = name.strip_suffix(FILE_SUFFIX).filter(|_| !name.contains("STORE")) else {
            continue;
        };
        let is_ours = base.starts_with("ZOO_") || CONSENT.contains(&base);
        if !is_ours || path.is_empty() {
            continue;
        }
        let text = (from.read)(path.as_ref())
            .and_then(|bytes| String::from_utf8(bytes).map_err(std::io::Error::other))
            .map_err(|error| {
                let reason = format!("cannot be read: {error}");
                ConfigError::new(vec![problem(name, Some(path), reason)])
            })?;
        variables.insert(base.to_owned(), text.trim_end_matches('\n').to_owned());
    }
    Ok(variables)
}

fn refusals(from: &Surroundings<'_>) -> Vec<Problem> {
    let asked = MISSING.iter().filter_map(|(variable, what)| {
        let value = from.value(variable).filter(|value| is_yes(value))?;
        let reason = format!("there is no {what} in this version; unset it to serve without");
        Some(problem(variable, Some(value), reason))
    });
    let mut problems: Vec<_> = asked.collect();
    if problems.is_empty() && !CONSENT.iter().any(|name| from.value(name).is_some_and(is_yes)) {
        let reason = "must be yes to serve without authentication";
        problems.push(problem(CONSENT[0], from.value(CONSENT[0]), reason));
    }
    problems
}

/// `host:2888:3888[:observer|:participant][::id]`, separated by commas, blanks or semicolons.
fn add_servers(plan: &mut Plan, from: &Surroundings<'_>) -> Option<Problem> {
    let text = from.filled(SERVERS)?;
    let port = from.filled(PORT).unwrap_or("2181");
    let servers: Vec<_> =
        text.split([',', ';', ' ', '\n', '\t']).filter(|server| !server.is_empty()).collect();
    if servers.len() < 2 {
        return None;
    }
    let numbered = text.contains("::");
    for (index, server) in servers.iter().enumerate() {
        let (address, id) = match server.rsplit_once("::") {
            Some((address, id)) if numbered => (address, id.to_owned()),
            None if !numbered => (*server, (index + 1).to_string()),
            _ => {
                let reason = format!("{server} must be host:port:port::id, like the others");
                return Some(problem(SERVERS, Some(text), reason));
            }
        };
        plan.line_of(SERVERS, format!("server.{id}={address};{port}"));
    }
    None
}
