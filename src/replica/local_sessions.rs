//! Sessions that only this server knows: they cost no transaction, and cannot own znodes until they
//! are made known to all (ZK: `LocalSessionTracker`, `QuorumZooKeeperServer.checkUpgradeSession`).

use super::learner::{Opening, send_open};
use super::{ClientRequest, CloseReason, Effect, Origin, Replica, Stance, Wish, frames, lifecycle};
use crate::proto::{CreateMode, CreateOp, MultiOp, OpCode, Request};
use crate::session::{Owner, Sessions};
use crate::tree::Tree;
use crate::types::{ConnId, ErrorCode, Moment, Now, SessionId};

/// Whether new sessions are known to their own server alone (`localSessionsEnabled`,
/// `localSessionsUpgradingEnabled`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LocalSessions {
    /// They are known to all.
    #[default]
    Off,
    /// They are, and remain so.
    Fixed,
    /// They are, until they create an ephemeral.
    Upgradable,
}

/// What a request of a local session needs before it can go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// Nothing.
    Nothing,
    /// The session must become known to all, with this timeout in milliseconds.
    Upgrade(i32),
    /// It cannot be had.
    Refusal(ErrorCode),
}

/// The sessions that only this server knows.
#[derive(Debug)]
pub(super) struct Locals {
    mode: LocalSessions,
    sessions: Sessions,
}

impl Locals {
    pub(super) fn new(mode: LocalSessions, tick_ms: u64) -> Self {
        Self { mode, sessions: Sessions::new(tick_ms) }
    }

    pub(super) fn are_enabled(&self) -> bool {
        self.mode != LocalSessions::Off
    }

    pub(super) fn contains(&self, session: SessionId) -> bool {
        self.sessions.get(session).is_some()
    }

    pub(super) fn insert(&mut self, session: SessionId, timeout_ms: i32, now: Moment) {
        self.sessions.insert(session, timeout_ms, now);
    }

    /// False if it is not one of these.
    pub(super) fn touch(&mut self, session: SessionId, timeout_ms: i32, now: Moment) -> bool {
        self.sessions.touch(session, timeout_ms, now)
    }

    pub(super) fn remove(&mut self, session: SessionId) {
        self.sessions.remove(session);
    }

    /// Forgets all of them.
    pub(super) fn abandon(&mut self, tick_ms: u64) {
        self.sessions = Sessions::new(tick_ms);
    }

    pub(super) fn expired(&mut self, now: Moment) -> Vec<SessionId> {
        self.sessions.expired(now)
    }

    pub(super) fn next_expiry(&self) -> Option<Moment> {
        self.sessions.next_expiry()
    }

    pub(super) fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// What a request needs.
    pub(super) fn need_of(&self, session: SessionId, request: &ClientRequest) -> Need {
        let Some(known) = self.sessions.get(session) else { return Need::Nothing };
        if !request.request.as_ref().is_ok_and(creates_ephemeral) {
            return Need::Nothing;
        }
        match self.mode {
            LocalSessions::Upgradable => Need::Upgrade(known.timeout_ms),
            LocalSessions::Off | LocalSessions::Fixed => {
                Need::Refusal(ErrorCode::EphemeralOnLocalSession)
            }
        }
    }
}

fn creates_ephemeral(request: &Request) -> bool {
    let is_ephemeral = |op: &CreateOp| {
        matches!(op.op, OpCode::Create | OpCode::Create2)
            && CreateMode::from_number(op.flags).is_some_and(CreateMode::is_ephemeral)
    };
    match request {
        Request::Create(op) => is_ephemeral(op),
        Request::Multi(multi) => multi.ops.iter().any(|op| match op {
            MultiOp::Create(op) => is_ephemeral(op),
            _ => false,
        }),
        _ => false,
    }
}

impl Replica {
    /// The sessions that only this server knows.
    #[must_use]
    pub fn local_sessions(&self) -> &Sessions {
        self.locals.sessions()
    }

    /// A session becomes known to all: the leader is asked to begin it, in front of the request
    /// that needs it.
    pub(super) fn upgrade(
        &mut self,
        tree: &Tree,
        conn: ConnId,
        session: SessionId,
        timeout_ms: i32,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        self.locals.remove(session);
        match self.stance {
            Stance::Idle | Stance::ReadOnly => {}
            Stance::Learning(link) => send_open(link, session, timeout_ms, out),
            Stance::Deciding => {
                // From now on it may expire like those that all know.
                self.track(session, timeout_ms, now);
                self.sessions.set_owner(session, Some(Owner::Local(conn)));
                let request = Ok(Request::CreateSession(timeout_ms));
                let (xid, origin) = (lifecycle::SERVER_XID, Origin::Server);
                let wish = Wish { session, xid, request: &request, identities: &[], origin };
                self.propose(tree, wish, now);
            }
        }
    }

    /// A local session begins at once.
    pub(super) fn begin_local(
        &mut self,
        session: SessionId,
        opening: Opening,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let Opening { conn, timeout_ms, read_only } = opening;
        self.locals.insert(session, timeout_ms, now.mono);
        self.establish(conn, session, timeout_ms, read_only, now, out);
    }

    /// The client of a local session has asked for its end, and everything before is answered.
    pub(super) fn end_local(
        &mut self,
        tree: &Tree,
        conn: ConnId,
        session: SessionId,
        xid: i32,
        out: &mut Vec<Effect>,
    ) {
        self.detach(conn);
        self.locals.remove(session);
        out.push(Effect::Reply(conn, frames::reply(xid, tree.last_zxid(), 0, |_| {})));
        out.push(Effect::Close(conn, CloseReason::ClientRequest));
    }

    /// Ends the local sessions whose time is up.
    pub(super) fn expire_locals(&mut self, now: Now, out: &mut Vec<Effect>) {
        for session in self.locals.expired(now.mono) {
            self.expired += 1;
            self.locals.remove(session);
            self.evict(session, CloseReason::SessionExpired, out);
        }
    }

    /// Whether a session that the table does not have may be one that its own server alone knows.
    pub(super) fn may_be_local(&self, session: SessionId, origin: Origin) -> bool {
        if !self.locals.are_enabled() {
            return false;
        }
        match origin {
            Origin::Request(..) => self.locals.contains(session),
            // The top byte is the server that has opened it.
            Origin::Learner(_) => session.0 >> 56 != self.options.server_id.0,
            Origin::Handshake { .. } | Origin::Server | Origin::Elsewhere => false,
        }
    }
}
