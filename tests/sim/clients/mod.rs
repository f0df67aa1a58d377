//! Clients and their connections: they connect, ask, lose their server and go to another one.

mod client;
mod requests;
mod watching;

pub(crate) use client::Client;

use client::News;

use super::plan::{MS, Time};
use super::queue::Event;
use super::server::Server;
use super::world::World;
use bytes::Bytes;
use requests::Request;
use zabra::proto::{self, OpCode};
use zabra::replica::{ClientRequest, CloseReason, Handshake, Identities, Input};
use zabra::session::password;
use zabra::types::{ConnId, ErrorCode, Id, SessionId};

/// What a client sends.
#[derive(Clone, Debug)]
pub(crate) enum ToServer {
    Connect(Handshake),
    Request {
        session: SessionId,
        timeout_ms: i32,
        request: Request,
    },
    /// The connection is gone.
    Closed,
}

/// What a server sends.
#[derive(Clone, Debug)]
pub(crate) enum ToClient {
    Established {
        session: SessionId,
        timeout_ms: i32,
    },
    Frame {
        bytes: Bytes,
        is_reply: bool,
        /// Whether no newer epoch had begun than that of the server's leader.
        is_fresh: bool,
    },
    Closed(CloseReason),
    /// The connection is gone.
    Lost,
}

/// A connection of a client.
#[derive(Debug)]
pub(crate) struct Conn {
    pub(crate) client: usize,
    server: usize,
    life: u64,
    /// Nothing but the news of its end arrives any more.
    is_cut: bool,
    is_closed_at_server: bool,
    last_at_server: Time,
    last_at_client: Time,
}

fn identities() -> Identities {
    [Id { scheme: "ip".to_owned(), id: "127.0.0.1".to_owned() }].into()
}

impl World {
    /// A client does what it likes, and looks whether it is still heard.
    pub(crate) fn act(&mut self, who: usize) {
        let wait = self.random.delay(self.plan.pace);
        self.after(wait, Event::Act(who));
        let patience = self.plan.session_ms * MS * 2 / 3;
        let client = &mut self.clients[who];
        let silence = self.now.saturating_sub(client.heard);
        match client.conn {
            None => self.connect(who),
            Some(conn) if silence > patience && client.waits_for_answer() => {
                // When all is well and nothing more is asked, what was asked is answered.
                let is_hushed = client.is_hushed && self.reaches_its_server(conn);
                let client = &self.clients[who];
                assert!(!is_hushed, "[progress] c{who} is not answered: {client:?}");
                self.leave(who);
            }
            Some(_) if self.random.one_in(300) && !self.is_calm => {
                self.coverage.note("left its server");
                self.leave(who);
            }
            Some(_) if client.is_open && client.is_hushed => self.ping_after(who, silence),
            Some(_) if client.is_open && client.has_room() => {
                let count = if self.random.one_in(4) { 4 } else { 1 };
                for _ in 0..count {
                    let client = &mut self.clients[who];
                    if !client.has_room() {
                        break;
                    }
                    if silence > patience / 2 {
                        let request = client.ping();
                        self.ask(who, request);
                    }
                    let floor = self.checks.acknowledged.last;
                    let client = &mut self.clients[who];
                    let request = if self.is_calm && self.random.one_in(3) {
                        client.certain_write(floor)
                    } else {
                        client.choose(&mut self.random, floor, self.is_calm)
                    };
                    self.ask(who, request);
                }
            }
            Some(_) => {}
        }
    }

    /// Whether a connection is one at both of its ends.
    fn reaches_its_server(&self, id: ConnId) -> bool {
        let Some(conn) = self.conns.get(&id) else { return false };
        let server = &self.servers[conn.server];
        let knows = server.running.as_ref().is_some_and(|running| running.conns.contains(&id));
        knows && server.life == conn.life && !conn.is_cut && !conn.is_closed_at_server
    }

    fn ping_after(&mut self, who: usize, silence: Time) {
        if silence > self.plan.session_ms * MS / 3 && !self.clients[who].waits_for_answer() {
            let request = self.clients[who].ping();
            self.ask(who, request);
        }
    }

    pub(crate) fn ask(&mut self, who: usize, request: Request) {
        let client = &mut self.clients[who];
        let (Some(conn), Some(session)) = (client.conn, client.session) else { return };
        client.note_asked(self.now);
        let timeout_ms = client.timeout_ms;
        self.trace.note(|| format!("{} c{who}: asks {request:?}", self.now));
        self.send_server(conn, ToServer::Request { session, timeout_ms, request });
    }

    /// A client turns to some server.
    fn connect(&mut self, who: usize) {
        let count = self.servers.len();
        let fixed = self.clients[who].fixed_server;
        let server = fixed.unwrap_or_else(|| self.random.below(count));
        self.connect_to(who, server);
    }

    fn connect_to(&mut self, who: usize, server: usize) {
        let conn = ConnId(self.next_conn);
        self.next_conn += 1;
        let life = self.servers[server].life;
        let new = Conn {
            client: who,
            server,
            life,
            is_cut: false,
            is_closed_at_server: false,
            last_at_server: 0,
            last_at_client: 0,
        };
        self.conns.insert(conn, new);
        let timeout_ms = i32::try_from(self.plan.session_ms).expect("a short time");
        let client = &mut self.clients[who];
        client.connecting(conn, self.now);
        let session = client.session.unwrap_or(SessionId(0));
        let handshake = Handshake {
            last_zxid_seen: client.last_zxid,
            session,
            password: password(session).to_vec().into(),
            timeout_ms,
            read_only: Some(false),
        };
        self.trace.note(|| format!("{} c{who}: connects to s{}", self.now, server + 1));
        self.send_server(conn, ToServer::Connect(handshake));
    }

