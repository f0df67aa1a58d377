//! Decodes a client's request: the first byte picks the operation, the others are the body. Nothing
//! may panic, and what stands behind a request must not change it.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use zabra::proto::{OpCode, Request};

fuzz_target!(|data: &[u8]| {
    let Some((pick, body)) = data.split_first() else { return };
    let op = OpCode::ALL[usize::from(*pick) % OpCode::ALL.len()];
    let body = Bytes::copy_from_slice(body);
    let request = Request::decode(op, body.clone());
    if request.is_ok() {
        let longer = [&body[..], &[0xff; 9]].concat();
        assert_eq!(Request::decode(op, longer.into()), request);
    }
});
