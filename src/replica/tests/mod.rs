//! The brain on a bench: a tree, watches, and a log that is durable when the test says so.

mod ensemble;
mod order;
mod queries;
mod reaper;
mod recovery;
mod sessions;
mod watching;

use super::{
    ClientRequest, CloseReason, DigestMismatch, Effect, Handshake, Identities, Input,
    LocalSessions, ReaperOptions, Recovered, Replica, ReplicaOptions,
};
use crate::prep::PrepOptions;
use crate::proto::{CreateOp, EventType, MultiOp, MultiRequest, OpCode, Request, Welcome};
use crate::session::{Owner, password};
use crate::tree::{Tree, TreeOptions};
use crate::types::{
    Acl, ConnId, ErrorCode, ExtendedTypes, Id, Moment, Now, ServerId, SessionId, Set, Zxid, perms,
};
use crate::watch::Watches;
use crate::zab;
use bytes::{Buf, Bytes};
use jute::client::{
    PathOnly, PathVersion, PathWatch, RawAcl, RawId, ReplyHeader, SetDataRequest, WatcherEvent,
};
use jute::{Decode, Decoder};

const TICK_MS: u64 = 1000;
const TIMEOUT_MS: i32 = 6000;
const MAX_WATCHES: usize = 5;
const CHECK_MS: u64 = 10_000;
const NEVER_USED_MS: i64 = 30_000;

const A: ConnId = ConnId(1);
const B: ConnId = ConnId(2);
const C: ConnId = ConnId(3);

/// What a client sees.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    /// The answer to its first frame: session, timeout and password.
    Welcome(SessionId, i32, Vec<u8>),
    Event(EventType, String, i64),
    Reply {
        xid: i32,
        zxid: i64,
        err: i32,
        body: Bytes,
    },
    Closed(CloseReason),
}

impl Seen {
    /// A reply's xid and error.
    fn outcome(&self) -> (i32, i32) {
        match self {
            Self::Reply { xid, err, .. } => (*xid, *err),
            other => panic!("{other:?} is no reply"),
        }
    }

    fn zxid(&self) -> i64 {
        match self {
            Self::Reply { zxid, .. } | Self::Event(_, _, zxid) => *zxid,
            other => panic!("{other:?} has no zxid"),
        }
    }

    fn body<T: Decode>(&self) -> T {
        match self {
            Self::Reply { err: 0, body, .. } => {
                T::from_bytes(body.clone()).expect("the body is what it should be")
            }
            other => panic!("{other:?} is no success"),
        }
    }
}

/// A server without sockets, disk and clock.
struct Bench {
    replica: Replica,
    tree: Tree,
    watches: Watches,
    now: Now,
    /// What was appended and is not durable.
    unsynced: Vec<Zxid>,
    log: Vec<(Zxid, Bytes)>,
    eyes: Eyes,
}

/// What clients see of what they are sent.
#[derive(Default)]
struct Eyes {
    welcomed: Set<ConnId>,
    /// Those who have been told that the server is in read-only mode.
    read_only: Set<ConnId>,
    seen: Vec<(ConnId, Seen)>,
}

impl Eyes {
    /// A client gets something, if it is for one; what is not comes back.
    fn take_in(&mut self, effect: Effect) -> Option<zab::Action> {
        match effect {
            Effect::Quorum(action) => return Some(action),
            Effect::Established { conn, session, timeout_ms, frame } => {
                let seen = self.read(conn, frame);
                let expected = Seen::Welcome(session, timeout_ms, password(session).to_vec());
                assert_eq!(seen, [expected]);
                self.seen.extend(seen.into_iter().map(|seen| (conn, seen)));
            }
            Effect::Reply(conn, frame) | Effect::Notify(conn, frame) => {
                let seen = self.read(conn, frame);
                self.seen.extend(seen.into_iter().map(|seen| (conn, seen)));
            }
            Effect::Close(conn, why) => self.seen.push((conn, Seen::Closed(why))),
        }
        None
    }

