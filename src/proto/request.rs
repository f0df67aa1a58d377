//! Requests after the handshake, decoded once where they arrive.

use super::{MultiRequest, OpCode};
use bytes::{BufMut, Bytes};
use jute::client::{
    AuthPacket, CreateRequest, CreateTtlRequest, PathKind, PathOnly, PathVersion, PathWatch,
    RawAcl, ReconfigRequest, SaslToken, SetAclRequest, SetDataRequest, SetWatches, SetWatches2,
};
use jute::{Decode, DecodeError, Decoder, Encode};

/// How a znode is created (ZK: `CreateMode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum CreateMode {
    /// Stays until deleted.
    Persistent = 0,
    /// Goes with the session.
    Ephemeral = 1,
    /// As `Persistent`, with a number appended to the name.
    PersistentSequential = 2,
    /// As `Ephemeral`, with a number appended to the name.
    EphemeralSequential = 3,
    /// Goes some time after its last child.
    Container = 4,
    /// Goes when childless and unchanged for some time.
    PersistentWithTtl = 5,
    /// As `PersistentWithTtl`, with a number appended to the name.
    PersistentSequentialWithTtl = 6,
}

impl CreateMode {
    /// The mode with this number.
    #[must_use]
    pub const fn from_number(number: i32) -> Option<Self> {
        Some(match number {
            0 => Self::Persistent,
            1 => Self::Ephemeral,
            2 => Self::PersistentSequential,
            3 => Self::EphemeralSequential,
            4 => Self::Container,
            5 => Self::PersistentWithTtl,
            6 => Self::PersistentSequentialWithTtl,
            _ => return None,
        })
    }

    /// Whether a number is appended to the name.
    #[must_use]
    pub const fn is_sequential(self) -> bool {
        matches!(
            self,
            Self::PersistentSequential
                | Self::EphemeralSequential
                | Self::PersistentSequentialWithTtl
        )
    }

    /// Whether the znode belongs to the session.
    #[must_use]
    pub const fn is_ephemeral(self) -> bool {
        matches!(self, Self::Ephemeral | Self::EphemeralSequential)
    }

    /// Whether it takes a time to live.
    #[must_use]
    pub const fn is_ttl(self) -> bool {
        matches!(self, Self::PersistentWithTtl | Self::PersistentSequentialWithTtl)
    }
}

/// The four create operations in one shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateOp {
    /// Which of them: `Create`, `Create2`, `CreateContainer` or `CreateTtl`.
    pub op: OpCode,
    /// The path, null if the client sent none.
    pub path: Option<String>,
    /// The data; null and empty differ.
    pub data: Option<Bytes>,
    /// The access control list as sent.
    pub acl: Option<Vec<RawAcl>>,
    /// The create mode's number, not yet checked.
    pub flags: i32,
    /// The TTL that `CreateTtl` carries, -1 for the others.
    pub ttl: i64,
}

/// Which watches checkWatches and removeWatches mean (ZK: `Watcher.WatcherType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WatcherType {
    /// One-shot child watches.
    Children = 1,
    /// One-shot data and exist watches.
    Data = 2,
    /// All of them.
    Any = 3,
    /// Persistent watches.
    Persistent = 4,
    /// Persistent recursive watches.
    PersistentRecursive = 5,
}

impl WatcherType {
    /// The type with this number.
    #[must_use]
    pub const fn from_number(number: i32) -> Option<Self> {
        Some(match number {
            1 => Self::Children,
            2 => Self::Data,
            3 => Self::Any,
            4 => Self::Persistent,
            5 => Self::PersistentRecursive,
            _ => return None,
        })
    }
}

/// What addWatch adds (ZK: `AddWatchMode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddWatchMode {
    /// Stays after it has fired.
    Persistent = 0,
    /// Stays, and covers all descendants.
    PersistentRecursive = 1,
}

impl AddWatchMode {
    /// The mode with this number.
    #[must_use]
    pub const fn from_number(number: i32) -> Option<Self> {
        match number {
            0 => Some(Self::Persistent),
            1 => Some(Self::PersistentRecursive),
            _ => None,
        }
    }
}

/// A decoded request. What may be null on the wire is still nullable here: which error a null
/// earns depends on the operation's order of checks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "named after the operations of the protocol")]
pub enum Request {
    Create(CreateOp),
    Delete(PathVersion),
    Exists(PathWatch),
    GetData(PathWatch),
    SetData(SetDataRequest),
    GetAcl(PathOnly),
    SetAcl(SetAclRequest),
    GetChildren(PathWatch),
    GetChildren2(PathWatch),
    Sync(PathOnly),
    Ping,
    Check(PathVersion),
    Multi(MultiRequest),
    MultiRead(MultiRequest),
    Reconfig(ReconfigRequest),
    CheckWatches(PathKind),
    RemoveWatches(PathKind),
    /// From the server's own container reaper, never from a client.
    DeleteContainer(String),
    Auth(AuthPacket),
    Sasl(SaslToken),
    SetWatches(SetWatches2),
    GetEphemerals(PathOnly),
    GetAllChildrenNumber(PathOnly),
    AddWatch(PathKind),
    WhoAmI,
    /// From the server itself, with the timeout in milliseconds.
    CreateSession(i32),
    CloseSession,
}

