//! Apache ZooKeeper's own formats of a tree, as far as servers meet them.
//!
//! Knows nothing of files and sockets: bytes come in and go out.

mod image;

pub use image::{ImageDecoder, ImageError, ImageItem, write_image};
