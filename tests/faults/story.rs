//! What the servers' logs tell: who led when, and whether a tree was wrong.

use super::history::Time;
use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

const DAY: u64 = 24 * 60 * 60 * 1_000_000;

/// Tells times of logs as times of the run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    /// Microseconds of the day when the run began.
    start: u64,
}

/// One server that led one epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reign {
    pub(super) epoch: i64,
    pub(super) leader: usize,
    /// When it was elected, which is before anybody could follow it.
    pub(super) since: Time,
}

impl Clock {
    /// The run begins now.
    pub(super) fn new() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_micros();
        Self { start: u64::try_from(since % u128::from(DAY)).expect("less than a day") }
    }

    /// The time of a line such as `2026-01-02T03:04:05.678901Z  INFO ...`.
    fn time(self, line: &str) -> Option<Time> {
        let (_, time) = line.split_whitespace().next()?.strip_suffix('Z')?.split_once('T')?;
        let mut seconds = 0;
        let (whole, micros) = time.split_once('.')?;
        for part in whole.split(':') {
            seconds = seconds * 60 + part.parse::<u64>().ok()?;
        }
        let micros = seconds * 1_000_000 + micros.parse::<u64>().ok()?;
        Some((micros + DAY - self.start) % DAY)
    }
}

/// When a server led which epochs, by its log.
pub(super) fn reigns(id: usize, log: &str, clock: Clock) -> Vec<Reign> {
    let mut reigns = Vec::new();
    // When it was elected, if it was the last time that somebody was.
    let mut since = None;
    for line in log.lines() {
        if line.contains(" was elected, after ") || line.contains(" looking for a leader") {
            since = None;
        } else if line.contains(" elected, after ") {
            since = clock.time(line);
        } else if let Some((_, rest)) = line.split_once(" serving in epoch ")
            && let Some(since) = since
        {
            let digits = rest.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
            let epoch = digits.parse().expect("an epoch");
            reigns.push(Reign { epoch, leader: id, since });
        }
    }
    reigns
}

/// The one reign of each epoch.
pub(super) fn by_epoch(reigns: &[Reign]) -> Result<BTreeMap<i64, Reign>, String> {
    let mut epochs = BTreeMap::new();
    for reign in reigns {
        if let Some(other) = epochs.insert(reign.epoch, *reign) {
            return Err(format!("two leaders in one epoch: {other:?} and {reign:?}"));
        }
    }
    Ok(epochs)
}

/// A line that no log may have.
pub(super) fn wrong_line(log: &str) -> Option<&str> {
    log.lines()
        .find(|line| line.contains("panicked at") || line.contains("the tree's digest after"))
}

#[test]
fn a_log_tells_who_led() {
    let line = |time: &str, text: &str| format!("2026-01-02T{time}Z  INFO {text}\n");
    let log = [
        line("23:59:59.500000", "looking for a leader: it has none"),
        line("23:59:59.900000", "elected, after 203 ms; the log ends with 0x100000007"),
        line("00:00:01.000000", "serving in epoch 2, 300 ms after the last leader was lost"),
        line("00:00:02.000000", "looking for a leader: it has lost its quorum"),
        line("00:00:03.000000", "server 2 was elected, after 203 ms; the log here ends with 0x0"),
        line("00:00:04.000000", "serving in epoch 3, 300 ms after the last leader was lost"),
    ];
    let clock = Clock { start: DAY - 1_000_000 };
    let found = reigns(1, &log.concat(), clock);
    assert_eq!(found, [Reign { epoch: 2, leader: 1, since: 900_000 }]);
    assert!(by_epoch(&found).is_ok());
    let other = Reign { leader: 2, ..found[0] };
    assert!(by_epoch(&[found[0], other]).is_err_and(|why| why.contains("two leaders")));
    assert!(wrong_line(&log.concat()).is_none());
}
