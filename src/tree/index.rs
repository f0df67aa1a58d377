//! Finds a child by its parent and name.

use super::node::NodeId;
use super::slab::Slab;
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::hash::{BuildHasher, Hasher};

/// Growing a hash table moves all its entries at once. Many small tables grow one by one, so that
/// no single write has to wait for the whole tree.
const SHARDS: usize = 1024;

/// Every node but the root, keyed by parent and name. Holds ids only: the keys are in the nodes.
#[derive(Debug)]
pub(super) struct Index {
    shards: Vec<HashTable<NodeId>>,
}

impl Default for Index {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| HashTable::new()).collect() }
    }
}

impl Index {
    /// The child of `parent` with this name.
    pub(super) fn find(&self, slab: &Slab, parent: NodeId, name: &[u8]) -> Option<NodeId> {
        let hash = hash(parent, name);
        self.shards[shard(hash)].find(hash, |id| is(slab, *id, parent, name)).copied()
    }

    /// Adds a node, whose parent and name must be set and not be taken.
    pub(super) fn insert(&mut self, slab: &Slab, id: NodeId) {
        let hash = hash_of(slab, id);
        self.shards[shard(hash)].insert_unique(hash, id, |id| hash_of(slab, *id));
    }

    /// Takes a node out.
    pub(super) fn remove(&mut self, slab: &Slab, id: NodeId) {
        let hash = hash_of(slab, id);
        let entry = self.shards[shard(hash)].find_entry(hash, |found| *found == id);
        assert!(entry.is_ok(), "every node but the root is in the index");
        if let Ok(entry) = entry {
            entry.remove();
        }
    }
}

fn is(slab: &Slab, id: NodeId, parent: NodeId, name: &[u8]) -> bool {
    let node = slab.get(id);
    node.parent == parent && node.content.name_bytes() == name
}

fn hash_of(slab: &Slab, id: NodeId) -> u64 {
    let node = slab.get(id);
    hash(node.parent, node.content.name_bytes())
}

fn hash(parent: NodeId, name: &[u8]) -> u64 {
    let mut hasher = FixedState::default().build_hasher();
    hasher.write_u32(parent);
    hasher.write(name);
    hasher.finish()
}

/// The tables use the lowest and the topmost bits themselves, so shards go by some in between.
fn shard(hash: u64) -> usize {
    (hash >> 40) as usize % SHARDS
}
