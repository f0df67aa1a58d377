//! What clients did and what they were told: the history that the checks judge.
//!
//! A register is a znode that may be absent; it holds a value that no other operation writes, and
//! a version. Knows nothing of servers.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use zabra::types::ErrorCode;

/// What a register holds; every write of a run has a value of its own.
pub(super) type Value = u64;

/// Microseconds since the run began.
pub(super) type Time = u64;

/// How a read makes sure that it is not stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Through {
    /// Not at all: what the session's server has.
    Nothing,
    /// By a sync before it.
    Sync,
    /// By a write of the same session before it.
    Write,
}

/// What a client asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Create(Value),
    /// With the version that the register must have, if that matters.
    Set(Value, Option<i32>),
    Delete(Option<i32>),
    Read(Through),
}

/// What a client was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Created,
    /// The register's new version.
    Written(i32),
    Deleted,
    Found {
        version: i32,
        value: Value,
    },
    Refused(ErrorCode),
}

/// One operation on one register.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    pub(super) session: i64,
    pub(super) path: Arc<str>,
    pub(super) call: Call,
    pub(super) start: Time,
    /// When the client heard of it, or gave up.
    pub(super) end: Time,
    /// `None` if the client was told nothing: the operation may have taken place, may take place
    /// later, or never.
    pub(super) outcome: Option<Outcome>,
    /// The transaction that wrote what was written or read, where the answer tells.
    pub(super) zxid: Option<i64>,
    /// The last transaction that the session knew of afterwards.
    pub(super) seen: i64,
}

impl Operation {
    pub(super) const fn is_read(&self) -> bool {
        matches!(self.call, Call::Read(_))
    }

    /// What the register held according to this operation.
    pub(super) const fn content(&self) -> Option<(i32, Value)> {
        match (self.call, self.outcome) {
            (_, Some(Outcome::Found { version, value }))
            | (Call::Set(value, _), Some(Outcome::Written(version))) => Some((version, value)),
            (Call::Create(value), Some(Outcome::Created)) => Some((0, value)),
            _ => None,
        }
    }

    /// The value that it writes, if it takes place.
    pub(super) const fn value(&self) -> Option<Value> {
        match self.call {
            Call::Create(value) | Call::Set(value, _) => Some(value),
            Call::Delete(_) | Call::Read(_) => None,
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { session, path, call, start, end, outcome, zxid, seen } = self;
        write!(f, "{start}-{end} 0x{session:x} {path} {call:?}: ")?;
        match outcome {
            Some(outcome) => write!(f, "{outcome:?}")?,
            None => write!(f, "no answer")?,
        }
        if let Some(zxid) = zxid {
            write!(f, " by 0x{zxid:x}")?;
        }
        write!(f, ", seen 0x{seen:x}")
    }
}

/// The epoch of a transaction.
pub(super) const fn epoch(zxid: i64) -> i64 {
    zxid >> 32
}

/// The operations on each register.
pub(super) fn by_path<'a>(
    history: impl IntoIterator<Item = &'a Operation>,
) -> BTreeMap<Arc<str>, Vec<&'a Operation>> {
    let mut registers: BTreeMap<Arc<str>, Vec<&Operation>> = BTreeMap::new();
    for operation in history {
        registers.entry(Arc::clone(&operation.path)).or_default().push(operation);
    }
    registers
}
