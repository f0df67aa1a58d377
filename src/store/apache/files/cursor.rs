//! Reading the log through all its files.

use super::super::{LogEnd, LogError, LogReader};
use super::{ApacheError, LogFile};
use crate::store::LogEntry;
use crate::store::bounds::follows;
use crate::types::Zxid;
use bytes::Bytes;
use std::collections::VecDeque;
use std::fs::File;
use std::path::PathBuf;

/// Where in a transaction's header its kind stands, and the kind of a request that was refused.
const KIND_AT: usize = 28;
const REFUSED: [u8; 4] = (-1_i32).to_be_bytes();

/// Reads the transactions after some zxid, each of which must follow the one before.
#[derive(Debug)]
pub struct LogCursor {
    files: VecDeque<LogFile>,
    open: Option<(PathBuf, LogReader<File>)>,
    longest: usize,
    after: Zxid,
    last: Zxid,
    last_payload: Bytes,
    notes: Vec<String>,
}

impl LogCursor {
    /// Begins with the first transaction after `after` in a log, the files of which are sorted. No
    /// transaction may have more than `longest` bytes.
    pub fn after(logs: &[LogFile], after: Zxid, longest: usize) -> Self {
        let begun = logs.iter().rposition(|log| log.first <= after).unwrap_or(0);
        Self {
            files: logs[begun..].iter().cloned().collect(),
            open: None,
            longest,
            after,
            last: after,
            last_payload: Bytes::new(),
            notes: Vec::new(),
        }
    }

    /// The next transaction; nothing after the last one.
    ///
    /// # Errors
    /// `Log`, `Hole`, `Order` or `Io`; there is nothing more to be read then.
    pub fn read_next(&mut self) -> Result<Option<LogEntry>, ApacheError> {
        loop {
            if self.open.is_none() && !self.open_next()? {
                return Ok(None);
            }
            let Some((path, reader)) = &mut self.open else { return Ok(None) };
            let damaged = |error| ApacheError::Log { path: path.clone(), error };
            let Some(record) = reader.read_next().map_err(damaged)? else {
                self.close();
                continue;
            };
            let entry = record.entry;
            if self.is_new(&entry)? {
                (self.last, self.last_payload) = (entry.zxid, entry.payload.clone());
                return Ok(Some(entry));
            }
        }
    }

    /// What was odd in what has been read since the last call, in words.
    pub fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    /// Opens the next file; false if there is none.
    fn open_next(&mut self) -> Result<bool, ApacheError> {
        while let Some(LogFile { path, .. }) = self.files.pop_front() {
            let file = File::open(&path).map_err(|error| ApacheError::io(&path, &error))?;
            match LogReader::new(file, self.longest) {
                Ok(reader) => {
                    self.open = Some((path, reader));
                    return Ok(true);
                }
                // The server stopped when it had just made the file.
                Err(LogError::Empty) if self.files.is_empty() => {
                    self.notes.push(format!("{}: the last log file is empty", path.display()));
                }
                Err(error) => return Err(ApacheError::Log { path, error }),
            }
        }
        Ok(false)
    }

    fn close(&mut self) {
        if let Some((path, reader)) = self.open.take()
            && let Some(LogEnd::Torn(at)) = reader.end()
        {
            self.notes.push(format!(
                "{}: what is at byte {at} was not written to its end when the server stopped; \
                 nobody was told of it, and it is left out",
                path.display()
            ));
        }
    }

    /// Whether a transaction is the next one; false if it is to be passed over.
    fn is_new(&mut self, entry: &LogEntry) -> Result<bool, ApacheError> {
        let (last, next) = (self.last, entry.zxid);
        if follows(last, next) {
            return Ok(true);
        }
        if last == self.after && next <= last {
            return Ok(false);
        }
        // ZooKeeper 3.9 logs a malformed request that it refuses with the zxid before.
        let is_refusal = entry.payload.get(KIND_AT..KIND_AT + 4) == Some(&REFUSED);
        if next == last && (is_refusal || entry.payload == self.last_payload) {
            self.notes.push(format!("transaction {next} is there twice; the second is left out"));
            return Ok(false);
        }
        let path = self.open.as_ref().map(|(path, _)| path.clone()).unwrap_or_default();
        Err(if next > last {
            ApacheError::Hole { path, last, next }
        } else {
            ApacheError::Order { path, last, next }
        })
    }
}
