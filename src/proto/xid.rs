//! The special request numbers.

/// Of notifications.
pub const NOTIFICATION: i32 = -1;
/// Of pings.
pub const PING: i32 = -2;
/// Of auth packets.
pub const AUTH: i32 = -4;
/// Of setWatches and setWatches2.
pub const SET_WATCHES: i32 = -8;
