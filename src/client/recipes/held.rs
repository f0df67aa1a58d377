//! A lock, or the leadership, while it is held.

use super::place::{Place, Znodes};
use super::{Client, ClientError};
use crate::client::{OneShotWatch, SessionState};
use crate::types::Zxid;
use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::timeout;

/// Why something is not held any longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// The session has ended, and the contender's znodes with it.
    #[error("the session has ended")]
    SessionEnded,
    /// There was no connection for so long that the session may end soon.
    #[error("there is no connection to any server")]
    Disconnected,
    /// Somebody has deleted a znode of the contender.
    #[error("its znode was deleted")]
    Deleted,
}

/// A lock that is held, or the leadership. Dropping it gives it up in the background; `release`
/// waits for that.
#[derive(Debug)]
pub struct Held {
    place: Place,
    token: Zxid,
    lost: watch::Receiver<Option<Lost>>,
    _monitor: Monitor,
}

/// The task that notices the loss; it ends with this.
#[derive(Debug)]
struct Monitor(AbortHandle);

impl Drop for Monitor {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Held {
    /// Holds what the place stands for.
    pub(super) fn new(place: Place, token: Zxid, watches: Vec<OneShotWatch>) -> Self {
        let (tell, lost) = watch::channel(None);
        let znodes = place.znodes().clone();
        let monitor = tokio::spawn(async move {
            let reason = tokio::select! {
                reason = session_lost(&znodes.client) => reason,
                reason = znodes_lost(&znodes, watches) => reason,
            };
            tell.send_replace(Some(reason));
        });
        Self { place, token, lost, _monitor: Monitor(monitor.abort_handle()) }
    }

    /// The fencing token: higher than that of every holder before.
    pub fn token(&self) -> Zxid {
        self.token
    }

    /// The path of the contender's znode, of the first if it has several.
    pub fn path(&self) -> String {
        self.place.znodes().path()
    }

    /// The timeout of the session that holds it.
    pub fn session_timeout(&self) -> Duration {
        self.place.znodes().client.session_timeout()
    }

    /// Whether it is still held, as far as can be known here.
    pub fn is_held(&self) -> bool {
        self.lost.borrow().is_none()
    }

    /// Waits until it is not held any longer, or not for sure. Dropping the future loses nothing.
    ///
    /// When the connection is lost, the session lives on for at least a third of its timeout. Half
    /// of that time is left for a new connection; then this is `Disconnected`, and the other half
    /// is left to whoever must stop before somebody else holds the lock. It does not come back:
    /// release what was lost, and contend anew.
    pub async fn lost(&mut self) -> Lost {
        match self.lost.wait_for(Option::is_some).await.map(|reason| *reason) {
            Ok(Some(reason)) => reason,
            // The monitor ends with its word or with this value.
            Ok(None) | Err(_) => pending().await,
        }
    }

    /// Gives it up, and waits until others can have it.
    ///
    /// # Errors
    /// Those that say that the session has ended. After others it is tried again.
    pub async fn release(self) -> Result<(), ClientError> {
        self.place.leave().await
    }
}

/// Ready when the session has ended, or may end before there is another connection.
async fn session_lost(client: &Client) -> Lost {
    let mut states = client.state();
    let mut state = states.get();
    loop {
        match state {
            SessionState::Connected => state = states.changed().await,
            SessionState::Expired | SessionState::AuthFailed | SessionState::Closed => {
                return Lost::SessionEnded;
            }
            // A server without a quorum does not know what has become of the session.
            SessionState::Connecting | SessionState::ReadOnly => {
                let patience = client.session_timeout() / 6;
                let mut connected = async || loop {
                    let state = states.changed().await;
                    if state == SessionState::Connected || state.is_final() {
                        break state;
                    }
                };
                match timeout(patience, connected()).await {
                    Ok(next) => state = next,
                    Err(_) => return Lost::Disconnected,
                }
            }
        }
    }
}

/// Ready when a znode of the place is not there any longer.
async fn znodes_lost(znodes: &Znodes, mut watches: Vec<OneShotWatch>) -> Lost {
    loop {
        if any(watches).await.is_err() {
            return Lost::SessionEnded;
        }
        // It may only have been changed.
        watches = match znodes.watch().await {
            Ok(Ok((_, watches))) => watches,
            Ok(Err(_)) => return Lost::Deleted,
            Err(_) => return Lost::SessionEnded,
        };
    }
}

/// The first event of several watches.
async fn any(mut watches: Vec<OneShotWatch>) -> Result<(), ClientError> {
    poll_fn(|cx| {
        let ready = watches.iter_mut().find_map(|watch| match Pin::new(watch).poll(cx) {
            Poll::Ready(result) => Some(result.map(drop)),
            Poll::Pending => None,
        });
        ready.map_or(Poll::Pending, Poll::Ready)
    })
    .await
}
