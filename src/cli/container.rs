//! `zabra entrypoint`, which a container starts with, and what `zabra server --from-env` does
//! before it serves: the files that the environment amounts to are written where there are none.

use crate::config::container::{Plan, Surroundings};
use clap::Args;
use rustix::process::{getegid, geteuid};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, lchown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

/// What ZooKeeper's server exits with for a configuration that it cannot use.
const INVALID_INVOCATION: u8 = 2;
/// What shells exit with if a command cannot be run.
const NOT_RUN: u8 = 127;
/// Commands with which the images that this one takes the place of start their servers.
const STARTS: [&str; 6] = [
    "zkServer.sh",
    "/opt/bitnami/scripts/zookeeper/run.sh",
    "/run.sh",
    "/etc/confluent/docker/run",
    "start",
    "start-foreground",
];

/// Start what a container is for, as its environment says.
#[derive(Args, Debug)]
#[command(after_help = "Example: zabra entrypoint zkServer.sh start-foreground")]
pub(super) struct EntrypointArguments {
    /// What to run: the server, with the files that the environment asks for, if this is nothing,
    /// zkServer.sh start-foreground or what the images of others run; else just this.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Prepares a server and becomes it, or becomes another command.
pub(super) fn run(arguments: &EntrypointArguments) -> ExitCode {
    if !starts_server(&arguments.command) {
        return become_command(&arguments.command);
    }
    let plan = match prepare() {
        Ok(plan) => plan,
        Err(message) => {
            eprintln!("{message}");
            return INVALID_INVOCATION.into();
        }
    };
    let mut server = match std::env::current_exe() {
        Ok(program) => Command::new(program),
        Err(error) => {
            eprintln!("zabra: where this program is cannot be found out: {error}");
            return NOT_RUN.into();
        }
    };
    server.args(["server", "--from-env"]);
    let (user, group) = plan.image.owner();
    if geteuid().is_root() && user != 0 {
        if let Err(message) = give(&plan, user, group) {
            eprintln!("{message}");
            return INVALID_INVOCATION.into();
        }
        server.uid(user).gid(group);
    }
    let error = server.exec();
    eprintln!("zabra: cannot go on as user {user}: {error}");
    NOT_RUN.into()
}

fn starts_server(command: &[OsString]) -> bool {
    let word = |at: usize| command.get(at).and_then(|word| word.to_str());
    match (word(0), word(1)) {
        (None, _) => command.is_empty(),
        // Its other commands are about a server that runs already.
        (Some("zkServer.sh"), second) => matches!(second, Some("start-foreground")),
        (Some(first), _) => STARTS.contains(&first),
    }
}

fn become_command(command: &[OsString]) -> ExitCode {
    let (program, arguments) = command.split_first().expect("no command starts a server");
    let error = Command::new(program).args(arguments).exec();
    eprintln!("zabra: {}: {error}", program.display());
    NOT_RUN.into()
}

/// Writes the files that the environment amounts to, where there are none.
///
/// # Errors
/// What is wrong with a variable, or cannot be written; lines for the operator.
pub(super) fn prepare() -> Result<Plan, String> {
    let variables: BTreeMap<_, _> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let read = |path: &Path| fs::read(path);
    let exists = |path: &Path| path.exists();
    let from = Surroundings { variables: &variables, read: &read, exists: &exists };
    let plan = from.plan().map_err(|error| error.to_string())?;
    for dir in &plan.directories {
        fs::create_dir_all(dir).map_err(|error| cannot("make the directory", dir, &error))?;
    }
    if !plan.config_exists {
        write(&plan.config, &plan.text())?;
    }
    if let Some(my_id) = &plan.my_id {
        let file = plan.my_id_file();
        if my_id.always || !file.exists() {
            write(&file, &format!("{}\n", my_id.id))?;
        }
    }
    Ok(plan)
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).map_err(|error| cannot("make the directory", dir, &error))?;
    }
    // What is there already need not be writable.
    if fs::read(path).is_ok_and(|found| found == text.as_bytes()) {
        return Ok(());
    }
    fs::write(path, text).map_err(|error| cannot("write", path, &error))
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> String {
    let (user, group) = (geteuid().as_raw(), getegid().as_raw());
    format!("zabra: cannot {what} {} as user {user}, group {group}: {error}", path.display())
}

/// Gives what the server writes to its user, as far as that has not got it.
fn give(plan: &Plan, user: u32, group: u32) -> Result<(), String> {
    for dir in &plan.directories {
        give_all(dir, user, group)?;
    }
    // The file may be an operator's, from a read-only volume.
    if plan.config_exists { Ok(()) } else { give_one(&plan.config, user, group) }
}

fn give_all(path: &Path, user: u32, group: u32) -> Result<(), String> {
    give_one(path, user, group)?;
    let metadata = fs::symlink_metadata(path).map_err(|error| cannot("look at", path, &error))?;
    if !metadata.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(path).map_err(|error| cannot("read", path, &error))? {
        let entry = entry.map_err(|error| cannot("read", path, &error))?;
        give_all(&entry.path(), user, group)?;
    }
    Ok(())
}

fn give_one(path: &Path, user: u32, group: u32) -> Result<(), String> {
    let metadata = fs::symlink_metadata(path).map_err(|error| cannot("look at", path, &error))?;
    if (metadata.uid(), metadata.gid()) == (user, group) {
        return Ok(());
    }
    lchown(path, Some(user), Some(group))
        .map_err(|error| cannot(&format!("give to user {user}"), path, &error))
}

/// A level of Java's logging as a filter: `WARN`, or `INFO, stdout` as a root logger has it.
///
/// # Errors
/// There is no such level.
pub(super) fn log_filter(level: &str) -> Result<&'static str, String> {
    let name = level.split([',', ' ']).next().unwrap_or_default().to_ascii_lowercase();
    Ok(match name.as_str() {
        "off" => "off",
        "fatal" | "error" => "error",
        "warn" => "warn",
        "info" => "info",
        "debug" => "debug",
        "trace" | "all" => "trace",
        _ => {
            return Err(format!(
                "zabra: the log level \"{level}\" must be one of OFF, ERROR, WARN, INFO, DEBUG, \
                 TRACE"
            ));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        text.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn servers_are_started_as_other_images_do() {
        for command in [
            "",
            "zkServer.sh start-foreground",
            "/opt/bitnami/scripts/zookeeper/run.sh",
            "/run.sh",
            "/etc/confluent/docker/run",
            "start",
        ] {
            assert!(starts_server(&words(command)), "{command}");
        }
        for command in ["zkCli.sh -server zookeeper", "zkServer.sh status", "bash -c start", "sh"] {
            assert!(!starts_server(&words(command)), "{command}");
        }
    }

    #[test]
    fn levels_of_java_are_filters() {
        for (level, filter) in
            [("WARN", "warn"), ("INFO, stdout", "info"), ("FATAL", "error"), ("all", "trace")]
        {
            assert_eq!(log_filter(level), Ok(filter));
        }
        assert!(log_filter("LOUD").is_err_and(|why| why.contains("LOUD")));
    }
}
