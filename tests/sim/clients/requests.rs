//! What clients ask for.

use super::super::random::Random;
use super::client::{Asked, Read};
use super::watching::Kind;
use bytes::{BufMut, Bytes, BytesMut};
use jute::Encode;
use jute::client::{
    CreateRequest, MultiHeader, PathOnly, PathVersion, PathWatch, RawAcl, RawId, SetDataRequest,
};
use zabra::proto::OpCode;
use zabra::types::Zxid;

const PATHS: &[&str] = &["/a", "/a/b", "/a/c", "/b", "/b/d", "/r0", "/r1", "/q", "/"];

/// A request as it travels.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) xid: i32,
    pub(crate) op: OpCode,
    pub(crate) body: Bytes,
}

/// What is asked for, what for, and with which bytes.
pub(super) struct Choice {
    pub(super) op: OpCode,
    pub(super) body: Bytes,
    pub(super) asked: Asked,
}

/// What a client can know when it chooses.
pub(super) struct Knowledge<'a> {
    /// The last number of its own, which makes data tell who wrote them.
    pub(super) number: u64,
    /// The version that it last saw of a znode.
    pub(super) version: &'a dyn Fn(&str) -> i32,
    /// The last write of anybody that was acknowledged.
    pub(super) floor: Zxid,
    /// Whether the session must go on.
    pub(super) is_calm: bool,
}

pub(super) fn encoded(record: &impl Encode) -> Bytes {
    let mut bytes = BytesMut::new();
    record.encode(&mut bytes);
    bytes.freeze()
}

pub(super) fn choose(random: &mut Random, knows: &Knowledge<'_>) -> Choice {
    let path = *random.pick(PATHS);
    let floor = knows.floor;
    let write = |op, body| Choice { op, body, asked: Asked::Write { op, floor } };
    match random.below(40) {
        0..=7 => write(OpCode::SetData, set(random, path, knows)),
        8..=13 => write(OpCode::Create, create(path, *random.pick(&[0, 0, 0, 1]), knows.number)),
        14..=17 => {
            let (path, flags) = *random.pick(&[("/q/s-", 2), ("/q/e-", 3), ("/a/e-", 3)]);
            write(OpCode::Create2, create(path, flags, knows.number))
        }
        18..=20 => write(OpCode::Delete, delete(random, path, knows)),
        21..=23 => write(OpCode::Multi, multi(random, knows)),
        24..=25 => {
            let body = encoded(&PathOnly { path: Some(path.to_owned()) });
            Choice { op: OpCode::Sync, body, asked: Asked::Sync { floor } }
        }
        26 if !knows.is_calm && random.one_in(4) => write(OpCode::CloseSession, Bytes::new()),
        27 => write(OpCode::Multi, quota(random)),
        _ => read(random, path),
    }
}

fn read(random: &mut Random, path: &'static str) -> Choice {
    let watch = random.one_in(2);
    let body = encoded(&PathWatch { path: Some(path.to_owned()), watch });
    let (op, read, kind) = match random.below(3) {
        0 => (OpCode::GetData, Read::Data, Kind::Data),
        1 => (OpCode::Exists, Read::Exists, Kind::Exist),
        _ => (OpCode::GetChildren, Read::Children, Kind::Child),
    };
    let asked = Asked::Read { read, path, watch: watch.then_some(kind) };
    Choice { op, body, asked }
}

pub(super) fn create(path: &str, flags: i32, number: u64) -> Bytes {
    let id = RawId { scheme: Some("world".to_owned()), id: Some("anyone".to_owned()) };
    encoded(&CreateRequest {
        path: Some(path.to_owned()),
        data: Some(Bytes::copy_from_slice(&number.to_be_bytes())),
        acl: Some(vec![RawAcl { perms: 31, id }]),
        flags,
    })
}

fn set(random: &mut Random, path: &str, knows: &Knowledge<'_>) -> Bytes {
    let version = if random.one_in(2) { (knows.version)(path) } else { -1 };
    encoded(&SetDataRequest {
        path: Some(path.to_owned()),
        data: Some(Bytes::copy_from_slice(&knows.number.to_be_bytes())),
        version,
    })
}

fn delete(random: &mut Random, path: &str, knows: &Knowledge<'_>) -> Bytes {
    let version = if random.one_in(2) { (knows.version)(path) } else { -1 };
    encoded(&PathVersion { path: Some(path.to_owned()), version })
}

/// A check and some changes, all or nothing.
fn multi(random: &mut Random, knows: &Knowledge<'_>) -> Bytes {
    let checked = *random.pick(PATHS);
    let version = (knows.version)(checked);
    let check = encoded(&PathVersion { path: Some(checked.to_owned()), version });
    let mut parts = vec![(OpCode::Check, check)];
    for _ in 0..random.below(3) {
        let path = *random.pick(PATHS);
        parts.push(match random.below(3) {
            0 => (OpCode::SetData, set(random, path, knows)),
            1 => (OpCode::Delete, delete(random, path, knows)),
            _ => (OpCode::Create, create(path, *random.pick(&[0, 1]), knows.number)),
        });
    }
    all_or_nothing(&parts)
}

/// A quota is set, or a part of one is taken away. One is below the other, so that the usage which
/// they state depends on the order of all changes: it is what servers may most easily differ in.
fn quota(random: &mut Random) -> Bytes {
    let top = *random.pick(&["/zookeeper/quota/a", "/zookeeper/quota/a/b"]);
    let nodes = ["", "/zookeeper_limits", "/zookeeper_stats"].map(|name| format!("{top}{name}"));
    let create = |path: &String| (OpCode::Create, create(path, 0, 0));
    let delete = |path: &String| {
        (OpCode::Delete, encoded(&PathVersion { path: Some(path.clone()), version: -1 }))
    };
    match random.below(8) {
        0 => all_or_nothing(&[delete(&nodes[1])]),
        1 => all_or_nothing(&[delete(&nodes[2])]),
        2 => all_or_nothing(&[create(&nodes[1])]),
        3 => all_or_nothing(&[create(&nodes[2])]),
        _ => all_or_nothing(&nodes.each_ref().map(create)),
    }
}

fn all_or_nothing(parts: &[(OpCode, Bytes)]) -> Bytes {
    let mut out = BytesMut::new();
    for (op, body) in parts {
        MultiHeader { op: op.number(), done: false, err: -1 }.encode(&mut out);
        out.put_slice(body);
    }
    MultiHeader { op: -1, done: true, err: -1 }.encode(&mut out);
    out.freeze()
}
