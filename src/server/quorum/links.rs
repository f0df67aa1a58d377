//! The quorum port and the observers' port: links between a leader, or a follower that serves
//! observers, and its learners (ZK: `Learner.connectToLeader`, `Leader.LearnerCnxAcceptor`,
//! `ObserverMaster`).
//!
//! Knows nothing of what is said on them.

use super::super::Shared;
use super::images;
use super::link::{Link, serve};
use super::log_reads::ReadLog;
use super::oracle::Oracle;
use super::sockets;
use crate::config::Endpoint;
use crate::replica::Input;
use crate::store::{Store, StoreError};
use crate::types::{LinkId, ServerId};
use crate::zab;
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::task::{AbortHandle, JoinSet};

/// Attempts to connect to a leader.
const TRIES: u32 = 5;
/// Links that there may be; more would be strangers'.
const MAX_LINKS: usize = 1024;

/// Which port of a server a link comes in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Door {
    /// The quorum port, where a leader serves its learners.
    Learners,
    /// `observerMasterPort`, where a follower serves observers.
    Observers,
}

/// What links need to know.
#[derive(Clone, Debug)]
pub(super) struct Options {
    /// Where this server listens; nowhere if it can never lead nor follow.
    pub(super) listen: BTreeMap<Door, Vec<Endpoint>>,
    /// Attempts to bind each of that; 0 is for ever.
    pub(super) bind_tries: u32,
    /// Where the other servers listen.
    pub(super) servers: BTreeMap<Door, BTreeMap<ServerId, Vec<Endpoint>>>,
    /// How long it may take to connect, all attempts together.
    pub(super) connect: Duration,
    /// Rest between two attempts.
    pub(super) rest: Duration,
    pub(super) keep_alive: bool,
    /// The file of the oracle.
    pub(super) oracle: Option<PathBuf>,
}

impl Door {
    /// Whom this server listens for there.
    const fn name(self) -> &'static str {
        match self {
            Self::Learners => "learners",
            Self::Observers => "observers",
        }
    }
}

impl Options {
    /// Where to listen, and for whom.
    fn doors(&self) -> Vec<(Door, Endpoint)> {
        let doors = self.listen.iter();
        doors.flat_map(|(door, endpoints)| endpoints.iter().map(|at| (*door, at.clone()))).collect()
    }
}

/// What the task that keeps the links hears.
#[derive(Debug)]
pub(super) enum Command {
    /// Somebody has connected.
    Accepted(Door, TcpStream, SocketAddr),
    /// Connect to a server.
    Dial(ServerId, Door),
    /// What came of the call with this number.
    Dialed(u64, ServerId, Result<TcpStream, String>),
    /// Read the log for a link, once that can take more.
    ReadLog(LinkId, ReadLog),
    /// Send an image of the tree.
    SendSnapshot(LinkId),
    /// Ask the oracle whether this server may go on alone.
    AskOracle,
    /// A link has ended.
    Ended(LinkId),
}

/// The links that there are.
pub(super) type Table = Mutex<HashMap<LinkId, Arc<Link>>>;

/// All links.
pub(super) struct Links {
    shared: Arc<Shared>,
    store: Arc<dyn Store>,
    options: Arc<Options>,
    commands: UnboundedSender<Command>,
    /// The newest link.
    last: LinkId,
    /// The last call, by its number, as long as it is not answered.
    call: Option<(u64, AbortHandle)>,
    calls: u64,
    oracle: Oracle,
    tasks: JoinSet<()>,
}

impl Links {
    pub(super) fn new(
        shared: Arc<Shared>,
        store: Arc<dyn Store>,
        options: Options,
        commands: UnboundedSender<Command>,
    ) -> Self {
        let oracle = Oracle::new(options.oracle.clone());
        let options = Arc::new(options);
        let (last, call, calls, tasks) = (LinkId(0), None, 0, JoinSet::new());
        Self { shared, store, options, commands, last, call, calls, oracle, tasks }
    }

    /// Runs until it is dropped, and everything it has started with it.
    pub(super) async fn run(mut self, mut commands: UnboundedReceiver<Command>) {
        for (door, endpoint) in self.options.doors() {
            let (shared, options) = (Arc::clone(&self.shared), Arc::clone(&self.options));
            let commands = self.commands.clone();
            self.tasks
                .spawn(async move { listen(&shared, &options, door, &endpoint, &commands).await });
        }
        while let Some(command) = commands.recv().await {
            self.obey(command);
            while self.tasks.try_join_next().is_some() {}
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Accepted(door, stream, remote) => self.accept(door, stream, remote),
            Command::Dial(server, door) => self.dial(server, door),
            Command::Dialed(number, server, result) => self.dialed(number, server, result),
            Command::ReadLog(link, read) => self.read_log(link, read),
            Command::SendSnapshot(link) => self.send_snapshot(link),
            Command::AskOracle => self.ask_oracle(),
            Command::Ended(link) => {
                self.table().lock().remove(&link);
            }
        }
    }

    fn table(&self) -> &Table {
        &self.shared.quorum.table
    }

    fn accept(&mut self, door: Door, stream: TcpStream, remote: SocketAddr) {
        let links = self.table().lock().len();
        if links >= MAX_LINKS {
            tracing::warn!("{remote}: closing the connection of a learner: {links} others");
            return;
        }
        let link = self.start(remote.to_string(), None, stream);
        let input = match door {
            Door::Learners => zab::Input::Accepted(link),
            Door::Observers => zab::Input::AcceptedObserver(link),
        };
        self.shared.submit(&mut vec![Input::Quorum(input)]);
    }

