//! Decided transactions change the tree, and whoever waits for them hears of it.

use super::clients::Waiting;
use super::{
    Access, ClientRequest, CloseReason, DigestMismatch, Effect, Origin, Proposal, Reader, Replica,
    replies,
};
use crate::proto::OpCode;
use crate::tree::{Applied, Change, Transaction, Tree, Txn};
use crate::types::{ConnId, ErrorCode, Now, SessionId, Zxid};
use crate::watch::Watches;
use bytes::BytesMut;

impl Replica {
    /// Whether [`Replica::apply`] has something to do.
    #[must_use]
    pub fn has_decided(&self) -> bool {
        self.zab.has_decided() || self.may_serve() || self.errands.has_synced(self.applied)
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
        // What is decided may come from behind a sync that waits for nothing more.
        self.release_syncs(tree, watches, out);
        while let Some(zxid) = self.zab.commit_next() {
            let proposal = self.proposals.pop_front();
            let proposal = proposal.expect("what is decided was proposed here");
            assert_eq!(proposal.zxid, zxid, "transactions are applied in the order of their zxids");
            self.apply_one(tree, watches, proposal, now, out);
            self.applied = zxid;
            // And so may the next one.
            self.release_syncs(tree, watches, out);
        }
        self.applied = tree.applied_zxid();
        if self.may_serve() {
            self.serve(tree, now, out);
        }
        self.release_syncs(tree, watches, out);
        self.prep.applied(self.applied);
        self.carry_over(tree, now, out);
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
        self.compare_digests(tree, &txn, origin);
        for change in changes.drain(..) {
            self.notify(watches, &change, zxid, out);
            self.accesses.push(written(change));
        }
        self.changes = changes;
        let (session, cxid) = (SessionId(txn.header.client_id), txn.header.cxid);
        match &txn.body {
            Txn::CreateSession(body) => {
                self.begin_session(session, body.time_out, origin, now, out);
                return;
            }
            Txn::CloseSession(_) => {
                self.end_session(session, cxid, origin, zxid, out);
                return;
            }
            _ => {}
        }
        if let Some(conn) = self.who_waits(session, cxid, zxid, origin) {
            self.respond(tree, watches, conn, cxid, zxid, &applied, out);
        }
    }

    /// The tree of what this server proposes is the one it predicts. Other servers are known to
    /// make mistakes about theirs: what they predict is a hint.
    pub(super) fn compare_digests(&mut self, tree: &Tree, txn: &Transaction, origin: Origin) {
        let Some(digest) = txn.digest.as_ref().filter(|_| self.options.prep.digest) else { return };
        let (zxid, found, expected) = (Zxid(txn.header.zxid), tree.digest(), digest.tree_digest);
        if origin != Origin::Elsewhere {
            assert_eq!(expected, found, "{zxid}: the digest is not as predicted");
        } else if found == expected {
            self.comparable = true;
        } else if self.comparable {
            self.mismatches += 1;
            self.mismatch = Some(DigestMismatch { zxid, found, expected });
        }
    }

    /// The connection whose oldest write a transaction is (ZK: `CommitProcessor`).
    pub(super) fn who_waits(
        &mut self,
        session: SessionId,
        cxid: i32,
        zxid: Zxid,
        origin: Origin,
    ) -> Option<ConnId> {
        match origin {
            Origin::Request(conn, _) => Some(conn),
            Origin::Handshake { .. } | Origin::Learner(_) | Origin::Server => None,
            Origin::Elsewhere if self.errands.take_orphan(session, cxid) => None,
            Origin::Elsewhere => {
                let conn = self.homes.get(&session)?;
                let client = self.clients.get(conn)?;
                match client.waiting.front() {
                    Some(Waiting::Write(xid)) if *xid == cxid && zxid > client.since => Some(*conn),
                    _ => None,
                }
            }
        }
    }

    /// Answers a connection's oldest write, and what waited behind it.
    #[expect(clippy::too_many_arguments, reason = "one step of applying, cut off for its length")]
    fn respond(
        &mut self,
        tree: &Tree,
        watches: &mut Watches,
        conn: ConnId,
        xid: i32,
        zxid: Zxid,
        applied: &Applied,
        out: &mut Vec<Effect>,
    ) {
        let Some(client) = self.clients.get_mut(&conn) else { return };
        let head = client.waiting.pop_front();
        assert!(matches!(head, Some(Waiting::Write(_))), "replies keep the order of requests");
        if is_moved(applied) {
            // The client has another connection by now and does not mean this one.
            self.detach(conn);
            out.push(Effect::Close(conn, CloseReason::SessionMoved));
            return;
        }
        out.push(Effect::Reply(conn, replies::write_reply(xid, zxid, applied)));
        self.answer_waiting(tree, watches, conn, out);
    }

    /// Answers the reads that waited for what was before them, up to the next write or sync.
    pub(super) fn answer_waiting(
        &mut self,
        tree: &Tree,
        watches: &mut Watches,
        conn: ConnId,
        out: &mut Vec<Effect>,
    ) {
        while let Some(client) = self.clients.get_mut(&conn) {
            let Some(Waiting::Read(_)) = client.waiting.front() else { return };
            let Some(Waiting::Read(request)) = client.waiting.pop_front() else { return };
            self.answer(tree, watches, conn, &request, out);
        }
    }

    /// Answers what needs no transaction: reads, and the end of a session that nobody else knows.
    pub(super) fn answer(
        &mut self,
        tree: &Tree,
        watches: &mut Watches,
        conn: ConnId,
        request: &ClientRequest,
        out: &mut Vec<Effect>,
    ) {
        let Some(session) = self.session_of(conn) else { return };
        if request.op == OpCode::CloseSession {
            self.end_local(tree, conn, session, request.xid, out);
            return;
        }
        let reader = Reader {
            conn,
            session,
            identities: &request.identities,
            auth: self.auth(),
            max_watches: self.options.max_watches,
        };
        let (mut frame, mut read) = (BytesMut::with_capacity(128), Vec::new());
        let mut on_read = |path: &str, bytes| read.push((path.to_owned(), bytes));
        reader.answer(tree, Some(watches), request.xid, &request.request, &mut frame, &mut on_read);
        let accesses = read.into_iter().map(|(path, bytes)| Access { written: false, path, bytes });
        self.accesses.extend(accesses);
        out.push(Effect::Reply(conn, frame.freeze()));
    }
}

/// What a change has written.
fn written(change: Change) -> Access {
    let (path, bytes) = match change {
        Change::Created { path, bytes, .. } | Change::DataChanged { path, bytes, .. } => {
            (path, bytes)
        }
        Change::Deleted { path, .. } => (path, 0),
    };
    Access { written: true, path, bytes }
}

/// Whether a write, or a part of a multi, was refused because its session goes on elsewhere.
fn is_moved(applied: &Applied) -> bool {
    match applied {
        Applied::Error(code) => *code == ErrorCode::SessionMoved.number(),
        Applied::Multi(parts) => parts.iter().any(is_moved),
        _ => false,
    }
}
