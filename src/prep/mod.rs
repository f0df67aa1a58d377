//! Turns write requests into transactions, on the leader (ZK: `PrepRequestProcessor`).
//!
//! A request is checked against the tree as it will be once every transaction proposed before it
//! is applied: the tree itself, under an overlay of what is pending. Everything that must be
//! equal on all servers is fixed here: sequence numbers, versions, times, the list of ephemerals
//! that go with a session. A refused request becomes an error transaction and keeps its zxid, so
//! that the order of replies stays the order of requests.
//!
//! The checks and their order are those of ZooKeeper 3.9.5, with these holes closed on purpose:
//! - createTTL with a mode that takes no TTL is always `BadArguments`; ZooKeeper lets a TTL of -1
//!   through and then fails to apply the transaction;
//! - a container or TTL znode that has meanwhile been replaced by an ordinary one, or whose TTL
//!   has been renewed, is not reaped;
//! - `""` and `/` are one znode to pending changes too;
//! - a request that fails half-way leaves no pending changes behind, however it fails.
//!
//! Knows nothing of zab, of watches or of connections: the caller proposes what it gets, and says
//! what has been applied.

mod create;
mod multi;
mod overlay;
mod quota;
mod session;
mod write;
mod znode;

#[cfg(test)]
mod tests;

use crate::auth::AuthOptions;
use crate::proto::Request;
use crate::session::{Owner, Sessions};
use crate::tree::{Transaction, Tree, Txn};
use crate::types::{Acl, ErrorCode, ExtendedTypes, Id, SessionId, Xid, Zxid};
use jute::txn::{TxnDigest, TxnHeader};
use overlay::Overlay;
use quota::PendingUsage;
use session::PendingSessions;

/// The version of the tree digest's definition that transactions carry (ZK: `DigestCalculator`).
const DIGEST_VERSION: i32 = 2;

/// What the configuration says about writes.
#[derive(Clone, Debug)]
pub struct PrepOptions {
    /// Whether TTL znodes can be created (`zookeeper.extendedTypesEnabled`); as for the tree.
    pub extended_types: ExtendedTypes,
    /// Whether hard quotas refuse writes (`zookeeper.enforceQuota`).
    pub enforce_quota: bool,
    /// Whether transactions carry the tree's digest (`zookeeper.digest.enabled`); as for the tree.
    pub digest: bool,
    /// Whether reconfig is switched on (`reconfigEnabled`).
    pub reconfig_enabled: bool,
    /// Whether this server is no part of an ensemble. A session that it does not know is then
    /// `UnknownSession`, for an ensemble's leader it is `SessionExpired`.
    pub standalone: bool,
    /// Who may do what.
    pub auth: AuthOptions,
}

impl Default for PrepOptions {
    /// ZooKeeper's defaults, for a server of an ensemble.
    fn default() -> Self {
        Self {
            extended_types: ExtendedTypes::Off,
            enforce_quota: false,
            digest: true,
            reconfig_enabled: false,
            standalone: false,
            auth: AuthOptions::default(),
        }
    }
}

/// A request that may change the replicated state.
#[derive(Clone, Copy, Debug)]
pub struct WriteRequest<'a> {
    /// The session that asks, 0 for the server itself.
    pub session: SessionId,
    /// The request's number in that session.
    pub cxid: Xid,
    /// What is asked for.
    pub request: &'a Request,
    /// Who the client has shown itself to be.
    pub identities: &'a [Id],
    /// Through whom the request has come; `None` for the server itself, which may always ask.
    pub owner: Option<Owner>,
    /// Whether a session that the table does not have may be one that another server, or this one
    /// besides the table, knows to be alive. It can own no znodes.
    pub may_be_local: bool,
}

/// The leader's first stage: requests in, transactions out, in the order of their zxids.
#[derive(Debug)]
pub struct Prep {
    options: PrepOptions,
    overlay: Overlay,
    sessions: PendingSessions,
    usage: PendingUsage,
    /// The last zxid that a transaction was made for.
    last: Zxid,
}

/// What one request is checked against.
#[derive(Clone, Copy)]
struct Context<'a> {
    tree: &'a Tree,
    sessions: &'a Sessions,
    session: SessionId,
    identities: &'a [Id],
    owner: Option<Owner>,
    may_be_local: bool,
    zxid: Zxid,
    wall: i64,
}

impl Prep {
    /// A stage with nothing pending.
    #[must_use]
    pub fn new(options: PrepOptions) -> Self {
        let overlay = Overlay::new(options.digest, options.extended_types);
        Self {
            options,
            overlay,
            sessions: PendingSessions::default(),
            usage: PendingUsage::default(),
            last: Zxid::ZERO,
        }
    }

