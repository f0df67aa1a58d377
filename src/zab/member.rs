//! A member of an ensemble: it looks for a leader, then leads or learns, and looks again.

use super::election::{Election, ElectionOptions, Outcome};
use super::journal::Journal;
use super::leader::Leader;
use super::learner::Learner;
use super::masters::{Masters, Source};
use super::oracle::Oracle;
use super::{
    Action, Epochs, Event, Fatal, Found, Input, LinkError, Output, PeerOptions, PeerState, Report,
    Role, Status,
};
use crate::types::{Epoch, LinkId, Moment, ServerId, Zxid};
use bytes::Bytes;
use jute::quorum::QuorumPacket;
use std::collections::BTreeMap;

/// Links that may wait until it is known who leads.
const MAX_HELD: usize = 256;
/// Ticks that an observer waits for this server to serve it; another one may.
const OBSERVER_PATIENCE: u64 = 2;

/// What every role needs.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) options: PeerOptions,
    pub(super) epochs: Epochs,
    saving: Option<Epochs>,
    /// The latest epoch that a member is known to have promised to a leader that failed. Whoever
    /// leads next goes beyond it, so that no such member can unseat a leader twice.
    pub(super) promised_elsewhere: Epoch,
    pub(super) journal: Journal,
    pub(super) now: Moment,
    /// The members of the ensemble were changed by a reconfig: this server knows only those of its
    /// configuration.
    pub(super) outdated: bool,
    pub(super) oracle: Oracle,
}

impl Core {
    /// Whether the oracle lets this server decide alone. If there is one, it will be asked; what
    /// waits for that is tried again when it has answered.
    pub(super) fn oracle_grants(&mut self) -> bool {
        self.options.ensemble.has_oracle() && self.oracle.grants()
    }

    /// Stores the promise to take part in an epoch.
    pub(super) fn save_accepted(&mut self, accepted: Epoch, out: &mut Vec<Output>) {
        self.save(Epochs { accepted, ..self.epochs }, out);
    }

    /// Stores that an epoch has been entered.
    pub(super) fn save_current(&mut self, current: Epoch, out: &mut Vec<Output>) {
        self.save(Epochs { current, ..self.epochs }, out);
    }

    fn save(&mut self, epochs: Epochs, out: &mut Vec<Output>) {
        assert!(self.saving.is_none(), "epochs are stored one after the other");
        assert!(epochs.accepted >= epochs.current, "{epochs:?}: entered and never promised");
        self.saving = Some(epochs);
        out.push(Output::Do(Action::SaveEpochs(epochs)));
    }
}

#[derive(Debug)]
enum State {
    /// Whether the election has begun: it waits until everything in the log is durable, so that no
    /// vote counts on what a crash could take away.
    Looking {
        begun: bool,
    },
    Leading(Leader),
    Learning(Learner),
}

/// A learner that has connected before it was known who leads, or an observer that has before this
/// server serves any.
#[derive(Debug)]
struct Held {
    since: Moment,
    /// Whether it came to the port for observers.
    observes: bool,
    packet: Option<QuorumPacket>,
}

/// A member of an ensemble.
#[derive(Debug)]
pub(super) struct Member {
    core: Core,
    election: Election,
    state: State,
    /// This server's part towards observers, while it follows and serves them.
    relay: Option<Leader>,
    /// From whom it learns as an observer.
    masters: Masters,
    held: BTreeMap<LinkId, Held>,
    /// Clients are served.
    serving: bool,
    /// They have been served since the start.
    was_led: bool,
    looking_since: Moment,
    /// How long the last election took, in milliseconds.
    election_ms: Option<u64>,
    /// Scratch space for messages of the election.
    votes: Vec<(ServerId, Bytes)>,
}

