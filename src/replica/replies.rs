//! Replies to writes, made from what applying the transaction came to.

use super::frames;
use super::reads::{put_end_mark, put_error_result};
use crate::proto::OpCode;
use crate::tree::Applied;
use crate::types::Zxid;
use bytes::{Bytes, BytesMut};
use jute::Encode;
use jute::client::MultiHeader;

/// The reply to a write. A refused one is a header alone; a multi always has its results.
pub(super) fn write_reply(xid: i32, zxid: Zxid, applied: &Applied) -> Bytes {
    let err = if let Applied::Error(code) = applied { *code } else { 0 };
    frames::reply(xid, zxid, err, |out| put_body(applied, out))
}

fn put_body(applied: &Applied, out: &mut BytesMut) {
    match applied {
        Applied::Create { path, .. } => path.encode(out),
        Applied::Create2 { path, stat } => {
            path.encode(out);
            stat.encode(out);
        }
        Applied::SetData(stat) | Applied::SetAcl(stat) => stat.encode(out),
        Applied::Multi(parts) => {
            for part in parts {
                put_part(part, out);
            }
            put_end_mark(out);
        }
        Applied::Delete
        | Applied::Check
        | Applied::Reconfig(_)
        | Applied::CreateSession
        | Applied::CloseSession
        | Applied::Error(_) => {}
    }
}

/// One result of a multi. The results of createContainer and createTTL are create2's, as in
/// ZooKeeper.
fn put_part(part: &Applied, out: &mut BytesMut) {
    let op = match part {
        Applied::Create { .. } => OpCode::Create,
        Applied::Create2 { .. } => OpCode::Create2,
        Applied::Delete => OpCode::Delete,
        Applied::SetData(_) => OpCode::SetData,
        Applied::Check => OpCode::Check,
        Applied::Error(code) => return put_error_result(*code, out),
        // A multi holds nothing else.
        Applied::SetAcl(_)
        | Applied::Reconfig(_)
        | Applied::Multi(_)
        | Applied::CreateSession
        | Applied::CloseSession => return,
    };
    MultiHeader { op: op.number(), done: false, err: 0 }.encode(out);
    put_body(part, out);
}
