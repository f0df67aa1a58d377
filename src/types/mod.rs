//! Names for the numbers and words of the field, shared by every layer.
//!
//! Knows nothing of frames or of the tree.

mod error_code;
mod ids;
mod map;
mod owner;
pub mod path;
pub mod perms;
mod time;

pub use error_code::ErrorCode;
pub use ids::{ConnId, Epoch, LinkId, ServerId, SessionId, Xid, Zxid};
pub use jute::client::{Acl, Id, Stat};
pub use map::{Map, Set};
pub use owner::{EphemeralOwner, ExtendedTypes};
pub use time::{Moment, Now};
