//! What a learner lacks, and how it gets that (ZK: `LearnerHandler.syncFollower`).

use super::{Leader, Learner, Means, Progress, Stage};
use crate::types::{LinkId, Zxid};
use crate::zab::journal::{Entry, Journal};
use crate::zab::member::Core;
use crate::zab::packet::{self, start_of};
use crate::zab::{Action, LinkError, Output};
use bytes::Bytes;

/// Bytes of the log that are read for a learner at a time.
const READ_BYTES: usize = 1 << 20;

/// How a learner is brought up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::zab) enum Choice {
    /// It gets what lies behind this zxid, the end of its log.
    Diff(Zxid),
    /// It cuts its log there and gets what lies behind.
    Trunc(Zxid),
    /// The log on disk has to say whether its end is known.
    LookInLog,
    /// It gets the whole tree.
    Snap,
}

/// Chooses for a learner whose log ends with `last`; everything up to `horizon` is decided, and
/// `history` was the end of this leader's log when it was elected.
///
/// A learner may name the first zxid of an epoch, which no transaction has: it then has what the
/// leader of that epoch started from, and that is a part of every later leader's log.
pub(in crate::zab) fn choose(
    journal: &Journal,
    horizon: Zxid,
    history: Zxid,
    last: Zxid,
) -> Choice {
    if last == horizon {
        Choice::Diff(last)
    } else if last > horizon {
        // What lies behind the horizon may be in this log too, but not decided. It is sent again:
        // no acknowledgement of it counts that was given before.
        if last.counter() == 0 { Choice::Diff(horizon) } else { Choice::Trunc(horizon) }
    } else if last < journal.base() {
        Choice::LookInLog
    } else if journal.knows(last) || last.counter() == 0 {
        Choice::Diff(last)
    } else {
        // It has the end of an epoch that its leader never got decided. ZooKeeper cuts nothing
        // across epochs and sends the tree. A tree that lags behind its log must not be sent: it
        // would take from the learner's disk what is decided. Its log agrees with this one up to
        // the last transaction here that is not behind `last`: an epoch in which anything was
        // proposed began with a log that every later leader has.
        match journal.last_before(last) {
            Some(common) if journal.applied() < history => Choice::Trunc(common),
            _ => Choice::Snap,
        }
    }
}

impl Leader {
    /// Everything up to here is decided, or will be once a quorum has this leader's log.
    fn horizon(&self, core: &Core) -> Zxid {
        if self.stage == Stage::Leading { core.journal.committed() } else { self.history }
    }

    /// Begins to bring a learner up to date.
    pub(super) fn begin_sync(
        &mut self,
        link: LinkId,
        last: Zxid,
        core: &Core,
        out: &mut Vec<Output>,
    ) {
        // Nothing may take from a learner's disk what lies beyond the tree: it may be decided.
        if core.options.force_snapshot && core.journal.applied() >= last {
            return self.send_snapshot(link, core, out);
        }
        let horizon = self.horizon(core);
        // An observer has only what is decided of this epoch; here that is not known yet.
        if self.is_relay() && last > horizon && last.epoch() == self.epoch && last.counter() > 0 {
            return self.set_progress(link, Progress::Promised(last));
        }
        match choose(&core.journal, horizon, self.history, last) {
            Choice::Diff(from) if self.may_send(link, Means::Log, core, out) => {
                out.push(Output::Do(Action::Send(link, packet::bare(packet::DIFF, horizon))));
                self.send_from(link, from, core, out);
            }
            Choice::Trunc(to) if self.may_send(link, Means::Log, core, out) => {
                out.push(Output::Do(Action::Send(link, packet::bare(packet::TRUNC, to))));
                self.send_from(link, to, core, out);
            }
            Choice::Diff(_) | Choice::Trunc(_) => {}
            Choice::LookInLog => {
                self.set_progress(link, Progress::Choosing(last));
                read_log(link, last, Some(core.journal.last()), out);
            }
            Choice::Snap => self.send_snapshot(link, core, out),
        }
    }

    /// Whether one more learner can be brought up to date like this. An observer that would be one
    /// too many is turned away, and comes again (ZK: `LearnerSyncThrottler`).
    fn may_send(&mut self, link: LinkId, means: Means, core: &Core, out: &mut Vec<Output>) -> bool {
        let limit = match means {
            Means::Log => core.options.max_diff_syncs,
            Means::Tree => core.options.max_snapshot_syncs,
        };
        let is_served = |it: &&Learner| it.means == Some(means) && !it.is_synced();
        let served = self.learners.values().filter(is_served).count();
        let Some(learner) = self.learners.get_mut(&link) else { return false };
        if !learner.follows() && served >= limit {
            self.drop_learner(link, LinkError::Busy(served), out);
            return false;
        }
        learner.means = Some(means);
        true
    }

