//! Who votes, and how many votes decide (ZK: `QuorumMaj`, `QuorumHierarchical`).

use crate::types::ServerId;
use std::collections::{BTreeMap, BTreeSet};

/// The members of an ensemble.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ensemble {
    voters: BTreeSet<ServerId>,
    observers: BTreeSet<ServerId>,
    groups: Vec<BTreeSet<ServerId>>,
    weights: BTreeMap<ServerId, u64>,
}

impl Ensemble {
    /// Members of whom a majority of the voters decides.
    #[must_use]
    pub const fn majority(voters: BTreeSet<ServerId>, observers: BTreeSet<ServerId>) -> Self {
        Self { voters, observers, groups: Vec::new(), weights: BTreeMap::new() }
    }

    /// Members in groups: more than half of the groups decide, each by more than half of its
    /// weight.
    #[must_use]
    pub fn hierarchical(
        groups: Vec<BTreeSet<ServerId>>,
        weights: BTreeMap<ServerId, u64>,
        observers: BTreeSet<ServerId>,
    ) -> Self {
        let voters = groups.iter().flatten().copied().collect();
        Self { voters, observers, groups, weights }
    }

    /// Whether a server votes.
    #[must_use]
    pub fn is_voter(&self, id: ServerId) -> bool {
        self.voters.contains(&id)
    }

    /// Those who vote.
    pub fn voters(&self) -> impl Iterator<Item = ServerId> + '_ {
        self.voters.iter().copied()
    }

    /// Those who only learn.
    pub fn observers(&self) -> impl Iterator<Item = ServerId> + '_ {
        self.observers.iter().copied()
    }
}
