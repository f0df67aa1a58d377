//! One server's part in the broadcast, whatever its role.

use super::{Broadcast, Ensemble, Epochs, Input, Output};
use crate::types::{Epoch, LinkId, Moment, ServerId, Zxid};
use bytes::Bytes;

/// What the configuration says to the broadcast.
#[derive(Clone, Debug)]
pub struct PeerOptions {
    /// This server.
    pub me: ServerId,
    /// Who belongs to the ensemble, this server included.
    pub ensemble: Ensemble,
    /// The ensemble's configuration as `/zookeeper/config` shows it, for other servers.
    pub config: Bytes,
    /// Milliseconds of a tick.
    pub tick_ms: u64,
    /// Ticks that a learner may take to connect and to catch up (`initLimit`).
    pub init_limit: u64,
    /// Ticks after which a silent server is given up (`syncLimit`).
    pub sync_limit: u64,
    /// Ticks that a learner may take to connect (`connectToLearnerMasterLimit`); 0 is `initLimit`.
    pub connect_limit: u64,
    /// Decided transactions that are kept in memory for learners that come back
    /// (`zookeeper.commitLogCount`).
    pub commit_log_count: usize,
    /// Milliseconds after which a vote is said again, at first and at most
    /// (`zookeeper.fastleader.minNotificationInterval`, `maxNotificationInterval`).
    pub notification_ms: (u64, u64),
}

/// What a server finds when it starts.
#[derive(Clone, Debug)]
pub struct Found {
    /// The stored epochs.
    pub epochs: Epochs,
    /// What the tree contains.
    pub applied: Zxid,
    /// The log behind it, of which nobody knows yet whether it is decided.
    pub tail: Vec<(Zxid, Bytes)>,
}

/// What a server is at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// An ensemble of its own.
    Alone,
    /// It looks for a leader.
    Looking,
    /// It leads, or is about to.
    Leading,
    /// It follows this server, or is about to.
    Following(ServerId),
    /// It observes this server, or is about to.
    Observing(ServerId),
}

/// A learner as its leader sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LearnerStatus {
    /// Which server.
    pub server: ServerId,
    /// Whether it votes.
    pub votes: bool,
    /// Whether it has caught up.
    pub synced: bool,
}

/// What can be seen of a server's part in the broadcast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// What it is.
    pub role: Role,
    /// Whether clients are served.
    pub serving: bool,
    /// Its epochs.
    pub epochs: Epochs,
    /// The end of its log.
    pub last_logged: Zxid,
    /// The last decided transaction.
    pub committed: Zxid,
    /// If it leads: who learns, by server id.
    pub learners: Vec<LearnerStatus>,
    /// Milliseconds that the last election took, if there was one.
    pub election_ms: Option<u64>,
}

/// One server's part in the broadcast.
#[derive(Debug)]
pub struct Peer {
    alone: Broadcast,
}

impl Peer {
    /// A server alone, whose log ends with `last`.
    #[must_use]
    pub const fn alone(last: Zxid) -> Self {
        Self { alone: Broadcast::alone(last) }
    }

    /// A member of an ensemble. It begins to look for a leader with its first input.
    #[must_use]
    pub fn member(options: PeerOptions, found: Found, now: Moment) -> Self {
        let _ = (options, now);
        Self::alone(found.applied)
    }

    /// Takes in what happened.
    pub fn handle(&mut self, input: Input, now: Moment, out: &mut Vec<Output>) {
        let _ = (now, out);
        if let Input::Persisted(zxid) = input {
            self.alone.persisted(zxid);
        }
    }

    /// The zxid that the next proposal will have; `None` if this server can propose nothing: it
    /// does not lead, or the epoch has no zxids left and the leader is about to step down.
    #[must_use]
    pub fn next_zxid(&self) -> Option<Zxid> {
        Some(self.alone.last_proposed().next())
    }

    /// Proposes a transaction: to this server's log and to every follower.
    ///
    /// # Panics
    /// If `zxid` is not what [`next_zxid`](Self::next_zxid) says.
    pub fn propose(&mut self, zxid: Zxid, payload: Bytes, out: &mut Vec<Output>) {
        assert_eq!(zxid, self.alone.propose());
        out.push(Output::Do(super::Action::Append(zxid, payload)));
    }

    /// Answers a learner's SYNC once everything that is outstanding now has been decided.
    pub fn sync(&mut self, link: LinkId, out: &mut Vec<Output>) {
        let _ = (link, out);
    }

    /// Whether there is something to apply.
    #[must_use]
    pub fn has_decided(&self) -> bool {
        self.alone.has_decided()
    }

    /// Commits the next decided transaction that is durable here, in the order of the zxids.
    pub fn commit_next(&mut self) -> Option<Zxid> {
        self.alone.commit_next()
    }

    /// The last decided transaction that is known of, applied or not.
    #[must_use]
    pub fn committed(&self) -> Zxid {
        self.alone.last_proposed()
    }

    /// What can be seen of it.
    #[must_use]
    pub fn status(&self) -> Status {
        Status {
            role: Role::Alone,
            serving: true,
            epochs: Epochs { accepted: Epoch(0), current: Epoch(0) },
            last_logged: self.alone.last_proposed(),
            committed: self.alone.last_proposed(),
            learners: Vec::new(),
            election_ms: None,
        }
    }

    /// When [`Input::Tick`] has something to do, at the latest.
    #[must_use]
    pub fn next_tick(&self) -> Option<Moment> {
        None
    }
}
