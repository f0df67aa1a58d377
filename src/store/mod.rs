//! What a server keeps on its disk: the log of transactions, the tree as of some transaction, and
//! the few numbers it must never forget.
//!
//! Two implementations stand behind one trait: [`MemoryStore`] for simulations and tests, which can
//! crash, tear and fail, and `RocksStore` for servers. One suite (`tests/store_conformance.rs`)
//! holds for both. The store knows nothing of the broadcast protocol, of clients or of what a
//! transaction does: to it, an entry is a zxid and bytes.
//!
//! # What it promises
//! - An append with [`Durability::Synced`] that returned survives every crash and power cut, and so
//!   does everything appended before it.
//! - A [`Checkpoint`] is all or nothing, and is never found on disk without the log behind it.
//! - After a crash, [`Store::load`] gives some state of the tree that was checkpointed at or after
//!   the last [`Store::flush`], and every entry of the log after it, or it gives an error. Records
//!   that are missing or damaged are never passed over.
//! - After a failed write the store refuses everything with that same first error: what the disk
//!   holds is no longer known.
//!
//! # The data directory of a server
//! ```text
//! DATA_DIR/
//! ├── log/    RocksDB database; written with a write-ahead log whose files are recycled
//! │   ├── column family "default": the entries
//! │   │       zxid (8 bytes, big-endian) → payload, CRC-32 (4 bytes, big-endian)
//! │   │       The checksum covers the key and the payload.
//! │   └── column family "meta"
//! │           "format" → version of this layout (4 bytes, big-endian): 1
//! │           "meta"   → StoreMeta (jute/schema/disk.jute); absent before the first `set_meta`
//! │           "floor"  → zxid (8 bytes, big-endian): no entry before it counts, it may be gone;
//! │                      absent before the first trim
//! │           "base"   → TreeBase, as in `tree`: the snapshot for which the log was last emptied
//! │           "import" → ImportMark; absent unless all began with Apache ZooKeeper's files. As
//! │                      long as it says that not all of that is here, nothing here counts.
//! └── tree/   RocksDB database; one column family, written without a write-ahead log
//!         00                        → TreeMark: what the znodes and sessions contain
//!         01                        → TreeBase: how many snapshots took the place of what was
//!                                     there, absent before the first; its lowest bit is the
//!                                     generation g whose records count
//!         1g 01 path (UTF-8)        → ZnodeRecord; the root's path is "/"
//!         1g 02 session id (8 bytes, big-endian, sign bit inverted) → SessionRecord
//! ```
//! `log` is the truth and `tree` is a shortcut to it: whatever of `tree` was not flushed is made
//! again from the log. Hence the order on disk: an entry is synced before a checkpoint that
//! contains it is written, and a checkpoint is flushed before the log behind it is trimmed.
//!
//! A whole tree from another server arrives as a second generation beside the first. The batch
//! that ends it switches the generation, and its flush is the moment at which it counts; only then
//! is the log emptied. A crash before that moment leaves the old state; a crash after it leaves a
//! log whose base is not the tree's, and opening the store empties it then.

pub mod apache;
mod bounds;
mod error;
mod memory;
#[cfg(feature = "server")]
mod rocks;
#[cfg(test)]
mod tests;

pub use error::StoreError;
pub use memory::{Crash, MemoryStore};
#[cfg(feature = "server")]
pub use rocks::{RocksOptions, RocksStore};

use crate::types::{Epoch, ServerId, SessionId, Zxid};
use bytes::Bytes;
use jute::disk::{TreeMark, ZnodeRecord};

/// The version of the layout above that this program reads and writes.
pub const FORMAT: u32 = 1;

/// One transaction in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// Its id, which is greater than that of every entry before it.
    pub zxid: Zxid,
    /// The bytes that were proposed.
    pub payload: Bytes,
}

/// When an append is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Before the call returns.
    Synced,
    /// With the next append that is synced, the next checkpoint or when the operating system likes
    /// (ZK: `forceSync=no`). A crash of the process alone loses nothing.
    Unsynced,
}

/// Changes of the tree and the sessions that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Paths with their encoded [`ZnodeRecord`]s; `None` for a znode that is gone.
    pub znodes: Vec<(String, Option<Bytes>)>,
    /// Sessions with their timeouts in milliseconds; `None` for a session that is gone.
    pub sessions: Vec<(SessionId, Option<i32>)>,
    /// What they amount to.
    pub kind: CheckpointKind,
}

/// What the changes of a [`Checkpoint`] amount to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckpointKind {
    /// They bring what is stored from its mark to this one. No checkpoint may reach beyond the log.
    Changes(TreeMark),
    /// They begin a tree and sessions that shall take the place of what is stored. Whatever has
    /// arrived of an earlier snapshot is dropped.
    SnapshotBegin,
    /// They belong to the snapshot that has begun.
    SnapshotPart,
    /// They end it: it now counts, durably, and the log is empty and goes on after this mark.
    SnapshotEnd(TreeMark),
}

/// The numbers that a server must never forget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meta {
    /// The last epoch that was promised to a new leader.
    pub accepted_epoch: Epoch,
    /// The last epoch whose leader was followed.
    pub current_epoch: Epoch,
    /// Whose data these are, so that a directory is not used by another server of the ensemble.
    pub server: Option<ServerId>,
}

impl Default for Meta {
    fn default() -> Self {
        Self { accepted_epoch: Epoch(0), current_epoch: Epoch(0), server: None }
    }
}

