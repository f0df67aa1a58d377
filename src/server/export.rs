//! Writing what is stored as an Apache ZooKeeper server's files, for going back to one.
//!
//! The stored tree becomes a snapshot and the log behind it a log, so that ZooKeeper finds exactly
//! what this server would find when it starts: what is decided, and what a leader must decide. The
//! snapshot gets its name last, so that files which are not complete are refused by ZooKeeper.

use super::import::{DataDirs, last_log};
use crate::store::apache::{
    ApacheError, ApacheFiles, Trailer, put_log_header, put_log_record, write_snapshot,
};
use crate::store::{
    Checkpoint, CheckpointKind, MemoryStore, RocksOptions, RocksStore, Store, StoreError,
};
use crate::tree::{Tree, TreeOptions};
use crate::types::{Epoch, Zxid};
use bytes::BytesMut;
use jute::Encode;
use jute::disk::{ImportMark, TreeMark};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Bytes of the log that are read at once.
const LOG_BYTES: usize = 1 << 20;

/// Why data are not exported. What has been written is of no use, and no snapshot.
#[derive(Debug, Error)]
pub enum ExportError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is in the directory that is to be filled.
    #[error(transparent)]
    Files(#[from] ApacheError),
    /// Nothing is stored.
    #[error("{}: there are no data of Zabra", .0.display())]
    Nothing(PathBuf),
    /// Only a part of other data is stored.
    #[error(
        "{}: taking over Apache ZooKeeper's data was not finished. Start Zabra on it first",
        .0.display()
    )]
    Incomplete(PathBuf),
    /// The directory is not empty.
    #[error(
        "{}: there are Apache ZooKeeper's files already, and they are left as they are. Move them \
         away, or choose another directory",
        .0.display()
    )]
    InTheWay(PathBuf),
    /// A file cannot be written.
    #[error("{}: cannot be written: {error}", path.display())]
    Write {
        /// Which one.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// The snapshot.
    pub snapshot: PathBuf,
    /// The log behind it, if there is one.
    pub log: Option<PathBuf>,
    /// Transactions in the log.
    pub transactions: u64,
    /// The last transaction.
    pub last: Zxid,
    /// The digest of the tree in the snapshot; zero without digests.
    pub digest: i64,
    /// `acceptedEpoch` and `currentEpoch`.
    pub epochs: (Epoch, Epoch),
}

/// Opens the store of `from`, which no server may have open, and writes what it holds into `to`.
///
/// # Errors
/// As [`export`].
pub fn by_hand(
    from: DataDirs<'_>,
    to: DataDirs<'_>,
    has_digest: bool,
) -> Result<Exported, ExportError> {
    let (tree, log) = RocksStore::directories(from.data, from.log);
    if !tree.is_dir() || !log.is_dir() {
        return Err(ExportError::Nothing(from.data.to_owned()));
    }
    let store = RocksStore::open_apart(from.data, from.log, &RocksOptions::default())?;
    export(&store, from, to, has_digest)
}

/// Writes what the store of `from` holds into `to`, with or without the tree's digest. Where both
/// are the same, Zabra will go on with its data as long as ZooKeeper has not run on its own.
///
/// # Errors
/// Nothing can be read, or there is something in the way. Nothing that was there is changed.
pub fn export(
    store: &RocksStore,
    from: DataDirs<'_>,
    to: DataDirs<'_>,
    has_digest: bool,
) -> Result<Exported, ExportError> {
    let mark = store.import_mark()?;
    if mark.as_ref().is_some_and(|mark| !mark.complete) {
        return Err(ExportError::Incomplete(from.data.to_owned()));
    }
    if store.is_unused()? {
        return Err(ExportError::Nothing(from.data.to_owned()));
    }
    let there = ApacheFiles::find(to.data, to.log)?;
    if let Some(files) = there.filter(|files| !files.is_empty()) {
        return Err(ExportError::InTheWay(files.dir));
    }
    let (dir, log_dir) = (ApacheFiles::directory(to.data), ApacheFiles::directory(to.log));
    for dir in [&dir, &log_dir] {
        fs::create_dir_all(dir).map_err(|error| failed(dir, error))?;
    }
    let view = store.view()?;
    let fresh = fresh_tree();
    let never_stored = view.mark().is_none();
    let view = if never_stored { fresh.view()? } else { view };
    let stored = view.mark().cloned().unwrap_or_default();
    let applied = Zxid(stored.applied);
    let log = write_log(store, applied, &log_dir)?;
    let (log, transactions, last) =
        log.map_or((None, 0, applied), |(path, number, last)| (Some(path), number, last));
    let epochs = write_epochs(store, last, &dir)?;
    let trailer = if has_digest { Trailer::Digest } else { Trailer::None };
    let snapshot = dir.join(format!("snapshot.{:x}", applied.0));
    write_file(&snapshot, |file| {
        write_snapshot(&*view, trailer, &mut |piece| {
            file.write_all(&piece).map_err(|error| StoreError::Io {
                place: snapshot.display().to_string(),
                reason: error.to_string(),
            })
        })
        .map_err(ExportError::from)
    })?;
    if from.data == to.data {
        note(store, epochs, last, log.as_deref())?;
    }
    Ok(Exported { snapshot, log, transactions, last, digest: stored.digest, epochs })
}

