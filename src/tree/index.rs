//! Finds a child by its parent and name.

use super::node::NodeId;
use super::slab::Slab;
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::hash::{BuildHasher, Hasher};

/// Growing a hash table moves all its entries at once. Many small tables grow one by one, so that
/// no single write has to wait for the whole tree.
const SHARDS: usize = 1024;

/// Every node but the root, keyed by parent and name. The keys themselves are in the nodes. The
/// tables keep seven bits of each key's hash, so that few nodes are looked at for nothing; hashing
/// again when a table grows costs less than the memory for whole hashes would.
#[derive(Debug)]
pub(super) struct Index {
    shards: Vec<HashTable<NodeId>>,
}

/// The hash of a key.
#[derive(Clone, Copy, Debug)]
struct Hash(u32);

impl Default for Index {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| HashTable::new()).collect() }
    }
}

impl Index {
    /// Makes room for so many nodes, in a tree that has none but the root. Tables that grow hash
    /// all of their entries again: a fifth of the time in which a large tree is loaded.
    pub(super) fn expect(&mut self, nodes: usize) {
        self.shards.fill_with(|| HashTable::with_capacity(nodes / SHARDS));
    }

    /// Gives back the room for nodes that did not come.
    pub(super) fn fit(&mut self, slab: &Slab) {
        for shard in &mut self.shards {
            if shard.capacity() / 4 > shard.len() {
                shard.shrink_to_fit(|id| hash_of(slab, *id).spread());
            }
        }
    }

    /// The child of `parent` with this name.
    pub(super) fn find(&self, slab: &Slab, parent: NodeId, name: &[u8]) -> Option<NodeId> {
        let hash = Hash::of(parent, name);
        let is_it = |id: &NodeId| is(slab, *id, parent, name);
        self.shards[hash.shard()].find(hash.spread(), is_it).copied()
    }

    /// Adds a node, whose parent and name must be set and not be taken.
    pub(super) fn insert(&mut self, slab: &Slab, id: NodeId) {
        let hash = hash_of(slab, id);
        let spread = |id: &NodeId| hash_of(slab, *id).spread();
        self.shards[hash.shard()].insert_unique(hash.spread(), id, spread);
    }

    /// Takes a node out.
    pub(super) fn remove(&mut self, slab: &Slab, id: NodeId) {
        let hash = hash_of(slab, id);
        let entry = self.shards[hash.shard()].find_entry(hash.spread(), |entry| *entry == id);
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

fn hash_of(slab: &Slab, id: NodeId) -> Hash {
    let node = slab.get(id);
    Hash::of(node.parent, node.content.name_bytes())
}

impl Hash {
    fn of(parent: NodeId, name: &[u8]) -> Self {
        let mut hasher = FixedState::default().build_hasher();
        hasher.write_u32(parent);
        hasher.write(name);
        let wide = hasher.finish();
        #[expect(clippy::cast_possible_truncation, reason = "both halves are in it")]
        Self((wide ^ (wide >> 32)) as u32)
    }

    /// The tables look at the lowest and at the topmost of 64 bits: every bit of the hash must
    /// show there.
    const fn spread(self) -> u64 {
        (self.0 as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    /// Shards go by bits in between.
    const fn shard(self) -> usize {
        (self.spread() >> 40) as usize % SHARDS
    }
}
