//! The word `mntr`: every figure under ZooKeeper's name (ZK: `MonitorCommand`, `ServerMetrics`).
//!
//! Names of machinery that this server does not have stay, with the value 0: dashboards and alerts
//! ask for them. A figure that has no name in ZooKeeper is not shown here.

use super::idle::{IDLE_COUNTERS, IDLE_DISTRIBUTIONS, IDLE_SUMMARIES};
use super::text::Mean;
use super::{process, quotas, version};
use crate::server::{Distribution, Learners, Shared, Standing, Summary};
use crate::session::Sessions;
use crate::types::Moment;
use std::fmt;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A figure's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// A whole number.
    Whole(i64),
    /// A mean.
    Mean(Mean),
    /// Words.
    Text(&'static str),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(number) => write!(f, "{number}"),
            Self::Mean(mean) => write!(f, "{mean}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// Names and values in the order in which they are shown.
#[derive(Debug, Default)]
pub(super) struct Figures {
    list: Vec<(String, Value)>,
}

impl Figures {
    fn put(&mut self, name: impl Into<String>, value: Value) {
        self.list.push((name.into(), value));
    }

    fn count(&mut self, name: &str, number: impl TryInto<i64>) {
        self.put(name, Value::Whole(number.try_into().unwrap_or(i64::MAX)));
    }

    fn counter(&mut self, name: &str, counter: &AtomicU64) {
        self.count(name, counter.load(Relaxed));
    }

    fn summary(&mut self, name: &str, summary: &Summary) {
        let Summary { count, sum, least, most } = *summary;
        self.put(format!("avg_{name}"), Value::Mean(Mean::of(summary)));
        for (of, number) in [("min", least), ("max", most), ("cnt", count), ("sum", sum)] {
            self.count(&format!("{of}_{name}"), number);
        }
    }

    fn distribution(&mut self, name: &str, distribution: &Distribution) {
        self.summary(name, &distribution.summary);
        for (of, number) in ["p50", "p95", "p99", "p999"].iter().zip(distribution.percentiles) {
            self.count(&format!("{of}_{name}"), number);
        }
    }

    /// What a leader counts of its proposals and of its queues to learners, which are none here.
    fn leadership(&mut self, learners: &[i64], sizes: [i64; 3]) {
        for (of, size) in ["last", "min", "max"].iter().zip(sizes) {
            self.count(&format!("{of}_proposal_size"), size);
        }
        for learner in learners {
            self.summary(&format!("{learner}_learner_handler_qp_size"), &Summary::default());
            let time = format!("{learner}_learner_handler_qp_time_ms");
            self.distribution(&time, &Distribution::default());
        }
    }

    /// The text of the word.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for (name, value) in &self.list {
            let _ = writeln!(text, "zk_{name}\t{value}");
        }
        text
    }
}

impl Shared {
    /// Every figure as it is now.
    pub(super) fn figures(&self, standing: &Standing) -> Figures {
        let mut figures = Figures::default();
        figures.put("version", Value::Text(version::FULL));
        figures.put("server_state", Value::Text(standing.mode));
        self.quorum(standing, &mut figures);
        self.gauges(&mut figures);
        self.counters(&mut figures);
        self.summaries(&mut figures);
        figures
    }

    /// What only members of an ensemble have.
    fn quorum(&self, standing: &Standing, figures: &mut Figures) {
        let Some(ensemble) = &self.config.ensemble else { return };
        figures.put("peer_state", Value::Text(standing.detail));
        figures.count("quorum_size", ensemble.membership.voters());
        if let Some(leader) = self.observed() {
            figures.count("observer_master_id", leader);
        }
        if let Some(learners) = standing.learners {
            let Learners { all, synced_followers, synced_observers, pending_syncs } = learners;
            figures.count("learners", all);
            figures.count("synced_followers", synced_followers);
            figures.count("synced_non_voting_followers", 0);
            figures.count("synced_observers", synced_observers);
            figures.count("pending_syncs", pending_syncs);
            let since = Moment(self.stats.serving_since.load(Relaxed));
            figures.count("leader_uptime", self.clock.moment().since(since));
            figures.leadership(&self.learner_ids(), self.stats.proposal_sizes());
        }
    }

