//! What the one number `ephemeralOwner` says: who owns a znode, or what special kind it is.

use super::SessionId;

/// The kind of a znode, as its stored `ephemeralOwner` encodes it (ZK: `EphemeralType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EphemeralOwner {
    /// An ordinary persistent znode.
    Void,
    /// Lives as long as this session.
    Session(SessionId),
    /// Removed once its last child is gone.
    Container,
    /// Removed when childless and unchanged for this many milliseconds.
    Ttl(i64),
}

/// Whether the high bits of an owner may mean a TTL (`zookeeper.extendedTypesEnabled`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExtendedTypes {
    /// They may not: every owner that is not a container mark is a session.
    #[default]
    Off,
    /// A high byte of 0xff means a TTL.
    On,
    /// As `On`, and owners with only the top bit set are TTLs too (`emulate353TTLNodes`).
    Emulate353,
}

const CONTAINER: i64 = i64::MIN;
const TTL_MARK: u64 = 0xff00_0000_0000_0000;
const TTL_353_MARK: u64 = 0x8000_0000_0000_0000;

impl EphemeralOwner {
    /// The largest TTL in milliseconds, 2^40 - 1.
    pub const MAX_TTL: i64 = 0xff_ffff_ffff;

    /// Reads a stored owner.
    #[must_use]
    pub fn from_raw(raw: i64, types: ExtendedTypes) -> Self {
        let bits = raw.cast_unsigned();
        match raw {
            0 => Self::Void,
            CONTAINER => Self::Container,
            _ if types == ExtendedTypes::Emulate353 && raw < 0 && bits & TTL_MARK != TTL_MARK => {
                Self::Ttl((bits & !TTL_353_MARK).cast_signed())
            }
            _ if types != ExtendedTypes::Off && bits & TTL_MARK == TTL_MARK => {
                Self::Ttl(raw & Self::MAX_TTL)
            }
            _ => Self::Session(SessionId(raw)),
        }
    }

    /// The stored number. A TTL outside `0..=MAX_TTL` is cut to its low 40 bits. Servers that
    /// read the old form of TTLs write the new one all the same.
    #[must_use]
    pub fn to_raw(self) -> i64 {
        match self {
            Self::Void => 0,
            Self::Session(id) => id.0,
            Self::Container => CONTAINER,
            Self::Ttl(ttl) => (TTL_MARK | (ttl & Self::MAX_TTL).cast_unsigned()).cast_signed(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_survive_the_round_trip() {
        for types in [ExtendedTypes::On, ExtendedTypes::Emulate353] {
            for owner in [
                EphemeralOwner::Void,
                EphemeralOwner::Session(SessionId(0x0100_0017_9c5d_0000)),
                EphemeralOwner::Container,
                EphemeralOwner::Ttl(EphemeralOwner::MAX_TTL),
                EphemeralOwner::Ttl(1),
            ] {
                assert_eq!(EphemeralOwner::from_raw(owner.to_raw(), types), owner);
            }
        }
    }

    #[test]
    fn without_extended_types_a_ttl_looks_like_a_session() {
        let raw = EphemeralOwner::Ttl(5).to_raw();
        let read = EphemeralOwner::from_raw(raw, ExtendedTypes::Off);
        assert_eq!(read, EphemeralOwner::Session(SessionId(raw)));
    }
}
