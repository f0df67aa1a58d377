//! A network of servers that elect, from one seed.
//!
//! Messages are delayed, reordered, doubled and lost as wanted; servers crash and come back. In the
//! place of the broadcast stands [`Network::supervise`]: it lets a leader that a quorum follows
//! begin its epoch, and sends everyone who waits in vain back to the election.

use super::classic::Classic;
use super::*;
use std::collections::BTreeMap;

/// Milliseconds after which a server gives up a leader that does not come about.
const PATIENCE_MS: u64 = 1_500;

/// A small random source (`SplitMix64`).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }

    pub(super) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub(super) fn id(&mut self, ids: &[ServerId]) -> ServerId {
        let at = self.below(ids.len() as u64);
        ids[usize::try_from(at).expect("it is small")]
    }

    pub(super) fn small(&mut self, bound: u64) -> i64 {
        i64::try_from(self.below(bound)).expect("it is small")
    }
}

/// Zabra's election, or ZooKeeper's.
pub(super) enum Voter {
    Zabra(Election),
    Classic(Classic),
}

/// What a message or the time has led to.
type Step = Option<Outcome>;

impl Voter {
    fn start(&mut self, zxid: Zxid, epoch: Epoch, now: Moment, out: &mut Messages) {
        match self {
            Self::Zabra(election) => election.start(zxid, epoch, now, out),
            Self::Classic(classic) => classic.start(zxid, epoch, now, out),
        }
    }

    fn notified(
        &mut self,
        from: ServerId,
        message: Bytes,
        now: Moment,
        out: &mut Messages,
    ) -> Step {
        match self {
            Self::Zabra(election) => {
                election.notified(from, message, now, out).expect("a message is well-formed")
            }
            Self::Classic(classic) => classic.notified(from, message, now, out),
        }
    }

    fn tick(&mut self, now: Moment, out: &mut Messages) -> Step {
        match self {
            Self::Zabra(election) => election.tick(now, out),
            Self::Classic(classic) => classic.tick(now, out),
        }
    }

    fn next_tick(&self) -> Option<Moment> {
        match self {
            Self::Zabra(election) => election.next_tick(),
            Self::Classic(classic) => classic.next_tick(),
        }
    }

    fn established(&mut self, state: PeerState, epoch: Epoch) {
        match self {
            Self::Zabra(election) => election.established(state, epoch),
            Self::Classic(classic) => classic.established(epoch),
        }
    }
}

/// A server, crashed or not.
pub(super) struct Node {
    pub(super) voter: Voter,
    pub(super) up: bool,
    pub(super) zxid: Zxid,
    pub(super) epoch: Epoch,
    /// What it has last decided, and when, if it is not looking.
    pub(super) outcome: Option<Outcome>,
    since: Moment,
    /// The epoch in which it leads or follows.
    pub(super) serving: Option<Epoch>,
}

/// How bad the network is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quality {
    pub(super) max_delay_ms: u64,
    pub(super) lost_percent: u64,
    pub(super) doubled_percent: u64,
}

/// Everything arrives, though not in order.
pub(super) const GOOD: Quality = Quality { max_delay_ms: 25, lost_percent: 0, doubled_percent: 10 };

pub(super) struct Network {
    seed: u64,
    pub(super) ensemble: Ensemble,
    pub(super) nodes: BTreeMap<ServerId, Node>,
    pub(super) random: Random,
    pub(super) quality: Quality,
    pub(super) now: Moment,
    /// Messages on their way: from, to and content by when they arrive.
    under_way: BTreeMap<(Moment, u64), (ServerId, ServerId, Bytes)>,
    /// What each has last said to each, which a link says again when it is new.
    last_said: BTreeMap<(ServerId, ServerId), Bytes>,
    sent: u64,
    last_epoch: Epoch,
}

impl Network {
    /// Servers that are down. `classic` says which of them are ZooKeeper's.
    pub(super) fn new(
        seed: u64,
        ensemble: Ensemble,
        quality: Quality,
        mut classic: impl FnMut(ServerId) -> bool,
    ) -> Self {
        let node = |id: ServerId| {
            let voter = if classic(id) {
                Voter::Classic(Classic::new(id, ensemble.clone()))
            } else {
                Voter::Zabra(election(id.0, ensemble.clone()))
            };
            let (up, outcome, since, serving) = (false, None, Moment(0), None);
            (id, Node { voter, up, zxid: Zxid(0), epoch: Epoch(0), outcome, since, serving })
        };
        let nodes = ensemble.members().map(node).collect();
        let (now, under_way, random) = (Moment(0), BTreeMap::new(), Random(seed));
        let (last_said, sent, last_epoch) = (BTreeMap::new(), 0, Epoch(0));
        Self { seed, ensemble, nodes, random, quality, now, under_way, last_said, sent, last_epoch }
    }

    fn node(&mut self, id: ServerId) -> &mut Node {
        self.nodes.get_mut(&id).expect("it is a member")
    }

    /// Lets a server look for a leader, in a new process if it is down.
    pub(super) fn start(&mut self, id: ServerId) {
        let (now, ensemble) = (self.now, self.ensemble.clone());
        if !self.nodes[&id].up {
            self.connect(id);
        }
        let node = self.node(id);
        if !node.up {
            node.up = true;
            match &mut node.voter {
                Voter::Zabra(voter) => *voter = election(id.0, ensemble),
                Voter::Classic(voter) => *voter = Classic::new(id, ensemble),
            }
        }
        (node.outcome, node.serving) = (None, None);
        let mut out = Vec::new();
        node.voter.start(node.zxid, node.epoch, now, &mut out);
        self.send(id, out);
    }

