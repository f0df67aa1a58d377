//! How a leader is found (ZK: `FastLeaderElection`).
//!
//! Every server tells every voter whom it votes for, at first itself. Whoever hears of a better
//! vote takes it over and tells so: the vote with the highest epoch, then the last zxid, then the
//! server id wins. Rounds are numbered, and only votes of one round are counted together; who is
//! behind catches up. When a quorum has the same vote, its leader is elected unless a better vote
//! comes within 200 ms. Servers that are done answer those who still look, so that a server which
//! comes late finds the leader that there is.
//!
//! An election makes nothing safe: two servers may well be elected at once. Only one of them can
//! lead, since a leader needs a quorum of connected followers that promise it their epoch. What
//! matters is that a good leader is found, soon, and together with ZooKeeper's own servers.
//!
//! What differs from ZooKeeper 3.9.5, none of it seen by a server that does not wait for it:
//! - **No wait when everyone agrees**: if every voter has been heard in this round, and all whose
//!   vote counts have this very vote, the leader is elected at once. The 200 ms are for better
//!   votes and later rounds that are still on their way, and there are none: nobody's vote is worse
//!   than its own log, and whoever could call for a later round is in this one. To a ZooKeeper
//!   server, which waits, this server is one that has waited already: it is answered with
//!   `FOLLOWING` or `LEADING` and the same vote of the same round, which it counts like that of
//!   someone looking. For up to 200 ms a follower may thus knock at a ZooKeeper leader that does
//!   not listen yet; it has to knock again.
//! - **A worse vote of the same round is answered** with this server's better one. ZooKeeper only
//!   answers votes of older rounds; a server that was still following when the better vote was
//!   sent has then not heard it, and both lose a whole interval until it is sent again.
//! - **A voter that is looking answers observers with what it votes for now.** ZooKeeper says whom
//!   it followed before, and observers agree upon a leader that is dead.
//! - **What comes while a decision waits is heard like anything else**: a server that joins the
//!   quorum, a higher round, an established leader. ZooKeeper drops whatever is not a better vote.
//! - A vote that is worse than an earlier one of the same server and round is not counted.
//! - Votes are sent again at fixed times; in ZooKeeper every message puts that off.
//! - **Answers do not beget answers**: observers do not answer, servers that are not looking are
//!   not answered, and one server gets a limited number of answers per interval. Between two of
//!   ZooKeeper's, an observer with a leader and a voter without answer each other without end.
//!
//! Where two servers vote and have an oracle, one that hears nothing of the other asks whether it
//! may lead alone, and one that hears that the other leads, alone, asks whether it is to follow: if
//! the oracle does not favour this server, the other one must be the one that it favours.
//!
//! Left out: configurations that change while votes are counted. A configuration in a message is
//! not looked at.
//!
//! Knows nothing of connections, nor of what a leader does once it is found. The links resend the
//! last message when a connection is new, as ZooKeeper's do; a voter that was unreachable hears
//! of the vote then.

mod answers;
mod ballots;
#[cfg(test)]
mod tests;
mod vote;

pub use vote::{Outcome, Vote};

use super::{Ensemble, Notification, NotificationError, PeerState};
use crate::types::{Epoch, Moment, ServerId, Zxid};
use answers::Answers;
use ballots::{Ballot, Ballots};
use bytes::Bytes;
use std::collections::BTreeSet;

/// What the configuration says to the election.
#[derive(Clone, Debug)]
pub struct ElectionOptions {
    /// This server. If it is not a voter it observes.
    pub me: ServerId,
    /// Who votes.
    pub ensemble: Ensemble,
    /// The ensemble's configuration as text, which goes with every message.
    pub config: Bytes,
    /// Milliseconds after which a vote is sent again, at first and at most. The first is also how
    /// long a decision waits for a better vote.
    pub notification_ms: (u64, u64),
}

/// One server's part in all elections while it runs.
#[derive(Debug)]
pub struct Election {
    options: ElectionOptions,
    /// Whether there has been an election yet; before, there is nothing to say.
    started: bool,
    state: PeerState,
    round: i64,
    /// While looking: what this server would vote for if it were alone.
    initial: Vote,
    /// While looking, what this server votes for; afterwards the vote that has won.
    vote: Vote,
    /// Votes of this round (ZK: `recvset`).
    received: Ballots,
    /// Votes of servers that have a leader, of whatever round (ZK: `outofelection`).
    settled: Ballots,
    answers: Answers,
    interval_ms: u64,
    resend_at: Moment,
    /// When the vote is decided, if nothing better comes.
    decide_at: Option<Moment>,
    /// When the oracle is to be asked, if there is one and the vote is not decided by then.
    oracle_at: Moment,
    /// The vote of the other one of two servers, if that has said that it leads.
    rival: Option<Vote>,
    /// If this server was elected: by whom.
    supporters: BTreeSet<ServerId>,
}

