//! How long writes take at each stage of their way, and which stage a slow one lost its time in.

use super::Shared;
use super::outbox::Pending;
use crate::types::{SessionId, Zxid};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Batches that are remembered until they are decided. A server that hears nothing of what it has
/// logged forgets the oldest.
const MAX_UNDECIDED: usize = 4096;
/// Slow requests that are logged in a second; the rest is counted.
const MAX_LINES: u32 = 10;

/// When a batch of transactions passed each stage so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Passage {
    /// The last of its transactions.
    pub(crate) last: Zxid,
    /// How many there are.
    pub(crate) entries: u64,
    /// When its first transaction was handed to the log thread.
    pub(crate) queued: Instant,
    /// When the log thread began with it.
    pub(crate) started: Instant,
    /// When it was durable.
    pub(crate) synced: Instant,
}

/// Batches that are durable here and not decided.
#[derive(Debug, Default)]
pub(crate) struct Passages(Mutex<VecDeque<Passage>>);

impl Passages {
    /// Adds the next batch.
    pub(crate) fn push(&self, passage: Passage) {
        let mut passages = self.0.lock();
        if passages.len() == MAX_UNDECIDED {
            passages.pop_front();
        }
        passages.push_back(passage);
    }

    /// Moves the batches that are decided, up to this zxid, into `decided`.
    pub(crate) fn take_until(&self, zxid: Zxid, decided: &mut Vec<Passage>) {
        let mut passages = self.0.lock();
        while passages.front().is_some_and(|passage| passage.last <= zxid) {
            decided.extend(passages.pop_front());
        }
    }

    /// Forgets all: they are no longer in the log.
    pub(crate) fn clear(&self) {
        self.0.lock().clear();
    }
}

/// Transactions that are being applied.
#[derive(Debug)]
pub(crate) struct Applying {
    /// The batches whose last transaction is among them.
    pub(crate) decided: Vec<Passage>,
    /// Since when.
    pub(crate) since: Instant,
}

impl Default for Applying {
    fn default() -> Self {
        Self { decided: Vec::new(), since: Instant::now() }
    }
}

impl Applying {
    /// Where a request that is being answered spent its time, in words.
    fn stages(&self, pending: &Pending, zxid: Zxid, now: Instant) -> String {
        let passage = self.decided.iter().find(|passage| passage.last >= zxid);
        let Some(passage) = passage.filter(|_| pending.op.is_write()) else {
            return "behind earlier writes of its session".to_owned();
        };
        let points = [
            ("before the log", passage.queued),
            ("waiting for the disk", passage.started),
            ("writing and syncing the log", passage.synced),
            ("until it was decided", self.since),
            ("applying", now),
        ];
        let mut before = pending.since;
        let stages = points.map(|(stage, at)| {
            let took = at.saturating_duration_since(before);
            before = before.max(at);
            format!("{stage} {} ms", took.as_millis())
        });
        stages.join(", ")
    }
}

/// Bounds the lines of slow requests.
#[derive(Debug, Default)]
pub(crate) struct SlowRequests(Mutex<Second>);

#[derive(Debug, Default)]
struct Second {
    began: Option<Instant>,
    lines: u32,
    silent: u64,
}

impl SlowRequests {
    /// Whether there may be another line now; and how many there were none of before it.
    fn admit(&self, now: Instant) -> Option<u64> {
        let mut second = self.0.lock();
        let over = second.began.is_none_or(|began| now - began >= Duration::from_secs(1));
        if over {
            (second.began, second.lines) = (Some(now), 0);
        }
        if second.lines == MAX_LINES {
            second.silent += 1;
            return None;
        }
        second.lines += 1;
        Some(std::mem::take(&mut second.silent))
    }
}

impl Shared {
    /// A batch has been applied and answered.
    pub(super) fn note_stages(&self, applying: &mut Applying) {
        if applying.decided.is_empty() {
            return;
        }
        let (stages, now) = (&self.stats.stages, Instant::now());
        for passage in applying.decided.drain(..) {
            let Passage { entries, queued, started, synced, .. } = passage;
            stages.waiting.add_many(micros(queued, started), entries);
            stages.logging.add_many(micros(queued, synced), entries);
            stages.agreement.add_many(micros(synced, applying.since), entries);
            stages.applying.add_many(micros(applying.since, now), entries);
            stages.whole.add_many(micros(queued, now), entries);
        }
    }

    /// Tells the operator of a request that took long, and where.
    pub(super) fn note_slow(
        &self,
        applying: &Applying,
        pending: &Pending,
        (remote, session, zxid): (SocketAddr, SessionId, Zxid),
    ) {
        let now = Instant::now();
        let Some(silent) = self.slow_requests.admit(now) else { return };
        let millis = now.saturating_duration_since(pending.since).as_millis();
        let more = if silent > 0 { format!("; {silent} others before") } else { String::new() };
        tracing::warn!(
            "{remote}: {:?} of session {session} took {millis} ms: {}{more}",
            pending.op,
            applying.stages(pending, zxid, now)
        );
    }
}

/// Microseconds from one time to another.
pub(super) fn micros(from: Instant, to: Instant) -> u64 {
    u64::try_from(to.saturating_duration_since(from).as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::OpCode;

    fn at(start: Instant, millis: u64) -> Instant {
        start + Duration::from_millis(millis)
    }

    fn passage(start: Instant, last: i64) -> Passage {
        Passage {
            last: Zxid(last),
            entries: 2,
            queued: at(start, 1),
            started: at(start, 11),
            synced: at(start, 111),
        }
    }

    #[test]
    fn the_stage_that_took_the_time_is_named() {
        let start = Instant::now();
        let decided = vec![passage(start, 3), passage(start, 6)];
        let applying = Applying { decided, since: at(start, 1111) };
        let pending = |op| Pending { xid: 1, op, since: start, audit: None };
        let stages = applying.stages(&pending(OpCode::Create), Zxid(5), at(start, 1116));
        let expected = "before the log 1 ms, waiting for the disk 10 ms, writing and syncing the \
                        log 100 ms, until it was decided 1000 ms, applying 5 ms";
        assert_eq!(stages, expected);
        for (op, zxid) in [(OpCode::GetData, 5), (OpCode::Create, 7)] {
            let stages = applying.stages(&pending(op), Zxid(zxid), at(start, 1116));
            assert_eq!(stages, "behind earlier writes of its session");
        }
    }

    #[test]
    fn batches_are_taken_when_they_are_decided() {
        let (passages, start) = (Passages::default(), Instant::now());
        for last in [2, 4, 6] {
            passages.push(passage(start, last));
        }
        let mut decided = Vec::new();
        passages.take_until(Zxid(5), &mut decided);
        assert_eq!(decided.iter().map(|it| it.last).collect::<Vec<_>>(), [Zxid(2), Zxid(4)]);
        for last in 0..2 * MAX_UNDECIDED {
            passages.push(passage(start, i64::try_from(last).expect("a small number")));
        }
        assert_eq!(passages.0.lock().len(), MAX_UNDECIDED);
        passages.clear();
        passages.take_until(Zxid(i64::MAX), &mut decided);
        assert_eq!(decided.len(), 2);
    }

    #[test]
    fn many_slow_requests_make_few_lines() {
        let (slow, start) = (SlowRequests::default(), Instant::now());
        let admitted = (0..30).filter(|_| slow.admit(start).is_some()).count();
        assert_eq!(admitted, 10);
        assert_eq!(slow.admit(at(start, 1000)), Some(20));
        assert_eq!(slow.admit(at(start, 1000)), Some(0));
    }
}
