//! Three brains and their connections: packets arrive in the order in which they were sent, disks
//! are as slow as the test wants.

mod faults;
mod local_sessions;
mod observing;
mod read_only;
mod sessions;
mod writes;

use super::super::{Kept, Recovery};
use super::*;
use crate::tree::TreeLoader;
use crate::types::{Epoch, LinkId};
use crate::zab::{Action, Ensemble, Epochs, PeerOptions, Role};
use bytes::BytesMut;
use jute::Encode;
use jute::disk::{TreeMark, ZnodeRecord};
use jute::quorum::QuorumPacket;
use std::collections::{BTreeMap, VecDeque};

/// Ticks of the broadcast.
const LIMIT: u64 = 5;

/// What lies in a server's store besides its log.
#[derive(Clone, Default)]
struct Image {
    znodes: Vec<(String, ZnodeRecord)>,
    sessions: BTreeMap<SessionId, i32>,
    zxid: Zxid,
}

struct Server {
    /// `None` while it is down.
    replica: Option<Replica>,
    tree: Tree,
    watches: Watches,
    image: Image,
    log: Vec<(Zxid, Bytes)>,
    epochs: Epochs,
    /// What the disk has not done, and what to say of it.
    disk: VecDeque<zab::Input>,
    durable: usize,
    is_stalled: bool,
    clients: Set<ConnId>,
}

enum Mail {
    Input(ServerId, zab::Input),
    Image(ServerId, LinkId, Image),
}

/// An ensemble.
struct Cluster {
    servers: BTreeMap<ServerId, Server>,
    ensemble: Ensemble,
    /// Whether the observer learns from a follower.
    observer_masters: bool,
    options: ReplicaOptions,
    /// Learner and leader of each link.
    links: BTreeMap<LinkId, (ServerId, ServerId)>,
    mail: VecDeque<Mail>,
    /// Packets about clients that have arrived.
    packets: Vec<(ServerId, QuorumPacket)>,
    /// The server that takes in all that comes before it applies anything.
    busy: Option<ServerId>,
    now: Now,
    eyes: Eyes,
    next: u64,
}

impl Cluster {
    /// Voters 1 to `voters` and an observer behind them, which have found a leader.
    fn new(voters: i64) -> Self {
        Self::with(voters, options())
    }

    fn with(voters: i64, options: ReplicaOptions) -> Self {
        Self::started(voters, options, false)
    }

    /// The same, and the observer learns from a follower.
    fn behind_a_follower(voters: i64) -> Self {
        Self::started(voters, options(), true)
    }

    fn started(voters: i64, options: ReplicaOptions, observer_masters: bool) -> Self {
        let ids = (1..=voters).map(ServerId).collect();
        let ensemble = Ensemble::majority(ids, [ServerId(voters + 1)].into());
        let mut cluster = Self {
            servers: BTreeMap::new(),
            ensemble,
            observer_masters,
            options: ReplicaOptions {
                prep: PrepOptions { standalone: false, ..options.prep },
                ..options
            },
            links: BTreeMap::new(),
            mail: VecDeque::new(),
            packets: Vec::new(),
            busy: None,
            now: Now { wall: 1_700_000_000_000, mono: Moment(500) },
            eyes: Eyes::default(),
            next: 0,
        };
        for id in 1..=voters + 1 {
            let server = Server {
                replica: None,
                tree: Tree::new(TREE),
                watches: Watches::new(),
                image: Image::default(),
                log: Vec::new(),
                epochs: Epochs { accepted: Epoch(0), current: Epoch(0) },
                disk: VecDeque::new(),
                durable: 0,
                is_stalled: false,
                clients: Set::default(),
            };
            cluster.servers.insert(ServerId(id), server);
            cluster.start(ServerId(id));
        }
        cluster.pass(2000);
        cluster.check();
        cluster
    }

    fn at(&mut self, id: ServerId) -> &mut Server {
        self.servers.get_mut(&id).expect("the test names a server of the ensemble")
    }

