//! A transaction's body as a value, and its bytes (ZK: `SerializeUtils`).

use crate::types::ErrorCode;
use bytes::{BufMut, Bytes, BytesMut};
use jute::txn::{
    CheckVersionTxn, CloseSessionTxn, CreateContainerTxn, CreateSessionTxn, CreateTtlTxn,
    CreateTxn, DeleteTxn, ErrorTxn, MultiTxn, SetAclTxn, SetDataTxn, SubTxn, TxnDigest, TxnHeader,
};
use jute::{Decode, DecodeError, Decoder, Encode};

/// The kinds of transactions as they stand in `TxnHeader::kind`: operation codes of the protocol.
mod kind {
    pub(super) const ERROR: i32 = -1;
    pub(super) const CREATE: i32 = 1;
    pub(super) const DELETE: i32 = 2;
    pub(super) const SET_DATA: i32 = 5;
    pub(super) const SET_ACL: i32 = 7;
    pub(super) const CHECK: i32 = 13;
    pub(super) const MULTI: i32 = 14;
    pub(super) const CREATE2: i32 = 15;
    pub(super) const RECONFIG: i32 = 16;
    pub(super) const CREATE_CONTAINER: i32 = 19;
    pub(super) const DELETE_CONTAINER: i32 = 20;
    pub(super) const CREATE_TTL: i32 = 21;
    pub(super) const CREATE_SESSION: i32 = -10;
    pub(super) const CLOSE_SESSION: i32 = -11;
}

/// What a transaction does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "named after the transactions of the protocol")]
pub enum Txn {
    Create(CreateTxn),
    Create2(CreateTxn),
    CreateContainer(CreateContainerTxn),
    CreateTtl(CreateTtlTxn),
    Delete(DeleteTxn),
    DeleteContainer(DeleteTxn),
    SetData(SetDataTxn),
    Reconfig(SetDataTxn),
    SetAcl(SetAclTxn),
    /// Inside a multi only.
    Check(CheckVersionTxn),
    /// All parts or, if one of them is an `Error`, none.
    Multi(Vec<Self>),
    CreateSession(CreateSessionTxn),
    CloseSession(CloseSessionTxn),
    /// A refused request's error code.
    Error(i32),
}

impl Txn {
    /// A refused request.
    #[must_use]
    pub const fn error(code: ErrorCode) -> Self {
        Self::Error(code.number())
    }

    /// The number that stands for its kind in `TxnHeader`.
    #[must_use]
    pub const fn kind(&self) -> i32 {
        match self {
            Self::Create(_) => kind::CREATE,
            Self::Create2(_) => kind::CREATE2,
            Self::CreateContainer(_) => kind::CREATE_CONTAINER,
            Self::CreateTtl(_) => kind::CREATE_TTL,
            Self::Delete(_) => kind::DELETE,
            Self::DeleteContainer(_) => kind::DELETE_CONTAINER,
            Self::SetData(_) => kind::SET_DATA,
            Self::Reconfig(_) => kind::RECONFIG,
            Self::SetAcl(_) => kind::SET_ACL,
            Self::Check(_) => kind::CHECK,
            Self::Multi(_) => kind::MULTI,
            Self::CreateSession(_) => kind::CREATE_SESSION,
            Self::CloseSession(_) => kind::CLOSE_SESSION,
            Self::Error(_) => kind::ERROR,
        }
    }

    /// Appends the body's bytes.
    pub fn encode_body<B: BufMut>(&self, out: &mut B) {
        match self {
            Self::Create(body) | Self::Create2(body) => body.encode(out),
            Self::CreateContainer(body) => body.encode(out),
            Self::CreateTtl(body) => body.encode(out),
            Self::Delete(body) | Self::DeleteContainer(body) => body.encode(out),
            Self::SetData(body) | Self::Reconfig(body) => body.encode(out),
            Self::SetAcl(body) => body.encode(out),
            Self::Check(body) => body.encode(out),
            Self::Multi(parts) => {
                let txns = parts.iter().map(SubTxn::from).collect();
                MultiTxn { txns }.encode(out);
            }
            Self::CreateSession(body) => body.encode(out),
            Self::CloseSession(body) => body.encode(out),
            Self::Error(err) => ErrorTxn { err: *err }.encode(out),
        }
    }

