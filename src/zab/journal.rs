//! The end of the log in memory: decided transactions that learners may ask for, and everything
//! behind them (ZK: `ZKDatabase.committedLog`, `Leader.outstandingProposals`).

use crate::types::Zxid;
use bytes::Bytes;
use std::collections::VecDeque;

/// Bytes of decided transactions that are kept in any case, so that a learner that reads the log
/// reaches what is kept here even while much is written.
const KEPT_BYTES: usize = 4 << 20;

/// One transaction.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) zxid: Zxid,
    pub(super) payload: Bytes,
}

/// `base <= applied <= committed <= last`, and `applied <= persisted <= last`.
#[derive(Debug)]
pub(super) struct Journal {
    /// The zxid before the first entry.
    base: Zxid,
    entries: VecDeque<Entry>,
    /// Payload bytes of the entries.
    bytes: usize,
    applied: Zxid,
    committed: Zxid,
    persisted: Zxid,
    /// Decided entries to keep.
    keep: usize,
}

impl Journal {
    /// A log whose tree contains `applied`, with what lies behind that on disk. Nobody knows yet
    /// whether that is decided.
    pub(super) fn new(applied: Zxid, tail: Vec<(Zxid, Bytes)>, keep: usize) -> Self {
        let mut journal = Self {
            base: applied,
            entries: VecDeque::new(),
            bytes: 0,
            applied,
            committed: applied,
            persisted: applied,
            keep,
        };
        for (zxid, payload) in tail {
            journal.append(zxid, payload);
        }
        journal.persisted = journal.last();
        journal
    }

    /// The end of the log.
    pub(super) fn last(&self) -> Zxid {
        self.entries.back().map_or(self.base, |entry| entry.zxid)
    }

    /// Whether a transaction may come next: zxids count up by one, from 1 in a new epoch.
    pub(super) fn can_follow(&self, zxid: Zxid) -> bool {
        let last = self.last();
        let new_epoch = zxid.epoch() > last.epoch() && zxid.counter() == 1;
        zxid == last.next() || new_epoch
    }

    /// Adds a transaction at the end.
    pub(super) fn append(&mut self, zxid: Zxid, payload: Bytes) {
        assert!(zxid > self.last(), "{zxid} cannot come behind {}", self.last());
        self.bytes += payload.len();
        self.entries.push_back(Entry { zxid, payload });
    }

    /// The log is durable up to here.
    pub(super) fn persist(&mut self, zxid: Zxid) {
        assert!(zxid <= self.last(), "{zxid} is durable but was never appended");
        self.persisted = self.persisted.max(zxid);
    }

    /// Everything up to here is decided.
    pub(super) fn commit(&mut self, zxid: Zxid) {
        assert!(zxid <= self.last(), "{zxid} is decided but was never appended");
        self.committed = self.committed.max(zxid);
    }

    /// Whether something decided and durable has not been applied.
    pub(super) fn has_decided(&self) -> bool {
        self.applied < self.committed.min(self.persisted)
    }

    /// The next transaction to apply.
    pub(super) fn apply_next(&mut self) -> Option<Zxid> {
        if !self.has_decided() {
            return None;
        }
        let next = self.after(self.applied).next()?.zxid;
        self.applied = next;
        self.let_go();
        Some(next)
    }

    /// Drops decided entries that are not worth their memory.
    fn let_go(&mut self) {
        while self.bytes > KEPT_BYTES
            && self.entries.len() > self.keep
            && let Some(first) = self.entries.front()
            && first.zxid < self.applied
        {
            self.base = first.zxid;
            self.bytes -= first.payload.len();
            self.entries.pop_front();
        }
    }

    /// Drops everything behind `last`; false if that itself is not there, and then everything
    /// behind the transaction before it is gone.
    pub(super) fn truncate(&mut self, last: Zxid) -> bool {
        assert!(last >= self.committed, "{last} is before what is decided, {}", self.committed);
        while let Some(entry) = self.entries.back()
            && entry.zxid > last
        {
            self.bytes -= entry.payload.len();
            self.entries.pop_back();
        }
        self.persisted = self.persisted.min(self.last());
        self.last() == last
    }

