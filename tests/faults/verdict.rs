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
use zabra::client::Client;

/// Between two looks at what must come.
const GLANCE: Duration = Duration::from_millis(100);

/// Reads every register once more, so that the history ends with what is there.
pub(super) async fn read_everything(board: &Board, client: &Client) -> Result<(), String> {
    let start = Instant::now();
    let paths: BTreeSet<Arc<str>> =
        by_path(&*board.history.lock().expect("the history")).into_keys().collect();
    for path in paths {
        while board.operate(client, &path, Call::Read(Through::Write)).await.is_none() {
            if start.elapsed() > PATIENCE {
                return Err(format!("{path} cannot be read"));
            }
            tokio::time::sleep(GLANCE).await;
        }
    }
    Ok(())
}

/// The trees of all servers, once the sessions that have ended are gone from them.
pub(super) async fn trees(
    board: &Board,
    servers: &Servers,
    clients: &[Client],
) -> Result<Vec<Tree>, String> {
    let start = Instant::now();
    loop {
        let trees = match touch(board, clients).await {
            Ok(()) => dump_all(servers).await,
            Err(why) => Err(why),
        };
        let verdict = trees.and_then(|trees| {
            trees.iter().try_for_each(|tree| ephemerals_are_right(board, tree))?;
            Ok(trees)
        });
        if verdict.is_ok() || start.elapsed() > PATIENCE {
            return verdict;
        }
        tokio::time::sleep(GLANCE).await;
    }
}

/// Learns which of the sessions that clients still have are alive.
async fn touch(board: &Board, clients: &[Client]) -> Result<(), String> {
    for client in clients {
        let id = client.session().expect("a session").id.0;
        match client.sync("/").await {
            Err(error) if error.is_final() => board.is_gone(id),
            Err(error) => return Err(format!("session 0x{id:x}: {error}")),
            Ok(()) => {}
        }
    }
    Ok(())
}

async fn dump_all(servers: &Servers) -> Result<Vec<Tree>, String> {
    let mut trees = Vec::new();
    for id in servers.ids() {
        let client = servers.ensemble.client_of(id).await;
        trees.push(dump(&client).await.map_err(|error| format!("server {id}: {error}"))?);
    }
    Ok(trees)
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

/// The digests that servers remember are the same for the same transaction.
pub(super) fn check_digests(servers: &Servers) -> Result<(), String> {
    let mut digests: BTreeMap<String, (usize, String)> = BTreeMap::new();
    for id in servers.ids() {
        for line in servers.ensemble.word(id, "hash").lines() {
            let (zxid, digest) = line.split_once(": ").ok_or_else(|| format!("hash: {line}"))?;
            let found = digests.entry(zxid.to_owned()).or_insert((id, digest.to_owned()));
            if found.1 != digest {
                return Err(format!("digests of servers {} and {id} differ: {line}", found.0));
            }
        }
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
