//! The atomic broadcast: which transaction comes next, and which are decided.
//!
//! Payloads are opaque here. A [`Peer`] is one server's part in it: input and time in, outputs out.
//!
//! ```text
//!            ┌──────────────── cannot go on ───────────────┐
//!            ▼                                             │
//!        looking ── elected ──▶ leading                    │
//!            │                    discovery: which epoch  ─┤
//!            │                    synchronisation          │
//!            │                    broadcast               ─┤
//!            └── found a leader ▶ following, observing    ─┘
//! ```
//!
//! What must hold, whatever crashes:
//! - Whatever is acknowledged is durable: the log first, then the epoch, then the acknowledgement.
//! - A vote counts only what is durable.
//! - A leader is followed by a quorum that has promised its epoch to no other, before it proposes.
//! - Decisions come in the order of the proposals, and nothing is applied that is not decided and
//!   durable here.

mod alone;
mod election;
mod io;
mod journal;
mod leader;
mod learner;
mod masters;
mod member;
mod notification;
mod oracle;
pub mod packet;
mod peer;
mod quorum;
#[cfg(test)]
mod tests;

pub use election::{Election, ElectionOptions, Outcome, Vote};
pub use io::{Action, Epochs, Event, Fatal, Input, LinkError, Output, Report, Serving};
pub use notification::{Notification, NotificationError, PeerState};
pub use peer::{Found, LearnerStatus, Peer, PeerOptions, Role, Status};
pub use quorum::Ensemble;
