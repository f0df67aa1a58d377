//! A distribution of values that many threads add to without a lock.
//!
//! Count, sum and extremes are of all values since the start. Percentiles are of the latest: they
//! would hide an hour of trouble behind a month without. It is told from outside that time has
//! passed, see [`Histogram::rotate`].

use super::stats::Summary;
use histogram::{AtomicHistogram, CumulativeROHistogram, SparseHistogram};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How exactly values are told apart, and up to what size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Percentiles are too large by one in two to the power of this, at most, and exact below twice
    /// that number.
    pub(crate) precision: u8,
    /// Values from two to the power of this on count in percentiles as the largest that is less.
    pub(crate) range: u8,
}

/// At most 1/32 too large, exact below 64; more than an hour in microseconds.
const USUAL: Shape = Shape { precision: 5, range: 32 };
/// Rotations after which a value no longer counts among the latest.
pub(crate) const ROTATIONS: usize = 5;

/// Counts of values by size. Adding costs as much as adding to a `Spread`.
///
/// One of the usual shape takes 7 KiB, and for each rotation that is remembered 12 bytes for each
/// of its 896 sizes that has ever occurred: some KiB where there is much to do, next to nothing
/// where there is not.
#[derive(Debug)]
pub(crate) struct Histogram {
    sum: AtomicU64,
    least: AtomicU64,
    most: AtomicU64,
    /// The largest value that `buckets` takes.
    limit: u64,
    buckets: AtomicHistogram,
    /// What `buckets` held at the last rotations, the oldest first. Only looking and rotating take
    /// the lock.
    earlier: Mutex<VecDeque<SparseHistogram>>,
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new(USUAL)
    }
}

/// What a [`Histogram`] held at some time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Distribution {
    /// Count, sum, least and largest of all values.
    pub(crate) summary: Summary,
    /// What most of the latest values do not exceed; `None` without any.
    pub(crate) percentiles: Option<Percentiles>,
}

/// The values that 50, 90, 95, 99 and 99.9 percent of the latest values do not exceed.
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
        Self {
            summary: Summary { count, sum: sum / size, least: least / size, most: most / size },
            percentiles: self.percentiles.map(|percentiles| percentiles.map(|value| value / size)),
        }
    }
}

impl Percentiles {
    fn map(self, of: impl Fn(u64) -> u64) -> Self {
        let Self { p50, p90, p95, p99, p999 } = self;
        let [p50, p90, p95, p99, p999] = [p50, p90, p95, p99, p999].map(of);
        Self { p50, p90, p95, p99, p999 }
    }
}

impl Histogram {
    /// An empty histogram.
    pub(crate) fn new(shape: Shape) -> Self {
        let Shape { precision, range } = shape;
        Self {
            sum: AtomicU64::new(0),
            least: AtomicU64::new(u64::MAX),
            most: AtomicU64::new(0),
            limit: (1 << range) - 1,
            buckets: AtomicHistogram::new(precision, range).expect("a valid shape"),
            earlier: Mutex::default(),
        }
    }

    /// Adds a value.
    pub(crate) fn add(&self, value: u64) {
        self.add_many(value, 1);
    }

    /// Adds a value that occurred several times.
    pub(crate) fn add_many(&self, value: u64, times: u64) {
        self.buckets.add(value.min(self.limit), times).expect("it is within the range");
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
        let earlier = self.earlier.lock();
        let buckets = self.buckets.load();
        Counts {
            sum: self.sum.load(Relaxed),
            least: self.least.load(Relaxed),
            most: self.most.load(Relaxed),
            latest: latest(&buckets, &earlier),
            buckets,
        }
    }

    /// Another part of the time has passed for which values count among the latest.
    pub(crate) fn rotate(&self) {
        let mut earlier = self.earlier.lock();
        if earlier.len() == ROTATIONS {
            earlier.pop_front();
        }
        earlier.push_back(SparseHistogram::from(&self.buckets.load()));
    }

    /// Forgets everything.
    pub(crate) fn reset(&self) {
        let mut earlier = self.earlier.lock();
        earlier.clear();
        self.buckets.drain();
        self.sum.store(0, Relaxed);
        self.least.store(u64::MAX, Relaxed);
        self.most.store(0, Relaxed);
    }
}

/// What has been added since the oldest rotation of as many as there can be; everything, as long as
/// there have been fewer.
fn latest(buckets: &histogram::Histogram, earlier: &VecDeque<SparseHistogram>) -> SparseHistogram {
    let all = SparseHistogram::from(buckets);
    match earlier.front().filter(|_| earlier.len() == ROTATIONS) {
        Some(before) => all.checked_sub(before).expect("counts only grow between two resets"),
        None => all,
    }
}

/// The counts of one histogram, or of several together.
#[derive(Clone, Debug)]
pub(crate) struct Counts {
    sum: u64,
    least: u64,
    most: u64,
    buckets: histogram::Histogram,
    /// Those of the latest values.
    latest: SparseHistogram,
}

impl Default for Counts {
    fn default() -> Self {
        Histogram::default().counts()
    }
}

