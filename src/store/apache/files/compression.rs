//! How a snapshot is compressed: the end of its name says so (ZK: `SnapStream`).

use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{BufReader, Error, ErrorKind, Read, Result};
use std::path::Path;

/// Bytes of a file that are read at once.
const READ_BYTES: usize = 256 << 10;
/// What a file in Snappy's form begins with, as its Java library writes it: behind that come two
/// ints, the version and the oldest version that can read it.
const SNAPPY_MAGIC: [u8; 8] = *b"\x82SNAPPY\0";
const SNAPPY_VERSION: u32 = 1;
/// Bytes of a block at most, compressed or not. ZooKeeper's have 32 KiB.
const LONGEST_BLOCK: usize = 1 << 20;

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// As a gzip file.
    Gzip,
    /// In blocks, as Java's `SnappyOutputStream` does.
    Snappy,
}

impl Compression {
    /// Cuts off the end of a name that says it.
    pub(super) fn of(name: &str) -> (&str, Self) {
        let ends = [(".gz", Self::Gzip), (".snappy", Self::Snappy)];
        let found = ends.iter().find_map(|(end, kind)| Some((name.strip_suffix(end)?, *kind)));
        found.unwrap_or((name, Self::None))
    }

    /// Opens a file, and reads what was compressed.
    ///
    /// # Errors
    /// The file cannot be read; what is damaged is found when it is read.
    pub fn open(self, path: &Path) -> Result<Box<dyn Read>> {
        let file = BufReader::with_capacity(READ_BYTES, File::open(path)?);
        Ok(match self {
            Self::None => Box::new(file),
            Self::Gzip => Box::new(MultiGzDecoder::new(file)),
            Self::Snappy => Box::new(SnappyBlocks::new(file)?),
        })
    }
}

/// Reads blocks: an int, the length of the compressed block, and the block.
pub(super) struct SnappyBlocks<R> {
    input: R,
    compressed: Vec<u8>,
    block: Vec<u8>,
    /// Bytes of the block that were read.
    used: usize,
}

impl<R: Read> SnappyBlocks<R> {
    pub(super) fn new(mut input: R) -> Result<Self> {
        let mut header = [0; 16];
        input.read_exact(&mut header)?;
        let oldest = u32::from_be_bytes([header[12], header[13], header[14], header[15]]);
        if header[..8] != SNAPPY_MAGIC || oldest > SNAPPY_VERSION {
            return Err(damaged("it does not begin as a file in Snappy's form does"));
        }
        Ok(Self { input, compressed: Vec::new(), block: Vec::new(), used: 0 })
    }

    /// Reads the next block; false at the end of the file.
    fn next(&mut self) -> Result<bool> {
        let mut length = [0; 4];
        let has = self.input.by_ref().take(4).read(&mut length)?;
        if has == 0 {
            return Ok(false);
        }
        self.input.read_exact(&mut length[has..])?;
        let length = u32::from_be_bytes(length) as usize;
        if length > LONGEST_BLOCK {
            return Err(damaged("a block is too long"));
        }
        self.compressed.resize(length, 0);
        self.input.read_exact(&mut self.compressed)?;
        let size = snap::raw::decompress_len(&self.compressed).map_err(Error::other)?;
        if size > LONGEST_BLOCK {
            return Err(damaged("a block is too long"));
        }
        self.block.resize(size, 0);
        let mut decoder = snap::raw::Decoder::new();
        decoder.decompress(&self.compressed, &mut self.block).map_err(Error::other)?;
        self.used = 0;
        Ok(true)
    }
}

impl<R: Read> Read for SnappyBlocks<R> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        while self.used == self.block.len() {
            if !self.next()? {
                return Ok(0);
            }
        }
        let left = &self.block[self.used..];
        let count = left.len().min(out.len());
        out[..count].copy_from_slice(&left[..count]);
        self.used += count;
        Ok(count)
    }
}

fn damaged(reason: &str) -> Error {
    Error::new(ErrorKind::InvalidData, reason.to_owned())
}
