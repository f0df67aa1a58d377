//! What a run has shown, for people and for programs.

use super::measure::Samples;
use super::process::Usage;
use hdrhistogram::Histogram;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::time::Duration;

/// The result of one workload on one server.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The workload's name.
    pub workload: &'static str,
    /// The connect string.
    pub server: String,
    /// Number of sessions.
    pub sessions: usize,
    /// Requests in flight in each session.
    pub pipeline: usize,
    /// Threads of the load generator.
    pub threads: usize,
    /// Bytes of data in each znode.
    pub size: usize,
    /// Number of znodes.
    pub nodes: usize,
    /// How long was measured, in seconds.
    pub seconds: f64,
    /// Operations that succeeded in that time.
    pub operations: u64,
    /// Those of them that came in one request, as operations of a multi do.
    pub operations_per_request: usize,
    /// Operations per second.
    pub throughput: f64,
    /// How long requests took.
    pub latency: Latency,
    /// Latencies of another kind, under their name.
    #[serde(flatten)]
    pub others: BTreeMap<&'static str, Latency>,
    /// How often each error came.
    pub errors: BTreeMap<String, u64>,
    /// The server's processes.
    pub processes: Vec<ProcessReport>,
    /// The load generator's own time on processors, in processors.
    pub generator_cpus: f64,
}

/// Latencies in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "quantiles are what their names say")]
pub struct Latency {
    pub count: u64,
    pub min: f64,
    pub mean: f64,
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
}

/// What one process has used while it was measured.
#[derive(Clone, Debug, Serialize)]
pub struct ProcessReport {
    /// Its id.
    pub pid: String,
    /// Processors that it kept busy.
    pub cpus: f64,
    /// Its time on processors for each operation, in microseconds.
    pub cpu_micros_per_operation: f64,
    /// Resident memory before, in bytes.
    pub rss_before: u64,
    /// Resident memory after, in bytes.
    pub rss_after: u64,
    /// The most resident memory ever, in bytes.
    pub rss_peak: u64,
}

impl Latency {
    /// Sums up a histogram of nanoseconds.
    pub(super) fn of(histogram: &Histogram<u64>) -> Self {
        let micros = |nanos: u64| round(Duration::from_nanos(nanos).as_secs_f64() * 1e6);
        let quantile = |quantile| micros(histogram.value_at_quantile(quantile));
        Self {
            count: histogram.len(),
            min: if histogram.is_empty() { 0.0 } else { micros(histogram.min()) },
            mean: round(histogram.mean() / 1e3),
            p50: quantile(0.5),
            p90: quantile(0.9),
            p99: quantile(0.99),
            p999: quantile(0.999),
            max: micros(histogram.max()),
        }
    }
}

impl ProcessReport {
    /// Compares two moments.
    pub(super) fn new(
        pid: &str,
        (before, after): (Usage, Usage),
        elapsed: Duration,
        operations: u64,
    ) -> Self {
        let cpu = after.cpu.saturating_sub(before.cpu).as_secs_f64();
        Self {
            pid: pid.to_owned(),
            cpus: round(cpu / elapsed.as_secs_f64()),
            cpu_micros_per_operation: round(cpu * 1e6 / as_f64(operations.max(1))),
            rss_before: before.rss,
            rss_after: after.rss,
            rss_peak: after.peak_rss,
        }
    }
}

impl Report {
    /// Fills in what the samples say.
    pub(super) fn set_samples(
        &mut self,
        samples: &Samples,
        elapsed: Duration,
        other_name: Option<&'static str>,
    ) {
        self.seconds = round(elapsed.as_secs_f64());
        self.operations = samples.latency.len() * self.operations_per_request as u64;
        self.throughput = round(as_f64(self.operations) / elapsed.as_secs_f64());
        self.latency = Latency::of(&samples.latency);
        let others = other_name.map(|name| (name, Latency::of(&samples.others)));
        self.others = others.into_iter().collect();
        self.errors.clone_from(&samples.errors);
    }
}

/// Three digits behind the point say all that was measured.
fn round(number: f64) -> f64 {
    (number * 1e3).round() / 1e3
}

#[expect(clippy::cast_precision_loss, reason = "counts of operations are below 2^52")]
fn as_f64(count: u64) -> f64 {
    count as f64
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { workload, server, sessions, pipeline, threads, size, nodes, .. } = self;
        writeln!(f, "{workload} on {server}")?;
        writeln!(
            f,
            "  load        {sessions} sessions, {pipeline} in flight each, {nodes} znodes of \
             {size} bytes, {threads} threads"
        )?;
        writeln!(
            f,
            "  throughput  {:.1} operations/s ({} in {:.2} s)",
            self.throughput, self.operations, self.seconds
        )?;
        writeln!(f, "  latency     {}", self.latency)?;
        for (name, latency) in &self.others {
            writeln!(f, "  {name:<11} {latency}")?;
        }
        if self.errors.is_empty() {
            writeln!(f, "  errors      none")?;
        }
        for (name, count) in &self.errors {
            writeln!(f, "  errors      {count} x {name}")?;
        }
        for process in &self.processes {
            writeln!(f, "  process     {process}")?;
        }
        writeln!(f, "  generator   {:.2} processors", self.generator_cpus)
    }
}

impl Display for Latency {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (name, micros) in [
            ("p50", self.p50),
            ("p90", self.p90),
            ("p99", self.p99),
            ("p99.9", self.p999),
            ("max", self.max),
        ] {
            write!(f, "{name} {:.3}  ", micros / 1e3)?;
        }
        write!(f, "mean {:.3} ms", self.mean / 1e3)
    }
}

impl Display for ProcessReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        const MIB: u64 = 1 << 20;
        let Self { pid, cpus, cpu_micros_per_operation, .. } = self;
        let [before, after, peak] =
            [self.rss_before, self.rss_after, self.rss_peak].map(|bytes| bytes / MIB);
        write!(
            f,
            "{pid}: {cpus:.2} processors, {cpu_micros_per_operation:.2} us per operation; memory \
             {before} -> {after} MiB, peak {peak}"
        )
    }
}
