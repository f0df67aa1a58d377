//! \[history\] What was decided, once and for all, and what follows from it by the plain rules.
//!
//! There is one order of transactions; a zxid that is decided never means anything else. Within an
//! epoch no zxid is left out. Each transaction was right when its turn came, each request was
//! carried out at most once, and those of a session in the order in which they were sent.

use super::super::server::TREE;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use zabra::tree::{Transaction, Tree, Txn};
use zabra::types::{Epoch, SessionId, Zxid};

/// A znode as a client sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) data: Option<Bytes>,
    pub(crate) czxid: i64,
    pub(crate) mzxid: i64,
    pub(crate) version: i32,
    pub(crate) owner: i64,
}

/// From when to when a session lived.
#[derive(Clone, Copy, Debug)]
pub(super) struct Life {
    pub(super) begin: Zxid,
    pub(super) end: Option<Zxid>,
}

/// Everything that was ever decided.
pub(crate) struct History {
    log: BTreeMap<Zxid, Bytes>,
    txns: BTreeMap<Zxid, Transaction>,
    tree: Tree,
    digests: BTreeMap<Zxid, i64>,
    /// Each znode through the ages.
    nodes: BTreeMap<String, BTreeMap<Zxid, Option<Node>>>,
    data_changes: BTreeMap<String, BTreeSet<i64>>,
    child_changes: BTreeMap<String, BTreeSet<i64>>,
    sessions: BTreeMap<SessionId, Life>,
    /// The last request of each session that changed something.
    requests: BTreeMap<SessionId, i32>,
    newest_epoch: Epoch,
}

impl History {
    pub(super) fn new() -> Self {
        let tree = Tree::new(TREE);
        let node = Node { data: Some(Bytes::new()), czxid: 0, mzxid: 0, version: 0, owner: 0 };
        let nodes = ["/", "/zookeeper", "/zookeeper/quota"].into_iter();
        let nodes = nodes.map(|path| (path.to_owned(), [(Zxid::ZERO, Some(node.clone()))].into()));
        Self {
            log: BTreeMap::new(),
            txns: BTreeMap::new(),
            digests: [(Zxid::ZERO, tree.digest())].into(),
            tree,
            nodes: nodes.collect(),
            data_changes: BTreeMap::new(),
            child_changes: BTreeMap::new(),
            sessions: BTreeMap::new(),
            requests: BTreeMap::new(),
            newest_epoch: Epoch(0),
        }
    }

    pub(crate) fn last(&self) -> Zxid {
        self.log.keys().next_back().copied().unwrap_or(Zxid::ZERO)
    }

    /// The highest zxid that a client may see.
    pub(crate) fn shown(&self) -> Zxid {
        self.last().max(Zxid::new(self.newest_epoch, 0))
    }

    pub(super) fn established(&mut self, epoch: Epoch) {
        self.newest_epoch = self.newest_epoch.max(epoch);
    }

    pub(super) fn payload(&self, zxid: Zxid) -> Option<&Bytes> {
        self.log.get(&zxid)
    }

    pub(super) fn log_up_to(&self, last: Zxid) -> BTreeMap<Zxid, Bytes> {
        self.log.range(..=last).map(|(zxid, payload)| (*zxid, payload.clone())).collect()
    }

    /// What was decided behind one zxid, up to another.
    pub(super) fn between(
        &self,
        behind: Zxid,
        up_to: Zxid,
    ) -> impl Iterator<Item = (&Zxid, &Bytes)> {
        self.log.range(behind.next()..).take_while(move |(zxid, _)| **zxid <= up_to)
    }

    pub(super) fn txn(&self, zxid: Zxid) -> Option<&Transaction> {
        self.txns.get(&zxid)
    }

    pub(super) const fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The tree's digest as of a zxid.
    pub(super) fn digest_at(&self, zxid: Zxid) -> i64 {
        self.digests.range(..=zxid).next_back().map_or(0, |(_, digest)| *digest)
    }

    /// A stored or received tree is one that there was.
    pub(super) fn check_tree(&self, applied: Zxid, digest: i64) {
        assert!(applied <= self.last(), "[commit] a tree of {applied} is stored: not decided");
        assert_eq!(digest, self.digest_at(applied), "[digests] of a stored tree of {applied}");
    }