impl Member {
    pub(super) fn new(options: PeerOptions, found: Found, now: Moment) -> Self {
        let Found { epochs, applied, tail } = found;
        let election = Election::new(ElectionOptions {
            me: options.me,
            ensemble: options.ensemble.clone(),
            config: options.config.clone(),
            notification_ms: options.notification_ms,
        });
        let journal = Journal::new(applied, tail, options.commit_log_count);
        Self {
            core: Core {
                options,
                epochs,
                saving: None,
                outdated: false,
                oracle: Oracle::default(),
                promised_elsewhere: Epoch(0),
                journal,
                now,
            },
            election,
            state: State::Looking { begun: false },
            relay: None,
            masters: Masters::default(),
            held: BTreeMap::new(),
            serving: false,
            was_led: false,
            looking_since: now,
            election_ms: None,
            votes: Vec::new(),
        }
    }

    pub(super) fn handle(&mut self, input: Input, now: Moment, out: &mut Vec<Output>) {
        self.core.now = now;
        match input {
            Input::Notification(from, message) => self.notified(from, message, out),
            Input::Accepted(link) => self.accepted(link, out),
            Input::AcceptedObserver(link) => self.accepted_observer(link, out),
            Input::Packet(link, packet) => self.packet(link, packet, out),
            Input::Closed(link) => self.closed(link, out),
            Input::Dialed(link) => match &mut self.state {
                State::Learning(learner) => learner.dialed(link, &self.core, out),
                _ => close(link, LinkError::Role("does not follow"), out),
            },
            Input::DialFailed(server) => {
                if let State::Learning(learner) = &mut self.state {
                    learner.dial_failed(server);
                }
            }
            Input::Persisted(zxid) => self.persisted(zxid, out),
            Input::EpochsSaved => self.epochs_saved(out),
            Input::LogRead(link, entries) => {
                if let Some(leader) = self.teacher() {
                    leader.0.log_read(link, entries, leader.1, out);
                }
            }
            Input::SnapshotSent(link, zxid) => {
                if let Some(leader) = self.teacher() {
                    leader.0.snapshot_sent(link, zxid, leader.1, out);
                }
            }
            Input::SnapshotReceived(link, zxid) => {
                if let State::Learning(learner) = &mut self.state {
                    learner.snapshot_received(link, zxid, &self.core);
                }
            }
            Input::OracleSaid(yes) => self.oracle_said(yes, out),
            Input::Tick => self.tick(out),
        }
        self.settle(out);
        if let Some(relay) = &mut self.relay {
            relay.pass_on(&self.core, out);
        }
        self.ask_oracle(out);
    }

    /// Whoever brings learners up to date here: a leader, or a follower that serves observers.
    fn teacher(&mut self) -> Option<(&mut Leader, &Core)> {
        match &mut self.state {
            State::Leading(leader) => Some((leader, &self.core)),
            _ => self.relay.as_mut().map(|relay| (relay, &self.core)),
        }
    }

    /// An answer counts now, and not any more when the next input comes.
    fn oracle_said(&mut self, yes: bool, out: &mut Vec<Output>) {
        self.core.oracle.answer(yes);
        match &mut self.state {
            State::Looking { .. } => {
                let outcome = self.election.oracle_said(yes, self.core.now);
                self.elected(outcome, out);
            }
            State::Leading(leader) => leader.oracle_said(yes, &mut self.core, out),
            State::Learning(_) => {}
        }
        self.core.oracle.forget();
    }

    fn ask_oracle(&mut self, out: &mut Vec<Output>) {
        if matches!(self.state, State::Looking { begun: true })
            && self.election.asks_oracle(self.core.now)
        {
            self.core.oracle.want();
        }
        if self.core.oracle.ask() {
            out.push(Output::Do(Action::AskOracle));
        }
    }

    /// Whoever cannot go on in its role looks for a leader again.
    fn settle(&mut self, out: &mut Vec<Output>) {
        let why = match &mut self.state {
            State::Leading(leader) => leader.quit().map(|why| {
                leader.stop(why, out);
                format!("this server led and {why}")
            }),
            State::Learning(learner) => learner.quit().map(str::to_owned).inspect(|_| {
                learner.stop(out);
            }),
            State::Looking { .. } => None,
        };
        if let Some(why) = why {
            if let Some(mut relay) = self.relay.take() {
                relay.stop("does not follow its leader any more", out);
            }
            out.push(Output::Do(Action::Report(Report::Looking(why))));
            self.state = State::Looking { begun: false };
            self.looking_since = self.core.now;
            if self.core.outdated {
                out.push(Output::Do(Action::Stop(Fatal::Outdated)));
            }
            if std::mem::take(&mut self.serving) {
                out.push(Output::Tell(Event::Halted));
            }
        }
        self.begin_election(out);
        self.note_serving(out);
    }

