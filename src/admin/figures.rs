//! Every figure that ZooKeeper has, under its name (ZK: `MonitorCommand`, `ServerMetrics`).
//!
//! Names of machinery that this server does not have stay, with the value 0: dashboards and alerts
//! ask for them. A figure that has no name in ZooKeeper is not among them.

use super::idle::{
    IDLE_COUNTER_SETS, IDLE_COUNTERS, IDLE_DISTRIBUTIONS, IDLE_GAUGES, IDLE_SUMMARIES,
    IDLE_SUMMARY_SETS,
};
use super::registry::{Detail, Figures, Value};
use super::text::Mean;
use super::{process, quotas, version};
use crate::server::{Counts, Distribution, Histogram, Learners, Shared, Standing, Traffic};
use crate::session::Sessions;
use crate::types::Moment;
use std::sync::atomic::Ordering::Relaxed;

/// Microseconds in a millisecond, which is ZooKeeper's unit.
const MICROS: u64 = 1000;

impl Shared {
    /// Every figure as it is now.
    pub(super) fn figures(&self, standing: &Standing) -> Figures {
        let mut figures = Figures::default();
        figures.gauge("version", Value::Text(version::FULL));
        figures.gauge("server_state", Value::Text(standing.mode));
        self.quorum(standing, &mut figures);
        self.gauges(&mut figures);
        self.quotas(&mut figures);
        self.counters(&mut figures);
        self.summaries(&mut figures);
        figures
    }

    /// What only members of an ensemble have.
    fn quorum(&self, standing: &Standing, figures: &mut Figures) {
        let Some(ensemble) = &self.config.ensemble else { return };
        figures.gauge("peer_state", Value::Text(standing.detail));
        figures.whole("quorum_size", ensemble.membership.voters() as u64);
        if let Some(leader) = standing.leader.filter(|_| standing.mode == "observer") {
            figures.whole("observer_master_id", leader);
        }
        if let Some(learners) = standing.learners {
            let Learners { all, synced_followers, synced_observers, pending_syncs } = learners;
            figures.whole("learners", all as u64);
            figures.whole("synced_followers", synced_followers as u64);
            figures.whole("synced_non_voting_followers", 0);
            figures.whole("synced_observers", synced_observers as u64);
            figures.whole("pending_syncs", pending_syncs as u64);
            let since = Moment(self.stats.serving_since.load(Relaxed));
            figures.whole("leader_uptime", self.clock.moment().since(since));
            self.leadership(figures);
        } else if standing.mode == "follower" && self.config.quorum.observer_master_port.is_some() {
            figures.whole("synced_observers", self.observers().len() as u64);
        }
    }

    /// What a leader counts of its proposals and of its queues to learners, which are none here.
    fn leadership(&self, figures: &mut Figures) {
        let names = ["last_proposal_size", "min_proposal_size", "max_proposal_size"];
        for (name, size) in names.into_iter().zip(self.stats.proposal_sizes()) {
            figures.whole(name, size);
        }
        let idle = || {
            let learners = self.learner_ids().into_iter();
            let keyed = learners.map(|id| (vec![("key", id.to_string())], Distribution::default()));
            keyed.collect()
        };
        figures.summaries("learner_handler_qp_size", Detail::Basic, idle());
        figures.summaries("learner_handler_qp_time_ms", Detail::Advanced, idle());
    }

    fn gauges(&self, figures: &mut Figures) {
        let stats = &self.stats;
        let latency = stats.latency.summary();
        figures.gauge("avg_latency", Value::Mean(Mean::of(&latency)));
        figures.whole("max_latency", latency.most);
        figures.whole("min_latency", latency.least);
        figures.whole("packets_received", stats.received.load(Relaxed));
        figures.whole("packets_sent", stats.sent.load(Relaxed));
        figures.whole("num_alive_connections", self.conns.len() as u64);
        figures.whole("outstanding_requests", self.waiting() as u64);
        figures.whole("uptime", self.clock.moment().0);
        figures.whole("global_sessions", self.with_sessions(Sessions::len) as u64);
        figures.whole("local_sessions", self.local_sessions() as u64);
        {
            let tree = self.tree.read();
            figures.whole("znode_count", tree.node_count() as u64);
            figures.whole("ephemerals_count", tree.ephemeral_count() as u64);
            figures.whole("approximate_data_size", tree.data_size());
        }
        let watches = self.watches.lock().total() as u64;
        figures.whole("watch_count", watches);
        figures.whole("open_file_descriptor_count", process::open_files());
        figures.whole("max_file_descriptor_count", process::max_open_files());
        // A probability, which is no whole number even where it is 0.
        figures.gauge("connection_drop_probability", Value::Mean(Mean::new(0, 0)));
        let names =
            ["last_client_response_size", "min_client_response_size", "max_client_response_size"];
        for (name, size) in names.into_iter().zip(self.reply_sizes()) {
            figures.whole(name, size);
        }
        figures.whole("auth_failed_count", stats.auth_failed.load(Relaxed));
        for name in IDLE_GAUGES {
            figures.whole(name, 0);
        }
    }

    fn quotas(&self, figures: &mut Figures) {
        let quotas = quotas::by_namespace(&self.tree.read());
        let mut put = |name, of: fn(&quotas::NamespaceQuota) -> i64| {
            let values = quotas.iter().map(|(namespace, quota)| {
                (vec![("key", namespace.clone())], Value::Whole(of(quota)))
            });
            figures.gauges(name, values.collect());
        };
        put("quota_count_limit_per_namespace", |quota| quota.count_limit);
        put("quota_bytes_limit_per_namespace", |quota| quota.bytes_limit);
        put("quota_count_usage_per_namespace", |quota| quota.count_used);
        put("quota_bytes_usage_per_namespace", |quota| quota.bytes_used);
    }

