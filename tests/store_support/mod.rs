//! What the tests of stores share: ways to make and crash each kind of store, and plain contents.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]

use bytes::Bytes;
use jute::Encode;
use jute::disk::{StatPersisted, TreeMark, ZnodeRecord};
use std::collections::BTreeMap;
use zabra::store::{Checkpoint, CheckpointKind, Crash, Item, Loaded, LogEntry, MemoryStore, Store};
use zabra::types::{Epoch, SessionId, Zxid};

/// A kind of store, and how to crash it.
pub trait Harness {
    fn fresh() -> Self;
    fn store(&self) -> &dyn Store;
    /// Ends the process that has the store open, and starts it again. With `power`, what was not
    /// synced may be gone too; a harness that cannot bring that about does the one without.
    #[must_use]
    fn crash(self, power: bool) -> Self;
}

pub struct Memory(pub MemoryStore);

impl Harness for Memory {
    fn fresh() -> Self {
        Self(MemoryStore::new())
    }

    fn store(&self) -> &dyn Store {
        &self.0
    }

    fn crash(self, power: bool) -> Self {
        self.0.crash(if power { Crash::POWER } else { Crash::KILL });
        self
    }
}

#[cfg(feature = "server")]
pub mod rocks {
    use super::{Harness, Store};
    use std::collections::BTreeMap;
    use std::path::{Path, PathBuf};
    use tempfile::TempDir;
    use zabra::store::{RocksOptions, RocksStore};

    pub struct Rocks {
        pub store: RocksStore,
        pub dir: TempDir,
    }

    /// Buffers so small that a few entries fill them: files are flushed, moved and recycled.
    pub fn small() -> RocksOptions {
        RocksOptions { log_buffer: 64 << 10, tree_buffer: 64 << 10, ..RocksOptions::default() }
    }

    pub fn temporary() -> TempDir {
        tempfile::tempdir().expect("a temporary directory")
    }

    impl Rocks {
        pub fn open(dir: TempDir) -> Self {
            let store = RocksStore::open(dir.path(), &small()).expect("the store opens");
            Self { store, dir }
        }
    }

    impl Harness for Rocks {
        fn fresh() -> Self {
            Self::open(temporary())
        }

        fn store(&self) -> &dyn Store {
            &self.store
        }

        /// A copy of the files while the store is open is what the death of the process leaves.
        fn crash(self, _power: bool) -> Self {
            Self::open(copy(self.dir.path()))
        }
    }

    /// Copies the files of a store at a moment when none of them changes.
    pub fn copy(from: &Path) -> TempDir {
        loop {
            let (before, to) = (files(from), temporary());
            for path in before.keys() {
                let to = to.path().join(path.strip_prefix(from).expect("a path below"));
                std::fs::create_dir_all(to.parent().expect("a directory")).expect("made");
                if let Err(error) = std::fs::copy(path, &to) {
                    assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{error}");
                }
            }
            if files(from) == before {
                return to;
            }
        }
    }

    /// All files with their sizes.
    fn files(dir: &Path) -> BTreeMap<PathBuf, u64> {
        let mut found = BTreeMap::new();
        for file in std::fs::read_dir(dir).expect("a directory") {
            let path = file.expect("an entry").path();
            if path.is_dir() {
                found.append(&mut files(&path));
            } else if let Ok(metadata) = path.metadata() {
                found.insert(path, metadata.len());
            }
        }
        found
    }
}

/// All that a load visits.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Contents {
    pub znodes: BTreeMap<String, Bytes>,
    pub sessions: BTreeMap<SessionId, i32>,
    pub mark: Option<TreeMark>,
    pub entries: Vec<LogEntry>,
}

impl Contents {
    pub fn paths(&self) -> Vec<&str> {
        self.znodes.keys().map(String::as_str).collect()
    }

    /// Takes one item of a load; they must come in order.
    pub fn add(&mut self, item: Item<'_>) {
        match item {
            Item::Znode(path, record) => {
                assert!(self.sessions.is_empty() && self.mark.is_none());
                assert!(self.znodes.keys().next_back().is_none_or(|last| last.as_str() < path));
                self.znodes.insert(path.to_owned(), record.to_bytes());
            }
            Item::Session(id, timeout) => {
                assert!(self.mark.is_none());
                assert!(self.sessions.keys().next_back().is_none_or(|last| *last < id));
                self.sessions.insert(id, timeout);
            }
            Item::Mark(mark) => {
                assert!(self.entries.is_empty());
                self.mark = Some(mark);
            }
            Item::Entry(entry) => self.entries.push(entry),
        }
    }

    pub fn applied(&self) -> Zxid {
        self.mark.as_ref().map_or(Zxid::ZERO, |mark| Zxid(mark.applied))
    }
}

pub fn load(store: &dyn Store) -> (Loaded, Contents) {
    let mut contents = Contents::default();
    let loaded = store.load(&mut |item| {
        contents.add(item);
        Ok(())
    });
    (loaded.expect("the store loads"), contents)
}

/// Zxid 1.`counter`.
pub fn zxid(counter: u32) -> Zxid {
    Zxid::new(Epoch(1), counter)
}

pub fn entry(zxid: Zxid, size: usize) -> LogEntry {
    let payload: Vec<u8> = zxid.0.to_be_bytes().iter().copied().cycle().take(size).collect();
    LogEntry { zxid, payload: payload.into() }
}

/// Entries of 20 bytes each.
pub fn entries(counters: std::ops::RangeInclusive<u32>) -> Vec<LogEntry> {
    counters.map(|counter| entry(zxid(counter), 20)).collect()
}

pub fn znode(text: &str) -> Bytes {
    let stat = StatPersisted { czxid: 7, version: 3, ..StatPersisted::default() };
    ZnodeRecord { data: Some(Bytes::copy_from_slice(text.as_bytes())), acl: None, stat }.to_bytes()
}

pub fn mark(applied: Zxid) -> TreeMark {
    TreeMark { applied: applied.0, digest: applied.0.wrapping_mul(31) }
}

pub fn changes(znodes: &[(&str, Option<&str>)], applied: Zxid) -> Checkpoint {
    checkpoint(znodes, CheckpointKind::Changes(mark(applied)))
}

pub fn checkpoint(znodes: &[(&str, Option<&str>)], kind: CheckpointKind) -> Checkpoint {
    let znodes = znodes.iter().map(|(path, text)| ((*path).to_owned(), text.map(znode))).collect();
    Checkpoint { znodes, sessions: Vec::new(), kind }
}
