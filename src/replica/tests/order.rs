//! The order of replies, and what becomes of requests that fail.

use super::*;
use crate::tree::{Transaction, Txn};
use jute::client::{PathResponse, Stat};

#[test]
fn reads_wait_for_the_writes_of_their_connection() {
    let mut bench = Bench::new();
    bench.open(A);
    bench.get_data(A, 1, "/a", false);
    assert_eq!(bench.outcomes(A), [(1, ErrorCode::NoNode.number())]);
    bench.create(A, 2, "/a", 0);
    bench.get_data(A, 3, "/a", false);
    bench.ask(A, -2, OpCode::Ping, Request::Ping);
    bench.create(A, 4, "/a/b", 0);
    bench.delete(A, 5, "/a");
    bench.get_data(A, 6, "/a", false);
    assert_eq!(bench.seen(A), []);
    bench.sync_some(1);
    assert_eq!(bench.outcomes(A), [(2, 0), (3, 0), (-2, 0)]);
    bench.sync_some(1);
    assert_eq!(bench.outcomes(A), [(4, 0)]);
    bench.sync_some(1);
    assert_eq!(bench.outcomes(A), [(5, ErrorCode::NotEmpty.number()), (6, 0)]);
    bench.get_data(A, 7, "/a", false);
    assert_eq!(bench.outcomes(A), [(7, 0)]);
}

#[test]
fn a_read_behind_a_write_sees_exactly_that_much() {
    let mut bench = Bench::new();
    bench.open(A);
    bench.create(A, 1, "/a", 0);
    bench.exists(A, 2, "/a", false);
    bench.set_data(A, 3, "/a", b"later");
    bench.exists(A, 4, "/a", false);
    bench.sync();
    let seen = bench.seen(A);
    let zxids: Vec<_> = seen.iter().map(Seen::zxid).collect();
    assert_eq!(zxids, [2, 2, 3, 3]);
    let versions = [1, 3].map(|reply: usize| seen[reply].body::<Stat>().version);
    assert_eq!(versions, [0, 1]);
}

#[test]
fn a_read_does_not_wait_for_other_sessions() {
    let mut bench = Bench::new();
    bench.open(A);
    bench.open(B);
    bench.create(A, 1, "/a", 0);
    bench.exists(B, 1, "/a", false);
    let seen = bench.seen(B);
    assert_eq!(seen[0].outcome(), (1, ErrorCode::NoNode.number()));
    assert_eq!(seen[0].zxid(), 2);
    bench.create(B, 2, "/a", 0);
    bench.exists(B, 3, "/a", false);
    bench.sync_some(1);
    assert_eq!((bench.outcomes(A), bench.outcomes(B)), (vec![(1, 0)], vec![]));
    bench.sync();
    assert_eq!(bench.outcomes(B), [(2, ErrorCode::NodeExists.number()), (3, 0)]);
}

#[test]
fn a_failed_write_keeps_its_place_and_uses_up_a_zxid() {
    let mut bench = Bench::new();
    let session = bench.open(A);
    bench.create(A, 1, "/a", 0);
    bench.create(A, 2, "/a", 0);
    bench.ask_as(A, 3, OpCode::SetData, Err(ErrorCode::MarshallingError), nobody());
    bench.ask_as(A, 4, OpCode::GetData, Err(ErrorCode::MarshallingError), nobody());
    bench.create(A, 5, "/b", 0);
    bench.sync();
    let seen = bench.seen(A);
    let bare = |xid, zxid, code: ErrorCode| {
        let err = code.number();
        Seen::Reply { xid, zxid, err, body: Bytes::new() }
    };
    assert_eq!(seen[0].body::<PathResponse>().path, "/a");
    assert_eq!(seen[1], bare(2, 3, ErrorCode::NodeExists));
    // One that cannot even be read keeps its place too, but is no transaction.
    assert_eq!(seen[2], bare(3, 3, ErrorCode::MarshallingError));
    assert_eq!(seen[3], bare(4, 3, ErrorCode::MarshallingError));
    assert_eq!((seen[4].outcome(), seen[4].zxid()), ((5, 0), 4));
    let logged = Transaction::from_bytes(bench.log[2].1.clone()).expect("a transaction");
    assert_eq!(logged.body, Txn::error(ErrorCode::NodeExists));
    assert_eq!((logged.header.client_id, logged.header.cxid), (session.0, 2));
    assert_eq!(logged.header.zxid, 3);
}

