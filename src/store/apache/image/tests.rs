//! Images: written, read, damaged.

use super::*;
use crate::store::{Checkpoint, CheckpointKind, MemoryStore, Store, StoreError};
use crate::types::{Acl, SessionId, Zxid, perms};
use bytes::{BufMut, Bytes, BytesMut};
use jute::disk::{StatPersisted, TreeMark, ZnodeRecord};
use jute::{DecodeError, Encode};
use proptest::prelude::*;
use std::collections::BTreeMap;

const ZXID: Zxid = Zxid(0x1_0000_000e);
const LONGEST: usize = 2000;

type Znodes = BTreeMap<String, ZnodeRecord>;
type Sessions = BTreeMap<SessionId, i32>;

fn znode(data: &'static str, acl: Option<Vec<Acl>>) -> ZnodeRecord {
    let stat = StatPersisted { czxid: 7, pzxid: 9, version: 3, ..StatPersisted::default() };
    ZnodeRecord { data: Some(Bytes::from_static(data.as_bytes())), acl, stat }
}

fn stored(znodes: &Znodes, sessions: &Sessions) -> MemoryStore {
    let store = MemoryStore::new();
    let znodes = znodes.iter().map(|(path, record)| (path.clone(), Some(record.to_bytes())));
    let sessions = sessions.iter().map(|(id, timeout)| (*id, Some(*timeout)));
    let (znodes, sessions) = (znodes.collect(), sessions.collect());
    let begin = Checkpoint { znodes, sessions, kind: CheckpointKind::SnapshotBegin };
    store.checkpoint(&begin).expect("begin");
    let kind = CheckpointKind::SnapshotEnd(TreeMark { applied: ZXID.0, digest: 0 });
    let end = Checkpoint { znodes: Vec::new(), sessions: Vec::new(), kind };
    store.checkpoint(&end).expect("end");
    store
}

fn written(store: &MemoryStore) -> Vec<Bytes> {
    let mut pieces = Vec::new();
    let view = store.view().expect("a view");
    write_image(&*view, &mut |piece| {
        pieces.push(piece);
        Ok(())
    })
    .expect("written");
    pieces
}

fn sample() -> (Znodes, Sessions) {
    let read = Some(perms::world(perms::READ));
    let null = ZnodeRecord { data: None, acl: Some(Vec::new()), stat: StatPersisted::default() };
    let owned = StatPersisted { ephemeral_owner: -1, aversion: -1, ..StatPersisted::default() };
    let znodes = [
        ("/", znode("", None)),
        ("/zookeeper", znode("", None)),
        ("/zookeeper/config", znode("server.1=a", read.clone())),
        ("/null", null),
        ("/ä", ZnodeRecord { data: Some(Bytes::new()), acl: read, stat: owned }),
    ];
    let znodes = znodes.map(|(path, record)| (path.to_owned(), record));
    (BTreeMap::from(znodes), BTreeMap::from([(SessionId(-3), 4000), (SessionId(0x100), 6000)]))
}

/// Everything that an image holds, as the store would have it.
fn read(
    decoder: &mut ImageDecoder,
    input: &mut BytesMut,
    found: &mut (Znodes, Sessions),
) -> Result<bool, ImageError> {
    while let Some(item) = decoder.next(input)? {
        match item {
            ImageItem::Session(id, timeout) => drop(found.1.insert(id, timeout)),
            ImageItem::Znode(path, record) => {
                let path = if path.is_empty() { "/".to_owned() } else { path };
                found.0.insert(path, record);
            }
            ImageItem::End => return Ok(true),
        }
    }
    Ok(false)
}

fn read_all(image: &[u8]) -> Result<Option<(Znodes, Sessions)>, ImageError> {
    let mut found = Default::default();
    let mut decoder = ImageDecoder::new(ZXID, LONGEST);
    let complete = read(&mut decoder, &mut BytesMut::from(image), &mut found)?;
    Ok(complete.then_some(found))
}

