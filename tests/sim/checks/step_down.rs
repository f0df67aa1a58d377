//! \[step down\] A leader that hears of no quorum serves no clients for long.

use super::super::plan::{MS, Plan, Time};

#[derive(Debug)]
pub(crate) struct StepDown {
    /// Since when a leader has been cut off.
    since: Vec<Option<Time>>,
    limit: Time,
}

impl StepDown {
    pub(super) fn new(plan: &Plan) -> Self {
        let ticks = 2 * plan.sync_limit + 5;
        Self { since: vec![None; plan.servers()], limit: ticks * plan.tick_ms * MS }
    }

    /// A server stood still until now: it could not know that it was cut off.
    pub(crate) fn resumed(&mut self, server: usize) {
        self.since[server] = None;
    }

    /// Whether a server serves as a leader now, and is cut off from every quorum.
    pub(crate) fn look(&mut self, now: Time, server: usize, is_cut_off: bool) {
        if !is_cut_off {
            self.since[server] = None;
            return;
        }
        let since = *self.since[server].get_or_insert(now);
        assert!(
            now - since <= self.limit,
            "[step down] s{} has led without a quorum for {} ms",
            server + 1,
            (now - since) / MS
        );
    }
}
