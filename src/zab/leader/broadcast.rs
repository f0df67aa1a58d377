//! Proposals, acknowledgements and decisions (ZK: `Leader.propose`, `processAck`, `tryToCommit`).

use super::sync::proposal;
use super::{Leader, Progress, Stage};
use crate::types::{LinkId, ServerId, Zxid};
use crate::zab::member::Core;
use crate::zab::packet::{self, start_of};
use crate::zab::{Action, Event, LinkError, Output, Serving};
use bytes::Bytes;
use jute::quorum::QuorumPacket;
use std::collections::BTreeSet;

/// The counter that no transaction gets: a new epoch begins instead.
const LAST_COUNTER: u32 = u32::MAX;

impl Leader {
    /// The zxid of the next proposal. Once the epoch has none left the leader steps down.
    pub(in crate::zab) fn next_zxid(&mut self, core: &Core) -> Option<Zxid> {
        if self.stage != Stage::Leading {
            return None;
        }
        let next = self.last_proposed(core).next();
        if next.counter() == LAST_COUNTER {
            self.quit = Some("has used up the zxids of its epoch");
            return None;
        }
        Some(next)
    }

    /// Proposes a transaction, which the journal has already.
    pub(in crate::zab) fn propose(
        &mut self,
        zxid: Zxid,
        payload: &Bytes,
        core: &Core,
        out: &mut Vec<Output>,
    ) {
        for (link, learner) in &mut self.learners {
            if learner.follows() && learner.is_forwarded() {
                learner.awaited.get_or_insert((zxid, core.now));
                out.push(Output::Do(Action::Send(*link, proposal(zxid, payload))));
            }
        }
    }

    /// A learner has stored something.
    pub(super) fn acked(
        &mut self,
        link: LinkId,
        packet: &QuorumPacket,
        core: &mut Core,
        out: &mut Vec<Output>,
    ) -> Result<(), LinkError> {
        let zxid = Zxid(packet.zxid);
        let Some(learner) = self.learners.get_mut(&link) else { return Ok(()) };
        if zxid == start_of(self.epoch) {
            // The second one says that UPTODATE has arrived.
            if learner.progress == Progress::Forwarding {
                learner.progress = Progress::Synced;
                let oldest = core.journal.next_after(core.journal.committed());
                let oldest = oldest.filter(|_| learner.follows() && self.stage == Stage::Leading);
                learner.awaited = oldest.map(|oldest| (oldest, core.now));
                match self.stage {
                    Stage::Leading => self.up_to_date(link, core, out),
                    _ => self.establish(core, out),
                }
                self.decide(core, out);
            }
            return Ok(());
        }
        if zxid > core.journal.last() {
            return Err(LinkError::Protocol(format!(
                "{zxid} was acknowledged and the log ends with {}",
                core.journal.last()
            )));
        }
        // A learner stores in order: with this one it has all before it. Those of before 3.9.3 may
        // say so before they acknowledge NEWLEADER.
        learner.acked = learner.acked.max(zxid);
        if learner.awaited.is_some_and(|(oldest, _)| oldest <= zxid) {
            learner.awaited = core.journal.next_after(zxid).map(|oldest| (oldest, core.now));
        }
        self.decide(core, out);
        Ok(())
    }

    /// Begins to lead once a quorum has this leader's log.
    pub(super) fn establish(&mut self, core: &mut Core, out: &mut Vec<Output>) {
        if self.stage != Stage::Syncing || !self.has_quorum(core) {
            return;
        }
        self.stage = Stage::Leading;
        core.journal.commit(self.history);
        out.push(Output::Tell(Event::Serving(Serving::Leader(self.epoch))));
        let synced = self.learners.iter().filter(|(_, learner)| learner.is_synced());
        for link in synced.map(|(link, _)| *link).collect::<Vec<_>>() {
            self.up_to_date(link, core, out);
        }
    }

    /// A learner may serve. A follower is told now what was decided since NEWLEADER: ZooKeeper
    /// 3.8.0 forgets at NEWLEADER what it has been sent, and a COMMIT of that before UPTODATE ends
    /// its session with the leader, and it then logs transactions twice (ZOOKEEPER-4394).
    fn up_to_date(&mut self, link: LinkId, core: &Core, out: &mut Vec<Output>) {
        let Some(learner) = self.learners.get_mut(&link) else { return };
        learner.progress = Progress::Serving;
        out.push(Output::Do(Action::Send(link, packet::bare(packet::UP_TO_DATE, Zxid(-1)))));
        if learner.follows() {
            // All of it is of this epoch, and so without a gap.
            let mut told = learner.decided.max(start_of(self.epoch));
            while told < core.journal.committed() {
                told = told.next();
                out.push(Output::Do(Action::Send(link, packet::bare(packet::COMMIT, told))));
            }
        }
    }

