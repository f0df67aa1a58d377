//! A client's writes, from bytes to the tree: the input is a row of requests, each an operation, a
//! session and a body. Each is decoded, made into a transaction before those ahead of it are
//! applied, written and read, and applied. Nothing may panic, a transaction must come back from its
//! bytes, and the tree's digest must be the predicted one.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use std::collections::VecDeque;
use zabra::prep::{Prep, PrepOptions, WriteRequest};
use zabra::proto::{CreateOp, OpCode, Request};
use zabra::session::Sessions;
use zabra::tree::{Transaction, Tree, TreeOptions};
use zabra::types::{ExtendedTypes, Id, Moment, SessionId, Xid, Zxid};

const WRITES: [OpCode; 10] = [
    OpCode::Create,
    OpCode::Delete,
    OpCode::SetData,
    OpCode::SetAcl,
    OpCode::Multi,
    OpCode::Create2,
    OpCode::CreateContainer,
    OpCode::CreateTtl,
    OpCode::CloseSession,
    OpCode::Reconfig,
];
/// How far transactions run ahead of the tree.
const AHEAD: usize = 3;
const WALL: i64 = 1_700_000_000_000;

struct Pipeline {
    prep: Prep,
    sessions: Sessions,
    tree: Tree,
    pending: VecDeque<Transaction>,
    zxid: Zxid,
}

fuzz_target!(|data: &[u8]| {
    let mut pipeline = Pipeline::new();
    let mut rest = data;
    while let [op, session, length, more @ ..] = rest {
        let (body, more) = more.split_at(usize::from(*length).min(more.len()));
        let op = WRITES[usize::from(*op) % WRITES.len()];
        let session = SessionId(i64::from(*session % 3));
        if let Ok(request) = Request::decode(op, Bytes::copy_from_slice(body)) {
            pipeline.take(session, &request);
        }
        rest = more;
    }
    while !pipeline.pending.is_empty() {
        pipeline.apply();
    }
});

impl Pipeline {
    /// A small tree: a znode, one below it, an ephemeral, and a quota.
    fn new() -> Self {
        let extended_types = ExtendedTypes::On;
        let options = PrepOptions { extended_types, enforce_quota: true, ..PrepOptions::default() };
        let mut sessions = Sessions::new(1000);
        for id in [1, 2] {
            sessions.insert(SessionId(id), 10_000, Moment(0));
        }
        let mut pipeline = Self {
            prep: Prep::new(options),
            sessions,
            tree: Tree::new(TreeOptions { extended_types, digest: true }),
            pending: VecDeque::new(),
            zxid: Zxid::ZERO,
        };
        for (path, data, flags) in [
            ("/a", "", 0),
            ("/a/b", "x", 0),
            ("/e", "", 1),
            ("/q", "", 0),
            ("/zookeeper/quota/q", "", 0),
            ("/zookeeper/quota/q/zookeeper_limits", "count=3,bytes=9;byteHardLimit=5", 0),
            ("/zookeeper/quota/q/zookeeper_stats", "count=1,bytes=0", 0),
        ] {
            pipeline.take(SessionId(1), &create(path, data, flags));
        }
        pipeline
    }

    fn take(&mut self, session: SessionId, request: &Request) {
        self.zxid = self.zxid.next();
        let identities = [Id { scheme: "digest".to_owned(), id: "a:b".to_owned() }];
        let write = WriteRequest {
            session,
            cxid: Xid(1),
            request,
            identities: &identities,
            owner: None,
            may_be_local: false,
        };
        let made = self.prep.prepare(&self.tree, &self.sessions, &write, self.zxid, WALL);
        let read = Transaction::from_bytes(made.to_bytes());
        assert_eq!(read.as_ref(), Ok(&made));
        self.pending.push_back(made);
        if self.pending.len() > AHEAD {
            self.apply();
        }
    }

    fn apply(&mut self) {
        let Some(txn) = self.pending.pop_front() else { return };
        let mut changes = Vec::new();
        self.tree.apply(&txn, &mut changes);
        if let Some(digest) = &txn.digest {
            assert_eq!(digest.tree_digest, self.tree.digest(), "{txn:?}");
        }
        let recomputed = self.tree.dump().map(|(path, record)| {
            i64::from(zabra::tree::node_digest(&path, record.data.as_deref(), &record.stat))
        });
        assert_eq!(recomputed.fold(0, i64::wrapping_add), self.tree.digest());
        self.prep.applied(Zxid(txn.header.zxid));
    }
}

fn create(path: &str, data: &str, flags: i32) -> Request {
    let anyone =
        jute::client::RawId { scheme: Some("world".to_owned()), id: Some("anyone".to_owned()) };
    let acl = vec![jute::client::RawAcl { perms: 31, id: anyone }];
    Request::Create(CreateOp {
        op: OpCode::Create,
        path: Some(path.to_owned()),
        data: Some(Bytes::copy_from_slice(data.as_bytes())),
        acl: Some(acl),
        flags,
        ttl: -1,
    })
}
