//! Adding, firing, looking up and removing watches.

use super::registry::{Registry, Summary, WatchKind};
use crate::proto::{EventType, WatcherType};
use crate::types::{ConnId, path};
use std::iter::successors;
use std::sync::Arc;

/// Whose access control list must let the connection read for the notice to be delivered. It is the
/// list at the time of the change; a one-shot watch is used up either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WhichAcl {
    /// That of the znode which was created, deleted or changed.
    Node,
    /// That of its parent.
    Parent,
}

/// What to tell a connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Notice {
    /// Whom.
    pub conn: ConnId,
    /// What happened.
    pub event: EventType,
    /// To which znode. Notices of one event share the text.
    pub path: Arc<str>,
    /// Whose access control list decides whether the connection may know.
    pub acl: WhichAcl,
}

/// All watches of the connections to this server.
#[derive(Debug)]
pub struct Watches {
    registry: Registry,
}

impl Default for Watches {
    fn default() -> Self {
        Self::new()
    }
}

impl Watches {
    /// No watches.
    #[must_use]
    pub fn new() -> Self {
        Self { registry: Registry::new() }
    }

    /// Adds a watch; false if the connection has it already. The path need not exist nor be one of
    /// a znode. Kinds on the same path do not disturb each other.
    ///
    /// Nothing may be added for a connection once it has been dropped: nobody would remove it.
    pub fn add(&mut self, conn: ConnId, path: &str, kind: WatchKind) -> bool {
        self.registry.insert(conn, path, kind)
    }

    /// A znode was created: appends the notices in the order in which they must be sent.
    pub fn fire_created(&mut self, path: &str, out: &mut Vec<Notice>) {
        self.fire_data(path, EventType::Created, out);
        self.fire_parent(path, out);
    }

    /// A znode was deleted: appends the notices in the order in which they must be sent.
    pub fn fire_deleted(&mut self, path: &str, out: &mut Vec<Notice>) {
        let before = out.len();
        self.fire_data(path, EventType::Deleted, out);
        let mut conns = self.take_child(path);
        let told = &out[before..];
        conns.retain(|conn| told.binary_search_by_key(conn, |notice| notice.conn).is_err());
        notify(&conns, path, EventType::Deleted, WhichAcl::Node, out);
        self.fire_parent(path, out);
    }

    /// A znode's data changed: appends the notices in the order in which they must be sent.
    pub fn fire_data_changed(&mut self, path: &str, out: &mut Vec<Notice>) {
        self.fire_data(path, EventType::DataChanged, out);
    }

    /// Whether the connection has such a watch.
    #[must_use]
    pub fn contains(&self, conn: ConnId, path: &str, which: WatcherType) -> bool {
        let Some(path) = self.registry.find_path(path) else { return false };
        kinds_of(which).iter().any(|kind| self.registry.find(conn, path, *kind).is_some())
    }

    /// Removes the connection's watches of this type; false if there are none.
    pub fn remove(&mut self, conn: ConnId, path: &str, which: WatcherType) -> bool {
        let mut removed = false;
        for kind in kinds_of(which) {
            // The path's number is gone with its last watch, so it is looked up for each kind.
            let Some(path) = self.registry.find_path(path) else { break };
            if let Some(watch) = self.registry.find(conn, path, *kind) {
                self.registry.remove(watch);
                removed = true;
            }
        }
        removed
    }

    /// Removes every watch of a connection.
    pub fn drop_conn(&mut self, conn: ConnId) {
        while let Some(watch) = self.registry.first_of_conn(conn) {
            self.registry.remove(watch);
        }
    }

    /// How many watches there are as ZooKeeper counts: a persistent one is in both tables, and
    /// several kinds on one path are one entry of a table.
    #[must_use]
    pub const fn total(&self) -> usize {
        self.registry.data().watches + self.registry.child_entries()
    }

    /// How many watches a connection has; each kind on each path is one. For bounding it.
    #[must_use]
    pub fn count_of(&self, conn: ConnId) -> usize {
        self.registry.count_of_conn(conn)
    }

    /// The figures of the `wchs` command. As with its sisters, child watches do not show.
    #[must_use]
    pub const fn summary(&self) -> Summary {
        self.registry.data()
    }

    /// The paths that each connection watches, both sorted, for the `wchc` command.
    #[must_use]
    pub fn by_conn(&self) -> Vec<(ConnId, Vec<&str>)> {
        let mut conns: Vec<_> = self
            .registry
            .conns()
            .map(|conn| (conn, self.data_paths_of(conn)))
            .filter(|(_, paths)| !paths.is_empty())
            .collect();
        conns.sort_unstable_by_key(|(conn, _)| *conn);
        conns
    }

