//! The framing of multi and multiRead: operations between headers, up to an end mark.

use super::{CreateMode, CreateOp, OpCode};
use bytes::BufMut;
use jute::client::{
    DataStat, ErrorResponse, MultiHeader, Names, PathResponse, PathStat, PathVersion, PathWatch,
    SetDataRequest, Stat,
};
use jute::{Decode, DecodeError, Decoder, Encode};

/// One operation of a multi or a multiRead.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "named after the operations of the protocol")]
pub enum MultiOp {
    Create(CreateOp),
    Delete(PathVersion),
    SetData(SetDataRequest),
    Check(PathVersion),
    GetData(PathWatch),
    GetChildren(PathWatch),
}

impl MultiOp {
    /// Whether it belongs into a multiRead, not a multi.
    #[must_use]
    pub const fn is_read(&self) -> bool {
        matches!(self, Self::GetData(_) | Self::GetChildren(_))
    }

    /// The create, but for createTTL, which ZooKeeper looks at later.
    const fn plain_create(&self) -> Option<&CreateOp> {
        match self {
            Self::Create(create) if !matches!(create.op, OpCode::CreateTtl) => Some(create),
            _ => None,
        }
    }

    /// ZK: `CreateOptions`, made while the request is read, wants a list.
    fn lacks_acl(&self) -> bool {
        self.plain_create().is_some_and(|create| create.acl.is_none())
    }

    /// ZK: `MultiOperationRecord` wants a mode that exists and, once there is a list,
    /// `CreateOptions` wants one that needs no time to live.
    fn check_mode(&self) -> Result<(), DecodeError> {
        let Some(create) = self.plain_create() else { return Ok(()) };
        match CreateMode::from_number(create.flags) {
            Some(mode) if !mode.is_ttl() || create.acl.is_none() => Ok(()),
            _ => Err(DecodeError::UnknownVariant(create.flags)),
        }
    }
}

/// The operations of a multi (all writes) or a multiRead (all reads).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MultiRequest {
    /// The operations in order; all are of one kind, reads or writes.
    pub ops: Vec<MultiOp>,
}

impl MultiRequest {
    /// Whether it ends with a create that has no access control list, over which ZooKeeper stumbles
    /// so that it looks at nothing behind it.
    #[must_use]
    pub fn lacks_acl(&self) -> bool {
        self.ops.last().is_some_and(MultiOp::lacks_acl)
    }
}

impl Decode for MultiRequest {
    fn decode(input: &mut Decoder) -> Result<Self, DecodeError> {
        let mut ops: Vec<MultiOp> = Vec::new();
        loop {
            let header = MultiHeader::decode(input)?;
            if header.done {
                return Ok(Self { ops });
            }
            let op = decode_op(header.op, input)?;
            op.check_mode()?;
            if op.lacks_acl() {
                ops.push(op);
                return Ok(Self { ops });
            }
            // ZK: MultiOperationRecord refuses to mix reads and writes.
            if ops.first().is_some_and(|first| first.is_read() != op.is_read()) {
                return Err(DecodeError::UnknownVariant(header.op));
            }
            ops.push(op);
        }
    }
}

fn decode_op(number: i32, input: &mut Decoder) -> Result<MultiOp, DecodeError> {
    Ok(match OpCode::from_number(number) {
        Some(
            op @ (OpCode::Create | OpCode::Create2 | OpCode::CreateContainer | OpCode::CreateTtl),
        ) => MultiOp::Create(CreateOp::decode(op, input)?),
        Some(OpCode::Delete) => MultiOp::Delete(PathVersion::decode(input)?),
        Some(OpCode::SetData) => MultiOp::SetData(SetDataRequest::decode(input)?),
        Some(OpCode::Check) => MultiOp::Check(PathVersion::decode(input)?),
        Some(OpCode::GetData) => MultiOp::GetData(PathWatch::decode(input)?),
        Some(OpCode::GetChildren) => MultiOp::GetChildren(PathWatch::decode(input)?),
        _ => return Err(DecodeError::UnknownVariant(number)),
    })
}

