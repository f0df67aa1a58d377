//! Reading an image as its bytes arrive.

use super::super::sum::Sum;
use super::{END, OPEN_ACL, SIGNATURE};
use crate::types::{Acl, Map, SessionId, Zxid, perms};
use bytes::{Bytes, BytesMut};
use jute::disk::{StatPersisted, ZnodeRecord};
use jute::{Decode, DecodeError, Decoder, Limits};
use thiserror::Error;

/// A permission with a scheme and an id takes so much at least.
const ACL_BYTES: usize = 12;
/// What is behind a znode's data.
const LIST_ID_AND_STAT_BYTES: usize = 8 + 60;

/// A part of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageItem {
    /// A session with its timeout in milliseconds.
    Session(SessionId, i32),
    /// A znode with its path; the root's is empty.
    Znode(String, ZnodeRecord),
    /// The image is complete.
    End,
}

/// Why bytes are not an image that can be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ImageError {
    /// A part is not what it should be.
    #[error("the image is damaged: {what}, after {number} good ones: {error}")]
    Malformed {
        /// What it should be.
        what: &'static str,
        /// How many of its kind came before.
        number: usize,
        /// What is wrong.
        error: DecodeError,
    },
    /// A znode has a list that the image does not have and that no transaction can bring.
    #[error("znode {path} has the access control list {id}, which the image lacks")]
    AclMissing {
        /// The znode.
        path: String,
        /// The list.
        id: i64,
    },
    /// A path is not UTF-8.
    #[error(
        "the path {path} cannot be kept as it is: it is not UTF-8. Delete the znode on the leader"
    )]
    Encoding {
        /// The path, with what is not UTF-8 escaped.
        path: String,
    },
    /// The image does not end as it must.
    #[error("the image ends with {0:?}")]
    Signature(String),
}

/// What comes next in an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    SessionCount,
    /// So many sessions, at least one.
    Sessions(i32),
    AclCount,
    /// So many lists, at least one.
    Acls(i32),
    Znodes,
    Signature,
    Done,
}

impl Stage {
    /// A stage with nothing left in it is over.
    fn settled(self) -> Self {
        match self {
            Self::Sessions(0) => Self::AclCount,
            Self::Acls(0) => Self::Znodes,
            other => other,
        }
    }

    /// What is read in it.
    fn what(self) -> &'static str {
        match self {
            Self::SessionCount => "the count of sessions",
            Self::Sessions(_) => "session",
            Self::AclCount => "the count of access control lists",
            Self::Acls(_) => "access control list",
            Self::Znodes => "znode",
            Self::Signature | Self::Done => "signature",
        }
    }
}

/// Reads an image. It keeps nothing but the access control lists.
#[derive(Debug)]
pub struct ImageDecoder {
    zxid: Zxid,
    longest: usize,
    stage: Stage,
    /// Parts read of the kind that is being read.
    number: usize,
    acls: Map<i64, Vec<Acl>>,
    awaited: usize,
    /// In a file, where no signature ends the image: what its bytes amount to so far.
    sum: Option<Sum>,
}

impl ImageDecoder {
    /// Begins to read an image of the tree as of `zxid`, in which no path, data or access control
    /// list may have more than `longest` bytes.
    #[must_use]
    pub fn new(zxid: Zxid, longest: usize) -> Self {
        let (stage, acls) = (Stage::SessionCount, Map::default());
        Self { zxid, longest, stage, number: 0, acls, awaited: 0, sum: None }
    }

    /// As [`new`](Self::new), for the image in a file, which no signature ends. `sum` is of what
    /// comes before it there.
    pub(in super::super) fn in_file(zxid: Zxid, longest: usize, sum: Sum) -> Self {
        Self { sum: Some(sum), ..Self::new(zxid, longest) }
    }

    /// In a file: the checksum of everything that was read.
    pub(in super::super) fn sum(&self) -> Option<Sum> {
        self.sum.clone()
    }

