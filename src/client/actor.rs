//! The task that owns a client's connection: connects and reconnects, writes what handles queue,
//! matches replies with requests, hands out events.

use super::attempts::Attempts;
use super::link::{Head, Link};
use super::queue::{Effect, Established, Pending, Requests, Shared};
use super::servers::Servers;
use super::watches::{OneShotKind, Watches};
use super::{ClientError, Loss, Options, SessionKey, SessionState};
use crate::proto::{Event, EventType, Hello, NoBody, OpCode, Welcome, put_request, xid};
use crate::types::{ErrorCode, SessionId, Zxid};
use bytes::Bytes;
use jute::client::{AuthPacket, ConnectRequest, ConnectResponse, SetWatches, WatcherEvent};
use jute::{Decode, Encode};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, sleep, timeout};

/// The owner of the connection.
pub(super) struct Actor {
    shared: Arc<Shared>,
    servers: Servers,
    options: Options,
    chroot: String,
    key: SessionKey,
    /// Whether the session is one of the ensemble's, and not only of servers without a quorum,
    /// each of which gives out sessions of its own.
    is_lasting: bool,
    seen: Zxid,
    watches: Watches,
    credentials: Vec<AuthPacket>,
    /// Handed to the connection and not answered; may have been executed or not.
    sent: VecDeque<Pending>,
    /// Unanswered auth packets; `None` for those that were only repeated.
    auths: VecDeque<Option<Pending>>,
    /// Whether the end of the session has been sent.
    is_closing: bool,
}

/// Why the actor leaves a connection.
enum Parting {
    /// It is lost; another one may be made.
    Lost(Loss),
    /// The client has come to its end.
    Final(ClientError),
}

/// No more requests are taken from the queue while this much waits to be written.
const OUTPUT_BYTES: usize = 256 * 1024;

impl Actor {
    pub(super) fn new(
        shared: Arc<Shared>,
        servers: Vec<String>,
        chroot: String,
        options: Options,
    ) -> Self {
        let new = SessionKey { id: SessionId(0), password: vec![0; 16] };
        Self {
            shared,
            servers: Servers::new(servers),
            chroot,
            is_lasting: options.resume.is_some(),
            key: options.resume.clone().unwrap_or(new),
            seen: Zxid::ZERO,
            watches: Watches::default(),
            credentials: options.auth_packets(),
            sent: VecDeque::new(),
            auths: VecDeque::new(),
            is_closing: false,
            options,
        }
    }

    /// Runs until the session has ended.
    pub(super) async fn run(mut self) {
        let end = loop {
            let mut link = match self.connect().await {
                Ok(link) => link,
                Err(end) => break end,
            };
            match poll_fn(|cx| self.poll(&mut link, cx)).await {
                Parting::Final(end) => break end,
                Parting::Lost(loss) => self.on_loss(loss),
            }
            if self.is_closing {
                break ClientError::Closed;
            }
        };
        tracing::debug!(session = %self.key.id, "the client ends: {end}");
        self.shared.finish(end);
        self.fail_sent(end);
    }

    /// Makes a connection, however long it takes. An error is final.
    async fn connect(&mut self) -> Result<Link<TcpStream>, ClientError> {
        let start = Instant::now();
        loop {
            let server = self.servers.next();
            match self.try_connect(&server).await {
                Ok(link) => {
                    self.servers.succeeded();
                    self.shared.note_attempt(Attempts::succeeded);
                    return Ok(link);
                }
                Err(error) if error.is_final() => return Err(error),
                Err(error) => {
                    tracing::debug!(server, "cannot connect: {error}");
                    self.shared.note_attempt(|attempts| attempts.failed(server, start, error));
                }
            }
            // By now the session has expired or is about to: do not let requests wait longer.
            if start.elapsed() >= self.options.session_timeout
                && self.shared.fail_queued(ClientError::NotConnected)
            {
                return Err(ClientError::Closed);
            }
            let pause = self.servers.failed();
            if !pause.is_zero() {
                sleep(pause).await;
            }
        }
    }

    /// Connects to one server and begins or goes on with the session there.
    async fn try_connect(&mut self, server: &str) -> Result<Link<TcpStream>, ClientError> {
        let patience = self.options.session_timeout / self.servers.count();
        let hello = self.hello();
        let shake_hands = async {
            let addresses = lookup_host(server).await.map_err(|_| Loss::Unresolved)?;
            let stream = TcpStream::connect(&*addresses.collect::<Vec<_>>()).await?;
            stream.set_nodelay(true)?;
            let mut link = Link::new(stream, patience, self.options.frame_limit);
            put_frame(&mut link, &hello);
            let welcome = Welcome::from_bytes(link.exchange().await?).map_err(Loss::Malformed)?;
            Ok((link, welcome))
        };
        let (mut link, welcome) = timeout(patience, shake_hands)
            .await
            .unwrap_or(Err(Loss::Silence))
            .map_err(ClientError::ConnectionLoss)?;
        self.on_welcome(server, &mut link, welcome)?;
        Ok(link)
    }

