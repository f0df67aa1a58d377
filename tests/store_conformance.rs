//! What every store must do, run against each of them.

mod store_support;

use bytes::Bytes;
use jute::Decode;
use jute::disk::ZnodeRecord;
use std::collections::BTreeMap;
use store_support::{
    Contents, Harness, changes, checkpoint, entries, entry, load, mark, znode, zxid,
};
use zabra::store::{CheckpointKind, Durability, Item, Loaded, LogEntry, Meta, StoreError, View};
use zabra::types::{Epoch, ServerId, SessionId, Zxid};

fn a_fresh_store_is_empty<H: Harness>() {
    let harness = H::fresh();
    let (loaded, contents) = load(harness.store());
    let expected = Loaded { meta: Meta::default(), applied: Zxid::ZERO, last: Zxid::ZERO };
    assert_eq!(loaded, expected);
    assert_eq!(contents, Contents::default());
    assert_eq!(harness.store().flush(), Ok(Zxid::ZERO));
}

fn synced_entries_survive<H: Harness>() {
    let harness = H::fresh();
    harness.store().append(&entries(1..=3), Durability::Synced).expect("append");
    harness.store().append(&[], Durability::Synced).expect("append nothing");
    harness.store().append(&entries(4..=4), Durability::Synced).expect("append");
    let harness = harness.crash(true);
    let (loaded, contents) = load(harness.store());
    assert_eq!(loaded.last, zxid(4));
    assert_eq!(contents.entries, entries(1..=4));
    harness.store().append(&entries(5..=5), Durability::Synced).expect("the log goes on");
}

fn unsynced_entries_survive_the_process<H: Harness>() {
    let harness = H::fresh();
    harness.store().append(&entries(1..=3), Durability::Unsynced).expect("append");
    let harness = harness.crash(false);
    assert_eq!(load(harness.store()).1.entries, entries(1..=3));
}

fn a_synced_append_syncs_what_came_before<H: Harness>() {
    let harness = H::fresh();
    harness.store().append(&entries(1..=3), Durability::Unsynced).expect("append");
    harness.store().append(&entries(4..=4), Durability::Synced).expect("append");
    let harness = harness.crash(true);
    assert_eq!(load(harness.store()).1.entries, entries(1..=4));
}

fn entries_of_any_size_come_back<H: Harness>() {
    let mut harness = H::fresh();
    // Around the size of a block of the write-ahead log, too.
    let sizes = [0, 1, 31, 32_700, 32_749, 32_768, 100_000, 1 << 20];
    let mut all = Vec::new();
    for (counter, size) in (1..).zip(sizes) {
        let entry = entry(zxid(counter), size);
        harness.store().append(std::slice::from_ref(&entry), Durability::Synced).expect("append");
        all.push(entry);
        harness = harness.crash(true);
        assert_eq!(load(harness.store()).1.entries, all);
    }
}

fn entries_out_of_order_are_refused<H: Harness>() {
    let harness = H::fresh();
    harness.store().append(&entries(1..=3), Durability::Synced).expect("append");
    for wrong in [zxid(3), zxid(5), Zxid::new(Epoch(0), 4), Zxid::new(Epoch(2), 2)] {
        let error = harness.store().append(&[entry(wrong, 1)], Durability::Synced);
        assert_eq!(error, Err(StoreError::OutOfOrder { last: zxid(3), next: wrong }));
    }
    let next_epoch = Zxid::new(Epoch(2), 1);
    harness.store().append(&[entry(next_epoch, 1)], Durability::Synced).expect("a later epoch");
    assert_eq!(load(harness.store()).0.last, next_epoch);
}

fn reading_is_bounded<H: Harness>() {
    let harness = H::fresh();
    let store = harness.store();
    store.append(&entries(1..=10), Durability::Synced).expect("append");
    let read = |from, bytes| store.read_log(zxid(from), bytes).expect("read");
    assert_eq!(read(1, usize::MAX), entries(1..=10));
    assert_eq!(read(4, 60), entries(4..=6));
    assert_eq!(read(4, 61), entries(4..=7));
    assert_eq!(read(4, 0), entries(4..=4), "one entry at least");
    assert_eq!(read(11, 100), []);
    assert_eq!(store.read_log(Zxid::ZERO, 1), Ok(entries(1..=1)));
}

