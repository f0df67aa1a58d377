//! What an operator sees: of a running server by four-letter words, by commands over HTTP and by
//! metrics; of its files by `inspect`.
//!
//! Each part makes text of plain data, and gathers that data from the server's shared handles. It
//! copies under the locks and formats after them. Knows nothing of sockets and frames.

mod clients;
mod dump;
mod environment;
mod figures;
mod four_letter;
mod http;
mod idle;
pub mod inspect;
mod json;
mod own;
mod process;
mod quotas;
mod registry;
mod settings;
mod status;
mod text;
mod version;
mod watches;

pub(crate) use four_letter::FirstBytes;
pub(crate) use http::start;

/// The texts of Apache ZooKeeper 3.9.5 that the formats are held against.
#[cfg(test)]
mod recorded;
