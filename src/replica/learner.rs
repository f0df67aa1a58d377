//! What a learner asks of its leader for its clients (ZK: `LearnerZooKeeperServer`,
//! `FollowerRequestProcessor`).

use super::clients::Waiting;
use super::packets::{self, Forwarded};
use super::{ClientRequest, CloseReason, Effect, Handshake, Identities, Replica, frames};
use crate::proto::OpCode;
use crate::tree::Tree;
use crate::types::{ConnId, LinkId, Map, Now, SessionId, Zxid};
use crate::watch::Watches;
use crate::zab::Action;
use bytes::Bytes;
use jute::DecodeError;
use jute::quorum::QuorumPacket;
use std::collections::VecDeque;

/// What is under way to the leader and back, besides writes.
#[derive(Debug, Default)]
pub(super) struct Errands {
    /// Sessions that were heard of since the leader's last ping, with the timeouts in milliseconds
    /// that their connections were granted.
    touched: Map<SessionId, i32>,
    /// Connections that open a session.
    opening: Map<SessionId, Opening>,
    /// Those who want to go on with a session, in the order in which they asked.
    revalidations: VecDeque<Revalidation>,
    /// Those who have asked for a sync, in the order in which they asked.
    syncs: VecDeque<Asker>,
    /// Those to which the leader has answered, each with the zxid that must be applied first.
    synced: VecDeque<(Zxid, ConnId)>,
    /// Writes under way of connections that are gone or at an observer, by their xids: another
    /// connection of the session may give its own writes the same numbers.
    orphans: Map<SessionId, VecDeque<i32>>,
    /// Sessions that have been at an observer which learns from this server: at which they are, or
    /// `None` for here. To the leader all of that is one link, so it is this server that must not
    /// let a write pass that was left behind where the session was before.
    routes: Map<SessionId, Option<LinkId>>,
}

/// A connection that opens a session.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opening {
    pub(super) conn: ConnId,
    pub(super) timeout_ms: i32,
    pub(super) read_only: Option<bool>,
}

/// Who asks the leader for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asker {
    /// A connection here.
    Conn(ConnId),
    /// An observer that learns from this server, for a client of its own.
    Observer(LinkId),
    /// Somebody who is gone meanwhile.
    Nobody,
}

/// Somebody wants to go on with a session.
#[derive(Debug)]
struct Revalidation {
    session: SessionId,
    asker: Asker,
    timeout_ms: i32,
    /// What only a connection has.
    read_only: Option<bool>,
    identities: Identities,
}

impl Errands {
    /// A session was heard of.
    pub(super) fn touch(&mut self, session: SessionId, timeout_ms: i32) {
        self.touched.insert(session, timeout_ms);
    }

    /// The connection that opens a session, which now has begun.
    pub(super) fn opened(&mut self, session: SessionId) -> Option<Opening> {
        self.opening.remove(&session)
    }

    /// How many connections wait for their session to begin.
    pub(super) fn opening(&self) -> usize {
        self.opening.len()
    }

    /// A connection is gone. What it asked for is still answered.
    pub(super) fn forget(&mut self, conn: ConnId) {
        for asked in self.revalidations.iter_mut().filter(|it| it.asker == Asker::Conn(conn)) {
            asked.asker = Asker::Nobody;
        }
    }

    /// An observer is gone. What it asked for is still answered by the leader.
    pub(super) fn forget_observer(&mut self, link: LinkId) {
        let askers = self.revalidations.iter_mut().map(|asked| &mut asked.asker);
        for asker in askers.chain(&mut self.syncs).filter(|it| **it == Asker::Observer(link)) {
            *asker = Asker::Nobody;
        }
    }

    /// A session has ended.
    pub(super) fn end(&mut self, session: SessionId) {
        self.touched.remove(&session);
        self.opening.remove(&session);
        self.orphans.remove(&session);
        self.routes.remove(&session);
    }

    /// A connection is gone that waited for these.
    pub(super) fn leave(&mut self, session: SessionId, waiting: &VecDeque<Waiting>) {
        let writes = waiting.iter().filter_map(|waiting| match waiting {
            Waiting::Write(xid) => Some(*xid),
            Waiting::Sync(_) | Waiting::Read(_) => None,
        });
        let mut writes = writes.peekable();
        if writes.peek().is_some() {
            self.orphans.entry(session).or_default().extend(writes);
        }
    }

    /// Whether a transaction is a write of a connection that is gone. The leader keeps the order of
    /// what it is handed.
    pub(super) fn take_orphan(&mut self, session: SessionId, cxid: i32) -> bool {
        let Some(orphans) = self.orphans.get_mut(&session) else { return false };
        let found = orphans.pop_front_if(|xid| *xid == cxid).is_some();
        if orphans.is_empty() {
            self.orphans.remove(&session);
        }
        found
    }

