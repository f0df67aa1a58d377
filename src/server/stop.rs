//! The switch that ends the server, and why it was thrown.

use super::ServerError;
use tokio::sync::watch;

/// Thrown once; the first reason counts.
#[derive(Debug)]
pub(crate) struct Stop(watch::Sender<Option<Reason>>);

/// How a server ended that ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// As the operator wished.
    AsAsked,
    /// To begin anew with another tree, which is prepared.
    ToRestore,
}

#[derive(Clone, Debug)]
enum Reason {
    /// The operator wishes it.
    Wish,
    /// Another tree waits to be served.
    Restore,
    /// It cannot go on.
    Failure(String),
    /// It cannot listen to other servers.
    NoPort(String),
}

impl Default for Stop {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Stop {
    /// Ends the server as the operator wishes.
    pub(crate) fn finish(&self) {
        self.throw(Reason::Wish);
    }

    /// Ends the server, so that it begins anew with another tree.
    pub(crate) fn restore(&self) {
        self.throw(Reason::Restore);
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
        self.0.send_if_modified(|thrown| {
            let first = thrown.is_none();
            thrown.get_or_insert(reason);
            first
        });
    }

    /// Waits until the switch is thrown.
    pub(crate) async fn wait(&self) {
        // The sender lives as long as the switch.
        let _ = self.0.subscribe().wait_for(Option::is_some).await;
    }

    /// Why the server ends, if it has to: as was asked if the switch was not thrown.
    pub(crate) fn reason(&self) -> Result<Ended, ServerError> {
        match self.0.borrow().clone() {
            None | Some(Reason::Wish) => Ok(Ended::AsAsked),
            Some(Reason::Restore) => Ok(Ended::ToRestore),
            Some(Reason::Failure(why)) => Err(ServerError::Stopped(why)),
            Some(Reason::NoPort(why)) => Err(ServerError::QuorumPort(why)),
        }
    }
}
