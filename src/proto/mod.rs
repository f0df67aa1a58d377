//! The client protocol over jute records: operation codes, requests, replies, notifications.
//!
//! Knows nothing of the tree, of zab or of sockets: bytes in, values out, and back.

mod event;
mod frame;
mod multi;
mod opcode;
mod request;
pub mod xid;

pub use event::{Event, EventType};
pub use frame::{Hello, NoBody, Welcome, put_request};
pub use multi::{MultiOp, MultiRequest, MultiResponse, MultiResult};
pub use opcode::OpCode;
pub use request::{AddWatchMode, CreateMode, CreateOp, Request, WatcherType};
