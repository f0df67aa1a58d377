//! Leaders that are lost, links that break, and peers that do not keep to the protocol.

use super::*;

#[test]
fn the_leader_is_lost_and_another_takes_over() {
    let mut cluster = Cluster::new(3, 0).start_all();
    cluster.run(1000);
    cluster.write_one("a");
    cluster.crash(id(3));
    cluster.run(400);
    assert_eq!(cluster.leader(), id(2));
    assert_eq!(cluster.write_one("b"), zxid(2, 1));
    assert_eq!(cluster.applied(id(1)), ["a", "b"]);
}

#[test]
fn a_leader_without_a_quorum_steps_down() {
    let mut cluster = Cluster::new(3, 0).start_all();
    cluster.run(1000);
    cluster.cut(id(3), id(1));
    cluster.cut(id(3), id(2));
    cluster.run(3 * TICK_MS * LIMIT);
    assert_eq!(cluster.leader(), id(2));
    assert!(cluster.server(id(3)).serving.is_none());
    cluster.heal();
    cluster.run(3000);
    cluster.check_equal();
}

#[test]
fn a_follower_whose_link_breaks_comes_back() {
    let mut cluster = Cluster::new(3, 0).start_all();
    cluster.run(1000);
    cluster.write_one("a");
    cluster.break_links(|link| link.learner == id(1));
    cluster.write_one("b");
    cluster.run(1000);
    cluster.check_equal();
    assert_eq!(cluster.server(id(3)).epochs.current, Epoch(1), "the leader goes on");
}

#[test]
fn a_follower_that_stores_nothing_is_given_up() {
    let mut cluster = Cluster::new(3, 0).start_all();
    cluster.run(1000);
    cluster.stall(id(1));
    cluster.write_one("a");
    cluster.run(2 * TICK_MS * LIMIT);
    let learners = cluster.server(id(3)).peer.as_ref().expect("it is up").status().learners;
    let servers: Vec<_> = learners.iter().map(|learner| learner.server).collect();
    assert_eq!(servers, [id(2)]);
    cluster.go_on(id(1));
    cluster.run(3000);
    cluster.check_equal();
}

#[test]
fn a_vote_waits_until_the_log_is_durable() {
    let mut cluster = Cluster::new(3, 0).start_all();
    cluster.run(1000);
    cluster.stall(id(1));
    cluster.propose(id(3), "a");
    cluster.run(0);
    cluster.crash(id(3));
    cluster.crash(id(2));
    cluster.start(id(2));
    cluster.run(2000);
    assert!(cluster.leaders().is_empty(), "server 1 may not vote yet");
    cluster.go_on(id(1));
    cluster.run(2000);
    assert_eq!(cluster.leaders().len(), 1);
    assert_eq!(cluster.applied(id(1)), ["a"]);
}

#[test]
fn a_link_breaks_with_whoever_breaks_the_protocol() {
    let mut cluster = Cluster::new(3, 0).start_all();
    cluster.run(1000);
    for kind in [packet::COMMIT, packet::PROPOSAL, 17, 77] {
        let links = cluster.links.iter();
        let link = links.filter(|(_, link)| link.learner == id(1)).map(|(id, _)| *id).next_back();
        let link = link.expect("server 1 follows");
        let zxid = zxid(1, 9).0;
        let wrong = QuorumPacket { kind, zxid, data: None, auth_info: None };
        cluster.give(id(1), Input::Packet(link, wrong));
        assert!(cluster.server(id(1)).serving.is_none(), "{kind} was taken");
        cluster.run(2000);
        cluster.check_equal();
    }
}

#[test]
fn strangers_on_the_quorum_port_do_no_harm() {
    let mut cluster = Cluster::new(3, 0).start_all();
    cluster.run(1000);
    for (number, kind) in [(901, packet::PING), (902, 11), (903, 11)] {
        let link = LinkId(number);
        cluster.links.insert(link, Link { learner: id(77), leader: id(3) });
        cluster.give(id(3), Input::Accepted(link));
        let data = (number == 903).then(|| Bytes::from_static(&[0; 7]));
        let garbage = QuorumPacket { kind, zxid: -5, data, auth_info: None };
        let mut out = Vec::new();
        let now = cluster.now;
        let peer = cluster.server(id(3)).peer.as_mut().expect("it is up");
        peer.handle(Input::Packet(link, garbage), now, &mut out);
        assert!(matches!(out[0], Output::Do(Action::Close(closed, _)) if closed == link));
        cluster.links.remove(&link);
    }
    cluster.write_one("a");
    cluster.check_equal();
}

/// A learner introduces itself and is gone before it is answered.
fn introduce(cluster: &mut Cluster, number: u64, who: ServerId, accepted: Epoch) {
    let (link, leader) = (LinkId(number), cluster.leader());
    cluster.give(leader, Input::Accepted(link));
    cluster.give(leader, Input::Packet(link, packet::info(who, true, accepted)));
    cluster.give(leader, Input::Closed(link));
}

#[test]
fn a_voter_that_promised_a_later_epoch_comes_back() {
    let mut cluster = Cluster::new(3, 0);
    cluster.start(id(2));
    cluster.start(id(3));
    cluster.run(1000);
    cluster.write_one("a");
    cluster.server(id(1)).epochs.accepted = Epoch(7);
    cluster.start(id(1));
    cluster.run(600);
    cluster.check_equal();
    let leader = cluster.leader();
    assert_eq!(cluster.server(leader).epochs.current, Epoch(8));
}

