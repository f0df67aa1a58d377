//! The `log` database: entries by zxid, and the numbers that must not be forgotten.
//!
//! Every write goes through the write-ahead log, whose files are recycled: a sync into blocks that
//! exist already is twice as fast as one that makes a file longer. Both column families are flushed
//! together, for a family with one old record in memory would keep every file from being recycled.

use super::super::bounds::Sequence;
use super::super::{Durability, FORMAT, LogEntry, Meta, StoreError};
use super::RocksOptions;
use super::database::{self, damaged, decode, failure};
use super::wal;
use crate::types::{Epoch, ServerId, Zxid};
use bytes::Bytes;
use jute::Encode;
use jute::disk::{ImportMark, StoreMeta, TreeBase};
use rocksdb::{ColumnFamily, DB, DBRawIterator, WriteBatch, WriteOptions};
use std::path::Path;

const CHECKSUM_BYTES: usize = 4;
const META_FAMILY: &str = "meta";
/// Buffers of entries that may wait to be written to files of their own.
const BUFFERS: i32 = 6;
/// What a scan of the log reads ahead at least.
const MIN_READAHEAD_BYTES: usize = 64 << 10;
/// Files of the write-ahead log that are kept for use again.
const RECYCLED_FILES: usize = 2;

pub(super) struct LogDb {
    dir: String,
    pub(super) db: DB,
    synced: WriteOptions,
    unsynced: WriteOptions,
}

impl LogDb {
    pub(super) fn open(dir: &Path, options: &RocksOptions) -> Result<Self, StoreError> {
        database::refuse_headless(dir)?;
        if options.durability == Durability::Synced {
            wal::verify(dir)?;
        }
        let mut log_options = database::options(options.log_buffer);
        log_options.set_recycle_log_file_num(RECYCLED_FILES);
        log_options.set_atomic_flush(true);
        // Appends must not wait for the tree's files, which the same threads write.
        log_options.set_max_write_buffer_number(BUFFERS);
        log_options.set_level_zero_slowdown_writes_trigger(i32::MAX);
        log_options.set_level_zero_stop_writes_trigger(i32::MAX);
        log_options.set_soft_pending_compaction_bytes_limit(0);
        log_options.set_hard_pending_compaction_bytes_limit(0);
        // Files reach the lower levels, where whole ones can be dropped, by being moved.
        log_options.set_level_zero_file_num_compaction_trigger(2);
        let families = [rocksdb::DEFAULT_COLUMN_FAMILY_NAME, META_FAMILY]
            .map(|name| (name, log_options.clone()));
        let db = database::open(dir, || DB::open_cf_with_opts(&log_options, dir, families))?;
        let mut synced = WriteOptions::default();
        synced.set_sync(true);
        let unsynced = WriteOptions::default();
        let log = Self { dir: dir.display().to_string(), db, synced, unsynced };
        log.check_format()?;
        Ok(log)
    }

    fn check_format(&self) -> Result<(), StoreError> {
        let Some(found) = self.meta_record("format")? else { return Ok(()) };
        let found = <[u8; 4]>::try_from(found.as_slice()).map(u32::from_be_bytes);
        let found = found.map_err(|error| damaged(&self.dir, "the format", error))?;
        if found != FORMAT {
            let place = self.dir.clone();
            return Err(StoreError::Format { place, found, supported: FORMAT });
        }
        Ok(())
    }

    /// Whether the store has been in use before.
    pub(super) fn is_initialized(&self) -> Result<bool, StoreError> {
        Ok(self.meta_record("format")?.is_some())
    }

    pub(super) fn initialize(&self) -> Result<(), StoreError> {
        self.put_meta("format", &FORMAT.to_be_bytes())
    }

    /// The last entry, below the floor or not.
    pub(super) fn last(&self) -> Result<Option<Zxid>, StoreError> {
        let mut records = self.db.raw_iterator();
        records.seek_to_last();
        records.status().map_err(|error| failure(&self.dir, &error))?;
        records.key().map(|key| self.decode_key(key)).transpose()
    }

