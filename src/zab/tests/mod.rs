//! Ensembles in memory: messages arrive in the order in which they were sent, disks are as slow as
//! the test wants.

mod catching_up;
mod faults;
mod leading;
mod observing;
mod oracle;

use super::*;
use crate::types::{Epoch, LinkId, Moment, ServerId, Zxid};
use bytes::Bytes;
use jute::quorum::QuorumPacket;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

const TICK_MS: u64 = 200;
const LIMIT: u64 = 5;

/// What a server keeps when it crashes, and what it does with its log.
#[derive(Debug)]
struct Server {
    /// `None` while it is down.
    peer: Option<Peer>,
    log: Vec<(Zxid, Bytes)>,
    /// How much of the log survives a crash.
    durable: usize,
    /// Entries that were trimmed from the beginning of the log.
    floor: Zxid,
    epochs: Epochs,
    /// The tree: everything that was applied, in order.
    applied: Vec<(Zxid, Bytes)>,
    /// What came from the broadcast for the owner of the tree.
    events: Vec<Event>,
    reports: Vec<String>,
    /// Its disk does nothing.
    stalled: bool,
    unsaved: VecDeque<Input>,
    serving: Option<Serving>,
}

#[derive(Debug)]
struct Link {
    learner: ServerId,
    leader: ServerId,
}

/// An ensemble.
#[derive(Debug)]
struct Cluster {
    servers: BTreeMap<ServerId, Server>,
    ensemble: Ensemble,
    links: BTreeMap<LinkId, Link>,
    next_link: u64,
    /// What is on its way.
    mail: VecDeque<(ServerId, Input)>,
    /// What arrives when time has passed.
    later: Vec<(ServerId, Input)>,
    now: Moment,
    /// Pairs that hear nothing of each other.
    cut: BTreeSet<(ServerId, ServerId)>,
    keep: usize,
    /// What the test wants to be otherwise.
    tune: fn(&mut PeerOptions),
    /// Those that the oracle lets go on alone.
    favoured: BTreeSet<ServerId>,
    /// Every decision that anybody ever applied.
    history: BTreeMap<Zxid, Bytes>,
    /// Packets by what they were, with the receiver.
    seen: Vec<(ServerId, i32)>,
}

fn id(id: i64) -> ServerId {
    ServerId(id)
}

fn zxid(epoch: i64, counter: u32) -> Zxid {
    Zxid::new(Epoch(epoch), counter)
}

impl Cluster {
    /// Voters 1 to `voters`, then observers.
    fn new(voters: i64, observers: i64) -> Self {
        let ids = |range: std::ops::RangeInclusive<i64>| range.map(ServerId).collect();
        let ensemble = Ensemble::majority(ids(1..=voters), ids(voters + 1..=voters + observers));
        let mut cluster = Self {
            servers: BTreeMap::new(),
            ensemble,
            links: BTreeMap::new(),
            next_link: 0,
            mail: VecDeque::new(),
            later: Vec::new(),
            now: Moment(1000),
            cut: BTreeSet::new(),
            keep: 500,
            tune: |_| {},
            favoured: BTreeSet::new(),
            history: BTreeMap::new(),
            seen: Vec::new(),
        };
        for number in 1..=voters + observers {
            let none = Epochs { accepted: Epoch(0), current: Epoch(0) };
            let server = Server {
                peer: None,
                log: Vec::new(),
                durable: 0,
                floor: Zxid::ZERO,
                epochs: none,
                applied: Vec::new(),
                events: Vec::new(),
                reports: Vec::new(),
                stalled: false,
                unsaved: VecDeque::new(),
                serving: None,
            };
            cluster.servers.insert(id(number), server);
        }
        cluster
    }

    fn start_all(mut self) -> Self {
        for server in self.servers.keys().copied().collect::<Vec<_>>() {
            self.start(server);
        }
        self
    }

    fn server(&mut self, server: ServerId) -> &mut Server {
        self.servers.get_mut(&server).expect("the test names a server of the ensemble")
    }

    fn start(&mut self, me: ServerId) {
        let mut options = PeerOptions {
            me,
            ensemble: self.ensemble.clone(),
            config: Bytes::from_static(b"version=0"),
            tick_ms: TICK_MS,
            init_limit: LIMIT,
            sync_limit: LIMIT,
            connect_limit: 0,
            commit_log_count: self.keep,
            max_snapshot_syncs: 10,
            max_diff_syncs: 100,
            epoch_wait_ms: None,
            force_snapshot: false,
            observer_masters: false,
            notification_ms: (200, 60_000),
        };
        (self.tune)(&mut options);
        let now = self.now;
        let server = self.server(me);
        let applied = server.applied.last().map_or(Zxid::ZERO, |(zxid, _)| *zxid);
        let tail = server.log.iter().filter(|(zxid, _)| *zxid > applied).cloned().collect();
        let found = Found { epochs: server.epochs, applied, tail };
        server.peer = Some(Peer::member(options, found, now));
        self.mail.push_back((me, Input::Tick));
    }

