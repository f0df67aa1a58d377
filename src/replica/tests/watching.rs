//! Watches: who hears of what, in which order, and how long.

use super::*;
use crate::proto::WatcherType::{self, Any, Children, Data, Persistent, PersistentRecursive};
use crate::types::Stat;
use jute::client::{ErrorResponse, PathKind, SetWatches2};

fn event(kind: EventType, path: &str, zxid: i64) -> Seen {
    Seen::Event(kind, path.to_owned(), zxid)
}

fn kind_on(path: Option<&str>, kind: i32) -> PathKind {
    PathKind { path: path.map(str::to_owned), kind }
}

fn outcome(seen: &[Seen]) -> (i32, i32) {
    assert_eq!(seen.len(), 1, "{seen:?}");
    seen[0].outcome()
}

impl Bench {
    fn add_watch(&mut self, conn: ConnId, xid: i32, path: &str, mode: i32) {
        let body = kind_on(Some(path), mode);
        self.ask(conn, xid, OpCode::AddWatch, Request::AddWatch(body));
    }

    fn has_watch(&mut self, conn: ConnId, path: &str, which: WatcherType) -> bool {
        self.seen(conn);
        let body = kind_on(Some(path), which as i32);
        self.ask(conn, 99, OpCode::CheckWatches, Request::CheckWatches(body));
        match outcome(&self.seen(conn)) {
            (99, 0) => true,
            (99, -121) => false,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn notifications_come_before_the_replies_that_reflect_them() {
    let mut bench = Bench::new();
    bench.open(A);
    bench.open(B);
    bench.exists(A, 1, "/a", true);
    bench.exists(B, 1, "/a", true);
    bench.get_children(A, 2, "/", true);
    bench.seen(A);
    bench.seen(B);
    bench.create(A, 3, "/a", 0);
    bench.create(B, 2, "/b", 0);
    bench.get_data(B, 3, "/a", true);
    bench.sync();
    let seen = bench.seen(A);
    assert_eq!(seen[0], event(EventType::Created, "/a", 3));
    assert_eq!(seen[1], event(EventType::ChildrenChanged, "/", 3));
    assert_eq!(seen[2].outcome(), (3, 0));
    assert_eq!(seen.len(), 3, "one-shot watches fire once");
    let seen = bench.seen(B);
    assert_eq!(seen[0], event(EventType::Created, "/a", 3));
    assert_eq!([seen[1].outcome(), seen[2].outcome()], [(2, 0), (3, 0)]);
    bench.delete(A, 4, "/a");
    bench.sync();
    assert_eq!(bench.seen(B), [event(EventType::Deleted, "/a", 5)]);
}

#[test]
fn a_watch_left_behind_a_write_does_not_fire_for_it() {
    let mut bench = Bench::new();
    bench.open(A);
    bench.create(A, 1, "/a", 0);
    bench.get_data(A, 2, "/a", true);
    bench.set_data(A, 3, "/a", b"y");
    bench.set_data(A, 4, "/a", b"z");
    bench.sync();
    let seen = bench.seen(A);
    let outcomes: Vec<_> = [0, 1, 3, 4].map(|place: usize| seen[place].outcome()).to_vec();
    assert_eq!(outcomes, [(1, 0), (2, 0), (3, 0), (4, 0)]);
    assert_eq!(seen[2], event(EventType::DataChanged, "/a", 3));
    assert_eq!(seen.len(), 5);
}

#[test]
fn a_failed_read_leaves_no_watch() {
    let mut bench = Bench::new();
    bench.open(A);
    bench.get_data(A, 1, "/a", true);
    bench.get_children(A, 2, "/a", true);
    assert_eq!(bench.watches.total(), 0);
    let hidden = create_for("/hidden", "owner");
    bench.ask(A, 3, OpCode::Create, hidden);
    bench.sync();
    bench.seen(A);
    bench.exists(A, 4, "/hidden", true);
    assert_eq!(bench.outcomes(A), [(4, ErrorCode::NoAuth.number())]);
    assert_eq!(bench.watches.total(), 0);
}

#[test]
fn only_those_who_may_read_hear_of_it() {
    let mut bench = Bench::new();
    bench.open(A);
    for conn in [B, C] {
        bench.open(conn);
        bench.exists(conn, 1, "/secret", true);
        bench.get_children(conn, 2, "/", true);
        bench.seen(conn);
    }
    // C proves who it is only after it has left its watches.
    bench.input(Input::Identities(C, somebody("owner")));
    bench.ask(A, 1, OpCode::Create, create_for("/secret", "owner"));
    bench.sync();
    let children = event(EventType::ChildrenChanged, "/", 4);
    assert_eq!(bench.seen(B), *std::slice::from_ref(&children));
    assert_eq!(bench.seen(C), [event(EventType::Created, "/secret", 4), children]);
    assert!(!bench.has_watch(B, "/secret", Any), "it is used up all the same");
    // An identity of a connection without a session changes nothing.
    bench.input(Input::Identities(ConnId(77), somebody("owner")));
    // The parent's list decides about the parent's children.
    bench.exists(B, 3, "/secret/c", true);
    bench.add_watch(B, 4, "/secret", 0);
    bench.seen(B);
    let child = create("/secret/c", 0);
    bench.ask_as(A, 2, OpCode::Create, Ok(child), somebody("owner"));
    bench.sync();
    assert_eq!(bench.seen(B), [event(EventType::Created, "/secret/c", 5)]);
    bench.ask_as(
        A,
        3,
        OpCode::Delete,
        Ok(Request::Delete(PathVersion { path: some("/secret/c"), version: -1 })),
        somebody("owner"),
    );
    bench.exists(B, 5, "/secret/c", false);
    bench.sync();
    assert_eq!(bench.outcomes(B), [(5, 0)]);
}

#[test]
fn persistent_watches_stay() {
    let mut bench = Bench::new();
    bench.open(A);
    bench.open(B);
    bench.add_watch(B, 1, "/a", 0);
    bench.add_watch(B, 2, "/", 1);
    bench.add_watch(B, 3, "/", 2);
    let seen = bench.seen(B);
    assert_eq!(seen[0].body::<ErrorResponse>(), ErrorResponse { err: 0 });
    assert_eq!(seen[1].outcome(), (2, 0));
    assert_eq!(seen[2].outcome(), (3, ErrorCode::MarshallingError.number()));
    bench.create(A, 1, "/a", 0);
    bench.create(A, 2, "/a/b", 0);
    bench.delete(A, 3, "/a/b");
    bench.sync();
    let expected = [
        event(EventType::Created, "/a", 3),
        event(EventType::Created, "/a/b", 4),
        event(EventType::ChildrenChanged, "/a", 4),
        event(EventType::Deleted, "/a/b", 5),
        event(EventType::ChildrenChanged, "/a", 5),
    ];
    assert_eq!(bench.seen(B), expected);
}

#[test]
fn watches_are_looked_for_and_removed_by_type() {
    let mut bench = Bench::new();
    bench.open(A);
    bench.exists(A, 1, "/a", true);
    bench.get_children(A, 2, "/", true);
    bench.add_watch(A, 3, "/a", 0);
    for (path, which, there) in [
        ("/a", Data, true),
        ("/a", Children, false),
        ("/a", Any, true),
        ("/a", Persistent, true),
        ("/a", PersistentRecursive, false),
        ("/", Children, true),
        ("/", Data, false),
        ("foo", Any, false),
    ] {
        assert_eq!(bench.has_watch(A, path, which), there, "{path} {which:?}");
    }
    let remove = |bench: &mut Bench, path: Option<&str>, kind: i32| {
        let request = Request::RemoveWatches(kind_on(path, kind));
        bench.ask(A, 9, OpCode::RemoveWatches, request);
        outcome(&bench.seen(A)).1
    };
    assert_eq!(remove(&mut bench, Some("/a"), Persistent as i32), 0);
    assert_eq!(remove(&mut bench, Some("/a"), Persistent as i32), -121);
    assert!(bench.has_watch(A, "/a", Data));
    assert_eq!(remove(&mut bench, Some("/a"), Any as i32), 0);
    assert!(!bench.has_watch(A, "/a", Any));
    assert_eq!(remove(&mut bench, Some("/a"), 6), -5);
    assert_eq!(remove(&mut bench, Some("/a"), 0), -5);
    // There is no watch on null; ZooKeeper does not stumble over it here.
    assert_eq!(remove(&mut bench, None, Any as i32), -121);
    bench.ask(A, 9, OpCode::CheckWatches, Request::CheckWatches(kind_on(None, 3)));
    assert_eq!(bench.outcomes(A), [(9, -121)]);
    // Another connection's watches are not this one's.
    bench.open(B);
    assert!(!bench.has_watch(B, "/", Children));
}

#[test]
fn a_connection_may_have_so_many_watches() {
    let mut bench = Bench::new();
    bench.open(A);
    for xid in 0..5 {
        bench.exists(A, xid, &format!("/{xid}"), true);
    }
    bench.seen(A);
    let full = ErrorCode::QuotaExceeded.number();
    bench.exists(A, 5, "/5", true);
    bench.get_children(A, 6, "/", true);
    bench.add_watch(A, 7, "/", 0);
    // One that it has already takes no more room.
    bench.exists(A, 8, "/4", true);
    bench.exists(A, 9, "/9", false);
    let none = ErrorCode::NoNode.number();
    assert_eq!(bench.outcomes(A), [(5, full), (6, full), (7, full), (8, none), (9, none)]);
    assert_eq!(bench.watches.total(), 5);
    bench.open(B);
    bench.exists(B, 1, "/1", true);
    assert_eq!(bench.outcomes(B), [(1, none)]);
}

fn set_watches(relative_zxid: i64) -> SetWatches2 {
    SetWatches2 {
        relative_zxid: Zxid(relative_zxid).0,
        data_watches: list(&[]),
        exist_watches: list(&[]),
        child_watches: list(&[]),
        persistent_watches: list(&[]),
        persistent_recursive_watches: list(&[]),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "a field of a record as it is")]
fn list(paths: &[&str]) -> Option<Vec<String>> {
    Some(paths.iter().map(|path| (*path).to_owned()).collect())
}

#[test]
fn set_watches_tells_what_was_missed_and_keeps_the_rest() {
    let mut bench = Bench::new();
    bench.open(A);
    for (xid, path) in (1..).zip(["/old", "/changed", "/parent", "/quiet"]) {
        bench.create(A, xid, path, 0);
    }
    bench.sync();
    let seen = bench.last_zxid();
    bench.set_data(A, 5, "/changed", b"y");
    bench.create(A, 6, "/parent/child", 0);
    bench.sync();
    bench.seen(A);
    let body = SetWatches2 {
        data_watches: list(&["/old", "/changed", "/gone"]),
        exist_watches: list(&["/quiet", "/none", "/a//b"]),
        child_watches: list(&["/parent", "/quiet", "/gone"]),
        persistent_watches: list(&["/changed"]),
        ..set_watches(seen)
    };
    // Behind a write the replay waits, and all of it comes at once.
    bench.create(A, 7, "/last", 0);
    bench.ask(A, -8, OpCode::SetWatches2, Request::SetWatches(body));
    assert_eq!(bench.seen(A), []);
    bench.sync();
    let got = bench.seen(A);
    assert_eq!(got[0].outcome(), (7, 0));
    let expected = [
        event(EventType::DataChanged, "/changed", -1),
        event(EventType::Deleted, "/gone", -1),
        event(EventType::Created, "/quiet", -1),
        event(EventType::ChildrenChanged, "/parent", -1),
        event(EventType::Deleted, "/gone", -1),
    ];
    assert_eq!(got[1..6], expected);
    let reply = Seen::Reply { xid: -8, zxid: bench.last_zxid(), err: 0, body: Bytes::new() };
    assert_eq!(got[6..], [reply]);
    let conns_and_paths = bench.watches.by_conn();
    assert_eq!(conns_and_paths, [(A, vec!["/a//b", "/changed", "/none", "/old"])]);
    assert!(bench.has_watch(A, "/quiet", Children));
    assert!(!bench.has_watch(A, "/parent", Any));
    assert!(bench.has_watch(A, "/changed", Persistent));
}

#[test]
fn set_watches_stays_within_the_bound() {
    let mut bench = Bench::new();
    bench.open(A);
    let paths = ["/1", "/2", "/3", "/4", "/5", "/6"];
    let body = SetWatches2 { exist_watches: list(&paths), ..set_watches(0) };
    bench.ask(A, -8, OpCode::SetWatches, Request::SetWatches(body));
    assert_eq!(bench.outcomes(A), [(-8, ErrorCode::QuotaExceeded.number())]);
    assert_eq!(bench.watches.total(), 5);
}

#[test]
fn one_who_has_left_is_not_told() {
    let mut bench = Bench::new();
    let session = bench.open(A);
    bench.open(B);
    bench.exists(A, 1, "/a", true);
    bench.seen(A);
    bench.connect(C, again(session));
    bench.seen(A);
    // The old connection's farewell is still to come.
    bench.create(B, 1, "/a", 0);
    bench.sync();
    assert_eq!((bench.seen(A), bench.watches.total()), (vec![], 0));
    assert_eq!(bench.seen(C).len(), 1);
    bench.get_data(C, 1, "/a", true);
    bench.input(Input::Closed(A));
    assert_eq!(bench.watches.total(), 1);
    assert!(bench.seen(C)[0].body::<jute::client::DataStat>().stat != Stat::default());
}
