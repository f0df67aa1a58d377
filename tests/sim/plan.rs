//! What a seed decides before the simulation begins: the ensemble, its settings and its troubles.

use super::broken::Broken;
use super::random::Random;
use std::collections::{BTreeMap, BTreeSet};
use zabra::types::ServerId;
use zabra::zab::{Ensemble, PeerOptions};

/// Microseconds since the simulation began.
pub(crate) type Time = u64;

/// Microseconds of a millisecond.
pub(crate) const MS: Time = 1000;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// A server dies and comes back some time later.
    Crash,
    /// A server stands still: nothing of it runs.
    Pause,
    /// Servers are split in two.
    Partition,
    /// One server does not hear another one.
    OneWay,
    /// A connection breaks.
    Break,
    /// A connection goes silent.
    Silence,
    /// Packets between two servers take long.
    Slow,
    /// A disk takes long.
    SlowDisk,
    /// A disk fails.
    BadDisk,
    /// A server's clock jumps.
    Clock,
    /// Clients lose their connections.
    Clients,
}

const TROUBLES: [Trouble; 11] = [
    Trouble::Crash,
    Trouble::Pause,
    Trouble::Partition,
    Trouble::OneWay,
    Trouble::Break,
    Trouble::Silence,
    Trouble::Slow,
    Trouble::SlowDisk,
    Trouble::BadDisk,
    Trouble::Clock,
    Trouble::Clients,
];

/// What is decided before.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) broken: Option<Broken>,
    /// Whether the one server is alone, no member of an ensemble.
    pub(crate) alone: bool,
    pub(crate) voters: usize,
    /// Whether the two voters have an oracle.
    pub(crate) oracle: bool,
    pub(crate) observers: usize,
    /// Whether observers learn from followers.
    pub(crate) observer_masters: bool,
    pub(crate) tick_ms: u64,
    pub(crate) sync_limit: u64,
    pub(crate) init_limit: u64,
    pub(crate) commit_log_count: usize,
    pub(crate) notification_ms: (u64, u64),
    pub(crate) clients: usize,
    pub(crate) session_ms: u64,
    /// Typical microseconds of a packet's journey.
    pub(crate) net: Time,
    /// Typical microseconds of a sync.
    pub(crate) disk: Time,
    /// Typical microseconds between two acts of a client.
    pub(crate) pace: Time,
    /// One checkpoint in so many is flushed.
    pub(crate) flush_one_in: usize,
    /// Entries that are kept in the log though the tree has them.
    pub(crate) retention: usize,
    pub(crate) troubles: Vec<Trouble>,
    /// Typical microseconds between two troubles.
    pub(crate) trouble_every: Time,
    /// For how long there is trouble.
    pub(crate) duration: Time,
    /// Whether leaders send trees wherever they can.
    pub(crate) force_snapshot: bool,
    pub(crate) epoch_wait_ms: Option<u64>,
}

impl Plan {
    pub(crate) fn new(random: &mut Random, broken: Option<Broken>) -> Self {
        let alone = broken.is_none() && random.one_in(12);
        let voters = if alone { 1 } else { *random.pick(&[3, 3, 3, 3, 5]) };
        let oracle = broken.is_none() && !alone && random.one_in(10);
        let oracle = oracle || broken == Some(Broken::RashOracle);
        let voters = if oracle { 2 } else { voters };
        let voters = broken.map_or(voters, |broken| broken.voters(voters));
        let observers = if !alone && random.one_in(4) { random.below(2) + 1 } else { 0 };
        let observer_masters = observers > 0 && random.below(3) > 0;
        let tick_ms = *random.pick(&[100, 200, 500]);
        let troubles: Vec<_> = TROUBLES.into_iter().filter(|_| random.below(3) > 0).collect();
        Self {
            broken,
            alone,
            voters,
            oracle,
            observers,
            observer_masters,
            tick_ms,
            sync_limit: random.between(3, 6),
            init_limit: random.between(6, 12),
            commit_log_count: *random.pick(&[1, 3, 10, 50, 500]),
            notification_ms: (random.between(20, 200), random.between(200, 1000)),
            clients: random.below(4) + 2,
            session_ms: tick_ms * random.between(6, 30),
            net: *random.pick(&[200, 1000, 1000, 5000]),
            disk: *random.pick(&[200, 1000, 10_000]),
            pace: tick_ms * MS / *random.pick(&[40, 15, 5, 1]),
            flush_one_in: *random.pick(&[1, 3, 10, 50]),
            retention: *random.pick(&[0, 0, 2, 20, 200]),
            troubles,
            trouble_every: tick_ms * MS * *random.pick(&[1, 4, 10, 30]),
            duration: tick_ms * MS * random.between(40, 120),
            force_snapshot: random.one_in(8),
            epoch_wait_ms: random.one_in(4).then(|| tick_ms * random.between(0, 3)),
        }
    }

    pub(crate) fn servers(&self) -> usize {
        self.voters + self.observers
    }

    pub(crate) fn is_voter(&self, server: usize) -> bool {
        server < self.voters
    }

    /// What a server is configured with.
    pub(crate) fn peer_options(&self, server: usize) -> PeerOptions {
        PeerOptions {
            me: id_of(server),
            ensemble: self.ensemble(server),
            config: self.config().into_bytes().into(),
            tick_ms: self.tick_ms,
            init_limit: self.init_limit,
            sync_limit: self.sync_limit,
            connect_limit: 0,
            commit_log_count: self.commit_log_count,
            max_snapshot_syncs: 1,
            max_diff_syncs: 1,
            epoch_wait_ms: self.epoch_wait_ms,
            force_snapshot: self.force_snapshot,
            observer_masters: self.observer_masters,
            notification_ms: self.notification_ms,
        }
    }

    fn ensemble(&self, server: usize) -> Ensemble {
        let voters: BTreeSet<_> = (0..self.voters).map(id_of).collect();
        let observers = (self.voters..self.servers()).map(id_of).collect();
        if self.broken == Some(Broken::HalfQuorum) {
            // Each server has two votes in its own eyes: half of four is enough then.
            let weight = |id: ServerId| if id == id_of(server) { 2 } else { 1 };
            let weights: BTreeMap<_, _> = voters.iter().map(|id| (*id, weight(*id))).collect();
            return Ensemble::hierarchical(vec![voters], weights, observers);
        }
        let ensemble = Ensemble::majority(voters, observers);
        if self.oracle { ensemble.with_oracle() } else { ensemble }
    }

    fn config(&self) -> String {
        let line = |server: usize| {
            let role = if self.is_voter(server) { "participant" } else { "observer" };
            let id = server + 1;
            format!("server.{id}=10.0.0.{id}:2888:3888:{role};0.0.0.0:2181\n")
        };
        (0..self.servers()).map(line).collect::<String>() + "version=0"
    }
}

pub(crate) fn id_of(server: usize) -> ServerId {
    ServerId(i64::try_from(server).expect("few servers") + 1)
}

pub(crate) fn index_of(id: ServerId) -> usize {
    usize::try_from(id.0 - 1).expect("the id of a server")
}