    /// The zxid before the first entry.
    pub(super) const fn base(&self) -> Zxid {
        self.base
    }

    /// What has been applied.
    pub(super) const fn applied(&self) -> Zxid {
        self.applied
    }

    /// The last transaction before a zxid, which may be the one before all that are here; `None`
    /// if the zxid is before that, too.
    pub(super) fn last_before(&self, zxid: Zxid) -> Option<Zxid> {
        let count = self.entries.partition_point(|entry| entry.zxid < zxid);
        match count.checked_sub(1) {
            Some(at) => Some(self.entries[at].zxid),
            None => (self.base < zxid).then_some(self.base),
        }
    }

    /// The last transaction up to a zxid; the one before all that are here if the zxid is before
    /// them.
    pub(super) fn last_up_to(&self, zxid: Zxid) -> Zxid {
        let count = self.count_up_to(zxid);
        count.checked_sub(1).map_or(self.base, |at| self.entries[at].zxid)
    }

    pub(super) const fn committed(&self) -> Zxid {
        self.committed
    }

    pub(super) const fn persisted(&self) -> Zxid {
        self.persisted
    }

    /// Whether everything is durable.
    pub(super) fn is_durable(&self) -> bool {
        self.persisted == self.last()
    }

    /// Whether this transaction is here, or the one before all of them.
    pub(super) fn knows(&self, zxid: Zxid) -> bool {
        zxid == self.base || self.entries.binary_search_by_key(&zxid, |entry| entry.zxid).is_ok()
    }

    /// The entries behind a zxid.
    pub(super) fn after(&self, zxid: Zxid) -> impl Iterator<Item = &Entry> + '_ {
        self.entries.range(self.count_up_to(zxid)..)
    }

    /// How many entries there are up to a zxid. Those of an epoch count up by one, so that it is
    /// known without a search, through memory that is in no cache, how far one of the first or of
    /// the last epoch here is from that end.
    fn count_up_to(&self, zxid: Zxid) -> usize {
        // A leader may have said any number.
        let distance = |from: Zxid, to: Zxid| usize::try_from(to.0.checked_sub(from.0)?).ok();
        let from_base = distance(self.base, zxid);
        let to_last = distance(zxid, self.last());
        let from_last = to_last.and_then(|distance| self.entries.len().checked_sub(distance));
        let is_it = |count: &usize| match count.checked_sub(1) {
            Some(at) => self.entries.get(at).is_some_and(|entry| entry.zxid == zxid),
            None => zxid == self.base,
        };
        let found = from_last.filter(is_it).or_else(|| from_base.filter(is_it));
        found.unwrap_or_else(|| self.entries.partition_point(|entry| entry.zxid <= zxid))
    }

    /// The first entry behind a zxid.
    pub(super) fn next_after(&self, zxid: Zxid) -> Option<Zxid> {
        self.after(zxid).next().map(|entry| entry.zxid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of several epochs, and beginning within one.
    #[test]
    fn entries_are_found_as_by_a_search() {
        let epoch = |epoch: i64, counters: std::ops::RangeInclusive<i64>| {
            counters.map(move |counter| Zxid((epoch << 32) + counter))
        };
        let zxids = || epoch(1, 8..=10).chain(epoch(2, 1..=1)).chain(epoch(4, 1..=5));
        let tail = zxids().map(|zxid| (zxid, Bytes::new())).collect();
        for journal in
            [Journal::new(Zxid((1 << 32) + 7), tail, 0), Journal::new(Zxid(9), Vec::new(), 0)]
        {
            let strange = [i64::MIN, -1, i64::MAX].map(Zxid);
            for wanted in (0..6).flat_map(|number| epoch(number, 0..=12)).chain(strange) {
                let expected = journal.entries.iter().filter(|entry| entry.zxid <= wanted).count();
                assert_eq!(journal.count_up_to(wanted), expected, "{wanted}");
            }
        }
    }
}
