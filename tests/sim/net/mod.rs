//! The network between the servers: who hears whom, and how long it takes.

mod election;
mod links;
pub(crate) mod packets;

pub(crate) use links::{Link, Side};

use super::plan::{MS, Time};
use super::queue::Event;
use super::world::World;
use election::Wire;
use std::collections::BTreeMap;

/// All connections between servers.
pub(crate) struct Network {
    /// `blocked[from][to]`: nothing of one server reaches the other.
    blocked: Vec<Vec<bool>>,
    /// How many times slower packets are than usual.
    slowness: Vec<Vec<u64>>,
    /// Numbers the partitions, so that one does not end another.
    partition: u64,
    pub(crate) links: BTreeMap<usize, Link>,
    next_link: usize,
    elections: Vec<Vec<Wire>>,
}

impl Network {
    pub(crate) fn new(servers: usize) -> Self {
        Self {
            blocked: vec![vec![false; servers]; servers],
            slowness: vec![vec![1; servers]; servers],
            partition: 0,
            links: BTreeMap::new(),
            next_link: 0,
            elections: (0..servers)
                .map(|_| (0..servers).map(|_| Wire::default()).collect())
                .collect(),
        }
    }

    pub(crate) fn is_blocked(&self, from: usize, to: usize) -> bool {
        self.blocked[from][to]
    }

    /// Whether two servers hear each other.
    pub(crate) fn is_open(&self, a: usize, b: usize) -> bool {
        !self.blocked[a][b] && !self.blocked[b][a]
    }
}

impl World {
    /// Microseconds of a packet's journey.
    pub(crate) fn journey(&mut self, from: usize, to: usize) -> Time {
        let longest = self.plan.tick_ms * MS * 10;
        (self.random.delay(self.plan.net) * self.net.slowness[from][to]).min(longest)
    }

    /// Nothing goes from the one servers to the others, until the partition with this number is
    /// healed.
    pub(crate) fn block(&mut self, pairs: &[(usize, usize)]) -> u64 {
        self.net.partition += 1;
        for (from, to) in pairs {
            self.net.blocked[*from][*to] = true;
        }
        self.net.partition
    }

    /// Everybody hears everybody again, unless there is a newer partition.
    pub(crate) fn heal(&mut self, partition: u64) {
        if partition == self.net.partition {
            self.heal_all();
        }
    }

    pub(crate) fn heal_all(&mut self) {
        self.trace.note(|| format!("{} the network is whole", self.now));
        for row in &mut self.net.blocked {
            row.fill(false);
        }
        let links: Vec<_> = self.net.links.keys().copied().collect();
        for link in links {
            // What waited arrives late, or the connection has been given up meanwhile.
            if self.random.one_in(3) {
                self.break_link(link);
            } else {
                self.unstall(link);
            }
        }
    }

    pub(crate) fn slow_down(&mut self, from: usize, to: usize, slowness: u64, until: Time) {
        self.net.slowness[from][to] = slowness;
        self.queue.push(until, Event::Hasten { from, to });
    }

    pub(crate) fn hasten(&mut self, from: usize, to: usize) {
        self.net.slowness[from][to] = 1;
    }
}
