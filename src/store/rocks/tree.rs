//! The `tree` database: znodes and sessions as of one transaction.
//!
//! Written without a write-ahead log and in one column family, so that what is on disk after a
//! crash is always the result of the first so many batches, each of them whole.

use super::super::{Checkpoint, CheckpointKind, Item, StoreError, Visitor};
use super::RocksOptions;
use super::database::{self, damaged, decode, failure};
use crate::types::SessionId;
use bytes::{Bytes, BytesMut};
use jute::disk::{SessionRecord, TreeBase, TreeMark, ZnodeRecord};
use jute::{Decode, Encode};
use parking_lot::Mutex;
use rocksdb::{DB, WriteBatch, WriteOptions};
use std::path::Path;

const MARK_KEY: [u8; 1] = [0];
const BASE_KEY: [u8; 1] = [1];
const GENERATION: u8 = 0x10;
const ZNODE: u8 = 1;
const SESSION: u8 = 2;
/// Records are decoded from pieces of chunks this large: one allocation serves many.
const CHUNK_BYTES: usize = 256 << 10;

pub(super) struct TreeDb {
    dir: String,
    db: DB,
    without_log: WriteOptions,
    /// The generation that counts. Held over every write.
    generation: Mutex<u8>,
}

impl TreeDb {
    pub(super) fn open(dir: &Path, options: &RocksOptions) -> Result<Self, StoreError> {
        database::refuse_headless(dir)?;
        let tree_options = database::options(options.tree_buffer);
        let db = database::open(dir, || DB::open(&tree_options, dir))?;
        let mut without_log = WriteOptions::default();
        without_log.disable_wal(true);
        let dir = dir.display().to_string();
        let tree = Self { dir, db, without_log, generation: Mutex::new(0) };
        if let Some(base) = tree.base()? {
            *tree.generation.lock() = tree.decode_generation(&base)?;
        }
        Ok(tree)
    }

    pub(super) fn mark(&self) -> Result<Option<TreeMark>, StoreError> {
        let mark: Option<TreeMark> = decode(&self.dir, "the mark", self.get(MARK_KEY)?)?;
        if let Some(mark) = &mark {
            database::zxid(&self.dir, "the mark", mark.applied)?;
        }
        Ok(mark)
    }

    /// The snapshot that the records began as, if they did.
    pub(super) fn base(&self) -> Result<Option<TreeBase>, StoreError> {
        decode(&self.dir, "the base", self.get(BASE_KEY)?)
    }

    fn get(&self, key: [u8; 1]) -> Result<Option<Vec<u8>>, StoreError> {
        self.db.get(key).map_err(|error| failure(&self.dir, &error))
    }

    fn decode_generation(&self, base: &TreeBase) -> Result<u8, StoreError> {
        match base.generation {
            0 => Ok(0),
            1 => Ok(1),
            other => Err(damaged(&self.dir, "the base", format!("generation {other}"))),
        }
    }

    /// Visits the znodes, then the sessions.
    pub(super) fn visit(&self, visit: &mut Visitor<'_>) -> Result<(), StoreError> {
        let prefix = GENERATION | *self.generation.lock();
        let mut chunk = BytesMut::new();
        let mut cut = |value: &[u8]| -> Bytes {
            if chunk.capacity() < value.len() {
                chunk.reserve(CHUNK_BYTES.max(value.len()));
            }
            chunk.extend_from_slice(value);
            chunk.split().freeze()
        };
        let options = database::scan_options(vec![prefix], vec![prefix + 1]);
        let mut records = self.db.raw_iterator_opt(options);
        records.seek_to_first();
        database::each(&self.dir, records, &mut |key, value| {
            let value = cut(value);
            let item = match key.get(1).zip(key.get(2..)) {
                Some((&ZNODE, path)) => self.decode_znode(path, value)?,
                Some((&SESSION, id)) => self.decode_session(id, value)?,
                _ => return Err(damaged(&self.dir, "a record", "it is of no known kind")),
            };
            visit(item).map_err(StoreError::Refused)?;
            Ok(true)
        })
    }

    fn decode_znode<'a>(&self, path: &'a [u8], value: Bytes) -> Result<Item<'a>, StoreError> {
        let path = str::from_utf8(path);
        let path = path.map_err(|error| damaged(&self.dir, "a znode's path", error))?;
        let record = ZnodeRecord::from_bytes(value);
        let wrong = |error| damaged(&self.dir, &format!("znode {path}"), error);
        Ok(Item::Znode(path, record.map_err(wrong)?))
    }

    fn decode_session(&self, id: &[u8], value: Bytes) -> Result<Item<'static>, StoreError> {
        let id = <[u8; 8]>::try_from(id).map(session_id);
        let id = id.map_err(|error| damaged(&self.dir, "a session's id", error))?;
        let record = SessionRecord::from_bytes(value);
        let wrong = |error| damaged(&self.dir, &format!("session {id}"), error);
        Ok(Item::Session(id, record.map_err(wrong)?.time_out))
    }

    /// Writes changes of what counts.
    pub(super) fn write(&self, changes: &Checkpoint) -> Result<(), StoreError> {
        let generation = self.generation.lock();
        let mut batch = WriteBatch::default();
        put_changes(&mut batch, *generation, changes);
        self.put(batch)
    }

    /// Writes a part of the snapshot that is arriving; its beginning drops what is left of another.
    pub(super) fn stage(&self, part: &Checkpoint) -> Result<(), StoreError> {
        let generation = self.generation.lock();
        let mut batch = WriteBatch::default();
        if part.kind == CheckpointKind::SnapshotBegin {
            delete_generation(&mut batch, 1 - *generation);
        }
        put_changes(&mut batch, 1 - *generation, part);
        self.put(batch)
    }

    /// Writes the end of a snapshot, which takes the place of what counted, all in one batch.
    pub(super) fn install(&self, last_part: &Checkpoint) -> Result<TreeBase, StoreError> {
        let CheckpointKind::SnapshotEnd(mark) = &last_part.kind else {
            unreachable!("only the end of a snapshot is installed");
        };
        let mut generation = self.generation.lock();
        let next = 1 - *generation;
        let base = TreeBase { generation: i32::from(next), zxid: mark.applied };
        let mut batch = WriteBatch::default();
        put_changes(&mut batch, next, last_part);
        batch.put(BASE_KEY, base.to_bytes());
        delete_generation(&mut batch, *generation);
        self.put(batch)?;
        *generation = next;
        Ok(base)
    }

    pub(super) fn flush(&self) -> Result<(), StoreError> {
        self.db.flush().map_err(|error| failure(&self.dir, &error))
    }

    fn put(&self, batch: WriteBatch) -> Result<(), StoreError> {
        self.db.write_opt(batch, &self.without_log).map_err(|error| failure(&self.dir, &error))
    }
}

fn put_changes(batch: &mut WriteBatch, generation: u8, changes: &Checkpoint) {
    let prefix = GENERATION | generation;
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

fn delete_generation(batch: &mut WriteBatch, generation: u8) {
    let prefix = GENERATION | generation;
    batch.delete_range([prefix], [prefix + 1]);
}

/// With the sign turned over, keys sort as the ids do.
fn session_key(id: SessionId) -> [u8; 8] {
    (id.0 ^ i64::MIN).to_be_bytes()
}

fn session_id(key: [u8; 8]) -> SessionId {
    SessionId(i64::from_be_bytes(key) ^ i64::MIN)
}
