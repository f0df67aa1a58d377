//! When sessions are due: buckets one tick wide, each a list of sessions (ZK: `ExpiryQueue`).
//!
//! The links lie here, one record per session that can expire, so moving a session to a later
//! bucket touches its neighbours alone and allocates nothing. Buckets exist while they hold
//! somebody: at most the longest timeout divided by the tick while all clocks run.

use crate::types::{Map, Moment, SessionId};
use std::collections::BTreeMap;

/// Sessions by the moment at which they expire.
#[derive(Debug)]
pub(super) struct ExpiryQueue {
    tick_ms: u64,
    places: Map<SessionId, Place>,
    /// The first session of each bucket; no bucket is empty.
    buckets: BTreeMap<Moment, SessionId>,
}

/// Where a session stands in the queue.
#[derive(Clone, Copy, Debug)]
struct Place {
    due: Moment,
    previous: Option<SessionId>,
    next: Option<SessionId>,
}

impl ExpiryQueue {
    pub(super) fn new(tick_ms: u64) -> Self {
        assert!(tick_ms > 0, "a tick lasts at least one millisecond");
        Self { tick_ms, places: Map::default(), buckets: BTreeMap::new() }
    }

    /// Sets a session's timeout going again. It expires at the first tick boundary that lies
    /// behind `now + timeout_ms`.
    pub(super) fn renew(&mut self, id: SessionId, timeout_ms: i32, now: Moment) {
        let due = self.bucket_of(now.plus(u64::try_from(timeout_ms).unwrap_or(0)));
        if self.places.get(&id).is_some_and(|place| place.due == due) {
            return;
        }
        self.remove(id);
        let next = self.buckets.insert(due, id);
        if let Some(next) = next {
            self.place_mut(next).previous = Some(id);
        }
        self.places.insert(id, Place { due, previous: None, next });
    }

    /// Takes a session out; without effect if it is not in.
    pub(super) fn remove(&mut self, id: SessionId) {
        let Some(Place { due, previous, next }) = self.places.remove(&id) else { return };
        if let Some(next) = next {
            self.place_mut(next).previous = previous;
        }
        match (previous, next) {
            (Some(previous), _) => self.place_mut(previous).next = next,
            (None, Some(next)) => _ = self.buckets.insert(due, next),
            (None, None) => _ = self.buckets.remove(&due),
        }
    }

    /// Takes out every session that is due, sorted by id.
    pub(super) fn take_due(&mut self, now: Moment) -> Vec<SessionId> {
        let mut due = Vec::new();
        while let Some(bucket) = self.buckets.first_entry().filter(|bucket| *bucket.key() <= now) {
            let mut next = Some(bucket.remove());
            while let Some(id) = next {
                due.push(id);
                next = self.places.remove(&id).and_then(|place| place.next);
            }
        }
        due.sort_unstable();
        due
    }

    /// The earliest moment at which a session is due.
    pub(super) fn next_due(&self) -> Option<Moment> {
        self.buckets.keys().next().copied()
    }

    /// The buckets in the order of time, each with its sessions sorted by id.
    pub(super) fn buckets(&self) -> Vec<(Moment, Vec<SessionId>)> {
        self.buckets.iter().map(|(due, first)| (*due, self.sorted_from(*first))).collect()
    }

    fn sorted_from(&self, first: SessionId) -> Vec<SessionId> {
        let next_of = |id: &SessionId| self.places.get(id).and_then(|place| place.next);
        let mut ids: Vec<_> = std::iter::successors(Some(first), next_of).collect();
        ids.sort_unstable();
        ids
    }

    fn bucket_of(&self, moment: Moment) -> Moment {
        Moment(moment.0 - moment.0 % self.tick_ms).plus(self.tick_ms)
    }

    fn place_mut(&mut self, id: SessionId) -> &mut Place {
        self.places.get_mut(&id).expect("links lead to sessions in the queue")
    }
}
