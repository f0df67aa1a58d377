//! The `zabra` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    zabra::cli::main()
}