#[test]
fn what_is_written_is_read_however_it_is_cut() {
    let (znodes, sessions) = sample();
    let image = written(&stored(&znodes, &sessions)).concat();
    assert_eq!(read_all(&image), Ok(Some((znodes.clone(), sessions.clone()))));

    for size in [1, 7, 64] {
        let (mut found, mut input) = (Default::default(), BytesMut::new());
        let mut decoder = ImageDecoder::new(ZXID, LONGEST);
        let mut chunks = [&image[..], b"behind it"].concat();
        chunks.resize(chunks.len().next_multiple_of(size), b'!');
        let mut complete = false;
        for chunk in chunks.chunks(size) {
            input.put_slice(chunk);
            complete = complete || read(&mut decoder, &mut input, &mut found).expect("an image");
        }
        assert!(complete);
        assert_eq!(found, (znodes.clone(), sessions.clone()));
        assert_eq!(input, chunks[image.len()..], "what is behind stays");
    }
}

#[test]
fn the_encoding_is_zookeepers() {
    let root = ZnodeRecord { data: None, acl: None, stat: StatPersisted::default() };
    let znodes = BTreeMap::from([
        ("/".to_owned(), root),
        ("/a".to_owned(), znode("x", Some(perms::world(1)))),
    ]);
    let mut image = BytesMut::new();
    image.put_slice(&[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0x0f, 0xa0]);
    image.put_slice(&[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1]);
    image.put_slice(b"\0\0\0\x01\0\0\0\x01\0\0\0\x05world\0\0\0\x06anyone");
    image.put_slice(&[0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
    image.put_slice(&[0xff; 8]);
    image.put_bytes(0, 60);
    image.put_slice(b"\0\0\0\x02/a\0\0\0\x01x\0\0\0\0\0\0\0\x01");
    znodes["/a"].stat.encode(&mut image);
    image.put_slice(b"\0\0\0\x01/\0\0\0\x0aBenWasHere");
    let sessions = BTreeMap::from([(SessionId(5), 4000)]);
    assert_eq!(written(&stored(&znodes, &sessions)).concat(), image);
}

#[test]
fn an_image_comes_in_pieces_of_a_bounded_size() {
    let (mut znodes, sessions) = sample();
    let data = Bytes::from(vec![b'x'; 1 << 20]);
    for name in ["/large", "/larger", "/largest"] {
        znodes.insert(name.to_owned(), ZnodeRecord { data: Some(data.clone()), ..znode("", None) });
    }
    let pieces = written(&stored(&znodes, &sessions));
    assert!(pieces.iter().all(|piece| !piece.is_empty() && piece.len() <= 256 << 10));
    assert_eq!(pieces.len(), 13);
    let (mut found, mut input) = (Default::default(), BytesMut::from(&*pieces.concat()));
    let mut decoder = ImageDecoder::new(ZXID, 1 << 20);
    assert_eq!(read(&mut decoder, &mut input, &mut found), Ok(true));
    assert_eq!(found, (znodes, sessions));
}

#[test]
fn every_beginning_waits_for_more() {
    let (znodes, sessions) = sample();
    let image = written(&stored(&znodes, &sessions)).concat();
    for end in 0..image.len() {
        assert_eq!(read_all(&image[..end]), Ok(None), "{end}");
    }
}

#[test]
fn whatever_is_damaged_the_reader_lives() {
    let (znodes, sessions) = sample();
    let image = written(&stored(&znodes, &sessions)).concat();
    for at in 0..image.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut damaged = image.clone();
            damaged[at] ^= flip;
            let _ = read_all(&damaged);
        }
    }
}

/// An image without sessions, with one list whose id is 8, and with what comes then.
fn with_znodes(rest: &[&[u8]]) -> Vec<u8> {
    let mut image = BytesMut::new();
    image.put_slice(&[0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 8]);
    perms::world(perms::READ).encode(&mut image);
    for part in rest {
        image.put_slice(part);
    }
    image.to_vec()
}

