//! The atomic broadcast: which transaction comes next, and which are decided (ZK: `Leader`).
//!
//! Payloads are opaque here. So far there is the broadcast of a server that is an ensemble of its
//! own, whose quorum is itself: what it has made durable is decided. Elections, learners and larger
//! quorums join it in this module; nothing else has to know how a decision comes about.

mod election;
mod io;
mod notification;
mod peer;
mod quorum;

pub use election::{Election, ElectionOptions, Outcome, Vote};
pub use io::{Action, Epochs, Event, Input, LinkError, Output, Serving};
pub use notification::{Notification, NotificationError, PeerState};
pub use peer::{Found, LearnerStatus, Peer, PeerOptions, Role, Status};
pub use quorum::Ensemble;

use crate::types::Zxid;

/// The leader's side of the broadcast.
///
/// `committed <= persisted <= proposed` holds at all times.
#[derive(Debug)]
pub struct Broadcast {
    proposed: Zxid,
    persisted: Zxid,
    committed: Zxid,
}

impl Broadcast {
    /// A server alone that goes on after `last`, the end of its log. Its own log is decided: nobody
    /// else has a say. As in a standalone ZooKeeper the epoch is not raised.
    #[must_use]
    pub const fn alone(last: Zxid) -> Self {
        Self { proposed: last, persisted: last, committed: last }
    }

    /// Takes the next zxid. The caller appends the proposal to the log.
    pub const fn propose(&mut self) -> Zxid {
        self.proposed = self.proposed.next();
        self.proposed
    }

    /// The log is durable up to a zxid: this server's own acknowledgement.
    ///
    /// # Panics
    /// If that was never proposed.
    pub fn persisted(&mut self, zxid: Zxid) {
        assert!(zxid <= self.proposed, "{zxid} is durable but was never proposed");
        self.persisted = self.persisted.max(zxid);
    }

    /// Whether there is something to commit.
    #[must_use]
    pub fn has_decided(&self) -> bool {
        self.committed < self.persisted
    }

    /// Commits the next decided transaction, in the order of the zxids.
    pub fn commit_next(&mut self) -> Option<Zxid> {
        if !self.has_decided() {
            return None;
        }
        self.committed = self.committed.next();
        Some(self.committed)
    }

    /// The last zxid that was taken.
    #[must_use]
    pub const fn last_proposed(&self) -> Zxid {
        self.proposed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_committed_before_it_is_durable() {
        let mut broadcast = Broadcast::alone(Zxid(7));
        assert_eq!((broadcast.propose(), broadcast.propose()), (Zxid(8), Zxid(9)));
        assert_eq!(broadcast.commit_next(), None);
        broadcast.persisted(Zxid(8));
        assert_eq!(broadcast.commit_next(), Some(Zxid(8)));
        assert_eq!(broadcast.commit_next(), None);
        broadcast.persisted(Zxid(9));
        assert_eq!(broadcast.commit_next(), Some(Zxid(9)));
    }

    #[test]
    #[should_panic(expected = "never proposed")]
    fn what_was_not_proposed_cannot_be_durable() {
        Broadcast::alone(Zxid(7)).persisted(Zxid(8));
    }
}
