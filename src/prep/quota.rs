//! Hard quotas, which refuse writes (ZK: `ZooKeeperServer.checkQuota`).
//!
//! ZooKeeper compares with the usage in the applied tree alone, so a burst of writes can overstep
//! a limit. Here what is pending counts too. Limits themselves hold once they are applied.

use super::{Context, Prep};
use crate::types::{ErrorCode, Map, Zxid};
use std::collections::VecDeque;

/// Bytes of data and number of znodes, or a change of both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) bytes: i64,
    pub(super) count: i64,
}

impl Usage {
    /// A new znode's.
    pub(super) fn of_new(data_len: usize) -> Self {
        Self { bytes: signed(data_len), count: 1 }
    }

    /// A deleted znode's.
    pub(super) fn of_deleted(data_len: usize) -> Self {
        Self { bytes: -signed(data_len), count: -1 }
    }

    /// New data's.
    pub(super) fn of_data(old_len: usize, new_len: usize) -> Self {
        Self { bytes: signed(new_len) - signed(old_len), count: 0 }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_add(other.bytes),
            count: self.count.saturating_add(other.count),
        }
    }

    fn negated(self) -> Self {
        Self { bytes: -self.bytes, count: -self.count }
    }
}

/// Lengths are bounded by the frame length.
fn signed(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// Pending changes of usage, by the quota's prefix.
#[derive(Debug, Default)]
pub(super) struct PendingUsage {
    sums: Map<String, Usage>,
    /// Every change in the order of its zxid, to forget them by.
    order: VecDeque<(Zxid, String, Usage)>,
}

impl PendingUsage {
    fn sum(&self, prefix: &str) -> Usage {
        self.sums.get(prefix).copied().unwrap_or_default()
    }

    fn note(&mut self, zxid: Zxid, prefix: String, change: Usage) {
        self.add(&prefix, change);
        self.order.push_back((zxid, prefix, change));
    }

    /// A point to [`PendingUsage::rollback`] to.
    pub(super) fn mark(&self) -> usize {
        self.order.len()
    }

    /// Takes back what was noted since a mark.
    pub(super) fn rollback(&mut self, mark: usize) {
        while self.order.len() > mark
            && let Some((_, prefix, change)) = self.order.pop_back()
        {
            self.add(&prefix, change.negated());
        }
    }

    /// Drops what was noted up to a zxid: the tree has it.
    pub(super) fn forget(&mut self, zxid: Zxid) {
        while let Some((_, prefix, change)) = self.order.pop_front_if(|(noted, ..)| *noted <= zxid)
        {
            self.add(&prefix, change.negated());
        }
    }

    /// Drops everything.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    fn add(&mut self, prefix: &str, change: Usage) {
        let sum = self.sums.entry_ref(prefix).or_default();
        *sum = sum.plus(change);
        if *sum == Usage::default() {
            self.sums.remove(prefix);
        }
    }
}

impl Prep {
    /// Refuses a change that oversteps a hard limit. So is one that shrinks what is over the limit
    /// already, as in ZooKeeper.
    pub(super) fn check_quota(
        &self,
        context: &Context<'_>,
        path: &str,
        change: Usage,
    ) -> Result<(), ErrorCode> {
        if !self.options.enforce_quota {
            return Ok(());
        }
        let Some(quota) = context.tree.quota(path) else { return Ok(()) };
        let used = Usage { bytes: quota.used.bytes, count: quota.used.count };
        let after = used.plus(self.usage.sum(&quota.prefix)).plus(change);
        let exceeds =
            |limit: i64, change: i64, after: i64| limit > -1 && change != 0 && after > limit;
        if exceeds(quota.limits.count_hard, change.count, after.count)
            || exceeds(quota.limits.bytes_hard, change.bytes, after.bytes)
        {
            return Err(ErrorCode::QuotaExceeded);
        }
        Ok(())
    }

    /// Notes a pending change of usage.
    pub(super) fn use_quota(&mut self, context: &Context<'_>, path: &str, change: Usage) {
        if !self.options.enforce_quota || change == Usage::default() {
            return;
        }
        if let Some(quota) = context.tree.quota(path) {
            self.usage.note(context.zxid, quota.prefix, change);
        }
    }
}
