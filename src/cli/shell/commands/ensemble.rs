//! Commands about the servers.

use crate::cli::shell::command::{Call, Command, Flag, Interrupt, Origin};
use crate::cli::shell::failure::{At, Failure};
use crate::cli::shell::{Shell, render, walk};
use crate::client::DataStat;
use serde_json::json;
use std::fs;

pub(in crate::cli::shell) const SYNC: Command = Command {
    name: "sync",
    usage: "path",
    summary: "Wait until the server has caught up with its leader",
    example: "sync /",
    flags: &[],
    operands: (1, 1),
    origin: Origin::ZkCli,
    interrupt: Interrupt::Fails,
    run: |shell, call| Box::pin(sync(shell, call)),
};

async fn sync(shell: &mut Shell, call: Call) -> Result<(), Failure> {
    let path = call.path(0)?;
    let client = shell.client().await?;
    client.sync(path).await.at(path)?;
    shell.out.line("Sync is OK")?;
    Ok(shell.out.json(&json!({ "path": path }))?)
}

pub(in crate::cli::shell) const CONFIG: Command = Command {
    name: "config",
    usage: "[-c] [-w] [-s]",
    summary: "Print the configuration of the ensemble",
    example: "config\nconfig -c",
    flags: &[
        Flag::new("c", "only its version and a connect string for clients"),
        Flag::new("w", "leave a watch, which fires once"),
        Flag::new("s", "print the stat too"),
    ],
    operands: (0, 0),
    origin: Origin::ZkCli,
    interrupt: Interrupt::Fails,
    run: |shell, call| Box::pin(config(shell, call)),
};

async fn config(shell: &mut Shell, call: Call) -> Result<(), Failure> {
    let client = shell.client().await?;
    let found = if call.has("w") {
        let (found, watch) = client.config_and_watch().await?;
        walk::keep(watch);
        found
    } else {
        client.config().await?
    };
    let text = match &found.data {
        Some(data) => String::from_utf8_lossy(data).into_owned(),
        None => "null".to_owned(),
    };
    let (version, servers) = for_clients(&text);
    let mut value = json!({ "config": text, "version": version, "servers": servers });
    if call.has("c") {
        shell.out.line(format_args!("{version} {}", servers.join(",")))?;
    } else {
        shell.out.line(text)?;
    }
    if call.has("s") {
        render::stat(&mut shell.out, &found.stat)?;
        value["stat"] = render::stat_json(&found.stat);
    }
    Ok(shell.out.json(&value)?)
}

/// The version of a configuration, and where its servers listen for clients.
fn for_clients(config: &str) -> (String, Vec<String>) {
    let mut version = String::new();
    let mut servers = Vec::new();
    for line in config.lines() {
        let Some((key, value)) = line.split_once('=') else { continue };
        if key.trim() == "version" {
            value.trim().clone_into(&mut version);
        }
        if key.trim().starts_with("server.")
            && let Some((_, address)) = value.split_once(';')
        {
            let address = address.trim();
            let has_host = address.contains(':');
            servers.push(if has_host { address.into() } else { format!("0.0.0.0:{address}") });
        }
    }
    (version, servers)
}

pub(in crate::cli::shell) const RECONFIG: Command = Command {
    name: "reconfig",
    usage: "[-s] [-v version] [[-file path] | \
            [-members serverID=host:port1:port2;port3[,...]*]] | \
            [-add serverId=host:port1:port2;port3[,...]]* [-remove serverId[,...]*]",
    summary: "Change the membership of the ensemble",
    example: "reconfig -remove 3\nreconfig -add \"server.4=host4:2888:3888;2181\"\n\
              reconfig -file members.cfg",
    flags: &[
        Flag::new("s", "print the stat too"),
        Flag::valued("v", "version", "only if this is the version of the configuration, in hex"),
        Flag::valued("file", "path", "the new members, from a file"),
        Flag::valued("members", "servers", "the new members"),
        Flag::valued("add", "servers", "servers that join"),
        Flag::valued("remove", "ids", "servers that leave"),
    ],
    operands: (0, 0),
    origin: Origin::ZkCli,
    interrupt: Interrupt::Fails,
    run: |shell, call| Box::pin(reconfig(shell, call)),
};

