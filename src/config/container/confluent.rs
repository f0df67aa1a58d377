//! Confluent's image, `cp-zookeeper`: the rules of its `zookeeper.properties.template`.

use super::super::error::ConfigError;
use super::super::keys;
use super::plan::{MyId, escape};
use super::{Image, Plan, Surroundings, problem};

const DATA: &str = "/var/lib/zookeeper/data";
const LOG: &str = "/var/lib/zookeeper/log";
const CONFIG: &str = "/etc/kafka/zookeeper.properties";
const PREFIX: &str = "ZOOKEEPER_";
const CLIENT_PORT: &str = "ZOOKEEPER_CLIENT_PORT";
const SECURE_PORT: &str = "ZOOKEEPER_SECURE_CLIENT_PORT";
const SERVERS: &str = "ZOOKEEPER_SERVERS";
const SERVER_ID: &str = "ZOOKEEPER_SERVER_ID";
/// Lists whose elements are numbered from 1.
const LISTS: [(&str, &str); 3] =
    [(SERVERS, "server"), ("ZOOKEEPER_GROUPS", "group"), ("ZOOKEEPER_WEIGHTS", "weight")];
/// Variables whose names do not follow from those of the keys.
const IRREGULAR: [(&str, &str); 5] = [
    ("FSYNC_WARNING_THRESHOLDMS", "fsync.warningthresholdms"),
    ("JUTE_MAX_BUFFER", "jute.maxbuffer"),
    ("4LW_COMMANDS_WHITELIST", "4lw.commands.whitelist"),
    ("SSL_OCPS", "ssl.ocsp"),
    ("SSL_QUORUM_OCPS", "ssl.quorum.ocsp"),
];
/// Variables that are not for `zoo.cfg`.
const NOT_KEYS: [&str; 5] =
    ["SERVER_ID", "LOG4J_ROOT_LOGLEVEL", "LOG4J_LOGGERS", "TOOLS_LOG4J_LOGLEVEL", "VERSION"];

/// Whether a variable shows that the image is Confluent's. Others of the prefix may come from an
/// orchestrator that tells of a service of this name.
pub(super) fn is_telling(name: &str) -> bool {
    matches!(name, CLIENT_PORT | SECURE_PORT | SERVERS | SERVER_ID | "ZOOKEEPER_TICK_TIME")
}

pub(super) fn plan(from: &Surroundings<'_>) -> Result<Plan, ConfigError> {
    let mut plan = Plan::new(Image::Confluent, CONFIG, DATA);
    plan.directories.push(LOG.into());
    plan.line("dataDir", DATA);
    plan.line("dataLogDir", LOG);
    let has_port = [CLIENT_PORT, SECURE_PORT].iter().any(|name| from.filled(name).is_some());
    if !has_port {
        let reason = format!("must be set, or {SECURE_PORT}: the port for clients");
        return Err(ConfigError::new(vec![problem(CLIENT_PORT, None, reason)]));
    }
    let servers = from.filled(SERVERS);
    let id = from.filled(SERVER_ID);
    if servers.is_some() {
        if id.is_none() {
            let reason = format!("must be set with {SERVERS}: the number of this server in it");
            return Err(ConfigError::new(vec![problem(SERVER_ID, None, reason)]));
        }
        for (variable, key, default) in [
            ("ZOOKEEPER_INIT_LIMIT", "initLimit", "10"),
            ("ZOOKEEPER_SYNC_LIMIT", "syncLimit", "5"),
        ] {
            if from.filled(variable).is_none() {
                plan.line(key, default);
            }
        }
    }
    for (variable, key) in LISTS {
        let list = from.filled(variable).unwrap_or_default();
        for (index, element) in list.split(';').filter(|part| !part.is_empty()).enumerate() {
            plan.line_of(variable, format!("{key}.{}={}", index + 1, escape(element.trim())));
        }
    }
    for (name, value) in from.variables.range(PREFIX.to_owned()..) {
        let Some(rest) = name.strip_prefix(PREFIX) else { break };
        if LISTS.iter().any(|(list, _)| list == name) || NOT_KEYS.contains(&rest) {
            continue;
        }
        match key_of(rest) {
            Some(key) => plan.line_of(name, format!("{key}={}", escape(value))),
            None => plan.notes.push(format!("{name} is not known and has no effect")),
        }
    }
    plan.my_id = id.map(|id| MyId { id: id.to_owned(), variable: SERVER_ID, always: true });
    plan.log_level = from.filled("ZOOKEEPER_LOG4J_ROOT_LOGLEVEL").map(str::to_owned);
    Ok(plan)
}

/// The key that a variable sets: the one with the same letters and digits.
fn key_of(variable: &str) -> Option<String> {
    if let Some((_, key)) = IRREGULAR.iter().find(|(name, _)| *name == variable) {
        return Some((*key).to_owned());
    }
    let letters = |text: &str| -> String {
        text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
    };
    let wanted = letters(variable);
    keys::names().find(|key| letters(key) == wanted)
}
