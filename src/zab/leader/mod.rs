//! A leader, and what it knows of its learners (ZK: `Leader`, `LearnerHandler`).
//!
//! It is followed by a quorum in three steps, before it may propose anything: *discovery* (a quorum
//! says which epochs it has seen, a newer one is chosen and promised), *synchronisation* (a quorum
//! gets and stores the leader's whole log) and *broadcast*. Whoever joins later goes through the
//! same steps at once.
//!
//! A follower that serves observers does the same for them as a leader in broadcast, a *relay* (ZK:
//! `ObserverMaster`): what it brings them up to date with is what it knows to be decided, and that
//! is what it passes on. It proposes and decides nothing.

mod broadcast;
mod discovery;
mod sync;

use super::member::Core;
use super::packet::{self, Hello, start_of};
use super::{Action, Event, LearnerStatus, LinkError, Output};
use crate::types::{Epoch, LinkId, Moment, ServerId, Zxid};
use jute::quorum::QuorumPacket;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How far the leader has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// Learners say which epochs they have seen.
    Connecting,
    /// The new epoch is being stored as promised.
    Promising,
    /// Learners promise to take part in it.
    Electing,
    /// The new epoch is being stored as entered.
    Entering,
    /// Learners get what they lack.
    Syncing,
    /// A quorum has the leader's log; it may propose.
    Leading,
}

/// How far a learner has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// It has connected.
    Connected,
    /// It has said who it is.
    Introduced,
    /// It has been told the epoch.
    Told,
    /// It has promised to take part, with a log that ends here.
    Promised(Zxid),
    /// The log on disk is looked into for the end of its log.
    Choosing(Zxid),
    /// It is being sent a snapshot.
    Snapshot,
    /// It has been sent the log up to here, from disk.
    Reading(Zxid),
    /// It has been sent everything and NEWLEADER, and gets all that is proposed.
    Forwarding,
    /// It has stored everything up to NEWLEADER.
    Synced,
    /// It serves clients.
    Serving,
}

/// What a learner is brought up to date with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Means {
    Log,
    Tree,
}

/// A learner.
#[derive(Debug)]
struct Learner {
    hello: Option<Hello>,
    progress: Progress,
    heard: Moment,
    /// It has everything up to here on its disk.
    acked: Zxid,
    /// What it has been sent or is being sent, once that is known.
    means: Option<Means>,
    /// What was decided when it was sent NEWLEADER: a follower hears of what comes later only
    /// behind UPTODATE.
    decided: Zxid,
    /// A proposal that it should have acknowledged by now, and when it was sent.
    awaited: Option<(Zxid, Moment)>,
}

impl Learner {
    fn server(&self) -> Option<ServerId> {
        self.hello.map(|hello| hello.server)
    }

    fn follows(&self) -> bool {
        self.hello.is_some_and(|hello| hello.follows)
    }

    /// Whether everything that is proposed goes to it.
    const fn is_forwarded(&self) -> bool {
        matches!(self.progress, Progress::Forwarding | Progress::Synced | Progress::Serving)
    }

    const fn is_synced(&self) -> bool {
        matches!(self.progress, Progress::Synced | Progress::Serving)
    }
}

/// A leader, or a follower as observers see it.
#[derive(Debug)]
pub(super) struct Leader {
    /// Whether it is a relay, and then up to where it has passed on what is decided.
    passed_on: Option<Zxid>,
    stage: Stage,
    epoch: Epoch,
    /// The end of the log when it was elected: all of that is decided once a quorum has it.
    history: Zxid,
    /// The epoch that it had followed until then.
    came_from: Epoch,
    /// Voters that have said which epochs they have seen.
    connecting: BTreeSet<ServerId>,
    /// Voters that have promised to take part.
    electing: BTreeSet<ServerId>,
    learners: BTreeMap<LinkId, Learner>,
    /// SYNCs that wait for a decision.
    syncs: VecDeque<(Zxid, LinkId)>,
    started: Moment,
    next_ping: Moment,
    next_check: Moment,
    /// Whether it goes on only if the oracle says so before the next check.
    awaits_oracle: bool,
    quit: Option<&'static str>,
}

impl Leader {
    /// This server has been elected.
    pub(super) fn start(core: &mut Core, out: &mut Vec<Output>) -> Self {
        let mut leader = Self::new(Stage::Connecting, Epoch(0), core);
        let seen = core.epochs.accepted.max(core.promised_elsewhere);
        leader.connect(core.options.me, seen, core, out);
        leader
    }

    /// This server follows in an epoch, and serves observers.
    pub(super) fn relay(epoch: Epoch, core: &Core) -> Self {
        let passed_on = Some(core.journal.committed());
        Self { passed_on, ..Self::new(Stage::Leading, epoch, core) }
    }

