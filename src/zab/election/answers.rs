//! How often one server is answered.
//!
//! Two servers whose configurations differ, as while an ensemble grows node by node, may answer
//! each other's answers without end: one takes the other for a stranger and always answers it; the
//! other answers every vote that is worse than its own. ZooKeeper's servers then keep the line
//! busy. Here each server gets a few answers per interval, more than any election needs.

use crate::types::{Moment, ServerId};
use std::collections::BTreeMap;

/// Answers to one server within an interval.
const MOST: u32 = 20;

/// Who has been answered how often in the interval that began when.
#[derive(Clone, Debug, Default)]
pub(super) struct Answers(BTreeMap<ServerId, (Moment, u32)>);

impl Answers {
    /// Whether a server may be answered once more. Those that have been silent for an interval are
    /// forgotten, so that strangers cannot pile up.
    pub(super) fn allow(&mut self, to: ServerId, now: Moment, interval_ms: u64) -> bool {
        self.0.retain(|_, (begin, _)| now.since(*begin) < interval_ms);
        let (_, count) = self.0.entry(to).or_insert((now, 0));
        *count += 1;
        *count <= MOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_few_per_server_and_interval() {
        let mut answers = Answers::default();
        let mut given =
            |to, at| (0..100).filter(|_| answers.allow(ServerId(to), Moment(at), 200)).count();
        assert_eq!([given(1, 0), given(2, 100), given(1, 199)], [20, 20, 0]);
        assert_eq!([given(1, 200), given(2, 299), given(2, 300)], [20, 0, 20]);
        given(3, 1_000);
        assert_eq!(answers.0.len(), 1);
    }
}