    /// Makes the transaction of a request. `wall` is the leader's wall clock in milliseconds.
    ///
    /// The result is a [`Txn::Error`] if the request is refused, also if it is not one that
    /// writes. A failed multi is a [`Txn::Multi`] that holds errors.
    ///
    /// # Panics
    /// If `zxid` is not larger than those before it.
    pub fn prepare(
        &mut self,
        tree: &Tree,
        sessions: &Sessions,
        request: &WriteRequest<'_>,
        zxid: Zxid,
        wall: i64,
    ) -> Transaction {
        self.advance(zxid);
        let WriteRequest { session, cxid, request, identities, owner, may_be_local } = *request;
        let context =
            Context { tree, sessions, session, identities, owner, may_be_local, zxid, wall };
        let (body, digest) = match self.body(&context, request) {
            Ok(body) => (body, self.predicted_digest(tree)),
            Err(code) => (Txn::error(code), None),
        };
        Transaction { header: header(session, cxid, zxid, wall, &body), body, digest }
    }

    /// Makes the transaction of a request that is refused for reasons that are not prep's, such as
    /// a body that cannot be decoded: it has its place in the order all the same.
    pub fn refuse(
        &mut self,
        session: SessionId,
        cxid: Xid,
        code: ErrorCode,
        zxid: Zxid,
        wall: i64,
    ) -> Transaction {
        self.advance(zxid);
        let body = Txn::error(code);
        Transaction { header: header(session, cxid, zxid, wall, &body), body, digest: None }
    }

    /// Forgets the changes up to a zxid, because the tree and the session table now have them.
    pub fn applied(&mut self, zxid: Zxid) {
        self.overlay.forget(zxid);
        self.sessions.forget(zxid);
        self.usage.forget(zxid);
    }

    /// Forgets all pending changes: the server no longer leads, or begins to.
    pub fn clear(&mut self) {
        self.overlay.clear();
        self.sessions.clear();
        self.usage.clear();
        self.last = Zxid::ZERO;
    }

    /// How many pending changes are kept, for the gauge `outstanding_changes_queued`.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.overlay.len()
    }

    fn advance(&mut self, zxid: Zxid) {
        assert!(zxid > self.last, "transactions are made in the order of their zxids");
        self.last = zxid;
    }

    fn body(&mut self, context: &Context<'_>, request: &Request) -> Result<Txn, ErrorCode> {
        match request {
            Request::Create(op) => self.create(context, op),
            Request::Delete(op) => self.delete(context, op),
            Request::SetData(op) => self.set_data(context, op),
            Request::SetAcl(op) => self.set_acl(context, op),
            Request::Multi(multi) => self.multi(context, multi),
            Request::Reconfig(_) => self.reconfig(context),
            Request::DeleteContainer(path) => self.delete_container(context, path),
            Request::CreateSession(timeout) => Ok(self.create_session(context, *timeout)),
            Request::CloseSession => Ok(self.close_session(context)),
            // Answered without a transaction, if they are answered at all.
            Request::Check(_)
            | Request::Exists(_)
            | Request::GetData(_)
            | Request::GetAcl(_)
            | Request::GetChildren(_)
            | Request::GetChildren2(_)
            | Request::Sync(_)
            | Request::Ping
            | Request::MultiRead(_)
            | Request::CheckWatches(_)
            | Request::RemoveWatches(_)
            | Request::Auth(_)
            | Request::Sasl(_)
            | Request::SetWatches(_)
            | Request::GetEphemerals(_)
            | Request::GetAllChildrenNumber(_)
            | Request::AddWatch(_)
            | Request::WhoAmI => Err(ErrorCode::Unimplemented),
        }
    }

    /// A standalone server has no members to change; those of an ensemble cannot be changed here
    /// yet, whatever is configured.
    fn reconfig(&self, context: &Context<'_>) -> Result<Txn, ErrorCode> {
        if !self.options.reconfig_enabled || !self.options.standalone {
            return Err(ErrorCode::ReconfigDisabled);
        }
        self.check_session(context)?;
        Err(ErrorCode::Unimplemented)
    }

    /// The tree's digest once everything that is pending is applied.
    fn predicted_digest(&self, tree: &Tree) -> Option<TxnDigest> {
        self.options.digest.then(|| TxnDigest {
            version: DIGEST_VERSION,
            tree_digest: self.overlay.tree_digest(tree),
        })
    }

    /// Demands a permission of an access control list.
    fn require(&self, context: &Context<'_>, acl: &[Acl], perm: i32) -> Result<(), ErrorCode> {
        if self.options.auth.allows(acl, perm, context.identities) {
            Ok(())
        } else {
            Err(ErrorCode::NoAuth)
        }
    }
}

fn header(session: SessionId, cxid: Xid, zxid: Zxid, wall: i64, body: &Txn) -> TxnHeader {
    TxnHeader { client_id: session.0, cxid: cxid.0, zxid: zxid.0, time: wall, kind: body.kind() }
}
