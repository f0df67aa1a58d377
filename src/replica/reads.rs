//! Everything that is answered from the applied state alone (ZK: `FinalRequestProcessor`).
//!
//! A connection with nothing outstanding runs this itself, under the tree's read lock; a read that
//! waited behind a write of its session is run by the brain. It is the same function.

use super::{frames, set_watches};
use crate::auth::{AuthOptions, mask_digests, user_name};
use crate::proto::{AddWatchMode, MultiOp, OpCode, Request, WatcherType, xid};
use crate::tree::{NodeRef, Tree};
use crate::types::{ConnId, ErrorCode, Id, SessionId, perms};
use crate::watch::{WatchKind, Watches};
use bytes::{BufMut, BytesMut};
use jute::Encode;
use jute::client::{ClientInfo, MultiHeader, PathKind, PathWatch, WhoAmIResponse};

/// Who reads, and by which rules.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    /// The connection, which owns the watches that it leaves.
    pub conn: ConnId,
    /// Its session.
    pub session: SessionId,
    /// Its identities.
    pub identities: &'a [Id],
    /// How permissions are decided.
    pub auth: &'a AuthOptions,
    /// How many watches a connection may have; `QuotaExceeded` beyond.
    pub max_watches: usize,
}

/// Whether a request adds, removes or looks for watches.
#[must_use]
pub fn needs_watches(request: &Request) -> bool {
    match request {
        Request::Exists(op)
        | Request::GetData(op)
        | Request::GetChildren(op)
        | Request::GetChildren2(op) => op.watch,
        Request::CheckWatches(_)
        | Request::RemoveWatches(_)
        | Request::SetWatches(_)
        | Request::AddWatch(_) => true,
        _ => false,
    }
}

