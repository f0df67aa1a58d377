//! Requests that change nothing.

use super::*;
use crate::replica::Access;
use jute::client::{AclStat, Names, NamesStat, Total, WhoAmIResponse};

/// A bench with one open connection.
fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.open(A);
    bench
}

impl Bench {
    /// Asks for something that does not wait.
    fn get(&mut self, op: OpCode, request: Request) -> Seen {
        self.ask(A, 1, op, request);
        self.seen(A).remove(0)
    }

    fn error(&mut self, op: OpCode, request: Request) -> i32 {
        self.get(op, request).outcome().1
    }
}

fn of(path: Option<&str>) -> PathWatch {
    PathWatch { path: path.map(str::to_owned), watch: false }
}

#[test]
fn bad_paths_fail_as_they_do_in_zookeeper() {
    let mut bench = bench();
    let (no_node, bad, stumbles) = (-101, -8, -5);
    for (path, exists, others) in [
        (None, stumbles, stumbles),
        (Some("/a\0"), bad, no_node),
        (Some("/a//b"), no_node, no_node),
        (Some("/zookeeper/"), no_node, no_node),
        (Some("foo"), no_node, no_node),
        (Some(""), 0, 0),
    ] {
        let only = || PathOnly { path: path.map(str::to_owned) };
        let errors = [
            bench.error(OpCode::GetData, Request::GetData(of(path))),
            bench.error(OpCode::GetChildren, Request::GetChildren(of(path))),
            bench.error(OpCode::GetChildren2, Request::GetChildren2(of(path))),
            bench.error(OpCode::GetAcl, Request::GetAcl(only())),
            bench.error(OpCode::GetAllChildrenNumber, Request::GetAllChildrenNumber(only())),
        ];
        assert_eq!(errors, [others; 5], "{path:?}");
        let error = bench.error(OpCode::Exists, Request::Exists(of(path)));
        assert_eq!(error, exists, "{path:?}");
    }
}

#[test]
fn sync_gives_the_path_back() {
    let mut bench = bench();
    for (path, body) in [(Some("/x//"), &b"\0\0\0\x04/x//"[..]), (None, &[0xff; 4])] {
        let request = Request::Sync(PathOnly { path: path.map(str::to_owned) });
        let Seen::Reply { err: 0, body: got, .. } = bench.get(OpCode::Sync, request) else {
            panic!()
        };
        assert_eq!(got, body);
    }
}

#[test]
fn children_and_descendants() {
    let mut bench = bench();
    let names: Names = bench.get(OpCode::GetChildren, Request::GetChildren(of(Some("/")))).body();
    assert_eq!(names.names, ["zookeeper"]);
    let both: NamesStat =
        bench.get(OpCode::GetChildren2, Request::GetChildren2(of(Some("/")))).body();
    assert_eq!((both.names, both.stat.num_children), (vec!["zookeeper".to_owned()], 1));
    let count = Request::GetAllChildrenNumber(path_only("/"));
    assert_eq!(bench.get(OpCode::GetAllChildrenNumber, count).body::<Total>().total, 3);
}

#[test]
fn a_multi_read_answers_for_each_operation() {
    let mut bench = bench();
    bench.ask(A, 1, OpCode::Create, create_for("/secret", "owner"));
    bench.sync();
    bench.seen(A);
    let ops = vec![
        MultiOp::GetData(of(Some("/none"))),
        MultiOp::GetChildren(of(Some("/"))),
        MultiOp::GetData(of(Some("/secret"))),
        MultiOp::GetData(PathWatch { path: some("/"), watch: true }),
    ];
    let request = Request::MultiRead(MultiRequest { ops });
    let Seen::Reply { xid: 1, err: 0, body, .. } = bench.get(OpCode::MultiRead, request) else {
        panic!()
    };
    let part = |op: i32, err: i32| [&op.to_be_bytes()[..], &[0], &err.to_be_bytes()].concat();
    let error = |code: i32| [&part(-1, code)[..], &code.to_be_bytes()].concat();
    let mut expected = error(-101);
    expected.extend(part(8, 0));
    expected.extend(b"\0\0\0\x02");
    for name in bench.tree.node("/").expect("a root").children() {
        expected.extend(u32::try_from(name.len()).expect("short").to_be_bytes());
        expected.extend(name.as_bytes());
    }
    expected.extend(error(-102));
    expected.extend(part(4, 0));
    expected.extend(b"\0\0\0\0");
    assert_eq!(body[..expected.len()], expected);
    assert_eq!(body[expected.len() + 68..], *b"\xff\xff\xff\xff\x01\xff\xff\xff\xff");
    assert_eq!(bench.watches.total(), 0, "a multiRead leaves no watches");
}

#[test]
fn a_multi_read_that_zookeeper_stumbles_over_fails() {
    let mut bench = bench();
    for op in
        [MultiOp::GetData(of(None)), MultiOp::Check(PathVersion { path: some("/"), version: -1 })]
    {
        let ops = vec![MultiOp::GetData(of(Some("/"))), op];
        let request = Request::MultiRead(MultiRequest { ops });
        assert_eq!(bench.error(OpCode::MultiRead, request), -5);
    }
}

