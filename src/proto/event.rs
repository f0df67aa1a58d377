//! Watch events as they go to clients.

use crate::types::Zxid;
use bytes::BufMut;
use jute::Encode;
use jute::client::ReplyHeader;

/// What happened to a watched znode (ZK: `Watcher.Event.EventType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum EventType {
    /// It was created.
    Created = 1,
    /// It was deleted.
    Deleted = 2,
    /// Its data changed.
    DataChanged = 3,
    /// A child was created or deleted.
    ChildrenChanged = 4,
}

/// The keeper state that every notification carries, `SyncConnected`.
const SYNC_CONNECTED: i32 = 3;

/// A notification for one connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Event {
    /// What happened.
    pub kind: EventType,
    /// To which znode.
    pub path: String,
    /// In which transaction; `Zxid(-1)` for events made up by setWatches.
    pub zxid: Zxid,
}

impl Event {
    /// Appends the notification's frame, length included.
    pub fn encode_frame<B: BufMut>(&self, out: &mut B) {
        let header = ReplyHeader { xid: super::xid::NOTIFICATION, zxid: self.zxid.0, err: 0 };
        let length = header.encoded_len() + 8 + self.path.encoded_len();
        out.put_i32(i32::try_from(length).unwrap_or(i32::MAX));
        header.encode(out);
        out.put_i32(self.kind as i32);
        out.put_i32(SYNC_CONNECTED);
        self.path.encode(out);
    }
}

impl EventType {
    /// The event type with this number.
    #[must_use]
    pub const fn from_number(number: i32) -> Option<Self> {
        match number {
            1 => Some(Self::Created),
            2 => Some(Self::Deleted),
            3 => Some(Self::DataChanged),
            4 => Some(Self::ChildrenChanged),
            _ => None,
        }
    }
}
