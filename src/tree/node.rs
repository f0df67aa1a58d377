//! One znode in memory: stat, place in the tree, name and data.
//!
//! A million of these must fit in little memory, so every field is inline and name and data share
//! one allocation. Measured: 1,000,000 znodes with short names and 100 bytes of data take 230 MB:
//! 104 bytes each here, 112 for name and data, 6 to 13 in the index.
//! Knows nothing of paths beyond its own name.

use super::acl::AclId;
use jute::disk::StatPersisted;

/// A node's place in the slab. Reused after the node is gone.
pub(super) type NodeId = u32;
/// The id of no node: the root's parent, the end of a list of children.
pub(super) const NO_NODE: NodeId = NodeId::MAX;
/// The root's id.
pub(super) const ROOT: NodeId = 0;

/// A znode. The stat's fields stand here one by one because a nested record would be padded.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) czxid: i64,
    pub(super) mzxid: i64,
    pub(super) pzxid: i64,
    pub(super) ctime: i64,
    pub(super) mtime: i64,
    /// The raw owner; [`crate::types::EphemeralOwner`] says what it means.
    pub(super) owner: i64,
    pub(super) version: i32,
    /// How many children were ever created; clients see another number.
    pub(super) cversion: i32,
    pub(super) aversion: i32,
    /// What the node adds to the tree's digest.
    pub(super) digest: u32,
    pub(super) acl: AclId,
    pub(super) parent: NodeId,
    pub(super) first_child: NodeId,
    /// The sibling before it in its parent's list.
    pub(super) previous: NodeId,
    /// The sibling after it; in a free slot the next free slot.
    pub(super) next: NodeId,
    pub(super) child_count: u32,
    pub(super) content: Content,
}

impl Node {
    /// A node without relatives.
    pub(super) fn new(content: Content, stat: &StatPersisted, acl: AclId) -> Self {
        Self {
            czxid: stat.czxid,
            mzxid: stat.mzxid,
            pzxid: stat.pzxid,
            ctime: stat.ctime,
            mtime: stat.mtime,
            owner: stat.ephemeral_owner,
            version: stat.version,
            cversion: stat.cversion,
            aversion: stat.aversion,
            digest: 0,
            acl,
            parent: NO_NODE,
            first_child: NO_NODE,
            previous: NO_NODE,
            next: NO_NODE,
            child_count: 0,
            content,
        }
    }

    /// The stat as it is stored.
    pub(super) fn stored_stat(&self) -> StatPersisted {
        StatPersisted {
            czxid: self.czxid,
            mzxid: self.mzxid,
            ctime: self.ctime,
            mtime: self.mtime,
            version: self.version,
            cversion: self.cversion,
            aversion: self.aversion,
            ephemeral_owner: self.owner,
            pzxid: self.pzxid,
        }
    }

    /// The data's length, 0 for null.
    pub(super) fn data_len(&self) -> usize {
        self.content.data().map_or(0, <[u8]>::len)
    }
}

/// A node's name and data in one allocation.
///
/// Layout: a head byte, whose top bit says that there is data (null and empty data differ) and
/// whose other bits hold the name's length; if those are all set, four bytes with the length
/// follow; then the name; then the data.
#[derive(Debug, Default)]
pub(super) struct Content(Box<[u8]>);

const HAS_DATA: u8 = 0x80;
const LONG_NAME: u8 = 0x7f;

impl Content {
    /// Joins a name and data.
    pub(super) fn new(name: &str, data: Option<&[u8]>) -> Self {
        let has_data = if data.is_some() { HAS_DATA } else { 0 };
        let data = data.unwrap_or_default();
        let short = u8::try_from(name.len()).ok().filter(|length| *length < LONG_NAME);
        // Paths are bounded by the frame length, far below 4 GiB.
        let long = u32::try_from(name.len()).unwrap_or(u32::MAX);
        assert!(long < u32::MAX, "a name of 4 GiB");
        let head = if short.is_some() { 1 } else { 5 };
        // Exact, so that turning it into a box moves nothing and wastes nothing.
        let mut bytes = Vec::with_capacity(head + name.len() + data.len());
        if let Some(length) = short {
            bytes.push(has_data | length);
        } else {
            bytes.push(has_data | LONG_NAME);
            bytes.extend_from_slice(&long.to_be_bytes());
        }
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(data);
        Self(bytes.into_boxed_slice())
    }

    /// The name's bytes, UTF-8.
    pub(super) fn name_bytes(&self) -> &[u8] {
        let (start, end) = self.name_range();
        &self.0[start..end]
    }

    /// The name.
    pub(super) fn name(&self) -> &str {
        let name = std::str::from_utf8(self.name_bytes());
        debug_assert!(name.is_ok(), "names are made from strings");
        name.unwrap_or_default()
    }

    /// The data, `None` for null.
    pub(super) fn data(&self) -> Option<&[u8]> {
        let (_, end) = self.name_range();
        (self.head() & HAS_DATA != 0).then(|| &self.0[end..])
    }

    /// Replaces the data, in place if old and new are equally long.
    pub(super) fn set_data(&mut self, data: Option<&[u8]>) {
        let (_, end) = self.name_range();
        match data {
            Some(data) if self.head() & HAS_DATA != 0 && self.0.len() - end == data.len() => {
                self.0[end..].copy_from_slice(data);
            }
            _ => *self = Self::new(self.name(), data),
        }
    }

    fn head(&self) -> u8 {
        self.0.first().copied().unwrap_or_default()
    }

    /// Where the name starts and ends. In a free slot there is nothing, not even a head.
    fn name_range(&self) -> (usize, usize) {
        match (self.head() & !HAS_DATA, &*self.0) {
            (_, []) => (0, 0),
            (LONG_NAME, [_, a, b, c, d, ..]) => {
                (5, 5 + u32::from_be_bytes([*a, *b, *c, *d]) as usize)
            }
            (length, _) => (1, 1 + usize::from(length)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_nodes_must_be_small() {
        assert_eq!(size_of::<Node>(), 104);
    }

    #[test]
    fn content_gives_back_what_went_in() {
        let names =
            [String::new(), "a".to_owned(), "n".repeat(126), "n".repeat(127), "ü".repeat(900)];
        for name in &names {
            for data in [None, Some(&b""[..]), Some(&b"hello"[..])] {
                let mut content = Content::new(name, data);
                assert_eq!((content.name(), content.data()), (name.as_str(), data));
                for other in [Some(&b"world"[..]), None, Some(&b""[..]), Some(&b"long data"[..])] {
                    content.set_data(other);
                    assert_eq!((content.name(), content.data()), (name.as_str(), other));
                }
            }
        }
        assert_eq!(Content::default().name(), "");
        assert_eq!(Content::default().data(), None);
    }
}