    fn start(&mut self, me: ServerId) {
        let peer = PeerOptions {
            me,
            ensemble: self.ensemble.clone(),
            config: Bytes::from_static(b"version=0"),
            tick_ms: TICK_MS,
            init_limit: LIMIT,
            sync_limit: LIMIT,
            connect_limit: 0,
            commit_log_count: 500,
            max_snapshot_syncs: 10,
            max_diff_syncs: 100,
            epoch_wait_ms: None,
            force_snapshot: false,
            observer_masters: self.observer_masters,
            notification_ms: (200, 60_000),
        };
        let options = ReplicaOptions { server_id: me, ..self.options.clone() };
        let now = self.now;
        let server = self.at(me);
        let mut recovery = Recovery::member(TREE, Zxid::ZERO);
        for (path, record) in server.image.znodes.clone() {
            recovery.znode(&path, record).expect("an image is a tree");
        }
        for (id, timeout_ms) in &server.image.sessions {
            recovery.session(*id, *timeout_ms);
        }
        if !server.image.znodes.is_empty() {
            let mark = TreeMark { applied: server.image.zxid.0, digest: 0 };
            recovery.mark(&mark).expect("an image is a tree");
        }
        for (zxid, payload) in server.log.clone() {
            recovery.entry(zxid, payload).expect("what was logged can be read");
        }
        let recovered = recovery.finish().expect("what is stored can be read");
        let Recovered { tree, sessions, session_changes, tail, .. } = recovered;
        let kept = Kept { sessions, session_changes, tail };
        server.replica = Some(Replica::member(options, peer, server.epochs, &tree, kept, now));
        server.tree = tree;
        server.watches = Watches::new();
        self.tick(me);
    }

    /// It forgets what its disk did not have; its links break, and its clients' connections.
    fn crash(&mut self, me: ServerId) {
        let server = self.at(me);
        server.replica = None;
        server.log.truncate(server.durable);
        server.disk.clear();
        server.clients.clear();
        let is_its = |mail: &Mail| match mail {
            Mail::Input(to, _) | Mail::Image(to, ..) => *to == me,
        };
        self.mail.retain(|mail| !is_its(mail));
        let of_it = self.links.iter().filter(|(_, ends)| ends.0 == me || ends.1 == me);
        for link in of_it.map(|(link, _)| *link).collect::<Vec<_>>() {
            self.cut(me, link);
        }
    }

    /// One end closes a link.
    fn cut(&mut self, me: ServerId, link: LinkId) {
        if let Some(other) = self.other(me, link) {
            self.links.remove(&link);
            self.mail.push_back(Mail::Input(other, zab::Input::Closed(link)));
        }
    }

    fn other(&self, me: ServerId, link: LinkId) -> Option<ServerId> {
        let (learner, leader) = *self.links.get(&link)?;
        Some(if learner == me { leader } else { learner })
    }

    /// Time passes, and everything arrives.
    fn pass(&mut self, ms: u64) {
        self.deliver();
        for _ in 0..ms / 10 {
            self.now.mono = self.now.mono.plus(10);
            self.now.wall += 10;
            for id in self.servers.keys().copied().collect::<Vec<_>>() {
                self.tick(id);
            }
            self.deliver();
        }
    }

    /// The clients' connections are quiet but alive.
    fn pass_with_pings(&mut self, ms: u64) {
        for _ in 0..ms / 500 {
            for id in self.servers.keys().copied().collect::<Vec<_>>() {
                let server = self.at(id);
                let Some(replica) = &server.replica else { continue };
                let touched = |conn: &ConnId| Some((replica.session_of(*conn)?, TIMEOUT_MS));
                let touched = server.clients.iter().filter_map(touched).collect();
                self.input(id, Input::Touched(touched));
            }
            self.pass(500);
        }
    }

    /// Everything arrives.
    fn deliver(&mut self) {
        while let Some(mail) = self.mail.pop_front() {
            match mail {
                Mail::Input(to, input) => {
                    if let zab::Input::Packet(_, packet) = &input {
                        self.packets.push((to, packet.clone()));
                    }
                    self.input(to, Input::Quorum(input));
                }
                Mail::Image(to, link, image) => self.take_image(to, link, image),
            }
        }
    }

    fn tick(&mut self, me: ServerId) {
        self.input(me, Input::Tick);
    }

    fn input(&mut self, me: ServerId, input: Input) {
        let now = self.now;
        let Self { servers, .. } = self;
        let server = servers.get_mut(&me).expect("the test names a server of the ensemble");
        let Some(replica) = &mut server.replica else { return };
        let mut effects = Vec::new();
        replica.handle(&server.tree, &mut server.watches, input, now, &mut effects);
        self.carry_out(me, effects);
        if self.busy != Some(me) {
            self.apply(me);
        }
    }

    fn apply(&mut self, me: ServerId) {
        let now = self.now;
        let server = self.at(me);
        let Some(replica) = &mut server.replica else { return };
        if !replica.has_decided() {
            return;
        }
        let mut effects = Vec::new();
        replica.apply(&mut server.tree, &mut server.watches, now, &mut effects);
        assert!(!replica.has_decided(), "applying leaves nothing");
        assert_eq!(replica.digest_mismatches(), 0);
        self.carry_out(me, effects);
    }

