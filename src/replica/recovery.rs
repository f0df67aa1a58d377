//! From what is stored to the tree and the sessions that were there.
//!
//! Knows nothing of the store: whoever reads it hands over one item after the other.

use super::SessionChanges;
use crate::tree::{LoadError, Transaction, Tree, TreeLoader, TreeOptions, Txn};
use crate::types::{SessionId, Zxid};
use bytes::Bytes;
use jute::DecodeError;
use jute::disk::{TreeMark, ZnodeRecord};
use std::collections::BTreeMap;

/// What a server starts from.
#[derive(Debug)]
pub struct Recovered {
    /// The tree, with everything in the log applied that is decided.
    pub tree: Tree,
    /// The sessions, with their timeouts in milliseconds.
    pub sessions: BTreeMap<SessionId, i32>,
    /// Sessions that began or ended in the log: what is stored beside it does not have them yet.
    pub session_changes: SessionChanges,
    /// The rest of the log, oldest first: of that only a leader can tell whether it is decided. A
    /// server alone has none.
    pub tail: Vec<Undecided>,
    /// How many transactions of the log were applied.
    pub replayed: u64,
}

/// A transaction of the log of which this server does not know whether it is decided.
#[derive(Clone, Debug, PartialEq)]
pub struct Undecided {
    /// What it does.
    pub txn: Transaction,
    /// The same as it is logged.
    pub payload: Bytes,
}

/// Why what is stored cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecoveryError {
    /// The stored znodes make no tree.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A znode or a second mark comes after the mark that ends the stored tree.
    #[error("the stored tree goes on behind its end")]
    BehindMark,
    /// The mark that ends the stored tree is missing.
    #[error("the stored tree has no end")]
    NoMark,
    /// An entry of the log does not hold a transaction.
    #[error("no transaction: {0}")]
    Decode(#[from] DecodeError),
    /// An entry of the log holds the transaction of another zxid.
    #[error("its transaction says {0}")]
    WrongZxid(Zxid),
    /// Applying the log does not lead to the tree that the leader had.
    #[error("the tree's digest is {found:#x} and should be {expected:#x}")]
    Digest {
        /// What the tree has.
        found: i64,
        /// What the transaction says.
        expected: i64,
    },
}

/// Puts together what is read: znodes and sessions, the mark behind them, then the log. After an
/// error nothing of it may be used.
#[derive(Debug)]
pub struct Recovery {
    options: TreeOptions,
    /// How many znodes will come, about.
    expected: usize,
    stage: Stage,
    sessions: BTreeMap<SessionId, i32>,
    session_changes: SessionChanges,
    /// Up to where the log is decided; `None` if all of it is.
    decided: Option<Zxid>,
    tail: Vec<Undecided>,
    replayed: u64,
}

#[derive(Debug)]
enum Stage {
    /// There is no loader before the first znode.
    Loading(Option<TreeLoader>),
    Replaying(Tree),
}

impl Recovery {
    /// Nothing has been read so far, for a server alone: it has decided all that it logged.
    #[must_use]
    pub const fn new(options: TreeOptions) -> Self {
        Self {
            options,
            expected: 0,
            stage: Stage::Loading(None),
            sessions: BTreeMap::new(),
            session_changes: Vec::new(),
            decided: None,
            tail: Vec::new(),
            replayed: 0,
        }
    }

    /// Nothing has been read so far, for a member of an ensemble: of its log it knows the part up
    /// to `decided` to be decided, at its start no more than what the stored tree has.
    #[must_use]
    pub fn member(options: TreeOptions, decided: Zxid) -> Self {
        Self { decided: Some(decided), ..Self::new(options) }
    }

    /// About so many znodes will come: room is made for them at once.
    #[must_use]
    pub fn expecting(self, znodes: usize) -> Self {
        Self { expected: znodes, ..self }
    }

