//! Every record of the schema, against bytes that an interpreter of the schema makes up: decoding
//! and encoding gives the same bytes, and no damaged bytes get further than an error.

mod common;

use bytes::Bytes;
use common::{Recode, find, records, schema};
use jute::compiler::{Field, Record, Schema, Shape, Type};
use jute::{DecodeError, Limits};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

#[test]
fn bytes_survive_a_round_trip() {
    for_every_record(128, |recode, bytes| {
        assert_eq!(run(recode, &bytes), Ok(Bytes::from(bytes)));
    });
}

#[test]
fn every_truncation_is_an_error() {
    for_every_record(16, |recode, bytes| {
        for end in 0..bytes.len() {
            let result = run(recode, &bytes[..end]);
            assert!(matches!(result, Err(DecodeError::Truncated { .. })), "{end}: {result:?}");
        }
    });
}

#[test]
fn trailing_bytes_are_an_error() {
    for_every_record(16, |recode, mut bytes| {
        bytes.extend([0, 0, 0]);
        assert_eq!(run(recode, &bytes), Err(DecodeError::TrailingBytes(3)));
    });
}

#[test]
fn damaged_bytes_never_panic() {
    let schema = schema();
    for (record, recode) in records(&schema) {
        let damage = vec((any::<prop::sample::Index>(), any::<u8>()), 1..8);
        check(64, (record_bytes(&schema, record), damage), |(mut bytes, damage)| {
            for (place, byte) in damage {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
            // What still decodes also encodes and decodes to the same value: `recode` checks it.
            let _ = run(recode, &bytes);
        });
    }
}

fn run(recode: Recode, bytes: &[u8]) -> Result<Bytes, DecodeError> {
    recode(Bytes::copy_from_slice(bytes), Limits::default())
}

fn for_every_record(cases: u32, test: impl Fn(Recode, Vec<u8>)) {
    let schema = schema();
    for (record, recode) in records(&schema) {
        check(cases, record_bytes(&schema, record), |bytes| test(recode, bytes));
    }
}

fn check<S: Strategy>(cases: u32, strategy: S, test: impl Fn(S::Value)) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&strategy, |value| {
        test(value);
        Ok(())
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
}

fn record_bytes(schema: &Schema, record: &Record) -> BoxedStrategy<Vec<u8>> {
    let fields: Vec<_> =
        record.fields.iter().map(|Field { ty, .. }| type_bytes(schema, ty)).collect();
    fields.prop_map(|fields| fields.concat()).boxed()
}

fn type_bytes(schema: &Schema, ty: &Type) -> BoxedStrategy<Vec<u8>> {
    let value = match &ty.shape {
        Shape::Boolean => any::<bool>().prop_map(|value| vec![u8::from(value)]).boxed(),
        Shape::Byte => any::<u8>().prop_map(|value| vec![value]).boxed(),
        Shape::Int => any::<i32>().prop_map(|value| value.to_be_bytes().to_vec()).boxed(),
        Shape::Long => any::<i64>().prop_map(|value| value.to_be_bytes().to_vec()).boxed(),
        Shape::Ustring => any::<String>().prop_map(|text| blob(text.as_bytes())).boxed(),
        Shape::Buffer => vec(any::<u8>(), 0..40).prop_map(|bytes| blob(&bytes)).boxed(),
        Shape::Vector(element) => vec(type_bytes(schema, element), 0..4)
            .prop_map(|elements| [&length(elements.len())[..], &elements.concat()].concat())
            .boxed(),
        Shape::Record(name) => record_bytes(schema, find(schema, name)),
    };
    if ty.nullable { prop_oneof![1 => Just(vec![0xff; 4]), 3 => value].boxed() } else { value }
}

fn blob(bytes: &[u8]) -> Vec<u8> {
    [&length(bytes.len())[..], bytes].concat()
}

fn length(length: usize) -> [u8; 4] {
    i32::try_from(length).expect("test values are short").to_be_bytes()
}