#[test]
fn a_later_promise_unseats_a_leader_only_once() {
    let mut cluster = Cluster::new(3, 0);
    cluster.start(id(2));
    cluster.start(id(3));
    cluster.run(1000);
    introduce(&mut cluster, 901, id(1), Epoch(7));
    assert!(cluster.leaders().is_empty(), "it goes on in an epoch that server 1 must refuse");
    cluster.run(600);
    let leader = cluster.leader();
    assert_eq!(cluster.server(leader).epochs.current, Epoch(8));
    introduce(&mut cluster, 902, id(1), Epoch(7));
    assert_eq!(cluster.leaders(), [leader]);
}

#[test]
fn a_stranger_unseats_nobody() {
    let mut cluster = Cluster::new(3, 0).start_all();
    cluster.run(1000);
    introduce(&mut cluster, 901, id(77), Epoch(7));
    assert_eq!(cluster.leaders(), [id(3)]);
    cluster.write_one("a");
    cluster.check_equal();
}

#[test]
fn an_epoch_that_none_can_follow_is_refused() {
    let mut cluster = Cluster::new(3, 0);
    cluster.start(id(2));
    cluster.start(id(3));
    cluster.run(1000);
    for accepted in [Epoch(0x7fff_ffff), Epoch(0xffff_ffff)] {
        introduce(&mut cluster, 901, id(1), accepted);
        assert_eq!(cluster.leaders(), [id(3)], "{accepted} unseated it");
    }
}

#[test]
fn a_new_epoch_begins_when_zxids_run_out() {
    let mut cluster = Cluster::new(3, 0);
    for server in cluster.servers.values_mut() {
        let before = (zxid(1, u32::MAX - 2), Bytes::from_static(b"before"));
        server.log = vec![before.clone()];
        server.durable = 1;
        server.applied = vec![before];
        server.epochs = Epochs { accepted: Epoch(1), current: Epoch(1) };
    }
    let mut cluster = cluster.start_all();
    cluster.run(1000);
    assert_eq!(cluster.write_one("a"), zxid(2, 1));
    // As if the epoch had been used up already.
    let leader = cluster.leader();
    for server in cluster.servers.values_mut() {
        let last = (zxid(2, u32::MAX - 1), Bytes::from_static(b"last"));
        server.log.push(last.clone());
        server.durable = server.log.len();
        server.applied.push(last);
    }
    for server in cluster.servers.keys().copied().collect::<Vec<_>>() {
        let applied = zxid(2, u32::MAX - 1);
        cluster.server(server).peer.as_mut().expect("it is up").replace_log(applied, Vec::new());
    }
    assert_eq!(cluster.server(leader).peer.as_mut().expect("it is up").next_zxid(), None);
    cluster.run(2000);
    let next = cluster.write_one("b");
    assert!(next.epoch() > Epoch(2) && next.counter() == 1, "{next}");
    cluster.check_equal();
}

/// A configuration with one server more, made by a reconfig.
const RECONFIGURED: &[u8] = b"server.1=a:1:2:participant\nserver.2=b:1:2:participant\n\
    server.3=c:1:2:participant\nserver.4=d:1:2:participant\nversion=100000001";

#[test]
fn who_does_not_know_the_members_any_more_follows_and_does_not_vote() {
    let mut cluster = Cluster::new(3, 0).start_all();
    cluster.run(1000);
    cluster.propose(id(3), "a");
    while let Some((to, mut input)) = cluster.mail.pop_front() {
        if let (1, Input::Packet(_, packet)) = (to.0, &mut input)
            && packet.kind == packet::COMMIT
        {
            packet.kind = packet::COMMIT_AND_ACTIVATE;
        }
        cluster.give(to, input);
    }
    assert_eq!(cluster.applied(id(1)), ["a"]);
    let first = cluster.server(id(1));
    assert!(first.serving.is_some(), "{:?}", first.reports);
    assert!(first.reports.iter().any(|report| report.contains("as of 0x100000001")));
    cluster.crash(id(3));
    cluster.run(3000);
    let first = cluster.server(id(1));
    assert!(first.reports.last().is_some_and(|report| report.contains("a reconfig, which")));
    assert!(cluster.leaders().is_empty(), "server 2 alone is no quorum");
}

#[test]
fn a_leader_tells_of_a_reconfig_when_it_brings_up_to_date() {
    let mut cluster = Cluster::new(3, 0);
    cluster.start(id(2));
    cluster.tune = |options| options.config = Bytes::from_static(RECONFIGURED);
    cluster.start(id(3));
    cluster.run(1000);
    assert_eq!(cluster.leader(), id(3));
    let second = cluster.server(id(2));
    assert!(second.reports.iter().any(|report| report.contains("does not know them")));
    assert!(second.serving.is_some());
}

#[test]
fn a_leader_that_waits_in_vain_gives_up_when_a_voter_looks_again() {
    for (patience_ms, gives_up) in [(Some(0), true), (None, false)] {
        let mut cluster = Cluster::new(3, 0);
        cluster.tune = match patience_ms {
            Some(_) => |options| options.epoch_wait_ms = Some(0),
            None => |_| {},
        };
        cluster.start(id(3));
        cluster.run(0);
        // Server 2 votes for it, never follows, and looks for a leader again.
        let vote = Notification {
            state: PeerState::Looking,
            leader: id(3),
            zxid: Zxid::ZERO,
            round: 1,
            peer_epoch: Epoch(0),
            version: Notification::VERSION,
            config: None,
        };
        let vote = Input::Notification(id(2), vote.to_bytes());
        cluster.give(id(3), vote.clone());
        cluster.run(300);
        let elected = &cluster.server(id(3)).reports;
        assert!(elected.last().is_some_and(|it| it.starts_with("elected")), "{elected:?}");
        cluster.give(id(3), vote);
        let reports = &cluster.server(id(3)).reports;
        let gave_up = reports.iter().any(|report| report.contains("not followed in time"));
        assert_eq!(gave_up, gives_up, "{reports:?}");
    }
}
