//! A server in a bottle: the brain, its store and its clients, driven by one seed.

mod client;
mod oracle;

use bytes::Bytes;
use client::Client;
use oracle::Oracle;
use std::collections::{BTreeMap, BTreeSet};
use zabra::prep::PrepOptions;
use zabra::replica::{
    CloseReason, Effect, Handshake, Input, LocalSessions, ReaperOptions, Recovery, Replica,
    ReplicaOptions,
};
use zabra::session::{Owner, password};
use zabra::store::{
    Checkpoint, CheckpointKind, Crash, Durability, Item, LogEntry, MemoryStore, Store,
};
use zabra::tree::{Tree, TreeOptions, node_digest};
use zabra::types::{ConnId, ExtendedTypes, Moment, Now, ServerId, SessionId, Zxid};
use zabra::watch::Watches;
use zabra::zab;

const TREE: TreeOptions = TreeOptions { extended_types: ExtendedTypes::On, digest: true };
const CLIENTS: usize = 4;
const TIMEOUT_MS: i32 = 4000;

/// The generator `SplitMix64`.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).expect("a small number")
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }
}

/// How often the things happened that the checks are about.
#[derive(Default)]
pub(crate) struct Coverage(BTreeMap<&'static str, usize>);

impl Coverage {
    pub(crate) fn note(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (what, count) in &other.0 {
            *self.0.entry(what).or_default() += count;
        }
    }

    /// A simulation in which nothing happens finds nothing.
    pub(crate) fn check(&self) {
        for what in [
            "acknowledged write",
            "event",
            "expired",
            "taken over",
            "refused",
            "reopened",
            "closed",
            "replayed event",
            "crash that lost entries",
            "crash that lost checkpoints",
            "recovered from a stored tree",
            "read behind a write",
            "reaped",
        ] {
            let count = self.0.get(what).copied().unwrap_or_default();
            assert!(count >= 20, "{what}: {count}; all: {:?}", self.0);
        }
    }
}

pub(crate) struct World {
    random: Random,
    now: Now,
    store: MemoryStore,
    replica: Replica,
    tree: Tree,
    watches: Watches,
    /// What the brain wants appended and the log thread has not taken.
    queue: Vec<LogEntry>,
    oracle: Oracle,
    clients: Vec<Client>,
    next_conn: u64,
    /// Connections that the server closed or that were left behind; it has not been told so.
    leaving: Vec<ConnId>,
    /// Connections from which it has been told that they are gone.
    gone: BTreeSet<ConnId>,
    pub(crate) coverage: Coverage,
}

fn options() -> ReplicaOptions {
    ReplicaOptions {
        server_id: ServerId(1),
        tick_ms: 500,
        prep: PrepOptions {
            extended_types: ExtendedTypes::On,
            standalone: true,
            ..PrepOptions::default()
        },
        local_sessions: LocalSessions::Off,
        read_only_mode: false,
        max_watches: 1000,
        reaper: ReaperOptions {
            check_interval_ms: 3000,
            max_per_minute: 1000,
            max_never_used_ms: 0,
        },
    }
}

impl World {
    pub(crate) fn new(random: Random) -> Self {
        let now = Now { wall: 1_700_000_000_000, mono: Moment(0) };
        let tree = Tree::new(TREE);
        Self {
            random,
            now,
            store: MemoryStore::new(),
            replica: Replica::new(options(), &tree, [], Vec::new(), now),
            tree,
            watches: Watches::new(),
            queue: Vec::new(),
            oracle: Oracle::new(TREE),
            clients: (0..CLIENTS).map(Client::new).collect(),
            next_conn: 1,
            leaving: Vec::new(),
            gone: BTreeSet::new(),
            coverage: Coverage::default(),
        }
    }

    /// Everything that was ever decided, as bytes.
    pub(crate) fn history(&self) -> Vec<(Zxid, Bytes)> {
        self.oracle.log.iter().map(|(zxid, payload)| (*zxid, payload.clone())).collect()
    }

    pub(crate) fn step(&mut self) {
        match self.random.below(100) {
            0..=39 => self.ask(),
            40..=54 => self.sync(),
            55..=64 => self.connect(),
            65..=69 => self.leave(),
            70..=79 => self.pass_time(),
            80..=87 => self.checkpoint(),
            88..=90 => self.flush(),
            91..=97 => self.farewell(),
            _ => self.crash(),
        }
        self.check();
    }

    /// No more faults: whoever is connected gets all replies.
    pub(crate) fn settle(&mut self) {
        while let Some(conn) = self.leaving.pop() {
            self.close(conn);
        }
        while !self.queue.is_empty() {
            self.sync();
        }
        self.check();
        for client in &self.clients {
            assert!(client.asked.is_empty(), "{:?} was not answered", client.asked);
        }
        assert_eq!(self.replica.outstanding(), 0);
    }

    fn ask(&mut self) {
        let who = self.random.below(CLIENTS);
        if !self.clients[who].is_open {
            return;
        }
        for _ in 0..=self.random.below(4) {
            let client = &mut self.clients[who];
            let Some(conn) = client.conn else { return };
            let request = client.ask(&mut self.random);
            let is_write = request.op.is_write();
            if !is_write && client.asked.len() > 1 {
                self.coverage.note("read behind a write");
            }
            self.input(Input::Request(conn, request));
        }
    }

    /// The log thread makes some entries durable and says so.
    fn sync(&mut self) {
        if self.queue.is_empty() {
            return;
        }
        let count = 1 + self.random.below(self.queue.len());
        let entries: Vec<_> = self.queue.drain(..count).collect();
        self.store.append(&entries, Durability::Synced).expect("the store works");
        self.input(Input::Quorum(zab::Input::Persisted(entries[count - 1].zxid)));
        let mut effects = Vec::new();
        self.replica.apply(&mut self.tree, &mut self.watches, self.now, &mut effects);
        // Nobody counts them here.
        drop(self.replica.take_accesses());
        self.oracle.apply_to(self.tree.last_zxid(), &mut self.coverage);
        self.carry_out(effects);
    }

    fn input(&mut self, input: Input) {
        let mut effects = Vec::new();
        self.replica.handle(&self.tree, &mut self.watches, input, self.now, &mut effects);
        self.carry_out(effects);
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Quorum(zab::Action::Append(zxid, payload)) => {
                    self.oracle.append(zxid, payload.clone());
                    self.queue.push(LogEntry { zxid, payload });
                }
                Effect::Quorum(action) => panic!("a server alone has nobody to {action:?}"),
                Effect::Established { conn, session, .. } => {
                    let live = self.replica.sessions().get(session).copied();
                    let live = live.expect("an open session is known");
                    assert!(!live.closing && live.owner == Some(Owner::Local(conn)));
                    match self.client_of(conn) {
                        Some(client) => client.established(session),
                        None => assert!(self.leaving.contains(&conn)),
                    }
                }
                Effect::Reply(conn, frame) => self.deliver(conn, frame, true),
                Effect::Notify(conn, frame) => self.deliver(conn, frame, false),
                Effect::Close(conn, why) => self.closed_by_server(conn, why),
            }
        }
    }

    fn client_of(&mut self, conn: ConnId) -> Option<&mut Client> {
        assert!(!self.gone.contains(&conn), "{conn:?} is gone");
        self.clients.iter_mut().find(|client| client.conn == Some(conn))
    }

    fn deliver(&mut self, conn: ConnId, frame: Bytes, is_reply: bool) {
        assert!(!self.gone.contains(&conn), "{conn:?} is gone");
        let Some(client) = self.clients.iter_mut().find(|client| client.conn == Some(conn)) else {
            // The client has turned to another connection; the server does not know it yet.
            assert!(self.leaving.contains(&conn));
            return;
        };
        if !client.is_open {
            // The refusal of a first frame.
            assert!(!is_reply);
            return;
        }
        client.receive(frame, is_reply, &self.oracle, &mut self.coverage);
    }

    fn closed_by_server(&mut self, conn: ConnId, why: CloseReason) {
        assert_ne!(why, CloseReason::ZxidAhead, "a client has seen what was not durable");
        let session_lives = |replica: &Replica, session: Option<SessionId>| {
            session
                .and_then(|session| replica.sessions().get(session))
                .is_some_and(|session| !session.closing)
        };
        let session = self.client_of(conn).and_then(|client| client.session);
        let lives = session_lives(&self.replica, session);
        match why {
            CloseReason::SessionTakenOver => self.coverage.note("taken over"),
            CloseReason::SessionGone => self.coverage.note("refused"),
            CloseReason::SessionExpired => self.coverage.note("expired"),
            CloseReason::ClientRequest => self.coverage.note("closed"),
            CloseReason::SessionMoved | CloseReason::NotServing => {
                panic!("a server alone closed a connection for {why:?}")
            }
            CloseReason::ZxidAhead => {}
        }
        if let Some(client) = self.client_of(conn) {
            if why != CloseReason::SessionTakenOver {
                assert!(!lives, "a living session was ended: {why:?}");
                client.forget_session();
            }
            client.disconnect();
            self.leaving.push(conn);
        }
    }

    fn connect(&mut self) {
        let who = self.random.below(CLIENTS);
        let is_takeover = self.clients[who].conn.is_some();
        if is_takeover && (self.clients[who].session.is_none() || !self.random.one_in(4)) {
            return;
        }
        if let Some(old) = self.clients[who].disconnect() {
            self.leaving.push(old);
        }
        let conn = ConnId(self.next_conn);
        self.next_conn += 1;
        let client = &mut self.clients[who];
        client.conn = Some(conn);
        let session = client.session.unwrap_or(SessionId(0));
        let handshake = Handshake {
            last_zxid_seen: client.last_zxid,
            session,
            password: password(session).to_vec().into(),
            timeout_ms: TIMEOUT_MS,
            read_only: Some(false),
        };
        let known = self.replica.sessions().get(session).is_some_and(|known| !known.closing);
        self.input(Input::Connect(conn, handshake, client::identities()));
        let client = &mut self.clients[who];
        if session != SessionId(0) {
            assert_eq!(client.is_open, known, "whoever has a session can go on with it");
            if known {
                self.coverage.note("reopened");
            }
        }
        if self.clients[who].is_open {
            let restored = self.clients[who].restore();
            for request in restored {
                self.input(Input::Request(conn, request));
            }
        }
    }

    /// A client's connection breaks.
    fn leave(&mut self) {
        let who = self.random.below(CLIENTS);
        if let Some(conn) = self.clients[who].disconnect() {
            self.leaving.push(conn);
        }
    }

    /// The server is told of a broken connection.
    fn farewell(&mut self) {
        if !self.leaving.is_empty() {
            let place = self.random.below(self.leaving.len());
            let conn = self.leaving.remove(place);
            self.close(conn);
        }
    }

    fn close(&mut self, conn: ConnId) {
        self.input(Input::Closed(conn));
        self.gone.insert(conn);
    }

    fn pass_time(&mut self) {
        let millis = *self.random.pick(&[1, 100, 700, 2500]);
        self.now.mono = self.now.mono.plus(millis);
        self.now.wall += i64::try_from(millis).expect("a short time");
        let open = self.clients.iter().filter(|client| client.is_open);
        let mut heard: Vec<_> =
            open.filter_map(|client| client.session).map(|session| (session, TIMEOUT_MS)).collect();
        if self.random.one_in(8) {
            heard.clear();
        }
        self.input(Input::Touched(heard));
        self.input(Input::Tick);
        assert!(self.replica.next_tick() > self.now.mono, "nothing is left to be done");
    }

    fn checkpoint(&mut self) {
        let sessions = self.replica.take_session_changes();
        if sessions.is_empty() && self.tree.dirty_len() == 0 {
            return;
        }
        let mark = jute::disk::TreeMark {
            applied: self.tree.applied_zxid().0,
            digest: self.tree.digest(),
        };
        let znodes = self.tree.drain_dirty();
        let checkpoint = Checkpoint { znodes, sessions, kind: CheckpointKind::Changes(mark) };
        self.store.checkpoint(&checkpoint).expect("the store works");
    }

    fn flush(&mut self) {
        let safe = self.store.flush().expect("the store works");
        if self.random.one_in(2) {
            self.store.trim(safe.next()).expect("the store works");
        }
    }

    /// The server dies, with some entries written that nobody knows to be durable, and comes back.
    fn crash(&mut self) {
        let written = self.random.below(self.queue.len() + 1);
        let acknowledged = self.oracle.applied();
        self.store.append(&self.queue[..written], Durability::Unsynced).expect("the store works");
        let (log_writes, checkpoints) = self.store.unsynced();
        let crash = Crash {
            log_writes: self.random.below(log_writes + 1),
            torn_entries: self.random.below(written + 1),
            checkpoints: self.random.below(checkpoints + 1),
        };
        if crash.checkpoints < checkpoints {
            self.coverage.note("crash that lost checkpoints");
        }
        self.store.crash(crash);
        for conn in self.clients.iter_mut().filter_map(Client::disconnect) {
            self.gone.insert(conn);
        }
        self.gone.extend(self.leaving.drain(..));
        self.queue.clear();
        self.recover(acknowledged);
    }

    fn recover(&mut self, acknowledged: Zxid) {
        let mut recovery = Recovery::new(TREE);
        let mut from_tree = false;
        let loaded = self.store.load(&mut |item| {
            let taken = match item {
                Item::Znode(path, record) => recovery.znode(path, record),
                Item::Session(id, timeout_ms) => {
                    recovery.session(id, timeout_ms);
                    Ok(())
                }
                Item::Mark(mark) => {
                    from_tree = true;
                    recovery.mark(&mark)
                }
                Item::Entry(entry) => recovery.entry(entry.zxid, entry.payload),
            };
            taken.map_err(|error| error.to_string())
        });
        loaded.expect("what was stored can be read");
        let recovered = recovery.finish().expect("what was stored is whole");
        if from_tree {
            self.coverage.note("recovered from a stored tree");
        }
        let last = recovered.tree.last_zxid();
        assert!(last >= acknowledged, "{acknowledged} was acknowledged, {last} is left");
        self.oracle.lose_after(last, &mut self.coverage);
        self.oracle.apply_to(last, &mut self.coverage);
        self.now.mono = self.now.mono.plus(10);
        self.now.wall += 10;
        self.watches = Watches::new();
        self.tree = recovered.tree;
        self.replica = Replica::new(
            options(),
            &self.tree,
            recovered.sessions,
            recovered.session_changes,
            self.now,
        );
    }

    /// What must hold at all times.
    fn check(&self) {
        assert_eq!(self.tree.last_zxid(), self.oracle.applied());
        assert_eq!(self.tree.digest(), self.oracle.tree.digest());
        let digests = self.tree.dump().map(|(path, record)| {
            i64::from(node_digest(&path, record.data.as_deref(), &record.stat))
        });
        assert_eq!(digests.fold(0, i64::wrapping_add), self.tree.digest());
        let sessions: BTreeSet<_> = self.replica.sessions().iter().map(|(id, _)| id).collect();
        assert_eq!(sessions, self.oracle.sessions);
        for owner in self.tree.ephemeral_owners() {
            assert!(sessions.contains(&owner), "{owner} left ephemerals behind");
        }
        assert_eq!(self.replica.outstanding(), self.queue.len());
    }
}
