//! Who votes, and how many votes decide (ZK: `QuorumMaj`, `QuorumHierarchical`).
//!
//! Only the members and their weights are known here, not what is voted on. With ZooKeeper's third
//! verifier, `QuorumOracleMaj`, an ensemble of two voters has an oracle that says whether the one
//! that is left may go on alone. That is a promise which nobody here can check, so it is no part of
//! what makes a quorum: whoever needs it asks, see `Oracle`.

use crate::types::{ServerId, Zxid};
use std::collections::{BTreeMap, BTreeSet};

/// The members of an ensemble.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ensemble {
    voters: BTreeSet<ServerId>,
    observers: BTreeSet<ServerId>,
    rule: Rule,
    /// Whether there is an oracle.
    oracle: bool,
}

/// What makes a quorum of voters.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    Majority,
    Hierarchical { groups: Vec<BTreeSet<ServerId>>, weights: BTreeMap<ServerId, u64> },
}

impl Ensemble {
    /// Members of whom a majority of the voters decides.
    #[must_use]
    pub const fn majority(voters: BTreeSet<ServerId>, observers: BTreeSet<ServerId>) -> Self {
        Self { voters, observers, rule: Rule::Majority, oracle: false }
    }

    /// Members in groups: more than half of the groups decide, each by more than half of its
    /// weight. A voter that `weights` does not name weighs 1. A group that weighs nothing does not
    /// count as one; a server that weighs nothing cannot lead. An observer votes in no group, not
    /// even if it is named in one.
    #[must_use]
    pub fn hierarchical(
        groups: Vec<BTreeSet<ServerId>>,
        weights: BTreeMap<ServerId, u64>,
        observers: BTreeSet<ServerId>,
    ) -> Self {
        let groups: Vec<BTreeSet<ServerId>> =
            groups.into_iter().map(|group| &group - &observers).collect();
        let voters = groups.iter().flatten().copied().collect();
        Self { voters, observers, rule: Rule::Hierarchical { groups, weights }, oracle: false }
    }

    /// The same members with an oracle. It is of use only where two of them vote, and a majority
    /// decides.
    #[must_use]
    pub fn with_oracle(self) -> Self {
        Self { oracle: true, ..self }
    }

    /// Whether one of two voters may ask an oracle whether it may go on alone.
    #[must_use]
    pub fn has_oracle(&self) -> bool {
        self.oracle && self.voters.len() == 2 && self.rule == Rule::Majority
    }

    /// Whether these servers together decide. Those that do not vote are not counted.
    #[must_use]
    pub fn is_quorum(&self, acks: &BTreeSet<ServerId>) -> bool {
        let Rule::Hierarchical { groups, .. } = &self.rule else {
            return acks.intersection(&self.voters).count() > self.voters.len() / 2;
        };
        let weigh = |servers: &mut dyn Iterator<Item = ServerId>| -> u128 {
            servers.map(|id| u128::from(self.weight(id))).sum()
        };
        let (mut counted, mut satisfied) = (0, 0);
        for group in groups {
            let total = weigh(&mut group.iter().copied());
            let acked = weigh(&mut group.intersection(acks).copied());
            counted += usize::from(total > 0);
            satisfied += usize::from(acked > total / 2);
        }
        satisfied > counted / 2
    }

    /// Whether a configuration, as servers show it in `/zookeeper/config`, was made by a reconfig
    /// and has other members than these, or other roles for them. What an ensemble began with has
    /// the version 0, or once there was a leader, the first zxid of its epoch.
    #[must_use]
    pub fn was_changed_in(&self, config: &[u8]) -> bool {
        let config = String::from_utf8_lossy(config);
        let (mut voters, mut observers, mut changed) = (BTreeSet::new(), BTreeSet::new(), false);
        for line in config.lines() {
            if let Some(version) = line.strip_prefix("version=") {
                let version = i64::from_str_radix(version.trim(), 16).unwrap_or(0);
                changed = Zxid(version).counter() != 0;
            } else if let Some((id, rest)) =
                line.strip_prefix("server.").and_then(|line| line.split_once('='))
                && let Ok(id) = id.trim().parse()
            {
                let addresses = rest.split(';').next().unwrap_or(rest);
                let is_observer = addresses.trim_end().ends_with(":observer");
                if is_observer { &mut observers } else { &mut voters }.insert(ServerId(id));
            }
        }
        changed && (voters, observers) != (self.voters.clone(), self.observers.clone())
    }

