//! A bounded cursor over received bytes. Buffers come out as slices that share the input's memory.

use crate::DecodeError;
use bytes::{Buf, Bytes};

/// How large the parts of a record may be before decoding refuses them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest string or buffer in bytes.
    pub blob: usize,
    /// Most elements of one vector.
    pub elements: usize,
}

impl Default for Limits {
    /// ZooKeeper's default: `jute.maxbuffer` plus as much `extrasize`. A vector cannot have more
    /// elements than its smallest encoding has bytes, so the input bounds it anyway.
    fn default() -> Self {
        Self { blob: 2 * 1_048_575, elements: usize::MAX }
    }
}

/// A cursor over one frame, packet or record.
#[derive(Clone, Debug)]
pub struct Decoder {
    input: Bytes,
    limits: Limits,
}

impl Decoder {
    /// A decoder with the default limits.
    #[must_use]
    pub fn new(input: Bytes) -> Self {
        Self::with_limits(input, Limits::default())
    }

    /// A decoder with limits of the caller's.
    #[must_use]
    pub fn with_limits(input: Bytes, limits: Limits) -> Self {
        Self { input, limits }
    }

    /// How many bytes are left.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.input.len()
    }

    /// The bytes that are left, without consuming them.
    #[must_use]
    pub fn rest(&self) -> &Bytes {
        &self.input
    }

    /// Consumes the decoder and checks that nothing is left.
    ///
    /// # Errors
    /// `TrailingBytes` if something is left.
    pub fn finish(self) -> Result<(), DecodeError> {
        match self.input.len() {
            0 => Ok(()),
            left => Err(DecodeError::TrailingBytes(left)),
        }
    }

    /// Takes `count` bytes without copying them.
    ///
    /// # Errors
    /// `Truncated` if there are fewer.
    pub fn take(&mut self, count: usize) -> Result<Bytes, DecodeError> {
        self.need(count)?;
        Ok(self.input.split_to(count))
    }

    /// Reads one byte.
    ///
    /// # Errors
    /// `Truncated` at the end.
    pub fn byte(&mut self) -> Result<u8, DecodeError> {
        self.need(1)?;
        Ok(self.input.get_u8())
    }

    /// Reads an `int`.
    ///
    /// # Errors
    /// `Truncated` if fewer than 4 bytes are left.
    pub fn int(&mut self) -> Result<i32, DecodeError> {
        self.need(4)?;
        Ok(self.input.get_i32())
    }

    /// Reads a `long`.
    ///
    /// # Errors
    /// `Truncated` if fewer than 8 bytes are left.
    pub fn long(&mut self) -> Result<i64, DecodeError> {
        self.need(8)?;
        Ok(self.input.get_i64())
    }

    /// Reads a string's or buffer's length and its bytes; `None` for null.
    ///
    /// # Errors
    /// `Truncated`, `NegativeLength` or `TooLarge`.
    pub fn blob(&mut self) -> Result<Option<Bytes>, DecodeError> {
        match self.length(self.limits.blob)? {
            None => Ok(None),
            Some(length) => self.take(length).map(Some),
        }
    }

    /// Reads a string; bytes that are not UTF-8 become U+FFFD, as in ZooKeeper's reader.
    ///
    /// # Errors
    /// As [`Decoder::blob`].
    pub fn string(&mut self) -> Result<Option<String>, DecodeError> {
        Ok(self.blob()?.map(|bytes| match std::str::from_utf8(&bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => String::from_utf8_lossy(&bytes).into_owned(),
        }))
    }

    /// Reads a vector's element count; `None` for null.
    ///
    /// # Errors
    /// `Truncated`, `NegativeLength` or `TooLarge`.
    pub fn count(&mut self) -> Result<Option<usize>, DecodeError> {
        self.length(self.limits.elements)
    }

    fn length(&mut self, limit: usize) -> Result<Option<usize>, DecodeError> {
        match self.int()? {
            -1 => Ok(None),
            length => {
                let length =
                    usize::try_from(length).map_err(|_| DecodeError::NegativeLength(length))?;
                if length > limit {
                    return Err(DecodeError::TooLarge { length, limit });
                }
                Ok(Some(length))
            }
        }
    }

    fn need(&self, count: usize) -> Result<(), DecodeError> {
        match count.checked_sub(self.input.len()) {
            None | Some(0) => Ok(()),
            Some(missing) => Err(DecodeError::Truncated { missing }),
        }
    }
}
