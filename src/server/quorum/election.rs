//! The election port: one connection with every other server, for the messages of elections
//! (ZK: `QuorumCnxManager`).
//!
//! Of two servers the one with the larger id makes the connection. The other one can only knock:
//! it connects, says who it is, and is called back. Of the messages to a server that have not left
//! yet only the newest counts; the last one that left is sent again on a fresh connection, because
//! nobody knows whether it arrived.

use super::super::Shared;
use super::greeting::Greeting;
use super::sockets;
use crate::config::Endpoint;
use crate::replica::Input;
use crate::types::ServerId;
use crate::zab;
use bytes::Bytes;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::{Notify, Semaphore};
use tokio::task::{AbortHandle, JoinSet};

/// Most bytes of a message (ZK: `PACKETMAXSIZE`).
const MAX_MESSAGE: usize = 524_288;
/// Rest before a server that could not be reached is tried again, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(3));
/// The id of an observer that has none of its own (ZK: `QuorumPeer.OBSERVER_ID`).
const NAMELESS: ServerId = ServerId(i64::MAX);
/// Servers that are talked to though the configuration does not know them.
const MAX_STRANGERS: usize = 64;
/// Connections that may be about to say who they are.
const MAX_SILENT: usize = 1024;

/// What an election's connections need to know.
#[derive(Clone, Debug)]
pub(super) struct Options {
    /// Where this server listens.
    pub(super) listen: Vec<Endpoint>,
    /// Attempts to bind each of that; 0 is for ever.
    pub(super) bind_tries: u32,
    /// What this server says of itself.
    pub(super) greeting: Greeting,
    /// Whether it tells all of its addresses.
    pub(super) several: bool,
    /// Where the other servers listen.
    pub(super) servers: BTreeMap<ServerId, Vec<Endpoint>>,
    /// How long it may take to connect.
    pub(super) connect: Duration,
    /// How long a stranger may take to say who it is.
    pub(super) patience: Duration,
    pub(super) keep_alive: bool,
}

/// What the task that keeps the connections hears.
#[derive(Debug)]
pub(super) enum Command {
    /// There is a message for a server.
    Notify(ServerId, Bytes),
    /// Somebody has connected and said who it is.
    Greeted(Greeting, TcpStream, SocketAddr),
    /// This server has connected and said who it is, or could not.
    Dialed(ServerId, Result<TcpStream, String>),
    /// It is time to try again.
    Retry(ServerId),
    /// A connection, by its number, has ended, and why.
    Ended(ServerId, u64, String),
}

/// Messages on their way to one server.
#[derive(Debug, Default)]
struct Mailbox {
    letters: Mutex<Letters>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Letters {
    next: Option<Bytes>,
    last: Option<Bytes>,
}

impl Mailbox {
    /// Puts in a message, in the place of one that has not left.
    fn put(&self, message: Bytes) {
        self.letters.lock().next = Some(message);
        self.wake.notify_one();
    }

    /// The message that waits.
    fn take(&self) -> Option<Bytes> {
        let mut letters = self.letters.lock();
        let message = letters.next.take()?;
        letters.last = Some(message.clone());
        Some(message)
    }

    /// The message that waits, or else the last one: the first on a fresh connection.
    fn take_first(&self) -> Option<Bytes> {
        self.take().or_else(|| self.letters.lock().last.clone())
    }

    fn is_waiting(&self) -> bool {
        self.letters.lock().next.is_some()
    }
}

/// Another server.
#[derive(Debug)]
struct Other {
    mailbox: Arc<Mailbox>,
    connection: Option<(u64, AbortHandle)>,
    /// Where it said that it is, if it was called back.
    said: Vec<Endpoint>,
    dialing: bool,
    /// A try is due after some rest.
    resting: bool,
    rest: Duration,
}

impl Default for Other {
    fn default() -> Self {
        Self {
            mailbox: Arc::default(),
            connection: None,
            said: Vec::new(),
            dialing: false,
            resting: false,
            rest: RETRY.0,
        }
    }
}

/// All connections of the election port.
pub(super) struct Elections {
    shared: Arc<Shared>,
    options: Arc<Options>,
    commands: UnboundedSender<Command>,
    others: BTreeMap<ServerId, Other>,
    /// How many connections there have been.
    connections: u64,
    /// How many observers without an id there have been.
    nameless: i64,
    tasks: JoinSet<()>,
}

impl Elections {
    pub(super) fn new(
        shared: Arc<Shared>,
        options: Options,
        commands: UnboundedSender<Command>,
    ) -> Self {
        Self {
            shared,
            options: Arc::new(options),
            commands,
            others: BTreeMap::new(),
            connections: 0,
            nameless: 0,
            tasks: JoinSet::new(),
        }
    }

