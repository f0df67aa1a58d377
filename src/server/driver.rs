//! Drives the brain: takes inputs from everywhere, runs them in batches, carries out the effects.
//!
//! There is no thread of its own for it. Whoever has inputs puts them into the inbox and, if nobody
//! is at it already, runs the brain until the inbox is empty. A write thus crosses two threads: the
//! connection's, up to the log, and the log's, from there to the reply.

use super::accounting::zxid_of;
use super::log::Order;
use super::outbox::Closing;
use super::stages::{Applying, micros};
use super::{Brain, Shared};
use crate::replica::{Access, DigestMismatch, Effect, Input};
use crate::store::{Checkpoint, CheckpointKind, LogEntry};
use crate::tree::Tree;
use crate::types::{ConnId, Moment, Now, SessionId, Zxid};
use crate::zab::{Action, Role};
use jute::disk::TreeMark;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use super::conns::Conn;

/// Changed znodes after which a checkpoint is worth its while.
const CHECKPOINT_ZNODES: usize = 1024;
/// Connections that are sent to at once, not by their tasks.
const DIRECT_SENDS: usize = 2;
/// Milliseconds after which a checkpoint is made of fewer.
const CHECKPOINT_MS: u64 = 1000;

impl Shared {
    /// Hands inputs to the brain, in their order.
    pub(crate) fn submit(&self, inputs: &mut Vec<Input>) {
        self.inbox.lock().append(inputs);
        while !self.inbox.lock().is_empty() {
            // Whoever holds the brain looks into the inbox again once it has let go.
            let Some(mut brain) = self.brain.try_lock() else { return };
            self.run(&mut brain);
        }
    }

    pub(super) fn run(&self, brain: &mut Brain) {
        loop {
            let mut inputs = std::mem::take(&mut brain.inputs);
            std::mem::swap(&mut *self.inbox.lock(), &mut inputs);
            if inputs.is_empty() {
                brain.inputs = inputs;
                return;
            }
            let now = self.clock.now();
            {
                let tree = self.tree.read();
                let mut watches = self.watches.lock();
                for input in inputs.drain(..) {
                    brain.replica.handle(&tree, &mut watches, input, now, &mut brain.effects);
                }
            }
            brain.inputs = inputs;
            self.carry_out(brain, now);
            self.send(brain);
            self.apply(brain, now);
            self.send(brain);
            self.note_standing(brain);
            note_mismatch(brain);
            self.note_accesses(brain);
            self.outstanding.store(brain.replica.outstanding(), Relaxed);
            self.stats.sessions_expired.fetch_add(brain.replica.take_expired(), Relaxed);
        }
    }

    fn note_accesses(&self, brain: &mut Brain) {
        let namespaces = &self.stats.namespaces;
        for Access { written, path, bytes } in brain.replica.take_accesses() {
            if written { namespaces.written(&path, bytes) } else { namespaces.read(&path, bytes) }
        }
    }

    /// Looks at what a member has become.
    fn note_standing(&self, brain: &mut Brain) {
        if self.config.ensemble.is_none() {
            return;
        }
        self.next_tick.store(brain.replica.next_tick().0, Relaxed);
        let serving = brain.replica.is_serving();
        if serving == brain.serving {
            return;
        }
        brain.serving = serving;
        self.stats.serving_since.store(self.clock.moment().0, Relaxed);
        let leads = serving && brain.replica.status().role == Role::Leading;
        self.turns_away.store(leads && !self.config.quorum.leader_serves, Relaxed);
    }

    /// Applies what is decided. Clients get their replies and notifications under the tree's lock,
    /// before anybody else can see the change.
    fn apply(&self, brain: &mut Brain, now: Now) {
        let decided = brain.replica.has_decided();
        if !decided && now.mono.since(brain.last_checkpoint) < CHECKPOINT_MS {
            return;
        }
        let mut tree = self.tree.write();
        if decided {
            let before = tree.applied_zxid();
            brain.applying.since = Instant::now();
            let mut watches = self.watches.lock();
            brain.replica.apply(&mut tree, &mut watches, now, &mut brain.effects);
            drop(watches);
            let after = tree.applied_zxid();
            self.note_decided(transactions(before, after));
            self.passages.take_until(after, &mut brain.applying.decided);
            self.carry_out(brain, now);
            self.note_stages(&mut brain.applying);
        }
        self.checkpoint(brain, &mut tree, now);
    }

    fn checkpoint(&self, brain: &mut Brain, tree: &mut Tree, now: Now) {
        let changed = tree.dirty_len();
        let due =
            changed >= CHECKPOINT_ZNODES || now.mono.since(brain.last_checkpoint) >= CHECKPOINT_MS;
        if !due || !self.checkpoints.has_room() {
            return;
        }
        brain.last_checkpoint = now.mono;
        self.push_checkpoint(brain, tree);
    }

