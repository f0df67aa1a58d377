//! A follower or an observer (ZK: `Learner`, `Follower`, `Observer`).
//!
//! An observer may learn from a follower instead of the leader; here that one is called its leader
//! as well.
//!
//! What comes from the leader goes to the log at once, and nothing of it to the tree before the
//! leader says UPTODATE: only then is all of it decided. In this order: store, sync, enter the
//! epoch, acknowledge.

use super::masters::Source;
use super::member::Core;
use super::packet::{self, start_of};
use super::{Action, Event, LinkError, Output, Report, Serving};
use crate::types::{Epoch, LinkId, Moment, ServerId, Zxid};
use bytes::Bytes;
use jute::quorum::QuorumPacket;

/// How far a learner has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It tries to reach its leader.
    Dialing,
    /// It has said who it is.
    Introduced,
    /// It stores its promise to take part in an epoch.
    Promising,
    /// It has promised.
    Promised,
    /// It receives a snapshot.
    Receiving(Zxid),
    /// It receives what it lacks.
    Syncing,
    /// It has received everything up to NEWLEADER, and stores it up to this zxid.
    Storing(Zxid),
    /// It stores that it has entered the epoch.
    Entering,
    /// It has acknowledged NEWLEADER.
    Waiting,
    /// It serves clients.
    Serving,
}

/// A follower or an observer.
#[derive(Debug)]
pub(super) struct Learner {
    leader: ServerId,
    follows: bool,
    link: Option<LinkId>,
    stage: Stage,
    epoch: Epoch,
    heard: Moment,
    /// What the leader has said to be decided before UPTODATE. Everything that was in the log when
    /// the leader looked at it is, too.
    decided: Zxid,
    /// The last proposal that has been acknowledged, or need not be.
    acked: Zxid,
    quit: Option<String>,
}

impl Learner {
    /// A server has been elected, and this one learns from it or from one that follows it.
    pub(super) fn start(source: Source, core: &Core, out: &mut Vec<Output>) -> Self {
        let (leader, dial) = match source {
            Source::Leader(leader) => (leader, Action::Dial(leader)),
            Source::Master(master) => (master, Action::DialMaster(master)),
        };
        out.push(Output::Do(dial));
        Self {
            leader,
            follows: core.options.ensemble.is_voter(core.options.me),
            link: None,
            stage: Stage::Dialing,
            epoch: Epoch(0),
            heard: core.now,
            decided: Zxid::ZERO,
            acked: Zxid::ZERO,
            quit: None,
        }
    }

    /// Why it cannot go on with this leader.
    pub(super) fn quit(&self) -> Option<&str> {
        self.quit.as_deref()
    }

    pub(super) const fn leader(&self) -> ServerId {
        self.leader
    }

    pub(super) const fn follows(&self) -> bool {
        self.follows
    }

    pub(super) fn is_serving(&self) -> bool {
        self.stage == Stage::Serving
    }

    /// The epoch of the leader.
    pub(super) const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The leader has been reached.
    pub(super) fn dialed(&mut self, link: LinkId, core: &Core, out: &mut Vec<Output>) {
        if self.stage != Stage::Dialing {
            let why = LinkError::Role("has another link to its leader");
            out.push(Output::Do(Action::Close(link, why)));
            return;
        }
        self.link = Some(link);
        self.stage = Stage::Introduced;
        self.heard = core.now;
        let info = packet::info(core.options.me, self.follows, core.epochs.accepted);
        out.push(Output::Do(Action::Send(link, info)));
    }

    /// The leader cannot be reached.
    pub(super) fn dial_failed(&mut self, server: ServerId) {
        if self.stage == Stage::Dialing && server == self.leader {
            self.quit =
                Some(format!("server {server} is to be learned from and cannot be reached"));
        }
    }

    /// A link is gone.
    pub(super) fn closed(&mut self, link: LinkId) {
        if self.link == Some(link) {
            self.link = None;
            self.quit = Some(format!("the link to the leader, server {}, is gone", self.leader));
        }
    }

    /// Gives up following.
    pub(super) fn stop(&mut self, out: &mut Vec<Output>) {
        if let Some(link) = self.link.take() {
            let why = self.quit.clone().unwrap_or_default();
            out.push(Output::Do(Action::Close(link, LinkError::Protocol(why))));
        }
    }

    /// Looks whether the leader is silent.
    pub(super) fn tick(&mut self, core: &Core) {
        let options = &core.options;
        let ticks = match self.stage {
            // Whoever receives it looks to that.
            Stage::Receiving(_) => return,
            Stage::Dialing if options.connect_limit > 0 => options.connect_limit,
            Stage::Serving | Stage::Waiting | Stage::Entering => options.sync_limit,
            _ => options.init_limit,
        };
        // The leader waits for a quorum before UPTODATE, as long as it likes within initLimit.
        let ticks =
            if self.stage == Stage::Serving { ticks } else { ticks.max(options.init_limit) };
        let silent_ms = core.now.since(self.heard);
        if silent_ms > ticks * options.tick_ms {
            self.quit =
                Some(format!("server {}, the leader, was silent for {silent_ms} ms", self.leader));
        }
    }

