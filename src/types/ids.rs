//! Newtypes for the numbers that must not be mixed up.

use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);
    };
}

id! {
    /// A transaction's id: the leader's epoch in the high 32 bits, a counter in the low ones.
    /// Compared signed, as ZooKeeper does; -1 stands for "none" on the wire.
    Zxid(i64)
}
id! {
    /// The number of a leader's term.
    Epoch(i64)
}
id! {
    /// A server's `myid`.
    ServerId(i64)
}
id! {
    /// A session's id; 0 is never valid.
    SessionId(i64)
}
id! {
    /// A request's number within its session (`cxid` in transactions).
    Xid(i32)
}
id! {
    /// A client connection of this server, never reused while the server runs.
    ConnId(u64)
}

id! {
    /// A connection between a leader and a learner, never reused while the server runs.
    LinkId(u64)
}

impl Zxid {
    /// Before the first transaction.
    pub const ZERO: Self = Self(0);

    /// The zxid with this epoch and counter.
    #[must_use]
    pub const fn new(epoch: Epoch, counter: u32) -> Self {
        Self((epoch.0 << 32) | counter as i64)
    }

    /// The epoch it belongs to.
    #[must_use]
    pub const fn epoch(self) -> Epoch {
        Epoch(self.0 >> 32)
    }

    /// Its number within the epoch.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the low 32 bits")]
    pub const fn counter(self) -> u32 {
        self.0 as u32
    }

    /// The zxid after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Zxid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:x}", self.0)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:x}", self.0)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zxid_is_an_epoch_and_a_counter() {
        let zxid = Zxid::new(Epoch(2), 0xffff_fffe);
        assert_eq!(zxid.epoch(), Epoch(2));
        assert_eq!(zxid.counter(), 0xffff_fffe);
        assert_eq!(zxid.to_string(), "0x2fffffffe");
        assert_eq!(Zxid(-1).epoch(), Epoch(-1));
    }
}
