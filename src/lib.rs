//! Zabra: a coordination server that speaks Apache ZooKeeper's protocols.
//!
//! | layer | module | may use | must never know |
//! |---|---|---|---|
//! | 1 | [`types`] | `jute::client` | frames, the tree |
//! | 1 | [`proto`] | `jute::client`, `types` | the tree, `zab`, sockets |
//! | 2 | [`tree`] | `jute::disk`, `jute::txn`, `types` | requests, sessions, watches, clocks |
//! | 2 | [`session`] | `types` | connections, clocks |
//! | 2 | [`watch`] | `proto`, `types` | the tree, sockets |
//! | 2 | [`auth`] | `jute::client`, `types` | the tree, connections |
//! | 2 | [`zab`] | `jute::quorum`, `types` | what it broadcasts: the tree, sessions, the store |
//! | 3 | [`prep`] | `jute::client`, `jute::disk`, `jute::txn`, `auth`, `proto`, `session`, `tree`, `types` | `zab`, `watch` |
//! | 3 | [`store`] | `jute::disk`, `types` | what a transaction does; `zab`, clients |
//! | 4 | [`replica`] | `jute::client`, `jute::disk`, `jute::quorum`, `auth`, `prep`, `proto`, `session`, `tree`, `types`, `watch`, `zab` | the store, sockets, clocks, threads |
//! | 5 | [`server`] | `jute::client`, `jute::disk`, `jute::quorum`, `admin`, `auth`, `config`, `prep`, `proto`, `replica`, `session`, `store`, `tree`, `types`, `watch`, `zab` | how transactions are made and decided |
//! | 5 | [`admin`] | `jute::disk`, `jute::txn`, `config`, `proto`, `server`, `session`, `store`, `tree`, `types`, `watch` | how transactions are made and decided, sockets of clients |
//! | 5 | [`client`] | `jute::client`, `proto`, `types` | every module of the server |
//! | – | [`config`] | std | every other module |
//! | 6 | [`cli`] | `jute::client`, `admin`, `client`, `config`, `proto`, `server`, `types` | `replica`, `tree`, `zab` |
//!
//! `tests/layering.rs` holds the code to this table. Layers 1 to 4 and the trait of `store` are the
//! core: without default features it compiles alone, and it has no clock, file, socket, thread or
//! random source. `clippy.toml` in `.clippy-core` forbids what the compiler would let pass.
//!
//! A write: `server` reads frames and hands them to `replica`; `prep` makes a transaction of each
//! against the tree and what was proposed before; `zab` gives it its place; `store` makes it
//! durable; then `replica` applies it to the tree, fires the watches and sends the reply. A read of
//! a session with no write under way is answered by its connection, from the tree under a lock.

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
