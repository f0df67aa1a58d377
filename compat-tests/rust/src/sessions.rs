//! Scenarios of sessions: expiry, killed servers, and reading across servers.

use crate::watches::{fires, next};
use crate::world::{EPHEMERAL, Failure, OPEN, Outcome, SESSION_TIME, WAIT_TIME, World, check};
use crate::world::{connect, equal, eventually, exists, is_lost, refused};
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::timeout;
use zookeeper_client::{AddWatchMode, Client, Error, EventType, SessionState};

pub async fn expiry(world: &World) -> Outcome {
    let time = Duration::from_secs(3);
    let other = world.rooted().await?;
    let client = connect(&world.connect, time).await?;
    let node = world.path("ephemeral");
    client.create(&node, b"", &EPHEMERAL).await?;
    let mut states = client.state_watcher();
    let twin = Client::connector()
        .with_session(client.session().clone())
        .with_session_timeout(time)
        .connect(&world.connect)
        .await?;
    equal(twin.session_id(), client.session_id())?;
    drop(twin);
    eventually("the end of its ephemeral", async || Ok(!exists(&other, &node).await?)).await?;
    let told =
        timeout(WAIT_TIME, async { while states.changed().await != SessionState::Expired {} });
    check(told.await.is_ok(), format!("the client was not told; it is {:?}", client.state()))?;
    refused(client.get_data(&world.root).await, Error::SessionExpired)?;
    let again = Client::connector().with_session(client.into_session()).connect(&world.connect);
    refused(again.await, Error::SessionExpired)
}

/// Whether an attempt came through; one that failed for want of a connection is to be repeated.
/// What an earlier one did whose reply was lost is done.
fn came_through<T>(attempt: Result<T, Error>) -> Outcome<bool> {
    match attempt {
        Ok(_) | Err(Error::NodeExists) => Ok(true),
        Err(error) if is_lost(&error) => Ok(false),
        Err(error) => Err(Failure::new(error)),
    }
}

pub async fn failover(world: &World) -> Outcome {
    let other = world.rooted().await?;
    let client = world.client().await?;
    let session = client.session_id();
    let (ephemeral, node) = (world.path("ephemeral"), world.path("node"));
    client.create(&ephemeral, b"", &EPHEMERAL).await?;
    client.create(&node, b"", &OPEN).await?;
    let (_, _, changed) = client.get_and_watch_data(&node).await?;
    let (_, listed) = client.list_and_watch_children(&world.root).await?;
    let mut stays = client.watch(&node, AddWatchMode::Persistent).await?;

    let Some(killed) = world.server_of(&client).await? else {
        return Err(Failure::new("no server knows the client"));
    };
    world.kill(&killed).await?;
    let mut owner = None;
    eventually("reading elsewhere", async || {
        let found = client.check_stat(&ephemeral).await;
        owner = found.as_ref().ok().and_then(Option::as_ref).map(|stat| stat.ephemeral_owner);
        came_through(found)
    })
    .await?;
    equal(owner, Some(session.0))?;
    if world.servers.len() > 1 {
        let now = world.server_of(&client).await?;
        check(now.is_some_and(|server| server != killed), "it is on a dead server")?;
    }
    let set = async || came_through(other.set_data(&node, b"after", None).await);
    eventually("writing", set).await?;
    fires(changed, EventType::NodeDataChanged, &node).await?;
    next(&mut stays, EventType::NodeDataChanged, &node).await?;
    let child = world.path("child");
    let create = async || came_through(other.create(&child, b"", &OPEN).await);
    eventually("creating", create).await?;
    fires(listed, EventType::NodeChildrenChanged, &world.root).await?;
    world.restore().await
}

fn write_name(number: usize) -> String {
    format!("write-{number:06}")
}

/// Creates one znode after the other until it is enough, and counts those that are acknowledged.
async fn write(
    client: &Client,
    world: &World,
    acknowledged: &AtomicUsize,
    enough: &AtomicBool,
) -> Outcome {
    for number in 0.. {
        if enough.load(Ordering::Relaxed) {
            break;
        }
        let path = world.path(&write_name(number));
        let create = async || came_through(client.create(&path, b"", &OPEN).await);
        eventually("a write", create).await?;
        acknowledged.store(number + 1, Ordering::Relaxed);
    }
    Ok(())
}

pub async fn leader_killed(world: &World) -> Outcome {
    const EACH: usize = 50;
    let client = world.rooted().await?;
    let (acknowledged, enough) = (AtomicUsize::new(0), AtomicBool::new(false));
    let reach = async |count: usize| {
        let there = async || Ok(acknowledged.load(Ordering::Relaxed) >= count);
        eventually(format!("{count} writes"), there).await
    };
    let killing = async {
        reach(EACH).await?;
        let leader = world.ask("leader").await?.concat();
        world.kill(&leader).await?;
        reach(acknowledged.load(Ordering::Relaxed) + EACH).await?;
        enough.store(true, Ordering::Relaxed);
        Outcome::Ok(())
    };
    tokio::try_join!(write(&client, world, &acknowledged, &enough), killing)?;
    world.restore().await?;
    for server in &world.servers {
        let reader = connect(server, SESSION_TIME).await?;
        reader.sync(&world.root).await?;
        let there: HashSet<_> = reader.list_children(&world.root).await?.into_iter().collect();
        for name in (0..acknowledged.load(Ordering::Relaxed)).map(write_name) {
            let lost = format!("{name} was acknowledged, and {server} has it not");
            check(there.contains(&name), lost)?;
        }
    }
    Ok(())
}

/// The reader is on a follower, if there is one: a leader of Apache ZooKeeper's answers the sync of
/// its own clients without waiting for what it has committed and not yet applied.
pub async fn sync_read(world: &World) -> Outcome {
    drop(world.rooted().await?);
    let leader = world.ask("leader").await?.concat();
    let follower = world.servers.iter().find(|server| **server != leader).unwrap_or(&leader);
    let writer = connect(&leader, SESSION_TIME).await?;
    let reader = connect(follower, SESSION_TIME).await?;
    for round in 1..=if world.quick { 50 } else { 200 } {
        let text = round.to_string();
        let set = writer.set_data(&world.root, text.as_bytes(), None).await?;
        equal(set.version, round)?;
        equal(writer.get_data(&world.root).await?.0, text.as_bytes())?;
        reader.sync(&world.root).await?;
        let (read, stat) = reader.get_data(&world.root).await?;
        equal((read.as_slice(), stat.version), (text.as_bytes(), round))?;
    }
    Ok(())
}
