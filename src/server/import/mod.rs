//! Taking over the data of an Apache ZooKeeper server (ZK: `FileTxnSnapLog.restore`,
//! `QuorumPeer.loadDataBase`).
//!
//! The newest snapshot that is whole becomes the stored tree, together with as much of the log as
//! ran while ZooKeeper wrote it; the rest of the log becomes the log. So a server that is alone
//! applies all of it when it loads the store, as ZooKeeper does. A member of an ensemble keeps it
//! undecided, as ZooKeeper does not, until its leader decides. Sessions and epochs come along.
//!
//! ZooKeeper's files are only read. The store is marked as incomplete before the first record is
//! written and as complete after the last one, durably, and an incomplete one is filled anew: what
//! is half imported is never served.

mod check;
mod error;
mod fill;
#[cfg(test)]
mod tests;

pub(super) use check::last_log;
pub use error::ImportError;

use super::options;
use crate::config::Config;
use crate::store::apache::{ApacheError, ApacheFiles, Compression, SnapshotFile, last_zxid};
use crate::store::{Meta, RocksOptions, RocksStore, Store};
use crate::tree::TreeOptions;
use crate::types::Zxid;
use fill::Filling;
use jute::disk::ImportMark;
use std::fs::File;
use std::path::Path;
use std::time::Instant;

/// The data directories of a server; they may be the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataDirs<'a> {
    /// `dataDir`.
    pub data: &'a Path,
    /// `dataLogDir`.
    pub log: &'a Path,
}

/// How files are read.
#[derive(Clone, Copy, Debug)]
pub struct ImportOptions {
    /// How the tree keeps its znodes; without digests none is checked.
    pub tree: TreeOptions,
    /// Bytes of a path, of data, of an access control list or of a transaction at most.
    pub longest: usize,
    /// `snapshot.trust.empty`: a log without a snapshot begins with the first transaction ever.
    pub trust_empty_snapshot: bool,
}

impl ImportOptions {
    /// What a configuration says.
    pub fn new(config: &Config) -> Self {
        Self {
            tree: options::tree(&config.tree),
            longest: options::longest(&config.limits),
            trust_empty_snapshot: config.storage.trust_empty_snapshot,
        }
    }
}

/// What was taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The snapshot that was read; none if there was only a log.
    pub snapshot: Option<Zxid>,
    /// What the stored tree contains.
    pub applied: Zxid,
    /// The last transaction.
    pub last: Zxid,
    /// Transactions in the log behind the snapshot.
    pub transactions: u64,
    /// Digests that were compared.
    pub digests: u64,
    /// Znodes after the last transaction.
    pub znodes: usize,
    /// Sessions after the last transaction.
    pub sessions: usize,
    /// The digest of the tree after the last transaction; zero without digests.
    pub digest: i64,
}

/// Takes over what an Apache ZooKeeper server left in the data directories, if there is something
/// and the store has nothing yet.
///
/// # Errors
/// It cannot be used, or both servers have run on these directories. Nothing may be served.
pub fn take_over(
    dirs: DataDirs<'_>,
    store: &RocksStore,
    options: &ImportOptions,
) -> Result<Option<Imported>, ImportError> {
    let found = ApacheFiles::find(dirs.data, dirs.log)?;
    let mark = store.import_mark()?;
    let begun = mark.as_ref().is_some_and(|mark| !mark.complete);
    let is_unused = store.is_unused()?;
    let files = match found {
        Some(files) if !files.is_empty() => files,
        _ if begun => return Err(ImportError::Vanished),
        Some(files) if is_unused && files.epochs.is_late() => {
            return Err(ImportError::NoSnapshot("an epoch"));
        }
        _ => return Ok(None),
    };
    if let Some(mark) = mark.filter(|mark| mark.complete) {
        check::unchanged(&mark, &files, options.longest)?;
        return Ok(None);
    }
    if !begun && !is_unused {
        return Err(ImportError::Both);
    }
    import(&files, store, options).map(Some)
}

