//! Lengths and counts are the sender's claim: none of them makes a decoder allocate, and limits
//! hold for each. One test, so that nothing else allocates in this process meanwhile.

mod common;

use bytes::Bytes;
use common::{Recode, find, records, schema, shortest};
use jute::compiler::{Record, Schema, Shape, Type};
use jute::{DecodeError, Limits};

/// How much address space all decoders together may ask for beyond what they began with. Believing
/// one count of `i32::MAX` would take 8 GiB at least.
const GROWTH_MAX_KIB: u64 = 1024 * 1024;

#[test]
fn no_length_is_believed() {
    let schema = schema();
    let before = peak_address_space_kib();
    let mut tried = 0;
    for (record, recode) in records(&schema) {
        for place in lengths(&schema, record) {
            tried += 1;
            negative(recode, &place);
            giant(recode, &place);
            limited(recode, &place);
        }
    }
    assert!(tried > 100, "only {tried} lengths were found");
    let growth = peak_address_space_kib() - before;
    assert!(growth < GROWTH_MAX_KIB, "{growth} KiB");
}

fn negative(recode: Recode, place: &Place) {
    for length in [-2, -3, i32::MIN] {
        let result = recode(place.with_length(length), Limits::default());
        assert_eq!(result, Err(DecodeError::NegativeLength(length)), "{place:?}");
    }
    let null = recode(place.with_length(-1), Limits::default());
    if place.nullable {
        assert!(matches!(null, Ok(_) | Err(DecodeError::Truncated { .. })), "{place:?}: {null:?}");
    } else {
        assert_eq!(null, Err(DecodeError::UnexpectedNull), "{place:?}");
    }
}

fn giant(recode: Recode, place: &Place) {
    let unlimited = Limits { blob: usize::MAX, elements: usize::MAX };
    for length in [i32::MAX, i32::MAX - 1, 1 << 24] {
        let result = recode(place.with_length(length), unlimited);
        assert!(matches!(result, Err(DecodeError::Truncated { .. })), "{place:?}: {result:?}");
    }
}

fn limited(recode: Recode, place: &Place) {
    let limit = 5;
    let limits = Limits { blob: limit, elements: limit };
    for length in [6, i32::MAX] {
        let too_large = DecodeError::TooLarge { length: length.cast_unsigned() as usize, limit };
        assert_eq!(recode(place.with_length(length), limits), Err(too_large), "{place:?}");
    }
    let allowed = recode(place.with_length(5), limits);
    assert!(matches!(allowed, Err(DecodeError::Truncated { .. })), "{place:?}: {allowed:?}");
}

/// One length or count in the encoding of a record.
#[derive(Debug)]
struct Place {
    before: Vec<u8>,
    nullable: bool,
}

impl Place {
    /// The record's bytes up to and with this length.
    fn with_length(&self, length: i32) -> Bytes {
        [&self.before[..], &length.to_be_bytes()].concat().into()
    }
}

fn lengths(schema: &Schema, record: &Record) -> Vec<Place> {
    let mut before = Vec::new();
    let mut places = Vec::new();
    for field in &record.fields {
        places.extend(type_lengths(schema, &field.ty).into_iter().map(|place| Place {
            before: [&before[..], &place.before].concat(),
            nullable: place.nullable,
        }));
        before.extend(shortest(schema, &field.ty));
    }
    places
}

fn type_lengths(schema: &Schema, ty: &Type) -> Vec<Place> {
    let own = Place { before: Vec::new(), nullable: ty.nullable };
    match &ty.shape {
        Shape::Boolean | Shape::Byte | Shape::Int | Shape::Long => Vec::new(),
        Shape::Ustring | Shape::Buffer => vec![own],
        Shape::Record(name) => lengths(schema, find(schema, name)),
        Shape::Vector(element) => {
            let first = type_lengths(schema, element).into_iter().map(|place| Place {
                before: [&1_i32.to_be_bytes()[..], &place.before].concat(),
                nullable: place.nullable,
            });
            std::iter::once(own).chain(first).collect()
        }
    }
}

#[cfg(target_os = "linux")]
fn peak_address_space_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has it");
    let line = status.lines().find(|line| line.starts_with("VmPeak:")).expect("it has this line");
    let number = line.split_whitespace().nth(1).expect("a number stands behind the name");
    number.parse().expect("it is a number")
}

/// Elsewhere only the results are checked.
#[cfg(not(target_os = "linux"))]
fn peak_address_space_kib() -> u64 {
    0
}
