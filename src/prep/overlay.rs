//! The changes that are proposed but not yet applied (ZK: `outstandingChanges`).
//!
//! One entry per path, with the zxid of its last change. Lookups find it before the tree, and it
//! is dropped once the tree has caught up. What holds between calls:
//! - every entry's zxid stands in `order` with its path;
//! - the predicted digest is the tree's after all pending changes;
//! - `ephemerals` lists exactly the pending znodes that a session owns.

use super::znode::{self, View, Znode};
use crate::tree::Tree;
use crate::types::{EphemeralOwner, ErrorCode, ExtendedTypes, Map, SessionId, Set, Zxid};
use hashbrown::hash_map::EntryRef;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

/// Pending changes over the tree.
#[derive(Debug, Default)]
pub(super) struct Overlay {
    changes: Map<Arc<str>, Change>,
    /// Every change in the order of its zxid, to forget them by.
    order: VecDeque<(Zxid, Arc<str>)>,
    /// Pending znodes by the session that owns them.
    ephemerals: Map<SessionId, Set<Arc<str>>>,
    /// The predicted digest; means something only while something is pending.
    digest: i64,
    digests: bool,
    extended_types: ExtendedTypes,
    /// What a multi has replaced so far; `None` outside of one.
    undo: Option<Undo>,
}

/// A path's pending state.
#[derive(Debug)]
struct Change {
    /// The last transaction that changed it.
    zxid: Zxid,
    /// What it will be, `None` if deleted.
    znode: Option<Znode>,
}

/// How to take back what a multi has done so far.
#[derive(Debug)]
struct Undo {
    order_len: usize,
    digest: i64,
    /// What was replaced, oldest first.
    replaced: Vec<(Arc<str>, Option<Change>)>,
}

impl Overlay {
    /// An empty overlay. `digests` says whether the tree's digest is to be predicted.
    pub(super) fn new(digests: bool, extended_types: ExtendedTypes) -> Self {
        Self { digests, extended_types, ..Self::default() }
    }

    /// How many paths have pending changes.
    pub(super) fn len(&self) -> usize {
        self.changes.len()
    }

    /// The znode at a path, after all pending changes.
    pub(super) fn find<'a>(&'a self, tree: &'a Tree, path: &str) -> Result<View<'a>, ErrorCode> {
        let view = match self.changes.get(key(path)) {
            Some(change) => change.znode.as_ref().map(View::Pending),
            None => tree.node(path).map(View::Stored),
        };
        view.ok_or(ErrorCode::NoNode)
    }

    /// A copy of a znode that was found, to change it and [`Overlay::put`] it back.
    pub(super) fn copy(&self, path: &str, view: &View<'_>) -> Znode {
        view.to_znode(path, self.digests)
    }

    /// What a znode's [`Znode::content`] is.
    pub(super) fn content_hash(&self, path: &str, data: Option<&[u8]>) -> Option<u32> {
        if self.digests { znode::content_hash(path, data) } else { None }
    }

    /// What kind of owner a znode has.
    pub(super) fn owner(&self, raw: i64) -> EphemeralOwner {
        EphemeralOwner::from_raw(raw, self.extended_types)
    }

    /// The tree's digest after all pending changes.
    pub(super) fn tree_digest(&self, tree: &Tree) -> i64 {
        if self.order.is_empty() { tree.digest() } else { self.digest }
    }

    /// Notes a new or changed znode. Its `digest` is still that of before the change, 0 for a new
    /// one.
    pub(super) fn put(&mut self, tree: &Tree, zxid: Zxid, path: &str, mut znode: Znode) {
        let old = znode.digest;
        znode.digest = znode.computed_digest();
        self.note(tree, zxid, path, (old, znode.digest), Some(znode));
    }

    /// Notes that a znode is deleted. `digest` is the one it had.
    pub(super) fn remove(&mut self, tree: &Tree, zxid: Zxid, path: &str, digest: u32) {
        self.note(tree, zxid, path, (digest, 0), None);
    }

    /// The paths that a session owns after all pending changes, sorted.
    pub(super) fn ephemerals(&self, tree: &Tree, session: SessionId) -> BTreeSet<String> {
        let stored = tree.ephemerals(session).into_iter();
        let mut paths: BTreeSet<_> =
            stored.filter(|path| !self.changes.contains_key(path.as_str())).collect();
        let pending = self.ephemerals.get(&session).into_iter().flatten();
        paths.extend(pending.map(|path| path.as_ref().to_owned()));
        paths
    }

