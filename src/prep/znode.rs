//! A znode as prep sees it: what the checks of later requests and the digest need.
//!
//! Not the data itself: its length serves the quota, and its hash the digest.

use crate::tree::{NodeRef, SharedAcl};
use crate::types::Zxid;
use crc32fast::Hasher;
use jute::disk::StatPersisted;

/// A znode with its pending changes (ZK: `ChangeRecord`).
#[derive(Clone, Debug)]
pub(super) struct Znode {
    /// Its stat; the derived fields are not part of it.
    pub(super) stat: StatPersisted,
    /// How many children it has.
    pub(super) child_count: usize,
    /// Its access control list.
    pub(super) acl: SharedAcl,
    /// How long its data is, 0 for null.
    pub(super) data_len: usize,
    /// The checksum of path and data, with which its digest begins; `None` if it has no part in
    /// the tree's digest.
    pub(super) content: Option<u32>,
    /// Its part in the tree's digest.
    pub(super) digest: u32,
}

impl Znode {
    /// The znode after a child of it was created. The tree leaves a parent's stat alone if the
    /// number is not larger, which is so once it has overflowed (ZK: `DataTree.createNode`).
    pub(super) fn gain_child(&mut self, cversion: i32, zxid: Zxid) {
        self.child_count += 1;
        if cversion > self.stat.cversion {
            self.stat.cversion = cversion;
            self.stat.pzxid = zxid.0;
        }
    }

    /// The znode after a child of it was deleted.
    pub(super) fn lose_child(&mut self, zxid: Zxid) {
        assert!(self.child_count > 0, "a deleted child was one of its parent's");
        self.child_count -= 1;
        self.stat.pzxid = self.stat.pzxid.max(zxid.0);
    }

    /// What its digest is with its present stat.
    pub(super) fn computed_digest(&self) -> u32 {
        self.content.map_or(0, |content| with_stat(content, &self.stat))
    }
}

/// A znode to look at: pending, or as the tree has it.
pub(super) enum View<'a> {
    Pending(&'a Znode),
    Stored(NodeRef<'a>),
}

impl View<'_> {
    pub(super) fn acl(&self) -> &SharedAcl {
        match self {
            Self::Pending(znode) => &znode.acl,
            Self::Stored(node) => node.acl(),
        }
    }

    pub(super) fn stat(&self) -> StatPersisted {
        match self {
            Self::Pending(znode) => znode.stat.clone(),
            Self::Stored(node) => node.stored_stat(),
        }
    }

    pub(super) fn child_count(&self) -> usize {
        match self {
            Self::Pending(znode) => znode.child_count,
            Self::Stored(node) => node.child_count(),
        }
    }

    pub(super) fn data_len(&self) -> usize {
        match self {
            Self::Pending(znode) => znode.data_len,
            Self::Stored(node) => node.data().map_or(0, <[u8]>::len),
        }
    }

    pub(super) fn digest(&self) -> u32 {
        match self {
            Self::Pending(znode) => znode.digest,
            Self::Stored(node) => node.digest(),
        }
    }

    /// A copy to change. `path` is the znode's, and `digests` says whether there are any.
    pub(super) fn to_znode(&self, path: &str, digests: bool) -> Znode {
        match self {
            Self::Pending(znode) => (*znode).clone(),
            Self::Stored(node) => {
                let data = node.data();
                let content = if digests { content_hash(path, data) } else { None };
                Znode {
                    stat: node.stored_stat(),
                    child_count: node.child_count(),
                    acl: node.acl().clone(),
                    data_len: data.map_or(0, <[u8]>::len),
                    content,
                    digest: if content.is_some() { node.digest() } else { 0 },
                }
            }
        }
    }
}

/// The checksum of path and data with which a znode's digest begins, `None` for the znodes that
/// digests leave out.
///
/// Together with [`with_stat`] this is [`crate::tree::node_digest`] in two steps, so that a parent
/// with large data is not read again for each of its children.
pub(super) fn content_hash(path: &str, data: Option<&[u8]>) -> Option<u32> {
    if path.starts_with("/zookeeper/") {
        return None;
    }
    let mut hasher = Hasher::new();
    hasher.update(if path == "/" { b"" } else { path.as_bytes() });
    hasher.update(data.unwrap_or_default());
    Some(hasher.finalize())
}

fn with_stat(content: u32, stat: &StatPersisted) -> u32 {
    let mut bytes = [0; 60];
    let longs = [stat.czxid, stat.mzxid, stat.pzxid, stat.ctime, stat.mtime];
    for (slot, long) in bytes.chunks_exact_mut(8).zip(longs) {
        slot.copy_from_slice(&long.to_be_bytes());
    }
    let ints = [stat.version, stat.cversion, stat.aversion];
    for (slot, int) in bytes[40..].chunks_exact_mut(4).zip(ints) {
        slot.copy_from_slice(&int.to_be_bytes());
    }
    bytes[52..].copy_from_slice(&stat.ephemeral_owner.to_be_bytes());
    let mut hasher = Hasher::new_with_initial(content);
    hasher.update(&bytes);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::node_digest;

    #[test]
    fn two_steps_give_the_tree_s_digest() {
        let stat = StatPersisted {
            czxid: 1,
            mzxid: -2,
            ctime: 3,
            mtime: 1 << 40,
            version: 5,
            cversion: -6,
            aversion: 7,
            ephemeral_owner: 8 << 50,
            pzxid: 9,
        };
        for path in ["/", "/a", "/zookeeper", "/zookeeper/quota", "/zookeeperish"] {
            for data in [None, Some(&b""[..]), Some(&[7; 1000][..])] {
                let content = content_hash(path, data);
                let digest = content.map_or(0, |content| with_stat(content, &stat));
                assert_eq!(digest, node_digest(path, data, &stat), "{path}");
            }
        }
    }
}
