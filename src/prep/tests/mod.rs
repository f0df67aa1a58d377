//! Tests of prep against a real tree and session table.

#![expect(clippy::unnecessary_wraps, reason = "the helpers make fields of records as they are")]

mod checks;
mod effects;
mod multi;
mod quota;
mod session;

use super::{Prep, PrepOptions, WriteRequest};
use crate::auth::AuthOptions;
use crate::proto::{CreateOp, MultiOp, MultiRequest, OpCode, Request};
use crate::session::{Owner, Sessions};
use crate::tree::{Transaction, Tree, TreeOptions, Txn};
use crate::types::{Acl, ErrorCode, ExtendedTypes, Id, Moment, SessionId, Xid, Zxid, perms};
use bytes::Bytes;
use jute::client::{PathVersion, RawAcl, RawId, SetAclRequest, SetDataRequest};
use jute::txn::{CreateTxn, TxnHeader};

/// The session that most requests come from.
const ALICE: SessionId = SessionId(0x10);
/// Another one.
const BOB: SessionId = SessionId(0x20);
/// One whose close is on the way.
const CLOSING: SessionId = SessionId(0x30);
/// One that nobody knows.
const NOBODY: SessionId = SessionId(0x40);

/// A leader without an ensemble: what it prepares it applies when told to.
struct Bench {
    prep: Prep,
    tree: Tree,
    sessions: Sessions,
    identities: Vec<Id>,
    owner: Option<Owner>,
    zxid: Zxid,
    prepared: Vec<Transaction>,
}

impl Bench {
    fn new(options: PrepOptions) -> Self {
        let tree_options =
            TreeOptions { extended_types: options.extended_types, digest: options.digest };
        let mut sessions = Sessions::new(2000);
        for id in [ALICE, BOB, CLOSING] {
            sessions.insert(id, 10_000, Moment(0));
        }
        sessions.set_closing(CLOSING);
        Self {
            prep: Prep::new(options),
            tree: Tree::new(tree_options),
            sessions,
            identities: Vec::new(),
            owner: None,
            zxid: Zxid::ZERO,
            prepared: Vec::new(),
        }
    }

    /// Prepares a request and leaves it pending.
    fn prepare(&mut self, session: SessionId, request: &Request) -> Transaction {
        self.zxid = self.zxid.next();
        let wall = 1000 + self.zxid.0;
        let identities = &self.identities;
        let request = WriteRequest {
            session,
            cxid: Xid(7),
            request,
            identities,
            owner: self.owner,
            may_be_local: false,
        };
        let txn = self.prep.prepare(&self.tree, &self.sessions, &request, self.zxid, wall);
        self.prepared.push(txn.clone());
        txn
    }

    /// Prepares a request of Alice's and leaves it pending.
    fn pend(&mut self, request: &Request) -> Txn {
        self.prepare(ALICE, request).body
    }

    /// Applies everything that is pending, and checks the digests that were predicted.
    fn apply(&mut self) {
        for txn in std::mem::take(&mut self.prepared) {
            self.tree.apply(&txn, &mut Vec::new());
            self.prep.applied(Zxid(txn.header.zxid));
            if let Some(digest) = &txn.digest {
                assert_eq!(digest.tree_digest, self.tree.digest(), "{txn:?}");
            }
        }
        assert_eq!(self.prep.pending(), 0);
    }

    /// Prepares and applies a request of Alice's.
    fn run(&mut self, request: &Request) -> Txn {
        let txn = self.pend(request);
        self.apply();
        txn
    }

    /// Prepares and applies requests that must not be refused.
    fn run_all(&mut self, requests: &[Request]) {
        for request in requests {
            let txn = self.run(request);
            assert!(!matches!(txn, Txn::Error(_)), "{request:?} became {txn:?}");
        }
    }