    /// The connections that watch each path, both sorted, for the `wchp` command.
    #[must_use]
    pub fn by_path(&self) -> Vec<(&str, Vec<ConnId>)> {
        let mut paths: Vec<_> = self
            .registry
            .paths()
            .map(|(number, text)| (text, self.data_conns_on(number)))
            .filter(|(_, conns)| !conns.is_empty())
            .collect();
        paths.sort_unstable_by_key(|(path, _)| *path);
        paths
    }

    fn data_paths_of(&self, conn: ConnId) -> Vec<&str> {
        let watches = self.registry.watches_of_conn(conn);
        let in_data_table = watches.filter(|(_, kind)| *kind != WatchKind::Child);
        sorted(in_data_table.map(|(path, _)| path).collect())
    }

    fn data_conns_on(&self, path: u32) -> Vec<ConnId> {
        let kinds = [WatchKind::Data, WatchKind::Persistent, WatchKind::PersistentRecursive];
        sorted(kinds.into_iter().flat_map(|kind| self.registry.conns_on_path(path, kind)).collect())
    }

    /// Fires what the data table holds for a path.
    fn fire_data(&mut self, path: &str, event: EventType, out: &mut Vec<Notice>) {
        let mut conns = Vec::new();
        if let Some(path) = self.registry.find_path(path) {
            conns.extend(self.registry.conns_on_path(path, WatchKind::Persistent));
            conns.extend(self.registry.conns_on_path(path, WatchKind::PersistentRecursive));
            self.take(path, WatchKind::Data, &mut conns);
        }
        if self.registry.has_recursive() {
            for ancestor in ancestors(path).filter_map(|path| self.registry.find_path(path)) {
                conns.extend(self.registry.conns_on_path(ancestor, WatchKind::PersistentRecursive));
            }
        }
        notify(&sorted(conns), path, event, WhichAcl::Node, out);
    }

    /// Fires what the child table holds for the parent of a path.
    fn fire_parent(&mut self, path: &str, out: &mut Vec<Notice>) {
        if let Some(parent) = parent(path) {
            let conns = self.take_child(parent);
            notify(&conns, parent, EventType::ChildrenChanged, WhichAcl::Parent, out);
        }
    }

    /// Whom the child table names for a path, sorted, without its one-shot watches from now on.
    fn take_child(&mut self, path: &str) -> Vec<ConnId> {
        let mut conns = Vec::new();
        if let Some(path) = self.registry.find_path(path) {
            conns.extend(self.registry.conns_on_path(path, WatchKind::Persistent));
            self.take(path, WatchKind::Child, &mut conns);
        }
        sorted(conns)
    }

    /// Takes all watches of a kind from a path. Its number may be gone afterwards.
    fn take(&mut self, path: u32, kind: WatchKind, conns: &mut Vec<ConnId>) {
        conns.extend(self.registry.conns_on_path(path, kind));
        let mut next = self.registry.first_on_path(path, kind);
        while let Some(watch) = next {
            next = self.registry.next_on_path(watch);
            self.registry.remove(watch);
        }
    }
}

/// The kinds that a request means (ZK: `DataTree.removeWatch`).
const fn kinds_of(which: WatcherType) -> &'static [WatchKind] {
    match which {
        WatcherType::Children => &[WatchKind::Child],
        WatcherType::Data => &[WatchKind::Data],
        WatcherType::Any => &WatchKind::ALL,
        WatcherType::Persistent => &[WatchKind::Persistent],
        WatcherType::PersistentRecursive => &[WatchKind::PersistentRecursive],
    }
}

fn notify(conns: &[ConnId], path: &str, event: EventType, acl: WhichAcl, out: &mut Vec<Notice>) {
    if conns.is_empty() {
        return;
    }
    let path: Arc<str> = path.into();
    out.extend(conns.iter().map(|conn| Notice { conn: *conn, event, path: path.clone(), acl }));
}

/// Sorts a list and drops what is in it twice.
fn sorted<T: Ord>(mut list: Vec<T>) -> Vec<T> {
    list.sort_unstable();
    list.dedup();
    list
}

/// The parent of a path, as it is watched: the root is `/`.
fn parent(path: &str) -> Option<&str> {
    if path == "/" {
        return None;
    }
    path::split(path).map(|(parent, _)| if parent.is_empty() { "/" } else { parent })
}

/// The ancestors of a path, its parent first, the root last.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    successors(parent(path), |path| parent(path))
}
