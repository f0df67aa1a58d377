//! From whom an observer learns (ZK: `QuorumPeer.findLearnerMaster`, `nextObserverMaster`).
//!
//! Where followers serve observers, an observer takes one voter after the other until one serves
//! it. ZooKeeper shuffles them; here observers begin at different ones by their ids. The leader
//! does not serve observers at that port, so its turn comes last, when all others have been tried
//! again, and then it is reached as by any learner: an observer is not left alone because no
//! follower can be had.

use super::Ensemble;
use crate::types::ServerId;

/// How often every follower is tried before the leader is.
const ROUNDS: usize = 3;

/// From whom a server learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// From the leader.
    Leader(ServerId),
    /// From a follower that serves observers.
    Master(ServerId),
}

/// Whose turn it is.
#[derive(Debug, Default)]
pub(super) struct Masters {
    /// The one that was taken last, if any.
    last: Option<ServerId>,
    /// How many were taken since one served.
    taken: usize,
}

impl Masters {
    /// The next one while `leader` leads.
    pub(super) fn next(&mut self, me: ServerId, leader: ServerId, ensemble: &Ensemble) -> Source {
        let followers: Vec<ServerId> = ensemble.voters().filter(|id| *id != leader).collect();
        if self.taken >= ROUNDS * followers.len() {
            self.taken = 0;
            return Source::Leader(leader);
        }
        self.taken += 1;
        let behind = |last| followers.iter().position(|id| *id > last).unwrap_or(0);
        let count = i64::try_from(followers.len()).unwrap_or(i64::MAX);
        let own = usize::try_from(me.0.rem_euclid(count)).unwrap_or(0);
        let master = followers[self.last.map_or(own, behind)];
        self.last = Some(master);
        Source::Master(master)
    }

    /// The one that was taken serves this server.
    pub(super) const fn served(&mut self) {
        self.taken = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(id: i64) -> ServerId {
        ServerId(id)
    }

    fn voters(count: i64) -> Ensemble {
        Ensemble::majority((1..=count).map(ServerId).collect(), [id(9)].into())
    }

    #[test]
    fn one_follower_after_the_other_and_the_leader_at_last() {
        let (mut masters, ensemble) = (Masters::default(), voters(4));
        let mut next = || masters.next(id(9), id(3), &ensemble);
        for _ in 0..2 {
            for _ in 0..ROUNDS {
                let expected = [1, 2, 4].map(|it| Source::Master(id(it)));
                assert_eq!([next(), next(), next()], expected);
            }
            assert_eq!(next(), Source::Leader(id(3)));
        }
    }

    #[test]
    fn who_has_lost_its_master_takes_the_one_behind_it() {
        let (mut masters, ensemble) = (Masters::default(), voters(3));
        assert_eq!(masters.next(id(9), id(3), &ensemble), Source::Master(id(2)));
        masters.served();
        assert_eq!(masters.next(id(9), id(3), &ensemble), Source::Master(id(1)));
        masters.served();
        // It leads now.
        assert_eq!(masters.next(id(9), id(2), &ensemble), Source::Master(id(3)));
        assert_eq!(masters.next(id(9), id(2), &ensemble), Source::Master(id(1)));
        assert_eq!(Masters::default().next(id(9), id(1), &voters(1)), Source::Leader(id(1)));
    }
}
