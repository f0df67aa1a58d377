//! Writes and syncs through followers and observers.

use super::*;

#[test]
fn a_client_of_a_learner_reads_what_it_wrote() {
    let mut cluster = Cluster::new(3);
    for at in cluster.others(ServerId(0)) {
        let (conn, _) = cluster.open(at);
        let path = format!("/of{at}");
        cluster.create(at, conn, 1, &path, 0);
        cluster.exists(at, conn, 2, &path, false);
        cluster.create(at, conn, 3, &path, 0);
        cluster.deliver();
        let exists = ErrorCode::NodeExists.number();
        assert_eq!(cluster.outcomes(conn), [(1, 0), (2, 0), (3, exists)]);
    }
    cluster.check();
}

#[test]
fn identities_go_with_a_request() {
    let mut cluster = Cluster::new(3);
    let at = cluster.follower();
    let (conn, _) = cluster.open(at);
    cluster.ask(at, conn, 1, OpCode::Create, create_for("/mine", "me"));
    for (xid, who) in [(2, "you"), (3, "me")] {
        let op = OpCode::Create;
        cluster.ask_as(at, conn, xid, op, Ok(create("/mine/a", 0)), somebody(who));
    }
    cluster.deliver();
    let no_auth = ErrorCode::NoAuth.number();
    assert_eq!(cluster.outcomes(conn), [(1, 0), (2, no_auth), (3, 0)]);
    cluster.check();
}

#[test]
fn multis_and_their_failures_come_back_to_the_learner() {
    let mut cluster = Cluster::new(3);
    let at = cluster.follower();
    let (conn, _) = cluster.open(at);
    let ops = |paths: [&str; 2]| paths.map(|path| MultiOp::Create(create_op(path, 0))).to_vec();
    cluster.ask(at, conn, 1, OpCode::Multi, multi(ops(["/a", "/b"])));
    cluster.ask(at, conn, 2, OpCode::Multi, multi(ops(["/c", "/a"])));
    cluster.exists(at, conn, 3, "/c", false);
    cluster.deliver();
    let no_node = ErrorCode::NoNode.number();
    assert_eq!(cluster.outcomes(conn), [(1, 0), (2, 0), (3, no_node)]);
    cluster.check();
}

/// A Java leader would not survive a write that it cannot read; a multi that it cannot read gets a
/// zxid like any other.
#[test]
fn a_write_that_cannot_be_read_stays_here() {
    let mut cluster = Cluster::new(3);
    let at = cluster.follower();
    let (conn, _) = cluster.open(at);
    cluster.packets.clear();
    let broken = Err(ErrorCode::MarshallingError);
    cluster.create(at, conn, 1, "/a", 0);
    cluster.ask_as(at, conn, 2, OpCode::SetData, broken.clone(), nobody());
    cluster.ask_as(at, conn, 3, OpCode::Multi, broken, nobody());
    cluster.deliver();
    let marshalling = ErrorCode::MarshallingError.number();
    assert_eq!(cluster.outcomes(conn), [(1, 0), (2, marshalling), (3, marshalling)]);
    let requests = cluster.packets.iter().filter(|(_, packet)| packet.kind == 1);
    assert_eq!(requests.count(), 2);
    cluster.check();
}

/// What another kind of learner lets pass must not hurt.
#[test]
fn a_leader_refuses_what_cannot_be_read_and_what_is_not_for_clients() {
    let mut cluster = Cluster::new(3);
    let (at, leader) = (cluster.follower(), cluster.leader());
    let (_, session) = cluster.open(at);
    let link = cluster.links.iter().find(|(_, ends)| ends.0 == at).expect("it follows");
    let link = *link.0;
    for (cxid, op, body) in [(1, 5, &b"?"[..]), (2, 20, b"\0\0\0\x02/a"), (3, 4711, b"")] {
        let mut data = session.0.to_be_bytes().to_vec();
        data.extend([cxid, op].map(i32::to_be_bytes).concat());
        data.extend_from_slice(body);
        let packet = QuorumPacket { kind: 1, zxid: -1, data: Some(data.into()), auth_info: None };
        cluster.input(leader, Input::Quorum(zab::Input::Packet(link, packet)));
    }
    cluster.deliver();
    cluster.check();
    let log = &cluster.at(at).log;
    let kinds: Vec<_> = log[log.len() - 3..]
        .iter()
        .map(|(_, payload)| {
            let txn = crate::tree::Transaction::from_bytes(payload.clone()).expect("it is one");
            (txn.header.cxid, txn.body)
        })
        .collect();
    let refused = |cxid, code: ErrorCode| (cxid, crate::tree::Txn::error(code));
    let expected = [
        refused(1, ErrorCode::MarshallingError),
        refused(2, ErrorCode::Unimplemented),
        refused(3, ErrorCode::Unimplemented),
    ];
    assert_eq!(kinds, expected);
}

