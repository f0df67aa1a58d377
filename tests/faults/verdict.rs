//! What is checked when a run is over and everything is mended.

use super::clients::Board;
use super::dump::{Tree, difference, dump};
use super::history::{Call, Operation, Through, by_path, epoch};
use super::servers::Servers;
use super::story::Reign;
use super::{linear, order};
use crate::server_support::PATIENCE;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use zabra::client::{Client, ClientError};

/// Between two looks at what must come.
const GLANCE: Duration = Duration::from_millis(100);

/// Reads every register once more, so that the history ends with what is there.
pub(super) async fn read_everything(board: &Board, client: &Client) {
    let paths: BTreeSet<Arc<str>> =
        by_path(&*board.history.lock().expect("the history")).into_keys().collect();
    for path in paths {
        while board.operate(client, &path, Call::Read(Through::Write)).await.is_none() {
            tokio::time::sleep(GLANCE).await;
        }
    }
}

/// Learns which of the sessions that clients still have are alive.
pub(super) async fn touch(board: &Board, clients: &[Client]) {
    for client in clients {
        let id = client.session().expect("a session").id.0;
        let start = Instant::now();
        loop {
            match client.sync("/").await {
                Ok(()) => break,
                Err(error) if error.is_final() => {
                    board.is_gone(id);
                    break;
                }
                Err(error) => assert!(start.elapsed() < PATIENCE, "session 0x{id:x}: {error}"),
            }
            tokio::time::sleep(GLANCE).await;
        }
    }
}

/// The trees of all servers, once all ended sessions are gone.
pub(super) async fn trees(board: &Board, servers: &Servers) -> Result<Vec<Tree>, String> {
    let start = Instant::now();
    loop {
        let mut trees = Vec::new();
        for id in servers.ids() {
            let client = servers.ensemble.client_of(id).await;
            let tree = dump(&client).await.map_err(|error| format!("server {id}: {error}"))?;
            trees.push(tree);
            // A session that is closed quietly is one that the next tree does not show.
            let _: Result<(), ClientError> = client.close().await;
        }
        let verdicts = trees.iter().map(|tree| ephemerals_are_right(board, tree));
        match verdicts.collect::<Result<(), String>>() {
            Ok(()) => return Ok(trees),
            Err(why) if start.elapsed() > PATIENCE => return Err(why),
            Err(_) => tokio::time::sleep(GLANCE).await,
        }
    }
}

/// Every session that lives has its ephemeral, and there is no other.
fn ephemerals_are_right(board: &Board, tree: &Tree) -> Result<(), String> {
    let sessions = board.sessions.lock().expect("the sessions");
    let living: BTreeSet<i64> =
        sessions.iter().filter(|(_, lives)| **lives).map(|(id, _)| *id).collect();
    let owners = tree.values().map(|node| node.stat.ephemeral_owner);
    let owners: BTreeSet<i64> = owners.filter(|owner| *owner != 0).collect();
    if let Some(id) = owners.difference(&living).next() {
        return Err(format!("session 0x{id:x} has ended, and its ephemeral is there"));
    }
    if let Some(id) = living.difference(&owners).next() {
        return Err(format!("session 0x{id:x} lives, and its ephemeral is gone"));
    }
    Ok(())
}

/// All servers have the same, and everything that was acknowledged.
pub(super) fn check_trees(board: &Board, trees: &[Tree]) -> Result<(), String> {
    for (index, tree) in trees.iter().enumerate() {
        if let Some(difference) = difference(&trees[0], tree) {
            return Err(format!("servers 1 and {} differ: {difference}", index + 1));
        }
        board.ledger.check(tree).map_err(|why| format!("server {}: {why}", index + 1))?;
    }
    Ok(())
}

/// Whether the history is possible; gives how many reads a superseded leader has answered.
pub(super) fn check_history(
    history: &[Operation],
    reigns: &BTreeMap<i64, Reign>,
) -> Result<usize, String> {
    order::check(history)?;
    let (mut judged, mut superseded) = (Vec::new(), 0);
    for operation in history {
        match operation.call {
            Call::Read(Through::Nothing) => {}
            Call::Read(Through::Sync) if is_superseded(operation, reigns) => superseded += 1,
            _ => judged.push(operation),
        }
    }
    for (path, operations) in by_path(judged) {
        linear::check(&operations).map_err(|why| format!("{path}: {why}"))?;
    }
    Ok(superseded)
}

/// Whether a read came from before a leader that was elected when it was answered. A leader that
/// does not know yet that it is none any more answers syncs, as ZooKeeper's does, so that such a
/// read may be stale.
fn is_superseded(read: &Operation, reigns: &BTreeMap<i64, Reign>) -> bool {
    reigns.range(epoch(read.seen) + 1..).any(|(_, later)| later.since < read.end)
}