    /// From here on, changes can be taken back.
    pub(super) fn begin(&mut self, tree: &Tree) {
        assert!(self.undo.is_none(), "multis do not nest");
        let (order_len, digest) = (self.order.len(), self.tree_digest(tree));
        self.undo = Some(Undo { order_len, digest, replaced: Vec::new() });
    }

    /// Keeps the changes since [`Overlay::begin`], if they have not been taken back.
    pub(super) fn commit(&mut self) {
        self.undo = None;
    }

    /// Takes back the changes since [`Overlay::begin`].
    pub(super) fn rollback(&mut self) {
        let Some(undo) = self.undo.take() else { return };
        for (path, change) in undo.replaced.into_iter().rev() {
            self.restore(&path, change);
        }
        self.order.truncate(undo.order_len);
        self.digest = undo.digest;
    }

    /// Drops what was last changed up to a zxid: the tree has it.
    pub(super) fn forget(&mut self, zxid: Zxid) {
        debug_assert!(self.undo.is_none(), "nothing is applied within a multi");
        while let Some((_, path)) = self.order.pop_front_if(|(changed, _)| *changed <= zxid) {
            let is_last = self.changes.get(&path).is_some_and(|change| change.zxid <= zxid);
            if is_last {
                self.restore(&path, None);
            }
        }
    }

    /// Drops everything.
    pub(super) fn clear(&mut self) {
        *self = Self::new(self.digests, self.extended_types);
    }

    fn note(
        &mut self,
        tree: &Tree,
        zxid: Zxid,
        path: &str,
        (old, new): (u32, u32),
        znode: Option<Znode>,
    ) {
        debug_assert!(self.order.back().is_none_or(|(last, _)| *last <= zxid), "zxids only rise");
        let digest = self.tree_digest(tree);
        self.digest = digest.wrapping_sub(i64::from(old)).wrapping_add(i64::from(new));
        let owner = znode.as_ref().and_then(|znode| self.session_of(znode));
        let change = Change { zxid, znode };
        let (path, replaced) = match self.changes.entry_ref(key(path)) {
            EntryRef::Occupied(mut entry) => {
                let replaced = entry.insert(change);
                (entry.key().clone(), Some(replaced))
            }
            EntryRef::Vacant(entry) => (entry.insert_entry(change).key().clone(), None),
        };
        self.change_owner(&path, replaced.as_ref(), owner);
        self.order.push_back((zxid, path.clone()));
        if let Some(undo) = &mut self.undo {
            undo.replaced.push((path, replaced));
        }
    }

    fn restore(&mut self, path: &Arc<str>, change: Option<Change>) {
        let znode = change.as_ref().and_then(|change| change.znode.as_ref());
        let owner = znode.and_then(|znode| self.session_of(znode));
        let replaced = match change {
            Some(change) => self.changes.insert(path.clone(), change),
            None => self.changes.remove(path),
        };
        self.change_owner(path, replaced.as_ref(), owner);
    }

    /// Keeps `ephemerals` in step with `changes`.
    fn change_owner(&mut self, path: &Arc<str>, old: Option<&Change>, new: Option<SessionId>) {
        let znode = old.and_then(|change| change.znode.as_ref());
        let old = znode.and_then(|znode| self.session_of(znode));
        if old == new {
            return;
        }
        if let Some(session) = new {
            self.ephemerals.entry(session).or_default().insert(path.clone());
        }
        let Some(session) = old else { return };
        if let Some(paths) = self.ephemerals.get_mut(&session) {
            let listed = paths.remove(path);
            debug_assert!(listed, "a pending ephemeral is listed");
            if paths.is_empty() {
                self.ephemerals.remove(&session);
            }
        }
    }

    fn session_of(&self, znode: &Znode) -> Option<SessionId> {
        match self.owner(znode.stat.ephemeral_owner) {
            EphemeralOwner::Session(session) => Some(session),
            EphemeralOwner::Void | EphemeralOwner::Container | EphemeralOwner::Ttl(_) => None,
        }
    }
}

/// The root has two names; pending changes know it by one.
fn key(path: &str) -> &str {
    if path.is_empty() { "/" } else { path }
}