#[test]
fn a_sync_waits_for_what_was_decided_before_it() {
    let mut cluster = Cluster::new(3);
    let (at, leader) = (cluster.follower(), cluster.leader());
    let (writer, _) = cluster.open(leader);
    let (reader, _) = cluster.open(at);
    // The follower has what the leader has written only once its own disk has it.
    cluster.at(at).is_stalled = true;
    cluster.create(leader, writer, 1, "/a", 0);
    cluster.deliver();
    assert_eq!(cluster.outcomes(writer), [(1, 0)]);
    cluster.sync(at, reader, 1);
    cluster.exists(at, reader, 2, "/a", false);
    cluster.deliver();
    assert_eq!(cluster.seen(reader), []);
    cluster.flush(at);
    cluster.deliver();
    assert_eq!(cluster.outcomes(reader), [(1, 0), (2, 0)]);
}

#[test]
fn what_is_written_behind_a_sync_is_answered_though_both_are_done_at_once() {
    let mut cluster = Cluster::new(3);
    let at = cluster.follower();
    let (conn, _) = cluster.open(at);
    cluster.busy = Some(at);
    cluster.sync(at, conn, 1);
    cluster.create(at, conn, 2, "/a", 0);
    cluster.exists(at, conn, 3, "/a", false);
    cluster.deliver();
    assert_eq!(cluster.seen(conn), []);
    cluster.busy = None;
    cluster.apply(at);
    assert_eq!(cluster.outcomes(conn), [(1, 0), (2, 0), (3, 0)]);
}

#[test]
fn syncs_of_many_and_of_the_gone_are_told_apart() {
    let mut cluster = Cluster::new(3);
    let at = cluster.follower();
    let (a, _) = cluster.open(at);
    let (b, _) = cluster.open(at);
    cluster.sync(at, a, 1);
    cluster.sync(at, b, 1);
    cluster.sync(at, b, 2);
    cluster.input(at, Input::Closed(a));
    cluster.exists(at, b, 3, "/", false);
    cluster.deliver();
    assert_eq!(cluster.seen(a), []);
    assert_eq!(cluster.outcomes(b), [(1, 0), (2, 0), (3, 0)]);
}

#[test]
fn the_leader_answers_its_own_clients_syncs() {
    let mut cluster = Cluster::new(3);
    let at = cluster.leader();
    let (conn, _) = cluster.open(at);
    cluster.create(at, conn, 1, "/a", 0);
    cluster.sync(at, conn, 2);
    cluster.deliver();
    assert_eq!(cluster.outcomes(conn), [(1, 0), (2, 0)]);
}

#[test]
fn watches_fire_on_every_server_before_the_reply() {
    let mut cluster = Cluster::new(3);
    let all = cluster.others(ServerId(0));
    let conns: Vec<_> = all.iter().map(|at| (*at, cluster.open(*at).0)).collect();
    for (at, conn) in &conns {
        cluster.exists(*at, *conn, 1, "/a", true);
        cluster.seen(*conn);
    }
    let (writer_at, writer) = conns[0];
    cluster.create(writer_at, writer, 2, "/a", 0);
    cluster.deliver();
    let zxid = cluster.at(writer_at).tree.last_zxid().0;
    let event = Seen::Event(EventType::Created, "/a".to_owned(), zxid);
    for (_, conn) in &conns {
        let seen = cluster.seen(*conn);
        assert_eq!(seen[0], event);
        assert_eq!(seen.len(), if *conn == writer { 2 } else { 1 });
    }
}

/// Transactions that a learner gets again behind an image are the same as those in it.
#[test]
fn a_server_that_missed_everything_catches_up() {
    let mut cluster = Cluster::new(3);
    let lost = cluster.follower();
    cluster.crash(lost);
    let at = cluster.leader();
    let (conn, _) = cluster.open(at);
    for number in 1..=600 {
        cluster.create(at, conn, number, &format!("/n{number}"), 0);
    }
    cluster.deliver();
    cluster.at(lost).log.clear();
    cluster.at(lost).durable = 0;
    cluster.start(lost);
    cluster.pass(3000);
    cluster.check();
    cluster.crash(lost);
    cluster.start(lost);
    cluster.pass(3000);
    cluster.check();
}

#[test]
fn what_waits_is_counted_where_its_client_is() {
    let mut cluster = Cluster::new(3);
    let at = cluster.follower();
    let (conn, _) = cluster.open(at);
    cluster.create(at, conn, 1, "/a", 0);
    cluster.exists(at, conn, 2, "/a", false);
    let waiting = |cluster: &Cluster, id| {
        cluster.servers.get(&id).and_then(|server| server.replica.as_ref()).map(Replica::waiting)
    };
    assert_eq!(waiting(&cluster, at), Some(2));
    for other in cluster.others(at) {
        assert_eq!(waiting(&cluster, other), Some(0));
    }
    cluster.deliver();
    assert_eq!(waiting(&cluster, at), Some(0));
    cluster.check();
}