fn truncation_is_durable<H: Harness>() {
    let harness = H::fresh();
    harness.store().append(&entries(1..=9), Durability::Synced).expect("append");
    harness.store().truncate(zxid(6)).expect("truncate");
    harness.store().truncate(zxid(20)).expect("nothing to truncate");
    let harness = harness.crash(true);
    assert_eq!(load(harness.store()).1.entries, entries(1..=6));
    let other = LogEntry { zxid: zxid(7), payload: Bytes::from_static(b"other") };
    harness.store().append(std::slice::from_ref(&other), Durability::Synced).expect("append");
    let harness = harness.crash(true);
    let (loaded, contents) = load(harness.store());
    assert_eq!(loaded.last, zxid(7));
    assert_eq!(contents.entries[6..], [other]);
}

fn truncation_ends_at_an_entry<H: Harness>() {
    let harness = H::fresh();
    harness.store().append(&entries(1..=3), Durability::Synced).expect("append");
    let next_epoch = Zxid::new(Epoch(2), 1);
    harness.store().append(&[entry(next_epoch, 1)], Durability::Synced).expect("append");
    harness.store().truncate(Zxid::new(Epoch(1), 500)).expect("truncate");
    harness.store().append(&entries(4..=4), Durability::Synced).expect("append after the end");
    assert_eq!(load(harness.store()).0.last, zxid(4));
}

fn truncation_never_undoes_the_tree<H: Harness>() {
    let harness = H::fresh();
    harness.store().append(&entries(1..=9), Durability::Synced).expect("append");
    harness.store().checkpoint(&changes(&[("/a", Some("1"))], zxid(5))).expect("checkpoint");
    let error = StoreError::BelowApplied { last: zxid(4), applied: zxid(5) };
    assert_eq!(harness.store().truncate(zxid(4)), Err(error));
    harness.store().truncate(zxid(5)).expect("truncate");
    assert_eq!(harness.store().flush(), Ok(zxid(5)));
    harness.store().trim(zxid(6)).expect("trim");
    let harness = harness.crash(true);
    assert_eq!(load(harness.store()).0.last, zxid(5));
}

fn a_flushed_tree_survives<H: Harness>() {
    let harness = H::fresh();
    let store = harness.store();
    store.append(&entries(1..=9), Durability::Synced).expect("append");
    let mut first = changes(&[("/", Some("")), ("/a", Some("1")), ("/a/b", Some("2"))], zxid(3));
    first.sessions = vec![(SessionId(-5), Some(4_000)), (SessionId(77), Some(30_000))];
    store.checkpoint(&first).expect("checkpoint");
    let mut second = changes(&[("/a/b", None), ("/a", Some("3")), ("/a-c", Some(""))], zxid(5));
    second.sessions = vec![(SessionId(-5), None), (SessionId(77), Some(9_000))];
    store.checkpoint(&second).expect("checkpoint");
    assert_eq!(store.flush(), Ok(zxid(5)));
    let unchanged = load(store);

    let harness = harness.crash(true);
    let (loaded, contents) = load(harness.store());
    assert_eq!((loaded, contents.clone()), unchanged);
    assert_eq!(loaded, Loaded { meta: Meta::default(), applied: zxid(5), last: zxid(9) });
    assert_eq!(contents.paths(), ["/", "/a", "/a-c"]);
    assert_eq!(contents.znodes["/a"], znode("3"));
    assert_eq!(contents.sessions, BTreeMap::from([(SessionId(77), 9_000)]));
    assert_eq!(contents.mark, Some(mark(zxid(5))));
    assert_eq!(contents.entries, entries(6..=9));
}

