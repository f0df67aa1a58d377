//! The brain of one server: every input goes through here, one at a time, and effects come out.
//!
//! It holds the sessions, the leader's pending changes, the broadcast and what each connection
//! waits for. The tree and the watches lie outside, behind locks that the driver holds for it, so
//! that connections can read without asking the brain. It has no socket, file, clock, task or
//! random source of its own: a simulator runs exactly this code.
//!
//! A request travels thus: [`Replica::handle`] makes a transaction of a write and an
//! an append to the log; once that is decided, [`Replica::apply`] changes the tree,
//! fires watches and answers. Reads that come behind a write of their connection wait for it.

mod clients;
mod frames;
mod io;
mod lifecycle;
mod reads;
mod recovery;
mod replies;
mod set_watches;
#[cfg(test)]
mod tests;

pub use frames::{error_reply, plain_reply};
pub use io::{ClientRequest, CloseReason, Effect, Handshake, Identities, Input};
pub use reads::{Reader, needs_watches};
pub use recovery::{Recovered, Recovery, RecoveryError};

use crate::auth::AuthOptions;
use crate::prep::{Prep, PrepOptions, WriteRequest};
use crate::proto::{Event, OpCode, Request};
use crate::session::{SessionIds, Sessions};
use crate::tree::{Change, SharedAcl, Transaction, Tree, Txn};
use crate::types::{
    ConnId, ErrorCode, Id, Map, Moment, Now, ServerId, SessionId, Xid, Zxid, perms,
};
use crate::watch::{Notice, Watches, WhichAcl};
use crate::zab::{self, Peer};
use bytes::{Bytes, BytesMut};
use clients::{Client, Waiting};
use std::collections::VecDeque;

/// What the configuration says to the brain.
#[derive(Clone, Debug)]
pub struct ReplicaOptions {
    /// This server's id, which new sessions carry; 1 for a server alone.
    pub server_id: ServerId,
    /// Milliseconds of a tick: sessions expire at its multiples.
    pub tick_ms: u64,
    /// How writes are checked.
    pub prep: PrepOptions,
    /// How many watches a connection may have.
    pub max_watches: usize,
    /// How containers and TTL znodes are removed.
    pub reaper: ReaperOptions,
}

/// How containers and TTL znodes are removed (ZK: `ContainerManager`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReaperOptions {
    /// Milliseconds between two searches.
    pub check_interval_ms: u64,
    /// How many are removed in a minute at most.
    pub max_per_minute: usize,
    /// Age in milliseconds at which a container that never had a child goes; 0 is never.
    pub max_never_used_ms: i64,
}

/// A transaction on its way from the log to the tree.
#[derive(Debug)]
struct Proposal {
    zxid: Zxid,
    txn: Transaction,
    origin: Origin,
}

/// Who waits for a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// A connection's oldest write.
    Request(ConnId, i32),
    /// A connection that opens a session.
    Handshake { conn: ConnId, timeout_ms: i32, read_only: Option<bool> },
    /// Nobody: the server itself.
    Server,
}

/// A change that somebody wants.
#[derive(Clone, Copy)]
struct Wish<'a> {
    session: SessionId,
    xid: i32,
    request: &'a Result<Request, ErrorCode>,
    identities: &'a [Id],
    origin: Origin,
}

/// Sessions that began or ended since they were last asked for, with the timeout in milliseconds
/// or `None` for an end.
pub type SessionChanges = Vec<(SessionId, Option<i32>)>;

/// The brain.
#[derive(Debug)]
pub struct Replica {
    options: ReplicaOptions,
    sessions: Sessions,
    session_ids: SessionIds,
    prep: Prep,
    zab: Peer,
    proposals: VecDeque<Proposal>,
    clients: Map<ConnId, Client>,
    session_changes: SessionChanges,
    expired: u64,
    next_reaping: Moment,
    /// Scratch space of [`Replica::apply`].
    changes: Vec<Change>,
    notices: Vec<Notice>,
    /// Scratch space for what comes from the broadcast.
    outputs: Vec<zab::Output>,
}

impl Replica {
    /// The brain of a server whose tree is as its log left it, with the sessions found there.
    /// `session_changes` are those that no checkpoint has yet, see [`Recovered`].
    #[must_use]
    pub fn new(
        options: ReplicaOptions,
        tree: &Tree,
        found: impl IntoIterator<Item = (SessionId, i32)>,
        session_changes: SessionChanges,
        now: Now,
    ) -> Self {
        let mut sessions = Sessions::new(options.tick_ms);
        for (id, timeout_ms) in found {
            sessions.insert(id, timeout_ms, now.mono);
        }
        Self {
            sessions,
            session_ids: SessionIds::new(options.server_id, now.wall),
            prep: Prep::new(options.prep.clone()),
            zab: Peer::alone(tree.last_zxid()),
            proposals: VecDeque::new(),
            clients: Map::default(),
            session_changes,
            expired: 0,
            next_reaping: now.mono.plus(options.reaper.check_interval_ms),
            changes: Vec::new(),
            notices: Vec::new(),
            outputs: Vec::new(),
            options,
        }
    }