fn znode_bytes(path: &[u8], acl: i64, stat: &StatPersisted) -> Vec<u8> {
    let mut znode = BytesMut::new();
    jute::put_blob(&mut znode, path);
    jute::put_blob(&mut znode, b"data");
    acl.encode(&mut znode);
    stat.encode(&mut znode);
    znode.to_vec()
}

#[test]
fn a_list_may_be_missing_only_if_a_transaction_brings_it() {
    let old = StatPersisted { czxid: ZXID.0, ..StatPersisted::default() };
    let new = StatPersisted { czxid: ZXID.0 + 1, ..StatPersisted::default() };
    let changed = StatPersisted { czxid: 1, aversion: 1, ..StatPersisted::default() };
    let image = with_znodes(&[&znode_bytes(b"/old", 7, &old)]);
    let error = ImageError::AclMissing { path: "/old".to_owned(), id: 7 };
    assert_eq!(read_all(&image), Err(error));

    let parts = [
        znode_bytes(b"", -1, &old),
        znode_bytes(b"/known", 8, &old),
        znode_bytes(b"/new", 7, &new),
        znode_bytes(b"/changed", 7, &changed),
    ];
    let image = with_znodes(&parts.each_ref().map(|part| &part[..]));
    let (mut found, mut input) = ((Znodes::new(), Sessions::new()), BytesMut::from(&*image));
    let mut decoder = ImageDecoder::new(ZXID, LONGEST);
    assert_eq!(read(&mut decoder, &mut input, &mut found), Ok(false));
    assert_eq!(decoder.awaited_acls(), 2);
    let acls = found.0.values().map(|record| record.acl.clone());
    let nobody = Some(perms::world(0));
    let expected = [None, nobody.clone(), Some(perms::world(perms::READ)), nobody];
    assert_eq!(acls.collect::<Vec<_>>(), expected);
}

#[test]
fn a_path_that_cannot_be_kept_is_refused() {
    let stat = StatPersisted::default();
    // What ZooKeeper makes of U+1F600: two surrogates, three bytes each.
    let image = with_znodes(&[&znode_bytes(b"/a\xed\xa0\xbd\xed\xb8\x80", -1, &stat)]);
    let path = r"/a\xed\xa0\xbd\xed\xb8\x80".to_owned();
    assert_eq!(read_all(&image), Err(ImageError::Encoding { path }));

    let kept = [znode_bytes(b"", -1, &stat), znode_bytes("/\u{1}\u{1f600}".as_bytes(), -1, &stat)];
    let image = with_znodes(&[&kept[0], &kept[1], b"\0\0\0\x01/\0\0\0\x0aBenWasHere"]);
    let (znodes, _) = read_all(&image).expect("an image").expect("complete");
    assert!(znodes.contains_key("/\u{1}\u{1f600}"));
}

#[test]
fn each_kind_of_damage_has_a_name() {
    let malformed = |what, number, error| Err(ImageError::Malformed { what, number, error });
    let too_large = |length| DecodeError::TooLarge { length, limit: LONGEST };
    let stat = StatPersisted::default();
    let root = znode_bytes(b"", -1, &stat);
    for (image, expected) in [
        (vec![0xff; 4], malformed("the count of sessions", 0, DecodeError::NegativeLength(-1))),
        (
            vec![0, 0, 0, 0, 0xff, 0xff, 0xff, 0xfe],
            malformed("the count of access control lists", 0, DecodeError::NegativeLength(-2)),
        ),
        (
            [&[0; 4][..], &[0, 0, 0, 1], &[0; 8], &[0xff; 4]].concat(),
            malformed("access control list", 0, DecodeError::UnexpectedNull),
        ),
        (
            [&[0; 4][..], &[0, 0, 0, 1], &[0; 8], &[0x7f, 0, 0, 0]].concat(),
            malformed("access control list", 0, too_large(0x7f00_0000 * 12)),
        ),
        (
            with_znodes(&[&root, &[0xff; 4], &[0; 80]]),
            malformed("znode", 1, DecodeError::UnexpectedNull),
        ),
        (with_znodes(&[&[0, 0, 0x10, 0]]), malformed("znode", 0, too_large(0x1000))),
        (
            with_znodes(&[&root, &[0, 0, 0, 1, b'a', 0xff, 0xff, 0xff, 0x80]]),
            malformed("znode", 1, DecodeError::NegativeLength(-128)),
        ),
        (
            with_znodes(&[b"\0\0\0\x01/\0\0\0\x0aBenWasGone"]),
            Err(ImageError::Signature("BenWasGone".to_owned())),
        ),
    ] {
        assert_eq!(read_all(&image), expected, "{image:?}");
    }
}

