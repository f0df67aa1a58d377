//! The four create operations (ZK: `PrepRequestProcessor.pRequest2TxnCreate`).

use super::quota::Usage;
use super::znode::Znode;
use super::{Context, Prep};
use crate::proto::{CreateMode, CreateOp, OpCode};
use crate::tree::{SharedAcl, Txn};
use crate::types::{Acl, EphemeralOwner, ErrorCode, ExtendedTypes, path, perms};
use jute::disk::StatPersisted;
use jute::txn::{CreateContainerTxn, CreateTtlTxn, CreateTxn};

impl Prep {
    /// Makes the transaction of a create, or says why it is refused.
    pub(super) fn create(
        &mut self,
        context: &Context<'_>,
        op: &CreateOp,
    ) -> Result<Txn, ErrorCode> {
        let mode = CreateMode::from_number(op.flags).ok_or(ErrorCode::BadArguments)?;
        self.check_ttl(mode, op)?;
        if mode.is_ephemeral() {
            self.check_owner(context)?;
        } else {
            self.check_session(context)?;
        }
        let wanted = op.path.as_deref().ok_or(ErrorCode::MarshallingError)?;
        let parent_path = parent_of_new(wanted)?;
        let acl = self.options.auth.fix_acl(op.acl.as_deref(), context.identities)?;
        let parent = self.overlay.find(context.tree, parent_path)?;
        self.require(context, parent.acl(), perms::CREATE)?;
        let parent_stat = parent.stat();
        let path = if mode.is_sequential() {
            format!("{wanted}{:010}", parent_stat.cversion)
        } else {
            wanted.to_owned()
        };
        path::validate(&path).map_err(|_| ErrorCode::BadArguments)?;
        if self.overlay.find(context.tree, &path).is_ok() {
            return Err(ErrorCode::NodeExists);
        }
        if let EphemeralOwner::Session(_) = self.overlay.owner(parent_stat.ephemeral_owner) {
            return Err(ErrorCode::NoChildrenForEphemerals);
        }
        let data_len = op.data.as_ref().map_or(0, bytes::Bytes::len);
        let usage = Usage::of_new(data_len);
        self.check_quota(context, &path, usage)?;

        let parent_cversion = parent_stat.cversion.wrapping_add(1);
        let mut parent = self.overlay.copy(parent_path, &parent);
        parent.gain_child(parent_cversion, context.zxid);
        let znode = Znode {
            stat: fresh_stat(context, owner_of_new(context, mode, op)),
            child_count: 0,
            acl: share(&acl, &parent.acl),
            data_len,
            content: self.overlay.content_hash(&path, op.data.as_deref()),
            digest: 0,
        };
        self.overlay.put(context.tree, context.zxid, parent_path, parent);
        self.overlay.put(context.tree, context.zxid, &path, znode);
        self.use_quota(context, &path, usage);
        Ok(transaction(op, mode, path, acl, parent_cversion))
    }

    /// A TTL comes with a mode that takes one, and with no other (ZK: `validateTTL`).
    fn check_ttl(&self, mode: CreateMode, op: &CreateOp) -> Result<(), ErrorCode> {
        if !mode.is_ttl() {
            // ZooKeeper lets createTTL with another mode and a negative TTL pass here, and fails
            // when it applies the transaction.
            let takes_none = op.op != OpCode::CreateTtl && op.ttl < 0;
            return if takes_none { Ok(()) } else { Err(ErrorCode::BadArguments) };
        }
        if self.options.extended_types == ExtendedTypes::Off {
            return Err(ErrorCode::Unimplemented);
        }
        if (1..=EphemeralOwner::MAX_TTL).contains(&op.ttl) {
            Ok(())
        } else {
            Err(ErrorCode::BadArguments)
        }
    }
}

/// The first, coarse check of a new znode's path: a sequential one need not be valid before its
/// number is appended (ZK: `validatePathForCreate`).
fn parent_of_new(path: &str) -> Result<&str, ErrorCode> {
    match path::split(path) {
        Some((parent, _)) if !path.contains('\0') => Ok(parent),
        _ => Err(ErrorCode::BadArguments),
    }
}

/// The operation, not the mode, decides what is stored: createContainer always makes a container,
/// and create with the container's mode an ordinary znode.
fn owner_of_new(context: &Context<'_>, mode: CreateMode, op: &CreateOp) -> i64 {
    let owner = match op.op {
        OpCode::CreateContainer => EphemeralOwner::Container,
        OpCode::CreateTtl => EphemeralOwner::Ttl(op.ttl),
        _ if mode.is_ephemeral() => EphemeralOwner::Session(context.session),
        _ => EphemeralOwner::Void,
    };
    owner.to_raw()
}

fn fresh_stat(context: &Context<'_>, owner: i64) -> StatPersisted {
    let zxid = context.zxid.0;
    StatPersisted {
        czxid: zxid,
        mzxid: zxid,
        ctime: context.wall,
        mtime: context.wall,
        version: 0,
        cversion: 0,
        aversion: 0,
        ephemeral_owner: owner,
        pzxid: zxid,
    }
}

/// Most znodes have their parent's list: they then share it.
fn share(acl: &[Acl], parent: &SharedAcl) -> SharedAcl {
    if **parent == *acl { parent.clone() } else { acl.into() }
}

fn transaction(
    op: &CreateOp,
    mode: CreateMode,
    path: String,
    acl: Vec<Acl>,
    parent_cversion: i32,
) -> Txn {
    let (data, acl) = (op.data.clone(), Some(acl));
    match op.op {
        OpCode::CreateContainer => {
            Txn::CreateContainer(CreateContainerTxn { path, data, acl, parent_cversion })
        }
        OpCode::CreateTtl => {
            Txn::CreateTtl(CreateTtlTxn { path, data, acl, parent_cversion, ttl: op.ttl })
        }
        other => {
            let ephemeral = mode.is_ephemeral();
            let body = CreateTxn { path, data, acl, ephemeral, parent_cversion };
            if other == OpCode::Create2 { Txn::Create2(body) } else { Txn::Create(body) }
        }
    }
}
