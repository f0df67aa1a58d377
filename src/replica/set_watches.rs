//! setWatches: a client that was away registers its watches again, and hears at once of what it
//! missed (ZK: `DataTree.setWatches`).

use super::reads::Reader;
use crate::proto::{Event, EventType};
use crate::tree::Tree;
use crate::types::{ErrorCode, Zxid};
use crate::watch::{WatchKind, Watches};
use bytes::BytesMut;
use jute::client::SetWatches2;

/// The zxid of events that stand for no transaction in particular.
const NO_ZXID: Zxid = Zxid(-1);

/// Registers what is still to come and appends notifications of what has happened.
pub(super) fn replay(
    reader: &Reader<'_>,
    tree: &Tree,
    watches: &mut Watches,
    op: &SetWatches2,
    out: &mut BytesMut,
) -> Result<(), ErrorCode> {
    let since = op.relative_zxid;
    let mut each = |paths: &Option<Vec<String>>,
                    kind: WatchKind,
                    missed: &dyn Fn(&str) -> Option<EventType>| {
        for path in paths.as_ref().ok_or(ErrorCode::MarshallingError)? {
            match missed(path) {
                Some(kind) => {
                    Event { kind, path: path.clone(), zxid: NO_ZXID }.encode_frame(out);
                }
                None => reader.add(watches, path, kind)?,
            }
        }
        Ok(())
    };
    each(&op.data_watches, WatchKind::Data, &|path| match tree.node(path) {
        None => Some(EventType::Deleted),
        Some(node) => (node.stat().mzxid > since).then_some(EventType::DataChanged),
    })?;
    each(&op.exist_watches, WatchKind::Data, &|path| tree.node(path).map(|_| EventType::Created))?;
    each(&op.child_watches, WatchKind::Child, &|path| match tree.node(path) {
        None => Some(EventType::Deleted),
        Some(node) => (node.stat().pzxid > since).then_some(EventType::ChildrenChanged),
    })?;
    // What persistent watches missed is lost, as in ZooKeeper.
    each(&op.persistent_watches, WatchKind::Persistent, &|_| None)?;
    each(&op.persistent_recursive_watches, WatchKind::PersistentRecursive, &|_| None)
}
