//! The election as ZooKeeper's servers run it, told once more and without the differences that
//! `election` has: a reference to hold elections with.
//!
//! Java has a thread that receives and one that counts, with a queue between them; the second
//! polls that queue in two places. Here the place and when its poll ends are the state.

use super::*;
use std::collections::BTreeMap;

/// A vote as Java keeps it: the vote, what the voter was doing, and the format it came in.
type Kept = (Vote, PeerState, i32);

pub(super) struct Classic {
    me: ServerId,
    ensemble: Ensemble,
    state: PeerState,
    clock: i64,
    current: Vote,
    initial: Vote,
    proposal: Vote,
    recvset: BTreeMap<ServerId, Kept>,
    outofelection: BTreeMap<ServerId, Kept>,
    timeout_ms: u64,
    /// When the poll ends that the counting thread is in.
    poll_until: Option<Moment>,
    /// Whether it is the poll in which it only waits for something better.
    finalizing: bool,
}

fn same((a, a_state, a_version): &Kept, (b, b_state, b_version): &Kept) -> bool {
    if *a_state == PeerState::Looking || *b_state == PeerState::Looking {
        (a.leader, a.zxid, a.round, a.peer_epoch) == (b.leader, b.zxid, b.round, b.peer_epoch)
    } else if (*a_version > 0) != (*b_version > 0) {
        a.leader == b.leader
    } else {
        (a.leader, a.peer_epoch) == (b.leader, b.peer_epoch)
    }
}

impl Classic {
    pub(super) fn new(me: ServerId, ensemble: Ensemble) -> Self {
        let nobody = vote(i64::MIN, i64::MIN, 0, i64::MIN);
        Self {
            me,
            ensemble,
            state: PeerState::Looking,
            clock: 0,
            current: nobody,
            initial: nobody,
            proposal: nobody,
            recvset: BTreeMap::new(),
            outofelection: BTreeMap::new(),
            timeout_ms: 200,
            poll_until: None,
            finalizing: false,
        }
    }

    pub(super) fn start(&mut self, zxid: Zxid, epoch: Epoch, now: Moment, out: &mut Messages) {
        if self.clock == 0 {
            self.current = vote(self.me.0, zxid.0, 0, epoch.0);
        }
        self.state = PeerState::Looking;
        self.clock += 1;
        self.initial = if self.ensemble.is_voter(self.me) {
            vote(self.me.0, zxid.0, 0, epoch.0)
        } else {
            vote(i64::MIN, i64::MIN, 0, i64::MIN)
        };
        self.proposal = self.initial;
        self.recvset.clear();
        self.outofelection.clear();
        self.timeout_ms = 200;
        self.poll(now);
        self.send_all(now, out);
    }

    pub(super) fn established(&mut self, epoch: Epoch) {
        self.current.peer_epoch = epoch;
    }

    pub(super) fn next_tick(&self) -> Option<Moment> {
        self.poll_until
    }

    pub(super) fn tick(&mut self, now: Moment, out: &mut Messages) -> Option<Outcome> {
        assert_eq!(self.poll_until, Some(now));
        if self.finalizing {
            let round = self.clock;
            return Some(self.leave(Vote { round, ..self.proposal }));
        }
        self.timeout_ms = (self.timeout_ms * 2).min(60_000);
        self.poll(now);
        self.send_all(now, out);
        None
    }

    pub(super) fn notified(
        &mut self,
        from: ServerId,
        message: Bytes,
        now: Moment,
        out: &mut Messages,
    ) -> Option<Outcome> {
        let n = Notification::parse(message).expect("a message is well-formed");
        if !self.ensemble.is_voter(from) {
            say(from, self.state, Vote { round: self.clock, ..self.current }, out);
        } else if self.state == PeerState::Looking {
            if n.state == PeerState::Looking && n.round < self.clock {
                say(from, self.state, Vote { round: self.clock, ..self.proposal }, out);
            }
            return self.take(from, &n, now, out);
        } else if n.state == PeerState::Looking {
            say(from, self.state, self.current, out);
        }
        None
    }

