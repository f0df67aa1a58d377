//! A store in memory that behaves like a disk: what was written and what would survive a crash are
//! kept apart, and a test decides what a crash leaves.
//!
//! Knows no file, clock or thread.
#![allow(clippy::disallowed_types, reason = "the mutex is there for the trait's sake only")]

use super::bounds::{Bounds, Sequence};
use super::{
    Checkpoint, CheckpointKind, Durability, Item, Loaded, LogEntry, Meta, SessionVisitor, Store,
    StoreError, View, Visitor, ZnodeVisitor,
};
use crate::types::{SessionId, Zxid};
use bytes::Bytes;
use jute::Decode;
use jute::disk::{TreeBase, TreeMark, ZnodeRecord};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const PLACE: &str = "memory";

/// How much of what was written and never synced a crash leaves, always the oldest of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crash {
    /// Writes to the log: appends, and the like.
    pub log_writes: usize,
    /// If the write after those is an append: this many of its entries. A disk may well tear a
    /// batch that nobody has been told is there.
    pub torn_entries: usize,
    /// Checkpoints.
    pub checkpoints: usize,
}

impl Crash {
    /// The power fails and nothing was written that was not synced.
    pub const POWER: Self = Self { log_writes: 0, torn_entries: 0, checkpoints: 0 };
    /// The process is killed: the operating system still has the log, the tree's buffers are gone.
    pub const KILL: Self = Self { log_writes: usize::MAX, torn_entries: 0, checkpoints: 0 };
}

/// The store of simulations and tests.
#[derive(Debug, Default)]
pub struct MemoryStore {
    disk: Mutex<Disk>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Loses what the crash does not leave. The store can then be loaded again as after a restart;
    /// an earlier failure is over.
    pub fn crash(&self, crash: Crash) {
        let mut disk = self.disk();
        disk.log.crash(crash.log_writes, |write| torn(write, crash.torn_entries));
        disk.tree.crash(crash.checkpoints, |_| None);
        disk.failed = None;
        disk.operations_left = None;
        disk.recover();
    }

    /// Lets this many more writing calls succeed. The one after them is written, but reports that
    /// the sync failed, and it is the end of the store until a crash.
    pub fn fail_after(&self, operations: usize) {
        self.disk().operations_left = Some(operations);
    }

    /// Takes [`Self::fail_after`] back. What has failed already stays so until a crash.
    pub fn fail_never(&self) {
        self.disk().operations_left = None;
    }

