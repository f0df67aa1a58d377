//! Operation codes (ZK: `ZooDefs.OpCode`).

macro_rules! opcodes {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal;)*) => {
        /// An operation code of a request or of a transaction.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(i32)]
        pub enum OpCode {
            $($(#[$doc])* $name = $number,)*
        }

        impl OpCode {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The operation with this number.
            #[must_use]
            pub const fn from_number(number: i32) -> Option<Self> {
                match number {
                    $($number => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// The four letters under which `cons` and `stat` show it (ZK: `Request.op2String`
            /// cut to its last-operation codes).
            #[must_use]
            pub const fn short_name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

opcodes! {
    /// Create a znode.
    Create = 1, "CREA";
    /// Delete a znode.
    Delete = 2, "DELE";
    /// Ask for a stat.
    Exists = 3, "EXIS";
    /// Read data.
    GetData = 4, "GETD";
    /// Change data.
    SetData = 5, "SETD";
    /// Read an access control list.
    GetAcl = 6, "GETA";
    /// Change an access control list.
    SetAcl = 7, "SETA";
    /// List children.
    GetChildren = 8, "GETC";
    /// Wait until this server has caught up with the leader.
    Sync = 9, "SYNC";
    /// Keep the session alive.
    Ping = 11, "PING";
    /// List children, with the parent's stat.
    GetChildren2 = 12, "GETC";
    /// Expect a version; inside a multi only.
    Check = 13, "CHEC";
    /// Several writes, all or none.
    Multi = 14, "MULT";
    /// Create a znode and return its stat.
    Create2 = 15, "CREA";
    /// Change the ensemble's membership.
    Reconfig = 16, "RECO";
    /// Ask whether there is such a watch.
    CheckWatches = 17, "CHKW";
    /// Remove watches.
    RemoveWatches = 18, "REMW";
    /// Create a container.
    CreateContainer = 19, "CREA";
    /// Remove an empty container or an outlived TTL znode; from the server itself only.
    DeleteContainer = 20, "DELE";
    /// Create a znode with a time to live.
    CreateTtl = 21, "CREA";
    /// Several reads.
    MultiRead = 22, "MLTR";
    /// Authenticate.
    Auth = 100, "AUTH";
    /// Re-register watches after a reconnect.
    SetWatches = 101, "SETW";
    /// One step of a SASL exchange.
    Sasl = 102, "SASL";
    /// List the session's ephemerals.
    GetEphemerals = 103, "GETE";
    /// Count descendants.
    GetAllChildrenNumber = 104, "GETACN";
    /// As `SetWatches`, with persistent ones.
    SetWatches2 = 105, "STW2";
    /// Add a persistent watch.
    AddWatch = 106, "ADDW";
    /// Ask for the connection's identities.
    WhoAmI = 107, "HOMI";
    /// Begin a session; a transaction only.
    CreateSession = -10, "SESS";
    /// End the session.
    CloseSession = -11, "CLOS";
    /// A refused request; a transaction only.
    Error = -1, "ERRO";
}

impl OpCode {
    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> i32 {
        self as i32
    }

    /// Whether it changes the replicated state and so becomes a transaction.
    #[must_use]
    pub const fn is_write(self) -> bool {
        matches!(
            self,
            Self::Create
                | Self::Delete
                | Self::SetData
                | Self::SetAcl
                | Self::Multi
                | Self::Create2
                | Self::Reconfig
                | Self::CreateContainer
                | Self::DeleteContainer
                | Self::CreateTtl
                | Self::CreateSession
                | Self::CloseSession
        )
    }
}
