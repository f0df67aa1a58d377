//! Directories as Apache ZooKeeper leaves them, and as it does not.

use super::compression::SnappyBlocks;
use super::*;
use crate::store::LogEntry;
use crate::store::apache::{LogError, put_log_header, put_log_record};
use bytes::{BufMut, BytesMut};
use std::io::{Read, Write};
use tempfile::TempDir;

const LONGEST: usize = 1 << 20;
const SET_DATA: i32 = 5;
const REFUSED: i32 = -1;

fn payload(zxid: i64, kind: i32, body: &[u8]) -> Vec<u8> {
    let mut payload = BytesMut::new();
    payload.put_i64(7);
    payload.put_i32(1);
    payload.put_i64(zxid);
    payload.put_i64(1_700_000_000_000);
    payload.put_i32(kind);
    payload.put_slice(body);
    payload.to_vec()
}

/// A data directory with logs of transactions.
fn directory(logs: &[&[i64]]) -> TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    fs::create_dir(dir.path().join("version-2")).expect("a directory");
    for zxids in logs {
        let mut file = BytesMut::new();
        put_log_header(&mut file);
        for zxid in *zxids {
            put_log_record(&mut file, &payload(*zxid, SET_DATA, b"body"));
        }
        put(&dir, &format!("log.{:x}", zxids[0]), &file);
    }
    dir
}

fn put(dir: &TempDir, name: &str, content: &[u8]) {
    fs::write(dir.path().join("version-2").join(name), content).expect("written");
}

fn found(dir: &TempDir) -> ApacheFiles {
    let found = ApacheFiles::find(dir.path(), dir.path()).expect("readable");
    found.expect("something")
}

/// The zxids after one of them, and what was odd.
fn read(dir: &TempDir, after: i64) -> Result<(Vec<i64>, Vec<String>), ApacheError> {
    let mut cursor = LogCursor::after(&found(dir).logs, Zxid(after), LONGEST);
    let mut zxids = Vec::new();
    while let Some(LogEntry { zxid, .. }) = cursor.read_next()? {
        zxids.push(zxid.0);
    }
    Ok((zxids, cursor.take_notes()))
}

#[test]
fn files_are_found_by_their_names() {
    let dir = tempfile::tempdir().expect("a directory");
    let find = || ApacheFiles::find(dir.path(), dir.path()).expect("readable");
    assert_eq!(find(), None);
    fs::create_dir(dir.path().join("version-2")).expect("a directory");
    assert_eq!(find(), None);
    for name in ["snapshot.a.gz", "snapshot.1b", "snapshot.9.snappy", "log.2", "log.10"] {
        put(&dir, name, b"");
    }
    for name in ["snapshot.x", "snapshot.1.tmp", "log.5.fixed", "log.", "log.+5", "log.-1", "a"] {
        put(&dir, name, b"");
    }
    put(&dir, "acceptedEpoch", b"3\n");
    let files = find().expect("files");
    let snapshots: Vec<_> = files.snapshots.iter().map(|it| (it.zxid.0, it.compression)).collect();
    let expected = [(0x1b, Compression::None), (0xa, Compression::Gzip), (9, Compression::Snappy)];
    assert_eq!(snapshots, expected);
    assert_eq!(files.logs.iter().map(|log| log.first.0).collect::<Vec<_>>(), [2, 0x10]);
    let epochs = EpochFiles { accepted: Some(Epoch(3)), current: None, next: None };
    assert_eq!(files.epochs, epochs);
    assert!(!files.is_empty());
}

#[test]
fn an_epoch_must_be_a_number() {
    let dir = directory(&[]);
    for text in ["", "x", "-1", "4294967296", "12345678901234567890"] {
        put(&dir, "currentEpoch", text.as_bytes());
        let error = ApacheFiles::find(dir.path(), dir.path()).expect_err(text);
        assert!(matches!(error, ApacheError::Epoch { .. }), "{error}");
    }
}

#[test]
fn a_file_in_the_wrong_directory_is_noticed() {
    let (data, log) = (directory(&[]), directory(&[&[1, 2]]));
    put(&data, "snapshot.0", b"");
    let found = ApacheFiles::find(data.path(), log.path()).expect("apart").expect("files");
    assert_eq!((found.snapshots.len(), found.logs.len()), (1, 1));
    let swapped = ApacheFiles::find(log.path(), data.path());
    assert!(matches!(swapped, Err(ApacheError::Misplaced { .. })), "{swapped:?}");
    put(&log, "snapshot.1", b"");
    let both = ApacheFiles::find(data.path(), log.path());
    assert!(matches!(both, Err(ApacheError::Misplaced { key: "dataLogDir", .. })), "{both:?}");
}

#[test]
fn the_log_is_read_through_all_its_files() {
    let dir = directory(&[&[1, 2, 3], &[4, 5], &[0x1_0000_0001, 0x1_0000_0002]]);
    let last = [0x1_0000_0001, 0x1_0000_0002];
    assert_eq!(read(&dir, 0), Ok((vec![1, 2, 3, 4, 5, last[0], last[1]], vec![])));
    assert_eq!(read(&dir, 2).expect("whole").0, [3, 4, 5, last[0], last[1]]);
    assert_eq!(read(&dir, 3).expect("whole").0, [4, 5, last[0], last[1]]);
    assert_eq!(read(&dir, 0x1_0000_0000).expect("whole").0, last);
    assert!(read(&dir, last[1]).expect("whole").0.is_empty());
}