    /// Serves a new link.
    fn start(&mut self, address: String, server: Option<ServerId>, stream: TcpStream) -> LinkId {
        let id = LinkId(self.last.0 + 1);
        self.last = id;
        let link = Arc::new(Link::new(id, address, server, stream));
        self.table().lock().insert(id, Arc::clone(&link));
        let (shared, commands) = (Arc::clone(&self.shared), self.commands.clone());
        let store = Arc::clone(&self.store);
        self.tasks.spawn(async move {
            serve(&shared, &store, &link).await;
            // If nobody listens, the server is ending.
            let _ = commands.send(Command::Ended(id));
        });
        id
    }

    /// Calls a server; an earlier call does not count any more.
    fn dial(&mut self, server: ServerId, door: Door) {
        if let Some((_, call)) = self.call.take() {
            call.abort();
        }
        self.calls += 1;
        let number = self.calls;
        let (options, commands) = (Arc::clone(&self.options), self.commands.clone());
        let call = self.tasks.spawn(async move {
            let result = call(&options, server, door).await;
            let _ = commands.send(Command::Dialed(number, server, result));
        });
        self.call = Some((number, call));
    }

    fn dialed(&mut self, number: u64, server: ServerId, result: Result<TcpStream, String>) {
        if self.call.as_ref().is_none_or(|(current, _)| *current != number) {
            return;
        }
        self.call = None;
        let input = match result {
            Ok(stream) => {
                let remote = stream.peer_addr();
                let remote = remote.map_or_else(|error| error.to_string(), |at| at.to_string());
                zab::Input::Dialed(self.start(remote, Some(server), stream))
            }
            Err(why) => {
                tracing::warn!("cannot connect to server {server} to learn from it: {why}");
                zab::Input::DialFailed(server)
            }
        };
        self.shared.submit(&mut vec![Input::Quorum(input)]);
    }

    fn ask_oracle(&mut self) {
        let (shared, oracle) = (Arc::clone(&self.shared), self.oracle.clone());
        self.tasks.spawn(async move {
            let says = oracle.ask().await;
            shared.submit(&mut vec![Input::Quorum(zab::Input::OracleSaid(says))]);
        });
    }

    fn send_snapshot(&mut self, id: LinkId) {
        let Some(link) = self.table().lock().get(&id).cloned() else { return };
        let (shared, store) = (Arc::clone(&self.shared), Arc::clone(&self.store));
        self.tasks.spawn(async move { images::send(&shared, store, &link).await });
    }

    /// Reads the log on a thread that may wait for the disk.
    fn read_log(&mut self, id: LinkId, read: ReadLog) {
        let Some(link) = self.table().lock().get(&id).cloned() else { return };
        let (shared, store) = (Arc::clone(&self.shared), Arc::clone(&self.store));
        link.advance_pin(read.from, || shared.checkpoints.pin_log());
        self.tasks.spawn(async move {
            if !link.drained().await {
                return;
            }
            let limit = if read.weighs() { shared.log_worth_reading() } else { u64::MAX };
            let read = tokio::task::spawn_blocking(move || read.carry_out(&*store, limit));
            let entries = match read.await {
                Ok(Ok(entries)) => entries.map(|entries| {
                    entries.into_iter().map(|entry| (entry.zxid, entry.payload)).collect()
                }),
                Ok(Err(StoreError::Trimmed { .. })) => None,
                Ok(Err(error)) => {
                    let why = format!("the transaction log cannot be read: {error}");
                    return shared.stop.fail(why);
                }
                // The thread has panicked or the server is ending.
                Err(_) => return,
            };
            shared.submit(&mut vec![Input::Quorum(zab::Input::LogRead(id, entries))]);
        });
    }
}

async fn listen(
    shared: &Shared,
    options: &Options,
    door: Door,
    endpoint: &Endpoint,
    commands: &UnboundedSender<Command>,
) {
    let listener = match sockets::bind(endpoint, options.bind_tries).await {
        Ok(listener) => listener,
        Err(error) => {
            let why = format!("cannot listen for {} on {endpoint}: {error}", door.name());
            return shared.stop.no_port(why);
        }
    };
    tracing::info!("listening for {} on {endpoint}", door.name());
    loop {
        let (stream, remote) = sockets::accept(&listener, options.keep_alive).await;
        let _ = commands.send(Command::Accepted(door, stream, remote));
    }
}

/// Connects to a server that was elected a moment ago and may not listen yet.
async fn call(options: &Options, server: ServerId, door: Door) -> Result<TcpStream, String> {
    let start = Instant::now();
    let endpoints = options.servers.get(&door).and_then(|servers| servers.get(&server));
    let endpoints = endpoints.map_or(&[][..], Vec::as_slice);
    let mut tried = 0;
    loop {
        let left = options.connect.saturating_sub(start.elapsed());
        let error = match sockets::connect(endpoints, left, options.keep_alive).await {
            Ok(stream) => return Ok(stream),
            Err(error) => error,
        };
        tried += 1;
        if tried == TRIES || start.elapsed() >= options.connect {
            return Err(error);
        }
        tokio::time::sleep(options.rest).await;
    }
}
