//! Why data are not taken over, and what an operator can do about it.

use super::DataDirs;
use crate::store::apache::{ApacheError, ApacheFiles};
use crate::store::{RocksStore, StoreError};
use crate::tree::LoadError;
use crate::types::{Epoch, Zxid};
use jute::DecodeError;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why data of an Apache ZooKeeper server are not taken over.
#[derive(Debug, Error)]
pub enum ImportError {
    /// A file.
    #[error(transparent)]
    File(#[from] ApacheError),
    /// The store that is to be filled.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The znodes of a snapshot are no tree.
    #[error("{}: the snapshot holds no tree: {error}", path.display())]
    Tree {
        /// The snapshot.
        path: PathBuf,
        /// What is wrong.
        error: LoadError,
    },
    /// There is a log or an epoch, but no snapshot.
    #[error(
        "there is no snapshot, but {0}: ZooKeeper writes one before anything else, so data are \
         missing"
    )]
    NoSnapshot(&'static str),
    /// No snapshot can be used.
    #[error("none of the {number} snapshots can be used. The newest: {error}")]
    NoGoodSnapshot {
        /// How many were tried.
        number: usize,
        /// What is wrong with the first one.
        error: Box<Self>,
    },
    /// The log does not reach to where a snapshot is consistent.
    #[error(
        "the snapshot was written while transactions up to {exact} were applied, but the log ends \
         with {last}: transactions are missing"
    )]
    LogTooShort {
        /// Where the snapshot is consistent.
        exact: Zxid,
        /// Where the log ends.
        last: Zxid,
    },
    /// What is applied does not lead to the tree that there was.
    #[error(
        "after transaction {zxid} the tree's digest is {found:#x} and should be {expected:#x}: the \
         files do not hold the tree that the server had"
    )]
    Digest {
        /// The transaction.
        zxid: Zxid,
        /// What the files say.
        expected: i64,
        /// What the tree has.
        found: i64,
    },
    /// A record of the log is no transaction.
    #[error("transaction {zxid} in the log cannot be read: {error}")]
    Transaction {
        /// Which one.
        zxid: Zxid,
        /// What is wrong.
        error: DecodeError,
    },
    /// The last transaction is of a later epoch than the server has followed.
    #[error("the last transaction is {last}, of a later epoch than currentEpoch, {current}")]
    EpochBehind {
        /// The last transaction.
        last: Zxid,
        /// What the file says.
        current: i64,
    },
    /// The server has followed an epoch that it never accepted.
    #[error("acceptedEpoch, {accepted}, is before currentEpoch, {current}")]
    EpochOrder {
        /// What one file says.
        accepted: i64,
        /// What the other says.
        current: i64,
    },
    /// Zabra has data of its own.
    #[error("Zabra has data there that did not begin with Apache ZooKeeper's")]
    Both,
    /// There is nothing to take over.
    #[error("there are no snapshots and logs of Apache ZooKeeper (version-2)")]
    Nothing,
    /// The store that is to be filled has something.
    #[error("Zabra has data where these should go")]
    InUse,
    /// ZooKeeper ran after its data were taken over.
    #[error("Apache ZooKeeper has run on its data since Zabra took them over: {0}")]
    Newer(String),
    /// The files of an import that was not finished are gone.
    #[error(
        "taking over Apache ZooKeeper's data was not finished, and its files are gone: what Zabra \
         has of them is not complete"
    )]
    Vanished,
}

impl ImportError {
    /// The error of an epoch that is before the last transaction's.
    pub(super) fn epoch_behind(last: Zxid, current: Epoch) -> Self {
        Self::EpochBehind { last, current: current.0 }
    }

    /// What to do about it: with Apache ZooKeeper's data in one place and Zabra's in another, which
    /// may be the same.
    #[must_use]
    pub fn remedy(&self, theirs: DataDirs<'_>, ours: DataDirs<'_>) -> String {
        let theirs =
            both(&ApacheFiles::directory(theirs.data), &ApacheFiles::directory(theirs.log));
        let (tree, log) = RocksStore::directories(ours.data, ours.log);
        let ours = both(&tree, &log);
        let restore = format!(
            "Nothing in {theirs} was changed. Restore it from a backup; or, if a quorum of the \
             other servers is up to date, move it away, and {ours} too, and this server fetches \
             everything from them"
        );
        match self {
            Self::Both | Self::Newer(_) => format!(
                "To go on with Zabra's data, move {theirs} away; to begin again with Apache \
                 ZooKeeper's, move {ours} away"
            ),
            Self::Vanished => {
                format!("Put {theirs} back, or move {ours} away to begin without any data")
            }
            Self::NoSnapshot("a log") => format!(
                "{restore}. If the log begins with the first transaction ever, as after an upgrade \
                 from 3.4, set snapshot.trust.empty=true once"
            ),
            Self::Digest { .. } => format!(
                "{restore}. Apache ZooKeeper only logs this (\"Digests are not matching\"); to \
                 take over the data all the same, set digest.enabled=false for the first start"
            ),
            Self::Nothing => "Name the directory that dataDir names in zoo.cfg".to_owned(),
            Self::InUse => format!("Choose another directory, or move {ours} away"),
            Self::Store(_) => "Then start again: taking over begins anew".to_owned(),
            Self::File(ApacheError::Io { .. } | ApacheError::Misplaced { .. }) => {
                format!("Nothing in {theirs} was changed")
            }
            _ => restore,
        }
    }
}

fn both(one: &Path, other: &Path) -> String {
    if one == other {
        one.display().to_string()
    } else {
        format!("{} and {}", one.display(), other.display())
    }
}