impl Counts {
    /// Adds what another histogram holds.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.sum = self.sum.saturating_add(other.sum);
        self.least = self.least.min(other.least);
        self.most = self.most.max(other.most);
        self.buckets = self.buckets.wrapping_add(&other.buckets).expect("one shape");
        self.latest = self.latest.wrapping_add(&other.latest).expect("one shape");
    }

    /// How many values there are.
    pub(crate) fn count(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.count()).sum()
    }

    /// Their sum.
    pub(crate) fn sum(&self) -> u64 {
        self.sum
    }

    /// How many values are less than a power of two, from 64 on.
    pub(crate) fn below(&self, power: u64) -> u64 {
        let below = self.buckets.iter().take_while(|bucket| bucket.end() < power);
        below.map(|bucket| bucket.count()).sum()
    }

    /// Sum, extremes and percentiles.
    pub(crate) fn distribution(&self) -> Distribution {
        let (count, most) = (self.count(), self.most);
        let summary = Summary { count, sum: self.sum, least: self.least.min(most), most };
        Distribution { summary, percentiles: self.percentiles() }
    }

    fn percentiles(&self) -> Option<Percentiles> {
        let mut buckets = SHARES.map(|_| None);
        let found =
            CumulativeROHistogram::from(&self.latest).quantile_buckets_into(&SHARES, &mut buckets);
        found.expect("valid shares");
        let [p50, p90, p95, p99, p999] = buckets.map(|bucket| bucket.map(|bucket| bucket.end()));
        let percentiles = Percentiles { p50: p50?, p90: p90?, p95: p95?, p99: p99?, p999: p999? };
        Some(percentiles.map(|value| value.min(self.most)))
    }
}

/// The shares of the percentiles.
const SHARES: [f64; 5] = [0.5, 0.9, 0.95, 0.99, 0.999];

#[cfg(test)]
mod tests {
    use super::*;

    fn percentiles(histogram: &Histogram) -> Option<Percentiles> {
        histogram.distribution().percentiles
    }

    fn p999(histogram: &Histogram) -> Option<u64> {
        percentiles(histogram).map(|percentiles| percentiles.p999)
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
            percentiles: Some(Percentiles { p50: 25, p90: 45, p95: 48, p99: 50, p999: 50 }),
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
        let Percentiles { p50, p90, p95, p99, p999 } = percentiles(&histogram).expect("values");
        let exact = [5000, 9000, 9500, 9900, 9990];
        for (found, exact) in [p50, p90, p95, p99, p999].into_iter().zip(exact) {
            assert!((exact..=exact + exact / 32).contains(&found), "{found} for {exact}");
        }
    }

    #[test]
    fn the_largest_values_are_kept() {
        let histogram = Histogram::default();
        histogram.add(u64::MAX);
        let Distribution { summary, percentiles } = histogram.distribution();
        assert_eq!((summary.count, summary.most), (1, u64::MAX));
        assert_eq!(percentiles.map(|it| it.p50), Some((1 << USUAL.range) - 1));
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

    #[test]
    fn a_slow_value_counts_among_the_latest_for_some_rotations() {
        let histogram = Histogram::default();
        histogram.add(60);
        for rotation in 0..ROTATIONS {
            assert_eq!(p999(&histogram), Some(60), "after {rotation} rotations");
            histogram.add(2);
            histogram.rotate();
        }
        // What was added after the first rotation is all that is left.
        assert_eq!(percentiles(&histogram).map(|it| [it.p50, it.p999]), Some([2, 2]));
        let expected = Summary { count: 6, sum: 70, least: 2, most: 60 };
        assert_eq!(histogram.distribution().summary, expected);
    }

    #[test]
    fn there_are_no_percentiles_without_latest_values() {
        let histogram = Histogram::default();
        histogram.add(60);
        for _ in 0..=ROTATIONS {
            histogram.rotate();
        }
        assert_eq!(percentiles(&histogram), None);
        assert_eq!(histogram.distribution().summary.count, 1);
        histogram.add(3);
        assert_eq!(p999(&histogram), Some(3));
        assert_eq!(histogram.earlier.lock().len(), ROTATIONS);
    }

    #[test]
    fn a_reset_forgets_the_rotations_too() {
        let histogram = Histogram::default();
        histogram.add(60);
        for _ in 0..ROTATIONS {
            histogram.rotate();
        }
        histogram.reset();
        assert_eq!(histogram.distribution(), Distribution::default());
        histogram.add(3);
        histogram.rotate();
        assert_eq!(p999(&histogram), Some(3));
    }

    #[test]
    fn the_latest_of_several_histograms_are_taken_together() {
        let (one, other) = (Histogram::default(), Histogram::default());
        one.add(50);
        for _ in 0..ROTATIONS {
            one.rotate();
        }
        one.add(10);
        // It came to be later, and all it has is new.
        other.add(20);
        let mut counts = one.counts();
        counts.merge(&other.counts());
        let Distribution { summary, percentiles } = counts.distribution();
        assert_eq!(summary, Summary { count: 3, sum: 80, least: 10, most: 50 });
        assert_eq!(percentiles.map(|it| [it.p50, it.p999]), Some([10, 20]));
    }
}
