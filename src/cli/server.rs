//! `zabra server`: a server from a file, from flags, or a temporary one.

use super::container;
use crate::config::container::Plan;
use crate::config::{Config, Sources};
use crate::server::{Ended, Server, ServerError};
use clap::{Args, ValueEnum};
use rustix::process::{Resource, getrlimit, setrlimit};
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::pin::pin;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

/// Exit codes as of ZooKeeper's server.
mod exit {
    pub(super) const UNEXPECTED: u8 = 1;
    pub(super) const INVALID_INVOCATION: u8 = 2;
    pub(super) const DATA_DIR: u8 = 3;
    pub(super) const ADMIN_SERVER: u8 = 4;
    pub(super) const QUORUM_PORT: u8 = 14;
}

const EXAMPLES: &str = "Examples:
  zabra server                          # port 2181, data in ./data
  zabra server /etc/zookeeper/zoo.cfg
  zabra server --port 2182 --data-dir /var/lib/zabra -D maxClientCnxns=0
  zabra server --temporary              # for tests: prints its port, removes its data";

/// Arguments of `zabra server`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct ServerArguments {
    /// Configuration file, such as zoo.cfg; or, as ZooKeeper's server takes them, the client port,
    /// the data directory, the tick in milliseconds and the connections allowed per address.
    #[arg(value_name = "CONFIG | PORT DATADIR [TICK [MAXCNXNS]]", num_args = 0..=4)]
    config: Vec<String>,

    /// Port for clients; 0 takes any free one [default: 2181].
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,

    /// Directory for the data [default: data].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,

    /// Keep the data in a new temporary directory that is removed at the end, take any free port
    /// unless one is given, listen on 127.0.0.1 only, have no AdminServer unless a key `admin.*`
    /// is set, and print the port as the first line.
    #[arg(long, conflicts_with = "data_dir")]
    temporary: bool,

    /// Take the configuration from the environment, as the ZooKeeper images of Docker, Bitnami,
    /// Confluent and debezium do: zoo.cfg and myid are written where there are none.
    #[arg(long, conflicts_with_all = ["config", "data_dir", "temporary"])]
    from_env: bool,

    /// Any key of zoo.cfg; can be repeated.
    #[arg(short = 'D', long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,

    /// How the log is written to the standard error output.
    #[arg(long, value_enum, default_value = "text", value_name = "FORMAT")]
    log_format: LogFormat,

    /// What is logged: error, warn, info, debug or trace, also per module [default: info].
    #[arg(long, env = "ZABRA_LOG", value_name = "FILTER")]
    log: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Runs a server until it is told to stop.
pub(super) fn run(arguments: &ServerArguments) -> ExitCode {
    let prepared = arguments.from_env.then(container::prepare).transpose();
    let prepared = prepared.and_then(|plan| {
        start_logging(arguments, plan.as_ref())?;
        Ok(plan)
    });
    let plan = match prepared {
        Ok(plan) => plan,
        Err(message) => {
            eprintln!("{message}");
            return exit::INVALID_INVOCATION.into();
        }
    };
    // Lives until the server has ended.
    let temporary = match arguments.temporary.then(tempfile::tempdir).transpose() {
        Ok(temporary) => temporary,
        Err(error) => {
            eprintln!("zabra: no temporary directory: {error}");
            return exit::DATA_DIR.into();
        }
    };
    for note in plan.iter().flat_map(|plan| &plan.notes) {
        tracing::info!("{note}");
    }
    let config = match configure(arguments, plan.as_ref(), temporary.as_ref()) {
        Ok(config) => config,
        Err(message) => {
            eprintln!("{message}");
            return exit::INVALID_INVOCATION.into();
        }
    };
    for note in &config.notes {
        tracing::info!("{note}");
    }
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    raise_descriptor_limit();
    match serve(config, arguments.temporary) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            match error {
                ServerError::Config(_) => exit::INVALID_INVOCATION,
                ServerError::Data(_) => exit::DATA_DIR,
                ServerError::QuorumPort(_) => exit::QUORUM_PORT,
                ServerError::AdminServer(_) => exit::ADMIN_SERVER,
                ServerError::Audit(_)
                | ServerError::Bind { .. }
                | ServerError::Metrics(_)
                | ServerError::Thread(_)
                | ServerError::Stopped(_) => exit::UNEXPECTED,
            }
            .into()
        }
    }
}

/// Takes as many file descriptors as the system allows, as Java does: every connection is one, and
/// a login shell gives 1024.
fn raise_descriptor_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!("the limit of open files stays as it is: {error}");
    }
}

fn start_logging(arguments: &ServerArguments, plan: Option<&Plan>) -> Result<(), String> {
    let level = plan.and_then(|plan| plan.log_level.as_deref());
    let filter = match (&arguments.log, level) {
        (Some(filter), _) => filter,
        (None, Some(level)) => container::log_filter(level)?,
        (None, None) => "info",
    };
    let filter = EnvFilter::try_new(filter).map_err(|error| format!("zabra: --log: {error}"))?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match arguments.log_format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
    Ok(())
}

fn configure(
    arguments: &ServerArguments,
    plan: Option<&Plan>,
    temporary: Option<&tempfile::TempDir>,
) -> Result<Config, String> {
    let mut sources = match (plan, arguments.config.as_slice()) {
        (Some(plan), _) => Sources::file(&plan.config),
        (None, []) => Sources::built_in(),
        (None, [file]) => Sources::file(file),
        (None, several) => Sources::arguments(several).map_err(|error| error.to_string())?,
    }
    .with_environment(|name| std::env::var(name).ok());
    let mut flags = Vec::new();
    for setting in &arguments.set {
        let (key, value) = setting
            .split_once('=')
            .ok_or_else(|| format!("zabra: -D {setting}: must be KEY=VALUE"))?;
        flags.push((key.to_owned(), value.to_owned()));
    }
    if let Some(directory) = temporary {
        flags.push(("dataDir".to_owned(), directory.path().display().to_string()));
        flags.push(("clientPortAddress".to_owned(), "127.0.0.1".to_owned()));
    }
    if temporary.is_some() && !arguments.set.iter().any(|setting| setting.contains("admin.")) {
        flags.push(("admin.enableServer".to_owned(), "false".to_owned()));
    }
    if let Some(port) = arguments.port.or(arguments.temporary.then_some(0)) {
        flags.push(("clientPort".to_owned(), port.to_string()));
    }
    if let Some(directory) = &arguments.data_dir {
        flags.push(("dataDir".to_owned(), directory.display().to_string()));
    }
    for (key, value) in flags {
        sources = sources.with_flag(&key, &value);
    }
    Config::load(&sources).map_err(|error| error.to_string())
}

fn serve(config: Config, print_port: bool) -> Result<(), ServerError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("client")
        .build()
        .map_err(ServerError::Thread)?;
    let result = runtime.block_on(async {
        let mut stop = pin!(stop_signal().map_err(ServerError::Thread)?);
        let mut server = Server::start(config.clone())?;
        let port = server.address().port();
        if print_port {
            let mut out = std::io::stdout();
            // Whoever started this reads it; if nobody does, the server is of use all the same.
            let _ = writeln!(out, "{port}").and_then(|()| out.flush());
        }
        let mut config = config;
        while server.run_until(stop.as_mut()).await? == Ended::ToRestore {
            // Clients come back to where they were.
            if let Some(endpoint) = &mut config.client.plain {
                endpoint.port = port;
            }
            server = Server::start(config.clone())?;
        }
        Ok(())
    });
    runtime.shutdown_background();
    result
}

/// Done when the operator wants the server to end.
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        tracing::info!("{name}: stopping");
    })
}
