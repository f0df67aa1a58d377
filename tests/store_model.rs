//! Random operations with crashes, on every store, compared with a plain model.
//!
//! After a crash a store must hold one of the trees that were checkpointed since the last flush,
//! and the log behind it, of which nothing is missing that was synced.

mod store_support;

use proptest::prelude::*;
use std::collections::BTreeMap;
use store_support::{Contents, Harness, checkpoint, entry, load, mark, znode};
use zabra::store::{Checkpoint, CheckpointKind, Durability, LogEntry, Meta, Store};
use zabra::types::{Epoch, SessionId, Zxid};

/// What was done, as simply as it can be said.
#[derive(Clone, Debug)]
struct Model {
    log: BTreeMap<Zxid, LogEntry>,
    end: Zxid,
    /// The end of what must survive a power cut.
    synced: Zxid,
    floor: Zxid,
    meta: Meta,
    /// Every tree that may be found after a crash: the first was flushed, the last is current.
    trees: Vec<Contents>,
}

#[derive(Clone, Debug)]
enum Op {
    Append { count: u32, size: usize, new_epoch: bool, synced: bool },
    Checkpoint { part: usize, path: u8, delete: bool },
    Flush,
    Trim { part: usize },
    Truncate { part: usize },
    Snapshot { ahead: i64, finish: bool },
    Meta { epoch: i64 },
    Crash { power: bool },
}

fn operation() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (1_u32..20, 0_usize..3_000, prop::bool::weighted(0.1), any::<bool>()).prop_map(
            |(count, size, new_epoch, synced)| Op::Append { count, size, new_epoch, synced }
        ),
        5 => (0_usize..=100, 0_u8..20, any::<bool>())
            .prop_map(|(part, path, delete)| Op::Checkpoint { part, path, delete }),
        2 => Just(Op::Flush),
        2 => (0_usize..=100).prop_map(|part| Op::Trim { part }),
        1 => (0_usize..=100).prop_map(|part| Op::Truncate { part }),
        1 => (0_i64..50, any::<bool>()).prop_map(|(ahead, finish)| Op::Snapshot { ahead, finish }),
        1 => (0_i64..100).prop_map(|epoch| Op::Meta { epoch }),
        3 => any::<bool>().prop_map(|power| Op::Crash { power }),
    ]
}

impl Model {
    fn new() -> Self {
        Self {
            log: BTreeMap::new(),
            end: Zxid::ZERO,
            synced: Zxid::ZERO,
            floor: Zxid::ZERO,
            meta: Meta::default(),
            trees: vec![Contents::default()],
        }
    }

    fn tree(&self) -> &Contents {
        self.trees.last().expect("there is always one")
    }

    /// The entry that is `part` percent of the way from after `from` to the end, or `from`.
    fn pick(&self, from: Zxid, part: usize) -> Zxid {
        let choices: Vec<_> = self.log.range(from.next()..).map(|(zxid, _)| *zxid).collect();
        choices.get(choices.len() * part / 101).copied().unwrap_or(from)
    }

    /// Does it to the store and to itself.
    fn run<H: Harness>(&mut self, harness: H, op: &Op) -> H {
        let store = harness.store();
        match *op {
            Op::Append { count, size, new_epoch, synced } => {
                self.append(store, count, size, new_epoch, synced);
            }
            Op::Checkpoint { part, path, delete } => self.checkpoint(store, part, path, delete),
            Op::Flush => {
                assert_eq!(store.flush(), Ok(self.tree().applied()));
                self.trees.drain(..self.trees.len() - 1);
            }
            Op::Trim { part } => self.trim(store, part),
            Op::Truncate { part } => {
                let last = self.pick(self.tree().applied(), part);
                store.truncate(last).expect("truncate");
                self.log.split_off(&last.next());
                (self.end, self.synced) = (last, last);
            }
            Op::Snapshot { ahead, finish } => self.snapshot(store, ahead, finish),
            Op::Meta { epoch } => {
                self.meta = Meta { accepted_epoch: Epoch(epoch), ..Meta::default() };
                store.set_meta(&self.meta).expect("set");
                self.synced = self.end;
            }
            Op::Crash { power } => {
                let harness = harness.crash(power);
                self.check_after_crash(harness.store(), power);
                return harness;
            }
        }
        harness
    }

    fn append(&mut self, store: &dyn Store, count: u32, size: usize, new_epoch: bool, sync: bool) {
        let mut next = self.end.next();
        if new_epoch {
            next = Zxid::new(Epoch(next.epoch().0 + 1), 1);
        }
        let batch: Vec<_> = (0..i64::from(count)).map(|i| entry(Zxid(next.0 + i), size)).collect();
        let durability = if sync { Durability::Synced } else { Durability::Unsynced };
        store.append(&batch, durability).expect("append");
        self.end = Zxid(next.0 + i64::from(count) - 1);
        self.log.extend(batch.into_iter().map(|entry| (entry.zxid, entry)));
        if sync {
            self.synced = self.end;
        }
    }