impl MultiOp {
    /// The code under which it stands in the request.
    #[must_use]
    pub const fn op(&self) -> OpCode {
        match self {
            Self::Create(create) => create.op,
            Self::Delete(_) => OpCode::Delete,
            Self::SetData(_) => OpCode::SetData,
            Self::Check(_) => OpCode::Check,
            Self::GetData(_) => OpCode::GetData,
            Self::GetChildren(_) => OpCode::GetChildren,
        }
    }
}

impl Encode for MultiOp {
    /// Writes the header and the operation's record.
    fn encode<B: BufMut + ?Sized>(&self, out: &mut B) {
        MultiHeader { op: self.op().number(), done: false, err: -1 }.encode(out);
        match self {
            Self::Create(op) => op.encode(out),
            Self::Delete(op) | Self::Check(op) => op.encode(out),
            Self::SetData(op) => op.encode(out),
            Self::GetData(op) | Self::GetChildren(op) => op.encode(out),
        }
    }

    fn encoded_len(&self) -> usize {
        END.encoded_len()
            + match self {
                Self::Create(op) => op.encoded_len(),
                Self::Delete(op) | Self::Check(op) => op.encoded_len(),
                Self::SetData(op) => op.encoded_len(),
                Self::GetData(op) | Self::GetChildren(op) => op.encoded_len(),
            }
    }
}

impl Encode for MultiRequest {
    fn encode<B: BufMut + ?Sized>(&self, out: &mut B) {
        for op in &self.ops {
            op.encode(out);
        }
        END.encode(out);
    }

    fn encoded_len(&self) -> usize {
        self.ops.iter().map(Encode::encoded_len).sum::<usize>() + END.encoded_len()
    }
}

/// The mark behind the last operation and behind the last result.
const END: MultiHeader = MultiHeader { op: -1, done: true, err: -1 };

/// The result of one operation of a multi or a multiRead (ZK: `OpResult`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MultiResult {
    /// Created; servers before 3.9 answer `create2` in this form too.
    Create(PathResponse),
    /// Created, with the stat.
    Create2(PathStat),
    /// Deleted.
    Delete,
    /// The data changed.
    SetData(Stat),
    /// The version was the expected one.
    Check,
    /// What a getData found.
    GetData(DataStat),
    /// What a getChildren found.
    GetChildren(Names),
    /// The operation's own error code; in a failed multi 0 for those before the failure and
    /// `RuntimeInconsistency` for those after it.
    Error(i32),
}

/// The results of a multi or a multiRead, in the order of the operations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MultiResponse {
    /// One result for each operation.
    pub results: Vec<MultiResult>,
}

impl MultiResult {
    /// The code under which it stands in the response.
    const fn number(&self) -> i32 {
        match self {
            Self::Create(_) => OpCode::Create.number(),
            Self::Create2(_) => OpCode::Create2.number(),
            Self::Delete => OpCode::Delete.number(),
            Self::SetData(_) => OpCode::SetData.number(),
            Self::Check => OpCode::Check.number(),
            Self::GetData(_) => OpCode::GetData.number(),
            Self::GetChildren(_) => OpCode::GetChildren.number(),
            Self::Error(_) => -1,
        }
    }

    fn decode(header: &MultiHeader, input: &mut Decoder) -> Result<Self, DecodeError> {
        if header.op == -1 {
            // The header repeats the record's code.
            return Ok(Self::Error(ErrorResponse::decode(input)?.err));
        }
        Ok(match OpCode::from_number(header.op) {
            Some(OpCode::Create) => Self::Create(Decode::decode(input)?),
            Some(OpCode::Create2 | OpCode::CreateContainer | OpCode::CreateTtl) => {
                Self::Create2(Decode::decode(input)?)
            }
            Some(OpCode::Delete) => Self::Delete,
            Some(OpCode::SetData) => Self::SetData(Decode::decode(input)?),
            Some(OpCode::Check) => Self::Check,
            Some(OpCode::GetData) => Self::GetData(Decode::decode(input)?),
            Some(OpCode::GetChildren) => Self::GetChildren(Decode::decode(input)?),
            _ => return Err(DecodeError::UnknownVariant(header.op)),
        })
    }
}