    /// A client gives up its connection.
    fn leave(&mut self, who: usize) {
        if let Some(conn) = self.clients[who].disconnect() {
            self.trace.note(|| format!("{} c{who}: leaves", self.now));
            self.send_server(conn, ToServer::Closed);
        }
    }

    /// A connection breaks in the network.
    pub(crate) fn break_conn(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        if conn.is_cut {
            return;
        }
        conn.is_cut = true;
        self.send_client(id, ToClient::Lost);
        self.send_server(id, ToServer::Closed);
    }

    fn send_server(&mut self, id: ConnId, message: ToServer) {
        let journey = self.random.delay(self.plan.net);
        let Some(conn) = self.conns.get_mut(&id) else { return };
        conn.last_at_server = conn.last_at_server.max(self.now + journey);
        self.queue.push(conn.last_at_server, Event::AtServer { conn: id, message });
    }

    pub(crate) fn send_client(&mut self, id: ConnId, message: ToClient) {
        let journey = self.random.delay(self.plan.net);
        let Some(conn) = self.conns.get_mut(&id) else { return };
        conn.last_at_client = conn.last_at_client.max(self.now + journey);
        self.queue.push(conn.last_at_client, Event::AtClient { conn: id, message });
    }

    /// The server that a client's message goes to.
    pub(crate) fn server_of(&self, conn: ConnId) -> Option<usize> {
        self.conns.get(&conn).map(|conn| conn.server)
    }

    pub(crate) fn at_server(&mut self, id: ConnId, message: ToServer) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let (server, life) = (conn.server, conn.life);
        let is_end = matches!(message, ToServer::Closed);
        if (conn.is_cut && !is_end) || conn.is_closed_at_server {
            return;
        }
        conn.is_closed_at_server |= is_end;
        let Server { running: Some(running), life: now_living, .. } = &mut self.servers[server]
        else {
            return self.send_client(id, ToClient::Lost);
        };
        if *now_living != life {
            return self.send_client(id, ToClient::Lost);
        }
        let input = match message {
            ToServer::Connect(handshake) => {
                running.conns.insert(id);
                Input::Connect(id, handshake, identities())
            }
            ToServer::Request { session, timeout_ms, request } => {
                running.touched.insert(session, timeout_ms);
                Input::Request(id, decode(request))
            }
            ToServer::Closed => {
                running.conns.remove(&id);
                Input::Closed(id)
            }
        };
        self.input(server, input);
    }

    /// A server closes a connection, and is told when that is done.
    pub(crate) fn close_conn(&mut self, server: usize, id: ConnId, why: CloseReason) {
        let is_newest = self.is_of_newest_epoch(server);
        let Some(conn) = self.conns.get_mut(&id) else { return };
        if conn.is_closed_at_server {
            return;
        }
        conn.is_closed_at_server = true;
        if let Some(running) = &mut self.servers[server].running {
            running.conns.remove(&id);
        }
        // A leader that does not know yet that there is a newer one does not know what that one has
        // begun; the answer to a first frame carries no zxid that would tell.
        if matches!(why, CloseReason::SessionGone) && is_newest {
            let session = self.clients[conn.client].session;
            self.checks.sessions.check_refusal(&self.checks.history, session);
        }
        self.send_client(id, ToClient::Closed(why));
        self.input(server, Input::Closed(id));
    }

    /// A server has died, and with it its connections; not every client hears of it.
    pub(crate) fn cut_conns(&mut self, conns: impl IntoIterator<Item = ConnId>) {
        for id in conns {
            let Some(conn) = self.conns.get_mut(&id) else { continue };
            conn.is_closed_at_server = true;
            if !self.random.one_in(4) {
                self.send_client(id, ToClient::Lost);
            }
        }
    }

    pub(crate) fn at_client(&mut self, id: ConnId, message: ToClient) {
        let Some(conn) = self.conns.get(&id) else { return };
        let (who, server) = (conn.client, conn.server);
        if self.clients[who].conn != Some(id) {
            return;
        }
        if conn.is_cut && !matches!(message, ToClient::Lost | ToClient::Closed(_)) {
            return;
        }
        self.trace.note(|| format!("{} c{who}: hears of s{}: {message:?}", self.now, server + 1));
        let client = &mut self.clients[who];
        client.heard = self.now;
        match message {
            ToClient::Established { session, timeout_ms } => {
                if client.session.is_some() {
                    self.coverage.note("session went on");
                }
                client.established(session, timeout_ms);
                if let Some(request) = client.restore() {
                    self.ask(who, request);
                }
            }
            ToClient::Frame { bytes, is_reply, is_fresh } => {
                let news = News { bytes, is_reply, is_fresh };
                client.receive(news, &mut self.checks, &mut self.coverage);
            }
            ToClient::Closed(why) => {
                self.coverage.note_close(why);
                client.closed(why);
            }
            ToClient::Lost => drop(client.disconnect()),
        }
    }
}

/// What a connection makes of a frame.
fn decode(request: Request) -> ClientRequest {
    let Request { xid, op, body } = request;
    let decoded = proto::Request::decode(op, body.clone());
    let is_handed_on = op.is_write() || op == OpCode::Sync;
    ClientRequest {
        xid,
        op,
        request: decoded.map_err(|_| ErrorCode::MarshallingError),
        body: if is_handed_on { body } else { Bytes::new() },
        identities: identities(),
    }
}