    fn begin_election(&mut self, out: &mut Vec<Output>) {
        let State::Looking { begun } = &mut self.state else { return };
        // Votes of and for members that are none any more could make a second leader.
        if *begun || self.core.outdated {
            return;
        }
        if !self.core.journal.is_durable() || self.core.saving.is_some() {
            return;
        }
        *begun = true;
        let (last, epoch) = (self.core.journal.last(), self.core.epochs.current);
        self.election.start(last, epoch, self.core.now, &mut self.votes);
        self.send_votes(out);
    }

    fn send_votes(&mut self, out: &mut Vec<Output>) {
        let votes = self.votes.drain(..);
        out.extend(votes.map(|(to, message)| Output::Do(Action::Notify(to, message))));
    }

    fn notified(&mut self, from: ServerId, message: Bytes, out: &mut Vec<Output>) {
        if let State::Leading(leader) = &mut self.state
            && self.election.is_deserted_by(from, &message)
        {
            leader.deserted(&self.core);
        }
        let outcome = self.election.notified(from, message, self.core.now, &mut self.votes);
        self.send_votes(out);
        match outcome {
            Ok(outcome) => self.elected(outcome, out),
            Err(error) => {
                let report = Report::BadNotification(from, error.to_string());
                out.push(Output::Do(Action::Report(report)));
            }
        }
    }

    fn elected(&mut self, outcome: Option<Outcome>, out: &mut Vec<Output>) {
        let Some(Outcome { leader, .. }) = outcome else { return };
        let State::Looking { begun: true } = self.state else { return };
        let took_ms = self.core.now.since(self.looking_since);
        self.election_ms = Some(took_ms);
        let last = self.core.journal.last();
        if leader == self.core.options.me {
            out.push(Output::Do(Action::Report(Report::Elected(took_ms, last))));
            let mut leader = Leader::start(&mut self.core, out);
            for (link, held) in std::mem::take(&mut self.held) {
                if held.observes {
                    close(link, LinkError::Role("leads, and only followers serve here"), out);
                    continue;
                }
                leader.accept(link, &self.core);
                if let Some(packet) = held.packet {
                    leader.packet(link, packet, &mut self.core, out);
                }
            }
            self.state = State::Leading(leader);
        } else {
            out.push(Output::Do(Action::Report(Report::Found(leader, took_ms, last))));
            for (link, _) in self.held.extract_if(.., |_, held| !held.observes) {
                close(link, LinkError::Role("does not lead"), out);
            }
            let options = &self.core.options;
            let source = if options.observer_masters && !options.ensemble.is_voter(options.me) {
                self.masters.next(options.me, leader, &options.ensemble)
            } else {
                Source::Leader(leader)
            };
            self.state = State::Learning(Learner::start(source, &self.core, out));
        }
    }

    /// Other servers may find out before this one that it leads: they wait.
    fn accepted(&mut self, link: LinkId, out: &mut Vec<Output>) {
        match &mut self.state {
            State::Leading(leader) => leader.accept(link, &self.core),
            State::Looking { .. } if self.held.len() < MAX_HELD => {
                self.hold(link, false);
            }
            _ => close(link, LinkError::Role("does not lead"), out),
        }
    }

    /// A follower serves observers once it has caught up; until then they wait.
    fn accepted_observer(&mut self, link: LinkId, out: &mut Vec<Output>) {
        let options = &self.core.options;
        let may_follow = options.observer_masters && options.ensemble.is_voter(options.me);
        match (&mut self.relay, &self.state) {
            (Some(relay), _) => relay.accept(link, &self.core),
            (None, State::Looking { .. } | State::Learning(_))
                if may_follow && self.held.len() < MAX_HELD =>
            {
                self.hold(link, true);
            }
            _ => close(link, LinkError::Role("does not serve observers"), out),
        }
    }

