//! An example of the client library: the members of a group know of each other.
//!
//! `cargo run --example membership -- 127.0.0.1:2181/app anna` joins the group under the name
//! `anna`, and prints the members whenever they change, until Ctrl-C. Start it a second time under
//! another name, and end it again, to see it at work; stop the server for a while, and it goes on
//! where it was.

use bytes::Bytes;
use zabra::client::{Client, ClientError, CreateMode, Options};
use zabra::types::ErrorCode;

const GROUP: &str = "/members";

#[tokio::main]
async fn main() -> Result<(), ClientError> {
    let mut arguments = std::env::args().skip(1);
    let servers = arguments.next().unwrap_or_else(|| "127.0.0.1:2181".to_owned());
    let name = arguments.next().unwrap_or_else(|| "somebody".to_owned());

    // One handle for all: it reconnects by itself, to any of the servers of the connect string, and
    // keeps its session. Clones of it are handles on the same session.
    let client = Client::connect(&servers, Options::default()).await?;
    join(&client, &name).await?;
    tokio::select! {
        result = follow(&client) => result?,
        _ = tokio::signal::ctrl_c() => {}
    }
    // The ephemeral goes with the session: at once, as it is closed in good order.
    client.close().await
}

/// Adds an ephemeral znode, which stands for this process.
async fn join(client: &Client, name: &str) -> Result<(), ClientError> {
    match client.create(GROUP, None, CreateMode::Persistent).await {
        // Somebody else has made the group before: that is as good.
        Ok(_) | Err(ClientError::Api(ErrorCode::NodeExists)) => {}
        Err(error) => return Err(error),
    }
    let data = Bytes::from(name.to_owned());
    let path = format!("{GROUP}/{name}-");
    let created = client.create(&path, data, CreateMode::EphemeralSequential).await?;
    println!("joined as {}", created.path);
    Ok(())
}

/// Prints the members, now and after each change.
async fn follow(client: &Client) -> Result<(), ClientError> {
    loop {
        // Reading and watching are one step, so no change is missed in between.
        let (group, changed) = match client.children_and_watch(GROUP).await {
            // The connection was lost before the answer. Reading again does no harm.
            Err(ClientError::ConnectionLoss(_) | ClientError::NotConnected) => continue,
            found => found?,
        };
        let mut names = group.names;
        names.sort();
        println!("{} members: {}", names.len(), names.join(" "));
        // Set again on another connection if this one is lost; an error is the session's end.
        changed.await?;
    }
}