    /// A stored znode; parents come before their children.
    ///
    /// # Errors
    /// It does not fit those before it.
    pub fn znode(&mut self, path: &str, record: ZnodeRecord) -> Result<(), RecoveryError> {
        let Stage::Loading(loader) = &mut self.stage else {
            return Err(RecoveryError::BehindMark);
        };
        let loader = loader.get_or_insert_with(|| {
            let mut loader = TreeLoader::new(self.options);
            loader.expect(self.expected);
            loader
        });
        Ok(loader.insert(path, record)?)
    }

    /// A stored session with its timeout in milliseconds.
    pub fn session(&mut self, id: SessionId, timeout_ms: i32) {
        self.sessions.insert(id, timeout_ms);
    }

    /// What the znodes amount to; none come after it.
    ///
    /// # Errors
    /// They do not amount to it.
    pub fn mark(&mut self, mark: &TreeMark) -> Result<(), RecoveryError> {
        let Stage::Loading(loader) = &mut self.stage else {
            return Err(RecoveryError::BehindMark);
        };
        let loader = loader.take().unwrap_or_else(|| TreeLoader::new(self.options));
        self.stage = Stage::Replaying(loader.finish(mark)?);
        Ok(())
    }

    /// An entry of the log behind the mark.
    ///
    /// # Errors
    /// It is no transaction, or it does not lead to the tree that it should.
    pub fn entry(&mut self, zxid: Zxid, payload: Bytes) -> Result<(), RecoveryError> {
        let txn = Transaction::from_bytes(payload.clone())?;
        if txn.header.zxid != zxid.0 {
            return Err(RecoveryError::WrongZxid(Zxid(txn.header.zxid)));
        }
        self.tree()?;
        if self.decided.is_some_and(|decided| decided < zxid) {
            self.tail.push(Undecided { txn, payload });
            return Ok(());
        }
        self.replay(&txn)
    }

    fn replay(&mut self, txn: &Transaction) -> Result<(), RecoveryError> {
        // What a member logged has its digest from another server, which may be wrong about it
        // without being wrong about the tree: that is noted elsewhere.
        let digests = self.options.digest && self.decided.is_none();
        let tree = self.tree()?;
        tree.apply(txn, &mut Vec::new());
        let found = tree.digest();
        let expected =
            txn.digest.as_ref().filter(|_| digests).map_or(found, |digest| digest.tree_digest);
        if found != expected {
            return Err(RecoveryError::Digest { found, expected });
        }
        let session = SessionId(txn.header.client_id);
        match &txn.body {
            Txn::CreateSession(body) => {
                self.sessions.insert(session, body.time_out);
                self.session_changes.push((session, Some(body.time_out)));
            }
            Txn::CloseSession(_) => {
                self.sessions.remove(&session);
                self.session_changes.push((session, None));
            }
            _ => {}
        }
        self.replayed += 1;
        Ok(())
    }

    /// What the server starts from.
    ///
    /// # Errors
    /// The mark behind the znodes is missing.
    pub fn finish(self) -> Result<Recovered, RecoveryError> {
        let Self { options, stage, sessions, session_changes, tail, replayed, .. } = self;
        let tree = match stage {
            Stage::Replaying(tree) => tree,
            // Neither a mark nor an entry: nothing was ever stored.
            Stage::Loading(None) => Tree::new(options),
            Stage::Loading(Some(_)) => return Err(RecoveryError::NoMark),
        };
        Ok(Recovered { tree, sessions, session_changes, tail, replayed })
    }

    /// The tree to replay into. A log may come without a stored tree: that of a server which has
    /// not lived to its first checkpoint.
    fn tree(&mut self) -> Result<&mut Tree, RecoveryError> {
        if matches!(self.stage, Stage::Loading(None)) {
            self.stage = Stage::Replaying(Tree::new(self.options));
        }
        match &mut self.stage {
            Stage::Replaying(tree) => Ok(tree),
            Stage::Loading(_) => Err(RecoveryError::NoMark),
        }
    }
}
