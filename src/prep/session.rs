//! Sessions whose begin or end is proposed but not yet applied, and what both become.

use super::write::Doomed;
use super::{Context, Prep};
use crate::tree::Txn;
use crate::types::{ErrorCode, Map, SessionId, Zxid, path};
use jute::txn::{CloseSessionTxn, CreateSessionTxn};
use std::collections::VecDeque;

/// Sessions with a pending begin or end, over the session table.
#[derive(Debug, Default)]
pub(super) struct PendingSessions {
    phases: Map<SessionId, (Zxid, Phase)>,
    /// Every change in the order of its zxid, to forget them by.
    order: VecDeque<(Zxid, SessionId)>,
}

/// What is pending for a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It will be known.
    Opening,
    /// It will be gone.
    Closing,
}

impl PendingSessions {
    fn note(&mut self, zxid: Zxid, session: SessionId, phase: Phase) {
        self.phases.insert(session, (zxid, phase));
        self.order.push_back((zxid, session));
    }

    fn phase(&self, session: SessionId) -> Option<Phase> {
        self.phases.get(&session).map(|(_, phase)| *phase)
    }

    /// Drops what was last noted up to a zxid: the session table has it.
    pub(super) fn forget(&mut self, zxid: Zxid) {
        while let Some((_, session)) = self.order.pop_front_if(|(noted, _)| *noted <= zxid) {
            let is_last = self.phases.get(&session).is_some_and(|(noted, _)| *noted <= zxid);
            if is_last {
                self.phases.remove(&session);
            }
        }
    }

    /// Drops everything.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

impl Prep {
    /// Demands a living session that is asked for by its owner. One that is not known earns
    /// `unknown`.
    fn check_session_or(
        &self,
        context: &Context<'_>,
        unknown: Result<(), ErrorCode>,
    ) -> Result<(), ErrorCode> {
        let known = context.sessions.get(context.session);
        let is_closing = known.is_some_and(|session| session.closing);
        let owner = known.and_then(|session| session.owner);
        let is_moved = owner.is_some() && context.owner.is_some() && owner != context.owner;
        match self.sessions.phase(context.session) {
            _ if is_closing => Err(ErrorCode::SessionExpired),
            Some(Phase::Closing) => Err(ErrorCode::SessionExpired),
            _ if is_moved => Err(ErrorCode::SessionMoved),
            Some(Phase::Opening) => Ok(()),
            None if known.is_some() => Ok(()),
            None => unknown,
        }
    }

    /// Demands a living session (ZK: `checkSession` of `SessionTrackerImpl`, for an ensemble of
    /// `LeaderSessionTracker`).
    pub(super) fn check_session(&self, context: &Context<'_>) -> Result<(), ErrorCode> {
        let unknown = match (self.options.standalone, context.may_be_local) {
            (_, true) => Ok(()),
            (true, false) => Err(ErrorCode::UnknownSession),
            (false, false) => Err(ErrorCode::SessionExpired),
        };
        self.check_session_or(context, unknown)
    }

    /// Demands a living session that can own znodes (ZK: `checkGlobalSession`).
    pub(super) fn check_owner(&self, context: &Context<'_>) -> Result<(), ErrorCode> {
        self.check_session_or(context, Err(ErrorCode::SessionExpired))
    }

    pub(super) fn create_session(&mut self, context: &Context<'_>, timeout: i32) -> Txn {
        self.sessions.note(context.zxid, context.session, Phase::Opening);
        Txn::CreateSession(CreateSessionTxn { time_out: timeout })
    }

    /// Closing is never refused, not even for a session that is not known: whoever asks for it,
    /// the client or the server's own clock, means the end of everything the session owns.
    pub(super) fn close_session(&mut self, context: &Context<'_>) -> Txn {
        let paths = self.overlay.ephemerals(context.tree, context.session);
        for path in &paths {
            self.delete_ephemeral(context, path);
        }
        self.sessions.note(context.zxid, context.session, Phase::Closing);
        Txn::CloseSession(CloseSessionTxn { paths_to_delete: Some(paths.into_iter().collect()) })
    }

    fn delete_ephemeral(&mut self, context: &Context<'_>, ephemeral: &str) {
        let node = self.overlay.find(context.tree, ephemeral).map(|node| Doomed::new(&node));
        let parent = path::split(ephemeral).map(|(parent, _)| parent);
        debug_assert!(node.is_ok() && parent.is_some(), "a session owns what exists");
        if let (Ok(doomed), Some(parent)) = (node, parent) {
            self.remove(context, parent, ephemeral, doomed);
        }
    }
}