/// A tree without transactions, as a server has it that was never told to store one.
fn fresh_tree() -> MemoryStore {
    let tree = Tree::new(TreeOptions::default());
    let znodes = tree.dump().map(|(path, record)| (path, Some(record.to_bytes()))).collect();
    let store = MemoryStore::new();
    let parts = [
        (znodes, CheckpointKind::SnapshotBegin),
        (Vec::new(), CheckpointKind::SnapshotEnd(TreeMark { applied: 0, digest: tree.digest() })),
    ];
    for (znodes, kind) in parts {
        let written = store.checkpoint(&Checkpoint { znodes, sessions: Vec::new(), kind });
        debug_assert_eq!(written, Ok(()));
    }
    store
}

/// Writes the log behind the tree, if there is one: the file, how many transactions it has, and the
/// last of them.
fn write_log(
    store: &RocksStore,
    applied: Zxid,
    dir: &Path,
) -> Result<Option<(PathBuf, u64, Zxid)>, ExportError> {
    let mut entries = store.read_log(applied.next(), LOG_BYTES)?;
    let Some(first) = entries.first() else { return Ok(None) };
    let path = dir.join(format!("log.{:x}", first.zxid.0));
    let (mut number, mut last) = (0, applied);
    write_file(&path, |file| {
        let mut bytes = BytesMut::new();
        put_log_header(&mut bytes);
        while let Some(end) = entries.last() {
            for entry in &entries {
                put_log_record(&mut bytes, &entry.payload);
            }
            file.write_all(&bytes).map_err(|error| failed(&path, error))?;
            bytes.clear();
            number += entries.len() as u64;
            last = end.zxid;
            entries = store.read_log(last.next(), LOG_BYTES)?;
        }
        Ok(())
    })?;
    Ok(Some((path, number, last)))
}

fn write_epochs(store: &RocksStore, last: Zxid, dir: &Path) -> Result<(Epoch, Epoch), ExportError> {
    let meta = store.meta()?;
    let current = meta.current_epoch.max(last.epoch());
    let accepted = meta.accepted_epoch.max(current);
    for (name, epoch) in [("currentEpoch", current), ("acceptedEpoch", accepted)] {
        let path = dir.join(name);
        let text = epoch.0.to_string();
        write_file(&path, |file| {
            file.write_all(text.as_bytes()).map_err(|error| failed(&path, error))
        })?;
    }
    Ok((accepted, current))
}

/// Writes a file that has its name only once it is complete and on the disk.
fn write_file(
    path: &Path,
    write: impl FnOnce(&mut File) -> Result<(), ExportError>,
) -> Result<(), ExportError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    let mut file = File::create(&new).map_err(|error| failed(&new, error))?;
    write(&mut file)?;
    file.sync_all().map_err(|error| failed(&new, error))?;
    fs::rename(&new, path).map_err(|error| failed(path, error))?;
    let dir = path.parent().unwrap_or(path);
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(|error| failed(dir, error))
}

/// Notes that the files beside the store are of the same data.
fn note(
    store: &RocksStore,
    (accepted, current): (Epoch, Epoch),
    last: Zxid,
    log: Option<&Path>,
) -> Result<(), ExportError> {
    let about = last_log(log)?;
    let mark = ImportMark {
        complete: true,
        snapshot: last.0,
        last: last.0,
        accepted_epoch: accepted.0,
        current_epoch: current.0,
        ..about
    };
    Ok(store.set_import_mark(&mark)?)
}

fn failed(path: &Path, error: std::io::Error) -> ExportError {
    ExportError::Write { path: path.to_owned(), error }
}
