//! Applying transactions (ZK: `DataTree.processTxn`).

use super::node::{NodeId, ROOT};
use super::quota::length;
use super::{NodeRef, SharedAcl, Transaction, Tree, Txn};
use crate::types::{Acl, EphemeralOwner, ErrorCode, SessionId, Stat, Zxid, path};
use bytes::Bytes;
use jute::disk::StatPersisted;
use jute::txn::{
    CloseSessionTxn, CreateContainerTxn, CreateTtlTxn, CreateTxn, SetAclTxn, SetDataTxn, TxnHeader,
};

/// A change that watches wait for. Those of one transaction stand in the order in which their
/// watches fire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A znode came to be: fires for the znode and for its parent's list of children.
    Created {
        /// Its path.
        path: String,
        /// Bytes of its data.
        bytes: usize,
        /// Its list, which decides who may hear of it.
        acl: SharedAcl,
        /// Its parent's list, which decides who may hear that the parent's children changed.
        parent_acl: SharedAcl,
    },
    /// A znode is gone: fires for the znode and for its parent's list of children.
    Deleted {
        /// Its path.
        path: String,
        /// Its last list.
        acl: SharedAcl,
        /// Its parent's list.
        parent_acl: SharedAcl,
    },
    /// A znode got new data, equal or not.
    DataChanged {
        /// Its path.
        path: String,
        /// Bytes of its new data.
        bytes: usize,
        /// Its list.
        acl: SharedAcl,
    },
}

/// What a transaction came to: what the client that asked for it is told. Stats are those that
/// clients see, as of this transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// A create, which tells the client no stat.
    Create {
        /// The znode's path in full.
        path: String,
        /// Its stat.
        stat: Stat,
    },
    /// A create2, createContainer or createTTL.
    Create2 {
        /// The znode's path in full.
        path: String,
        /// Its stat.
        stat: Stat,
    },
    /// A delete or deleteContainer.
    Delete,
    /// A setData.
    SetData(Stat),
    /// A setACL.
    SetAcl(Stat),
    /// A check, which found what it looked for.
    Check,
    /// A reconfig.
    Reconfig(Stat),
    /// A multi's parts. If one was refused, nothing happened and every part is an `Error`, with
    /// code 0 for those before it.
    Multi(Vec<Self>),
    /// A new session.
    CreateSession,
    /// A closed session.
    CloseSession,
    /// A refused request, or a transaction that did not fit the tree because it was applied
    /// before; with the error's code.
    Error(i32),
}

/// When a transaction happens, and on whose behalf.
struct At {
    session: SessionId,
    zxid: i64,
    time: i64,
}

impl From<&TxnHeader> for At {
    fn from(header: &TxnHeader) -> Self {
        Self { session: SessionId(header.client_id), zxid: header.zxid, time: header.time }
    }
}

/// A node to be created.
struct NewNode<'a> {
    path: &'a str,
    data: Option<&'a [u8]>,
    acl: Option<&'a [Acl]>,
    owner: i64,
    parent_cversion: i32,
}

impl<'a> NewNode<'a> {
    fn plain(at: &At, body: &'a CreateTxn) -> Self {
        let session = EphemeralOwner::Session(at.session);
        let owner = if body.ephemeral { session } else { EphemeralOwner::Void };
        let CreateTxn { path, data, acl, parent_cversion, .. } = body;
        Self::new(path, data.as_ref(), acl.as_ref(), *parent_cversion, owner)
    }

    fn container(body: &'a CreateContainerTxn) -> Self {
        let CreateContainerTxn { path, data, acl, parent_cversion } = body;
        let owner = EphemeralOwner::Container;
        Self::new(path, data.as_ref(), acl.as_ref(), *parent_cversion, owner)
    }

    fn with_ttl(body: &'a CreateTtlTxn) -> Self {
        let CreateTtlTxn { path, data, acl, parent_cversion, ttl } = body;
        // A leader can be talked into logging a TTL of -1 with a mode that has no TTL. ZooKeeper
        // stops at that; here it is the persistent node that the mode says.
        let valid = (1..=EphemeralOwner::MAX_TTL).contains(ttl);
        let owner = if valid { EphemeralOwner::Ttl(*ttl) } else { EphemeralOwner::Void };
        Self::new(path, data.as_ref(), acl.as_ref(), *parent_cversion, owner)
    }

    fn new(
        path: &'a str,
        data: Option<&'a Bytes>,
        acl: Option<&'a Vec<Acl>>,
        parent_cversion: i32,
        owner: EphemeralOwner,
    ) -> Self {
        let (data, acl) = (data.map(|data| &**data), acl.map(|acl| &**acl));
        Self { path, data, acl, owner: owner.to_raw(), parent_cversion }
    }

    fn stat(&self, at: &At) -> StatPersisted {
        StatPersisted {
            czxid: at.zxid,
            mzxid: at.zxid,
            pzxid: at.zxid,
            ctime: at.time,
            mtime: at.time,
            ephemeral_owner: self.owner,
            ..StatPersisted::default()
        }
    }
}

