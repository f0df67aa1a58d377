//! The watches against hand-made stories, and against a model with ZooKeeper's two tables.

use super::{Notice, Summary, WatchKind, Watches, WhichAcl};
use crate::proto::{EventType, WatcherType};
use crate::types::ConnId;
use EventType::{ChildrenChanged, Created, DataChanged, Deleted};
use WatchKind::{Child, Data, Persistent, PersistentRecursive};
use WhichAcl::{Node, Parent};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const ONE: ConnId = ConnId(1);
const TWO: ConnId = ConnId(2);

fn watches(list: &[(ConnId, &str, WatchKind)]) -> Watches {
    let mut watches = Watches::new();
    for (conn, path, kind) in list {
        assert!(watches.add(*conn, path, *kind));
    }
    watches
}

fn notice(conn: ConnId, event: EventType, path: &str, acl: WhichAcl) -> Notice {
    Notice { conn, event, path: path.into(), acl }
}

fn created(watches: &mut Watches, path: &str) -> Vec<Notice> {
    let mut out = Vec::new();
    watches.fire_created(path, &mut out);
    out
}

fn deleted(watches: &mut Watches, path: &str) -> Vec<Notice> {
    let mut out = Vec::new();
    watches.fire_deleted(path, &mut out);
    out
}

fn data_changed(watches: &mut Watches, path: &str) -> Vec<Notice> {
    let mut out = Vec::new();
    watches.fire_data_changed(path, &mut out);
    out
}

#[test]
fn a_data_watch_fires_once() {
    let mut watches = watches(&[(ONE, "/a", Data)]);
    assert_eq!(data_changed(&mut watches, "/a"), [notice(ONE, DataChanged, "/a", Node)]);
    assert_eq!(data_changed(&mut watches, "/a"), []);
    assert_eq!(watches.total(), 0);
}

#[test]
fn creation_tells_the_path_first_then_the_parent() {
    let mut watches = watches(&[(TWO, "/p/c", Data), (ONE, "/p", Child), (ONE, "/p", Data)]);
    let expected = [notice(TWO, Created, "/p/c", Node), notice(ONE, ChildrenChanged, "/p", Parent)];
    assert_eq!(created(&mut watches, "/p/c"), expected);
    assert!(watches.contains(ONE, "/p", WatcherType::Data));
    assert!(!watches.contains(ONE, "/p", WatcherType::Children));
}

#[test]
fn the_root_is_the_parent_of_its_children() {
    let mut watches = watches(&[(ONE, "/", Child)]);
    assert_eq!(created(&mut watches, "/a"), [notice(ONE, ChildrenChanged, "/", Parent)]);
}

#[test]
fn deletion_tells_nobody_twice_of_the_path() {
    let mut watches = watches(&[
        (ONE, "/p/c", Data),
        (ONE, "/p/c", Child),
        (TWO, "/p/c", Child),
        (ONE, "/p", Child),
    ]);
    let expected = [
        notice(ONE, Deleted, "/p/c", Node),
        notice(TWO, Deleted, "/p/c", Node),
        notice(ONE, ChildrenChanged, "/p", Parent),
    ];
    assert_eq!(deleted(&mut watches, "/p/c"), expected);
    assert_eq!(watches.total(), 0);
}

#[test]
fn a_deletion_known_from_above_is_not_told_again_below() {
    let mut watches = watches(&[(ONE, "/", PersistentRecursive), (ONE, "/p/c", Child)]);
    assert_eq!(deleted(&mut watches, "/p/c"), [notice(ONE, Deleted, "/p/c", Node)]);
    assert_eq!(watches.count_of(ONE), 1);
}

#[test]
fn notices_of_earlier_changes_do_not_keep_later_ones_back() {
    let mut watches = watches(&[(ONE, "/a", Data), (ONE, "/b", Child)]);
    let mut out = Vec::new();
    watches.fire_deleted("/a", &mut out);
    watches.fire_deleted("/b", &mut out);
    assert_eq!(out, [notice(ONE, Deleted, "/a", Node), notice(ONE, Deleted, "/b", Node)]);
}

#[test]
fn a_persistent_watch_stays_through_everything() {
    let mut watches = watches(&[(ONE, "/p", Persistent)]);
    for _ in 0..2 {
        assert_eq!(created(&mut watches, "/p"), [notice(ONE, Created, "/p", Node)]);
        assert_eq!(data_changed(&mut watches, "/p"), [notice(ONE, DataChanged, "/p", Node)]);
        let of_child = [notice(ONE, ChildrenChanged, "/p", Parent)];
        assert_eq!(created(&mut watches, "/p/c"), of_child);
        assert_eq!(data_changed(&mut watches, "/p/c"), []);
        assert_eq!(deleted(&mut watches, "/p/c"), of_child);
        assert_eq!(deleted(&mut watches, "/p"), [notice(ONE, Deleted, "/p", Node)]);
    }
}

