//! Scenarios of znodes: creating, reading, writing, listing, names of all kinds, and a chroot.

use crate::watches::fires;
use crate::world::{EPHEMERAL, OPEN, Outcome, World, check, connect as client_of, equal};
use crate::world::{SESSION_TIME, eventually, exists, refused};
use std::time::Duration;
use zookeeper_client::{Acls, CreateMode, Error, EventType};

pub async fn connect(world: &World) -> Outcome {
    let client = world.rooted().await?;
    let other = world.client().await?;
    let (data, stat) = client.get_data("/zookeeper").await?;
    check(data.is_empty() && stat.num_children > 0, format!("/zookeeper: {stat:?}"))?;
    let node = world.path("ephemeral");
    client.create(&node, b"", &EPHEMERAL).await?;
    check(exists(&other, &node).await?, "another client does not see the ephemeral")?;
    // It is closed behind its back; the session would live on for longer than this waits.
    drop(client);
    eventually("its end", async || Ok(!exists(&other, &node).await?)).await
}

pub async fn create_modes(world: &World) -> Outcome {
    let client = world.rooted().await?;
    let other = world.client().await?;
    let open = |mode: CreateMode| mode.with_acls(Acls::anyone_all());
    let plain = world.path("plain");
    client.create(&plain, b"", &OPEN).await?;
    for number in 1..=3 {
        let options = open(CreateMode::PersistentSequential);
        let (_, sequence) = client.create(&world.path("s-"), b"", &options).await?;
        equal(sequence.into_i64(), number)?;
        check(exists(&client, &world.path(&format!("s-{sequence}"))).await?, "it has no name")?;
    }
    let mut mortal = vec![world.path("e"), world.path("es-0000000005")];
    let (stat, _) = client.create(&mortal[0], b"", &EPHEMERAL).await?;
    equal(stat.ephemeral_owner, client.session_id().0)?;
    let options = open(CreateMode::EphemeralSequential);
    let (stat, sequence) = client.create(&world.path("es-"), b"", &options).await?;
    equal(stat.ephemeral_owner, client.session_id().0)?;
    equal(sequence.to_string().as_str(), "0000000005")?;
    let child = format!("{}/child", mortal[0]);
    refused(client.create(&child, b"", &OPEN).await, Error::NoChildrenForEphemerals)?;

    let container = world.path("container");
    client.create(&container, b"", &open(CreateMode::Container)).await?;
    let child = format!("{container}/child");
    client.create(&child, b"", &OPEN).await?;
    client.delete(&child, None).await?;
    let ttl = Duration::from_millis(200);
    client.create(&world.path("ttl"), b"", &OPEN.with_ttl(ttl)).await?;
    let options = open(CreateMode::PersistentSequential).with_ttl(ttl);
    let (_, sequence) = client.create(&world.path("ttl-"), b"", &options).await?;
    mortal.extend([container, world.path("ttl"), world.path(&format!("ttl-{sequence}"))]);
    drop(client);
    for path in &mortal {
        let gone = async || Ok(!exists(&other, path).await?);
        eventually(format!("the end of {path}"), gone).await?;
    }
    check(exists(&other, &plain).await?, "a persistent node has ended")
}

pub async fn read_write(world: &World) -> Outcome {
    let client = world.rooted().await?;
    let (node, missing) = (world.path("node"), world.path("missing"));
    let (created, _) = client.create(&node, b"one", &OPEN).await?;
    let (data, first) = client.get_data(&node).await?;
    equal(data, b"one")?;
    equal(first, created)?;
    equal([first.czxid, first.pzxid, first.mtime], [first.mzxid, first.mzxid, first.ctime])?;
    equal([first.version, first.data_length, first.num_children], [0, 3, 0])?;
    let second = client.set_data(&node, b"second", Some(0)).await?;
    check(second.mzxid > first.mzxid && second.czxid == first.czxid, format!("{second:?}"))?;
    equal([second.version, second.data_length], [1, 6])?;
    refused(client.set_data(&node, b"third", Some(0)).await, Error::BadVersion)?;
    client.set_data(&node, b"", None).await?;
    let (data, third) = client.get_data(&node).await?;
    check(data.is_empty() && third.version == 2, format!("{data:?}, {third:?}"))?;

    equal(client.check_stat(&missing).await?, None)?;
    refused(client.get_data(&missing).await, Error::NoNode)?;
    refused(client.set_data(&missing, b"", None).await, Error::NoNode)?;
    refused(client.create(&world.path("missing/child"), b"", &OPEN).await, Error::NoNode)?;
    refused(client.create(&node, b"", &OPEN).await, Error::NodeExists)?;
    client.create(&world.path("node/child"), b"", &OPEN).await?;
    refused(client.delete(&node, None).await, Error::NotEmpty)?;
    client.delete(&world.path("node/child"), None).await?;
    refused(client.delete(&node, Some(1)).await, Error::BadVersion)?;
    client.delete(&node, Some(2)).await?;
    refused(client.delete(&node, None).await, Error::NoNode)
}

pub async fn children(world: &World) -> Outcome {
    let client = world.rooted().await?;
    for name in ["a", "b", "c", "d", "e"] {
        client.create(&world.path(name), b"", &OPEN).await?;
    }
    client.create(&world.path("a/b"), b"", &OPEN).await?;
    client.delete(&world.path("e"), None).await?;
    let (mut names, stat) = client.get_children(&world.root).await?;
    names.sort();
    equal(names.as_slice(), ["a", "b", "c", "d"])?;
    equal([stat.num_children, stat.cversion], [4, 6])?;
    check(stat.pzxid > stat.mzxid, format!("{stat:?}"))?;
    let mut listed = client.list_children(&world.root).await?;
    listed.sort();
    equal(listed, names)?;
    equal(client.list_children(&world.path("b")).await?, [""; 0])?;
    equal(client.count_descendants_number(&world.root).await?, 5)?;
    refused(client.list_children(&world.path("e")).await, Error::NoNode)
}

pub async fn chroot(world: &World) -> Outcome {
    let outside = world.rooted().await?;
    let client = client_of(&format!("{}{}", world.connect, world.root), SESSION_TIME).await?;
    let (none, created) = client.check_and_watch_stat("/in").await?;
    equal(none, None)?;
    client.create("/in", b"x", &OPEN).await?;
    fires(created, EventType::NodeCreated, "/in").await?;
    check(exists(&outside, &world.path("in")).await?, "it is not below the chroot")?;
    equal(client.list_children("/").await?, ["in"])?;
    let (_, _, changed) = client.get_and_watch_data("/in").await?;
    outside.set_data(&world.path("in"), b"y", None).await?;
    fires(changed, EventType::NodeDataChanged, "/in").await?;
    equal(client.get_data("/in").await?.0, b"y")?;
    Ok(client.delete("/in", Some(1)).await?)
}

pub async fn unicode(world: &World) -> Outcome {
    let client = world.rooted().await?;
    let mut names = ["Ζάβρα", "зебра", "斑馬", "حمار", "e\u{301}", "\u{e9}", "with space"];
    for name in names {
        let data = [name.as_bytes(), " 🦓 \0".as_bytes(), &[0xff]].concat();
        client.create(&world.path(name), &data, &OPEN).await?;
        equal(client.get_data(&world.path(name)).await?.0, data)?;
    }
    let mut listed = client.list_children(&world.root).await?;
    listed.sort();
    names.sort_unstable();
    equal(listed, names)
}
