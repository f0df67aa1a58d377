//! The checkpoint thread: brings the stored tree up to date behind the log, and trims the log.
//!
//! It is the only one that writes the stored tree, so what is given to it is written in that order,
//! images from other servers included. The brain never waits for it: while it is behind, changed
//! znodes stay marked in the tree, once each however often they change.

use super::Shared;
use crate::store::{Checkpoint, Store, StoreError};
use crate::types::Zxid;
use parking_lot::{Condvar, Mutex};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Notify, oneshot};

/// Checkpoints that may wait.
const MAX_WAITING: usize = 8;
/// The stored tree is made durable after this many changed znodes, so that a restart has little of
/// the log to read.
const FLUSH_AFTER_ZNODES: usize = 100_000;
/// And after this time, if anything changed.
const FLUSH_AFTER: Duration = Duration::from_mins(1);

/// The end of the log that is kept for learners that come back, so that they need no image of the
/// tree: so many entries, or so many bytes if those are fewer.
const KEPT_ENTRIES: u64 = 200_000;
const KEPT_BYTES: u64 = 64 << 20;

/// The server cannot go on, or is at its end, so that nothing is stored any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server is stopping")]
pub(crate) struct Stopping;

/// Checkpoints on their way to the store.
#[derive(Debug, Default)]
pub(crate) struct CheckpointQueue {
    state: Mutex<State>,
    ready: Condvar,
    /// Wakes who waits for room.
    room: Notify,
    pins: Arc<Mutex<Pins>>,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Work>,
    /// Whether what is in memory is no tree to store.
    suspended: bool,
    closed: bool,
    /// Nobody takes anything any more.
    ended: bool,
}

#[derive(Debug)]
enum Work {
    Write(Checkpoint),
    /// Tell that everything before has been written.
    Tell(oneshot::Sender<()>),
}

/// What must stay in the log for those who are about to read it.
#[derive(Debug, Default)]
struct Pins {
    newest: u64,
    /// The first entry of each that must stay.
    from: BTreeMap<u64, Zxid>,
}

/// Keeps the end of the log from being trimmed, until it is dropped.
#[derive(Debug)]
pub(crate) struct LogPin {
    pins: Arc<Mutex<Pins>>,
    number: u64,
}

impl LogPin {
    /// Lets go of the entries before this one.
    pub(crate) fn advance(&self, from: Zxid) {
        self.pins.lock().from.insert(self.number, from);
    }
}

impl Drop for LogPin {
    fn drop(&mut self) {
        self.pins.lock().from.remove(&self.number);
    }
}

impl CheckpointQueue {
    /// Whether another one may be added.
    pub(crate) fn has_room(&self) -> bool {
        let state = self.state.lock();
        !state.suspended && state.waiting.len() < MAX_WAITING
    }

    /// Adds a checkpoint of the tree in memory.
    pub(crate) fn push(&self, checkpoint: Checkpoint) {
        let mut state = self.state.lock();
        if !state.suspended {
            state.waiting.push_back(Work::Write(checkpoint));
            self.ready.notify_one();
        }
    }

    /// Adds a part of another tree than the one in memory, once there is room.
    ///
    /// # Errors
    /// Nothing is written any more.
    pub(crate) async fn push_part(&self, part: Checkpoint) -> Result<(), Stopping> {
        loop {
            // Made before the look, so that no call is missed.
            let room = self.room.notified();
            {
                let mut state = self.state.lock();
                if state.ended {
                    return Err(Stopping);
                }
                if state.waiting.len() < MAX_WAITING {
                    state.waiting.push_back(Work::Write(part));
                    self.ready.notify_one();
                    return Ok(());
                }
            }
            room.await;
        }
    }

    /// Resolves when everything that was added so far has been written, or fails when it never
    /// will be.
    pub(crate) fn written(&self) -> oneshot::Receiver<()> {
        let (tell, told) = oneshot::channel();
        let mut state = self.state.lock();
        if !state.ended {
            state.waiting.push_back(Work::Tell(tell));
            self.ready.notify_one();
        }
        told
    }

    /// Takes no checkpoints of the tree in memory from now on: it is about to be replaced.
    pub(crate) fn suspend(&self) {
        self.state.lock().suspended = true;
    }

    /// Takes them again: the tree in memory is what is stored.
    pub(crate) fn resume(&self) {
        self.state.lock().suspended = false;
    }

    /// Keeps the log as it is now from being trimmed.
    pub(crate) fn pin_log(&self) -> LogPin {
        let mut pins = self.pins.lock();
        pins.newest += 1;
        let number = pins.newest;
        pins.from.insert(number, Zxid::ZERO);
        LogPin { pins: Arc::clone(&self.pins), number }
    }

    /// Lets the thread end once everything is written.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.ready.notify_one();
    }

    /// Takes what waits, after at most `patience`; `None` if there will be no more.
    fn take(&self, patience: Duration) -> Option<VecDeque<Work>> {
        let mut state = self.state.lock();
        if state.waiting.is_empty() && !state.closed {
            self.ready.wait_for(&mut state, patience);
        }
        if state.waiting.is_empty() && state.closed {
            return None;
        }
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        self.room.notify_waiters();
        Some(waiting)
    }

    /// Lets nobody wait for what will not be done.
    fn end(&self) {
        let mut state = self.state.lock();
        state.ended = true;
        state.waiting.clear();
        drop(state);
        self.room.notify_waiters();
    }
}

/// Runs until the queue is closed or the store fails; then the server stops.
pub(crate) fn run(shared: &Arc<Shared>, store: &dyn Store) {
    if let Err(error) = serve(&shared.checkpoints, store) {
        shared.stop.fail(format!("the stored tree cannot be written: {error}"));
    }
}

/// Writes what is given to the queue, until that is closed.
pub(super) fn serve(queue: &CheckpointQueue, store: &dyn Store) -> Result<(), StoreError> {
    let written = write_all(queue, store);
    queue.end();
    written
}

fn write_all(queue: &CheckpointQueue, store: &dyn Store) -> Result<(), StoreError> {
    let (mut unflushed, mut flushed_at) = (0, Instant::now());
    while let Some(waiting) = queue.take(FLUSH_AFTER) {
        for work in waiting {
            match work {
                Work::Write(checkpoint) => {
                    unflushed += checkpoint.znodes.len() + checkpoint.sessions.len();
                    store.checkpoint(&checkpoint)?;
                }
                // If nobody waits for it any more, so be it.
                Work::Tell(tell) => drop(tell.send(())),
            }
        }
        let due = unflushed >= FLUSH_AFTER_ZNODES || flushed_at.elapsed() >= FLUSH_AFTER;
        if due && unflushed > 0 {
            flush(queue, store)?;
            (unflushed, flushed_at) = (0, Instant::now());
        }
    }
    if unflushed > 0 { flush(queue, store) } else { Ok(()) }
}

/// Makes the checkpoints durable and lets go of the log that neither this server nor a learner
/// needs any more.
fn flush(queue: &CheckpointQueue, store: &dyn Store) -> Result<(), StoreError> {
    let safe = store.flush()?;
    let tail = store.tail(KEPT_ENTRIES, KEPT_BYTES)?;
    let pinned = queue.pins.lock().from.values().copied().min();
    let keep_from = safe.next().min(tail).min(pinned.unwrap_or(tail));
    store.trim(keep_from)?;
    tracing::debug!("the stored tree is durable up to {safe}, the log begins at {keep_from}");
    Ok(())
}
