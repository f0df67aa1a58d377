//! Whole ensembles: all agree on the best leader, whatever the network does and whoever crashes.

use super::network::{GOOD, Network, Quality, Random};
use super::*;
use std::collections::BTreeMap;

/// An ensemble of up to seven voters and two observers. One in three is of groups and weights, and
/// its observers and some of its voters weigh nothing.
fn any_ensemble(random: &mut Random) -> Ensemble {
    let count = 1 + random.small(7);
    let observers = ids(10..10 + random.small(3));
    if random.below(3) > 0 {
        return Ensemble::majority(ids(1..=count), observers);
    }
    let mut groups = vec![BTreeSet::new(); 1 + usize::try_from(random.below(3)).expect("small")];
    let mut weights = BTreeMap::new();
    for id in ids(1..=count) {
        let group = usize::try_from(random.below(groups.len() as u64)).expect("small");
        groups[group].insert(id);
        // The first always weighs something, so that a quorum is possible.
        weights.insert(id, if id == ServerId(1) { 1 } else { random.below(3) });
    }
    Ensemble::hierarchical(groups, weights, observers)
}

/// Which of the voters are ZooKeeper's: none, some, or all. Its observers are left out: while they
/// have a leader and a voter has none, those two answer each other without end, and messages that
/// are doubled on their way multiply.
fn any_mix(seed: u64) -> impl FnMut(ServerId) -> bool {
    let mut random = Random(seed);
    let percent = [0, 50, 100][usize::try_from(seed % 3).expect("small")];
    move |id| id.0 < 10 && random.chance(percent)
}

/// An ensemble of any kind, all of it down.
fn any_network(seed: u64, quality: Quality, classic: impl FnMut(ServerId) -> bool) -> Network {
    let ensemble = any_ensemble(&mut Random(seed));
    let mut network = Network::new(seed, ensemble, quality, classic);
    write_logs(&mut network);
    network
}

/// Gives all servers logs that differ in epoch or zxid, or not at all.
fn write_logs(network: &mut Network) {
    for node in network.nodes.values_mut() {
        node.epoch = Epoch(network.random.small(3));
        node.zxid = Zxid::new(Epoch(network.random.small(3).min(node.epoch.0)), 0);
        node.zxid.0 += network.random.small(3);
    }
}

/// The best of the voters that are up and can lead.
fn best(network: &Network) -> Option<ServerId> {
    let eligible =
        network.nodes.iter().filter(|(id, node)| node.up && network.ensemble.weight(**id) > 0);
    eligible.max_by_key(|(id, node)| (node.epoch, node.zxid, **id)).map(|(id, _)| *id)
}

fn has_quorum(network: &Network) -> bool {
    let up = network.nodes.iter().filter(|(_, node)| node.up);
    network.ensemble.is_quorum(&up.map(|(id, _)| *id).collect())
}

/// Starts a part of the servers within a short time.
fn start_some(network: &mut Network, percent: u64) {
    for id in network.nodes.keys().copied().collect::<Vec<_>>() {
        if network.random.chance(percent) {
            network.start(id);
            let pause = network.random.below(15);
            network.run(pause);
        }
    }
}

#[test]
fn all_agree_on_the_best_if_everything_arrives() {
    let mut decided = 0;
    for seed in 0..1_000 {
        let mut network = any_network(seed, GOOD, |_| false);
        start_some(&mut network, 80);
        network.run(7_000);
        let expected = has_quorum(&network).then(|| best(&network)).flatten();
        for (id, leader) in network.leaders() {
            assert_eq!(leader, expected, "seed {seed}: of {id}");
        }
        decided += u64::from(expected.is_some());
    }
    assert!(decided > 500, "only {decided} elections had a quorum");
}

#[test]
fn rounds_that_differ_are_brought_together() {
    for seed in 0..500 {
        let voters = 2 + i64::try_from(seed % 6).expect("small");
        let mut network = Network::new(seed, of_voters(voters), GOOD, |_| false);
        write_logs(&mut network);
        // Some have long been looking for a leader, unheard.
        let ids: Vec<ServerId> = network.nodes.keys().copied().collect();
        network.quality.lost_percent = 100;
        for id in ids.iter().copied().flat_map(|id| vec![id; 3]) {
            if network.random.chance(40) {
                network.start(id);
            }
        }
        network.quality = GOOD;
        for id in ids {
            if !network.nodes[&id].up {
                network.start(id);
            }
        }
        network.run(7_000);
        let expected = best(&network);
        for (id, leader) in network.leaders() {
            assert_eq!(leader, expected, "seed {seed}: of {id}");
        }
    }
}

