//! Walking a subtree.

use super::failure::{At, Failure};
use crate::client::{Client, ClientError, OneShotWatch};
use crate::types::ErrorCode;

/// Keeps a watch, so that it is set again on a later connection. Its event comes with all others.
pub(super) fn keep(watch: OneShotWatch) {
    tokio::spawn(watch);
}

/// A walk through the descendants of a znode in zkCli's order: all children of a znode, then what
/// is below each of them (ZK: `ZKUtil.visitSubTreeDFS`).
#[derive(Debug)]
pub(super) struct Walk {
    /// Whose children have not been listed yet, the next one last.
    waiting: Vec<String>,
    watches: bool,
}

impl Walk {
    /// A walk that begins with the children of `root`.
    pub(super) fn new(root: &str) -> Self {
        Self { waiting: vec![root.to_owned()], watches: false }
    }

    /// The same, leaving watches on the children of each znode.
    pub(super) fn with_watches(self) -> Self {
        Self { watches: true, ..self }
    }

    /// The paths of the children of one znode, in order of their names; `None` at the end.
    pub(super) async fn next(&mut self, client: &Client) -> Result<Option<Vec<String>>, Failure> {
        while let Some(parent) = self.waiting.pop() {
            let found = if self.watches {
                client.children_and_watch(&parent).await.map(|(found, watch)| {
                    keep(watch);
                    found.names
                })
            } else {
                client.children(&parent).await
            };
            let names = match found {
                // It was listed, and is gone by now.
                Err(ClientError::Api(ErrorCode::NoNode)) => continue,
                found => found.at(&parent)?,
            };
            let paths = below(&parent, names);
            self.waiting.extend(paths.iter().rev().cloned());
            return Ok(Some(paths));
        }
        Ok(None)
    }
}

/// The paths of children, in order of their names.
pub(super) fn below(parent: &str, mut names: Vec<String>) -> Vec<String> {
    names.sort();
    let parent = parent.trim_end_matches('/');
    names.iter().map(|name| format!("{parent}/{name}")).collect()
}

/// How many requests for children are on their way at once.
const AT_ONCE: usize = 128;

/// A znode and all its descendants, each after its parent.
///
/// # Errors
/// Also if one is deleted meanwhile.
pub(super) async fn subtree(client: &Client, root: &str) -> Result<Vec<String>, Failure> {
    let mut paths = vec![root.to_owned()];
    let mut done = 0;
    while done < paths.len() {
        let chunk = &paths[done..paths.len().min(done + AT_ONCE)];
        done += chunk.len();
        let asked: Vec<_> = chunk
            .iter()
            .map(|path| {
                let (client, path) = (client.clone(), path.clone());
                tokio::spawn(async move {
                    let names = client.children(&path).await.at(&path)?;
                    Ok::<_, Failure>(below(&path, names))
                })
            })
            .collect();
        for answer in asked {
            // A task that has not ended was cancelled with the runtime.
            paths.extend(answer.await.unwrap_or(Err(Failure::Interrupted))?);
        }
    }
    Ok(paths)
}