    fn gauges(&self, figures: &mut Figures) {
        let latency = self.stats.latency.summary();
        figures.put("avg_latency", Value::Mean(Mean::of(&latency)));
        figures.count("max_latency", latency.most);
        figures.count("min_latency", latency.least);
        figures.counter("packets_received", &self.stats.received);
        figures.counter("packets_sent", &self.stats.sent);
        figures.count("num_alive_connections", self.conns.len());
        figures.count("outstanding_requests", self.waiting());
        figures.count("uptime", self.clock.moment().0);
        figures.count("global_sessions", self.with_sessions(Sessions::len));
        figures.count("local_sessions", self.local_sessions());
        figures.count("digest_mismatches_count", self.digest_mismatches());
        {
            let tree = self.tree.read();
            figures.count("znode_count", tree.node_count());
            figures.count("ephemerals_count", tree.ephemeral_count());
            figures.count("approximate_data_size", tree.data_size());
        }
        self.quotas(figures);
        let watches = self.watches.lock().total();
        figures.count("watch_count", watches);
        figures.count("open_file_descriptor_count", process::open_files());
        figures.count("max_file_descriptor_count", process::max_open_files());
        // A probability, which is no whole number even where it is 0.
        figures.put("connection_drop_probability", Value::Mean(Mean::new(0, 0)));
        self.reply_sizes(figures);
        figures.counter("auth_failed_count", &self.stats.auth_failed);
    }

    fn quotas(&self, figures: &mut Figures) {
        let quotas = quotas::by_namespace(&self.tree.read());
        for (namespace, quota) in quotas {
            let mut put = |what: &str, number| {
                figures.count(&format!("{namespace}_quota_{what}_per_namespace"), number);
            };
            put("count_limit", quota.count_limit);
            put("bytes_limit", quota.bytes_limit);
            put("count_usage", quota.count_used);
            put("bytes_usage", quota.bytes_used);
        }
    }

    /// Sizes are -1 before the first reply.
    fn reply_sizes(&self, figures: &mut Figures) {
        let sizes = self.stats.reply_bytes.summary();
        let last = self.stats.last_reply_bytes.load(Relaxed);
        for (name, size) in [("last", last), ("max", sizes.most), ("min", sizes.least)] {
            let size = if sizes.count == 0 { -1 } else { i64::try_from(size).unwrap_or(i64::MAX) };
            figures.count(&format!("{name}_client_response_size"), size);
        }
    }

    fn counters(&self, figures: &mut Figures) {
        let stats = &self.stats;
        figures.counter("bytes_received_count", &stats.received_bytes);
        figures.counter("connection_rejected", &stats.rejected);
        figures.counter("connection_request_count", &stats.connection_requests);
        figures.counter("sessionless_connections_expired", &stats.sessionless_expired);
        figures.counter("stale_sessions_expired", &stats.sessions_expired);
        figures.counter("watch_bytes", &stats.notice_bytes);
        figures.count("response_bytes", stats.reply_bytes.summary().sum);
        figures.count("sync_processor_request_queued", stats.batch.summary().sum);
        for name in IDLE_COUNTERS {
            figures.count(name, 0);
        }
    }

    fn summaries(&self, figures: &mut Figures) {
        let stats = &self.stats;
        figures.summary("dbinittime", &stats.startup_ms.summary());
        figures.summary("fsynctime", &stats.fsync.summary());
        figures.summary("startup_txns_loaded", &stats.startup_entries.summary());
        figures.summary("sync_processor_batch_size", &stats.batch.summary());
        figures.distribution("readlatency", &stats.read_latency.distribution());
        figures.distribution("updatelatency", &stats.write_latency.distribution());
        for name in IDLE_SUMMARIES {
            figures.summary(name, &Summary::default());
        }
        for name in IDLE_DISTRIBUTIONS {
            figures.distribution(name, &Distribution::default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::recorded;
    use super::*;

    fn lines_of(name: &str) -> String {
        let of_name = |line: &&str| {
            line.split_once('\t').is_some_and(|(key, _)| key.ends_with(&format!("_{name}")))
        };
        recorded::MNTR.lines().filter(of_name).flat_map(|line| [line, "\n"]).collect()
    }

    #[test]
    fn summaries_have_the_layout_of_zookeeper() {
        let mut figures = Figures::default();
        figures.summary("fsynctime", &Summary { count: 6, sum: 4, least: 0, most: 4 });
        assert_eq!(figures.text(), lines_of("fsynctime"));
    }

    #[test]
    fn distributions_have_the_layout_of_zookeeper() {
        let summary = Summary { count: 6, sum: 22, least: 1, most: 9 };
        let mut figures = Figures::default();
        figures.distribution("updatelatency", &Distribution { summary, percentiles: [2, 9, 9, 9] });
        assert_eq!(figures.text(), lines_of("updatelatency"));
    }

    #[test]
    fn other_figures_have_the_layout_of_zookeeper() {
        let mut figures = Figures::default();
        figures.put("server_state", Value::Text("standalone"));
        figures.count("znode_count", 8);
        figures.put("connection_drop_probability", Value::Mean(Mean::new(0, 0)));
        for line in figures.text().lines() {
            assert!(recorded::MNTR.lines().any(|theirs| theirs == line), "{line}");
        }
    }
}
