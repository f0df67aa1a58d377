//! `zabra inspect`: what is in snapshots, logs and stores.

use crate::admin::inspect::{InspectError, InspectOptions, inspect};
use clap::Args;
use std::io::{BufWriter, ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// `jute.maxbuffer` as of ZooKeeper's defaults, with as much on top for what servers add.
const LONGEST: usize = 2 * 1_048_575;

/// Arguments of `zabra inspect`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  zabra inspect /data                              what is there, and whether it is whole
  zabra inspect /data/version-2/snapshot.1a        every znode and session (zkSnapShotToolkit)
  zabra inspect /data/version-2/log.1b             every transaction (zkTxnLogToolkit)
  zabra inspect /data --transactions --json        the same of a whole log, an object a line
  zabra inspect /data --znodes --data --json       every znode with its data in Base64

/data may belong to Apache ZooKeeper or to Zabra; a server that uses Zabra's must be stopped.
Everything is checked. The exit code is 1 if something is damaged.")]
pub(super) struct InspectArguments {
    /// A snapshot, a log, or a data directory.
    #[arg(value_name = "FILE | DIR")]
    path: PathBuf,

    /// Where the log is, if that is another directory (dataLogDir).
    #[arg(long, value_name = "DIR")]
    log_dir: Option<PathBuf>,

    /// Of a directory: every znode and session.
    #[arg(long)]
    znodes: bool,

    /// Of a directory: every transaction in the log.
    #[arg(long)]
    transactions: bool,

    /// Show the data of znodes, in Base64.
    #[arg(short = 'd', long)]
    data: bool,

    /// Print JSON, an object a line.
    #[arg(long)]
    json: bool,

    /// Longest string, data or transaction in bytes: twice jute.maxbuffer.
    #[arg(long, value_name = "BYTES", default_value_t = LONGEST)]
    longest: usize,
}

/// Shows what is at a path.
pub(super) fn run(arguments: &InspectArguments) -> ExitCode {
    super::log_to_stderr();
    let InspectArguments { path, log_dir, znodes, transactions, data, json, longest } = arguments;
    let options = InspectOptions {
        json: *json,
        data: *data,
        znodes: *znodes,
        transactions: *transactions,
        longest: *longest,
    };
    let mut out = BufWriter::new(std::io::stdout().lock());
    let shown = inspect(path, log_dir.as_deref(), &options, &mut out);
    match shown.and_then(|()| Ok(out.flush()?)) {
        Ok(()) => ExitCode::SUCCESS,
        // As `head` does when it has enough.
        Err(InspectError::Output(error)) if error.kind() == ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(error) => super::fail("inspect", &error.to_string()),
    }
}
