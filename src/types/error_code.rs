//! ZooKeeper's error codes (`KeeperException.Code`).

use std::fmt;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal;)*) => {
        /// An error code as it stands in reply headers and error transactions.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(i32)]
        pub enum ErrorCode {
            $($(#[$doc])* $name = $number,)*
        }

        impl ErrorCode {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The code with this number.
            #[must_use]
            pub const fn from_number(number: i32) -> Option<Self> {
                match number {
                    $($number => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// ZooKeeper's name for it, as in `KeeperErrorCode = NoNode`.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

codes! {
    /// A fault of the server.
    SystemError = -1, "SystemError";
    /// An operation of a multi that was not tried because an earlier one failed.
    RuntimeInconsistency = -2, "RuntimeInconsistency";
    /// The server's data contradict each other.
    DataInconsistency = -3, "DataInconsistency";
    /// The connection was lost before the outcome was known; clients only.
    ConnectionLoss = -4, "ConnectionLoss";
    /// A request that could not be decoded.
    MarshallingError = -5, "MarshallingError";
    /// An operation that this server does not have.
    Unimplemented = -6, "Unimplemented";
    /// An operation took too long; clients only.
    OperationTimeout = -7, "OperationTimeout";
    /// An argument that can never be right.
    BadArguments = -8, "BadArguments";
    /// The session is not known.
    UnknownSession = -12, "UnknownSession";
    /// No quorum of the new configuration is in sync.
    NewConfigNoQuorum = -13, "NewConfigNoQuorum";
    /// Another reconfiguration is under way.
    ReconfigInProgress = -14, "ReconfigInProgress";
    /// The znode does not exist.
    NoNode = -101, "NoNode";
    /// The client lacks a permission.
    NoAuth = -102, "NoAuth";
    /// The version is not the expected one.
    BadVersion = -103, "BadVersion";
    /// Ephemeral znodes cannot have children.
    NoChildrenForEphemerals = -108, "NoChildrenForEphemerals";
    /// The znode exists already.
    NodeExists = -110, "NodeExists";
    /// The znode has children.
    NotEmpty = -111, "Directory not empty";
    /// The session has expired.
    SessionExpired = -112, "Session expired";
    /// A callback of the wrong kind; clients only.
    InvalidCallback = -113, "Invalid callback";
    /// An access control list that is empty or not valid.
    InvalidAcl = -114, "InvalidACL";
    /// Authentication failed.
    AuthFailed = -115, "AuthFailed";
    /// The session has moved to another server; the connection is closed instead of a reply.
    SessionMoved = -118, "Session moved";
    /// A write on a server in read-only mode.
    NotReadOnly = -119, "Not a read-only call";
    /// A local session cannot own ephemeral znodes.
    EphemeralOnLocalSession = -120, "Ephemeral node on local session";
    /// There is no such watch.
    NoWatcher = -121, "No such watcher";
    /// A request took too long; clients only.
    RequestTimeout = -122, "Request timeout";
    /// Reconfiguration is switched off.
    ReconfigDisabled = -123, "Reconfig is disabled";
    /// The client must authenticate first.
    SessionClosedRequireSaslAuth = -124, "Session closed because client failed to authenticate";
    /// A quota would be exceeded.
    QuotaExceeded = -125, "Quota has exceeded";
    /// The request waited too long in the server and was not executed.
    ThrottledOp = -127, "Op throttled due to high load";
}

impl ErrorCode {
    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> i32 {
        self as i32
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for ErrorCode {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lead_back_to_their_codes() {
        for code in ErrorCode::ALL {
            assert_eq!(ErrorCode::from_number(code.number()), Some(*code));
        }
        assert_eq!(ErrorCode::from_number(0), None);
    }
}
