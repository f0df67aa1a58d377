//! From one store to another, and what breaks off in between.

use super::*;
use crate::server::checkpoints;
use crate::store::{Durability, LogEntry, MemoryStore};
use crate::tree::TreeOptions;
use bytes::Buf;
use jute::disk::StatPersisted;
use jute::{Decode, Decoder};
use std::thread::JoinHandle;
use tokio::io::{AsyncWriteExt, duplex};

const ZXID: Zxid = Zxid(0x2_0000_0007);
const HEAD: ImageHead = ImageHead { zxid: ZXID, focus: Focus::Sharp };
const LONGEST: usize = 2 << 20;
/// The packet in front of an image.
pub(super) const PACKET_BYTES: usize = 20 + OF_ONE_MOMENT.len();

/// A store with a checkpoint thread.
pub(super) struct Site<S = MemoryStore> {
    pub(super) store: Arc<S>,
    pub(super) queue: Arc<CheckpointQueue>,
    thread: JoinHandle<Result<(), StoreError>>,
}

impl<S: Store + 'static> Site<S> {
    pub(super) fn of(store: S) -> Self {
        let (store, queue) = (Arc::new(store), Arc::new(CheckpointQueue::default()));
        let of_thread = (Arc::clone(&store), Arc::clone(&queue));
        let thread = std::thread::spawn(move || checkpoints::serve(&of_thread.1, &*of_thread.0));
        Self { store, queue, thread }
    }
}

impl Site {
    fn new() -> Self {
        Self::of(MemoryStore::new())
    }

    /// Everything that is stored.
    fn contents(&self) -> (Option<TreeMark>, BTreeMap<String, Bytes>, BTreeMap<SessionId, i32>) {
        let view = self.store.view().expect("a view");
        let (mut znodes, mut sessions) = (BTreeMap::new(), BTreeMap::new());
        view.znodes(&mut |path, record| {
            znodes.insert(path.to_owned(), Bytes::copy_from_slice(record));
            Ok(())
        })
        .expect("znodes");
        view.sessions(&mut |id, timeout_ms| {
            sessions.insert(id, timeout_ms);
            Ok(())
        })
        .expect("sessions");
        (view.mark().cloned(), znodes, sessions)
    }

    fn incoming(&self) -> Incoming<'_> {
        Incoming::begin(&self.queue, TreeOptions::default(), HEAD, LONGEST).expect("a zxid")
    }

    fn end(self) -> Result<(), StoreError> {
        self.queue.close();
        self.thread.join().expect("the thread ends")
    }
}

/// A site whose tree has so many znodes, of 1000 bytes each, besides ZooKeeper's own.
async fn with_znodes(count: usize) -> Site {
    let site = Site::new();
    let mut tree = TreeLoader::new(TreeOptions::default());
    let empty = || ZnodeRecord {
        data: Some(Bytes::new()),
        acl: None,
        stat: StatPersisted { czxid: 1, ..StatPersisted::default() },
    };
    let mut znodes: Vec<_> = ["/", "/zookeeper", "/zookeeper/config", "/zookeeper/quota"]
        .into_iter()
        .map(|path| (path.to_owned(), empty()))
        .collect();
    znodes.extend((0..count).map(|number| {
        let data = Bytes::from(vec![b'x'; 1000]);
        (format!("/{number}"), ZnodeRecord { data: Some(data), ..empty() })
    }));
    let mut stored = Vec::new();
    for (path, record) in znodes {
        stored.push((path.clone(), Some(record.to_bytes())));
        tree.insert(&path, record).expect("a tree");
    }
    let sessions = vec![(SessionId(0x1234), Some(4000))];
    let kind = CheckpointKind::SnapshotBegin;
    let begin = Checkpoint { znodes: stored, sessions, kind };
    site.queue.push_part(begin).await.expect("begin");
    let kind = CheckpointKind::SnapshotEnd(TreeMark { applied: ZXID.0, digest: tree.digest() });
    let end = Checkpoint { znodes: Vec::new(), sessions: Vec::new(), kind };
    site.queue.push_part(end).await.expect("end");
    site.queue.written().await.expect("written");
    site
}

/// All bytes of an image, without the packet in front of it.
async fn image(site: &Site) -> BytesMut {
    let store = Arc::clone(&site.store);
    let mut outgoing = Outgoing::of_stored(store, site.queue.pin_log()).await.expect("open");
    let mut bytes = BytesMut::new();
    while let Some(piece) = outgoing.next().await.expect("a piece") {
        bytes.extend_from_slice(&piece);
    }
    assert_eq!(outgoing.zxid(), ZXID);
    let mut input = Decoder::new(bytes.split().freeze());
    let packet = QuorumPacket::decode(&mut input).expect("a packet");
    assert_eq!((packet.kind, packet.zxid), (15, ZXID.0));
    assert_eq!(Focus::of(&packet), Focus::Sharp);
    assert_eq!(Focus::of(&QuorumPacket { data: None, ..packet }), Focus::Fuzzy, "ZooKeeper's");
    BytesMut::from(&**input.rest())
}