#[test]
fn a_recursive_watch_sees_everything_below_but_no_lists_of_children() {
    let mut watches = watches(&[(ONE, "/p", PersistentRecursive)]);
    for path in ["/p", "/p/c", "/p/c/d"] {
        assert_eq!(created(&mut watches, path), [notice(ONE, Created, path, Node)]);
        assert_eq!(data_changed(&mut watches, path), [notice(ONE, DataChanged, path, Node)]);
        assert_eq!(deleted(&mut watches, path), [notice(ONE, Deleted, path, Node)]);
    }
    for path in ["/", "/pp", "/q/p"] {
        assert_eq!(created(&mut watches, path), []);
    }
}

#[test]
fn a_recursive_watch_beside_a_child_watch_gets_both_events() {
    let mut watches = watches(&[(ONE, "/p", PersistentRecursive), (ONE, "/p", Child)]);
    let expected = [notice(ONE, Created, "/p/c", Node), notice(ONE, ChildrenChanged, "/p", Parent)];
    assert_eq!(created(&mut watches, "/p/c"), expected);
    assert_eq!(created(&mut watches, "/p/d"), [notice(ONE, Created, "/p/d", Node)]);
}

#[test]
fn several_matching_watches_make_one_notice() {
    let mut watches = watches(&[
        (ONE, "/p", Data),
        (ONE, "/p", Persistent),
        (ONE, "/p", PersistentRecursive),
        (ONE, "/", PersistentRecursive),
    ]);
    assert_eq!(data_changed(&mut watches, "/p"), [notice(ONE, DataChanged, "/p", Node)]);
    assert!(!watches.contains(ONE, "/p", WatcherType::Data));
    assert!(watches.contains(ONE, "/p", WatcherType::Persistent));
    assert!(watches.contains(ONE, "/p", WatcherType::PersistentRecursive));
}

#[test]
fn connections_are_told_in_the_order_of_their_numbers() {
    let mut watches = Watches::new();
    for conn in [5, 3, 9, 1] {
        watches.add(ConnId(conn), "/a", if conn == 3 { Persistent } else { Data });
    }
    let told: Vec<_> =
        data_changed(&mut watches, "/a").iter().map(|notice| notice.conn.0).collect();
    assert_eq!(told, [1, 3, 5, 9]);
}

#[test]
fn a_watch_set_twice_is_one() {
    let mut watches = Watches::new();
    assert!(watches.add(ONE, "/a", Data));
    assert!(!watches.add(ONE, "/a", Data));
    assert_eq!(watches.count_of(ONE), 1);
}

#[test]
fn removal_takes_only_what_was_named() {
    let all = [
        (Data, WatcherType::Data),
        (Child, WatcherType::Children),
        (Persistent, WatcherType::Persistent),
        (PersistentRecursive, WatcherType::PersistentRecursive),
    ];
    for (named, which) in all {
        let mut watches = watches(&all.map(|(kind, _)| (ONE, "/a", kind)));
        assert!(!watches.remove(TWO, "/a", which));
        assert!(watches.remove(ONE, "/a", which));
        assert!(!watches.remove(ONE, "/a", which));
        for (kind, which) in all {
            assert_eq!(watches.contains(ONE, "/a", which), kind != named);
        }
        assert!(watches.contains(ONE, "/a", WatcherType::Any));
        assert!(watches.remove(ONE, "/a", WatcherType::Any));
        assert!(!watches.contains(ONE, "/a", WatcherType::Any));
        assert_eq!(watches.count_of(ONE), 0);
    }
}

#[test]
fn a_dropped_connection_leaves_nothing() {
    let mut watches = watches(&[
        (ONE, "/a", Data),
        (ONE, "/a", PersistentRecursive),
        (TWO, "/a", Data),
        (ONE, "/b", Child),
    ]);
    watches.drop_conn(ONE);
    watches.drop_conn(ConnId(77));
    assert_eq!(watches.count_of(ONE), 0);
    assert_eq!(data_changed(&mut watches, "/a"), [notice(TWO, DataChanged, "/a", Node)]);
    assert_eq!(deleted(&mut watches, "/b"), []);
}

#[test]
fn counts_are_zookeepers() {
    let watches = watches(&[
        (ONE, "/a", Data),
        (ONE, "/a", Persistent),
        (ONE, "/b", PersistentRecursive),
        (TWO, "/b", Child),
    ]);
    assert_eq!(watches.total(), 4);
    assert_eq!(watches.summary(), Summary { connections: 1, paths: 2, watches: 2 });
    assert_eq!(watches.by_conn(), [(ONE, vec!["/a", "/b"])]);
    assert_eq!(watches.by_path(), [("/a", vec![ONE]), ("/b", vec![ONE])]);
}

