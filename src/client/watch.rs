//! What users hold of the watches they have set.

use super::queue::Shared;
use super::watches::Notice;
use super::{ClientError, SessionState};
use crate::proto::Event;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::sync::{mpsc, oneshot, watch};

/// A watch that fires once: a future of its event. Dropping it only loses the event; the server's
/// watch stays until it fires.
#[derive(Debug)]
pub struct OneShotWatch {
    events: oneshot::Receiver<Event>,
    shared: Arc<Shared>,
}

impl OneShotWatch {
    pub(super) fn new(events: oneshot::Receiver<Event>, shared: Arc<Shared>) -> Self {
        Self { events, shared }
    }
}

impl Future for OneShotWatch {
    /// # Errors
    /// `WatchRemoved`, or the error that has ended the session.
    type Output = Result<Event, ClientError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match ready!(Pin::new(&mut self.events).poll(cx)) {
            Ok(event) => Ok(event),
            Err(_) => Err(end(&self.shared)),
        })
    }
}

/// A watch that stays. Dropping it only loses the notices; the server's watch stays until it is
/// removed or the session ends, but it is not set again on another connection.
#[derive(Debug)]
pub struct PersistentWatch {
    notices: mpsc::Receiver<Notice>,
    shared: Arc<Shared>,
}

impl PersistentWatch {
    pub(super) fn new(notices: mpsc::Receiver<Notice>, shared: Arc<Shared>) -> Self {
        Self { notices, shared }
    }

    /// Waits for the next notice. Dropping the future loses nothing.
    ///
    /// # Errors
    /// `WatchRemoved`, or the error that has ended the session.
    pub async fn next(&mut self) -> Result<Notice, ClientError> {
        self.notices.recv().await.ok_or_else(|| end(&self.shared))
    }
}

/// Why a watch has ended: with the session, or else because it was removed.
fn end(shared: &Shared) -> ClientError {
    shared.ended().unwrap_or(ClientError::WatchRemoved)
}

/// Follows a session's state.
#[derive(Clone, Debug)]
pub struct StateWatch(pub(super) watch::Receiver<SessionState>);

impl StateWatch {
    /// The state now.
    pub fn get(&self) -> SessionState {
        *self.0.borrow()
    }

    /// Waits until the state is another one than this watch has last shown, and returns it. States
    /// that pass quickly may be skipped. Never returns after a final state was shown.
    pub async fn changed(&mut self) -> SessionState {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        *self.0.borrow_and_update()
    }
}
