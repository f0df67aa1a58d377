//! What the subcommands of `zabra` do.

pub mod bench;