    /// Connects a new process to all others.
    fn connect(&mut self, id: ServerId) {
        self.last_said.retain(|(from, _), _| *from != id);
        let others = self.nodes.iter().filter(|(_, node)| node.up).map(|(other, _)| *other);
        let said = |other| Some((other, self.last_said.get(&(other, id))?.clone()));
        for (other, message) in others.filter_map(said).collect::<Vec<_>>() {
            self.send(other, vec![(id, message)]);
        }
    }

    pub(super) fn crash(&mut self, id: ServerId) {
        let node = self.node(id);
        (node.up, node.outcome, node.serving) = (false, None, None);
    }

    fn send(&mut self, from: ServerId, out: Messages) {
        for (to, message) in out {
            assert!(from != to, "{from} sends to itself");
            self.last_said.insert((from, to), message.clone());
            let copies = 1 + u64::from(self.random.chance(self.quality.doubled_percent));
            for _ in 0..copies {
                let arrival = self.now.plus(1 + self.random.below(self.quality.max_delay_ms));
                if !self.random.chance(self.quality.lost_percent) {
                    self.sent += 1;
                    assert!(self.sent < 300_000, "seed {}: a storm of messages", self.seed);
                    self.under_way.insert((arrival, self.sent), (from, to, message.clone()));
                }
            }
        }
    }

    /// Lets everything happen that happens within so many milliseconds.
    pub(super) fn run(&mut self, millis: u64) {
        let end = self.now.plus(millis);
        loop {
            let up = self.nodes.iter().filter(|(_, node)| node.up);
            let tick = up.filter_map(|(id, node)| Some((node.voter.next_tick()?, *id))).min();
            let arrival = self.under_way.keys().next().copied();
            match (tick, arrival) {
                (Some((due, id)), _) if due <= end && arrival.is_none_or(|next| due < next.0) => {
                    self.now = self.now.max(due);
                    self.step(id, Voter::tick);
                }
                (_, Some(next)) if next.0 <= end => {
                    self.now = self.now.max(next.0);
                    let (from, to, message) = self.under_way.remove(&next).expect("it is there");
                    if self.node(to).up {
                        self.step(to, |voter, now, out| voter.notified(from, message, now, out));
                    }
                }
                _ => break,
            }
        }
        self.now = end;
    }

    fn step(&mut self, id: ServerId, act: impl FnOnce(&mut Voter, Moment, &mut Messages) -> Step) {
        let now = self.now;
        let mut out = Vec::new();
        let node = self.node(id);
        if let Some(outcome) = act(&mut node.voter, now, &mut out) {
            assert!(node.outcome.is_none(), "{id} decides though it has decided");
            (node.outcome, node.since) = (Some(outcome), now);
            let weight = self.ensemble.weight(outcome.leader);
            assert!(weight > 0, "{id} elects {}", outcome.leader);
            assert_eq!(outcome.leader, outcome.vote.leader);
        }
        self.send(id, out);
    }

    /// Servers that are up, and for each whom it has elected.
    pub(super) fn leaders(&self) -> Vec<(ServerId, Option<ServerId>)> {
        let up = self.nodes.iter().filter(|(_, node)| node.up);
        up.map(|(id, node)| (*id, node.outcome.map(|outcome| outcome.leader))).collect()
    }

    /// What the broadcast would do: begins the epoch of a leader that has a quorum of followers,
    /// and ends what has waited too long.
    pub(super) fn supervise(&mut self) {
        for leader in self.nodes.keys().copied().collect::<Vec<_>>() {
            let followers = self.nodes.iter().filter(|(_, node)| {
                node.up && node.outcome.is_some_and(|outcome| outcome.leader == leader)
            });
            let followers: BTreeSet<ServerId> = followers.map(|(id, _)| *id).collect();
            if followers.contains(&leader) && self.ensemble.is_quorum(&followers) {
                self.serve(leader, &followers);
            } else {
                self.give_up(&followers);
            }
        }
    }

    fn serve(&mut self, leader: ServerId, followers: &BTreeSet<ServerId>) {
        if self.node(leader).serving.is_none() {
            self.last_epoch = Epoch(self.last_epoch.0 + 1);
            self.node(leader).serving = Some(self.last_epoch);
        }
        let epoch = self.node(leader).serving;
        let zxid = self.node(leader).zxid.max(Zxid::new(epoch.unwrap_or_default(), 0)).next();
        self.node(leader).zxid = zxid;
        for id in followers {
            // Whoever followed the leader before it crashed and came back has to join it anew.
            let node = self.nodes.get_mut(id).expect("it is a member");
            if *id != leader && node.serving.is_some() && node.serving != epoch {
                self.start(*id);
                continue;
            }
            let state = match node.outcome {
                Some(outcome) if outcome.leader == *id => PeerState::Leading,
                _ if self.ensemble.is_voter(*id) => PeerState::Following,
                _ => PeerState::Observing,
            };
            (node.serving, node.epoch) = (epoch, epoch.unwrap_or_default());
            node.voter.established(state, node.epoch);
            if *id != leader {
                // It may have got less of the log than the leader has.
                node.zxid = Zxid(zxid.0 - self.random.small(2));
            }
        }
    }

    fn give_up(&mut self, followers: &BTreeSet<ServerId>) {
        for id in followers {
            let (now, node) = (self.now, self.node(*id));
            if node.serving.is_some() || now.since(node.since) > PATIENCE_MS {
                self.start(*id);
            }
        }
    }
}
