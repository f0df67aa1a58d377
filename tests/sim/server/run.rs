//! Runs a brain with what has come, and carries out what it wants, as the program's driver does.

use super::super::broken::Broken;
use super::super::clients::ToClient;
use super::super::net::packets;
use super::super::plan::MS;
use super::super::queue::{Event, Life};
use super::super::trace::{effect_text, input_text};
use super::super::world::World;
use super::disk::{LogJob, MAX_CHECKPOINTS};
use super::{Clock, Running, Server};
use jute::disk::TreeMark;
use jute::quorum::QuorumPacket;
use zabra::replica::{Effect, Input};
use zabra::store::{Checkpoint, CheckpointKind, LogEntry};
use zabra::types::{LinkId, Moment};
use zabra::zab::{self, Action, Role};

/// Changed znodes after which a checkpoint is made.
const CHECKPOINT_ZNODES: usize = 16;
/// Milliseconds after which one is made of fewer.
const CHECKPOINT_MS: u64 = 1000;
/// Microseconds between two looks at the clock, for a tick of a second.
const LOOKS_PER_TICK: u64 = 10;

impl World {
    /// Something has come for a server.
    pub(crate) fn input(&mut self, server: usize, input: Input) {
        let who = self.servers[server].life();
        let Some(running) = &mut self.servers[server].running else { return };
        running.inbox.push(input);
        if !running.is_awake {
            running.is_awake = true;
            let delay = self.random.below(300) as u64;
            self.after(delay, Event::Run(who));
        }
    }

    /// Takes in what has come, in one batch.
    pub(crate) fn run(&mut self, who: Life) {
        let server = who.server;
        let now = self.clock_of(server).now(self.now);
        let Server { running: Some(running), .. } = &mut self.servers[server] else { return };
        running.is_awake = false;
        let Running { replica, tree, watches, inbox, .. } = running;
        let mut effects = Vec::new();
        for input in inbox.drain(..) {
            self.trace.note(|| format!("{} s{}: {}", self.now, server + 1, input_text(&input)));
            replica.handle(tree, watches, input, now, &mut effects);
        }
        self.observe_log(server, &effects);
        self.carry_out(server, effects);
        self.observe(server);
        self.apply(server);
        self.push_checkpoint_if_due(server);
        self.start_log(server);
    }

    fn apply(&mut self, server: usize) {
        let now = self.clock_of(server).now(self.now);
        let Server { running: Some(running), .. } = &mut self.servers[server] else { return };
        if !running.replica.has_decided() {
            return;
        }
        let Running { replica, tree, watches, .. } = running;
        let mut effects = Vec::new();
        let before = tree.applied_zxid();
        replica.apply(tree, watches, now, &mut effects);
        // Nobody counts them here.
        drop(replica.take_accesses());
        let after = tree.applied_zxid();
        self.trace.note(|| format!("{} s{}: applied {before} to {after}", self.now, server + 1));
        self.observe_log(server, &effects);
        self.observe(server);
        self.carry_out(server, effects);
    }

    /// Shows a server to the invariants.
    pub(crate) fn observe(&mut self, server: usize) {
        let is_cut_off = self.is_cut_off(server);
        self.checks.step_down.look(self.now, server, is_cut_off);
        self.note_reunion();
        let Some(running) = &self.servers[server].running else { return };
        self.checks.look_at_tree(server, running);
    }

