//! The replicated state machine: a tree of znodes and the transactions that change it.

mod txn;

pub use txn::{Transaction, Txn};