    /// Reads the body of a transaction of the given kind.
    ///
    /// # Errors
    /// What is wrong with the bytes; an unknown kind is `UnknownVariant`.
    pub fn decode_body(number: i32, input: &mut Decoder) -> Result<Self, DecodeError> {
        if number == kind::MULTI {
            let parts = MultiTxn::decode(input)?.txns.into_iter();
            return parts.map(decode_part).collect::<Result<_, _>>().map(Self::Multi);
        }
        Self::decode_single(number, input)
    }

    fn decode_single(number: i32, input: &mut Decoder) -> Result<Self, DecodeError> {
        Ok(match number {
            kind::CREATE => Self::Create(decode_create(input)?),
            kind::CREATE2 => Self::Create2(CreateTxn::decode(input)?),
            kind::CREATE_CONTAINER => Self::CreateContainer(Decode::decode(input)?),
            kind::CREATE_TTL => Self::CreateTtl(Decode::decode(input)?),
            kind::DELETE => Self::Delete(Decode::decode(input)?),
            kind::DELETE_CONTAINER => Self::DeleteContainer(Decode::decode(input)?),
            kind::SET_DATA => Self::SetData(Decode::decode(input)?),
            kind::RECONFIG => Self::Reconfig(Decode::decode(input)?),
            kind::SET_ACL => Self::SetAcl(Decode::decode(input)?),
            kind::CHECK => Self::Check(Decode::decode(input)?),
            kind::CREATE_SESSION => Self::CreateSession(Decode::decode(input)?),
            // Servers before 3.6 logged no list of paths.
            kind::CLOSE_SESSION if input.remaining() == 0 => {
                Self::CloseSession(CloseSessionTxn::default())
            }
            kind::CLOSE_SESSION => Self::CloseSession(Decode::decode(input)?),
            kind::ERROR => Self::Error(ErrorTxn::decode(input)?.err),
            other => return Err(DecodeError::UnknownVariant(other)),
        })
    }
}

impl From<&Txn> for SubTxn {
    fn from(txn: &Txn) -> Self {
        let mut data = BytesMut::new();
        txn.encode_body(&mut data);
        Self { kind: txn.kind(), data: Some(data.freeze()) }
    }
}

fn decode_part(part: SubTxn) -> Result<Txn, DecodeError> {
    let mut input = Decoder::new(part.data.ok_or(DecodeError::UnexpectedNull)?);
    Txn::decode_single(part.kind, &mut input)
}

/// Servers before 3.4 logged creates without the parent's cversion.
fn decode_create(input: &mut Decoder) -> Result<CreateTxn, DecodeError> {
    let (path, data) = (Decode::decode(input)?, Decode::decode(input)?);
    let (acl, ephemeral) = (Decode::decode(input)?, Decode::decode(input)?);
    let parent_cversion = if input.remaining() == 0 { -1 } else { input.int()? };
    Ok(CreateTxn { path, data, acl, ephemeral, parent_cversion })
}

/// A whole transaction: what is proposed, logged, committed and applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// Who, when and which.
    pub header: TxnHeader,
    /// What.
    pub body: Txn,
    /// The tree's digest afterwards, if the leader computed one.
    pub digest: Option<TxnDigest>,
}

impl Transaction {
    /// The bytes that are proposed and logged.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(256);
        self.header.encode(&mut out);
        self.body.encode_body(&mut out);
        if let Some(digest) = &self.digest {
            digest.encode(&mut out);
        }
        out.freeze()
    }

    /// Reads what [`Transaction::to_bytes`] or a ZooKeeper server wrote.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub fn from_bytes(bytes: Bytes) -> Result<Self, DecodeError> {
        let mut input = Decoder::new(bytes);
        let header = TxnHeader::decode(&mut input)?;
        let body = Txn::decode_body(header.kind, &mut input)?;
        let digest =
            if input.remaining() == 0 { None } else { Some(TxnDigest::decode(&mut input)?) };
        Ok(Self { header, body, digest })
    }
}
