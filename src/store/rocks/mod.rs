//! The store of servers: two RocksDB databases, described in the parent module.
//!
//! Here: opening them together, the order between them, and the end of it all after an error.

mod database;
mod log;
mod tree;
mod wal;

use self::log::LogDb;
use self::tree::TreeDb;
use super::bounds::{Bounds, Sequence};
use super::{
    Checkpoint, CheckpointKind, Durability, Item, Loaded, LogEntry, Meta, Store, StoreError, View,
    Visitor,
};
use crate::types::Zxid;
use jute::disk::{ImportMark, TreeMark};
use parking_lot::Mutex;
use std::fs;
use std::path::{Path, PathBuf};

/// How a [`RocksStore`] uses memory and disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RocksOptions {
    /// How the log has been written so far. A log that was not synced may rightly be torn anywhere
    /// after a power cut; one that was synced may be torn only at its very end, and anything else
    /// is reported as damage.
    pub durability: Durability,
    /// Bytes of new log entries that are kept in memory before they go from the write-ahead log to
    /// a file of their own. Also the size of a write-ahead log file.
    pub log_buffer: usize,
    /// Bytes of checkpoints that are kept in memory before they are written by themselves.
    pub tree_buffer: usize,
}

impl Default for RocksOptions {
    fn default() -> Self {
        Self { durability: Durability::Synced, log_buffer: 4 << 20, tree_buffer: 4 << 20 }
    }
}

/// The store of servers.
pub struct RocksStore {
    place: String,
    log: LogDb,
    tree: TreeDb,
    /// Held over a write to the log; only briefly by what touches the tree.
    bounds: Mutex<Bounds>,
    /// The first error; nothing is done after it.
    failed: Mutex<Option<StoreError>>,
}

impl RocksStore {
    /// Opens the store in a data directory, which is made if it is not there.
    ///
    /// # Errors
    /// `InUse` if another process has it open, `Format` if another version wrote it, `Corrupt` or
    /// `Lost` if something is wrong with what it holds, `Io` or `Full` otherwise.
    pub fn open(dir: &Path, options: &RocksOptions) -> Result<Self, StoreError> {
        Self::open_apart(dir, dir, options)
    }

    /// As [`open`](Self::open), with the log in another data directory: a disk of its own is
    /// quicker to sync (ZK: `dataLogDir`).
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_apart(
        dir: &Path,
        log_dir: &Path,
        options: &RocksOptions,
    ) -> Result<Self, StoreError> {
        let place = dir.display().to_string();
        let (tree_dir, log_dir) = Self::directories(dir, log_dir);
        for dir in [&log_dir, &tree_dir] {
            create_dir(dir).map_err(|error| StoreError::Io {
                place: place.clone(),
                reason: format!("cannot make the directory {}: {error}", dir.display()),
            })?;
        }
        let log = LogDb::open(&log_dir, options)?;
        let tree = TreeDb::open(&tree_dir, options)?;
        let mark = tree.view().mark()?;
        if !log.is_initialized()? {
            if mark.is_some() {
                let reason = "there is a tree, but no log".to_owned();
                return Err(StoreError::Lost { place, reason });
            }
            log.initialize()?;
        }
        finish_install(&place, &log, &tree)?;
        let applied = mark.map_or(Zxid::ZERO, |mark| Zxid(mark.applied));
        let bounds = Bounds::recovered(&place, log.floor()?, log.last()?, applied)?;
        let failed = Mutex::new(None);
        Ok(Self { place, log, tree, bounds: Mutex::new(bounds), failed })
    }

    /// Where in the two data directories the tree and the log lie.
    #[must_use]
    pub fn directories(dir: &Path, log_dir: &Path) -> (PathBuf, PathBuf) {
        (dir.join("tree"), log_dir.join("log"))
    }

    /// Whether nothing was ever stored but numbers.
    ///
    /// # Errors
    /// `Corrupt` if the mark of the tree is damaged.
    pub fn is_unused(&self) -> Result<bool, StoreError> {
        let end = self.bounds.lock().end;
        Ok(end == Zxid::ZERO && self.tree.view().mark()?.is_none())
    }