    fn carry_out(&mut self, me: ServerId, effects: Vec<Effect>) {
        for effect in effects {
            match &effect {
                Effect::Close(conn, _) => _ = self.at(me).clients.remove(conn),
                Effect::Established { conn, .. } => _ = self.at(me).clients.insert(*conn),
                _ => {}
            }
            if let Some(action) = self.eyes.take_in(effect) {
                self.act(me, action);
            }
        }
    }

    fn dial(&mut self, me: ServerId, other: ServerId, accepted: fn(LinkId) -> zab::Input) {
        if self.at(other).replica.is_none() {
            self.mail.push_back(Mail::Input(me, zab::Input::DialFailed(other)));
            return;
        }
        self.next += 1;
        let link = LinkId(self.next);
        self.links.insert(link, (me, other));
        self.mail.push_back(Mail::Input(other, accepted(link)));
        self.mail.push_back(Mail::Input(me, zab::Input::Dialed(link)));
    }

    fn act(&mut self, me: ServerId, action: Action) {
        match action {
            Action::Notify(to, message) => {
                self.mail.push_back(Mail::Input(to, zab::Input::Notification(me, message)));
            }
            Action::Dial(leader) => self.dial(me, leader, zab::Input::Accepted),
            Action::DialMaster(master) => self.dial(me, master, zab::Input::AcceptedObserver),
            Action::Send(link, packet) => {
                if let Some(other) = self.other(me, link) {
                    self.mail.push_back(Mail::Input(other, zab::Input::Packet(link, packet)));
                }
            }
            Action::Close(link, _) => self.cut(me, link),
            Action::Append(zxid, payload) => {
                self.at(me).log.push((zxid, payload));
                self.write(me, zab::Input::Persisted(zxid));
            }
            Action::Truncate(last) => {
                let server = self.at(me);
                server.log.retain(|(zxid, _)| *zxid <= last);
                server.durable = server.log.len();
            }
            Action::SaveEpochs(epochs) => {
                self.at(me).epochs = epochs;
                self.write(me, zab::Input::EpochsSaved);
            }
            Action::ReadLog { link, from, .. } => {
                let server = self.at(me);
                let reaches = from > server.image.zxid;
                let entries = server.log.iter().filter(|(zxid, _)| *zxid >= from);
                let entries = reaches.then(|| entries.cloned().collect());
                self.mail.push_back(Mail::Input(me, zab::Input::LogRead(link, entries)));
            }
            Action::SendSnapshot(link) => self.send_image(me, link),
            Action::ReceiveSnapshot(..)
            | Action::AskOracle
            | Action::Report(_)
            | Action::Stop(_) => {}
        }
    }

    fn write(&mut self, me: ServerId, done: zab::Input) {
        let server = self.at(me);
        server.disk.push_back(done);
        if !server.is_stalled {
            self.flush(me);
        }
    }

    /// The disk does what waits.
    fn flush(&mut self, me: ServerId) {
        let server = self.at(me);
        server.is_stalled = false;
        server.durable = server.log.len();
        let done = std::mem::take(&mut server.disk);
        self.mail.extend(done.into_iter().map(|done| Mail::Input(me, done)));
    }

    fn send_image(&mut self, me: ServerId, link: LinkId) {
        let server = self.at(me);
        let replica = server.replica.as_ref().expect("it is up");
        let sessions = replica.sessions().iter().map(|(id, known)| (id, known.timeout_ms));
        let zxid = server.tree.applied_zxid();
        let image =
            Image { znodes: server.tree.dump().collect(), sessions: sessions.collect(), zxid };
        let Some(other) = self.other(me, link) else { return };
        let packet =
            QuorumPacket { kind: zab::packet::SNAP, zxid: zxid.0, data: None, auth_info: None };
        self.mail.push_back(Mail::Input(other, zab::Input::Packet(link, packet)));
        self.mail.push_back(Mail::Image(other, link, image));
        self.mail.push_back(Mail::Input(me, zab::Input::SnapshotSent(link, zxid)));
    }

    fn take_image(&mut self, me: ServerId, link: LinkId, image: Image) {
        let now = self.now;
        let server = self.at(me);
        let Some(replica) = &mut server.replica else { return };
        let mut loader = TreeLoader::new(TREE);
        for (path, record) in &image.znodes {
            loader.insert(path, record.clone()).expect("an image is a tree");
        }
        server.tree = loader.finish_unchecked(image.zxid).expect("an image is a tree");
        server.log.clear();
        server.durable = 0;
        let kept = Kept { sessions: image.sessions.clone(), ..Kept::default() };
        replica.replaced(&server.tree, kept, now);
        let zxid = image.zxid;
        server.image = image;
        self.input(me, Input::Quorum(zab::Input::SnapshotReceived(link, zxid)));
    }

