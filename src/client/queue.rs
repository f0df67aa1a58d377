//! What the handles of a client and its actor share: the queue of requests, the session's state.
//!
//! Handles encode their requests straight into one buffer under a short lock; the actor takes the
//! whole buffer at once. Knows nothing of sockets.

use super::attempts::Attempts;
use super::watches::{self, Notice, OneShot, OneShotKind};
use super::{ClientError, SessionKey};
use crate::proto::{AddWatchMode, Event, OpCode, WatcherType, put_request, xid};
use crate::types::Zxid;
use bytes::{BufMut, Bytes, BytesMut};
use jute::Encode;
use jute::client::AuthPacket;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::mem;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

/// Where a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionState {
    /// There is no connection at present; one is being made.
    Connecting,
    /// Connected.
    Connected,
    /// Connected to a server that has no quorum and serves reads only.
    ReadOnly,
    /// The session has expired; final.
    Expired,
    /// The credentials were refused; final.
    AuthFailed,
    /// The client was closed; final.
    Closed,
}

/// A successful reply's body.
pub(super) type Reply = oneshot::Sender<Result<Bytes, ClientError>>;

/// What the actor does when it sees the reply, whether somebody still waits for it or not.
#[derive(Debug)]
pub(super) enum Effect {
    /// The operation left a one-shot watch.
    OneShot(OneShotKind, String, OneShot),
    /// An exists left a watch: which kind depends on the answer.
    Exists(String, OneShot),
    /// An addWatch left a persistent watch.
    Persistent(AddWatchMode, String, mpsc::Sender<Notice>),
    /// A removeWatches removed watches.
    Remove(WatcherType, String, oneshot::Sender<Vec<WatcherType>>),
    /// Credentials, to be repeated on every later connection.
    Auth(AuthPacket),
    /// The session ends.
    Close,
}

/// A request that has no reply yet.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) xid: i32,
    /// Size of its frame in bytes.
    pub(super) size: usize,
    pub(super) reply: Reply,
    /// In a box, as few requests have one.
    pub(super) effect: Option<Box<Effect>>,
}

impl Pending {
    /// Whether the request still matters though nobody may wait for its reply any longer.
    fn is_wanted(&self) -> bool {
        let effect = self.effect.as_deref();
        !self.reply.is_closed() || matches!(effect, Some(Effect::Auth(_) | Effect::Close))
    }
}

/// A connection that has been made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Established {
    pub(super) key: SessionKey,
    pub(super) timeout: Duration,
    pub(super) server: String,
}

/// The part that handles and actor share.
#[derive(Debug)]
pub(super) struct Shared {
    queue: Mutex<Queue>,
    /// One for each request that may still be queued; taken with the request, given back with the
    /// reply.
    permits: Semaphore,
    state: watch::Sender<SessionState>,
    seen: AtomicI64,
    established: Mutex<Option<Established>>,
    attempts: Mutex<Attempts>,
    /// Who wants to know of every event.
    listeners: Mutex<Vec<mpsc::Sender<Notice>>>,
    frame_limit: usize,
}

#[derive(Debug, Default)]
struct Queue {
    /// Why no more requests are taken.
    ended: Option<ClientError>,
    last_xid: i32,
    requests: Requests,
    /// The actor's, from when it has last looked until the next request.
    waker: Option<Waker>,
}

/// Requests and their frames, in the same order.
#[derive(Debug, Default)]
pub(super) struct Requests {
    pub(super) frames: BytesMut,
    pub(super) pending: VecDeque<Pending>,
}

impl Shared {
    pub(super) fn new(max_outstanding: usize, frame_limit: usize) -> Self {
        Self {
            queue: Mutex::default(),
            permits: Semaphore::new(max_outstanding.clamp(1, Semaphore::MAX_PERMITS)),
            state: watch::Sender::new(SessionState::Connecting),
            seen: AtomicI64::new(0),
            established: Mutex::default(),
            attempts: Mutex::default(),
            listeners: Mutex::default(),
            frame_limit,
        }
    }

    /// Queues a request, once there is room for it. Dropping the future before it is ready means
    /// that nothing was queued.
    pub(super) async fn submit<T: Encode>(
        &self,
        op: OpCode,
        body: &T,
        effect: Option<Effect>,
    ) -> Result<oneshot::Receiver<Result<Bytes, ClientError>>, ClientError> {
        let length = 8 + body.encoded_len();
        if length > self.frame_limit {
            return Err(ClientError::RequestTooLarge { length, limit: self.frame_limit });
        }
        let permit = match self.permits.try_acquire() {
            Ok(permit) => permit,
            Err(_) => self.permits.acquire().await.map_err(|_| self.end())?,
        };
        let receiver = self.push(op, body, effect)?;
        // The actor gives it back.
        permit.forget();
        Ok(receiver)
    }

    /// Queues the end of the session, whatever else is queued.
    pub(super) fn submit_close(
        &self,
    ) -> Result<oneshot::Receiver<Result<Bytes, ClientError>>, ClientError> {
        self.push(OpCode::CloseSession, &crate::proto::NoBody, Some(Effect::Close))
    }

