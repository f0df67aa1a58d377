//! Rebuilding a tree from stored znodes.

use super::apply::is_well_placed;
use super::node::{NodeId, ROOT};
use super::{Tree, TreeOptions};
use crate::types::{Zxid, path};
use jute::disk::{TreeMark, ZnodeRecord};
use thiserror::Error;

/// Why stored znodes do not make a tree.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LoadError {
    /// A path that no znode can have.
    #[error("{0:?} is not a path")]
    InvalidPath(String),
    /// A znode came before its parent, or has none.
    #[error("{0} has no parent")]
    NoParent(String),
    /// A znode came twice.
    #[error("{0} is there twice")]
    Duplicate(String),
    /// There is no root.
    #[error("there is no root")]
    NoRoot,
    /// The znodes are not those that were stored.
    #[error("the digest is {found:#x} and should be {expected:#x}")]
    DigestMismatch {
        /// What the store says.
        expected: i64,
        /// What the znodes add up to.
        found: i64,
    },
}

/// A tree in the making.
#[derive(Debug)]
pub struct TreeLoader {
    tree: Tree,
    has_root: bool,
    /// The path and id of the parent of the znode before: siblings follow each other.
    parent: (String, NodeId),
    /// The greatest path so far. One behind it is new.
    greatest: String,
}

impl TreeLoader {
    /// Starts with no znodes at all.
    #[must_use]
    pub fn new(options: TreeOptions) -> Self {
        Self {
            tree: Tree::bare(options),
            has_root: false,
            parent: (String::new(), ROOT),
            greatest: String::new(),
        }
    }

    /// Makes room for about so many znodes, if none have come yet.
    pub fn expect(&mut self, znodes: usize) {
        if !self.has_root {
            self.tree.nodes.expect(znodes);
        }
    }

    /// Adds a znode, whose parent must be there already: order by path bytes does. The root, which
    /// comes first, has the path `/` or an empty one.
    ///
    /// # Errors
    /// `InvalidPath`, `NoParent` or `Duplicate`; the loader is then of no further use.
    pub fn insert(&mut self, path: &str, record: ZnodeRecord) -> Result<(), LoadError> {
        let ZnodeRecord { data, acl, stat } = record;
        if path.is_empty() || path == "/" {
            if std::mem::replace(&mut self.has_root, true) {
                return Err(LoadError::Duplicate("/".to_owned()));
            }
            self.tree.set_root(data.as_deref(), acl.as_deref(), &stat);
            return Ok(());
        }
        if !self.has_root {
            return Err(LoadError::NoParent(path.to_owned()));
        }
        let named = path::split(path).filter(|(parent, name)| is_well_placed(parent, name));
        let (parent, name) = named.ok_or_else(|| LoadError::InvalidPath(path.to_owned()))?;
        if self.parent.0 != parent {
            let id = self.tree.nodes.find(parent);
            let id = id.ok_or_else(|| LoadError::NoParent(path.to_owned()))?;
            self.parent = (parent.to_owned(), id);
        }
        let parent = self.parent.1;
        if path > self.greatest.as_str() {
            path.clone_into(&mut self.greatest);
        } else if self.tree.nodes.child(parent, name).is_some() {
            return Err(LoadError::Duplicate(path.to_owned()));
        }
        self.tree.insert(parent, path, data.as_deref(), acl.as_deref(), &stat);
        Ok(())
    }

    /// The digest of the znodes so far; 0 without digests.
    #[must_use]
    pub fn digest(&self) -> i64 {
        self.tree.digest()
    }

    /// The tree, if it is the one that was stored at some moment. A mark with digest 0 was written
    /// without digests and is not checked.
    ///
    /// # Errors
    /// `NoRoot` or `DigestMismatch`.
    pub fn finish(self, mark: &TreeMark) -> Result<Tree, LoadError> {
        let found = self.tree.digest();
        if self.tree.options.digest && mark.digest != 0 && mark.digest != found && self.has_root {
            return Err(LoadError::DigestMismatch { expected: mark.digest, found });
        }
        self.finish_unchecked(Zxid(mark.applied))
    }

    /// The tree of one moment as it is, for images that come without a digest.
    ///
    /// The usage that quotas state is part of what was stored: it is the sum of the changes so far,
    /// which a count of the znodes need not give; see the module `quota`.
    ///
    /// # Errors
    /// `NoRoot`.
    pub fn finish_unchecked(mut self, applied: Zxid) -> Result<Tree, LoadError> {
        if !self.has_root {
            return Err(LoadError::NoRoot);
        }
        // The root is given its content like any change; in the store it has it already.
        drop(self.tree.dirty.take());
        debug_assert!(self.tree.nodes.is_live(ROOT));
        self.tree.nodes.fit();
        self.tree.add_system_nodes();
        self.tree.find_limits();
        self.tree.applied = applied;
        Ok(self.tree)
    }

    /// The tree of another server's image that was taken while writes went on, and so has parts of
    /// transactions behind `applied`, which are to be applied again.
    ///
    /// The usage that quotas state is of another moment than the znodes, and is counted anew, as
    /// ZooKeeper does it: [`Tree::drain_dirty`] tells a store of that.
    ///
    /// # Errors
    /// `NoRoot`.
    pub fn finish_fuzzy(self, applied: Zxid) -> Result<Tree, LoadError> {
        let mut tree = self.finish_unchecked(applied)?;
        tree.recount_all();
        Ok(tree)
    }
}
