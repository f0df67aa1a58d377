//! One client connection: a task that reads, answers what it can itself, hands on the rest, and
//! writes.

use super::Shared;
use super::audit::Note;
use super::conns::Conn;
use super::outbox::{Closing, Pending};
use super::requests::{Asked, cut_frame, read_frame};
use super::stages::micros;
use crate::admin::FirstBytes;
use crate::auth::{add_identities, ip_identity};
use crate::proto::{Hello, OpCode, Request};
use crate::replica::{
    ClientRequest, CloseReason, Handshake, Identities, Input, Reader, error_reply, needs_watches,
    plain_reply,
};
use crate::session::negotiate_timeout;
use crate::types::{ErrorCode, SessionId, Zxid};
use bytes::{Buf, Bytes, BytesMut};
use jute::client::{AuthPacket, SaslToken};
use jute::{Decode, Decoder};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};
use tokio::io::Interest;

/// Room made for each read from the socket.
const READ_SIZE: usize = 16 * 1024;
/// A client that leaves this much unread is not listened to until it has caught up.
const HIGH_WATER: usize = 1 << 20;
/// A client that has this many requests in work is not listened to until it has fewer.
const MAX_PENDING: usize = 1024;
/// Requests that are executed together, before the bounds are looked at again.
const BATCH: usize = 64;
/// How long a connection that ends may take to fetch what it was sent.
const FAREWELL: Duration = Duration::from_secs(2);

/// Why a connection ended, for the log.
#[derive(Debug)]
enum End {
    /// The client went away.
    Gone,
    /// The socket failed.
    Failed(std::io::Error),
    /// A frame with a length that cannot be.
    BadLength(i32),
    /// A frame that cannot be read.
    Garbage(&'static str),
    /// No session in time.
    Sessionless,
    /// This server leads and takes no clients.
    TurnedAway,
    /// Everything that was to be sent has been.
    Closed(Closing),
}

/// What a frame is.
enum Read {
    /// A request to execute.
    Request(ClientRequest),
    /// Answered.
    Done,
    /// Answered, and no more is read.
    Last,
    /// Nothing that can be answered.
    End(End),
}

/// What a step of the conversation leads to.
enum Next {
    Continue,
    End(End),
}

struct Connection {
    shared: Arc<Shared>,
    conn: Arc<Conn>,
    input: BytesMut,
    output: BytesMut,
    identities: Identities,
    stage: Stage,
    inputs: Vec<Input>,
    /// Frames may lie in `input` that the bounds did not allow to read yet.
    stalled: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing has been understood yet.
    Fresh,
    /// The first frame is with the brain; nothing is read until it answers.
    Opening,
    /// The session is open.
    Open(SessionId),
    /// Nothing more is read: the connection ends once everything is sent.
    Ending,
}

/// Serves a connection until it ends.
pub(crate) async fn serve(shared: Arc<Shared>, conn: Arc<Conn>) {
    let identities = Arc::from([ip_identity(conn.remote.ip())]);
    let mut connection = Connection {
        shared,
        conn,
        input: BytesMut::new(),
        output: BytesMut::new(),
        identities,
        stage: Stage::Fresh,
        inputs: Vec::new(),
        stalled: false,
    };
    let end = connection.run().await;
    connection.finish(&end);
}

impl Connection {
    async fn run(&mut self) -> End {
        let patience = self.shared.options.sessionless_timeout;
        let started = Instant::now();
        let mut ending_since = None;
        loop {
            let was = self.stage;
            if let Some(end) = self.flush() {
                return end;
            }
            // What the client sent without waiting for the answer to its first frame, or what was
            // too much at once.
            let opened = was == Stage::Opening && matches!(self.stage, Stage::Open(_));
            if (opened || self.stalled)
                && self.may_read()
                && let Next::End(end) = self.understand()
            {
                return end;
            }
            let deadline = match self.stage {
                Stage::Fresh => Some((started + patience, End::Sessionless)),
                Stage::Ending => {
                    let since = *ending_since.get_or_insert_with(Instant::now);
                    Some((since + FAREWELL, End::Gone))
                }
                Stage::Opening | Stage::Open(_) => None,
            };
            match self.wait(deadline).await {
                Next::Continue => {}
                Next::End(end) => return end,
            }
        }
    }

