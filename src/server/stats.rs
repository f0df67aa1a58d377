//! Counters of the server and of each connection, as the four-letter words show them.

use super::histogram::{Histogram, ROTATIONS};
use super::namespaces::Namespaces;
use crate::proto::OpCode;
use crate::types::Moment;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicU64, Ordering::Relaxed};

/// Milliseconds for which a value counts in percentiles at most: between 8 and 10 minutes, as in
/// ZooKeeper with its provider for Prometheus.
const LATEST_MS: u64 = 600_000;
/// Milliseconds between two rotations of the histograms.
const ROTATION_MS: u64 = LATEST_MS / ROTATIONS as u64;

/// Least, mean and largest of a number of values.
#[derive(Debug)]
pub(crate) struct Spread {
    count: AtomicU64,
    sum: AtomicU64,
    least: AtomicU64,
    most: AtomicU64,
}

impl Default for Spread {
    fn default() -> Self {
        Self {
            count: AtomicU64::new(0),
            sum: AtomicU64::new(0),
            least: AtomicU64::new(u64::MAX),
            most: AtomicU64::new(0),
        }
    }
}

impl Spread {
    /// Adds a value.
    pub(crate) fn add(&self, value: u64) {
        self.add_many(value, 1);
    }

    /// Adds a value that occurred several times.
    pub(crate) fn add_many(&self, value: u64, times: u64) {
        self.count.fetch_add(times, Relaxed);
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
    pub(crate) fn summary(&self) -> Summary {
        let least = self.least.load(Relaxed);
        Summary {
            count: self.count.load(Relaxed),
            sum: self.sum.load(Relaxed),
            least: if least == u64::MAX { 0 } else { least },
            most: self.most.load(Relaxed),
        }
    }

    /// Forgets everything.
    pub(crate) fn reset(&self) {
        self.count.store(0, Relaxed);
        self.sum.store(0, Relaxed);
        self.least.store(u64::MAX, Relaxed);
        self.most.store(0, Relaxed);
    }
}

/// What a [`Spread`] held at some time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// How many values there were.
    pub(crate) count: u64,
    /// Their sum.
    pub(crate) sum: u64,
    /// The least, 0 if there is none.
    pub(crate) least: u64,
    /// The largest, 0 if there is none.
    pub(crate) most: u64,
}

/// Counters of the whole server (ZK: `ServerStats`).
#[derive(Debug, Default)]
pub(crate) struct ServerStats {
    /// Packets from clients.
    pub(crate) received: AtomicU64,
    /// Packets to clients.
    pub(crate) sent: AtomicU64,
    /// Bytes from clients.
    pub(crate) received_bytes: AtomicU64,
    /// Connections that were refused for there being too many.
    pub(crate) rejected: AtomicU64,
    /// Connections that did not open a session in time.
    pub(crate) sessionless_expired: AtomicU64,
    /// Sessions that expired.
    pub(crate) sessions_expired: AtomicU64,
    /// Failed authentications.
    pub(crate) auth_failed: AtomicU64,
    /// Sessions that were asked for, new or to go on with.
    pub(crate) connection_requests: AtomicU64,
    /// Milliseconds from a request to its reply.
    pub(crate) latency: Spread,
    /// Microseconds from a request to its reply, by operation.
    pub(crate) operations: Operations,
    /// Bytes read and written, by namespace.
    pub(crate) namespaces: Namespaces,
    /// The stages of a write.
    pub(crate) stages: Stages,
    /// Entries of each synced write to the log.
    pub(crate) batch: Histogram,
    /// Syncs that took longer than the configured threshold.
    pub(crate) slow_syncs: AtomicU64,
    /// Bytes of replies without their length.
    pub(crate) reply_bytes: Spread,
    /// Bytes of the last reply without its length.
    pub(crate) last_reply_bytes: AtomicU64,
    /// Bytes of proposals.
    pub(crate) proposal_bytes: Spread,
    /// Bytes of the last proposal.
    pub(crate) last_proposal_bytes: AtomicU64,
    /// Since when clients are served, milliseconds on the server's monotonic clock.
    pub(crate) serving_since: AtomicU64,
    /// Bytes of notifications.
    pub(crate) notice_bytes: AtomicU64,
    /// Transactions that were read from the log at the start.
    pub(crate) startup_entries: Histogram,
    /// Milliseconds that the start took until the tree was complete.
    pub(crate) startup_ms: Histogram,
    /// What happens between the servers of an ensemble.
    pub(crate) ensemble: EnsembleStats,
    /// Connections that have ended.
    pub(crate) dropped: AtomicU64,
    /// Images of the tree that were asked for over HTTP.
    pub(crate) images: ImageStats,
    /// How often the histograms have been rotated.
    rotations: AtomicU64,
}