    /// Runs until it is dropped, and everything it has started with it.
    pub(super) async fn run(mut self, mut commands: UnboundedReceiver<Command>) {
        for endpoint in &self.options.listen {
            let (shared, options) = (Arc::clone(&self.shared), Arc::clone(&self.options));
            let to = self.commands.clone();
            let endpoint = endpoint.clone();
            self.tasks.spawn(async move { listen(&shared, &options, &endpoint, to).await });
        }
        while let Some(command) = commands.recv().await {
            self.obey(command);
            while self.tasks.try_join_next().is_some() {}
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Notify(to, message) => {
                let other = self.others.entry(to).or_default();
                other.mailbox.put(message);
                if other.connection.is_none() {
                    self.dial(to);
                }
            }
            Command::Greeted(greeting, stream, remote) => self.welcome(greeting, stream, remote),
            Command::Dialed(server, result) => self.dialed(server, result),
            Command::Retry(server) => {
                let Some(other) = self.others.get_mut(&server) else { return };
                other.resting = false;
                if other.connection.is_none() && other.mailbox.is_waiting() {
                    self.dial(server);
                }
            }
            Command::Ended(server, number, why) => self.ended(server, number, &why),
        }
    }

    fn is_known(&self, server: ServerId) -> bool {
        self.options.servers.contains_key(&server)
    }

    /// Connects to a server, unless that is being done.
    fn dial(&mut self, server: ServerId) {
        let Some(other) = self.others.get_mut(&server) else { return };
        if other.dialing {
            return;
        }
        let configured = self.options.servers.get(&server);
        let endpoints = if other.said.is_empty() { configured } else { Some(&other.said) };
        let Some(endpoints) = endpoints.cloned() else {
            tracing::warn!("there is a message for server {server}, whose address is not known");
            self.others.remove(&server);
            return;
        };
        other.dialing = true;
        let (options, commands) = (Arc::clone(&self.options), self.commands.clone());
        self.tasks.spawn(async move {
            let result = greet(&options, &endpoints).await;
            // If nobody listens, the server is ending.
            let _ = commands.send(Command::Dialed(server, result));
        });
    }

    fn dialed(&mut self, server: ServerId, result: Result<TcpStream, String>) {
        let me = self.options.greeting.server;
        let Some(other) = self.others.get_mut(&server) else { return };
        other.dialing = false;
        match result {
            Ok(stream) if server < me => return self.adopt(server, stream),
            // It has been told, and makes the connection itself.
            Ok(_) => {}
            Err(why) => {
                // What a caller said of itself may be of no use.
                other.said = Vec::new();
                if other.rest == RETRY.0 {
                    tracing::warn!("cannot reach server {server} for elections: {why}");
                } else {
                    tracing::debug!("cannot reach server {server} for elections: {why}");
                }
            }
        }
        self.rest(server);
    }

    /// Tries again later, if there is a reason to.
    fn rest(&mut self, server: ServerId) {
        let Some(other) = self.others.get_mut(&server) else { return };
        if other.resting || other.connection.is_some() || !other.mailbox.is_waiting() {
            return;
        }
        other.resting = true;
        let rest = other.rest;
        other.rest = (rest * 2).min(RETRY.1);
        let commands = self.commands.clone();
        self.tasks.spawn(async move {
            tokio::time::sleep(rest).await;
            let _ = commands.send(Command::Retry(server));
        });
    }

