//! Scenarios of the lock of the client, which also elects leaders, and of holders that are killed.

use crate::world::{EPHEMERAL, Failure, OPEN, Outcome, WAIT_TIME, World, check};
use crate::world::{connect, equal, eventually, refused};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::timeout;
use zookeeper_client::{Acls, Client, Error, LockClient, LockPrefix};

pub const HOLD: &str = "hold";
const HOLDER_TIME: Duration = Duration::from_secs(2);
const CONTENDERS: usize = 3;

/// Takes an office: a lock as Curator has it, or the lead as ZooKeeper's own recipe has it. It is
/// given back when what is returned is dropped.
async fn take<'a>(client: &'a Client, path: &str) -> Outcome<LockClient<'a>> {
    let shared = format!("{path}/n-");
    let prefix = if path.ends_with("/lock") {
        LockPrefix::new_curator(path, "lock-")?
    } else {
        LockPrefix::new_shared(&shared)?
    };
    Ok(client.lock(prefix, b"", Acls::anyone_all()).await?)
}

/// Takes an office and keeps it until it is killed. A process of its own.
pub async fn hold(servers: &str, path: &str) -> Outcome {
    let client = connect(servers, HOLDER_TIME).await?;
    let _office = take(&client, path).await?;
    client.create(&format!("{path}-taken"), b"", &EPHEMERAL).await?;
    println!("held");
    // Whoever started it has ended, if this does.
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    Ok(())
}

/// Starts the holder and waits until it has the office.
async fn start_holder(world: &World, path: &str) -> Outcome<Child> {
    let mut holder = Command::new(std::env::current_exe()?)
        .args([HOLD, &world.connect, path])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let Some(output) = holder.stdout.take() else {
        return Err(Failure::new("the holder has no output"));
    };
    let said = timeout(WAIT_TIME, BufReader::new(output).lines().next_line()).await??;
    equal(said.as_deref(), Some("held"))?;
    Ok(holder)
}

/// Takes the office, sees that it is alone, counts, and gives the office back.
async fn serve(client: &Client, path: &str) -> Outcome {
    let office = take(client, path).await?;
    let (taken, counter) = (format!("{path}-taken"), format!("{path}-count"));
    // If this is there another one holds the office too.
    client.create(&taken, b"", &EPHEMERAL).await?;
    let (data, stat) = client.get_data(&counter).await?;
    let count: usize = String::from_utf8_lossy(&data).parse()?;
    let next = (count + 1).to_string();
    // A write that the server does only as long as the office is held.
    office.set_data(&counter, next.as_bytes(), Some(stat.version)).await?;
    Ok(client.delete(&taken, None).await?)
}

/// The path of an office, which nobody holds; the client asks for the state of it.
async fn office(world: &World, name: &str) -> Outcome<(Client, String)> {
    let client = world.rooted().await?;
    let path = world.path(name);
    client.create(&path, b"", &OPEN).await?;
    client.create(&format!("{path}-count"), b"0", &OPEN).await?;
    Ok((client, path))
}

/// Starts contenders, each of which serves so many times.
async fn contend(world: &World, path: &str, rounds: usize) -> Outcome<JoinSet<Outcome>> {
    let mut contenders = JoinSet::new();
    for _ in 0..CONTENDERS {
        let (client, path) = (world.client().await?, path.to_owned());
        contenders.spawn(async move {
            for _ in 0..rounds {
                serve(&client, &path).await?;
            }
            Ok(())
        });
    }
    Ok(contenders)
}

/// Waits for the contenders and demands the count.
async fn settled(
    client: &Client,
    path: &str,
    mut contenders: JoinSet<Outcome>,
    expected: usize,
) -> Outcome {
    while let Some(served) = timeout(WAIT_TIME, contenders.join_next()).await? {
        served??;
    }
    client.sync(path).await?;
    let (data, _) = client.get_data(&format!("{path}-count")).await?;
    equal(String::from_utf8_lossy(&data), expected.to_string())
}

async fn killed_holder(world: &World, name: &str) -> Outcome {
    let (client, path) = office(world, name).await?;
    let mut holder = start_holder(world, &path).await?;
    let contenders = contend(world, &path, 1).await?;
    eventually("contenders in line", async || {
        Ok(client.list_children(&path).await?.len() == CONTENDERS + 1)
    })
    .await?;
    let (_, stat) = client.get_data(&format!("{path}-count")).await?;
    check(stat.version == 0, "somebody was in office beside the holder")?;
    holder.kill().await?;
    settled(&client, &path, contenders, CONTENDERS).await
}

pub async fn lock_killed_holder(world: &World) -> Outcome {
    killed_holder(world, "lock").await
}

pub async fn election_killed_holder(world: &World) -> Outcome {
    killed_holder(world, "election").await
}

pub async fn lock(world: &World) -> Outcome {
    let rounds = if world.quick { 5 } else { 20 };
    let (client, path) = office(world, "lock").await?;
    let contenders = contend(world, &path, rounds).await?;
    settled(&client, &path, contenders, CONTENDERS * rounds).await?;

    // Writes through the lock fail from the moment at which it is lost.
    let held = take(&client, &path).await?;
    let node = world.path("guarded");
    held.create(&node, b"", &OPEN).await?;
    client.delete(held.lock_path(), None).await?;
    refused(held.set_data(&node, b"x", None).await, Error::RuntimeInconsistent)?;
    equal(client.check_stat(&node).await?.map(|stat| stat.version), Some(0))
}