#[tokio::test]
async fn a_tree_goes_from_one_store_to_another() {
    let (from, to) = (with_znodes(3000).await, Site::new());
    let (mut near, mut far) = duplex(10_000);
    let (store, pin) = (Arc::clone(&from.store), from.queue.pin_log());
    let sending = tokio::spawn(async move {
        let mut image = Outgoing::of_stored(store, pin).await.expect("open");
        while let Some(piece) = image.next().await.expect("a piece") {
            near.write_all(&piece).await.expect("sent");
        }
        near.write_all(b"behind").await.expect("sent");
    });
    let mut buffered = BytesMut::new();
    while buffered.len() < PACKET_BYTES {
        far.read_buf(&mut buffered).await.expect("the packet");
    }
    buffered.advance(PACKET_BYTES);
    let received = receive(to.incoming(), &mut far, &mut buffered).await.expect("an image");
    sending.await.expect("sent");

    assert_eq!(to.contents(), from.contents());
    assert_eq!(received.sessions, to.contents().2);
    assert_eq!(received.tree.applied_zxid(), ZXID);
    assert_eq!(Some(received.tree.digest()), from.contents().0.map(|mark| mark.digest));
    assert_eq!(received.tree.dirty_len(), 0);
    far.read_buf(&mut buffered).await.expect("the end");
    assert_eq!(&buffered[..], b"behind");
    assert_eq!((from.end(), to.end()), (Ok(()), Ok(())));
}

#[tokio::test]
async fn an_image_that_breaks_off_leaves_what_was_stored() {
    let (from, to) = (with_znodes(2000).await, with_znodes(1).await);
    let (image, before) = (image(&from).await, to.contents());
    for (length, what) in [(image.len() - 1, "almost all"), (1_500_000, "some"), (0, "nothing")] {
        let (mut near, mut far) = duplex(1 << 22);
        near.write_all(&image[..length]).await.expect("sent");
        drop(near);
        let received = receive(to.incoming(), &mut far, &mut BytesMut::new()).await;
        assert!(matches!(received, Err(SnapshotError::Link(_))), "{what}: {received:?}");
        to.queue.written().await.expect("written");
        assert_eq!(to.contents(), before, "{what}");
    }
    // And the next one is not mixed up with what is left of them.
    let mut buffered = image;
    let received = receive(to.incoming(), &mut tokio::io::empty(), &mut buffered).await;
    received.expect("an image");
    assert_eq!(to.contents(), from.contents());
}

/// What is stored is the tree that is in memory.
#[tokio::test]
async fn usage_is_counted_in_fuzzy_images_only() {
    const STATS: &str = "/zookeeper/quota/0/zookeeper_stats";
    let from = with_znodes(1).await;
    let record = |data| ZnodeRecord { data: Some(Bytes::from_static(data)), ..Default::default() };
    let znodes: Vec<_> = [
        ("/zookeeper/quota/0", &b""[..]),
        ("/zookeeper/quota/0/zookeeper_limits", b"count=9,bytes=9"),
        (STATS, b"count=7,bytes=7"),
    ]
    .map(|(path, data)| (path.to_owned(), Some(record(data).to_bytes())))
    .into();
    let mark = from.contents().0.expect("a mark");
    from.queue.push(part(CheckpointKind::Changes(mark), znodes));
    from.queue.written().await.expect("written");
    let image = image(&from).await;
    for (focus, usage) in
        [(Focus::Sharp, &b"count=7,bytes=7"[..]), (Focus::Fuzzy, b"count=1,bytes=1000")]
    {
        let to = Site::new();
        let (head, options) = (ImageHead { focus, ..HEAD }, TreeOptions::default());
        let incoming = Incoming::begin(&to.queue, options, head, LONGEST).expect("a zxid");
        let received = receive(incoming, &mut tokio::io::empty(), &mut image.clone()).await;
        let tree = received.expect("an image").tree;
        assert_eq!(tree.node(STATS).expect("there").data(), Some(usage));
        let stored = ZnodeRecord::from_bytes(to.contents().1[STATS].clone()).expect("a record");
        assert_eq!(stored.data.as_deref(), Some(usage));
        assert_eq!(tree.dirty_len(), 0);
    }
}

#[tokio::test]
async fn what_is_no_tree_is_not_stored() {
    let to = with_znodes(1).await;
    let before = to.contents();
    let znode = |path: &str| {
        let mut bytes = BytesMut::new();
        path.encode(&mut bytes);
        (-1_i32).encode(&mut bytes);
        (-1_i64).encode(&mut bytes);
        StatPersisted::default().encode(&mut bytes);
        bytes
    };
    let end = b"\0\0\0\x01/\0\0\0\x0aBenWasHere";
    let of = |paths: &[&str]| {
        let znodes: Vec<_> = paths.iter().flat_map(|path| znode(path)).collect();
        BytesMut::from(&*[&[0; 8][..], &znodes, end].concat())
    };
    for (paths, error) in [
        (&["", "/a/b"][..], LoadError::NoParent("/a/b".to_owned())),
        (&["", "/a", "/a"], LoadError::Duplicate("/a".to_owned())),
        (&["", "/a", ""], LoadError::Duplicate("/".to_owned())),
        (&["", "a"], LoadError::InvalidPath("a".to_owned())),
        (&[], LoadError::NoRoot),
    ] {
        let received = receive(to.incoming(), &mut tokio::io::empty(), &mut of(paths)).await;
        match received {
            Err(SnapshotError::Tree(found)) => assert_eq!(found, error),
            other => panic!("{paths:?}: {other:?}"),
        }
        to.queue.written().await.expect("written");
        assert_eq!(to.contents(), before);
    }
    for zxid in [Zxid(-1), Zxid(i64::MAX)] {
        let head = ImageHead { zxid, ..HEAD };
        let incoming = Incoming::begin(&to.queue, TreeOptions::default(), head, LONGEST);
        assert!(matches!(incoming, Err(SnapshotError::Zxid(_))));
    }
}

