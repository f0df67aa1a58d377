//! The replicated state machine: a tree of znodes and the transactions that change it
//! (ZK: `DataTree`).
//!
//! [`Tree::apply`] takes committed transactions in their order. It is deterministic, never fails
//! and never panics, whatever a log holds; applying a transaction again does what it does in
//! ZooKeeper. Everything else reads. The tree knows no client protocol, no session or watch table,
//! no clock and no store: [`Change`]s tell whoever keeps watches what happened, and
//! [`Tree::drain_dirty`] what a store has to write.

mod acl;
mod apply;
mod digest;
mod dirty;
mod dump;
mod index;
mod load;
mod node;
mod node_ref;
mod nodes;
mod quota;
mod slab;
#[cfg(test)]
mod tests;
mod txn;

pub use acl::SharedAcl;
pub use apply::{Applied, Change};
pub use digest::node_digest;
pub use load::{LoadError, TreeLoader};
pub use node_ref::NodeRef;
pub use quota::{QuotaLimit, QuotaNumbers};
pub use txn::{Transaction, Txn};

use crate::types::path::split;
use crate::types::{Acl, EphemeralOwner, ExtendedTypes, SessionId, Zxid, perms};
use acl::{AclTable, OPEN};
use digest::Digest;
use dirty::Dirty;
use jute::disk::StatPersisted;
use node::{Content, Node, NodeId, ROOT};
use nodes::Nodes;
use std::collections::BTreeSet;

/// The node that holds the ensemble's configuration.
pub const CONFIG_PATH: &str = "/zookeeper/config";
const SYSTEM_PATH: &str = "/zookeeper";
const QUOTA_PATH: &str = "/zookeeper/quota";

/// What decides how transactions are understood; must be the same on all servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeOptions {
    /// Whether owners may be TTLs.
    pub extended_types: ExtendedTypes,
    /// Whether to keep digests. Without, every digest is 0.
    pub digest: bool,
}

impl Default for TreeOptions {
    fn default() -> Self {
        Self { extended_types: ExtendedTypes::Off, digest: true }
    }
}

/// All znodes, as of one transaction.
#[derive(Debug)]
pub struct Tree {
    options: TreeOptions,
    nodes: Nodes,
    acls: AclTable,
    /// Ephemeral nodes by owner.
    ephemerals: BTreeSet<(SessionId, NodeId)>,
    /// Containers and nodes with a TTL.
    perishable: BTreeSet<NodeId>,
    /// How many nodes below `/zookeeper/quota` hold limits.
    limit_nodes: usize,
    /// Lengths of all paths and data.
    data_size: u64,
    digest: Digest,
    dirty: Dirty,
    /// The last applied transaction.
    applied: Zxid,
    /// What clients are shown at least, see [`Tree::establish`].
    established: Zxid,
}

impl Tree {
    /// The tree that every ensemble starts with: the root and ZooKeeper's own nodes.
    #[must_use]
    pub fn new(options: TreeOptions) -> Self {
        let mut tree = Self::bare(options);
        tree.set_root(Some(b""), None, &StatPersisted::default());
        tree.add_system_nodes();
        tree
    }

    /// A root without data, as a start for loading.
    fn bare(options: TreeOptions) -> Self {
        let root = Node::new(Content::new("", None), &StatPersisted::default(), OPEN);
        Self {
            options,
            nodes: Nodes::new(root),
            acls: AclTable::default(),
            ephemerals: BTreeSet::new(),
            perishable: BTreeSet::new(),
            limit_nodes: 0,
            data_size: 1,
            digest: Digest::default(),
            dirty: Dirty::default(),
            applied: Zxid::ZERO,
            established: Zxid::ZERO,
        }
    }

