//! What must always hold, one file for each; all of it is looked at after every step.
//!
//! A violation is a panic whose message begins with the name of what was violated in brackets.

mod acknowledged;
mod digests;
mod durability;
mod epochs;
mod history;
mod leadership;
mod logs;
mod progress;
mod sessions;
mod step_down;
mod wire;

pub(crate) use history::History;

use super::coverage::Coverage;
use super::plan::Plan;
use super::server::Running;
use acknowledged::Acknowledged;
use bytes::Bytes;
use durability::Disks;
use epochs::Terms;
use jute::client::ReplyHeader;
use jute::disk::TreeMark;
use jute::quorum::QuorumPacket;
use leadership::Leadership;
use logs::Logs;
use sessions::SessionChecks;
use step_down::StepDown;
use wire::Wires;
use zabra::proto::OpCode;
use zabra::store::{Loaded, LogEntry};
use zabra::types::{LinkId, SessionId, Zxid};
use zabra::zab::{Epochs, Role};

/// What was read from a disk.
pub(crate) struct Found {
    pub(crate) loaded: Loaded,
    pub(crate) mark: Option<TreeMark>,
    pub(crate) entries: Vec<(Zxid, Bytes)>,
}

/// Everything that is known of the whole.
pub(crate) struct Checks {
    pub(crate) history: History,
    pub(crate) leadership: Leadership,
    pub(crate) disks: Disks,
    pub(crate) sessions: SessionChecks,
    pub(crate) acknowledged: Acknowledged,
    pub(crate) step_down: StepDown,
    /// The one of two servers that the oracle has let go on alone.
    pub(crate) alone: Option<usize>,
    logs: Logs,
    terms: Terms,
    wires: Wires,
}

impl Checks {
    pub(crate) fn new(plan: &Plan) -> Self {
        let servers = plan.servers();
        Self {
            history: History::new(),
            leadership: Leadership::default(),
            disks: Disks::new(servers, plan.voters),
            sessions: SessionChecks::default(),
            acknowledged: Acknowledged::default(),
            step_down: StepDown::new(plan),
            alone: None,
            logs: Logs::new(servers),
            terms: Terms::new(servers, plan.voters),
            wires: Wires::default(),
        }
    }

    /// A server has handed an entry to its log.
    pub(crate) fn appended(&mut self, server: usize, zxid: Zxid, payload: &Bytes) {
        self.logs.appended(server, zxid, payload);
    }

    /// A server lets go of the end of its log.
    pub(crate) fn truncated(&mut self, server: usize, last: Zxid) {
        self.logs.truncated(server, last);
    }

    pub(crate) fn appended_durably(&mut self, server: usize, entries: &[LogEntry]) {
        self.disks.appended(server, entries);
    }

    pub(crate) fn truncated_durably(&mut self, server: usize, last: Zxid) {
        self.disks.truncated(server, last, &self.history, self.alone);
    }

    pub(crate) fn epochs_durably(&mut self, server: usize, epochs: Epochs) {
        self.terms.saved(server, epochs, self.disks.log(server));
    }

    /// Another server's tree has taken the place of this one's.
    pub(crate) fn installed(&mut self, server: usize, mark: &TreeMark) {
        let zxid = Zxid(mark.applied);
        self.history.check_tree(zxid, mark.digest);
        let log = self.history.log_up_to(zxid);
        self.disks.installed(server, &log, &self.history, self.alone);
        self.logs.installed(server, log);
    }

    /// A server starts with what its disk holds.
    pub(crate) fn restarted(&mut self, server: usize, found: &Found) {
        let applied = found.mark.as_ref().map_or(Zxid::ZERO, |mark| Zxid(mark.applied));
        if let Some(mark) = &found.mark {
            self.history.check_tree(applied, mark.digest);
        }
        self.disks.restarted(server, found, self.history.log_up_to(applied));
        self.terms.restarted(server, &found.loaded);
        self.logs.restarted(server, self.disks.log(server).clone(), applied);
        self.wires.restarted(server);
    }

    /// A server says something to another one.
    pub(crate) fn sending(
        &mut self,
        server: usize,
        link: LinkId,
        packet: &QuorumPacket,
        leads: bool,
    ) {
        self.wires.sending(server, link, packet, &self.logs, &self.history);
        self.terms.sending(server, packet, &self.logs, &self.disks, self.alone);
        // A follower that serves observers says NEWLEADER as well.
        if leads {
            self.leadership.sending(server, packet);
        }
        self.disks.sending(server, packet, self.logs.log(server));
    }

    /// Looks at what a server takes for decided.
    pub(crate) fn look_at_commits(
        &mut self,
        server: usize,
        running: &Running,
        coverage: &mut Coverage,
    ) {
        let status = running.replica.status();
        if running.install.is_some() {
            return;
        }
        let committed = match status.role {
            // It applies at once what it decides.
            Role::Alone => running.tree.applied_zxid(),
            _ => status.committed,
        };
        let decided = self.logs.decided(server, committed, &self.history);
        for (zxid, payload) in decided {
            self.disks.check_quorum(zxid, &payload, self.alone);
            self.history.commit(zxid, payload);
            coverage.note("committed");
        }
        if status.serving && matches!(status.role, Role::Leading) {
            if self.leadership.serves(server, status.epochs.current) {
                coverage.note("leader established");
            }
            self.history.established(status.epochs.current);
        }
    }

    /// Looks at a server's tree and sessions.
    pub(crate) fn look_at_tree(&mut self, server: usize, running: &Running) {
        if running.install.is_some() {
            return;
        }
        let applied = running.tree.applied_zxid();
        if !self.logs.moved(server, applied) {
            return;
        }
        self.disks.check_applied(server, applied, self.logs.log(server));
        digests::check(&self.history, applied, &running.tree);
        SessionChecks::look(&self.history, applied, running);
    }

    /// A client has been told what became of its write.
    pub(crate) fn write_answered(
        &mut self,
        session: SessionId,
        header: &ReplyHeader,
        body: &Bytes,
        op: OpCode,
        floor: Zxid,
    ) {
        self.acknowledged.answered(&self.history, session, header, body, op, floor);
    }

    /// At the end: everybody has everything.
    pub(crate) fn check_end<'a>(&self, servers: impl Iterator<Item = &'a Running>) {
        progress::check_trees(&self.history, servers);
    }
}
