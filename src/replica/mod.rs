//! The brain of one server: every input goes through here, one at a time, and effects come out.
//!
//! It holds the sessions, the leader's pending changes, the broadcast and what each connection
//! waits for. The tree and the watches lie outside, behind locks that the driver holds for it, so
//! that connections can read without asking the brain. It has no socket, file, clock, task or
//! random source of its own: a simulator runs exactly this code.
//!
//! A request travels thus: [`Replica::handle`] makes a transaction of a write and proposes it, or
//! hands it on to the leader; once it is decided, [`Replica::apply`] changes the tree, fires
//! watches and answers. Reads that come behind a write of their connection wait for it.
//!
//! Clients are served by a server alone, by an established leader and by a learner that has caught
//! up; between two leaders nobody is. What was proposed and not decided waits in any case: the
//! leader to come has it or has it dropped.

mod apply;
mod clients;
mod events;
mod frames;
mod io;
mod leader;
mod learner;
mod lifecycle;
mod local_sessions;
mod notices;
mod packets;
mod read_only;
mod reads;
mod recovery;
mod replies;
mod requests;
mod set_watches;
#[cfg(test)]
mod tests;

pub use frames::{error_reply, plain_reply};
pub use io::{Access, ClientRequest, CloseReason, Effect, Handshake, Identities, Input};
pub use local_sessions::LocalSessions;
pub use reads::{Reader, needs_watches};
pub use recovery::{Recovered, Recovery, RecoveryError, Undecided};

use crate::auth::AuthOptions;
use crate::prep::{Prep, PrepOptions};
use crate::proto::Request;
use crate::session::{Owner, SessionIds, Sessions};
use crate::tree::{Change, Transaction, Tree};
use crate::types::{
    ConnId, ErrorCode, Id, LinkId, Map, Moment, Now, ServerId, SessionId, Set, Zxid,
};
use crate::watch::{Notice, Watches};
use crate::zab::{self, Epochs, Found, Peer, PeerOptions};
use bytes::Bytes;
use clients::Client;
use jute::quorum::QuorumPacket;
use learner::Errands;
use local_sessions::Locals;
use std::collections::{BTreeMap, VecDeque};

/// What the configuration says to the brain.
#[derive(Clone, Debug)]
pub struct ReplicaOptions {
    /// This server's id, which new sessions carry; 1 for a server alone.
    pub server_id: ServerId,
    /// Milliseconds of a tick: sessions expire at its multiples.
    pub tick_ms: u64,
    /// How writes are checked.
    pub prep: PrepOptions,
    /// Whether new sessions are known to this server alone. A server that is no part of an ensemble
    /// knows no difference.
    pub local_sessions: LocalSessions,
    /// Whether clients that do not mind are served without a quorum (`readonlymode.enabled`).
    pub read_only_mode: bool,
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

/// Who waits for a transaction, or where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// A connection's oldest write.
    Request(ConnId, i32),
    /// A connection that opens a session.
    Handshake { conn: ConnId, timeout_ms: i32, read_only: Option<bool> },
    /// A client of a learner.
    Learner(LinkId),
    /// Nobody: the server itself.
    Server,
    /// Another server has proposed it. Who waits for it, if somebody does, is found by its session
    /// and cxid.
    Elsewhere,
}

impl Origin {
    /// Whom a request of this origin takes the session to belong to.
    const fn owner(self) -> Option<Owner> {
        match self {
            Self::Request(conn, _) => Some(Owner::Local(conn)),
            Self::Learner(link) => Some(Owner::Learner(link)),
            Self::Handshake { .. } | Self::Server | Self::Elsewhere => None,
        }
    }
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

/// As what clients are served at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stance {
    /// They are not.
    Idle,
    /// Alone or as the leader: writes become transactions here.
    Deciding,
    /// As a follower or an observer: writes go to the leader by this link.
    Learning(LinkId),
    /// Without a leader: reads are answered from what there is.
    ReadOnly,
}

