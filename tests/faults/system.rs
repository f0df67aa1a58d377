//! Commands of the system.

use std::process::{Command, Stdio};

/// Runs a command that must succeed; gives its output.
pub(super) fn system(command: &str) -> String {
    let output = try_system(command);
    output.unwrap_or_else(|error| panic!("{command}: {error}"))
}

/// Runs a command; gives its output, or what it complains of.
pub(super) fn try_system(command: &str) -> Result<String, String> {
    let mut words = command.split_whitespace();
    let mut process = Command::new(words.next().unwrap_or_default());
    let output = process.args(words).stdin(Stdio::null()).output();
    let output = output.map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}
