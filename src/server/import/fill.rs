//! From snapshot and log to a store.

use super::{ImportError, ImportOptions, Imported};
use crate::store::apache::{
    ApacheError, ApacheFiles, ImageItem, LogCursor, SnapshotFile, SnapshotReader, ZxidDigest,
};
use crate::store::{
    Checkpoint, CheckpointKind, Durability, LogEntry, RocksStore, Store, StoreError,
};
use crate::tree::{LoadError, Transaction, Tree, TreeLoader, Txn};
use crate::types::{SessionId, Zxid};
use bytes::Bytes;
use jute::Encode;
use jute::disk::{TreeMark, ZnodeRecord};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Snapshots that are tried, the newest ones first (ZK: `FileSnap.deserialize`).
const MAX_SNAPSHOTS: usize = 100;
/// Bytes of records that go to the store together.
const PART_BYTES: usize = 512 << 10;
/// What a record costs in memory besides its bytes, about.
const RECORD_BYTES: usize = 64;
/// How often the log says how far the import is.
const SAY_AFTER: Duration = Duration::from_secs(2);

/// How a tree that was written while transactions were applied becomes one that there was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fuzzy {
    /// It is one.
    No,
    /// After this transaction, and then it has this digest.
    Until(Zxid, Option<i64>),
    /// Nobody knows: versions before 3.6 do not say. The first transaction whose digest is right
    /// tells, and if the log has no digests it does not matter.
    Unknown,
}

impl Fuzzy {
    fn of(snapshot: Zxid, digest: Option<ZxidDigest>) -> Self {
        match digest {
            None => Self::Unknown,
            // Nothing with a digest was applied while it was written.
            Some(digest) if digest.zxid < snapshot || digest.zxid == Zxid::ZERO => Self::No,
            Some(digest) => Self::Until(digest.zxid, digest.digest),
        }
    }
}

/// What was read so far: the tree, and what of it the store does not have.
struct State {
    tree: Tree,
    sessions: BTreeMap<SessionId, i32>,
    fuzzy: Fuzzy,
}

/// Fills a store.
pub(super) struct Filling<'a> {
    store: &'a RocksStore,
    options: &'a ImportOptions,
    part: Checkpoint,
    part_bytes: usize,
    batch: Vec<LogEntry>,
    batch_bytes: usize,
    digests: u64,
    said: Instant,
}

impl<'a> Filling<'a> {
    pub(super) fn new(store: &'a RocksStore, options: &'a ImportOptions) -> Self {
        Self {
            store,
            options,
            part: empty(CheckpointKind::SnapshotBegin),
            part_bytes: 0,
            batch: Vec::new(),
            batch_bytes: 0,
            digests: 0,
            said: Instant::now(),
        }
    }

    /// Takes over everything.
    pub(super) fn run(mut self, files: &ApacheFiles) -> Result<Imported, ImportError> {
        let (snapshot, mut state) = self.begin(files)?;
        let from = snapshot.unwrap_or(Zxid::ZERO);
        let mut log = LogCursor::after(&files.logs, from, self.options.longest);
        let mut transactions = 0;
        let mut next = self.settle(from, &mut state, &mut log, &mut transactions)?;
        let applied = state.tree.applied_zxid();
        self.install(&mut state.tree)?;
        while let Some(entry) = next {
            self.apply(&mut state, &entry)?;
            self.batch_bytes += entry.payload.len() + RECORD_BYTES;
            self.batch.push(entry);
            self.append(PART_BYTES)?;
            transactions += 1;
            self.say(|| format!("{transactions} transactions"));
            next = read(&mut log)?;
        }
        self.append(1)?;
        Ok(Imported {
            snapshot,
            applied,
            last: state.tree.applied_zxid(),
            transactions,
            digests: self.digests,
            znodes: state.tree.node_count(),
            sessions: state.sessions.len(),
            digest: state.tree.digest(),
        })
    }