    fn checkpoint(&mut self, store: &dyn Store, part: usize, path: u8, delete: bool) {
        let mut tree = self.tree().clone();
        let applied = self.pick(tree.applied(), part);
        let (path, record) = (format!("/{path}"), (!delete).then(|| znode(&applied.to_string())));
        let (id, timeout) = (SessionId(applied.0 % 7), (!delete).then_some(5));
        let changes = Checkpoint {
            znodes: vec![(path.clone(), record.clone())],
            sessions: vec![(id, timeout)],
            kind: CheckpointKind::Changes(mark(applied)),
        };
        store.checkpoint(&changes).expect("checkpoint");
        match record {
            Some(record) => drop(tree.znodes.insert(path, record)),
            None => drop(tree.znodes.remove(&path)),
        }
        match timeout {
            Some(timeout) => tree.sessions.insert(id, timeout),
            None => tree.sessions.remove(&id),
        };
        tree.mark = Some(mark(applied));
        self.trees.push(tree);
        self.synced = self.end;
    }

    fn trim(&mut self, store: &dyn Store, part: usize) {
        let keep_from = self.pick(self.floor, part).min(self.trees[0].applied().next());
        store.trim(keep_from).expect("trim");
        if keep_from > self.floor {
            self.log = self.log.split_off(&keep_from);
            self.floor = keep_from;
            self.synced = self.end;
        }
    }

    fn snapshot(&mut self, store: &dyn Store, ahead: i64, finish: bool) {
        let end = Zxid(self.end.0 + ahead).max(Zxid(1));
        let begin =
            checkpoint(&[("/", Some("")), ("/s", Some("s"))], CheckpointKind::SnapshotBegin);
        store.checkpoint(&begin).expect("begin");
        if !finish {
            return;
        }
        let last = checkpoint(&[("/t", Some("t"))], CheckpointKind::SnapshotEnd(mark(end)));
        store.checkpoint(&last).expect("end");
        let records = begin.znodes.into_iter().chain(last.znodes);
        let znodes = records.filter_map(|(path, record)| Some((path, record?))).collect();
        self.trees = vec![Contents { znodes, mark: Some(mark(end)), ..Contents::default() }];
        self.log.clear();
        (self.end, self.synced, self.floor) = (end, end, end.next());
    }

    /// What is found must be allowed; from then on it is what is.
    fn check_after_crash(&mut self, store: &dyn Store, power: bool) {
        let (loaded, contents) = load(store);
        assert_eq!(loaded.meta, self.meta);
        let least = if power { self.synced } else { self.end };
        assert!(least <= loaded.last && loaded.last <= self.end, "{loaded:?} of {self:?}");
        assert_eq!(loaded.applied, contents.applied());
        self.log.split_off(&loaded.last.next());
        let after = self.log.range(loaded.applied.next()..);
        assert_eq!(contents.entries, after.map(|(_, entry)| entry.clone()).collect::<Vec<_>>());
        let tree = Contents { entries: Vec::new(), ..contents };
        assert!(self.trees.contains(&tree), "{tree:?} is none of {:?}", self.trees);
        let all = store.read_log(self.floor, usize::MAX).expect("read");
        assert_eq!(all, self.log.values().cloned().collect::<Vec<_>>());
        self.trees = vec![tree];
        (self.end, self.synced) = (loaded.last, loaded.last);
    }
}

/// Crashes once after each operation.
fn every_prefix_survives<H: Harness>() {
    let operations = [
        Op::Append { count: 3, size: 10, new_epoch: true, synced: true },
        Op::Checkpoint { part: 50, path: 1, delete: false },
        Op::Append { count: 2, size: 10, new_epoch: false, synced: false },
        Op::Flush,
        Op::Meta { epoch: 4 },
        Op::Trim { part: 100 },
        Op::Checkpoint { part: 100, path: 2, delete: false },
        Op::Truncate { part: 0 },
        Op::Snapshot { ahead: 3, finish: false },
        Op::Append { count: 1, size: 10, new_epoch: true, synced: true },
        Op::Snapshot { ahead: 3, finish: true },
        Op::Append { count: 4, size: 10, new_epoch: false, synced: true },
        Op::Checkpoint { part: 60, path: 3, delete: true },
        Op::Flush,
        Op::Trim { part: 30 },
    ];
    for power in [false, true] {
        for length in 0..=operations.len() {
            let (mut model, mut harness) = (Model::new(), H::fresh());
            for op in &operations[..length] {
                harness = model.run(harness, op);
            }
            drop(model.run(harness, &Op::Crash { power }));
        }
    }
}