    /// Bytes of the last, the smallest and the largest reply; -1 before there is one.
    pub(super) fn reply_sizes(&self) -> [i64; 3] {
        let sizes = self.stats.reply_bytes.summary();
        let last = self.stats.last_reply_bytes.load(Relaxed);
        [last, sizes.least, sizes.most]
            .map(|size| if sizes.count == 0 { -1 } else { i64::try_from(size).unwrap_or(i64::MAX) })
    }

    fn counters(&self, figures: &mut Figures) {
        let stats = &self.stats;
        let (ensemble, images) = (&stats.ensemble, &stats.images);
        let counters = [
            ("bytes_received_count", &stats.received_bytes),
            ("connection_drop_count", &stats.dropped),
            ("connection_rejected", &stats.rejected),
            ("connection_request_count", &stats.connection_requests),
            ("sessionless_connections_expired", &stats.sessionless_expired),
            ("stale_sessions_expired", &stats.sessions_expired),
            ("watch_bytes", &stats.notice_bytes),
            ("looking_count", &ensemble.looking),
            ("proposal_count", &ensemble.proposed),
            ("commit_count", &ensemble.committed),
            ("learner_proposal_received_count", &ensemble.received),
            ("learner_commit_received_count", &ensemble.learned),
            ("snap_count", &ensemble.snapshots),
            ("snapshot_error_count", &images.write_errors),
            ("snapshot_rate_limited_count", &images.writes_limited),
            ("restore_error_count", &images.restore_errors),
            ("restore_rate_limited_count", &images.restores_limited),
        ];
        for (name, counter) in counters {
            figures.counter(name, counter.load(Relaxed));
        }
        figures.counter("digest_mismatches_count", self.digest_mismatches());
        figures.counter("response_bytes", stats.reply_bytes.summary().sum);
        figures.counter("sync_processor_request_queued", stats.batch.counts().sum());
        for name in IDLE_COUNTERS {
            figures.counter(name, 0);
        }
        for name in IDLE_COUNTER_SETS {
            figures.counters(name, Vec::new());
        }
    }

    fn summaries(&self, figures: &mut Figures) {
        let (stats, stages) = (&self.stats, &self.stats.stages);
        let fsync = stages.fsync.distribution().in_units_of(MICROS);
        let basic = [
            ("dbinittime", stats.startup_ms.distribution()),
            ("election_time", stats.ensemble.elections.distribution()),
            ("fsynctime", fsync),
            ("restore_time", stats.images.restored_ms.distribution()),
            ("snapshottime", stats.images.written_ms.distribution()),
            ("startup_txns_loaded", stats.startup_entries.distribution()),
            ("sync_process_time", fsync),
            ("sync_processor_batch_size", stats.batch.distribution()),
            ("unavailable_time", stats.ensemble.unavailable.distribution()),
        ];
        for (name, distribution) in basic {
            figures.summary(name, Detail::Basic, distribution);
        }
        let waiting = stages.waiting.distribution().in_units_of(MICROS);
        let advanced = [
            ("readlatency", self.latencies(false)),
            ("updatelatency", self.latencies(true)),
            ("propagation_latency", stages.whole.distribution().in_units_of(MICROS)),
            ("quorum_ack_latency", stages.agreement.distribution().in_units_of(MICROS)),
            ("sync_processor_queue_time_ms", waiting),
            ("sync_processor_queue_flush_time_ms", fsync),
            ("sync_processor_queue_and_flush_time_ms", self.logging()),
        ];
        for (name, distribution) in advanced {
            figures.summary(name, Detail::Advanced, distribution);
        }
        for name in IDLE_SUMMARIES {
            figures.summary(name, Detail::Basic, Distribution::default());
        }
        for name in IDLE_DISTRIBUTIONS {
            figures.summary(name, Detail::Advanced, Distribution::default());
        }
        for name in IDLE_SUMMARY_SETS {
            figures.summaries(name, Detail::Advanced, Vec::new());
        }
        self.namespaces(figures);
    }

    /// Bytes of reads and writes by namespace.
    fn namespaces(&self, figures: &mut Figures) {
        let all = self.stats.namespaces.all();
        let mut put = |name, of: fn(&Traffic) -> Option<&Histogram>| {
            let used = all.iter().filter_map(|(namespace, traffic)| {
                let labels = vec![("key", (*namespace).to_owned())];
                Some((labels, of(traffic)?.distribution()))
            });
            figures.summaries(name, Detail::Basic, used.collect());
        };
        put("read_per_namespace", Traffic::read);
        put("write_per_namespace", Traffic::written);
    }

    /// Milliseconds of all writes, or of all other operations.
    fn latencies(&self, writes: bool) -> Distribution {
        let mut all = Counts::default();
        for (op, histogram) in self.stats.operations.iter() {
            if op.is_write() == writes {
                all.merge(&histogram.counts());
            }
        }
        all.distribution().in_units_of(MICROS)
    }

    /// Milliseconds that transactions spent waiting for the disk and being written.
    fn logging(&self) -> Distribution {
        self.stats.stages.logging.distribution().in_units_of(MICROS)
    }
}
