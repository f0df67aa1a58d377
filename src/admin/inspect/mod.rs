//! Showing what lies on a disk: snapshots and logs of Apache ZooKeeper, and Zabra's stores (ZK:
//! `SnapshotFormatter`, `TxnLogToolkit`).
//!
//! Everything is checked while it is read. With JSON every line is an object; texts look like those
//! of ZooKeeper's tools. Files are read piece by piece, so they may be larger than the memory.

mod directory;
mod log;
#[cfg(test)]
mod tests;
mod transaction;
mod znodes;

use crate::store::StoreError;
use crate::store::apache::{ApacheError, Compression, LogFile, SnapshotFile};
use crate::types::Zxid;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// What is shown, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InspectOptions {
    /// Objects instead of texts.
    pub json: bool,
    /// The data of znodes, too.
    pub data: bool,
    /// Of a directory: every znode instead of a summary.
    pub znodes: bool,
    /// Of a directory: every transaction instead of a summary.
    pub transactions: bool,
    /// Bytes of a path, of data, of an access control list or of a transaction at most.
    pub longest: usize,
}

/// Why something is not shown, or not to its end.
#[derive(Debug, Error)]
pub enum InspectError {
    /// Whoever reads the output does not read it any more, or it cannot be written.
    #[error("the output cannot be written: {0}")]
    Output(#[from] std::io::Error),
    /// Apache ZooKeeper's files.
    #[error(transparent)]
    Files(#[from] ApacheError),
    /// Zabra's store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file cannot be read.
    #[error("{}: cannot be read: {error}", path.display())]
    Read {
        /// Which one.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// It is nothing of a server's.
    #[error(
        "{}: neither a snapshot or a log of Apache ZooKeeper, nor a data directory of one or of \
         Zabra",
        .0.display()
    )]
    Unknown(PathBuf),
    /// Some of what was shown is damaged; the output says what.
    #[error("{0} of these cannot be used")]
    Damaged(usize),
}

/// Shows a file or a data directory, whose log may be in another one.
///
/// # Errors
/// It cannot be read, or is damaged.
pub fn inspect(
    path: &Path,
    log_dir: Option<&Path>,
    options: &InspectOptions,
    out: &mut dyn Write,
) -> Result<(), InspectError> {
    let about = path.metadata();
    let about = about.map_err(|error| InspectError::Read { path: path.to_owned(), error })?;
    if about.is_dir() {
        return directory::show(path, log_dir.unwrap_or(path), options, out);
    }
    if let Some(file) = SnapshotFile::named(path) {
        return znodes::show_snapshot(&file, options, out);
    }
    match &magic(path)? {
        b"ZKLG" => {
            log::show_file(&LogFile { path: path.to_owned(), first: Zxid::ZERO }, options, out)
        }
        b"ZKSN" => {
            let (path, compression) = (path.to_owned(), Compression::None);
            let file = SnapshotFile { path, zxid: Zxid::ZERO, compression };
            znodes::show_snapshot(&file, options, out)
        }
        _ => Err(InspectError::Unknown(path.to_owned())),
    }
}

/// The first bytes of a file.
fn magic(path: &Path) -> Result<[u8; 4], InspectError> {
    let mut magic = [0; 4];
    let read = File::open(path).and_then(|mut file| file.read(&mut magic));
    read.map_err(|error| InspectError::Read { path: path.to_owned(), error })?;
    Ok(magic)
}