    /// Nothing of this will be answered. Yields the connections that are not clients yet.
    pub(super) fn abandon(&mut self) -> Vec<ConnId> {
        let Self { revalidations, .. } = std::mem::take(self);
        let conns = revalidations.into_iter().filter_map(|asked| match asked.asker {
            Asker::Conn(conn) => Some(conn),
            Asker::Observer(_) | Asker::Nobody => None,
        });
        conns.collect()
    }

    /// A sync is to be answered once this is applied.
    pub(super) fn wait_until(&mut self, applied: Zxid, conn: ConnId) {
        self.synced.push_back((applied, conn));
    }

    /// Whether a sync can be answered once `applied` is.
    pub(super) fn has_synced(&self, applied: Zxid) -> bool {
        self.synced.front().is_some_and(|(zxid, _)| *zxid <= applied)
    }

    fn take_touched(&mut self) -> Vec<(SessionId, i32)> {
        let mut touched: Vec<_> = self.touched.drain().collect();
        touched.sort_unstable();
        touched
    }
}

impl Replica {
    /// Hands a write or a sync on to the leader. What has no readable body never comes here: some
    /// leaders do not survive it.
    pub(super) fn hand_on(
        &mut self,
        link: LinkId,
        conn: ConnId,
        request: ClientRequest,
        out: &mut Vec<Effect>,
    ) {
        let Some(client) = self.clients.get_mut(&conn) else { return };
        let (cxid, op, session) = (request.xid, request.op.number(), client.session);
        let forwarded = Forwarded { session, cxid, op, body: request.body.clone() };
        let packet = forwarded.into_packet(Some(&request.identities));
        if request.op == OpCode::Sync {
            client.waiting.push_back(Waiting::Sync(request));
            self.errands.syncs.push_back(Asker::Conn(conn));
        } else {
            client.waiting.push_back(Waiting::Write(cxid));
        }
        out.push(Effect::Quorum(Action::Send(link, packet)));
    }

    /// Asks the leader to begin a session.
    pub(super) fn ask_open(
        &mut self,
        link: LinkId,
        session: SessionId,
        opening: Opening,
        out: &mut Vec<Effect>,
    ) {
        self.errands.opening.insert(session, opening);
        send_open(link, session, opening.timeout_ms, out);
    }

    /// Asks the leader whether a session may go on here.
    pub(super) fn ask_reopen(
        &mut self,
        link: LinkId,
        conn: ConnId,
        handshake: &Handshake,
        identities: Identities,
        out: &mut Vec<Effect>,
    ) {
        let Handshake { session, timeout_ms, read_only, .. } = *handshake;
        if let Some(route) = self.errands.routes.get_mut(&session) {
            *route = None;
        }
        let asker = Asker::Conn(conn);
        let wanted = Revalidation { session, asker, timeout_ms, read_only, identities };
        self.errands.revalidations.push_back(wanted);
        let packet = packets::revalidate(session, timeout_ms);
        out.push(Effect::Quorum(Action::Send(link, packet)));
    }

    /// A packet of the leader.
    pub(super) fn handle_leader(
        &mut self,
        link: LinkId,
        packet: QuorumPacket,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let kind = packet.kind;
        let read = match kind {
            packets::PING => {
                let answer = packets::touches(packet, &self.errands.take_touched());
                out.push(Effect::Quorum(Action::Send(link, answer)));
                Ok(())
            }
            packets::REVALIDATE => self.handle_revalidated(packet, now, out),
            packets::SYNC => {
                match self.errands.syncs.pop_front() {
                    Some(Asker::Conn(conn)) => {
                        self.errands.wait_until(self.zab.committed(), conn);
                    }
                    // All that was decided before is on its way to it already.
                    Some(Asker::Observer(observer)) => {
                        out.push(Effect::Quorum(Action::Send(observer, packet)));
                    }
                    Some(Asker::Nobody) | None => {}
                }
                Ok(())
            }
            _ => Ok(()),
        };
        if let Err(error) = read {
            self.give_up(link, format!("its packet of type {kind} is broken: {error}"), now, out);
        }
    }

