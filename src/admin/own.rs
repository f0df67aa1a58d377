//! Figures that ZooKeeper does not have: each operation's latency, the stages of a write, the
//! database, who asks most, and the process.
//!
//! Names that ZooKeeper's Java machine has in its place are there with what comes nearest, so that
//! dashboards and alerts made for it show something true.

use super::process::{self, Usage};
use super::registry::{Buckets, Detail, Figures, Value};
use crate::proto::OpCode;
use crate::server::{Counts, Distribution, Shared};
use crate::store::RocksStore;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::Ordering::Relaxed;

/// The powers of two, in microseconds, that latencies are counted up to: from 64 us to 16 s.
const BOUNDS: std::ops::RangeInclusive<u32> = 6..=24;
/// Microseconds in a second.
const MICROS: f64 = 1e6;
/// Addresses of clients that are shown.
const TALKERS: usize = 10;

impl Shared {
    /// Every one of these figures as it is now.
    pub(super) fn own_figures(&self, store: &RocksStore) -> Figures {
        let mut figures = Figures::default();
        self.latencies_by_operation(&mut figures);
        self.stages(&mut figures);
        self.talkers(&mut figures);
        database(store, &mut figures);
        process(&process::usage(), &mut figures);
        figures
    }

    fn latencies_by_operation(&self, figures: &mut Figures) {
        let operations = self.stats.operations.iter().filter(|(_, it)| it.counts().count() > 0);
        let by_operation = operations
            .map(|(op, histogram)| (vec![("op", name(op))], buckets(&histogram.counts())));
        figures.histograms("zabra_request_duration_seconds", by_operation.collect());
    }

    fn stages(&self, figures: &mut Figures) {
        let stages = &self.stats.stages;
        figures.histograms(
            "zabra_fsync_duration_seconds",
            vec![(Vec::new(), buckets(&stages.fsync.counts()))],
        );
        let named = [
            ("waiting", &stages.waiting),
            ("logging", &stages.logging),
            ("agreement", &stages.agreement),
            ("applying", &stages.applying),
        ];
        let named = named.map(|(stage, histogram)| {
            (vec![("stage", stage.to_owned())], buckets(&histogram.counts()))
        });
        figures.histograms("zabra_commit_stage_duration_seconds", named.into());
    }

    /// The addresses whose open connections have asked most.
    fn talkers(&self, figures: &mut Figures) {
        let mut by_address: HashMap<IpAddr, (u64, u64)> = HashMap::new();
        for conn in self.conns.all() {
            let (requests, connections) = by_address.entry(conn.remote.ip()).or_default();
            *requests += conn.stats.received.load(Relaxed);
            *connections += 1;
        }
        let mut all: Vec<_> = by_address.into_iter().collect();
        all.sort_by_key(|(address, (requests, _))| (std::cmp::Reverse(*requests), *address));
        all.truncate(TALKERS);
        let mut put = |name, of: fn(&(u64, u64)) -> u64| {
            let shown = all.iter().map(|(address, counts)| {
                let number = i64::try_from(of(counts)).unwrap_or(i64::MAX);
                (vec![("client", address.to_string())], Value::Whole(number))
            });
            figures.gauges(name, shown.collect());
        };
        put("zabra_top_client_requests", |(requests, _)| *requests);
        put("zabra_top_client_connections", |(_, connections)| *connections);
    }
}

fn database(store: &RocksStore, figures: &mut Figures) {
    let mut by_name: Vec<(&'static str, Vec<(&'static str, u64)>)> = Vec::new();
    for (database, figures) in store.figures() {
        for (name, number) in figures {
            match by_name.iter_mut().find(|(known, _)| *known == name) {
                Some((_, values)) => values.push((database, number)),
                None => by_name.push((name, vec![(database, number)])),
            }
        }
    }
    for (name, values) in by_name {
        let labelled = values.into_iter().map(|(database, number)| {
            let number = i64::try_from(number).unwrap_or(i64::MAX);
            (vec![("database", database.to_owned())], Value::Whole(number))
        });
        figures.gauges(name, labelled.collect());
    }
}

/// What the process takes, under the names that every Prometheus client uses, and under those of
/// the Java machine.
fn process(usage: &Usage, figures: &mut Figures) {
    let Usage { cpu_seconds, started, resident, virtual_size, threads, memory } = *usage;
    let whole = |number: u64| Value::Whole(i64::try_from(number).unwrap_or(i64::MAX));
    figures.counters("process_cpu_seconds_total", vec![(Vec::new(), Value::Real(cpu_seconds))]);
    figures.gauge("process_start_time_seconds", Value::Real(started));
    figures.gauge("process_resident_memory_bytes", whole(resident));
    figures.gauge("process_virtual_memory_bytes", whole(virtual_size));
    figures.whole("process_open_fds", process::open_files());
    figures.whole("process_max_fds", process::max_open_files());
    let heap = |number| vec![(vec![("area", "heap".to_owned())], whole(number))];
    figures.gauges("jvm_memory_bytes_used", heap(resident));
    figures.gauges("jvm_memory_bytes_committed", heap(resident));
    figures.gauges("jvm_memory_bytes_max", heap(memory));
    for name in ["jvm_threads_current", "jvm_threads_peak"] {
        figures.gauge(name, whole(threads));
    }
    for name in ["jvm_threads_daemon", "jvm_threads_deadlocked"] {
        figures.whole(name, 0);
    }
    let never = vec![(vec![("gc", "none".to_owned())], Distribution::default())];
    figures.summaries("jvm_gc_collection_seconds", Detail::Plain, never);
    let labels = ["version", "vendor", "runtime"].map(|label| (label, "none".to_owned()));
    figures.gauges("jvm_info", vec![(labels.into(), Value::Whole(1))]);
}

/// An operation's name as ZooKeeper 3.10 spells it in its metrics.
fn name(op: OpCode) -> String {
    let mut name = String::new();
    for c in format!("{op:?}").chars() {
        if c.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.extend(c.to_lowercase());
    }
    name
}

fn buckets(counts: &Counts) -> Buckets {
    let bounds = BOUNDS.map(|power| 1_u64 << power);
    Buckets {
        counts: bounds.map(|bound| (seconds(bound), counts.below(bound))).collect(),
        count: counts.count(),
        sum: seconds(counts.sum()),
    }
}

#[expect(clippy::cast_precision_loss, reason = "no clock is that precise")]
fn seconds(micros: u64) -> f64 {
    micros as f64 / MICROS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::Operations;

    #[test]
    fn operations_have_names_of_words() {
        let names = [OpCode::Create, OpCode::GetAllChildrenNumber, OpCode::CreateTtl].map(name);
        assert_eq!(names, ["create", "get_all_children_number", "create_ttl"]);
    }

    #[test]
    fn buckets_are_cumulative() {
        let operations = Operations::default();
        let histogram = operations.of(OpCode::Create);
        for micros in [63, 64, 1_000_000, 1 << 30] {
            histogram.add(micros);
        }
        let Buckets { counts, count, sum } = buckets(&histogram.counts());
        assert_eq!((counts.first(), count), (Some(&(0.000_064, 1)), 4));
        assert_eq!(counts.iter().find(|(bound, _)| *bound > 1.0), Some(&(1.048_576, 3)));
        assert_eq!(counts.last(), Some(&(16.777_216, 3)));
        assert!((sum - 1_074.741_951).abs() < 1e-6, "{sum}");
    }
}
