//! The framing of multi and multiRead: operations between headers, up to an end mark.

use super::{CreateOp, OpCode};
use jute::client::{MultiHeader, PathVersion, PathWatch, SetDataRequest};
use jute::{Decode, DecodeError, Decoder};

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
}

/// The operations of a multi (all writes) or a multiRead (all reads).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MultiRequest {
    /// The operations in order; all are of one kind, reads or writes.
    pub ops: Vec<MultiOp>,
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
