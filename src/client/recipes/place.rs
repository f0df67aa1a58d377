//! A contender's place in the queue: its znodes, from their creation to their end.

use super::names::{self, Family, Mark};
use super::{Client, ClientError, is_passing, join, latest_children, persist};
use crate::client::{CreateMode, DataStat, MultiResult, OneShotWatch, Transaction};
use crate::types::{ErrorCode, path};
use bytes::Bytes;

/// The answer for a znode that is not there.
const NO_NODE: ClientError = ClientError::Api(ErrorCode::NoNode);

/// A place in the queue below a path. Dropping it gives it up, in the background.
#[derive(Debug)]
pub(super) struct Place {
    /// Without names until they are known.
    znodes: Znodes,
    prefixes: Vec<String>,
    /// Whether there may be znodes that must be deleted.
    may_exist: bool,
}

/// The znodes of a place.
#[derive(Clone, Debug)]
pub(super) struct Znodes {
    pub(super) client: Client,
    parent: String,
    names: Vec<String>,
}

/// The place is gone: somebody has deleted a znode of it.
#[derive(Debug)]
pub(super) struct Vanished;

impl Place {
    /// Enters the queue.
    pub(super) async fn enter(
        client: &Client,
        parent: &str,
        families: &[Family],
        data: &Bytes,
    ) -> Result<Self, ClientError> {
        let mark = Mark::new();
        let (client, parent) = (client.clone(), parent.to_owned());
        let mut place = Self {
            prefixes: families.iter().map(|family| mark.prefix(*family)).collect(),
            znodes: Znodes { client, parent, names: Vec::new() },
            may_exist: true,
        };
        place.create(data).await?;
        Ok(place)
    }

    /// Creates the znodes of this place, and the path above them if that is missing.
    async fn create(&mut self, data: &Bytes) -> Result<(), ClientError> {
        let mut creation = Transaction::new();
        for prefix in &self.prefixes {
            let path = join(&self.znodes.parent, prefix);
            creation = creation.create(&path, data.clone(), CreateMode::EphemeralSequential);
        }
        loop {
            match self.znodes.client.multi(&creation).await {
                Ok(results) => {
                    self.znodes.names = results.iter().filter_map(created_name).collect();
                    return Ok(());
                }
                Err(ClientError::Multi { code: ErrorCode::NoNode, .. }) => {
                    create_path(&self.znodes.client, &self.znodes.parent).await?;
                }
                Err(error) if is_passing(&error) => {
                    // The transaction may have taken place all the same.
                    self.znodes.find(&self.prefixes).await?;
                    if !self.znodes.names.is_empty() {
                        return Ok(());
                    }
                }
                Err(error) => {
                    self.may_exist = !matches!(error, ClientError::Multi { .. });
                    return Err(error);
                }
            }
        }
    }

    pub(super) fn znodes(&self) -> &Znodes {
        &self.znodes
    }

    /// Whether nobody is before this contender; otherwise who is.
    pub(super) async fn predecessor(
        &self,
    ) -> Result<Result<Option<String>, Vanished>, ClientError> {
        let own = self.number()?;
        let Znodes { client, parent, names } = &self.znodes;
        let children = match persist(|| client.children(parent)).await {
            Ok(children) => children,
            Err(NO_NODE) => return Ok(Err(Vanished)),
            Err(error) => return Err(error),
        };
        if !names.iter().all(|name| children.contains(name)) {
            return Ok(Err(Vanished));
        }
        Ok(Ok(names::predecessor(&children, own).map(str::to_owned)))
    }

    /// The lowest number of this contender's.
    fn number(&self) -> Result<i32, ClientError> {
        // Behind the highest number the server goes on with negative ones, which sort before all
        // others: whoever took one for its place would hold the lock beside its holder.
        let of = |name: &String| {
            let prefix = self.prefixes.iter().find(|prefix| name.starts_with(prefix.as_str()))?;
            name[prefix.len()..].parse::<i32>().ok().filter(|number| *number >= 0)
        };
        let numbers: Option<Vec<_>> = self.znodes.names.iter().map(of).collect();
        numbers.and_then(|numbers| numbers.into_iter().min()).ok_or(ClientError::BadArguments(
            "the sequence numbers below this path are used up; use another one",
        ))
    }