    /// Takes in what happened. Effects are appended to `out`.
    pub fn handle(
        &mut self,
        tree: &Tree,
        watches: &mut Watches,
        input: Input,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        match input {
            Input::Connect(conn, handshake, identities) => {
                self.handle_connect(tree, conn, &handshake, identities, now, out);
            }
            Input::Request(conn, request) => {
                self.handle_request(tree, watches, conn, request, now, out);
            }
            Input::Identities(conn, identities) => {
                if let Some(client) = self.clients.get_mut(&conn) {
                    client.identities = identities;
                }
            }
            Input::Closed(conn) => self.handle_closed(watches, conn),
            Input::Touched(sessions) => self.handle_touched(&sessions, now),
            Input::Quorum(input) => self.handle_quorum(input, now, out),
            Input::Tick => self.handle_tick(tree, now, out),
        }
    }

    /// Whether [`Replica::apply`] has something to do.
    #[must_use]
    pub fn has_decided(&self) -> bool {
        self.zab.has_decided()
    }

    /// Applies every decided transaction. The effects must be carried out before anybody reads the
    /// changed tree: a client hears of a change before it can see it.
    pub fn apply(
        &mut self,
        tree: &mut Tree,
        watches: &mut Watches,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        while let Some(zxid) = self.zab.commit_next() {
            let proposal = self.proposals.pop_front();
            let proposal = proposal.expect("what is decided was proposed here");
            assert_eq!(proposal.zxid, zxid, "transactions are applied in the order of their zxids");
            self.apply_one(tree, watches, proposal, now, out);
        }
        self.prep.applied(tree.last_zxid());
    }