    /// It forgets what its disk did not have; its links break.
    fn crash(&mut self, me: ServerId) {
        let server = self.server(me);
        server.peer = None;
        server.log.truncate(server.durable);
        server.unsaved.clear();
        server.serving = None;
        // A stored tree is never ahead of the log.
        let last = server.log.last().map_or(server.floor, |(zxid, _)| *zxid);
        server.applied.retain(|(zxid, _)| *zxid <= last);
        self.break_links(|link| link.learner == me || link.leader == me);
        self.mail.retain(|(to, _)| *to != me);
    }

    fn break_links(&mut self, which: impl Fn(&Link) -> bool) {
        let broken: Vec<LinkId> =
            self.links.iter().filter(|(_, link)| which(link)).map(|(id, _)| *id).collect();
        for id in broken {
            let link = self.links.remove(&id).expect("it was found");
            self.mail.push_back((link.learner, Input::Closed(id)));
            self.mail.push_back((link.leader, Input::Closed(id)));
        }
    }

    /// Nothing passes between two servers any more, and they do not notice.
    fn cut(&mut self, a: ServerId, b: ServerId) {
        self.cut.extend([(a, b), (b, a)]);
    }

    fn heal(&mut self) {
        self.cut.clear();
    }

    /// Lets everything arrive, then time pass, until nothing more is to come.
    fn run(&mut self, ms: u64) {
        let end = self.now.plus(ms);
        loop {
            while let Some((to, input)) = self.mail.pop_front() {
                self.give(to, input);
            }
            if self.now >= end {
                return;
            }
            self.now = self.now.plus(10);
            self.mail.extend(self.later.drain(..));
            for server in self.servers.keys() {
                self.mail.push_back((*server, Input::Tick));
            }
        }
    }

    fn give(&mut self, to: ServerId, input: Input) {
        if let Input::Packet(_, packet) = &input {
            self.seen.push((to, packet.kind));
        }
        let now = self.now;
        let server = self.server(to);
        let Some(peer) = &mut server.peer else { return };
        let mut out = Vec::new();
        peer.handle(input, now, &mut out);
        self.carry_out(to, out);
        self.apply(to);
    }

    fn apply(&mut self, me: ServerId) {
        let server = self.servers.get_mut(&me).expect("it is there");
        let Some(peer) = &mut server.peer else { return };
        while let Some(zxid) = peer.commit_next() {
            let at = server.log.binary_search_by_key(&zxid, |(zxid, _)| *zxid);
            let at = at.expect("what is applied is in the log");
            assert!(at < server.durable, "{me:?} applies {zxid} before it is durable");
            let payload = server.log[at].1.clone();
            assert!(server.applied.last().is_none_or(|(last, _)| *last < zxid));
            server.applied.push((zxid, payload.clone()));
            let before = self.history.entry(zxid).or_insert_with(|| payload.clone());
            assert_eq!(*before, payload, "{zxid} was decided twice");
        }
    }

    fn carry_out(&mut self, me: ServerId, out: Vec<Output>) {
        for output in out {
            match output {
                Output::Do(action) => self.act(me, action),
                Output::Tell(event) => {
                    let server = self.server(me);
                    match event {
                        Event::Serving(serving) => server.serving = Some(serving),
                        Event::Halted => server.serving = None,
                        _ => {}
                    }
                    server.events.push(event);
                }
            }
        }
    }

    fn act(&mut self, me: ServerId, action: Action) {
        match action {
            Action::Notify(to, message) => self.post(me, to, Input::Notification(me, message)),
            Action::Dial(leader) => self.dial(me, leader, Input::Accepted),
            Action::DialMaster(master) => self.dial(me, master, Input::AcceptedObserver),
            Action::Send(link, packet) => {
                if let Some(other) = self.other(me, link) {
                    self.post(me, other, Input::Packet(link, packet));
                }
            }
            Action::Close(link, _) => {
                if let Some(other) = self.other(me, link) {
                    self.links.remove(&link);
                    self.post(me, other, Input::Closed(link));
                }
            }
            Action::Append(zxid, payload) => {
                let server = self.server(me);
                assert!(server.log.last().is_none_or(|(last, _)| *last < zxid));
                server.log.push((zxid, payload));
                self.store(me, Input::Persisted(zxid));
            }
            Action::Truncate(last) => {
                let server = self.server(me);
                assert!(server.unsaved.is_empty(), "cut while something was being written");
                server.log.retain(|(zxid, _)| *zxid <= last);
                server.durable = server.log.len();
            }
            Action::SaveEpochs(epochs) => {
                let server = self.server(me);
                let last = server.log.last().map_or(Epoch(0), |(zxid, _)| zxid.epoch());
                assert!(epochs.current >= last, "{me:?}: log of {last}, {epochs:?}");
                assert_eq!(server.durable, server.log.len(), "an epoch before its log");
                server.epochs = epochs;
                self.store(me, Input::EpochsSaved);
            }
            Action::ReadLog { link, from, .. } => {
                let server = self.server(me);
                let entries = server.log.iter().filter(|(zxid, _)| *zxid >= from).take(3).cloned();
                let entries = (from >= server.floor).then(|| entries.collect());
                self.mail.push_back((me, Input::LogRead(link, entries)));
            }
            Action::SendSnapshot(link) => self.send_snapshot(me, link),
            Action::AskOracle => {
                let says = Input::OracleSaid(self.favoured.contains(&me));
                self.later.push((me, says));
            }
            Action::ReceiveSnapshot(..) => {}
            Action::Stop(why) => self.server(me).reports.push(why.to_string()),
            Action::Report(report) => self.server(me).reports.push(report.to_string()),
        }
    }

