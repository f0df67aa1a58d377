//! The watches themselves, linked into a list per path and kind and a list per connection.
//!
//! Every watch is one record of a fixed size; whatever is asked of it (is it there, add it, remove
//! it) costs a fixed number of hash lookups. Counts are kept as ZooKeeper counts, where a
//! connection's watches of several kinds on one path are one entry of a table.

use super::paths::Paths;
use super::slab::Slab;
use crate::types::{ConnId, Map};
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::hash::BuildHasher;
use std::iter::successors;
use std::num::NonZeroU32;

/// What a watch waits for, and whether it stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WatchKind {
    /// Set by getData and exists: the znode appears, goes, or gets new data. Fires once.
    Data,
    /// Set by getChildren: the znode goes, or its list of children changes. Fires once.
    Child,
    /// Set by addWatch: what `Data` and `Child` wait for, until removed.
    Persistent,
    /// Set by addWatch: what `Data` waits for, here and on every descendant, until removed.
    PersistentRecursive,
}

/// One of ZooKeeper's two tables of watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    Data,
    Child,
}

/// Figures of the data table, as the `wchs` command shows them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Connections that watch something.
    pub connections: usize,
    /// Paths that somebody watches.
    pub paths: usize,
    /// Pairs of a connection and a path that it watches.
    pub watches: usize,
}

/// The number of a watch; stored plus one, so that `Option` takes no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WatchId(NonZeroU32);

/// The first watch of each kind on one path.
pub(super) type Heads = [Option<WatchId>; WatchKind::ALL.len()];

#[derive(Debug)]
struct Watch {
    conn: ConnId,
    path: u32,
    on_path: Links,
    of_conn: Links,
    kind: WatchKind,
}

/// A watch's neighbours in one of its lists.
#[derive(Clone, Copy, Debug, Default)]
struct Links {
    previous: Option<WatchId>,
    next: Option<WatchId>,
}

/// A connection that watches something.
#[derive(Debug, Default)]
struct Watcher {
    first: Option<WatchId>,
    watches: usize,
    /// Its entries in the data table.
    data_entries: usize,
}

/// All watches.
#[derive(Debug)]
pub(super) struct Registry {
    watches: Slab<Watch>,
    by_key: HashTable<WatchId>,
    hasher: FixedState,
    paths: Paths,
    watchers: Map<ConnId, Watcher>,
    data: Summary,
    child_entries: usize,
    recursive: usize,
}

impl WatchKind {
    /// Every kind.
    pub const ALL: [Self; 4] =
        [Self::Data, Self::Child, Self::Persistent, Self::PersistentRecursive];

    const fn is_in(self, table: Table) -> bool {
        match table {
            Table::Data => !matches!(self, Self::Child),
            Table::Child => matches!(self, Self::Child | Self::Persistent),
        }
    }
}

impl WatchId {
    fn new(number: u32) -> Self {
        let stored = number.checked_add(1).and_then(NonZeroU32::new);
        Self(stored.expect("fewer than 2^32 - 1 watches"))
    }

    const fn number(self) -> u32 {
        self.0.get() - 1
    }
}

impl Registry {
    pub(super) fn new() -> Self {
        Self {
            watches: Slab::new(),
            by_key: HashTable::new(),
            hasher: FixedState::default(),
            paths: Paths::new(),
            watchers: Map::default(),
            data: Summary::default(),
            child_entries: 0,
            recursive: 0,
        }
    }

    /// The number of a watched path.
    pub(super) fn find_path(&self, path: &str) -> Option<u32> {
        self.paths.find(path)
    }

    /// The number of a connection's watch.
    pub(super) fn find(&self, conn: ConnId, path: u32, kind: WatchKind) -> Option<WatchId> {
        // An empty list answers without a look at the table: most paths have one kind only.
        self.paths.heads(path)[kind as usize]?;
        let is_it = |id: &WatchId| {
            let watch = &self.watches[id.number()];
            watch.conn == conn && watch.path == path && watch.kind == kind
        };
        self.by_key.find(self.hasher.hash_one((conn, path, kind)), is_it).copied()
    }