#[tokio::test]
async fn checkpoints_that_wait_are_written_before_an_image_and_later_ones_not_at_all() {
    let to = with_znodes(1).await;
    let waiting = |zxid: Zxid| Checkpoint {
        znodes: vec![(format!("/{zxid}"), Some(Bytes::new()))],
        sessions: Vec::new(),
        kind: CheckpointKind::Changes(TreeMark { applied: zxid.0, digest: 0 }),
    };
    to.queue.push(waiting(ZXID));
    to.queue.suspend();
    assert!(!to.queue.has_room());
    to.queue.push(waiting(Zxid(0)));
    let begin = Checkpoint { kind: CheckpointKind::SnapshotBegin, ..waiting(ZXID) };
    to.queue.push_part(begin).await.expect("begin");
    to.queue.written().await.expect("written");
    let expected = ["/", "/0", "/0x200000007", "/zookeeper", "/zookeeper/config"];
    let found = to.contents().1;
    assert!(expected.iter().all(|path| found.contains_key(*path)), "{:?}", found.keys());
    assert_eq!(found.len(), 6);
    to.queue.resume();
    assert!(to.queue.has_room());
    assert_eq!(to.end(), Ok(()));
}

#[tokio::test]
async fn a_store_that_fails_lets_nobody_wait() {
    let (from, to) = (with_znodes(3000).await, Site::new());
    let mut image = image(&from).await;
    to.store.fail_after(1);
    let received = receive(to.incoming(), &mut tokio::io::empty(), &mut image).await;
    assert!(matches!(received, Err(SnapshotError::Stopping(_))), "{received:?}");
    assert!(to.queue.written().await.is_err());
    assert!(matches!(to.end(), Err(StoreError::Io { .. })));

    from.store.fail_after(0);
    let kind = CheckpointKind::SnapshotBegin;
    let begin = Checkpoint { znodes: Vec::new(), sessions: Vec::new(), kind };
    from.queue.push_part(begin).await.expect("there is room");
    assert!(from.queue.written().await.is_err());
    let opened = Outgoing::of_stored(Arc::clone(&from.store) as _, from.queue.pin_log()).await;
    assert!(matches!(opened, Err(SnapshotError::Store(_))), "{opened:?}");
}

#[tokio::test]
async fn the_log_behind_an_image_stays_until_it_is_let_go() {
    let site = with_znodes(1).await;
    let entries = |range: std::ops::RangeInclusive<i64>| -> Vec<_> {
        let entry = |ahead| LogEntry { zxid: Zxid(ZXID.0 + ahead), payload: Bytes::new() };
        range.map(entry).collect()
    };
    site.store.append(&entries(1..=300_000), Durability::Unsynced).expect("append");
    let store = Arc::clone(&site.store);
    let outgoing = Outgoing::of_stored(store, site.queue.pin_log()).await.expect("open");
    // Many changes make the checkpoint thread flush the tree and then trim the log. When something
    // given later is written, it has.
    let trim = async || {
        let applied = ZXID.0 + 250_000;
        let sessions = vec![(SessionId(7), Some(1)); 100_000];
        let kind = CheckpointKind::Changes(TreeMark { applied, digest: 0 });
        let changes = Checkpoint { znodes: Vec::new(), sessions, kind };
        site.queue.push(changes);
        site.queue.written().await.expect("written");
        site.queue.written().await.expect("written");
        site.store.tail(u64::MAX, u64::MAX).expect("a tail").0 - ZXID.0
    };
    let pin = outgoing.into_pin();
    assert_eq!(trim().await, 1);
    pin.advance(Zxid(ZXID.0 + 500));
    assert_eq!(trim().await, 500);
    let other = site.queue.pin_log();
    drop(pin);
    assert_eq!(trim().await, 500, "another one needs it");
    drop(other);
    assert_eq!(trim().await, 100_001, "the end is kept for learners that come back");
    assert_eq!(site.end(), Ok(()));
}

#[tokio::test]
async fn an_image_that_nobody_takes_ends() {
    let from = with_znodes(5000).await;
    let store = Arc::clone(&from.store);
    let mut outgoing = Outgoing::of_stored(store, from.queue.pin_log()).await.expect("open");
    outgoing.next().await.expect("a piece");
    drop(outgoing);
    while Arc::strong_count(&from.store) > 2 {
        tokio::task::yield_now().await;
    }
}