#[test]
fn a_hole_is_noticed() {
    let hole = |result| matches!(result, Err(ApacheError::Hole { .. }));
    assert!(hole(read(&directory(&[&[1, 2], &[4]]), 0)));
    assert!(hole(read(&directory(&[&[1, 3]]), 0)));
    assert!(hole(read(&directory(&[&[5, 6]]), 3)));
    assert!(hole(read(&directory(&[&[1], &[0x1_0000_0002]]), 0)));
    assert_eq!(read(&directory(&[&[1, 3, 4]]), 3).expect("before it does not matter").0, [4]);
    let back = read(&directory(&[&[1, 2, 3, 2]]), 0);
    assert!(matches!(back, Err(ApacheError::Order { .. })), "{back:?}");
}

#[test]
fn what_was_torn_is_left_out_if_the_log_goes_on_behind_it() {
    let dir = directory(&[&[1, 2, 3]]);
    let path = dir.path().join("version-2/log.1");
    let file = fs::read(&path).expect("readable");
    fs::write(&path, &file[..file.len() - 3]).expect("cut");
    let (zxids, notes) = read(&dir, 0).expect("torn");
    assert_eq!((zxids, notes.len()), (vec![1, 2], 1));
    put(&dir, "log.3", &{
        let mut next = BytesMut::new();
        put_log_header(&mut next);
        put_log_record(&mut next, &payload(3, SET_DATA, b"again"));
        next
    });
    assert_eq!(read(&dir, 0).expect("goes on").0, [1, 2, 3]);
    fs::rename(dir.path().join("version-2/log.3"), dir.path().join("version-2/log.4"))
        .expect("renamed");
    put(&dir, "log.4", &{
        let mut next = BytesMut::new();
        put_log_header(&mut next);
        put_log_record(&mut next, &payload(4, SET_DATA, b"gone"));
        next
    });
    assert!(matches!(read(&dir, 0), Err(ApacheError::Hole { .. })));
}

#[test]
fn an_empty_file_is_allowed_at_the_end_only() {
    let dir = directory(&[&[1, 2], &[4]]);
    put(&dir, "log.5", b"");
    put(&dir, "log.3", b"");
    let empty = read(&dir, 0);
    let expected =
        |error: &ApacheError| matches!(error, ApacheError::Log { error: LogError::Empty, .. });
    assert!(empty.as_ref().is_err_and(expected), "{empty:?}");
    fs::remove_file(dir.path().join("version-2/log.3")).expect("removed");
    let (zxids, notes) = read(&dir, 3).expect("at the end");
    assert_eq!((zxids, notes.len()), (vec![4], 1));
}

#[test]
fn a_refusal_with_the_zxid_before_is_passed_over() {
    let with = |second: &[u8]| {
        let dir = directory(&[]);
        let mut file = BytesMut::new();
        put_log_header(&mut file);
        put_log_record(&mut file, &payload(1, SET_DATA, b"body"));
        put_log_record(&mut file, second);
        put_log_record(&mut file, &payload(2, SET_DATA, b"body"));
        put(&dir, "log.1", &file);
        read(&dir, 0)
    };
    for twice in [payload(1, REFUSED, &[0; 4]), payload(1, SET_DATA, b"body")] {
        let (zxids, notes) = with(&twice).expect("passed over");
        assert_eq!((zxids, notes.len()), (vec![1, 2], 1));
    }
    let other = with(&payload(1, SET_DATA, b"other"));
    assert!(matches!(other, Err(ApacheError::Order { .. })), "{other:?}");
}

/// A file in Snappy's form.
fn snappy(blocks: &[&[u8]]) -> Vec<u8> {
    let mut file = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01".to_vec();
    for block in blocks {
        let block = snap::raw::Encoder::new().compress_vec(block).expect("compressed");
        file.put_u32(u32::try_from(block.len()).expect("small"));
        file.extend_from_slice(&block);
    }
    file
}

fn unpack(file: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut content = Vec::new();
    SnappyBlocks::new(file)?.read_to_end(&mut content)?;
    Ok(content)
}

#[test]
fn compressed_files_are_read() {
    let content: Vec<_> = (0..100_000_u32).flat_map(u32::to_be_bytes).collect();
    let blocks: Vec<_> = content.chunks(32 << 10).collect();
    let dir = directory(&[]);
    put(&dir, "snapshot.3.snappy", &snappy(&blocks));
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&content).expect("compressed");
    put(&dir, "snapshot.2.gz", &gzip.finish().expect("compressed"));
    put(&dir, "snapshot.1", &content);
    for file in found(&dir).snapshots {
        let mut read = Vec::new();
        file.compression.open(&file.path).expect("open").read_to_end(&mut read).expect("read");
        assert_eq!(read, content, "{:?}", file.compression);
    }
}

#[test]
fn damaged_blocks_are_errors() {
    let file = snappy(&[b"first", b"second"]);
    assert_eq!(unpack(&file).expect("whole"), b"firstsecond");
    for length in 0..file.len() {
        let is_between = length == 16 || length == snappy(&[b"first"]).len();
        assert_eq!(unpack(&file[..length]).is_ok(), is_between, "of {length} bytes");
    }
    assert!(unpack(&[0; 100]).is_err());
    let mut long = file.clone();
    long[16] = 0x7f;
    assert!(unpack(&long).is_err());
    // A block that says that it holds 2 GiB.
    let mut bomb = file[..16].to_vec();
    bomb.put_u32(6);
    bomb.extend_from_slice(&[0xff, 0xff, 0xff, 0xff, 7, 0]);
    assert!(unpack(&bomb).is_err());
}