    /// When [`tick`](Self::tick) has something to do.
    pub(super) const fn next_tick(&self, core: &Core) -> Moment {
        self.heard.plus(core.options.tick_ms * core.options.sync_limit)
    }

    /// A packet has come.
    pub(super) fn packet(
        &mut self,
        link: LinkId,
        packet: QuorumPacket,
        core: &mut Core,
        out: &mut Vec<Output>,
    ) {
        if self.link != Some(link) {
            return;
        }
        self.heard = core.now;
        let taken = match self.stage {
            Stage::Introduced => self.take_epoch(link, &packet, core, out),
            Stage::Promised => self.take_choice(link, &packet, core, out),
            Stage::Syncing | Stage::Storing(_) | Stage::Entering | Stage::Waiting => {
                self.take_while_syncing(packet, core, out)
            }
            Stage::Serving => take(link, packet, core, out),
            Stage::Dialing | Stage::Promising | Stage::Receiving(_) => {
                Err(packet::unexpected(packet.kind, "where this server had to say something"))
            }
        };
        if let Err(error) = taken {
            self.quit = Some(error.to_string());
        }
    }

    /// LEADERINFO: the epoch that the leader wants.
    fn take_epoch(
        &mut self,
        link: LinkId,
        packet: &QuorumPacket,
        core: &mut Core,
        out: &mut Vec<Output>,
    ) -> Result<(), LinkError> {
        if packet.kind != packet::LEADER_INFO {
            return Err(packet::unexpected(packet.kind, "where LEADERINFO was expected"));
        }
        self.epoch = Zxid(packet.zxid).epoch();
        let accepted = core.epochs.accepted;
        if self.epoch < accepted {
            return Err(LinkError::Protocol(format!(
                "server {} wants epoch {}, and {accepted} has been promised to another",
                self.leader, self.epoch
            )));
        }
        if self.epoch > accepted {
            self.stage = Stage::Promising;
            core.save_accepted(self.epoch, out);
        } else {
            // Promised before: it does not count again.
            self.promise(link, None, core, out);
        }
        Ok(())
    }

    fn promise(
        &mut self,
        link: LinkId,
        current: Option<Epoch>,
        core: &Core,
        out: &mut Vec<Output>,
    ) {
        self.stage = Stage::Promised;
        let promise = packet::ack_epoch(core.journal.last(), current);
        out.push(Output::Do(Action::Send(link, promise)));
    }

    /// The epochs are stored.
    pub(super) fn epochs_saved(&mut self, core: &Core, out: &mut Vec<Output>) {
        let Some(link) = self.link else { return };
        match self.stage {
            Stage::Promising => self.promise(link, Some(core.epochs.current), core, out),
            Stage::Entering => {
                self.stage = Stage::Waiting;
                send_ack(link, start_of(self.epoch), out);
            }
            _ => {}
        }
    }

    /// DIFF, TRUNC or SNAP: how this server is brought up to date.
    ///
    /// What this server has of the leader's own epoch, it has from this leader, and it may be
    /// decided because this server has it: an Apache ZooKeeper forgets that until it has applied
    /// it, and says TRUNC. It will all be sent again, and stays on the disk meanwhile.
    fn take_choice(
        &mut self,
        link: LinkId,
        packet: &QuorumPacket,
        core: &mut Core,
        out: &mut Vec<Output>,
    ) -> Result<(), LinkError> {
        let zxid = Zxid(packet.zxid);
        let last = core.journal.last();
        let report = |how, out: &mut Vec<Output>| {
            out.push(Output::Do(Action::Report(Report::Synchronising(how, zxid, last))));
        };
        match packet.kind {
            packet::DIFF => {
                report("DIFF", out);
                self.decided = last;
            }
            packet::TRUNC => {
                report("TRUNC", out);
                if last.epoch() < self.epoch {
                    truncate(zxid, core, out)?;
                }
                self.decided = core.journal.last_up_to(zxid).max(core.journal.committed());
            }
            packet::SNAP => {
                report("SNAP", out);
                check_image(zxid, self.epoch, core)?;
                self.stage = Stage::Receiving(zxid);
                out.push(Output::Do(Action::ReceiveSnapshot(link, zxid)));
                return Ok(());
            }
            kind => return Err(packet::unexpected(kind, "where DIFF, TRUNC or SNAP was expected")),
        }
        self.stage = Stage::Syncing;
        Ok(())
    }

