//! Reading one znode.

use super::node::NodeId;
use super::{SharedAcl, Tree};
use crate::types::{EphemeralOwner, Stat};
use jute::disk::StatPersisted;

/// A znode, borrowed from the tree. Reading allocates nothing.
#[derive(Clone, Copy, Debug)]
pub struct NodeRef<'a> {
    tree: &'a Tree,
    id: NodeId,
}

impl<'a> NodeRef<'a> {
    pub(super) fn new(tree: &'a Tree, id: NodeId) -> Self {
        Self { tree, id }
    }

    /// The data; null and empty data differ.
    #[must_use]
    pub fn data(self) -> Option<&'a [u8]> {
        self.tree.nodes.get(self.id).content.data()
    }

    /// The stat as clients see it: `cversion` counts creations and deletions of children, and
    /// only sessions show as owners (ZK: `DataNode.copyStat`).
    #[must_use]
    pub fn stat(self) -> Stat {
        let node = self.tree.nodes.get(self.id);
        // Every creation that is not matched by a present child was followed by a deletion.
        let children = node.child_count.cast_signed();
        Stat {
            czxid: node.czxid,
            mzxid: node.mzxid,
            ctime: node.ctime,
            mtime: node.mtime,
            version: node.version,
            cversion: node.cversion.wrapping_mul(2).wrapping_sub(children),
            aversion: node.aversion,
            ephemeral_owner: match self.owner() {
                EphemeralOwner::Session(session) => session.0,
                EphemeralOwner::Void | EphemeralOwner::Container | EphemeralOwner::Ttl(_) => 0,
            },
            data_length: i32::try_from(node.data_len()).unwrap_or(i32::MAX),
            num_children: children,
            pzxid: node.pzxid,
        }
    }

    /// The stat as it is replicated and stored.
    #[must_use]
    pub fn stored_stat(self) -> StatPersisted {
        self.tree.nodes.get(self.id).stored_stat()
    }

    /// The access control list.
    #[must_use]
    pub fn acl(self) -> &'a SharedAcl {
        self.tree.acls.get(self.tree.nodes.get(self.id).acl)
    }

    /// How many children it has.
    #[must_use]
    pub fn child_count(self) -> usize {
        self.tree.nodes.get(self.id).child_count as usize
    }

    /// Names of its children, in no particular order.
    pub fn children(self) -> impl Iterator<Item = &'a str> + 'a {
        let nodes = &self.tree.nodes;
        nodes.children(self.id).map(|id| nodes.get(id).content.name())
    }

    /// What kind of znode it is.
    #[must_use]
    pub fn owner(self) -> EphemeralOwner {
        self.tree.owner(self.id)
    }

    /// What it adds to the tree's digest.
    #[must_use]
    pub fn digest(self) -> u32 {
        self.tree.nodes.get(self.id).digest
    }
}