fn sessions_come_by_ascending_id<H: Harness>() {
    let harness = H::fresh();
    harness.store().append(&entries(1..=1), Durability::Synced).expect("append");
    let mut changes = changes(&[], zxid(1));
    let ids = [5, i64::MAX, -1, i64::MIN, 0x0100_0000_0000_0000].map(SessionId);
    changes.sessions = ids.iter().map(|id| (*id, Some(1))).collect();
    harness.store().checkpoint(&changes).expect("checkpoint");
    // The order is looked at where the items are collected.
    assert_eq!(load(harness.store()).1.sessions.len(), ids.len());
}

fn a_lost_checkpoint_is_made_again_from_the_log<H: Harness>() {
    let harness = H::fresh();
    let store = harness.store();
    store.append(&entries(1..=9), Durability::Synced).expect("append");
    store.checkpoint(&changes(&[("/a", Some("1"))], zxid(3))).expect("checkpoint");
    store.flush().expect("flush");
    store.trim(zxid(4)).expect("trim");
    store.checkpoint(&changes(&[("/a", Some("2"))], zxid(8))).expect("checkpoint");
    let harness = harness.crash(true);
    let (loaded, contents) = load(harness.store());
    assert_eq!((loaded.applied, loaded.last), (zxid(3), zxid(9)));
    assert_eq!(contents.znodes["/a"], znode("1"));
    assert_eq!(contents.entries, entries(4..=9));
}

fn an_unsynced_log_is_never_behind_the_tree<H: Harness>() {
    let harness = H::fresh();
    harness.store().append(&entries(1..=3), Durability::Unsynced).expect("append");
    harness.store().checkpoint(&changes(&[("/a", Some("1"))], zxid(3))).expect("checkpoint");
    harness.store().append(&entries(4..=4), Durability::Unsynced).expect("append");
    assert_eq!(harness.store().flush(), Ok(zxid(3)));
    let harness = harness.crash(true);
    let (loaded, _) = load(harness.store());
    assert!(loaded.last >= zxid(3));
    assert_eq!(loaded.applied, zxid(3));
}

fn a_trimmed_log_says_where_it_begins<H: Harness>() {
    let harness = H::fresh();
    let store = harness.store();
    store.append(&entries(1..=9), Durability::Synced).expect("append");
    store.checkpoint(&changes(&[("/", Some(""))], zxid(9))).expect("checkpoint");
    store.flush().expect("flush");
    store.trim(zxid(4)).expect("trim");
    store.trim(zxid(2)).expect("already done");
    let harness = harness.crash(true);
    let store = harness.store();
    load(store);
    let trimmed = |from, floor| Err(StoreError::Trimmed { from: zxid(from), floor: zxid(floor) });
    assert_eq!(store.read_log(zxid(3), 1), trimmed(3, 4));
    assert_eq!(store.read_log(zxid(4), usize::MAX), Ok(entries(4..=9)));

    store.trim(zxid(10)).expect("trim all");
    let harness = harness.crash(true);
    let store = harness.store();
    let (loaded, contents) = load(store);
    assert_eq!((loaded.last, contents.entries), (zxid(9), Vec::new()));
    assert_eq!(store.read_log(zxid(9), 1), trimmed(9, 10));
    assert_eq!(store.read_log(zxid(10), 1), Ok(Vec::new()));
    store.append(&entries(10..=10), Durability::Synced).expect("the log goes on");
}