    /// The snapshot has taken the place of the tree and the log.
    pub(super) fn snapshot_received(&mut self, link: LinkId, zxid: Zxid, core: &Core) {
        if self.link == Some(link) && self.stage == Stage::Receiving(zxid) {
            self.stage = Stage::Syncing;
            self.decided = zxid;
            self.heard = core.now;
        }
    }

    /// Between the choice and UPTODATE.
    fn take_while_syncing(
        &mut self,
        packet: QuorumPacket,
        core: &mut Core,
        out: &mut Vec<Output>,
    ) -> Result<(), LinkError> {
        let zxid = Zxid(packet.zxid);
        match packet.kind {
            packet::PROPOSAL => proposed(zxid, packet.data, core, out),
            packet::COMMIT => self.decided_while_syncing(zxid, core),
            packet::COMMIT_AND_ACTIVATE => {
                reconfigured(zxid, core, out);
                self.decided_while_syncing(zxid, core)
            }
            packet::INFORM => {
                proposed(zxid, packet.data, core, out)?;
                self.decided_while_syncing(zxid, core)
            }
            packet::INFORM_AND_ACTIVATE => {
                proposed(zxid, without_leader(packet.data), core, out)?;
                reconfigured(zxid, core, out);
                self.decided_while_syncing(zxid, core)
            }
            packet::NEW_LEADER if self.stage == Stage::Syncing => {
                if zxid.epoch() != self.epoch {
                    return Err(LinkError::Protocol(format!(
                        "NEWLEADER is of epoch {} and LEADERINFO was of {}",
                        zxid.epoch(),
                        self.epoch
                    )));
                }
                let config = packet.data.unwrap_or_default();
                if core.options.ensemble.was_changed_in(&config) {
                    reconfigured(zxid, core, out);
                }
                self.stage = Stage::Storing(core.journal.last());
                self.enter(core, out);
                Ok(())
            }
            packet::UP_TO_DATE if self.stage == Stage::Waiting => {
                self.up_to_date(core, out);
                Ok(())
            }
            packet::PING | packet::SYNC | packet::REVALIDATE => Ok(()),
            kind => Err(packet::unexpected(kind, "before UPTODATE")),
        }
    }

    /// Before UPTODATE a decision is only noted.
    fn decided_while_syncing(&mut self, zxid: Zxid, core: &Core) -> Result<(), LinkError> {
        if zxid > self.decided {
            check_next(core.journal.next_after(self.decided), zxid)?;
            self.decided = zxid;
        }
        Ok(())
    }

    /// Enters the epoch once everything up to NEWLEADER is durable.
    fn enter(&mut self, core: &mut Core, out: &mut Vec<Output>) {
        if let Stage::Storing(last) = self.stage
            && core.journal.persisted() >= last
        {
            self.stage = Stage::Entering;
            core.save_current(self.epoch, out);
        }
    }

    fn up_to_date(&mut self, core: &mut Core, out: &mut Vec<Output>) {
        let Some(link) = self.link else { return };
        self.stage = Stage::Serving;
        core.journal.commit(self.decided);
        self.acked = self.decided;
        send_ack(link, start_of(self.epoch), out);
        out.push(Output::Tell(Event::Serving(Serving::Learner(link))));
        self.acknowledge(core, out);
    }

    /// More of the log is durable.
    pub(super) fn persisted(&mut self, core: &mut Core, out: &mut Vec<Output>) {
        match self.stage {
            Stage::Storing(_) => self.enter(core, out),
            Stage::Serving => self.acknowledge(core, out),
            _ => {}
        }
    }

    /// Acknowledges what has become durable, one proposal after the other.
    fn acknowledge(&mut self, core: &Core, out: &mut Vec<Output>) {
        let Some(link) = self.link.filter(|_| self.follows) else { return };
        let durable = core.journal.persisted();
        for entry in core.journal.after(self.acked).take_while(|entry| entry.zxid <= durable) {
            send_ack(link, entry.zxid, out);
        }
        self.acked = self.acked.max(durable);
    }
}

/// From UPTODATE on.
fn take(
    link: LinkId,
    packet: QuorumPacket,
    core: &mut Core,
    out: &mut Vec<Output>,
) -> Result<(), LinkError> {
    let zxid = Zxid(packet.zxid);
    match packet.kind {
        packet::PROPOSAL => proposed(zxid, packet.data, core, out),
        packet::COMMIT => committed(zxid, core),
        packet::COMMIT_AND_ACTIVATE => {
            reconfigured(zxid, core, out);
            committed(zxid, core)
        }
        packet::INFORM => {
            proposed(zxid, packet.data, core, out)?;
            committed(zxid, core)
        }
        packet::INFORM_AND_ACTIVATE => {
            proposed(zxid, without_leader(packet.data), core, out)?;
            reconfigured(zxid, core, out);
            committed(zxid, core)
        }
        packet::PING | packet::SYNC | packet::REVALIDATE => {
            out.push(Output::Tell(Event::Client(link, packet)));
            Ok(())
        }
        // ZooKeeper's learners take no notice of it either.
        packet::UP_TO_DATE => Ok(()),
        kind => Err(packet::unexpected(kind, "behind UPTODATE")),
    }
}

