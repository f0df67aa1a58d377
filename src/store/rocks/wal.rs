//! A look at the write-ahead log before RocksDB reads it.
//!
//! RocksDB takes a record that does not check out for the end of the log. With recycled files it
//! has to: what follows the end is what the file held before. But then a damaged record in the
//! middle would silently take with it everything after it. Every batch was synced before the next
//! one was written, so a batch of this log behind a broken one is proof of damage.
//!
//! Knows RocksDB's file format: blocks of 32 KiB; in them records with a header of masked CRC-32C
//! (4 bytes, little-endian), length (2), type (1) and, since files are recycled, the low half of
//! the file's number (4); the checksum covers everything from the type on.

use super::super::StoreError;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

const BLOCK: usize = 32 << 10;
const HEADER: usize = 11;
/// Types of records that begin a batch: whole ones and first parts.
const FULL: u8 = 5;
const FIRST: u8 = 6;

/// Checks every file of the write-ahead log in a database's directory.
///
/// # Errors
/// `Corrupt` if a batch comes after a broken one.
pub(super) fn verify(dir: &Path) -> Result<(), StoreError> {
    let io = |error: std::io::Error| StoreError::Io {
        place: dir.display().to_string(),
        reason: format!("cannot read the write-ahead log: {error}"),
    };
    let files = match std::fs::read_dir(dir) {
        Ok(files) => files,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io(error)),
    };
    for file in files {
        let path = file.map_err(io)?.path();
        let number = path.extension().filter(|kind| *kind == "log").and(path.file_stem());
        let number = number.and_then(|stem| stem.to_str()?.parse::<u64>().ok());
        if let Some(number) = number {
            verify_file(&path, number).map_err(io)?.map_or(Ok(()), |broken| {
                let place = path.display().to_string();
                let what = format!("the record at byte {broken}");
                let reason = "its checksum does not match, and it is not the last one".to_owned();
                Err(StoreError::Corrupt { place, what, reason })
            })?;
        }
    }
    Ok(())
}

/// Where the file is broken although it goes on.
fn verify_file(path: &Path, number: u64) -> std::io::Result<Option<u64>> {
    let mut file = File::open(path)?;
    let mut check = Check { number: number.to_le_bytes(), block_at: 0, broken: None };
    let mut block = Vec::with_capacity(BLOCK);
    loop {
        block.clear();
        let read = file.by_ref().take(BLOCK as u64).read_to_end(&mut block)?;
        if read == 0 {
            return Ok(None);
        }
        if check.goes_on(&block) {
            return Ok(check.broken);
        }
        check.block_at += read as u64;
    }
}

struct Check {
    /// The file's number, little-endian; records carry its first half.
    number: [u8; 8],
    block_at: u64,
    /// Where the first record is that does not check out.
    broken: Option<u64>,
}

impl Check {
    /// Whether a batch of this log begins in the block, after a record that is broken.
    fn goes_on(&mut self, block: &[u8]) -> bool {
        let mut at = 0;
        while let Some((header, rest)) = block[at..].split_first_chunk::<HEADER>() {
            let length = usize::from(u16::from_le_bytes([header[4], header[5]]));
            let ours = header[7..] == self.number[..4];
            let body = rest.get(..length).filter(|_| ours);
            if body.is_some_and(|body| is_checksum_right(header, body)) {
                if self.broken.is_some() && matches!(header[6], FULL | FIRST) {
                    return true;
                }
                at += HEADER + length;
                continue;
            }
            let broken = *self.broken.get_or_insert(self.block_at + at as u64);
            // Where it breaks, the next record may begin at any byte. Later blocks begin with one.
            if broken < self.block_at {
                return false;
            }
            at += 1;
        }
        false
    }
}

fn is_checksum_right(header: &[u8; HEADER], body: &[u8]) -> bool {
    let stored = u32::from_le_bytes([header[0], header[1], header[2], header[3]]);
    let plain = crc32c::crc32c_append(crc32c::crc32c(&header[6..]), body);
    plain.rotate_right(15).wrapping_add(0xa282_ead8) == stored
}
