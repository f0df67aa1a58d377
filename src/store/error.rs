//! What can go wrong with stored data, in words that tell an operator what to do.

use crate::types::Zxid;

/// Why the store did not do as asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// A truncation would take away what the tree contains already.
    #[error("cannot truncate the log after {last}: the tree contains everything up to {applied}")]
    BelowApplied {
        /// The entry that should have become the last one.
        last: Zxid,
        /// What the tree contains.
        applied: Zxid,
    },
    /// A record is there but wrong.
    #[error(
        "{place}: {what} is damaged: {reason}. The server does not start on damaged data. Restore \
         the data directory from a backup; or, if a quorum of the other servers is up to date, \
         empty it and this server fetches everything from them"
    )]
    Corrupt {
        /// The file or directory.
        place: String,
        /// The record.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The layout has a version that this program does not know.
    #[error(
        "{place}: the data have format {found}, this program reads format {supported}. Start the \
         program that wrote them"
    )]
    Format {
        /// The directory.
        place: String,
        /// The version on disk.
        found: u32,
        /// The version of this program.
        supported: u32,
    },
    /// The disk is full.
    #[error("{place}: no space left: {reason}. Free some space and start the server again")]
    Full {
        /// The file or directory.
        place: String,
        /// The operating system's words.
        reason: String,
    },
    /// Another process has the directory open.
    #[error(
        "{place}: the data directory is in use by another process. Stop that one, or give this \
         server a data directory of its own"
    )]
    InUse {
        /// The directory.
        place: String,
    },
    /// Reading or writing failed.
    #[error(
        "{place}: {reason}. Check the disk and the permissions, then start the server again: what \
         it has acknowledged is on disk"
    )]
    Io {
        /// The file or directory.
        place: String,
        /// The operating system's words.
        reason: String,
    },
    /// Records are gone that must be there.
    #[error(
        "{place}: records are missing: {reason}. The server does not start with less than it has \
         acknowledged. Restore the data directory from a backup; or, if a quorum of the other \
         servers is up to date, empty it and this server fetches everything from them"
    )]
    Lost {
        /// The directory.
        place: String,
        /// Which ones, and how that is known.
        reason: String,
    },
    /// An entry cannot follow the one before it.
    #[error("log entry {next} cannot follow {last}")]
    OutOfOrder {
        /// The end of the log, or the entry before.
        last: Zxid,
        /// The entry that was to be appended.
        next: Zxid,
    },
    /// The reader of the stored records did not take one of them.
    #[error("the stored data cannot be used: {0}")]
    Refused(String),
    /// The entries asked for may be gone.
    #[error("the log begins at {floor}, entries from {from} on were asked for")]
    Trimmed {
        /// What was asked for.
        from: Zxid,
        /// The first entry that is certain to be there, if any is.
        floor: Zxid,
    },
}

impl StoreError {
    /// Whether the store is of no further use: then every later call fails with this error.
    #[must_use]
    pub const fn is_fatal(&self) -> bool {
        match self {
            Self::BelowApplied { .. }
            | Self::OutOfOrder { .. }
            | Self::Refused(_)
            | Self::Trimmed { .. } => false,
            Self::Corrupt { .. }
            | Self::Format { .. }
            | Self::Full { .. }
            | Self::InUse { .. }
            | Self::Io { .. }
            | Self::Lost { .. } => true,
        }
    }
}