#[test]
fn an_ensemble_without_faults_needs_no_wait() {
    let mut network = Network::new(1, of_voters(5), GOOD, |_| false);
    for id in ids(1..=5) {
        network.start(id);
    }
    network.run(150);
    assert!(network.leaders().iter().all(|(_, leader)| *leader == Some(ServerId(5))));
}

/// Whether all servers are up and serve under one leader.
fn is_whole(network: &Network) -> bool {
    let mut serving = network.nodes.values().map(|node| node.serving);
    let first = serving.next().flatten();
    first.is_some() && serving.all(|epoch| epoch == first)
}

fn supervise_until_whole(network: &mut Network, steps: u64) -> bool {
    for _ in 0..steps {
        network.run(100);
        network.supervise();
        if is_whole(network) {
            return true;
        }
    }
    false
}

#[test]
fn an_ensemble_becomes_whole_after_any_chaos() {
    for seed in 0..400 {
        let bad = Quality { max_delay_ms: 400, lost_percent: 30, doubled_percent: 30 };
        let mut network = any_network(seed, bad, any_mix(seed));
        let ids: Vec<ServerId> = network.nodes.keys().copied().collect();
        for _ in 0..60 {
            let id = network.random.id(&ids);
            match network.random.below(3) {
                0 => network.crash(id),
                1 if !network.nodes[&id].up => network.start(id),
                _ => {}
            }
            let pause = network.random.below(500);
            network.run(pause);
            network.supervise();
        }
        network.quality = GOOD;
        for id in ids {
            if !network.nodes[&id].up {
                network.start(id);
            }
        }
        // An observer that has looked in vain may be silent for a minute.
        assert!(supervise_until_whole(&mut network, 1_500), "seed {seed}");
    }
}

/// A server of an ensemble that is whole has crashed while it led; the others notice soon.
fn crash_leader(network: &mut Network) -> ServerId {
    let leader = network.leaders()[0].1.expect("it is whole");
    network.crash(leader);
    for id in network.nodes.keys().copied().filter(|id| *id != leader).collect::<Vec<_>>() {
        network.start(id);
        let pause = network.random.below(20);
        network.run(pause);
    }
    leader
}

#[test]
fn a_crashed_leader_is_replaced_by_the_best_and_finds_its_successor() {
    for seed in 0..200 {
        let voters = 3 + 2 * i64::try_from(seed % 3).expect("small");
        let ensemble = Ensemble::majority(ids(1..=voters), ids([10]));
        let mut network = Network::new(seed, ensemble, GOOD, |_| false);
        start_some(&mut network, 100);
        assert!(supervise_until_whole(&mut network, 200), "seed {seed}");
        let crashed = crash_leader(&mut network);
        let expected = best(&network);
        network.run(300);
        let voters = network.leaders().into_iter().filter(|(id, _)| id.0 != 10);
        for (id, leader) in voters {
            assert_eq!(leader, expected, "seed {seed}: of {id}");
        }
        network.supervise();
        network.start(crashed);
        network.run(100);
        let successor = network.nodes[&crashed].outcome.map(|outcome| outcome.leader);
        assert_eq!(successor, expected, "seed {seed}");
        assert!(supervise_until_whole(&mut network, 800), "seed {seed}");
    }
}

#[test]
fn a_crashed_leader_is_replaced_among_servers_of_both_kinds() {
    for seed in 0..200 {
        let ensemble = Ensemble::majority(ids(1..=5), ids([10, 11]));
        let mut network = Network::new(seed, ensemble, GOOD, any_mix(seed));
        start_some(&mut network, 100);
        for _ in 0..3 {
            assert!(supervise_until_whole(&mut network, 800), "seed {seed}");
            let crashed = crash_leader(&mut network);
            network.run(500);
            network.supervise();
            network.start(crashed);
        }
        assert!(supervise_until_whole(&mut network, 800), "seed {seed}");
    }
}
