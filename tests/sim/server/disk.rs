//! The log thread and the checkpoint thread, with a disk that takes time and can fail.

use super::super::broken::Broken;
use super::super::plan::{MS, Time};
use super::super::queue::{Event, Life};
use super::super::world::World;
use std::collections::VecDeque;
use zabra::replica::Input;
use zabra::store::{Checkpoint, Crash, Durability, LogEntry, Meta, Store, StoreError};
use zabra::types::Zxid;
use zabra::zab::{self, Epochs};

/// Checkpoints that may wait.
pub(crate) const MAX_CHECKPOINTS: usize = 8;

/// Something for the log thread.
#[derive(Clone, Debug)]
pub(crate) enum LogJob {
    Append(LogEntry),
    Truncate(Zxid),
    SaveEpochs(Epochs),
}

/// What waits for the disk.
#[derive(Default)]
pub(crate) struct Disk {
    /// What the log thread has not taken.
    pub(crate) log: VecDeque<LogJob>,
    /// What it is at.
    pub(crate) batch: Option<Vec<LogJob>>,
    pub(crate) checkpoints: VecDeque<Checkpoint>,
    pub(crate) is_checkpointing: bool,
    /// How many times slower it is than usual.
    pub(crate) slowness: u64,
}

impl Disk {
    pub(crate) fn log_is_idle(&self) -> bool {
        self.log.is_empty() && self.batch.is_none()
    }
}

impl World {
    /// The log thread takes what there is, if it has nothing else to do.
    pub(crate) fn start_log(&mut self, server: usize) {
        let disk = &mut self.servers[server].disk;
        if disk.batch.is_some() || disk.log.is_empty() {
            return;
        }
        disk.batch = Some(disk.log.drain(..).collect());
        let delay = self.disk_delay(server);
        let who = self.servers[server].life();
        self.after(delay, Event::LogDone(who));
    }

    /// Microseconds that a disk takes now. However slow it is, it comes to an end.
    pub(super) fn disk_delay(&mut self, server: usize) -> Time {
        let slowness = self.servers[server].disk.slowness.max(1);
        let longest = self.plan.tick_ms * MS * 20;
        (self.random.delay(self.plan.disk) * slowness).min(longest)
    }

    /// A batch has been written: one sync for appends that follow each other.
    pub(crate) fn log_done(&mut self, who: Life) {
        let server = who.server;
        let batch = self.servers[server].disk.batch.take().expect("a batch is being written");
        let mut jobs = &batch[..];
        while !jobs.is_empty() {
            let done = leading_appends(jobs).max(1);
            let (now, later) = jobs.split_at(done);
            jobs = later;
            match self.write(server, now, Durability::Synced) {
                Ok(Some(input)) => self.input(server, Input::Quorum(input)),
                Ok(None) => {}
                Err(error) => {
                    self.trace.note(|| format!("{} s{}: {error}", self.now, server + 1));
                    let is_failure = matches!(error, StoreError::Io { .. });
                    assert!(is_failure, "[logs] s{}: {error}", server + 1);
                    self.coverage.note("disk failure");
                    self.crash(server);
                    return;
                }
            }
        }
        self.start_log(server);
        self.poke_install(server);
    }

    /// Writes appends that follow each other, or one job of another kind.
    fn write(
        &mut self,
        server: usize,
        jobs: &[LogJob],
        durability: Durability,
    ) -> Result<Option<zab::Input>, StoreError> {
        let store = &self.servers[server].store;
        let is_synced = durability == Durability::Synced;
        match &jobs[0] {
            LogJob::Append(_) => {
                let entries: Vec<_> = jobs.iter().filter_map(entry_of).collect();
                store.append(&entries, durability)?;
                let last = entries.last().map(|entry| entry.zxid);
                if is_synced {
                    self.checks.appended_durably(server, &entries);
                }
                Ok(last.map(zab::Input::Persisted))
            }
            LogJob::Truncate(last) => {
                if self.plan.broken == Some(Broken::TruncSkipped) {
                    return Ok(None);
                }
                self.checks.disks.truncating(server, *last);
                store.truncate(*last)?;
                self.coverage.note("truncated");
                self.checks.truncated_durably(server, *last);
                Ok(None)
            }
            LogJob::SaveEpochs(epochs) => {
                let Epochs { accepted, current } = *epochs;
                let id = self.servers[server].id();
                let meta =
                    Meta { accepted_epoch: accepted, current_epoch: current, server: Some(id) };
                store.set_meta(&meta)?;
                self.checks.epochs_durably(server, *epochs);
                Ok(Some(zab::Input::EpochsSaved))
            }
        }
    }