#[test]
fn watches_on_paths_that_cannot_be_are_kept_and_disturb_nobody() {
    let mut watches = Watches::new();
    for path in ["", "a", "//", "/a/", "a/b", "/\0"] {
        assert!(watches.add(ONE, path, PersistentRecursive));
        assert!(watches.contains(ONE, path, WatcherType::PersistentRecursive));
    }
    assert_eq!(created(&mut watches, "/b"), []);
    for path in ["", "a", "//", "/a/", "a/b"] {
        deleted(&mut watches, path);
    }
    watches.drop_conn(ONE);
    assert_eq!(watches.total(), 0);
}

/// ZooKeeper's tables as they are there: per connection and path the set of modes.
#[derive(Default)]
struct Model {
    data: BTreeMap<(ConnId, String), BTreeSet<Mode>>,
    child: BTreeMap<(ConnId, String), BTreeSet<Mode>>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Mode {
    Standard,
    Persistent,
    Recursive,
}

type ModelTable = BTreeMap<(ConnId, String), BTreeSet<Mode>>;

fn add_mode(table: &mut ModelTable, conn: ConnId, path: &str, mode: Mode) {
    table.entry((conn, path.to_owned())).or_default().insert(mode);
}

fn remove_modes(table: &mut ModelTable, conn: ConnId, path: &str, modes: &[Mode]) -> bool {
    let Some(entry) = table.get_mut(&(conn, path.to_owned())) else { return false };
    let before = entry.len();
    entry.retain(|mode| !modes.contains(mode));
    let removed = entry.len() < before;
    table.retain(|_, modes| !modes.is_empty());
    removed
}

fn is_below(path: &str, ancestor: &str) -> bool {
    path != ancestor
        && (ancestor == "/"
            || path.strip_prefix(ancestor).is_some_and(|rest| rest.starts_with('/')))
}

/// Whom a table names for a path; its one-shot watches go.
fn trigger(table: &mut ModelTable, path: &str) -> BTreeSet<ConnId> {
    let mut told = BTreeSet::new();
    for ((conn, watched), modes) in table.iter_mut() {
        let is_told =
            watched == path || (is_below(path, watched) && modes.contains(&Mode::Recursive));
        if is_told {
            told.insert(*conn);
        }
        if watched == path {
            modes.remove(&Mode::Standard);
        }
    }
    table.retain(|_, modes| !modes.is_empty());
    told
}

impl Model {
    const ALL: [Mode; 3] = [Mode::Standard, Mode::Persistent, Mode::Recursive];

    fn add(&mut self, conn: ConnId, path: &str, kind: WatchKind) {
        match kind {
            Data => add_mode(&mut self.data, conn, path, Mode::Standard),
            Child => add_mode(&mut self.child, conn, path, Mode::Standard),
            Persistent => {
                add_mode(&mut self.data, conn, path, Mode::Persistent);
                add_mode(&mut self.child, conn, path, Mode::Persistent);
            }
            PersistentRecursive => add_mode(&mut self.data, conn, path, Mode::Recursive),
        }
    }

    fn remove(&mut self, conn: ConnId, path: &str, which: WatcherType) -> bool {
        let (data, child): (&[Mode], &[Mode]) = match which {
            WatcherType::Children => (&[], &[Mode::Standard]),
            WatcherType::Data => (&[Mode::Standard], &[]),
            WatcherType::Any => (&Self::ALL, &Self::ALL),
            WatcherType::Persistent => (&[Mode::Persistent], &[Mode::Persistent]),
            WatcherType::PersistentRecursive => (&[Mode::Recursive], &[]),
        };
        let from_data = remove_modes(&mut self.data, conn, path, data);
        remove_modes(&mut self.child, conn, path, child) || from_data
    }

    fn parent_notices(&mut self, path: &str) -> Vec<Notice> {
        let parent = match path.rfind('/') {
            Some(0) => "/",
            Some(slash) => &path[..slash],
            None => return Vec::new(),
        };
        let told = trigger(&mut self.child, parent);
        told.into_iter().map(|conn| notice(conn, ChildrenChanged, parent, Parent)).collect()
    }

    fn fire(&mut self, event: EventType, path: &str) -> Vec<Notice> {
        let told = trigger(&mut self.data, path);
        let mut out: Vec<_> = told.iter().map(|conn| notice(*conn, event, path, Node)).collect();
        if event == Deleted {
            let more = trigger(&mut self.child, path);
            out.extend(more.difference(&told).map(|conn| notice(*conn, Deleted, path, Node)));
        }
        if event != DataChanged {
            out.extend(self.parent_notices(path));
        }
        out
    }

    fn by_conn(&self) -> BTreeMap<ConnId, Vec<&str>> {
        let mut by_conn: BTreeMap<ConnId, Vec<&str>> = BTreeMap::new();
        for (conn, path) in self.data.keys() {
            by_conn.entry(*conn).or_default().push(path);
        }
        by_conn
    }