    /// Gives a znode a stored cversion by a transaction such as no prep makes.
    fn force_cversion(&mut self, parent: &str, cversion: i32) {
        self.zxid = self.zxid.next();
        let body = CreateTxn {
            path: format!("{parent}/forced"),
            data: None,
            acl: None,
            ephemeral: false,
            parent_cversion: cversion,
        };
        let header = TxnHeader { zxid: self.zxid.0, kind: 1, ..TxnHeader::default() };
        let txn = Transaction { header, body: Txn::Create(body), digest: None };
        self.tree.apply(&txn, &mut Vec::new());
    }
}

/// A leader's options, with everything switched on that is off by default.
fn options() -> PrepOptions {
    PrepOptions {
        extended_types: ExtendedTypes::On,
        enforce_quota: true,
        digest: true,
        reconfig_enabled: true,
        standalone: false,
        auth: AuthOptions::default(),
    }
}

fn bench() -> Bench {
    Bench::new(options())
}

fn open_acl() -> Option<Vec<RawAcl>> {
    raw_acl(perms::ALL, "world", "anyone")
}

fn raw_acl(perms: i32, scheme: &str, id: &str) -> Option<Vec<RawAcl>> {
    let id = RawId { scheme: Some(scheme.to_owned()), id: Some(id.to_owned()) };
    Some(vec![RawAcl { perms, id }])
}

fn create_op(op: OpCode, path: Option<&str>, flags: i32, ttl: i64) -> CreateOp {
    let (path, data) = (path.map(str::to_owned), Some(Bytes::from_static(b"data")));
    CreateOp { op, path, data, acl: open_acl(), flags, ttl }
}

fn create(path: &str, flags: i32) -> Request {
    Request::Create(create_op(OpCode::Create, Some(path), flags, -1))
}

fn create_with(op: OpCode, path: &str, flags: i32, ttl: i64) -> Request {
    Request::Create(create_op(op, Some(path), flags, ttl))
}

fn create_with_acl(path: &str, flags: i32, acl: Option<Vec<RawAcl>>) -> Request {
    Request::Create(CreateOp { acl, ..create_op(OpCode::Create, Some(path), flags, -1) })
}

fn path_version(path: &str, version: i32) -> PathVersion {
    PathVersion { path: Some(path.to_owned()), version }
}

fn delete(path: &str, version: i32) -> Request {
    Request::Delete(path_version(path, version))
}

fn new_data(path: &str, data: &[u8], version: i32) -> SetDataRequest {
    let data = Some(Bytes::copy_from_slice(data));
    SetDataRequest { path: Some(path.to_owned()), data, version }
}

fn set_data(path: &str, data: &[u8], version: i32) -> Request {
    Request::SetData(new_data(path, data, version))
}

fn set_acl(path: &str, acl: Option<Vec<RawAcl>>, version: i32) -> Request {
    Request::SetAcl(SetAclRequest { path: Some(path.to_owned()), acl, version })
}

/// A multi of requests that may stand in one.
fn multi<const N: usize>(requests: [Request; N]) -> Request {
    let ops = requests.into_iter().map(|request| match request {
        Request::Create(op) => MultiOp::Create(op),
        Request::Delete(op) => MultiOp::Delete(op),
        Request::SetData(op) => MultiOp::SetData(op),
        Request::Check(op) => MultiOp::Check(op),
        Request::GetData(op) => MultiOp::GetData(op),
        other => panic!("{other:?} cannot stand in a multi"),
    });
    Request::Multi(MultiRequest { ops: ops.collect() })
}

fn digest_identity(user: &str) -> Id {
    Id { scheme: "digest".to_owned(), id: format!("{user}:hash") }
}

fn refused(code: ErrorCode) -> Txn {
    Txn::error(code)
}

fn path_of(txn: &Txn) -> &str {
    match txn {
        Txn::Create(body) | Txn::Create2(body) => &body.path,
        Txn::CreateContainer(body) => &body.path,
        Txn::CreateTtl(body) => &body.path,
        other => panic!("{other:?} creates nothing"),
    }
}

fn stored_acl(perms: i32, scheme: &str, id: &str) -> Option<Vec<Acl>> {
    Some(vec![Acl { perms, id: Id { scheme: scheme.to_owned(), id: id.to_owned() } }])
}
