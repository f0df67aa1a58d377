//! Walks a subtree in order: a znode, then what is below its first child, and so on. Requests run
//! ahead of the walk, so that it does not wait for each of them.

use crate::cli::shell::failure::{At, Failure};
use crate::client::{Client, ClientError, CreateMode, CreateOptions, Transaction};
use crate::types::{Acl, ErrorCode, Stat};
use bytes::Bytes;
use tokio::task::JoinHandle;

/// How many znodes are asked for before their turn.
const AHEAD: usize = 64;

/// A znode on the walk.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) path: String,
    pub(super) stat: Stat,
    /// For each znode from below the top down to this one, whether it is its parent's last child.
    pub(super) is_last: Vec<bool>,
    /// What it holds, where that was asked for.
    pub(super) contents: Option<Contents>,
}

/// What a znode holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Contents {
    pub(super) data: Option<Bytes>,
    pub(super) acl: Vec<Acl>,
}

impl Contents {
    /// Adds the creation of an ordinary znode that holds this.
    pub(super) fn create(&self, to: Transaction, path: &str) -> Transaction {
        let options = CreateOptions::from(CreateMode::Persistent).acl(self.acl.clone());
        to.create(path, self.data.clone(), options)
    }

    /// About how many bytes it takes in a request.
    pub(super) fn size(&self) -> usize {
        let acl = self.acl.iter().map(|acl| acl.id.scheme.len() + acl.id.id.len() + 12);
        self.data.as_ref().map_or(0, Bytes::len) + acl.sum::<usize>()
    }
}

/// A walk under way.
#[derive(Debug)]
pub(super) struct Walk {
    client: Client,
    /// Whether data and access control lists are wanted.
    with_contents: bool,
    /// Nothing deeper than this is visited.
    max_depth: usize,
    /// What was visited before: all up to this path, which is split into names below the top.
    resume_after: Option<Vec<String>>,
    /// The znodes to visit, the next one last.
    waiting: Vec<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    path: String,
    is_last: Vec<bool>,
    /// Whether it is not to be shown, but what is below it.
    is_done: bool,
    answer: Option<JoinHandle<Result<Answer, ClientError>>>,
}

/// The names of the children, the stat, and the contents if they are wanted.
type Answer = (Vec<String>, Stat, Option<Contents>);

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(answer) = &self.answer {
            answer.abort();
        }
    }
}

impl Walk {
    /// A walk over a znode and all below it.
    pub(super) fn new(client: Client, top: &str) -> Self {
        let (path, is_last) = (top.to_owned(), Vec::new());
        let top = Waiting { path, is_last, is_done: false, answer: None };
        let waiting = vec![top];
        Self { client, with_contents: false, max_depth: usize::MAX, resume_after: None, waiting }
    }

    /// The same with data and access control lists.
    pub(super) fn with_contents(self) -> Self {
        Self { with_contents: true, ..self }
    }

    /// The same, but not deeper than so many znodes below the top.
    pub(super) fn max_depth(self, max_depth: usize) -> Self {
        Self { max_depth, ..self }
    }

    /// The same, but without what comes before or at this path, given as what follows the top's.
    pub(super) fn resume_after(mut self, below: &str) -> Self {
        self.resume_after = Some(names(below).map(str::to_owned).collect());
        for top in &mut self.waiting {
            top.is_done = true;
        }
        self
    }

    /// The next znode. Those that have gone meanwhile are left out.
    ///
    /// # Errors
    /// Of the first request that fails; of the top, that it does not exist.
    pub(super) async fn next(&mut self) -> Result<Option<Found>, Failure> {
        loop {
            self.ask_ahead();
            let Some(mut next) = self.waiting.pop() else { return Ok(None) };
            let Some(answer) = next.answer.as_mut() else { continue };
            let (mut names, stat, contents) = match answer.await {
                Ok(Err(ClientError::Api(ErrorCode::NoNode))) if !next.is_last.is_empty() => {
                    continue;
                }
                Ok(answer) => answer.at(&next.path)?,
                Err(error) => return Err(Failure::Refused(error.to_string())),
            };
            if next.is_last.len() < self.max_depth {
                names.sort_unstable();
                self.push(&next, names);
            }
            if !next.is_done {
                let (path, is_last) =
                    (std::mem::take(&mut next.path), std::mem::take(&mut next.is_last));
                return Ok(Some(Found { path, stat, is_last, contents }));
            }
        }
    }

    fn ask_ahead(&mut self) {
        let (client, with_contents) = (&self.client, self.with_contents);
        for waiting in self.waiting.iter_mut().rev().take(AHEAD) {
            waiting.answer.get_or_insert_with(|| {
                tokio::spawn(ask(client.clone(), waiting.path.clone(), with_contents))
            });
        }
    }

    /// The children of a znode are next. Those that were visited before are left out.
    fn push(&mut self, parent: &Waiting, mut names: Vec<String>) {
        let depth = parent.is_last.len();
        let done = self.resume_after.as_ref().filter(|_| parent.is_done);
        let done = done.and_then(|done| done.get(depth)).cloned();
        if let Some(done) = &done {
            names.retain(|name| name >= done);
        }
        let above = parent.path.trim_end_matches('/');
        let count = names.len();
        for (index, name) in names.into_iter().enumerate().rev() {
            let mut is_last = parent.is_last.clone();
            is_last.push(index + 1 == count);
            let is_done = done.as_ref() == Some(&name);
            let path = format!("{above}/{name}");
            self.waiting.push(Waiting { path, is_last, is_done, answer: None });
        }
    }
}

/// The names of a path below another.
fn names(below: &str) -> impl Iterator<Item = &str> {
    below.split('/').filter(|name| !name.is_empty())
}

async fn ask(client: Client, path: String, with_contents: bool) -> Result<Answer, ClientError> {
    if !with_contents {
        let found = client.children2(&path).await?;
        return Ok((found.names, found.stat, None));
    }
    // All three are on their way before the first is answered.
    let (read, acl, names) =
        tokio::join!(client.get(&path), client.get_acl(&path), client.children(&path));
    let (read, acl, names) = (read?, acl?, names?);
    Ok((names, read.stat, Some(Contents { data: read.data, acl: acl.acl })))
}

/// Whether a znode belongs to a session. Servers show containers and znodes with a TTL as ordinary
/// ones (ZK: `DataNode.copyStat`).
pub(super) fn is_ephemeral(stat: &Stat) -> bool {
    stat.ephemeral_owner != 0
}

/// What follows the path of the top of a subtree; empty for the top itself.
pub(super) fn below<'a>(top: &str, path: &'a str) -> &'a str {
    path.strip_prefix(top.trim_end_matches('/')).filter(|below| *below != "/").unwrap_or_default()
}

/// The path of what is below another top; the inverse of [`below`].
pub(super) fn under(top: &str, below: &str) -> String {
    match (top.trim_end_matches('/'), below) {
        ("", "") => "/".to_owned(),
        (top, below) => [top, below].concat(),
    }
}

/// Whether the servers themselves keep this for their own purposes.
pub(super) fn is_systems(path: &str) -> bool {
    path == "/zookeeper" || path.starts_with("/zookeeper/")
}