impl Reader<'_> {
    /// Appends the reply to a request that does not write, and before it the notifications that
    /// setWatches finds overdue. `watches` must be there if [`needs_watches`] says so. `on_read` is
    /// told of every znode that was read, and of how many bytes of data or names of children.
    pub fn answer(
        &self,
        tree: &Tree,
        watches: Option<&mut Watches>,
        number: i32,
        request: &Result<Request, ErrorCode>,
        out: &mut BytesMut,
        on_read: &mut dyn FnMut(&str, usize),
    ) {
        let zxid = tree.last_zxid();
        let request = match request {
            Ok(Request::Ping) => {
                let _ = frames::put_reply(out, xid::PING, zxid, |_| Ok(()));
                return;
            }
            Ok(Request::SetWatches(op)) => {
                let result = match watches {
                    Some(watches) => set_watches::replay(self, tree, watches, op, out),
                    None => Err(ErrorCode::SystemError),
                };
                let _ = frames::put_reply(out, number, zxid, |_| result);
                return;
            }
            Ok(Request::MultiRead(op)) => {
                self.multi_read(tree, &op.ops, number, out, on_read);
                return;
            }
            Ok(request) => request,
            Err(code) => {
                let _ = frames::put_reply(out, number, zxid, |_| Err(*code));
                return;
            }
        };
        // The error, if there is one, is in the reply.
        let write = |out: &mut BytesMut| self.body(tree, watches, request, out, on_read);
        let _ = frames::put_reply(out, number, zxid, write);
    }

    fn body(
        &self,
        tree: &Tree,
        watches: Option<&mut Watches>,
        request: &Request,
        out: &mut BytesMut,
        on_read: &mut dyn FnMut(&str, usize),
    ) -> Result<(), ErrorCode> {
        match request {
            Request::Exists(op) => {
                let path = self.exists(tree, watches, op, out)?;
                on_read(path, 0);
                Ok(())
            }
            Request::GetData(op) => {
                let (path, node) = self.readable(tree, op.path.as_deref())?;
                self.leave(watches, op, WatchKind::Data)?;
                on_read(path, put_data(node, out));
                node.stat().encode(out);
                Ok(())
            }
            Request::GetChildren(op) | Request::GetChildren2(op) => {
                let (path, node) = self.readable(tree, op.path.as_deref())?;
                self.leave(watches, op, WatchKind::Child)?;
                on_read(path, put_children(node, out));
                if matches!(request, Request::GetChildren2(_)) {
                    node.stat().encode(out);
                }
                Ok(())
            }
            Request::GetAcl(op) => self.get_acl(tree, op.path.as_deref(), out),
            Request::Sync(op) => {
                op.path.encode(out);
                Ok(())
            }
            Request::CheckWatches(op) => check_watches(self.conn, need(watches)?, op),
            Request::RemoveWatches(op) => remove_watches(self.conn, need(watches)?, op),
            Request::AddWatch(op) => self.add_watch(need(watches)?, op, out),
            Request::GetEphemerals(op) => {
                self.ephemerals(tree, op.path.as_deref()).encode(out);
                Ok(())
            }
            Request::GetAllChildrenNumber(op) => {
                let (path, _) = self.readable(tree, op.path.as_deref())?;
                let total = tree.descendants(path).ok_or(ErrorCode::NoNode)?;
                // ZooKeeper knows the root by two paths, and counts one as below the other.
                let total = total + usize::from(path.is_empty());
                out.put_i32(i32::try_from(total).unwrap_or(i32::MAX));
                Ok(())
            }
            Request::WhoAmI => {
                self.who_am_i().encode(out);
                Ok(())
            }
            // One that cannot become a transaction.
            Request::Multi(_) => Err(ErrorCode::MarshallingError),
            _ => Err(ErrorCode::Unimplemented),
        }
    }

    /// The znode and its path, if it exists and may be read. A null path is one that ZooKeeper
    /// stumbles over.
    fn readable<'t, 'p>(
        &self,
        tree: &'t Tree,
        path: Option<&'p str>,
    ) -> Result<(&'p str, NodeRef<'t>), ErrorCode> {
        let path = path.ok_or(ErrorCode::MarshallingError)?;
        let node = tree.node(path).ok_or(ErrorCode::NoNode)?;
        self.check(node, perms::READ)?;
        Ok((path, node))
    }

    fn check(&self, node: NodeRef<'_>, perm: i32) -> Result<(), ErrorCode> {
        let allowed = self.auth.allows(node.acl(), perm, self.identities);
        if allowed { Ok(()) } else { Err(ErrorCode::NoAuth) }
    }

    /// Leaves the watch that a read asks for.
    fn leave(
        &self,
        watches: Option<&mut Watches>,
        op: &PathWatch,
        kind: WatchKind,
    ) -> Result<(), ErrorCode> {
        match &op.path {
            Some(path) if op.watch => self.add(need(watches)?, path, kind),
            _ => Ok(()),
        }
    }

    /// Adds a watch within the connection's bound.
    pub(super) fn add(
        &self,
        watches: &mut Watches,
        path: &str,
        kind: WatchKind,
    ) -> Result<(), ErrorCode> {
        let is_full = watches.count_of(self.conn) >= self.max_watches;
        // One that is there already takes no more room.
        if is_full && !watches.contains(self.conn, path, type_of(kind)) {
            return Err(ErrorCode::QuotaExceeded);
        }
        watches.add(self.conn, path, kind);
        Ok(())
    }

    /// The path, if the znode exists.
    fn exists<'p>(
        &self,
        tree: &Tree,
        watches: Option<&mut Watches>,
        op: &'p PathWatch,
        out: &mut BytesMut,
    ) -> Result<&'p str, ErrorCode> {
        let path = op.path.as_deref().ok_or(ErrorCode::MarshallingError)?;
        if path.contains('\0') {
            return Err(ErrorCode::BadArguments);
        }
        let node = tree.node(path);
        if let Some(node) = node {
            self.check(node, perms::READ)?;
        }
        // The watch for a znode that is not there is the reason to ask.
        self.leave(watches, op, WatchKind::Data)?;
        node.ok_or(ErrorCode::NoNode)?.stat().encode(out);
        Ok(path)
    }

    fn get_acl(
        &self,
        tree: &Tree,
        path: Option<&str>,
        out: &mut BytesMut,
    ) -> Result<(), ErrorCode> {
        let path = path.ok_or(ErrorCode::MarshallingError)?;
        let node = tree.node(path).ok_or(ErrorCode::NoNode)?;
        self.check(node, perms::READ | perms::ADMIN)?;
        match self.check(node, perms::ADMIN) {
            Ok(()) => node.acl().encode(out),
            Err(_) => mask_digests(node.acl()).encode(out),
        }
        node.stat().encode(out);
        Ok(())
    }

    /// The reply to a multiRead. One that fails as a whole tells how far it got all the same.
    fn multi_read(
        &self,
        tree: &Tree,
        ops: &[MultiOp],
        number: i32,
        out: &mut BytesMut,
        on_read: &mut dyn FnMut(&str, usize),
    ) {
        let mut results = BytesMut::new();
        let result = ops.iter().try_for_each(|op| self.read_part(tree, op, &mut results, on_read));
        put_end_mark(&mut results);
        let err = result.err().map_or(0, ErrorCode::number);
        let write = |out: &mut BytesMut| out.extend_from_slice(&results);
        out.extend_from_slice(&frames::reply(number, tree.last_zxid(), err, write));
    }

    fn read_part(
        &self,
        tree: &Tree,
        op: &MultiOp,
        out: &mut BytesMut,
        on_read: &mut dyn FnMut(&str, usize),
    ) -> Result<(), ErrorCode> {
        let (number, path) = match op {
            MultiOp::GetData(op) => (OpCode::GetData, &op.path),
            MultiOp::GetChildren(op) => (OpCode::GetChildren, &op.path),
            // A multiRead of writes: ZooKeeper fails on the type.
            _ => return Err(ErrorCode::MarshallingError),
        };
        let path = path.as_deref().ok_or(ErrorCode::MarshallingError)?;
        match self.readable(tree, Some(path)) {
            Ok((path, node)) => {
                MultiHeader { op: number.number(), done: false, err: 0 }.encode(out);
                if number == OpCode::GetData {
                    on_read(path, put_data(node, out));
                    node.stat().encode(out);
                } else {
                    on_read(path, put_children(node, out));
                }
            }
            Err(code) => put_error_result(code.number(), out),
        }
        Ok(())
    }

    fn add_watch(
        &self,
        watches: &mut Watches,
        op: &PathKind,
        out: &mut BytesMut,
    ) -> Result<(), ErrorCode> {
        let mode = AddWatchMode::from_number(op.kind).ok_or(ErrorCode::MarshallingError)?;
        let kind = match mode {
            AddWatchMode::Persistent => WatchKind::Persistent,
            AddWatchMode::PersistentRecursive => WatchKind::PersistentRecursive,
        };
        // A null path can be watched; nothing ever happens to it.
        if let Some(path) = &op.path {
            self.add(watches, path, kind)?;
        }
        out.put_i32(0);
        Ok(())
    }

    /// The session's ephemerals whose paths begin with some text: names play no role, as in
    /// ZooKeeper.
    fn ephemerals(&self, tree: &Tree, prefix: Option<&str>) -> Vec<String> {
        // What Java trims.
        let trimmed = prefix.unwrap_or_default().trim_matches(|character| character <= ' ');
        let prefix = prefix.filter(|_| !matches!(trimmed, "" | "/")).unwrap_or_default();
        let mut paths = tree.ephemerals(self.session);
        paths.retain(|path| path.starts_with(prefix));
        paths
    }

    fn who_am_i(&self) -> WhoAmIResponse {
        let info = |id: &Id| ClientInfo { auth_scheme: id.scheme.clone(), user: user_name(id) };
        WhoAmIResponse { client_info: self.identities.iter().map(info).collect() }
    }
}

