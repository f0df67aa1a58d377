//! Sessions: how they begin, go on with another connection, and end.

use super::clients::Client;
use super::learner::Opening;
use super::{CloseReason, Effect, Handshake, Identities, Origin, Replica, Stance, Wish, frames};
use crate::proto::Request;
use crate::session::{self, Owner};
use crate::tree::Tree;
use crate::types::{ConnId, Moment, Now, SessionId, Zxid};
use crate::watch::Watches;
use crate::zab;
use std::collections::VecDeque;

/// The xid in transactions that the server itself asks for.
pub(super) const SERVER_XID: i32 = 0;
/// Milliseconds of a minute.
const MINUTE_MS: u64 = 60_000;

impl Replica {
    /// A first frame (ZK: `ZooKeeperServer.processConnectRequest`).
    pub(super) fn handle_connect(
        &mut self,
        tree: &Tree,
        conn: ConnId,
        handshake: &Handshake,
        identities: Identities,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        if self.stance == Stance::Idle {
            out.push(Effect::Close(conn, CloseReason::NotServing));
            return;
        }
        if handshake.last_zxid_seen > tree.last_zxid() {
            out.push(Effect::Close(conn, CloseReason::ZxidAhead));
            return;
        }
        if self.stance == Stance::ReadOnly {
            self.connect_read_only(conn, handshake, identities, now, out);
        } else if handshake.session == SessionId(0) {
            self.open(tree, conn, handshake, identities, now, out);
        } else {
            self.reopen(conn, handshake, identities, now, out);
        }
    }

    fn open(
        &mut self,
        tree: &Tree,
        conn: ConnId,
        handshake: &Handshake,
        identities: Identities,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let session = self.new_session();
        let Handshake { timeout_ms, read_only, .. } = *handshake;
        self.attach(conn, session, timeout_ms, identities, out);
        let opening = Opening { conn, timeout_ms, read_only };
        if self.locals.are_enabled() {
            self.begin_local(session, opening, now, out);
            return;
        }
        if let Stance::Learning(link) = self.stance {
            self.ask_open(link, session, opening, out);
            return;
        }
        let request = Ok(Request::CreateSession(timeout_ms));
        let origin = Origin::Handshake { conn, timeout_ms, read_only };
        let wish = Wish { session, xid: SERVER_XID, request: &request, identities: &[], origin };
        self.propose(tree, wish, now);
    }

    /// An id that no session has. The clock that ids come from may have been set back.
    pub(super) fn new_session(&mut self) -> SessionId {
        loop {
            let session = self.session_ids.next();
            if self.sessions.get(session).is_none() && !self.locals.contains(session) {
                return session;
            }
        }
    }

    fn reopen(
        &mut self,
        conn: ConnId,
        handshake: &Handshake,
        identities: Identities,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let Handshake { session, timeout_ms, read_only, .. } = *handshake;
        // The old connection goes even if the newcomer cannot prove itself, as in ZooKeeper.
        self.evict(session, CloseReason::SessionTakenOver, out);
        let proven = session::password_matches(session, &handshake.password);
        let is_local = self.locals.contains(session);
        if let (true, false, Stance::Learning(link)) = (proven, is_local, self.stance) {
            self.ask_reopen(link, conn, handshake, identities, out);
            return;
        }
        if !proven || !self.hear_of(session, timeout_ms, now) {
            out.push(Effect::Notify(conn, frames::refusal(read_only)));
            out.push(Effect::Close(conn, CloseReason::SessionGone));
            return;
        }
        self.attach(conn, session, timeout_ms, identities, out);
        self.establish(conn, session, timeout_ms, read_only, now, out);
    }

    /// From here on the session is at home on this connection.
    pub(super) fn attach(
        &mut self,
        conn: ConnId,
        session: SessionId,
        timeout_ms: i32,
        identities: Identities,
        out: &mut Vec<Effect>,
    ) {
        self.evict(session, CloseReason::SessionTakenOver, out);
        let since = self.zab.status().last_logged;
        let waiting = VecDeque::new();
        let client = Client { session, timeout_ms, since, identities, waiting };
        self.clients.insert(conn, client);
        self.homes.insert(session, conn);
    }

    /// Closes the connection on which a session is at home, if there is one.
    pub(super) fn evict(&mut self, session: SessionId, why: CloseReason, out: &mut Vec<Effect>) {
        let Some(conn) = self.homes.get(&session).copied() else { return };
        self.detach(conn);
        out.push(Effect::Close(conn, why));
    }

    /// A connection is no client any more. Its session lives on until it expires, and still belongs
    /// to it until it goes on elsewhere: what other servers may still bring of it is older.
    pub(super) fn detach(&mut self, conn: ConnId) {
        let Some(Client { session, waiting, .. }) = self.clients.remove(&conn) else { return };
        let home = self.homes.remove(&session);
        assert_eq!(home, Some(conn), "a client's session is at home with it");
        if let Stance::Learning(_) = self.stance {
            self.errands.leave(session, &waiting);
        }
    }

    /// The session is open on this connection, if that is still there.
    pub(super) fn establish(
        &mut self,
        conn: ConnId,
        session: SessionId,
        timeout_ms: i32,
        read_only: Option<bool>,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        if !self.clients.contains_key(&conn) {
            return;
        }
        self.sessions.set_owner(session, Some(Owner::Local(conn)));
        self.hear_of(session, timeout_ms, now);
        let read_only = read_only.map(|_| self.is_read_only());
        let frame = frames::welcome(session, timeout_ms, read_only);
        out.push(Effect::Established { conn, session, timeout_ms, frame });
    }

