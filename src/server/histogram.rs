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
    /// What most values do not exceed.
    pub(crate) percentiles: Percentiles,
}

/// The values that 50, 90, 95, 99 and 99.9 percent of all values do not exceed; 0 without values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Percentiles {
    pub(crate) p50: u64,
    pub(crate) p90: u64,
    pub(crate) p95: u64,
    pub(crate) p99: u64,
    pub(crate) p999: u64,
}

impl Distribution {
    /// The same in a unit that is so many times larger.
    pub(crate) fn in_units_of(self, size: u64) -> Self {
        let Summary { count, sum, least, most } = self.summary;
        let Percentiles { p50, p90, p95, p99, p999 } = self.percentiles;
        let [p50, p90, p95, p99, p999] = [p50, p90, p95, p99, p999].map(|value| value / size);
        Self {
            summary: Summary { count, sum: sum / size, least: least / size, most: most / size },
            percentiles: Percentiles { p50, p90, p95, p99, p999 },
        }
    }
}

impl Histogram {
    /// Adds a value.
    pub(crate) fn add(&self, value: u64) {
        self.add_many(value, 1);
    }

    /// Adds a value that occurred several times.
    pub(crate) fn add_many(&self, value: u64, times: u64) {
        self.buckets[bucket_of(value)].fetch_add(times, Relaxed);
        self.sum.fetch_add(value.saturating_mul(times), Relaxed);
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
        self.counts().distribution()
    }

    /// All of it at once, to be added to others'.
    pub(crate) fn counts(&self) -> Counts {
        Counts {
            sum: self.sum.load(Relaxed),
            least: self.least.load(Relaxed),
            most: self.most.load(Relaxed),
            buckets: self.buckets.iter().map(|bucket| bucket.load(Relaxed)).collect(),
        }
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

/// The counts of one histogram, or of several together.
#[derive(Clone, Debug)]
pub(crate) struct Counts {
    sum: u64,
    least: u64,
    most: u64,
    buckets: Vec<u64>,
}

impl Default for Counts {
    fn default() -> Self {
        Self { sum: 0, least: u64::MAX, most: 0, buckets: vec![0; BUCKETS] }
    }
}

impl Counts {
    /// Adds what another histogram holds.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.sum = self.sum.saturating_add(other.sum);
        self.least = self.least.min(other.least);
        self.most = self.most.max(other.most);
        for (bucket, other) in self.buckets.iter_mut().zip(&other.buckets) {
            *bucket += other;
        }
    }

    /// How many values there are.
    pub(crate) fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// Their sum.
    pub(crate) fn sum(&self) -> u64 {
        self.sum
    }

    /// How many values are less than a power of two, from 64 on.
    pub(crate) fn below(&self, power: u64) -> u64 {
        assert!(power >= EXACT && power.is_power_of_two(), "buckets end at powers of two");
        self.buckets[..=bucket_of(power - 1)].iter().sum()
    }

    /// Sum, extremes and percentiles.
    pub(crate) fn distribution(&self) -> Distribution {
        let count = self.count();
        if count == 0 {
            return Distribution::default();
        }
        let most = self.most;
        let summary = Summary { count, sum: self.sum, least: self.least.min(most), most };
        let [p50, p90, p95, p99, p999] = SHARES.map(|share| {
            let rank = count.saturating_mul(share).div_ceil(1000);
            largest_of(bucket_with(&self.buckets, rank)).min(most)
        });
        Distribution { summary, percentiles: Percentiles { p50, p90, p95, p99, p999 } }
    }
}

/// The shares of the percentiles, in thousandths.
const SHARES: [u64; 5] = [500, 900, 950, 990, 999];

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
        let expected = Distribution {
            summary,
            percentiles: Percentiles { p50: 25, p90: 45, p95: 48, p99: 50, p999: 50 },
        };
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
        let Percentiles { p50, p90, p95, p99, p999 } = histogram.distribution().percentiles;
        let exact = [5000, 9000, 9500, 9900, 9990];
        for (found, exact) in [p50, p90, p95, p99, p999].into_iter().zip(exact) {
            assert!((exact..=exact + exact / 32).contains(&found), "{found} for {exact}");
        }
    }

    #[test]
    fn counts_of_several_histograms_add_up() {
        let (one, other) = (Histogram::default(), Histogram::default());
        one.add_many(10, 3);
        other.add(1000);
        let mut counts = one.counts();
        counts.merge(&other.counts());
        assert_eq!((counts.count(), counts.sum()), (4, 1030));
        assert_eq!([64, 512, 1024, 4096].map(|power| counts.below(power)), [3, 3, 4, 4]);
        let distribution = counts.distribution();
        assert_eq!(distribution.summary, Summary { count: 4, sum: 1030, least: 10, most: 1000 });
        let thousandths = distribution.in_units_of(1000);
        assert_eq!(thousandths.summary, Summary { count: 4, sum: 1, least: 0, most: 1 });
    }
}
