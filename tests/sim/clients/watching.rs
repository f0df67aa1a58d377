//! A client's watches: each fires once, for the first change after it was left, and before any
//! reply that reflects the change; a lost connection loses none.

use super::super::checks::History;
use super::super::coverage::Coverage;
use jute::client::WatcherEvent;
use std::collections::BTreeMap;
use zabra::types::Zxid;

/// Kinds of watches. An exist watch is a data watch that may be left where nothing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Data,
    Exist,
    Child,
}

/// The watches of one client.
#[derive(Debug, Default)]
pub(super) struct Watching {
    /// With the zxid at which they were left.
    watches: BTreeMap<(Kind, String), i64>,
    /// Those of the connection before, while they are registered again.
    restoring: BTreeMap<(Kind, String), i64>,
}

impl Watching {
    /// Those that were being registered are still wanted; what fired is not among them.
    pub(super) fn disconnect(&mut self) {
        self.restoring.append(&mut self.watches);
    }

    /// The paths to register again: data, exist and child watches.
    pub(super) fn to_restore(&self) -> Option<[Vec<String>; 3]> {
        let paths = |wanted: Kind| {
            let keys = self.restoring.keys().filter(|(kind, _)| *kind == wanted);
            keys.map(|(_, path)| path.clone()).collect()
        };
        (!self.restoring.is_empty())
            .then(|| [paths(Kind::Data), paths(Kind::Exist), paths(Kind::Child)])
    }

    /// A watch that is there stays as it is; both stand for one at the server.
    pub(super) fn left(&mut self, kind: Kind, path: &str, zxid: i64) {
        self.watches.entry((kind, path.to_owned())).or_insert(zxid);
    }

    /// No reply reflects a change of which a watch has not told yet.
    pub(super) fn check(&self, zxid: i64, history: &History) {
        for ((kind, path), left) in &self.watches {
            let missed = history.changed(path, *kind == Kind::Child, *left, zxid);
            assert_eq!(
                missed,
                None,
                "[watches] a {kind:?} watch on {path} left at {} did not fire",
                Zxid(*left)
            );
        }
    }

    pub(super) fn event(
        &mut self,
        event: &WatcherEvent,
        zxid: i64,
        is_restoring: bool,
        history: &History,
        coverage: &mut Coverage,
    ) {
        if zxid == -1 {
            coverage.note("replayed event");
            self.missed(event, is_restoring);
            return;
        }
        coverage.note("event");
        let kinds: &[Kind] = match event.kind {
            1 | 3 => &[Kind::Data, Kind::Exist],
            2 => &[Kind::Data, Kind::Exist, Kind::Child],
            4 => &[Kind::Child],
            other => panic!("[watches] an event of kind {other}"),
        };
        let keys = kinds.iter().map(|kind| (*kind, event.path.clone()));
        let left: Vec<_> = keys.filter_map(|key| self.watches.remove_entry(&key)).collect();
        assert!(!left.is_empty(), "[watches] none on {} for {event:?}", event.path);
        for ((kind, path), left) in left {
            let due = history.changed(&path, kind == Kind::Child, left, i64::MAX);
            assert_eq!(due, Some(zxid), "[watches] the first change after {left} of {path}");
        }
    }

    /// An event that setWatches makes up: one for each list.
    fn missed(&mut self, event: &WatcherEvent, is_restoring: bool) {
        let kinds: &[Kind] = match event.kind {
            1 => &[Kind::Exist],
            2 => &[Kind::Data, Kind::Child],
            3 => &[Kind::Data],
            4 => &[Kind::Child],
            other => panic!("[watches] an event of kind {other}"),
        };
        let mut keys = kinds.iter().map(|kind| (*kind, event.path.clone()));
        let found = keys.any(|key| self.restoring.remove(&key).is_some());
        assert!(found, "[watches] {event:?} was not asked for");
        assert!(is_restoring, "[watches] {event:?} is out of turn");
    }

    /// What was registered again waits from now on; nothing that it waited for was passed over.
    pub(super) fn restored(&mut self, since: i64, zxid: i64, history: &History) {
        for ((kind, path), _) in std::mem::take(&mut self.restoring) {
            match kind {
                Kind::Exist => {
                    let there = history.node_at(&path, Zxid(zxid));
                    assert!(there.is_none(), "[watches] {path} is there at {}", Zxid(zxid));
                }
                Kind::Data | Kind::Child => {
                    let missed = history.changed(&path, kind == Kind::Child, since, zxid);
                    assert_eq!(missed, None, "[watches] {kind:?} of {path} since {since}");
                }
            }
            self.watches.insert((kind, path), zxid);
        }
    }
}
