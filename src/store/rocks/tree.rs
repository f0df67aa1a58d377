//! The `tree` database: znodes and sessions as of one transaction.
//!
//! Written without a write-ahead log and in one column family, so that what is on disk after a
//! crash is always the result of the first so many batches, each of them whole.

use super::super::{self as store, Checkpoint, CheckpointKind, Item, StoreError, Visitor};
use super::RocksOptions;
use super::database::{self, damaged, decode, failure};
use crate::types::SessionId;
use bytes::{Bytes, BytesMut};
use jute::disk::{SessionRecord, TreeBase, TreeMark, ZnodeRecord};
use jute::{Decode, Encode};
use parking_lot::Mutex;
use rocksdb::{DB, Snapshot, WriteBatch, WriteOptions};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

const MARK_KEY: [u8; 1] = [0];
const BASE_KEY: [u8; 1] = [1];
const GENERATIONS: [u8; 2] = [0x10, 0x11];
const ZNODE: u8 = 1;
const SESSION: u8 = 2;
/// What a znode takes in a file, at least: its stat.
const MIN_RECORD_BYTES: u64 = 60;
/// Records are decoded from pieces of chunks this large: one allocation serves many.
const CHUNK_BYTES: usize = 256 << 10;

pub(super) struct TreeDb {
    dir: String,
    pub(super) db: DB,
    without_log: WriteOptions,
    /// How many snapshots took the place of what was there. Held over every write.
    snapshots: Mutex<i32>,
    /// How many views there are.
    views: AtomicUsize,
}

/// The records as they were at some moment.
pub(super) struct View<'a> {
    dir: &'a str,
    snapshot: Snapshot<'a>,
    views: &'a AtomicUsize,
}

impl Drop for View<'_> {
    fn drop(&mut self) {
        self.views.fetch_sub(1, Ordering::SeqCst);
    }
}

impl View<'_> {
    pub(super) fn mark(&self) -> Result<Option<TreeMark>, StoreError> {
        let mark: Option<TreeMark> = decode(self.dir, "the mark", self.get(MARK_KEY)?)?;
        if let Some(mark) = &mark {
            database::zxid(self.dir, "the mark", mark.applied)?;
        }
        Ok(mark)
    }

    /// The snapshot that the records began as.
    pub(super) fn base(&self) -> Result<TreeBase, StoreError> {
        let base: TreeBase = decode(self.dir, "the base", self.get(BASE_KEY)?)?.unwrap_or_default();
        database::zxid(self.dir, "the base", base.zxid)?;
        Ok(base)
    }

    fn get(&self, key: [u8; 1]) -> Result<Option<Vec<u8>>, StoreError> {
        self.snapshot.get(key).map_err(|error| failure(self.dir, &error))
    }

    /// Visits the znodes, the sessions and the mark.
    pub(super) fn visit(&self, visit: &mut Visitor<'_>) -> Result<(), StoreError> {
        let prefix = generation(self.base()?.snapshots);
        let mut chunk = BytesMut::new();
        let mut cut = |value: &[u8]| -> Bytes {
            if chunk.capacity() < value.len() {
                chunk.reserve(CHUNK_BYTES.max(value.len()));
            }
            chunk.extend_from_slice(value);
            chunk.split().freeze()
        };
        let options = database::scan_options(vec![prefix], vec![prefix + 1]);
        let mut records = self.snapshot.raw_iterator_opt(options);
        records.seek_to_first();
        database::each(self.dir, records, &mut |key, value| {
            let value = cut(value);
            let item = match key.get(1).zip(key.get(2..)) {
                Some((&ZNODE, path)) => self.decode_znode(path, value)?,
                Some((&SESSION, id)) => {
                    let (id, timeout) = self.decode_session(id, value)?;
                    Item::Session(id, timeout)
                }
                _ => return Err(damaged(self.dir, "a record", "it is of no known kind")),
            };
            visit(item).map_err(StoreError::Refused)?;
            Ok(true)
        })?;
        let mark = self.mark()?;
        mark.map_or(Ok(()), |mark| visit(Item::Mark(mark)).map_err(StoreError::Refused))
    }

    /// Visits the keys, without their first two bytes, and values of one kind of record.
    fn records(
        &self,
        generation: u8,
        kind: u8,
        visit: &mut database::RecordVisitor<'_>,
    ) -> Result<(), StoreError> {
        let (from, to) = (vec![generation, kind], vec![generation, kind + 1]);
        let mut records = self.snapshot.raw_iterator_opt(database::scan_options(from, to));
        records.seek_to_first();
        database::each(self.dir, records, &mut |key, value| {
            visit(key.get(2..).unwrap_or_default(), value)
        })
    }

    fn decode_znode<'k>(&self, path: &'k [u8], value: Bytes) -> Result<Item<'k>, StoreError> {
        let path = self.decode_path(path)?;
        let record = ZnodeRecord::from_bytes(value);
        let wrong = |error| damaged(self.dir, &format!("znode {path}"), error);
        Ok(Item::Znode(path, record.map_err(wrong)?))
    }

    fn decode_path<'k>(&self, path: &'k [u8]) -> Result<&'k str, StoreError> {
        str::from_utf8(path).map_err(|error| damaged(self.dir, "a znode's path", error))
    }

    fn decode_session(&self, id: &[u8], value: Bytes) -> Result<(SessionId, i32), StoreError> {
        let id = <[u8; 8]>::try_from(id).map(session_id);
        let id = id.map_err(|error| damaged(self.dir, "a session's id", error))?;
        let record = SessionRecord::from_bytes(value);
        let wrong = |error| damaged(self.dir, &format!("session {id}"), error);
        Ok((id, record.map_err(wrong)?.time_out))
    }
}

