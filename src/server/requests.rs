//! From a connection's bytes to requests: frames are cut, limits checked, bodies decoded.

use crate::proto::{OpCode, Request};
use crate::types::ErrorCode;
use bytes::{Buf, Bytes, BytesMut};
use jute::client::RequestHeader;
use jute::{Decode, Decoder};

/// A frame's length that no connection survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadLength(pub(crate) i32);

/// Cuts the next whole frame off the front of what has arrived.
///
/// # Errors
/// The length is negative or over the limit.
pub(crate) fn cut_frame(input: &mut BytesMut, limit: u32) -> Result<Option<Bytes>, BadLength> {
    let Some(head) = input.first_chunk::<4>() else { return Ok(None) };
    let length = i32::from_be_bytes(*head);
    let size = u32::try_from(length).ok().filter(|size| *size <= limit).ok_or(BadLength(length))?;
    let size = size as usize;
    if input.len() < 4 + size {
        // One growth at most for a frame that is on its way.
        input.reserve(4 + size - input.len());
        return Ok(None);
    }
    input.advance(4);
    Ok(Some(input.split_to(size).freeze()))
}

/// What a frame after the first one asks for.
#[derive(Debug)]
pub(crate) enum Asked {
    /// An operation that clients may ask for; the request, or the error of a body that makes none;
    /// and the body of what may go on to the leader, see [`ClientRequest::body`].
    ///
    /// [`ClientRequest::body`]: crate::replica::ClientRequest::body
    Known(i32, OpCode, Result<Request, ErrorCode>, Bytes),
    /// One that they may not, or that does not exist.
    Unknown(i32),
    /// The frame does not even hold a header.
    Garbage,
}

/// Reads a frame.
pub(crate) fn read_frame(frame: Bytes) -> Asked {
    let mut input = Decoder::new(frame);
    let Ok(RequestHeader { xid, op }) = RequestHeader::decode(&mut input) else {
        return Asked::Garbage;
    };
    let op = match OpCode::from_number(op) {
        // ZK: `Request.isValid`. DeleteContainer and CreateSession would pass there; they are for
        // servers alone.
        None
        | Some(OpCode::Check | OpCode::DeleteContainer | OpCode::CreateSession | OpCode::Error) => {
            return Asked::Unknown(xid);
        }
        Some(op) => op,
    };
    let goes_on = op.is_write() || op == OpCode::Sync;
    let body = if goes_on { input.rest().clone() } else { Bytes::new() };
    let request = Request::decode(op, input.rest().clone());
    Asked::Known(xid, op, request.map_err(|_| ErrorCode::MarshallingError), body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buffer(bytes: &[u8]) -> BytesMut {
        BytesMut::from(bytes)
    }

    #[test]
    fn frames_are_cut_when_they_are_whole() {
        let mut input = buffer(b"\0\0\0\x02ab\0\0\0\x03c");
        assert_eq!(cut_frame(&mut input, 10), Ok(Some(Bytes::from_static(b"ab"))));
        assert_eq!(cut_frame(&mut input, 10), Ok(None));
        input.extend_from_slice(b"de");
        assert_eq!(cut_frame(&mut input, 10), Ok(Some(Bytes::from_static(b"cde"))));
        assert_eq!(cut_frame(&mut input, 10), Ok(None));
    }

    #[test]
    fn the_limit_is_inclusive() {
        assert_eq!(cut_frame(&mut buffer(b"\0\0\0\x0a"), 10), Ok(None));
        assert_eq!(cut_frame(&mut buffer(b"\0\0\0\x0b"), 10), Err(BadLength(11)));
        assert_eq!(cut_frame(&mut buffer(b"\xff\xff\xff\xff"), 10), Err(BadLength(-1)));
    }

    #[test]
    fn what_servers_say_to_each_other_is_not_for_clients() {
        for op in [0_i32, 10, 13, 20, -10, -1, 4711] {
            let frame = [&1_i32.to_be_bytes()[..], &op.to_be_bytes()].concat();
            assert!(matches!(read_frame(frame.into()), Asked::Unknown(1)), "{op}");
        }
    }
}