/// Whether a path whose parent exists can be that of a node besides the root.
pub(super) fn is_well_placed(parent_path: &str, name: &str) -> bool {
    // The root's children have the parent `""`; `"/"` leads to the root too, but from `//name`.
    !name.is_empty() && parent_path != "/"
}

impl Tree {
    /// Applies a transaction and appends what it changed to `changes`.
    ///
    /// Transactions must come in the order of their zxids; an old one may come again if all later
    /// ones do too. A transaction that does not fit the tree changes what it changes in ZooKeeper,
    /// so that a replay from an earlier point leads to the same tree.
    pub fn apply(&mut self, txn: &Transaction, changes: &mut Vec<Change>) -> Applied {
        let applied = self.apply_body(&At::from(&txn.header), &txn.body, changes);
        let zxid = Zxid(txn.header.zxid);
        self.applied = self.applied.max(zxid);
        self.digest.record(zxid);
        applied
    }

    fn apply_body(&mut self, at: &At, body: &Txn, changes: &mut Vec<Change>) -> Applied {
        let applied = match body {
            Txn::Create(body) => self.create_or_adjust_parent(at, body, changes),
            Txn::Create2(body) => self.create2(at, &NewNode::plain(at, body), changes),
            Txn::CreateContainer(body) => self.create2(at, &NewNode::container(body), changes),
            Txn::CreateTtl(body) => self.create2(at, &NewNode::with_ttl(body), changes),
            Txn::Delete(body) | Txn::DeleteContainer(body) => {
                self.delete(at, &body.path, changes).map(|()| Applied::Delete)
            }
            Txn::SetData(body) => self.set_data(at, body, changes).map(Applied::SetData),
            Txn::Reconfig(body) => self.set_data(at, body, changes).map(Applied::Reconfig),
            Txn::SetAcl(body) => self.set_acl(body).map(Applied::SetAcl),
            Txn::Check(_) => Ok(Applied::Check),
            Txn::Multi(parts) => Ok(self.apply_multi(at, parts, changes)),
            Txn::CreateSession(_) => Ok(Applied::CreateSession),
            Txn::CloseSession(body) => {
                self.close_session(at, body, changes);
                Ok(Applied::CloseSession)
            }
            Txn::Error(code) => Ok(Applied::Error(*code)),
        };
        applied.unwrap_or_else(|code| Applied::Error(code.number()))
    }

    /// All or nothing: a part that is an error means that the leader refused the whole.
    fn apply_multi(&mut self, at: &At, parts: &[Txn], changes: &mut Vec<Change>) -> Applied {
        let refused = parts.iter().position(|part| matches!(part, Txn::Error(_)));
        let Some(refused) = refused else {
            let apply = |part| self.apply_body(at, part, changes);
            return Applied::Multi(parts.iter().map(apply).collect());
        };
        let code = |(place, part): (usize, &Txn)| match part {
            Txn::Error(code) => *code,
            _ if place < refused => 0,
            _ => ErrorCode::RuntimeInconsistency.number(),
        };
        Applied::Multi(parts.iter().enumerate().map(code).map(Applied::Error).collect())
    }

    /// ZooKeeper reports a node that is there already only after it has brought the parent to
    /// where the creation left it. The parent may be older than the node: both came from an image
    /// that was taken while writes went on.
    fn create_or_adjust_parent(
        &mut self,
        at: &At,
        body: &CreateTxn,
        changes: &mut Vec<Change>,
    ) -> Result<Applied, ErrorCode> {
        let created = self.create(at, &NewNode::plain(at, body), changes);
        if created == Err(ErrorCode::NodeExists)
            && let Some((parent_path, _)) = path::split(&body.path)
            && let Some(parent) = self.nodes.find(parent_path)
        {
            self.child_created(parent, parent_path, body.parent_cversion, at.zxid);
        }
        created.map(|stat| Applied::Create { path: body.path.clone(), stat })
    }

    fn create2(
        &mut self,
        at: &At,
        new: &NewNode<'_>,
        changes: &mut Vec<Change>,
    ) -> Result<Applied, ErrorCode> {
        let stat = self.create(at, new, changes)?;
        Ok(Applied::Create2 { path: new.path.to_owned(), stat })
    }