    /// The sessions that lived as of a zxid.
    pub(super) fn sessions_at(&self, zxid: Zxid) -> BTreeSet<SessionId> {
        let lives = |life: &Life| life.begin <= zxid && life.end.is_none_or(|end| zxid < end);
        self.sessions.iter().filter(|(_, life)| lives(life)).map(|(id, _)| *id).collect()
    }

    /// Whether a session had begun as of a zxid.
    pub(super) fn began(&self, session: SessionId, zxid: Zxid) -> bool {
        self.sessions.get(&session).is_some_and(|life| life.begin <= zxid)
    }

    /// Whether a session lives as far as is decided.
    pub(super) fn lives(&self, session: SessionId) -> bool {
        self.sessions.get(&session).is_some_and(|life| life.end.is_none())
    }

    pub(crate) fn node_at(&self, path: &str, zxid: Zxid) -> Option<&Node> {
        self.nodes.get(path)?.range(..=zxid).next_back()?.1.as_ref()
    }

    /// The names of a znode's children, sorted.
    pub(crate) fn children_at(&self, path: &str, zxid: Zxid) -> Vec<String> {
        let prefix = if path == "/" { "/".to_owned() } else { format!("{path}/") };
        let below = self.nodes.range(prefix.clone()..);
        let below = below.take_while(|(path, _)| path.starts_with(&prefix));
        let names = below.filter_map(|(path, ages)| {
            let name = &path[prefix.len()..];
            let is_child = !name.is_empty() && !name.contains('/');
            let there = ages.range(..=zxid).next_back().is_some_and(|(_, node)| node.is_some());
            (is_child && there).then(|| name.to_owned())
        });
        names.collect()
    }

    /// The first change after `since` and not after `until` that a watch on a path waits for.
    pub(crate) fn changed(
        &self,
        path: &str,
        of_children: bool,
        since: i64,
        until: i64,
    ) -> Option<i64> {
        let changes = if of_children { &self.child_changes } else { &self.data_changes };
        changes.get(path)?.range(since + 1..).next().copied().filter(|zxid| *zxid <= until)
    }

    /// A transaction is decided that was not before.
    pub(super) fn commit(&mut self, zxid: Zxid, payload: Bytes) {
        let last = self.last();
        let follows = zxid == last.next() || (zxid.epoch() > last.epoch() && zxid.counter() == 1);
        assert!(follows, "[history] {zxid} is decided after {last}");
        let txn = Transaction::from_bytes(payload.clone()).expect("[history] no transaction");
        assert_eq!(txn.header.zxid, zxid.0, "[history] the zxid in the transaction");
        self.check_request(&txn);
        self.take(zxid, &txn, &txn.body);
        self.tree.apply(&txn, &mut Vec::new());
        let digest = self.tree.digest();
        if let Some(predicted) = &txn.digest {
            assert_eq!(predicted.tree_digest, digest, "[digests] as predicted for {zxid}");
        }
        self.digests.insert(zxid, digest);
        self.log.insert(zxid, payload);
        self.txns.insert(zxid, txn);
    }

    fn check_request(&mut self, txn: &Transaction) {
        let (session, cxid) = (SessionId(txn.header.client_id), txn.header.cxid);
        let is_refused = match &txn.body {
            Txn::Multi(parts) => parts.iter().any(|part| matches!(part, Txn::Error(_))),
            // The end is the end, whoever brings it.
            Txn::Error(_) | Txn::CloseSession(_) => true,
            _ => false,
        };
        if is_refused || cxid == 0 || session == SessionId(0) {
            return;
        }
        let before = self.requests.insert(session, cxid);
        assert!(
            before.is_none_or(|before| before < cxid),
            "[history] request {cxid} of session {session} after {before:?}"
        );
        let begins = matches!(txn.body, Txn::CreateSession(_));
        assert!(begins || self.lives(session), "[history] {session} acts without living");
    }

