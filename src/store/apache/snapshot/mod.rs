//! A snapshot file of Apache ZooKeeper, after it was uncompressed (ZK: `FileSnap`, `SnapStream`).
//!
//! ```text
//! FileHeader        "ZKSN", 2, -1
//! image             see `image`
//! seal
//! long zxid; int digest version, 2; long digest of the tree at that zxid; seal     from 3.6 on
//! long zxid that was applied last; seal                                            from 3.9 on
//! ```
//! A seal is a long, the Adler-32 of everything before it, and the ustring "/". The two last
//! sections may be missing. Nothing says which one is there but the size of what is left.
//!
//! ZooKeeper writes it while transactions are applied. So it may hold parts of those behind the
//! zxid in its name, up to the one that the digest belongs to: only when they have been applied
//! again the tree is one that there was.

#[cfg(test)]
mod tests;

use super::image::{ImageDecoder, ImageError, ImageItem, write_tree};
use super::log::read_chunk;
use super::sum::Sum;
use crate::store::{StoreError, View};
use crate::types::Zxid;
use bytes::{BufMut, Bytes, BytesMut};
use jute::disk::FileHeader;
use jute::{Decode, DecodeError, Decoder, Encode};
use std::io::Read;
use thiserror::Error;

/// `ZKSN`.
const MAGIC: i32 = 0x5a4b_534e;
const VERSION: i32 = 2;
const HEADER_BYTES: usize = 16;
/// What is behind the first seal is small: more is no snapshot.
const LONGEST_TRAILER: usize = 4 << 10;
/// The section with the last zxid, and its seal.
const LAST_ZXID_BYTES: usize = 8 + SEAL_BYTES;
const SEAL_BYTES: usize = 8 + 4 + 1;
/// The text in a seal.
const SEAL: &str = "/";
/// The version of digests that are comparable with this program's.
const DIGEST_VERSION: i32 = 2;

/// Why a file is not a snapshot that can be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SnapshotFileError {
    /// The header is not that of a snapshot.
    #[error("it does not begin as a snapshot does")]
    NoSnapshot,
    /// The image in it.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The file ends too early.
    #[error("it is not complete: it ends after {0} bytes")]
    Incomplete(u64),
    /// A checksum does not match.
    #[error("its checksum does not match")]
    Checksum,
    /// What is behind the image is not what should be there.
    #[error("what is behind the image is damaged: {0}")]
    Trailer(#[from] DecodeError),
    /// There is something behind its end.
    #[error("there is more behind its end")]
    Longer,
    /// It has no section with the last zxid.
    #[error(
        "it does not say up to which transaction it goes, as snapshots do that Zabra writes, or \
         ZooKeeper 3.9 with serializeLastProcessedZxid.enabled"
    )]
    NoZxid,
    /// The file cannot be read.
    #[error("it cannot be read: {0}")]
    Io(String),
}

impl From<std::io::Error> for SnapshotFileError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error.to_string())
    }
}

/// The digest of a tree as of some transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZxidDigest {
    /// The transaction; zero if none was applied since the server was started.
    pub zxid: Zxid,
    /// The digest; `None` if it is of a version that cannot be compared.
    pub digest: Option<i64>,
}

/// Reads a snapshot. It keeps nothing but the access control lists.
#[derive(Debug)]
pub struct SnapshotReader<R> {
    input: R,
    ahead: BytesMut,
    read: u64,
    decoder: ImageDecoder,
    digest: Option<ZxidDigest>,
    last: Option<Zxid>,
}

impl<R: Read> SnapshotReader<R> {
    /// Begins to read the snapshot as of `zxid`, as its name says, in which no path, data or access
    /// control list may have more than `longest` bytes.
    ///
    /// # Errors
    /// `NoSnapshot` or `Io`.
    pub fn new(mut input: R, zxid: Zxid, longest: usize) -> Result<Self, SnapshotFileError> {
        let mut ahead = BytesMut::new();
        while ahead.len() < HEADER_BYTES {
            if !read_chunk(&mut input, &mut ahead)? {
                return Err(SnapshotFileError::NoSnapshot);
            }
        }
        let read = ahead.len() as u64;
        let header = ahead.split_to(HEADER_BYTES).freeze();
        let mut sum = Sum::default();
        sum.write(&header);
        let magic = FileHeader::from_bytes(header)?.magic;
        if magic != MAGIC {
            return Err(SnapshotFileError::NoSnapshot);
        }
        let decoder = ImageDecoder::in_file(zxid, longest, sum);
        Ok(Self { input, ahead, read, decoder, digest: None, last: None })
    }

    /// The next part; [`ImageItem::End`] once everything was read and every checksum matched.
    ///
    /// # Errors
    /// The snapshot cannot be used, and nothing of it may be.
    pub fn read_next(&mut self) -> Result<ImageItem, SnapshotFileError> {
        loop {
            match self.decoder.next(&mut self.ahead)? {
                Some(ImageItem::End) => break,
                Some(item) => return Ok(item),
                None if self.read_on()? => {}
                None => return Err(SnapshotFileError::Incomplete(self.read)),
            }
        }
        while self.ahead.len() <= LONGEST_TRAILER && self.read_on()? {}
        if self.ahead.len() > LONGEST_TRAILER {
            return Err(SnapshotFileError::Longer);
        }
        let trailer = self.ahead.split().freeze();
        if trailer.is_empty() {
            return Err(SnapshotFileError::Incomplete(self.read));
        }
        let sum = self.decoder.sum().unwrap_or_default();
        (self.digest, self.last) = read_trailer(trailer, sum)?;
        Ok(ImageItem::End)
    }

