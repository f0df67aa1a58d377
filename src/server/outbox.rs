//! What is on its way to one client, and which of its requests still wait for their replies.
//!
//! Replies and notifications share one queue, so that a client hears of a change before any reply
//! that reflects it: both are put in under the tree's lock.

use super::audit::Note;
use crate::proto::OpCode;
use crate::replica::CloseReason;
use bytes::BytesMut;
use std::collections::VecDeque;
use std::time::Instant;

/// A request that waits for its reply.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) xid: i32,
    pub(crate) op: OpCode,
    pub(crate) since: Instant,
    /// What the audit log will say of it, if that is kept.
    pub(crate) audit: Option<Note>,
}

/// Why a connection is to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closing {
    /// The brain says so.
    Brain(CloseReason),
    /// The client does not read what it is sent.
    SlowReader,
    /// A four-letter word has been answered.
    Answered,
    /// The operator says so, or the server stops.
    Shutdown,
}

/// One client's queue.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// Frames that have not been handed to the socket.
    pub(crate) bytes: BytesMut,
    /// Requests without replies, oldest first.
    pub(crate) pending: VecDeque<Pending>,
    /// The connection ends once `bytes` are sent.
    pub(crate) closing: Option<Closing>,
    /// The session is open: its granted timeout in milliseconds.
    pub(crate) established: Option<i32>,
    /// Others may write to the socket what is in `bytes`: the connection's task holds nothing back
    /// that must go first, and waits for nothing but requests.
    pub(crate) direct: bool,
}

/// Most bytes that may wait for a client. A single reply may be larger than that; it is sent if
/// nothing else waits.
pub(crate) const MAX_WAITING: usize = 128 << 20;

impl Outbox {
    /// Puts frames into the queue. A client that lets too much pile up loses its connection.
    pub(crate) fn push(&mut self, frame: &[u8]) {
        if self.closing.is_some() {
            return;
        }
        if !self.bytes.is_empty() && self.bytes.len() + frame.len() > MAX_WAITING {
            self.closing = Some(Closing::SlowReader);
            self.bytes = BytesMut::new();
            return;
        }
        self.bytes.extend_from_slice(frame);
    }

    /// Ends the connection after what is in the queue; the first reason counts.
    pub(crate) fn close(&mut self, why: Closing) {
        self.closing.get_or_insert(why);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_does_not_read_loses_its_connection_not_the_server_its_memory() {
        let mut outbox = Outbox::default();
        let frame = vec![0; MAX_WAITING];
        outbox.push(&frame);
        assert_eq!(outbox.closing, None);
        outbox.push(b"x");
        assert_eq!(outbox.closing, Some(Closing::SlowReader));
        assert!(outbox.bytes.is_empty());
    }

    #[test]
    fn nothing_follows_the_end() {
        let mut outbox = Outbox::default();
        outbox.push(b"a");
        outbox.close(Closing::Brain(CloseReason::ClientRequest));
        outbox.close(Closing::Shutdown);
        outbox.push(b"b");
        assert_eq!(&outbox.bytes[..], b"a");
        assert_eq!(outbox.closing, Some(Closing::Brain(CloseReason::ClientRequest)));
    }
}
