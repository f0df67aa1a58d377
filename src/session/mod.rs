//! Client sessions: their ids, passwords, timeouts and owners, and when they expire.
//!
//! Time comes in with each call. Knows nothing of connections beyond their ids, nor of zab or the
//! tree: who closes an expired session, and how, is decided elsewhere.

mod expiry;
mod ids;
mod table;
#[cfg(test)]
mod tests;

pub use ids::{PASSWORD_LEN, SessionIds, negotiate_timeout, password, password_matches};
pub use table::{Owner, Session, Sessions};
