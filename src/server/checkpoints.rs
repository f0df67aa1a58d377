//! The checkpoint thread: brings the stored tree up to date behind the log, and trims the log.
//!
//! It is never waited for: while it is behind, changed znodes stay marked in the tree, once each
//! however often they change.

use super::Shared;
use crate::store::{Checkpoint, Store, StoreError};
use crate::types::Zxid;
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Checkpoints that may wait.
const MAX_WAITING: usize = 8;
/// The stored tree is made durable after this many changed znodes, so that a restart has little of
/// the log to read.
const FLUSH_AFTER_ZNODES: usize = 100_000;
/// And after this time, if anything changed.
const FLUSH_AFTER: Duration = Duration::from_mins(1);

/// Checkpoints on their way to the store.
#[derive(Debug, Default)]
pub(crate) struct CheckpointQueue {
    state: Mutex<State>,
    ready: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<Checkpoint>,
    closed: bool,
}

impl CheckpointQueue {
    /// Whether another one may be added.
    pub(crate) fn has_room(&self) -> bool {
        self.state.lock().waiting.len() < MAX_WAITING
    }

    /// Adds one.
    pub(crate) fn push(&self, checkpoint: Checkpoint) {
        self.state.lock().waiting.push(checkpoint);
        self.ready.notify_one();
    }

    /// Lets the thread end once everything is written.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.ready.notify_one();
    }

    /// Takes what waits, after at most `patience`; `None` if there will be no more.
    fn take(&self, patience: Duration) -> Option<Vec<Checkpoint>> {
        let mut state = self.state.lock();
        if state.waiting.is_empty() && !state.closed {
            self.ready.wait_for(&mut state, patience);
        }
        if state.waiting.is_empty() && state.closed {
            return None;
        }
        Some(std::mem::take(&mut state.waiting))
    }
}

/// Runs until the queue is closed or the store fails; then the server stops.
pub(crate) fn run(shared: &Arc<Shared>, store: &dyn Store) {
    if let Err(error) = write_all(shared, store) {
        shared.stop.fail(format!("the stored tree cannot be written: {error}"));
    }
}

fn write_all(shared: &Shared, store: &dyn Store) -> Result<(), StoreError> {
    let (mut unflushed, mut flushed_at) = (0, Instant::now());
    while let Some(checkpoints) = shared.checkpoints.take(FLUSH_AFTER) {
        for checkpoint in checkpoints {
            unflushed += checkpoint.znodes.len() + checkpoint.sessions.len();
            store.checkpoint(&checkpoint)?;
        }
        let due = unflushed >= FLUSH_AFTER_ZNODES || flushed_at.elapsed() >= FLUSH_AFTER;
        if due && unflushed > 0 {
            flush(store)?;
            (unflushed, flushed_at) = (0, Instant::now());
        }
    }
    if unflushed > 0 { flush(store) } else { Ok(()) }
}

/// Makes the checkpoints durable and lets go of the log behind them.
fn flush(store: &dyn Store) -> Result<(), StoreError> {
    let safe: Zxid = store.flush()?;
    store.trim(safe.next())?;
    tracing::debug!("the stored tree is durable up to {safe}");
    Ok(())
}