    fn by_path(&self) -> BTreeMap<&str, Vec<ConnId>> {
        let mut by_path: BTreeMap<&str, Vec<ConnId>> = BTreeMap::new();
        for (conn, path) in self.data.keys() {
            by_path.entry(path).or_default().push(*conn);
        }
        by_path
    }

    /// How many watches a connection has, a persistent one in both tables being one.
    fn count_of(&self, conn: ConnId) -> usize {
        let count = |table: &ModelTable, counted: &[Mode]| -> usize {
            let of_conn = table.iter().filter(|((owner, _), _)| *owner == conn);
            of_conn.map(|(_, modes)| modes.iter().filter(|m| counted.contains(m)).count()).sum()
        };
        count(&self.data, &Self::ALL) + count(&self.child, &[Mode::Standard])
    }
}

#[derive(Clone, Debug)]
enum Op {
    Add(ConnId, &'static str, WatchKind),
    Remove(ConnId, &'static str, WatcherType),
    Drop(ConnId),
    Fire(EventType, &'static str),
}

fn any_op() -> impl Strategy<Value = Op> {
    let conn = || (0..5_u64).prop_map(ConnId);
    let path = || prop::sample::select(vec!["/", "/a", "/a/b", "/a/b/c", "/a/d", "/ab", "/e"]);
    let child = || prop::sample::select(vec!["/a", "/a/b", "/a/b/c", "/a/d", "/ab", "/e"]);
    let kind = prop::sample::select(WatchKind::ALL.to_vec());
    let which = (1..=5).prop_map(|number| WatcherType::from_number(number).expect("1 to 5"));
    prop_oneof![
        8 => (conn(), path(), kind).prop_map(|(conn, path, kind)| Op::Add(conn, path, kind)),
        3 => (conn(), path(), which).prop_map(|(conn, path, which)| Op::Remove(conn, path, which)),
        1 => conn().prop_map(Op::Drop),
        3 => path().prop_map(|path| Op::Fire(DataChanged, path)),
        2 => child().prop_map(|path| Op::Fire(Created, path)),
        2 => child().prop_map(|path| Op::Fire(Deleted, path)),
    ]
}

fn fire(watches: &mut Watches, event: EventType, path: &str) -> Vec<Notice> {
    match event {
        Created => created(watches, path),
        Deleted => deleted(watches, path),
        DataChanged | ChildrenChanged => data_changed(watches, path),
    }
}

fn check_counts(watches: &Watches, model: &Model) -> Result<(), TestCaseError> {
    prop_assert_eq!(watches.total(), model.data.len() + model.child.len());
    let (by_conn, by_path) = (model.by_conn(), model.by_path());
    let (connections, paths) = (by_conn.len(), by_path.len());
    let expected = Summary { connections, paths, watches: model.data.len() };
    prop_assert_eq!(watches.summary(), expected);
    prop_assert_eq!(watches.by_conn(), by_conn.into_iter().collect::<Vec<_>>());
    prop_assert_eq!(watches.by_path(), by_path.into_iter().collect::<Vec<_>>());
    for conn in (0..5).map(ConnId) {
        prop_assert_eq!(watches.count_of(conn), model.count_of(conn));
    }
    Ok(())
}

proptest! {
    #[test]
    fn watches_do_what_the_two_tables_do(ops in proptest::collection::vec(any_op(), 1..150)) {
        let mut watches = Watches::new();
        let mut model = Model::default();
        for op in ops {
            match op {
                Op::Add(conn, path, kind) => {
                    let is_new = watches.add(conn, path, kind);
                    let before = model.count_of(conn);
                    model.add(conn, path, kind);
                    prop_assert_eq!(is_new, model.count_of(conn) > before);
                }
                Op::Remove(conn, path, which) => {
                    prop_assert_eq!(watches.contains(conn, path, which), {
                        let (data, child) = (model.data.clone(), model.child.clone());
                        let mut copy = Model { data, child };
                        copy.remove(conn, path, which)
                    });
                    let removed = watches.remove(conn, path, which);
                    prop_assert_eq!(removed, model.remove(conn, path, which));
                }
                Op::Drop(conn) => {
                    watches.drop_conn(conn);
                    model.data.retain(|(owner, _), _| *owner != conn);
                    model.child.retain(|(owner, _), _| *owner != conn);
                }
                Op::Fire(event, path) => {
                    prop_assert_eq!(fire(&mut watches, event, path), model.fire(event, path));
                }
            }
            check_counts(&watches, &model)?;
        }
        for conn in (0..5).map(ConnId) {
            watches.drop_conn(conn);
        }
        check_counts(&watches, &Model::default())?;
    }
}
