//! An ensemble in a bottle: the real brains with a simulated network, disks, clocks and clients,
//! everything from one seed.
//!
//! `make sim SEEDS=100000` runs many seeds; `SIM_SEED=n SIM_TRACE=1 cargo test
//! --no-default-features --test sim` runs one and tells everything that happens in it.

mod broken;
mod checks;
mod clients;
mod coverage;
mod net;
mod oracle;
mod plan;
mod queue;
mod random;
mod runner;
mod server;
mod trace;
mod troubles;
mod world;

use broken::Broken;
use runner::{number_from_environment, run, run_all, text_of};

/// A simulation is many small allocations.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Seeds of a normal run.
const SEEDS: u64 = 500;
/// Seeds within which a broken server must be noticed.
const BROKEN_SEEDS: u64 = 300;

/// What must have happened in many seeds, each often.
const WANTED: [&str; 25] = [
    "committed",
    "crash",
    "crash that lost checkpoints",
    "crash that lost entries",
    "dial failure",
    "disk failure",
    "event",
    "flushed",
    "leader established",
    "left its server",
    "log read",
    "observer served by a follower",
    "oracle said no",
    "oracle said yes",
    "refused: session gone",
    "relayed",
    "replayed event",
    "session expired",
    "session went on",
    "snapshot installed",
    "snapshot sent",
    "snapshot sent by a follower",
    "successful write",
    "sync",
    "truncated",
];

#[test]
fn nothing_goes_wrong_that_must_not() {
    if let Some(seed) = number_from_environment("SIM_SEED") {
        if let Err(failure) = run(seed, None, number_from_environment("SIM_TRACE").is_some()) {
            panic!("{}", text_of(seed, &failure));
        }
        return;
    }
    let seeds = number_from_environment("SIM_SEEDS").unwrap_or(SEEDS);
    let first = number_from_environment("SIM_FIRST").unwrap_or(0);
    let is_survey = number_from_environment("SIM_SURVEY").is_some();
    let coverage = run_all(first, seeds, is_survey);
    eprintln!("{coverage}");
    if seeds >= SEEDS {
        coverage.check(&WANTED, 10);
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in 0..3 {
        let [first, second] = [(); 2].map(|()| run(seed, None, false).expect("it holds"));
        assert_eq!(first.steps, second.steps);
        assert_eq!(first.coverage.to_string(), second.coverage.to_string());
    }
}

/// How each broken server is noticed, by the first seed that does.
#[test]
fn broken_servers_are_noticed() {
    let missed = Broken::ALL.into_iter().filter(|broken| {
        let noticed = |seed| run(seed, Some(*broken), false).err().map(|failure| (seed, failure));
        let noticed = (0..BROKEN_SEEDS).find_map(noticed);
        if let Some((seed, failure)) = &noticed {
            let what = failure.message.lines().next().unwrap_or_default();
            eprintln!("{broken:?}: seed {seed}: {what}");
        }
        noticed.is_none()
    });
    let missed: Vec<_> = missed.collect();
    assert!(missed.is_empty(), "not noticed: {missed:?}");
}
