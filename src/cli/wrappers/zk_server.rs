//! `zkServer.sh`: a server in the background or in the foreground, and how it is (ZK:
//! `bin/zkServer.sh`).

use super::environment::{Environment, Variables};
use super::status;
use clap::Args;
use rustix::process::{Pid, Signal, kill_process, setsid, test_kill_process};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::thread::sleep;
use std::time::Duration;

/// This program, also if its file was replaced by a newer one meanwhile.
const THIS_PROGRAM: &str = "/proc/self/exe";

const VERSION: &str =
    concat!("Zabra, version 3.9.5-zabra-", env!("CARGO_PKG_VERSION"), " 1970-01-01 00:00 UTC");

const HELP: &str = "\
A server in ZooKeeper's manner; FILE is a name in the configuration directory, or a path. The
directory is DIR, else $ZOOCFGDIR, else ../conf, ../etc/zookeeper or /etc/zookeeper/conf, the file
zoo.cfg in it, unless $ZOOCFG says otherwise. -D properties in $SERVER_JVMFLAGS and $JVMFLAGS count.

Examples:
  zkServer.sh start /etc/zookeeper/zoo.cfg
  zkServer.sh --config /etc/zookeeper status";

/// How long a server that is started is looked after: as long as the script sleeps.
const START_SECONDS: u32 = 1;
/// How long to wait for the end of a server that is stopped.
const STOP_SECONDS: u32 = 30;
const STEP: Duration = Duration::from_millis(50);
const STEPS_PER_SECOND: u32 = 20;

/// Runs `zkServer.sh`, as which this program was `called`.
pub(super) fn run(called: &OsStr, arguments: &[OsString]) -> ExitCode {
    let (directory, rest) = match arguments {
        [option, directory, rest @ ..] if option == "--config" => (Some(&**directory), rest),
        rest => (None, rest),
    };
    let command = rest.first().and_then(|command| command.to_str()).unwrap_or_default();
    if matches!(command, "--help" | "-h" | "help") {
        println!("{}\n\n{HELP}", usage(called));
        return ExitCode::SUCCESS;
    }
    let bin = Path::new(called).parent().filter(|bin| !bin.as_os_str().is_empty());
    let found = bin.map_or_else(|| search_path(called), |bin| Some(bin.to_owned()));
    let bin = found.unwrap_or_else(|| Path::new("/usr/bin").to_owned());
    let variables: Variables = std::env::vars_os().collect();
    let environment =
        Environment::find(variables, &bin, directory, rest.get(1).map(OsString::as_os_str));
    eprintln!("Using config: {}", environment.config.display());
    match command {
        "start" => start(&environment),
        "start-foreground" => start_foreground(&environment),
        "stop" => stop(&environment),
        "restart" => {
            stop(&environment);
            start(&environment)
        }
        "status" => status(&environment),
        "version" => {
            println!("{VERSION}");
            ExitCode::SUCCESS
        }
        "print-cmd" => {
            let output = environment.output_file();
            let config = environment.config.display();
            println!("zabra server \"{config}\" > \"{}\" 2>&1 < /dev/null", output.display());
            ExitCode::SUCCESS
        }
        // The script, too, takes this for no failure.
        _ => {
            eprintln!("{}", usage(called));
            ExitCode::SUCCESS
        }
    }
}

fn usage(called: &OsStr) -> String {
    format!(
        "Usage: {} [--config <conf-dir>] \
         {{start|start-foreground|stop|version|restart|status|print-cmd}}",
        called.display()
    )
}

/// The directory of a command that was called by its name alone.
fn search_path(name: &OsStr) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).find(|directory| directory.join(name).is_file())
}

fn start(environment: &Environment) -> ExitCode {
    print!("Starting zookeeper ... ");
    match try_start(environment) {
        Ok(()) => {
            println!("STARTED");
            ExitCode::SUCCESS
        }
        Err(reason) => {
            println!("{reason}");
            ExitCode::FAILURE
        }
    }
}

/// Starts a server in the background. An error is what the script prints.
fn try_start(environment: &Environment) -> Result<(), String> {
    const NOT_STARTED: &str = "SERVER DID NOT START";
    let explain = |path: &Path, error: std::io::Error| {
        eprintln!("{}: {error}", path.display());
        NOT_STARTED.to_owned()
    };
    check_data_dirs(environment)?;
    let Some(pid_file) = environment.pid_file() else {
        eprintln!("{}: no dataDir in it, and no $ZOOPIDFILE", environment.config.display());
        return Err(NOT_STARTED.to_owned());
    };
    if let Some(id) = read_id(&pid_file).filter(|&id| is_alive(id)) {
        return Err(format!("already running as process {}.", id.as_raw_pid()));
    }
    for directory in pid_file.parent().into_iter().chain([&*environment.log_dir]) {
        fs::create_dir_all(directory).map_err(|error| explain(directory, error))?;
    }
    let output_file = environment.output_file();
    let output = File::create(&output_file).map_err(|error| explain(&output_file, error))?;
    let errors = output.try_clone().map_err(|error| explain(&output_file, error))?;
    let mut server = Command::new(THIS_PROGRAM)
        .arg0("zabra")
        .arg("detached")
        .arg(&environment.config)
        .env_clear()
        .envs(&environment.variables)
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .spawn()
        .map_err(|error| explain(Path::new(THIS_PROGRAM), error))?;
    if let Err(error) = fs::write(&pid_file, server.id().to_string()) {
        explain(&pid_file, error);
        return Err("FAILED TO WRITE PID".to_owned());
    }
    for _ in 0..START_SECONDS * STEPS_PER_SECOND {
        sleep(STEP);
        if !matches!(server.try_wait(), Ok(None)) {
            eprintln!("see {}", output_file.display());
            return Err("FAILED TO START".to_owned());
        }
    }
    Ok(())
}