#[test]
fn ephemerals_are_found_by_the_text_of_their_paths() {
    let mut bench = bench();
    bench.open(B);
    for (xid, path) in (1..).zip(["/p", "/pe2", "/q"]) {
        bench.create(A, xid, path, 1);
    }
    bench.create(B, 1, "/pother", 1);
    bench.sync();
    bench.seen(A);
    for (prefix, expected) in [
        (Some("/p"), &["/p", "/pe2"][..]),
        (None, &["/p", "/pe2", "/q"]),
        (Some(""), &["/p", "/pe2", "/q"]),
        (Some(" / "), &["/p", "/pe2", "/q"]),
        (Some("\0"), &["/p", "/pe2", "/q"]),
        (Some("\u{2003}"), &[]),
        (Some("pe"), &[]),
    ] {
        let request = Request::GetEphemerals(PathOnly { path: prefix.map(str::to_owned) });
        let names: Names = bench.get(OpCode::GetEphemerals, request).body();
        assert_eq!(names.names, expected, "{prefix:?}");
    }
}

#[test]
fn who_am_i_names_the_users_without_secrets() {
    let mut bench = bench();
    bench.ask_as(A, 1, OpCode::WhoAmI, Ok(Request::WhoAmI), somebody("me"));
    let infos: WhoAmIResponse = bench.seen(A)[0].body();
    let infos: Vec<_> =
        infos.client_info.iter().map(|info| (&*info.auth_scheme, &*info.user)).collect();
    assert_eq!(infos, [("ip", "127.0.0.1"), ("digest", "me")]);
}

#[test]
fn acls_are_shown_to_those_who_may_read_and_whole_to_administrators() {
    let mut bench = bench();
    let entry = |perms, name: &str| Acl {
        perms,
        id: Id { scheme: "digest".to_owned(), id: format!("{name}:hash") },
    };
    let acl = [entry(perms::ADMIN, "admin"), entry(perms::READ, "reader"), entry(2, "writer")];
    let op = CreateOp { acl: Some(raw_acl(&acl)), ..create_op("/a", 0) };
    bench.ask(A, 1, OpCode::Create, Request::Create(op));
    bench.sync();
    bench.seen(A);
    for (who, expected) in
        [("admin", Ok("admin:hash")), ("reader", Ok("admin:x")), ("writer", Err(-102))]
    {
        bench.ask_as(A, 2, OpCode::GetAcl, Ok(Request::GetAcl(path_only("/a"))), somebody(who));
        let reply = bench.seen(A).remove(0);
        match expected {
            Ok(id) => assert_eq!(reply.body::<AclStat>().acl[0].id.id, id),
            Err(code) => assert_eq!(reply.outcome(), (2, code)),
        }
    }
}

#[test]
fn what_reads_nothing_is_not_implemented() {
    let mut bench = bench();
    let check = Request::Check(PathVersion { path: some("/"), version: -1 });
    assert_eq!(bench.error(OpCode::Check, check), -6);
}

#[test]
fn what_is_read_and_written_is_noted() {
    let mut bench = bench();
    bench.create(A, 1, "/a", 0);
    bench.set_data(A, 2, "/a", b"data");
    bench.create(A, 3, "/a/child", 1);
    // Behind the writes, so that the brain answers.
    bench.get_data(A, 4, "/a", false);
    bench.exists(A, 5, "/a", false);
    bench.get_children(A, 6, "/a", false);
    bench.ask(A, 7, OpCode::GetChildren2, Request::GetChildren2(of(Some("/a"))));
    let parts = vec![
        MultiOp::GetData(of(Some("/a"))),
        MultiOp::GetData(of(Some("/none"))),
        MultiOp::GetChildren(of(Some("/a"))),
    ];
    bench.ask(A, 8, OpCode::MultiRead, Request::MultiRead(MultiRequest { ops: parts }));
    // Neither is what fails, nor are lists and totals.
    bench.get_data(A, 9, "/none", false);
    bench.exists(A, 10, "/none", false);
    bench.ask(A, 11, OpCode::GetAcl, Request::GetAcl(path_only("/a")));
    let total = Request::GetAllChildrenNumber(path_only("/a"));
    bench.ask(A, 12, OpCode::GetAllChildrenNumber, total);
    bench.set_data(A, 13, "/none", b"data");
    let parts = ["/b", "/a"].map(|path| MultiOp::Create(create_op(path, 0)));
    bench.ask(A, 14, OpCode::Multi, multi(parts.to_vec()));
    bench.close(A, 15);
    bench.sync();
    let seen = |written| {
        move |(path, bytes): (&str, usize)| Access { written, path: path.to_owned(), bytes }
    };
    let written = [("/a", 1), ("/a", 4), ("/a/child", 1)].map(seen(true));
    let read = [("/a", 4), ("/a", 0), ("/a", 5), ("/a", 5), ("/a", 4), ("/a", 5)].map(seen(false));
    let closed = [("/a/child", 0)].map(seen(true));
    let found = bench.replica.take_accesses();
    assert_eq!(found, [&written[..], &read, &closed].concat());
}
