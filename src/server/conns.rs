//! The client connections of this server, as everybody else sees them.

use super::outbox::{Closing, Outbox};
use super::stats::ConnStats;
use crate::types::ConnId;
use bytes::Buf;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use tokio::net::TcpStream;
use tokio::sync::Notify;

/// What a connection's task shares with the driver and the commands.
#[derive(Debug)]
pub(crate) struct Conn {
    /// Its id.
    pub(crate) id: ConnId,
    /// The client's address.
    pub(crate) remote: SocketAddr,
    /// When it was accepted, milliseconds since the Unix epoch.
    pub(crate) since_wall: i64,
    /// Its session, 0 while there is none.
    pub(crate) session: AtomicI64,
    /// The socket.
    pub(crate) stream: TcpStream,
    /// What is on its way to the client.
    pub(crate) outbox: Mutex<Outbox>,
    /// Wakes the connection's task: the outbox has changed.
    pub(crate) wake: Notify,
    /// The session has been heard of since the last tick.
    pub(crate) touched: AtomicBool,
    /// Its counters.
    pub(crate) stats: ConnStats,
}

impl Conn {
    /// Sends what is on its way, without a detour by the connection's task; else wakes that.
    pub(crate) fn send_or_wake(&self) {
        if !self.send() {
            self.wake.notify_one();
        }
    }

    /// Whether there is nothing left that needs the connection's task.
    fn send(&self) -> bool {
        let mut outbox = self.outbox.lock();
        if !outbox.direct || outbox.closing.is_some() {
            return false;
        }
        match self.stream.try_write(&outbox.bytes) {
            Ok(size) => outbox.bytes.advance(size),
            // The task finds out what is wrong.
            Err(_) => return false,
        }
        outbox.bytes.is_empty()
    }
}

/// Why a connection is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// There are as many as there may be.
    TooMany(usize),
    /// There are as many from this address as there may be.
    TooManyFrom(IpAddr, usize),
}

/// All connections. At most `limit` in all and `limit_per_ip` from one address; 0 is no limit.
#[derive(Debug)]
pub(crate) struct Conns {
    limit: usize,
    limit_per_ip: usize,
    next_id: AtomicU64,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    conns: HashMap<ConnId, Arc<Conn>>,
    per_ip: HashMap<IpAddr, usize>,
    closed: bool,
}

impl Conns {
    pub(crate) fn new(limit: usize, limit_per_ip: usize) -> Self {
        Self { limit, limit_per_ip, next_id: AtomicU64::new(1), table: Mutex::default() }
    }

    /// Takes a connection in.
    pub(crate) fn add(
        &self,
        stream: TcpStream,
        remote: SocketAddr,
        since_wall: i64,
    ) -> Result<Arc<Conn>, Refused> {
        let mut table = self.table.lock();
        let ip = remote.ip();
        let from_ip = table.per_ip.get(&ip).copied().unwrap_or(0);
        if table.closed || (self.limit > 0 && table.conns.len() >= self.limit) {
            return Err(Refused::TooMany(table.conns.len()));
        }
        if self.limit_per_ip > 0 && from_ip >= self.limit_per_ip {
            return Err(Refused::TooManyFrom(ip, from_ip));
        }
        *table.per_ip.entry(ip).or_default() += 1;
        let id = ConnId(self.next_id.fetch_add(1, Relaxed));
        let stats = ConnStats::default();
        stats.reset();
        let conn = Arc::new(Conn {
            id,
            remote,
            since_wall,
            session: AtomicI64::new(0),
            stream,
            outbox: Mutex::default(),
            wake: Notify::new(),
            touched: AtomicBool::new(false),
            stats,
        });
        table.conns.insert(id, Arc::clone(&conn));
        Ok(conn)
    }

    /// Forgets a connection.
    pub(crate) fn remove(&self, conn: &Conn) {
        let mut table = self.table.lock();
        if table.conns.remove(&conn.id).is_none() {
            return;
        }
        let ip = conn.remote.ip();
        if let Some(count) = table.per_ip.get_mut(&ip) {
            *count -= 1;
            if *count == 0 {
                table.per_ip.remove(&ip);
            }
        }
    }

    /// Does something with the connections that have these ids, without looking each up anew.
    pub(crate) fn with<R>(&self, act: impl FnOnce(&dyn Fn(ConnId) -> Option<Arc<Conn>>) -> R) -> R {
        let table = self.table.lock();
        act(&|id| table.conns.get(&id).cloned())
    }

    /// All connections, by id.
    pub(crate) fn all(&self) -> Vec<Arc<Conn>> {
        let mut all: Vec<_> = self.table.lock().conns.values().cloned().collect();
        all.sort_unstable_by_key(|conn| conn.id);
        all
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.table.lock().conns.len()
    }

    /// Ends all connections, each after what is on its way to it, and takes no more.
    pub(crate) fn close_all(&self) {
        self.table.lock().closed = true;
        for conn in self.all() {
            conn.outbox.lock().close(Closing::Shutdown);
            conn.wake.notify_one();
        }
    }
}
