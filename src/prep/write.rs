//! delete, setData, setACL, check and the reaper's deleteContainer
//! (ZK: `PrepRequestProcessor.pRequest2Txn`).

use super::quota::Usage;
use super::znode::View;
use super::{Context, Prep};
use crate::tree::Txn;
use crate::types::{EphemeralOwner, ErrorCode, path, perms};
use jute::client::{PathVersion, SetAclRequest, SetDataRequest};
use jute::txn::{CheckVersionTxn, DeleteTxn, SetAclTxn, SetDataTxn};

impl Prep {
    pub(super) fn delete(
        &mut self,
        context: &Context<'_>,
        op: &PathVersion,
    ) -> Result<Txn, ErrorCode> {
        self.check_session(context)?;
        let path = op.path.as_deref().ok_or(ErrorCode::MarshallingError)?;
        let parent_path = parent_of_doomed(path)?;
        let parent = self.overlay.find(context.tree, parent_path)?;
        self.require(context, parent.acl(), perms::DELETE)?;
        let node = self.overlay.find(context.tree, path)?;
        next_version(node.stat().version, op.version)?;
        if node.child_count() > 0 {
            return Err(ErrorCode::NotEmpty);
        }
        let doomed = Doomed::new(&node);
        self.remove(context, parent_path, path, doomed);
        Ok(Txn::Delete(DeleteTxn { path: path.to_owned() }))
    }

    /// From the server's own reaper: no session, no permission. The tree may have changed since
    /// the reaper chose the znode, so whether it may go is asked again; ZooKeeper only asks
    /// whether it is an ephemeral.
    pub(super) fn delete_container(
        &mut self,
        context: &Context<'_>,
        path: &str,
    ) -> Result<Txn, ErrorCode> {
        let parent_path = parent_of_doomed(path)?;
        let node = self.overlay.find(context.tree, path)?;
        if node.child_count() > 0 {
            return Err(ErrorCode::NotEmpty);
        }
        let stat = node.stat();
        let may_go = match self.overlay.owner(stat.ephemeral_owner) {
            EphemeralOwner::Container => true,
            EphemeralOwner::Ttl(ttl) => context.wall.saturating_sub(stat.mtime) > ttl,
            EphemeralOwner::Session(_) | EphemeralOwner::Void => false,
        };
        if !may_go {
            return Err(ErrorCode::BadVersion);
        }
        let doomed = Doomed::new(&node);
        self.remove(context, parent_path, path, doomed);
        Ok(Txn::DeleteContainer(DeleteTxn { path: path.to_owned() }))
    }

    pub(super) fn set_data(
        &mut self,
        context: &Context<'_>,
        op: &SetDataRequest,
    ) -> Result<Txn, ErrorCode> {
        self.check_session(context)?;
        let path = valid(op.path.as_deref())?;
        let node = self.overlay.find(context.tree, path)?;
        self.require(context, node.acl(), perms::WRITE)?;
        let data_len = op.data.as_ref().map_or(0, bytes::Bytes::len);
        let usage = Usage::of_data(node.data_len(), data_len);
        self.check_quota(context, path, usage)?;
        let version = next_version(node.stat().version, op.version)?;

        let mut znode = self.overlay.copy(path, &node);
        znode.stat.version = version;
        znode.stat.mtime = context.wall;
        znode.stat.mzxid = context.zxid.0;
        znode.data_len = data_len;
        znode.content = self.overlay.content_hash(path, op.data.as_deref());
        self.overlay.put(context.tree, context.zxid, path, znode);
        self.use_quota(context, path, usage);
        Ok(Txn::SetData(SetDataTxn { path: path.to_owned(), data: op.data.clone(), version }))
    }

    pub(super) fn set_acl(
        &mut self,
        context: &Context<'_>,
        op: &SetAclRequest,
    ) -> Result<Txn, ErrorCode> {
        self.check_session(context)?;
        let path = valid(op.path.as_deref())?;
        let acl = self.options.auth.fix_acl(op.acl.as_deref(), context.identities)?;
        let node = self.overlay.find(context.tree, path)?;
        self.require(context, node.acl(), perms::ADMIN)?;
        let version = next_version(node.stat().aversion, op.version)?;

        let mut znode = self.overlay.copy(path, &node);
        znode.stat.aversion = version;
        znode.acl = acl.as_slice().into();
        self.overlay.put(context.tree, context.zxid, path, znode);
        Ok(Txn::SetAcl(SetAclTxn { path: path.to_owned(), acl: Some(acl), version }))
    }

    /// Inside a multi only.
    pub(super) fn check(&self, context: &Context<'_>, op: &PathVersion) -> Result<Txn, ErrorCode> {
        self.check_session(context)?;
        let path = valid(op.path.as_deref())?;
        let node = self.overlay.find(context.tree, path)?;
        self.require(context, node.acl(), perms::READ)?;
        let version = next_version(node.stat().version, op.version)?;
        Ok(Txn::Check(CheckVersionTxn { path: path.to_owned(), version }))
    }

    /// Notes that a znode is deleted, in its own entry and its parent's.
    pub(super) fn remove(
        &mut self,
        context: &Context<'_>,
        parent_path: &str,
        path: &str,
        doomed: Doomed,
    ) {
        let parent = self.overlay.find(context.tree, parent_path);
        debug_assert!(parent.is_ok(), "a znode that exists has a parent");
        if let Ok(parent) = parent {
            let mut parent = self.overlay.copy(parent_path, &parent);
            parent.lose_child(context.zxid);
            self.overlay.put(context.tree, context.zxid, parent_path, parent);
        }
        self.overlay.remove(context.tree, context.zxid, path, doomed.digest);
        self.use_quota(context, path, Usage::of_deleted(doomed.data_len));
    }
}

/// What is left to know of a znode that is about to be deleted.
#[derive(Clone, Copy)]
pub(super) struct Doomed {
    digest: u32,
    data_len: usize,
}

impl Doomed {
    pub(super) fn new(node: &View<'_>) -> Self {
        Self { digest: node.digest(), data_len: node.data_len() }
    }
}

/// The version after a change, if the expected one is the current one or -1
/// (ZK: `checkAndIncVersion`; 3.9 does not skip -1, which clients then cannot expect).
fn next_version(current: i32, expected: i32) -> Result<i32, ErrorCode> {
    if expected != -1 && expected != current {
        return Err(ErrorCode::BadVersion);
    }
    Ok(current.wrapping_add(1))
}

fn valid(path: Option<&str>) -> Result<&str, ErrorCode> {
    let path = path.ok_or(ErrorCode::BadArguments)?;
    path::validate(path).map_err(|_| ErrorCode::BadArguments)?;
    Ok(path)
}

/// The parent of a znode that is to be deleted. The path need not be valid: then there is no such
/// znode. The server's own znodes stay (ZK: `getParentPathAndValidate`).
fn parent_of_doomed(path: &str) -> Result<&str, ErrorCode> {
    const SPECIAL: [&str; 4] = ["/", "/zookeeper", "/zookeeper/config", "/zookeeper/quota"];
    match path::split(path) {
        Some((parent, _)) if !path.contains('\0') && !SPECIAL.contains(&path) => Ok(parent),
        _ => Err(ErrorCode::BadArguments),
    }
}