    /// The node at a path; `""` and `"/"` are the root. A path that no znode can have, such as one
    /// with an empty name in it, leads nowhere.
    #[must_use]
    pub fn node(&self, path: &str) -> Option<NodeRef<'_>> {
        self.nodes.find(path).map(|id| NodeRef::new(self, id))
    }

    /// The zxid that the tree stands for, as clients see it.
    #[must_use]
    pub fn last_zxid(&self) -> Zxid {
        self.applied.max(self.established)
    }

    /// The highest zxid that was applied: what a stored image of the tree must be marked with.
    #[must_use]
    pub fn applied_zxid(&self) -> Zxid {
        self.applied
    }

    /// A new epoch begins with the tree as it is: clients see this zxid until a transaction has a
    /// higher one (ZK: `Leader.startZkServer`).
    pub fn establish(&mut self, zxid: Zxid) {
        self.established = self.established.max(zxid);
    }

    /// The digest of all znodes.
    #[must_use]
    pub fn digest(&self) -> i64 {
        self.digest.sum()
    }

    /// Digests after earlier transactions, oldest first: one in 128, of the last 1024 such.
    pub fn digest_log(&self) -> impl Iterator<Item = (Zxid, i64)> + '_ {
        self.digest.log()
    }

    /// The number of znodes as ZooKeeper prints it: it counts the root twice.
    #[must_use]
    pub fn node_count(&self) -> usize {
        self.nodes.len() + 1
    }

    /// The lengths of all paths and data added up (ZK: `approximateDataSize`).
    #[must_use]
    pub fn data_size(&self) -> u64 {
        self.data_size
    }

    /// How many znodes are below a path, if that one exists.
    #[must_use]
    pub fn descendants(&self, path: &str) -> Option<usize> {
        let top = self.nodes.find(path)?;
        Some(if top == ROOT { self.nodes.len() } else { self.nodes.walk(top).count() } - 1)
    }

    /// Paths of the session's ephemeral nodes, sorted.
    #[must_use]
    pub fn ephemerals(&self, session: SessionId) -> Vec<String> {
        let of_session = (session, NodeId::MIN)..=(session, NodeId::MAX);
        let ids = self.ephemerals.range(of_session).map(|(_, id)| *id);
        self.sorted_paths(ids)
    }

    /// How many ephemeral nodes there are.
    #[must_use]
    pub fn ephemeral_count(&self) -> usize {
        self.ephemerals.len()
    }

    /// Sessions that own ephemeral nodes, sorted.
    #[must_use]
    pub fn ephemeral_owners(&self) -> Vec<SessionId> {
        let mut owners: Vec<_> = self.ephemerals.iter().map(|(owner, _)| *owner).collect();
        owners.dedup();
        owners
    }

    /// Paths of childless nodes that may be removed, sorted: containers that have been used, those
    /// never used for longer than `max_never_used_ms` (0 for any time), and nodes that have
    /// outlived their TTL at `now_wall`. Times in milliseconds, the latter since the Unix epoch.
    #[must_use]
    pub fn removal_candidates(&self, now_wall: i64, max_never_used_ms: i64) -> Vec<String> {
        let may_go = |id: &NodeId| {
            let node = self.nodes.get(*id);
            let age = now_wall.saturating_sub(node.mtime);
            let outlived = |limit| limit != 0 && age > limit;
            node.child_count == 0
                && match self.owner(*id) {
                    EphemeralOwner::Container => node.cversion > 0 || outlived(max_never_used_ms),
                    EphemeralOwner::Ttl(ttl) => outlived(ttl),
                    EphemeralOwner::Void | EphemeralOwner::Session(_) => false,
                }
        };
        self.sorted_paths(self.perishable.iter().copied().filter(may_go))
    }

    /// Sets the content of `/zookeeper/config`, which every server keeps for itself: data, the
    /// configuration's version as `mzxid`, and the time. No watch fires.
    pub fn set_config(&mut self, text: &[u8], version: Zxid, wall: i64) {
        self.add_system_nodes();
        let Some(id) = self.nodes.find(CONFIG_PATH) else { return };
        self.replace_data(id, Some(text));
        let node = self.nodes.get_mut(id);
        (node.version, node.mzxid, node.mtime) = (-1, version.0, wall);
        self.changed(id, CONFIG_PATH);
    }

    /// Adds those of ZooKeeper's own nodes that are missing.
    fn add_system_nodes(&mut self) {
        let read = perms::world(perms::READ);
        let config = StatPersisted { aversion: -1, ..StatPersisted::default() };
        let plain = StatPersisted::default();
        let nodes: [(&str, Option<&[Acl]>, &StatPersisted); 3] = [
            (SYSTEM_PATH, None, &plain),
            (QUOTA_PATH, None, &plain),
            (CONFIG_PATH, Some(&read), &config),
        ];
        for (path, acl, stat) in nodes {
            if self.nodes.find(path).is_none()
                && let Some((parent, _)) = split(path)
                && let Some(parent) = self.nodes.find(parent)
            {
                let id = self.insert(parent, path, Some(b""), acl, stat);
                self.dirty.mark(id);
            }
        }
    }

    /// Gives the root its content, once.
    fn set_root(&mut self, data: Option<&[u8]>, acl: Option<&[Acl]>, stat: &StatPersisted) {
        let acl = self.acls.intern(acl);
        self.replace_data(ROOT, data);
        let root = self.nodes.get_mut(ROOT);
        debug_assert!(root.child_count == 0 && root.acl == OPEN, "it is still bare");
        let content = std::mem::take(&mut root.content);
        *root = Node { digest: root.digest, ..Node::new(content, stat, acl) };
        self.changed(ROOT, "");
    }

    /// Puts a node into the tree and into everything that counts nodes. The parent is that of the
    /// path, and the path leads nowhere yet.
    fn insert(
        &mut self,
        parent: NodeId,
        path: &str,
        data: Option<&[u8]>,
        acl: Option<&[Acl]>,
        stat: &StatPersisted,
    ) -> NodeId {
        let name = split(path).map_or(path, |(_, name)| name);
        let node = Node::new(Content::new(name, data), stat, self.acls.intern(acl));
        self.data_size += path_size(path) + node.data_len() as u64;
        let id = self.nodes.insert(parent, node);
        match self.owner(id) {
            EphemeralOwner::Void => {}
            EphemeralOwner::Session(session) => {
                self.ephemerals.insert((session, id));
            }
            EphemeralOwner::Container | EphemeralOwner::Ttl(_) => {
                self.perishable.insert(id);
            }
        }
        self.refresh_digest(id, path);
        id
    }

    /// Takes a leaf out of the tree and out of everything that counts nodes.
    fn remove(&mut self, id: NodeId, path: &str) {
        match self.owner(id) {
            EphemeralOwner::Void => {}
            EphemeralOwner::Session(session) => {
                self.ephemerals.remove(&(session, id));
            }
            EphemeralOwner::Container | EphemeralOwner::Ttl(_) => {
                self.perishable.remove(&id);
            }
        }
        let node = self.nodes.get(id);
        let size = path_size(path) + node.data_len() as u64;
        assert!(self.data_size >= size, "the size of all nodes holds that of each");
        self.data_size -= size;
        self.digest.replace(node.digest, 0);
        self.acls.release(node.acl);
        self.nodes.remove(id);
        self.dirty.remove(path);
    }

    /// What must follow every change of a node's data or stat.
    fn changed(&mut self, id: NodeId, path: &str) {
        self.refresh_digest(id, path);
        self.dirty.mark(id);
    }

    fn refresh_digest(&mut self, id: NodeId, path: &str) {
        if self.options.digest {
            let node = self.nodes.get_mut(id);
            let digest = node_digest(path, node.content.data(), &node.stored_stat());
            let old = std::mem::replace(&mut node.digest, digest);
            self.digest.replace(old, digest);
        }
    }

    fn replace_data(&mut self, id: NodeId, data: Option<&[u8]>) {
        let node = self.nodes.get_mut(id);
        let old = node.data_len() as u64;
        node.content.set_data(data);
        self.data_size = self.data_size + node.data_len() as u64 - old;
    }

    fn replace_acl(&mut self, id: NodeId, acl: Option<&[Acl]>) {
        let acl = self.acls.intern(acl);
        let old = std::mem::replace(&mut self.nodes.get_mut(id).acl, acl);
        self.acls.release(old);
    }

    fn owner(&self, id: NodeId) -> EphemeralOwner {
        EphemeralOwner::from_raw(self.nodes.get(id).owner, self.options.extended_types)
    }

    fn sorted_paths(&self, ids: impl Iterator<Item = NodeId>) -> Vec<String> {
        let mut paths: Vec<_> = ids.map(|id| self.nodes.path(id)).collect();
        paths.sort_unstable();
        paths
    }
}

/// A path's length as ZooKeeper counts it, in UTF-16 units.
fn path_size(path: &str) -> u64 {
    if path.is_ascii() { path.len() as u64 } else { path.encode_utf16().count() as u64 }
}