    fn create(
        &mut self,
        at: &At,
        new: &NewNode<'_>,
        changes: &mut Vec<Change>,
    ) -> Result<Stat, ErrorCode> {
        let (parent_path, name) = path::split(new.path).ok_or(ErrorCode::NoNode)?;
        let parent = self.nodes.find(parent_path).ok_or(ErrorCode::NoNode)?;
        let existing = match new.path {
            "/" => Some(ROOT),
            _ if !is_well_placed(parent_path, name) => return Err(ErrorCode::BadArguments),
            _ => self.nodes.child(parent, name),
        };
        if let Some(existing) = existing {
            // The list may be newer than the node, for the same reason as the parent's stat.
            self.replace_acl(existing, new.acl);
            self.dirty.mark(existing);
            return Err(ErrorCode::NodeExists);
        }
        self.child_created(parent, parent_path, new.parent_cversion, at.zxid);
        let id = self.insert(parent, new.path, new.data, new.acl, &new.stat(at));
        self.dirty.mark(id);
        // Before the quota: what it writes may be this node's data.
        let stat = NodeRef::new(self, id).stat();
        let bytes = new.data.unwrap_or_default().len();
        self.quota_node_created(new.path, length(bytes));
        changes.push(Change::Created {
            path: new.path.to_owned(),
            bytes,
            acl: self.acl_of(id),
            parent_acl: self.acl_of(parent),
        });
        Ok(stat)
    }

    /// What a creation does to the parent's stat: only forwards, as replays must not undo.
    fn child_created(&mut self, parent: NodeId, path: &str, cversion: i32, zxid: i64) {
        let node = self.nodes.get_mut(parent);
        let cversion = if cversion == -1 { node.cversion.wrapping_add(1) } else { cversion };
        if cversion > node.cversion {
            (node.cversion, node.pzxid) = (cversion, zxid);
            self.changed(parent, path);
        }
    }

    fn delete(&mut self, at: &At, path: &str, changes: &mut Vec<Change>) -> Result<(), ErrorCode> {
        let (parent_path, name) = path::split(path).ok_or(ErrorCode::NoNode)?;
        let parent = self.nodes.find(parent_path).ok_or(ErrorCode::NoNode)?;
        if !is_well_placed(parent_path, name) {
            return Err(ErrorCode::BadArguments);
        }
        // Even if the node is gone already: the parent may come from an older moment.
        let node = self.nodes.get_mut(parent);
        if at.zxid > node.pzxid {
            node.pzxid = at.zxid;
            self.changed(parent, parent_path);
        }
        let id = self.nodes.child(parent, name).ok_or(ErrorCode::NoNode)?;
        self.delete_below(id, changes);
        self.delete_leaf(id, path, changes);
        Ok(())
    }

    /// A leader deletes leaves only. But an image taken while writes went on can hold children
    /// that were created after the node was deleted and created again: those come again too.
    fn delete_below(&mut self, top: NodeId, changes: &mut Vec<Change>) {
        while self.nodes.get(top).child_count > 0 {
            let leaf = self.nodes.first_leaf(top);
            let path = self.nodes.path(leaf);
            self.delete_leaf(leaf, &path, changes);
        }
    }

    fn delete_leaf(&mut self, id: NodeId, path: &str, changes: &mut Vec<Change>) {
        let node = self.nodes.get(id);
        let (parent, bytes) = (node.parent, length(node.data_len()));
        changes.push(Change::Deleted {
            path: path.to_owned(),
            acl: self.acl_of(id),
            parent_acl: self.acl_of(parent),
        });
        self.remove(id, path);
        self.quota_node_deleted(path, bytes);
    }

    fn set_data(
        &mut self,
        at: &At,
        body: &SetDataTxn,
        changes: &mut Vec<Change>,
    ) -> Result<Stat, ErrorCode> {
        let id = self.nodes.find(&body.path).ok_or(ErrorCode::NoNode)?;
        let old = length(self.nodes.get(id).data_len());
        let data = body.data.as_deref();
        self.replace_data(id, data);
        let node = self.nodes.get_mut(id);
        (node.mtime, node.mzxid, node.version) = (at.time, at.zxid, body.version);
        self.changed(id, &body.path);
        let stat = NodeRef::new(self, id).stat();
        let (path, bytes) = (body.path.clone(), data.unwrap_or_default().len());
        self.quota_used(&path, length(bytes) - old, 0);
        changes.push(Change::DataChanged { path, bytes, acl: self.acl_of(id) });
        Ok(stat)
    }

    fn set_acl(&mut self, body: &SetAclTxn) -> Result<Stat, ErrorCode> {
        let id = self.nodes.find(&body.path).ok_or(ErrorCode::NoNode)?;
        self.replace_acl(id, body.acl.as_deref());
        self.nodes.get_mut(id).aversion = body.version;
        self.changed(id, &body.path);
        Ok(NodeRef::new(self, id).stat())
    }

    /// Deletes what the leader listed, and whatever the session owns besides.
    fn close_session(&mut self, at: &At, body: &CloseSessionTxn, changes: &mut Vec<Change>) {
        for path in body.paths_to_delete.as_deref().unwrap_or_default() {
            // A node that is gone was deleted by an earlier run of this transaction.
            let _gone = self.delete(at, path, changes);
        }
        for path in self.ephemerals(at.session) {
            // Gone already only if it was below another one, which no leader allows.
            let _gone = self.delete(at, &path, changes);
        }
        debug_assert!(self.ephemerals(at.session).is_empty());
    }

    fn acl_of(&self, id: NodeId) -> SharedAcl {
        self.acls.get(self.nodes.get(id).acl).clone()
    }
}
