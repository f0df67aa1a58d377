//! Bytes of a real client and a real server (Java, 3.9.5): a session that uses nearly every
//! operation, loses its connection, and goes on over a second one; taken apart to the last byte and
//! put together again.

use bytes::{Bytes, BytesMut};
use jute::client::{
    AclStat, AuthPacket, ConnectRequest, ConnectResponse, CreateRequest, CreateTtlRequest,
    DataStat, ErrorResponse, MultiHeader, Names, NamesStat, PathKind, PathOnly, PathResponse,
    PathStat, PathVersion, PathWatch, ReplyHeader, RequestHeader, SetAclRequest, SetDataRequest,
    SetWatches2, Stat, Total, WatcherEvent, WhoAmIResponse,
};
use jute::{Decode, DecodeError, Decoder, Encode};
use std::collections::BTreeMap;

type Result<T = ()> = std::result::Result<T, DecodeError>;

const FIRST: [&[u8]; 2] =
    [include_bytes!("golden/client.c2s"), include_bytes!("golden/client.s2c")];
const SECOND: [&[u8]; 2] =
    [include_bytes!("golden/reconnect.c2s"), include_bytes!("golden/reconnect.s2c")];

/// Of a reply whose xid is that of no request but of a notification.
const NOTIFICATION: i32 = -1;

#[test]
fn handshakes() -> Result {
    let (_, request, response) = connection(&FIRST)?;
    assert_eq!((request.session_id, request.time_out), (0, 30_000));
    assert_eq!(request.passwd.as_deref(), Some(&[0; 16][..]));
    assert_eq!(response.time_out, 30_000);
    let (_, again, response_again) = connection(&SECOND)?;
    assert_eq!((again.session_id, &again.passwd), (response.session_id, &response.passwd));
    assert_eq!(again.last_zxid_seen, 12);
    assert_eq!(response_again, response);
    Ok(())
}

#[test]
fn requests_and_replies() -> Result {
    let (ops, ..) = connection(&FIRST)?;
    let expected = [
        (1, 3),
        (2, 1),
        (3, 4),
        (4, 3),
        (5, 1),
        (6, 1),
        (7, 1),
        (8, 1),
        (9, 1),
        (12, 1),
        (14, 2),
        (15, 1),
        (17, 1),
        (18, 1),
        (19, 1),
        (21, 1),
        (22, 1),
        (100, 1),
        (103, 1),
        (104, 1),
        (106, 2),
        (107, 1),
    ];
    assert_eq!(ops, expected.into());
    let (ops, ..) = connection(&SECOND)?;
    assert_eq!(ops, [(-11, 1), (2, 2), (100, 1), (105, 1)].into());
    Ok(())
}

/// Checks all frames of a connection; how many requests of each operation there are, and the
/// handshake.
fn connection(
    [sent, received]: &[&'static [u8]; 2],
) -> Result<(BTreeMap<i32, usize>, ConnectRequest, ConnectResponse)> {
    let (sent, received) = (frames(sent)?, frames(received)?);
    let request = handshake(&sent[0])?;
    let response = handshake(&received[0])?;
    let (mut counts, mut ops) = (BTreeMap::new(), BTreeMap::new());
    for frame in &sent[1..] {
        let header = check(frame, |input, out| {
            let header = RequestHeader::decode(input)?;
            header.encode(out);
            request_body(header.op, input, out)?;
            Ok(header)
        })?;
        ops.insert(header.xid, header.op);
        *counts.entry(header.op).or_default() += 1;
    }
    for frame in &received[1..] {
        check(frame, |input, out| {
            let header = ReplyHeader::decode(input)?;
            header.encode(out);
            match header {
                ReplyHeader { xid: NOTIFICATION, .. } => copy::<WatcherEvent>(input, out),
                ReplyHeader { xid, err: 0, .. } => reply_body(ops[&xid], input, out),
                // An error has no body, but a multi tells the error of each operation.
                ReplyHeader { xid, .. } if ops[&xid] == 14 => reply_body(14, input, out),
                _ => Ok(()),
            }
        })?;
    }
    Ok((counts, request, response))
}

/// The frames of one direction, which must fill it.
fn frames(bytes: &'static [u8]) -> Result<Vec<Bytes>> {
    let mut input = Decoder::new(Bytes::from_static(bytes));
    let mut frames = Vec::new();
    while input.remaining() > 0 {
        frames.push(Bytes::decode(&mut input)?);
    }
    Ok(frames)
}

/// The first frame of a direction; a boolean follows the record.
fn handshake<T: Encode + Decode>(frame: &Bytes) -> Result<T> {
    check(frame, |input, out| {
        let value = T::decode(input)?;
        value.encode(out);
        copy::<bool>(input, out)?;
        Ok(value)
    })
}

/// Runs `recode` over a frame, which must use it up and produce it again.
fn check<T>(
    frame: &Bytes,
    recode: impl FnOnce(&mut Decoder, &mut BytesMut) -> Result<T>,
) -> Result<T> {
    let (mut input, mut out) = (Decoder::new(frame.clone()), BytesMut::new());
    let value = recode(&mut input, &mut out)?;
    input.finish()?;
    assert_eq!(out, frame);
    Ok(value)
}

/// Copies one record from `input` to `out`.
fn copy<T: Encode + Decode>(input: &mut Decoder, out: &mut BytesMut) -> Result {
    T::decode(input)?.encode(out);
    Ok(())
}

fn request_body(op: i32, input: &mut Decoder, out: &mut BytesMut) -> Result {
    match op {
        1 | 15 | 19 => copy::<CreateRequest>(input, out),
        2 | 13 => copy::<PathVersion>(input, out),
        3 | 4 | 8 | 12 => copy::<PathWatch>(input, out),
        5 => copy::<SetDataRequest>(input, out),
        6 | 9 | 103 | 104 => copy::<PathOnly>(input, out),
        7 => copy::<SetAclRequest>(input, out),
        14 | 22 => multi(input, out, request_body),
        17 | 18 | 106 => copy::<PathKind>(input, out),
        21 => copy::<CreateTtlRequest>(input, out),
        100 => copy::<AuthPacket>(input, out),
        105 => copy::<SetWatches2>(input, out),
        -11 | 107 => Ok(()),
        _ => Err(DecodeError::UnknownVariant(op)),
    }
}

fn reply_body(op: i32, input: &mut Decoder, out: &mut BytesMut) -> Result {
    match op {
        1 | 9 => copy::<PathResponse>(input, out),
        3 | 5 | 7 => copy::<Stat>(input, out),
        4 => copy::<DataStat>(input, out),
        6 => copy::<AclStat>(input, out),
        8 | 103 => copy::<Names>(input, out),
        12 => copy::<NamesStat>(input, out),
        14 | 22 => multi(input, out, reply_body),
        15 | 19 | 21 => copy::<PathStat>(input, out),
        104 => copy::<Total>(input, out),
        -1 | 106 => copy::<ErrorResponse>(input, out),
        107 => copy::<WhoAmIResponse>(input, out),
        -11 | 2 | 13 | 17 | 18 | 100 | 105 => Ok(()),
        _ => Err(DecodeError::UnknownVariant(op)),
    }
}

/// Operations or results between headers, up to the end mark.
fn multi(
    input: &mut Decoder,
    out: &mut BytesMut,
    body: fn(i32, &mut Decoder, &mut BytesMut) -> Result,
) -> Result {
    loop {
        let header = MultiHeader::decode(input)?;
        header.encode(out);
        if header.done {
            return Ok(());
        }
        body(header.op, input, out)?;
    }
}