    fn hello(&self) -> Hello {
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: self.seen.0,
            time_out: self.options.timeout_millis(),
            session_id: if self.is_lasting { self.key.id.0 } else { 0 },
            passwd: Some(Bytes::copy_from_slice(&self.key.password)),
        };
        Hello { request, read_only: Some(self.options.read_only) }
    }

    fn on_welcome(
        &mut self,
        server: &str,
        link: &mut Link<TcpStream>,
        welcome: Welcome,
    ) -> Result<(), ClientError> {
        let ConnectResponse { time_out, session_id, passwd, .. } = welcome.response;
        let granted = match u64::try_from(time_out) {
            Ok(granted) if granted > 0 => Duration::from_millis(granted),
            _ => return Err(ClientError::SessionExpired),
        };
        tracing::debug!(server, session = %SessionId(session_id), ?granted, "connected");
        let password = passwd.unwrap_or_default().to_vec();
        self.key = SessionKey { id: SessionId(session_id), password };
        self.shared.establish(Established {
            key: self.key.clone(),
            timeout: granted,
            server: server.to_owned(),
        });
        link.set_timeout(granted);
        self.shared.drop_unwanted();
        self.set_up_again(link);
        if welcome.read_only == Some(true) {
            self.shared.set_state(SessionState::ReadOnly);
        } else {
            self.is_lasting = true;
            self.shared.set_state(SessionState::Connected);
        }
        Ok(())
    }

    /// Gives a new connection what the server keeps for each connection: identities and watches.
    fn set_up_again(&mut self, link: &mut Link<TcpStream>) {
        for packet in &self.credentials {
            put_request(&mut link.output, xid::AUTH, OpCode::Auth, packet);
            self.auths.push_back(None);
        }
        self.watches.gap();
        for watches in self.watches.set_again(self.seen) {
            let is_old_form = watches.persistent_watches.is_none()
                && watches.persistent_recursive_watches.is_none();
            if is_old_form {
                let watches = SetWatches {
                    relative_zxid: watches.relative_zxid,
                    data_watches: watches.data_watches,
                    exist_watches: watches.exist_watches,
                    child_watches: watches.child_watches,
                };
                put_request(&mut link.output, xid::SET_WATCHES, OpCode::SetWatches, &watches);
            } else {
                put_request(&mut link.output, xid::SET_WATCHES, OpCode::SetWatches2, &watches);
            }
        }
    }

    /// Works on the connection until nothing more can be done at once.
    fn poll(&mut self, link: &mut Link<TcpStream>, cx: &mut Context<'_>) -> Poll<Parting> {
        loop {
            let has_room = link.output.len() < OUTPUT_BYTES;
            if has_room {
                self.take_requests(link, cx);
            }
            match link.poll_write(cx) {
                Poll::Ready(Ok(())) if !has_room => continue,
                Poll::Ready(Err(loss)) => return Poll::Ready(self.on_write_error(link, loss, cx)),
                Poll::Ready(Ok(())) | Poll::Pending => {}
            }
            match link.poll_read(cx) {
                Poll::Ready(Ok(())) => {
                    if let Err(parting) = self.handle_frames(link) {
                        return Poll::Ready(parting);
                    }
                    continue;
                }
                Poll::Ready(Err(loss)) => return Poll::Ready(Parting::Lost(loss)),
                Poll::Pending => {}
            }
            match link.poll_timers(cx) {
                Poll::Ready(Ok(())) => {
                    put_request(&mut link.output, xid::PING, OpCode::Ping, &NoBody);
                }
                Poll::Ready(Err(loss)) => return Poll::Ready(Parting::Lost(loss)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// What the server has sent before it closed still counts.
    fn on_write_error(
        &mut self,
        link: &mut Link<TcpStream>,
        loss: Loss,
        cx: &mut Context<'_>,
    ) -> Parting {
        while let Poll::Ready(Ok(())) = link.poll_read(cx) {
            if let Err(parting) = self.handle_frames(link) {
                return parting;
            }
        }
        Parting::Lost(loss)
    }

    /// Moves queued requests to the connection.
    fn take_requests(&mut self, link: &mut Link<TcpStream>, cx: &Context<'_>) {
        let mut taken = Requests {
            frames: std::mem::take(&mut link.output),
            pending: std::mem::take(&mut self.sent),
        };
        let before = taken.pending.len();
        self.shared.take(&mut taken, cx);
        link.output = taken.frames;
        self.sent = taken.pending;
        // Few requests have effects, and fewer of them matter already when they are sent.
        let is_special = |request: &Pending| {
            matches!(request.effect.as_deref(), Some(Effect::Auth(_) | Effect::Close))
        };
        if self.sent.range(before..).any(is_special) {
            self.note_special(before);
        }
    }

    /// Looks for credentials and the end of the session among the requests just sent.
    fn note_special(&mut self, from: usize) {
        for request in self.sent.split_off(from) {
            match request.effect.as_deref() {
                Some(Effect::Auth(packet)) => {
                    self.credentials.push(packet.clone());
                    self.auths.push_back(Some(request));
                    continue;
                }
                Some(Effect::Close) => self.is_closing = true,
                _ => {}
            }
            self.sent.push_back(request);
        }
    }

    /// Handles all frames that have been read.
    fn handle_frames(&mut self, link: &mut Link<TcpStream>) -> Result<(), Parting> {
        let mut answered = 0;
        let mut handle_all = || -> Result<(), Parting> {
            while let Some((head, body)) = link.next_reply()? {
                answered += usize::from(self.on_frame(head, body)?);
            }
            Ok(())
        };
        let result = handle_all();
        self.shared.set_seen(self.seen);
        self.shared.answered(answered);
        result
    }

    /// Handles a reply or notification. Says whether it answered a request of a handle's.
    fn on_frame(&mut self, head: Head, body: Bytes) -> Result<bool, Parting> {
        match head.xid {
            xid::NOTIFICATION => self.on_event(head, body).map(|()| false),
            xid::PING => Ok(false),
            xid::SET_WATCHES => {
                if let Some(error) = ClientError::from_code(head.err) {
                    tracing::warn!(session = %self.key.id, "watches were not set again: {error}");
                }
                Ok(false)
            }
            xid::AUTH => self.on_auth(head, body),
            _ => self.on_reply(head, body).map(|()| true),
        }
    }

    fn on_event(&mut self, head: Head, body: Bytes) -> Result<(), Parting> {
        let WatcherEvent { kind, path, .. } =
            WatcherEvent::from_bytes(body).map_err(Loss::Malformed)?;
        let Some(kind) = EventType::from_number(kind) else {
            tracing::warn!(kind, path, "an event of unknown kind");
            return Ok(());
        };
        let shown = super::path::below(&self.chroot, &path).to_owned();
        let event = Event { kind, path: shown, zxid: Zxid(head.zxid) };
        self.watches.fire(&path, &event);
        self.shared.tell(&event);
        Ok(())
    }

    fn on_auth(&mut self, head: Head, body: Bytes) -> Result<bool, Parting> {
        if head.err != 0 {
            return Err(Parting::Final(ClientError::AuthFailed));
        }
        match self.auths.pop_front() {
            None => Err(Loss::OutOfOrder { expected: None, got: head.xid }.into()),
            Some(None) => Ok(false),
            Some(Some(request)) => {
                let _ = request.reply.send(Ok(body));
                Ok(true)
            }
        }
    }

    fn on_reply(&mut self, head: Head, body: Bytes) -> Result<(), Parting> {
        let expected = self.sent.front().map(|request| request.xid);
        if expected != Some(head.xid) {
            return Err(Loss::OutOfOrder { expected, got: head.xid }.into());
        }
        let Some(request) = self.sent.pop_front() else { return Ok(()) };
        if head.zxid > self.seen.0 {
            self.seen = Zxid(head.zxid);
        }
        if let Some(effect) = request.effect {
            let is_close = matches!(*effect, Effect::Close);
            self.apply(*effect, head.err);
            if is_close {
                let _ = request.reply.send(Ok(body));
                return Err(Parting::Final(ClientError::Closed));
            }
        }
        let result = match ClientError::from_code(head.err) {
            None => Ok(body),
            Some(error) => Err(error),
        };
        // Whoever has dropped the future does not want to know.
        let _ = request.reply.send(result);
        Ok(())
    }

    /// Does what a reply with this error code entails.
    fn apply(&mut self, effect: Effect, code: i32) {
        const NO_NODE: i32 = ErrorCode::NoNode.number();
        const NO_WATCHER: i32 = ErrorCode::NoWatcher.number();
        match (effect, code) {
            (Effect::OneShot(kind, path, to), 0) => self.watches.add_one_shot(kind, path, to),
            (Effect::Exists(path, to), 0) => {
                self.watches.add_one_shot(OneShotKind::Data, path, to);
            }
            (Effect::Exists(path, to), NO_NODE) => {
                self.watches.add_one_shot(OneShotKind::Exist, path, to);
            }
            (Effect::Persistent(mode, path, to), 0) => self.watches.add_persistent(mode, path, to),
            (Effect::Remove(kind, path, to), 0 | NO_WATCHER) => {
                // Whoever has dropped the future does not want to know.
                let _ = to.send(self.watches.remove(kind, &path));
            }
            _ => {}
        }
    }

    /// What was sent may have been executed or not: that is all there is to say about it.
    fn on_loss(&mut self, loss: Loss) {
        tracing::debug!(session = %self.key.id, unanswered = self.sent.len(), "{loss}");
        self.shared.set_state(SessionState::Connecting);
        self.fail_sent(ClientError::ConnectionLoss(loss));
    }

    fn fail_sent(&mut self, error: ClientError) {
        let auths = self.auths.drain(..).flatten();
        let mut count = 0;
        for request in self.sent.drain(..).chain(auths) {
            let _ = request.reply.send(Err(error));
            count += 1;
        }
        self.shared.answered(count);
    }
}

impl From<Loss> for Parting {
    fn from(loss: Loss) -> Self {
        Self::Lost(loss)
    }
}

fn put_frame<T: Encode>(link: &mut Link<TcpStream>, body: &T) {
    body.encoded_len().try_into().unwrap_or(i32::MAX).encode(&mut link.output);
    body.encode(&mut link.output);
}
