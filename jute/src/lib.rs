//! jute, ZooKeeper's serialisation: what a record looks like in bytes.
//!
//! | type | bytes |
//! |---|---|
//! | `boolean` | one byte; readers take any non-zero one as true |
//! | `byte` | one byte, two's complement |
//! | `int`, `long` | 4 or 8 bytes, big-endian, two's complement |
//! | `ustring`, `buffer` | `int` length, then the bytes; length -1 is null |
//! | `vector<T>` | `int` count, then the elements; count -1 is null |
//! | record | its fields in order, nothing around or between them |
//!
//! The records themselves are described in `schema/*.jute` and compiled to [`generated`] by the
//! `jutec` program. Its compiler is this crate's module `compiler`, behind the feature of that
//! name.
//! This crate knows nothing of servers, sockets or files.

mod codec;
#[cfg(feature = "compiler")]
pub mod compiler;
mod decoder;
mod error;
pub mod generated;

pub use codec::{Decode, Encode, Nullable, put_blob};
pub use decoder::{Decoder, Limits};
pub use error::DecodeError;
pub use generated::{client, disk, quorum, txn};
