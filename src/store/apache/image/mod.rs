//! The image of a tree that travels behind a SNAP packet from a leader to a learner
//! (ZK: `SerializeUtils.serializeSnapshot`, `DataTree.serialize`, `ReferenceCountedACLCache`).
//!
//! ```text
//! int n, n sessions: long id, int timeout in milliseconds
//! int n, n lists:    long id, vector<ACL>
//! znodes:            ustring path, buffer? data, long list's id, StatPersisted
//! ustring "/"        there are no more znodes
//! ustring "BenWasHere"          on the network only
//! ```
//! Parents come before their children; the root comes first, and its path is empty. The id -1 means
//! the list that gives everyone everything. Nothing says how long the image is.
//!
//! # Images of Apache ZooKeeper
//! It writes an image while writes go on. So an image may hold parts of transactions behind its
//! zxid, which follow it on the link and must be applied again. One trace of that needs care here:
//! the lists are written before the znodes, so that a znode that was created or got another list
//! meanwhile may name a list that the image does not have. The transaction that follows brings it;
//! until then nobody may do anything with such a znode. If no such transaction can follow, the
//! image is damaged.
//!
//! # Paths
//! ZooKeeper writes each UTF-16 unit of a path by itself, so a character outside the basic plane
//! comes as six bytes that are not UTF-8, and ZooKeeper itself reads them back as replacement
//! characters. It accepts no such path from clients, so none should ever come. If one does, the
//! image is refused: under any other name the znode would be another one than in the transactions
//! that follow, and the servers would differ in silence. Every path that is UTF-8 is kept as it is,
//! even if clients could not make it today.

mod read;
#[cfg(test)]
mod tests;
mod write;

pub use read::{ImageDecoder, ImageError, ImageItem};
pub use write::write_image;
pub(super) use write::write_tree;

/// The id of the list that gives everyone everything.
const OPEN_ACL: i64 = -1;
/// The path behind the last znode.
const END: &str = "/";
/// What ends an image on the network.
const SIGNATURE: &str = "BenWasHere";
