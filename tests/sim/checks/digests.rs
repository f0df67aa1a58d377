//! \[digests\] Trees of the same transactions are equal.

use super::History;
use zabra::tree::Tree;
use zabra::types::Zxid;

pub(super) fn check(history: &History, applied: Zxid, tree: &Tree) {
    assert_eq!(tree.digest(), history.digest_at(applied), "[digests] of the tree at {applied}");
}
