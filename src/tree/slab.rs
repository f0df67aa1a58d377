//! Where nodes live: chunks of fixed size, so that growing never copies them.

use super::node::{Content, NO_NODE, Node, NodeId};

/// Nodes in a chunk: a little less than 24 KiB, for which allocators have a size of their own. A
/// power of two of nodes would leave a tenth of the memory unused.
const CHUNK: usize = 236;

/// All nodes by id. Freed slots form a list through `Node::next` and are used again first.
#[derive(Debug)]
pub(super) struct Slab {
    chunks: Vec<Vec<Node>>,
    free: NodeId,
    live: usize,
}

impl Default for Slab {
    fn default() -> Self {
        Self { chunks: Vec::new(), free: NO_NODE, live: 0 }
    }
}

impl Slab {
    /// How many nodes there are.
    pub(super) fn len(&self) -> usize {
        self.live
    }

    /// The node with this id, which must be one of a live node.
    pub(super) fn get(&self, id: NodeId) -> &Node {
        &self.chunks[id as usize / CHUNK][id as usize % CHUNK]
    }

    /// As [`Slab::get`], to change it.
    pub(super) fn get_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.chunks[id as usize / CHUNK][id as usize % CHUNK]
    }

    /// Stores a node and says where.
    pub(super) fn insert(&mut self, node: Node) -> NodeId {
        self.live += 1;
        if self.free != NO_NODE {
            let id = self.free;
            self.free = self.get(id).next;
            *self.get_mut(id) = node;
            return id;
        }
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        let full = (self.chunks.len() - 1) * CHUNK;
        let Some(chunk) = self.chunks.last_mut() else { unreachable!("one was pushed above") };
        let id = NodeId::try_from(full + chunk.len()).unwrap_or(NO_NODE);
        assert!(id < NO_NODE, "four billion znodes");
        chunk.push(node);
        id
    }

    /// Frees a node's slot and gives back its name and data.
    pub(super) fn remove(&mut self, id: NodeId) -> Content {
        assert!(self.live > 0, "a node was freed twice");
        self.live -= 1;
        let free = std::mem::replace(&mut self.free, id);
        let node = self.get_mut(id);
        node.next = free;
        std::mem::take(&mut node.content)
    }
}