    /// The leader says whether a session may go on here.
    fn handle_revalidated(
        &mut self,
        packet: QuorumPacket,
        now: Now,
        out: &mut Vec<Effect>,
    ) -> Result<(), DecodeError> {
        let (session, valid) = packets::read_revalidated(packet.data.clone())?;
        let asked = self.errands.revalidations.iter().position(|asked| asked.session == session);
        let Some(asked) = asked.and_then(|place| self.errands.revalidations.remove(place)) else {
            return Ok(());
        };
        let conn = match asked.asker {
            Asker::Conn(conn) => conn,
            Asker::Observer(observer) => {
                if valid {
                    self.errands.touch(session, asked.timeout_ms);
                }
                out.push(Effect::Quorum(Action::Send(observer, packet)));
                return Ok(());
            }
            Asker::Nobody => return Ok(()),
        };
        if !valid {
            out.push(Effect::Notify(conn, frames::refusal(asked.read_only)));
            out.push(Effect::Close(conn, CloseReason::SessionGone));
            return Ok(());
        }
        self.attach(conn, session, asked.timeout_ms, asked.identities, out);
        self.establish(conn, session, asked.timeout_ms, asked.read_only, now, out);
        Ok(())
    }

    /// A packet of an observer that learns from this server: what is for the leader goes there by
    /// this server's own link (ZK: `ObserverMaster`).
    pub(super) fn handle_observer(
        &mut self,
        leader: LinkId,
        observer: LinkId,
        packet: QuorumPacket,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let kind = packet.kind;
        let read = match kind {
            packets::PING => packets::read_touches(packet.data).map(|touched| {
                for (session, timeout_ms) in touched {
                    self.errands.touch(session, timeout_ms);
                }
            }),
            packets::REQUEST => self.hand_on_request(leader, observer, packet, out),
            packets::REVALIDATE => self.hand_on_revalidation(leader, observer, packet, out),
            _ => Ok(()),
        };
        if let Err(error) = read {
            let why = format!("its packet of type {kind} is broken: {error}");
            self.give_up(observer, why, now, out);
        }
    }

    fn hand_on_request(
        &mut self,
        leader: LinkId,
        observer: LinkId,
        packet: QuorumPacket,
        out: &mut Vec<Effect>,
    ) -> Result<(), DecodeError> {
        let Forwarded { session, cxid, op, .. } = Forwarded::read(packet.data.clone())?;
        if op == OpCode::Sync.number() {
            self.errands.syncs.push_back(Asker::Observer(observer));
        } else {
            let route = self.errands.routes.entry(session).or_insert(Some(observer));
            if op == OpCode::CreateSession.number() {
                *route = Some(observer);
            } else if *route != Some(observer) {
                // Its connection there is none any more. Nobody waits for an answer.
                return Ok(());
            }
            self.errands.orphans.entry(session).or_default().push_back(cxid);
        }
        out.push(Effect::Quorum(Action::Send(leader, packet)));
        Ok(())
    }

    fn hand_on_revalidation(
        &mut self,
        leader: LinkId,
        observer: LinkId,
        packet: QuorumPacket,
        out: &mut Vec<Effect>,
    ) -> Result<(), DecodeError> {
        let (session, timeout_ms) = packets::read_revalidate(packet.data.clone())?;
        let (asker, identities) = (Asker::Observer(observer), Identities::from([]));
        let wanted = Revalidation { session, asker, timeout_ms, read_only: None, identities };
        self.errands.revalidations.push_back(wanted);
        self.errands.routes.insert(session, Some(observer));
        self.evict(session, CloseReason::SessionMoved, out);
        out.push(Effect::Quorum(Action::Send(leader, packet)));
        Ok(())
    }

    /// Answers the syncs whose time has come, and what waited behind them.
    pub(super) fn release_syncs(
        &mut self,
        tree: &Tree,
        watches: &mut Watches,
        out: &mut Vec<Effect>,
    ) {
        while self.errands.has_synced(self.applied) {
            let Some((_, conn)) = self.errands.synced.pop_front() else { return };
            let Some(client) = self.clients.get_mut(&conn) else { continue };
            let mut waiting = client.waiting.iter_mut();
            let sync = waiting.find_map(|waiting| match waiting {
                Waiting::Sync(request) => Some((request.clone(), waiting)),
                Waiting::Write(_) | Waiting::Read(_) => None,
            });
            // From here on it is like a read.
            if let Some((request, place)) = sync {
                *place = Waiting::Read(request);
            }
            self.answer_waiting(tree, watches, conn, out);
        }
    }
}

/// Sends the request to begin a session.
pub(super) fn send_open(link: LinkId, session: SessionId, timeout_ms: i32, out: &mut Vec<Effect>) {
    let body = Bytes::copy_from_slice(&timeout_ms.to_be_bytes());
    let op = OpCode::CreateSession.number();
    let packet = Forwarded { session, cxid: 0, op, body }.into_packet(None);
    out.push(Effect::Quorum(Action::Send(link, packet)));
}
