//! Decodes one record, which the first byte picks, from the other bytes. Nothing may panic or take
//! memory beyond the input's size; what decodes must encode to bytes that decode to the same.

#![no_main]

#[path = "../../../jute/tests/common/mod.rs"]
mod common;

use common::RECORDS;
use jute::{DecodeError, Limits};
use libfuzzer_sys::fuzz_target;

/// Small enough for the fuzzer to reach.
const SMALL: Limits = Limits { blob: 8, elements: 2 };

fuzz_target!(|data: &[u8]| {
    let Some((pick, bytes)) = data.split_first() else { return };
    let (_, _, recode) = RECORDS[usize::from(*pick) % RECORDS.len()];
    let bytes = bytes::Bytes::copy_from_slice(bytes);
    let free = recode(bytes.clone(), Limits::default());
    match recode(bytes, SMALL) {
        Err(DecodeError::TooLarge { length, limit }) => assert!(length > limit),
        limited => assert_eq!(limited, free),
    }
});
