//! Runs the scenarios with the crate `zookeeper-client` against running servers. Started by `run`.
//!
//! It knows the order of the scenarios and how results are printed; what a scenario does is in the
//! other files.
#![forbid(unsafe_code)]

mod access;
mod many;
mod recipes;
mod sessions;
mod watches;
mod world;
mod znodes;

use std::pin::Pin;
use std::process::ExitCode;
use std::time::Duration;
use world::{Outcome, World};

const SCENARIO_TIME: Duration = Duration::from_secs(90);

type Scenario = for<'a> fn(&'a World) -> Pin<Box<dyn Future<Output = Outcome> + 'a>>;

/// The names of the scenarios, in order, with their functions.
macro_rules! scenarios {
    ($($name:literal => $function:path),+ $(,)?) => {
        [$(($name, (|world| Box::pin($function(world))) as Scenario)),+]
    };
}

const SCENARIOS: [(&str, Scenario); 23] = scenarios! {
    "connect" => znodes::connect,
    "create_modes" => znodes::create_modes,
    "read_write" => znodes::read_write,
    "children" => znodes::children,
    "acl_auth" => access::acl_auth,
    "multi" => access::multi,
    "watch_once" => watches::once,
    "watch_persistent" => watches::persistent,
    "watch_recursive" => watches::recursive,
    "session_expiry" => sessions::expiry,
    "failover" => sessions::failover,
    "leader_killed" => sessions::leader_killed,
    "chroot" => znodes::chroot,
    "large_values" => many::large_values,
    "ephemerals_1000" => many::ephemerals_1000,
    "unicode" => znodes::unicode,
    "children_10000" => many::children_10000,
    "lock_killed_holder" => recipes::lock_killed_holder,
    "election_killed_holder" => recipes::election_killed_holder,
    "sync_read" => sessions::sync_read,
    "lock" => recipes::lock,
    "multi_read" => access::multi_read,
    "whoami" => access::whoami,
};

/// What the command line says.
#[derive(Default)]
struct Options {
    only: String,
    quick: bool,
    list: bool,
    connect: String,
}

fn parse(mut words: impl Iterator<Item = String>) -> Options {
    let mut options = Options::default();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--only" => options.only = words.next().unwrap_or_default(),
            "--quick" => options.quick = true,
            "--list" => options.list = true,
            _ => options.connect = word,
        }
    }
    options
}

/// Runs one scenario and prints its line; whether it did not fail.
async fn report(name: &str, run: Scenario, world: &World) -> bool {
    let outcome = match tokio::time::timeout(SCENARIO_TIME, run(world)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(world::Failure::new(format!("took more than {SCENARIO_TIME:?}"))),
    };
    match outcome.and(world.clear_up().await) {
        Ok(()) => {
            println!("ok {name}");
            true
        }
        Err(failure) => {
            println!("FAIL {name}: {}", failure.to_string().replace('\n', "\n    "));
            false
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [command, connect, path] = words.as_slice()
        && command == recipes::HOLD
    {
        let outcome = recipes::hold(connect, path).await;
        eprintln!("the holder ended: {outcome:?}");
        return ExitCode::FAILURE;
    }
    let options = parse(words.into_iter());
    if !options.list && options.connect.is_empty() {
        eprintln!("usage: run [--only TEXT] [--quick] [--list] HOST:PORT[,HOST:PORT...]");
        return ExitCode::from(2);
    }
    let mut good = true;
    for (name, run) in SCENARIOS.iter().filter(|(name, _)| name.contains(&options.only)) {
        if options.list {
            println!("{name}");
        } else {
            let world = World::new(&options.connect, name, options.quick);
            good &= report(name, *run, &world).await;
        }
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
