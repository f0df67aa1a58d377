//! Images: written, read, damaged.
