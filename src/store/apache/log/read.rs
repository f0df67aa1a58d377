//! Reading a log file from its first to its last transaction.

use super::super::sum::Sum;
use super::{END, HEADER_BYTES, MAGIC, PREFIX_BYTES, TXN_HEADER_BYTES, ZXID_AT};
use crate::store::LogEntry;
use crate::types::Zxid;
use bytes::{Buf, Bytes, BytesMut};
use jute::Decode;
use jute::disk::FileHeader;
use std::io::{ErrorKind, Read};
use thiserror::Error;

/// Bytes that are read at once.
const CHUNK_BYTES: usize = 64 << 10;
/// How far behind the end a whole transaction is looked for.
const SEARCH_BYTES: usize = 8 << 20;
/// Bytes whose checksum is computed at most in such a search.
const SEARCH_SUM_BYTES: usize = 64 << 20;

/// A transaction and where it begins in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRecord {
    /// Offset of its checksum.
    pub at: u64,
    /// The transaction.
    pub entry: LogEntry,
}

/// How a file ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogEnd {
    /// Behind a transaction, with zeros or with nothing.
    Clean,
    /// Behind a transaction, with something at this offset that was not written to its end.
    Torn(u64),
}

/// Why a file is not a log that can be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LogError {
    /// There is not even a header, but an empty file.
    #[error("it is empty")]
    Empty,
    /// The header is not that of a log.
    #[error("it does not begin as a transaction log does")]
    NoLog,
    /// The length of a transaction cannot be.
    #[error(
        "at byte {at}: a transaction of {length} bytes, and at most {limit} are allowed \
             (jute.maxbuffer)"
    )]
    Length {
        /// Where.
        at: u64,
        /// The length.
        length: i32,
        /// What is allowed.
        limit: usize,
    },
    /// A transaction is not what was written.
    #[error("at byte {at}: the checksum of the transaction does not match")]
    Checksum {
        /// Where.
        at: u64,
    },
    /// What has a right checksum is no transaction.
    #[error("at byte {at}: there is no transaction, but something of {length} bytes")]
    NoTransaction {
        /// Where.
        at: u64,
        /// How long it is.
        length: usize,
    },
    /// The log breaks off and goes on.
    #[error("at byte {at}: the log breaks off, but goes on at byte {next} with transaction {zxid}")]
    Broken {
        /// Where it breaks off.
        at: u64,
        /// Where it goes on.
        next: u64,
        /// With which transaction.
        zxid: Zxid,
    },
    /// The file cannot be read.
    #[error("it cannot be read: {0}")]
    Io(String),
}

impl From<std::io::Error> for LogError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error.to_string())
    }
}

/// Reads a file. At most one transaction is in memory, and what has been read ahead.
#[derive(Debug)]
pub struct LogReader<R> {
    input: R,
    /// What has been read and not been used.
    ahead: BytesMut,
    /// The offset of its first byte.
    at: u64,
    longest: usize,
    last: Zxid,
    end: Option<LogEnd>,
}

impl<R: Read> LogReader<R> {
    /// Begins to read a file in which no transaction may have more than `longest` bytes.
    ///
    /// # Errors
    /// `Empty`, `NoLog` or `Io`.
    pub fn new(input: R, longest: usize) -> Result<Self, LogError> {
        let (ahead, last) = (BytesMut::new(), Zxid(i64::MIN));
        let mut reader = Self { input, ahead, at: 0, longest, last, end: None };
        let has_header = reader.fill(HEADER_BYTES)?;
        if reader.ahead.is_empty() {
            return Err(LogError::Empty);
        }
        if !has_header {
            return Err(LogError::NoLog);
        }
        let header = FileHeader::from_bytes(reader.take(HEADER_BYTES));
        if header.is_ok_and(|header| header.magic == MAGIC) {
            Ok(reader)
        } else {
            Err(LogError::NoLog)
        }
    }

    /// The next transaction; nothing after the last one.
    ///
    /// # Errors
    /// The file is damaged; it is not to be read on.
    pub fn read_next(&mut self) -> Result<Option<LogRecord>, LogError> {
        if self.end.is_some() {
            return Ok(None);
        }
        let at = self.at;
        if !self.fill(PREFIX_BYTES)? {
            let is_torn = self.ahead.iter().any(|byte| *byte != 0);
            self.end = Some(if is_torn { LogEnd::Torn(at) } else { LogEnd::Clean });
            return Ok(None);
        }
        let mut prefix = &self.ahead[..PREFIX_BYTES];
        let (sum, length) = (prefix.get_i64(), prefix.get_i32());
        if length == 0 {
            self.end = Some(self.padding(at)?);
            return Ok(None);
        }
        let limit = self.longest;
        let allowed = usize::try_from(length).ok().filter(|length| *length <= limit);
        let payload_bytes = allowed.ok_or(LogError::Length { at, length, limit })?;
        let whole = PREFIX_BYTES + payload_bytes + 1;
        if !self.fill(whole)? || self.ahead[whole - 1] != END {
            self.end = Some(self.torn(at)?);
            return Ok(None);
        }
        let payload = self.take(whole).slice(PREFIX_BYTES..whole - 1);
        if Sum::of(&payload) != sum {
            return Err(LogError::Checksum { at });
        }
        let length = payload.len();
        let zxid = zxid(&payload).ok_or(LogError::NoTransaction { at, length })?;
        self.last = self.last.max(zxid);
        Ok(Some(LogRecord { at, entry: LogEntry { zxid, payload } }))
    }

