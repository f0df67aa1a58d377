//! The official image, `zookeeper`: the rules of its `docker-entrypoint.sh`.

use super::plan::MyId;
use super::{Image, Plan, Surroundings};
use std::path::Path;

/// Variables with the keys that they set and their defaults.
const KEYS: [(&str, &str, &str); 9] = [
    ("ZOO_DATA_DIR", "dataDir", "/data"),
    ("ZOO_DATA_LOG_DIR", "dataLogDir", "/datalog"),
    ("ZOO_TICK_TIME", "tickTime", "2000"),
    ("ZOO_INIT_LIMIT", "initLimit", "5"),
    ("ZOO_SYNC_LIMIT", "syncLimit", "2"),
    ("ZOO_AUTOPURGE_SNAPRETAINCOUNT", "autopurge.snapRetainCount", "3"),
    ("ZOO_AUTOPURGE_PURGEINTERVAL", "autopurge.purgeInterval", "0"),
    ("ZOO_MAX_CLIENT_CNXNS", "maxClientCnxns", "60"),
    ("ZOO_STANDALONE_ENABLED", "standaloneEnabled", "true"),
];
const SERVERS: &str = "ZOO_SERVERS";
const DEFAULT_SERVERS: &str = "server.1=localhost:2888:3888;2181";
/// The port of images before 3.5.
const PORT: &str = "ZOO_PORT";

pub(super) fn plan(from: &Surroundings<'_>) -> Plan {
    let dir = from.filled("ZOO_CONF_DIR").unwrap_or("/conf");
    let data = from.filled("ZOO_DATA_DIR").unwrap_or("/data");
    let mut plan = Plan::new(Image::Official, Path::new(dir).join("zoo.cfg"), data);
    for (variable, key, default) in KEYS {
        plan.key(from, key, variable, default);
    }
    plan.key(from, "admin.enableServer", "ZOO_ADMINSERVER_ENABLED", "true");
    let servers = from.filled(SERVERS).unwrap_or(DEFAULT_SERVERS);
    for server in servers.split_whitespace() {
        plan.line_of(SERVERS, server.to_owned());
    }
    if from.filled("ZOO_4LW_COMMANDS_WHITELIST").is_some() {
        plan.key(from, "4lw.commands.whitelist", "ZOO_4LW_COMMANDS_WHITELIST", "");
    }
    for line in from.value("ZOO_CFG_EXTRA").unwrap_or_default().split_whitespace() {
        plan.line_of("ZOO_CFG_EXTRA", line.to_owned());
    }
    let id = from.filled("ZOO_MY_ID").unwrap_or("1");
    add_client_port(&mut plan, from, servers, id);
    plan.my_id = Some(MyId { id: id.to_owned(), variable: "ZOO_MY_ID", always: false });
    plan.directories.push(from.filled("ZOO_DATA_LOG_DIR").unwrap_or("/datalog").into());
    plan.directories.push(from.filled("ZOO_LOG_DIR").unwrap_or("/logs").into());
    plan
}

/// The port is behind the semicolon of this server's line. Lists of the time before 3.5 have none,
/// and ZooKeeper would listen nowhere.
fn add_client_port(plan: &mut Plan, from: &Surroundings<'_>, servers: &str, id: &str) {
    let mine = format!("server.{id}=");
    let has_port =
        servers.split_whitespace().any(|server| server.starts_with(&mine) && server.contains(';'));
    let extra = from.value("ZOO_CFG_EXTRA").unwrap_or_default();
    let is_set = |key: &str| extra.split_whitespace().any(|line| line.starts_with(key));
    if has_port || is_set("clientPort=") || is_set("secureClientPort=") {
        return;
    }
    plan.key(from, "clientPort", PORT, "2181");
    plan.notes.push(format!(
        "{SERVERS} names no client port (;2181) for server {id}: it listens on {}",
        from.filled(PORT).unwrap_or("2181")
    ));
}
