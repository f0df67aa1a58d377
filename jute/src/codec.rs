//! The two traits of every record, and the primitives' encodings.

use crate::{DecodeError, Decoder};
use bytes::{BufMut, Bytes, BytesMut};

/// A value that can be written; writing cannot fail.
pub trait Encode {
    /// Appends the value's bytes to `out`.
    fn encode<B: BufMut + ?Sized>(&self, out: &mut B);

    /// How many bytes [`Encode::encode`] appends.
    fn encoded_len(&self) -> usize;

    /// The value's bytes in a buffer of their own.
    fn to_bytes(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(self.encoded_len());
        self.encode(&mut out);
        out.freeze()
    }
}

/// A value that can be read.
pub trait Decode: Sized {
    /// Reads a value and leaves the decoder behind it.
    ///
    /// # Errors
    /// Whatever is wrong with the bytes; the decoder is then of no further use.
    fn decode(input: &mut Decoder) -> Result<Self, DecodeError>;

    /// Reads a value that must fill all of `input`.
    ///
    /// # Errors
    /// As [`Decode::decode`], and `TrailingBytes`.
    fn from_bytes(input: Bytes) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(input);
        let value = Self::decode(&mut decoder)?;
        decoder.finish()?;
        Ok(value)
    }
}

/// Capacity reserved ahead for a vector whose count has been read but whose elements have not.
const RESERVE_AHEAD: usize = 64;

fn put_length<B: BufMut + ?Sized>(out: &mut B, length: usize) {
    // Whatever is written was bounded when it came in, far below what the wire can express.
    out.put_i32(i32::try_from(length).expect("lengths fit into an int"));
}

/// Appends a length and the bytes: the encoding of strings and buffers.
pub fn put_blob<B: BufMut + ?Sized>(out: &mut B, bytes: &[u8]) {
    put_length(out, bytes.len());
    out.put_slice(bytes);
}

fn signed_byte(input: &mut Decoder) -> Result<i8, DecodeError> {
    input.byte().map(u8::cast_signed)
}

macro_rules! number {
    ($rust:ty, $len:expr, $put:ident, $get:expr) => {
        impl Encode for $rust {
            fn encode<B: BufMut + ?Sized>(&self, out: &mut B) {
                out.$put(*self);
            }
            fn encoded_len(&self) -> usize {
                $len
            }
        }
        impl Decode for $rust {
            fn decode(input: &mut Decoder) -> Result<Self, DecodeError> {
                $get(input)
            }
        }
    };
}

number!(i8, 1, put_i8, signed_byte);
number!(i32, 4, put_i32, Decoder::int);
number!(i64, 8, put_i64, Decoder::long);

impl Encode for bool {
    fn encode<B: BufMut + ?Sized>(&self, out: &mut B) {
        out.put_u8(u8::from(*self));
    }
    fn encoded_len(&self) -> usize {
        1
    }
}

impl Decode for bool {
    /// Any non-zero byte is true, as in ZooKeeper's reader.
    fn decode(input: &mut Decoder) -> Result<Self, DecodeError> {
        Ok(input.byte()? != 0)
    }
}

impl Encode for str {
    fn encode<B: BufMut + ?Sized>(&self, out: &mut B) {
        put_blob(out, self.as_bytes());
    }
    fn encoded_len(&self) -> usize {
        4 + self.len()
    }
}

impl Encode for String {
    fn encode<B: BufMut + ?Sized>(&self, out: &mut B) {
        self.as_str().encode(out);
    }
    fn encoded_len(&self) -> usize {
        self.as_str().encoded_len()
    }
}

impl Decode for String {
    fn decode(input: &mut Decoder) -> Result<Self, DecodeError> {
        input.string()?.ok_or(DecodeError::UnexpectedNull)
    }
}

impl Encode for Bytes {
    fn encode<B: BufMut + ?Sized>(&self, out: &mut B) {
        put_blob(out, self);
    }
    fn encoded_len(&self) -> usize {
        4 + self.len()
    }
}

impl Decode for Bytes {
    fn decode(input: &mut Decoder) -> Result<Self, DecodeError> {
        input.blob()?.ok_or(DecodeError::UnexpectedNull)
    }
}

impl<T: Encode> Encode for [T] {
    fn encode<B: BufMut + ?Sized>(&self, out: &mut B) {
        put_length(out, self.len());
        for element in self {
            element.encode(out);
        }
    }
    fn encoded_len(&self) -> usize {
        4 + self.iter().map(Encode::encoded_len).sum::<usize>()
    }
}

impl<T: Encode> Encode for Vec<T> {
    fn encode<B: BufMut + ?Sized>(&self, out: &mut B) {
        self.as_slice().encode(out);
    }
    fn encoded_len(&self) -> usize {
        self.as_slice().encoded_len()
    }
}