    /// Shows what becomes of a server's log, and what of it is decided.
    pub(super) fn observe_log(&mut self, server: usize, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::Quorum(Action::Append(zxid, payload)) => {
                    self.checks.appended(server, *zxid, payload);
                }
                Effect::Quorum(Action::Truncate(last)) => self.checks.truncated(server, *last),
                _ => {}
            }
        }
        let Some(running) = &self.servers[server].running else { return };
        self.checks.sessions.note_doomed(running);
        self.checks.look_at_commits(server, running, &mut self.coverage);
    }

    /// The clock that a server sees.
    fn clock_of(&self, server: usize) -> Clock {
        self.servers[server].clock
    }

    pub(crate) fn tick(&mut self, who: Life) {
        let server = who.server;
        let wait = self.plan.tick_ms * MS / LOOKS_PER_TICK;
        let wait = self.random.between(wait / 2, wait * 3 / 2);
        self.after(wait, Event::Tick(who));
        if self.is_led_by_a_broken_leader(server) {
            return;
        }
        self.give_up_image(server);
        let Some(running) = &mut self.servers[server].running else { return };
        let touched: Vec<_> = std::mem::take(&mut running.touched).into_iter().collect();
        if !touched.is_empty() {
            self.input(server, Input::Touched(touched));
        }
        self.input(server, Input::Tick);
    }

    /// Whether a server leads and is one for which no time passes then.
    pub(crate) fn is_led_by_a_broken_leader(&self, server: usize) -> bool {
        self.plan.broken == Some(Broken::StaleLeader)
            && self.servers[server].running.as_ref().is_some_and(|running| {
                let status = running.replica.status();
                status.role == Role::Leading && status.serving
            })
    }

    /// Whether no newer epoch has begun than that of this server's leader.
    pub(crate) fn is_of_newest_epoch(&self, server: usize) -> bool {
        let running = self.servers[server].running.as_ref();
        running.is_some_and(|running| {
            self.checks.leadership.is_newest(running.replica.status().epochs.current)
        })
    }

    fn carry_out(&mut self, server: usize, effects: Vec<Effect>) {
        for effect in effects {
            self.trace.note(|| format!("{} s{}:   {}", self.now, server + 1, effect_text(&effect)));
            match effect {
                Effect::Quorum(action) => self.act_for(server, action),
                Effect::Reply(conn, frame) => {
                    let is_fresh = self.is_of_newest_epoch(server);
                    let reply = ToClient::Frame { bytes: frame, is_reply: true, is_fresh };
                    self.send_client(conn, reply);
                }
                Effect::Notify(conn, frame) => {
                    let notice = ToClient::Frame { bytes: frame, is_reply: false, is_fresh: false };
                    self.send_client(conn, notice);
                }
                Effect::Established { conn, session, timeout_ms, .. } => {
                    self.send_client(conn, ToClient::Established { session, timeout_ms });
                }
                Effect::Close(conn, why) => self.close_conn(server, conn, why),
            }
        }
    }

    fn act_for(&mut self, server: usize, action: Action) {
        match action {
            Action::Append(zxid, payload) => {
                self.servers[server].disk.log.push_back(LogJob::Append(LogEntry { zxid, payload }));
                if self.says_durable_early(server) {
                    self.input(server, Input::Quorum(zab::Input::Persisted(zxid)));
                }
            }
            Action::Truncate(last) => {
                self.servers[server].disk.log.push_back(LogJob::Truncate(last));
            }
            Action::SaveEpochs(epochs) if self.plan.broken == Some(Broken::EpochBeforeLog) => {
                self.save_epochs_at_once(server, epochs);
            }
            Action::SaveEpochs(epochs) => {
                self.servers[server].disk.log.push_back(LogJob::SaveEpochs(epochs));
            }
            Action::Notify(to, message) => self.notify(server, to, message),
            Action::Dial(target) => self.dial(server, target, false),
            Action::DialMaster(target) => self.dial(server, target, true),
            Action::Send(link, packet) => self.say(server, link, packet),
            Action::Close(link, why) => {
                self.coverage.note_link(&why);
                self.close_link(server, link);
            }
            Action::ReadLog { link, from, max_bytes, weigh_to } => {
                let who = self.servers[server].life();
                let delay = self.random.delay(self.plan.disk);
                // Sometimes the tree is the smaller.
                let max_bytes =
                    if weigh_to.is_some() && self.random.one_in(4) { 0 } else { max_bytes };
                self.after(delay, Event::LogRead { who, link, from, max_bytes });
            }
            Action::SendSnapshot(link) => {
                if let Some(running) = &mut self.servers[server].running {
                    running.views.push(link);
                }
            }
            Action::AskOracle => {
                let who = self.servers[server].life();
                let delay = self.random.delay(self.plan.disk);
                self.after(delay, Event::OracleSays(who));
            }
            Action::Report(_) => {}
            Action::Stop(why) => panic!("[progress] s{} ends: {why}", server + 1),
            Action::ReceiveSnapshot(link, zxid) => self.receive_snapshot(server, link, zxid),
        }
    }

    /// Says something to another server; a leader that is broken holds one COMMIT back until the
    /// next has left.
    fn say(&mut self, server: usize, link: LinkId, packet: QuorumPacket) {
        let holds = self.plan.broken == Some(Broken::CommitOutOfOrder);
        let mut late = None;
        if holds
            && packet.kind == packets::COMMIT
            && let Some(running) = &mut self.servers[server].running
        {
            late = running.held.remove(&link);
            if late.is_none() {
                running.held.insert(link, packet);
                return;
            }
        }
        for packet in [Some(packet), late].into_iter().flatten() {
            let leads = self.leads(server);
            self.checks.sending(server, link, &packet, leads);
            self.note_relayed(server, &packet);
            self.send(server, link, packet);
        }
    }

    /// Whether a server leads, or is about to.
    pub(crate) fn leads(&self, server: usize) -> bool {
        let running = self.servers[server].running.as_ref();
        running.is_some_and(|running| running.replica.status().role == Role::Leading)
    }

    /// Notes what a follower says to observers.
    fn note_relayed(&mut self, server: usize, packet: &QuorumPacket) {
        if !self.plan.observer_masters || self.leads(server) {
            return;
        }
        match packet.kind {
            packets::INFORM => self.coverage.note("relayed"),
            packets::UP_TO_DATE => self.coverage.note("observer served by a follower"),
            _ => {}
        }
    }

    fn push_checkpoint_if_due(&mut self, server: usize) {
        let now = self.clock_of(server).now(self.now).mono;
        let Server { running: Some(running), disk, .. } = &mut self.servers[server] else {
            return;
        };
        // While another tree arrives there is none.
        if running.install.is_some() {
            return;
        }
        let views = std::mem::take(&mut running.views);
        let due = running.tree.dirty_len() >= CHECKPOINT_ZNODES
            || now.since(running.last_checkpoint) >= CHECKPOINT_MS;
        if !views.is_empty() || (due && disk.checkpoints.len() < MAX_CHECKPOINTS) {
            running.last_checkpoint = now;
            // A learner gets what is stored, and transactions that changed nothing count too.
            let checkpoint = checkpoint_of(running);
            let changed = !checkpoint.znodes.is_empty() || !checkpoint.sessions.is_empty();
            if changed || !views.is_empty() {
                self.push_checkpoint(server, checkpoint);
            }
        }
        for link in views {
            let who = self.servers[server].life();
            self.after(0, Event::SnapshotView { who, link });
        }
    }
}

/// Everything that changed since the last checkpoint.
fn checkpoint_of(running: &mut Running) -> Checkpoint {
    let sessions = running.replica.take_session_changes();
    let mark = TreeMark { applied: running.tree.applied_zxid().0, digest: running.tree.digest() };
    let znodes = running.tree.drain_dirty();
    Checkpoint { znodes, sessions, kind: CheckpointKind::Changes(mark) }
}

/// Before the first checkpoint.
pub(super) const NEVER: Moment = Moment(0);
