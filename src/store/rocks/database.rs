//! What both databases share: how they are opened, and RocksDB's errors as the store's.

use super::super::StoreError;
use crate::types::Zxid;
use jute::{Decode, DecodeError};
use rocksdb::{
    BlockBasedOptions, Cache, DB, DBCompressionType, DBRawIterator, ErrorKind, InfoLogger,
    LogLevel, Options, ReadOptions,
};
use std::path::Path;

/// Blocks are read in long scans only: large ones make the index, which stays in memory, small.
const BLOCK_BYTES: usize = 64 << 10;
/// What a scan, or a compaction, reads ahead in each of the files that it merges: maybe dozens.
pub(super) const READAHEAD_BYTES: usize = 256 << 10;
/// Nothing is read twice, so nothing is worth keeping.
const CACHE_BYTES: usize = 256 << 10;

/// Options that fit both databases: few files, few threads, little memory, quick to open.
pub(super) fn options(write_buffer: usize) -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_compression_type(DBCompressionType::None);
    options.set_write_buffer_size(write_buffer);
    // One that is filled, one that is flushed, and one more so that a slow flush stops nobody.
    options.set_max_write_buffer_number(3);
    options.set_block_based_table_factory(&table_options());
    options.set_max_open_files(128);
    options.set_max_file_opening_threads(1);
    options.set_skip_stats_update_on_db_open(true);
    options.set_max_background_jobs(2);
    options.set_stats_dump_period_sec(0);
    options.set_stats_persist_period_sec(0);
    // Files are written out steadily, so that the sync of a large one does not hold up commits.
    options.set_bytes_per_sync(1 << 20);
    options.set_compaction_readahead_size(READAHEAD_BYTES);
    options.set_allow_concurrent_memtable_write(false);
    options.set_enable_write_thread_adaptive_yield(false);
    options.set_info_logger(InfoLogger::new_callback_logger(LogLevel::Warn, forward));
    options
}

/// Names of figures, and the properties of RocksDB that they are.
const FIGURES: [(&str, &str); 14] = [
    ("rocksdb_memtable_bytes", "rocksdb.cur-size-all-mem-tables"),
    ("rocksdb_immutable_memtables", "rocksdb.num-immutable-mem-table"),
    ("rocksdb_flush_pending", "rocksdb.mem-table-flush-pending"),
    ("rocksdb_running_flushes", "rocksdb.num-running-flushes"),
    ("rocksdb_compaction_pending", "rocksdb.compaction-pending"),
    ("rocksdb_running_compactions", "rocksdb.num-running-compactions"),
    ("rocksdb_pending_compaction_bytes", "rocksdb.estimate-pending-compaction-bytes"),
    ("rocksdb_background_errors", "rocksdb.background-errors"),
    ("rocksdb_estimated_keys", "rocksdb.estimate-num-keys"),
    ("rocksdb_sst_bytes", "rocksdb.total-sst-files-size"),
    ("rocksdb_live_data_bytes", "rocksdb.estimate-live-data-size"),
    ("rocksdb_block_cache_bytes", "rocksdb.block-cache-usage"),
    ("rocksdb_delayed_write_rate", "rocksdb.actual-delayed-write-rate"),
    ("rocksdb_write_stopped", "rocksdb.is-write-stopped"),
];

/// What RocksDB knows of a database; what it does not say is left out.
pub(super) fn figures(db: &DB) -> Vec<(&'static str, u64)> {
    let of = |(name, property)| Some((name, db.property_int_value(property).ok()??));
    FIGURES.into_iter().filter_map(of).collect()
}

/// Passes RocksDB's warnings on. The header, its hundreds of options, counts as more than that.
fn forward(level: LogLevel, message: &str) {
    let text = message.trim_end();
    match level {
        LogLevel::Warn => tracing::warn!(target: "rocksdb", "{text}"),
        LogLevel::Error | LogLevel::Fatal => tracing::error!(target: "rocksdb", "{text}"),
        LogLevel::Header => tracing::trace!(target: "rocksdb", "{text}"),
        LogLevel::Debug | LogLevel::Info => {}
    }
}

