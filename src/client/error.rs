//! What can go wrong for a user of the client.

use crate::types::ErrorCode;
use crate::types::path::InvalidPath;
use jute::DecodeError;
use std::io;

/// Why an operation or a watch did not end well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The server refused the operation.
    #[error("KeeperErrorCode = {0}")]
    Api(ErrorCode),
    /// The server refused the operation with a code that ZooKeeper does not have.
    #[error("unknown error code {0}")]
    UnknownCode(i32),
    /// One operation of a multi was refused, so none of them took place.
    #[error("operation {index} of the multi was refused: {code}")]
    Multi {
        /// The first operation that failed, counted from 0.
        index: usize,
        /// Its error.
        code: ErrorCode,
    },
    /// The connection was lost after the request had been handed to it and before the reply came.
    /// The operation may have taken place or not.
    #[error("the connection was lost ({0}); whether the operation took place is not known")]
    ConnectionLoss(Loss),
    /// There was no connection for as long as a session lives, or none was ever made. The
    /// operation did not take place.
    #[error("no connection to any server; the operation was not sent")]
    NotConnected,
    /// The servers have ended the session, and its ephemerals and watches with it. A new client is
    /// needed.
    #[error("the session has expired")]
    SessionExpired,
    /// The servers refused the client's credentials. A new client is needed.
    #[error("authentication failed")]
    AuthFailed,
    /// The client was closed.
    #[error("the client is closed")]
    Closed,
    /// The watch was removed by removeWatches.
    #[error("the watch was removed")]
    WatchRemoved,
    /// The path can never name a znode; nothing was sent.
    #[error("invalid path: {0}")]
    InvalidPath(InvalidPath),
    /// The connect string cannot be read.
    #[error("invalid connect string: {0}")]
    InvalidConnectString(&'static str),
    /// Arguments that contradict each other; nothing was sent.
    #[error("bad arguments: {0}")]
    BadArguments(&'static str),
    /// The request's frame would be over the limit; nothing was sent.
    #[error("a request of {length} bytes is over the limit of {limit}")]
    RequestTooLarge {
        /// The frame's size in bytes.
        length: usize,
        /// The largest size allowed.
        limit: usize,
    },
    /// The reply to this request cannot be read.
    #[error("malformed reply: {0}")]
    MalformedReply(DecodeError),
}

/// How a connection came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Loss {
    /// The server closed it.
    #[error("closed by the server")]
    ServerClosed,
    /// Reading or writing failed.
    #[error("{0}")]
    Io(io::ErrorKind),
    /// The server's name has no address.
    #[error("its name cannot be resolved")]
    Unresolved,
    /// The server was silent for two thirds of the session timeout, in spite of pings.
    #[error("the server is silent")]
    Silence,
    /// A reply does not belong to the oldest unanswered request.
    #[error("xid out of order: expected {expected:?}, got {got}")]
    OutOfOrder {
        /// The oldest request's xid, `None` if no request was unanswered.
        expected: Option<i32>,
        /// The reply's xid.
        got: i32,
    },
    /// A frame is over the limit, or its length is negative.
    #[error("a frame of {length} bytes is over the limit of {limit}")]
    FrameTooLarge {
        /// The length that the frame claims, as unsigned.
        length: u32,
        /// The largest length allowed.
        limit: usize,
    },
    /// A frame cannot be read.
    #[error("malformed frame: {0}")]
    Malformed(DecodeError),
}

impl ClientError {
    /// The error for a reply header's code, `None` for 0.
    pub(super) fn from_code(code: i32) -> Option<Self> {
        match ErrorCode::from_number(code) {
            _ if code == 0 => None,
            Some(code) => Some(Self::Api(code)),
            None => Some(Self::UnknownCode(code)),
        }
    }

    /// Whether the client is of no further use.
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::SessionExpired | Self::AuthFailed | Self::Closed)
    }
}

impl From<InvalidPath> for ClientError {
    fn from(error: InvalidPath) -> Self {
        Self::InvalidPath(error)
    }
}

impl From<DecodeError> for ClientError {
    fn from(error: DecodeError) -> Self {
        Self::MalformedReply(error)
    }
}

impl From<io::Error> for Loss {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::ServerClosed,
            kind => Self::Io(kind),
        }
    }
}