impl<T: Decode> Decode for Vec<T> {
    fn decode(input: &mut Decoder) -> Result<Self, DecodeError> {
        Option::decode(input)?.ok_or(DecodeError::UnexpectedNull)
    }
}

/// Values whose null is a length of -1: strings, buffers and vectors.
pub trait Nullable: Sized {
    /// Reads a value or null.
    ///
    /// # Errors
    /// As [`Decode::decode`].
    fn decode_nullable(input: &mut Decoder) -> Result<Option<Self>, DecodeError>;
}

impl Nullable for String {
    fn decode_nullable(input: &mut Decoder) -> Result<Option<Self>, DecodeError> {
        input.string()
    }
}

impl Nullable for Bytes {
    fn decode_nullable(input: &mut Decoder) -> Result<Option<Self>, DecodeError> {
        input.blob()
    }
}

impl<T: Decode> Nullable for Vec<T> {
    fn decode_nullable(input: &mut Decoder) -> Result<Option<Self>, DecodeError> {
        let Some(count) = input.count()? else { return Ok(None) };
        // The count is the sender's claim: memory is reserved for what has really arrived.
        let mut elements = Self::with_capacity(count.min(RESERVE_AHEAD).min(input.remaining()));
        for _ in 0..count {
            elements.push(T::decode(input)?);
        }
        Ok(Some(elements))
    }
}

impl<T: Encode + Nullable> Encode for Option<T> {
    fn encode<B: BufMut + ?Sized>(&self, out: &mut B) {
        match self {
            Some(value) => value.encode(out),
            None => out.put_i32(-1),
        }
    }
    fn encoded_len(&self) -> usize {
        self.as_ref().map_or(4, Encode::encoded_len)
    }
}

impl<T: Nullable> Decode for Option<T> {
    fn decode(input: &mut Decoder) -> Result<Self, DecodeError> {
        T::decode_nullable(input)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode<T: Decode>(bytes: &[u8]) -> Result<T, DecodeError> {
        T::from_bytes(Bytes::copy_from_slice(bytes))
    }

    #[test]
    fn numbers_are_big_endian_and_signed() {
        assert_eq!(decode(&[0xfe]), Ok(-2_i8));
        assert_eq!(decode(&[0xff, 0xff, 0xff, 0x9a]), Ok(-102_i32));
        assert_eq!(decode(&[0x80, 0, 0, 0, 0, 0, 0, 1]), Ok(i64::MIN + 1));
        assert_eq!((-2_i8).to_bytes(), [0xfe][..]);
        assert_eq!((-102_i32).to_bytes(), [0xff, 0xff, 0xff, 0x9a][..]);
        assert_eq!((i64::MIN + 1).to_bytes(), [0x80, 0, 0, 0, 0, 0, 0, 1][..]);
    }

    #[test]
    fn any_byte_but_zero_is_true() {
        for byte in 0..=u8::MAX {
            assert_eq!(decode(&[byte]), Ok(byte != 0));
        }
        assert_eq!((true.to_bytes(), false.to_bytes()), (vec![1].into(), vec![0].into()));
    }

    #[test]
    fn null_and_empty_differ() {
        let (null, empty) = ([0xff; 4], [0; 4]);
        assert_eq!(decode(&null), Ok(None::<String>));
        assert_eq!(decode(&empty), Ok(Some(String::new())));
        assert_eq!(decode(&null), Ok(None::<Bytes>));
        assert_eq!(decode(&empty), Ok(Some(Bytes::new())));
        assert_eq!(decode(&null), Ok(None::<Vec<i32>>));
        assert_eq!(decode(&empty), Ok(Some(Vec::<i32>::new())));
        assert_eq!(decode::<String>(&null), Err(DecodeError::UnexpectedNull));
        assert_eq!(None::<String>.to_bytes(), null[..]);
        assert_eq!(Some(String::new()).to_bytes(), empty[..]);
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_replaced() {
        assert_eq!(decode(&[0, 0, 0, 3, b'a', 0xff, b'b']), Ok("a\u{fffd}b".to_owned()));
    }

    #[test]
    fn buffers_share_the_memory_of_the_input() {
        let input = Bytes::from_static(&[0, 0, 0, 2, 7, 8]);
        let buffer = Bytes::from_bytes(input.clone()).expect("well formed");
        assert_eq!(buffer.as_ptr(), input[4..].as_ptr());
    }

    #[test]
    fn long_vectors_grow_past_the_reserve() {
        let vector: Vec<Vec<i32>> = vec![(0..1000).collect(), Vec::new(), vec![-1]];
        assert_eq!(Decode::from_bytes(vector.to_bytes()), Ok(vector));
    }
}