/// Sessions that began or ended since they were last asked for, with the timeout in milliseconds
/// or `None` for an end.
pub type SessionChanges = Vec<(SessionId, Option<i32>)>;

/// What a member of an ensemble finds beside its tree when it starts, see [`Recovered`].
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// The sessions, with their timeouts in milliseconds.
    pub sessions: BTreeMap<SessionId, i32>,
    /// Sessions that no checkpoint has yet.
    pub session_changes: SessionChanges,
    /// The log behind the tree.
    pub tail: Vec<Undecided>,
}

/// A transaction of another server has led to another tree than that server expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DigestMismatch {
    /// The transaction.
    pub zxid: Zxid,
    /// The digest of this server's tree.
    pub found: i64,
    /// What the transaction says.
    pub expected: i64,
}

/// The brain.
#[derive(Debug)]
pub struct Replica {
    options: ReplicaOptions,
    sessions: Sessions,
    session_ids: SessionIds,
    prep: Prep,
    zab: Peer,
    proposals: VecDeque<Proposal>,
    /// The last zxid that the tree has.
    applied: Zxid,
    stance: Stance,
    /// What the stance is to be once everything decided is applied.
    next_stance: Option<zab::Serving>,
    clients: Map<ConnId, Client>,
    /// The connection of each session that has one here, or is about to.
    homes: Map<SessionId, ConnId>,
    errands: Errands,
    locals: Locals,
    /// Sessions in the table whose begin has only been proposed.
    uncommitted: Set<SessionId>,
    /// Since when there has been no leader.
    leaderless: Option<Moment>,
    /// Packets of learners that have come before this server was ready to lead.
    early: VecDeque<(LinkId, QuorumPacket)>,
    session_changes: SessionChanges,
    expired: u64,
    next_reaping: Moment,
    /// Whether the digests of another server's transactions mean something yet: an image that was
    /// taken while writes went on fits no digest until it has caught up.
    comparable: bool,
    mismatches: u64,
    mismatch: Option<DigestMismatch>,
    /// The transaction in the packet that is being handled.
    read_ahead: Option<Transaction>,
    /// Scratch space of [`Replica::apply`].
    changes: Vec<Change>,
    notices: Vec<Notice>,
    /// What was read and written since it was last asked for.
    accesses: Vec<Access>,
    /// Scratch space for what comes from the broadcast.
    outputs: Vec<zab::Output>,
    events: VecDeque<zab::Event>,
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
        let zab = Peer::alone(tree.applied_zxid());
        let options = ReplicaOptions { local_sessions: LocalSessions::Off, ..options };
        let mut replica = Self::idle(options, zab, tree, session_changes, now);
        replica.adopt(found, now);
        replica.stance = Stance::Deciding;
        replica
    }

    /// The brain of a member of an ensemble, whose tree is as it was stored. It serves nobody until
    /// it has found a leader or become one.
    #[must_use]
    pub fn member(
        options: ReplicaOptions,
        peer: PeerOptions,
        epochs: Epochs,
        tree: &Tree,
        kept: Kept,
        now: Now,
    ) -> Self {
        let Kept { sessions, session_changes, tail } = kept;
        let (proposals, tail) = split(tail);
        // What is stored may be such an image, and the end of the log what it has to catch up with.
        let comparable = tail.is_empty();
        let found = Found { epochs, applied: tree.applied_zxid(), tail };
        let zab = Peer::member(peer, found, now.mono);
        let mut replica = Self::idle(options, zab, tree, session_changes, now);
        replica.proposals = proposals;
        replica.comparable = comparable;
        replica.adopt(sessions, now);
        replica
    }

    fn idle(
        options: ReplicaOptions,
        zab: Peer,
        tree: &Tree,
        session_changes: SessionChanges,
        now: Now,
    ) -> Self {
        Self {
            sessions: Sessions::new(options.tick_ms),
            session_ids: SessionIds::new(options.server_id, now.wall),
            prep: Prep::new(options.prep.clone()),
            zab,
            proposals: VecDeque::new(),
            applied: tree.applied_zxid(),
            stance: Stance::Idle,
            next_stance: None,
            clients: Map::default(),
            homes: Map::default(),
            errands: Errands::default(),
            uncommitted: Set::default(),
            locals: Locals::new(options.local_sessions, options.tick_ms),
            leaderless: None,
            early: VecDeque::new(),
            session_changes,
            expired: 0,
            next_reaping: now.mono.plus(options.reaper.check_interval_ms),
            comparable: true,
            mismatches: 0,
            mismatch: None,
            read_ahead: None,
            changes: Vec::new(),
            notices: Vec::new(),
            accesses: Vec::new(),
            outputs: Vec::new(),
            events: VecDeque::new(),
            options,
        }
    }

    /// The tree has been replaced: by the image that [`zab::Action::ReceiveSnapshot`] announced,
    /// or, if that broke off, by what is stored, with the log applied up to where it was applied
    /// before (see [`Recovery::member`]). `kept` is what comes with it; behind an image there is no
    /// log. The broadcast is told by what follows, [`zab::Input::SnapshotReceived`] or
    /// [`zab::Input::Closed`].
    ///
    /// # Panics
    /// If clients are served.
    pub fn replaced(&mut self, tree: &Tree, kept: Kept, now: Now) {
        assert_eq!(self.stance, Stance::Idle, "the tree is in use");
        let Kept { sessions, session_changes, tail } = kept;
        let (proposals, tail) = split(tail);
        self.proposals = proposals;
        self.applied = tree.applied_zxid();
        self.session_changes = session_changes;
        self.adopt(sessions, now);
        self.zab.replace_log(self.applied, tail);
    }

    fn adopt(&mut self, found: impl IntoIterator<Item = (SessionId, i32)>, now: Now) {
        self.sessions = Sessions::new(self.options.tick_ms);
        for (id, timeout_ms) in found {
            self.sessions.insert(id, timeout_ms, now.mono);
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
        self.carry_over(tree, now, out);
        self.leave_read_only(out);
    }

    /// Whether clients are served, be it read-only.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        self.stance != Stance::Idle
    }

    /// What can be seen of this server's part in the broadcast.
    #[must_use]
    pub fn status(&self) -> zab::Status {
        self.zab.status()
    }

    /// How many transactions have not been applied yet.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.proposals.len()
    }

    /// How many requests of this server's own clients have not been answered yet (ZK:
    /// `ZooKeeperServer.getInProcess`).
    #[must_use]
    pub fn waiting(&self) -> usize {
        let waiting: usize = self.clients.values().map(|client| client.waiting.len()).sum();
        waiting + self.errands.opening()
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

    /// The znodes that clients have read by way of the brain, and that have been written, since the
    /// last call.
    pub fn take_accesses(&mut self) -> Vec<Access> {
        // With their memory: a learner that catches up has many, once.
        std::mem::take(&mut self.accesses)
    }

    /// How many transactions of other servers have led to another tree than those expected (ZK: the
    /// metric `digest_mismatches_count`).
    #[must_use]
    pub const fn digest_mismatches(&self) -> u64 {
        self.mismatches
    }

    /// The last of them, once, to warn of it.
    #[must_use]
    pub const fn take_digest_mismatch(&mut self) -> Option<DigestMismatch> {
        self.mismatch.take()
    }

    /// How permissions are decided.
    #[must_use]
    pub const fn auth(&self) -> &AuthOptions {
        &self.options.prep.auth
    }
}

/// The end of a log, as what is to be applied and as what is to be broadcast.
fn split(tail: Vec<Undecided>) -> (VecDeque<Proposal>, Vec<(Zxid, Bytes)>) {
    let halves = tail.into_iter().map(|Undecided { txn, payload }| {
        let zxid = Zxid(txn.header.zxid);
        (Proposal { zxid, txn, origin: Origin::Elsewhere }, (zxid, payload))
    });
    halves.unzip()
}
