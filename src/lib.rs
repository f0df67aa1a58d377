//! Zabra: a coordination server that speaks Apache ZooKeeper's protocols.
//!
//! | layer | modules | may use |
//! |---|---|---|
//! | 1 | [`types`], [`proto`] | jute |
//! | 2 | [`tree`] | jute's transaction records, `types` |
//! | – | `config` | std alone |

#[cfg(feature = "config")]
pub mod config;
pub mod proto;
pub mod tree;
pub mod types;