    /// How the file ends, once [`read_next`](Self::read_next) has found its end.
    pub fn end(&self) -> Option<LogEnd> {
        self.end
    }

    /// A record at `at` was not written to its end.
    fn torn(&mut self, at: u64) -> Result<LogEnd, LogError> {
        self.skip(1);
        self.search(at)?;
        Ok(LogEnd::Torn(at))
    }

    /// Nothing has been written from `at` on, or so it seems.
    fn padding(&mut self, at: u64) -> Result<LogEnd, LogError> {
        /// A record begins with zeros too: those of its checksum.
        const KEPT: usize = 7;
        loop {
            if let Some(first) = self.ahead.iter().position(|byte| *byte != 0) {
                self.skip(first.saturating_sub(KEPT));
                self.search(at)?;
                return Ok(LogEnd::Torn(at));
            }
            self.skip(self.ahead.len().saturating_sub(KEPT));
            let before = self.ahead.len();
            self.fill(before + 1)?;
            if self.ahead.len() == before {
                return Ok(LogEnd::Clean);
            }
        }
    }

    /// Looks for a whole transaction behind a place where the log breaks off.
    fn search(&mut self, broken_at: u64) -> Result<(), LogError> {
        self.fill(SEARCH_BYTES)?;
        let mut left = SEARCH_SUM_BYTES;
        for from in 0..self.ahead.len() {
            let Some(payload) = self.whole_at(from, left) else { continue };
            left -= payload.len();
            let mut sum = &self.ahead[from..];
            if sum.get_i64() != Sum::of(payload) {
                continue;
            }
            // An older one is no loss.
            if let Some(zxid) = zxid(payload).filter(|zxid| *zxid > self.last) {
                let next = self.at + from as u64;
                return Err(LogError::Broken { at: broken_at, next, zxid });
            }
        }
        Ok(())
    }

    /// What may be a transaction in what was read ahead, judged by all but its checksum.
    fn whole_at(&self, from: usize, longest: usize) -> Option<&[u8]> {
        let (prefix, rest) = self.ahead[from..].split_first_chunk::<PREFIX_BYTES>()?;
        let (sum, length) = prefix.split_first_chunk::<8>()?;
        let length = usize::try_from(i32::from_be_bytes(length.try_into().ok()?)).ok()?;
        let fits = (TXN_HEADER_BYTES..=self.longest.min(longest)).contains(&length);
        let ends = fits && sum[..4] == [0; 4] && rest.get(length) == Some(&END);
        ends.then(|| &rest[..length])
    }

    /// Reads ahead until there are so many bytes; false if the file has not that many.
    fn fill(&mut self, count: usize) -> Result<bool, LogError> {
        while self.ahead.len() < count {
            if !read_chunk(&mut self.input, &mut self.ahead)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn take(&mut self, count: usize) -> Bytes {
        self.at += count as u64;
        self.ahead.split_to(count).freeze()
    }

    fn skip(&mut self, count: usize) {
        let count = count.min(self.ahead.len());
        self.at += count as u64;
        self.ahead.advance(count);
    }
}

/// Appends what can be read at once; false at the end.
pub(in super::super) fn read_chunk(
    input: &mut impl Read,
    ahead: &mut BytesMut,
) -> std::io::Result<bool> {
    let have = ahead.len();
    ahead.resize(have + CHUNK_BYTES, 0);
    let read = loop {
        match input.read(&mut ahead[have..]) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            read => break read,
        }
    };
    ahead.truncate(have + *read.as_ref().unwrap_or(&0));
    read.map(|read| read > 0)
}

/// The zxid in a transaction's header.
fn zxid(payload: &[u8]) -> Option<Zxid> {
    let mut header = payload.get(..TXN_HEADER_BYTES)?.get(ZXID_AT..)?;
    let zxid = header.get_i64();
    (0..i64::MAX).contains(&zxid).then_some(Zxid(zxid))
}