    /// Whether what has been handed to the log of a broken server is called durable.
    pub(super) fn says_durable_early(&self, server: usize) -> bool {
        let running = self.servers[server].running.as_ref();
        let is_at_work = running.is_some_and(|running| running.replica.is_serving());
        match self.plan.broken {
            Some(Broken::AckBeforeSync) => true,
            Some(Broken::EpochBeforeLog) => !is_at_work,
            _ => false,
        }
    }

    /// A broken server stores its epochs while the log before them is on its way.
    pub(super) fn save_epochs_at_once(&mut self, server: usize, epochs: Epochs) {
        let saved = self.write(server, &[LogJob::SaveEpochs(epochs)], Durability::Synced);
        if let Ok(Some(input)) = saved {
            self.input(server, Input::Quorum(input));
        }
    }

    /// Leaves on the disk what a crash finds there: a part of what was being written.
    pub(crate) fn crash_disk(&mut self, server: usize) {
        let disk = std::mem::take(&mut self.servers[server].disk);
        let batch = disk.batch.unwrap_or_default();
        let written = self.random.below(batch.len() + 1);
        let mut jobs = &batch[..written];
        while !jobs.is_empty() {
            let done = leading_appends(jobs).max(1);
            let (now, later) = jobs.split_at(done);
            jobs = later;
            // The last appends are on their way to the disk.
            let synced = if later.is_empty() { Durability::Unsynced } else { Durability::Synced };
            if self.write(server, now, synced).is_err() {
                break;
            }
        }
        if self.random.one_in(2)
            && let Some(checkpoint) = disk.checkpoints.front()
            && disk.is_checkpointing
        {
            // A failed disk takes nothing; then nothing is there.
            let _ = self.servers[server].store.checkpoint(checkpoint);
        }
        let store = &self.servers[server].store;
        let (log_writes, checkpoints) = store.unsynced();
        let crash = Crash {
            log_writes: self.random.below(log_writes + 1),
            torn_entries: self.random.below(written + 1),
            checkpoints: self.random.below(checkpoints + 1),
        };
        if crash.log_writes < log_writes {
            self.coverage.note("crash that lost entries");
        }
        if crash.checkpoints < checkpoints {
            self.coverage.note("crash that lost checkpoints");
        }
        store.crash(crash);
    }

    /// Hands over a checkpoint.
    pub(crate) fn push_checkpoint(&mut self, server: usize, checkpoint: Checkpoint) {
        self.servers[server].disk.checkpoints.push_back(checkpoint);
        self.start_checkpoint(server);
    }

    fn start_checkpoint(&mut self, server: usize) {
        let disk = &mut self.servers[server].disk;
        if disk.is_checkpointing || disk.checkpoints.is_empty() {
            return;
        }
        disk.is_checkpointing = true;
        let delay = self.disk_delay(server);
        let who = self.servers[server].life();
        self.after(delay, Event::CheckpointDone(who));
    }

    pub(crate) fn checkpoint_done(&mut self, who: Life) {
        let server = who.server;
        let disk = &mut self.servers[server].disk;
        disk.is_checkpointing = false;
        let checkpoint = disk.checkpoints.pop_front().expect("one is being written");
        let result = self.servers[server].store.checkpoint(&checkpoint);
        if result.and_then(|()| self.perhaps_flush(server)).is_err() {
            self.coverage.note("disk failure");
            self.crash(server);
            return;
        }
        self.start_checkpoint(server);
        self.poke_install(server);
    }

    fn perhaps_flush(&mut self, server: usize) -> Result<(), StoreError> {
        if !self.random.one_in(self.plan.flush_one_in) {
            return Ok(());
        }
        let store = &self.servers[server].store;
        let safe = store.flush()?;
        let kept = i64::try_from(self.plan.retention).expect("a small number");
        let keep_from = Zxid((safe.0 + 1 - kept).max(0));
        self.coverage.note("flushed");
        store.trim(keep_from)
    }
}

fn leading_appends(jobs: &[LogJob]) -> usize {
    jobs.iter().take_while(|job| matches!(job, LogJob::Append(_))).count()
}

fn entry_of(job: &LogJob) -> Option<LogEntry> {
    match job {
        LogJob::Append(entry) => Some(entry.clone()),
        LogJob::Truncate(_) | LogJob::SaveEpochs(_) => None,
    }
}
