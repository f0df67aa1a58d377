//! Which znodes have changed since they were last handed to the store.

use super::node::NodeId;

/// Changed and removed znodes. Order of first change; every live node at most once.
#[derive(Debug, Default)]
pub(super) struct Dirty {
    changed: Vec<NodeId>,
    /// One bit per slot: whether it is in `changed`.
    marks: Vec<u64>,
    removed: Vec<String>,
}

impl Dirty {
    /// How many records the store has to write, at most.
    pub(super) fn len(&self) -> usize {
        self.changed.len() + self.removed.len()
    }

    /// Notes a new or changed node.
    pub(super) fn mark(&mut self, id: NodeId) {
        let (word, bit) = (id as usize / 64, 1 << (id % 64));
        if word >= self.marks.len() {
            self.marks.resize(word + 1, 0);
        }
        if self.marks[word] & bit == 0 {
            self.marks[word] |= bit;
            self.changed.push(id);
        }
    }

    /// Notes a node that is gone. Its slot may stay in the list of changed ones: another node may
    /// get the slot, and whoever drains looks at what is there by then.
    pub(super) fn remove(&mut self, path: &str) {
        self.removed.push(path.to_owned());
    }

    /// Changed slots and removed paths, both to be checked against the tree; forgets them.
    pub(super) fn take(&mut self) -> (Vec<NodeId>, Vec<String>) {
        let changed = std::mem::take(&mut self.changed);
        for id in &changed {
            self.marks[*id as usize / 64] &= !(1 << (id % 64));
        }
        let mut removed = std::mem::take(&mut self.removed);
        removed.sort_unstable();
        removed.dedup();
        (changed, removed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_listed_once_until_the_list_is_taken() {
        let mut dirty = Dirty::default();
        for id in [3, 200, 3, 64] {
            dirty.mark(id);
        }
        dirty.remove("/b");
        dirty.remove("/a");
        dirty.remove("/b");
        assert_eq!(dirty.take(), (vec![3, 200, 64], vec!["/a".to_owned(), "/b".to_owned()]));
        dirty.mark(3);
        assert_eq!((dirty.len(), dirty.take()), (1, (vec![3], vec![])));
    }
}