    /// A leader knows a session from when it proposes to begin it (ZK: `trackSession`).
    pub(super) fn track(&mut self, session: SessionId, timeout_ms: i32, now: Now) {
        if self.sessions.get(session).is_none() {
            self.uncommitted.insert(session);
        }
        self.sessions.insert(session, timeout_ms, now.mono);
    }

    /// A createSession has been committed: the connection that opens it hears of it.
    pub(super) fn begin_session(
        &mut self,
        session: SessionId,
        timeout_ms: i32,
        origin: Origin,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        self.sessions.insert(session, timeout_ms, now.mono);
        self.session_changes.push((session, Some(timeout_ms)));
        self.uncommitted.remove(&session);
        // It may have come back while its upgrade was under way.
        self.locals.remove(session);
        match origin {
            Origin::Handshake { conn, timeout_ms, read_only } => {
                self.establish(conn, session, timeout_ms, read_only, now, out);
            }
            Origin::Learner(link) => self.sessions.claim(session, Owner::Learner(link)),
            Origin::Elsewhere => {
                if let Some(opening) = self.errands.opened(session) {
                    let Opening { conn, timeout_ms, read_only } = opening;
                    self.establish(conn, session, timeout_ms, read_only, now, out);
                }
            }
            Origin::Request(..) | Origin::Server => {}
        }
    }

    /// A closeSession has been committed: its connection hears of it and goes.
    pub(super) fn end_session(
        &mut self,
        session: SessionId,
        xid: i32,
        origin: Origin,
        zxid: Zxid,
        out: &mut Vec<Effect>,
    ) {
        let asked = self.who_waits(session, xid, zxid, origin);
        if let Some(conn) = asked.filter(|conn| self.clients.contains_key(conn)) {
            self.detach(conn);
            out.push(Effect::Reply(conn, frames::reply(xid, zxid, 0, |_| {})));
            out.push(Effect::Close(conn, CloseReason::ClientRequest));
        }
        self.evict(session, CloseReason::SessionExpired, out);
        self.sessions.remove(session);
        self.session_changes.push((session, None));
        self.errands.end(session);
    }

    /// A connection is gone. Its session lives on until it expires.
    pub(super) fn handle_closed(&mut self, watches: &mut Watches, conn: ConnId) {
        watches.drop_conn(conn);
        self.errands.forget(conn);
        self.detach(conn);
    }

    /// Sessions were heard of. If one has gone on with another connection meanwhile, what that was
    /// granted counts.
    pub(super) fn handle_touched(&mut self, touched: &[(SessionId, i32)], now: Now) {
        for (id, timeout_ms) in touched {
            let home = self.homes.get(id).and_then(|conn| self.clients.get(conn));
            let timeout_ms = home.map_or(*timeout_ms, |client| client.timeout_ms);
            self.hear_of(*id, timeout_ms, now);
        }
    }

    /// Time has passed: if this server decides, sessions expire, containers and TTL znodes are due.
    pub(super) fn handle_tick(&mut self, tree: &Tree, now: Now, out: &mut Vec<Effect>) {
        self.zab.handle(zab::Input::Tick, now.mono, &mut self.outputs);
        self.expire_locals(now, out);
        self.watch_leader(now);
        if self.stance != Stance::Deciding {
            return;
        }
        for session in self.sessions.expired(now.mono) {
            self.expired += 1;
            self.propose_own(tree, session, Request::CloseSession, now);
        }
        if now.mono >= self.next_reaping {
            self.reap(tree, now);
        }
    }

    /// Removes containers and TTL znodes that are due, as many as one interval may take.
    fn reap(&mut self, tree: &Tree, now: Now) {
        let reaper = self.options.reaper;
        self.next_reaping = now.mono.plus(reaper.check_interval_ms.max(1));
        let per_check = reaper.check_interval_ms.saturating_mul(reaper.max_per_minute as u64);
        let limit = usize::try_from(per_check / MINUTE_MS).unwrap_or(usize::MAX).max(1);
        let due = tree.removal_candidates(now.wall, reaper.max_never_used_ms);
        for path in due.into_iter().take(limit) {
            self.propose_own(tree, SessionId(0), Request::DeleteContainer(path), now);
        }
    }

    /// A change that the server itself wants.
    fn propose_own(&mut self, tree: &Tree, session: SessionId, request: Request, now: Now) {
        let (request, origin) = (Ok(request), Origin::Server);
        let wish = Wish { session, xid: SERVER_XID, request: &request, identities: &[], origin };
        self.propose(tree, wish, now);
    }

    /// When [`super::Input::Tick`] has something to do, at the latest.
    #[must_use]
    pub fn next_tick(&self) -> Moment {
        let own = (self.stance == Stance::Deciding).then_some(self.next_reaping);
        let expiry = own.and_then(|_| self.sessions.next_expiry());
        let locals = self.locals.next_expiry();
        let due = [own, expiry, locals, self.read_only_from(), self.zab.next_tick()]
            .into_iter()
            .flatten()
            .min();
        due.unwrap_or(Moment(u64::MAX))
    }
}
