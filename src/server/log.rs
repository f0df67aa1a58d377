//! The log thread: appends what the brain proposes, a batch at a time, each with one sync.

use super::Shared;
use crate::replica::Input;
use crate::store::{Durability, LogEntry, Store};
use crate::zab;
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
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

/// Entries on their way to the log. They are bounded by the requests in work.
#[derive(Debug, Default)]
pub(crate) struct LogQueue {
    state: Mutex<State>,
    ready: Condvar,
}

#[derive(Debug, Default)]
struct State {
    entries: Vec<LogEntry>,
    closed: bool,
}

impl LogQueue {
    /// Adds entries, in the order of their zxids.
    pub(crate) fn push(&self, entries: &mut Vec<LogEntry>) {
        self.state.lock().entries.append(entries);
        self.ready.notify_one();
    }

    /// Lets the thread end once everything is written.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.ready.notify_one();
    }

    /// Waits for entries and takes all of them; false if there will be none.
    fn take(&self, batch: &mut Vec<LogEntry>) -> bool {
        let mut state = self.state.lock();
        while state.entries.is_empty() && !state.closed {
            self.ready.wait(&mut state);
        }
        std::mem::swap(&mut state.entries, batch);
        !batch.is_empty()
    }
}

/// Runs until the queue is closed or the store fails; then the server stops.
pub(crate) fn run(shared: &Arc<Shared>, store: &dyn Store, durability: Durability) {
    let mut batch = Vec::new();
    while shared.log.take(&mut batch) {
        let start = Instant::now();
        if let Err(error) = store.append(&batch, durability) {
            shared.stop.fail(format!("the transaction log cannot be written: {error}"));
            return;
        }
        let entries = batch.len();
        note_sync(shared, start, entries);
        let last = batch.last().map(|entry| entry.zxid);
        batch.clear();
        if let Some(last) = last {
            let persisted = Input::Quorum(zab::Input::Persisted(last));
            if entries < LARGE_BATCH {
                shared.submit(&mut vec![persisted]);
            } else {
                // The next sync need not wait until so many are applied.
                shared.inbox.lock().push(persisted);
                shared.apply_soon.give();
            }
        }
    }
}

fn note_sync(shared: &Shared, start: Instant, entries: usize) {
    let millis = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    shared.stats.fsync.add(millis);
    shared.stats.batch.add(entries as u64);
    if millis > shared.options.sync_warning_ms {
        shared.stats.slow_syncs.fetch_add(1, Relaxed);
        tracing::warn!(
            "syncing {entries} transactions took {millis} ms, over fsync.warningthresholdms={}: \
             is the disk shared or failing?",
            shared.options.sync_warning_ms
        );
    }
}