    /// Waits until there is something to do, and reads if there is something to read.
    async fn wait(&mut self, deadline: Option<(Instant, End)>) -> Next {
        let mut interest = None;
        if self.may_read() {
            interest = Some(Interest::READABLE);
        }
        if !self.output.is_empty() {
            interest = Some(interest.map_or(Interest::WRITABLE, |read| read | Interest::WRITABLE));
        }
        let conn = Arc::clone(&self.conn);
        let woken = conn.wake.notified();
        let ready = async {
            match interest {
                Some(interest) => conn.stream.ready(interest).await,
                None => std::future::pending().await,
            }
        };
        let late = async {
            match deadline {
                Some((at, end)) => {
                    tokio::time::sleep_until(at.into()).await;
                    end
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = woken => Next::Continue,
            ready = ready => match ready {
                Ok(ready) if ready.is_readable() => self.read(),
                Ok(_) => Next::Continue,
                Err(error) => Next::End(End::Failed(error)),
            },
            end = late => Next::End(end),
        }
    }

    /// Whether the client is listened to now. One that has requests in work waits while the whole
    /// server has too many (ZK: `globalOutstandingLimit`), or it has too many itself, or does not
    /// fetch its replies.
    fn may_read(&self) -> bool {
        match self.stage {
            Stage::Fresh => true,
            Stage::Opening | Stage::Ending => false,
            Stage::Open(_) => {
                let mut outbox = self.conn.outbox.lock();
                let pending = outbox.pending.len();
                if pending >= MAX_PENDING || (pending > 0 && self.shared.is_busy()) {
                    // Replies must wake this task, so that it listens again.
                    outbox.direct = false;
                    return false;
                }
                self.output.len() + outbox.bytes.len() < HIGH_WATER
            }
        }
    }

    fn read(&mut self) -> Next {
        self.input.reserve(READ_SIZE);
        match self.conn.stream.try_read_buf(&mut self.input) {
            Ok(0) => Next::End(End::Gone),
            Ok(size) => {
                self.shared.stats.received_bytes.fetch_add(size as u64, Relaxed);
                let next = self.understand();
                if self.input.is_empty() {
                    // An idle connection keeps no buffer.
                    self.input = BytesMut::new();
                }
                next
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Next::Continue,
            Err(error) => Next::End(End::Failed(error)),
        }
    }

    /// Moves what waits into the socket, as far as it takes it.
    fn flush(&mut self) -> Option<End> {
        let closing = self.fetch();
        while !self.output.is_empty() {
            match self.conn.stream.try_write(&self.output) {
                Ok(size) => self.output.advance(size),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return None,
                Err(error) => return Some(End::Failed(error)),
            }
            // The brain may have gone on meanwhile.
            if self.output.is_empty() {
                self.fetch();
            }
        }
        if self.output.capacity() > HIGH_WATER {
            self.output = BytesMut::new();
        }
        closing.map(End::Closed)
    }

    /// Takes over what the brain has put into the outbox.
    fn fetch(&mut self) -> Option<Closing> {
        let mut outbox = self.conn.outbox.lock();
        if self.output.is_empty() {
            std::mem::swap(&mut self.output, &mut outbox.bytes);
        } else if self.output.len() < HIGH_WATER {
            let more = outbox.bytes.split();
            self.output.extend_from_slice(&more);
        }
        let opened = outbox.established.filter(|_| self.stage == Stage::Opening);
        outbox.direct = self.output.is_empty() && outbox.established.is_some();
        let closing = outbox.closing;
        drop(outbox);
        if opened.is_some() {
            self.stage = Stage::Open(SessionId(self.conn.session.load(Relaxed)));
        }
        if closing.is_some() {
            self.stage = Stage::Ending;
        }
        closing
    }

    /// Reads the whole frames that have arrived, as far as the bounds allow.
    fn understand(&mut self) -> Next {
        if self.stage == Stage::Fresh {
            match self.first_frame() {
                Next::Continue => {}
                end @ Next::End(_) => return end,
            }
        }
        let Stage::Open(session) = self.stage else { return Next::Continue };
        loop {
            self.stalled = !self.may_read();
            if self.stalled {
                return Next::Continue;
            }
            let mut batch = Vec::new();
            let next = self.read_batch(&mut batch);
            let full = batch.len() == BATCH;
            if !batch.is_empty() {
                self.execute(session, batch);
            }
            if !full {
                return next;
            }
        }
    }

    fn first_frame(&mut self) -> Next {
        match self.shared.four_letter_word(&self.input, &self.conn) {
            FirstBytes::Other => {}
            FirstBytes::Unfinished => return Next::Continue,
            FirstBytes::Answered(answer) => {
                self.input.clear();
                self.output.extend_from_slice(answer.as_bytes());
                self.stage = Stage::Ending;
                self.conn.outbox.lock().close(Closing::Answered);
                return Next::Continue;
            }
        }
        let frame = match cut_frame(&mut self.input, self.shared.options.frame_limit) {
            Ok(Some(frame)) => frame,
            Ok(None) => return Next::Continue,
            Err(bad) => return Next::End(End::BadLength(bad.0)),
        };
        // What follows the record is ignored, as everywhere.
        let Ok(hello) = Hello::decode(&mut Decoder::new(frame)) else {
            return Next::End(End::Garbage("the first frame is no connect request"));
        };
        if self.shared.turns_away() {
            return Next::End(End::TurnedAway);
        }
        self.note_received(1);
        self.shared.stats.connection_requests.fetch_add(1, Relaxed);
        let request = hello.request;
        let (min, max) = self.shared.options.session_timeouts;
        let handshake = Handshake {
            last_zxid_seen: Zxid(request.last_zxid_seen),
            session: SessionId(request.session_id),
            password: request.passwd.unwrap_or_default(),
            timeout_ms: negotiate_timeout(request.time_out, min, max),
            read_only: hello.read_only,
        };
        self.stage = Stage::Opening;
        let input = Input::Connect(self.conn.id, handshake, Arc::clone(&self.identities));
        self.shared.submit(&mut vec![input]);
        Next::Continue
    }

    /// Decodes whole frames into `batch`, until it is full or a frame ends the conversation.
    fn read_batch(&mut self, batch: &mut Vec<ClientRequest>) -> Next {
        while batch.len() < BATCH {
            let frame = match cut_frame(&mut self.input, self.shared.options.frame_limit) {
                Ok(Some(frame)) => frame,
                Ok(None) => return Next::Continue,
                Err(bad) => return Next::End(End::BadLength(bad.0)),
            };
            match self.read_request(frame) {
                Read::Request(request) => batch.push(request),
                Read::Done => {}
                Read::Last => return Next::Continue,
                Read::End(end) => return Next::End(end),
            }
        }
        Next::Continue
    }

    /// Reads a frame, and answers what concerns the connection alone.
    fn read_request(&mut self, frame: Bytes) -> Read {
        let (xid, op, request, body) = match read_frame(frame) {
            Asked::Known(xid, op, request, body) => (xid, op, request, body),
            Asked::Unknown(xid) => {
                if self.is_sufficient() {
                    self.say_goodbye(&error_reply(xid, Zxid(-1), ErrorCode::Unimplemented));
                } else {
                    self.demand_authentication(xid);
                }
                return Read::Last;
            }
            Asked::Garbage => return Read::End(End::Garbage("a frame holds no header")),
        };
        match request {
            Ok(Request::Auth(packet)) if self.authenticate(xid, &packet) => Read::Done,
            Ok(Request::Auth(_)) => Read::Last,
            Err(_) if matches!(op, OpCode::Auth | OpCode::Sasl) => {
                Read::End(End::Garbage("a broken auth or sasl packet"))
            }
            Ok(Request::Sasl(SaslToken { token: None })) => {
                Read::End(End::Garbage("a sasl packet without a token"))
            }
            Ok(Request::Sasl(_)) => {
                // ZooKeeper without SASL answers thus, and clients go on.
                self.send_now(&plain_reply(xid, Zxid::ZERO, &(-1_i32).to_be_bytes()));
                Read::Done
            }
            _ if !self.is_sufficient() => {
                self.demand_authentication(xid);
                Read::Last
            }
            request => {
                let identities = Arc::clone(&self.identities);
                Read::Request(ClientRequest { xid, op, request, body, identities })
            }
        }
    }

    /// Whether the client has proven as much as it must.
    fn is_sufficient(&self) -> bool {
        self.shared.options.auth.is_sufficient(&self.identities)
    }

    fn demand_authentication(&mut self, xid: i32) {
        let code = ErrorCode::SessionClosedRequireSaslAuth;
        self.say_goodbye(&error_reply(xid, Zxid::ZERO, code));
    }

    /// Adds identities; false if the client fails and the connection ends.
    fn authenticate(&mut self, xid: i32, packet: &AuthPacket) -> bool {
        let (scheme, data) = (packet.scheme.as_deref(), packet.auth.as_deref());
        let proven = match (scheme, data) {
            (Some("digest"), None) | (None, _) => None,
            (Some(scheme), data) => {
                let remote = self.conn.remote.ip();
                let auth = &self.shared.options.auth;
                auth.authenticate(scheme, data.unwrap_or_default(), remote).ok()
            }
        };
        let Some(proven) = proven else {
            tracing::warn!(
                "{}: authentication by scheme {:?} failed; closing the connection",
                self.conn.remote,
                scheme.unwrap_or("null")
            );
            self.shared.stats.auth_failed.fetch_add(1, Relaxed);
            self.say_goodbye(&error_reply(xid, Zxid::ZERO, ErrorCode::AuthFailed));
            return false;
        };
        let mut identities = self.identities.to_vec();
        add_identities(&mut identities, proven);
        self.identities = identities.into();
        let input = Input::Identities(self.conn.id, Arc::clone(&self.identities));
        self.shared.submit(&mut vec![input]);
        self.send_now(&plain_reply(xid, Zxid::ZERO, &[]));
        true
    }

    /// Answers at once what needs no write of this session before it; hands on the rest.
    fn execute(&mut self, session: SessionId, mut batch: Vec<ClientRequest>) {
        self.note_received(batch.len() as u64);
        self.shared.touch(&self.conn);
        let idle = self.conn.outbox.lock().pending.is_empty();
        let first_of_brain = batch.iter().position(ClientRequest::is_for_brain);
        let direct = if idle { first_of_brain.unwrap_or(batch.len()) } else { 0 };
        let later = batch.split_off(direct);
        if !batch.is_empty() {
            self.answer(session, &batch);
        }
        if later.is_empty() {
            return;
        }
        let since = Instant::now();
        let mut outbox = self.conn.outbox.lock();
        for request in &later {
            let audit = self.shared.audit.as_ref().and_then(|_| Note::of(request));
            outbox.pending.push_back(Pending { xid: request.xid, op: request.op, since, audit });
        }
        drop(outbox);
        let id = self.conn.id;
        self.inputs.extend(later.into_iter().map(|request| Input::Request(id, request)));
        self.shared.submit(&mut self.inputs);
    }

    fn answer(&self, session: SessionId, requests: &[ClientRequest]) {
        let shared = &self.shared;
        let (started, now) = (Instant::now(), shared.clock.moment());
        let tree = shared.tree.read();
        let watching =
            requests.iter().any(|request| request.request.as_ref().is_ok_and(needs_watches));
        let mut watches = watching.then(|| shared.watches.lock());
        let mut outbox = self.conn.outbox.lock();
        if outbox.closing.is_some() {
            return;
        }
        let mut on_read = |path: &str, bytes| shared.stats.namespaces.read(path, bytes);
        let mut ends = [0; BATCH];
        let mut start = outbox.bytes.len();
        for (request, end) in requests.iter().zip(&mut ends) {
            let reader = Reader {
                conn: self.conn.id,
                session,
                identities: &request.identities,
                auth: &shared.options.auth,
                max_watches: shared.options.max_watches,
            };
            let (watches, out) = (watches.as_deref_mut(), &mut outbox.bytes);
            reader.answer(&tree, watches, request.xid, &request.request, out, &mut on_read);
            *end = outbox.bytes.len();
        }
        // One look at the clock for all of them, which are ready together.
        let took = micros(started, Instant::now());
        for (request, end) in requests.iter().zip(ends) {
            let frame = &outbox.bytes[start..end];
            shared.note_reply(&self.conn, request.xid, request.op, frame, took, now);
            start = end;
        }
    }

    /// Sends a last frame and ends.
    fn say_goodbye(&mut self, frame: &Bytes) {
        self.send_now(frame);
        self.conn.outbox.lock().close(Closing::Brain(CloseReason::ClientRequest));
        self.stage = Stage::Ending;
    }

    fn send_now(&mut self, frame: &Bytes) {
        self.note_received(1);
        self.conn.stats.sent.fetch_add(1, Relaxed);
        self.shared.stats.sent.fetch_add(1, Relaxed);
        self.conn.outbox.lock().push(frame);
    }

    fn note_received(&self, packets: u64) {
        self.conn.stats.received.fetch_add(packets, Relaxed);
        self.shared.stats.received.fetch_add(packets, Relaxed);
    }

    fn finish(&mut self, end: &End) {
        let (remote, session) = (self.conn.remote, self.conn.session.load(Relaxed));
        match end {
            End::BadLength(length) => tracing::warn!(
                "{remote}: closing session 0x{session:x}: a frame of {length} bytes; \
                 jute.maxbuffer is {}",
                self.shared.options.frame_limit
            ),
            End::Garbage(why) => tracing::warn!("{remote}: closing session 0x{session:x}: {why}"),
            End::Closed(Closing::SlowReader) => {
                tracing::warn!("{remote}: closing session 0x{session:x}: the client does not read");
            }
            End::Sessionless => {
                self.shared.stats.sessionless_expired.fetch_add(1, Relaxed);
                tracing::debug!("{remote}: closing: no session in time");
            }
            End::TurnedAway => tracing::debug!("{remote}: closing: leaderServes is no"),
            End::Failed(error) => tracing::debug!("{remote}: session 0x{session:x}: {error}"),
            End::Gone | End::Closed(_) => {
                tracing::debug!("{remote}: session 0x{session:x}: {end:?}");
            }
        }
        self.shared.stats.dropped.fetch_add(1, Relaxed);
        self.shared.conns.remove(&self.conn);
        self.shared.submit(&mut vec![Input::Closed(self.conn.id)]);
    }
}