/// What is stored, with what was looked up once.
struct StoredView<'a> {
    view: View<'a>,
    generation: u8,
    mark: Option<TreeMark>,
}

impl store::View for StoredView<'_> {
    fn mark(&self) -> Option<&TreeMark> {
        self.mark.as_ref()
    }

    fn sessions(&self, visit: &mut store::SessionVisitor<'_>) -> Result<(), StoreError> {
        self.view.records(self.generation, SESSION, &mut |id, value| {
            let value = Bytes::copy_from_slice(value);
            let (id, timeout) = self.view.decode_session(id, value)?;
            visit(id, timeout)?;
            Ok(true)
        })
    }

    fn znodes(&self, visit: &mut store::ZnodeVisitor<'_>) -> Result<(), StoreError> {
        self.view.records(self.generation, ZNODE, &mut |path, value| {
            visit(self.view.decode_path(path)?, value)?;
            Ok(true)
        })
    }
}

/// Flushed files that are merged into one run at a time.
const L0_FILES: i32 = 48;

impl TreeDb {
    pub(super) fn open(dir: &Path, options: &RocksOptions) -> Result<Self, StoreError> {
        database::refuse_headless(dir)?;
        let mut tree_options = database::options(options.tree_buffer);
        // Records are read in order at the start alone, from however many files: rewriting files
        // often would cost more than it saves.
        tree_options.set_level_zero_file_num_compaction_trigger(L0_FILES);
        tree_options.set_level_zero_slowdown_writes_trigger(4 * L0_FILES);
        tree_options.set_level_zero_stop_writes_trigger(6 * L0_FILES);
        let db = database::open(dir, || DB::open(&tree_options, dir))?;
        let mut without_log = WriteOptions::default();
        without_log.disable_wal(true);
        let dir = dir.display().to_string();
        let tree =
            Self { dir, db, without_log, snapshots: Mutex::new(0), views: AtomicUsize::new(0) };
        *tree.snapshots.lock() = tree.view().base()?.snapshots;
        Ok(tree)
    }

