//! Learners that lack something, or have too much.

use super::*;

/// Three servers of which the first is down while a few transactions are decided.
fn behind(cluster: Cluster, transactions: usize) -> Cluster {
    let mut cluster = cluster.start_all();
    cluster.run(1000);
    cluster.write_one("first");
    cluster.crash(id(1));
    for _ in 0..transactions {
        cluster.write_one("later");
    }
    cluster.seen.clear();
    cluster
}

#[test]
fn from_memory() {
    let mut cluster = behind(Cluster::new(3, 0), 5);
    cluster.start(id(1));
    cluster.run(1000);
    cluster.check_equal();
    assert!(cluster.saw(id(1), packet::DIFF));
}

#[test]
fn from_the_log() {
    let mut cluster = behind(Cluster::new(3, 0), 20);
    restart_leader(&mut cluster);
    cluster.start(id(1));
    cluster.run(2000);
    cluster.check_equal();
    assert!(cluster.saw(id(1), packet::DIFF) && !cluster.saw(id(1), packet::SNAP));
}

#[test]
fn from_a_snapshot() {
    let mut cluster = behind(Cluster::new(3, 0), 20);
    restart_leader(&mut cluster);
    for server in [2, 3] {
        cluster.server(id(server)).floor = zxid(1, 10);
    }
    cluster.start(id(1));
    cluster.run(2000);
    cluster.check_equal();
    assert!(cluster.saw(id(1), packet::SNAP));
    cluster.write_one("afterwards");
    cluster.check_equal();
}

/// Both are started anew, so that they keep nothing of the log in memory.
fn restart_leader(cluster: &mut Cluster) {
    for server in [2, 3] {
        cluster.crash(id(server));
    }
    for server in [2, 3] {
        cluster.start(id(server));
    }
    cluster.run(2000);
    cluster.seen.clear();
}

#[test]
fn a_new_server_gets_everything() {
    let mut cluster = behind(Cluster::new(3, 0), 3);
    let first = cluster.server(id(1));
    first.log.clear();
    first.durable = 0;
    first.applied.clear();
    cluster.start(id(1));
    cluster.run(1000);
    cluster.check_equal();
}

#[test]
fn what_only_a_dead_leader_has_is_cut_off() {
    let mut cluster = Cluster::new(3, 0).start_all();
    cluster.run(1000);
    cluster.write_one("a");
    cluster.cut(id(3), id(1));
    cluster.cut(id(3), id(2));
    cluster.propose(id(3), "lost");
    cluster.run(0);
    cluster.crash(id(3));
    cluster.run(2000);
    assert_eq!(cluster.leader(), id(2));
    cluster.heal();
    cluster.start(id(3));
    cluster.run(2000);
    cluster.check_equal();
    assert!(cluster.saw(id(3), packet::TRUNC));
    cluster.write_one("b");
    cluster.check_equal();
    assert_eq!(cluster.applied(id(3)), ["a", "b"]);
}

#[test]
fn what_only_a_dead_leader_has_is_replaced_once_there_is_more() {
    let mut cluster = Cluster::new(3, 0).start_all();
    cluster.run(1000);
    cluster.write_one("a");
    cluster.cut(id(3), id(1));
    cluster.cut(id(3), id(2));
    cluster.propose(id(3), "lost");
    cluster.run(0);
    cluster.crash(id(3));
    cluster.run(2000);
    cluster.write_one("b");
    cluster.heal();
    cluster.start(id(3));
    cluster.run(2000);
    cluster.check_equal();
    assert!(cluster.saw(id(3), packet::SNAP));
}

#[test]
fn what_a_quorum_has_stored_survives_though_nobody_heard_that_it_was_decided() {
    let mut cluster = Cluster::new(3, 0).start_all();
    cluster.run(1000);
    cluster.cut.extend([(id(1), id(3)), (id(2), id(3))]);
    cluster.propose(id(3), "kept");
    cluster.run(0);
    assert!(cluster.history.is_empty());
    cluster.crash(id(3));
    cluster.heal();
    cluster.run(2000);
    assert_eq!(cluster.applied(id(1)), ["kept"]);
    cluster.write_one("next");
    cluster.start(id(3));
    cluster.run(2000);
    cluster.check_equal();
}

#[test]
fn a_learner_that_joins_under_way_misses_nothing() {
    let mut cluster = behind(Cluster::new(5, 0), 2);
    for server in [2, 3, 4] {
        cluster.stall(id(server));
    }
    cluster.propose(id(5), "outstanding");
    cluster.start(id(1));
    cluster.run(500);
    assert!(cluster.server(id(1)).serving.is_some());
    assert_eq!(cluster.applied(id(1)).last(), Some(&"later"), "two of five have stored it");
    for server in [2, 3, 4] {
        cluster.go_on(id(server));
    }
    cluster.run(0);
    cluster.check_equal();
}

