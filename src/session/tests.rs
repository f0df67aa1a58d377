//! The table against hand-made stories.

use super::Sessions;
use crate::types::{Moment, SessionId};

const TICK: u64 = 2000;

#[test]
fn a_session_expires_at_the_tick_behind_its_timeout() {
    let mut sessions = Sessions::new(TICK);
    sessions.insert(SessionId(1), 4000, Moment(500));
    assert_eq!(sessions.next_expiry(), Some(Moment(6000)));
    assert!(sessions.expired(Moment(5999)).is_empty());
    assert_eq!(sessions.expired(Moment(6000)), [SessionId(1)]);
}
