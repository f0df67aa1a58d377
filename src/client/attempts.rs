//! What a client has tried in order to get a connection, for those who wait for it.

use super::ClientError;
use std::fmt;
use std::time::Duration;
use tokio::time::Instant;

/// The failed attempts since there was a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attempts {
    since: Option<Instant>,
    /// One entry for each server that has been tried, in the order of the first attempts.
    pub servers: Vec<Attempt>,
}

/// The attempts at one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The server, as `host:port`.
    pub server: String,
    /// How often it was tried.
    pub count: u32,
    /// How the last attempt failed.
    pub error: ClientError,
}

impl Attempts {
    /// For how long a connection has been tried for.
    pub fn elapsed(&self) -> Duration {
        self.since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// An attempt has failed, of those that began at `since`.
    pub(super) fn failed(&mut self, server: String, since: Instant, error: ClientError) {
        self.since = Some(since);
        if let Some(attempt) = self.servers.iter_mut().find(|attempt| attempt.server == server) {
            attempt.count = attempt.count.saturating_add(1);
            attempt.error = error;
        } else {
            self.servers.push(Attempt { server, count: 1, error });
        }
    }

    /// There is a connection.
    pub(super) fn succeeded(&mut self) {
        *self = Self::default();
    }
}

impl fmt::Display for Attempts {
    /// For example `tried a:2181 (connection refused) 7 times in 4.5 s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Attempt { server, count, error }) in self.servers.iter().enumerate() {
            let before = if index == 0 { "tried" } else { "," };
            match error {
                ClientError::ConnectionLoss(loss) => write!(f, "{before} {server} ({loss})")?,
                error => write!(f, "{before} {server} ({error})")?,
            }
            if *count > 1 {
                write!(f, " {count} times")?;
            }
        }
        if self.servers.is_empty() {
            f.write_str("no attempt has ended yet")?;
        }
        write!(f, " in {:.1} s", self.elapsed().as_secs_f32())
    }
}
