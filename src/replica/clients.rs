//! What the brain knows of a connection with a session.

use super::io::{ClientRequest, Identities};
use crate::types::{SessionId, Zxid};
use std::collections::VecDeque;

/// A connection that has a session, or is about to have one.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) session: SessionId,
    /// The timeout that this connection was granted, in milliseconds.
    pub(super) timeout_ms: i32,
    /// The last transaction that was known of when it came: none up to here is a write of it, even
    /// if its session gave a write at another server the same number.
    pub(super) since: Zxid,
    /// Who it has proven to be; decides which events it may see.
    pub(super) identities: Identities,
    /// Its requests that have not been answered, oldest first. The first is never a read.
    pub(super) waiting: VecDeque<Waiting>,
}

/// A request that has not been answered.
#[derive(Debug)]
pub(super) enum Waiting {
    /// A write with its xid: it is among the proposals, or on its way there.
    Write(i32),
    /// A sync that the leader has not answered.
    Sync(ClientRequest),
    /// A read behind one of these.
    Read(ClientRequest),
}