    /// Somebody has connected.
    fn welcome(&mut self, greeting: Greeting, stream: TcpStream, remote: SocketAddr) {
        let me = self.options.greeting.server;
        let mut server = greeting.server;
        if server == NAMELESS {
            self.nameless -= 1;
            server = ServerId(self.nameless);
            tracing::info!("{remote}: an observer without an id is server {server} here");
        }
        if server == me {
            tracing::warn!("{remote}: closing the connection: it says that it is this server");
            return;
        }
        if !self.is_known(server) && !self.others.contains_key(&server) {
            let strangers = self.others.keys().filter(|id| !self.is_known(**id)).count();
            if strangers >= MAX_STRANGERS {
                tracing::warn!(
                    "{remote}: closing the connection of server {server}: it is not configured, \
                     as {strangers} others are not"
                );
                return;
            }
        }
        if server > me {
            return self.adopt(server, stream);
        }
        // It believes that there is no connection, so there is none.
        let other = self.others.entry(server).or_default();
        if let Some((_, connection)) = other.connection.take() {
            connection.abort();
        }
        other.said = greeting.addresses;
        drop(stream);
        self.dial(server);
    }

    /// Talks to a server by this connection from now on.
    fn adopt(&mut self, server: ServerId, stream: TcpStream) {
        self.connections += 1;
        let number = self.connections;
        let other = self.others.entry(server).or_default();
        other.rest = RETRY.0;
        let mailbox = Arc::clone(&other.mailbox);
        let (shared, commands) = (Arc::clone(&self.shared), self.commands.clone());
        let task = self.tasks.spawn(async move {
            let mut stream = stream;
            let (from, to) = stream.split();
            let why = tokio::select! {
                why = receive(&shared, server, from) => why,
                why = send(&mailbox, to) => why,
            };
            let _ = commands.send(Command::Ended(server, number, why));
        });
        if let Some((_, before)) = other.connection.replace((number, task)) {
            before.abort();
        }
        tracing::debug!("connected with server {server} for elections");
    }

    fn ended(&mut self, server: ServerId, number: u64, why: &str) {
        let Some(other) = self.others.get_mut(&server) else { return };
        if other.connection.as_ref().is_none_or(|(current, _)| *current != number) {
            return;
        }
        other.connection = None;
        tracing::info!("the connection with server {server} for elections has ended: {why}");
        if self.is_known(server) {
            self.rest(server);
        } else {
            self.others.remove(&server);
        }
    }
}

/// Connects and says who this is.
async fn greet(options: &Options, endpoints: &[Endpoint]) -> Result<TcpStream, String> {
    let mut stream = sockets::connect(endpoints, options.connect, options.keep_alive).await?;
    let greeting = options.greeting.encode(options.several);
    stream.write_all(&greeting).await.map_err(|error| error.to_string())?;
    Ok(stream)
}

/// Takes in connections, each by a task of its own until it has said who it is.
async fn listen(
    shared: &Shared,
    options: &Arc<Options>,
    endpoint: &Endpoint,
    commands: UnboundedSender<Command>,
) {
    let listener: TcpListener = match sockets::bind(endpoint, options.bind_tries).await {
        Ok(listener) => listener,
        Err(error) => {
            let why = format!("cannot listen for elections on {endpoint}: {error}");
            return shared.stop.no_port(why);
        }
    };
    tracing::info!("listening for elections on {endpoint}");
    let places = Arc::new(Semaphore::new(MAX_SILENT));
    let mut tasks = JoinSet::new();
    loop {
        let (mut stream, remote) = sockets::accept(&listener, options.keep_alive).await;
        while tasks.try_join_next().is_some() {}
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            tracing::warn!("{remote}: closing the connection: {MAX_SILENT} others say nothing");
            continue;
        };
        let (options, commands) = (Arc::clone(options), commands.clone());
        tasks.spawn(async move {
            match tokio::time::timeout(options.patience, hear(&mut stream)).await {
                Ok(Ok(Some(greeting))) => {
                    let _ = commands.send(Command::Greeted(greeting, stream, remote));
                }
                Ok(Ok(None)) => tracing::debug!("{remote}: connected to the election port, once"),
                Ok(Err(why)) => {
                    tracing::warn!("{remote}: closing a connection to the election port: {why}");
                }
                Err(_) => tracing::warn!(
                    "{remote}: closing a connection to the election port: it says nothing"
                ),
            }
            drop(place);
        });
    }
}