fn table_options() -> BlockBasedOptions {
    let mut options = BlockBasedOptions::default();
    options.set_block_size(BLOCK_BYTES);
    options.set_block_cache(&Cache::new_lru_cache(CACHE_BYTES));
    options
}

/// Options for reading everything between two keys, checksums included.
pub(super) fn scan_options(from: Vec<u8>, to: Vec<u8>) -> ReadOptions {
    let mut options = ReadOptions::default();
    options.set_iterate_lower_bound(from);
    options.set_iterate_upper_bound(to);
    options.set_readahead_size(READAHEAD_BYTES);
    options.fill_cache(false);
    options
}

/// A RocksDB that lost the file which names all others would begin anew, in silence.
pub(super) fn refuse_headless(dir: &Path) -> Result<(), StoreError> {
    let place = || dir.display().to_string();
    let files = match std::fs::read_dir(dir) {
        Ok(files) => files,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(StoreError::Io { place: place(), reason: error.to_string() }),
    };
    let (mut has_current, mut has_records) = (false, false);
    for file in files {
        let file =
            file.map_err(|error| StoreError::Io { place: place(), reason: error.to_string() })?;
        let path = Path::new(&file.file_name()).to_owned();
        has_current |= path.as_os_str() == "CURRENT";
        has_records |= path.extension().is_some_and(|kind| kind == "sst" || kind == "log");
    }
    if has_records && !has_current {
        let reason = "there are files with records, but not the file CURRENT".to_owned();
        return Err(StoreError::Lost { place: place(), reason });
    }
    Ok(())
}

/// Takes a key and a value, and tells whether to go on.
pub(super) type RecordVisitor<'a> = dyn FnMut(&[u8], &[u8]) -> Result<bool, StoreError> + 'a;

/// Visits what an iterator passes, until told to stop.
pub(super) fn each(
    dir: &str,
    mut records: DBRawIterator<'_>,
    visit: &mut RecordVisitor<'_>,
) -> Result<(), StoreError> {
    while let Some((key, value)) = records.item() {
        if !visit(key, value)? {
            return Ok(());
        }
        records.next();
    }
    records.status().map_err(|error| failure(dir, &error))
}

/// A RocksDB error in the database in `dir`. RocksDB's own words name the file.
pub(super) fn failure(dir: &str, error: &rocksdb::Error) -> StoreError {
    let (place, reason) = (dir.to_owned(), error.to_string());
    if reason.contains("While lock file") || reason.contains("lock hold by current process") {
        return StoreError::InUse { place };
    }
    if reason.contains("No space left") || reason.contains("Disk quota exceeded") {
        return StoreError::Full { place, reason };
    }
    match error.kind() {
        ErrorKind::Corruption => StoreError::Corrupt { place, what: "a file".to_owned(), reason },
        _ => StoreError::Io { place, reason },
    }
}

/// A record that cannot be decoded.
pub(super) fn damaged(dir: &str, what: &str, reason: impl std::fmt::Display) -> StoreError {
    let (what, reason) = (what.to_owned(), reason.to_string());
    StoreError::Corrupt { place: dir.to_owned(), what, reason }
}

/// Reads a record under a key.
pub(super) fn decode<T: Decode>(
    dir: &str,
    what: &str,
    value: Option<Vec<u8>>,
) -> Result<Option<T>, StoreError> {
    let decoded: Option<Result<T, DecodeError>> = value.map(|bytes| T::from_bytes(bytes.into()));
    decoded.transpose().map_err(|error| damaged(dir, what, error))
}

/// A zxid that was read from disk.
pub(super) fn zxid(dir: &str, what: &str, number: i64) -> Result<Zxid, StoreError> {
    if (0..i64::MAX).contains(&number) {
        return Ok(Zxid(number));
    }
    Err(damaged(dir, what, format!("{number} is no zxid")))
}

/// Opens a database.
pub(super) fn open(
    dir: &Path,
    open: impl FnOnce() -> Result<DB, rocksdb::Error>,
) -> Result<DB, StoreError> {
    open().map_err(|error| failure(&dir.display().to_string(), &error))
}