    /// Adds a watch. False if it is there already.
    pub(super) fn insert(&mut self, conn: ConnId, path: &str, kind: WatchKind) -> bool {
        let path = self.paths.intern(path);
        if self.find(conn, path, kind).is_some() {
            return false;
        }
        self.count_insertion(conn, path, kind);
        let on_path = Links { previous: None, next: self.paths.heads(path)[kind as usize] };
        let of_conn = Links { previous: None, next: self.watchers.entry(conn).or_default().first };
        let id = WatchId::new(self.watches.insert(Watch { conn, path, on_path, of_conn, kind }));
        self.link_on_path(path, kind, on_path, id);
        self.link_of_conn(conn, of_conn, id);
        let Self { watches, by_key, hasher, .. } = self;
        let hash_of = |id: &WatchId| hash_watch(hasher, &watches[id.number()]);
        by_key.insert_unique(hash_of(&id), id, hash_of);
        true
    }

    fn link_on_path(&mut self, path: u32, kind: WatchKind, links: Links, id: WatchId) {
        self.paths.heads_mut(path)[kind as usize] = Some(id);
        if let Some(next) = links.next {
            self.watches[next.number()].on_path.previous = Some(id);
        }
    }

    fn link_of_conn(&mut self, conn: ConnId, links: Links, id: WatchId) {
        let watcher = self.watchers.entry(conn).or_default();
        watcher.first = Some(id);
        watcher.watches += 1;
        if let Some(next) = links.next {
            self.watches[next.number()].of_conn.previous = Some(id);
        }
    }

    /// Removes a watch, and its path's number if that was the last watch there.
    pub(super) fn remove(&mut self, id: WatchId) {
        let hash = hash_watch(&self.hasher, &self.watches[id.number()]);
        let entry = self.by_key.find_entry(hash, |other| *other == id);
        entry.expect("every watch has its key").remove();
        let Watch { conn, path, on_path, of_conn, kind } = self.watches.remove(id.number());
        self.unlink_on_path(path, kind, on_path);
        self.unlink_of_conn(conn, of_conn);
        self.count_removal(conn, path, kind);
        self.paths.release(path);
    }

    fn unlink_on_path(&mut self, path: u32, kind: WatchKind, links: Links) {
        if let Some(next) = links.next {
            self.watches[next.number()].on_path.previous = links.previous;
        }
        match links.previous {
            Some(previous) => self.watches[previous.number()].on_path.next = links.next,
            None => self.paths.heads_mut(path)[kind as usize] = links.next,
        }
    }

    fn unlink_of_conn(&mut self, conn: ConnId, links: Links) {
        if let Some(next) = links.next {
            self.watches[next.number()].of_conn.previous = links.previous;
        }
        if let Some(previous) = links.previous {
            self.watches[previous.number()].of_conn.next = links.next;
        }
        let watcher = self.watchers.get_mut(&conn).expect("a watch belongs to a watcher");
        watcher.watches -= 1;
        if links.previous.is_none() {
            watcher.first = links.next;
        }
    }

    /// Whether the connection has an entry for the path in a table.
    fn has_entry(&self, conn: ConnId, path: u32, table: Table) -> bool {
        let mut kinds = WatchKind::ALL.into_iter().filter(|kind| kind.is_in(table));
        kinds.any(|kind| self.find(conn, path, kind).is_some())
    }

    /// Whether anybody has an entry for the path in the data table.
    fn is_data_path(&self, path: u32) -> bool {
        let heads = self.paths.heads(path);
        WatchKind::ALL
            .into_iter()
            .any(|kind| kind.is_in(Table::Data) && heads[kind as usize].is_some())
    }

