//! How znodes are created.

use super::{ClientError, path};
use crate::proto::{CreateMode, CreateOp, OpCode};
use crate::types::{Acl, EphemeralOwner, perms};
use bytes::Bytes;
use jute::client::{RawAcl, RawId};
use std::time::Duration;

/// What a new znode is to be, besides its path and data.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateOptions {
    /// Its kind.
    pub mode: CreateMode,
    /// Its access control list. Default: everybody may do everything.
    pub acl: Vec<Acl>,
    /// Its time to live, for the two modes that take one; milliseconds count.
    pub ttl: Option<Duration>,
}

impl From<CreateMode> for CreateOptions {
    /// A znode of this mode that is open to all.
    fn from(mode: CreateMode) -> Self {
        Self { mode, acl: perms::world(perms::ALL), ttl: None }
    }
}

impl CreateOptions {
    /// The same with another access control list.
    #[must_use]
    pub fn acl(self, acl: Vec<Acl>) -> Self {
        Self { acl, ..self }
    }

    /// The same with a time to live.
    #[must_use]
    pub fn ttl(self, ttl: Duration) -> Self {
        Self { ttl: Some(ttl), ..self }
    }

    /// The operation on the wire. `with_stat` asks for the stat where that is a choice.
    pub(super) fn to_op(
        &self,
        chroot: &str,
        shown: &str,
        data: Option<Bytes>,
        with_stat: bool,
    ) -> Result<CreateOp, ClientError> {
        let to_full = if self.mode.is_sequential() { path::full_prefix } else { path::full };
        let path = to_full(chroot, shown)?;
        let op = match self.mode {
            mode if mode.is_ttl() => OpCode::CreateTtl,
            CreateMode::Container => OpCode::CreateContainer,
            _ if with_stat => OpCode::Create2,
            _ => OpCode::Create,
        };
        let acl = Some(raw_acl(&self.acl));
        let (path, flags, ttl) = (Some(path), self.mode as i32, self.ttl_millis()?);
        Ok(CreateOp { op, path, data, acl, flags, ttl })
    }

    /// The TTL on the wire, -1 for modes without one.
    fn ttl_millis(&self) -> Result<i64, ClientError> {
        match (self.mode.is_ttl(), self.ttl) {
            (false, None) => Ok(-1),
            (false, Some(_)) => Err(ClientError::BadArguments("this mode takes no TTL")),
            (true, ttl) => match i64::try_from(ttl.unwrap_or_default().as_millis()) {
                Ok(millis @ 1..=EphemeralOwner::MAX_TTL) => Ok(millis),
                _ => Err(ClientError::BadArguments("a TTL is from 1 to 2^40 - 1 milliseconds")),
            },
        }
    }
}

/// An access control list as requests carry it.
pub(super) fn raw_acl(acl: &[Acl]) -> Vec<RawAcl> {
    let raw = |Acl { perms, id }: &Acl| {
        let id = RawId { scheme: Some(id.scheme.clone()), id: Some(id.id.clone()) };
        RawAcl { perms: *perms, id }
    };
    acl.iter().map(raw).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn op(options: &CreateOptions) -> Result<CreateOp, ClientError> {
        options.to_op("", "/a", None, true)
    }

    #[test]
    fn the_mode_decides_the_operation() {
        let hour = Duration::from_hours(1);
        for (options, expected, ttl) in [
            (CreateMode::Persistent.into(), OpCode::Create2, -1),
            (CreateMode::EphemeralSequential.into(), OpCode::Create2, -1),
            (CreateMode::Container.into(), OpCode::CreateContainer, -1),
            (
                CreateOptions::from(CreateMode::PersistentWithTtl).ttl(hour),
                OpCode::CreateTtl,
                3_600_000,
            ),
        ] {
            let op = op(&options).map(|op| (op.op, op.ttl));
            assert_eq!(op, Ok((expected, ttl)));
        }
    }

    #[test]
    fn a_ttl_goes_with_its_modes_only() {
        let refused = |options: CreateOptions| {
            assert!(matches!(op(&options), Err(ClientError::BadArguments(_))));
        };
        refused(CreateMode::PersistentWithTtl.into());
        refused(CreateOptions::from(CreateMode::PersistentWithTtl).ttl(Duration::MAX));
        refused(CreateOptions::from(CreateMode::Ephemeral).ttl(Duration::from_secs(1)));
    }
}