    fn leader(&self) -> ServerId {
        let leads = |server: &Server| {
            let replica = server.replica.as_ref();
            replica.is_some_and(|known| known.is_serving() && known.status().role == Role::Leading)
        };
        let mut leaders = self.servers.iter().filter(|(_, server)| leads(server));
        let leader = leaders.next().expect("there is a leader");
        assert!(leaders.next().is_none(), "two leaders");
        *leader.0
    }

    /// A voter that follows.
    fn follower(&self) -> ServerId {
        let follows = |server: &Server| {
            let replica = server.replica.as_ref();
            replica.is_some_and(|known| matches!(known.status().role, Role::Following(_)))
        };
        let found = self.servers.iter().find(|(_, server)| follows(server));
        *found.expect("somebody follows").0
    }

    fn others(&self, but: ServerId) -> Vec<ServerId> {
        self.servers.keys().copied().filter(|id| *id != but).collect()
    }

    /// Everybody who is up serves and has the same.
    fn check(&self) {
        let mut states = Vec::new();
        for (id, server) in &self.servers {
            let Some(replica) = &server.replica else { continue };
            assert!(replica.is_serving(), "{id}: {:?}", replica.status());
            assert_eq!((replica.outstanding(), replica.waiting()), (0, 0));
            let known: Vec<_> =
                replica.sessions().iter().map(|(id, known)| (id, known.timeout_ms)).collect();
            states.push((server.tree.digest(), server.tree.last_zxid(), known));
        }
        assert!(states.windows(2).all(|pair| pair[0] == pair[1]), "{states:?}");
    }

    fn connect(&mut self, at: ServerId, handshake: Handshake) -> ConnId {
        self.next += 1;
        let conn = ConnId(self.next);
        self.input(at, Input::Connect(conn, handshake, nobody()));
        conn
    }

    /// Opens a session.
    fn open(&mut self, at: ServerId) -> (ConnId, SessionId) {
        let conn = self.connect(at, fresh());
        self.deliver();
        match self.seen(conn).as_slice() {
            [Seen::Welcome(session, TIMEOUT_MS, _)] => (conn, *session),
            other => panic!("{other:?} is no welcome"),
        }
    }

    /// Goes on with a session at another server.
    fn reopen(&mut self, at: ServerId, session: SessionId) -> ConnId {
        let conn = self.connect(at, again(session));
        self.deliver();
        match self.seen(conn).as_slice() {
            [Seen::Welcome(welcomed, TIMEOUT_MS, _)] if *welcomed == session => conn,
            other => panic!("{other:?} is no welcome"),
        }
    }

    fn seen(&mut self, conn: ConnId) -> Vec<Seen> {
        self.eyes.seen(conn)
    }

    fn outcomes(&mut self, conn: ConnId) -> Vec<(i32, i32)> {
        self.seen(conn).iter().map(Seen::outcome).collect()
    }

    fn ask(&mut self, at: ServerId, conn: ConnId, xid: i32, op: OpCode, request: Request) {
        self.ask_as(at, conn, xid, op, Ok(request), nobody());
    }

    fn ask_as(
        &mut self,
        at: ServerId,
        conn: ConnId,
        xid: i32,
        op: OpCode,
        request: Result<Request, ErrorCode>,
        identities: Identities,
    ) {
        let body = request.as_ref().map_or_else(|_| Bytes::from_static(b"?"), body_of);
        self.input(at, Input::Request(conn, ClientRequest { xid, op, request, body, identities }));
    }

    fn create(&mut self, at: ServerId, conn: ConnId, xid: i32, path: &str, flags: i32) {
        self.ask(at, conn, xid, OpCode::Create, create(path, flags));
    }

    fn exists(&mut self, at: ServerId, conn: ConnId, xid: i32, path: &str, watch: bool) {
        let body = PathWatch { path: some(path), watch };
        self.ask(at, conn, xid, OpCode::Exists, Request::Exists(body));
    }

    fn sync(&mut self, at: ServerId, conn: ConnId, xid: i32) {
        self.ask(at, conn, xid, OpCode::Sync, Request::Sync(path_only("/")));
    }

    fn has(&mut self, at: ServerId, path: &str) -> bool {
        self.at(at).tree.node(path).is_some()
    }
}

/// A request's body as a client sends it.
fn body_of(request: &Request) -> Bytes {
    let mut out = BytesMut::new();
    match request {
        Request::Create(op) => op.encode(&mut out),
        Request::Delete(op) => op.encode(&mut out),
        Request::SetData(op) => op.encode(&mut out),
        Request::Multi(op) => op.encode(&mut out),
        Request::Sync(op) => op.encode(&mut out),
        _ => {}
    }
    out.freeze()
}
