//! Compiler output, committed so that a build needs no generator; a test regenerates and compares.

pub mod client;
pub mod disk;
pub mod quorum;
pub mod txn;
