//! The kinds of packets between leaders and learners, by the protocol's own numbers.

pub(crate) const PROPOSAL: i32 = 2;
pub(crate) const ACK: i32 = 3;
pub(crate) const COMMIT: i32 = 4;
pub(crate) const INFORM: i32 = 8;
pub(crate) const NEW_LEADER: i32 = 10;
pub(crate) const UP_TO_DATE: i32 = 12;
pub(crate) const DIFF: i32 = 13;
pub(crate) const TRUNC: i32 = 14;
pub(crate) const SNAP: i32 = 15;
pub(crate) const LEADER_INFO: i32 = 17;
