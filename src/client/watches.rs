//! Which watches the client has set, whom their events are for, and how they are set anew on
//! another connection.
//!
//! Paths in here are the server's, with the chroot. Knows nothing of sockets.

use crate::proto::{AddWatchMode, Event, EventType, WatcherType};
use crate::types::{Map, Zxid};
use jute::client::SetWatches2;
use std::mem;
use tokio::sync::{mpsc, oneshot};

/// Where the event of a one-shot watch goes.
pub(super) type OneShot = oneshot::Sender<Event>;

/// What a persistent watch tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Something happened.
    Event(Event),
    /// Events may be missing here: the client was connected to another server, or they came faster
    /// than they were taken. Whoever mirrors znodes should read them again.
    Gap,
}

/// A set of one-shot watches of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OneShotKind {
    /// Of getData, and of exists where the znode exists.
    Data,
    /// Of exists where the znode does not exist.
    Exist,
    /// Of getChildren.
    Child,
}

/// The watches of one session.
#[derive(Debug, Default)]
pub(super) struct Watches {
    data: Map<String, Vec<OneShot>>,
    exist: Map<String, Vec<OneShot>>,
    child: Map<String, Vec<OneShot>>,
    persistent: Map<String, Vec<mpsc::Sender<Notice>>>,
    recursive: Map<String, Vec<mpsc::Sender<Notice>>>,
}

/// How many bytes of paths one setWatches request carries at most (ZK:
/// `SET_WATCHES_MAX_LENGTH`).
const BATCH_BYTES: usize = 128 * 1024;

impl Watches {
    /// Adds a one-shot watch.
    pub(super) fn add_one_shot(&mut self, kind: OneShotKind, path: String, to: OneShot) {
        let watches = self.one_shots(kind).entry(path).or_default();
        // Whoever asks again and again and drops the watches must not fill the memory.
        if watches.len() == watches.capacity() {
            watches.retain(|watch| !watch.is_closed());
        }
        watches.push(to);
    }

    /// Adds a persistent watch.
    pub(super) fn add_persistent(
        &mut self,
        mode: AddWatchMode,
        path: String,
        to: mpsc::Sender<Notice>,
    ) {
        let table = match mode {
            AddWatchMode::Persistent => &mut self.persistent,
            AddWatchMode::PersistentRecursive => &mut self.recursive,
        };
        table.entry(path).or_default().push(to);
    }

    /// Forgets the watches that a removeWatches has removed; their receivers see the end. Returns
    /// the kinds of which there were any.
    pub(super) fn remove(&mut self, kind: WatcherType, path: &str) -> Vec<WatcherType> {
        let mut removed = Vec::new();
        let mut note = |one, was_there| {
            if was_there {
                removed.push(one);
            }
        };
        if matches!(kind, WatcherType::Children | WatcherType::Any) {
            note(WatcherType::Children, self.child.remove(path).is_some());
        }
        if matches!(kind, WatcherType::Data | WatcherType::Any) {
            let (data, exist) = (self.data.remove(path), self.exist.remove(path));
            note(WatcherType::Data, data.is_some() || exist.is_some());
        }
        if matches!(kind, WatcherType::Persistent | WatcherType::Any) {
            note(WatcherType::Persistent, self.persistent.remove(path).is_some());
        }
        if matches!(kind, WatcherType::PersistentRecursive | WatcherType::Any) {
            note(WatcherType::PersistentRecursive, self.recursive.remove(path).is_some());
        }
        removed
    }

    /// Hands an event from the server to everyone it concerns. `shown` is the event as users see
    /// it, without the chroot; `path` is the server's.
    pub(super) fn fire(&mut self, path: &str, shown: &Event) {
        let kinds: &[OneShotKind] = match shown.kind {
            EventType::Created | EventType::DataChanged => &[OneShotKind::Data, OneShotKind::Exist],
            EventType::ChildrenChanged => &[OneShotKind::Child],
            // The server sends one event for all watches on a deleted znode.
            EventType::Deleted => &[OneShotKind::Data, OneShotKind::Exist, OneShotKind::Child],
        };
        for &kind in kinds {
            for watch in self.one_shots(kind).remove(path).unwrap_or_default() {
                // A receiver that is gone has lost its interest.
                let _ = watch.send(shown.clone());
            }
        }
        tell(&mut self.persistent, path, shown);
        // Recursive watches have no use for events about children: each child has its own.
        if shown.kind != EventType::ChildrenChanged && !self.recursive.is_empty() {
            for above in ancestors(path) {
                tell(&mut self.recursive, above, shown);
            }
        }
    }