    /// How many requests have not been answered yet.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.proposals.len()
    }

    /// The sessions, for the commands that show them.
    #[must_use]
    pub const fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// The session of each connection that has one, for the commands that show them.
    #[must_use]
    pub fn session_of(&self, conn: ConnId) -> Option<SessionId> {
        self.clients.get(&conn).map(|client| client.session)
    }

    /// The session changes since the last call: they belong to the checkpoint of the tree as it is.
    #[must_use]
    pub fn take_session_changes(&mut self) -> SessionChanges {
        std::mem::take(&mut self.session_changes)
    }

    /// How many sessions have expired since the last call.
    #[must_use]
    pub const fn take_expired(&mut self) -> u64 {
        std::mem::replace(&mut self.expired, 0)
    }

    /// How permissions are decided.
    #[must_use]
    pub const fn auth(&self) -> &AuthOptions {
        &self.options.prep.auth
    }

    fn handle_request(
        &mut self,
        tree: &Tree,
        watches: &mut Watches,
        conn: ConnId,
        request: ClientRequest,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let Some(client) = self.clients.get_mut(&conn) else { return };
        let session = client.session;
        if !self.sessions.touch(session, client.timeout_ms, now.mono) {
            // The session is ending: ZooKeeper drops the request, and the connection follows.
            return;
        }
        if !request.is_proposed() {
            if client.waiting.is_empty() {
                let frame = self.answer(tree, watches, conn, session, &request);
                out.push(Effect::Reply(conn, frame));
            } else {
                client.waiting.push_back(Waiting::Read(request));
            }
            return;
        }
        client.waiting.push_back(Waiting::Write);
        let ClientRequest { xid, op, request, identities } = request;
        if op == OpCode::CloseSession {
            self.sessions.set_closing(session);
        }
        let origin = Origin::Request(conn, xid);
        let wish = Wish { session, xid, request: &request, identities: &identities, origin };
        self.propose(tree, wish, now, out);
    }

    /// Makes a transaction of a wish, refused or not, and sends it to the log.
    fn propose(&mut self, tree: &Tree, wish: Wish<'_>, now: Now, out: &mut Vec<Effect>) {
        let Wish { session, xid, request, identities, origin } = wish;
        let Some(zxid) = self.zab.next_zxid() else { return };
        let cxid = Xid(xid);
        let txn = match request {
            Ok(request) => {
                let request = WriteRequest { session, cxid, request, identities };
                self.prep.prepare(tree, &self.sessions, &request, zxid, now.wall)
            }
            Err(code) => self.prep.refuse(session, cxid, *code, zxid, now.wall),
        };
        self.zab.propose(zxid, txn.to_bytes(), &mut self.outputs);
        self.carry_over(out);
        self.proposals.push_back(Proposal { zxid, txn, origin });
    }

    /// The log, the other servers or their learners have something to say.
    fn handle_quorum(&mut self, input: zab::Input, now: Now, out: &mut Vec<Effect>) {
        self.zab.handle(input, now.mono, &mut self.outputs);
        self.carry_over(out);
    }

    fn carry_over(&mut self, out: &mut Vec<Effect>) {
        for output in self.outputs.drain(..) {
            match output {
                zab::Output::Do(action) => out.push(Effect::Quorum(action)),
                zab::Output::Tell(_) => {}
            }
        }
    }

    fn answer(
        &self,
        tree: &Tree,
        watches: &mut Watches,
        conn: ConnId,
        session: SessionId,
        request: &ClientRequest,
    ) -> Bytes {
        let reader = Reader {
            conn,
            session,
            identities: &request.identities,
            auth: self.auth(),
            max_watches: self.options.max_watches,
        };
        let mut frame = BytesMut::with_capacity(128);
        reader.answer(tree, Some(watches), request.xid, &request.request, &mut frame);
        frame.freeze()
    }

    fn apply_one(
        &mut self,
        tree: &mut Tree,
        watches: &mut Watches,
        proposal: Proposal,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let Proposal { zxid, txn, origin } = proposal;
        let mut changes = std::mem::take(&mut self.changes);
        let applied = tree.apply(&txn, &mut changes);
        if let Some(digest) = &txn.digest {
            assert_eq!(digest.tree_digest, tree.digest(), "{zxid}: the digest is not as predicted");
        }
        for change in changes.drain(..) {
            self.notify(watches, &change, zxid, out);
        }
        self.changes = changes;
        match &txn.body {
            Txn::CreateSession(body) => {
                self.begin_session(SessionId(txn.header.client_id), body.time_out, now);
            }
            Txn::CloseSession(_) => {
                self.end_session(SessionId(txn.header.client_id), origin, zxid, out);
                return;
            }
            _ => {}
        }
        match origin {
            Origin::Server => {}
            Origin::Handshake { conn, timeout_ms, read_only } => {
                let session = SessionId(txn.header.client_id);
                self.establish(conn, session, timeout_ms, read_only, now, out);
            }
            Origin::Request(conn, xid) => {
                let frame = replies::write_reply(xid, zxid, &applied);
                self.respond(tree, watches, conn, frame, out);
            }
        }
    }

    /// Answers a connection's oldest write, and what waited behind it.
    fn respond(
        &mut self,
        tree: &Tree,
        watches: &mut Watches,
        conn: ConnId,
        frame: Bytes,
        out: &mut Vec<Effect>,
    ) {
        let Some(client) = self.clients.get_mut(&conn) else { return };
        let head = client.waiting.pop_front();
        assert!(matches!(head, Some(Waiting::Write)), "replies keep the order of requests");
        out.push(Effect::Reply(conn, frame));
        self.answer_waiting(tree, watches, conn, out);
    }

    /// Answers the reads that waited for the write before them, up to the next write.
    fn answer_waiting(
        &mut self,
        tree: &Tree,
        watches: &mut Watches,
        conn: ConnId,
        out: &mut Vec<Effect>,
    ) {
        while let Some(client) = self.clients.get_mut(&conn) {
            let session = client.session;
            let Some(Waiting::Read(_)) = client.waiting.front() else { return };
            let Some(Waiting::Read(request)) = client.waiting.pop_front() else { return };
            let frame = self.answer(tree, watches, conn, session, &request);
            out.push(Effect::Reply(conn, frame));
        }
    }

    /// Tells the connections that watch, as far as they may know.
    fn notify(
        &mut self,
        watches: &mut Watches,
        change: &Change,
        zxid: Zxid,
        out: &mut Vec<Effect>,
    ) {
        let mut notices = std::mem::take(&mut self.notices);
        let (acl, parent_acl) = match change {
            Change::Created { path, acl, parent_acl } => {
                watches.fire_created(path, &mut notices);
                (acl, parent_acl)
            }
            Change::Deleted { path, acl, parent_acl } => {
                watches.fire_deleted(path, &mut notices);
                (acl, parent_acl)
            }
            Change::DataChanged { path, acl } => {
                watches.fire_data_changed(path, &mut notices);
                (acl, acl)
            }
        };
        self.send_notices(&notices, acl, parent_acl, zxid, out);
        notices.clear();
        self.notices = notices;
    }

    fn send_notices(
        &self,
        notices: &[Notice],
        acl: &SharedAcl,
        parent_acl: &SharedAcl,
        zxid: Zxid,
        out: &mut Vec<Effect>,
    ) {
        // Notices of one event follow each other and share a frame.
        for run in notices.chunk_by(|a, b| a.event == b.event && a.path == b.path) {
            let mut frame = BytesMut::new();
            Event { kind: run[0].event, path: run[0].path.to_string(), zxid }
                .encode_frame(&mut frame);
            let frame = frame.freeze();
            for notice in run {
                let acl = match notice.acl {
                    WhichAcl::Node => acl,
                    WhichAcl::Parent => parent_acl,
                };
                let Some(client) = self.clients.get(&notice.conn) else { continue };
                if self.auth().allows(acl, perms::READ, &client.identities) {
                    out.push(Effect::Notify(notice.conn, frame.clone()));
                }
            }
        }
    }
}
