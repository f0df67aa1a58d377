//! Scenarios of watches that fire once, and of those that stay.

use crate::world::{Failure, OPEN, Outcome, WAIT_TIME, World, equal};
use tokio::time::timeout;
use zookeeper_client::{AddWatchMode, EventType, OneshotWatcher, PersistentWatcher};

/// Waits for the event of a watch; it can have no second one.
pub async fn fires(watcher: OneshotWatcher, kind: EventType, path: &str) -> Outcome {
    let Ok(event) = timeout(WAIT_TIME, watcher.changed()).await else {
        return Err(Failure::new(format!("no {kind:?} of {path}")));
    };
    equal((event.event_type, event.path.as_str()), (kind, path))
}

/// Waits for the next event of a znode; what happens to the session meanwhile is passed over.
pub async fn next(watcher: &mut PersistentWatcher, kind: EventType, path: &str) -> Outcome {
    loop {
        let Ok(event) = timeout(WAIT_TIME, watcher.changed()).await else {
            return Err(Failure::new(format!("no {kind:?} of {path}")));
        };
        if event.event_type != EventType::Session {
            return equal((event.event_type, event.path.as_str()), (kind, path));
        }
    }
}

pub async fn once(world: &World) -> Outcome {
    let client = world.rooted().await?;
    let writer = world.client().await?;
    let node = world.path("node");
    let (_, created) = client.check_and_watch_stat(&node).await?;
    let (_, _, listed) = client.get_and_watch_children(&world.root).await?;
    writer.create(&node, b"", &OPEN).await?;
    fires(created, EventType::NodeCreated, &node).await?;
    fires(listed, EventType::NodeChildrenChanged, &world.root).await?;

    let (_, _, changed) = client.get_and_watch_data(&node).await?;
    writer.set_data(&node, b"1", None).await?;
    fires(changed, EventType::NodeDataChanged, &node).await?;
    // A watch that is set behind the second write is not told of it.
    writer.set_data(&node, b"2", None).await?;
    client.sync(&node).await?;
    let (data, _, deleted) = client.get_and_watch_data(&node).await?;
    equal(data, b"2")?;
    let (_, emptied) = client.list_and_watch_children(&node).await?;
    writer.delete(&node, None).await?;
    fires(deleted, EventType::NodeDeleted, &node).await?;
    fires(emptied, EventType::NodeDeleted, &node).await
}

pub async fn persistent(world: &World) -> Outcome {
    let client = world.rooted().await?;
    let writer = world.client().await?;
    let (node, child) = (world.path("node"), world.path("node/child"));
    let mut watcher = client.watch(&node, AddWatchMode::Persistent).await?;
    for _ in 0..2 {
        writer.create(&node, b"", &OPEN).await?;
        next(&mut watcher, EventType::NodeCreated, &node).await?;
        for _ in 0..2 {
            writer.set_data(&node, b"x", None).await?;
            next(&mut watcher, EventType::NodeDataChanged, &node).await?;
        }
        writer.create(&child, b"", &OPEN).await?;
        next(&mut watcher, EventType::NodeChildrenChanged, &node).await?;
        // What happens to a child's data is no event of its parent.
        writer.set_data(&child, b"x", None).await?;
        writer.delete(&child, None).await?;
        next(&mut watcher, EventType::NodeChildrenChanged, &node).await?;
        writer.delete(&node, None).await?;
        next(&mut watcher, EventType::NodeDeleted, &node).await?;
    }
    Ok(())
}

pub async fn recursive(world: &World) -> Outcome {
    let client = world.rooted().await?;
    let writer = world.client().await?;
    let (node, child) = (world.path("node"), world.path("node/child"));
    let mut watcher = client.watch(&world.root, AddWatchMode::PersistentRecursive).await?;
    for _ in 0..2 {
        for path in [&node, &child] {
            writer.create(path, b"", &OPEN).await?;
            next(&mut watcher, EventType::NodeCreated, path).await?;
        }
        for path in [&child, &node, &child] {
            writer.set_data(path, b"x", None).await?;
            next(&mut watcher, EventType::NodeDataChanged, path).await?;
        }
        for path in [&child, &node] {
            writer.delete(path, None).await?;
            next(&mut watcher, EventType::NodeDeleted, path).await?;
        }
    }
    writer.set_data(&world.root, b"x", None).await?;
    next(&mut watcher, EventType::NodeDataChanged, &world.root).await
}