    /// The first zxid that may be in the log, and the last one that is, or was before it was
    /// trimmed.
    #[must_use]
    pub fn log_span(&self) -> (Zxid, Zxid) {
        let bounds = self.bounds.lock();
        (bounds.floor, bounds.end)
    }

    /// The numbers that were set last.
    ///
    /// # Errors
    /// `Corrupt`.
    pub fn meta(&self) -> Result<Meta, StoreError> {
        self.guarded(|| self.log.meta())
    }

    /// What is known of the import that this store began with; none if it did not begin with one.
    /// As long as that is not complete, nothing here may be served.
    ///
    /// # Errors
    /// `Corrupt`.
    pub fn import_mark(&self) -> Result<Option<ImportMark>, StoreError> {
        self.guarded(|| self.log.import())
    }

    /// Notes how far an import is, durably, along with everything that was appended before.
    ///
    /// # Errors
    /// `Io` or `Full`.
    pub fn set_import_mark(&self, mark: &ImportMark) -> Result<(), StoreError> {
        self.guarded(|| {
            let mut bounds = self.bounds.lock();
            self.log.set_import(mark)?;
            bounds.unsynced = false;
            Ok(())
        })
    }

    /// What RocksDB counts of the databases `log` and `tree`: names and numbers of each.
    #[must_use]
    pub fn figures(&self) -> [(&'static str, Vec<(&'static str, u64)>); 2] {
        [("log", database::figures(&self.log.db)), ("tree", database::figures(&self.tree.db))]
    }

    /// Runs something unless there was an error, and notes the first one.
    fn guarded<T>(&self, run: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        if let Some(error) = &*self.failed.lock() {
            return Err(error.clone());
        }
        run().inspect_err(|error| {
            if error.is_fatal() {
                self.failed.lock().get_or_insert_with(|| error.clone());
            }
        })
    }

    fn write_changes(&self, changes: &Checkpoint, applied: Zxid) -> Result<(), StoreError> {
        {
            let mut bounds = self.bounds.lock();
            bounds.check_changes(applied);
            if bounds.unsynced {
                self.log.sync()?;
                bounds.unsynced = false;
            }
        }
        self.tree.write(changes)?;
        self.bounds.lock().applied = applied;
        Ok(())
    }

    /// The end of a snapshot. The flush is the moment at which it counts.
    fn install(&self, last_part: &Checkpoint, mark: &TreeMark) -> Result<(), StoreError> {
        let mut bounds = self.bounds.lock();
        bounds.check_staging();
        let base = self.tree.install(last_part, mark)?;
        self.tree.flush()?;
        self.log.empty(&base)?;
        self.tree.drop_previous(&base)?;
        *bounds = Bounds::installed(Zxid(mark.applied));
        Ok(())
    }
}

impl Store for RocksStore {
    fn load(&self, visit: &mut Visitor<'_>) -> Result<Loaded, StoreError> {
        self.guarded(|| {
            // Taken together, so that no trim comes in between.
            let (tree, log, applied, meta, last) = {
                let bounds = self.bounds.lock();
                let tree = self.tree.view();
                let applied = tree.mark()?.map_or(Zxid::ZERO, |mark| Zxid(mark.applied));
                let log = self.log.scan(applied.next(), usize::MAX);
                (tree, log, applied, self.log.meta()?, bounds.end)
            };
            tree.visit(visit)?;
            self.log.read(log, Sequence::after(applied), &mut |entry| {
                visit(Item::Entry(entry)).map_err(StoreError::Refused)?;
                Ok(true)
            })?;
            Ok(Loaded { meta, applied, last })
        })
    }

    fn expected_znodes(&self) -> usize {
        self.tree.expected_records()
    }

    fn append(&self, entries: &[LogEntry], durability: Durability) -> Result<(), StoreError> {
        self.guarded(|| {
            let mut bounds = self.bounds.lock();
            let end = bounds.after_append(entries)?;
            if entries.is_empty() {
                return Ok(());
            }
            self.log.append(entries, durability)?;
            bounds.end = end;
            bounds.unsynced = durability == Durability::Unsynced;
            Ok(())
        })
    }

