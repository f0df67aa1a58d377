//! Frames to clients: length, header, body, written once into the buffer they leave in.

use crate::types::{ErrorCode, SessionId, Zxid};
use crate::{proto::Welcome, session};
use bytes::{BufMut, Bytes, BytesMut};
use jute::Encode;
use jute::client::{ConnectResponse, ReplyHeader};

/// Bytes of a frame's length.
const LENGTH: usize = 4;

/// Appends one reply. `body` writes what follows the header; if it fails, the reply is the header
/// with the error alone.
pub(super) fn put_reply(
    out: &mut BytesMut,
    xid: i32,
    zxid: Zxid,
    body: impl FnOnce(&mut BytesMut) -> Result<(), ErrorCode>,
) -> Result<(), ErrorCode> {
    let start = out.len();
    out.put_i32(0);
    ReplyHeader { xid, zxid: zxid.0, err: 0 }.encode(out);
    let body_start = out.len();
    let result = body(out);
    if let Err(code) = result {
        out.truncate(body_start);
        out[body_start - 4..].copy_from_slice(&code.number().to_be_bytes());
    }
    set_length(out, start);
    result
}

/// A reply's frame in a buffer of its own.
pub(super) fn reply(xid: i32, zxid: Zxid, err: i32, body: impl FnOnce(&mut BytesMut)) -> Bytes {
    let mut out = BytesMut::with_capacity(128);
    out.put_i32(0);
    ReplyHeader { xid, zxid: zxid.0, err }.encode(&mut out);
    body(&mut out);
    set_length(&mut out, 0);
    out.freeze()
}

fn set_length(out: &mut BytesMut, start: usize) {
    let length = out.len() - start - LENGTH;
    // Over 2 GiB cannot be said; a tree that yields such a reply does not fit its own limits.
    let length = i32::try_from(length).unwrap_or(i32::MAX);
    out[start..start + LENGTH].copy_from_slice(&length.to_be_bytes());
}

/// The answer to a first frame: an open session. The flag says whether this server is in read-only
/// mode, if the client knows of such.
pub(super) fn welcome(session: SessionId, timeout_ms: i32, read_only: Option<bool>) -> Bytes {
    connect_response(session, timeout_ms, &session::password(session), read_only)
}

/// The answer to a first frame whose session is gone.
pub(super) fn refusal(read_only: Option<bool>) -> Bytes {
    let read_only = read_only.map(|_| false);
    connect_response(SessionId(0), 0, &[0; session::PASSWORD_LEN], read_only)
}

fn connect_response(
    session: SessionId,
    time_out: i32,
    password: &[u8],
    read_only: Option<bool>,
) -> Bytes {
    let passwd = Some(Bytes::copy_from_slice(password));
    let response = ConnectResponse { protocol_version: 0, time_out, session_id: session.0, passwd };
    let welcome = Welcome { response, read_only };
    let mut out = BytesMut::with_capacity(LENGTH + welcome.encoded_len());
    out.put_i32(i32::try_from(welcome.encoded_len()).unwrap_or(i32::MAX));
    welcome.encode(&mut out);
    out.freeze()
}

/// A reply that is an error alone.
#[must_use]
pub fn error_reply(xid: i32, zxid: Zxid, code: ErrorCode) -> Bytes {
    reply(xid, zxid, code.number(), |_| {})
}

/// A reply with a body that is encoded already.
#[must_use]
pub fn plain_reply(xid: i32, zxid: Zxid, body: &[u8]) -> Bytes {
    reply(xid, zxid, 0, |out| out.extend_from_slice(body))
}
