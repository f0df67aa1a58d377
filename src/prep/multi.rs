//! Several writes in one transaction, all or none (ZK: `pRequestHelper`, `MultiOperationRecord`).

use super::{Context, Prep};
use crate::proto::{CreateMode, CreateOp, MultiOp, MultiRequest, OpCode};
use crate::tree::Txn;
use crate::types::ErrorCode;
use std::borrow::Cow;

impl Prep {
    /// Makes the transaction of a multi.
    ///
    /// # Errors
    /// `MarshallingError` for what ZooKeeper takes for a request that it cannot read. Every other
    /// failure is a part of the transaction: the first failing operation's code in its place,
    /// `RuntimeInconsistency` in the places after it, and before it what would have been done.
    pub(super) fn multi(
        &mut self,
        context: &Context<'_>,
        multi: &MultiRequest,
    ) -> Result<Txn, ErrorCode> {
        if !multi.ops.iter().all(is_readable) {
            return Err(ErrorCode::MarshallingError);
        }
        self.overlay.begin(context.tree);
        let usage = self.usage.mark();
        let mut parts = Vec::with_capacity(multi.ops.len());
        for op in &multi.ops {
            match self.part(context, op) {
                Ok(txn) => parts.push(txn),
                Err(ErrorCode::MarshallingError) => {
                    self.roll_back(usage);
                    return Err(ErrorCode::MarshallingError);
                }
                Err(code) => {
                    self.roll_back(usage);
                    parts.push(Txn::error(code));
                    break;
                }
            }
        }
        self.overlay.commit();
        parts.resize(multi.ops.len(), Txn::error(ErrorCode::RuntimeInconsistency));
        Ok(Txn::Multi(parts))
    }

    fn roll_back(&mut self, usage: usize) {
        self.overlay.rollback();
        self.usage.rollback(usage);
    }

    fn part(&mut self, context: &Context<'_>, op: &MultiOp) -> Result<Txn, ErrorCode> {
        match op {
            MultiOp::Create(op) => self.create(context, &as_single(op)),
            MultiOp::Delete(op) => self.delete(context, op),
            MultiOp::SetData(op) => self.set_data(context, op),
            MultiOp::Check(op) => self.check(context, op),
            MultiOp::GetData(_) | MultiOp::GetChildren(_) => Err(ErrorCode::MarshallingError),
        }
    }
}

/// Whether ZooKeeper can read an operation of a multi. It looks at paths, create modes and lists
/// before it looks at the tree, and refuses the request as a whole.
fn is_readable(op: &MultiOp) -> bool {
    match op {
        MultiOp::Create(op) => op.path.is_some() && is_readable_create(op),
        MultiOp::Delete(op) | MultiOp::Check(op) => op.path.is_some(),
        MultiOp::SetData(op) => op.path.is_some(),
        MultiOp::GetData(_) | MultiOp::GetChildren(_) => false,
    }
}

/// ZooKeeper's `CreateOptions` insists on a list and on a mode that fits the operation; createTTL
/// does not pass through them.
fn is_readable_create(op: &CreateOp) -> bool {
    let mode = CreateMode::from_number(op.flags);
    let fits = mode.is_some_and(|mode| !mode.is_ttl()) && op.acl.is_some();
    op.op == OpCode::CreateTtl || fits
}

/// Inside a multi the mode has a say in what the operation is (ZK: `Op.Create.getOpcode`).
fn as_single(op: &CreateOp) -> Cow<'_, CreateOp> {
    let mode = CreateMode::from_number(op.flags);
    let meant = match (op.op, mode) {
        (_, Some(CreateMode::Container)) => OpCode::CreateContainer,
        (OpCode::CreateTtl, Some(mode)) if mode.is_ttl() => OpCode::CreateTtl,
        (OpCode::CreateTtl, _) => OpCode::Create,
        (other, _) => other,
    };
    if meant == op.op {
        return Cow::Borrowed(op);
    }
    // A createTTL that has become another operation has lost its TTL.
    Cow::Owned(CreateOp { op: meant, ttl: -1, ..op.clone() })
}
