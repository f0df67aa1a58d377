//! An asynchronous client for servers that speak ZooKeeper's client protocol.
//!
//! ```no_run
//! # async fn example() -> Result<(), zabra::client::ClientError> {
//! use zabra::client::{Client, CreateMode, Options};
//!
//! let client = Client::connect("127.0.0.1:2181/app", Options::default()).await?;
//! let created = client.create("/job-", bytes::Bytes::from("x"), CreateMode::EphemeralSequential);
//! println!("{}", created.await?.path);
//! let (names, changed) = client.children_and_watch("/").await?;
//! println!("{names:?}, then {:?}", changed.await?);
//! client.close().await
//! # }
//! ```
//!
//! | part | is |
//! |---|---|
//! | `handle` | the operations; each is one request that is encoded by the caller |
//! | `queue` | what handles and the actor share: queued requests, the session's state |
//! | `actor` | the one task of a session: connections, replies, events |
//! | `link` | a connection as a stream of frames, with batching, limits and idle timers |
//! | `attempts` | what has been tried since there was a connection |
//! | `watches` | who waits for which events, and how watches are set again |
//! | `recipes` | locks and elections, on top of the operations |
//!
//! The session outlives its connections: when one is lost, the client goes on with the session at
//! the next server, repeats its credentials and sets its watches again. Requests that were queued
//! and not yet handed to the lost connection are sent on the new one. Those that were handed to it
//! and not answered fail with [`ClientError::ConnectionLoss`], as only the caller knows what to do
//! about an unknown outcome.
//!
//! `tests/examples/membership.rs` is a program that uses it: `cargo run --example membership`.
//!
//! Knows the protocol (`proto`, `types`) and nothing of any server module.

mod actor;
mod attempts;
mod connect_string;
mod create;
mod error;
mod handle;
mod link;
mod options;
mod path;
mod queue;
pub mod recipes;
mod servers;
mod transaction;
mod watch;
mod watches;

pub use crate::proto::{AddWatchMode, CreateMode, Event, EventType, MultiResult, WatcherType};
pub use attempts::{Attempt, Attempts};
pub use connect_string::ConnectString;
pub use create::CreateOptions;
pub use error::{ClientError, Loss};
pub use handle::Client;
pub use jute::client::{AclStat, ClientInfo, DataStat, NamesStat, PathStat};
pub use options::{Options, SessionKey};
pub use queue::SessionState;
pub use transaction::{ReadOp, Transaction};
pub use watch::{OneShotWatch, PersistentWatch, StateWatch};
pub use watches::Notice;
