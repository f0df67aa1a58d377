//! Every transaction of a log.

use super::{InspectError, InspectOptions, transaction};
use crate::store::apache::{ApacheError, LogEnd, LogFile, LogReader};
use crate::store::{LogEntry, RocksStore, Store};
use crate::types::Zxid;
use serde_json::json;
use std::fs::File;
use std::io::Write;

/// Bytes of a store's log that are read at once.
const LOG_BYTES: usize = 1 << 20;

/// Shows a file of Apache ZooKeeper's.
pub(super) fn show_file(
    log: &LogFile,
    options: &InspectOptions,
    out: &mut dyn Write,
) -> Result<(), InspectError> {
    let path = &log.path;
    let unreadable = |error| InspectError::Read { path: path.clone(), error };
    let damaged = |error| ApacheError::Log { path: path.clone(), error };
    let file = File::open(path).map_err(unreadable)?;
    let mut reader = LogReader::new(file, options.longest).map_err(damaged)?;
    if !options.json {
        writeln!(out, "ZooKeeper Transactional Log File with dbid 0 txnlog format version 2")?;
    }
    let mut count = 0_u64;
    while let Some(record) = reader.read_next().map_err(damaged)? {
        show(Some(record.at), &record.entry, options, out)?;
        count += 1;
    }
    let torn = match reader.end() {
        Some(LogEnd::Torn(at)) => Some(at),
        _ => None,
    };
    if options.json {
        writeln!(out, "{}", json!({ "transactions": count, "tornAt": torn }))?;
    } else {
        writeln!(out, "EOF reached after {count} txns.")?;
        if let Some(at) = torn {
            writeln!(out, "What is at byte {at} was not written to its end.")?;
        }
    }
    Ok(())
}

/// Shows the log of a store.
pub(super) fn show_store(
    store: &RocksStore,
    options: &InspectOptions,
    out: &mut dyn Write,
) -> Result<(), InspectError> {
    let (mut from, _) = store.log_span();
    loop {
        let entries = store.read_log(from, LOG_BYTES)?;
        let Some(last) = entries.last() else { return Ok(()) };
        from = Zxid(last.zxid.0 + 1);
        for entry in &entries {
            show(None, entry, options, out)?;
        }
    }
}

fn show(
    at: Option<u64>,
    entry: &LogEntry,
    options: &InspectOptions,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    if options.json {
        writeln!(out, "{}", transaction::object(at, entry))
    } else {
        writeln!(out, "{}", transaction::text(entry))
    }
}
