//! The broadcast of a server that is an ensemble of its own: its quorum is itself, and what it has
//! made durable is decided.

use crate::types::Zxid;

/// The broadcast of a server alone.
///
/// `committed <= persisted <= proposed` holds at all times.
#[derive(Debug)]
pub(super) struct Broadcast {
    proposed: Zxid,
    persisted: Zxid,
    committed: Zxid,
}

impl Broadcast {
    /// A server alone that goes on after `last`, the end of its log. Its own log is decided: nobody
    /// else has a say. As in a standalone ZooKeeper the epoch is not raised.
    pub(super) const fn alone(last: Zxid) -> Self {
        Self { proposed: last, persisted: last, committed: last }
    }

    /// Takes the next zxid. The caller appends the proposal to the log.
    pub(super) const fn propose(&mut self) -> Zxid {
        self.proposed = self.proposed.next();
        self.proposed
    }

    /// The log is durable up to a zxid: this server's own acknowledgement.
    ///
    /// # Panics
    /// If that was never proposed.
    pub(super) fn persisted(&mut self, zxid: Zxid) {
        assert!(zxid <= self.proposed, "{zxid} is durable but was never proposed");
        self.persisted = self.persisted.max(zxid);
    }

    /// Whether there is something to commit.
    pub(super) fn has_decided(&self) -> bool {
        self.committed < self.persisted
    }

    /// Commits the next decided transaction, in the order of the zxids.
    pub(super) fn commit_next(&mut self) -> Option<Zxid> {
        if !self.has_decided() {
            return None;
        }
        self.committed = self.committed.next();
        Some(self.committed)
    }

    /// The last zxid that was taken.
    pub(super) const fn last_proposed(&self) -> Zxid {
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
