//! Logs and snapshots of Apache ZooKeeper: whatever is in them, reading ends, in bounded memory.
#![no_main]

use libfuzzer_sys::fuzz_target;
use zabra::store::apache::{ImageItem, LogReader, SnapshotReader};
use zabra::tree::{Transaction, TreeLoader, TreeOptions};
use zabra::types::Zxid;

const LONGEST: usize = 64 << 10;

fn read_log(file: &[u8]) {
    let Ok(mut reader) = LogReader::new(file, LONGEST) else { return };
    let mut end = 16;
    while let Ok(Some(record)) = reader.read_next() {
        assert!(record.at >= end && record.entry.payload.len() <= LONGEST);
        end = record.at + 13 + record.entry.payload.len() as u64;
        assert!(end <= file.len() as u64);
        // What is no transaction is refused, and no more.
        let _ = Transaction::from_bytes(record.entry.payload);
    }
}

fn read_snapshot(file: &[u8]) {
    let Ok(mut reader) = SnapshotReader::new(file, Zxid(1 << 32), LONGEST) else { return };
    let mut loader = Some(TreeLoader::new(TreeOptions::default()));
    while let Ok(item) = reader.read_next() {
        match item {
            ImageItem::Session(..) => {}
            ImageItem::Znode(path, record) => {
                // A loader that has refused something is of no further use.
                loader = loader.and_then(|mut it| it.insert(&path, record).ok().map(|()| it));
            }
            ImageItem::End => break,
        }
    }
}

fuzz_target!(|file: &[u8]| {
    read_log(file);
    read_snapshot(file);
});