    fn read_on(&mut self) -> Result<bool, SnapshotFileError> {
        let before = self.ahead.len();
        let more = read_chunk(&mut self.input, &mut self.ahead)?;
        self.read += (self.ahead.len() - before) as u64;
        Ok(more)
    }

    /// What the snapshot says about the tree once the transactions that ran meanwhile are applied,
    /// if it says so. Known after the end.
    pub fn digest(&self) -> Option<ZxidDigest> {
        self.digest
    }

    /// The transaction that was applied last, if the snapshot says so. Known after the end.
    pub fn last_zxid(&self) -> Option<Zxid> {
        self.last
    }

    /// How many znodes wait for a transaction that brings their access control list.
    pub fn awaited_acls(&self) -> usize {
        self.decoder.awaited_acls()
    }
}

/// Reads a snapshot to its end and checks it, for the transaction up to which it goes.
///
/// # Errors
/// It is damaged, or does not say so (`NoZxid`).
pub fn last_zxid<R: Read>(input: R, longest: usize) -> Result<Zxid, SnapshotFileError> {
    let mut reader = SnapshotReader::new(input, Zxid::ZERO, longest)?;
    while reader.read_next()? != ImageItem::End {}
    reader.last_zxid().ok_or(SnapshotFileError::NoZxid)
}

/// Digest and last zxid.
type Told = (Option<ZxidDigest>, Option<Zxid>);

/// Checks what is behind the image, of whose bytes `sum` is.
fn read_trailer(trailer: Bytes, mut sum: Sum) -> Result<Told, SnapshotFileError> {
    let mut rest = Decoder::new(trailer);
    check_seal(&mut rest, &mut sum)?;
    let (mut digest, mut last) = (None, None);
    if !matches!(rest.remaining(), 0 | LAST_ZXID_BYTES) {
        let before = rest.rest().clone();
        let (zxid, version) = (Zxid(rest.long()?), rest.int()?);
        let found = if version < DIGEST_VERSION {
            rest.string()?;
            None
        } else {
            Some(rest.long()?).filter(|_| version == DIGEST_VERSION)
        };
        sum.write(&before[..before.len() - rest.remaining()]);
        check_seal(&mut rest, &mut sum)?;
        digest = Some(ZxidDigest { zxid, digest: found });
    }
    if rest.remaining() > 0 {
        let zxid = rest.long()?;
        sum.write(&zxid.to_be_bytes());
        check_seal(&mut rest, &mut sum)?;
        last = Some(Zxid(zxid));
    }
    if rest.remaining() > 0 {
        return Err(SnapshotFileError::Longer);
    }
    Ok((digest, last))
}

fn check_seal(rest: &mut Decoder, sum: &mut Sum) -> Result<(), SnapshotFileError> {
    let before = rest.rest().clone();
    let expected = sum.value();
    let found = rest.long()?;
    rest.blob()?;
    if found != expected {
        return Err(SnapshotFileError::Checksum);
    }
    sum.write(&before[..before.len() - rest.remaining()]);
    Ok(())
}

/// What a snapshot says behind its tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trailer {
    /// Nothing, for 3.9 with `digest.enabled=false`, which takes a digest for something else.
    None,
    /// The tree's digest. Every other ZooKeeper from 3.5 on reads it.
    Digest,
    /// The digest and the last zxid, which the command `restore` of 3.9 needs.
    DigestAndZxid,
}

/// Writes a stored tree as a snapshot, in pieces of at most 256 KiB, which `sink` takes in order.
///
/// # Errors
/// `Refused` if nothing was ever stored, `Corrupt` for damaged records, or what the sink says.
pub fn write_snapshot(
    view: &dyn View,
    trailer: Trailer,
    sink: &mut dyn FnMut(Bytes) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut sum = Sum::default();
    let mut put = |piece: Bytes, sum: &mut Sum| {
        sum.write(&piece);
        sink(piece)
    };
    let header = FileHeader { magic: MAGIC, version: VERSION, db_id: -1 };
    put(header.to_bytes(), &mut sum)?;
    write_tree(view, &mut |piece| put(piece, &mut sum))?;
    put(seal(&sum), &mut sum)?;
    if trailer == Trailer::None {
        return Ok(());
    }
    // A tree that was stored without digests says zero, and zxid zero says that there is none.
    let mark = view.mark().filter(|mark| mark.digest != 0);
    let mut section = BytesMut::new();
    section.put_i64(mark.map_or(0, |mark| mark.applied));
    section.put_i32(DIGEST_VERSION);
    section.put_i64(mark.map_or(0, |mark| mark.digest));
    put(section.freeze(), &mut sum)?;
    put(seal(&sum), &mut sum)?;
    if trailer == Trailer::DigestAndZxid {
        let last = view.mark().map_or(0, |mark| mark.applied);
        put(last.to_bytes(), &mut sum)?;
        put(seal(&sum), &mut sum)?;
    }
    Ok(())
}

fn seal(sum: &Sum) -> Bytes {
    let mut seal = BytesMut::new();
    seal.put_i64(sum.value());
    SEAL.encode(&mut seal);
    seal.freeze()
}
