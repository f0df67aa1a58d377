//! Which server to try next, and how long to wait after a round without success.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::Duration;

/// The servers in an order of this client's own, so that clients spread over them.
#[derive(Debug)]
pub(super) struct Servers {
    names: Vec<String>,
    next: usize,
    /// Failed attempts since the last success.
    failures: u32,
    chance: RandomState,
}

const MIN_PAUSE: Duration = Duration::from_millis(50);
const MAX_PAUSE: Duration = Duration::from_secs(2);

impl Servers {
    /// At least one server, as `host:port`.
    pub(super) fn new(mut names: Vec<String>) -> Self {
        assert!(!names.is_empty(), "a connect string names a server");
        let chance = RandomState::new();
        names.sort_by_cached_key(|name| chance.hash_one(name));
        Self { names, next: 0, failures: 0, chance }
    }

    /// How many there are.
    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.names.len()).unwrap_or(u32::MAX)
    }

    /// The server to try now.
    pub(super) fn next(&mut self) -> String {
        let name = self.names[self.next].clone();
        self.next = (self.next + 1) % self.names.len();
        name
    }

    /// A connection was made.
    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// An attempt failed. Returns how long to wait before the next: no time while there are
    /// servers not tried, then a pause that doubles with each round.
    pub(super) fn failed(&mut self) -> Duration {
        self.failures = self.failures.saturating_add(1);
        if !self.failures.is_multiple_of(self.count()) {
            return Duration::ZERO;
        }
        let round = (self.failures / self.count()).min(10);
        let longest = MAX_PAUSE.min(MIN_PAUSE * 2_u32.pow(round));
        // Between half of it and all of it, lest all clients come back in the same moment.
        let part = u32::try_from(self.chance.hash_one(self.failures) % 1024).unwrap_or(0);
        longest / 2 + longest / 2 * part / 1024
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_server_gets_its_turn() {
        let names = ["a", "b", "c"].map(str::to_owned);
        let mut servers = Servers::new(names.to_vec());
        let mut round: Vec<_> = (0..3).map(|_| servers.next()).collect();
        let again: Vec<_> = (0..3).map(|_| servers.next()).collect();
        assert_eq!(round, again);
        round.sort();
        assert_eq!(round, names);
    }

    #[test]
    fn pauses_come_after_whole_rounds_and_grow_to_a_limit() {
        let mut servers = Servers::new(["a", "b"].map(str::to_owned).to_vec());
        let mut pauses = Vec::new();
        for _ in 0..100 {
            assert_eq!(servers.failed(), Duration::ZERO);
            pauses.push(servers.failed());
        }
        assert!(pauses[0] >= MIN_PAUSE && pauses[0] <= 2 * MIN_PAUSE);
        assert!(pauses[99] >= MAX_PAUSE / 2 && pauses[99] <= MAX_PAUSE);
        servers.succeeded();
        assert_eq!(servers.failed(), Duration::ZERO);
        assert!(servers.failed() <= 2 * MIN_PAUSE);
    }
}