/// The members of the ensemble are others now. The leader counts its followers rightly, whatever
/// they think; but this server must not vote any more.
fn reconfigured(zxid: Zxid, core: &mut Core, out: &mut Vec<Output>) {
    if !std::mem::replace(&mut core.outdated, true) {
        out.push(Output::Do(Action::Report(Report::Reconfigured(zxid))));
    }
}

/// A transaction from the leader: to the log. What the log has already comes again behind a
/// snapshot that was taken while transactions went on; Java leaders of 3.9 also give one zxid twice
/// if a client sends a request that cannot be read.
fn proposed(
    zxid: Zxid,
    payload: Option<Bytes>,
    core: &mut Core,
    out: &mut Vec<Output>,
) -> Result<(), LinkError> {
    let last = core.journal.last();
    if zxid <= last {
        if zxid > core.journal.base() {
            out.push(Output::Do(Action::Report(Report::Repeated(zxid))));
        }
        return Ok(());
    }
    if !core.journal.can_follow(zxid) {
        return Err(LinkError::Protocol(format!("{zxid} was proposed behind {last}")));
    }
    let payload = payload.unwrap_or_default();
    core.journal.append(zxid, payload.clone());
    out.push(Output::Do(Action::Append(zxid, payload.clone())));
    out.push(Output::Tell(Event::Proposed(zxid, payload)));
    Ok(())
}

/// A decision: they come in the order of the proposals.
fn committed(zxid: Zxid, core: &mut Core) -> Result<(), LinkError> {
    let committed = core.journal.committed();
    if zxid > committed {
        check_next(core.journal.next_after(committed), zxid)?;
        core.journal.commit(zxid);
    }
    Ok(())
}

fn check_next(next: Option<Zxid>, zxid: Zxid) -> Result<(), LinkError> {
    match next {
        Some(next) if next == zxid => Ok(()),
        Some(next) => Err(LinkError::Protocol(format!("{zxid} was decided before {next}"))),
        None => Err(LinkError::Protocol(format!("{zxid} was decided and never proposed"))),
    }
}

/// An image takes the place of the log, too. What was decided must not leave this disk, not even
/// until the leader has sent it again: this server and the leader may be the only ones that have
/// it. Nor may what the leader itself has proposed, which this server may have acknowledged. What
/// else the log has beyond the image, the leader has not, and so it was never decided.
///
/// An Apache ZooKeeper sends such an image only if `forceSnapshotSync` is set: without that only to
/// a server whose log ends before its tree, and it has read all of its log into the tree before it
/// leads. The tree will have caught up when this server asks again.
fn check_image(zxid: Zxid, epoch: Epoch, core: &Core) -> Result<(), LinkError> {
    let last = core.journal.last();
    let needed = if last.epoch() == epoch { last } else { core.journal.committed() };
    if zxid >= needed {
        return Ok(());
    }
    Err(LinkError::Protocol(format!(
        "the leader sends a tree as of {zxid}, and this server has stored what leads to {needed}"
    )))
}

/// The leader does not have the end of this log.
fn truncate(to: Zxid, core: &mut Core, out: &mut Vec<Output>) -> Result<(), LinkError> {
    let committed = core.journal.committed();
    if to < committed {
        return Err(LinkError::Protocol(format!(
            "the leader does not have what was decided before: it ends with {to}, and {committed} \
             has been applied here. If the leader is right, delete the data of this server"
        )));
    }
    let exact = core.journal.truncate(to);
    let last = core.journal.last();
    out.push(Output::Do(Action::Truncate(last)));
    out.push(Output::Tell(Event::Dropped(last)));
    if exact {
        Ok(())
    } else {
        Err(LinkError::Protocol(format!("the log has no {to}; it now ends with {last}")))
    }
}

/// The transaction in an INFORMANDACTIVATE, behind the id of the leader that is to be.
fn without_leader(data: Option<Bytes>) -> Option<Bytes> {
    data.map(|data| data.slice(data.len().min(8)..))
}

fn send_ack(link: LinkId, zxid: Zxid, out: &mut Vec<Output>) {
    out.push(Output::Do(Action::Send(link, packet::bare(packet::ACK, zxid))));
}
