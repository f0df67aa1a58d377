//! The switch that ends the server, and why it was thrown.

use parking_lot::Mutex;
use tokio::sync::Notify;

/// Thrown once; the first reason counts.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    reason: Mutex<Option<Result<(), String>>>,
    thrown: Notify,
}

impl Stop {
    /// Ends the server as the operator wishes.
    pub(crate) fn finish(&self) {
        self.throw(Ok(()));
    }

    /// Ends the server because it cannot go on.
    pub(crate) fn fail(&self, why: String) {
        tracing::error!("stopping: {why}");
        self.throw(Err(why));
    }

    fn throw(&self, reason: Result<(), String>) {
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
    pub(crate) fn reason(&self) -> Result<(), String> {
        self.reason.lock().clone().unwrap_or(Ok(()))
    }
}