#[test]
fn replies_to_writes_have_their_bodies() {
    let mut bench = Bench::new();
    bench.open(A);
    let with_stat = CreateOp { op: OpCode::Create2, ..create_op("/c2", 2) };
    bench.ask(A, 1, OpCode::Create2, Request::Create(with_stat));
    let container = CreateOp { op: OpCode::CreateContainer, ..create_op("/con", 4) };
    bench.ask(A, 2, OpCode::CreateContainer, Request::Create(container));
    let ttl = CreateOp { op: OpCode::CreateTtl, ttl: 100, ..create_op("/ttl", 5) };
    bench.ask(A, 3, OpCode::CreateTtl, Request::Create(ttl));
    bench.create(A, 4, "/plain", 4);
    bench.set_data(A, 5, "/plain", b"abc");
    let acl = Some(raw_acl(&perms::world(perms::READ)));
    let set_acl = jute::client::SetAclRequest { path: some("/plain"), acl, version: 0 };
    bench.ask(A, 6, OpCode::SetAcl, Request::SetAcl(set_acl));
    bench.delete(A, 7, "/ttl");
    bench.sync();
    let seen = bench.seen(A);
    for (reply, path) in seen.iter().zip(["/c20000000000", "/con", "/ttl"]) {
        let jute::client::PathStat { path: made, stat } = reply.body();
        assert_eq!((made.as_str(), stat.czxid), (path, reply.zxid()));
        assert_eq!((stat.data_length, stat.ephemeral_owner), (1, 0));
    }
    assert_eq!(seen[3].body::<PathResponse>().path, "/plain");
    assert_eq!((seen[4].body::<Stat>().version, seen[4].body::<Stat>().data_length), (1, 3));
    assert_eq!((seen[5].body::<Stat>().aversion, seen[5].body::<Stat>().mzxid), (1, 6));
    assert_eq!(seen[6], Seen::Reply { xid: 7, zxid: 8, err: 0, body: Bytes::new() });
}

/// The four bytes of an int.
fn int(number: i32) -> [u8; 4] {
    number.to_be_bytes()
}

#[test]
fn a_multi_answers_for_each_operation() {
    let mut bench = Bench::new();
    bench.open(A);
    let check = |path, version| MultiOp::Check(PathVersion { path: some(path), version });
    let ttl = CreateOp { op: OpCode::CreateTtl, ttl: 100, ..create_op("/t", 5) };
    let set = SetDataRequest { path: some("/a"), data: None, version: 0 };
    let delete = PathVersion { path: some("/t"), version: 0 };
    let ops = vec![
        MultiOp::Create(create_op("/a", 0)),
        check("/a", 0),
        MultiOp::Create(ttl),
        MultiOp::SetData(set),
        MultiOp::Delete(delete),
    ];
    bench.ask(A, 1, OpCode::Multi, multi(ops));
    bench.sync();
    let Seen::Reply { xid: 1, zxid: 2, err: 0, body } = bench.seen(A).remove(0) else { panic!() };
    let header = |op: i32| [&int(op)[..], &[0], &int(0)].concat();
    let head = [&header(1)[..], &int(2), b"/a", &header(13), &header(15), &int(2), b"/t"].concat();
    assert_eq!(body[..head.len()], head);
    let rest = &body[head.len() + 68..];
    assert_eq!(rest[..9], header(5));
    let end = [&header(2)[..], &int(-1), &[1], &int(-1)].concat();
    assert_eq!(rest[9 + 68..], end);
}

#[test]
fn a_failed_multi_is_a_success_with_errors_inside() {
    let mut bench = Bench::new();
    bench.open(A);
    bench.exists(A, 1, "/a", true);
    let ops = ["/a", "/a", "/c"].map(|path| MultiOp::Create(create_op(path, 0)));
    bench.ask(A, 2, OpCode::Multi, multi(ops.to_vec()));
    bench.ask(A, 3, OpCode::Multi, multi(Vec::new()));
    bench.sync();
    let seen = bench.seen(A);
    let error = |code: i32| [&int(-1)[..], &[0], &int(code), &int(code)].concat();
    let end = [&int(-1)[..], &[1], &int(-1)].concat();
    let body = [error(0), error(-110), error(-2), end.clone()].concat();
    assert_eq!(seen[1], Seen::Reply { xid: 2, zxid: 2, err: 0, body: body.into() });
    assert_eq!(seen[2], Seen::Reply { xid: 3, zxid: 3, err: 0, body: end.into() });
    assert_eq!(seen.len(), 3, "what did not happen fires nothing");
    assert!(bench.tree.node("/a").is_none());
}

#[test]
fn a_multi_of_reads_is_refused() {
    let mut bench = Bench::new();
    bench.open(A);
    let read = MultiOp::GetData(PathWatch { path: some("/"), watch: false });
    bench.ask(A, 1, OpCode::Multi, multi(vec![read]));
    bench.sync();
    assert_eq!(bench.outcomes(A), [(1, ErrorCode::MarshallingError.number())]);
}

#[test]
fn nothing_is_answered_before_it_is_durable() {
    let mut bench = Bench::new();
    bench.open(A);
    bench.create(A, 1, "/a", 0);
    bench.pass(100);
    bench.input(Input::Tick);
    let mut effects = Vec::new();
    bench.replica.apply(&mut bench.tree, &mut bench.watches, bench.now, &mut effects);
    assert_eq!((effects, bench.seen(A)), (vec![], vec![]));
    assert!(bench.tree.node("/a").is_none());
}
