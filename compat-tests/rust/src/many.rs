//! Scenarios of large values and of many znodes at a time.

use crate::world::{EPHEMERAL, OPEN, Outcome, World, check, equal, eventually, is_lost};
use zookeeper_client::{Client, CreateOptions};

/// A request with more bytes than this is refused: the default of `jute.maxbuffer`.
const MAX_REQUEST: usize = 0xfffff;

pub async fn large_values(world: &World) -> Outcome {
    let client = world.rooted().await?;
    // xid, type, two lengths and a version are the rest of the request.
    let largest = MAX_REQUEST - 5 * 4 - world.root.len();
    for size in [1000, 500_000, largest] {
        let value: Vec<u8> = (0..=u8::MAX).cycle().take(size).collect();
        client.set_data(&world.root, &value, None).await?;
        let (data, stat) = client.get_data(&world.root).await?;
        equal(data == value, true)?;
        equal(usize::try_from(stat.data_length)?, size)?;
    }
    let session = client.session_id();
    let refusal = client.set_data(&world.root, &vec![0; largest + 1], None).await;
    check(refusal.as_ref().is_err_and(is_lost), format!("{refusal:?}"))?;
    let mut version = None;
    eventually("reading after a refused request", async || {
        version = client.check_stat(&world.root).await.ok().flatten().map(|stat| stat.version);
        Ok(version.is_some())
    })
    .await?;
    equal(version, Some(3))?;
    equal(client.session_id(), session)
}

/// Creates so many children, without waiting for any before all are sent. The names come back.
async fn create_many(
    client: &Client,
    world: &World,
    count: usize,
    options: &CreateOptions<'_>,
) -> Outcome<Vec<String>> {
    let names: Vec<_> = (0..count).map(|number| format!("child-{number:05}")).collect();
    let paths: Vec<_> = names.iter().map(|name| world.path(name)).collect();
    // The client sends when a method is called, not when the future is awaited.
    let sent: Vec<_> = paths.iter().map(|path| client.create(path, b"", options)).collect();
    for reply in sent {
        reply.await?;
    }
    Ok(names)
}

pub async fn ephemerals_1000(world: &World) -> Outcome {
    let other = world.rooted().await?;
    let client = world.client().await?;
    create_many(&client, world, 1000, &EPHEMERAL).await?;
    equal(client.list_ephemerals(&world.root).await?.len(), 1000)?;
    let count = async || {
        other.sync(&world.root).await?;
        Outcome::Ok(other.list_children(&world.root).await?.len())
    };
    equal(count().await?, 1000)?;
    drop(client);
    eventually("the end of all", async || Ok(count().await? == 0)).await
}

pub async fn children_10000(world: &World) -> Outcome {
    let client = world.rooted().await?;
    let expected = create_many(&client, world, 10_000, &OPEN).await?;
    let (mut names, stat) = client.get_children(&world.root).await?;
    names.sort();
    equal(names == expected, true)?;
    equal(stat.num_children, 10_000)
}
