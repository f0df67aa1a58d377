//! The words `cons` and, above the server's status, `stat` (ZK: `ServerCnxn.dumpConnectionInfo`).

use super::text::Remote;
use crate::proto::OpCode;
use crate::server::{Conn, Shared, Summary};
use crate::types::ConnId;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::Ordering::Relaxed;

/// What is shown of a connection.
#[derive(Clone, Debug)]
pub(super) struct Client {
    /// Its address.
    pub(super) remote: SocketAddr,
    /// Whether the server reads from it (1) and waits to write to it (4).
    pub(super) interest: u8,
    /// Requests without replies.
    pub(super) queued: usize,
    /// Packets received.
    pub(super) received: u64,
    /// Packets sent.
    pub(super) sent: u64,
    /// When it was made, milliseconds since the Unix epoch.
    pub(super) since_wall: i64,
    /// Its session, if it has one.
    pub(super) session: Option<ClientSession>,
}

/// What is shown of a connection that has a session.
#[derive(Clone, Debug)]
pub(super) struct ClientSession {
    /// The session's id.
    pub(super) id: i64,
    /// The last operation.
    pub(super) last_op: &'static str,
    /// When the connection was made, milliseconds since the Unix epoch.
    pub(super) since_wall: i64,
    /// The timeout that was granted, in milliseconds.
    pub(super) timeout_ms: i32,
    /// The xid of the last operation, negative for none.
    pub(super) last_xid: i64,
    /// The zxid of the last reply, -1 for none.
    pub(super) last_zxid: i64,
    /// When the last reply was made, milliseconds of a clock that began some time.
    pub(super) last_response: u64,
    /// How long the last reply took in milliseconds.
    pub(super) last_latency: u64,
    /// How long all of them took.
    pub(super) latency: Summary,
}

impl Client {
    /// The line of `stat`.
    pub(super) fn brief(&self) -> String {
        format!("{})\n", Head(self))
    }

    /// The line of `cons`.
    pub(super) fn full(&self) -> String {
        let head = Head(self);
        self.session
            .as_ref()
            .map_or_else(|| format!("{head})\n"), |session| format!("{head},{session})\n"))
    }
}

impl ClientSession {
    /// What is shown of a connection without one.
    pub(super) fn none(since_wall: i64) -> Self {
        Self {
            id: 0,
            last_op: "NA",
            since_wall,
            timeout_ms: 0,
            last_xid: -1,
            last_zxid: -1,
            last_response: 0,
            last_latency: 0,
            latency: Summary::default(),
        }
    }
}

struct Head<'a>(&'a Client);

impl fmt::Display for Head<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Client { remote, interest, queued, received, sent, .. } = self.0;
        let remote = Remote(*remote);
        write!(f, " {remote}[{interest:x}](queued={queued},recved={received},sent={sent}")
    }
}

impl fmt::Display for ClientSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, last_op, since_wall, timeout_ms, last_xid, .. } = self;
        write!(f, "sid=0x{id:x},lop={last_op},est={since_wall},to={timeout_ms}")?;
        if *last_xid >= 0 {
            write!(f, ",lcxid=0x{last_xid:x}")?;
        }
        let Self { last_zxid, last_response, last_latency, latency, .. } = self;
        // Java's mean of whole numbers, unlike that of the whole server.
        let mean = latency.sum.checked_div(latency.count).unwrap_or(0);
        write!(f, ",lzxid=0x{last_zxid:x},lresp={last_response},llat={last_latency}")?;
        write!(f, ",minlat={},avglat={mean},maxlat={}", latency.least, latency.most)
    }
}

impl Shared {
    /// Every connection, the oldest first. Of the one that asks nothing more is read.
    pub(super) fn clients(&self, asking: ConnId) -> Vec<Client> {
        self.conns.all().iter().map(|conn| client(conn, asking)).collect()
    }
}

fn client(conn: &Conn, asking: ConnId) -> Client {
    let (queued, writing, established) = {
        let outbox = conn.outbox.lock();
        (outbox.pending.len(), !outbox.bytes.is_empty(), outbox.established)
    };
    let stats = &conn.stats;
    let id = conn.session.load(Relaxed);
    let session = established.filter(|_| id != 0).map(|timeout_ms| ClientSession {
        id,
        last_op: OpCode::from_number(stats.last_op.load(Relaxed)).map_or("NA", OpCode::short_name),
        since_wall: conn.since_wall,
        timeout_ms,
        last_xid: stats.last_xid.load(Relaxed),
        last_zxid: stats.last_zxid.load(Relaxed),
        last_response: stats.last_response.load(Relaxed),
        last_latency: stats.last_latency.load(Relaxed),
        latency: stats.latency.summary(),
    });
    Client {
        remote: conn.remote,
        interest: u8::from(conn.id != asking) + if writing { 4 } else { 0 },
        queued,
        received: stats.received.load(Relaxed),
        sent: stats.sent.load(Relaxed),
        since_wall: conn.since_wall,
        session,
    }
}

#[cfg(test)]
mod tests {
    use super::super::recorded;
    use super::*;

    fn asking() -> Client {
        let remote = SocketAddr::from(([127, 0, 0, 1], 56550));
        Client {
            remote,
            interest: 0,
            queued: 0,
            received: 1,
            sent: 0,
            since_wall: 0,
            session: None,
        }
    }

    fn busy() -> Client {
        let session = ClientSession {
            id: 0x0100_00be_d83a_0001,
            last_op: "GETC",
            since_wall: 1_795_613_150_027,
            timeout_ms: 20_000,
            last_xid: 2,
            last_zxid: 5,
            last_response: 12_603_664,
            last_latency: 0,
            latency: Summary { count: 3, sum: 1, least: 0, most: 1 },
        };
        let remote = SocketAddr::from(([127, 0, 0, 1], 56530));
        let (session, since_wall) = (Some(session), 0);
        Client { remote, interest: 1, queued: 0, received: 3, sent: 3, since_wall, session }
    }

    fn reset() -> Client {
        let mut client = busy();
        (client.received, client.sent) = (0, 0);
        if let Some(session) = &mut client.session {
            session.last_op = "NA";
            (session.last_xid, session.last_zxid, session.last_response) = (-1, -1, 0);
            session.latency = Summary::default();
        }
        client
    }

    #[test]
    fn cons_has_the_layout_of_zookeeper() {
        let lines: String = [asking(), busy(), reset()].iter().map(Client::full).collect();
        assert_eq!(format!("{lines}\n"), recorded::CONS);
    }

    #[test]
    fn stat_shows_less() {
        let expected = " /127.0.0.1:56530[1](queued=0,recved=3,sent=3)\n";
        assert_eq!(busy().brief(), expected);
        assert!(recorded::STAT.contains(expected));
    }
}
