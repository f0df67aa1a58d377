//! Whom a server votes for (ZK: `Vote`).

use crate::types::{Epoch, ServerId, Zxid};

/// Whom a server votes for, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vote {
    /// Who is to lead.
    pub leader: ServerId,
    /// The last transaction in that one's log.
    pub zxid: Zxid,
    /// The round of election.
    pub round: i64,
    /// The current epoch of that one; once it is established, the epoch that it leads.
    pub peer_epoch: Epoch,
}

impl Vote {
    /// The vote of an observer that has not heard of any: worse than all others.
    pub(super) const NONE: Self = Self {
        leader: ServerId(i64::MIN),
        zxid: Zxid(i64::MIN),
        round: 0,
        peer_epoch: Epoch(i64::MIN),
    };

    /// What makes a vote better than another; the round is no part of it.
    pub(super) const fn rank(&self) -> (Epoch, Zxid, ServerId) {
        (self.peer_epoch, self.zxid, self.leader)
    }
}

/// How an election has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Who leads: this server, if it is its own id.
    pub leader: ServerId,
    /// The vote that has won.
    pub vote: Vote,
}
