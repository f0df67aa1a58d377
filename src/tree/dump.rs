//! Handing znodes to a store: all of them, or those that changed.

use super::Tree;
use super::node::{NodeId, ROOT};
use bytes::{Bytes, BytesMut};
use jute::Encode;
use jute::disk::ZnodeRecord;

impl Tree {
    /// Every znode with its path, parents first; the root's is `/`.
    pub fn dump(&self) -> impl Iterator<Item = (String, ZnodeRecord)> + '_ {
        self.nodes.walk(ROOT).map(|id| (self.nodes.path(id), self.record(id)))
    }

    /// How many records [`Tree::drain_dirty`] would give, at most.
    #[must_use]
    pub fn dirty_len(&self) -> usize {
        self.dirty.len()
    }

    /// What has to be written to a store that has everything up to the last call: paths of deleted
    /// znodes with nothing, then paths of new and changed znodes with their encoded
    /// [`ZnodeRecord`]s. No path comes twice. A deleted znode may be one the store never had.
    pub fn drain_dirty(&mut self) -> Vec<(String, Option<Bytes>)> {
        let (changed, removed) = self.dirty.take();
        let gone = removed.into_iter().filter(|path| self.nodes.find(path).is_none());
        let gone = gone.map(|path| (path, None));
        let changed = changed.into_iter().filter(|id| self.nodes.is_live(*id));
        let changed = changed.map(|id| (self.nodes.path(id), Some(self.encoded(id))));
        gone.chain(changed).collect()
    }

    fn record(&self, id: NodeId) -> ZnodeRecord {
        let node = self.nodes.get(id);
        ZnodeRecord {
            data: node.content.data().map(Bytes::copy_from_slice),
            acl: self.acls.stored(node.acl).map(<[_]>::to_vec),
            stat: node.stored_stat(),
        }
    }

    /// The bytes of a [`ZnodeRecord`], straight from the node: every write passes here.
    fn encoded(&self, id: NodeId) -> Bytes {
        const NULL: i32 = -1;
        let node = self.nodes.get(id);
        let mut out = BytesMut::with_capacity(node.data_len() + 128);
        match node.content.data() {
            Some(data) => jute::put_blob(&mut out, data),
            None => NULL.encode(&mut out),
        }
        match self.acls.stored(node.acl) {
            Some(acl) => acl.encode(&mut out),
            None => NULL.encode(&mut out),
        }
        node.stored_stat().encode(&mut out);
        out.freeze()
    }
}