    /// Tells persistent watches that events may be missing.
    pub(super) fn gap(&mut self) {
        for watch in self.persistent.values().chain(self.recursive.values()).flatten() {
            // A full channel holds a gap already.
            let _ = watch.try_send(Notice::Gap);
        }
    }

    /// The requests that set all watches anew, each within the limit on its size. Watches that
    /// nobody waits for any longer are left out and forgotten.
    pub(super) fn set_again(&mut self, seen: Zxid) -> Vec<SetWatches2> {
        for table in [&mut self.data, &mut self.exist, &mut self.child] {
            retain(table, OneShot::is_closed);
        }
        for table in [&mut self.persistent, &mut self.recursive] {
            retain(table, mpsc::Sender::is_closed);
        }
        let mut batches = Batches { seen, ready: Vec::new(), current: empty(seen), bytes: 0 };
        let lists: [(&mut dyn Iterator<Item = &String>, List); 5] = [
            (&mut self.data.keys(), |batch| &mut batch.data_watches),
            (&mut self.exist.keys(), |batch| &mut batch.exist_watches),
            (&mut self.child.keys(), |batch| &mut batch.child_watches),
            (&mut self.persistent.keys(), |batch| &mut batch.persistent_watches),
            (&mut self.recursive.keys(), |batch| &mut batch.persistent_recursive_watches),
        ];
        for (paths, list) in lists {
            paths.for_each(|path| batches.add(path, list));
        }
        batches.finish()
    }

    fn one_shots(&mut self, kind: OneShotKind) -> &mut Map<String, Vec<OneShot>> {
        match kind {
            OneShotKind::Data => &mut self.data,
            OneShotKind::Exist => &mut self.exist,
            OneShotKind::Child => &mut self.child,
        }
    }
}

fn retain<T>(table: &mut Map<String, Vec<T>>, is_closed: fn(&T) -> bool) {
    table.retain(|_, watches| {
        watches.retain(|watch| !is_closed(watch));
        !watches.is_empty()
    });
}

/// Sends an event to the persistent watches on one path and forgets those without a receiver.
fn tell(table: &mut Map<String, Vec<mpsc::Sender<Notice>>>, path: &str, shown: &Event) {
    let Some(watches) = table.get_mut(path) else { return };
    tell_all(watches, shown);
    if watches.is_empty() {
        table.remove(path);
    }
}

/// Sends an event to all of these and forgets those without a receiver.
pub(super) fn tell_all(watches: &mut Vec<mpsc::Sender<Notice>>, shown: &Event) {
    watches.retain(|watch| {
        // The last place in the channel is kept for the mark that events are missing.
        let notice = if watch.capacity() > 1 { Notice::Event(shown.clone()) } else { Notice::Gap };
        !matches!(watch.try_send(notice), Err(mpsc::error::TrySendError::Closed(_)))
    });
}

/// A path and everything above it, up to the root.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| match path.rfind('/') {
        Some(0) if path.len() > 1 => Some("/"),
        Some(at) if at > 0 => Some(&path[..at]),
        _ => None,
    })
}

/// Selects one of the lists of a setWatches request.
type List = fn(&mut SetWatches2) -> &mut Option<Vec<String>>;

/// Fills setWatches requests up to their limit.
struct Batches {
    seen: Zxid,
    ready: Vec<SetWatches2>,
    current: SetWatches2,
    bytes: usize,
}

impl Batches {
    fn add(&mut self, path: &str, list: List) {
        if self.bytes > 0 && self.bytes + path.len() > BATCH_BYTES {
            self.ready.push(mem::replace(&mut self.current, empty(self.seen)));
            self.bytes = 0;
        }
        self.bytes += path.len();
        list(&mut self.current).get_or_insert_default().push(path.to_owned());
    }

    fn finish(mut self) -> Vec<SetWatches2> {
        if self.bytes > 0 {
            self.ready.push(self.current);
        }
        self.ready
    }
}

/// A request without paths. The lists of one-shot watches are never null on the wire; those of
/// persistent watches are null until one is needed, so that older servers can be spoken to.
fn empty(seen: Zxid) -> SetWatches2 {
    SetWatches2 {
        relative_zxid: seen.0,
        data_watches: Some(Vec::new()),
        exist_watches: Some(Vec::new()),
        child_watches: Some(Vec::new()),
        persistent_watches: None,
        persistent_recursive_watches: None,
    }
}

#[cfg(test)]
#[path = "watches_tests.rs"]
mod tests;
