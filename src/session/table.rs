//! The table of sessions (ZK: `SessionTrackerImpl`).

use super::expiry::ExpiryQueue;
use crate::types::{ConnId, LinkId, Map, Moment, SessionId};

/// Through whom a session's requests come (ZK: the owners of `SessionTrackerImpl`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A connection of this server.
    Local(ConnId),
    /// A server that learns from this one, which has the client's connection.
    Learner(LinkId),
}

/// What is known of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// The timeout it was created with, in milliseconds. This is what all servers agree on; a
    /// client that reconnects may be granted another one, which only `touch` gets to know.
    pub timeout_ms: i32,
    /// Its close is on the way: it takes no more requests and cannot expire again.
    pub closing: bool,
    /// Whom its requests must come from; none until somebody claims it.
    pub owner: Option<Owner>,
}

/// Every session of the ensemble. A session can expire exactly as long as it is not closing.
#[derive(Debug)]
pub struct Sessions {
    sessions: Map<SessionId, Session>,
    expiry: ExpiryQueue,
}

impl Sessions {
    /// An empty table whose sessions expire at multiples of `tick_ms` milliseconds, which must
    /// not be 0.
    #[must_use]
    pub fn new(tick_ms: u64) -> Self {
        Self { sessions: Map::default(), expiry: ExpiryQueue::new(tick_ms) }
    }

    /// Adds a session and starts its timeout. One that is known already takes over the timeout and
    /// keeps its owner and whether it is closing (ZK: `trackSession` and `commitSession`).
    pub fn insert(&mut self, id: SessionId, timeout_ms: i32, now: Moment) {
        let fresh = Session { timeout_ms, closing: false, owner: None };
        let session = self.sessions.entry(id).or_insert(fresh);
        session.timeout_ms = timeout_ms;
        if !session.closing {
            self.expiry.renew(id, timeout_ms, now);
        }
    }

    /// Forgets a session; without effect if it is not known.
    pub fn remove(&mut self, id: SessionId) {
        self.expiry.remove(id);
        self.sessions.remove(&id);
    }

    /// The session with this id.
    #[must_use]
    pub fn get(&self, id: SessionId) -> Option<&Session> {
        self.sessions.get(&id)
    }

    /// Marks a session as closing; without effect if it is not known.
    pub fn set_closing(&mut self, id: SessionId) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.closing = true;
            self.expiry.remove(id);
        }
    }

    /// Starts a session's timeout again, with the timeout that its present connection was granted.
    /// False if the session is not known or closing (ZK: `touchSession`).
    pub fn touch(&mut self, id: SessionId, timeout_ms: i32, now: Moment) -> bool {
        let alive = self.sessions.get(&id).is_some_and(|session| !session.closing);
        if alive {
            self.expiry.renew(id, timeout_ms, now);
        }
        alive
    }

    /// Says whom the session's requests must come from; without effect if it is not known.
    pub fn set_owner(&mut self, id: SessionId, owner: Option<Owner>) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.owner = owner;
        }
    }

    /// Gives a session that has no owner to the first who asks something in its name (ZK:
    /// `checkSession`).
    pub fn claim(&mut self, id: SessionId, owner: Owner) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.owner.get_or_insert(owner);
        }
    }

    /// Takes every session from its owner: nobody's requests are taken for now.
    pub fn disown_all(&mut self) {
        for session in self.sessions.values_mut() {
            session.owner = None;
        }
    }

    /// The sessions whose time is up, sorted. They are closing from now on: the caller sees to it
    /// that a transaction closes them, for they are not named again.
    #[must_use]
    pub fn expired(&mut self, now: Moment) -> Vec<SessionId> {
        let due = self.expiry.take_due(now);
        for id in &due {
            let session = self.sessions.get_mut(id).expect("only known sessions can expire");
            assert!(!session.closing, "a closing session cannot expire");
            session.closing = true;
        }
        due
    }

    /// Starts anew with every session, as a new leader does: each has its whole timeout before it,
    /// belongs to nobody, and is not closing, since what an earlier leader meant to close may not
    /// have been committed.
    pub fn restart(&mut self, now: Moment) {
        for (id, session) in &mut self.sessions {
            session.closing = false;
            session.owner = None;
            self.expiry.renew(*id, session.timeout_ms, now);
        }
    }

    /// When the next session expires if nobody touches it.
    #[must_use]
    pub fn next_expiry(&self) -> Option<Moment> {
        self.expiry.next_due()
    }

    /// The sessions that can expire by the moment when they do, both sorted. For the word `dump`.
    #[must_use]
    pub fn buckets(&self) -> Vec<(Moment, Vec<SessionId>)> {
        self.expiry.buckets()
    }

    /// How many sessions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// All sessions, sorted by id.
    pub fn iter(&self) -> impl Iterator<Item = (SessionId, &Session)> {
        let mut sessions: Vec<_> =
            self.sessions.iter().map(|(id, session)| (*id, session)).collect();
        sessions.sort_unstable_by_key(|(id, _)| *id);
        sessions.into_iter()
    }
}