async fn reconfig(shell: &mut Shell, call: Call) -> Result<(), Failure> {
    let is_whole = call.has("file") || call.has("members");
    let is_step = call.has("add") || call.has("remove");
    let refused = |text: &str| Err(Failure::Refused(text.to_owned()));
    if !is_whole && !is_step {
        return Err(Failure::Usage { command: call.command, reason: None });
    }
    let base = match call.value("v").map(|value| i64::from_str_radix(value, 16)) {
        None => None,
        Some(Ok(base)) => Some(base),
        Some(Err(_)) => {
            return refused("-v must be followed by a long (configuration version)");
        }
    };
    if is_whole && is_step {
        return refused(
            "Can't use -file or -members together with -add or -remove (mixing incremental \
             and non-incremental modes is not allowed)",
        );
    }
    if call.has("file") && call.has("members") {
        return refused(
            "Can't use -file and -members together (conflicting non-incremental modes)",
        );
    }
    let lower = |flag| call.value(flag).map(str::to_lowercase);
    let members = match call.value("file") {
        Some(file) => Some(members_of(file)?),
        None => lower("members"),
    };
    let (joining, leaving) = (lower("add"), lower("remove"));
    let client = shell.client().await?;
    let DataStat { data, stat } =
        client.reconfig(joining.as_deref(), leaving.as_deref(), members.as_deref(), base).await?;
    let text = String::from_utf8_lossy(data.as_deref().unwrap_or_default()).into_owned();
    shell.out.line(format_args!("Committed new configuration:\n{text}"))?;
    let mut value = json!({ "config": text });
    if call.has("s") {
        render::stat(&mut shell.out, &stat)?;
        value["stat"] = render::stat_json(&stat);
    }
    Ok(shell.out.json(&value)?)
}

/// The members that a dynamic configuration file names.
fn members_of(file: &str) -> Result<String, Failure> {
    let refused = |reason: String| Failure::Refused(format!("Error processing {file}: {reason}"));
    let text = fs::read_to_string(file).map_err(|error| refused(error.to_string()))?;
    let mut members = Vec::new();
    for (index, line) in text.lines().map(str::trim).enumerate() {
        let is_member = ["server.", "group.", "weight."].iter().any(|key| line.starts_with(key));
        if is_member {
            members.push(line.to_owned());
        } else if !line.is_empty() && !line.starts_with('#') && !line.starts_with("version") {
            return Err(refused(format!("line {} is no member: {line}", index + 1)));
        }
    }
    if members.is_empty() {
        return Err(refused("it names no server".to_owned()));
    }
    Ok(members.join(","))
}

pub(in crate::cli::shell) const VERSION: Command = Command {
    name: "version",
    usage: "",
    summary: "Print the version of this shell",
    example: "version",
    flags: &[],
    operands: (0, 0),
    origin: Origin::Zabra,
    interrupt: Interrupt::Fails,
    run: |shell, _| Box::pin(async { version(shell) }),
};

/// The version of zkCli that the shell behaves like comes first, where scripts look for it.
const CLI_VERSION: &str = concat!("3.9.5-zabra-", env!("CARGO_PKG_VERSION"));

fn version(shell: &mut Shell) -> Result<(), Failure> {
    shell.out.line(format_args!("ZooKeeper CLI version: {CLI_VERSION}"))?;
    Ok(shell.out.json(&json!({ "version": CLI_VERSION }))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_told_where_to_connect() {
        let config = "server.1=a:2888:3888:participant;0.0.0.0:2181\nserver.2=b:2888:3888;2182\n\
                      version=100000003";
        let (version, servers) = for_clients(config);
        assert_eq!(version, "100000003");
        assert_eq!(servers, ["0.0.0.0:2181", "0.0.0.0:2182"]);
        assert_eq!(for_clients(""), (String::new(), Vec::new()));
    }
}