/// What [`Store::load`] finds, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// A znode with its path; parents come before their children.
    Znode(&'a str, ZnodeRecord),
    /// A session with its timeout in milliseconds; by ascending id.
    Session(SessionId, i32),
    /// What the znodes and sessions contain. Absent, as they are, if nothing was ever flushed.
    Mark(TreeMark),
    /// An entry of the log after the mark; by ascending zxid.
    Entry(LogEntry),
}

/// What [`Store::load`] found besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The numbers that were set last.
    pub meta: Meta,
    /// What the znodes and sessions contain, zero if there are none.
    pub applied: Zxid,
    /// The zxid of the last entry ever logged and not truncated.
    pub last: Zxid,
}

/// Takes what [`Store::load`] finds. The error is the reason why an item cannot be used; it ends
/// the load.
pub type Visitor<'a> = dyn FnMut(Item<'_>) -> Result<(), String> + 'a;

/// Takes the sessions of a [`View`] with their timeouts in milliseconds. An error ends the visit.
pub type SessionVisitor<'a> = dyn FnMut(SessionId, i32) -> Result<(), StoreError> + 'a;

/// Takes the znodes of a [`View`]: paths and encoded [`ZnodeRecord`]s. An error ends the visit.
pub type ZnodeVisitor<'a> = dyn FnMut(&str, &[u8]) -> Result<(), StoreError> + 'a;

/// The stored tree as it was at one moment. It can be read as often as needed while writes go on;
/// nothing that was deleted or replaced since gives back its space before the view is dropped.
pub trait View {
    /// What the znodes and sessions contain; absent, as they are, if nothing was ever stored.
    fn mark(&self) -> Option<&TreeMark>;

    /// Visits the sessions with their timeouts in milliseconds, by ascending id.
    ///
    /// # Errors
    /// `Corrupt` for damaged records, or what the visitor says.
    fn sessions(&self, visit: &mut SessionVisitor<'_>) -> Result<(), StoreError>;

    /// Visits the znodes' paths and encoded [`ZnodeRecord`]s; parents come before their children,
    /// and the root's path is `/`.
    ///
    /// # Errors
    /// As [`sessions`](Self::sessions); the records themselves are not looked at.
    fn znodes(&self, visit: &mut ZnodeVisitor<'_>) -> Result<(), StoreError>;
}

/// Durable storage of one server.
///
/// Calls may come from several threads, but log and tree have one writer each: who appends and who
/// checkpoints orders the calls.
pub trait Store: Send + Sync {
    /// Reads all that is stored as of the call, item by item, while other calls go on.
    ///
    /// # Errors
    /// `Lost` for records that must be there and are not, `Corrupt` for damaged ones, `Refused` for
    /// what the visitor does not take.
    fn load(&self, visit: &mut Visitor<'_>) -> Result<Loaded, StoreError>;

    /// About how many znodes [`load`](Self::load) will find, or 0 if nobody knows.
    fn expected_znodes(&self) -> usize {
        0
    }

    /// Adds entries to the end of the log, all or none, with at most one sync. No entries: nothing.
    ///
    /// # Errors
    /// `OutOfOrder` for an entry that cannot follow the one before it: zxids count up by one
    /// within an epoch.
    fn append(&self, entries: &[LogEntry], durability: Durability) -> Result<(), StoreError>;

    /// The entries from a zxid on, in order, until their payloads amount to `max_bytes`; at least
    /// one if there is any. An entry that is trimmed meanwhile is there, or the call fails.
    ///
    /// # Errors
    /// `Trimmed` if entries at or after `from` may be gone already, `Lost` if one is missing.
    fn read_log(&self, from: Zxid, max_bytes: usize) -> Result<Vec<LogEntry>, StoreError>;

    /// Removes every entry after `last`, durably.
    ///
    /// # Errors
    /// `BelowApplied` if a checkpoint contains some of them.
    fn truncate(&self, last: Zxid) -> Result<(), StoreError>;

    /// Where the end of the log begins that holds its last `entries` entries or its last `bytes`
    /// bytes, whichever is less, or somewhat more than that; at its beginning if there is less.
    fn tail(&self, entries: u64, bytes: u64) -> Result<Zxid, StoreError>;

    /// Lets go of the entries before `keep_from`. Their space is given back at leisure.
    ///
    /// # Panics
    /// If the tree needs one of them after a crash: `keep_from` must not be more than one beyond
    /// what [`flush`](Self::flush) returned.
    fn trim(&self, keep_from: Zxid) -> Result<(), StoreError>;

    /// Writes changes of the tree and the sessions. They are durable after the next
    /// [`flush`](Self::flush), or before.
    ///
    /// # Panics
    /// If a mark is beyond the end of the log or goes back, or a snapshot goes on that has not
    /// begun.
    fn checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), StoreError>;

    /// Makes all checkpoints durable and returns the zxid they contain: the log up to it is not
    /// needed any more. May take long; does not hold up [`append`](Self::append).
    fn flush(&self) -> Result<Zxid, StoreError>;

    /// The tree as it is now.
    ///
    /// # Errors
    /// `Corrupt` if the mark is damaged.
    fn view(&self) -> Result<Box<dyn View + '_>, StoreError>;

    /// Stores the numbers, durably.
    fn set_meta(&self, meta: &Meta) -> Result<(), StoreError>;
}
