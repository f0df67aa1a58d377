//! What images and the log cost, measured: memory beyond the tree, and speed.
//!
//! `cargo test --release --lib measure -- --ignored --nocapture --test-threads 1`, with the bytes
//! of data in a znode in `ZNODE_BYTES` if they shall be others than 100.

use super::tests::{PACKET_BYTES, Site};
use super::*;
use crate::store::{Durability, LogEntry, RocksOptions, RocksStore};
use crate::types::Epoch;
use jute::disk::{StatPersisted, ZnodeRecord};
use std::path::Path;
use std::time::Instant;
use tokio::io::{AsyncWrite, AsyncWriteExt, duplex};

const ZNODES: usize = 1_000_000;
const PER_PARENT: usize = 1000;
const BUDGET_KIB: u64 = 64 << 10;

/// A line of `/proc/self/status`, in KiB.
fn memory(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let found = status.lines().find_map(|found| found.strip_prefix(line));
    let words = found.expect("the line is there").trim_start_matches(':').split_whitespace();
    words.map_while(|word| word.parse().ok()).next().expect("a number")
}

/// Lets `VmHWM`, the peak, begin anew.
fn forget_peak() {
    std::fs::write("/proc/self/clear_refs", "5").expect("may be written");
}

fn znodes() -> impl Iterator<Item = (String, ZnodeRecord)> {
    let size = std::env::var("ZNODE_BYTES").ok().and_then(|size| size.parse().ok());
    let data = Some(Bytes::from(vec![b'x'; size.unwrap_or(100)]));
    let stat = StatPersisted { czxid: 1, ..StatPersisted::default() };
    let record = ZnodeRecord { data, acl: None, stat };
    let root = std::iter::once((String::new(), record.clone()));
    root.chain((0..ZNODES).map(move |number| {
        let (parent, name) = (number / PER_PARENT, number % PER_PARENT);
        let path = if name == 0 { format!("/p{parent}") } else { format!("/p{parent}/name{name}") };
        (path, record.clone())
    }))
}

fn site(dir: &Path) -> Site<RocksStore> {
    Site::of(RocksStore::open(dir, &RocksOptions::default()).expect("open"))
}

async fn send_all(site: &Site<RocksStore>, mut link: impl AsyncWrite + Unpin) -> u64 {
    let store = Arc::clone(&site.store);
    let mut image = Outgoing::of_stored(store, site.queue.pin_log()).await.expect("open");
    let mut bytes = 0;
    while let Some(piece) = image.next().await.expect("a piece") {
        bytes += piece.len() as u64;
        link.write_all(&piece).await.expect("sent");
    }
    bytes
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn a_million_znodes_are_sent_and_received() {
    let dirs = [(); 2].map(|()| tempfile::tempdir().expect("a directory"));
    let from = site(dirs[0].path());
    let options = TreeOptions::default();
    let head = ImageHead { zxid: Zxid(0x1_0000_0001), focus: Focus::Sharp };
    let mut incoming = Incoming::begin(&from.queue, options, head, 2 << 20).expect("a zxid");
    for (path, record) in znodes() {
        incoming.add(path, record).expect("a tree");
        incoming.pass_on().await.expect("stored");
    }
    let tree = incoming.finish().await.expect("stored").tree;
    let (start, base) = (Instant::now(), memory("VmRSS"));
    forget_peak();
    let bytes = send_all(&from, tokio::io::sink()).await;
    let extra = memory("VmHWM").saturating_sub(base);
    println!(
        "sent {} znodes, {} MiB, in {} ms; {} MiB in memory with the tree, {extra} KiB on top",
        tree.node_count(),
        bytes >> 20,
        start.elapsed().as_millis(),
        base >> 10,
    );
    assert!(extra <= BUDGET_KIB, "{extra} KiB");

    drop(tree);
    let (to, start) = (site(dirs[1].path()), Instant::now());
    let before = memory("VmRSS");
    forget_peak();
    let (near, mut far) = duplex(64 << 10);
    let sending = async {
        send_all(&from, near).await;
    };
    let receiving = async {
        let mut packet = [0; PACKET_BYTES];
        far.read_exact(&mut packet).await.expect("the packet");
        let incoming = Incoming::begin(&to.queue, options, head, 2 << 20).expect("a zxid");
        receive(incoming, &mut far, &mut BytesMut::new()).await.expect("an image")
    };
    let ((), received) = tokio::join!(sending, receiving);
    let (after, peak) = (memory("VmRSS"), memory("VmHWM"));
    let extra = peak.saturating_sub(after);
    println!(
        "received {} znodes in {} ms; {} MiB in memory before and {} after, at most {extra} KiB \
         more between",
        received.tree.node_count(),
        start.elapsed().as_millis(),
        before >> 10,
        after >> 10,
    );
    assert!(extra <= 2 * BUDGET_KIB, "both sides together: {extra} KiB");
}

#[test]
#[ignore = "a measurement"]
fn a_hundred_thousand_entries_are_read() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = RocksStore::open(dir.path(), &RocksOptions::default()).expect("open");
    let zxid = |counter| Zxid::new(Epoch(1), counter);
    let payload = Bytes::from(vec![b'x'; 250]);
    for first in (1..=200_000).step_by(100) {
        let entry = |counter| LogEntry { zxid: zxid(counter), payload: payload.clone() };
        let batch: Vec<_> = (first..first + 100).map(entry).collect();
        store.append(&batch, Durability::Unsynced).expect("append");
    }
    for max_bytes in [64 << 10, 1 << 20] {
        let (start, mut from, mut read) = (Instant::now(), zxid(100_001), 0);
        loop {
            let entries = store.read_log(from, max_bytes).expect("read");
            let Some(last) = entries.last() else { break };
            (from, read) = (last.zxid.next(), read + entries.len());
        }
        assert_eq!(read, 100_000);
        let millis = start.elapsed().as_millis();
        println!("{read} entries in {millis} ms, {} KiB at a time", max_bytes >> 10);
    }
}