/// What was counted between the servers of an ensemble.
#[derive(Debug, Default)]
pub(crate) struct EnsembleStats {
    /// How often this server has looked for a leader.
    pub(crate) looking: AtomicU64,
    /// Milliseconds that each election took.
    pub(crate) elections: Histogram,
    /// Milliseconds without a leader that serves.
    pub(crate) unavailable: Histogram,
    /// Transactions that this server proposed.
    pub(crate) proposed: AtomicU64,
    /// Transactions that this server was sent by a leader.
    pub(crate) received: AtomicU64,
    /// Transactions that were decided while it led.
    pub(crate) committed: AtomicU64,
    /// Transactions that were decided while it learned.
    pub(crate) learned: AtomicU64,
    /// Images of the tree that were sent to learners.
    pub(crate) snapshots: AtomicU64,
    /// Whether this server leads.
    pub(crate) leads: AtomicBool,
}

/// What was counted of images of the tree.
#[derive(Debug, Default)]
pub(crate) struct ImageStats {
    /// Milliseconds that each took to be written.
    pub(crate) written_ms: Histogram,
    /// Milliseconds that each took to be restored.
    pub(crate) restored_ms: Histogram,
    /// Those that failed to be written.
    pub(crate) write_errors: AtomicU64,
    /// Those that failed to be restored.
    pub(crate) restore_errors: AtomicU64,
    /// Those that were asked for too soon after another.
    pub(crate) writes_limited: AtomicU64,
    /// Those that were brought too soon after another.
    pub(crate) restores_limited: AtomicU64,
}

/// Microseconds of each stage of a write, by batches that go to the disk together; a batch counts
/// as often as it has transactions.
#[derive(Debug, Default)]
pub(crate) struct Stages {
    /// Waiting until the disk is free.
    pub(crate) waiting: Histogram,
    /// Writing to the log and syncing it; by batch.
    pub(crate) fsync: Histogram,
    /// Both together.
    pub(crate) logging: Histogram,
    /// From then on until it is decided: other servers acknowledge.
    pub(crate) agreement: Histogram,
    /// Changing the tree, and the replies.
    pub(crate) applying: Histogram,
    /// All of it.
    pub(crate) whole: Histogram,
}

/// Latencies by operation. One that never occurred takes no memory.
#[derive(Debug)]
pub(crate) struct Operations([OnceLock<Histogram>; OPERATIONS]);

/// Numbers of operations, from the least one on.
const OPERATIONS: usize = 119;
const LEAST_OPERATION: i32 = OpCode::CloseSession.number();

impl Default for Operations {
    fn default() -> Self {
        Self(std::array::from_fn(|_| OnceLock::new()))
    }
}

impl Operations {
    /// The latencies of an operation.
    pub(crate) fn of(&self, op: OpCode) -> &Histogram {
        let index = usize::try_from(op.number() - LEAST_OPERATION).unwrap_or_default();
        self.0[index].get_or_init(Histogram::default)
    }

    /// Those that have occurred.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (OpCode, &Histogram)> {
        let known = (LEAST_OPERATION..).zip(&self.0);
        known.filter_map(|(number, slot)| Some((OpCode::from_number(number)?, slot.get()?)))
    }
}

impl ServerStats {
    /// Bytes of the last, the smallest and the largest proposal; -1 before there is one.
    pub(crate) fn proposal_sizes(&self) -> [i64; 3] {
        let sizes = self.proposal_bytes.summary();
        let last = self.last_proposal_bytes.load(Relaxed);
        [last, sizes.least, sizes.most]
            .map(|size| if sizes.count == 0 { -1 } else { i64::try_from(size).unwrap_or(i64::MAX) })
    }

    /// Forgets what `srst` resets: everything except what ZooKeeper keeps, too, which is failed
    /// authentications and slow syncs.
    pub(crate) fn reset(&self) {
        let counters = [
            &self.received,
            &self.sent,
            &self.received_bytes,
            &self.rejected,
            &self.sessionless_expired,
            &self.sessions_expired,
            &self.connection_requests,
            &self.last_reply_bytes,
            &self.last_proposal_bytes,
            &self.notice_bytes,
            &self.dropped,
            &self.ensemble.looking,
            &self.ensemble.proposed,
            &self.ensemble.received,
            &self.ensemble.committed,
            &self.ensemble.learned,
            &self.ensemble.snapshots,
            &self.images.write_errors,
            &self.images.restore_errors,
            &self.images.writes_limited,
            &self.images.restores_limited,
        ];
        for counter in counters {
            counter.store(0, Relaxed);
        }
        for spread in [&self.latency, &self.reply_bytes, &self.proposal_bytes] {
            spread.reset();
        }
        self.histograms().for_each(Histogram::reset);
    }

