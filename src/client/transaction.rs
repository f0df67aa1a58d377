//! The operations of a multi, in a form that is easy to write down.

use super::{ClientError, CreateOptions, path};
use crate::proto::{MultiOp, MultiRequest};
use bytes::Bytes;
use jute::client::{PathVersion, PathWatch, SetDataRequest};

/// Several writes of which all take place or none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transaction {
    ops: Vec<Op>,
}

#[derive(Clone, Debug, PartialEq)]
enum Op {
    Create { path: String, data: Option<Bytes>, options: CreateOptions },
    Delete { path: String, version: Option<i32> },
    SetData { path: String, data: Option<Bytes>, version: Option<i32> },
    Check { path: String, version: Option<i32> },
}

impl Transaction {
    /// A transaction that does nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates a znode.
    #[must_use]
    pub fn create(
        self,
        path: &str,
        data: impl Into<Option<Bytes>>,
        options: impl Into<CreateOptions>,
    ) -> Self {
        let (data, options) = (data.into(), options.into());
        self.and(Op::Create { path: path.to_owned(), data, options })
    }

    /// Deletes a znode, if its version is this one.
    #[must_use]
    pub fn delete(self, path: &str, version: Option<i32>) -> Self {
        self.and(Op::Delete { path: path.to_owned(), version })
    }

    /// Changes a znode's data, if its version is this one.
    #[must_use]
    pub fn set(self, path: &str, data: impl Into<Option<Bytes>>, version: Option<i32>) -> Self {
        self.and(Op::SetData { path: path.to_owned(), data: data.into(), version })
    }

    /// Fails unless the znode exists and its version is this one.
    #[must_use]
    pub fn check(self, path: &str, version: Option<i32>) -> Self {
        self.and(Op::Check { path: path.to_owned(), version })
    }

    fn and(mut self, op: Op) -> Self {
        self.ops.push(op);
        self
    }

    /// How many operations it has.
    pub fn len(&self) -> usize {
        self.ops.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    pub(super) fn to_request(&self, chroot: &str) -> Result<MultiRequest, ClientError> {
        let ops = self.ops.iter().map(|op| op.to_multi(chroot)).collect::<Result<_, _>>()?;
        Ok(MultiRequest { ops })
    }
}

impl Op {
    fn to_multi(&self, chroot: &str) -> Result<MultiOp, ClientError> {
        let versioned = |shown: &str, version: Option<i32>| {
            let path = Some(path::full(chroot, shown)?);
            Ok::<_, ClientError>(PathVersion { path, version: version.unwrap_or(-1) })
        };
        Ok(match self {
            Self::Create { path, data, options } => {
                MultiOp::Create(options.to_op(chroot, path, data.clone(), false)?)
            }
            Self::Delete { path, version } => MultiOp::Delete(versioned(path, *version)?),
            Self::Check { path, version } => MultiOp::Check(versioned(path, *version)?),
            Self::SetData { path, data, version } => {
                let PathVersion { path, version } = versioned(path, *version)?;
                MultiOp::SetData(SetDataRequest { path, data: data.clone(), version })
            }
        })
    }
}

/// One read of a multiRead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadOp<'a> {
    /// Read the data at this path.
    Get(&'a str),
    /// List the children of this path.
    Children(&'a str),
}

impl ReadOp<'_> {
    pub(super) fn to_multi(self, chroot: &str) -> Result<MultiOp, ClientError> {
        let unwatched = |shown| {
            let path = Some(path::full(chroot, shown)?);
            Ok::<_, ClientError>(PathWatch { path, watch: false })
        };
        Ok(match self {
            Self::Get(path) => MultiOp::GetData(unwatched(path)?),
            Self::Children(path) => MultiOp::GetChildren(unwatched(path)?),
        })
    }
}