    /// Reads frames as the client at the other end does.
    fn read(&mut self, conn: ConnId, mut bytes: Bytes) -> Vec<Seen> {
        let mut seen = Vec::new();
        while !bytes.is_empty() {
            let length = usize::try_from(bytes.get_i32()).expect("lengths are not negative");
            let mut input = Decoder::new(bytes.split_to(length));
            if self.welcomed.insert(conn) {
                let Welcome { response, read_only } =
                    Decode::decode(&mut input).expect("a welcome");
                if read_only == Some(true) {
                    self.read_only.insert(conn);
                }
                let password = response.passwd.expect("a password").to_vec();
                let session = SessionId(response.session_id);
                seen.push(Seen::Welcome(session, response.time_out, password));
                continue;
            }
            let ReplyHeader { xid, zxid, err } = Decode::decode(&mut input).expect("a header");
            if xid == -1 {
                let event = WatcherEvent::decode(&mut input).expect("an event");
                assert_eq!((event.state, err), (3, 0));
                let kind = EventType::from_number(event.kind).expect("a known event");
                seen.push(Seen::Event(kind, event.path, zxid));
                continue;
            }
            seen.push(Seen::Reply { xid, zxid, err, body: input.rest().clone() });
        }
        seen
    }

    /// What a client has seen since the last time.
    fn seen(&mut self, conn: ConnId) -> Vec<Seen> {
        let (its, others) =
            std::mem::take(&mut self.seen).into_iter().partition(|(whose, _)| *whose == conn);
        self.seen = others;
        let its: Vec<(ConnId, Seen)> = its;
        its.into_iter().map(|(_, seen)| seen).collect()
    }
}

fn options() -> ReplicaOptions {
    ReplicaOptions {
        server_id: ServerId(1),
        tick_ms: TICK_MS,
        prep: PrepOptions {
            extended_types: ExtendedTypes::On,
            standalone: true,
            ..PrepOptions::default()
        },
        local_sessions: LocalSessions::Off,
        read_only_mode: false,
        max_watches: MAX_WATCHES,
        reaper: ReaperOptions {
            check_interval_ms: CHECK_MS,
            max_per_minute: 12,
            max_never_used_ms: NEVER_USED_MS,
        },
    }
}

const TREE: TreeOptions = TreeOptions { extended_types: ExtendedTypes::On, digest: true };

impl Bench {
    fn new() -> Self {
        Self::with(Tree::new(TREE), Vec::new())
    }

    fn with(tree: Tree, found: Vec<(SessionId, i32)>) -> Self {
        let now = Now { wall: 1_700_000_000_000, mono: Moment(500) };
        Self {
            replica: Replica::new(options(), &tree, found, Vec::new(), now),
            tree,
            watches: Watches::new(),
            now,
            unsynced: Vec::new(),
            log: Vec::new(),
            eyes: Eyes::default(),
        }
    }

