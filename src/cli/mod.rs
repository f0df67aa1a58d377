//! The subcommands of `zabra`.

pub mod bench;
#[cfg(feature = "server")]
mod server;
#[cfg(feature = "server")]
mod shell;

#[cfg(feature = "server")]
pub use program::main;

#[cfg(feature = "server")]
mod program {
    use super::{bench, server, shell};
    use clap::{Parser, Subcommand};
    use std::process::ExitCode;

    /// A coordination server that speaks Apache ZooKeeper's protocols.
    #[derive(Debug, Parser)]
    #[command(name = "zabra", version, about)]
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
        /// Measure a server, this one or Apache ZooKeeper.
        Bench(bench::BenchArgs),
    }

    /// Runs what the command line asks for.
    pub fn main() -> ExitCode {
        match Arguments::parse().command {
            Command::Server(arguments) => server::run(&arguments),
            Command::Shell(arguments) => shell::run(&arguments),
            Command::Bench(arguments) => measure(arguments),
        }
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
}