/// Reads who has connected; nothing if it goes at once, as who only looks whether the port is open,
/// and who has tried several addresses.
async fn hear(stream: &mut TcpStream) -> Result<Option<Greeting>, String> {
    match stream.peek(&mut [0]).await {
        Ok(0) => Ok(None),
        Ok(_) => Greeting::read(stream).await.map(Some),
        Err(error) => Err(error.to_string()),
    }
}

/// Hands on what comes, until nothing does.
async fn receive(
    shared: &Arc<Shared>,
    server: ServerId,
    mut from: impl AsyncRead + Unpin,
) -> String {
    loop {
        match read_message(&mut from).await {
            Ok(message) => {
                let input = zab::Input::Notification(server, message);
                shared.submit(&mut vec![Input::Quorum(input)]);
            }
            Err(why) => return why,
        }
    }
}

async fn read_message(from: &mut (impl AsyncRead + Unpin)) -> Result<Bytes, String> {
    let length = from.read_i32().await.map_err(|error| error.to_string())?;
    let size = usize::try_from(length)
        .ok()
        .filter(|size| (1..=MAX_MESSAGE).contains(size))
        .ok_or_else(|| format!("it sent a message of {length} bytes"))?;
    let mut message = vec![0; size];
    from.read_exact(&mut message).await.map_err(|error| error.to_string())?;
    Ok(message.into())
}

/// Sends what is put into the mailbox, until that fails.
async fn send(mailbox: &Mailbox, mut to: impl AsyncWrite + Unpin) -> String {
    let mut message = mailbox.take_first();
    loop {
        if let Some(message) = message {
            let mut frame = Vec::with_capacity(4 + message.len());
            jute::put_blob(&mut frame, &message);
            if let Err(error) = to.write_all(&frame).await {
                return error.to_string();
            }
        }
        mailbox.wake.notified().await;
        message = mailbox.take();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_message_takes_the_place_of_one_that_has_not_left() {
        let mailbox = Mailbox::default();
        assert_eq!(mailbox.take_first(), None);
        mailbox.put("a".into());
        mailbox.put("b".into());
        assert!(mailbox.is_waiting());
        assert_eq!(mailbox.take(), Some("b".into()));
        assert_eq!(mailbox.take(), None);
        assert!(!mailbox.is_waiting());
    }

    #[test]
    fn a_fresh_connection_repeats_the_last_message_unless_there_is_a_newer_one() {
        let mailbox = Mailbox::default();
        mailbox.put("a".into());
        assert_eq!(mailbox.take(), Some("a".into()));
        assert_eq!(mailbox.take_first(), Some("a".into()));
        mailbox.put("b".into());
        assert_eq!(mailbox.take_first(), Some("b".into()));
        assert_eq!(mailbox.take_first(), Some("b".into()));
    }

    #[tokio::test]
    async fn messages_have_bounds() {
        let frame = |length: i32, content: &[u8]| [&length.to_be_bytes(), content].concat();
        assert_eq!(read_message(&mut &*frame(2, b"abc")).await, Ok("ab".into()));
        assert!(read_message(&mut &*frame(2, b"a")).await.is_err());
        for length in [0, -1, 524_289, i32::MIN] {
            let refused = read_message(&mut &*frame(length, b"abc")).await;
            assert_eq!(refused, Err(format!("it sent a message of {length} bytes")));
        }
    }

    #[tokio::test]
    async fn what_waits_is_sent() {
        let mailbox = Mailbox::default();
        mailbox.put("abc".into());
        let (near, mut far) = tokio::io::duplex(64);
        let sending = send(&mailbox, near);
        let receiving = async {
            let first = read_message(&mut far).await;
            mailbox.put("de".into());
            (first, read_message(&mut far).await)
        };
        tokio::select! {
            why = sending => panic!("{why}"),
            received = receiving => assert_eq!(received, (Ok("abc".into()), Ok("de".into()))),
        }
    }
}
