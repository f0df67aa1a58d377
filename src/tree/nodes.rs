//! The shape of the tree: parents, children, paths. Knows nothing of transactions.

use super::index::Index;
use super::node::{NO_NODE, Node, NodeId, ROOT};
use super::slab::Slab;

/// All nodes, linked to each other and findable by path.
#[derive(Debug)]
pub(super) struct Nodes {
    slab: Slab,
    index: Index,
}

impl Nodes {
    /// A tree of nothing but its root.
    pub(super) fn new(root: Node) -> Self {
        let mut slab = Slab::default();
        let id = slab.insert(root);
        assert_eq!(id, ROOT, "the root is the first node");
        Self { slab, index: Index::default() }
    }

    /// Makes room for about so many nodes, in a tree that has none but the root.
    pub(super) fn expect(&mut self, nodes: usize) {
        self.index.expect(nodes);
    }

    /// Gives back the room for nodes that did not come.
    pub(super) fn fit(&mut self) {
        self.index.fit(&self.slab);
    }

    pub(super) fn len(&self) -> usize {
        self.slab.len()
    }

    pub(super) fn get(&self, id: NodeId) -> &Node {
        self.slab.get(id)
    }

    pub(super) fn get_mut(&mut self, id: NodeId) -> &mut Node {
        self.slab.get_mut(id)
    }

    /// The node at a path; `""` and `"/"` are the root. Paths with empty names lead nowhere.
    pub(super) fn find(&self, path: &str) -> Option<NodeId> {
        if path.is_empty() || path == "/" {
            return Some(ROOT);
        }
        let names = path.strip_prefix('/')?;
        names.split('/').try_fold(ROOT, |parent, name| self.child(parent, name))
    }

    /// The child with this name. No child has an empty one.
    pub(super) fn child(&self, parent: NodeId, name: &str) -> Option<NodeId> {
        self.index.find(&self.slab, parent, name.as_bytes())
    }

    /// Whether the slot holds a node at present.
    pub(super) fn is_live(&self, id: NodeId) -> bool {
        id == ROOT || self.get(id).parent != NO_NODE
    }

    /// Adds a node below another one that has no child of that name yet.
    pub(super) fn insert(&mut self, parent: NodeId, mut node: Node) -> NodeId {
        debug_assert!(self.child(parent, node.content.name()).is_none());
        debug_assert!(!node.content.name_bytes().is_empty());
        let next = self.get(parent).first_child;
        (node.parent, node.previous, node.next) = (parent, NO_NODE, next);
        let id = self.slab.insert(node);
        if next != NO_NODE {
            self.get_mut(next).previous = id;
        }
        let parent = self.get_mut(parent);
        parent.first_child = id;
        parent.child_count += 1;
        self.index.insert(&self.slab, id);
        id
    }

    /// Takes a node without children out.
    pub(super) fn remove(&mut self, id: NodeId) {
        let node = self.get(id);
        assert!(id != ROOT && node.child_count == 0, "only leaves can go");
        let (parent, previous, next) = (node.parent, node.previous, node.next);
        self.index.remove(&self.slab, id);
        if next != NO_NODE {
            self.get_mut(next).previous = previous;
        }
        if previous == NO_NODE {
            self.get_mut(parent).first_child = next;
        } else {
            self.get_mut(previous).next = next;
        }
        self.get_mut(parent).child_count -= 1;
        self.get_mut(id).parent = NO_NODE;
        drop(self.slab.remove(id));
    }

    /// The node's children, newest first.
    pub(super) fn children(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        let some = |id: NodeId| (id != NO_NODE).then_some(id);
        std::iter::successors(some(self.get(id).first_child), move |id| some(self.get(*id).next))
    }

    /// The node's full path.
    pub(super) fn path(&self, id: NodeId) -> String {
        if id == ROOT {
            return "/".to_owned();
        }
        let up = |id: &NodeId| Some(self.get(*id).parent).filter(|parent| *parent != ROOT);
        let mut line: Vec<NodeId> = std::iter::successors(Some(id), up).collect();
        line.reverse();
        let length = line.iter().map(|id| 1 + self.get(*id).content.name_bytes().len()).sum();
        let mut path = String::with_capacity(length);
        for id in line {
            path.push('/');
            path.push_str(self.get(id).content.name());
        }
        path
    }

    /// The node and everything below it, parents first.
    pub(super) fn walk(&self, top: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        std::iter::successors(Some(top), move |id| self.after(*id, top))
    }