impl Request {
    /// Decodes the body of a client's request. Bytes behind the record are ignored, as ZooKeeper
    /// does.
    ///
    /// # Errors
    /// What is wrong with the body: the client gets `MarshallingError`. Operations that only
    /// servers issue, and unknown ones inside a multi, are `UnknownVariant`.
    pub fn decode(op: OpCode, body: Bytes) -> Result<Self, DecodeError> {
        let mut input = Decoder::new(body);
        let input = &mut input;
        Ok(match op {
            OpCode::Create | OpCode::Create2 | OpCode::CreateContainer | OpCode::CreateTtl => {
                Self::Create(CreateOp::decode(op, input)?)
            }
            OpCode::Delete => Self::Delete(PathVersion::decode(input)?),
            OpCode::Exists => Self::Exists(PathWatch::decode(input)?),
            OpCode::GetData => Self::GetData(PathWatch::decode(input)?),
            OpCode::SetData => Self::SetData(SetDataRequest::decode(input)?),
            OpCode::GetAcl => Self::GetAcl(PathOnly::decode(input)?),
            OpCode::SetAcl => Self::SetAcl(SetAclRequest::decode(input)?),
            OpCode::GetChildren => Self::GetChildren(PathWatch::decode(input)?),
            OpCode::GetChildren2 => Self::GetChildren2(PathWatch::decode(input)?),
            OpCode::Sync => Self::Sync(PathOnly::decode(input)?),
            OpCode::Ping => Self::Ping,
            OpCode::Check => Self::Check(PathVersion::decode(input)?),
            OpCode::Multi => Self::Multi(MultiRequest::decode(input)?),
            OpCode::MultiRead => Self::MultiRead(MultiRequest::decode(input)?),
            OpCode::Reconfig => Self::Reconfig(ReconfigRequest::decode(input)?),
            OpCode::CheckWatches => Self::CheckWatches(PathKind::decode(input)?),
            OpCode::RemoveWatches => Self::RemoveWatches(PathKind::decode(input)?),
            OpCode::Auth => Self::Auth(AuthPacket::decode(input)?),
            OpCode::Sasl => Self::Sasl(SaslToken::decode(input)?),
            OpCode::SetWatches => Self::SetWatches(widen(SetWatches::decode(input)?)),
            OpCode::SetWatches2 => Self::SetWatches(SetWatches2::decode(input)?),
            OpCode::GetEphemerals => Self::GetEphemerals(PathOnly::decode(input)?),
            OpCode::GetAllChildrenNumber => Self::GetAllChildrenNumber(PathOnly::decode(input)?),
            OpCode::AddWatch => Self::AddWatch(PathKind::decode(input)?),
            OpCode::WhoAmI => Self::WhoAmI,
            OpCode::CloseSession => Self::CloseSession,
            OpCode::DeleteContainer | OpCode::CreateSession | OpCode::Error => {
                return Err(DecodeError::UnknownVariant(op.number()));
            }
        })
    }
}

impl CreateOp {
    /// Decodes the body of one of the four create operations.
    ///
    /// # Errors
    /// What is wrong with the body.
    pub fn decode(op: OpCode, input: &mut Decoder) -> Result<Self, DecodeError> {
        if op == OpCode::CreateTtl {
            let CreateTtlRequest { path, data, acl, flags, ttl } = Decode::decode(input)?;
            return Ok(Self { op, path, data, acl, flags, ttl });
        }
        let CreateRequest { path, data, acl, flags } = Decode::decode(input)?;
        Ok(Self { op, path, data, acl, flags, ttl: -1 })
    }
}

impl Encode for CreateOp {
    /// Writes the body of the operation that [`CreateOp::op`] names.
    fn encode<B: BufMut + ?Sized>(&self, out: &mut B) {
        self.path.encode(out);
        self.data.encode(out);
        self.acl.encode(out);
        self.flags.encode(out);
        if self.op == OpCode::CreateTtl {
            self.ttl.encode(out);
        }
    }

    fn encoded_len(&self) -> usize {
        let ttl = if self.op == OpCode::CreateTtl { self.ttl.encoded_len() } else { 0 };
        self.path.encoded_len()
            + self.data.encoded_len()
            + self.acl.encoded_len()
            + self.flags.encoded_len()
            + ttl
    }
}

/// setWatches is setWatches2 without its two last lists.
fn widen(old: SetWatches) -> SetWatches2 {
    SetWatches2 {
        relative_zxid: old.relative_zxid,
        data_watches: old.data_watches,
        exist_watches: old.exist_watches,
        child_watches: old.child_watches,
        persistent_watches: Some(Vec::new()),
        persistent_recursive_watches: Some(Vec::new()),
    }
}
