//! Locks and elections by ZooKeeper's ephemeral-sequential recipe, over one [`Client`].
//!
//! ```no_run
//! # async fn example(client: zabra::client::Client) -> Result<(), zabra::client::ClientError> {
//! use zabra::client::recipes::Lock;
//!
//! let mut held = Lock::new(&client, "/locks/deploy")?.acquire().await?;
//! tokio::select! {
//!     () = work(held.token()) => {}
//!     lost = held.lost() => println!("not held any longer: {lost}"),
//! }
//! held.release().await
//! # }
//! # async fn work(_: zabra::types::Zxid) {}
//! ```
//!
//! Contenders are ephemeral-sequential znodes below one path. The one with the lowest number holds
//! the lock; each other watches the one before it and nothing else.
//!
//! Other libraries know the same recipe but look at different names: kazoo counts what ends in
//! `__lock__` and the number, Curator sorts by what follows `lock-` (locks, `LeaderSelector`) or
//! `latch-` (`LeaderLatch`). No name is seen by all of them, so a contender here is one znode for
//! each of these families, made in one transaction and therefore with adjacent numbers. Every child
//! that ends in a number counts as a contender, whoever made it.
//!
//! A contender's *fencing token* is the zxid that created its znodes (`czxid`). Numbers and czxids
//! are given out in the same order, and locks are held in the order of numbers; so tokens only grow
//! from one holder to the next, also where the holder before was kazoo's or Curator's, or where the
//! path was deleted and made anew. What is protected by the lock can refuse a token that is lower
//! than one it has seen.
//!
//! Nothing is left behind: whoever drops a future or a [`Held`] gives up its place in the queue in
//! the background, also when the reply to the creation was lost. A path that does not exist is
//! created with persistent znodes, as kazoo's users rely on a path that stays.
//!
//! Knows the client's public operations only.

mod election;
mod held;
mod lock;
mod names;
mod place;

pub use election::{Election, Leader, Leaders};
pub use held::{Held, Lost};
pub use lock::Lock;

use super::{Client, ClientError};
use std::future::Future;

/// The path of a child.
fn join(parent: &str, name: &str) -> String {
    if parent == "/" { format!("/{name}") } else { format!("{parent}/{name}") }
}

/// Whether an operation that may be repeated should be: its connection was lost, the session not.
const fn is_passing(error: &ClientError) -> bool {
    matches!(error, ClientError::ConnectionLoss(_) | ClientError::NotConnected)
}

/// Repeats a read until a connection survives it.
async fn persist<T, F>(mut read: impl FnMut() -> F) -> Result<T, ClientError>
where
    F: Future<Output = Result<T, ClientError>>,
{
    loop {
        match read().await {
            Err(error) if is_passing(&error) => tokio::task::yield_now().await,
            result => return result,
        }
    }
}

/// The children's names, as new as any write that was sent before on this session. A plain read
/// might be served by another server than the one that still passes such a write on.
async fn latest_children(client: &Client, path: &str) -> Result<Vec<String>, ClientError> {
    persist(|| async {
        client.sync(path).await?;
        client.children(path).await
    })
    .await
}
