//! One server's part in the broadcast, whatever its role.

use super::alone::Broadcast;
use super::member::Member;
use super::{Action, Ensemble, Epochs, Input, Output};
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
    /// An observer is turned away while so many learners, followers included, are being sent a
    /// snapshot (`zookeeper.leader.maxConcurrentSnapSyncs`).
    pub max_snapshot_syncs: usize,
    /// The same for the log (`zookeeper.leader.maxConcurrentDiffSyncs`).
    pub max_diff_syncs: usize,
    /// A leader that has not been followed by a quorum for so many milliseconds gives up as soon as
    /// one of its voters looks for a leader again (`zookeeper.leader.maxTimeToWaitForEpoch`);
    /// without this it waits for `initLimit`.
    pub epoch_wait_ms: Option<u64>,
    /// A learner always gets a snapshot (`zookeeper.forceSnapshotSync`).
    pub force_snapshot: bool,
    /// Observers learn from followers (`observerMasterPort`): as a follower this server serves
    /// them, as an observer it learns from one.
    pub observer_masters: bool,
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
    /// It observes this server, which leads or follows, or is about to.
    Observing(ServerId),
}

/// A learner as its leader sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LearnerStatus {
    /// Its link.
    pub link: LinkId,
    /// Which server.
    pub server: ServerId,
    /// Whether it follows rather than observes.
    pub follows: bool,
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
    /// Who learns from it, by server id: if it leads, or serves observers as a follower.
    pub learners: Vec<LearnerStatus>,
    /// If it leads: transactions on whose decision learners' syncs wait.
    pub pending_syncs: usize,
    /// Milliseconds that the last election took, if there was one.
    pub election_ms: Option<u64>,
}

/// One server's part in the broadcast.
#[derive(Debug)]
pub struct Peer(Kind);

#[derive(Debug)]
enum Kind {
    Alone(Broadcast),
    Member(Box<Member>),
}

impl Peer {
    /// A server alone, whose log ends with `last`.
    #[must_use]
    pub const fn alone(last: Zxid) -> Self {
        Self(Kind::Alone(Broadcast::alone(last)))
    }

    /// A member of an ensemble. It begins to look for a leader with its first input.
    #[must_use]
    pub fn member(options: PeerOptions, found: Found, now: Moment) -> Self {
        Self(Kind::Member(Box::new(Member::new(options, found, now))))
    }

    /// Takes in what happened.
    pub fn handle(&mut self, input: Input, now: Moment, out: &mut Vec<Output>) {
        match (&mut self.0, input) {
            (Kind::Alone(alone), Input::Persisted(zxid)) => alone.persisted(zxid),
            (Kind::Alone(_), _) => {}
            (Kind::Member(member), input) => member.handle(input, now, out),
        }
    }

    /// The zxid that the next proposal will have; `None` if this server can propose nothing: it
    /// does not lead, or the epoch has no zxids left and the leader is about to step down.
    #[must_use]
    pub fn next_zxid(&mut self) -> Option<Zxid> {
        match &mut self.0 {
            Kind::Alone(alone) => Some(alone.last_proposed().next()),
            Kind::Member(member) => member.next_zxid(),
        }
    }

    /// Proposes a transaction: to this server's log and to every follower.
    ///
    /// # Panics
    /// If `zxid` is not what [`next_zxid`](Self::next_zxid) says.
    pub fn propose(&mut self, zxid: Zxid, payload: Bytes, out: &mut Vec<Output>) {
        match &mut self.0 {
            Kind::Alone(alone) => {
                assert_eq!(zxid, alone.propose(), "zxids are given in order");
                out.push(Output::Do(Action::Append(zxid, payload)));
            }
            Kind::Member(member) => member.propose(zxid, payload, out),
        }
    }

    /// Answers a learner's SYNC once everything that is outstanding now has been decided.
    pub fn sync(&mut self, link: LinkId, out: &mut Vec<Output>) {
        if let Kind::Member(member) = &mut self.0 {
            member.sync(link, out);
        }
    }

    /// The tree now contains `applied`, and the log goes on behind that with `tail`: a snapshot has
    /// taken the place of what there was, or what there was has been loaded again.
    pub fn replace_log(&mut self, applied: Zxid, tail: Vec<(Zxid, Bytes)>) {
        if let Kind::Member(member) = &mut self.0 {
            member.replace_log(applied, tail);
        }
    }

    /// Whether there is something to apply.
    #[must_use]
    pub fn has_decided(&self) -> bool {
        match &self.0 {
            Kind::Alone(alone) => alone.has_decided(),
            Kind::Member(member) => member.has_decided(),
        }
    }

    /// Commits the next decided transaction that is durable here, in the order of the zxids.
    pub fn commit_next(&mut self) -> Option<Zxid> {
        match &mut self.0 {
            Kind::Alone(alone) => alone.commit_next(),
            Kind::Member(member) => member.commit_next(),
        }
    }

    /// The last decided transaction that is known of, applied or not.
    #[must_use]
    pub fn committed(&self) -> Zxid {
        match &self.0 {
            Kind::Alone(alone) => alone.last_proposed(),
            Kind::Member(member) => member.committed(),
        }
    }

    /// What can be seen of it.
    #[must_use]
    pub fn status(&self) -> Status {
        match &self.0 {
            Kind::Alone(alone) => Status {
                role: Role::Alone,
                serving: true,
                epochs: Epochs { accepted: Epoch(0), current: Epoch(0) },
                last_logged: alone.last_proposed(),
                committed: alone.last_proposed(),
                learners: Vec::new(),
                pending_syncs: 0,
                election_ms: None,
            },
            Kind::Member(member) => member.status(),
        }
    }

    /// When [`Input::Tick`] has something to do, at the latest.
    #[must_use]
    pub fn next_tick(&self) -> Option<Moment> {
        match &self.0 {
            Kind::Alone(_) => None,
            Kind::Member(member) => member.next_tick(),
        }
    }
}
