//! A distribution of values that many threads add to without a lock.

use super::stats::Summary;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Values below this have a bucket each; above it, each doubling has half as many buckets.
const EXACT: u64 = 64;
/// Buckets of one doubling: percentiles are at most 1/32 too large.
const PER_DOUBLING: u64 = EXACT / 2;
/// Values from here on share the last bucket.
const LIMIT: u64 = 1 << 32;
const BUCKETS: usize = bucket_of(LIMIT - 1) + 1;

/// Counts of values by size. Adding costs as much as adding to a `Spread`.
#[derive(Debug)]
pub(crate) struct Histogram {
    sum: AtomicU64,
    least: AtomicU64,
    most: AtomicU64,
    buckets: Box<[AtomicU64]>,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            sum: AtomicU64::new(0),
            least: AtomicU64::new(u64::MAX),
            most: AtomicU64::new(0),
            buckets: std::iter::repeat_with(AtomicU64::default).take(BUCKETS).collect(),
        }
    }
}

/// What a [`Histogram`] held at some time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Distribution {
    /// Count, sum, least and largest value.
    pub(crate) summary: Summary,
    /// The values that 50, 95, 99 and 99.9 percent of all values do not exceed; 0 without values.
    pub(crate) percentiles: [u64; 4],
}

/// The shares of the percentiles, in thousandths.
const SHARES: [u64; 4] = [500, 950, 990, 999];

impl Histogram {
    /// Adds a value.
    pub(crate) fn add(&self, value: u64) {
        self.buckets[bucket_of(value)].fetch_add(1, Relaxed);
        self.sum.fetch_add(value, Relaxed);
        // The extremes hardly ever change: looking first spares a write to shared memory.
        if value < self.least.load(Relaxed) {
            self.least.fetch_min(value, Relaxed);
        }
        if value > self.most.load(Relaxed) {
            self.most.fetch_max(value, Relaxed);
        }
    }

    /// All of it at once.
    pub(crate) fn distribution(&self) -> Distribution {
        let counts: Vec<u64> = self.buckets.iter().map(|bucket| bucket.load(Relaxed)).collect();
        let count = counts.iter().sum();
        if count == 0 {
            return Distribution::default();
        }
        let (least, most) = (self.least.load(Relaxed), self.most.load(Relaxed));
        let summary = Summary { count, sum: self.sum.load(Relaxed), least: least.min(most), most };
        let percentiles = SHARES.map(|share| {
            let rank = count.saturating_mul(share).div_ceil(1000);
            largest_of(bucket_with(&counts, rank)).min(most)
        });
        Distribution { summary, percentiles }
    }

    /// Forgets everything.
    pub(crate) fn reset(&self) {
        for bucket in &self.buckets {
            bucket.store(0, Relaxed);
        }
        self.sum.store(0, Relaxed);
        self.least.store(u64::MAX, Relaxed);
        self.most.store(0, Relaxed);
    }
}

/// The bucket that holds the value of this rank, counted from 1.
fn bucket_with(counts: &[u64], rank: u64) -> usize {
    let mut seen = 0;
    let found = counts.iter().position(|count| {
        seen += count;
        seen >= rank
    });
    found.unwrap_or(counts.len() - 1)
}

#[expect(clippy::cast_possible_truncation, reason = "the number of a bucket is small")]
const fn bucket_of(value: u64) -> usize {
    let value = if value < LIMIT { value } else { LIMIT - 1 };
    if value < EXACT {
        return value as usize;
    }
    let shift = value.ilog2() - PER_DOUBLING.ilog2();
    (PER_DOUBLING * shift as u64 + (value >> shift)) as usize
}

/// The largest value that belongs into a bucket.
const fn largest_of(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < EXACT {
        return bucket;
    }
    let shift = bucket / PER_DOUBLING - 1;
    ((bucket % PER_DOUBLING + PER_DOUBLING + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_each_other_without_gaps() {
        for bucket in 0..BUCKETS {
            let largest = largest_of(bucket);
            assert_eq!(bucket_of(largest), bucket);
            assert_eq!(bucket_of(largest + 1), (bucket + 1).min(BUCKETS - 1));
        }
        assert_eq!(largest_of(BUCKETS - 1), LIMIT - 1);
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn percentiles_of_small_values_are_exact() {
        let histogram = Histogram::default();
        assert_eq!(histogram.distribution(), Distribution::default());
        for value in 1..=50 {
            histogram.add(value);
            histogram.add(value);
        }
        let summary = Summary { count: 100, sum: 2550, least: 1, most: 50 };
        let expected = Distribution { summary, percentiles: [25, 48, 50, 50] };
        assert_eq!(histogram.distribution(), expected);
        histogram.reset();
        assert_eq!(histogram.distribution(), Distribution::default());
    }

    #[test]
    fn percentiles_of_large_values_are_close() {
        let histogram = Histogram::default();
        for value in 1..=10_000 {
            histogram.add(value);
        }
        let percentiles = histogram.distribution().percentiles;
        for (found, exact) in percentiles.into_iter().zip([5000, 9500, 9900, 9990]) {
            assert!((exact..=exact + exact / 32).contains(&found), "{found} for {exact}");
        }
    }
}
