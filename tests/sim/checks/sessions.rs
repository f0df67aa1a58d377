//! \[sessions\] Every server knows the sessions that live as of its tree, and their ephemerals are
//! all that there are. Nobody is told that a session is gone which lives on.

use super::super::server::Running;
use super::History;
use std::collections::BTreeSet;
use zabra::types::{SessionId, Zxid};
use zabra::zab::Role;

#[derive(Debug, Default)]
pub(crate) struct SessionChecks {
    /// Sessions that some server has meant to close.
    doomed: BTreeSet<SessionId>,
}

impl SessionChecks {
    pub(super) fn look(history: &History, applied: Zxid, running: &Running) {
        let expected = history.sessions_at(applied);
        let sessions: BTreeSet<_> = running.replica.sessions().iter().map(|(id, _)| id).collect();
        assert!(
            sessions.is_superset(&expected),
            "[sessions] of {expected:?} {sessions:?} are known"
        );
        // A leader knows a session from when it is proposed.
        let leads = running.replica.status().role == Role::Leading;
        for session in sessions.difference(&expected) {
            let is_new = leads && !history.began(*session, applied);
            assert!(is_new, "[sessions] {session} is known as of {applied}, and does not live");
        }
        for owner in running.tree.ephemeral_owners() {
            assert!(expected.contains(&owner), "[sessions] {owner} left ephemerals behind");
        }
    }

    /// Remembers whom a server means to close.
    pub(crate) fn note_doomed(&mut self, running: &Running) {
        let closing = running.replica.sessions().iter().filter(|(_, session)| session.closing);
        self.doomed.extend(closing.map(|(id, _)| id));
    }

    /// A client has been told that its session is gone.
    pub(crate) fn check_refusal(&self, history: &History, session: Option<SessionId>) {
        let Some(session) = session else { return };
        let is_gone = !history.lives(session) || self.doomed.contains(&session);
        assert!(is_gone, "[sessions] {session} lives and is refused");
    }
}
