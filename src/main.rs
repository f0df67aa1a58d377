//! The `zabra` program.

use mimalloc::MiMalloc;
use std::process::ExitCode;

/// Half of a write's work is small allocations, which the system's allocator is slow at.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    zabra::cli::main()
}
