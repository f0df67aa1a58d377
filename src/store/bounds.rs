//! Where the log begins and ends and what the tree contains: the rules that every store keeps.

use super::{LogEntry, StoreError};
use crate::types::Zxid;

/// Positions that a store keeps in memory beside its records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bounds {
    /// Entries before it do not count.
    pub(super) floor: Zxid,
    /// The last entry.
    pub(super) end: Zxid,
    /// What has been checkpointed.
    pub(super) applied: Zxid,
    /// What has been flushed.
    pub(super) durable: Zxid,
    /// Whether some of the log is not certain to be on disk.
    pub(super) unsynced: bool,
    /// Whether a snapshot is arriving.
    pub(super) staging: bool,
}

impl Bounds {
    /// The positions after a start: `last` is the last entry found, `applied` what the tree found
    /// contains.
    ///
    /// # Errors
    /// `Lost` if log and tree do not meet. Either may be empty or absent only if the other one
    /// proves that nothing was in it.
    pub(super) fn recovered(
        place: &str,
        floor: Zxid,
        last: Option<Zxid>,
        applied: Zxid,
    ) -> Result<Self, StoreError> {
        let missing = |reason| Err(StoreError::Lost { place: place.to_owned(), reason });
        // A log that was trimmed to nothing ends where its floor says.
        let trimmed_end = Zxid(floor.0 - 1).max(Zxid::ZERO);
        let end = last.unwrap_or(trimmed_end).max(trimmed_end);
        if floor > applied.next() {
            return missing(format!(
                "the log was trimmed up to {floor}, but the tree contains only what is up to \
                 {applied}"
            ));
        }
        if end < applied {
            return missing(format!(
                "the log ends at {end}, but the tree contains what is up to {applied}"
            ));
        }
        Ok(Self { floor, end, applied, durable: applied, ..Self::default() })
    }

    /// The end of the log once these entries are in it.
    pub(super) fn after_append(&self, entries: &[LogEntry]) -> Result<Zxid, StoreError> {
        let mut last = self.end;
        for entry in entries {
            if !follows(last, entry.zxid) {
                return Err(StoreError::OutOfOrder { last, next: entry.zxid });
            }
            last = entry.zxid;
        }
        Ok(last)
    }

    pub(super) fn check_read(&self, from: Zxid) -> Result<(), StoreError> {
        if from < self.floor {
            return Err(StoreError::Trimmed { from, floor: self.floor });
        }
        Ok(())
    }

    pub(super) fn check_truncate(&self, last: Zxid) -> Result<(), StoreError> {
        if last < self.applied {
            return Err(StoreError::BelowApplied { last, applied: self.applied });
        }
        Ok(())
    }

    /// Whether a trim to here has anything to do.
    pub(super) fn check_trim(&self, keep_from: Zxid) -> bool {
        assert!(
            keep_from <= self.durable.next(),
            "trim to {keep_from}, but only what is up to {} is flushed",
            self.durable
        );
        keep_from > self.floor
    }

    pub(super) fn check_changes(&self, applied: Zxid) {
        assert!(
            self.applied <= applied && applied <= self.end,
            "checkpoint of {applied}, after one of {}, with a log up to {}",
            self.applied,
            self.end
        );
    }

    pub(super) fn check_staging(&self) {
        assert!(self.staging, "a snapshot goes on that has not begun");
    }

    /// A snapshot up to here has taken the place of everything.
    pub(super) fn installed(applied: Zxid) -> Self {
        let floor = applied.next();
        Self { floor, end: applied, applied, durable: applied, ..Self::default() }
    }
}

/// Whether one entry may come right after another: the next number, or the first of a later epoch.
pub(super) fn follows(last: Zxid, next: Zxid) -> bool {
    next == last.next() || (next.epoch() > last.epoch() && next.counter() <= 1)
}

/// Checks, entry by entry, that what is read from a log has no hole.
pub(super) struct Sequence {
    last: Zxid,
}

impl Sequence {
    /// The first entry must follow `last`.
    pub(super) const fn after(last: Zxid) -> Self {
        Self { last }
    }

    /// The first entry must be this one, or the first of a later epoch if the epoch ends here.
    pub(super) const fn from(first: Zxid) -> Self {
        Self { last: Zxid(first.0 - 1) }
    }

    pub(super) fn check(&mut self, place: &str, next: Zxid) -> Result<(), StoreError> {
        let last = std::mem::replace(&mut self.last, next);
        if !follows(last, next) {
            let reason = format!("the log goes from {last} to {next}");
            return Err(StoreError::Lost { place: place.to_owned(), reason });
        }
        Ok(())
    }
}