impl Encode for MultiResult {
    /// Writes the header and the result's record.
    fn encode<B: BufMut + ?Sized>(&self, out: &mut B) {
        let err = if let Self::Error(code) = self { *code } else { 0 };
        MultiHeader { op: self.number(), done: false, err }.encode(out);
        match self {
            Self::Create(result) => result.encode(out),
            Self::Create2(result) => result.encode(out),
            Self::Delete | Self::Check => {}
            Self::SetData(stat) => stat.encode(out),
            Self::GetData(result) => result.encode(out),
            Self::GetChildren(result) => result.encode(out),
            Self::Error(code) => code.encode(out),
        }
    }

    fn encoded_len(&self) -> usize {
        END.encoded_len()
            + match self {
                Self::Create(result) => result.encoded_len(),
                Self::Create2(result) => result.encoded_len(),
                Self::Delete | Self::Check => 0,
                Self::SetData(stat) => stat.encoded_len(),
                Self::GetData(result) => result.encoded_len(),
                Self::GetChildren(result) => result.encoded_len(),
                Self::Error(code) => code.encoded_len(),
            }
    }
}

impl Encode for MultiResponse {
    fn encode<B: BufMut + ?Sized>(&self, out: &mut B) {
        for result in &self.results {
            result.encode(out);
        }
        END.encode(out);
    }

    fn encoded_len(&self) -> usize {
        self.results.iter().map(Encode::encoded_len).sum::<usize>() + END.encoded_len()
    }
}

impl Decode for MultiResponse {
    fn decode(input: &mut Decoder) -> Result<Self, DecodeError> {
        let mut results = Vec::new();
        loop {
            let header = MultiHeader::decode(input)?;
            if header.done {
                return Ok(Self { results });
            }
            results.push(MultiResult::decode(&header, input)?);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn create(op: OpCode, flags: i32, ttl: i64) -> MultiOp {
        let (path, data) = (Some("/a".to_owned()), Some(Bytes::from_static(b"x")));
        MultiOp::Create(CreateOp { op, path, data, acl: Some(Vec::new()), flags, ttl })
    }

    fn round_trip<T: Encode + Decode + PartialEq + std::fmt::Debug>(value: &T) {
        let bytes = value.to_bytes();
        assert_eq!(bytes.len(), value.encoded_len());
        assert_eq!(T::from_bytes(bytes).as_ref(), Ok(value));
    }

    #[test]
    fn requests_survive_the_round_trip() {
        let path = || Some("/a".to_owned());
        round_trip(&MultiRequest::default());
        round_trip(&MultiRequest {
            ops: vec![
                create(OpCode::Create, 0, -1),
                create(OpCode::Create2, 3, -1),
                create(OpCode::CreateContainer, 4, -1),
                create(OpCode::CreateTtl, 5, 1000),
                MultiOp::Delete(PathVersion { path: path(), version: 1 }),
                MultiOp::SetData(SetDataRequest { path: path(), data: None, version: -1 }),
                MultiOp::Check(PathVersion { path: path(), version: 2 }),
            ],
        });
        round_trip(&MultiRequest {
            ops: vec![
                MultiOp::GetData(PathWatch { path: path(), watch: false }),
                MultiOp::GetChildren(PathWatch { path: path(), watch: false }),
            ],
        });
    }

    #[test]
    fn reads_and_writes_do_not_mix() {
        let read = MultiOp::GetData(PathWatch { path: None, watch: false });
        let request = MultiRequest { ops: vec![read, create(OpCode::Create, 0, -1)] };
        assert!(MultiRequest::from_bytes(request.to_bytes()).is_err());
    }

    #[test]
    fn responses_survive_the_round_trip() {
        let path = || "/a".to_owned();
        let stat = Stat { czxid: 7, ..Stat::default() };
        round_trip(&MultiResponse {
            results: vec![
                MultiResult::Create(PathResponse { path: path() }),
                MultiResult::Create2(PathStat { path: path(), stat: stat.clone() }),
                MultiResult::Delete,
                MultiResult::SetData(stat.clone()),
                MultiResult::Check,
            ],
        });
        round_trip(&MultiResponse {
            results: vec![
                MultiResult::GetData(DataStat { data: None, stat }),
                MultiResult::GetChildren(Names { names: vec!["b".to_owned()] }),
                MultiResult::Error(-101),
                MultiResult::Error(0),
            ],
        });
    }
}
