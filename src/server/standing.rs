//! What this server is at the moment, as the commands of the operator show it.

use super::Shared;
use super::quorum::LinkFigures;
use crate::replica::Replica;
use crate::zab::{Role, Status};

/// What a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// As ZooKeeper calls it: `standalone`, `leader`, `follower`, `observer`, `read-only`, or
    /// `looking`.
    pub(crate) mode: &'static str,
    /// What it does, and how far it is with that (ZK: `QuorumPeer.getDetailedPeerState`).
    pub(crate) detail: &'static str,
    /// Whether clients are served, be it read-only.
    pub(crate) serving: bool,
    /// Whether clients can only read.
    pub(crate) read_only: bool,
    /// Who learns from it, if it leads.
    pub(crate) learners: Option<Learners>,
    /// Who leads, itself or another.
    pub(crate) leader: Option<i64>,
    /// How far it is with that (ZK: `QuorumPeer.ZabState`).
    pub(crate) phase: &'static str,
}

/// A server that observes this one.
#[derive(Clone, Debug)]
pub(crate) struct Observer {
    /// Its id.
    pub(crate) server: i64,
    /// The link to it.
    pub(crate) link: LinkFigures,
}

/// How many learners a leader has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Learners {
    /// All of them.
    pub(crate) all: usize,
    /// Those that vote and have caught up.
    pub(crate) synced_followers: usize,
    /// Those that do not vote and have caught up.
    pub(crate) synced_observers: usize,
    /// Transactions on whose decision their clients' syncs wait.
    pub(crate) pending_syncs: usize,
}

impl Standing {
    /// Whether it has all it knows from a leader.
    pub(crate) fn learns(&self) -> bool {
        matches!(self.mode, "follower" | "observer")
    }

    fn of(status: &Status) -> Self {
        let (mode, detail) = match status.role {
            Role::Alone => ("standalone", ""),
            Role::Looking => ("looking", "looking"),
            Role::Leading => ("leader", "leading - broadcast"),
            Role::Following(_) => ("follower", "following - broadcast"),
            Role::Observing(_) => ("observer", "observing - broadcast"),
        };
        let leads = status.role == Role::Leading;
        let learners = leads.then(|| Learners::of(status));
        let leader = match status.role {
            Role::Following(leader) | Role::Observing(leader) => Some(leader.0),
            Role::Alone | Role::Looking | Role::Leading => None,
        };
        let phase = match (status.role, status.serving) {
            (Role::Alone, _) => "",
            (Role::Looking, _) => "election",
            (_, true) => "broadcast",
            (_, false) => "synchronization",
        };
        let serving = status.serving;
        Self { mode, detail, serving, read_only: false, learners, leader, phase }
    }

    /// The same, if it serves without a leader.
    const fn read_only(self) -> Self {
        Self { mode: "read-only", serving: true, read_only: true, ..self }
    }
}

impl Learners {
    fn of(status: &Status) -> Self {
        let learners = &status.learners;
        let synced = |votes: bool| learners.iter().filter(move |it| it.synced && it.votes == votes);
        Self {
            all: learners.len(),
            synced_followers: synced(true).count(),
            synced_observers: synced(false).count(),
            pending_syncs: status.pending_syncs,
        }
    }
}

impl Shared {
    /// Ids of those who learn from this server, caught up or not.
    pub(crate) fn learner_ids(&self) -> Vec<i64> {
        let learners = self.look(|replica| replica.status().learners);
        learners.into_iter().map(|learner| learner.server.0).collect()
    }

    /// What there is to see of the links to those who observe this server.
    pub(crate) fn observers(&self) -> Vec<Observer> {
        let learners = self.look(|replica| replica.status().learners).into_iter();
        let observing = learners.filter(|learner| learner.synced && !learner.votes);
        let links = self.quorum.links();
        let linked = observing.filter_map(|learner| {
            let link = links.get(&learner.link)?;
            Some(Observer { server: learner.server.0, link: link.figures() })
        });
        linked.collect()
    }

    /// What this server is now.
    pub(crate) fn standing(&self) -> Standing {
        let look = |replica: &Replica| (replica.status(), replica.is_read_only());
        let (status, read_only) = self.look(look);
        let standing = Standing::of(&status);
        let mut standing = if read_only { standing.read_only() } else { standing };
        standing.serving &= !self.turns_away();
        standing
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Epoch, ServerId, Zxid};
    use crate::zab::Epochs;

    fn status(role: Role) -> Status {
        let epoch = Epoch(1);
        Status {
            role,
            serving: true,
            epochs: Epochs { accepted: epoch, current: epoch },
            last_logged: Zxid(0),
            committed: Zxid(0),
            learners: Vec::new(),
            pending_syncs: 0,
            election_ms: None,
        }
    }

    #[test]
    fn roles_have_zookeepers_names() {
        let server = ServerId(1);
        let roles = [Role::Alone, Role::Leading, Role::Following(server), Role::Observing(server)];
        let modes = roles.map(|role| Standing::of(&status(role)).mode);
        assert_eq!(modes, ["standalone", "leader", "follower", "observer"]);
        let looking = Standing::of(&status(Role::Looking)).read_only();
        assert_eq!((looking.mode, looking.detail), ("read-only", "looking"));
        assert_eq!(Standing::of(&status(Role::Following(server))).learners, None);
        assert_eq!(Standing::of(&status(Role::Leading)).learners, Some(Learners::default()));
    }
}