    fn post(&mut self, from: ServerId, to: ServerId, input: Input) {
        if !self.cut.contains(&(from, to)) {
            self.mail.push_back((to, input));
        }
    }

    fn other(&self, me: ServerId, link: LinkId) -> Option<ServerId> {
        let link = self.links.get(&link)?;
        Some(if link.learner == me { link.leader } else { link.learner })
    }

    fn dial(&mut self, me: ServerId, leader: ServerId, accepted: fn(LinkId) -> Input) {
        if self.cut.contains(&(me, leader)) || self.server(leader).peer.is_none() {
            self.later.push((me, Input::DialFailed(leader)));
            return;
        }
        self.next_link += 1;
        let link = LinkId(self.next_link);
        self.links.insert(link, Link { learner: me, leader });
        self.mail.push_back((leader, accepted(link)));
        self.mail.push_back((me, Input::Dialed(link)));
    }

    fn store(&mut self, me: ServerId, done: Input) {
        let server = self.server(me);
        server.unsaved.push_back(done);
        if !server.stalled {
            self.write(me);
        }
    }

    /// The disk does what waits.
    fn write(&mut self, me: ServerId) {
        let server = self.server(me);
        server.durable = server.log.len();
        let mut done: Vec<_> = server.unsaved.drain(..).collect();
        // What waited together is durable at once, and only the last of it is told.
        done.dedup_by(|later, earlier| match (&*later, &*earlier) {
            (Input::Persisted(last), Input::Persisted(_)) => {
                *earlier = Input::Persisted(*last);
                true
            }
            _ => false,
        });
        self.mail.extend(done.into_iter().map(|done| (me, done)));
    }

    fn stall(&mut self, me: ServerId) {
        self.server(me).stalled = true;
    }

    fn go_on(&mut self, me: ServerId) {
        self.server(me).stalled = false;
        self.write(me);
    }

    /// The image is whole when the packet arrives: what it is replaced by is taken here.
    fn send_snapshot(&mut self, me: ServerId, link: LinkId) {
        let Some(other) = self.other(me, link) else { return };
        let image = self.server(me).applied.clone();
        let zxid = image.last().map_or(Zxid::ZERO, |(zxid, _)| *zxid);
        let packet = QuorumPacket { kind: packet::SNAP, zxid: zxid.0, data: None, auth_info: None };
        self.give(other, Input::Packet(link, packet));
        let server = self.server(other);
        server.applied = image;
        server.log.clear();
        server.durable = 0;
        server.floor = zxid;
        let peer = server.peer.as_mut().expect("it has a link");
        peer.replace_log(zxid, Vec::new());
        self.give(other, Input::SnapshotReceived(link, zxid));
        self.mail.push_back((me, Input::SnapshotSent(link, zxid)));
    }

    /// Who serves as a leader; there may be one that does not know yet that it is none.
    fn leaders(&self) -> Vec<ServerId> {
        let leads = |server: &Server| matches!(server.serving, Some(Serving::Leader(_)));
        self.servers.iter().filter(|(_, server)| leads(server)).map(|(id, _)| *id).collect()
    }

    fn leader(&self) -> ServerId {
        let leaders = self.leaders();
        assert_eq!(leaders.len(), 1, "leaders: {leaders:?}");
        leaders[0]
    }

    fn propose(&mut self, me: ServerId, what: &'static str) -> Zxid {
        let mut out = Vec::new();
        let server = self.server(me);
        let peer = server.peer.as_mut().expect("it is up");
        let zxid = peer.next_zxid().expect("it leads");
        peer.propose(zxid, Bytes::from_static(what.as_bytes()), &mut out);
        self.carry_out(me, out);
        zxid
    }

    /// Proposes, and lets everything arrive.
    fn write_one(&mut self, what: &'static str) -> Zxid {
        let leader = self.leader();
        let zxid = self.propose(leader, what);
        self.run(0);
        zxid
    }

    fn applied(&mut self, me: ServerId) -> Vec<&str> {
        let applied = self.server(me).applied.iter();
        applied.map(|(_, payload)| std::str::from_utf8(payload).expect("a word")).collect()
    }

    /// Everybody is up to date and has the same.
    fn check_equal(&mut self) {
        let leader = self.leader();
        let expected = self.server(leader).applied.clone();
        for (id, server) in &self.servers {
            assert!(server.serving.is_some(), "{id:?} does not serve: {:?}", server.reports);
            assert_eq!(server.applied, expected, "{id:?}: {:?}", server.reports);
        }
    }

    fn saw(&self, who: ServerId, kind: i32) -> bool {
        self.seen.contains(&(who, kind))
    }
}