    /// How many writes to the log and checkpoints a crash could lose now.
    #[must_use]
    pub fn unsynced(&self) -> (usize, usize) {
        let disk = self.disk();
        (disk.log.pending.len(), disk.tree.pending.len())
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn load(&self, visit: &mut Visitor<'_>) -> Result<Loaded, StoreError> {
        let (tree, log, Bounds { applied, end, .. }) = {
            let disk = self.disk();
            disk.check()?;
            (disk.tree.written.clone(), disk.log.written.clone(), disk.bounds)
        };
        tree.visit(visit)?;
        let mut sequence = Sequence::after(applied);
        for (zxid, payload) in log.entries.range(applied.next()..) {
            sequence.check(PLACE, *zxid)?;
            let entry = LogEntry { zxid: *zxid, payload: payload.clone() };
            visit(Item::Entry(entry)).map_err(StoreError::Refused)?;
        }
        Ok(Loaded { meta: log.meta, applied, last: end })
    }

    fn append(&self, entries: &[LogEntry], durability: Durability) -> Result<(), StoreError> {
        let mut disk = self.disk();
        disk.check()?;
        let end = disk.bounds.after_append(entries)?;
        if entries.is_empty() {
            return Ok(());
        }
        disk.write_log(LogWrite::Append(entries.to_vec()), durability)?;
        disk.bounds.end = end;
        Ok(())
    }

    fn read_log(&self, from: Zxid, max_bytes: usize) -> Result<Vec<LogEntry>, StoreError> {
        let disk = self.disk();
        disk.check()?;
        disk.bounds.check_read(from)?;
        let mut sequence = Sequence::from(from);
        let (mut entries, mut bytes) = (Vec::new(), 0);
        for (zxid, payload) in disk.log.written.entries.range(from..) {
            if bytes >= max_bytes && !entries.is_empty() {
                break;
            }
            sequence.check(PLACE, *zxid)?;
            bytes += payload.len();
            entries.push(LogEntry { zxid: *zxid, payload: payload.clone() });
        }
        Ok(entries)
    }

    fn truncate(&self, last: Zxid) -> Result<(), StoreError> {
        let mut disk = self.disk();
        disk.check()?;
        disk.bounds.check_truncate(last)?;
        disk.write_log(LogWrite::Truncate(last), Durability::Synced)?;
        let found = disk.log.written.entries.keys().next_back().copied();
        disk.bounds.end = found.unwrap_or(disk.bounds.applied).max(disk.bounds.applied);
        Ok(())
    }

    fn tail(&self, entries: u64, bytes: u64) -> Result<Zxid, StoreError> {
        let disk = self.disk();
        disk.check()?;
        let (mut count, mut size) = (0, 0);
        for (zxid, payload) in disk.log.written.entries.iter().rev() {
            count += 1;
            size += payload.len() as u64;
            if count >= entries || size >= bytes {
                return Ok(*zxid);
            }
        }
        Ok(disk.bounds.floor)
    }

    fn trim(&self, keep_from: Zxid) -> Result<(), StoreError> {
        let mut disk = self.disk();
        disk.check()?;
        if disk.bounds.check_trim(keep_from) {
            disk.write_log(LogWrite::Trim(keep_from), Durability::Synced)?;
            disk.bounds.floor = keep_from;
        }
        Ok(())
    }

    fn checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        let mut disk = self.disk();
        disk.check()?;
        match &checkpoint.kind {
            CheckpointKind::Changes(mark) => {
                disk.bounds.check_changes(Zxid(mark.applied));
                disk.log.sync();
            }
            CheckpointKind::SnapshotBegin => disk.bounds.staging = true,
            CheckpointKind::SnapshotPart | CheckpointKind::SnapshotEnd(_) => {
                disk.bounds.check_staging();
            }
        }
        disk.write_tree(checkpoint.clone())?;
        match &checkpoint.kind {
            CheckpointKind::Changes(mark) => disk.bounds.applied = Zxid(mark.applied),
            CheckpointKind::SnapshotBegin | CheckpointKind::SnapshotPart => {}
            CheckpointKind::SnapshotEnd(mark) => {
                let applied = Zxid(mark.applied);
                disk.tree.sync();
                let base = disk.tree.synced.base.clone();
                disk.write_log(LogWrite::Empty(base), Durability::Synced)?;
                disk.bounds = Bounds::installed(applied);
            }
        }
        Ok(())
    }

    fn flush(&self) -> Result<Zxid, StoreError> {
        let mut disk = self.disk();
        disk.check()?;
        disk.spend()?;
        disk.tree.sync();
        disk.bounds.durable = disk.bounds.applied;
        Ok(disk.bounds.durable)
    }

    fn view(&self) -> Result<Box<dyn View + '_>, StoreError> {
        let disk = self.disk();
        disk.check()?;
        let Tree { current, mark, .. } = &disk.tree.written;
        Ok(Box::new(TreeView { records: Arc::clone(current), mark: mark.clone() }))
    }

    fn set_meta(&self, meta: &Meta) -> Result<(), StoreError> {
        let mut disk = self.disk();
        disk.check()?;
        disk.write_log(LogWrite::Meta(*meta), Durability::Synced)
    }
}

