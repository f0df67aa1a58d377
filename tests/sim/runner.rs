//! Runs seeds, and tells of those that fail.

use super::broken::Broken;
use super::coverage::Coverage;
use super::trace::Trace;
use super::world::World;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, Once, PoisonError};

thread_local! {
    /// What the last panic of this thread said, while a seed runs.
    static SAID: RefCell<Option<String>> = const { RefCell::new(None) };
    static IS_RUNNING: RefCell<bool> = const { RefCell::new(false) };
}

/// A seed that held.
pub(crate) struct Held {
    pub(crate) steps: u64,
    pub(crate) coverage: Coverage,
}

/// A seed that did not.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) message: String,
    pub(crate) last: Vec<String>,
}

/// Keeps what a panic says instead of printing it, where a seed runs.
fn listen_to_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let otherwise = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if IS_RUNNING.with(|running| *running.borrow()) {
                SAID.with(|said| *said.borrow_mut() = Some(said_by(info)));
            } else {
                otherwise(info);
            }
        }));
    });
}

fn said_by(info: &panic::PanicHookInfo<'_>) -> String {
    let payload = info.payload();
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("a panic");
    info.location().map_or_else(|| text.to_owned(), |place| format!("{text}\n  at {place}"))
}

/// Runs one seed, and if it fails once more, to see what happened.
pub(crate) fn run(seed: u64, broken: Option<Broken>, print: bool) -> Result<Held, Failure> {
    let trace = if print { Trace::new(true) } else { Trace::default() };
    let result = attempt(seed, broken, &trace);
    if print || result.is_ok() || broken.is_some() {
        return result;
    }
    attempt(seed, broken, &Trace::new(false))
}

fn attempt(seed: u64, broken: Option<Broken>, trace: &Trace) -> Result<Held, Failure> {
    listen_to_panics();
    IS_RUNNING.with(|running| *running.borrow_mut() = true);
    let held = panic::catch_unwind(AssertUnwindSafe(|| {
        let mut world = World::new(seed, broken, trace.clone());
        world.run_to_the_end();
        Held { steps: world.steps, coverage: world.coverage.clone() }
    }));
    IS_RUNNING.with(|running| *running.borrow_mut() = false);
    held.map_err(|_| Failure {
        message: SAID.with(|said| said.borrow_mut().take()).unwrap_or_default(),
        last: trace.last(),
    })
}

/// What there is to say of a seed that failed.
pub(crate) fn text_of(seed: u64, failure: &Failure) -> String {
    format!(
        "seed {seed}: {}\nlast events:\n{}\nreplay: SIM_SEED={seed} SIM_TRACE=1 cargo test \
         --no-default-features --test sim nothing -- --nocapture",
        failure.message,
        failure.last.join("\n")
    )
}

/// Runs many seeds, on every processor, and fails with the first that fails; or, for a survey of
/// what fails, runs all of them first.
pub(crate) fn run_all(first: u64, count: u64, is_survey: bool) -> Coverage {
    let next = AtomicU64::new(first);
    let all = Mutex::new(Coverage::default());
    let failed = Mutex::new(BTreeMap::new());
    let work = || {
        loop {
            let seed = next.fetch_add(1, Relaxed);
            let has_failed = !failed.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
            if seed >= first + count || (has_failed && !is_survey) {
                return;
            }
            match run(seed, None, false) {
                Ok(held) => {
                    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
                    all.add(&held.coverage);
                }
                Err(failure) => {
                    let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                    if is_survey {
                        eprintln!("seed {seed}: {}", failure.message);
                    }
                    failed.insert(seed, failure);
                }
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some((seed, failure)) = failed.first_key_value() {
        panic!("{} of {count} seeds fail\n{}", failed.len(), text_of(*seed, failure));
    }
    all.into_inner().unwrap_or_else(PoisonError::into_inner)
}

#[allow(clippy::disallowed_methods, reason = "whoever runs the test chooses its seeds")]
pub(crate) fn number_from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}