    /// Waits until the znode before this place is deleted or changed.
    pub(super) async fn wait_for(&self, predecessor: &str) -> Result<(), ClientError> {
        let client = &self.znodes.client;
        let path = join(&self.znodes.parent, predecessor);
        // Unlike exists, get leaves no watch behind where there is no znode.
        let watch = match persist(|| client.get_and_watch(&path)).await {
            Ok((_, watch)) => watch,
            Err(NO_NODE) => return Ok(()),
            Err(ClientError::Api(ErrorCode::NoAuth)) => {
                match persist(|| client.exists_and_watch(&path)).await? {
                    (Some(_), watch) => watch,
                    (None, _) => return Ok(()),
                }
            }
            Err(error) => return Err(error),
        };
        watch.await.map(drop)
    }

    /// Leaves the queue.
    pub(super) async fn leave(mut self) -> Result<(), ClientError> {
        self.znodes.delete().await?;
        self.may_exist = false;
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.may_exist || self.znodes.client.state().get().is_final() {
            return;
        }
        // Without a runtime the session's end removes the znodes.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (mut znodes, prefixes) = (self.znodes.clone(), std::mem::take(&mut self.prefixes));
        runtime.spawn(async move {
            if znodes.names.is_empty() {
                znodes.find(&prefixes).await?;
            }
            znodes.delete().await
        });
    }
}

impl Znodes {
    /// The path of the first.
    pub(super) fn path(&self) -> String {
        join(&self.parent, self.names.first().map_or("", String::as_str))
    }

    /// Reads and watches all of them. Returns what the first holds.
    pub(super) async fn watch(
        &self,
    ) -> Result<Result<(DataStat, Vec<OneShotWatch>), Vanished>, ClientError> {
        let (mut first, mut watches) = (None, Vec::new());
        for name in &self.names {
            let path = join(&self.parent, name);
            match persist(|| self.client.get_and_watch(&path)).await {
                Ok((read, watch)) => {
                    first.get_or_insert(read);
                    watches.push(watch);
                }
                Err(NO_NODE) => return Ok(Err(Vanished)),
                Err(error) => return Err(error),
            }
        }
        Ok(first.map(|read| (read, watches)).ok_or(Vanished))
    }

    /// Finds those that begin like this, as the reply to their creation may have been lost.
    async fn find(&mut self, prefixes: &[String]) -> Result<(), ClientError> {
        let mut names = match latest_children(&self.client, &self.parent).await {
            Err(NO_NODE) => Vec::new(),
            names => names?,
        };
        names.retain(|name| prefixes.iter().any(|prefix| name.starts_with(prefix.as_str())));
        self.names = names;
        Ok(())
    }

    /// Deletes them, in one transaction if all are there.
    async fn delete(&self) -> Result<(), ClientError> {
        let paths: Vec<_> = self.names.iter().map(|name| join(&self.parent, name)).collect();
        let all = paths.iter().fold(Transaction::new(), |all, path| all.delete(path, None));
        match self.client.multi(&all).await {
            Err(ClientError::Multi { .. }) => {}
            Err(error) if is_passing(&error) => {}
            result => return result.map(drop),
        }
        for path in &paths {
            match persist(|| self.client.delete(path, None)).await {
                Ok(()) | Err(NO_NODE) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// The name of a znode that a transaction has created.
fn created_name(result: &MultiResult) -> Option<String> {
    let MultiResult::Create(created) = result else { return None };
    path::split(&created.path).map(|(_, name)| name.to_owned())
}

/// Creates a path that is missing.
async fn create_path(client: &Client, path: &str) -> Result<(), ClientError> {
    let ends = path.match_indices('/').map(|(at, _)| at).skip(1).chain([path.len()]);
    for end in ends {
        let create = || client.create(&path[..end], Bytes::new(), CreateMode::Persistent);
        match persist(create).await {
            Ok(_) | Err(ClientError::Api(ErrorCode::NodeExists)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