/// Appends an error among the results of a multi.
pub(super) fn put_error_result(code: i32, out: &mut BytesMut) {
    MultiHeader { op: -1, done: false, err: code }.encode(out);
    out.put_i32(code);
}

/// Appends the mark that ends the results of a multi.
pub(super) fn put_end_mark(out: &mut BytesMut) {
    MultiHeader { op: -1, done: true, err: -1 }.encode(out);
}

/// How a client names a kind of watches.
const fn type_of(kind: WatchKind) -> WatcherType {
    match kind {
        WatchKind::Data => WatcherType::Data,
        WatchKind::Child => WatcherType::Children,
        WatchKind::Persistent => WatcherType::Persistent,
        WatchKind::PersistentRecursive => WatcherType::PersistentRecursive,
    }
}

fn need(watches: Option<&mut Watches>) -> Result<&mut Watches, ErrorCode> {
    watches.ok_or(ErrorCode::SystemError)
}

/// Appends the data; how many bytes there are.
fn put_data(node: NodeRef<'_>, out: &mut BytesMut) -> usize {
    let Some(data) = node.data() else {
        out.put_i32(-1);
        return 0;
    };
    jute::put_blob(out, data);
    data.len()
}

/// Appends the names of the children; how many bytes they have together.
fn put_children(node: NodeRef<'_>, out: &mut BytesMut) -> usize {
    out.put_i32(i32::try_from(node.child_count()).unwrap_or(i32::MAX));
    let mut bytes = 0;
    for name in node.children() {
        name.encode(out);
        bytes += name.len();
    }
    bytes
}

fn check_watches(conn: ConnId, watches: &Watches, op: &PathKind) -> Result<(), ErrorCode> {
    let which = WatcherType::from_number(op.kind).ok_or(ErrorCode::MarshallingError)?;
    // There is no watch on null, and ZooKeeper can say so.
    let path = op.path.as_deref().ok_or(ErrorCode::NoWatcher)?;
    if watches.contains(conn, path, which) { Ok(()) } else { Err(ErrorCode::NoWatcher) }
}

fn remove_watches(conn: ConnId, watches: &mut Watches, op: &PathKind) -> Result<(), ErrorCode> {
    let which = WatcherType::from_number(op.kind).ok_or(ErrorCode::MarshallingError)?;
    let path = op.path.as_deref().ok_or(ErrorCode::NoWatcher)?;
    if watches.remove(conn, path, which) { Ok(()) } else { Err(ErrorCode::NoWatcher) }
}