#[derive(Debug, Default)]
struct Disk {
    log: Layered<Log, LogWrite>,
    tree: Layered<Tree, Checkpoint>,
    bounds: Bounds,
    /// How many writing calls will yet succeed, if they are counted.
    operations_left: Option<usize>,
    failed: Option<StoreError>,
}

impl Disk {
    fn check(&self) -> Result<(), StoreError> {
        self.failed.clone().map_or(Ok(()), Err)
    }

    /// Counts a writing call.
    fn spend(&mut self) -> Result<(), StoreError> {
        let Some(left) = &mut self.operations_left else { return Ok(()) };
        if let Some(fewer) = left.checked_sub(1) {
            *left = fewer;
            return Ok(());
        }
        let error = StoreError::Io { place: PLACE.to_owned(), reason: "sync failed".to_owned() };
        self.failed = Some(error.clone());
        Err(error)
    }

    fn write_log(&mut self, write: LogWrite, durability: Durability) -> Result<(), StoreError> {
        self.log.write(write);
        self.spend()?;
        if durability == Durability::Synced {
            self.log.sync();
        }
        Ok(())
    }

    fn write_tree(&mut self, checkpoint: Checkpoint) -> Result<(), StoreError> {
        self.tree.write(checkpoint);
        self.spend()
    }

    /// Finds the positions as after a start.
    fn recover(&mut self) {
        let (log, tree) = (&self.log.written, &self.tree.written);
        let applied = tree.mark.as_ref().map_or(Zxid::ZERO, |mark| Zxid(mark.applied));
        if log.base != tree.base {
            let base = tree.base.clone();
            self.log.write(LogWrite::Empty(base));
            self.log.sync();
        }
        let log = &self.log.written;
        let last = log.entries.keys().next_back().copied();
        match Bounds::recovered(PLACE, log.floor, last, applied) {
            Ok(bounds) => self.bounds = bounds,
            Err(error) => self.failed = Some(error),
        }
    }
}

/// A state as the program sees it, the state that is safe, and the writes between them.
#[derive(Debug)]
struct Layered<S, W> {
    written: S,
    synced: S,
    pending: Vec<W>,
}

impl<S: Default, W> Default for Layered<S, W> {
    fn default() -> Self {
        Self { written: S::default(), synced: S::default(), pending: Vec::new() }
    }
}

impl<S: Image<W> + Clone, W> Layered<S, W> {
    fn write(&mut self, write: W) {
        self.written.apply(&write);
        self.pending.push(write);
    }

    fn sync(&mut self) {
        for write in self.pending.drain(..) {
            self.synced.apply(&write);
        }
    }

    /// Keeps the first writes, and of the next one what `tear` leaves.
    fn crash(&mut self, keep: usize, tear: impl Fn(W) -> Option<W>) {
        let mut pending = std::mem::take(&mut self.pending).into_iter();
        for write in pending.by_ref().take(keep) {
            self.synced.apply(&write);
        }
        if let Some(write) = pending.next().and_then(tear) {
            self.synced.apply(&write);
        }
        self.written = self.synced.clone();
    }
}

trait Image<W> {
    fn apply(&mut self, write: &W);
}

#[derive(Clone, Debug, Default)]
struct Log {
    entries: BTreeMap<Zxid, Bytes>,
    floor: Zxid,
    /// The snapshot for which it was last emptied.
    base: TreeBase,
    meta: Meta,
}

#[derive(Clone, Debug)]
enum LogWrite {
    Append(Vec<LogEntry>),
    Empty(TreeBase),
    Meta(Meta),
    Trim(Zxid),
    Truncate(Zxid),
}

fn torn(write: LogWrite, keep: usize) -> Option<LogWrite> {
    match write {
        LogWrite::Append(mut entries) => {
            entries.truncate(keep);
            Some(LogWrite::Append(entries))
        }
        _ => None,
    }
}

