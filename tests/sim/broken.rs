//! Servers that are broken on purpose, to see that the simulation notices.

/// What is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// What has been handed to the log is called durable.
    AckBeforeSync,
    /// The epoch is stored before the log that was handed over before it.
    EpochBeforeLog,
    /// Half of the voters decide.
    HalfQuorum,
    /// A leader's COMMITs overtake each other.
    CommitOutOfOrder,
    /// What a new leader does not have stays in the log.
    TruncSkipped,
    /// For a leader no time passes, and no learner leaves it.
    StaleLeader,
    /// The oracle of two servers lets both go on alone.
    RashOracle,
}

impl Broken {
    pub(crate) const ALL: [Self; 7] = [
        Self::AckBeforeSync,
        Self::EpochBeforeLog,
        Self::HalfQuorum,
        Self::CommitOutOfOrder,
        Self::TruncSkipped,
        Self::StaleLeader,
        Self::RashOracle,
    ];

    /// How many vote, where that matters.
    pub(crate) const fn voters(self, otherwise: usize) -> usize {
        if matches!(self, Self::HalfQuorum) { 4 } else { otherwise }
    }
}