/// Takes over what is in `from` into a store in `to`, which may be the same, and which no server
/// may have open.
///
/// # Errors
/// It cannot be used, or there is something in the store already.
pub fn by_hand(
    from: DataDirs<'_>,
    to: DataDirs<'_>,
    config: &Config,
) -> Result<Imported, ImportError> {
    let found = ApacheFiles::find(from.data, from.log)?;
    let files = found.filter(|files| !files.is_empty()).ok_or(ImportError::Nothing)?;
    let store = RocksStore::open_apart(to.data, to.log, &RocksOptions::default())?;
    let is_begun = store.import_mark()?.is_some_and(|mark| !mark.complete);
    if !is_begun && !store.is_unused()? {
        return Err(ImportError::InUse);
    }
    import(&files, &store, &ImportOptions::new(config))
}

/// Makes a store in `to` of one snapshot, whatever the file is called: it must say itself up to
/// which transaction it goes. With `mark`, the store knows of files that were taken over before.
///
/// # Errors
/// The snapshot cannot be used, or there is something in the store already.
pub fn snapshot(
    file: &Path,
    to: DataDirs<'_>,
    options: &ImportOptions,
    mark: Option<ImportMark>,
) -> Result<Imported, ImportError> {
    let damaged = |error| ApacheError::Snapshot { path: file.to_owned(), error };
    let input = File::open(file).map_err(|error| damaged(error.into()))?;
    let zxid = last_zxid(input, options.longest).map_err(damaged)?;
    let snapshot = SnapshotFile { path: file.to_owned(), zxid, compression: Compression::None };
    let dir = file.parent().unwrap_or(Path::new("")).to_owned();
    let files = ApacheFiles { dir, snapshots: vec![snapshot], ..ApacheFiles::default() };
    let store = RocksStore::open_apart(to.data, to.log, &RocksOptions::default())?;
    if !store.is_unused()? {
        return Err(ImportError::InUse);
    }
    let imported = import(&files, &store, options)?;
    if let Some(mark) = mark {
        store.set_import_mark(&mark)?;
    }
    Ok(imported)
}

/// Fills a store that nothing counts in.
fn import(
    files: &ApacheFiles,
    store: &RocksStore,
    options: &ImportOptions,
) -> Result<Imported, ImportError> {
    let started = Instant::now();
    tracing::info!(
        "taking over the data of an Apache ZooKeeper server in {}, {} snapshots and {} log files; \
         nothing there is changed",
        files.dir.display(),
        files.snapshots.len(),
        files.logs.len()
    );
    let newest = check::newest_name(files);
    let mark = ImportMark {
        complete: false,
        snapshot: -1,
        last: newest.0,
        accepted_epoch: files.epochs.accepted.map_or(-1, |epoch| epoch.0),
        current_epoch: files.epochs.current.map_or(-1, |epoch| epoch.0),
        ..last_log(files.last_log())?
    };
    store.set_import_mark(&mark)?;
    let imported = Filling::new(store, options).run(files)?;
    let known = store.meta()?;
    let (accepted, current) = check::epochs(files, imported.last)?;
    store.set_meta(&Meta {
        accepted_epoch: accepted.max(known.accepted_epoch),
        current_epoch: current.max(known.current_epoch),
        ..known
    })?;
    store.set_import_mark(&ImportMark {
        complete: true,
        snapshot: imported.snapshot.map_or(-1, |zxid| zxid.0),
        last: imported.last.max(newest).0,
        ..mark
    })?;
    tracing::info!(
        "took over {} znodes, {} sessions and {} transactions behind the snapshot, in {} ms; last \
         zxid {}, epoch {}, {} digests compared",
        imported.znodes,
        imported.sessions,
        imported.transactions,
        started.elapsed().as_millis(),
        imported.last,
        current.0,
        imported.digests
    );
    Ok(imported)
}
