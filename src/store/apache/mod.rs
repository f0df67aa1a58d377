//! Apache ZooKeeper's own formats: a tree on the network and in a snapshot file, and the log.
//!
//! Knows nothing of sockets: bytes come in and go out. Only `files` knows that there are files.

#[cfg(feature = "server")]
mod files;
mod image;
mod log;
mod snapshot;
mod sum;

#[cfg(feature = "server")]
pub use files::{
    ApacheError, ApacheFiles, Compression, EpochFiles, LogCursor, LogFile, SnapshotFile,
};
pub use image::{ImageDecoder, ImageError, ImageItem, write_image};
pub use log::{LogEnd, LogError, LogReader, LogRecord, put_log_header, put_log_record};
pub use snapshot::{
    SnapshotFileError, SnapshotReader, Trailer, ZxidDigest, last_zxid, write_snapshot,
};
