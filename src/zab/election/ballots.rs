//! The votes that have been heard, and which of them are the same vote (ZK: `Vote`,
//! `SyncedLearnerTracker`).

use super::Vote;
use crate::types::ServerId;
use crate::zab::{Ensemble, Notification, PeerState};
use std::collections::{BTreeMap, BTreeSet};

/// A vote, and what tells whether it equals another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ballot {
    pub(super) vote: Vote,
    /// What the voter was doing.
    pub(super) state: PeerState,
    /// The format in which it came.
    pub(super) version: i32,
}

impl Ballot {
    /// The vote of someone who is still looking. Its format does not matter.
    pub(super) const fn looking(vote: Vote) -> Self {
        Self { vote, state: PeerState::Looking, version: 0 }
    }

    /// The vote in a message, as it is kept with those from outside this round.
    pub(super) fn of(notification: &Notification) -> Self {
        let vote = notification.vote();
        Self { vote, state: notification.state, version: notification.version }
    }

    /// The same, as it is kept with those of this round: ZooKeeper forgets the version there.
    pub(super) const fn without_version(self) -> Self {
        Self { version: 0, ..self }
    }

    /// Whether two votes are for the same leader.
    ///
    /// While someone is looking all of it has to be the same. Of established servers only the
    /// leader and its epoch are compared: they may have found the same leader in different rounds,
    /// and with different zxids (ZOOKEEPER-1805). Servers older than 3.4.6 do not raise the epoch
    /// of their vote to that of the leader; they send version 0, and when one side does, the
    /// leader alone is compared (ZOOKEEPER-1732).
    pub(super) fn agrees(&self, other: &Self) -> bool {
        if self.state == PeerState::Looking || other.state == PeerState::Looking {
            return self.vote == other.vote;
        }
        let comparable = (self.version > 0) == (other.version > 0);
        self.vote.leader == other.vote.leader
            && (!comparable || self.vote.peer_epoch == other.vote.peer_epoch)
    }
}

/// The latest ballot of each server.
#[derive(Clone, Debug, Default)]
pub(super) struct Ballots(BTreeMap<ServerId, Ballot>);

impl Ballots {
    pub(super) fn put(&mut self, from: ServerId, ballot: Ballot) {
        self.0.insert(from, ballot);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Whether a server has been heard.
    pub(super) fn contains(&self, server: ServerId) -> bool {
        self.0.contains_key(&server)
    }

    /// The vote of a server that was looking when it was last heard.
    pub(super) fn looking(&self, server: ServerId) -> Option<Vote> {
        let ballot = self.0.get(&server)?;
        (ballot.state == PeerState::Looking).then_some(ballot.vote)
    }

    /// Those who agree with a ballot.
    pub(super) fn supporters(&self, ballot: &Ballot) -> BTreeSet<ServerId> {
        self.0.iter().filter(|(_, other)| ballot.agrees(other)).map(|(id, _)| *id).collect()
    }

    /// Whether those who agree with a ballot are a quorum.
    pub(super) fn have_quorum(&self, ensemble: &Ensemble, ballot: &Ballot) -> bool {
        ensemble.is_quorum(&self.supporters(ballot))
    }

    /// Whether a server itself has said that it leads. Without that, those who still follow a
    /// leader that has crashed would have it elected over and over.
    pub(super) fn says_it_leads(&self, server: ServerId) -> bool {
        self.0.get(&server).is_some_and(|ballot| ballot.state == PeerState::Leading)
    }
}