fn the_tail_is_no_less_than_asked_for<H: Harness>() {
    let harness = H::fresh();
    let store = harness.store();
    assert_eq!(store.tail(10, 10), Ok(Zxid::ZERO), "an empty log");
    for counter in 1..=400 {
        store.append(&[entry(zxid(counter), 5_000)], Durability::Unsynced).expect("append");
    }
    let last = 400_i64;
    let count = |tail: Zxid| last - (tail.0 - zxid(0).0) + 1;
    for asked in [1, 50, 200] {
        let by_entries = count(store.tail(asked, u64::MAX).expect("a tail"));
        let by_bytes = count(store.tail(u64::MAX, asked * 5_000).expect("a tail"));
        let asked = asked.cast_signed();
        // A buffer of 64 KiB, or a few, is in no file yet, and files are not split.
        for found in [by_entries, by_bytes] {
            assert!(found >= asked && found < asked + 100, "{asked}: {found}");
        }
    }
    let both = store.tail(50, 200 * 5_000).expect("a tail");
    assert_eq!(Ok(both), store.tail(50, u64::MAX), "whichever is less");
    assert_eq!(store.tail(u64::MAX, u64::MAX), Ok(Zxid::ZERO));

    store.checkpoint(&changes(&[("/", Some(""))], zxid(400))).expect("checkpoint");
    store.flush().expect("flush");
    store.trim(zxid(390)).expect("trim");
    assert_eq!(store.tail(u64::MAX, u64::MAX), Ok(zxid(390)));
    assert!(store.tail(200, u64::MAX).expect("a tail") >= zxid(390), "no more than there is");
}

fn meta_is_durable<H: Harness>() {
    let harness = H::fresh();
    let meta =
        Meta { accepted_epoch: Epoch(5), current_epoch: Epoch(4), server: Some(ServerId(3)) };
    harness.store().set_meta(&Meta::default()).expect("set");
    harness.store().set_meta(&meta).expect("set");
    let harness = harness.crash(true);
    assert_eq!(load(harness.store()).0.meta, meta);
}

/// A store whose log ends at 1.9 and whose tree is as of 1.5.
fn used<H: Harness>() -> H {
    let harness = H::fresh();
    let store = harness.store();
    store.append(&entries(1..=9), Durability::Synced).expect("append");
    let mut old = changes(&[("/", Some("")), ("/old", Some("1"))], zxid(5));
    old.sessions = vec![(SessionId(1), Some(1))];
    store.checkpoint(&old).expect("checkpoint");
    store.flush().expect("flush");
    harness
}

fn a_snapshot_takes_the_place_of_everything<H: Harness>() {
    let harness = used::<H>();
    let end = Zxid::new(Epoch(3), 40);
    let begin = checkpoint(&[("/", Some(""))], CheckpointKind::SnapshotBegin);
    harness.store().checkpoint(&begin).expect("begin");
    let part = checkpoint(&[("/new", Some("2"))], CheckpointKind::SnapshotPart);
    harness.store().checkpoint(&part).expect("part");
    let mut last = checkpoint(&[("/newer", Some("3"))], CheckpointKind::SnapshotEnd(mark(end)));
    last.sessions = vec![(SessionId(2), Some(2))];
    harness.store().checkpoint(&last).expect("end");

    let check = |harness: &H| {
        let (loaded, contents) = load(harness.store());
        assert_eq!(loaded, Loaded { meta: Meta::default(), applied: end, last: end });
        assert_eq!(contents.paths(), ["/", "/new", "/newer"]);
        assert_eq!(contents.sessions, BTreeMap::from([(SessionId(2), 2)]));
        assert_eq!(contents.mark, Some(mark(end)));
        assert_eq!(contents.entries, []);
    };
    check(&harness);
    let harness = harness.crash(true);
    check(&harness);

    let next = entry(end.next(), 5);
    harness.store().append(std::slice::from_ref(&next), Durability::Synced).expect("append");
    harness.store().checkpoint(&changes(&[("/new", None)], end.next())).expect("checkpoint");
    assert_eq!(harness.store().flush(), Ok(end.next()));
    let harness = harness.crash(true);
    let (loaded, contents) = load(harness.store());
    assert_eq!((loaded.applied, loaded.last), (end.next(), end.next()));
    assert_eq!(contents.paths(), ["/", "/newer"]);
}

