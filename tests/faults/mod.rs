//! Real faults on real servers: what happens to them, what clients do meanwhile, and the checks.
//!
//! | part | is |
//! |---|---|
//! | `run` | one run from its seed to its verdict |
//! | `isolation` | the namespaces that a run is in |
//! | `plan`, `troubles` | which faults there are, and how they are made and mended |
//! | `servers`, `network`, `disk` | what the faults happen to |
//! | `workers`, `clients`, `ledger` | what clients do, and what they write down |
//! | `history`, `linear`, `order` | what clients were told, and whether that is possible |
//! | `verdict`, `dump`, `story` | what must hold at the end, of the servers' trees and their logs |

mod check_tests;
mod clients;
mod disk;
mod dump;
mod history;
mod isolation;
mod ledger;
mod linear;
mod network;
mod order;
mod plan;
#[path = "../sim/random.rs"]
#[allow(dead_code, reason = "the simulator uses all of it")]
mod random;
mod run;
mod servers;
mod story;
mod system;
mod troubles;
mod verdict;
mod workers;

use std::env;
use std::time::{Duration, Instant};

/// Three servers, and every kind of fault once.
pub(crate) fn three_servers() {
    run::run("three_servers", 3, 202_468_213);
}

/// The same with five.
pub(crate) fn five_servers() {
    run::run("five_servers", 5, 876_016_824);
}

/// How many seconds of runs are wished for.
const SECONDS: &str = "ZABRA_FAULTS_SECONDS";

/// Run after run, each with the next seed, for as long as is wished.
pub(crate) fn for_long() {
    let Ok(seconds) = env::var(SECONDS) else { return };
    let seconds = seconds.parse().unwrap_or_else(|error| panic!("{SECONDS}={seconds}: {error}"));
    let (start, duration) = (Instant::now(), Duration::from_secs(seconds));
    let mut seed = run::seed();
    while start.elapsed() < duration {
        for test in ["three_servers", "five_servers"] {
            run::run_seed(test, seed);
            seed += 1;
        }
    }
}