#[test]
fn what_is_stored_must_be_whole_to_be_sent() {
    let write = |store: &MemoryStore| {
        let view = store.view().expect("a view");
        write_image(&*view, &mut |_| Ok(()))
    };
    let error = write(&MemoryStore::new());
    assert_eq!(error, Err(StoreError::Refused("there is no tree yet".to_owned())));

    for record in
        [vec![0xff; 30], vec![0, 0, 1, 0, 7], [&[0xff; 4][..], &[9; 7], &[0; 60]].concat()]
    {
        let store = MemoryStore::new();
        let znodes = vec![("/".to_owned(), Some(Bytes::from(record)))];
        let kind = CheckpointKind::Changes(TreeMark::default());
        store.checkpoint(&Checkpoint { znodes, sessions: Vec::new(), kind }).expect("written");
        let error = write(&store);
        assert!(matches!(error, Err(StoreError::Corrupt { .. })), "{error:?}");
    }
}

fn record() -> impl Strategy<Value = ZnodeRecord> {
    let data = prop::option::of(prop::collection::vec(any::<u8>(), 0..100));
    let acl = prop::option::of(prop::collection::vec((0..32, "[a-z]{0,5}", "[a-z:]{0,5}"), 0..3));
    let stat = (any::<[i64; 6]>(), any::<[i32; 3]>());
    (data, acl, stat).prop_map(|(data, acl, (longs, ints))| {
        let [czxid, mzxid, ctime, mtime, ephemeral_owner, pzxid] = longs;
        let [version, cversion, aversion] = ints;
        let acl = acl.map(|acl| {
            let entry = |(perms, scheme, id)| Acl { perms, id: crate::types::Id { scheme, id } };
            acl.into_iter().map(entry).collect()
        });
        let stat = StatPersisted {
            czxid,
            mzxid,
            ctime,
            mtime,
            version,
            cversion,
            aversion,
            ephemeral_owner,
            pzxid,
        };
        ZnodeRecord { data: data.map(Bytes::from), acl, stat }
    })
}

proptest! {
    #[test]
    fn every_tree_comes_back(
        mut znodes in prop::collection::btree_map("/[a-zäß☃\u{1f600}]{1,6}", record(), 0..20),
        root in record(),
        sessions in prop::collection::btree_map(any::<i64>(), any::<i32>(), 0..5),
        size in 1_usize..500,
    ) {
        znodes.insert("/".to_owned(), root);
        let sessions = sessions.into_iter().map(|(id, timeout)| (SessionId(id), timeout)).collect();
        let image = written(&stored(&znodes, &sessions)).concat();
        let (mut found, mut input) = (Default::default(), BytesMut::new());
        let mut decoder = ImageDecoder::new(ZXID, LONGEST);
        let mut complete = false;
        for chunk in image.chunks(size) {
            prop_assert!(!complete);
            input.put_slice(chunk);
            complete = read(&mut decoder, &mut input, &mut found).expect("an image");
        }
        prop_assert!(complete && input.is_empty());
        prop_assert_eq!(found, (znodes, sessions));
    }
}