    /// Time has passed: what is too old no longer counts in percentiles.
    pub(crate) fn rotate(&self, now: Moment) {
        let due = now.0 / ROTATION_MS;
        let done = self.rotations.fetch_max(due, Relaxed);
        for _ in (done..due).take(ROTATIONS) {
            self.histograms().for_each(Histogram::rotate);
        }
    }

    fn histograms(&self) -> impl Iterator<Item = &Histogram> {
        let (stages, ensemble, images) = (&self.stages, &self.ensemble, &self.images);
        let histograms = [
            &self.batch,
            &self.startup_entries,
            &self.startup_ms,
            &stages.waiting,
            &stages.fsync,
            &stages.logging,
            &stages.agreement,
            &stages.applying,
            &stages.whole,
            &ensemble.elections,
            &ensemble.unavailable,
            &images.written_ms,
            &images.restored_ms,
        ];
        let operations = self.operations.iter().map(|(_, histogram)| histogram);
        histograms.into_iter().chain(operations).chain(self.namespaces.histograms())
    }
}

/// Counters of one connection (ZK: `ServerCnxn`).
#[derive(Debug, Default)]
pub(crate) struct ConnStats {
    /// Packets received.
    pub(crate) received: AtomicU64,
    /// Packets sent.
    pub(crate) sent: AtomicU64,
    /// Number of the last operation, 0 for none.
    pub(crate) last_op: AtomicI32,
    /// Its xid.
    pub(crate) last_xid: AtomicI64,
    /// The zxid of its reply.
    pub(crate) last_zxid: AtomicI64,
    /// When it was answered, milliseconds on the server's monotonic clock.
    pub(crate) last_response: AtomicU64,
    /// How long it took in milliseconds.
    pub(crate) last_latency: AtomicU64,
    /// All latencies in milliseconds.
    pub(crate) latency: Spread,
}

impl ConnStats {
    /// Forgets what `crst` resets.
    pub(crate) fn reset(&self) {
        self.received.store(0, Relaxed);
        self.sent.store(0, Relaxed);
        self.last_op.store(0, Relaxed);
        self.last_xid.store(-1, Relaxed);
        self.last_zxid.store(-1, Relaxed);
        self.last_response.store(0, Relaxed);
        self.last_latency.store(0, Relaxed);
        self.latency.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_has_a_place_of_its_own() {
        let operations = Operations::default();
        for op in OpCode::ALL {
            operations.of(*op).add(1);
        }
        assert_eq!(operations.iter().count(), OpCode::ALL.len());
        assert!(operations.iter().all(|(_, histogram)| histogram.counts().count() == 1));
    }

    #[test]
    fn percentiles_are_of_the_last_ten_minutes() {
        let stats = ServerStats::default();
        let minutes = |minutes: u64| Moment(minutes * 60_000);
        let slowest = || stats.batch.distribution().percentiles.map(|it| it.p999);
        stats.rotate(minutes(1));
        stats.batch.add(60);
        for minute in 1..10 {
            stats.rotate(minutes(minute));
            assert_eq!(slowest(), Some(60), "minute {minute}");
        }
        stats.batch.add(2);
        stats.rotate(minutes(10));
        assert_eq!(slowest(), Some(2));
        // Twice is as good as once, and nobody having looked for an hour as good as each minute.
        stats.rotate(minutes(10));
        assert_eq!(slowest(), Some(2));
        stats.rotate(minutes(70));
        assert_eq!(slowest(), None);
        let summary = stats.batch.distribution().summary;
        assert_eq!(summary, Summary { count: 2, sum: 62, least: 2, most: 60 });
    }

    #[test]
    fn an_operation_that_occurs_late_is_rotated_from_then_on() {
        let stats = ServerStats::default();
        stats.rotate(Moment(LATEST_MS));
        stats.operations.of(OpCode::Create).add(5);
        let latest = || stats.operations.of(OpCode::Create).distribution().percentiles.is_some();
        stats.rotate(Moment(2 * LATEST_MS - 1));
        assert!(latest());
        stats.rotate(Moment(2 * LATEST_MS));
        assert!(!latest());
    }
}