/// Refuses to make new data where an operator has said that there must be some.
fn check_data_dirs(environment: &Environment) -> Result<(), String> {
    if environment.variable("ZOO_DATADIR_AUTOCREATE_DISABLE").is_none() {
        return Ok(());
    }
    let is_filled = |directory: &Path| {
        ["version-2", "log", "tree"].iter().any(|name| directory.join(name).is_dir())
    };
    for (key, name) in [("dataDir", "data"), ("dataLogDir", "txnlog")] {
        let directory = environment.key(key).unwrap_or_default();
        if (key == "dataDir" || !directory.is_empty()) && !is_filled(Path::new(directory)) {
            return Err(format!(
                "ZooKeeper {name} directory is missing at {directory} fix the path or run \
                 initialize"
            ));
        }
    }
    Ok(())
}

/// Becomes the server.
fn start_foreground(environment: &Environment) -> ExitCode {
    if let Err(reason) = check_data_dirs(environment) {
        println!("{reason}");
        return ExitCode::FAILURE;
    }
    become_server(&environment.config, Some(&environment.variables))
}

fn become_server(config: &Path, variables: Option<&Variables>) -> ExitCode {
    let mut server = Command::new(THIS_PROGRAM);
    server.arg0("zabra").arg("server").arg(config);
    if let Some(variables) = variables {
        server.env_clear().envs(variables);
    }
    let error = server.exec();
    eprintln!("zabra: {error}");
    ExitCode::FAILURE
}

/// Arguments of the moment between `zkServer.sh start` and the server.
#[derive(Args, Debug)]
pub(in crate::cli) struct Detached {
    config: std::path::PathBuf,
}

/// Becomes a server that no terminal's end can end.
pub(in crate::cli) fn become_detached(arguments: &Detached) -> ExitCode {
    if let Err(error) = setsid() {
        eprintln!("zabra: {error}");
        return ExitCode::FAILURE;
    }
    become_server(&arguments.config, None)
}

/// Always succeeds, as the script does.
fn stop(environment: &Environment) -> ExitCode {
    print!("Stopping zookeeper ... ");
    let pid_file = environment.pid_file().unwrap_or_default();
    if !pid_file.is_file() {
        println!("no zookeeper to stop (could not find file {})", pid_file.display());
        return ExitCode::SUCCESS;
    }
    match read_id(&pid_file) {
        None => eprintln!("{}: holds no process id", pid_file.display()),
        Some(id) => match kill_process(id, Signal::TERM) {
            Err(error) => eprintln!("process {}: {error}", id.as_raw_pid()),
            // A server that starts before this one has ended finds its data in use.
            Ok(()) => {
                for _ in 0..STOP_SECONDS * STEPS_PER_SECOND {
                    if !is_alive(id) {
                        break;
                    }
                    sleep(STEP);
                }
            }
        },
    }
    if let Err(error) = fs::remove_file(&pid_file) {
        eprintln!("{}: {error}", pid_file.display());
    }
    println!("STOPPED");
    ExitCode::SUCCESS
}

fn read_id(pid_file: &Path) -> Option<Pid> {
    let id = fs::read_to_string(pid_file).ok()?.trim().parse::<i32>().ok()?;
    // A negative one would be a process group.
    Pid::from_raw(id.max(0))
}

/// Whether a process runs. One that has ended and that nobody has waited for does not.
fn is_alive(id: Pid) -> bool {
    let is_gone = |stat: String| {
        let state = stat.rsplit_once(')').map_or("", |(_, rest)| rest).trim_start();
        state.starts_with('Z')
    };
    let stat = fs::read_to_string(format!("/proc/{}/stat", id.as_raw_pid()));
    test_kill_process(id) != Err(rustix::io::Errno::SRCH) && !stat.is_ok_and(is_gone)
}

fn status(environment: &Environment) -> ExitCode {
    let mut remarks = Vec::new();
    let found = status::find(environment, &mut remarks);
    for remark in remarks {
        println!("{remark}");
    }
    let Some(client) = found else { return ExitCode::FAILURE };
    let status::ClientPort { address, port, is_tls } = &client;
    println!("Client port found: {port}. Client address: {address}. Client SSL: {is_tls}.");
    match client.mode() {
        Ok(mode) => {
            println!("{mode}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{address}:{port}: {error}");
            println!("Error contacting service. It is probably not running.");
            ExitCode::FAILURE
        }
    }
}
