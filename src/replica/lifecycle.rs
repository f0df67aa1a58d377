//! Sessions: how they begin, go on with another connection, and end.

use super::clients::Client;
use super::{CloseReason, Effect, Handshake, Identities, Origin, Replica, Wish, frames};
use crate::proto::Request;
use crate::session;
use crate::tree::Tree;
use crate::types::{ConnId, Moment, Now, SessionId, Zxid};
use crate::watch::Watches;
use std::collections::VecDeque;

/// The xid in transactions that the server itself asks for.
const SERVER_XID: i32 = 0;
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
        if handshake.last_zxid_seen > tree.last_zxid() {
            out.push(Effect::Close(conn, CloseReason::ZxidAhead));
            return;
        }
        if handshake.session == SessionId(0) {
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
        let mut session = self.session_ids.next();
        // The clock that ids come from may have been set back.
        while self.sessions.get(session).is_some() {
            session = self.session_ids.next();
        }
        let Handshake { timeout_ms, read_only, .. } = *handshake;
        self.attach(conn, session, timeout_ms, identities);
        let request = Ok(Request::CreateSession(timeout_ms));
        let origin = Origin::Handshake { conn, timeout_ms, read_only };
        let wish = Wish { session, xid: SERVER_XID, request: &request, identities: &[], origin };
        self.propose(tree, wish, now, out);
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
        if let Some(owner) = self.sessions.get(session).and_then(|known| known.owner) {
            self.sessions.set_owner(session, None);
            self.clients.remove(&owner);
            out.push(Effect::Close(owner, CloseReason::SessionTakenOver));
        }
        let proven = session::password_matches(session, &handshake.password);
        if !proven || !self.sessions.touch(session, timeout_ms, now.mono) {
            out.push(Effect::Notify(conn, frames::refusal(read_only)));
            out.push(Effect::Close(conn, CloseReason::SessionGone));
            return;
        }
        self.attach(conn, session, timeout_ms, identities);
        self.establish(conn, session, timeout_ms, read_only, now, out);
    }

    fn attach(
        &mut self,
        conn: ConnId,
        session: SessionId,
        timeout_ms: i32,
        identities: Identities,
    ) {
        let client = Client { session, timeout_ms, identities, waiting: VecDeque::new() };
        self.clients.insert(conn, client);
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
        self.sessions.set_owner(session, Some(conn));
        self.sessions.touch(session, timeout_ms, now.mono);
        let frame = frames::welcome(session, timeout_ms, read_only);
        out.push(Effect::Established { conn, session, timeout_ms, frame });
    }

    /// A createSession has been committed.
    pub(super) fn begin_session(&mut self, session: SessionId, timeout_ms: i32, now: Now) {
        self.sessions.insert(session, timeout_ms, now.mono);
        self.session_changes.push((session, Some(timeout_ms)));
    }

    /// A closeSession has been committed: its connection hears of it and goes.
    pub(super) fn end_session(
        &mut self,
        session: SessionId,
        origin: Origin,
        zxid: Zxid,
        out: &mut Vec<Effect>,
    ) {
        let owner = self.sessions.get(session).and_then(|known| known.owner);
        self.sessions.remove(session);
        self.session_changes.push((session, None));
        if let Origin::Request(conn, xid) = origin
            && self.clients.remove(&conn).is_some()
        {
            out.push(Effect::Reply(conn, frames::reply(xid, zxid, 0, |_| {})));
            out.push(Effect::Close(conn, CloseReason::ClientRequest));
        }
        if let Some(conn) = owner
            && self.clients.remove(&conn).is_some()
        {
            out.push(Effect::Close(conn, CloseReason::SessionExpired));
        }
    }

    /// A connection is gone. Its session lives on until it expires.
    pub(super) fn handle_closed(&mut self, watches: &mut Watches, conn: ConnId) {
        watches.drop_conn(conn);
        let Some(client) = self.clients.remove(&conn) else { return };
        let owner = self.sessions.get(client.session).and_then(|session| session.owner);
        if owner == Some(conn) {
            self.sessions.set_owner(client.session, None);
        }
    }

    /// Sessions were heard of. If one has gone on with another connection meanwhile, what that was
    /// granted counts.
    pub(super) fn handle_touched(&mut self, touched: &[(SessionId, i32)], now: Now) {
        for (id, timeout_ms) in touched {
            let Some(known) = self.sessions.get(*id) else { continue };
            let owner = known.owner.and_then(|conn| self.clients.get(&conn));
            let timeout_ms = owner.map_or(*timeout_ms, |client| client.timeout_ms);
            self.sessions.touch(*id, timeout_ms, now.mono);
        }
    }

    /// Time has passed: sessions expire, containers and TTL znodes are due.
    pub(super) fn handle_tick(&mut self, tree: &Tree, now: Now, out: &mut Vec<Effect>) {
        for session in self.sessions.expired(now.mono) {
            self.expired += 1;
            self.propose_own(tree, session, Request::CloseSession, now, out);
        }
        if now.mono >= self.next_reaping {
            self.reap(tree, now, out);
        }
    }

    /// Removes containers and TTL znodes that are due, as many as one interval may take.
    fn reap(&mut self, tree: &Tree, now: Now, out: &mut Vec<Effect>) {
        let reaper = self.options.reaper;
        self.next_reaping = now.mono.plus(reaper.check_interval_ms.max(1));
        let per_check = reaper.check_interval_ms.saturating_mul(reaper.max_per_minute as u64);
        let limit = usize::try_from(per_check / MINUTE_MS).unwrap_or(usize::MAX).max(1);
        let due = tree.removal_candidates(now.wall, reaper.max_never_used_ms);
        for path in due.into_iter().take(limit) {
            self.propose_own(tree, SessionId(0), Request::DeleteContainer(path), now, out);
        }
    }

    /// A change that the server itself wants.
    fn propose_own(
        &mut self,
        tree: &Tree,
        session: SessionId,
        request: Request,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let (request, origin) = (Ok(request), Origin::Server);
        let wish = Wish { session, xid: SERVER_XID, request: &request, identities: &[], origin };
        self.propose(tree, wish, now, out);
    }

    /// When [`super::Input::Tick`] has something to do, at the latest.
    #[must_use]
    pub fn next_tick(&self) -> Moment {
        let expiry = self.sessions.next_expiry().unwrap_or(self.next_reaping);
        expiry.min(self.next_reaping)
    }
}
