//! What the brain knows of a connection with a session.

use super::io::{ClientRequest, Identities};
use crate::types::SessionId;
use std::collections::VecDeque;

/// A connection whose session is open.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) session: SessionId,
    /// The timeout that this connection was granted, in milliseconds.
    pub(super) timeout_ms: i32,
    /// Who it has proven to be; decides which events it may see.
    pub(super) identities: Identities,
    /// Its requests that have not been answered, oldest first. The first is always a write.
    pub(super) waiting: VecDeque<Waiting>,
}

/// A request that has not been answered.
#[derive(Debug)]
pub(super) enum Waiting {
    /// A write, which is among the proposals.
    Write,
    /// A read behind a write.
    Read(ClientRequest),
}
