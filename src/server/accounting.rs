//! Keeping the counters while requests come and replies go.

use super::Shared;
use super::conns::Conn;
use crate::proto::OpCode;
use crate::types::{Moment, Zxid};
use crate::zab::Report;
use std::sync::atomic::Ordering::Relaxed;

/// The length in front of a frame, which does not count as part of a reply.
const LENGTH: usize = 4;
/// Where a reply's zxid stands, behind its length and xid.
const ZXID: std::ops::Range<usize> = 8..16;
/// Where its error code stands; 0 is none.
const ERROR: std::ops::Range<usize> = 16..20;
/// The last operation of a connection that has none to show: `NA`.
const NO_OP: i32 = 0;

/// The zxid of a reply.
pub(super) fn zxid_of(frame: &[u8]) -> Zxid {
    let bytes = frame.get(ZXID).and_then(|bytes| bytes.try_into().ok());
    Zxid(bytes.map_or(-1, i64::from_be_bytes))
}

impl Shared {
    /// A reply is on its way.
    pub(super) fn note_reply(
        &self,
        conn: &Conn,
        xid: i32,
        op: OpCode,
        frame: &[u8],
        micros: u64,
        now: Moment,
    ) {
        let (stats, millis) = (&self.stats, micros / 1000);
        stats.sent.fetch_add(1, Relaxed);
        stats.latency.add(millis);
        stats.operations.of(op).add(micros);
        let size = frame.len().saturating_sub(LENGTH) as u64;
        stats.last_reply_bytes.store(size, Relaxed);
        stats.reply_bytes.add(size);
        // A refused write is forgotten before it gets its name (ZK: `FinalRequestProcessor`).
        let refused = op.is_write() && frame.get(ERROR).is_some_and(|code| code != [0; 4]);
        let stats = &conn.stats;
        stats.sent.fetch_add(1, Relaxed);
        stats.last_op.store(if refused { NO_OP } else { op.number() }, Relaxed);
        if xid >= 0 {
            // Pings and their like do not hide what the client last asked for.
            stats.last_xid.store(i64::from(xid), Relaxed);
        }
        stats.last_zxid.store(zxid_of(frame).0, Relaxed);
        stats.last_response.store(now.0, Relaxed);
        stats.last_latency.store(millis, Relaxed);
        stats.latency.add(millis);
    }

    /// The answer to a first frame is on its way: the session is open.
    pub(super) fn note_opened(&self, conn: &Conn, now: Moment) {
        self.stats.sent.fetch_add(1, Relaxed);
        let stats = &conn.stats;
        stats.sent.fetch_add(1, Relaxed);
        stats.last_op.store(OpCode::CreateSession.number(), Relaxed);
        stats.last_xid.store(0, Relaxed);
        stats.last_response.store(now.0, Relaxed);
    }

    /// A notification is on its way, or the news that there is no such session.
    pub(super) fn note_notice(&self, conn: &Conn, frame: &[u8]) {
        self.stats.sent.fetch_add(1, Relaxed);
        self.stats.notice_bytes.fetch_add(frame.len() as u64, Relaxed);
        conn.stats.sent.fetch_add(1, Relaxed);
    }

    /// A proposal is being logged.
    pub(super) fn note_proposal(&self, bytes: usize) {
        let bytes = bytes as u64;
        self.stats.proposal_bytes.add(bytes);
        self.stats.last_proposal_bytes.store(bytes, Relaxed);
        let ensemble = &self.stats.ensemble;
        let leads = ensemble.leads.load(Relaxed);
        if leads { &ensemble.proposed } else { &ensemble.received }.fetch_add(1, Relaxed);
    }

    /// The broadcast reports something.
    pub(super) fn note_report(&self, report: &Report) {
        let ensemble = &self.stats.ensemble;
        match report {
            Report::Looking(_) => {
                ensemble.leads.store(false, Relaxed);
                ensemble.looking.fetch_add(1, Relaxed);
            }
            Report::Elected(millis, _) => {
                ensemble.leads.store(true, Relaxed);
                ensemble.elections.add(*millis);
            }
            Report::Found(_, millis, _) => ensemble.elections.add(*millis),
            Report::Serving(_, millis, _) => ensemble.unavailable.add(*millis),
            Report::Synchronising(..)
            | Report::BadNotification(..)
            | Report::Repeated(_)
            | Report::Reconfigured(_) => {}
        }
    }

    /// As many transactions have been decided.
    pub(super) fn note_decided(&self, count: u64) {
        let ensemble = &self.stats.ensemble;
        let leads = ensemble.leads.load(Relaxed);
        if leads { &ensemble.committed } else { &ensemble.learned }.fetch_add(count, Relaxed);
    }

    /// A four-letter word has arrived.
    pub(crate) fn note_word(&self, conn: &Conn) {
        self.stats.received.fetch_add(1, Relaxed);
        conn.stats.received.fetch_add(1, Relaxed);
    }

    /// The answer to a four-letter word is on its way.
    pub(crate) fn note_answer(&self, conn: &Conn) {
        self.stats.sent.fetch_add(1, Relaxed);
        conn.stats.sent.fetch_add(1, Relaxed);
    }
}
