//! Logs that are whole, cut short, and damaged in every place.

use super::{LogEnd, LogError, LogReader, put_log_header, put_log_record};
use crate::types::Zxid;
use bytes::{BufMut, BytesMut};

const LONGEST: usize = 1 << 10;

/// A transaction with a body of so many bytes.
fn payload(zxid: i64, body: usize) -> Vec<u8> {
    let mut payload = BytesMut::new();
    payload.put_i64(7);
    payload.put_i32(1);
    payload.put_i64(zxid);
    payload.put_i64(1_700_000_000_000);
    payload.put_i32(5);
    payload.put_bytes(b'x', body);
    payload.to_vec()
}

/// A log of transactions with bodies of so many bytes.
fn log(bodies: &[usize]) -> Vec<u8> {
    let mut file = BytesMut::new();
    put_log_header(&mut file);
    for (body, zxid) in bodies.iter().zip(1..) {
        put_log_record(&mut file, &payload(zxid, *body));
    }
    file.to_vec()
}

/// The zxids in a file, and how it ends.
fn read(file: &[u8]) -> (Vec<i64>, Result<LogEnd, LogError>) {
    let mut zxids = Vec::new();
    let mut reader = match LogReader::new(file, LONGEST) {
        Ok(reader) => reader,
        Err(error) => return (zxids, Err(error)),
    };
    loop {
        match reader.read_next() {
            Ok(Some(record)) => zxids.push(record.entry.zxid.0),
            Ok(None) => return (zxids, Ok(reader.end().expect("the end"))),
            Err(error) => return (zxids, Err(error)),
        }
    }
}

#[test]
fn transactions_are_read_up_to_the_padding_or_the_end() {
    let mut file = log(&[10, 0, 300]);
    assert_eq!(read(&file), (vec![1, 2, 3], Ok(LogEnd::Clean)));
    file.resize(file.len() + (100 << 10), 0);
    assert_eq!(read(&file), (vec![1, 2, 3], Ok(LogEnd::Clean)));
    let mut reader = LogReader::new(&*file, LONGEST).expect("a log");
    let record = reader.read_next().expect("whole").expect("a transaction");
    assert_eq!((record.at, record.entry.zxid), (16, Zxid(1)));
    assert_eq!(*record.entry.payload, payload(1, 10));
}

#[test]
fn only_a_log_is_read() {
    assert_eq!(read(b"").1, Err(LogError::Empty));
    assert_eq!(read(&log(&[])[..15]).1, Err(LogError::NoLog));
    assert_eq!(read(&[0; 100]).1, Err(LogError::NoLog));
    assert_eq!(read(&log(&[])), (vec![], Ok(LogEnd::Clean)));
}

#[test]
fn a_file_that_is_cut_loses_the_last_transaction_and_no_other() {
    let file = log(&[10, 20, 30]);
    let ends: Vec<_> = (0..=3).map(|count| log(&[10, 20, 30][..count]).len()).collect();
    for length in ends[0]..file.len() {
        let whole = ends.iter().filter(|end| **end <= length).count() - 1;
        let (zxids, end) = read(&file[..length]);
        assert_eq!(zxids.len(), whole, "of {length} bytes");
        let torn = LogEnd::Torn(ends[whole] as u64);
        let expected = if ends.contains(&length) { LogEnd::Clean } else { torn };
        // Four bytes of a checksum are zeros, as if nothing were there.
        let is_zeros = length - ends[whole] <= 4;
        assert_eq!(end, Ok(if is_zeros { LogEnd::Clean } else { expected }), "of {length} bytes");
    }
}

#[test]
fn a_record_that_was_not_written_to_its_end_is_left_out() {
    let whole = log(&[10, 20]);
    let start = log(&[10]).len();
    for written in start + 12..whole.len() {
        let mut file = whole[..written].to_vec();
        file.resize(64 << 10, 0);
        assert_eq!(read(&file), (vec![1], Ok(LogEnd::Torn(start as u64))), "{written}");
    }
}

/// Whatever happens to a byte: nothing wrong is read, and no loss but that of the last transaction
/// passes for the end of the log.
#[test]
fn damage_anywhere_is_noticed() {
    let file = log(&[10, 20, 30, 40]);
    let last = log(&[10, 20, 30]).len();
    for at in 16..file.len() {
        for change in [1, 0x80, 0xff, file[at]] {
            let mut damaged = file.clone();
            damaged[at] ^= change;
            damaged.resize(file.len() + 5000, 0);
            if damaged[..file.len()] == file {
                continue;
            }
            let (zxids, end) = read(&damaged);
            assert_eq!(zxids, (1..).take(zxids.len()).collect::<Vec<_>>());
            assert!(zxids.len() < 4, "byte {at}: all of it was read");
            if at < last {
                assert!(end.is_err(), "byte {at} ^ {change}: {zxids:?}, then {end:?}");
            }
        }
    }
}

#[test]
fn damage_is_named() {
    let second = log(&[10]).len() as u64;
    let third = log(&[10, 20]).len() as u64;
    let with = |at: u64, byte: u8| {
        let mut file = log(&[10, 20, 30]);
        file[usize::try_from(at).expect("small")] = byte;
        read(&file).1
    };
    assert_eq!(with(second + 50, b'y'), Err(LogError::Checksum { at: second }));
    let broken = LogError::Broken { at: second, next: third, zxid: Zxid(3) };
    assert_eq!(with(third - 1, b'C'), Err(broken.clone()));
    assert_eq!(with(second + 11, 0), Err(broken));
    let limit = LONGEST;
    let length = i32::from_be_bytes([0, 1, 0, 52]);
    assert_eq!(with(second + 9, 1), Err(LogError::Length { at: second, length, limit }));
    let length = i32::from_be_bytes([0xff, 0, 0, 52]);
    assert_eq!(with(second + 8, 0xff), Err(LogError::Length { at: second, length, limit }));
    let mut file = BytesMut::from(&*log(&[10]));
    put_log_record(&mut file, b"short");
    assert_eq!(read(&file).1, Err(LogError::NoTransaction { at: second, length: 5 }));
}
