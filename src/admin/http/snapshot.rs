//! The command `snapshot` (ZK: `Commands.SnapshotCommand`), and what bounds it and `restore`.

use super::super::json::Json;
use super::{Admin, Answer, json};
use crate::server::SnapshotFile;
use crate::store::{RocksStore, Store};
use http_body_util::Either;
use http_body_util::channel::Channel;
use hyper::StatusCode;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};
use tokio::sync::MutexGuard;

/// Pieces of a snapshot that may wait to be sent.
const PIECES: usize = 2;

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
    /// Held while a tree is taken in.
    restoring: tokio::sync::Mutex<()>,
}

impl Limits {
    /// `admin.rateLimiterIntervalInMS`. ZooKeeper takes it for microseconds where it is about
    /// snapshots, so that they may be made far more often than it says; backups rely on that.
    pub(super) fn new(interval_ms: u64) -> Self {
        Self {
            snapshot: Limit::new(Duration::from_micros(interval_ms)),
            restore: Limit::new(Duration::from_millis(interval_ms)),
            restoring: tokio::sync::Mutex::default(),
        }
    }

    /// Whether a tree may be taken in now: one at a time, and not too often.
    pub(super) fn restoring(&self) -> Option<MutexGuard<'_, ()>> {
        let restoring = self.restoring.try_lock().ok()?;
        self.restore.admits(Instant::now()).then_some(restoring)
    }
}

pub(super) fn answer(status: StatusCode, command: &str) -> Answer {
    json(status, &Json::object([("command", Json::from(command)), ("error", Json::Null)]))
}

/// Answers with a snapshot of the tree as it is now, in ZooKeeper's format, or only brings what is
/// stored up to date if `streaming` is not to be.
pub(super) async fn snapshot(admin: &Admin, streaming: Option<&str>) -> Answer {
    const COMMAND: &str = "snapshot";
    let images = &admin.shared.stats.images;
    if !admin.shared.config.admin.snapshot {
        return answer(StatusCode::SERVICE_UNAVAILABLE, COMMAND);
    }
    let started = Instant::now();
    if !admin.limits.snapshot.admits(started) {
        images.writes_limited.fetch_add(1, Relaxed);
        return answer(StatusCode::TOO_MANY_REQUESTS, COMMAND);
    }
    let store: Arc<dyn Store> = Arc::<RocksStore>::clone(&admin.store);
    let file = match admin.shared.snapshot_file(store).await {
        Ok(file) => file,
        Err(error) => {
            images.write_errors.fetch_add(1, Relaxed);
            tracing::error!("no snapshot could be made for an operator: {error}");
            return answer(StatusCode::INTERNAL_SERVER_ERROR, COMMAND);
        }
    };
    let (zxid, size) = (file.zxid, file.size);
    let wanted = streaming.is_none_or(|streaming| streaming.eq_ignore_ascii_case("true"));
    let mut answer =
        if wanted { stream(admin, file, started) } else { answer(StatusCode::OK, COMMAND) };
    let headers = answer.headers_mut();
    if let Ok(zxid) = HeaderValue::from_str(&format!("0x{:x}", zxid.0)) {
        headers.insert("last_zxid", zxid);
    }
    headers.insert("snapshot_size", size.into());
    answer
}

/// The snapshot as it is made.
fn stream(admin: &Admin, mut file: SnapshotFile, started: Instant) -> Answer {
    let (mut sender, body) = Channel::new(PIECES);
    let shared = Arc::clone(&admin.shared);
    let size = file.size;
    tokio::spawn(async move {
        while let Some(piece) = file.pieces.recv().await {
            match piece {
                Ok(piece) => {
                    if sender.send_data(piece).await.is_err() {
                        // Whoever asked has gone.
                        return;
                    }
                }
                Err(error) => {
                    shared.stats.images.write_errors.fetch_add(1, Relaxed);
                    tracing::error!("a snapshot for an operator breaks off: {error}");
                    return sender.abort(std::io::Error::other(error));
                }
            }
        }
        let millis = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        shared.stats.images.written_ms.add(millis);
    });
    let mut answer = Answer::new(Either::Right(body));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(CONTENT_LENGTH, size.into());
    answer
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