    pub(super) fn view(&self) -> View<'_> {
        self.views.fetch_add(1, Ordering::SeqCst);
        View { dir: &self.dir, snapshot: self.db.snapshot(), views: &self.views }
    }

    /// How many records there are, those included that a later one has taken the place of.
    /// RocksDB's own estimate would take a look into every file whenever a database is opened.
    pub(super) fn expected_records(&self) -> usize {
        let about = self.db.property_value("rocksdb.aggregated-table-properties");
        let about = about.ok().flatten().unwrap_or_default();
        let entries = about.split(';').find_map(|it| it.trim().strip_prefix("# entries="));
        let entries = entries.and_then(|number| number.parse::<u64>().ok());
        let bytes = self.db.property_int_value("rocksdb.total-sst-files-size");
        let most = bytes.ok().flatten().unwrap_or(0) / MIN_RECORD_BYTES;
        entries.unwrap_or(0).min(most).try_into().unwrap_or(0)
    }

    /// What is stored now, for readers outside.
    pub(super) fn stored_view(&self) -> Result<impl store::View + '_, StoreError> {
        let view = self.view();
        let (mark, base) = (view.mark()?, view.base()?);
        Ok(StoredView { view, generation: generation(base.snapshots), mark })
    }

    /// Writes changes of what counts.
    pub(super) fn write(&self, changes: &Checkpoint) -> Result<(), StoreError> {
        let snapshots = self.snapshots.lock();
        let mut batch = WriteBatch::default();
        put_changes(&mut batch, generation(*snapshots), changes);
        self.put(batch)
    }

    /// Writes a part of the snapshot that is arriving; its beginning drops what is left of another.
    pub(super) fn stage(&self, part: &Checkpoint) -> Result<(), StoreError> {
        let snapshots = self.snapshots.lock();
        let next = generation(snapshots.wrapping_add(1));
        let mut batch = WriteBatch::default();
        if part.kind == CheckpointKind::SnapshotBegin {
            batch.delete_range([next], [next + 1]);
        }
        put_changes(&mut batch, next, part);
        self.put(batch)
    }

    /// Writes the end of a snapshot, which takes the place of what counted, all in one batch.
    pub(super) fn install(
        &self,
        last_part: &Checkpoint,
        mark: &TreeMark,
    ) -> Result<TreeBase, StoreError> {
        let mut snapshots = self.snapshots.lock();
        let base = TreeBase { snapshots: snapshots.wrapping_add(1), zxid: mark.applied };
        let previous = generation(*snapshots);
        let mut batch = WriteBatch::default();
        put_changes(&mut batch, generation(base.snapshots), last_part);
        batch.put(BASE_KEY, base.to_bytes());
        batch.delete_range([previous], [previous + 1]);
        self.put(batch)?;
        *snapshots = base.snapshots;
        Ok(base)
    }

    /// Gives back the space of what was before a snapshot, once that is flushed. What may come to
    /// light again where a file is dropped is of a generation that does not count, and the next
    /// snapshot begins by deleting it. If somebody is looking at it, as dropping files does not
    /// respect, it is left to RocksDB to clear away what is deleted.
    pub(super) fn drop_previous(&self, base: &TreeBase) -> Result<(), StoreError> {
        if self.views.load(Ordering::SeqCst) > 0 {
            return Ok(());
        }
        let previous = generation(base.snapshots.wrapping_sub(1));
        let dropped = self.db.delete_file_in_range([previous], [previous + 1]);
        dropped.map_err(|error| failure(&self.dir, &error))
    }

    pub(super) fn flush(&self) -> Result<(), StoreError> {
        self.db.flush().map_err(|error| failure(&self.dir, &error))
    }

    fn put(&self, batch: WriteBatch) -> Result<(), StoreError> {
        self.db.write_opt(batch, &self.without_log).map_err(|error| failure(&self.dir, &error))
    }
}

/// The first byte of the records that count after so many snapshots.
fn generation(snapshots: i32) -> u8 {
    if snapshots & 1 == 0 { GENERATIONS[0] } else { GENERATIONS[1] }
}

fn put_changes(batch: &mut WriteBatch, prefix: u8, changes: &Checkpoint) {
    let mut key = vec![prefix, ZNODE];
    for (path, record) in &changes.znodes {
        key.truncate(2);
        key.extend_from_slice(path.as_bytes());
        match record {
            Some(record) => batch.put(&key, record),
            None => batch.delete(&key),
        }
    }
    key[1] = SESSION;
    for (id, timeout) in &changes.sessions {
        key.truncate(2);
        key.extend_from_slice(&session_key(*id));
        match timeout {
            Some(timeout) => batch.put(&key, SessionRecord { time_out: *timeout }.to_bytes()),
            None => batch.delete(&key),
        }
    }
    if let CheckpointKind::Changes(mark) | CheckpointKind::SnapshotEnd(mark) = &changes.kind {
        batch.put(MARK_KEY, mark.to_bytes());
    }
}

/// With the sign turned over, keys sort as the ids do.
fn session_key(id: SessionId) -> [u8; 8] {
    (id.0 ^ i64::MIN).to_be_bytes()
}

fn session_id(key: [u8; 8]) -> SessionId {
    SessionId(i64::from_be_bytes(key) ^ i64::MIN)
}
