//! The switch that ends the server, and why it was thrown.

use super::ServerError;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Thrown once; the first reason counts.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    reason: Mutex<Option<Reason>>,
    thrown: Notify,
}

#[derive(Clone, Debug)]
enum Reason {
    /// The operator wishes it.
    Wish,
    /// It cannot go on.
    Failure(String),
    /// It cannot listen to other servers.
    NoPort(String),
}

impl Stop {
    /// Ends the server as the operator wishes.
    pub(crate) fn finish(&self) {
        self.throw(Reason::Wish);
    }

    /// Ends the server because it cannot go on.
    pub(crate) fn fail(&self, why: String) {
        tracing::error!("stopping: {why}");
        self.throw(Reason::Failure(why));
    }

    /// Ends the server because other servers cannot reach it.
    pub(crate) fn no_port(&self, why: String) {
        tracing::error!("stopping: {why}");
        self.throw(Reason::NoPort(why));
    }

    fn throw(&self, reason: Reason) {
        self.reason.lock().get_or_insert(reason);
        self.thrown.notify_one();
    }

    /// Waits until the switch is thrown.
    pub(crate) async fn wait(&self) {
        while self.reason.lock().is_none() {
            self.thrown.notified().await;
        }
    }

    /// Why the server ends; fine if it was not thrown.
    pub(crate) fn reason(&self) -> Result<(), ServerError> {
        match self.reason.lock().clone() {
            None | Some(Reason::Wish) => Ok(()),
            Some(Reason::Failure(why)) => Err(ServerError::Stopped(why)),
            Some(Reason::NoPort(why)) => Err(ServerError::QuorumPort(why)),
        }
    }
}
