//! The names under which ZooKeeper's users and their scripts look for a server and a shell:
//! `zkServer.sh` and `zkCli.sh`, as links to this program.
//!
//! Arguments, lines on the standard output and exit codes are those of the scripts of Apache
//! ZooKeeper 3.9.5. Left out are the lines about JMX and the path of `java`, as there is neither.

mod environment;
mod status;
#[cfg(test)]
mod tests;
mod zk_server;

pub(super) use zk_server::{Detached, become_detached};

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

/// Runs the script that this program was started as. The error are the arguments of the program,
/// if there is no more to it than these.
pub(super) fn run(arguments: Vec<OsString>) -> Result<ExitCode, Vec<OsString>> {
    let Some((called, rest)) = arguments.split_first() else { return Err(arguments) };
    let name = Path::new(called).file_name().and_then(|name| name.to_str()).unwrap_or_default();
    match name.trim_end_matches(".sh") {
        "zkServer" => Ok(zk_server::run(called, rest)),
        "zkCli" => {
            let shell = ["zabra", "shell", "--as-zkcli"].map(OsString::from);
            Err(shell.into_iter().chain(rest.to_vec()).collect())
        }
        _ => Err(arguments),
    }
}
