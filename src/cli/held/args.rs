//! The command lines of `zabra lock` and `zabra elect`.

use crate::cli::duration;
use crate::client::{Client, ClientError, Options};
use clap::Args;
use std::ffi::OsString;
use std::time::Duration;

const CODES: &str = "Exit codes:
  that of COMMAND, or 128 and the number of the signal that ended it; otherwise
    0  held until a signal came
    1  no server, or it refused
    2  the command line is wrong
  124  not got within --timeout
  125  lost while held; COMMAND was stopped
  126  COMMAND cannot be run
  127  COMMAND was not found";

const LOCK_EXAMPLES: &str = "Examples:
  zabra lock /locks/backup -- ./backup.sh
  zabra lock --timeout 0 /locks/cron -- run-parts /etc/cron.daily
  zabra lock --server zoo1:2181,zoo2:2181/app /locks/x    # holds it until Ctrl-C";

const ELECT_EXAMPLES: &str = "Examples:
  zabra elect /leader --value host1:8080 -- ./serve.sh
  zabra elect /leader --observe --json
  zabra elect /leader      # leads until Ctrl-C";

const LOCK: &str = "Hold a lock, or run a command while it is held.

Contends with every client that uses kazoo's Lock or Curator's InterProcessMutex at PATH. The
command gets the fencing token in ZABRA_FENCING_TOKEN, a number that only grows from one holder to
the next, and PATH in ZABRA_HELD_PATH. It runs in a process group of its own, which is ended by
SIGTERM and then SIGKILL before anybody else can hold the lock, when the session is about to be
lost. Without a command the token is printed, and the lock is held until SIGINT or SIGTERM.";

const ELECT: &str = "Lead, or run a command while leading, or watch who leads.

Candidates lead in the order in which they came, together with every client that uses kazoo's
Election or Curator's LeaderSelector or LeaderLatch at PATH. The command gets the fencing token in
ZABRA_FENCING_TOKEN, a number that only grows from one leader to the next, and PATH in
ZABRA_HELD_PATH. It runs in a process group of its own, which is ended by SIGTERM and then SIGKILL
before anybody else can lead, when the session is about to be lost. Without a command the token is
printed, and this leads until SIGINT or SIGTERM.";

/// Hold a lock, or run a command while it is held.
#[derive(Args, Debug)]
#[command(long_about = LOCK)]
#[command(after_help = LOCK_EXAMPLES, after_long_help = format!("{LOCK_EXAMPLES}\n\n{CODES}"))]
pub(in crate::cli) struct LockArgs {
    /// The lock's znode. It is created if it is missing.
    #[arg(value_name = "PATH")]
    pub(super) path: String,
    #[command(flatten)]
    pub(super) common: Common,
}

/// Lead, or run a command while leading, or watch who leads.
#[derive(Args, Debug)]
#[command(long_about = ELECT)]
#[command(after_help = ELECT_EXAMPLES, after_long_help = format!("{ELECT_EXAMPLES}\n\n{CODES}"))]
pub(in crate::cli) struct ElectArgs {
    /// The election's znode. It is created if it is missing.
    #[arg(value_name = "PATH")]
    pub(super) path: String,
    /// What others see of this candidate [default: HOST:PID].
    #[arg(long, value_name = "VALUE")]
    pub(super) value: Option<String>,
    /// Do not lead: print the token and the value of every leader, a line each, until Ctrl-C.
    #[arg(long, conflicts_with_all = ["value", "timeout", "command"])]
    pub(super) observe: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

/// What both take.
#[derive(Args, Debug)]
pub(super) struct Common {
    /// Give up after this long, such as 500ms, 30s or 5m; 0 tries once [default: wait forever].
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(super) timeout: Option<Duration>,
    /// How long the command may take to end after a signal, before SIGKILL.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "10s")]
    pub(super) kill_after: Duration,
    /// Print a JSON object a line.
    #[arg(long, conflicts_with = "command")]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) connection: Connection,
    /// What to run, and its arguments.
    #[arg(value_name = "COMMAND", trailing_var_arg = true)]
    pub(super) command: Vec<OsString>,
}

/// Where to connect, and how.
#[derive(Args, Debug)]
pub(super) struct Connection {
    /// The servers: host:port, with commas between them; a chroot may follow the last.
    #[arg(long, value_name = "SERVERS", env = "ZABRA_SERVER", default_value = "127.0.0.1:2181")]
    server: String,
    /// How long to wait for the first connection.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "30s")]
    connect_timeout: Duration,
    /// How long the lock of a holder that fails stays taken.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "30s")]
    session_timeout: Duration,
    /// Credentials, as in digest:user:password; can be repeated.
    #[arg(long, value_name = "SCHEME:CREDENTIALS", value_parser = credentials)]
    auth: Vec<(String, Vec<u8>)>,
}

impl Connection {
    /// Begins a session.
    pub(super) async fn connect(&self) -> Result<Client, String> {
        let options = Options {
            session_timeout: self.session_timeout,
            connect_timeout: self.connect_timeout,
            auth: self.auth.clone(),
            ..Options::default()
        };
        let patience = self.connect_timeout;
        Client::connect(&self.server, options).await.map_err(|error| match error {
            ClientError::NotConnected => {
                format!("no server of {} has answered for {patience:?}", self.server)
            }
            error => error.to_string(),
        })
    }
}

fn credentials(text: &str) -> Result<(String, Vec<u8>), String> {
    match text.split_once(':') {
        Some((scheme, data)) if !scheme.is_empty() => {
            Ok((scheme.to_owned(), data.as_bytes().to_vec()))
        }
        _ => Err("must be SCHEME:CREDENTIALS, such as digest:user:password".to_owned()),
    }
}
