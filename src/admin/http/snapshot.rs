//! The commands `snapshot` and `restore`.

use super::super::json::Json;
use super::{Admin, Answer, json};
use hyper::StatusCode;
use hyper::body::Incoming;
use parking_lot::Mutex;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// Lets one through in so much time (ZK: `RateLimiter`).
#[derive(Debug)]
struct Limit {
    interval: Duration,
    last: Mutex<Option<Instant>>,
}

impl Limit {
    fn new(interval: Duration) -> Self {
        Self { interval, last: Mutex::default() }
    }

    fn admits(&self, now: Instant) -> bool {
        let mut last = self.last.lock();
        let admits = last.is_none_or(|last| now.saturating_duration_since(last) > self.interval);
        if admits {
            *last = Some(now);
        }
        admits
    }
}

/// What bounds the two.
#[derive(Debug)]
pub(super) struct Limits {
    snapshot: Limit,
    restore: Limit,
}

impl Limits {
    /// `admin.rateLimiterIntervalInMS`. ZooKeeper takes it for microseconds where it is about
    /// snapshots, so that they may be made far more often than it says; backups rely on that.
    pub(super) fn new(interval_ms: u64) -> Self {
        Self {
            snapshot: Limit::new(Duration::from_micros(interval_ms)),
            restore: Limit::new(Duration::from_millis(interval_ms)),
        }
    }
}

fn answer(status: StatusCode, command: &str) -> Answer {
    json(status, &Json::object([("command", Json::from(command)), ("error", Json::Null)]))
}

/// Refuses, as ZooKeeper does where `admin.snapshot.enabled` is false.
pub(super) async fn snapshot(admin: &Admin, _streaming: Option<&str>) -> Answer {
    const COMMAND: &str = "snapshot";
    if !admin.limits.snapshot.admits(Instant::now()) {
        admin.shared.stats.images.writes_limited.fetch_add(1, Relaxed);
        return answer(StatusCode::TOO_MANY_REQUESTS, COMMAND);
    }
    answer(StatusCode::SERVICE_UNAVAILABLE, COMMAND)
}

/// Refuses: a tree is taken over before a server starts.
pub(super) async fn restore(admin: &Admin, body: Incoming) -> Answer {
    const COMMAND: &str = "restore";
    if !admin.shared.config.admin.restore {
        return answer(StatusCode::SERVICE_UNAVAILABLE, COMMAND);
    }
    if !admin.limits.restore.admits(Instant::now()) {
        admin.shared.stats.images.restores_limited.fetch_add(1, Relaxed);
        return answer(StatusCode::TOO_MANY_REQUESTS, COMMAND);
    }
    drop(body);
    let why = "a running server cannot be restored in this version; start one on the snapshot";
    json(
        StatusCode::SERVICE_UNAVAILABLE,
        &Json::object([("command", Json::from(COMMAND)), ("error", why.into())]),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_gets_through_in_an_interval() {
        let (limit, start) = (Limit::new(Duration::from_millis(100)), Instant::now());
        let at = |millis| start + Duration::from_millis(millis);
        let admitted = [0, 1, 100, 101, 150, 202].map(|millis| limit.admits(at(millis)));
        assert_eq!(admitted, [true, false, false, true, false, true]);
    }
}
