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
    /// Whether nothing is wanted of it if an image of the tree is less work than all of it.
    pub(super) weigh: bool,
}

impl ReadLog {
    /// Reads; nothing if all that lies behind is to be weighed and has more bytes than `limit`.
    pub(super) fn carry_out(
        self,
        store: &dyn Store,
        limit: u64,
    ) -> Result<Option<Vec<LogEntry>>, StoreError> {
        let first = store.read_log(self.from, self.max_bytes)?;
        if !self.weigh {
            return Ok(Some(first));
        }
        let mut bytes = size(&first);
        let mut next = first.last().map(|entry| entry.zxid.next());
        while bytes <= limit
            && let Some(from) = next
        {
            let more = store.read_log(from, self.max_bytes)?;
            bytes += size(&more);
            next = more.last().map(|entry| entry.zxid.next());
        }
        Ok((bytes <= limit).then_some(first))
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
        let entry = |zxid| LogEntry { zxid: Zxid(zxid), payload: vec![0; 88].into() };
        let entries: Vec<_> = (1..=10).map(entry).collect();
        store.append(&entries, Durability::Synced).expect("they are in order");
        // Three entries at a time, of 100 bytes each.
        let read = |from, weigh, limit| {
            let read = ReadLog { from: Zxid(from), max_bytes: 250, weigh };
            read.carry_out(&store, limit).expect("nothing is gone").map(|found| found.len())
        };
        assert_eq!(read(1, true, 1000), Some(3));
        assert_eq!(read(1, true, 999), None);
        assert_eq!(read(9, true, 200), Some(2));
        assert_eq!(read(11, true, 0), Some(0));
        assert_eq!(read(1, false, 0), Some(3));
    }
}
