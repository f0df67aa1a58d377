//! Zabra: a coordination server that speaks Apache ZooKeeper's protocols.
//!
//! | layer | modules | may use |
//! |---|---|---|
//! | 1 | [`types`], [`proto`] | jute |
//! | 2 | [`tree`] | jute's transaction records, `types` |

#[cfg(feature = "client")]
pub mod client;
pub mod proto;
pub mod tree;
pub mod types;