    fn read_log(&self, from: Zxid, max_bytes: usize) -> Result<Vec<LogEntry>, StoreError> {
        self.guarded(|| {
            // What a trim takes away after this is still there for the scan. What it took away
            // before is below the floor by now.
            let scan = self.log.scan(from, max_bytes);
            self.bounds.lock().check_read(from)?;
            let (mut entries, mut bytes) = (Vec::new(), 0);
            self.log.read(scan, Sequence::from(from), &mut |entry| {
                bytes += entry.payload.len();
                entries.push(entry);
                Ok(bytes < max_bytes)
            })?;
            Ok(entries)
        })
    }

    fn truncate(&self, last: Zxid) -> Result<(), StoreError> {
        self.guarded(|| {
            let mut bounds = self.bounds.lock();
            bounds.check_truncate(last)?;
            self.log.truncate(last)?;
            bounds.end = self.log.last()?.unwrap_or(bounds.applied).max(bounds.applied);
            bounds.unsynced = false;
            Ok(())
        })
    }

    fn tail(&self, entries: u64, bytes: u64) -> Result<Zxid, StoreError> {
        self.guarded(|| {
            let found = self.log.tail(entries, bytes)?.unwrap_or(Zxid::ZERO);
            Ok(found.max(self.bounds.lock().floor))
        })
    }

    fn trim(&self, keep_from: Zxid) -> Result<(), StoreError> {
        self.guarded(|| {
            {
                let mut bounds = self.bounds.lock();
                if !bounds.check_trim(keep_from) {
                    return Ok(());
                }
                self.log.raise_floor(keep_from)?;
                bounds.floor = keep_from;
                bounds.unsynced = false;
            }
            self.log.drop_files_below(keep_from)
        })
    }

    fn checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        self.guarded(|| match &checkpoint.kind {
            CheckpointKind::Changes(mark) => self.write_changes(checkpoint, Zxid(mark.applied)),
            CheckpointKind::SnapshotBegin => {
                self.bounds.lock().staging = true;
                self.tree.stage(checkpoint)
            }
            CheckpointKind::SnapshotPart => {
                self.bounds.lock().check_staging();
                self.tree.stage(checkpoint)
            }
            CheckpointKind::SnapshotEnd(mark) => self.install(checkpoint, mark),
        })
    }

    fn flush(&self) -> Result<Zxid, StoreError> {
        self.guarded(|| {
            let applied = self.bounds.lock().applied;
            self.tree.flush()?;
            let mut bounds = self.bounds.lock();
            // A snapshot that was installed meanwhile is durable by itself.
            if bounds.applied >= applied {
                bounds.durable = bounds.durable.max(applied);
            }
            Ok(bounds.durable)
        })
    }

    fn view(&self) -> Result<Box<dyn View + '_>, StoreError> {
        self.guarded(|| Ok(Box::new(self.tree.stored_view()?) as Box<dyn View + '_>))
    }

    fn set_meta(&self, meta: &Meta) -> Result<(), StoreError> {
        self.guarded(|| {
            let mut bounds = self.bounds.lock();
            self.log.set_meta(meta)?;
            bounds.unsynced = false;
            Ok(())
        })
    }
}

impl std::fmt::Debug for RocksStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RocksStore").field("place", &self.place).finish_non_exhaustive()
    }
}

/// Empties the log if a snapshot took the place of the tree and a crash came in between.
fn finish_install(place: &str, log: &LogDb, tree: &TreeDb) -> Result<(), StoreError> {
    let (emptied_for, base) = (log.base()?, tree.view().base()?);
    match base.snapshots.wrapping_sub(emptied_for.snapshots) {
        0 => Ok(()),
        1 => log.empty(&base),
        _ => {
            let zxid = Zxid(emptied_for.zxid);
            let reason = format!("the log begins after a snapshot of {zxid}, which is not there");
            Err(StoreError::Lost { place: place.to_owned(), reason })
        }
    }
}

/// Makes a directory, and those above it, so that they survive a power cut.
fn create_dir(dir: &Path) -> std::io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    create_dir(parent)?;
    fs::create_dir(dir)?;
    fs::File::open(parent)?.sync_all()
}