    /// A poll of the counting thread has ended with a message.
    fn take(
        &mut self,
        from: ServerId,
        n: &Notification,
        now: Moment,
        out: &mut Messages,
    ) -> Option<Outcome> {
        if self.finalizing && !self.succeeds(&n.vote(), &self.proposal) {
            self.poll_until = Some(now.plus(200));
            return None;
        }
        self.poll(now);
        if !self.ensemble.is_voter(n.leader) {
            return None;
        }
        match n.state {
            PeerState::Looking => self.looking(from, n, now, out),
            PeerState::Observing => {}
            PeerState::Following | PeerState::Leading => return self.following(from, n),
        }
        None
    }

    fn looking(&mut self, from: ServerId, n: &Notification, now: Moment, out: &mut Messages) {
        if self.initial.zxid.0 == -1 || n.zxid.0 == -1 || n.round < self.clock {
            return;
        }
        if n.round > self.clock {
            self.clock = n.round;
            self.recvset.clear();
            let better = self.succeeds(&n.vote(), &self.initial);
            self.proposal = if better { n.vote() } else { self.initial };
            self.send_all(now, out);
        } else if self.succeeds(&n.vote(), &self.proposal) {
            self.proposal = n.vote();
            self.send_all(now, out);
        }
        self.recvset.insert(from, (n.vote(), PeerState::Looking, 0));
        self.check_proposal(now);
    }

    fn check_proposal(&mut self, now: Moment) {
        let proposal = Vote { round: self.clock, ..self.proposal };
        if self.quorum(&self.recvset, &(proposal, PeerState::Looking, 0)) {
            self.finalizing = true;
            self.poll_until = Some(now.plus(200));
        }
    }

    fn following(&mut self, from: ServerId, n: &Notification) -> Option<Outcome> {
        let kept = (n.vote(), n.state, n.version);
        if n.round == self.clock {
            self.recvset.insert(from, (n.vote(), n.state, 0));
            if self.quorum(&self.recvset, &kept) && self.check_leader(&self.recvset, n) {
                return Some(self.leave(n.vote()));
            }
        }
        self.outofelection.insert(from, kept);
        if self.quorum(&self.outofelection, &kept) && self.check_leader(&self.outofelection, n) {
            self.clock = n.round;
            return Some(self.leave(n.vote()));
        }
        None
    }

    fn check_leader(&self, votes: &BTreeMap<ServerId, Kept>, n: &Notification) -> bool {
        if n.leader == self.me {
            self.clock == n.round
        } else {
            votes.get(&n.leader).is_some_and(|kept| kept.1 == PeerState::Leading)
        }
    }

    fn quorum(&self, votes: &BTreeMap<ServerId, Kept>, kept: &Kept) -> bool {
        let acks = votes.iter().filter(|(_, other)| same(kept, other));
        self.ensemble.is_quorum(&acks.map(|(id, _)| *id).collect())
    }

    fn succeeds(&self, new: &Vote, old: &Vote) -> bool {
        self.ensemble.weight(new.leader) > 0
            && (new.peer_epoch > old.peer_epoch
                || new.peer_epoch == old.peer_epoch
                    && (new.zxid > old.zxid || new.zxid == old.zxid && new.leader > old.leader))
    }

    fn leave(&mut self, won: Vote) -> Outcome {
        self.state = match won.leader {
            leader if leader == self.me => PeerState::Leading,
            _ if self.ensemble.is_voter(self.me) => PeerState::Following,
            _ => PeerState::Observing,
        };
        (self.current, self.poll_until, self.finalizing) = (won, None, false);
        elected(won)
    }

    fn poll(&mut self, now: Moment) {
        self.poll_until = Some(now.plus(self.timeout_ms));
        self.finalizing = false;
    }

    /// Sends the proposal to all voters; this server's own comes back to it at once.
    fn send_all(&mut self, now: Moment, out: &mut Messages) {
        let vote = Vote { round: self.clock, ..self.proposal };
        for id in self.ensemble.voters() {
            if id == self.me {
                self.recvset.insert(id, (vote, PeerState::Looking, 0));
            } else {
                say(id, PeerState::Looking, vote, out);
            }
        }
        if self.ensemble.is_voter(self.me) {
            self.check_proposal(now);
        }
    }
}

fn say(to: ServerId, state: PeerState, vote: Vote, out: &mut Messages) {
    out.push((to, message_of(state, vote).to_bytes()));
}
