//! The log thread: appends what the brain proposes, a batch at a time, each with one sync. In
//! between it does what else must keep its place among the entries.

use super::Shared;
use super::stages::{Passage, micros};
use crate::replica::Input;
use crate::store::{Durability, LogEntry, Meta, Store, StoreError};
use crate::types::{ServerId, Zxid};
use crate::zab::{self, Epochs};
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

/// Entries from which on applying them is left to a thread of its own: handing over costs a lone
/// client more than it gains.
const LARGE_BATCH: usize = 16;

/// A sign that there is something in the inbox.
#[derive(Debug, Default)]
pub(crate) struct Sign {
    state: Mutex<SignState>,
    given: Condvar,
}

#[derive(Debug, Default)]
struct SignState {
    given: bool,
    closed: bool,
}

impl Sign {
    /// Gives it.
    pub(crate) fn give(&self) {
        self.state.lock().given = true;
        self.given.notify_one();
    }

    /// Lets the thread that waits for it end.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.given.notify_one();
    }

    /// Waits for it and takes it; false if there will be none.
    fn take(&self) -> bool {
        let mut state = self.state.lock();
        while !state.given && !state.closed {
            self.given.wait(&mut state);
        }
        std::mem::take(&mut state.given)
    }
}

/// Applies what the log thread leaves, until the sign is closed.
pub(crate) fn apply(shared: &Arc<Shared>) {
    while shared.apply_soon.take() {
        shared.submit(&mut Vec::new());
    }
}

/// What the log thread does besides appending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Remove everything behind this zxid.
    Truncate(Zxid),
    /// Store the epochs.
    SaveEpochs(Epochs),
}

/// Work for the log thread: entries, and orders that stand between them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Batch {
    entries: Vec<LogEntry>,
    /// Each with the number of entries before it.
    orders: Vec<(usize, Order)>,
}

impl Batch {
    /// Adds an entry.
    pub(crate) fn append(&mut self, entry: LogEntry) {
        self.entries.push(entry);
    }

    /// Adds an order.
    pub(crate) fn order(&mut self, order: Order) {
        self.orders.push((self.entries.len(), order));
    }

    /// Whether there is nothing to do.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.orders.is_empty()
    }

    /// Moves all of another batch behind this one.
    fn take_over(&mut self, other: &mut Self) {
        let before = self.entries.len();
        self.entries.append(&mut other.entries);
        self.orders.extend(other.orders.drain(..).map(|(at, order)| (before + at, order)));
    }

    fn clear(&mut self) {
        self.entries.clear();
        self.orders.clear();
    }

    fn bytes(&self) -> usize {
        self.entries.iter().map(|entry| entry.payload.len()).sum()
    }
}

/// Work on its way to the log thread. It is bounded by the requests in work, and by what learners
/// read before they wait.
#[derive(Debug, Default)]
pub(crate) struct LogQueue {
    state: Mutex<State>,
    ready: Condvar,
    /// Payload bytes of the entries that are not durable yet.
    waiting: AtomicUsize,
}

#[derive(Debug, Default)]
struct State {
    batch: Batch,
    /// When the first of it came.
    since: Option<Instant>,
    /// The thread is at what it took last.
    working: bool,
    closed: bool,
}

impl LogQueue {
    /// Adds work, entries in the order of their zxids.
    pub(crate) fn push(&self, batch: &mut Batch) {
        self.waiting.fetch_add(batch.bytes(), Relaxed);
        let mut state = self.state.lock();
        state.since.get_or_insert_with(Instant::now);
        state.batch.take_over(batch);
        drop(state);
        self.ready.notify_one();
    }

    /// Whether everything is done.
    pub(crate) fn is_idle(&self) -> bool {
        let state = self.state.lock();
        state.batch.is_empty() && !state.working
    }

    /// Payload bytes of the entries that are not durable yet.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.waiting.load(Relaxed)
    }

    /// Lets the thread end once everything is written.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.ready.notify_one();
    }

    /// Waits for work and takes all of it; when the first of it came, or none if there will be no
    /// more.
    fn take(&self, batch: &mut Batch) -> Option<Instant> {
        let mut state = self.state.lock();
        while state.batch.is_empty() && !state.closed {
            state.working = false;
            self.ready.wait(&mut state);
        }
        std::mem::swap(&mut state.batch, batch);
        state.working = true;
        state.since.take().filter(|_| !batch.is_empty())
    }
}

