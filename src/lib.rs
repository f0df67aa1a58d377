//! Zabra: a coordination server that speaks Apache ZooKeeper's protocols.
//!
//! | layer | modules | may use |
//! |---|---|---|
//! | 1 | [`types`], [`proto`] | jute |
//! | 2 | [`tree`] | jute's transaction records, `types` |
//! | 3 | [`store`] | jute, `types` |

pub mod proto;
pub mod store;
pub mod tree;
pub mod types;
