//! The names of contenders: those that other libraries look for, and what they tell.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

/// Where a library looks for the number of a contender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// kazoo's `Lock` and `Election`: `<32 hex digits>__lock__<number>`.
    Kazoo,
    /// Curator's `InterProcessMutex` and `LeaderSelector`: `_c_<uuid>-lock-<number>`.
    CuratorLock,
    /// Curator's `LeaderLatch`: `_c_<uuid>-latch-<number>`.
    CuratorLatch,
}

/// Who sees the contenders of a lock.
pub(super) const LOCK: &[Family] = &[Family::CuratorLock, Family::Kazoo];
/// Who sees the candidates of an election.
pub(super) const ELECTION: &[Family] = &[Family::CuratorLatch, Family::CuratorLock, Family::Kazoo];

/// What makes a contender's names its own, so that it finds its znodes when the reply to their
/// creation was lost (Curator: protected mode).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark([u8; 16]);

impl Mark {
    /// One that nobody else has.
    pub(super) fn new() -> Self {
        // Seeded by the system's random source.
        let chance = RandomState::new();
        let (high, low) = (chance.hash_one(0), chance.hash_one(1));
        let number = (u128::from(high) << 64) | u128::from(low);
        Self::from_random(number)
    }

    /// A version 4 UUID that begins with a letter: Curator sorts names that it cannot read as they
    /// are, and they must come behind its own, which it sorts by their digits.
    fn from_random(number: u128) -> Self {
        let mut bytes = number.to_be_bytes();
        bytes[0] = 0xa0 + 0x10 * (bytes[0] >> 4) % 0x60 + (bytes[0] & 0x0f);
        bytes[6] = 0x40 | (bytes[6] & 0x0f);
        bytes[8] = 0x80 | (bytes[8] & 0x3f);
        Self(bytes)
    }

    fn hex(&self) -> String {
        format!("{:032x}", u128::from_be_bytes(self.0))
    }

    /// The name of this contender's znode for a family, without the number.
    pub(super) fn prefix(&self, family: Family) -> String {
        let hex = self.hex();
        let uuid = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-");
        match family {
            Family::Kazoo => format!("{hex}__lock__"),
            Family::CuratorLock => format!("_c_{uuid}-lock-"),
            Family::CuratorLatch => format!("_c_{uuid}-latch-"),
        }
    }
}

/// Digits of a sequence number.
const DIGITS: usize = 10;

/// The number of a contender, `None` for znodes that are none.
pub(super) fn number(name: &str) -> Option<i32> {
    let at = name.len().checked_sub(DIGITS)?;
    let digits = name.get(at..)?;
    // `+` is allowed by the parser, not by the server.
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

/// The contender with the highest number below this one.
pub(super) fn predecessor(names: &[String], own: i32) -> Option<&str> {
    let before = |name: &&String| number(name).filter(|&number| number < own);
    let nearest = names.iter().filter(|name| before(name).is_some()).max_by_key(before);
    nearest.map(String::as_str)
}

/// The contender with the lowest number.
pub(super) fn first(names: &[String]) -> Option<&str> {
    let numbered = names.iter().filter_map(|name| Some((number(name)?, name)));
    numbered.min().map(|(_, name)| name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn names_are_those_of_other_libraries() {
        let mark = Mark::from_random(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
        assert_eq!(mark.prefix(Family::Kazoo), "a123456789ab4def8123456789abcdef__lock__");
        assert_eq!(
            mark.prefix(Family::CuratorLock),
            "_c_a1234567-89ab-4def-8123-456789abcdef-lock-"
        );
        assert_eq!(
            mark.prefix(Family::CuratorLatch),
            "_c_a1234567-89ab-4def-8123-456789abcdef-latch-"
        );
    }

    #[test]
    fn marks_differ_and_begin_with_a_letter() {
        let marks: Vec<_> = (0..100).map(|_| Mark::new().hex()).collect();
        for (index, mark) in marks.iter().enumerate() {
            assert!(mark.starts_with(|first: char| first.is_ascii_lowercase()), "{mark}");
            assert!(!marks[..index].contains(mark));
        }
        for byte in 0..=255_u128 {
            let mark = Mark::from_random(byte << 120).hex();
            assert!(mark.starts_with(|first: char| first.is_ascii_lowercase()), "{mark}");
        }
    }

    #[test]
    fn every_library_is_counted_by_its_number() {
        assert_eq!(number("_c_1-lock-0000000007"), Some(7));
        assert_eq!(number("abc__lock__0000000008"), Some(8));
        assert_eq!(number("abc__rlock__2147483647"), Some(i32::MAX));
        for other in ["", "lock", "lock-+000000007", "lock-9999999999", "lock-00000000ü7"] {
            assert_eq!(number(other), None, "{other}");
        }
    }

    #[test]
    fn only_the_nearest_before_is_waited_for() {
        let all = names(&["x-lock-0000000009", "y__lock__0000000003", "config", "z-0000000005"]);
        assert_eq!(predecessor(&all, 9), Some("z-0000000005"));
        assert_eq!(predecessor(&all, 3), None);
        assert_eq!(first(&all), Some("y__lock__0000000003"));
        assert_eq!(first(&names(&["config"])), None);
    }
}
