//! What can be wrong with an Apache ZooKeeper server's files, in words that tell an operator what
//! to do.

use super::super::{LogError, SnapshotFileError};
use crate::types::Zxid;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why an Apache ZooKeeper server's files cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ApacheError {
    /// A file or directory cannot be read.
    #[error("{}: cannot be read: {reason}. Check the permissions and the disk", path.display())]
    Io {
        /// Which one.
        path: PathBuf,
        /// The operating system's words.
        reason: String,
    },
    /// A file is in the wrong one of the two directories.
    #[error(
        "{}: {what} in a directory where none belongs: is {key} the directory that it was before?",
        path.display()
    )]
    Misplaced {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: &'static str,
        /// The key that names the directory.
        key: &'static str,
    },
    /// A file with an epoch has none in it.
    #[error("{}: holds {text:?} and should hold a number, an epoch", path.display())]
    Epoch {
        /// The file.
        path: PathBuf,
        /// What it holds.
        text: String,
    },
    /// A log cannot be used.
    #[error("{}: the log is damaged: {error}", path.display())]
    Log {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: LogError,
    },
    /// A snapshot cannot be used.
    #[error("{}: the snapshot is damaged: {error}", path.display())]
    Snapshot {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: SnapshotFileError,
    },
    /// Transactions are missing.
    #[error(
        "{}: transactions are missing: {next} comes after {last}. A log file between them is gone, \
         or was cut short",
        path.display()
    )]
    Hole {
        /// The file that goes on.
        path: PathBuf,
        /// What came before.
        last: Zxid,
        /// What comes next.
        next: Zxid,
    },
    /// The log goes back.
    #[error("{}: transaction {next} comes after {last}, in the wrong order", path.display())]
    Order {
        /// The file.
        path: PathBuf,
        /// What came before.
        last: Zxid,
        /// What comes next.
        next: Zxid,
    },
}

impl ApacheError {
    pub(super) fn io(path: &Path, error: &std::io::Error) -> Self {
        Self::Io { path: path.to_owned(), reason: error.to_string() }
    }
}
