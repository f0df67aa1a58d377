//! A file of Apache ZooKeeper's transaction log (ZK: `FileTxnLog`).
//!
//! ```text
//! FileHeader        "ZKLG", 2, 0
//! transactions      long Adler-32 of what follows the length; int length; the transaction; 'B'
//! zeros             the file is made longer ahead of what is written
//! ```
//! # Where the log ends
//! ZooKeeper reads a file up to a length of zero, to a record without its last byte, or to the end
//! of the file. A record that was only written in part when the machine stopped is left out without
//! a word: nobody was told of it. A checksum that does not match, behind which the record does end
//! as it should, keeps ZooKeeper from starting.
//!
//! Here more is asked for: if a whole transaction comes behind the one that is broken, or behind
//! zeros, then the file is damaged in its middle, and everything behind that would be lost.
//!
//! Knows nothing of what transactions do but where their zxid stands.

mod read;
#[cfg(test)]
mod tests;

pub(super) use read::read_chunk;
pub use read::{LogEnd, LogError, LogReader, LogRecord};

use super::sum::Sum;
use bytes::{BufMut, BytesMut};
use jute::Encode;
use jute::disk::FileHeader;

/// `ZKLG`.
const MAGIC: i32 = 0x5a4b_4c47;
const VERSION: i32 = 2;
const HEADER_BYTES: usize = 16;
/// What comes before a transaction: its checksum and its length.
const PREFIX_BYTES: usize = 12;
/// The last byte of a record.
const END: u8 = b'B';
/// A transaction's header: session, cxid, zxid, time and kind.
const TXN_HEADER_BYTES: usize = 32;
/// Where in it the zxid stands.
const ZXID_AT: usize = 12;

/// Appends what a file begins with.
pub fn put_log_header(out: &mut BytesMut) {
    FileHeader { magic: MAGIC, version: VERSION, db_id: 0 }.encode(out);
}

/// Appends a transaction.
pub fn put_log_record(out: &mut BytesMut, payload: &[u8]) {
    out.put_i64(Sum::of(payload));
    jute::put_blob(out, payload);
    out.put_u8(END);
}
