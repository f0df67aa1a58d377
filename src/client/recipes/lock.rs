//! An exclusive lock.

use super::held::Held;
use super::names::{self, Family};
use super::place::{Place, Vanished};
use super::{Client, ClientError};
use crate::types::{Zxid, path};
use bytes::Bytes;

/// An exclusive lock at a path, shared with kazoo's `Lock` and Curator's `InterProcessMutex` there.
///
/// It is not reentrant: each acquisition contends for itself, also with others of the same client.
#[derive(Clone, Debug)]
pub struct Lock {
    client: Client,
    path: String,
    data: Bytes,
    families: &'static [Family],
}

impl Lock {
    /// The lock at a path, which is created at the first acquisition if it is missing.
    ///
    /// # Errors
    /// `InvalidPath`.
    pub fn new(client: &Client, path: &str) -> Result<Self, ClientError> {
        Self::seen_by(client, path, names::LOCK)
    }

    pub(super) fn seen_by(
        client: &Client,
        path: &str,
        families: &'static [Family],
    ) -> Result<Self, ClientError> {
        path::validate(path)?;
        Ok(Self { client: client.clone(), path: path.to_owned(), data: Bytes::new(), families })
    }

    /// The same with data for the contender's znodes, by which others can tell who it is (kazoo:
    /// `identifier`).
    #[must_use]
    pub fn data(self, data: Bytes) -> Self {
        Self { data, ..self }
    }

    /// Waits until the lock is held. Dropping the future leaves the queue.
    ///
    /// A lost connection does not lose the place. To wait for a limited time, use
    /// [`tokio::time::timeout`].
    ///
    /// # Errors
    /// Those that end the session, and what the servers refuse, such as `NoAuth`.
    pub async fn acquire(&self) -> Result<Held, ClientError> {
        loop {
            if let Ok(held) = self.attempt(true).await? {
                return Ok(held);
            }
        }
    }

    /// Holds the lock if it is free; `None` if somebody else has it or waits for it.
    ///
    /// # Errors
    /// As [`Lock::acquire`].
    pub async fn try_acquire(&self) -> Result<Option<Held>, ClientError> {
        self.attempt(false).await.map(Result::ok)
    }

    /// Enters the queue, and leaves it if it does not get the lock; that is when somebody deletes
    /// its znodes, or is before it and it shall not wait.
    async fn attempt(&self, waits: bool) -> Result<Result<Held, Vanished>, ClientError> {
        let place = Place::enter(&self.client, &self.path, self.families, &self.data).await?;
        loop {
            match place.predecessor().await? {
                Ok(None) => break,
                Ok(Some(before)) if waits => place.wait_for(&before).await?,
                Ok(Some(_)) | Err(Vanished) => {
                    place.leave().await?;
                    return Ok(Err(Vanished));
                }
            }
        }
        let held = place.znodes().watch().await?;
        Ok(held.map(|(read, watches)| Held::new(place, Zxid(read.stat.czxid), watches)))
    }
}