fn random_operations_survive<H: Harness>(cases: u32) {
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(operations in prop::collection::vec(operation(), 1..60))| {
        let (mut model, mut harness) = (Model::new(), H::fresh());
        for op in &operations {
            harness = model.run(harness, op);
        }
        drop(model.run(harness, &Op::Crash { power: true }));
    });
}

mod memory_store {
    use super::store_support::Memory;
    use super::*;
    use zabra::store::{Crash, MemoryStore, StoreError};

    #[test]
    fn every_prefix_survives() {
        super::every_prefix_survives::<Memory>();
    }

    #[test]
    fn random_operations_survive() {
        super::random_operations_survive::<Memory>(1_000);
    }

    fn batch(from: i64, to: i64) -> Vec<LogEntry> {
        (from..=to).map(|zxid| entry(Zxid(zxid), 3)).collect()
    }

    #[test]
    fn a_crash_leaves_as_much_as_the_test_wants() {
        for (crash, left) in [
            (Crash::POWER, 2),
            (Crash { log_writes: 1, ..Crash::POWER }, 4),
            (Crash { log_writes: 1, torn_entries: 1, ..Crash::POWER }, 5),
            (Crash { log_writes: 2, torn_entries: 9, ..Crash::POWER }, 6),
            (Crash::KILL, 6),
        ] {
            let store = MemoryStore::new();
            store.append(&batch(1, 2), Durability::Synced).expect("append");
            store.append(&batch(3, 4), Durability::Unsynced).expect("append");
            store.append(&batch(5, 6), Durability::Unsynced).expect("append");
            assert_eq!(store.unsynced(), (2, 0));
            store.crash(crash);
            assert_eq!(load(&store).0.last, Zxid(left), "{crash:?}");
        }
    }

    #[test]
    fn checkpoints_may_be_flushed_by_themselves() {
        for (checkpoints, applied) in [(0, 0), (1, 1), (2, 2)] {
            let store = MemoryStore::new();
            store.append(&batch(1, 3), Durability::Synced).expect("append");
            store.checkpoint(&store_support::changes(&[], Zxid(1))).expect("checkpoint");
            store.checkpoint(&store_support::changes(&[], Zxid(2))).expect("checkpoint");
            store.crash(Crash { checkpoints, ..Crash::POWER });
            assert_eq!(load(&store).0.applied, Zxid(applied));
        }
    }

    #[test]
    fn after_a_failure_nothing_works_until_a_restart() {
        let store = MemoryStore::new();
        store.fail_after(1);
        store.append(&batch(1, 1), Durability::Synced).expect("append");
        let error = store.append(&batch(2, 2), Durability::Synced).expect_err("it fails");
        assert!(matches!(error, StoreError::Io { .. }), "{error}");
        assert_eq!(store.append(&batch(2, 2), Durability::Synced), Err(error.clone()));
        assert_eq!(store.flush(), Err(error.clone()));
        assert_eq!(store.load(&mut |_| Ok(())), Err(error));
        store.crash(Crash::KILL);
        assert_eq!(load(&store).0.last, Zxid(2), "what failed to sync may be there all the same");
        store.append(&batch(3, 3), Durability::Synced).expect("append");
    }

    /// Every call that writes, failing or crashing at every one of its steps.
    #[test]
    fn a_snapshot_is_installed_whole_or_not_at_all() {
        for operations in 0..4 {
            let store = MemoryStore::new();
            store.append(&batch(1, 5), Durability::Synced).expect("append");
            store.checkpoint(&store_support::changes(&[("/old", Some(""))], Zxid(3))).expect("old");
            store.flush().expect("flush");
            store.fail_after(operations);
            let begin = checkpoint(&[("/new", Some(""))], CheckpointKind::SnapshotBegin);
            let end = checkpoint(&[], CheckpointKind::SnapshotEnd(mark(Zxid(9))));
            let installed = store.checkpoint(&begin).and_then(|()| store.checkpoint(&end));
            assert_eq!(installed.is_ok(), operations == 3);
            store.crash(Crash::POWER);
            let (loaded, contents) = load(&store);
            let expected = if operations < 2 { ("/old", 5) } else { ("/new", 9) };
            assert_eq!((contents.paths()[0], loaded.last.0), expected, "after {operations}");
        }
    }
}

#[cfg(feature = "server")]
mod rocks_store {
    use super::store_support::rocks::Rocks;

    #[test]
    fn every_prefix_survives() {
        super::every_prefix_survives::<Rocks>();
    }

    #[test]
    fn random_operations_survive() {
        super::random_operations_survive::<Rocks>(20);
    }
}