    /// How many znodes so far wait for a transaction that brings their access control list.
    #[must_use]
    pub fn awaited_acls(&self) -> usize {
        self.awaited
    }

    /// Reads the next part off the front of `input`; `None` if not all of it has arrived. What is
    /// behind the image stays in `input`.
    ///
    /// # Errors
    /// The image cannot be used.
    pub fn next(&mut self, input: &mut BytesMut) -> Result<Option<ImageItem>, ImageError> {
        loop {
            let Some(part) = self.cut(input)? else { return Ok(None) };
            if let Some(item) = self.read(part)? {
                return Ok(Some(item));
            }
        }
    }

    /// Cuts the next part off, if it is whole.
    fn cut(&mut self, input: &mut BytesMut) -> Result<Option<Bytes>, ImageError> {
        let mut part = Peek { input, at: 0, longest: self.longest };
        let whole = match self.stage {
            Stage::SessionCount | Stage::AclCount => part.skip(4),
            Stage::Sessions(_) => part.skip(12),
            Stage::Acls(_) => part.acl(),
            Stage::Znodes => part.znode(),
            Stage::Signature => part.blob(),
            Stage::Done => Ok(()),
        };
        let length = part.at;
        match whole {
            Ok(()) => {
                let part = input.split_to(length).freeze();
                if let Some(sum) = &mut self.sum {
                    sum.write(&part);
                }
                Ok(Some(part))
            }
            Err(Stop::More) => Ok(None),
            Err(Stop::Bad(error)) => Err(self.malformed(error)),
        }
    }

    fn read(&mut self, part: Bytes) -> Result<Option<ImageItem>, ImageError> {
        let limits = Limits { blob: self.longest, elements: usize::MAX };
        let mut part = Decoder::with_limits(part, limits);
        let read = match self.stage {
            Stage::SessionCount => part.int().map(|count| (Stage::Sessions(count), None)),
            Stage::Sessions(left) => session(&mut part).map(|(id, timeout_ms)| {
                (Stage::Sessions(left - 1), Some(ImageItem::Session(id, timeout_ms)))
            }),
            Stage::AclCount => part.int().map(|count| (Stage::Acls(count), None)),
            Stage::Acls(left) => acl(&mut part).map(|(id, acl)| {
                self.acls.insert(id, acl);
                (Stage::Acls(left - 1), None)
            }),
            Stage::Znodes => return self.znode(part),
            Stage::Signature => return self.signature(&part),
            Stage::Done => Ok((Stage::Done, Some(ImageItem::End))),
        };
        let (next, item) = read.map_err(|error| self.malformed(error))?;
        if let Stage::Sessions(count) | Stage::Acls(count) = next
            && count < 0
        {
            return Err(self.malformed(DecodeError::NegativeLength(count)));
        }
        self.go_on(next);
        Ok(item)
    }

    fn go_on(&mut self, next: Stage) {
        let next = next.settled();
        let same_kind = std::mem::discriminant(&next) == std::mem::discriminant(&self.stage);
        self.number = if same_kind { self.number + 1 } else { 0 };
        self.stage = next;
    }

    fn znode(&mut self, mut part: Decoder) -> Result<Option<ImageItem>, ImageError> {
        let path = part.blob().map_err(|error| self.malformed(error))?;
        let path = path.ok_or_else(|| self.malformed(DecodeError::UnexpectedNull))?;
        if path == END {
            let is_file = self.sum.is_some();
            self.go_on(if is_file { Stage::Done } else { Stage::Signature });
            return Ok(None);
        }
        let escaped = |_| ImageError::Encoding { path: path.escape_ascii().to_string() };
        let path = str::from_utf8(&path).map_err(escaped)?.to_owned();
        let (data, acl, stat) = znode(&mut part).map_err(|error| self.malformed(error))?;
        let acl = self.acl(&path, acl, &stat)?;
        self.go_on(Stage::Znodes);
        Ok(Some(ImageItem::Znode(path, ZnodeRecord { data, acl, stat })))
    }

