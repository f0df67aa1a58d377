//! The tree's behaviour, transaction by transaction.

use super::*;

#[test]
fn a_fresh_tree_is_the_references() {
    let tree = Tree::new(TreeOptions::default());
    assert_eq!(tree.digest(), 0x51c6_d660);
    assert_eq!((tree.node_count(), tree.data_size()), (5, 44));
    assert_eq!(tree.descendants("/"), Some(3));
}
