//! Tests of the watch tables.

use super::*;

fn event(kind: EventType, path: &str) -> Event {
    Event { kind, path: path.to_owned(), zxid: Zxid(7) }
}

fn one_shot(watches: &mut Watches, kind: OneShotKind, path: &str) -> oneshot::Receiver<Event> {
    let (to, from) = oneshot::channel();
    watches.add_one_shot(kind, path.to_owned(), to);
    from
}

fn persistent(
    watches: &mut Watches,
    mode: AddWatchMode,
    path: &str,
    capacity: usize,
) -> mpsc::Receiver<Notice> {
    let (to, from) = mpsc::channel(capacity);
    watches.add_persistent(mode, path.to_owned(), to);
    from
}

fn fire(watches: &mut Watches, kind: EventType, path: &str) {
    watches.fire(path, &event(kind, path));
}

#[test]
fn one_shot_watches_fire_once_for_the_events_of_their_kind() {
    let mut watches = Watches::default();
    let mut data = one_shot(&mut watches, OneShotKind::Data, "/a");
    let mut exist = one_shot(&mut watches, OneShotKind::Exist, "/b");
    let mut child = one_shot(&mut watches, OneShotKind::Child, "/a");
    fire(&mut watches, EventType::DataChanged, "/other");
    fire(&mut watches, EventType::DataChanged, "/a");
    assert_eq!(data.try_recv(), Ok(event(EventType::DataChanged, "/a")));
    assert!(child.try_recv().is_err());
    fire(&mut watches, EventType::Created, "/b");
    assert_eq!(exist.try_recv(), Ok(event(EventType::Created, "/b")));
    let mut data = one_shot(&mut watches, OneShotKind::Data, "/a");
    fire(&mut watches, EventType::Deleted, "/a");
    for watch in [&mut data, &mut child] {
        assert_eq!(watch.try_recv(), Ok(event(EventType::Deleted, "/a")));
    }
    assert!(watches.set_again(Zxid(1)).is_empty());
}

#[test]
fn persistent_watches_see_their_node_and_recursive_ones_everything_below() {
    let mut watches = Watches::default();
    let mut exact = persistent(&mut watches, AddWatchMode::Persistent, "/a", 9);
    let mut below = persistent(&mut watches, AddWatchMode::PersistentRecursive, "/a", 9);
    let mut all = persistent(&mut watches, AddWatchMode::PersistentRecursive, "/", 9);
    fire(&mut watches, EventType::ChildrenChanged, "/a");
    fire(&mut watches, EventType::Created, "/a/b/c");
    fire(&mut watches, EventType::Created, "/ab");
    let created = |path| Ok(Notice::Event(event(EventType::Created, path)));
    assert_eq!(exact.try_recv(), Ok(Notice::Event(event(EventType::ChildrenChanged, "/a"))));
    assert!(exact.try_recv().is_err());
    assert_eq!(below.try_recv(), created("/a/b/c"));
    assert!(below.try_recv().is_err());
    assert_eq!(all.try_recv(), created("/a/b/c"));
    assert_eq!(all.try_recv(), created("/ab"));
}

#[test]
fn a_slow_receiver_learns_that_events_are_missing() {
    let mut watches = Watches::default();
    let mut slow = persistent(&mut watches, AddWatchMode::Persistent, "/a", 2);
    for _ in 0..5 {
        fire(&mut watches, EventType::DataChanged, "/a");
    }
    let changed = || Ok(Notice::Event(event(EventType::DataChanged, "/a")));
    assert_eq!(slow.try_recv(), changed());
    assert_eq!(slow.try_recv(), Ok(Notice::Gap));
    assert!(slow.try_recv().is_err());
    fire(&mut watches, EventType::DataChanged, "/a");
    assert_eq!(slow.try_recv(), changed());
}

#[test]
fn abandoned_watches_are_not_set_again() {
    let mut watches = Watches::default();
    drop(one_shot(&mut watches, OneShotKind::Data, "/a"));
    drop(persistent(&mut watches, AddWatchMode::Persistent, "/a", 2));
    let kept = one_shot(&mut watches, OneShotKind::Child, "/a");
    let request = SetWatches2 { child_watches: Some(vec!["/a".to_owned()]), ..empty(Zxid(5)) };
    assert_eq!(watches.set_again(Zxid(5)), [request]);
    drop(kept);
}

#[test]
fn abandoned_watches_on_one_path_do_not_pile_up() {
    let mut watches = Watches::default();
    for _ in 0..1000 {
        drop(one_shot(&mut watches, OneShotKind::Data, "/a"));
    }
    assert!(watches.data["/a"].len() < 10);
}

#[test]
fn many_watches_are_set_again_in_batches() {
    let mut watches = Watches::default();
    let mut kept = Vec::new();
    let long = "x".repeat(1000);
    for number in 0..300 {
        kept.push(one_shot(&mut watches, OneShotKind::Data, &format!("/{long}{number:04}")));
    }
    let batches = watches.set_again(Zxid(5));
    let paths = |batch: &SetWatches2| batch.data_watches.clone().unwrap_or_default();
    let mut all: Vec<_> = batches.iter().flat_map(paths).collect();
    assert_eq!(batches.len(), 3);
    for batch in &batches {
        assert!(paths(batch).iter().map(String::len).sum::<usize>() <= BATCH_BYTES);
    }
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 300);
}

#[test]
fn removing_watches_ends_them() {
    let mut watches = Watches::default();
    let mut data = one_shot(&mut watches, OneShotKind::Data, "/a");
    let mut child = one_shot(&mut watches, OneShotKind::Child, "/a");
    let mut kept = persistent(&mut watches, AddWatchMode::Persistent, "/a", 2);
    watches.remove(WatcherType::Data, "/a");
    assert_eq!(data.try_recv(), Err(oneshot::error::TryRecvError::Closed));
    assert_eq!(child.try_recv(), Err(oneshot::error::TryRecvError::Empty));
    assert_eq!(kept.try_recv(), Err(mpsc::error::TryRecvError::Empty));
    watches.remove(WatcherType::Any, "/a");
    assert_eq!(child.try_recv(), Err(oneshot::error::TryRecvError::Closed));
    assert_eq!(kept.try_recv(), Err(mpsc::error::TryRecvError::Disconnected));
}
