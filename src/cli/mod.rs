//! The subcommands of `zabra`.

mod server;

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
}

/// Runs what the command line asks for.
pub fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Server(arguments) => server::run(&arguments),
    }
}