    /// Does what a transaction says, if that can be.
    fn take(&mut self, zxid: Zxid, txn: &Transaction, body: &Txn) {
        let session = SessionId(txn.header.client_id);
        match body {
            Txn::Create(op) | Txn::Create2(op) => {
                let owner = if op.ephemeral { session.0 } else { 0 };
                self.create(zxid, &op.path, op.data.clone(), owner);
            }
            Txn::Delete(op) => self.delete(zxid, &op.path),
            Txn::SetData(op) => self.set(zxid, &op.path, op.data.clone(), op.version),
            Txn::Check(op) => {
                let node = self.node_at(&op.path, zxid).expect("[history] a check of nothing");
                // The transaction has the version that a write would have made.
                assert_eq!(op.version, node.version + 1, "[history] {zxid}: a check that fails");
            }
            Txn::Multi(parts) => {
                if !parts.iter().any(|part| matches!(part, Txn::Error(_))) {
                    for part in parts {
                        self.take(zxid, txn, part);
                    }
                }
            }
            Txn::CreateSession(_) => {
                let life = Life { begin: zxid, end: None };
                let before = self.sessions.insert(session, life);
                assert!(before.is_none(), "[history] {session} begins twice");
            }
            Txn::CloseSession(op) => {
                let life = self.sessions.get_mut(&session);
                let life = life.unwrap_or_else(|| panic!("[history] {session} ends unborn"));
                // It may expire when its client has just closed it.
                life.end.get_or_insert(zxid);
                self.close(zxid, session, op.paths_to_delete.as_deref().unwrap_or_default());
            }
            Txn::Error(_) => {}
            other => panic!("[history] nobody asked for {other:?}"),
        }
    }

    fn create(&mut self, zxid: Zxid, path: &str, data: Option<Bytes>, owner: i64) {
        assert!(self.node_at(path, zxid).is_none(), "[history] {zxid}: {path} is there");
        let parent = self.node_at(parent_of(path), zxid);
        let parent = parent.unwrap_or_else(|| panic!("[history] {zxid}: {path} without parent"));
        assert_eq!(parent.owner, 0, "[history] {zxid}: a child of an ephemeral");
        let node = Node { data, czxid: zxid.0, mzxid: zxid.0, version: 0, owner };
        self.put(zxid, path, Some(node));
        self.child_changes.entry(parent_of(path).to_owned()).or_default().insert(zxid.0);
    }

    fn delete(&mut self, zxid: Zxid, path: &str) {
        assert!(self.node_at(path, zxid).is_some(), "[history] {zxid}: {path} is not there");
        let children = self.children_at(path, zxid);
        assert!(children.is_empty(), "[history] {zxid}: {path} has {children:?}");
        self.put(zxid, path, None);
        for path in [path, parent_of(path)] {
            self.child_changes.entry(path.to_owned()).or_default().insert(zxid.0);
        }
    }

    fn set(&mut self, zxid: Zxid, path: &str, data: Option<Bytes>, version: i32) {
        let node = self.node_at(path, zxid).cloned();
        let node = node.unwrap_or_else(|| panic!("[history] {zxid}: {path} is not there"));
        assert_eq!(version, node.version + 1, "[history] {zxid}: the version of {path}");
        self.put(zxid, path, Some(Node { data, mzxid: zxid.0, version, ..node }));
    }

    fn close(&mut self, zxid: Zxid, session: SessionId, listed: &[String]) {
        let owned = |ages: &BTreeMap<Zxid, Option<Node>>| {
            let now = ages.range(..=zxid).next_back();
            now.is_some_and(|(_, node)| node.as_ref().is_some_and(|node| node.owner == session.0))
        };
        let owned = self.nodes.iter().filter(|(_, ages)| owned(ages));
        let owned: BTreeSet<_> = owned.map(|(path, _)| path.clone()).collect();
        let listed: BTreeSet<_> = listed.iter().cloned().collect();
        assert_eq!(listed, owned, "[history] {zxid}: the ephemerals of {session}");
        for path in owned {
            self.delete(zxid, &path);
        }
    }

    fn put(&mut self, zxid: Zxid, path: &str, node: Option<Node>) {
        self.nodes.entry(path.to_owned()).or_default().insert(zxid, node);
        self.data_changes.entry(path.to_owned()).or_default().insert(zxid.0);
    }
}

fn parent_of(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some(("", _)) | None => "/",
        Some((parent, _)) => parent,
    }
}
