//! The leader's side of what learners ask for their clients (ZK: `LearnerHandler`).

use super::packets::{self, Forwarded};
use super::{CloseReason, Effect, Origin, Replica, Wish};
use crate::proto::{OpCode, Request};
use crate::session::Owner;
use crate::tree::Tree;
use crate::types::{ErrorCode, LinkId, Now};
use crate::zab::Action;
use jute::quorum::QuorumPacket;
use jute::{DecodeError, Decoder};

impl Replica {
    /// A packet of a learner.
    pub(super) fn handle_learner(
        &mut self,
        tree: &Tree,
        link: LinkId,
        packet: QuorumPacket,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let kind = packet.kind;
        let read = match kind {
            packets::REQUEST => self.handle_forwarded(tree, link, packet, now),
            packets::PING => self.handle_touches(packet, now),
            packets::REVALIDATE => self.handle_revalidate(link, packet, now, out),
            _ => Ok(()),
        };
        if let Err(error) = read {
            self.give_up(link, format!("its packet of type {kind} is broken: {error}"), now, out);
        }
    }

    /// A client's request: it is checked and proposed as if the client were here, whatever it is,
    /// for the learner waits for a transaction.
    fn handle_forwarded(
        &mut self,
        tree: &Tree,
        link: LinkId,
        packet: QuorumPacket,
        now: Now,
    ) -> Result<(), DecodeError> {
        let identities = packet.auth_info.unwrap_or_default();
        let Forwarded { session, cxid: xid, op, body } = Forwarded::read(packet.data)?;
        let op = OpCode::from_number(op);
        if op == Some(OpCode::Sync) {
            self.zab.sync(link, &mut self.outputs);
            return Ok(());
        }
        let request = match op {
            Some(OpCode::CreateSession) => {
                let timeout_ms = Decoder::new(body).int();
                timeout_ms.map(Request::CreateSession).map_err(|_| ErrorCode::MarshallingError)
            }
            // Clients may not ask for it, and a learner does not reap.
            Some(OpCode::DeleteContainer) | None => Err(ErrorCode::Unimplemented),
            Some(op) => decode(op, body),
        };
        if op == Some(OpCode::CloseSession) {
            self.sessions.set_closing(session);
        }
        if let Ok(Request::CreateSession(timeout_ms)) = request {
            // It may be decided, and its client go on with it elsewhere, long before it is applied
            // here.
            self.track(session, timeout_ms, now);
        }
        self.sessions.claim(session, Owner::Learner(link));
        let (request, identities, origin) = (&request, &identities, Origin::Learner(link));
        self.propose(tree, Wish { session, xid, request, identities, origin }, now);
        Ok(())
    }

    /// Sessions that a learner has heard of.
    fn handle_touches(&mut self, packet: QuorumPacket, now: Now) -> Result<(), DecodeError> {
        for (session, timeout_ms) in packets::read_touches(packet.data)? {
            self.sessions.touch(session, timeout_ms, now.mono);
        }
        Ok(())
    }

    /// A client would go on with its session at a learner (ZK: `Leader.revalidateSession`).
    fn handle_revalidate(
        &mut self,
        link: LinkId,
        mut packet: QuorumPacket,
        now: Now,
        out: &mut Vec<Effect>,
    ) -> Result<(), DecodeError> {
        let (session, timeout_ms) = packets::read_revalidate(packet.data.take())?;
        let valid = self.sessions.touch(session, timeout_ms, now.mono);
        if valid {
            self.sessions.set_owner(session, Some(Owner::Learner(link)));
            // ZooKeeper leaves the old connection to find out by itself.
            self.evict(session, CloseReason::SessionMoved, out);
        }
        let answer = packets::revalidated(packet, session, valid);
        out.push(Effect::Quorum(Action::Send(link, answer)));
        Ok(())
    }

    /// A learner is gone, and its clients' connections with it.
    pub(super) fn forget_learner(&mut self, link: LinkId) {
        self.early.retain(|(from, _)| *from != link);
        self.errands.forget_observer(link);
        for proposal in &mut self.proposals {
            if proposal.origin == Origin::Learner(link) {
                proposal.origin = Origin::Server;
            }
        }
    }
}

/// Reads a client's request; what a client of this server would be refused before it comes to a
/// transaction is refused here too.
fn decode(op: OpCode, body: bytes::Bytes) -> Result<Request, ErrorCode> {
    let request = Request::decode(op, body).map_err(|_| ErrorCode::MarshallingError)?;
    match &request {
        Request::Multi(multi) if multi.lacks_acl() => Err(ErrorCode::MarshallingError),
        _ => Ok(request),
    }
}