    /// How much the vote of a server counts; 0 if it does not vote.
    #[must_use]
    pub fn weight(&self, id: ServerId) -> u64 {
        match &self.rule {
            _ if !self.is_voter(id) => 0,
            Rule::Majority => 1,
            Rule::Hierarchical { weights, .. } => weights.get(&id).copied().unwrap_or(1),
        }
    }

    /// Whether a server votes.
    #[must_use]
    pub fn is_voter(&self, id: ServerId) -> bool {
        self.voters.contains(&id)
    }

    /// Whether a server only learns.
    #[must_use]
    pub fn is_observer(&self, id: ServerId) -> bool {
        self.observers.contains(&id)
    }

    /// Whether a server belongs to the ensemble.
    #[must_use]
    pub fn contains(&self, id: ServerId) -> bool {
        self.is_voter(id) || self.is_observer(id)
    }

    /// Everyone, by server id.
    pub fn members(&self) -> impl Iterator<Item = ServerId> + '_ {
        self.voters.union(&self.observers).copied()
    }

    /// Those who vote, by server id.
    pub fn voters(&self) -> impl Iterator<Item = ServerId> + '_ {
        self.voters.iter().copied()
    }

    /// Those who only learn, by server id.
    pub fn observers(&self) -> impl Iterator<Item = ServerId> + '_ {
        self.observers.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ids(ids: impl IntoIterator<Item = i64>) -> BTreeSet<ServerId> {
        ids.into_iter().map(ServerId).collect()
    }

    fn weights(weights: impl IntoIterator<Item = (i64, u64)>) -> BTreeMap<ServerId, u64> {
        weights.into_iter().map(|(id, weight)| (ServerId(id), weight)).collect()
    }

    #[test]
    fn a_reconfig_is_noticed() {
        let ensemble = Ensemble::majority(ids(1..=3), ids([4]));
        let text = |last: &str, version: &str| {
            format!(
                "server.1=a:1:2:participant\nserver.2=b:1:2:participant;0.0.0.0:2181\n\
                 server.3=c:1:2|d:1:2:participant;2181\nserver.4=e:1:2:{last};2181\n\
                 version={version}"
            )
        };
        assert!(!ensemble.was_changed_in(text("observer", "100000005").as_bytes()));
        assert!(ensemble.was_changed_in(text("participant", "100000005").as_bytes()));
        // Configurations that differ from the start do so on purpose, or while they are changed.
        assert!(!ensemble.was_changed_in(text("participant", "200000000").as_bytes()));
        assert!(!ensemble.was_changed_in(text("participant", "0").as_bytes()));
        for garbage in [&b""[..], b"server.x=\nversion=zz", b"\xff\xfe=", b"server.1"] {
            assert!(!ensemble.was_changed_in(garbage));
        }
        assert!(ensemble.was_changed_in(b"version=100000001"));
    }

    #[test]
    fn more_than_half_of_the_voters_decide() {
        let ensemble = Ensemble::majority(ids(1..=4), ids([7, 8, 9]));
        assert!(!ensemble.is_quorum(&ids([1, 2])));
        assert!(!ensemble.is_quorum(&ids([1, 2, 7, 8, 9, 100])));
        assert!(ensemble.is_quorum(&ids([1, 2, 4])));
        assert!(!Ensemble::majority(ids([]), ids([1])).is_quorum(&ids([1])));
    }

    #[test]
    fn an_oracle_is_for_two_voters_with_a_majority() {
        let of = |voters: BTreeSet<ServerId>| Ensemble::majority(voters, ids([9])).with_oracle();
        assert!(of(ids([1, 2])).has_oracle());
        assert!(!of(ids([1])).has_oracle() && !of(ids(1..=3)).has_oracle());
        assert!(!of(ids([1, 2])).is_quorum(&ids([1])), "it is asked, not taken for granted");
        let groups = Ensemble::hierarchical(vec![ids([1, 2])], weights([]), ids([]));
        assert!(!groups.with_oracle().has_oracle());
        assert!(!Ensemble::majority(ids([1, 2]), ids([])).has_oracle());
    }

    #[test]
    fn members_are_voters_or_observers() {
        let ensemble = Ensemble::majority(ids([1, 3]), ids([2]));
        assert_eq!(ensemble.members().collect::<Vec<_>>(), [1, 2, 3].map(ServerId));
        assert_eq!(ensemble.voters().collect::<Vec<_>>(), [1, 3].map(ServerId));
        assert_eq!(ensemble.observers().collect::<Vec<_>>(), [2].map(ServerId));
        assert!(ensemble.is_voter(ServerId(1)) && !ensemble.is_observer(ServerId(1)));
        assert!(!ensemble.is_voter(ServerId(2)) && ensemble.is_observer(ServerId(2)));
        assert!(ensemble.contains(ServerId(2)) && !ensemble.contains(ServerId(4)));
        assert_eq!([1, 2, 4].map(|id| ensemble.weight(ServerId(id))), [1, 0, 0]);
    }

    #[test]
    fn more_than_half_of_the_groups_decide() {
        let groups = vec![ids(1..=3), ids(4..=6), ids(7..=9)];
        let ensemble = Ensemble::hierarchical(groups, weights([]), ids([]));
        assert!(ensemble.is_quorum(&ids([1, 2, 4, 5])));
        assert!(!ensemble.is_quorum(&ids([1, 2, 3, 4, 7])));
    }

    #[test]
    fn a_group_decides_by_weight() {
        let groups = vec![ids([1, 2, 3])];
        let ensemble = Ensemble::hierarchical(groups, weights([(1, 4), (2, 2), (3, 2)]), ids([]));
        assert!(!ensemble.is_quorum(&ids([1])));
        assert!(!ensemble.is_quorum(&ids([2, 3])));
        assert!(ensemble.is_quorum(&ids([1, 2])));
        assert_eq!([1, 2, 4].map(|id| ensemble.weight(ServerId(id))), [4, 2, 0]);
    }

    #[test]
    fn groups_and_observers_without_weight_do_not_count() {
        // Two of three groups weigh nothing, and one of them is an observer's.
        let groups = vec![ids([1, 2, 3]), ids([4, 5]), ids([6])];
        let ensemble = Ensemble::hierarchical(groups, weights([(4, 0), (5, 0), (6, 5)]), ids([6]));
        assert!(ensemble.is_quorum(&ids([1, 2])));
        assert!(!ensemble.is_quorum(&ids([1, 4, 5, 6])));
        assert!(!ensemble.is_voter(ServerId(6)) && ensemble.is_voter(ServerId(4)));
    }

    /// Counted one by one, as the manual tells it.
    fn naive(groups: &[(i64, u64, usize)], acks: &BTreeSet<ServerId>) -> bool {
        let (mut half_groups, mut satisfied) = (0, 0);
        for group in 0..5 {
            let members = groups.iter().filter(|(_, _, its)| *its == group);
            let (mut total, mut acked) = (0, 0);
            for (id, weight, _) in members {
                total += weight;
                acked += if acks.contains(&ServerId(*id)) { *weight } else { 0 };
            }
            half_groups += usize::from(total > 0);
            satisfied += 2 * usize::from(2 * acked > total);
        }
        satisfied > half_groups
    }

    proptest! {
        #[test]
        fn quorums_are_what_counting_says(
            servers in proptest::collection::vec((0..4_u64, 0..5_usize), 1..10),
            acks in proptest::collection::btree_set(0..14_i64, 0..14),
        ) {
            let servers: Vec<_> =
                (0..).zip(servers).map(|(id, (weight, group))| (id, weight, group)).collect();
            let members = |its| servers.iter().filter(move |s| s.2 == its).map(|s| s.0);
            let groups = (0..5).map(|group| ids(members(group))).collect();
            let weights = weights(servers.iter().map(|s| (s.0, s.1)));
            let ensemble = Ensemble::hierarchical(groups, weights, ids([]));
            prop_assert_eq!(ensemble.is_quorum(&ids(acks.clone())), naive(&servers, &ids(acks)));
        }

        #[test]
        fn two_quorums_have_a_server_in_common(
            servers in proptest::collection::vec((0..4_u64, 0..4_usize), 1..10),
            acks in proptest::collection::btree_set(0..10_i64, 0..10),
        ) {
            let mut groups = vec![ids([]); 4];
            let mut weights = BTreeMap::new();
            for (id, (weight, group)) in (0..).map(ServerId).zip(servers) {
                groups[group].insert(id);
                weights.insert(id, weight);
            }
            let all: BTreeSet<_> = weights.keys().copied().collect();
            let (some, rest) = (ids(acks.clone()), &all - &ids(acks));
            let hierarchical = Ensemble::hierarchical(groups, weights, ids([]));
            prop_assert!(!hierarchical.is_quorum(&some) || !hierarchical.is_quorum(&rest));
            let majority = Ensemble::majority(all, ids([]));
            prop_assert!(!majority.is_quorum(&some) || !majority.is_quorum(&rest));
        }
    }
}