    /// Decides what a quorum has stored: the newest transaction such that those who have it, and so
    /// all before it, are a quorum.
    pub(in crate::zab) fn decide(&mut self, core: &mut Core, out: &mut Vec<Output>) {
        if self.stage != Stage::Leading
            || self.is_relay()
            || core.journal.committed() == core.journal.last()
        {
            return;
        }
        let synced = self.learners.values().filter(|learner| learner.is_synced());
        let mut stored: Vec<(Zxid, ServerId)> = synced
            .filter_map(|learner| Some((learner.acked, learner.server()?)))
            .chain([(core.journal.persisted(), core.options.me)])
            .collect();
        stored.sort_unstable_by(|a, b| b.cmp(a));
        let mut by = BTreeSet::new();
        let decided = stored.into_iter().find_map(|(zxid, server)| {
            by.insert(server);
            self.is_quorum(&by, core).then_some(zxid)
        });
        if let Some(decided) = decided
            && decided > core.journal.committed()
        {
            self.announce(decided, core, out);
        }
    }

    /// A relay tells observers what is known to be decided by now, and goes on with those that
    /// were ahead of that.
    pub(in crate::zab) fn pass_on(&mut self, core: &Core, out: &mut Vec<Output>) {
        let decided = core.journal.committed();
        let Some(before) = self.passed_on.replace(decided).filter(|before| *before < decided)
        else {
            return;
        };
        self.tell_decided(before, decided, core, out);
        let caught_up = self.learners.iter().filter_map(|(link, learner)| {
            let Progress::Promised(last) = learner.progress else { return None };
            (last <= decided).then_some((*link, last))
        });
        for (link, last) in caught_up.collect::<Vec<_>>() {
            self.begin_sync(link, last, core, out);
        }
    }

    /// Tells everybody what has been decided behind `before`.
    fn tell_decided(&self, before: Zxid, decided: Zxid, core: &Core, out: &mut Vec<Output>) {
        for (link, learner) in &self.learners {
            let follows = learner.follows();
            if !learner.is_forwarded() || follows && learner.progress != Progress::Serving {
                continue;
            }
            let news = core.journal.after(before);
            for entry in news.take_while(|entry| entry.zxid <= decided) {
                let packet = if follows {
                    packet::bare(packet::COMMIT, entry.zxid)
                } else {
                    packet::with_data(packet::INFORM, entry.zxid, entry.payload.clone())
                };
                out.push(Output::Do(Action::Send(*link, packet)));
            }
        }
    }

    /// A SYNC is answered before what was proposed behind it is told of: a learner takes a decision
    /// for the oldest request of a session, and that is the sync until it is answered.
    fn announce(&mut self, decided: Zxid, core: &mut Core, out: &mut Vec<Output>) {
        let mut told = core.journal.committed();
        while let Some((zxid, link)) = self.syncs.front().copied()
            && zxid <= decided
        {
            self.syncs.pop_front();
            self.tell_decided(told, zxid, core, out);
            told = told.max(zxid);
            send_sync(link, out);
        }
        self.tell_decided(told, decided, core, out);
        core.journal.commit(decided);
    }

    /// How many transactions have to be decided before SYNCs are answered.
    pub(in crate::zab) fn pending_syncs(&self) -> usize {
        let zxids: BTreeSet<Zxid> = self.syncs.iter().map(|(zxid, _)| *zxid).collect();
        zxids.len()
    }

    /// Answers a SYNC behind everything that is outstanding.
    pub(in crate::zab) fn sync(&mut self, link: LinkId, core: &Core, out: &mut Vec<Output>) {
        if core.journal.committed() == core.journal.last() {
            send_sync(link, out);
        } else {
            self.syncs.push_back((core.journal.last(), link));
        }
    }
}

fn send_sync(link: LinkId, out: &mut Vec<Output>) {
    out.push(Output::Do(Action::Send(link, packet::bare(packet::SYNC, Zxid::ZERO))));
}