    /// Reads the newest snapshot that is whole.
    fn begin(&mut self, files: &ApacheFiles) -> Result<(Option<Zxid>, State), ImportError> {
        let mut first = None;
        for file in files.snapshots.iter().take(MAX_SNAPSHOTS) {
            match self.load(file) {
                Ok(state) => return Ok((Some(file.zxid), state)),
                Err(ImportError::Store(error)) => return Err(error.into()),
                Err(error) => {
                    tracing::warn!("{error}");
                    first.get_or_insert(error);
                }
            }
        }
        if let Some(error) = first {
            let number = files.snapshots.len().min(MAX_SNAPSHOTS);
            return Err(ImportError::NoGoodSnapshot { number, error: Box::new(error) });
        }
        if !self.options.trust_empty_snapshot {
            return Err(ImportError::NoSnapshot("a log"));
        }
        let tree = Tree::new(self.options.tree);
        for (path, record) in tree.dump() {
            self.add_znode(path, &record)?;
        }
        Ok((None, State { tree, sessions: BTreeMap::new(), fuzzy: Fuzzy::No }))
    }

    fn load(&mut self, file: &SnapshotFile) -> Result<State, ImportError> {
        let SnapshotFile { path, zxid, compression } = file;
        tracing::info!("reading {}", path.display());
        let damaged = |error| ApacheError::Snapshot { path: path.clone(), error };
        let input = compression.open(path).map_err(|error| damaged(error.into()))?;
        let reader = SnapshotReader::new(input, *zxid, self.options.longest);
        let mut reader = reader.map_err(damaged)?;
        let mut loader = TreeLoader::new(self.options.tree);
        let no_tree = |error: LoadError| ImportError::Tree { path: path.clone(), error };
        let (mut sessions, mut znodes) = (BTreeMap::new(), 0);
        // What has arrived of another snapshot is dropped.
        (self.part, self.part_bytes) = (empty(CheckpointKind::SnapshotBegin), 0);
        loop {
            match reader.read_next().map_err(damaged)? {
                ImageItem::Session(id, timeout_ms) => {
                    sessions.insert(id, timeout_ms);
                    self.add_session(id, Some(timeout_ms));
                }
                ImageItem::Znode(path, record) => {
                    self.add_znode(path.clone(), &record)?;
                    loader.insert(&path, record).map_err(no_tree)?;
                    znodes += 1;
                    self.say(|| format!("{znodes} znodes"));
                }
                ImageItem::End => break,
            }
        }
        let tree = loader.finish_fuzzy(*zxid).map_err(no_tree)?;
        Ok(State { tree, sessions, fuzzy: Fuzzy::of(*zxid, reader.digest()) })
    }

    /// Applies the transactions that ran while the snapshot was written, and returns the one behind
    /// them.
    fn settle(
        &mut self,
        snapshot: Zxid,
        state: &mut State,
        log: &mut LogCursor,
        transactions: &mut u64,
    ) -> Result<Option<LogEntry>, ImportError> {
        if let Fuzzy::Until(exact, digest) = state.fuzzy
            && exact == snapshot
        {
            self.compare(exact, &state.tree, digest)?;
            state.fuzzy = Fuzzy::No;
        }
        let mut mismatch = None;
        while state.fuzzy != Fuzzy::No {
            let Some(entry) = read(log)? else { break };
            let txn = decode(&entry)?;
            if state.fuzzy == Fuzzy::Unknown && txn.digest.is_none() && mismatch.is_none() {
                return Ok(Some(entry));
            }
            if let Some((session, timeout_ms)) = replay(state, &txn) {
                self.add_session(session, timeout_ms);
            }
            *transactions += 1;
            self.say(|| format!("{transactions} transactions"));
            match state.fuzzy {
                Fuzzy::Until(exact, digest) if entry.zxid >= exact => {
                    let digest = digest.filter(|_| entry.zxid == exact);
                    self.compare(exact, &state.tree, digest)?;
                    state.fuzzy = Fuzzy::No;
                }
                Fuzzy::Unknown => {
                    let expected = txn.digest.map(|digest| digest.tree_digest);
                    mismatch = self.compare(entry.zxid, &state.tree, expected).err();
                    if mismatch.is_none() {
                        state.fuzzy = Fuzzy::No;
                    }
                }
                _ => {}
            }
        }
        match (state.fuzzy, mismatch) {
            (Fuzzy::Until(exact, _), _) => {
                let last = state.tree.applied_zxid();
                Err(ImportError::LogTooShort { exact, last })
            }
            (Fuzzy::Unknown, Some(mismatch)) => Err(mismatch),
            (Fuzzy::Unknown, None) => Ok(None),
            (Fuzzy::No, _) => read(log),
        }
    }