fn a_snapshot_may_be_older_than_the_log<H: Harness>() {
    let mut harness = used::<H>();
    for end in [zxid(7), zxid(4)] {
        let begin = checkpoint(&[("/", Some(""))], CheckpointKind::SnapshotBegin);
        harness.store().checkpoint(&begin).expect("begin");
        let last = checkpoint(&[], CheckpointKind::SnapshotEnd(mark(end)));
        harness.store().checkpoint(&last).expect("end");
        harness = harness.crash(true);
        let (loaded, contents) = load(harness.store());
        assert_eq!((loaded.applied, loaded.last), (end, end));
        assert_eq!(contents.paths(), ["/"]);
        let other = LogEntry { zxid: end.next(), payload: Bytes::from_static(b"other") };
        harness.store().append(std::slice::from_ref(&other), Durability::Synced).expect("append");
        harness = harness.crash(true);
        assert_eq!(load(harness.store()).1.entries, [other]);
    }
}

fn an_unfinished_snapshot_leaves_what_was<H: Harness>() {
    let harness = used::<H>();
    let before = load(harness.store());
    let begin = checkpoint(&[("/half", Some(""))], CheckpointKind::SnapshotBegin);
    harness.store().checkpoint(&begin).expect("begin");
    assert_eq!(load(harness.store()), before);
    harness.store().flush().expect("flush");
    let harness = harness.crash(true);
    assert_eq!(load(harness.store()), before);

    let begin = checkpoint(&[("/", Some(""))], CheckpointKind::SnapshotBegin);
    harness.store().checkpoint(&begin).expect("begin anew");
    let last = checkpoint(&[], CheckpointKind::SnapshotEnd(mark(zxid(12))));
    harness.store().checkpoint(&last).expect("end");
    assert_eq!(load(harness.store()).1.paths(), ["/"], "nothing of the first attempt");
}

fn a_snapshot_does_not_go_on_after_a_crash<H: Harness>() {
    let harness = used::<H>();
    let begin = checkpoint(&[("/half", Some(""))], CheckpointKind::SnapshotBegin);
    harness.store().checkpoint(&begin).expect("begin");
    let harness = harness.crash(false);
    let part = checkpoint(&[("/b", Some(""))], CheckpointKind::SnapshotPart);
    harness.store().checkpoint(&part).expect("does not come here");
}

/// All that a view shows, as a load would.
fn seen(view: &dyn View) -> Contents {
    let mut contents = Contents { mark: view.mark().cloned(), ..Contents::default() };
    let mark = contents.mark.take();
    view.znodes(&mut |path, record| {
        let record = ZnodeRecord::from_bytes(Bytes::copy_from_slice(record)).expect("a record");
        contents.add(Item::Znode(path, record));
        Ok(())
    })
    .expect("znodes");
    view.sessions(&mut |id, timeout| {
        contents.add(Item::Session(id, timeout));
        Ok(())
    })
    .expect("sessions");
    contents.mark = mark;
    contents
}

fn a_view_stays_as_it_was<H: Harness>() {
    let harness = H::fresh();
    let store = harness.store();
    assert_eq!(seen(&*store.view().expect("a view")), Contents::default());

    store.append(&entries(1..=9), Durability::Synced).expect("append");
    let mut first = changes(&[("/", Some("")), ("/a", Some("1")), ("/a/b", Some("2"))], zxid(3));
    first.sessions = vec![(SessionId(-5), Some(4_000)), (SessionId(77), Some(30_000))];
    store.checkpoint(&first).expect("checkpoint");
    let view = store.view().expect("a view");
    let expected = Contents { entries: Vec::new(), ..load(store).1 };

    let mut second = changes(&[("/a/b", None), ("/a", Some("3")), ("/c", Some(""))], zxid(5));
    second.sessions = vec![(SessionId(77), None)];
    store.checkpoint(&second).expect("checkpoint");
    store.flush().expect("flush");
    assert_eq!(seen(&*view), expected);
    let later = Contents { entries: Vec::new(), ..load(store).1 };
    assert_eq!(seen(&*store.view().expect("a view")), later);

    let begin = checkpoint(&[("/", Some("")), ("/new", Some(""))], CheckpointKind::SnapshotBegin);
    store.checkpoint(&begin).expect("begin");
    assert_eq!(seen(&*store.view().expect("a view")), later, "what is arriving does not show");
    let end = checkpoint(&[], CheckpointKind::SnapshotEnd(mark(zxid(12))));
    store.checkpoint(&end).expect("end");
    assert_eq!(seen(&*view), expected, "read twice, after a snapshot took its place");
    assert_eq!(seen(&*store.view().expect("a view")).paths(), ["/", "/new"]);
}

