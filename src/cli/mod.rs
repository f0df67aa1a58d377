//! The subcommands of `zabra`.

pub mod bench;
#[cfg(feature = "server")]
mod container;
#[cfg(feature = "server")]
mod held;
#[cfg(feature = "server")]
mod import;
#[cfg(feature = "server")]
mod inspect;
#[cfg(feature = "server")]
mod server;
#[cfg(feature = "server")]
mod shell;
#[cfg(feature = "server")]
mod wrappers;

#[cfg(feature = "server")]
pub use program::main;
#[cfg(feature = "server")]
use program::{fail, log_to_stderr};

#[cfg(feature = "server")]
mod program {
    use super::{bench, container, held, import, inspect, server, shell, wrappers};
    use clap::{Parser, Subcommand};
    use std::io::IsTerminal;
    use std::process::ExitCode;
    use tracing_subscriber::EnvFilter;

    const EXAMPLES: &str = "Examples:
  zabra server /etc/zookeeper/zoo.cfg
  zabra shell -server zoo1:2181 ls /
  zabra lock /locks/backup -- ./backup.sh
  zabra bench mixed --server zoo1:2181";

    /// A coordination server that speaks Apache ZooKeeper's protocols.
    #[derive(Debug, Parser)]
    #[command(name = "zabra", version, about, after_help = EXAMPLES)]
    struct Arguments {
        #[command(subcommand)]
        command: Command,
    }

    #[derive(Debug, Subcommand)]
    enum Command {
        /// Run a server.
        Server(server::ServerArguments),
        /// Look at and change znodes, at a prompt or with one command.
        Shell(shell::ShellArguments),
        /// Take over the data of an Apache ZooKeeper server.
        Import(import::ImportArguments),
        /// Write Zabra's data as those of an Apache ZooKeeper server.
        Export(import::ExportArguments),
        /// Show what is in snapshots, logs and data directories, of either server.
        Inspect(inspect::InspectArguments),
        /// Measure a server, this one or Apache ZooKeeper.
        Bench(bench::BenchArgs),
        Lock(held::LockArgs),
        Elect(held::ElectArgs),
        /// Runs the command of `lock` and `elect`.
        #[command(hide = true)]
        UnderHolder(held::UnderHolder),
        /// Runs the server of `zkServer.sh start`.
        #[command(hide = true)]
        Detached(wrappers::Detached),
        /// Start what a container is for, as its environment says.
        Entrypoint(container::EntrypointArguments),
    }

    /// Runs what the command line asks for.
    pub fn main() -> ExitCode {
        let arguments = match wrappers::run(std::env::args_os().collect()) {
            Ok(code) => return code,
            Err(arguments) => arguments,
        };
        match Arguments::parse_from(arguments).command {
            Command::Server(arguments) => server::run(&arguments),
            Command::Shell(arguments) => shell::run(&arguments),
            Command::Import(arguments) => import::import(&arguments),
            Command::Export(arguments) => import::export(&arguments),
            Command::Inspect(arguments) => inspect::run(&arguments),
            Command::Bench(arguments) => measure(arguments),
            Command::Lock(arguments) => run(held::lock(&arguments)),
            Command::Elect(arguments) => run(held::elect(&arguments)),
            Command::UnderHolder(arguments) => held::become_command(&arguments),
            Command::Detached(arguments) => wrappers::become_detached(&arguments),
            Command::Entrypoint(arguments) => container::run(&arguments),
        }
    }

    /// Runs what returns an exit code.
    fn run(command: impl Future<Output = u8>) -> ExitCode {
        match tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(1).build() {
            Ok(runtime) => {
                let code = runtime.block_on(command);
                runtime.shutdown_background();
                code.into()
            }
            Err(error) => {
                eprintln!("zabra: {error}");
                ExitCode::FAILURE
            }
        }
    }

    /// Shows what the log says of a command that ends by itself.
    pub(super) fn log_to_stderr() {
        let filter = EnvFilter::try_from_env("ZABRA_LOG").unwrap_or_else(|_| "info".into());
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_target(false)
            .with_writer(std::io::stderr)
            .with_ansi(std::io::stderr().is_terminal())
            .init();
    }

    /// Says why a command did not do what it should.
    pub(super) fn fail(command: &str, error: &str) -> ExitCode {
        eprintln!("zabra {command}: {error}");
        ExitCode::FAILURE
    }

    fn measure(arguments: bench::BenchArgs) -> ExitCode {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let result = match runtime {
            Ok(runtime) => {
                runtime.block_on(bench::run(arguments)).map_err(|error| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        match result {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("zabra bench: {error}");
                ExitCode::FAILURE
            }
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use clap::CommandFactory;

        fn check(command: &mut clap::Command) {
            let help = command.render_long_help().to_string();
            assert!(help.contains("Example"), "{help}");
            // `help` is made by the parser.
            let ours = |command: &&mut clap::Command| {
                !command.is_hide_set() && command.get_name() != "help"
            };
            command.get_subcommands_mut().filter(ours).for_each(check);
        }

        #[test]
        fn every_help_has_an_example() {
            let mut command = Arguments::command();
            check(&mut command);
            command.debug_assert();
        }
    }
}

/// A duration with its unit: `500ms`, `30s`, `5m`, `2h`; seconds without one.
#[cfg(feature = "server")]
fn duration(text: &str) -> Result<std::time::Duration, String> {
    const UNITS: [(&str, f64); 4] = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];
    let (number, unit) = UNITS
        .iter()
        .find_map(|(name, unit)| Some((text.strip_suffix(name)?, unit)))
        .unwrap_or((text, &1.0));
    let seconds: f64 = number
        .trim()
        .parse()
        .map_err(|_| "must be a number and ms, s, m or h, such as 500ms or 30s".to_owned())?;
    std::time::Duration::try_from_secs_f64(seconds * unit).map_err(|error| error.to_string())
}

#[cfg(all(test, feature = "server"))]
mod tests {
    use super::duration;
    use std::time::Duration;

    #[test]
    fn durations_have_units() {
        for (text, millis) in
            [("500ms", 500), ("30s", 30_000), ("1.5", 1500), ("2 m", 120_000), ("1h", 3_600_000)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "s", "soon", "-1s", "1d", "1e30h", "nan"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