    fn input(&mut self, input: Input) {
        let mut effects = Vec::new();
        self.replica.handle(&self.tree, &mut self.watches, input, self.now, &mut effects);
        self.carry_out(effects);
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match self.eyes.take_in(effect) {
                Some(zab::Action::Append(zxid, payload)) => {
                    self.unsynced.push(zxid);
                    self.log.push((zxid, payload));
                }
                Some(action) => panic!("a server alone has nobody to {action:?}"),
                None => {}
            }
        }
    }

    /// Makes everything durable and applies it.
    fn sync(&mut self) {
        self.sync_some(self.unsynced.len());
    }

    /// Makes the oldest entries durable and applies them.
    fn sync_some(&mut self, entries: usize) {
        let last = self.unsynced.drain(..entries).next_back();
        if let Some(last) = last {
            self.input(Input::Quorum(zab::Input::Persisted(last)));
        }
        assert_eq!(self.replica.has_decided(), entries > 0);
        let mut effects = Vec::new();
        self.replica.apply(&mut self.tree, &mut self.watches, self.now, &mut effects);
        self.carry_out(effects);
        assert_eq!(self.replica.outstanding(), self.unsynced.len());
    }

    /// What a client has seen since the last time.
    fn seen(&mut self, conn: ConnId) -> Vec<Seen> {
        self.eyes.seen(conn)
    }

    /// The xids and errors of the replies that a client has seen; it has seen nothing else.
    fn outcomes(&mut self, conn: ConnId) -> Vec<(i32, i32)> {
        self.seen(conn).iter().map(Seen::outcome).collect()
    }

    fn connect(&mut self, conn: ConnId, handshake: Handshake) {
        self.input(Input::Connect(conn, handshake, nobody()));
    }

    /// Opens a session.
    fn open(&mut self, conn: ConnId) -> SessionId {
        self.connect(conn, fresh());
        self.sync();
        match self.seen(conn).as_slice() {
            [Seen::Welcome(session, TIMEOUT_MS, _)] => *session,
            other => panic!("{other:?} is no welcome"),
        }
    }

    fn ask(&mut self, conn: ConnId, xid: i32, op: OpCode, request: Request) {
        self.ask_as(conn, xid, op, Ok(request), nobody());
    }

    fn ask_as(
        &mut self,
        conn: ConnId,
        xid: i32,
        op: OpCode,
        request: Result<Request, ErrorCode>,
        identities: Identities,
    ) {
        self.input(Input::Request(
            conn,
            ClientRequest { xid, op, request, body: Bytes::new(), identities },
        ));
    }

    fn create(&mut self, conn: ConnId, xid: i32, path: &str, flags: i32) {
        self.ask(conn, xid, OpCode::Create, create(path, flags));
    }

    fn delete(&mut self, conn: ConnId, xid: i32, path: &str) {
        let body = PathVersion { path: some(path), version: -1 };
        self.ask(conn, xid, OpCode::Delete, Request::Delete(body));
    }

    fn set_data(&mut self, conn: ConnId, xid: i32, path: &str, data: &'static [u8]) {
        let data = Some(Bytes::from_static(data));
        let body = SetDataRequest { path: some(path), data, version: -1 };
        self.ask(conn, xid, OpCode::SetData, Request::SetData(body));
    }

    fn get_data(&mut self, conn: ConnId, xid: i32, path: &str, watch: bool) {
        let body = PathWatch { path: some(path), watch };
        self.ask(conn, xid, OpCode::GetData, Request::GetData(body));
    }

    fn exists(&mut self, conn: ConnId, xid: i32, path: &str, watch: bool) {
        let body = PathWatch { path: some(path), watch };
        self.ask(conn, xid, OpCode::Exists, Request::Exists(body));
    }

    fn get_children(&mut self, conn: ConnId, xid: i32, path: &str, watch: bool) {
        let body = PathWatch { path: some(path), watch };
        self.ask(conn, xid, OpCode::GetChildren, Request::GetChildren(body));
    }

    fn close(&mut self, conn: ConnId, xid: i32) {
        self.ask(conn, xid, OpCode::CloseSession, Request::CloseSession);
    }

    /// Both clocks go on.
    fn pass(&mut self, millis: u64) {
        self.now.mono = self.now.mono.plus(millis);
        self.now.wall += i64::try_from(millis).expect("a short time");
    }

    fn last_zxid(&self) -> i64 {
        self.tree.last_zxid().0
    }
}

#[expect(clippy::unnecessary_wraps, reason = "a field of records as it is")]
fn some(path: &str) -> Option<String> {
    Some(path.to_owned())
}

fn nobody() -> Identities {
    [Id { scheme: "ip".to_owned(), id: "127.0.0.1".to_owned() }].into()
}

fn somebody(name: &str) -> Identities {
    let [ip] = nobody().to_vec().try_into().expect("one identity");
    [ip, Id { scheme: "digest".to_owned(), id: format!("{name}:hash") }].into()
}

fn fresh() -> Handshake {
    Handshake {
        last_zxid_seen: Zxid::ZERO,
        session: SessionId(0),
        password: Bytes::new(),
        timeout_ms: TIMEOUT_MS,
        read_only: Some(false),
    }
}

/// The first frame of a client that goes on with a session.
fn again(session: SessionId) -> Handshake {
    Handshake { session, password: password(session).to_vec().into(), ..fresh() }
}

fn raw_acl(acl: &[Acl]) -> Vec<RawAcl> {
    let raw = |acl: &Acl| {
        let Id { scheme, id } = acl.id.clone();
        RawAcl { perms: acl.perms, id: RawId { scheme: Some(scheme), id: Some(id) } }
    };
    acl.iter().map(raw).collect()
}

fn create_op(path: &str, flags: i32) -> CreateOp {
    CreateOp {
        op: OpCode::Create,
        path: some(path),
        data: Some(Bytes::from_static(b"x")),
        acl: Some(raw_acl(&perms::world(perms::ALL))),
        flags,
        ttl: -1,
    }
}

fn create(path: &str, flags: i32) -> Request {
    Request::Create(create_op(path, flags))
}

/// A znode for the holders of one digest identity alone.
fn create_for(path: &str, name: &str) -> Request {
    let id = Id { scheme: "digest".to_owned(), id: format!("{name}:hash") };
    let acl = Some(raw_acl(&[Acl { perms: perms::ALL, id }]));
    Request::Create(CreateOp { acl, ..create_op(path, 0) })
}

fn path_only(path: &str) -> PathOnly {
    PathOnly { path: some(path) }
}

fn multi(ops: Vec<MultiOp>) -> Request {
    Request::Multi(MultiRequest { ops })
}