    fn new(stage: Stage, epoch: Epoch, core: &Core) -> Self {
        let now = core.now;
        Self {
            passed_on: None,
            stage,
            epoch,
            history: core.journal.last(),
            came_from: core.epochs.current,
            connecting: BTreeSet::new(),
            electing: BTreeSet::new(),
            learners: BTreeMap::new(),
            syncs: VecDeque::new(),
            started: now,
            next_ping: now.plus(core.options.tick_ms / 2),
            next_check: now.plus(core.options.tick_ms),
            awaits_oracle: false,
            quit: None,
        }
    }

    const fn is_relay(&self) -> bool {
        self.passed_on.is_some()
    }

    /// Whether a link is that of a learner.
    pub(super) fn has(&self, link: LinkId) -> bool {
        self.learners.contains_key(&link)
    }

    /// Why it cannot go on leading.
    pub(super) const fn quit(&self) -> Option<&'static str> {
        self.quit
    }

    /// Whether it may propose.
    pub(super) fn is_leading(&self) -> bool {
        self.stage == Stage::Leading
    }

    /// The epoch that it leads, or wants to.
    pub(super) const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Somebody has connected.
    pub(super) fn accept(&mut self, link: LinkId, core: &Core) {
        let learner = Learner {
            hello: None,
            progress: Progress::Connected,
            heard: core.now,
            acked: Zxid::ZERO,
            means: None,
            decided: Zxid::ZERO,
            awaited: None,
        };
        self.learners.insert(link, learner);
    }

    /// A packet has come.
    pub(super) fn packet(
        &mut self,
        link: LinkId,
        packet: QuorumPacket,
        core: &mut Core,
        out: &mut Vec<Output>,
    ) {
        let Some(learner) = self.learners.get_mut(&link) else { return };
        learner.heard = core.now;
        if let Err(error) = self.take(link, packet, core, out) {
            self.drop_learner(link, error, out);
        }
    }

    fn take(
        &mut self,
        link: LinkId,
        packet: QuorumPacket,
        core: &mut Core,
        out: &mut Vec<Output>,
    ) -> Result<(), LinkError> {
        let Some(learner) = self.learners.get(&link) else { return Ok(()) };
        match (packet.kind, learner.progress) {
            (_, Progress::Connected) => self.introduced(link, &packet, core, out),
            (packet::ACK_EPOCH, Progress::Told) => self.promised(link, &packet, core, out),
            (packet::ACK, _) if learner.is_forwarded() => self.acked(link, &packet, core, out),
            (packet::PING | packet::REQUEST | packet::REVALIDATE, Progress::Serving) => {
                out.push(Output::Tell(Event::Client(link, packet)));
                Ok(())
            }
            // A sign of life that was under way when UPTODATE was.
            (packet::PING, _) if learner.is_forwarded() => Ok(()),
            (kind, progress) => Err(packet::unexpected(kind, describe(progress))),
        }
    }

    /// A link is gone.
    pub(super) fn closed(&mut self, link: LinkId, out: &mut Vec<Output>) {
        if self.learners.remove(&link).is_some() {
            self.forget(link, out);
        }
    }

    fn drop_learner(&mut self, link: LinkId, error: LinkError, out: &mut Vec<Output>) {
        if self.learners.remove(&link).is_some() {
            out.push(Output::Do(Action::Close(link, error)));
            self.forget(link, out);
        }
    }

    fn forget(&mut self, link: LinkId, out: &mut Vec<Output>) {
        self.syncs.retain(|(_, waiting)| *waiting != link);
        out.push(Output::Tell(Event::LearnerGone(link)));
    }

    /// Somebody who voted for this leader looks for one again.
    pub(super) fn deserted(&mut self, core: &Core) {
        let waited_ms = core.now.since(self.started);
        if self.stage == Stage::Connecting
            && core.options.epoch_wait_ms.is_some_and(|limit_ms| waited_ms > limit_ms)
        {
            self.quit = Some("was not followed in time by all who voted for it");
        }
    }

    /// Gives up leading.
    pub(super) fn stop(&mut self, why: &'static str, out: &mut Vec<Output>) {
        for link in std::mem::take(&mut self.learners).into_keys() {
            out.push(Output::Do(Action::Close(link, LinkError::Role(why))));
        }
    }

    /// Looks for learners that are silent or late, and says that it is alive.
    pub(super) fn tick(&mut self, core: &mut Core, out: &mut Vec<Output>) {
        let (now, options) = (core.now, &core.options);
        let init_ms = options.init_limit * options.tick_ms;
        let sync_ms = options.sync_limit * options.tick_ms;
        if self.stage < Stage::Leading && now.since(self.started) > init_ms {
            self.quit = Some("was not followed by a quorum within initLimit");
            return;
        }
        let mut late = Vec::new();
        for (link, learner) in &self.learners {
            let limit_ms = match learner.progress {
                Progress::Snapshot | Progress::Reading(_) | Progress::Choosing(_) => continue,
                Progress::Synced | Progress::Serving => sync_ms,
                _ => init_ms + sync_ms,
            };
            let silent_ms = now.since(learner.heard);
            let waited_ms = learner.awaited.map_or(0, |(_, since)| now.since(since));
            if silent_ms > limit_ms {
                late.push((*link, LinkError::Silence(silent_ms)));
            } else if learner.is_synced() && waited_ms > sync_ms {
                late.push((*link, LinkError::Slow(waited_ms)));
            }
        }
        for (link, error) in late {
            self.drop_learner(link, error, out);
        }
        if now >= self.next_ping {
            self.next_ping = now.plus((core.options.tick_ms / 2).max(1));
            self.ping(core, out);
        }
        if now >= self.next_check {
            self.next_check = now.plus(core.options.tick_ms);
            if !self.is_relay() {
                self.check_quorum(core, out);
            }
        }
    }

    /// Looks whether a quorum still follows. If the oracle is to say, it has one tick for that.
    fn check_quorum(&mut self, core: &mut Core, out: &mut Vec<Output>) {
        let waited = std::mem::take(&mut self.awaits_oracle);
        if !self.is_leading() {
            return self.ask_again(core, out);
        }
        if self.has_quorum(core) {
            return;
        }
        self.awaits_oracle = !waited && self.may_be_alone(core);
        if !self.awaits_oracle {
            self.quit = Some("has lost its quorum");
        }
    }

    /// The oracle says whether this server may go on alone.
    pub(super) fn oracle_said(&mut self, yes: bool, core: &mut Core, out: &mut Vec<Output>) {
        if yes {
            self.awaits_oracle = false;
            self.ask_again(core, out);
        } else if std::mem::take(&mut self.awaits_oracle) && !self.has_quorum(core) {
            self.quit = Some("has lost its quorum, and the oracle does not let it lead alone");
        }
    }

    /// Goes on with what waits for a quorum, or for the oracle in its place.
    fn ask_again(&mut self, core: &mut Core, out: &mut Vec<Output>) {
        match self.stage {
            Stage::Connecting => self.choose_epoch(core, out),
            Stage::Electing => self.enter_epoch(core, out),
            Stage::Syncing => self.establish(core, out),
            Stage::Leading => self.decide(core, out),
            Stage::Promising | Stage::Entering => {}
        }
    }

    /// Whether these servers decide together, or this one does alone because the oracle says so.
    fn is_quorum(&self, servers: &BTreeSet<ServerId>, core: &mut Core) -> bool {
        core.options.ensemble.is_quorum(servers)
            || servers.contains(&core.options.me) && self.may_be_alone(core) && core.oracle_grants()
    }

    /// Whether there is an oracle and no voter that follows (ZK:
    /// `QuorumOracleMaj.updateNeedOracle`).
    fn may_be_alone(&self, core: &Core) -> bool {
        let ensemble = &core.options.ensemble;
        let votes = |learner: &Learner| learner.server().is_some_and(|id| ensemble.is_voter(id));
        ensemble.has_oracle()
            && !self.learners.values().any(|it| it.follows() && it.is_forwarded() && votes(it))
    }

    fn ping(&self, core: &Core, out: &mut Vec<Output>) {
        let last = self.last_proposed(core);
        for (link, _) in self.learners.iter().filter(|(_, learner)| learner.is_forwarded()) {
            out.push(Output::Do(Action::Send(*link, packet::bare(packet::PING, last))));
        }
    }

    /// Whether a quorum, this server included, has this leader's log and is heard of.
    fn has_quorum(&self, core: &mut Core) -> bool {
        let synced = self.learners.values().filter(|learner| learner.is_synced());
        let mut synced: BTreeSet<ServerId> = synced.filter_map(Learner::server).collect();
        synced.insert(core.options.me);
        self.is_quorum(&synced, core)
    }

    /// The last zxid of the epoch so far.
    fn last_proposed(&self, core: &Core) -> Zxid {
        core.journal.last().max(start_of(self.epoch))
    }

    /// When [`tick`](Self::tick) has something to do.
    pub(super) fn next_tick(&self) -> Moment {
        self.next_ping.min(self.next_check)
    }

    /// Who learns, by server id.
    pub(super) fn learners(&self, core: &Core) -> Vec<LearnerStatus> {
        let status = |(link, learner): (&LinkId, &Learner)| {
            let hello = learner.hello?;
            let votes = hello.follows && core.options.ensemble.is_voter(hello.server);
            Some(LearnerStatus {
                link: *link,
                server: hello.server,
                follows: hello.follows,
                votes,
                synced: learner.is_synced(),
            })
        };
        let mut learners: Vec<_> = self.learners.iter().filter_map(status).collect();
        learners.sort_by_key(|learner| learner.server);
        learners
    }
}

/// Where a learner stands, for a message.
const fn describe(progress: Progress) -> &'static str {
    match progress {
        Progress::Connected => "first",
        Progress::Introduced => "before the epoch was chosen",
        Progress::Told => "where a promise was expected",
        Progress::Promised(_) | Progress::Choosing(_) => "before the learner was synchronised",
        Progress::Snapshot | Progress::Reading(_) => "while the learner was synchronised",
        Progress::Forwarding => "before NEWLEADER was acknowledged",
        Progress::Synced => "before UPTODATE",
        Progress::Serving => "from a learner that is up to date",
    }
}
