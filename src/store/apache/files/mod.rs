//! The directories of an Apache ZooKeeper server (ZK: `FileTxnSnapLog`, `Util`).
//!
//! ```text
//! DATA_DIR/version-2/snapshot.ZXID[.gz | .snappy]   ZXID in hexadecimal
//! DATA_DIR/version-2/currentEpoch, acceptedEpoch    decimal; members of ensembles only
//! LOG_DIR/version-2/log.ZXID                        ZXID of the first transaction in it
//! ```
//! Other names are left alone. Nothing is ever written here.

mod compression;
mod cursor;
mod error;
#[cfg(test)]
mod tests;

pub use compression::Compression;
pub use cursor::LogCursor;
pub use error::ApacheError;

use crate::types::{Epoch, Zxid};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The directory in a data directory.
const VERSION_DIR: &str = "version-2";
/// Bytes of a file with a number at most.
const LONGEST_NUMBER: u64 = 64;

/// A snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotFile {
    /// The file.
    pub path: PathBuf,
    /// What its name says.
    pub zxid: Zxid,
    /// How it is compressed.
    pub compression: Compression,
}

/// A part of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFile {
    /// The file.
    pub path: PathBuf,
    /// What its name says: the first transaction in it.
    pub first: Zxid,
}

/// What a member of an ensemble noted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EpochFiles {
    /// `acceptedEpoch`: the last epoch that was promised to a new leader.
    pub accepted: Option<Epoch>,
    /// `currentEpoch`: the last epoch whose leader was followed.
    pub current: Option<Epoch>,
    /// `currentEpoch.tmp`, left by a crash between two steps.
    pub next: Option<Epoch>,
}

impl EpochFiles {
    /// Whether there has been a leader.
    pub fn is_late(&self) -> bool {
        self.accepted.max(self.current).is_some_and(|epoch| epoch > Epoch(0))
    }
}

/// The files of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApacheFiles {
    /// Where the snapshots and epochs are.
    pub dir: PathBuf,
    /// The snapshots, the newest one first.
    pub snapshots: Vec<SnapshotFile>,
    /// The log, the oldest file first.
    pub logs: Vec<LogFile>,
    /// The epochs.
    pub epochs: EpochFiles,
}

impl ApacheFiles {
    /// Looks into a server's two data directories, which may be the same. `None` if it has left
    /// nothing there.
    ///
    /// # Errors
    /// `Io`, `Misplaced` or `Epoch`.
    pub fn find(data_dir: &Path, log_dir: &Path) -> Result<Option<Self>, ApacheError> {
        let dir = Self::directory(data_dir);
        let mut found = Self { dir: dir.clone(), ..Self::default() };
        let is_apart = data_dir != log_dir;
        for name in names(&dir)? {
            let path = dir.join(&name);
            if let Some(snapshot) = SnapshotFile::named(&path) {
                found.snapshots.push(snapshot);
            } else if let Some(log) = LogFile::named(&path) {
                if is_apart {
                    return Err(ApacheError::Misplaced { path, what: "a log", key: "dataDir" });
                }
                found.logs.push(log);
            }
        }
        let log_dir = Self::directory(log_dir);
        for name in if is_apart { names(&log_dir)? } else { Vec::new() } {
            let path = log_dir.join(&name);
            if let Some(log) = LogFile::named(&path) {
                found.logs.push(log);
            } else if SnapshotFile::named(&path).is_some() {
                let (what, key) = ("a snapshot", "dataLogDir");
                return Err(ApacheError::Misplaced { path, what, key });
            }
        }
        found.snapshots.sort_by_key(|snapshot| std::cmp::Reverse(snapshot.zxid));
        found.logs.sort_by_key(|log| log.first);
        found.epochs = EpochFiles {
            accepted: epoch(&dir.join("acceptedEpoch"))?,
            current: epoch(&dir.join("currentEpoch"))?,
            next: epoch(&dir.join("currentEpoch.tmp"))?,
        };
        let nothing = Self { dir, ..Self::default() };
        Ok((found != nothing).then_some(found))
    }

    /// Whether there is neither a snapshot nor a log.
    pub fn is_empty(&self) -> bool {
        self.snapshots.is_empty() && self.logs.is_empty()
    }

    /// The last file of the log.
    pub fn last_log(&self) -> Option<&Path> {
        self.logs.last().map(|log| &*log.path)
    }

    /// Where in a data directory the files are.
    pub fn directory(data_dir: &Path) -> PathBuf {
        data_dir.join(VERSION_DIR)
    }
}

impl SnapshotFile {
    /// The snapshot at a path, if its name is that of one.
    pub fn named(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.strip_prefix("snapshot.")?;
        let (number, compression) = Compression::of(name);
        Some(Self { path: path.to_owned(), zxid: zxid(number)?, compression })
    }
}

impl LogFile {
    /// The log at a path, if its name is that of one.
    pub fn named(path: &Path) -> Option<Self> {
        let number = path.file_name()?.to_str()?.strip_prefix("log.")?;
        Some(Self { path: path.to_owned(), first: zxid(number)? })
    }
}

fn zxid(hex: &str) -> Option<Zxid> {
    let is_hex = hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    i64::from_str_radix(hex, 16).ok().filter(|_| is_hex).map(Zxid)
}

/// The names in a directory; none if it is not there.
fn names(dir: &Path) -> Result<Vec<std::ffi::OsString>, ApacheError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(ApacheError::io(dir, &error)),
    };
    let name = |entry: std::io::Result<fs::DirEntry>| entry.map(|entry| entry.file_name());
    entries.map(name).collect::<Result<_, _>>().map_err(|error| ApacheError::io(dir, &error))
}

/// The number in a file, if it is there (ZK: `QuorumPeer.readLongFromFile`).
fn epoch(path: &Path) -> Result<Option<Epoch>, ApacheError> {
    use std::io::Read;
    let mut text = Vec::new();
    let read =
        fs::File::open(path).and_then(|file| file.take(LONGEST_NUMBER).read_to_end(&mut text));
    match read {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(ApacheError::io(path, &error)),
        Ok(_) => {}
    }
    let text = String::from_utf8_lossy(&text);
    let number = text.lines().next().unwrap_or_default().parse().ok();
    let number = number.filter(|number| (0..=i64::from(u32::MAX)).contains(number));
    match number {
        Some(number) => Ok(Some(Epoch(number))),
        None => Err(ApacheError::Epoch { path: path.to_owned(), text: text.into_owned() }),
    }
}