fn a_view_can_be_given_up<H: Harness>() {
    let harness = used::<H>();
    let view = harness.store().view().expect("a view");
    let enough = StoreError::Refused("enough".to_owned());
    let mut count = 0;
    let error = view.znodes(&mut |_, _| {
        count += 1;
        Err(enough.clone())
    });
    assert_eq!((count, error), (1, Err(enough)));
    drop(view);
    load(harness.store());
}

fn a_visitor_can_refuse<H: Harness>() {
    let harness = used::<H>();
    let error = harness.store().load(&mut |item| match item {
        Item::Mark(_) => Err("the digest differs".to_owned()),
        _ => Ok(()),
    });
    assert_eq!(error, Err(StoreError::Refused("the digest differs".to_owned())));
    load(harness.store());
}

fn a_mark_beyond_the_log_is_a_fault<H: Harness>() {
    let harness = used::<H>();
    let beyond = changes(&[], zxid(10));
    harness.store().checkpoint(&beyond).expect("does not come here");
}

fn many_rounds_of_writing_and_trimming<H: Harness>() {
    let mut harness = H::fresh();
    for round in 0..6_u32 {
        let first = round * 500 + 1;
        for counter in (first..first + 500).step_by(50) {
            let batch: Vec<_> =
                (counter..counter + 50).map(|counter| entry(zxid(counter), 300)).collect();
            harness.store().append(&batch, Durability::Unsynced).expect("append");
        }
        let last = zxid(first + 499);
        harness.store().checkpoint(&changes(&[("/a", Some("x"))], last)).expect("checkpoint");
        assert_eq!(harness.store().flush(), Ok(last));
        harness.store().trim(zxid(first + 400)).expect("trim");
        harness = harness.crash(false);
        let (loaded, _) = load(harness.store());
        assert_eq!((loaded.applied, loaded.last), (last, last));
        let rest = harness.store().read_log(zxid(first + 400), usize::MAX).expect("read");
        assert_eq!(rest.len(), 100);
        assert_eq!(rest[99], entry(last, 300));
    }
}

macro_rules! conformance {
    ($harness:ty; $($test:ident)*; $($panicking:ident: $message:literal)*) => {
        $(
            #[test]
            fn $test() {
                super::$test::<$harness>();
            }
        )*
        $(
            #[test]
            #[should_panic(expected = $message)]
            fn $panicking() {
                super::$panicking::<$harness>();
            }
        )*
    };
    ($harness:ty) => {
        conformance! {
            $harness;
            a_fresh_store_is_empty
            synced_entries_survive
            unsynced_entries_survive_the_process
            a_synced_append_syncs_what_came_before
            entries_of_any_size_come_back
            entries_out_of_order_are_refused
            reading_is_bounded
            truncation_is_durable
            truncation_ends_at_an_entry
            truncation_never_undoes_the_tree
            a_flushed_tree_survives
            sessions_come_by_ascending_id
            a_lost_checkpoint_is_made_again_from_the_log
            an_unsynced_log_is_never_behind_the_tree
            a_trimmed_log_says_where_it_begins
            the_tail_is_no_less_than_asked_for
            meta_is_durable
            a_snapshot_takes_the_place_of_everything
            a_snapshot_may_be_older_than_the_log
            an_unfinished_snapshot_leaves_what_was
            a_view_stays_as_it_was
            a_view_can_be_given_up
            a_visitor_can_refuse
            many_rounds_of_writing_and_trimming;
            a_snapshot_does_not_go_on_after_a_crash: "has not begun"
            a_mark_beyond_the_log_is_a_fault: "checkpoint of 0x10000000a"
        }
    };
}

mod memory_store {
    conformance!(super::store_support::Memory);
}

#[cfg(feature = "server")]
mod rocks_store {
    conformance!(super::store_support::rocks::Rocks);
}
