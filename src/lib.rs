//! Zabra: a coordination server that speaks Apache ZooKeeper's protocols.
//!
//! | layer | modules | may use |
//! |---|---|---|
//! | 1 | [`types`], [`proto`] | jute |
//! | 2 | [`tree`] | jute's transaction records, `types` |
//! | 2 | [`session`] | `types` |
//! | 2 | [`watch`] | `types`, the event and watcher types of `proto` |
//! | 2 | [`auth`] | jute's ACL records, `types` |
//! | 3 | [`prep`] | layers 1 and 2 except `watch` |
//! | 2 | [`zab`] | `types` |
//! | 4 | [`replica`] | layers 1 to 3 |
//! | 3 | [`store`] | jute, `types` |
//! | – | `config` | std alone |

#[cfg(feature = "server")]
pub mod admin;
pub mod auth;
#[cfg(feature = "client")]
pub mod cli;
#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "config")]
pub mod config;
pub mod prep;
pub mod proto;
pub mod replica;
#[cfg(feature = "server")]
pub mod server;
pub mod session;
pub mod store;
pub mod tree;
pub mod types;
pub mod watch;
pub mod zab;