/// ZooKeeper 3.8.0 does not survive a COMMIT between NEWLEADER and UPTODATE.
#[test]
fn a_follower_hears_of_new_decisions_only_once_it_may_serve() {
    let mut cluster = behind(Cluster::new(5, 0), 2);
    for server in [2, 3, 4] {
        cluster.stall(id(server));
    }
    cluster.propose(id(5), "outstanding");
    cluster.stall(id(1));
    cluster.start(id(1));
    cluster.run(200);
    // It has promised the epoch before, and stores what it lacked.
    assert!(cluster.saw(id(1), packet::NEW_LEADER) && !cluster.saw(id(1), packet::UP_TO_DATE));
    cluster.seen.clear();
    for server in [2, 3, 4] {
        cluster.go_on(id(server));
    }
    cluster.write_one("meanwhile");
    assert_eq!(cluster.applied(id(5)).last(), Some(&"meanwhile"));
    assert!(cluster.saw(id(1), packet::PROPOSAL) && !cluster.saw(id(1), packet::COMMIT));
    cluster.go_on(id(1));
    cluster.run(100);
    cluster.go_on(id(1));
    let order = cluster.seen.iter().filter(|(to, _)| *to == id(1)).map(|(_, kind)| *kind);
    let order: Vec<_> = order.filter(|kind| *kind != packet::PING).collect();
    let expected = [packet::PROPOSAL, packet::UP_TO_DATE, packet::COMMIT, packet::COMMIT];
    assert_eq!(order, expected, "two decisions, behind UPTODATE");
    cluster.run(0);
    cluster.check_equal();
    cluster.write_one("afterwards");
    cluster.check_equal();
}

#[test]
fn what_a_follower_has_of_its_leader_stays_on_its_disk() {
    let mut cluster = Cluster::new(3, 0).start_all();
    cluster.run(1000);
    cluster.write_one("a");
    cluster.stall(id(2));
    cluster.stall(id(3));
    cluster.propose(id(3), "b");
    cluster.cut.insert((id(1), id(3)));
    cluster.run(0);
    cluster.heal();
    cluster.server(id(1)).events.clear();
    cluster.seen.clear();
    // The leader never heard that it is stored, and says TRUNC.
    cluster.break_links(|link| link.learner == id(1));
    cluster.run(500);
    assert!(cluster.saw(id(1), packet::TRUNC));
    let events = &cluster.server(id(1)).events;
    assert!(!events.iter().any(|event| matches!(event, Event::Dropped(_))), "{events:?}");
    cluster.go_on(id(2));
    cluster.go_on(id(3));
    cluster.run(0);
    cluster.check_equal();
    cluster.write_one("c");
    cluster.check_equal();
}

/// Server 1, which has three transactions of its leader's epoch, comes back, and is told this
/// rather than DIFF.
fn told(choice: &QuorumPacket) -> Cluster {
    let mut cluster = Cluster::new(3, 0).start_all();
    cluster.run(1000);
    for what in ["a", "b", "c"] {
        cluster.write_one(what);
    }
    cluster.break_links(|link| link.learner == id(1));
    for _ in 0..1000 {
        let (to, mut input) = cluster.mail.pop_front().unwrap_or((id(1), Input::Tick));
        if let (1, Input::Packet(_, packet)) = (to.0, &mut input)
            && packet.kind == packet::DIFF
        {
            packet.clone_from(choice);
        }
        cluster.give(to, input);
    }
    cluster
}

#[test]
fn wherever_its_leader_would_cut_a_follower_keeps_what_it_has() {
    for to in [zxid(1, 1), zxid(1, 0), zxid(0, 7), zxid(1, 9), Zxid(i64::MAX), Zxid(-1)] {
        let mut cluster = told(&packet::bare(packet::TRUNC, to));
        assert!(cluster.saw(id(1), packet::TRUNC));
        assert_eq!(cluster.server(id(1)).log.len(), 3, "{to}");
        cluster.run(2000);
        cluster.check_equal();
        cluster.write_one("d");
        cluster.check_equal();
    }
}

/// As a leader with `forceSnapshotSync` would, if its tree is behind.
#[test]
fn an_older_tree_takes_nothing_from_the_disk() {
    let mut cluster = told(&packet::bare(packet::SNAP, zxid(1, 2)));
    assert!(cluster.saw(id(1), packet::SNAP));
    let first = cluster.server(id(1));
    assert_eq!(first.log.len(), 3);
    let refused = "a tree as of 0x100000002, and this server has stored what leads to 0x100000003";
    assert!(first.reports.iter().any(|report| report.contains(refused)), "{:?}", first.reports);
    cluster.run(2000);
    cluster.check_equal();
}

#[test]
fn observers_wait_while_others_are_brought_up_to_date() {
    let mut cluster = Cluster::new(3, 2);
    cluster.tune = |options| (options.max_diff_syncs, options.max_snapshot_syncs) = (1, 1);
    for server in 1..=3 {
        cluster.start(id(server));
    }
    cluster.run(1000);
    cluster.write_one("a");
    cluster.stall(id(4));
    cluster.start(id(4));
    cluster.run(100);
    // It stores its promise, and nothing of what it is sent then.
    cluster.write(id(4));
    cluster.run(100);
    cluster.crash(id(1));
    cluster.start(id(1));
    cluster.start(id(5));
    cluster.run(500);
    assert!(cluster.server(id(1)).serving.is_some(), "a follower is not kept waiting");
    assert!(cluster.server(id(5)).serving.is_none());
    cluster.go_on(id(4));
    cluster.run(100);
    cluster.go_on(id(4));
    cluster.run(2000);
    cluster.check_equal();
}
