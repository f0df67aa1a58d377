//! Latencies, counts and errors of a run, and the phases that decide what is counted.

use crate::client::ClientError;
use hdrhistogram::Histogram;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Phase {
    /// Operations are done and not counted.
    Warmup,
    /// Operations are counted.
    Measure,
    /// No further operation begins.
    Stop,
}

/// What all lanes of a run share.
#[derive(Debug)]
pub(super) struct Control {
    phase: AtomicU8,
    /// How many operations may still begin, if their number is limited.
    tickets: Option<AtomicI64>,
    done: AtomicU64,
}

impl Control {
    /// A run in its warmup, with at most this many operations to be counted.
    pub(super) fn new(requests: Option<u64>) -> Self {
        let tickets = requests.map(|count| i64::try_from(count).unwrap_or(i64::MAX));
        Self {
            phase: AtomicU8::new(Phase::Warmup as u8),
            tickets: tickets.map(AtomicI64::new),
            done: AtomicU64::new(0),
        }
    }

    pub(super) fn set_phase(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    pub(super) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Warmup,
            1 => Phase::Measure,
            _ => Phase::Stop,
        }
    }

    /// Asks to begin an operation: `None` if the run is over, else whether it is to be counted.
    pub(super) fn begin(&self) -> Option<Counted> {
        match (self.phase(), &self.tickets) {
            (Phase::Stop, _) => None,
            (Phase::Warmup, Some(_)) => Some(Counted::No),
            (Phase::Measure, Some(tickets)) => {
                (tickets.fetch_sub(1, Ordering::Relaxed) > 0).then_some(Counted::Yes)
            }
            // What counts is when it ends: then each moment of the measurement sees as many
            // operations end as begin.
            (_, None) => Some(Counted::IfDoneInTime),
        }
    }

    /// Whether an operation that has ended now is counted.
    pub(super) fn counts(&self, counted: Counted) -> bool {
        match counted {
            Counted::No => false,
            Counted::Yes => true,
            Counted::IfDoneInTime => self.phase() == Phase::Measure,
        }
    }

    /// Whether time limits the run, and not the number of operations.
    pub(super) const fn is_timed(&self) -> bool {
        self.tickets.is_none()
    }

    pub(super) fn add_done(&self, count: u64) {
        self.done.fetch_add(count, Ordering::Relaxed);
    }

    /// How many operations have been counted so far.
    pub(super) fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }
}

/// Whether an operation is to be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    No,
    Yes,
    IfDoneInTime,
}

/// What one operation has shown.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// The latency that the workload is about.
    pub(super) latency: Duration,
    /// Latencies of another kind that belong to it.
    pub(super) others: Vec<Duration>,
}

/// Latencies in nanoseconds and errors by name.
#[derive(Clone, Debug)]
pub(super) struct Samples {
    pub(super) latency: Histogram<u64>,
    pub(super) others: Histogram<u64>,
    pub(super) errors: BTreeMap<String, u64>,
}

/// Longer latencies are counted as this long.
const MAX_NANOS: u64 = 600_000_000_000;

impl Samples {
    /// No samples yet.
    pub(super) fn new() -> Self {
        let empty = Histogram::new_with_bounds(1, MAX_NANOS, 3);
        let empty = empty.unwrap_or_else(|error| unreachable!("the bounds are right: {error}"));
        Self { latency: empty.clone(), others: empty, errors: BTreeMap::new() }
    }

    fn add(&mut self, result: &Result<Outcome, ClientError>) {
        match result {
            Ok(outcome) => {
                self.latency.saturating_record(nanos(outcome.latency));
                for &other in &outcome.others {
                    self.others.saturating_record(nanos(other));
                }
            }
            Err(error) => *self.errors.entry(name(*error)).or_default() += 1,
        }
    }

    /// Adds another thread's samples.
    pub(super) fn merge(&mut self, other: &Self) {
        // The bounds are the same, so nothing can be out of them.
        let _ = self.latency.add(&other.latency);
        let _ = self.others.add(&other.others);
        for (name, count) in &other.errors {
            *self.errors.entry(name.clone()).or_default() += count;
        }
    }
}

/// The samples of one thread's lanes.
#[derive(Debug)]
pub(super) struct Recorder(Mutex<Samples>);

impl Recorder {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Samples::new()))
    }

    pub(super) fn add(&self, result: &Result<Outcome, ClientError>) {
        self.0.lock().add(result);
    }

    pub(super) fn samples(&self) -> Samples {
        self.0.lock().clone()
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX).max(1)
}

/// An error under the name by which the report counts it.
fn name(error: ClientError) -> String {
    match error {
        ClientError::Api(code) | ClientError::Multi { code, .. } => code.to_string(),
        ClientError::ConnectionLoss(loss) => format!("ConnectionLoss ({loss})"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::ErrorCode;

    #[test]
    fn a_limited_run_counts_as_many_operations_as_it_may() {
        let control = Control::new(Some(2));
        assert_eq!(control.begin(), Some(Counted::No));
        control.set_phase(Phase::Measure);
        assert_eq!(control.begin(), Some(Counted::Yes));
        assert_eq!(control.begin(), Some(Counted::Yes));
        assert_eq!(control.begin(), None);
        assert!(control.counts(Counted::Yes));
    }

    #[test]
    fn a_timed_run_counts_what_ends_in_time() {
        let control = Control::new(None);
        let counted = control.begin().expect("an operation");
        assert!(!control.counts(counted));
        control.set_phase(Phase::Measure);
        assert!(control.counts(counted));
        control.set_phase(Phase::Stop);
        assert!(!control.counts(counted));
        assert_eq!(control.begin(), None);
    }

    #[test]
    fn samples_add_up() {
        let (first, second) = (Recorder::new(), Recorder::new());
        let outcome = |millis| {
            let latency = Duration::from_millis(millis);
            Ok(Outcome { latency, others: vec![latency / 2] })
        };
        first.add(&outcome(1));
        first.add(&Err(ClientError::Api(ErrorCode::NoNode)));
        second.add(&outcome(3));
        second.add(&Err(ClientError::Api(ErrorCode::NoNode)));
        let mut samples = first.samples();
        samples.merge(&second.samples());
        assert_eq!(samples.latency.len(), 2);
        assert_eq!(samples.others.len(), 2);
        assert_eq!(samples.errors.get("NoNode"), Some(&2));
        let median = samples.latency.value_at_quantile(0.5);
        assert!((999_000..=1_001_000).contains(&median));
    }
}
