//! What goes into the brain and what comes out of it.

use crate::proto::{OpCode, Request};
use crate::types::{ConnId, ErrorCode, Id, SessionId, Zxid};
use crate::zab;
use bytes::Bytes;
use std::sync::Arc;

/// The identities of a connection, shared by all of its requests.
pub type Identities = Arc<[Id]>;

/// The first frame of a connection, checked as far as a connection can.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// The highest zxid that the client has seen.
    pub last_zxid_seen: Zxid,
    /// The session to go on with, 0 for a new one.
    pub session: SessionId,
    /// What the client shows as the session's password.
    pub password: Bytes,
    /// The timeout in milliseconds, negotiated already.
    pub timeout_ms: i32,
    /// The read-only flag, absent if the client is too old to send it.
    pub read_only: Option<bool>,
}

/// A request with its place in the connection's order.
#[derive(Clone, Debug)]
pub struct ClientRequest {
    /// Its number.
    pub xid: i32,
    /// Its operation.
    pub op: OpCode,
    /// The request, or why its body made none.
    pub request: Result<Request, ErrorCode>,
    /// The body as it came, of a request that may have to be handed on to the leader: a write or a
    /// sync. Empty for the others.
    pub body: Bytes,
    /// Who asks.
    pub identities: Identities,
}

impl ClientRequest {
    /// Whether it becomes a transaction. A write with a body that cannot be read does not, but a
    /// multi does (ZK: `PrepRequestProcessor` reads the others before it takes a zxid), unless it
    /// is a null list that is in the way.
    #[must_use]
    pub fn is_proposed(&self) -> bool {
        match &self.request {
            Ok(Request::Multi(multi)) => !multi.lacks_acl(),
            Ok(_) => self.op.is_write(),
            Err(_) => self.op == OpCode::Multi,
        }
    }

    /// Whether the brain must see it even if nothing of its connection is under way: a write, or a
    /// sync, which may have to wait for the leader.
    #[must_use]
    pub fn is_for_brain(&self) -> bool {
        self.is_proposed() || (self.op == OpCode::Sync && self.request.is_ok())
    }
}

/// Something that happened outside.
#[derive(Clone, Debug)]
pub enum Input {
    /// A connection sent its first frame.
    Connect(ConnId, Handshake, Identities),
    /// A connection sent a request.
    Request(ConnId, ClientRequest),
    /// A connection has proven another identity.
    Identities(ConnId, Identities),
    /// A connection is gone; nothing more comes from it.
    Closed(ConnId),
    /// These sessions have been heard of, by connections that were granted these timeouts in
    /// milliseconds.
    Touched(Vec<(SessionId, i32)>),
    /// The log, the other servers or their learners have something to say.
    Quorum(zab::Input),
    /// Time has passed.
    Tick,
}

/// Why the brain closes a connection (ZK: `DisconnectReason`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The client has seen a zxid that this server has not reached.
    ZxidAhead,
    /// The session to go on with is not known, or the password is wrong.
    SessionGone,
    /// The session goes on with another connection.
    SessionTakenOver,
    /// The client asked for it.
    ClientRequest,
    /// The session has expired.
    SessionExpired,
    /// The session goes on with another server.
    SessionMoved,
    /// This server has no leader to follow, or leads no longer.
    NotServing,
}

/// A znode that a client has read or a transaction has written (ZK: `DataTree.updateReadStat` and
/// `updateWriteStat`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Whether it was written.
    pub written: bool,
    /// Its path.
    pub path: String,
    /// Bytes of its data, or of its children's names if those were read; 0 if it was only its stat,
    /// or if it was deleted.
    pub bytes: usize,
}

/// What is to be done outside, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// For the log or the other servers.
    Quorum(zab::Action),
    /// A session is open on this connection: send the answer to its first frame and read on.
    Established {
        /// The connection.
        conn: ConnId,
        /// The session.
        session: SessionId,
        /// The granted timeout in milliseconds.
        timeout_ms: i32,
        /// The answer, length included.
        frame: Bytes,
    },
    /// Send the reply to the oldest request of this connection that has none.
    Reply(ConnId, Bytes),
    /// Send a notification, or several.
    Notify(ConnId, Bytes),
    /// Close the connection once everything before has been sent.
    Close(ConnId, CloseReason),
}