    /// The list with an id, as it is stored.
    fn acl(
        &mut self,
        path: &str,
        id: i64,
        stat: &StatPersisted,
    ) -> Result<Option<Vec<Acl>>, ImageError> {
        if id == OPEN_ACL {
            return Ok(None);
        }
        if let Some(acl) = self.acls.get(&id) {
            return Ok(Some(acl.clone()));
        }
        let may_follow = stat.czxid > self.zxid.0 || stat.aversion != 0;
        if !may_follow {
            return Err(ImageError::AclMissing { path: path.to_owned(), id });
        }
        self.awaited += 1;
        Ok(Some(perms::world(0)))
    }

    fn signature(&mut self, part: &Decoder) -> Result<Option<ImageItem>, ImageError> {
        let text = part.clone().string().map_err(|error| self.malformed(error))?;
        let text = text.unwrap_or_default();
        if text != SIGNATURE {
            return Err(ImageError::Signature(text));
        }
        self.go_on(Stage::Done);
        Ok(Some(ImageItem::End))
    }

    fn malformed(&self, error: DecodeError) -> ImageError {
        ImageError::Malformed { what: self.stage.what(), number: self.number, error }
    }
}

fn session(part: &mut Decoder) -> Result<(SessionId, i32), DecodeError> {
    Ok((SessionId(part.long()?), part.int()?))
}

fn acl(part: &mut Decoder) -> Result<(i64, Vec<Acl>), DecodeError> {
    Ok((part.long()?, Vec::decode(part)?))
}

fn znode(part: &mut Decoder) -> Result<(Option<Bytes>, i64, StatPersisted), DecodeError> {
    Ok((part.blob()?, part.long()?, StatPersisted::decode(part)?))
}

/// Why the end of a part cannot be told.
enum Stop {
    /// It has not arrived.
    More,
    /// The part is damaged.
    Bad(DecodeError),
}

/// Looks for the end of a part without taking anything, and bounds what may have to wait for it.
struct Peek<'a> {
    input: &'a [u8],
    at: usize,
    longest: usize,
}

impl Peek<'_> {
    fn skip(&mut self, count: usize) -> Result<(), Stop> {
        if self.input.len() - self.at < count {
            return Err(Stop::More);
        }
        self.at += count;
        Ok(())
    }

    fn int(&mut self) -> Result<i32, Stop> {
        let bytes = self.input[self.at..].first_chunk().ok_or(Stop::More)?;
        self.at += 4;
        Ok(i32::from_be_bytes(*bytes))
    }

    /// A length, of which each unit takes so many bytes at least; nothing for a null.
    fn length(&mut self, unit: usize) -> Result<usize, Stop> {
        let length = match self.int()? {
            -1 => 0,
            length => usize::try_from(length)
                .map_err(|_| Stop::Bad(DecodeError::NegativeLength(length)))?,
        };
        self.bound(length.saturating_mul(unit))?;
        Ok(length)
    }

    fn bound(&self, length: usize) -> Result<(), Stop> {
        let limit = self.longest;
        if length > limit {
            Err(Stop::Bad(DecodeError::TooLarge { length, limit }))
        } else {
            Ok(())
        }
    }

    fn blob(&mut self) -> Result<(), Stop> {
        let length = self.length(1)?;
        self.skip(length)
    }

    /// An access control list with its id.
    fn acl(&mut self) -> Result<(), Stop> {
        self.skip(8)?;
        let start = self.at;
        for _ in 0..self.length(ACL_BYTES)? {
            self.skip(4)?;
            self.blob()?;
            self.blob()?;
            self.bound(self.at - start)?;
        }
        Ok(())
    }

    /// A znode, or the end of them.
    fn znode(&mut self) -> Result<(), Stop> {
        self.blob()?;
        if self.input[..self.at].get(4..) == Some(END.as_bytes()) {
            return Ok(());
        }
        self.blob()?;
        self.skip(LIST_ID_AND_STAT_BYTES)
    }
}
