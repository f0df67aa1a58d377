//! Reading the log for a learner, and whether that is worth it.

use super::super::Shared;
use crate::store::{LogEntry, Store, StoreError};
use crate::types::Zxid;

/// What a znode takes in an image besides its path and data, about.
const ZNODE_BYTES: u64 = 80;
/// What a transaction takes in the log besides its payload, about.
const ENTRY_BYTES: u64 = 12;

/// What is to be read of the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReadLog {
    /// The first zxid wanted.
    pub(super) from: Zxid,
    /// Bytes of payload after which to stop.
    pub(super) max_bytes: usize,
    /// If given, nothing is wanted of it if an image of the tree is less work than all of it up to
    /// this zxid.
    pub(super) weigh_to: Option<Zxid>,
}

impl ReadLog {
    /// Whether it depends on what lies behind whether anything is wanted.
    pub(super) const fn weighs(&self) -> bool {
        self.weigh_to.is_some()
    }

    /// Reads; nothing if all that is to be weighed has more bytes than `limit`.
    pub(super) fn carry_out(
        self,
        store: &dyn Store,
        limit: u64,
    ) -> Result<Option<Vec<LogEntry>>, StoreError> {
        let first = store.read_log(self.from, self.max_bytes)?;
        let Some((end, mut last)) = self.weigh_to.zip(first.last().map(|entry| entry.zxid)) else {
            return Ok(Some(first));
        };
        let (mut bytes, mut count) = (size(&first), first.len() as u64);
        // How many entries an epoch has is known of the last one alone.
        while bytes <= limit && last.epoch() < end.epoch() {
            let more = store.read_log(last.next(), self.max_bytes)?;
            let Some(entry) = more.last() else { break };
            last = entry.zxid;
            bytes += size(&more);
            count += more.len() as u64;
        }
        // Those that have not been read are taken to be like those that have.
        let is_known = last.epoch() == end.epoch();
        let rest = if is_known { end.0 - last.0 } else { 0 };
        let all = u128::from(bytes) * u128::from(count + rest.unsigned_abs()) / u128::from(count);
        Ok((all <= u128::from(limit)).then_some(first))
    }
}

fn size(entries: &[LogEntry]) -> u64 {
    entries.iter().map(|entry| entry.payload.len() as u64 + ENTRY_BYTES).sum()
}

impl Shared {
    /// How many bytes of the log are less work for a learner than an image of the tree (ZK:
    /// `ZKDatabase.calculateTxnLogSizeLimit`).
    pub(super) fn log_worth_reading(&self) -> u64 {
        let tree = self.tree.read();
        let image = tree.data_size() + ZNODE_BYTES * tree.node_count() as u64;
        image.saturating_mul(self.config.quorum.snapshot_size_permille) / 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Durability, MemoryStore};

    #[test]
    fn what_is_more_work_than_an_image_is_not_read() {
        let store = MemoryStore::default();
        let later = |counter: i64| (1 << 32) + counter;
        let entry = |zxid| LogEntry { zxid: Zxid(zxid), payload: vec![0; 88].into() };
        let entries: Vec<_> = (1..=4).chain((1..=6).map(later)).map(entry).collect();
        store.append(&entries, Durability::Synced).expect("they are in order");
        // Three entries at a time, of 100 bytes each.
        let read = |from, end: Option<i64>, limit| {
            let read = ReadLog { from: Zxid(from), max_bytes: 250, weigh_to: end.map(Zxid) };
            read.carry_out(&store, limit).expect("nothing is gone").map(|found| found.len())
        };
        assert_eq!(read(1, Some(later(6)), 1000), Some(3));
        assert_eq!(read(1, Some(later(6)), 999), None);
        assert_eq!(read(later(1), Some(later(6)), 600), Some(3));
        assert_eq!(read(later(1), Some(later(6)), 599), None);
        assert_eq!(read(later(5), Some(later(6)), 200), Some(2));
        assert_eq!(read(later(7), Some(later(6)), 0), Some(0));
        assert_eq!(read(1, None, 0), Some(3));
    }
}
