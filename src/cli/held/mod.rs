//! `zabra lock` and `zabra elect`: what is done while a lock, or the leadership, is held.
//!
//! | part | is |
//! |---|---|
//! | `args` | the command lines |
//! | `command` | a command that runs while something is held, and ends with it |
//! | `observe` | `zabra elect --observe` |
//! | `signals` | the signals that end it all |
//! | `terminal` | who has the terminal |

mod args;
mod command;
mod observe;
mod signals;
mod terminal;

pub(super) use args::{ElectArgs, LockArgs};
pub(super) use command::{UnderHolder, become_command};

use crate::client::recipes::{Election, Held, Lock};
use crate::client::{Client, ClientError};
use args::Common;
use bytes::Bytes;
use command::{Command, Ending};
use serde_json::json;
use signals::Signals;
use std::io::Write;
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

/// Exit codes besides those of the command; the last four are those of `timeout` and of shells.
mod exit {
    pub(super) const FAILED: u8 = 1;
    pub(super) const TIMED_OUT: u8 = 124;
    pub(super) const LOST: u8 = 125;
    pub(super) const CANNOT_RUN: u8 = 126;
    pub(super) const NOT_FOUND: u8 = 127;

    /// The end by a signal.
    pub(super) fn of_signal(number: i32) -> u8 {
        u8::try_from(128 + number).unwrap_or(u8::MAX)
    }
}

/// How long to wait for an answer at the end: what is left is undone by the end of the session.
const PATIENCE: Duration = Duration::from_secs(3);

/// What is contended for.
struct Contest<'a> {
    /// `lock` or `elect`, for messages.
    name: &'static str,
    path: &'a str,
    /// What the contender's znodes hold.
    data: Bytes,
    is_election: bool,
}

/// Runs `zabra lock`. Returns the exit code.
pub(super) async fn lock(arguments: &LockArgs) -> u8 {
    let data = Bytes::from(default_value());
    let contest = Contest { name: "lock", path: &arguments.path, data, is_election: false };
    contest.run(&arguments.common).await
}

/// Runs `zabra elect`. Returns the exit code.
pub(super) async fn elect(arguments: &ElectArgs) -> u8 {
    if arguments.observe {
        return observe::run(&arguments.path, &arguments.common.connection, arguments.common.json)
            .await;
    }
    let data = Bytes::from(arguments.value.clone().unwrap_or_else(default_value));
    let contest = Contest { name: "elect", path: &arguments.path, data, is_election: true };
    contest.run(&arguments.common).await
}

/// Tells others who holds a lock: the host and the process.
fn default_value() -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{host}:{}", std::process::id())
}

impl Contest<'_> {
    async fn run(&self, common: &Common) -> u8 {
        let mut signals = match Signals::new() {
            Ok(signals) => signals,
            Err(error) => return self.failed(&error),
        };
        let mut client = None;
        let acquired = tokio::select! {
            acquired = self.contend(common, &mut client) => acquired,
            signal = signals.next() => Err(exit::of_signal(signal)),
        };
        let code = match acquired {
            Ok(held) => self.hold(common, held, &mut signals).await,
            Err(code) => code,
        };
        if let Some(client) = client {
            // Whoever waited for nothing, or lost the lock, leaves the queue by this.
            let _ = timeout(PATIENCE, client.close()).await;
        }
        code
    }

    /// Waits for the lock, in another session if one expires meanwhile. An error is an exit code.
    async fn contend(&self, common: &Common, client: &mut Option<Client>) -> Result<Held, u8> {
        let deadline = common.timeout.and_then(|wait| Instant::now().checked_add(wait));
        loop {
            let connected =
                common.connection.connect().await.map_err(|error| self.failed(&error))?;
            let client = client.insert(connected);
            let result = match deadline {
                _ if common.timeout == Some(Duration::ZERO) => self.try_once(client).await,
                Some(deadline) => {
                    let acquired = timeout_at(deadline, self.acquire(client)).await;
                    acquired.map_or(Ok(None), |acquired| acquired.map(Some))
                }
                None => self.acquire(client).await.map(Some),
            };
            match result {
                Ok(Some(held)) => return Ok(held),
                Ok(None) => {
                    eprintln!("zabra {}: {}: held by somebody else", self.name, self.path);
                    return Err(exit::TIMED_OUT);
                }
                Err(ClientError::SessionExpired) => {
                    eprintln!("zabra {}: the session has expired; trying again", self.name);
                }
                Err(error) => return Err(self.failed(&error)),
            }
        }
    }

    async fn acquire(&self, client: &Client) -> Result<Held, ClientError> {
        if self.is_election {
            self.election(client)?.lead().await
        } else {
            self.lock(client)?.acquire().await
        }
    }

    async fn try_once(&self, client: &Client) -> Result<Option<Held>, ClientError> {
        if self.is_election {
            self.election(client)?.try_lead().await
        } else {
            self.lock(client)?.try_acquire().await
        }
    }

    fn election(&self, client: &Client) -> Result<Election, ClientError> {
        Ok(Election::new(client, self.path)?.value(self.data.clone()))
    }

    fn lock(&self, client: &Client) -> Result<Lock, ClientError> {
        Ok(Lock::new(client, self.path)?.data(self.data.clone()))
    }

    /// Does what is to be done while it is held, and releases it. Returns the exit code.
    async fn hold(&self, common: &Common, mut held: Held, signals: &mut Signals) -> u8 {
        let ending = match common.command.split_first() {
            None => self.wait(common, &mut held, signals).await,
            Some((program, arguments)) => {
                let variables = [
                    ("ZABRA_FENCING_TOKEN", held.token().0.to_string()),
                    ("ZABRA_HELD_PATH", self.path.to_owned()),
                    ("ZABRA_HELD_ZNODE", held.path()),
                ];
                let command = Command { program, arguments, variables: &variables };
                command.run(&mut held, signals, common.kill_after).await
            }
        };
        let code = match ending {
            Ending::Code(code) => code,
            Ending::Lost(lost) => {
                eprintln!("zabra {}: {}: lost: {lost}", self.name, self.path);
                return exit::LOST;
            }
        };
        let released = timeout(PATIENCE, held.release()).await;
        let reason = match released {
            Ok(Ok(())) => return code,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no server answers; the end of the session does it".to_owned(),
        };
        eprintln!("zabra {}: {}: not released: {reason}", self.name, self.path);
        code
    }

    /// Tells that it is held, and holds it until a signal comes.
    async fn wait(&self, common: &Common, held: &mut Held, signals: &mut Signals) -> Ending {
        let token = held.token().0;
        let line = if common.json {
            json!({ "path": self.path, "znode": held.path(), "token": token }).to_string()
        } else {
            token.to_string()
        };
        let mut out = std::io::stdout();
        if let Err(error) = writeln!(out, "{line}").and_then(|()| out.flush()) {
            eprintln!("zabra {}: {error}", self.name);
            return Ending::Code(exit::FAILED);
        }
        tokio::select! {
            _ = signals.next() => Ending::Code(0),
            lost = held.lost() => Ending::Lost(lost),
        }
    }

    fn failed(&self, error: &impl std::fmt::Display) -> u8 {
        eprintln!("zabra {}: {}: {error}", self.name, self.path);
        exit::FAILED
    }
}