    fn push<T: Encode>(
        &self,
        op: OpCode,
        body: &T,
        effect: Option<Effect>,
    ) -> Result<oneshot::Receiver<Result<Bytes, ClientError>>, ClientError> {
        let (reply, receiver) = oneshot::channel();
        let effect = effect.map(Box::new);
        let waker = {
            let mut queue = self.queue.lock();
            if let Some(error) = queue.ended {
                return Err(error);
            }
            let xid = if op == OpCode::Auth { xid::AUTH } else { queue.next_xid() };
            let size = put_request(&mut queue.requests.frames, xid, op, body);
            queue.requests.pending.push_back(Pending { xid, size, reply, effect });
            queue.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(receiver)
    }

    /// Moves all queued requests behind those in `to`. The context is woken for the next one.
    pub(super) fn take(&self, to: &mut Requests, cx: &Context<'_>) {
        let mut queue = self.queue.lock();
        if !queue.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            queue.waker = Some(cx.waker().clone());
        }
        if to.frames.is_empty() {
            mem::swap(&mut to.frames, &mut queue.requests.frames);
        } else {
            to.frames.put_slice(&queue.requests.frames);
            queue.requests.frames.clear();
        }
        to.pending.append(&mut queue.requests.pending);
    }

    /// Gives room to this many more requests.
    pub(super) fn answered(&self, count: usize) {
        if count > 0 {
            self.permits.add_permits(count);
        }
    }

    /// Removes the queued requests that nobody waits for any longer.
    pub(super) fn drop_unwanted(&self) {
        let mut queue = self.queue.lock();
        if queue.requests.pending.iter().all(Pending::is_wanted) {
            return;
        }
        let Requests { mut frames, pending } = mem::take(&mut queue.requests);
        let before = pending.len();
        for request in pending {
            let frame = frames.split_to(request.size);
            if request.is_wanted() {
                queue.requests.frames.put_slice(&frame);
                queue.requests.pending.push_back(request);
            }
        }
        self.answered(before - queue.requests.pending.len());
    }

    /// Fails all queued requests. Says whether the end of the session was among them.
    pub(super) fn fail_queued(&self, error: ClientError) -> bool {
        let requests = mem::take(&mut self.queue.lock().requests);
        self.answered(requests.pending.len());
        let mut is_closing = false;
        for request in requests.pending {
            is_closing |= matches!(request.effect.as_deref(), Some(Effect::Close));
            let _ = request.reply.send(Err(error));
        }
        is_closing
    }

    /// Takes no more requests and fails those that are queued.
    pub(super) fn finish(&self, error: ClientError) {
        self.queue.lock().ended.get_or_insert(error);
        self.fail_queued(error);
        self.listeners.lock().clear();
        self.permits.close();
        self.set_state(match error {
            ClientError::SessionExpired => SessionState::Expired,
            ClientError::AuthFailed => SessionState::AuthFailed,
            _ => SessionState::Closed,
        });
    }

    /// Why the client takes no more requests; `None` while it does.
    pub(super) fn ended(&self) -> Option<ClientError> {
        self.queue.lock().ended
    }

    fn end(&self) -> ClientError {
        self.ended().unwrap_or(ClientError::Closed)
    }

    /// A final state stays.
    pub(super) fn set_state(&self, state: SessionState) {
        self.state.send_if_modified(|current| {
            let changes = *current != state && !current.is_final();
            if changes {
                *current = state;
            }
            changes
        });
    }

    pub(super) fn state(&self) -> &watch::Sender<SessionState> {
        &self.state
    }

    pub(super) fn establish(&self, established: Established) {
        *self.established.lock() = Some(established);
    }

    pub(super) fn established(&self) -> Option<Established> {
        self.established.lock().clone()
    }

    /// What has been tried since there was a connection.
    pub(super) fn attempts(&self) -> Attempts {
        self.attempts.lock().clone()
    }

    /// Changes what is known of attempts.
    pub(super) fn note_attempt(&self, change: impl FnOnce(&mut Attempts)) {
        change(&mut self.attempts.lock());
    }

    /// Adds someone who wants to know of every event.
    pub(super) fn listen(&self, to: mpsc::Sender<Notice>) {
        let mut listeners = self.listeners.lock();
        listeners.retain(|listener| !listener.is_closed());
        // The end comes to those who are in the list by then.
        if self.ended().is_none() {
            listeners.push(to);
        }
    }

    /// Tells all who want to know of every event.
    pub(super) fn tell(&self, event: &Event) {
        watches::tell_all(&mut self.listeners.lock(), event);
    }

    /// The highest zxid that a reply has shown.
    pub(super) fn seen(&self) -> Zxid {
        Zxid(self.seen.load(Ordering::Relaxed))
    }

    pub(super) fn set_seen(&self, zxid: Zxid) {
        self.seen.store(zxid.0, Ordering::Relaxed);
    }
}

impl SessionState {
    /// Whether nothing can follow.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Expired | Self::AuthFailed | Self::Closed)
    }

    /// Whether requests reach a server now.
    #[must_use]
    pub const fn is_connected(self) -> bool {
        matches!(self, Self::Connected | Self::ReadOnly)
    }
}

impl Queue {
    /// Ordinary xids are positive.
    fn next_xid(&mut self) -> i32 {
        self.last_xid = self.last_xid.checked_add(1).unwrap_or(1);
        self.last_xid
    }
}
