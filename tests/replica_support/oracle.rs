//! What is true: the log, and what follows from it.

use super::Coverage;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use zabra::tree::{Change, Transaction, Tree, TreeOptions, Txn};
use zabra::types::{SessionId, Zxid};

pub(super) struct Oracle {
    pub(super) log: BTreeMap<Zxid, Bytes>,
    pub(super) tree: Tree,
    pub(super) sessions: BTreeSet<SessionId>,
    /// When a znode was created or deleted or its data changed.
    data_changes: BTreeMap<String, BTreeSet<i64>>,
    /// When a znode was deleted or got or lost a child.
    child_changes: BTreeMap<String, BTreeSet<i64>>,
}

impl Oracle {
    pub(super) fn new(options: TreeOptions) -> Self {
        Self {
            log: BTreeMap::new(),
            tree: Tree::new(options),
            sessions: BTreeSet::new(),
            data_changes: BTreeMap::new(),
            child_changes: BTreeMap::new(),
        }
    }

    pub(super) fn applied(&self) -> Zxid {
        self.tree.last_zxid()
    }

    pub(super) fn append(&mut self, zxid: Zxid, payload: Bytes) {
        let expected = self.log.keys().next_back().map_or(Zxid(1), |last| last.next());
        assert_eq!(zxid, expected, "no zxid is left out");
        self.log.insert(zxid, payload);
    }

    /// A crash has lost what was not durable.
    pub(super) fn lose_after(&mut self, last: Zxid, coverage: &mut Coverage) {
        if !self.log.split_off(&last.next()).is_empty() {
            coverage.note("crash that lost entries");
        }
    }

    /// Does what the log says.
    pub(super) fn apply_to(&mut self, last: Zxid, coverage: &mut Coverage) {
        let next = self.applied().next();
        for (zxid, payload) in self.log.range(next..).take_while(|(zxid, _)| **zxid <= last) {
            let txn = Transaction::from_bytes(payload.clone()).expect("a transaction");
            assert_eq!(txn.header.zxid, zxid.0);
            let mut changes = Vec::new();
            self.tree.apply(&txn, &mut changes);
            let session = SessionId(txn.header.client_id);
            match txn.body {
                Txn::CreateSession(_) => assert!(self.sessions.insert(session), "a new session"),
                Txn::CloseSession(_) => assert!(self.sessions.remove(&session), "closed once"),
                Txn::DeleteContainer(_) => coverage.note("reaped"),
                _ => {}
            }
            for change in changes {
                note(&mut self.data_changes, &mut self.child_changes, &change, zxid.0);
            }
        }
        assert_eq!(self.applied(), last, "nothing is applied that was not logged");
    }

    /// The first change after `since` and not after `until` that a watch on a path waits for.
    pub(super) fn changed(
        &self,
        path: &str,
        of_children: bool,
        since: i64,
        until: i64,
    ) -> Option<i64> {
        let changes = if of_children { &self.child_changes } else { &self.data_changes };
        changes.get(path)?.range(since + 1..).next().copied().filter(|zxid| *zxid <= until)
    }
}

fn note(
    data: &mut BTreeMap<String, BTreeSet<i64>>,
    child: &mut BTreeMap<String, BTreeSet<i64>>,
    change: &Change,
    zxid: i64,
) {
    let (Change::Created { path, .. }
    | Change::Deleted { path, .. }
    | Change::DataChanged { path, .. }) = change;
    data.entry(path.clone()).or_default().insert(zxid);
    if matches!(change, Change::Deleted { .. }) {
        child.entry(path.clone()).or_default().insert(zxid);
    }
    if !matches!(change, Change::DataChanged { .. }) {
        let parent = path.rsplit_once('/').map_or("/", |(parent, _)| parent);
        let parent = if parent.is_empty() { "/" } else { parent };
        child.entry(parent.to_owned()).or_default().insert(zxid);
    }
}
