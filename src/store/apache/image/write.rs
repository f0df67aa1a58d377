//! Writing an image from a view of the store.
//!
//! Records pass without being decoded: an image and the store keep data and stat alike.

use super::super::super::{StoreError, View};
use super::{END, OPEN_ACL, SIGNATURE};
use crate::types::{Acl, Map, SessionId};
use bytes::{BufMut, Bytes, BytesMut};
use jute::{Decode, Encode};

/// Bytes of an image that are handed on at once.
const PIECE_BYTES: usize = 256 << 10;
/// A record's stat: six longs and three ints.
const STAT_BYTES: usize = 60;
/// The encoding of a null.
const NULL: &[u8] = &[0xff; 4];

/// Takes pieces of an image.
type Sink<'a> = dyn FnMut(Bytes) -> Result<(), StoreError> + 'a;

/// Writes the image of a stored tree in pieces of at most 256 KiB, which `sink` takes in order; its
/// error ends the writing.
///
/// # Errors
/// `Refused` if nothing was ever stored, `Corrupt` for damaged records, or what the sink says.
pub fn write_image(
    view: &dyn View,
    sink: &mut dyn FnMut(Bytes) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    write(view, sink, &[END, SIGNATURE])
}

/// Writes an image without the signature behind it, as it stands in a file.
pub(in super::super) fn write_tree(
    view: &dyn View,
    sink: &mut dyn FnMut(Bytes) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    write(view, sink, &[END])
}

/// Writes an image that ends with some texts.
fn write(view: &dyn View, sink: &mut Sink<'_>, end: &[&str]) -> Result<(), StoreError> {
    if view.mark().is_none() {
        return Err(StoreError::Refused("there is no tree yet".to_owned()));
    }
    let mut out = Pieces { piece: BytesMut::new(), sink };
    write_sessions(view, &mut out)?;
    let lists = Lists::collect(view)?;
    lists.write(&mut out)?;
    view.znodes(&mut |path, record| {
        let record = RawZnode::split(path, record)?;
        let path = if path == "/" { "" } else { path };
        out.blob(path.as_bytes())?;
        match record.data {
            Some(data) => out.blob(data)?,
            None => out.put(NULL)?,
        }
        out.put(&lists.id(path, record.acl)?.to_be_bytes())?;
        out.put(record.stat)
    })?;
    for text in end {
        out.blob(text.as_bytes())?;
    }
    out.flush()
}

fn write_sessions(view: &dyn View, out: &mut Pieces<'_, '_>) -> Result<(), StoreError> {
    let mut count = 0;
    view.sessions(&mut |_, _| {
        count += 1;
        Ok(())
    })?;
    out.count(count)?;
    view.sessions(&mut |SessionId(id), timeout_ms| {
        out.put(&id.to_be_bytes())?;
        out.put(&timeout_ms.to_be_bytes())
    })
}

/// A stored record in its parts, as they are encoded.
struct RawZnode<'a> {
    data: Option<&'a [u8]>,
    acl: &'a [u8],
    stat: &'a [u8],
}

impl<'a> RawZnode<'a> {
    fn split(path: &str, record: &'a [u8]) -> Result<Self, StoreError> {
        Self::split_bytes(record).ok_or_else(|| damaged(path, "it is too short"))
    }

    fn split_bytes(record: &'a [u8]) -> Option<Self> {
        let (length, rest) = record.split_first_chunk()?;
        let (data, rest) = match i32::from_be_bytes(*length) {
            -1 => (None, rest),
            length => {
                let (data, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
                (Some(data), rest)
            }
        };
        let (acl, stat) = rest.split_at_checked(rest.len().checked_sub(STAT_BYTES)?)?;
        Some(Self { data, acl, stat })
    }
}

fn damaged(path: &str, reason: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt {
        place: "the stored tree".to_owned(),
        what: format!("znode {path}"),
        reason: reason.to_string(),
    }
}

/// The different lists of a tree, by their encoding.
struct Lists {
    ids: Map<Bytes, i64>,
    /// In the order of the ids, which count from 1.
    lists: Vec<Bytes>,
}

impl Lists {
    fn collect(view: &dyn View) -> Result<Self, StoreError> {
        let mut found = Self { ids: Map::default(), lists: Vec::new() };
        view.znodes(&mut |path, record| {
            let acl = RawZnode::split(path, record)?.acl;
            if acl == NULL || found.ids.contains_key(acl) {
                return Ok(());
            }
            let acl = Bytes::copy_from_slice(acl);
            Vec::<Acl>::from_bytes(acl.clone()).map_err(|error| damaged(path, error))?;
            found.lists.push(acl.clone());
            found.ids.insert(acl, i64::try_from(found.lists.len()).unwrap_or(i64::MAX));
            Ok(())
        })?;
        Ok(found)
    }

    fn write(&self, out: &mut Pieces<'_, '_>) -> Result<(), StoreError> {
        out.count(self.lists.len())?;
        for (acl, id) in self.lists.iter().zip(1_i64..) {
            out.put(&id.to_be_bytes())?;
            out.put(acl)?;
        }
        Ok(())
    }

    fn id(&self, path: &str, acl: &[u8]) -> Result<i64, StoreError> {
        if acl == NULL {
            return Ok(OPEN_ACL);
        }
        let missing = || damaged(path, "its access control list was another one just now");
        self.ids.get(acl).copied().ok_or_else(missing)
    }
}

/// Cuts what is written into pieces.
struct Pieces<'s, 'a> {
    piece: BytesMut,
    sink: &'s mut Sink<'a>,
}

impl Pieces<'_, '_> {
    fn put(&mut self, mut bytes: &[u8]) -> Result<(), StoreError> {
        while !bytes.is_empty() {
            if self.piece.capacity() == 0 {
                self.piece.reserve(PIECE_BYTES);
            }
            let room = PIECE_BYTES - self.piece.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.piece.put_slice(now);
            bytes = later;
            if self.piece.len() == PIECE_BYTES {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn blob(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.count(bytes.len())?;
        self.put(bytes)
    }

    fn count(&mut self, count: usize) -> Result<(), StoreError> {
        let refuse = |_| StoreError::Refused(format!("an image cannot hold {count} of a kind"));
        let count = i32::try_from(count).map_err(refuse)?;
        self.put(&count.to_bytes())
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        if self.piece.is_empty() {
            return Ok(());
        }
        (self.sink)(std::mem::take(&mut self.piece).freeze())
    }
}