    /// Applies a transaction that goes into the log, to see whether it leads where it should.
    fn apply(&mut self, state: &mut State, entry: &LogEntry) -> Result<(), ImportError> {
        let txn = decode(entry)?;
        replay(state, &txn);
        self.compare(entry.zxid, &state.tree, txn.digest.map(|digest| digest.tree_digest))
    }

    fn compare(
        &mut self,
        zxid: Zxid,
        tree: &Tree,
        expected: Option<i64>,
    ) -> Result<(), ImportError> {
        let Some(expected) = expected.filter(|_| self.options.tree.digest) else { return Ok(()) };
        let found = tree.digest();
        if found != expected {
            return Err(ImportError::Digest { zxid, expected, found });
        }
        self.digests += 1;
        Ok(())
    }

    fn add_session(&mut self, session: SessionId, timeout_ms: Option<i32>) {
        self.part.sessions.push((session, timeout_ms));
        self.part_bytes += RECORD_BYTES;
    }

    fn add_znode(&mut self, path: String, record: &ZnodeRecord) -> Result<(), StoreError> {
        let path = if path.is_empty() { "/".to_owned() } else { path };
        let bytes = record.to_bytes();
        self.part_bytes += RECORD_BYTES + path.len() + bytes.len();
        self.part.znodes.push((path, Some(bytes)));
        if self.part_bytes >= PART_BYTES {
            let part = std::mem::replace(&mut self.part, empty(CheckpointKind::SnapshotPart));
            self.part_bytes = 0;
            self.store.checkpoint(&part)?;
        }
        Ok(())
    }

    /// Puts the tree into the store, in the place of whatever is there.
    fn install(&mut self, tree: &mut Tree) -> Result<(), StoreError> {
        let last = std::mem::replace(&mut self.part, empty(CheckpointKind::SnapshotPart));
        self.store.checkpoint(&last)?;
        let mark = TreeMark { applied: tree.applied_zxid().0, digest: tree.digest() };
        let mut end = empty(CheckpointKind::SnapshotEnd(mark));
        end.znodes = tree.drain_dirty();
        self.store.checkpoint(&end)
    }

    /// Appends what has gathered, if it is so much. A later write of the store makes it durable.
    fn append(&mut self, at_least: usize) -> Result<(), StoreError> {
        if self.batch_bytes < at_least {
            return Ok(());
        }
        self.store.append(&self.batch, Durability::Unsynced)?;
        self.batch.clear();
        self.batch_bytes = 0;
        Ok(())
    }

    fn say(&mut self, progress: impl FnOnce() -> String) {
        if self.said.elapsed() >= SAY_AFTER {
            tracing::info!("took over {} so far", progress());
            self.said = Instant::now();
        }
    }
}

const fn empty(kind: CheckpointKind) -> Checkpoint {
    Checkpoint { znodes: Vec::new(), sessions: Vec::new(), kind }
}

fn read(log: &mut LogCursor) -> Result<Option<LogEntry>, ImportError> {
    let entry = log.read_next();
    for note in log.take_notes() {
        tracing::warn!("{note}");
    }
    Ok(entry?)
}

fn decode(entry: &LogEntry) -> Result<Transaction, ImportError> {
    let payload: Bytes = entry.payload.clone();
    let wrong = |error| ImportError::Transaction { zxid: entry.zxid, error };
    Transaction::from_bytes(payload).map_err(wrong)
}

/// Applies a transaction, and tells which session it began or ended.
fn replay(state: &mut State, txn: &Transaction) -> Option<(SessionId, Option<i32>)> {
    state.tree.apply(txn, &mut Vec::new());
    let session = SessionId(txn.header.client_id);
    match &txn.body {
        Txn::CreateSession(body) => {
            state.sessions.insert(session, body.time_out);
            Some((session, Some(body.time_out)))
        }
        Txn::CloseSession(_) => {
            state.sessions.remove(&session);
            Some((session, None))
        }
        _ => None,
    }
}