type Messages = Vec<(ServerId, Bytes)>;

impl Election {
    /// A server that is not looking yet, and silent until it does.
    #[must_use]
    pub fn new(options: ElectionOptions) -> Self {
        Self {
            started: false,
            state: PeerState::Looking,
            round: 0,
            initial: Vote::NONE,
            vote: Vote::NONE,
            received: Ballots::default(),
            settled: Ballots::default(),
            answers: Answers::default(),
            interval_ms: options.notification_ms.0,
            resend_at: Moment(0),
            decide_at: None,
            oracle_at: Moment(0),
            rival: None,
            supporters: BTreeSet::new(),
            options,
        }
    }

    /// Begins a new round with a vote for this server, whose log ends with `last_logged`. Even if
    /// this vote is enough, as in an ensemble of one, it is a [`tick`](Self::tick) that decides.
    pub fn start(
        &mut self,
        last_logged: Zxid,
        current_epoch: Epoch,
        now: Moment,
        out: &mut Vec<(ServerId, Bytes)>,
    ) {
        self.started = true;
        self.state = PeerState::Looking;
        // A round that a broken peer has made up must not stop this server; ZooKeeper's wraps too.
        self.round = self.round.wrapping_add(1);
        self.initial = if self.votes() {
            let leader = self.options.me;
            Vote { leader, zxid: last_logged, round: self.round, peer_epoch: current_epoch }
        } else {
            Vote::NONE
        };
        self.received.clear();
        self.settled.clear();
        self.interval_ms = self.options.notification_ms.0;
        self.resend_at = now.plus(self.interval_ms);
        self.oracle_at = self.resend_at;
        self.rival = None;
        self.adopt(self.initial, out);
        self.schedule(now);
    }

    /// Takes in a message of another server. Answers it if that has to be; says who leads once that
    /// is decided.
    pub fn notified(
        &mut self,
        from: ServerId,
        message: Bytes,
        now: Moment,
        out: &mut Vec<(ServerId, Bytes)>,
    ) -> Result<Option<Outcome>, NotificationError> {
        let notification = Notification::parse(message)?;
        if !self.started || from == self.options.me {
            return Ok(None);
        }
        if self.is_looking() && self.options.ensemble.is_voter(from) {
            let leads = notification.state == PeerState::Leading && notification.leader == from;
            self.rival = leads.then(|| notification.vote());
            if leads {
                self.oracle_at = now;
            }
            return Ok(self.count(from, &notification, now, out));
        }
        if notification.state == PeerState::Looking {
            self.answer(from, now, out);
        }
        Ok(None)
    }

    /// Whether a message says that a server that voted for the winner looks for a leader again
    /// (ZK: `Leader.reportLookingSid`).
    #[must_use]
    pub fn is_deserted_by(&self, from: ServerId, message: &Bytes) -> bool {
        let looks = |message: Notification| message.state == PeerState::Looking;
        self.supporters.contains(&from) && Notification::parse(message.clone()).is_ok_and(looks)
    }

    /// Sends the vote again, or decides, if it is time to.
    pub fn tick(&mut self, now: Moment, out: &mut Vec<(ServerId, Bytes)>) -> Option<Outcome> {
        if !self.is_looking() || now < self.decide_at.unwrap_or(self.resend_at) {
            return None;
        }
        if self.decide_at.is_some() {
            return Some(self.decide(self.vote));
        }
        self.interval_ms = (self.interval_ms * 2).min(self.options.notification_ms.1);
        self.resend_at = now.plus(self.interval_ms);
        self.send_to_voters(out);
        None
    }

    /// When [`tick`](Self::tick) has something to do; never unless this server is looking.
    #[must_use]
    pub fn next_tick(&self) -> Option<Moment> {
        let due = self.decide_at.unwrap_or(self.resend_at);
        self.is_looking().then(|| if self.may_ask() { due.min(self.oracle_at) } else { due })
    }

