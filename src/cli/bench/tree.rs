//! The znodes that a run needs: how they are laid out, created and deleted in bulk.

use crate::client::{Client, ClientError, CreateMode, Transaction};
use crate::types::ErrorCode;
use bytes::Bytes;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::task::JoinSet;

/// How many znodes share a parent: few enough that a list of their names fits into a reply.
pub(super) const BUCKET: usize = 1000;

/// How many deletions one request carries.
const DELETIONS: usize = 100;

/// How many requests are in flight while znodes are created or deleted in bulk.
const IN_FLIGHT: usize = 32;

/// Largest number of bytes of data in one request.
const MAX_REQUEST: usize = 512 * 1024;

/// Where the znodes of a run are.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    /// The znode above all of them.
    pub(super) dir: String,
    /// How many of them share a parent.
    pub(super) bucket: usize,
}

impl Layout {
    /// The parent of this znode and its neighbours.
    pub(super) fn parent(&self, index: usize) -> String {
        format!("{}/d{}", self.dir, index / self.bucket)
    }

    /// The path of a znode.
    pub(super) fn path(&self, index: usize) -> String {
        format!("{}/d{}/n{}", self.dir, index / self.bucket, index % self.bucket)
    }

    /// The paths of the first znodes.
    pub(super) fn paths(&self, count: usize) -> Vec<String> {
        (0..count).map(|index| self.path(index)).collect()
    }

    /// Creates the parents of the first znodes.
    pub(super) async fn create_parents(
        &self,
        client: &Client,
        count: usize,
    ) -> Result<(), ClientError> {
        let layout = self.clone();
        for_each(client, count.div_ceil(self.bucket), move |client, bucket| {
            let path = layout.parent(bucket * layout.bucket);
            async move { client.create(&path, None, CreateMode::Persistent).await.map(drop) }
        })
        .await
    }

    /// Creates the first znodes and their parents.
    pub(super) async fn populate(
        &self,
        client: &Client,
        count: usize,
        data: &Bytes,
    ) -> Result<(), ClientError> {
        self.create_parents(client, count).await?;
        let batch = batch_for(DELETIONS, data.len());
        let (layout, data) = (self.clone(), data.clone());
        for_each(client, count.div_ceil(batch), move |client, number| {
            let first = number * batch;
            let transaction = layout.creation(first..count.min(first + batch), &data);
            async move { client.multi(&transaction).await.map(drop) }
        })
        .await
    }

    /// The transaction that creates these znodes.
    pub(super) fn creation(&self, indexes: std::ops::Range<usize>, data: &Bytes) -> Transaction {
        indexes.fold(Transaction::new(), |transaction, index| {
            transaction.create(&self.path(index), data.clone(), CreateMode::Persistent)
        })
    }
}

/// How many creations with data of this size fit into a request, at most `wanted`.
pub(super) fn batch_for(wanted: usize, size: usize) -> usize {
    // Besides the data there are a path, an access control list and two headers.
    wanted.min(MAX_REQUEST / (size + 200)).max(1)
}

/// Creates a znode unless it is there.
pub(super) async fn ensure(client: &Client, path: &str) -> Result<(), ClientError> {
    match client.create(path, None, CreateMode::Persistent).await {
        Ok(_) | Err(ClientError::Api(ErrorCode::NodeExists)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Deletes a znode and everything below it. A missing one is fine.
///
/// # Errors
/// `NotEmpty` if somebody creates znodes as fast as they are deleted.
pub(super) async fn remove_tree(client: &Client, path: &str) -> Result<(), ClientError> {
    let mut parents = vec![path.to_owned()];
    let mut emptied = None;
    while let Some(parent) = parents.last() {
        let names = match client.children(parent).await {
            Err(ClientError::Api(ErrorCode::NoNode)) => Vec::new(),
            names => names?,
        };
        let paths = names.iter().map(|name| format!("{parent}/{name}")).collect();
        let mut with_children = remove_all(client, paths).await?;
        if !with_children.is_empty() {
            parents.append(&mut with_children);
        } else if names.is_empty() {
            remove_one(client, parent).await?;
            parents.pop();
        } else if emptied.as_ref() == Some(parent) {
            return Err(ClientError::Api(ErrorCode::NotEmpty));
        } else {
            emptied = Some(parent.clone());
        }
    }
    Ok(())
}

/// Deletes znodes and returns those that have children.
async fn remove_all(client: &Client, paths: Vec<String>) -> Result<Vec<String>, ClientError> {
    let with_children = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let (paths, found) = (Arc::new(paths), Arc::clone(&with_children));
    for_each(client, paths.len().div_ceil(DELETIONS), move |client, number| {
        let (paths, found) = (Arc::clone(&paths), Arc::clone(&found));
        async move {
            let first = number * DELETIONS;
            let paths = &paths[first..paths.len().min(first + DELETIONS)];
            let mut stubborn = remove_batch(&client, paths).await?;
            found.lock().append(&mut stubborn);
            Ok(())
        }
    })
    .await?;
    Ok(std::mem::take(&mut *with_children.lock()))
}

/// Deletes znodes together or, where one of them is in the way, one by one.
async fn remove_batch(client: &Client, paths: &[String]) -> Result<Vec<String>, ClientError> {
    let all = paths.iter().fold(Transaction::new(), |all, path| all.delete(path, None));
    match client.multi(&all).await {
        Ok(_) => return Ok(Vec::new()),
        Err(ClientError::Multi { .. }) => {}
        Err(error) => return Err(error),
    }
    let mut with_children = Vec::new();
    for path in paths {
        if remove_one(client, path).await? == Removal::HasChildren {
            with_children.push(path.clone());
        }
    }
    Ok(with_children)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Removal {
    Gone,
    HasChildren,
}

async fn remove_one(client: &Client, path: &str) -> Result<Removal, ClientError> {
    match client.delete(path, None).await {
        Ok(()) | Err(ClientError::Api(ErrorCode::NoNode)) => Ok(Removal::Gone),
        Err(ClientError::Api(ErrorCode::NotEmpty)) => Ok(Removal::HasChildren),
        Err(error) => Err(error),
    }
}

/// Does jobs `0..count`, some of them at the same time, and stops at the first error.
async fn for_each<J, F>(client: &Client, count: usize, job: J) -> Result<(), ClientError>
where
    J: Fn(Client, usize) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), ClientError>> + Send,
{
    let (job, next) = (Arc::new(job), Arc::new(AtomicUsize::new(0)));
    let mut workers = JoinSet::new();
    for _ in 0..IN_FLIGHT.min(count) {
        let (client, job, next) = (client.clone(), Arc::clone(&job), Arc::clone(&next));
        workers.spawn(async move {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= count {
                    return Ok(());
                }
                job(client.clone(), index).await?;
            }
        });
    }
    while let Some(result) = workers.join_next().await {
        // A worker that panicked has been reported already; it counts as a closed client.
        result.unwrap_or(Err(ClientError::Closed))?;
    }
    Ok(())
}
