//! The `zabra` program: arguments in, a subcommand run, an exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    zabra::cli::main()
}