/// Runs until the queue is closed or the store fails; then the server stops. `server` is whose
/// data these are, if they are those of a member of an ensemble.
pub(crate) fn run(
    shared: &Arc<Shared>,
    store: &dyn Store,
    durability: Durability,
    server: Option<ServerId>,
) {
    let disk = Disk { shared, store, durability, server };
    let (mut batch, mut done) = (Batch::default(), Vec::new());
    while let Some(queued) = shared.log.take(&mut batch) {
        if let Err(error) = disk.work(&batch, queued, &mut done) {
            shared.stop.fail(format!("the transaction log cannot be written: {error}"));
            return;
        }
        shared.log.waiting.fetch_sub(batch.bytes(), Relaxed);
        let is_small = batch.entries.len() < LARGE_BATCH;
        batch.clear();
        if is_small {
            shared.submit(&mut done);
        } else {
            // The next sync need not wait until so many are applied.
            shared.inbox.lock().append(&mut done);
            shared.apply_soon.give();
        }
    }
}

struct Disk<'a> {
    shared: &'a Shared,
    store: &'a dyn Store,
    durability: Durability,
    server: Option<ServerId>,
}

impl Disk<'_> {
    /// Does what a batch says; `done` is what the brain must hear of it.
    fn work(
        &self,
        batch: &Batch,
        queued: Instant,
        done: &mut Vec<Input>,
    ) -> Result<(), StoreError> {
        let mut at = 0;
        for (before, order) in &batch.orders {
            self.append(&batch.entries[at..*before], queued, done)?;
            at = *before;
            match *order {
                Order::Truncate(last) => {
                    self.shared.passages.clear();
                    self.store.truncate(last)?;
                }
                Order::SaveEpochs(Epochs { accepted, current }) => {
                    self.store.set_meta(&Meta {
                        accepted_epoch: accepted,
                        current_epoch: current,
                        server: self.server,
                    })?;
                    done.push(Input::Quorum(zab::Input::EpochsSaved));
                }
            }
        }
        self.append(&batch.entries[at..], queued, done)
    }

    fn append(
        &self,
        entries: &[LogEntry],
        queued: Instant,
        done: &mut Vec<Input>,
    ) -> Result<(), StoreError> {
        let Some(last) = entries.last() else { return Ok(()) };
        let started = Instant::now();
        self.store.append(entries, self.durability)?;
        let synced = Instant::now();
        let count = entries.len() as u64;
        note_sync(self.shared, micros(started, synced), count);
        let passage = Passage { last: last.zxid, entries: count, queued, started, synced };
        self.shared.passages.push(passage);
        done.push(Input::Quorum(zab::Input::Persisted(last.zxid)));
        Ok(())
    }
}

fn note_sync(shared: &Shared, micros: u64, entries: u64) {
    let millis = micros / 1000;
    shared.stats.stages.fsync.add(micros);
    shared.stats.batch.add(entries);
    if millis > shared.options.sync_warning_ms {
        shared.stats.slow_syncs.fetch_add(1, Relaxed);
        tracing::warn!(
            "syncing {entries} transactions took {millis} ms, over fsync.warningthresholdms={}: \
             is the disk shared or failing?",
            shared.options.sync_warning_ms
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Epoch;

    fn entry(zxid: i64) -> LogEntry {
        LogEntry { zxid: Zxid(zxid), payload: "x".into() }
    }

    #[test]
    fn orders_keep_their_places_among_the_entries() {
        let epochs = Order::SaveEpochs(Epochs { accepted: Epoch(2), current: Epoch(1) });
        let (mut first, mut second) = (Batch::default(), Batch::default());
        first.append(entry(1));
        first.order(epochs);
        first.append(entry(2));
        second.order(Order::Truncate(Zxid(1)));
        second.append(entry(5));
        let queue = LogQueue::default();
        queue.push(&mut first);
        queue.push(&mut second);
        assert!(first.is_empty() && second.is_empty());
        assert_eq!(queue.waiting_bytes(), 3);
        let mut batch = Batch::default();
        assert!(!queue.is_idle());
        assert!(queue.take(&mut batch).is_some());
        assert!(!queue.is_idle());
        let expected = Batch {
            entries: vec![entry(1), entry(2), entry(5)],
            orders: vec![(1, epochs), (2, Order::Truncate(Zxid(1)))],
        };
        assert_eq!(batch, expected);
    }
}