    /// Whether the oracle has to say how this goes on.
    #[must_use]
    pub fn asks_oracle(&self, now: Moment) -> bool {
        self.may_ask() && now >= self.oracle_at
    }

    fn may_ask(&self) -> bool {
        self.is_looking()
            && self.options.ensemble.has_oracle()
            && self.votes()
            && self.decide_at.is_none()
            && (self.rival.is_some() || self.is_alone())
    }

    /// Whether this server votes for itself, and nobody else is known to.
    fn is_alone(&self) -> bool {
        let supporters = self.received.supporters(&Ballot::looking(self.vote));
        self.vote.leader == self.options.me && supporters.contains(&self.options.me)
    }

    /// The oracle says whether this server may lead alone (ZK: `QuorumOracleMaj.revalidateVoteset`,
    /// `FastLeaderElection.receivedLeadingNotification`). Who leads, if that decides it.
    pub fn oracle_said(&mut self, may_lead: bool, now: Moment) -> Option<Outcome> {
        if !self.may_ask() {
            return None;
        }
        self.oracle_at = now.plus(self.options.notification_ms.0.max(1));
        if may_lead {
            return self.is_alone().then(|| self.decide(self.vote));
        }
        let rival = self.rival?;
        self.round = rival.round;
        Some(self.decide(rival))
    }

    /// The leader that was found has begun to lead an epoch, or follow in it: from now on those who
    /// look hear of that epoch (ZK: `QuorumPeer.updateElectionVote`). Servers that had followed the
    /// leader before it was elected again agree with the others only by that.
    ///
    /// # Panics
    /// If this server is looking, or is said to be.
    pub fn established(&mut self, state: PeerState, epoch: Epoch) {
        assert!(self.started && !self.is_looking(), "no leader has been found");
        assert!(state != PeerState::Looking, "who looks has no leader");
        self.state = state;
        self.vote.peer_epoch = epoch;
    }

    /// While looking, what this server votes for; afterwards the vote that has won. Before the
    /// first election it means nothing.
    #[must_use]
    pub const fn vote(&self) -> Vote {
        self.vote
    }

    /// The number of the round (ZK: `logicalclock`).
    #[must_use]
    pub const fn round(&self) -> i64 {
        self.round
    }

    /// Whether an election is going on.
    #[must_use]
    pub fn is_looking(&self) -> bool {
        self.started && self.state == PeerState::Looking
    }

    fn votes(&self) -> bool {
        self.options.ensemble.is_voter(self.options.me)
    }

    /// Whether a vote is better than another. Who weighs nothing is never better.
    fn beats(&self, vote: &Vote, other: &Vote) -> bool {
        self.options.ensemble.weight(vote.leader) > 0 && vote.rank() > other.rank()
    }

    /// Counts the vote of a voter, while looking.
    fn count(
        &mut self,
        from: ServerId,
        notification: &Notification,
        now: Moment,
        out: &mut Messages,
    ) -> Option<Outcome> {
        let ballot = Ballot::of(notification);
        let eligible = self.options.ensemble.is_voter(ballot.vote.leader);
        match ballot.state {
            PeerState::Looking if ballot.vote.round < self.round => {
                self.answer(from, now, out);
                None
            }
            PeerState::Looking if eligible => self.count_looking(from, ballot.vote, now, out),
            PeerState::Following | PeerState::Leading if eligible => {
                self.count_settled(from, ballot)
            }
            _ => None,
        }
    }

    /// Counts a vote of this round or a later one.
    fn count_looking(
        &mut self,
        from: ServerId,
        vote: Vote,
        now: Moment,
        out: &mut Messages,
    ) -> Option<Outcome> {
        // A log that ends with -1 is one whose end is not known: such a server has no say.
        if self.initial.zxid == Zxid(-1) || vote.zxid == Zxid(-1) {
            return None;
        }
        if vote.round > self.round {
            self.round = vote.round;
            self.received.clear();
            let better = if self.beats(&vote, &self.initial) { vote } else { self.initial };
            self.adopt(better, out);
        } else if self.beats(&vote, &self.vote) {
            self.adopt(vote, out);
        } else if self.beats(&self.vote, &vote) {
            self.answer(from, now, out);
        }
        // Votes only get better within a round: a worse one has been overtaken on its way, through
        // another connection.
        let is_stale = self.received.looking(from).is_some_and(|held| self.beats(&held, &vote));
        if !is_stale {
            self.received.put(from, Ballot::looking(vote));
        }
        self.review(now)
    }

