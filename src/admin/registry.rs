//! Figures under ZooKeeper's names, and the texts they make: the word `mntr`, the command `monitor`
//! and the page that Prometheus reads.
//!
//! Knows nothing of where figures come from.

use super::json::Json;
use super::text::Mean;
use crate::server::{Distribution, Percentiles, Summary};
use std::borrow::Cow;
use std::fmt;
use std::fmt::Write;

/// A single value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value {
    /// A whole number.
    Whole(i64),
    /// A mean.
    Mean(Mean),
    /// A number of any kind, such as seconds.
    Real(f64),
    /// Words, which are nothing for Prometheus.
    Text(&'static str),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(number) => write!(f, "{number}"),
            Self::Mean(mean) => write!(f, "{mean}"),
            Self::Real(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl From<Value> for Json {
    fn from(value: Value) -> Self {
        match value {
            Value::Whole(number) => Self::Whole(number),
            Value::Mean(_) | Value::Real(_) => Self::Number(value.to_string()),
            Value::Text(text) => Self::from(text),
        }
    }
}

/// How much of a distribution is shown (ZK: `MetricsContext.DetailLevel`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    /// Without percentiles in `mntr`, and with the median only for Prometheus.
    Basic,
    /// With percentiles.
    Advanced,
    /// With nothing but count and sum for Prometheus.
    Plain,
}

/// Labels of one sample, such as `[("key", "app")]`.
type Labels = Vec<(&'static str, String)>;

/// What a name stands for, with the labels of each sample. Those of ZooKeeper's sets have one,
/// `key`, which is a part of the name elsewhere.
#[derive(Clone, Debug, PartialEq)]
enum Samples {
    /// Goes up and down.
    Gauge(Vec<(Labels, Value)>),
    /// Only goes up, until it is reset.
    Counter(Vec<(Labels, Value)>),
    /// Sums and percentiles.
    Summary(Detail, Vec<(Labels, Distribution)>),
    /// Cumulative counts of seconds by upper bound, and the sum of all.
    Histogram(Vec<(Labels, Buckets)>),
}

/// Counts by upper bounds in seconds.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Buckets {
    /// Upper bound, and how many values are less.
    pub(super) counts: Vec<(f64, u64)>,
    /// How many there are.
    pub(super) count: u64,
    /// Their sum in seconds.
    pub(super) sum: f64,
}

/// One figure, or one set of figures.
#[derive(Clone, Debug, PartialEq)]
struct Family {
    name: Cow<'static, str>,
    samples: Samples,
}

/// All figures, in the order in which they are shown.
#[derive(Debug, Default)]
pub(super) struct Figures {
    families: Vec<Family>,
}

impl Figures {
    fn put(&mut self, name: impl Into<Cow<'static, str>>, samples: Samples) {
        self.families.push(Family { name: name.into(), samples });
    }

    /// Adds something that goes up and down.
    pub(super) fn gauge(&mut self, name: &'static str, value: Value) {
        self.put(name, Samples::Gauge(vec![(Labels::new(), value)]));
    }

    /// Adds a whole number that goes up and down.
    pub(super) fn whole(&mut self, name: &'static str, number: impl TryInto<i64>) {
        self.gauge(name, whole(number));
    }

    /// Adds a gauge for each key of a set.
    pub(super) fn gauges(&mut self, name: &'static str, values: Vec<(Labels, Value)>) {
        self.put(name, Samples::Gauge(values));
    }

    /// Adds a counter.
    pub(super) fn counter(&mut self, name: &'static str, number: impl TryInto<i64>) {
        self.put(name, Samples::Counter(vec![(Labels::new(), whole(number))]));
    }

    /// Adds a counter for each key of a set.
    pub(super) fn counters(&mut self, name: &'static str, values: Vec<(Labels, Value)>) {
        self.put(name, Samples::Counter(values));
    }

    /// Adds a distribution.
    pub(super) fn summary(&mut self, name: &'static str, detail: Detail, of: Distribution) {
        self.put(name, Samples::Summary(detail, vec![(Labels::new(), of)]));
    }

    /// Adds a distribution for each key of a set.
    pub(super) fn summaries(
        &mut self,
        name: &'static str,
        detail: Detail,
        of: Vec<(Labels, Distribution)>,
    ) {
        self.put(name, Samples::Summary(detail, of));
    }

    /// Adds histograms.
    pub(super) fn histograms(&mut self, name: &'static str, of: Vec<(Labels, Buckets)>) {
        self.put(name, Samples::Histogram(of));
    }

    /// Every name that ZooKeeper's default provider shows, with its value.
    fn flat(&self) -> Vec<(String, Value)> {
        let mut flat = Vec::new();
        for Family { name, samples } in &self.families {
            match samples {
                Samples::Gauge(values) | Samples::Counter(values) => {
                    flat.extend(values.iter().map(|(of, value)| (keyed(name, of), *value)));
                }
                Samples::Summary(detail, values) => {
                    for (of, distribution) in values {
                        flatten(&keyed(name, of), *detail, distribution, &mut flat);
                    }
                }
                Samples::Histogram(_) => {}
            }
        }
        flat
    }

    /// The text of the word `mntr`.
    pub(super) fn mntr(&self) -> String {
        let mut text = String::new();
        for (name, value) in self.flat() {
            let _ = writeln!(text, "zk_{name}\t{value}");
        }
        text
    }

    /// What the command `monitor` shows.
    pub(super) fn monitor(&self) -> Vec<(String, Json)> {
        self.flat().into_iter().map(|(name, value)| (name, value.into())).collect()
    }

    /// The page for Prometheus, in its text format 0.0.4. A counter is there twice, with and
    /// without `_total`: ZooKeeper writes it without up to 3.9, and with it from 3.10 on.
    pub(super) fn exposition(&self) -> String {
        let mut page = String::new();
        for Family { name, samples } in &self.families {
            match samples {
                Samples::Gauge(values) => family(&mut page, name, "gauge", values),
                Samples::Counter(values) => {
                    family(&mut page, name, "counter", values);
                    if !name.ends_with("_total") {
                        family(&mut page, &format!("{name}_total"), "counter", values);
                    }
                }
                Samples::Summary(detail, values) => summary(&mut page, name, *detail, values),
                Samples::Histogram(values) => histogram(&mut page, name, values),
            }
        }
        page
    }
}

fn whole(number: impl TryInto<i64>) -> Value {
    Value::Whole(number.try_into().unwrap_or(i64::MAX))
}

/// The name of one of a set: the key stands in front.
fn keyed(name: &str, labels: &Labels) -> String {
    match labels.first() {
        Some((_, key)) => format!("{key}_{name}"),
        None => name.to_owned(),
    }
}

fn flatten(name: &str, detail: Detail, of: &Distribution, flat: &mut Vec<(String, Value)>) {
    let Summary { count, sum, least, most } = of.summary;
    flat.push((format!("avg_{name}"), Value::Mean(Mean::of(&of.summary))));
    for (part, number) in [("min", least), ("max", most), ("cnt", count), ("sum", sum)] {
        flat.push((format!("{part}_{name}"), whole(number)));
    }
    if detail == Detail::Advanced {
        let Percentiles { p50, p95, p99, p999, .. } = of.percentiles.unwrap_or_default();
        for (part, number) in [("p50", p50), ("p95", p95), ("p99", p99), ("p999", p999)] {
            flat.push((format!("{part}_{name}"), whole(number)));
        }
    }
}

fn head(page: &mut String, name: &str, kind: &str) {
    let _ = writeln!(page, "# HELP {name} {name}\n# TYPE {name} {kind}");
}

fn family(page: &mut String, name: &str, kind: &str, values: &[(Labels, Value)]) {
    if values.iter().any(|(_, value)| matches!(value, Value::Text(_))) {
        return;
    }
    head(page, name, kind);
    for (labels, value) in values {
        sample(page, name, labels, &[], value);
    }
}

fn summary(page: &mut String, name: &str, detail: Detail, values: &[(Labels, Distribution)]) {
    head(page, name, "summary");
    for (labels, Distribution { summary, percentiles }) in values {
        let Percentiles { p50, p90, p95, p99, .. } = percentiles.unwrap_or_default();
        let quantiles = [("0.5", p50), ("0.9", p90), ("0.95", p95), ("0.99", p99)];
        let shown = match detail {
            Detail::Plain => 0,
            Detail::Basic => 1,
            Detail::Advanced => quantiles.len(),
        };
        for (quantile, value) in &quantiles[..shown] {
            let value: &dyn fmt::Display = if percentiles.is_some() { value } else { &"NaN" };
            sample(page, name, labels, &[("quantile", *quantile)], value);
        }
        sample(page, &format!("{name}_count"), labels, &[], &summary.count);
        sample(page, &format!("{name}_sum"), labels, &[], &summary.sum);
    }
}

fn histogram(page: &mut String, name: &str, values: &[(Labels, Buckets)]) {
    head(page, name, "histogram");
    let bucket = format!("{name}_bucket");
    for (labels, Buckets { counts, count, sum }) in values {
        for (bound, count) in counts {
            sample(page, &bucket, labels, &[("le", &bound.to_string())], count);
        }
        sample(page, &bucket, labels, &[("le", "+Inf")], count);
        sample(page, &format!("{name}_count"), labels, &[], count);
        sample(page, &format!("{name}_sum"), labels, &[], sum);
    }
}

fn sample(
    page: &mut String,
    name: &str,
    labels: &Labels,
    extra: &[(&str, &str)],
    value: &dyn fmt::Display,
) {
    page.push_str(name);
    let labels = labels.iter().map(|(label, value)| (*label, value.as_str()));
    let all: Vec<_> = labels.chain(extra.iter().copied()).collect();
    for (index, (label, value)) in all.iter().enumerate() {
        let before = if index == 0 { '{' } else { ',' };
        let _ = write!(page, "{before}{label}=\"{}\"", escaped(value));
    }
    let after = if all.is_empty() { "" } else { "}" };
    let _ = writeln!(page, "{after} {value}");
}

/// A label's value as the format wants it.
fn escaped(value: &str) -> Cow<'_, str> {
    if value.contains(['\\', '"', '\n']) {
        value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").into()
    } else {
        value.into()
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

    fn latencies() -> Distribution {
        let summary = Summary { count: 6, sum: 22, least: 1, most: 9 };
        Distribution {
            summary,
            percentiles: Some(Percentiles { p50: 2, p90: 9, p95: 9, p99: 9, p999: 9 }),
        }
    }

    #[test]
    fn summaries_have_the_layout_of_zookeeper() {
        let summary = Summary { count: 6, sum: 4, least: 0, most: 4 };
        let mut figures = Figures::default();
        figures.summary("fsynctime", Detail::Basic, Distribution { summary, ..latencies() });
        assert_eq!(figures.mntr(), lines_of("fsynctime"));
    }

    #[test]
    fn distributions_have_the_layout_of_zookeeper() {
        let mut figures = Figures::default();
        figures.summary("updatelatency", Detail::Advanced, latencies());
        assert_eq!(figures.mntr(), lines_of("updatelatency"));
    }

    #[test]
    fn percentiles_without_latest_values_are_zero() {
        let mut figures = Figures::default();
        let idle = Distribution { percentiles: None, ..latencies() };
        figures.summary("writes", Detail::Advanced, idle);
        let mntr = "zk_avg_writes\t3.6667\nzk_min_writes\t1\nzk_max_writes\t9\nzk_cnt_writes\t6\n\
                    zk_sum_writes\t22\nzk_p50_writes\t0\nzk_p95_writes\t0\nzk_p99_writes\t0\n\
                    zk_p999_writes\t0\n";
        assert_eq!(figures.mntr(), mntr);
    }

    #[test]
    fn other_figures_have_the_layout_of_zookeeper() {
        let mut figures = Figures::default();
        figures.gauge("server_state", Value::Text("standalone"));
        figures.whole("znode_count", 8);
        figures.gauge("connection_drop_probability", Value::Mean(Mean::new(0, 0)));
        for line in figures.mntr().lines() {
            assert!(recorded::MNTR.lines().any(|theirs| theirs == line), "{line}");
        }
    }

    #[test]
    fn a_key_of_a_set_is_a_part_of_the_name_or_a_label() {
        let mut figures = Figures::default();
        let key = vec![("key", "app".to_owned())];
        figures.gauges("quota", vec![(key.clone(), Value::Whole(3))]);
        figures.summaries("writes", Detail::Basic, vec![(key, latencies())]);
        let mntr = "zk_app_quota\t3\nzk_avg_app_writes\t3.6667\nzk_min_app_writes\t1\n\
                    zk_max_app_writes\t9\nzk_cnt_app_writes\t6\nzk_sum_app_writes\t22\n";
        assert_eq!(figures.mntr(), mntr);
        let page = "# HELP quota quota\n# TYPE quota gauge\nquota{key=\"app\"} 3\n\
                    # HELP writes writes\n# TYPE writes summary\n\
                    writes{key=\"app\",quantile=\"0.5\"} 2\n\
                    writes_count{key=\"app\"} 6\nwrites_sum{key=\"app\"} 22\n";
        assert_eq!(figures.exposition(), page);
    }

    #[test]
    fn prometheus_reads_each_kind_of_figure() {
        let mut figures = Figures::default();
        figures.gauge("version", Value::Text("3.9"));
        figures.counter("commit_count", 7);
        figures.summary("idle", Detail::Basic, Distribution { percentiles: None, ..latencies() });
        let buckets = Buckets { counts: vec![(0.064, 2)], count: 3, sum: 1.5 };
        figures.histograms("seconds", vec![(vec![("op", "a\"b".to_owned())], buckets)]);
        let page = "# HELP commit_count commit_count\n# TYPE commit_count counter\ncommit_count 7\n\
             # HELP commit_count_total commit_count_total\n# TYPE commit_count_total counter\n\
             commit_count_total 7\n\
             # HELP idle idle\n# TYPE idle summary\nidle{quantile=\"0.5\"} NaN\nidle_count 6\n\
             idle_sum 22\n\
             # HELP seconds seconds\n# TYPE seconds histogram\n\
             seconds_bucket{op=\"a\\\"b\",le=\"0.064\"} 2\n\
             seconds_bucket{op=\"a\\\"b\",le=\"+Inf\"} 3\n\
             seconds_count{op=\"a\\\"b\"} 3\nseconds_sum{op=\"a\\\"b\"} 1.5\n";
        assert_eq!(figures.exposition(), page);
    }
}
