//! The brain under random clients, with a store that crashes, checked against a plain oracle.
//!
//! `ZABRA_SEEDS=10000 cargo test --no-default-features --test replica_random` runs more seeds;
//! `ZABRA_SEED=n` runs one.

#[path = "replica_support/mod.rs"]
mod support;

use support::{Random, World};

/// Seeds of a normal run.
const SEEDS: u64 = 300;
/// Steps for each of them.
const STEPS: usize = 400;

/// Tells how to run a seed again if it fails.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "replay: ZABRA_SEED={} cargo test --no-default-features --test replica_random",
                self.0
            );
        }
    }
}

fn run(seed: u64) -> World {
    let _told = Seed(seed);
    let mut world = World::new(Random(seed));
    for _ in 0..STEPS {
        world.step();
    }
    world.settle();
    world
}

#[allow(clippy::disallowed_methods, reason = "whoever runs the test chooses its seeds")]
fn number_from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

#[test]
fn whatever_happens_clients_are_told_the_truth() {
    if let Some(seed) = number_from_environment("ZABRA_SEED") {
        run(seed);
        return;
    }
    let seeds = number_from_environment("ZABRA_SEEDS").unwrap_or(SEEDS);
    let mut seen = support::Coverage::default();
    for seed in 0..seeds {
        seen.add(&run(seed).coverage);
    }
    seen.check();
}

#[test]
fn the_same_seed_is_the_same_run() {
    assert_eq!(run(7).history(), run(7).history());
}