    /// Counts a watch that is not there yet.
    fn count_insertion(&mut self, conn: ConnId, path: u32, kind: WatchKind) {
        self.recursive += usize::from(kind == WatchKind::PersistentRecursive);
        if kind.is_in(Table::Child) && !self.has_entry(conn, path, Table::Child) {
            self.child_entries += 1;
        }
        if !kind.is_in(Table::Data) || self.has_entry(conn, path, Table::Data) {
            return;
        }
        self.data.watches += 1;
        self.data.paths += usize::from(!self.is_data_path(path));
        let watcher = self.watchers.entry(conn).or_default();
        self.data.connections += usize::from(watcher.data_entries == 0);
        watcher.data_entries += 1;
    }

    /// Counts a watch as gone that is not there any more, and forgets a connection without watches.
    fn count_removal(&mut self, conn: ConnId, path: u32, kind: WatchKind) {
        self.recursive -= usize::from(kind == WatchKind::PersistentRecursive);
        if kind.is_in(Table::Child) && !self.has_entry(conn, path, Table::Child) {
            self.child_entries -= 1;
        }
        let left_data = kind.is_in(Table::Data) && !self.has_entry(conn, path, Table::Data);
        let watcher = self.watchers.get_mut(&conn).expect("a watch belongs to a watcher");
        watcher.data_entries -= usize::from(left_data);
        let (all, data_entries) = (watcher.watches, watcher.data_entries);
        if all == 0 {
            assert_eq!(data_entries, 0, "entries are made of watches");
            self.watchers.remove(&conn);
        }
        if left_data {
            self.data.watches -= 1;
            self.data.paths -= usize::from(!self.is_data_path(path));
            self.data.connections -= usize::from(data_entries == 0);
        }
    }

    /// The first watch of a kind on a path.
    pub(super) fn first_on_path(&self, path: u32, kind: WatchKind) -> Option<WatchId> {
        self.paths.heads(path)[kind as usize]
    }

    /// The watch behind this one in its path's list.
    pub(super) fn next_on_path(&self, watch: WatchId) -> Option<WatchId> {
        self.watches[watch.number()].on_path.next
    }

    /// Whose watches of a kind there are on a path, in no particular order.
    pub(super) fn conns_on_path(&self, path: u32, kind: WatchKind) -> impl Iterator<Item = ConnId> {
        let first = self.first_on_path(path, kind);
        successors(first, |id| self.next_on_path(*id)).map(|id| self.watches[id.number()].conn)
    }

    /// The first watch of a connection.
    pub(super) fn first_of_conn(&self, conn: ConnId) -> Option<WatchId> {
        self.watchers.get(&conn).and_then(|watcher| watcher.first)
    }

    /// The paths and kinds of a connection's watches, in no particular order.
    pub(super) fn watches_of_conn(&self, conn: ConnId) -> impl Iterator<Item = (&str, WatchKind)> {
        successors(self.first_of_conn(conn), |id| self.watches[id.number()].of_conn.next)
            .map(|id| &self.watches[id.number()])
            .map(|watch| (self.paths.text(watch.path), watch.kind))
    }

    /// How many watches a connection has.
    pub(super) fn count_of_conn(&self, conn: ConnId) -> usize {
        self.watchers.get(&conn).map_or(0, |watcher| watcher.watches)
    }

    /// The connections with watches, in no particular order.
    pub(super) fn conns(&self) -> impl Iterator<Item = ConnId> {
        self.watchers.keys().copied()
    }

    /// The watched paths with their numbers, in no particular order.
    pub(super) fn paths(&self) -> impl Iterator<Item = (u32, &str)> {
        self.paths.numbers().map(|number| (number, self.paths.text(number)))
    }

    /// Figures of the data table.
    pub(super) const fn data(&self) -> Summary {
        self.data
    }

    /// Entries in the child table.
    pub(super) const fn child_entries(&self) -> usize {
        self.child_entries
    }

    /// Whether there is a recursive watch anywhere.
    pub(super) const fn has_recursive(&self) -> bool {
        self.recursive > 0
    }
}

fn hash_watch(hasher: &FixedState, watch: &Watch) -> u64 {
    hasher.hash_one((watch.conn, watch.path, watch.kind))
}
