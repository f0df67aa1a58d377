//! Servers that say what makes no sense, and trees that differ.

use super::super::super::Origin;
use super::*;
use crate::tree::Transaction;
use bytes::BufMut;

/// The link by which a server follows, and whom.
fn link_of(cluster: &Cluster, learner: ServerId) -> (LinkId, ServerId) {
    let link = cluster.links.iter().find(|(_, ends)| ends.0 == learner);
    let (link, (_, leader)) = link.expect("it follows");
    (*link, *leader)
}

fn packet(kind: i32, zxid: i64, data: Option<&[u8]>) -> QuorumPacket {
    QuorumPacket { kind, zxid, data: data.map(Bytes::copy_from_slice), auth_info: None }
}

/// A refused request, which changes nothing.
fn transaction(zxid: i64, digest: Option<i64>) -> Transaction {
    let (session, cxid, time, kind) = (1_i64, 1_i32, 0_i64, -1_i32);
    let mut bytes = BytesMut::new();
    bytes.put_i64(session);
    bytes.put_i32(cxid);
    bytes.put_i64(zxid);
    bytes.put_i64(time);
    bytes.put_i32(kind);
    bytes.put_i32(ErrorCode::NoNode.number());
    if let Some(digest) = digest {
        bytes.put_i32(2);
        bytes.put_i64(digest);
    }
    Transaction::from_bytes(bytes.freeze()).expect("it is one")
}

/// It could not be applied when it is decided, and not be left out either.
#[test]
fn a_transaction_that_cannot_be_understood_is_not_even_logged() {
    for payload in [Bytes::from_static(b"?"), transaction(4711, None).to_bytes()] {
        let mut cluster = Cluster::new(3);
        for at in cluster.others(cluster.leader()) {
            let (link, _) = link_of(&cluster, at);
            let zxid = cluster.at(at).tree.last_zxid().next().0;
            let before = cluster.at(at).log.len();
            for kind in [zab::packet::PROPOSAL, zab::packet::INFORM] {
                let packet = packet(kind, zxid, Some(&payload));
                cluster.input(at, Input::Quorum(zab::Input::Packet(link, packet)));
            }
            assert!(!cluster.links.contains_key(&link), "the link is closed");
            assert_eq!(cluster.at(at).log.len(), before);
            cluster.pass(3000);
            cluster.check();
        }
    }
}

#[test]
fn a_broken_packet_costs_the_learner_its_link_and_nobody_else() {
    let torn: [(i32, Option<&[u8]>); 5] =
        [(1, None), (1, Some(&[7; 15])), (5, Some(&[7; 13])), (6, None), (6, Some(&[7; 11]))];
    for (kind, data) in torn {
        let mut cluster = Cluster::new(3);
        let (at, other) = (cluster.follower(), cluster.others(cluster.leader())[1]);
        let (conn, _) = cluster.open(other);
        let (link, leader) = link_of(&cluster, at);
        let packet = packet(kind, -1, data);
        cluster.input(leader, Input::Quorum(zab::Input::Packet(link, packet)));
        assert!(!cluster.links.contains_key(&link), "the link is closed");
        cluster.pass(3000);
        cluster.check();
        assert_eq!(cluster.seen(conn), []);
    }
}

#[test]
fn a_broken_answer_makes_the_learner_look_again() {
    let mut cluster = Cluster::new(3);
    let at = cluster.follower();
    let (link, _) = link_of(&cluster, at);
    cluster.input(at, Input::Quorum(zab::Input::Packet(link, packet(6, -1, Some(&[7; 8])))));
    assert!(!cluster.links.contains_key(&link), "the link is closed");
    cluster.pass(3000);
    cluster.check();
}

/// The owner of a session is gone with its link; whoever asks next is the owner.
#[test]
fn a_learner_that_comes_back_gets_its_sessions_back() {
    let mut cluster = Cluster::new(3);
    let at = cluster.follower();
    let (conn, session) = cluster.open(at);
    let (link, _) = link_of(&cluster, at);
    cluster.cut(at, link);
    cluster.mail.push_back(Mail::Input(at, zab::Input::Closed(link)));
    cluster.pass(3000);
    assert_eq!(cluster.seen(conn), [Seen::Closed(CloseReason::NotServing)]);
    let conn = cluster.reopen(at, session);
    cluster.create(at, conn, 1, "/a", 1);
    cluster.deliver();
    assert_eq!(cluster.outcomes(conn), [(1, 0)]);
    cluster.check();
}

#[test]
fn other_servers_mistakes_about_digests_are_counted() {
    let mut cluster = Cluster::new(3);
    let at = cluster.follower();
    let server = cluster.at(at);
    let (replica, tree) = (server.replica.as_mut().expect("it is up"), &server.tree);
    let digest = tree.digest();
    let zxid = tree.last_zxid().next();
    let (right, wrong) = (transaction(zxid.0, Some(digest)), transaction(zxid.0, Some(1)));
    replica.compare_digests(tree, &transaction(zxid.0, None), Origin::Elsewhere);
    replica.compare_digests(tree, &right, Origin::Elsewhere);
    assert_eq!((replica.digest_mismatches(), replica.take_digest_mismatch()), (0, None));
    replica.compare_digests(tree, &wrong, Origin::Elsewhere);
    let mismatch = DigestMismatch { zxid, found: digest, expected: 1 };
    assert_eq!(replica.digest_mismatches(), 1);
    assert_eq!(replica.take_digest_mismatch(), Some(mismatch));
    assert_eq!(replica.take_digest_mismatch(), None);
    // An image that was taken while writes went on fits no digest until it has caught up.
    let input = zab::Input::SnapshotReceived(LinkId(4711), zxid);
    replica.handle_quorum(input, Now::default(), &mut Vec::new());
    replica.compare_digests(tree, &wrong, Origin::Elsewhere);
    assert_eq!(replica.digest_mismatches(), 1);
    replica.compare_digests(tree, &right, Origin::Elsewhere);
    replica.compare_digests(tree, &wrong, Origin::Elsewhere);
    assert_eq!(replica.digest_mismatches(), 2);
}

#[test]
#[should_panic(expected = "the digest is not as predicted")]
fn a_server_that_is_wrong_about_its_own_tree_stops() {
    let mut cluster = Cluster::new(3);
    let at = cluster.leader();
    let server = cluster.at(at);
    let replica = server.replica.as_mut().expect("it is up");
    replica.compare_digests(&server.tree, &transaction(1, Some(1)), Origin::Server);
}