    /// Hands everything that changed since the last checkpoint to the checkpoint thread.
    pub(super) fn push_checkpoint(&self, brain: &mut Brain, tree: &mut Tree) {
        let sessions = brain.replica.take_session_changes();
        if tree.dirty_len() == 0 && sessions.is_empty() {
            return;
        }
        let mark = TreeMark { applied: tree.applied_zxid().0, digest: tree.digest() };
        let znodes = tree.drain_dirty();
        self.checkpoints.push(Checkpoint { znodes, sessions, kind: CheckpointKind::Changes(mark) });
    }

    fn carry_out(&self, brain: &mut Brain, now: Now) {
        let Brain { effects, disk, written, woken, applying, .. } = brain;
        self.conns.with(|find| {
            for effect in effects.drain(..) {
                match effect {
                    Effect::Quorum(Action::Append(zxid, payload)) => {
                        self.note_proposal(payload.len());
                        disk.append(LogEntry { zxid, payload });
                    }
                    Effect::Quorum(Action::Truncate(last)) => disk.order(Order::Truncate(last)),
                    Effect::Quorum(Action::SaveEpochs(epochs)) => {
                        disk.order(Order::SaveEpochs(epochs));
                    }
                    Effect::Quorum(Action::Stop(why)) => self.stop.fail(why.to_string()),
                    Effect::Quorum(Action::Report(report)) => {
                        self.note_report(&report);
                        self.quorum.act(Action::Report(report), written);
                    }
                    Effect::Quorum(action) => self.quorum.act(action, written),
                    Effect::Reply(id, frame) => {
                        to_conn(find, woken, id, |conn| {
                            self.reply(conn, &frame, now.mono, applying);
                        });
                    }
                    Effect::Notify(id, frame) => to_conn(find, woken, id, |conn| {
                        self.note_notice(conn, &frame);
                        conn.outbox.lock().push(&frame);
                    }),
                    Effect::Established { conn, session, timeout_ms, frame } => {
                        to_conn(find, woken, conn, |conn| {
                            self.note_opened(conn, now.mono);
                            conn.session.store(session.0, Relaxed);
                            let mut outbox = conn.outbox.lock();
                            outbox.established = Some(timeout_ms);
                            outbox.push(&frame);
                        });
                    }
                    Effect::Close(id, why) => to_conn(find, woken, id, |conn| {
                        conn.outbox.lock().close(Closing::Brain(why));
                    }),
                }
            }
        });
    }

    /// Sees to it that what was put into outboxes leaves, and that what is to be logged is. Other
    /// servers come first: what they are sent has the longer way to a disk. For a few connections
    /// it is quicker to send here than to wake their tasks; many are better shared among the
    /// threads.
    fn send(&self, brain: &mut Brain) {
        for link in brain.written.drain(..) {
            link.flush();
        }
        if !brain.disk.is_empty() {
            self.log.push(&mut brain.disk);
        }
        let few = brain.woken.len() <= DIRECT_SENDS;
        for conn in brain.woken.drain(..) {
            if few { conn.send_or_wake() } else { conn.wake.notify_one() }
        }
    }

    fn reply(&self, conn: &Conn, frame: &[u8], now: Moment, applying: &Applying) {
        let mut outbox = conn.outbox.lock();
        outbox.push(frame);
        let answered = outbox.pending.pop_front();
        drop(outbox);
        let Some(answered) = answered else { return };
        let took = micros(answered.since, Instant::now());
        self.note_reply(conn, answered.xid, answered.op, frame, took, now);
        let limit = self.options.slow_request_ms;
        if limit > 0 && took / 1000 >= limit {
            let session = SessionId(conn.session.load(Relaxed));
            self.note_slow(applying, &answered, (conn.remote, session, zxid_of(frame)));
        }
        if let (Some(log), Some(note)) = (&self.audit, answered.audit) {
            log.write(note, conn, frame);
        }
    }
}

/// How many transactions there are from one to another; of a new epoch, all that is known of.
fn transactions(before: Zxid, after: Zxid) -> u64 {
    let first = if before.epoch() == after.epoch() { before.counter() } else { 0 };
    after.counter().saturating_sub(first).into()
}

/// Warns of a tree that is not as another server expects it: one of the two is wrong.
fn note_mismatch(brain: &mut Brain) {
    let Some(mismatch) = brain.replica.take_digest_mismatch() else { return };
    let DigestMismatch { zxid, found, expected } = mismatch;
    tracing::warn!(
        "the tree's digest after {zxid} is {found:#x}, and {expected:#x} for the server that \
         proposed it; {} such differences so far",
        brain.replica.digest_mismatches()
    );
}

/// Does something with a connection, if it is still there, and wakes it once afterwards.
fn to_conn(
    find: &dyn Fn(ConnId) -> Option<Arc<Conn>>,
    woken: &mut Vec<Arc<Conn>>,
    id: ConnId,
    act: impl FnOnce(&Conn),
) {
    if let Some(last) = woken.last()
        && last.id == id
    {
        return act(last);
    }
    let Some(conn) = find(id) else { return };
    act(&conn);
    woken.push(conn);
}
