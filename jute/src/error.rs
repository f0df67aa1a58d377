//! What can be wrong with bytes that claim to be jute records.

use std::fmt;

/// Why bytes could not be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// The input ends inside a value that needs this many more bytes.
    Truncated {
        /// How many bytes are missing.
        missing: usize,
    },
    /// A length below -1.
    NegativeLength(i32),
    /// A string, buffer or vector longer than the decoder's limit.
    TooLarge {
        /// The length that was read.
        length: usize,
        /// The largest length allowed.
        limit: usize,
    },
    /// A null where the schema does not allow one.
    UnexpectedNull,
    /// A number that stands for none of the known variants.
    UnknownVariant(i32),
    /// Bytes are left over after the value.
    TrailingBytes(usize),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { missing } => write!(f, "input ends {missing} bytes too early"),
            Self::NegativeLength(length) => write!(f, "negative length {length}"),
            Self::TooLarge { length, limit } => {
                write!(f, "length {length} is over the limit of {limit}")
            }
            Self::UnexpectedNull => write!(f, "null where a value is needed"),
            Self::UnknownVariant(number) => write!(f, "unknown variant {number}"),
            Self::TrailingBytes(count) => write!(f, "{count} bytes left over"),
        }
    }
}

impl std::error::Error for DecodeError {}
