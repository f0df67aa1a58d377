//! What comes from the broadcast: proposals, roles, and packets about clients.

use super::{CloseReason, Effect, Origin, Proposal, Replica, Stance, packets};
use crate::tree::{Transaction, Tree};
use crate::types::{LinkId, Now, Zxid};
use crate::zab::{self, Action, Event, LinkError, Output, Serving};
use bytes::Bytes;
use jute::quorum::QuorumPacket;

impl Replica {
    /// The log, the other servers or their learners have something to say.
    pub(super) fn handle_quorum(&mut self, input: zab::Input, now: Now, out: &mut Vec<Effect>) {
        match &input {
            zab::Input::Packet(link, packet) => {
                if let Err(why) = self.read_ahead(packet) {
                    self.give_up(*link, why, now, out);
                    return;
                }
            }
            zab::Input::SnapshotReceived(..) => self.comparable = false,
            _ => {}
        }
        self.zab.handle(input, now.mono, &mut self.outputs);
    }

    /// Looks at the transaction in a packet. One that cannot be understood must not even be logged:
    /// it could neither be applied later nor left out.
    fn read_ahead(&mut self, packet: &QuorumPacket) -> Result<(), String> {
        let Some(payload) = packets::transaction_in(packet) else { return Ok(()) };
        let zxid = Zxid(packet.zxid);
        let txn = Transaction::from_bytes(payload)
            .map_err(|error| format!("its transaction {zxid} cannot be understood: {error}"))?;
        if txn.header.zxid != zxid.0 {
            let other = Zxid(txn.header.zxid);
            return Err(format!("its transaction {zxid} says that it is {other}"));
        }
        self.read_ahead = Some(txn);
        Ok(())
    }

    /// Closes the link of a server that says what makes no sense here. For the broadcast it is as
    /// if the link had broken.
    pub(super) fn give_up(&mut self, link: LinkId, why: String, now: Now, out: &mut Vec<Effect>) {
        out.push(Effect::Quorum(Action::Close(link, LinkError::Protocol(why))));
        self.zab.handle(zab::Input::Closed(link), now.mono, &mut self.outputs);
    }

    /// Carries out what the broadcast said. What is to be done outside keeps the broadcast's order;
    /// what is heard inside may lead to more of both.
    pub(super) fn carry_over(&mut self, tree: &Tree, now: Now, out: &mut Vec<Effect>) {
        loop {
            for output in self.outputs.drain(..) {
                match output {
                    Output::Do(action) => out.push(Effect::Quorum(action)),
                    Output::Tell(event) => self.events.push_back(event),
                }
            }
            let Some(event) = self.events.pop_front() else { break };
            self.handle_event(tree, event, now, out);
        }
        self.read_ahead = None;
    }

    fn handle_event(&mut self, tree: &Tree, event: Event, now: Now, out: &mut Vec<Effect>) {
        match event {
            Event::Proposed(zxid, payload) => self.note_proposed(zxid, payload),
            Event::Dropped(last) => {
                while self.proposals.pop_back_if(|proposal| proposal.zxid > last).is_some() {}
            }
            Event::Serving(serving) => {
                if self.is_read_only() {
                    self.halt(out);
                }
                self.next_stance = Some(serving);
            }
            Event::Halted => self.halt(out),
            Event::Client(link, packet) => self.handle_client(tree, link, packet, now, out),
            Event::LearnerGone(link) => self.forget_learner(link),
        }
    }

    /// A transaction of another server is in the log.
    fn note_proposed(&mut self, zxid: Zxid, payload: Bytes) {
        let read = self.read_ahead.take_if(|txn| txn.header.zxid == zxid.0);
        let txn = read.unwrap_or_else(|| {
            Transaction::from_bytes(payload).expect("packets are read before they are taken in")
        });
        assert!(self.proposals.back().is_none_or(|last| last.zxid < zxid), "zxids only rise");
        self.proposals.push_back(Proposal { zxid, txn, origin: Origin::Elsewhere });
    }

    /// A packet about clients.
    fn handle_client(
        &mut self,
        tree: &Tree,
        link: LinkId,
        packet: QuorumPacket,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        match (self.stance, self.next_stance) {
            (Stance::Deciding, _) => self.handle_learner(tree, link, packet, now, out),
            (_, Some(Serving::Leader(_))) => self.early.push_back((link, packet)),
            (Stance::Learning(leader), _) if leader == link => {
                self.handle_leader(link, packet, now, out);
            }
            (_, Some(Serving::Learner(leader))) if leader == link => {
                self.handle_leader(link, packet, now, out);
            }
            // Of an observer that learns from this server.
            (Stance::Learning(leader), _) | (_, Some(Serving::Learner(leader))) => {
                self.handle_observer(leader, link, packet, now, out);
            }
            // From a leader that is none any more.
            (Stance::Idle | Stance::ReadOnly, _) => {}
        }
    }

    /// Whether the stance can change now: for a leader only once it has applied all that it found
    /// in its log, which is decided but may not be durable here yet.
    pub(super) fn may_serve(&self) -> bool {
        match self.next_stance {
            None => false,
            Some(Serving::Leader(_)) => self.proposals.is_empty(),
            Some(Serving::Learner(_)) => true,
        }
    }

    /// Begins to serve clients.
    pub(super) fn serve(&mut self, tree: &mut Tree, now: Now, out: &mut Vec<Effect>) {
        let Some(serving) = self.next_stance.take() else { return };
        assert!(self.clients.is_empty(), "nobody has been served until now");
        match serving {
            Serving::Leader(epoch) => {
                self.stance = Stance::Deciding;
                tree.establish(Zxid::new(epoch, 0));
                self.prep.clear();
                self.sessions.restart(now.mono);
                self.next_reaping = now.mono.plus(self.options.reaper.check_interval_ms);
                for (link, packet) in std::mem::take(&mut self.early) {
                    self.handle_learner(tree, link, packet, now, out);
                }
            }
            Serving::Learner(link) => {
                self.stance = Stance::Learning(link);
                // A client may have seen this zxid at the leader, and nothing older is behind it.
                tree.establish(Zxid::new(self.zab.status().epochs.current, 0));
            }
        }
    }

    /// Clients can no longer be served. What was proposed may be decided all the same.
    pub(super) fn halt(&mut self, out: &mut Vec<Effect>) {
        self.stance = Stance::Idle;
        self.next_stance = None;
        self.early.clear();
        self.prep.clear();
        self.sessions.disown_all();
        // What only this server knew ends with its role, as in ZooKeeper.
        self.locals.abandon(self.options.tick_ms);
        for session in self.uncommitted.drain() {
            self.sessions.remove(session);
        }
        let asking = self.errands.abandon();
        let mut conns: Vec<_> = self.clients.drain().map(|(conn, _)| conn).chain(asking).collect();
        self.homes.clear();
        conns.sort_unstable();
        out.extend(conns.into_iter().map(|conn| Effect::Close(conn, CloseReason::NotServing)));
    }
}
