//! Snapshots that are whole, cut short and damaged, and those of Apache ZooKeeper itself.

use super::*;
use crate::store::{Checkpoint, CheckpointKind, MemoryStore, Store};
use crate::types::{Acl, SessionId, perms};
use jute::disk::{StatPersisted, TreeMark, ZnodeRecord};
use std::collections::BTreeMap;

const ZXID: Zxid = Zxid(0x1_0000_000e);
const LONGEST: usize = 2000;
/// Written by a member of an ensemble of ZooKeeper 3.8.0.
const THEIRS: &[u8] =
    include_bytes!("../../../../tests/golden/apache/observer/version-2/snapshot.10000000e");

fn znode(data: &'static str, acl: Option<Vec<Acl>>) -> ZnodeRecord {
    let stat = StatPersisted { czxid: 7, pzxid: 9, version: 3, ..StatPersisted::default() };
    ZnodeRecord { data: Some(Bytes::from_static(data.as_bytes())), acl, stat }
}

fn snapshot(digest: i64) -> Vec<u8> {
    snapshot_with(digest, Trailer::Digest)
}

fn snapshot_with(digest: i64, trailer: Trailer) -> Vec<u8> {
    let znodes = [("/", znode("", None)), ("/a", znode("data", Some(perms::world(1))))];
    let znodes = znodes.map(|(path, record)| (path.to_owned(), Some(record.to_bytes())));
    let store = MemoryStore::new();
    let kind = CheckpointKind::SnapshotBegin;
    let sessions = vec![(SessionId(5), Some(4000))];
    store.checkpoint(&Checkpoint { znodes: znodes.to_vec(), sessions, kind }).expect("begin");
    let kind = CheckpointKind::SnapshotEnd(TreeMark { applied: ZXID.0, digest });
    let end = Checkpoint { znodes: Vec::new(), sessions: Vec::new(), kind };
    store.checkpoint(&end).expect("end");
    let mut file = Vec::new();
    let view = store.view().expect("a view");
    write_snapshot(&*view, trailer, &mut |piece| {
        file.extend_from_slice(&piece);
        Ok(())
    })
    .expect("written");
    file
}

/// What is in a snapshot: paths and data, sessions, the digest.
type Content = (BTreeMap<String, Option<Bytes>>, Vec<(SessionId, i32)>, Option<ZxidDigest>);

fn read(file: &[u8]) -> Result<Content, SnapshotFileError> {
    let (mut znodes, mut sessions) = (BTreeMap::new(), Vec::new());
    let mut reader = SnapshotReader::new(file, ZXID, LONGEST)?;
    loop {
        match reader.read_next()? {
            ImageItem::Session(id, timeout_ms) => sessions.push((id, timeout_ms)),
            ImageItem::Znode(path, record) => drop(znodes.insert(path, record.data)),
            ImageItem::End => return Ok((znodes, sessions, reader.digest())),
        }
    }
}

#[test]
fn what_is_written_is_read() {
    let (znodes, sessions, digest) = read(&snapshot(77)).expect("a snapshot");
    assert_eq!(znodes.into_keys().collect::<Vec<_>>(), ["", "/a"]);
    assert_eq!(sessions, [(SessionId(5), 4000)]);
    assert_eq!(digest, Some(ZxidDigest { zxid: ZXID, digest: Some(77) }));
    let (_, _, digest) = read(&snapshot_with(77, Trailer::DigestAndZxid)).expect("a snapshot");
    assert_eq!(digest, Some(ZxidDigest { zxid: ZXID, digest: Some(77) }));
    let (.., digest) = read(&snapshot(0)).expect("a snapshot");
    assert_eq!(digest, Some(ZxidDigest { zxid: Zxid::ZERO, digest: Some(0) }));
}

#[test]
fn zookeepers_own_is_read() {
    let (znodes, sessions, digest) = read(THEIRS).expect("a snapshot");
    assert_eq!(znodes.len(), 8);
    assert_eq!(sessions, []);
    assert_eq!(digest, Some(ZxidDigest { zxid: Zxid::ZERO, digest: Some(0) }), "it learned all");
}

#[test]
fn the_sections_of_other_versions_are_told_apart() {
    let whole = snapshot(77);
    let section = 8 + 4 + 8 + SEAL_BYTES;
    let bare = &whole[..whole.len() - section];
    assert_eq!(read(bare).expect("as 3.5 writes it").2, None);
    assert_eq!(snapshot_with(77, Trailer::None), bare);
    let with_last_zxid = |file: &[u8]| {
        let (mut file, mut sum) = (BytesMut::from(file), Sum::default());
        file.put_i64(ZXID.0);
        sum.write(&file);
        file.extend_from_slice(&seal(&sum));
        file
    };
    let digest = Some(ZxidDigest { zxid: ZXID, digest: Some(77) });
    assert_eq!(read(&with_last_zxid(&whole)).expect("as 3.9 writes it").2, digest);
    assert_eq!(read(&with_last_zxid(bare)).expect("as 3.9 without digests").2, None);
    let twice = with_last_zxid(&with_last_zxid(&whole));
    assert_eq!(read(&twice), Err(SnapshotFileError::Longer));
}

#[test]
fn a_snapshot_that_is_cut_is_none() {
    let whole = snapshot(77);
    let section = 8 + 4 + 8 + SEAL_BYTES;
    for length in 0..whole.len() {
        let cut = read(&whole[..length]);
        // As 3.5 writes it.
        let is_whole = length == whole.len() - section;
        assert_eq!(cut.is_ok(), is_whole, "of {length} bytes: {cut:?}");
    }
}

#[test]
fn damage_anywhere_is_noticed() {
    for whole in [snapshot(77), THEIRS.to_vec()] {
        for at in 0..whole.len() {
            for change in [1, 0x80, 0xff] {
                let mut damaged = whole.clone();
                damaged[at] ^= change;
                let is_text_of_seal = whole[at] == b'/' && at > whole.len() - 2 * 40;
                let read = read(&damaged);
                assert!(read.is_err() || is_text_of_seal, "byte {at} ^ {change}: {read:?}");
            }
        }
    }
}

#[test]
fn what_is_no_snapshot_is_refused() {
    assert_eq!(read(b""), Err(SnapshotFileError::NoSnapshot));
    assert_eq!(read(&[0; 100]), Err(SnapshotFileError::NoSnapshot));
    let mut long = snapshot(77);
    long.resize(long.len() + 10_000, 0);
    assert_eq!(read(&long), Err(SnapshotFileError::Longer));
}