    /// Counts the vote of a server that has a leader, and joins that one if a quorum has.
    fn count_settled(&mut self, from: ServerId, ballot: Ballot) -> Option<Outcome> {
        let ensemble = &self.options.ensemble;
        if ballot.vote.round == self.round {
            self.received.put(from, ballot.without_version());
            let quorum = self.received.have_quorum(ensemble, &ballot);
            if quorum && self.is_led(&self.received, &ballot.vote) {
                return Some(self.decide(ballot.vote));
            }
            if self.is_unanimous() {
                return Some(self.decide(self.vote));
            }
        }
        self.settled.put(from, ballot);
        let quorum = self.settled.have_quorum(ensemble, &ballot);
        if quorum && self.is_led(&self.settled, &ballot.vote) {
            self.round = ballot.vote.round;
            return Some(self.decide(ballot.vote));
        }
        None
    }

    /// Whether the leader of a vote knows that it leads. If it is this server, then those who
    /// follow it must have elected it in this round, not in one before it crashed.
    fn is_led(&self, ballots: &Ballots, vote: &Vote) -> bool {
        if vote.leader == self.options.me {
            vote.round == self.round
        } else {
            ballots.says_it_leads(vote.leader)
        }
    }

    /// Votes for somebody, and tells all voters.
    fn adopt(&mut self, vote: Vote, out: &mut Messages) {
        self.vote = Vote { round: self.round, ..vote };
        self.decide_at = None;
        // A server counts its own vote like that of anyone else, so not if it has no say.
        if self.votes() && self.vote.zxid != Zxid(-1) {
            self.received.put(self.options.me, Ballot::looking(self.vote));
        }
        self.send_to_voters(out);
    }

    /// Decides if it is time to, now that votes have changed.
    fn review(&mut self, now: Moment) -> Option<Outcome> {
        self.schedule(now);
        self.decide_at.is_some_and(|due| due <= now).then(|| self.decide(self.vote))
    }

    /// Sets the time of the decision: at once if all agree, in a while if a quorum does.
    fn schedule(&mut self, now: Moment) {
        let wait_ms = self.options.notification_ms.0;
        if self.is_unanimous() {
            self.decide_at = Some(now);
        } else if self.have_quorum() {
            self.decide_at = self.decide_at.or(Some(now.plus(wait_ms)));
        } else {
            self.decide_at = None;
        }
    }

    /// Whether a quorum votes as this server does.
    fn have_quorum(&self) -> bool {
        self.received.have_quorum(&self.options.ensemble, &Ballot::looking(self.vote))
    }

    /// Whether nothing better can come: every voter has been heard in this round, and those whose
    /// vote counts have the vote of this server.
    fn is_unanimous(&self) -> bool {
        let ensemble = &self.options.ensemble;
        let supporters = self.received.supporters(&Ballot::looking(self.vote));
        let fits =
            |id| supporters.contains(&id) || ensemble.weight(id) == 0 && self.received.contains(id);
        self.have_quorum() && ensemble.voters().all(fits)
    }

    fn decide(&mut self, vote: Vote) -> Outcome {
        self.state = match vote.leader {
            leader if leader == self.options.me => PeerState::Leading,
            _ if self.votes() => PeerState::Following,
            _ => PeerState::Observing,
        };
        self.vote = vote;
        self.decide_at = None;
        self.supporters = self.received.supporters(&Ballot::looking(vote));
        self.received.clear();
        self.settled.clear();
        Outcome { leader: vote.leader, vote }
    }

    fn send_to_voters(&self, out: &mut Messages) {
        let message = self.message();
        let others = self.options.ensemble.voters().filter(|id| *id != self.options.me);
        out.extend(others.map(|id| (id, message.clone())));
    }

    /// Says to one server what this one votes for. What an observer says is heard by nobody.
    fn answer(&mut self, to: ServerId, now: Moment, out: &mut Messages) {
        if self.votes() && self.answers.allow(to, now, self.options.notification_ms.0) {
            out.push((to, self.message()));
        }
    }

    fn message(&self) -> Bytes {
        let Vote { leader, zxid, round, peer_epoch } = self.vote;
        let config = Some(self.options.config.clone());
        let version = Notification::VERSION;
        Notification { state: self.state, leader, zxid, round, peer_epoch, version, config }
            .to_bytes()
    }
}
