//! Observers that learn from followers (ZK: `ObserverMaster`).

use super::*;

/// Three voters, of which 3 leads, and two observers of followers.
fn cluster() -> Cluster {
    let mut cluster = Cluster::new(3, 2);
    cluster.tune = |options| options.observer_masters = true;
    cluster
}

fn master_of(cluster: &mut Cluster, observer: ServerId) -> ServerId {
    let peer = cluster.server(observer).peer.as_ref().expect("it is up");
    match peer.status().role {
        Role::Observing(master) => master,
        role => panic!("it is {role:?}"),
    }
}

fn observers_of(cluster: &mut Cluster, server: ServerId) -> Vec<ServerId> {
    let peer = cluster.server(server).peer.as_ref().expect("it is up");
    let learners = peer.status().learners.into_iter().filter(|it| !it.follows && it.synced);
    learners.map(|learner| learner.server).collect()
}

#[test]
fn followers_pass_on_what_is_decided() {
    let mut cluster = cluster().start_all();
    cluster.run(600);
    assert_eq!(cluster.leader(), id(3));
    assert_eq!([4, 5].map(|it| master_of(&mut cluster, id(it))), [id(1), id(2)]);
    assert_eq!([1, 2].map(|it| observers_of(&mut cluster, id(it))), [[id(4)], [id(5)]]);
    assert_eq!(observers_of(&mut cluster, id(3)), []);
    cluster.write_one("a");
    cluster.check_equal();
    for observer in [4, 5] {
        assert!(cluster.saw(id(observer), packet::INFORM));
        assert!(!cluster.saw(id(observer), packet::COMMIT));
    }
}

#[test]
fn nothing_is_passed_on_before_it_is_decided() {
    let mut cluster = cluster().start_all();
    cluster.run(600);
    cluster.stall(id(2));
    cluster.stall(id(3));
    cluster.propose(id(3), "a");
    cluster.run(20);
    assert!(!cluster.saw(id(4), packet::INFORM));
    // Decided by others: a follower need not have stored what it passes on.
    cluster.stall(id(1));
    cluster.go_on(id(2));
    cluster.go_on(id(3));
    cluster.run(0);
    assert_eq!(cluster.applied(id(4)), ["a"]);
}

#[test]
fn an_observer_takes_another_follower_when_its_own_is_gone() {
    let mut cluster = cluster().start_all();
    cluster.run(600);
    cluster.write_one("a");
    cluster.crash(id(1));
    cluster.run(600);
    cluster.write_one("b");
    assert_eq!(cluster.applied(id(4)), ["a", "b"]);
    assert_eq!(master_of(&mut cluster, id(4)), id(2));
    assert_eq!(observers_of(&mut cluster, id(2)), [id(4), id(5)]);
}

#[test]
fn an_observer_takes_the_leader_if_no_follower_serves_it() {
    let mut cluster = Cluster::new(3, 1);
    cluster.tune = |options| options.observer_masters = options.me == id(4);
    let mut cluster = cluster.start_all();
    cluster.run(600);
    assert_eq!(master_of(&mut cluster, id(4)), id(3));
    cluster.write_one("a");
    cluster.check_equal();
}

#[test]
fn a_follower_that_loses_its_leader_lets_its_observers_go() {
    let mut cluster = cluster().start_all();
    cluster.run(600);
    cluster.write_one("a");
    cluster.crash(id(3));
    cluster.run(600);
    let leader = cluster.leader();
    cluster.write_one("b");
    for observer in [4, 5] {
        assert_eq!(cluster.applied(id(observer)), ["a", "b"]);
        assert_ne!(master_of(&mut cluster, id(observer)), leader);
    }
}

#[test]
fn an_observer_far_behind_gets_the_tree_of_a_follower() {
    let mut cluster = cluster().start_all();
    cluster.run(600);
    cluster.crash(id(4));
    for _ in 0..20 {
        cluster.write_one("later");
    }
    cluster.tune = |options| {
        options.observer_masters = true;
        options.force_snapshot = true;
    };
    for server in [1, 2] {
        cluster.crash(id(server));
        cluster.start(id(server));
        cluster.run(300);
    }
    cluster.start(id(4));
    cluster.run(300);
    assert!(cluster.saw(id(4), packet::SNAP));
    assert_ne!(master_of(&mut cluster, id(4)), cluster.leader());
    cluster.write_one("last");
    let expected = cluster.server(id(3)).applied.clone();
    assert_eq!(cluster.server(id(4)).applied, expected);
}

#[test]
fn an_observer_is_not_kept_by_a_follower_without_a_leader() {
    let mut cluster = cluster();
    cluster.start(id(1));
    let stranger = LinkId(99);
    cluster.links.insert(stranger, Link { learner: id(4), leader: id(1) });
    cluster.run(0);
    cluster.give(id(1), Input::AcceptedObserver(stranger));
    cluster.run(TICK_MS);
    assert!(cluster.links.contains_key(&stranger), "it may find one soon");
    cluster.run(TICK_MS * 2);
    assert!(!cluster.links.contains_key(&stranger));
}

/// It has seen at another follower what this one does not know to be decided.
#[test]
fn an_observer_ahead_of_a_follower_is_waited_for() {
    let mut cluster = cluster().start_all();
    cluster.run(600);
    cluster.write_one("a");
    cluster.cut(id(3), id(2));
    cluster.propose(id(3), "b");
    cluster.run(20);
    assert_eq!(cluster.applied(id(4)), ["a", "b"]);
    assert_eq!(cluster.applied(id(2)), ["a"]);
    cluster.cut(id(1), id(4));
    cluster.break_links(|link| (link.learner, link.leader) == (id(4), id(1)));
    cluster.seen.clear();
    cluster.run(200);
    assert!(!cluster.saw(id(4), packet::TRUNC), "what it has is decided");
    assert_eq!(cluster.applied(id(4)), ["a", "b"]);
}

#[test]
fn a_follower_serves_no_followers() {
    let mut cluster = cluster().start_all();
    cluster.run(300);
    cluster.seen.clear();
    let stranger = LinkId(99);
    cluster.links.insert(stranger, Link { learner: id(2), leader: id(1) });
    cluster.give(id(1), Input::AcceptedObserver(stranger));
    cluster.give(id(1), Input::Packet(stranger, packet::info(id(2), true, Epoch(0))));
    assert!(!cluster.links.contains_key(&stranger));
    // The leader does not serve observers at that port, nor does an observer.
    for server in [3, 4] {
        cluster.links.insert(stranger, Link { learner: id(5), leader: id(server) });
        cluster.give(id(server), Input::AcceptedObserver(stranger));
        assert!(!cluster.links.contains_key(&stranger), "{server}");
    }
}
