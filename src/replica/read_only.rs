//! Read-only mode: without a leader, clients that do not mind are answered from what there is
//! (ZK: `ReadOnlyZooKeeperServer`).
//!
//! Their sessions are local ones, whatever the configuration says of those; ZooKeeper opens none
//! unless local sessions are enabled.

use super::learner::Opening;
use super::{ClientRequest, CloseReason, Effect, Handshake, Identities, Replica, Stance};
use crate::proto::OpCode;
use crate::session;
use crate::types::{ConnId, ErrorCode, Moment, Now, SessionId};
use crate::zab::Role;

/// Milliseconds without a leader, at least, until reads are answered without one.
const MIN_DELAY_MS: u64 = 2000;

impl Replica {
    /// Whether clients are served without a leader.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.stance == Stance::ReadOnly
    }

    /// A first frame, while there is no leader. A session that all know cannot go on: nobody can
    /// say whether it lives.
    pub(super) fn connect_read_only(
        &mut self,
        conn: ConnId,
        handshake: &Handshake,
        identities: Identities,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let Handshake { timeout_ms, read_only, .. } = *handshake;
        let is_new = handshake.session == SessionId(0);
        let is_local = self.locals.contains(handshake.session)
            && session::password_matches(handshake.session, &handshake.password);
        if read_only != Some(true) || !(is_new || is_local) {
            out.push(Effect::Close(conn, CloseReason::NotServing));
            return;
        }
        let session = if is_new { self.new_session() } else { handshake.session };
        self.attach(conn, session, timeout_ms, identities, out);
        self.begin_local(session, Opening { conn, timeout_ms, read_only }, now, out);
    }

    /// Notes how long there has been no leader, and begins to do without.
    pub(super) fn watch_leader(&mut self, now: Now) {
        let is_idle = self.stance == Stance::Idle && self.next_stance.is_none();
        if !self.options.read_only_mode || !is_idle || self.zab.status().role != Role::Looking {
            self.leaderless = None;
            return;
        }
        self.leaderless.get_or_insert(now.mono);
        if self.read_only_from().is_some_and(|from| from <= now.mono) {
            self.stance = Stance::ReadOnly;
        }
    }

    /// When reads will be answered without a leader, if none is found.
    pub(super) fn read_only_from(&self) -> Option<Moment> {
        let since = self.leaderless.filter(|_| self.stance == Stance::Idle)?;
        Some(since.plus(MIN_DELAY_MS.max(self.options.tick_ms)))
    }

    /// A leader was found, or this server is to be one: the clients come again.
    pub(super) fn leave_read_only(&mut self, out: &mut Vec<Effect>) {
        if self.stance == Stance::ReadOnly && self.zab.status().role != Role::Looking {
            self.halt(out);
        }
    }
}

/// What would change something, or needs a leader, is refused in its turn; the end of the client's
/// session is not.
pub(super) fn refuse_write(request: &mut ClientRequest) {
    if request.is_for_brain() && request.op != OpCode::CloseSession {
        request.request = Err(ErrorCode::NotReadOnly);
    }
}
