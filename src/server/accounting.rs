//! Keeping the counters while requests come and replies go.

use super::Shared;
use super::conns::Conn;
use crate::proto::OpCode;
use crate::types::Moment;
use std::sync::atomic::Ordering::Relaxed;

/// Where a reply's zxid stands, behind its length and xid.
const ZXID: std::ops::Range<usize> = 8..16;

impl Shared {
    /// A reply is on its way.
    pub(super) fn note_reply(
        &self,
        conn: &Conn,
        xid: i32,
        op: OpCode,
        frame: &[u8],
        millis: u64,
        now: Moment,
    ) {
        let stats = &self.stats;
        stats.sent.fetch_add(1, Relaxed);
        stats.latency.add(millis);
        if op.is_write() { &stats.write_latency } else { &stats.read_latency }.add(millis);
        stats.last_reply_bytes.store(frame.len() as u64, Relaxed);
        stats.reply_bytes.add(frame.len() as u64);
        let zxid =
            frame.get(ZXID).and_then(|bytes| bytes.try_into().ok()).map_or(-1, i64::from_be_bytes);
        let stats = &conn.stats;
        stats.sent.fetch_add(1, Relaxed);
        stats.last_op.store(op.number(), Relaxed);
        stats.last_xid.store(i64::from(xid), Relaxed);
        stats.last_zxid.store(zxid, Relaxed);
        stats.last_response.store(now.0, Relaxed);
        stats.last_latency.store(millis, Relaxed);
        stats.latency.add(millis);
    }
}
