//! Numbers that every server of an ensemble must compute alike: session ids, passwords, timeouts.

use crate::types::{ServerId, SessionId};

/// Length of a session's password in bytes.
pub const PASSWORD_LEN: usize = 16;

/// The secret that passwords are made from; it is the same in every ZooKeeper server, so a client
/// may move between any two of them (ZK: `ZooKeeperServer.superSecret`).
const SECRET: i64 = 0xb341_5c00;

/// Hands out the ids of new sessions (ZK: `SessionTrackerImpl.initializeNextSessionId`).
#[derive(Debug)]
pub struct SessionIds {
    next: i64,
}

impl SessionIds {
    /// Ids for the sessions that this server opens. The top byte is the server's id, the next five
    /// are the clock, the rest counts up.
    ///
    /// `wall_ms` is milliseconds since the Unix epoch. ZooKeeper takes a monotonic clock, whose
    /// values come back after a reboot; the wall clock does not repeat ids of earlier sessions.
    #[must_use]
    pub const fn new(server_id: ServerId, wall_ms: i64) -> Self {
        let clock = (wall_ms << 24).cast_unsigned() >> 8;
        let seed = clock.cast_signed() | (server_id.0 << 56);
        // The first is what marks a container as a znode's owner, the second is no session's id.
        let next = if matches!(seed, i64::MIN | 0) { seed + 1 } else { seed };
        Self { next }
    }

    /// An id that was not handed out before.
    pub const fn next(&mut self) -> SessionId {
        let id = self.next;
        self.next = id.wrapping_add(1);
        SessionId(id)
    }
}

/// The password of a session (ZK: `ZooKeeperServer.generatePasswd`).
#[must_use]
pub fn password(id: SessionId) -> [u8; PASSWORD_LEN] {
    let mut random = JavaRandom::new(id.0 ^ SECRET);
    let mut bytes = [0; PASSWORD_LEN];
    for chunk in bytes.chunks_exact_mut(4) {
        chunk.copy_from_slice(&random.next_bits().to_le_bytes());
    }
    bytes
}

/// Whether a client that shows this password may go on with the session. Nothing matches session 0
/// (ZK: `ZooKeeperServer.checkPasswd`).
#[must_use]
pub fn password_matches(id: SessionId, shown: &[u8]) -> bool {
    id != SessionId(0) && shown == password(id)
}

/// The timeout that a client gets, in milliseconds. The maximum wins where the bounds cross.
#[must_use]
pub fn negotiate_timeout(requested: i32, min: i32, max: i32) -> i32 {
    requested.max(min).min(max)
}

/// The generator behind `java.util.Random`: 48 bits of state, of which the upper 32 are given out.
struct JavaRandom {
    state: u64,
}

impl JavaRandom {
    const MULTIPLIER: u64 = 0x5_deec_e66d;
    const INCREMENT: u64 = 0xb;
    const MASK: u64 = (1 << 48) - 1;

    const fn new(seed: i64) -> Self {
        Self { state: (seed.cast_unsigned() ^ Self::MULTIPLIER) & Self::MASK }
    }

    #[expect(clippy::cast_possible_truncation, reason = "48 bits of state less 16 are 32")]
    const fn next_bits(&mut self) -> u32 {
        let product = self.state.wrapping_mul(Self::MULTIPLIER);
        self.state = product.wrapping_add(Self::INCREMENT) & Self::MASK;
        (self.state >> 16) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Session ids and passwords as Java computes them.
    const GOLDEN: [(i64, u128); 5] = [
        (0x0100_0017_9c5d_0000, 0x79ad_267d_12c4_73af_7f73_0bbb_ab8f_5a1e),
        (1, 0x054c_c74a_3732_7db2_15e7_02e2_0c73_f005),
        (-1, 0x20f6_2cb5_648d_c2d7_7147_1c8a_2486_a9ee),
        (0x0200_018f_0000_0001, 0x054c_686e_3732_0a84_15e7_0bc9_0c73_c57a),
        (i64::MIN, 0xf22a_cd4a_97e6_9d6d_20a4_9bb6_38ea_db38),
    ];

    #[test]
    fn passwords_are_javas() {
        for (id, expected) in GOLDEN {
            assert_eq!(password(SessionId(id)), expected.to_be_bytes(), "{id:x}");
        }
    }

    #[test]
    fn only_the_right_password_matches() {
        let id = SessionId(7);
        let mut right = password(id);
        assert!(password_matches(id, &right));
        assert!(!password_matches(SessionId(8), &right));
        assert!(!password_matches(id, &right[..15]));
        assert!(!password_matches(id, &[]));
        right[15] ^= 1;
        assert!(!password_matches(id, &right));
        assert!(!password_matches(SessionId(0), &password(SessionId(0))));
    }

    #[test]
    fn ids_start_as_javas_and_count_up() {
        for (server, wall, expected) in [
            (1, 1000, 0x0100_0000_03e8_0000_u64),
            (3, 1_700_000_000_000, 0x038b_cfe5_6800_0000),
            (200, 1_700_000_000_000, 0xc88b_cfe5_6800_0000),
            (5, 1 << 41, 0x0500_0000_0000_0000),
        ] {
            let mut ids = SessionIds::new(ServerId(server), wall);
            assert_eq!(ids.next(), SessionId(expected.cast_signed()));
            assert_eq!(ids.next(), SessionId(expected.cast_signed() + 1));
        }
    }

    #[test]
    fn ids_that_mean_something_else_are_left_out() {
        assert_eq!(SessionIds::new(ServerId(128), 0).next(), SessionId(i64::MIN + 1));
        assert_eq!(SessionIds::new(ServerId(0), 0).next(), SessionId(1));
    }

    #[test]
    fn timeouts_are_kept_between_the_bounds() {
        assert_eq!(negotiate_timeout(10_000, 4000, 40_000), 10_000);
        assert_eq!(negotiate_timeout(0, 4000, 40_000), 4000);
        assert_eq!(negotiate_timeout(i32::MIN, 4000, 40_000), 4000);
        assert_eq!(negotiate_timeout(i32::MAX, 4000, 40_000), 40_000);
    }
}