    /// The leaf that a walk which always takes the first child ends at.
    pub(super) fn first_leaf(&self, top: NodeId) -> NodeId {
        let mut id = top;
        while self.get(id).first_child != NO_NODE {
            id = self.get(id).first_child;
        }
        id
    }

    /// What comes after a node in a walk from `top`. Paths may be deep: no recursion.
    fn after(&self, id: NodeId, top: NodeId) -> Option<NodeId> {
        let node = self.get(id);
        if node.first_child != NO_NODE {
            return Some(node.first_child);
        }
        let mut id = id;
        while id != top {
            let node = self.get(id);
            if node.next != NO_NODE {
                return Some(node.next);
            }
            id = node.parent;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::acl::OPEN;
    use crate::tree::node::Content;
    use jute::disk::StatPersisted;

    fn node(name: &str) -> Node {
        Node::new(Content::new(name, None), &StatPersisted::default(), OPEN)
    }

    fn add(nodes: &mut Nodes, parent: &str, name: &str) -> NodeId {
        let parent = nodes.find(parent).expect("parent");
        nodes.insert(parent, node(name))
    }

    #[test]
    fn nodes_are_found_by_path_and_only_by_a_good_one() {
        let mut nodes = Nodes::new(node(""));
        let a = add(&mut nodes, "", "a");
        let b = add(&mut nodes, "/a", "b");
        assert_eq!((nodes.find("/a"), nodes.find("/a/b")), (Some(a), Some(b)));
        assert_eq!((nodes.find(""), nodes.find("/")), (Some(ROOT), Some(ROOT)));
        for path in ["a", "/b", "//", "/a/", "//a", "/a//b", "/a/b/c", "/a/b/"] {
            assert_eq!(nodes.find(path), None, "{path}");
        }
        assert_eq!((nodes.path(ROOT), nodes.path(b)), ("/".to_owned(), "/a/b".to_owned()));
    }

    #[test]
    fn equal_names_below_different_parents_are_told_apart() {
        let mut nodes = Nodes::new(node(""));
        let ids = |number| (format!("/{number}"), format!("/{number}/x"));
        for number in 0..100_000_u32 {
            let parent = nodes.insert(ROOT, node(&number.to_string()));
            nodes.insert(parent, node("x"));
        }
        for number in 0..100_000 {
            let (parent, child) = ids(number);
            let (parent, child) = (nodes.find(&parent).expect("parent"), nodes.find(&child));
            assert_eq!(nodes.get(child.expect("child")).parent, parent);
        }
        assert_eq!(nodes.len(), 200_001);
    }

    #[test]
    fn any_child_can_go_and_its_slot_is_used_again() {
        for gone in ["x", "y", "z"] {
            let mut nodes = Nodes::new(node(""));
            for name in ["x", "y", "z"] {
                add(&mut nodes, "/", name);
            }
            let id = nodes.child(ROOT, gone).expect("child");
            nodes.remove(id);
            assert!(!nodes.is_live(id));
            let left: Vec<_> =
                nodes.children(ROOT).map(|id| nodes.get(id).content.name()).collect();
            let wanted: Vec<_> = ["z", "y", "x"].into_iter().filter(|name| *name != gone).collect();
            assert_eq!((left, nodes.get(ROOT).child_count, nodes.len()), (wanted, 2, 3));
            assert_eq!(add(&mut nodes, "/", "w"), id);
            assert_eq!(nodes.find("/w"), Some(id));
        }
    }

    #[test]
    fn a_walk_sees_parents_first_and_stays_below_its_top() {
        let mut nodes = Nodes::new(node(""));
        for (parent, name) in
            [("/", "a"), ("/a", "b"), ("/a", "c"), ("/a/b", "d"), ("/", "e"), ("/a/c", "f")]
        {
            add(&mut nodes, parent, name);
        }
        let paths = |top| nodes.walk(top).map(|id| nodes.path(id)).collect::<Vec<_>>();
        assert_eq!(paths(ROOT), ["/", "/e", "/a", "/a/c", "/a/c/f", "/a/b", "/a/b/d"]);
        let a = nodes.find("/a").expect("/a");
        assert_eq!(paths(a), ["/a", "/a/c", "/a/c/f", "/a/b", "/a/b/d"]);
        assert_eq!(nodes.path(nodes.first_leaf(a)), "/a/c/f");
    }
}