    /// How long a link is held at most.
    fn held_until(&self, held: &Held) -> Moment {
        let options = &self.core.options;
        let ticks = if held.observes { OBSERVER_PATIENCE } else { options.init_limit };
        held.since.plus(ticks * options.tick_ms)
    }

    fn hold(&mut self, link: LinkId, observes: bool) {
        self.held.insert(link, Held { since: self.core.now, observes, packet: None });
    }

    /// This server follows, and serves the observers that wait for it.
    fn begin_relay(&mut self, epoch: Epoch, out: &mut Vec<Output>) {
        let mut relay = Leader::relay(epoch, &self.core);
        for (link, held) in std::mem::take(&mut self.held) {
            relay.accept(link, &self.core);
            if let Some(packet) = held.packet {
                relay.packet(link, packet, &mut self.core, out);
            }
        }
        self.relay = Some(relay);
    }

    fn packet(&mut self, link: LinkId, packet: QuorumPacket, out: &mut Vec<Output>) {
        if let Some(held) = self.held.get_mut(&link) {
            if held.packet.replace(packet).is_some() {
                self.held.remove(&link);
                let error = "a learner went on before it was answered".to_owned();
                close(link, LinkError::Protocol(error), out);
            }
            return;
        }
        match &mut self.state {
            State::Leading(leader) => leader.packet(link, packet, &mut self.core, out),
            State::Learning(_) if self.relay.as_ref().is_some_and(|relay| relay.has(link)) => {
                let Some(relay) = &mut self.relay else { return };
                relay.packet(link, packet, &mut self.core, out);
            }
            State::Learning(learner) => learner.packet(link, packet, &mut self.core, out),
            State::Looking { .. } => {}
        }
    }

    fn closed(&mut self, link: LinkId, out: &mut Vec<Output>) {
        self.held.remove(&link);
        if let Some(relay) = &mut self.relay {
            relay.closed(link, out);
        }
        match &mut self.state {
            State::Leading(leader) => leader.closed(link, out),
            State::Learning(learner) => learner.closed(link),
            State::Looking { .. } => {}
        }
    }

    fn persisted(&mut self, zxid: Zxid, out: &mut Vec<Output>) {
        self.core.journal.persist(zxid);
        match &mut self.state {
            State::Leading(leader) => leader.decide(&mut self.core, out),
            State::Learning(learner) => learner.persisted(&mut self.core, out),
            State::Looking { .. } => {}
        }
    }

    fn epochs_saved(&mut self, out: &mut Vec<Output>) {
        let saved = self.core.saving.take();
        self.core.epochs = saved.expect("epochs are stored because they were to be");
        match &mut self.state {
            State::Leading(leader) => leader.epochs_saved(&mut self.core, out),
            State::Learning(learner) => learner.epochs_saved(&self.core, out),
            State::Looking { .. } => {}
        }
    }

    fn tick(&mut self, out: &mut Vec<Output>) {
        let now = self.core.now;
        let late = |held: &Held| now > self.held_until(held);
        let late = self.held.iter().filter(|(_, held)| late(held)).map(|(link, _)| *link);
        for link in late.collect::<Vec<_>>() {
            self.held.remove(&link);
            close(link, LinkError::Role("has found no leader"), out);
        }
        if let Some(relay) = &mut self.relay {
            relay.tick(&mut self.core, out);
        }
        match &mut self.state {
            State::Leading(leader) => leader.tick(&mut self.core, out),
            State::Learning(learner) => learner.tick(&self.core),
            State::Looking { .. } => {
                let outcome = self.election.tick(now, &mut self.votes);
                self.send_votes(out);
                self.elected(outcome, out);
            }
        }
    }