    pub(super) fn append(
        &self,
        entries: &[LogEntry],
        durability: Durability,
    ) -> Result<(), StoreError> {
        let payloads: usize = entries.iter().map(|entry| entry.payload.len()).sum();
        let mut batch = WriteBatch::with_capacity_bytes(payloads + 32 * entries.len());
        let mut value = Vec::new();
        for entry in entries {
            let key = key(entry.zxid);
            value.clear();
            value.extend_from_slice(&entry.payload);
            value.extend_from_slice(&checksum(&key, &entry.payload).to_be_bytes());
            batch.put(key, &value);
        }
        self.write(batch, durability)
    }

    /// The entries from a zxid on, as they are now. About `bytes` of them are wanted.
    pub(super) fn scan(&self, from: Zxid, bytes: usize) -> DBRawIterator<'_> {
        let mut options = database::scan_options(key(from).to_vec(), vec![0xff; 8]);
        options.set_readahead_size(bytes.clamp(MIN_READAHEAD_BYTES, database::READAHEAD_BYTES));
        self.db.raw_iterator_opt(options)
    }

    /// Where the end of the log begins that holds so many entries or bytes, or somewhat more: only
    /// whole files give back their space, so it begins with one. Entries that are in no file yet
    /// are not counted.
    pub(super) fn tail(&self, entries: u64, bytes: u64) -> Result<Option<Zxid>, StoreError> {
        let files = self.db.live_files().map_err(|error| failure(&self.dir, &error))?;
        let ours = files
            .into_iter()
            .filter(|file| file.column_family_name == rocksdb::DEFAULT_COLUMN_FAMILY_NAME);
        let mut files: Vec<_> = ours
            .filter_map(|file| Some((file.start_key?, file.num_entries, file.size as u64)))
            .collect();
        files.sort_unstable();
        let (mut count, mut size) = (0, 0);
        for (first, file_entries, file_size) in files.iter().rev() {
            count += file_entries;
            size += file_size;
            if count >= entries || size >= bytes {
                return self.decode_key(first).map(Some);
            }
        }
        Ok(None)
    }

    /// Visits scanned entries until told to stop, as long as they are in sequence.
    pub(super) fn read(
        &self,
        mut scan: DBRawIterator<'_>,
        mut sequence: Sequence,
        visit: &mut dyn FnMut(LogEntry) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        scan.seek_to_first();
        database::each(&self.dir, scan, &mut |key, value| {
            let entry = self.decode_entry(key, value)?;
            sequence.check(&self.dir, entry.zxid)?;
            visit(entry)
        })
    }

    /// Makes durable what was appended without a sync.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        self.db.flush_wal(true).map_err(|error| failure(&self.dir, &error))
    }

    pub(super) fn truncate(&self, last: Zxid) -> Result<(), StoreError> {
        let mut batch = WriteBatch::default();
        self.cut(&mut batch, last)?;
        self.write(batch, Durability::Synced)
    }

    /// Deletes what comes after `last`: only the range that holds something, since a deleted range
    /// makes the files it covers overlap.
    fn cut(&self, batch: &mut WriteBatch, last: Zxid) -> Result<(), StoreError> {
        if let Some(end) = self.last()?
            && end > last
        {
            batch.delete_range(key(last.next()), key(end.next()));
        }
        Ok(())
    }

    /// Entries before it do not count from now on.
    pub(super) fn raise_floor(&self, floor: Zxid) -> Result<(), StoreError> {
        self.put_meta("floor", &key(floor))
    }

    /// Lets the log begin after a snapshot, with no entry.
    pub(super) fn empty(&self, base: &TreeBase) -> Result<(), StoreError> {
        let applied = database::zxid(&self.dir, "the snapshot's zxid", base.zxid)?;
        let mut batch = WriteBatch::default();
        self.cut(&mut batch, applied)?;
        let family = self.meta_family()?;
        batch.put_cf(family, "floor", key(applied.next()));
        batch.put_cf(family, "base", base.to_bytes());
        self.write(batch, Durability::Synced)?;
        self.drop_files_below(applied.next())
    }

    /// Gives back the space of files that are below the floor. What stays there is never read.
    pub(super) fn drop_files_below(&self, floor: Zxid) -> Result<(), StoreError> {
        let last = key(Zxid(floor.0 - 1));
        let dropped = self.db.delete_file_in_range(key(Zxid::ZERO), last);
        dropped.map_err(|error| failure(&self.dir, &error))
    }

    pub(super) fn floor(&self) -> Result<Zxid, StoreError> {
        let record = self.meta_record("floor")?;
        record.map_or(Ok(Zxid::ZERO), |bytes| self.decode_key(&bytes))
    }

    /// The snapshot for which it was last emptied.
    pub(super) fn base(&self) -> Result<TreeBase, StoreError> {
        Ok(decode(&self.dir, "the base", self.meta_record("base")?)?.unwrap_or_default())
    }

    pub(super) fn meta(&self) -> Result<Meta, StoreError> {
        let record: Option<StoreMeta> = decode(&self.dir, "meta", self.meta_record("meta")?)?;
        Ok(record.map_or_else(Meta::default, |record| Meta {
            accepted_epoch: Epoch(record.accepted_epoch),
            current_epoch: Epoch(record.current_epoch),
            server: (record.server >= 0).then_some(ServerId(record.server)),
        }))
    }

    pub(super) fn set_meta(&self, meta: &Meta) -> Result<(), StoreError> {
        let record = StoreMeta {
            accepted_epoch: meta.accepted_epoch.0,
            current_epoch: meta.current_epoch.0,
            server: meta.server.map_or(-1, |server| server.0),
        };
        self.put_meta("meta", &record.to_bytes())
    }

    /// What is known of an import.
    pub(super) fn import(&self) -> Result<Option<ImportMark>, StoreError> {
        decode(&self.dir, "the mark of the import", self.meta_record("import")?)
    }

    pub(super) fn set_import(&self, mark: &ImportMark) -> Result<(), StoreError> {
        self.put_meta("import", &mark.to_bytes())
    }

    fn meta_family(&self) -> Result<&ColumnFamily, StoreError> {
        let missing = || damaged(&self.dir, "the column family meta", "it is not there");
        self.db.cf_handle(META_FAMILY).ok_or_else(missing)
    }

    fn meta_record(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let record = self.db.get_cf(self.meta_family()?, name);
        record.map_err(|error| failure(&self.dir, &error))
    }

    fn put_meta(&self, name: &str, value: &[u8]) -> Result<(), StoreError> {
        let mut batch = WriteBatch::default();
        batch.put_cf(self.meta_family()?, name, value);
        self.write(batch, Durability::Synced)
    }

    fn write(&self, batch: WriteBatch, durability: Durability) -> Result<(), StoreError> {
        let options = match durability {
            Durability::Synced => &self.synced,
            Durability::Unsynced => &self.unsynced,
        };
        self.db.write_opt(batch, options).map_err(|error| failure(&self.dir, &error))
    }

    fn decode_key(&self, key: &[u8]) -> Result<Zxid, StoreError> {
        let number = <[u8; 8]>::try_from(key).map(i64::from_be_bytes);
        let number = number.map_err(|error| damaged(&self.dir, "a zxid", error))?;
        database::zxid(&self.dir, "a zxid", number)
    }

    fn decode_entry(&self, key: &[u8], value: &[u8]) -> Result<LogEntry, StoreError> {
        let zxid = self.decode_key(key)?;
        let wrong = |reason: &str| damaged(&self.dir, &format!("log entry {zxid}"), reason);
        let split = value.split_last_chunk::<CHECKSUM_BYTES>();
        let (payload, stored) = split.ok_or_else(|| wrong("it is too short"))?;
        if checksum(key, payload) != u32::from_be_bytes(*stored) {
            return Err(wrong("its checksum does not match"));
        }
        Ok(LogEntry { zxid, payload: Bytes::copy_from_slice(payload) })
    }
}

fn key(zxid: Zxid) -> [u8; 8] {
    zxid.0.to_be_bytes()
}

fn checksum(key: &[u8], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(payload);
    hasher.finalize()
}
