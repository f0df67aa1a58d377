//! Two servers and an oracle that lets one of them go on alone (ZK: `QuorumOracleMaj`).

use super::*;

fn pair() -> Cluster {
    let mut cluster = Cluster::new(2, 0);
    cluster.ensemble = cluster.ensemble.with_oracle();
    cluster
}

#[test]
fn two_servers_need_no_oracle_while_both_are_there() {
    let mut cluster = pair().start_all();
    cluster.run(300);
    assert_eq!(cluster.leader(), id(2));
    cluster.stall(id(1));
    cluster.favoured.insert(id(2));
    cluster.propose(id(2), "a");
    cluster.run(400);
    assert!(cluster.history.is_empty(), "a follower that is there is waited for");
    cluster.go_on(id(1));
    cluster.run(0);
    cluster.check_equal();
}

#[test]
fn the_favoured_one_leads_on_when_the_other_is_gone() {
    let mut cluster = pair().start_all();
    cluster.run(1000);
    cluster.favoured.insert(id(2));
    cluster.crash(id(1));
    cluster.propose(id(2), "a");
    cluster.run(20);
    assert_eq!(cluster.applied(id(2)), ["a"]);
    cluster.run(5000);
    assert_eq!(cluster.leader(), id(2));
    cluster.start(id(1));
    cluster.run(500);
    cluster.check_equal();
    assert_eq!(cluster.leader(), id(2), "who comes back follows");
    cluster.write_one("b");
    cluster.check_equal();
}

#[test]
fn what_waited_for_the_lost_follower_is_decided_by_the_oracle() {
    let mut cluster = pair().start_all();
    cluster.run(1000);
    cluster.stall(id(1));
    cluster.propose(id(2), "a");
    cluster.run(20);
    cluster.crash(id(1));
    cluster.run(20);
    assert!(cluster.history.is_empty());
    cluster.favoured.insert(id(2));
    cluster.run(TICK_MS * 2);
    assert_eq!(cluster.applied(id(2)), ["a"]);
}

#[test]
fn who_is_not_favoured_steps_down_within_ticks() {
    let mut cluster = pair().start_all();
    cluster.run(1000);
    cluster.crash(id(1));
    cluster.run(TICK_MS * 3);
    assert!(cluster.leaders().is_empty());
    let reports = &cluster.server(id(2)).reports;
    assert!(reports.iter().any(|said| said.contains("the oracle does not let it")), "{reports:?}");
}

#[test]
fn an_oracle_that_does_not_answer_says_no() {
    let mut cluster = pair().start_all();
    cluster.run(1000);
    cluster.crash(id(1));
    // Its answers stay behind.
    let end = cluster.now.plus(TICK_MS * 3);
    while cluster.now < end {
        cluster.run(10);
        cluster.later.retain(|(_, input)| !matches!(input, Input::OracleSaid(_)));
    }
    assert!(cluster.leaders().is_empty());
}

#[test]
fn the_favoured_one_is_elected_alone_and_not_the_other() {
    let mut cluster = pair();
    cluster.start(id(1));
    cluster.run(2000);
    assert!(cluster.leaders().is_empty());
    cluster.favoured.insert(id(1));
    cluster.run(1000);
    assert_eq!(cluster.leader(), id(1));
    cluster.write_one("a");
    cluster.run(20);
    assert_eq!(cluster.applied(id(1)), ["a"]);
    // The other one would win an election; the oracle does not favour it, and so it follows.
    cluster.start(id(2));
    cluster.run(500);
    assert_eq!(cluster.leader(), id(1));
    cluster.check_equal();
    cluster.favoured.clear();
    cluster.write_one("b");
    cluster.check_equal();
}

#[test]
fn a_yes_counts_only_when_it_comes() {
    let mut cluster = pair().start_all();
    cluster.run(1000);
    cluster.favoured.insert(id(2));
    cluster.crash(id(1));
    cluster.run(2000);
    cluster.write_one("a");
    cluster.run(20);
    cluster.favoured.clear();
    cluster.propose(id(2), "b");
    cluster.run(50);
    assert_eq!(cluster.applied(id(2)), ["a"], "each decision asks anew");
}
