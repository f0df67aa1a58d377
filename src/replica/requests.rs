//! A client's request: answered at once, in its turn, or by a transaction.

use super::clients::Waiting;
use super::local_sessions::Need;
use super::read_only::refuse_write;
use super::{ClientRequest, Effect, Origin, Proposal, Replica, Stance, Wish};
use crate::prep::WriteRequest;
use crate::proto::OpCode;
use crate::tree::Tree;
use crate::types::{ConnId, Now, SessionId, Xid};
use crate::watch::Watches;

impl Replica {
    pub(super) fn handle_request(
        &mut self,
        tree: &Tree,
        watches: &mut Watches,
        conn: ConnId,
        mut request: ClientRequest,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let Some(client) = self.clients.get(&conn) else { return };
        let session = client.session;
        if !self.hear_of(session, client.timeout_ms, now) {
            // The session is ending: ZooKeeper drops the request, and the connection follows.
            return;
        }
        let mut is_for_all = true;
        if self.stance == Stance::ReadOnly {
            refuse_write(&mut request);
        } else if self.locals.are_enabled() {
            match self.locals.need_of(session, &request) {
                Need::Nothing => {}
                Need::Upgrade(timeout_ms) => {
                    self.upgrade(tree, conn, session, timeout_ms, now, out);
                }
                Need::Refusal(code) => {
                    request.request = Err(code);
                    is_for_all = false;
                }
            }
            // The end of a session concerns those who know it.
            let ends = request.op == OpCode::CloseSession;
            is_for_all &= !ends || !self.locals.contains(session);
        }
        match self.stance {
            Stance::Learning(link) if is_for_all && request.is_for_brain() => {
                self.hand_on(link, conn, request, out);
            }
            Stance::Deciding if self.must_wait(&request) => self.wait_for_sync(conn, request),
            Stance::Deciding if is_for_all && request.is_proposed() => {
                self.decide(tree, conn, session, request, now);
            }
            Stance::Idle | Stance::ReadOnly | Stance::Deciding | Stance::Learning(_) => {
                self.answer_in_turn(tree, watches, conn, request, out);
            }
        }
    }

    /// A session was heard of. False if it is ending.
    pub(super) fn hear_of(&mut self, session: SessionId, timeout_ms: i32, now: Now) -> bool {
        if self.locals.touch(session, timeout_ms, now.mono) {
            return true;
        }
        match self.stance {
            Stance::Idle | Stance::ReadOnly => false,
            Stance::Deciding => self.sessions.touch(session, timeout_ms, now.mono),
            Stance::Learning(_) => {
                self.errands.touch(session, timeout_ms);
                true
            }
        }
    }

    /// Whether a sync of a client of this server must wait: what is decided may be known to clients
    /// of other servers and not be durable here.
    fn must_wait(&self, request: &ClientRequest) -> bool {
        let is_sync = request.op == OpCode::Sync && request.request.is_ok();
        is_sync && self.applied < self.zab.committed()
    }

    fn wait_for_sync(&mut self, conn: ConnId, request: ClientRequest) {
        let Some(client) = self.clients.get_mut(&conn) else { return };
        client.waiting.push_back(Waiting::Sync(request));
        self.errands.wait_until(self.zab.committed(), conn);
    }

    /// Answers a request as soon as everything before it is answered.
    fn answer_in_turn(
        &mut self,
        tree: &Tree,
        watches: &mut Watches,
        conn: ConnId,
        request: ClientRequest,
        out: &mut Vec<Effect>,
    ) {
        let Some(client) = self.clients.get_mut(&conn) else { return };
        if client.waiting.is_empty() {
            self.answer(tree, watches, conn, &request, out);
        } else {
            client.waiting.push_back(Waiting::Read(request));
        }
    }

    /// Proposes the write of a client of this server.
    fn decide(
        &mut self,
        tree: &Tree,
        conn: ConnId,
        session: SessionId,
        request: ClientRequest,
        now: Now,
    ) {
        let ClientRequest { xid, op, request, identities, .. } = request;
        let Some(client) = self.clients.get_mut(&conn) else { return };
        client.waiting.push_back(Waiting::Write(xid));
        if op == OpCode::CloseSession {
            self.sessions.set_closing(session);
        }
        let origin = Origin::Request(conn, xid);
        let wish = Wish { session, xid, request: &request, identities: &identities, origin };
        self.propose(tree, wish, now);
    }

    /// Makes a transaction of a wish, refused or not, and proposes it.
    pub(super) fn propose(&mut self, tree: &Tree, wish: Wish<'_>, now: Now) {
        let Wish { session, xid, request, identities, origin } = wish;
        let Some(zxid) = self.zab.next_zxid() else { return };
        let cxid = Xid(xid);
        let (owner, may_be_local) = (origin.owner(), self.may_be_local(session, origin));
        let txn = match request {
            Ok(request) => {
                let request =
                    WriteRequest { session, cxid, request, identities, owner, may_be_local };
                self.prep.prepare(tree, &self.sessions, &request, zxid, now.wall)
            }
            Err(code) => self.prep.refuse(session, cxid, *code, zxid, now.wall),
        };
        self.zab.propose(zxid, txn.to_bytes(), &mut self.outputs);
        self.proposals.push_back(Proposal { zxid, txn, origin });
    }
}
