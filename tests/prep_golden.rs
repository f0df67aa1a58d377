//! Random requests that a standalone Apache ZooKeeper 3.9.5 was given by three pipelining clients,
//! and what it logged for them: prep must make the same transactions of them, digests included.
//!
//! Each entry of the files is a session (long), an xid and an operation code (int), the request's
//! body (buffer), the client's identities (vector of `Id`) and the logged transaction (buffer).
//! Requests for which ZooKeeper predicts a digest that its own tree then does not have were left
//! out: createContainer with another mode than the container's, create with that mode, and changes
//! of the root.

use bytes::Bytes;
use jute::{Decode, DecodeError, Decoder};
use std::collections::VecDeque;
use zabra::prep::{Prep, PrepOptions, WriteRequest};
use zabra::proto::{OpCode, Request};
use zabra::session::Sessions;
use zabra::tree::{Transaction, Tree, TreeOptions, Txn};
use zabra::types::{ExtendedTypes, Id, Moment, SessionId, Xid, Zxid};

/// The timeout that all clients asked for.
const TIMEOUT: i32 = 40_000;

struct Entry {
    session: SessionId,
    cxid: Xid,
    op: i32,
    body: Bytes,
    identities: Vec<Id>,
    logged: Transaction,
}

impl Entry {
    fn decode(input: &mut Decoder) -> Result<Self, DecodeError> {
        Ok(Self {
            session: SessionId(input.long()?),
            cxid: Xid(input.int()?),
            op: input.int()?,
            body: Decode::decode(input)?,
            identities: Decode::decode(input)?,
            logged: Transaction::from_bytes(Decode::decode(input)?)?,
        })
    }

    /// The request, `None` if it cannot be read.
    fn request(&self) -> Option<Request> {
        match OpCode::from_number(self.op).expect("an operation") {
            OpCode::CreateSession => Some(Request::CreateSession(TIMEOUT)),
            op => Request::decode(op, self.body.clone()).ok(),
        }
    }
}

/// Prepares every request and compares, with the tree always so many transactions behind.
fn compare(file: &'static [u8], lag: usize, enforce_quota: bool) -> usize {
    let extended_types = ExtendedTypes::On;
    let mut prep = Prep::new(PrepOptions {
        extended_types,
        enforce_quota,
        standalone: true,
        ..PrepOptions::default()
    });
    let mut tree = Tree::new(TreeOptions { extended_types, digest: true });
    let mut sessions = Sessions::new(2000);
    let mut pending = VecDeque::new();
    let mut input = Decoder::new(Bytes::from_static(file));
    let mut compared = 0;
    while input.remaining() > 0 {
        let entry = Entry::decode(&mut input).expect("a whole entry");
        let made = prepare(&mut prep, &tree, &sessions, &entry);
        assert_eq!(made, expected(&entry.logged), "entry {compared}");
        pending.push_back(made);
        if pending.len() > lag {
            apply(&mut prep, &mut tree, &mut sessions, &pending.pop_front().expect("the oldest"));
        }
        compared += 1;
    }
    compared
}

fn prepare(prep: &mut Prep, tree: &Tree, sessions: &Sessions, entry: &Entry) -> Transaction {
    let Entry { session, cxid, identities, logged, .. } = entry;
    let (zxid, wall) = (Zxid(logged.header.zxid), logged.header.time);
    match &entry.request() {
        Some(request) => {
            let request = WriteRequest {
                session: *session,
                cxid: *cxid,
                request,
                identities,
                owner: None,
                may_be_local: false,
            };
            prep.prepare(tree, sessions, &request, zxid, wall)
        }
        None => prep.refuse(*session, *cxid, zabra::types::ErrorCode::MarshallingError, zxid, wall),
    }
}

/// What ZooKeeper logged, but for two things that differ from run to run there.
fn expected(logged: &Transaction) -> Transaction {
    let mut expected = logged.clone();
    match &mut expected.body {
        // Listed in the order of a hash table.
        Txn::CloseSession(body) => body.paths_to_delete.iter_mut().for_each(|paths| paths.sort()),
        // A digest is left over if a multi turns out unreadable half-way.
        Txn::Error(_) => expected.digest = None,
        _ => {}
    }
    expected
}

fn apply(prep: &mut Prep, tree: &mut Tree, sessions: &mut Sessions, txn: &Transaction) {
    tree.apply(txn, &mut Vec::new());
    let session = SessionId(txn.header.client_id);
    match &txn.body {
        Txn::CreateSession(_) => sessions.insert(session, TIMEOUT, Moment(0)),
        Txn::CloseSession(_) => sessions.remove(session),
        _ => {}
    }
    prep.applied(Zxid(txn.header.zxid));
    if let Some(digest) = &txn.digest {
        assert_eq!(digest.tree_digest, tree.digest(), "after {txn:?}");
    }
}

#[test]
fn transactions_are_those_that_zookeeper_logged() {
    for lag in [0, 1, 40, usize::MAX] {
        assert_eq!(compare(include_bytes!("golden/requests.bin"), lag, false), 916);
    }
}

#[test]
fn quotas_refuse_what_zookeeper_refused() {
    for lag in [0, 1, 7] {
        assert_eq!(compare(include_bytes!("golden/requests_quota.bin"), lag, true), 268);
    }
}
