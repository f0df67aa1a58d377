//! How a client's requests and handshakes are put on the wire and a server's read off it.

use super::OpCode;
use bytes::BufMut;
use jute::client::{ConnectRequest, ConnectResponse, RequestHeader};
use jute::{Decode, DecodeError, Decoder, Encode};

/// The body of requests that have none: pings, whoAmI, closeSession.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoBody;

impl Encode for NoBody {
    fn encode<B: BufMut + ?Sized>(&self, _: &mut B) {}

    fn encoded_len(&self) -> usize {
        0
    }
}

/// Bytes of a request's header, behind the length.
const HEADER_LEN: usize = 8;

/// Appends a request's frame, length included. Returns the frame's size in all.
pub fn put_request<B: BufMut, T: Encode>(out: &mut B, xid: i32, op: OpCode, body: &T) -> usize {
    let length = HEADER_LEN + body.encoded_len();
    out.put_i32(i32::try_from(length).unwrap_or(i32::MAX));
    RequestHeader { xid, op: op.number() }.encode(out);
    body.encode(out);
    4 + length
}

/// The first frame of a connection, with the read-only byte that very old clients omit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The record.
    pub request: ConnectRequest,
    /// Whether a server without a quorum will do; `None` if the byte is missing, and then it must
    /// be missing in the answer too.
    pub read_only: Option<bool>,
}

/// The answer to [`Hello`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// The record.
    pub response: ConnectResponse,
    /// Whether the server is in read-only mode; `None` if the client did not ask.
    pub read_only: Option<bool>,
}

macro_rules! with_read_only {
    ($name:ident, $record:ident) => {
        impl Encode for $name {
            fn encode<B: BufMut + ?Sized>(&self, out: &mut B) {
                self.$record.encode(out);
                if let Some(read_only) = self.read_only {
                    read_only.encode(out);
                }
            }

            fn encoded_len(&self) -> usize {
                self.$record.encoded_len() + usize::from(self.read_only.is_some())
            }
        }

        impl Decode for $name {
            fn decode(input: &mut Decoder) -> Result<Self, DecodeError> {
                let $record = Decode::decode(input)?;
                let read_only = match input.remaining() {
                    0 => None,
                    _ => Some(bool::decode(input)?),
                };
                Ok(Self { $record, read_only })
            }
        }
    };
}

with_read_only!(Hello, request);
with_read_only!(Welcome, response);

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::BytesMut;
    use jute::client::PathOnly;

    #[test]
    fn a_request_is_a_length_a_header_and_a_body() {
        let mut out = BytesMut::new();
        let size = put_request(&mut out, 7, OpCode::Sync, &PathOnly { path: Some("/".to_owned()) });
        assert_eq!(out[..], *b"\0\0\0\x0d\0\0\0\x07\0\0\0\x09\0\0\0\x01/");
        assert_eq!(size, out.len());
        out.clear();
        put_request(&mut out, -2, OpCode::Ping, &NoBody);
        assert_eq!(out[..], *b"\0\0\0\x08\xff\xff\xff\xfe\0\0\0\x0b");
    }

    #[test]
    fn the_read_only_byte_may_be_missing() {
        for (read_only, length) in [(None, 28), (Some(true), 29)] {
            let hello = Hello { request: ConnectRequest::default(), read_only };
            assert_eq!(hello.to_bytes().len(), length);
            assert_eq!(Hello::from_bytes(hello.to_bytes()), Ok(hello));
        }
    }
}