    /// Tells other servers' elections who leads, once this server takes part in its epoch.
    fn note_serving(&mut self, out: &mut Vec<Output>) {
        let (state, epoch) = match &self.state {
            State::Leading(leader) if leader.is_leading() => (PeerState::Leading, leader.epoch()),
            State::Learning(learner) if learner.is_serving() => {
                let follows = learner.follows();
                let state = if follows { PeerState::Following } else { PeerState::Observing };
                (state, learner.epoch())
            }
            _ => return,
        };
        if !std::mem::replace(&mut self.serving, true) {
            self.masters.served();
            if state == PeerState::Following && self.core.options.observer_masters {
                self.begin_relay(epoch, out);
            }
            self.election.established(state, epoch);
            let took_ms = self.core.now.since(self.looking_since);
            let since = if self.was_led { "the last leader was lost" } else { "the start" };
            self.was_led = true;
            out.push(Output::Do(Action::Report(Report::Serving(epoch, took_ms, since))));
        }
    }

    pub(super) fn next_zxid(&mut self) -> Option<Zxid> {
        let State::Leading(leader) = &mut self.state else { return None };
        leader.next_zxid(&self.core)
    }

    pub(super) fn propose(&mut self, zxid: Zxid, payload: Bytes, out: &mut Vec<Output>) {
        let State::Leading(leader) = &mut self.state else { panic!("only a leader proposes") };
        assert_eq!(leader.next_zxid(&self.core), Some(zxid), "zxids are given in order");
        out.push(Output::Do(Action::Append(zxid, payload.clone())));
        leader.propose(zxid, &payload, &self.core, out);
        self.core.journal.append(zxid, payload);
    }

    pub(super) fn sync(&mut self, link: LinkId, out: &mut Vec<Output>) {
        if let State::Leading(leader) = &mut self.state {
            leader.sync(link, &self.core, out);
        }
    }

    pub(super) fn replace_log(&mut self, applied: Zxid, tail: Vec<(Zxid, Bytes)>) {
        self.core.journal = Journal::new(applied, tail, self.core.options.commit_log_count);
    }

    pub(super) fn has_decided(&self) -> bool {
        self.core.journal.has_decided()
    }

    pub(super) fn commit_next(&mut self) -> Option<Zxid> {
        self.core.journal.apply_next()
    }

    pub(super) const fn committed(&self) -> Zxid {
        self.core.journal.committed()
    }

    pub(super) fn status(&self) -> Status {
        let pending_syncs = match &self.state {
            State::Leading(leader) => leader.pending_syncs(),
            State::Looking { .. } | State::Learning(_) => 0,
        };
        let (role, learners) = match &self.state {
            State::Looking { .. } => (Role::Looking, Vec::new()),
            State::Leading(leader) => (Role::Leading, leader.learners(&self.core)),
            State::Learning(learner) if learner.follows() => {
                let observers = self.relay.as_ref().map(|relay| relay.learners(&self.core));
                (Role::Following(learner.leader()), observers.unwrap_or_default())
            }
            State::Learning(learner) => (Role::Observing(learner.leader()), Vec::new()),
        };
        Status {
            role,
            serving: self.serving,
            epochs: self.core.epochs,
            last_logged: self.core.journal.last(),
            committed: self.core.journal.committed(),
            learners,
            pending_syncs,
            election_ms: self.election_ms,
        }
    }

    pub(super) fn next_tick(&self) -> Option<Moment> {
        let held = self.held.values().map(|held| self.held_until(held).plus(1)).min();
        [self.next_step(), held].into_iter().flatten().min()
    }

    fn next_step(&self) -> Option<Moment> {
        match &self.state {
            State::Looking { .. } => self.election.next_tick(),
            State::Leading(leader) => Some(leader.next_tick()),
            State::Learning(learner) => {
                let due = learner.next_tick(&self.core);
                Some(self.relay.as_ref().map_or(due, |relay| due.min(relay.next_tick())))
            }
        }
    }
}

fn close(link: LinkId, why: LinkError, out: &mut Vec<Output>) {
    out.push(Output::Do(Action::Close(link, why)));
}