impl Image<LogWrite> for Log {
    fn apply(&mut self, write: &LogWrite) {
        match write {
            LogWrite::Append(entries) => {
                let new = entries.iter().map(|entry| (entry.zxid, entry.payload.clone()));
                self.entries.extend(new);
            }
            LogWrite::Empty(base) => {
                self.entries.clear();
                self.floor = Zxid(base.zxid).next();
                self.base = base.clone();
            }
            LogWrite::Meta(meta) => self.meta = *meta,
            LogWrite::Trim(keep_from) => {
                self.entries = self.entries.split_off(keep_from);
                self.floor = *keep_from;
            }
            LogWrite::Truncate(last) => drop(self.entries.split_off(&last.next())),
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Records {
    znodes: BTreeMap<String, Bytes>,
    sessions: BTreeMap<SessionId, i32>,
}

#[derive(Clone, Debug, Default)]
struct Tree {
    /// Shared with views: a write while there is one copies.
    current: Arc<Records>,
    mark: Option<TreeMark>,
    /// The snapshot that the records began as.
    base: TreeBase,
    /// A snapshot that is arriving.
    staged: Option<Records>,
}

impl Tree {
    fn visit(&self, visit: &mut Visitor<'_>) -> Result<(), StoreError> {
        for (path, bytes) in &self.current.znodes {
            let record = ZnodeRecord::from_bytes(bytes.clone()).map_err(|error| {
                let what = format!("znode {path}");
                StoreError::Corrupt { place: PLACE.into(), what, reason: error.to_string() }
            })?;
            visit(Item::Znode(path, record)).map_err(StoreError::Refused)?;
        }
        for (id, timeout) in &self.current.sessions {
            visit(Item::Session(*id, *timeout)).map_err(StoreError::Refused)?;
        }
        let mark = self.mark.clone();
        mark.map_or(Ok(()), |mark| visit(Item::Mark(mark)).map_err(StoreError::Refused))
    }
}

impl Image<Checkpoint> for Tree {
    fn apply(&mut self, write: &Checkpoint) {
        match &write.kind {
            CheckpointKind::Changes(mark) => {
                Arc::make_mut(&mut self.current).apply(write);
                self.mark = Some(mark.clone());
            }
            CheckpointKind::SnapshotBegin => {
                self.staged.insert(Records::default()).apply(write);
            }
            CheckpointKind::SnapshotPart => self.staged.get_or_insert_default().apply(write),
            CheckpointKind::SnapshotEnd(mark) => {
                let mut staged = self.staged.take().unwrap_or_default();
                staged.apply(write);
                self.current = Arc::new(staged);
                self.mark = Some(mark.clone());
                self.base = TreeBase { snapshots: self.base.snapshots + 1, zxid: mark.applied };
            }
        }
    }
}

impl Records {
    fn apply(&mut self, changes: &Checkpoint) {
        for (path, record) in &changes.znodes {
            match record {
                Some(record) => drop(self.znodes.insert(path.clone(), record.clone())),
                None => drop(self.znodes.remove(path)),
            }
        }
        for (id, timeout) in &changes.sessions {
            match timeout {
                Some(timeout) => drop(self.sessions.insert(*id, *timeout)),
                None => drop(self.sessions.remove(id)),
            }
        }
    }
}

/// The records as they were at some moment.
struct TreeView {
    records: Arc<Records>,
    mark: Option<TreeMark>,
}

impl View for TreeView {
    fn mark(&self) -> Option<&TreeMark> {
        self.mark.as_ref()
    }

    fn sessions(&self, visit: &mut SessionVisitor<'_>) -> Result<(), StoreError> {
        let mut sessions = self.records.sessions.iter();
        sessions.try_for_each(|(id, timeout)| visit(*id, *timeout))
    }

    fn znodes(&self, visit: &mut ZnodeVisitor<'_>) -> Result<(), StoreError> {
        let mut znodes = self.records.znodes.iter();
        znodes.try_for_each(|(path, record)| visit(path, record))
    }
}
