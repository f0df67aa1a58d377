//! The one place where the server asks for the time.

use crate::types::{Moment, Now};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock whose moments count from now.
    pub(crate) fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// The time on both clocks.
    pub(crate) fn now(self) -> Now {
        Now { wall: wall_ms(), mono: self.moment() }
    }

    /// The time on the monotonic clock.
    pub(crate) fn moment(self) -> Moment {
        Moment(u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX))
    }
}

/// The wall clock, milliseconds since the Unix epoch; 0 if it stands before that.
pub(crate) fn wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
