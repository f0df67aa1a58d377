//! Who leads: candidates, and those who only want to know.

use super::held::Held;
use super::names;
use super::{Client, ClientError, Lock, join, persist};
use crate::client::OneShotWatch;
use crate::types::{ErrorCode, SessionId, Zxid, path};
use bytes::Bytes;

/// An election at a path, shared with kazoo's `Election` and Curator's `LeaderSelector` and
/// `LeaderLatch` there. Candidates lead in the order in which they came.
#[derive(Clone, Debug)]
pub struct Election(Lock);

impl Election {
    /// The election at a path, which is created for the first candidate if it is missing.
    ///
    /// # Errors
    /// `InvalidPath`.
    pub fn new(client: &Client, path: &str) -> Result<Self, ClientError> {
        Lock::seen_by(client, path, names::ELECTION).map(Self)
    }

    /// The same with a candidate's value, which everybody sees while it leads (kazoo:
    /// `identifier`, Curator: `id`).
    #[must_use]
    pub fn value(self, value: Bytes) -> Self {
        Self(self.0.data(value))
    }

    /// Waits until this candidate leads. Dropping the future withdraws the candidature.
    ///
    /// # Errors
    /// Those that end the session, and what the servers refuse, such as `NoAuth`.
    pub async fn lead(&self) -> Result<Held, ClientError> {
        self.0.acquire().await
    }

    /// Leads if there is no other candidate; `None` otherwise.
    ///
    /// # Errors
    /// As [`Election::lead`].
    pub async fn try_lead(&self) -> Result<Option<Held>, ClientError> {
        self.0.try_acquire().await
    }
}

/// A leader as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leader {
    /// The path of its znode, of the first if it has several.
    pub path: String,
    /// The value it was put forward with.
    pub value: Bytes,
    /// Its fencing token.
    pub token: Zxid,
    /// Its session.
    pub session: SessionId,
}

/// Follows who leads at a path. It watches the leader's znode, not all candidates.
#[derive(Debug)]
pub struct Leaders {
    client: Client,
    path: String,
    /// Who was shown last.
    shown: Option<Leader>,
    /// Whether anything was shown: that there is no leader is worth being shown, too.
    is_begun: bool,
    /// Fires when that may have changed; `None` when it must be looked up.
    changed: Option<OneShotWatch>,
}

/// Who leads, and what fires when that may have changed; `None` if it has changed meanwhile.
type Look = Option<(Option<Leader>, OneShotWatch)>;

const NO_NODE: ClientError = ClientError::Api(ErrorCode::NoNode);

impl Leaders {
    /// The leaders at a path, which need not exist yet.
    ///
    /// # Errors
    /// `InvalidPath`.
    pub fn new(client: &Client, path: &str) -> Result<Self, ClientError> {
        path::validate(path)?;
        Ok(Self {
            client: client.clone(),
            path: path.to_owned(),
            shown: None,
            is_begun: false,
            changed: None,
        })
    }

    /// Waits until there is another leader, or none, than was shown last; at first returns the
    /// present one. Leaders that lead for a short time only may be skipped. Dropping the future
    /// loses nothing.
    ///
    /// # Errors
    /// Those that end the session, and what the servers refuse, such as `NoAuth`.
    pub async fn next(&mut self) -> Result<Option<Leader>, ClientError> {
        loop {
            if let Some(changed) = &mut self.changed {
                changed.await?;
                self.changed = None;
            }
            let Some((leader, changed)) = self.look().await? else { continue };
            self.changed = Some(changed);
            if !self.is_begun || self.shown != leader {
                self.is_begun = true;
                self.shown.clone_from(&leader);
                return Ok(leader);
            }
        }
    }

    async fn look(&self) -> Result<Look, ClientError> {
        let client = &self.client;
        match persist(|| client.children(&self.path)).await {
            Ok(children) => match names::first(&children) {
                Some(first) => self.look_at(join(&self.path, first)).await,
                None => match persist(|| client.children_and_watch(&self.path)).await {
                    Ok((read, came)) => {
                        Ok(names::first(&read.names).is_none().then_some((None, came)))
                    }
                    Err(NO_NODE) => Ok(None),
                    Err(error) => Err(error),
                },
            },
            Err(NO_NODE) => {
                let (stat, created) = persist(|| client.exists_and_watch(&self.path)).await?;
                Ok(stat.is_none().then_some((None, created)))
            }
            Err(error) => Err(error),
        }
    }

    /// The leader whose znode is this.
    async fn look_at(&self, path: String) -> Result<Look, ClientError> {
        match persist(|| self.client.get_and_watch(&path)).await {
            Ok((read, gone)) => Ok(Some((Some(Leader::new(path, read)), gone))),
            Err(NO_NODE) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Leader {
    fn new(path: String, read: crate::client::DataStat) -> Self {
        Self {
            path,
            value: read.data.unwrap_or_default(),
            token: Zxid(read.stat.czxid),
            session: SessionId(read.stat.ephemeral_owner),
        }
    }
}
