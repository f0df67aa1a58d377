//! The image that Apache ZooKeeper sent to an observer, and what followed it on the link: our tree
//! must be the leader's after every transaction.

use bytes::{Bytes, BytesMut};
use jute::disk::TreeMark;
use jute::quorum::QuorumPacket;
use jute::{Decode, Decoder, Encode};
use std::collections::BTreeMap;
use zabra::store::apache::{ImageDecoder, ImageItem, write_image};
use zabra::store::{Checkpoint, CheckpointKind, MemoryStore, Store};
use zabra::tree::{Transaction, Tree, TreeLoader, TreeOptions};
use zabra::types::{SessionId, Zxid};

const STREAM: &[u8] = include_bytes!("golden/snap.bin");
const SNAP: i32 = 15;
const PROPOSAL: i32 = 2;
const INFORM: i32 = 8;
const ZXID: Zxid = Zxid(0x1_0000_000e);
const LONGEST: usize = 2_097_150;

/// An image as it was read, in a tree and in a store.
struct Read {
    tree: Tree,
    store: MemoryStore,
    sessions: BTreeMap<SessionId, i32>,
    paths: Vec<String>,
}

/// Reads an image off the front of `input`.
fn read(input: &mut BytesMut) -> Read {
    let mut decoder = ImageDecoder::new(ZXID, LONGEST);
    let mut loader = TreeLoader::new(TreeOptions::default());
    let (mut sessions, mut paths) = (BTreeMap::new(), Vec::new());
    let kind = CheckpointKind::SnapshotBegin;
    let mut stored = Checkpoint { znodes: Vec::new(), sessions: Vec::new(), kind };
    loop {
        match decoder.next(input).expect("an image").expect("all of it") {
            ImageItem::Session(id, timeout_ms) => {
                sessions.insert(id, timeout_ms);
                stored.sessions.push((id, Some(timeout_ms)));
            }
            ImageItem::Znode(path, record) => {
                paths.push(path.clone());
                let key = if path.is_empty() { "/" } else { &path };
                stored.znodes.push((key.to_owned(), Some(record.to_bytes())));
                loader.insert(&path, record).expect("a tree");
            }
            ImageItem::End => break,
        }
    }
    let mark = TreeMark { applied: ZXID.0, digest: loader.digest() };
    let store = MemoryStore::new();
    store.checkpoint(&stored).expect("begin");
    let kind = CheckpointKind::SnapshotEnd(mark);
    let end = Checkpoint { znodes: Vec::new(), sessions: Vec::new(), kind };
    store.checkpoint(&end).expect("end");
    assert_eq!(decoder.awaited_acls(), 0);
    Read { tree: loader.finish_fuzzy(ZXID).expect("a tree"), store, sessions, paths }
}

/// The stream up to the image, and what is behind its packet.
fn behind_snap() -> BytesMut {
    let mut stream = Decoder::new(Bytes::from_static(STREAM));
    loop {
        let packet = QuorumPacket::decode(&mut stream).expect("a packet");
        if packet.kind == SNAP {
            assert_eq!(Zxid(packet.zxid), ZXID);
            return BytesMut::from(&**stream.rest());
        }
    }
}

#[test]
fn zookeepers_image_and_what_follows_lead_to_the_leaders_trees() {
    let mut input = behind_snap();
    let Read { mut tree, sessions, paths, .. } = read(&mut input);
    assert_eq!(paths.first().map(String::as_str), Some(""));
    assert!(paths.iter().any(|path| path == "/zookeeper/config"));
    assert!(sessions.is_empty());
    assert_eq!(tree.last_zxid(), ZXID);
    assert_eq!(tree.dirty_len(), 0, "nothing is missing in ZooKeeper's images");

    let (mut rest, mut compared) = (Decoder::new(input.freeze()), 0);
    while rest.remaining() > 0 {
        let packet = QuorumPacket::decode(&mut rest).expect("a packet");
        if !matches!(packet.kind, PROPOSAL | INFORM) {
            continue;
        }
        let txn = Transaction::from_bytes(packet.data.expect("data")).expect("a transaction");
        tree.apply(&txn, &mut Vec::new());
        if let Some(digest) = txn.digest {
            assert_eq!(tree.digest(), digest.tree_digest, "after {:?}", txn.header);
            compared += 1;
        }
    }
    assert_eq!(compared, 2, "the leader noted so many digests");
}

#[test]
fn what_was_zookeepers_image_can_be_sent_on() {
    let first = read(&mut behind_snap());
    let mut image = BytesMut::new();
    let view = first.store.view().expect("a view");
    write_image(&*view, &mut |piece| {
        image.extend_from_slice(&piece);
        Ok(())
    })
    .expect("written");
    let second = read(&mut image);
    assert!(image.is_empty());
    assert_eq!(second.sessions, first.sessions);
    assert_eq!(second.tree.digest(), first.tree.digest());
    let znodes = |tree: &Tree| tree.dump().collect::<BTreeMap<_, _>>();
    assert_eq!(znodes(&second.tree), znodes(&first.tree));
}
