//! From what is stored to the tree and the sessions that were there.

use crate::store::{Item, Store, StoreError};
use crate::tree::{Transaction, Tree, TreeLoader, TreeOptions, Txn};
use crate::types::{SessionId, Zxid};
use jute::disk::TreeMark;
use std::collections::BTreeMap;

/// What a server starts from.
#[derive(Debug)]
pub(crate) struct Recovered {
    /// The tree, with the whole log applied.
    pub(crate) tree: Tree,
    /// The sessions, with their timeouts in milliseconds.
    pub(crate) sessions: BTreeMap<SessionId, i32>,
    /// How many transactions of the log were applied.
    pub(crate) replayed: u64,
}

enum Stage {
    Loading(TreeLoader),
    Replaying(Tree),
    Failed,
}

struct Recovery {
    options: TreeOptions,
    stage: Stage,
    sessions: BTreeMap<SessionId, i32>,
    replayed: u64,
}

/// Reads everything. A server alone has decided all that it logged.
///
/// # Errors
/// Something is lost or damaged; nothing may be served.
pub(crate) fn recover(store: &dyn Store, options: TreeOptions) -> Result<Recovered, StoreError> {
    let mut recovery = Recovery {
        options,
        stage: Stage::Loading(TreeLoader::new(options)),
        sessions: BTreeMap::new(),
        replayed: 0,
    };
    store.load(&mut |item| recovery.take(item))?;
    let tree = match recovery.stage {
        Stage::Replaying(tree) => tree,
        // Neither a mark nor an entry: nothing was ever stored.
        Stage::Loading(_) | Stage::Failed => Tree::new(options),
    };
    Ok(Recovered { tree, sessions: recovery.sessions, replayed: recovery.replayed })
}

impl Recovery {
    fn take(&mut self, item: Item<'_>) -> Result<(), String> {
        match item {
            Item::Znode(path, record) => match &mut self.stage {
                Stage::Loading(loader) => {
                    loader.insert(path, record).map_err(|error| error.to_string())
                }
                Stage::Replaying(_) | Stage::Failed => Err("a znode after the mark".to_owned()),
            },
            Item::Session(id, timeout_ms) => {
                self.sessions.insert(id, timeout_ms);
                Ok(())
            }
            Item::Mark(mark) => self.finish_loading(&mark),
            Item::Entry(entry) => self.replay(entry.zxid, entry.payload),
        }
    }

    fn finish_loading(&mut self, mark: &TreeMark) -> Result<(), String> {
        match std::mem::replace(&mut self.stage, Stage::Failed) {
            Stage::Loading(loader) => {
                let tree = loader.finish(mark).map_err(|error| error.to_string())?;
                self.stage = Stage::Replaying(tree);
                Ok(())
            }
            Stage::Replaying(_) | Stage::Failed => Err("a second mark".to_owned()),
        }
    }

    fn replay(&mut self, zxid: Zxid, payload: bytes::Bytes) -> Result<(), String> {
        if matches!(self.stage, Stage::Loading(_)) {
            // A log without a stored tree: the server has not lived to its first checkpoint.
            self.stage = Stage::Replaying(Tree::new(self.options));
        }
        let Stage::Replaying(tree) = &mut self.stage else {
            return Err("an entry without a tree".to_owned());
        };
        let txn = Transaction::from_bytes(payload).map_err(|error| error.to_string())?;
        if txn.header.zxid != zxid.0 {
            return Err(format!("its transaction says {}", Zxid(txn.header.zxid)));
        }
        tree.apply(&txn, &mut Vec::new());
        if let Some(digest) = &txn.digest
            && self.options.digest
            && digest.tree_digest != tree.digest()
        {
            return Err(format!(
                "the tree's digest is {:#x} and should be {:#x}",
                tree.digest(),
                digest.tree_digest
            ));
        }
        let session = SessionId(txn.header.client_id);
        match txn.body {
            Txn::CreateSession(body) => {
                self.sessions.insert(session, body.time_out);
            }
            Txn::CloseSession(_) => {
                self.sessions.remove(&session);
            }
            _ => {}
        }
        self.replayed += 1;
        Ok(())
    }
}