    fn send_snapshot(&mut self, link: LinkId, core: &Core, out: &mut Vec<Output>) {
        if !self.may_send(link, Means::Tree, core, out) {
            return;
        }
        self.set_progress(link, Progress::Snapshot);
        out.push(Output::Do(Action::SendSnapshot(link)));
    }

    /// A snapshot has been sent.
    pub(in crate::zab) fn snapshot_sent(
        &mut self,
        link: LinkId,
        zxid: Zxid,
        core: &Core,
        out: &mut Vec<Output>,
    ) {
        if self.progress(link) == Some(Progress::Snapshot) {
            self.send_from(link, zxid, core, out);
        }
    }

    /// The log has been read.
    pub(in crate::zab) fn log_read(
        &mut self,
        link: LinkId,
        entries: Option<Vec<(Zxid, Bytes)>>,
        core: &Core,
        out: &mut Vec<Output>,
    ) {
        match (self.progress(link), entries) {
            (Some(Progress::Choosing(last)), Some(entries)) => {
                let first = entries.first().map(|(zxid, _)| *zxid);
                let known = first == Some(last) || (last.counter() == 0 && last != Zxid::ZERO);
                if !known {
                    return self.send_snapshot(link, core, out);
                }
                if !self.may_send(link, Means::Log, core, out) {
                    return;
                }
                let horizon = self.horizon(core);
                out.push(Output::Do(Action::Send(link, packet::bare(packet::DIFF, horizon))));
                let skip = usize::from(first == Some(last));
                self.send_read(link, last, &entries[skip..], core, out);
            }
            (Some(Progress::Choosing(_)), None) => self.send_snapshot(link, core, out),
            (Some(Progress::Reading(from)), Some(entries)) => {
                self.send_read(link, from, &entries, core, out);
            }
            (Some(Progress::Reading(_)), None) => self.drop_learner(link, LinkError::TooSlow, out),
            _ => {}
        }
    }

    /// Sends what was read from the log, as far as it is decided, and goes on.
    fn send_read(
        &mut self,
        link: LinkId,
        from: Zxid,
        entries: &[(Zxid, Bytes)],
        core: &Core,
        out: &mut Vec<Output>,
    ) {
        let horizon = self.horizon(core);
        let mut sent = from;
        for (zxid, payload) in entries.iter().take_while(|(zxid, _)| *zxid <= horizon) {
            send_decided(link, *zxid, payload, out);
            sent = *zxid;
        }
        if sent == from && from < core.journal.base() {
            // The log ends before what is kept in memory begins: that cannot be.
            return self.drop_learner(link, LinkError::TooSlow, out);
        }
        self.send_from(link, sent, core, out);
    }

    /// Sends what lies behind a zxid: from disk as long as it must be, then from memory, and from
    /// then on everything that is proposed.
    fn send_from(&mut self, link: LinkId, from: Zxid, core: &Core, out: &mut Vec<Output>) {
        if from < core.journal.base() {
            self.set_progress(link, Progress::Reading(from));
            return read_log(link, from.next(), None, out);
        }
        let horizon = self.horizon(core);
        let Some(learner) = self.learners.get_mut(&link) else { return };
        learner.progress = Progress::Forwarding;
        learner.decided = horizon;
        let follows = learner.follows();
        for Entry { zxid, payload } in core.journal.after(from) {
            if *zxid <= horizon {
                send_decided(link, *zxid, payload, out);
            } else if follows {
                out.push(Output::Do(Action::Send(link, proposal(*zxid, payload))));
            }
        }
        let new_leader = packet::with_data(
            packet::NEW_LEADER,
            start_of(self.epoch),
            core.options.config.clone(),
        );
        out.push(Output::Do(Action::Send(link, new_leader)));
    }

    fn progress(&self, link: LinkId) -> Option<Progress> {
        self.learners.get(&link).map(|learner| learner.progress)
    }

    fn set_progress(&mut self, link: LinkId, progress: Progress) {
        if let Some(learner) = self.learners.get_mut(&link) {
            learner.progress = progress;
        }
    }
}

fn read_log(link: LinkId, from: Zxid, weigh_to: Option<Zxid>, out: &mut Vec<Output>) {
    out.push(Output::Do(Action::ReadLog { link, from, max_bytes: READ_BYTES, weigh_to }));
}

/// A PROPOSAL.
pub(super) fn proposal(zxid: Zxid, payload: &Bytes) -> jute::quorum::QuorumPacket {
    packet::with_data(packet::PROPOSAL, zxid, payload.clone())
}

fn send_decided(link: LinkId, zxid: Zxid, payload: &Bytes, out: &mut Vec<Output>) {
    out.push(Output::Do(Action::Send(link, proposal(zxid, payload))));
    out.push(Output::Do(Action::Send(link, packet::bare(packet::COMMIT, zxid))));
}
