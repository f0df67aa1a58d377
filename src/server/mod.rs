//! The IO shell around the brain: sockets, threads, clocks and disks.
//!
//! | thread | does |
//! |---|---|
//! | tokio workers | client connections; they answer reads and run the brain with what they bring |
//! | tokio workers | links to other servers; they run the brain with what those say |
//! | log | appends proposals, syncs, and runs the brain with what has become durable |
//! | apply | runs the brain in the log's stead when much has become durable at once |
//! | checkpoint | brings the stored tree up to date, trims the log |
//!
//! Locks are always taken in this order: brain, tree, watches, connections or links, one outbox.

mod accounting;
mod audit;
mod authorize;
mod checkpoints;
mod clock;
mod connection;
mod conns;
mod driver;
pub mod export;
mod histogram;
pub mod import;
mod listen;
mod log;
mod namespaces;
mod options;
mod outbox;
mod quorum;
mod recover;
mod requests;
mod restore;
mod setup;
mod snapshot;
mod stages;
mod standing;
mod stats;
mod stop;

use crate::admin;
use crate::config::{Config, Endpoint};
use crate::replica::{Effect, Input, Kept, Recovered, Replica};
use crate::session::Sessions;
use crate::store::{Loaded, RocksStore};
use crate::tree::Tree;
use crate::types::{Moment, ServerId, SessionId};
use crate::watch::Watches;
use crate::zab::Fatal;
use audit::AuditLog;
pub(crate) use authorize::Denied;
use checkpoints::CheckpointQueue;
use clock::Clock;
pub(crate) use conns::Conn;
use conns::Conns;
pub(crate) use histogram::{Counts, Distribution, Histogram, Percentiles};
pub(crate) use listen::bind_endpoint;
use log::{LogQueue, Sign};
pub(crate) use namespaces::Traffic;
use options::Options;
use parking_lot::{Mutex, RwLock};
use quorum::{Link, Quorum};
pub(crate) use restore::{RestoreError, Upload};
pub(crate) use snapshot::SnapshotFile;
use stages::{Applying, Passages, SlowRequests};
pub(crate) use standing::{Learners, Observer, Standing};
#[cfg(test)]
pub(crate) use stats::Operations;
use stats::ServerStats;
pub(crate) use stats::Summary;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
pub use stop::Ended;
use stop::Stop;
use thiserror::Error;

/// Milliseconds between two looks at the clock: how much later than due a session may expire.
const TICK: Duration = Duration::from_millis(50);
/// How exactly a member of an ensemble keeps its appointments.
const SHORT_TICK: Duration = Duration::from_millis(10);
/// Inputs that may wait for the brain before other servers are no longer listened to.
const MAX_INBOX: usize = 16_384;
/// Bytes that may wait for the log before other servers are no longer listened to.
const MAX_UNLOGGED: usize = 64 << 20;
/// How long clients may take to fetch their replies when the server stops.
const FAREWELL: Duration = Duration::from_millis(500);

/// Why a server does not start or does not go on.
#[derive(Debug, Error)]
pub enum ServerError {
    /// The configuration asks for something that does not go together or is not there yet.
    #[error("{0}")]
    Config(String),
    /// The data directory is not one to use.
    #[error("{0}")]
    Data(String),
    /// The client port cannot be had.
    #[error("cannot listen for clients on {endpoint}: {error}")]
    Bind {
        /// Where.
        endpoint: Endpoint,
        /// Why not.
        error: std::io::Error,
    },
    /// A port for the other servers cannot be had.
    #[error("{0}")]
    QuorumPort(String),
    /// The port of the AdminServer cannot be had.
    #[error("{0}")]
    AdminServer(String),
    /// The port of the metrics cannot be had.
    #[error("{0}")]
    Metrics(String),
    /// The audit log cannot be opened.
    #[error("audit.file: the audit log cannot be opened: {0}")]
    Audit(std::io::Error),
    /// A thread cannot be started.
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
    /// The server had to stop.
    #[error("{0}")]
    Stopped(String),
}

/// The brain and what is needed to run it, behind one lock.
struct Brain {
    replica: Replica,
    inputs: Vec<Input>,
    effects: Vec<Effect>,
    disk: log::Batch,
    /// Links with something in their outboxes that has not been flushed.
    written: Vec<Arc<Link>>,
    woken: Vec<Arc<Conn>>,
    /// What is being applied, for the replies to it.
    applying: Applying,
    /// Whether clients were served after the last inputs.
    serving: bool,
    last_checkpoint: Moment,
}

/// What all threads of a server share.
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    brain: Mutex<Brain>,
    inbox: Mutex<Vec<Input>>,
    pub(crate) tree: RwLock<Tree>,
    pub(crate) watches: Mutex<Watches>,
    pub(crate) conns: Conns,
    touched: Mutex<Vec<Arc<Conn>>>,
    /// Writes that have not been applied.
    outstanding: AtomicUsize,
    log: LogQueue,
    apply_soon: Sign,
    passages: Passages,
    slow_requests: SlowRequests,
    audit: Option<AuditLog>,
    checkpoints: CheckpointQueue,
    pub(crate) stats: ServerStats,
    /// What `stmk` set, for `gtmk`. It traces nothing: the log has its own filter.
    pub(crate) trace_mask: AtomicI64,
    stop: Stop,
    quorum: Quorum,
    /// The next moment, in milliseconds, at which the brain wants to look at the clock.
    next_tick: AtomicU64,
    /// Clients are turned away though the server serves: it leads, and `leaderServes` is no.
    turns_away: AtomicBool,
    /// Where clients are listened to.
    pub(crate) address: SocketAddr,
}

/// The trace mask that ZooKeeper starts with (ZK: `ZooTrace`).
const TRACE_MASK: i64 = 306;

impl Shared {
    /// Looks at the sessions.
    pub(crate) fn with_sessions<R>(&self, look: impl FnOnce(&Sessions) -> R) -> R {
        self.look(|replica| look(replica.sessions()))
    }

    /// Looks at the sessions that only this server knows.
    pub(crate) fn with_local_sessions<R>(&self, look: impl FnOnce(&Sessions) -> R) -> R {
        self.look(|replica| look(replica.local_sessions()))
    }

    /// How many sessions are known to this server alone.
    pub(crate) fn local_sessions(&self) -> usize {
        self.look(|replica| replica.local_sessions().len())
    }

    /// How often another server has expected another tree.
    pub(crate) fn digest_mismatches(&self) -> u64 {
        self.look(Replica::digest_mismatches)
    }

    /// Looks at the brain.
    fn look<R>(&self, look: impl FnOnce(&Replica) -> R) -> R {
        let found = look(&self.brain.lock().replica);
        // Whoever came meanwhile left its inputs to the holder of the brain.
        self.submit(&mut Vec::new());
        found
    }

    /// How many requests of clients have not been answered.
    pub(crate) fn waiting(&self) -> usize {
        self.look(Replica::waiting)
    }

    /// Whether there are more requests in work than the configuration likes.
    fn is_busy(&self) -> bool {
        let limit = self.options.outstanding_limit;
        limit > 0 && self.outstanding.load(Relaxed) > limit
    }

    /// Whether clients are turned away, whatever they want.
    pub(crate) fn turns_away(&self) -> bool {
        self.turns_away.load(Relaxed)
    }

    /// Whether this server is behind with what other servers send it.
    fn is_swamped(&self) -> bool {
        self.log.waiting_bytes() > MAX_UNLOGGED || self.inbox.lock().len() > MAX_INBOX
    }

    /// A session has been heard of; the next tick tells the brain.
    fn touch(&self, conn: &Arc<Conn>) {
        if !conn.touched.swap(true, Relaxed) {
            self.touched.lock().push(Arc::clone(conn));
        }
    }

    /// Waits until the server is to stop.
    pub(crate) async fn stopping(&self) {
        self.stop.wait().await;
    }

    fn tick(&self, inputs: &mut Vec<Input>) {
        self.stats.rotate(self.clock.moment());
        let touched = std::mem::take(&mut *self.touched.lock());
        let sessions = touched.iter().map(|conn| {
            conn.touched.store(false, Relaxed);
            let granted_ms = conn.outbox.lock().established.unwrap_or(0);
            (SessionId(conn.session.load(Relaxed)), granted_ms)
        });
        let sessions: Vec<_> = sessions.collect();
        if !sessions.is_empty() {
            inputs.push(Input::Touched(sessions));
        }
        inputs.push(Input::Tick);
        self.submit(inputs);
    }
}

/// A running server.
pub struct Server {
    shared: Arc<Shared>,
    threads: Threads,
    tasks: Vec<tokio::task::JoinHandle<()>>,
    /// What answers operators; each ends by itself once the server is to stop.
    operators: Vec<tokio::task::JoinHandle<()>>,
    store: Arc<RocksStore>,
}

impl Server {
    /// Reads the data, binds the client port and serves. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// The configuration, the data or the port cannot be used.
    pub fn start(config: Config) -> Result<Self, ServerError> {
        setup::refuse_what_is_missing(&config)?;
        let member = config.ensemble.clone();
        let options = Options::new(&config).map_err(ServerError::Config)?;
        let endpoint = config.client.plain.clone();
        let endpoint = endpoint.ok_or_else(|| {
            ServerError::Config("clientPort is not set, and TLS is not available yet".to_owned())
        })?;
        let store = Arc::new(setup::open_store(&config)?);
        let started = Instant::now();
        let (recovered, loaded) = setup::load(&config, &*store)?;
        if let Some(ensemble) = &config.ensemble
            && options::was_reconfigured(&recovered.tree, &recovered.tail, ensemble)
        {
            return Err(ServerError::Config(Fatal::Outdated.to_string()));
        }
        let startup_ms = millis_since(started);
        let listener = listen::bind(&endpoint, &config.client)
            .map_err(|error| ServerError::Bind { endpoint: endpoint.clone(), error })?;
        let address =
            listener.local_addr().map_err(|error| ServerError::Bind { endpoint, error })?;
        let replayed = recovered.replayed;
        let keep_alive = config.client.tcp_keep_alive;
        let (quorum, commands) = Quorum::new();
        let audit = AuditLog::open(&config.audit).map_err(ServerError::Audit)?;
        let shared = assemble(config, options, (recovered, loaded), address, quorum, audit);
        let shared = Arc::new(shared);
        shared.stats.startup_entries.add(replayed);
        shared.stats.startup_ms.add(startup_ms);
        let operators = admin::start(&shared, &store)?;
        let threads = Threads::start(&shared, &store).map_err(ServerError::Thread)?;
        let mut tasks = vec![
            tokio::spawn(listen::accept(Arc::clone(&shared), listener, keep_alive)),
            tokio::spawn(ticker(Arc::clone(&shared))),
        ];
        if let Some(ensemble) = &member {
            let store = Arc::<RocksStore>::clone(&store);
            tasks.extend(quorum::start(&shared, store, ensemble, commands));
            tracing::info!("listening for clients on {address}");
        } else {
            tracing::info!("serving clients on {address}");
        }
        Ok(Self { shared, threads, tasks, operators, store })
    }

    /// Where clients are listened to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// Ends the server when `request` is done or when it cannot go on. What was acknowledged is
    /// kept, and clients get the replies that are on their way.
    ///
    /// # Errors
    /// The server could not go on.
    pub async fn run_until(self, request: impl Future<Output = ()>) -> Result<Ended, ServerError> {
        let shared = Arc::clone(&self.shared);
        tokio::select! {
            () = request => shared.stop.finish(),
            () = shared.stop.wait() => {}
        }
        self.shut_down().await
    }

    async fn shut_down(self) -> Result<Ended, ServerError> {
        let Self { shared, threads, tasks, operators, store } = self;
        for task in tasks {
            task.abort();
        }
        shared.conns.close_all();
        let deadline = Instant::now() + FAREWELL;
        while shared.conns.len() > 0 && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        for task in operators {
            let handle = task.abort_handle();
            if tokio::time::timeout_at(deadline.into(), task).await.is_err() {
                handle.abort();
            }
        }
        shared.log.close();
        let last = Arc::clone(&shared);
        let joined = tokio::task::spawn_blocking(move || {
            // Each has done its work when what feeds it has ended.
            let log = threads.log.join();
            last.apply_soon.close();
            let apply = threads.apply.join();
            last.checkpoint_all();
            last.checkpoints.close();
            if let Some(audit) = &last.audit {
                audit.close();
            }
            [log, apply, threads.checkpoint.join()].iter().all(Result::is_ok)
        });
        let clean = joined.await.unwrap_or(false);
        // Whoever starts anew in this process needs the databases to be closed.
        let deadline = Instant::now() + FAREWELL;
        while Arc::strong_count(&store) > 1 && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        drop(store);
        let ended = shared.stop.reason()?;
        if clean {
            Ok(ended)
        } else {
            Err(ServerError::Stopped("a thread has panicked".to_owned()))
        }
    }
}

impl Shared {
    /// Hands over what the stored tree still lacks.
    fn checkpoint_all(&self) {
        let mut brain = self.brain.lock();
        let mut tree = self.tree.write();
        self.push_checkpoint(&mut brain, &mut tree);
    }
}

fn millis_since(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX)
}

async fn ticker(shared: Arc<Shared>) {
    let mut inputs = Vec::new();
    let step = if shared.config.ensemble.is_some() { SHORT_TICK } else { TICK };
    let mut interval = tokio::time::interval(step);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut last = None::<Instant>;
    loop {
        interval.tick().await;
        let appointment = Moment(shared.next_tick.load(Relaxed));
        let due = last.is_none_or(|last| last.elapsed() + step / 2 >= TICK)
            || shared.clock.moment() >= appointment;
        if due {
            last = Some(Instant::now());
            shared.tick(&mut inputs);
        }
    }
}

/// The threads of a server besides the runtime's.
struct Threads {
    log: JoinHandle<()>,
    apply: JoinHandle<()>,
    checkpoint: JoinHandle<()>,
}

impl Threads {
    fn start(shared: &Arc<Shared>, store: &Arc<RocksStore>) -> std::io::Result<Self> {
        let spawn = |name: &str, run: fn(&Arc<Shared>, &RocksStore)| {
            let (shared, store) = (Arc::clone(shared), Arc::clone(store));
            std::thread::Builder::new().name(name.to_owned()).spawn(move || run(&shared, &store))
        };
        Ok(Self {
            log: spawn("log", |shared, store| {
                let member = shared.config.ensemble.as_ref();
                let server = member.map(|ensemble| ServerId(ensemble.my_id));
                log::run(shared, store, shared.options.durability, server);
            })?,
            apply: spawn("apply", |shared, _| log::apply(shared))?,
            checkpoint: spawn("checkpoint", |shared, store| checkpoints::run(shared, store))?,
        })
    }
}

fn assemble(
    config: Config,
    options: Options,
    (recovered, loaded): (Recovered, Loaded),
    address: SocketAddr,
    quorum: Quorum,
    audit: Option<AuditLog>,
) -> Shared {
    let clock = Clock::start();
    let now = clock.now();
    let Recovered { mut tree, sessions, session_changes, tail, .. } = recovered;
    let replica_options = options::replica(&config, options.auth.clone());
    let replica = match &config.ensemble {
        None => Replica::new(replica_options, &tree, sessions, session_changes, now),
        Some(ensemble) => {
            options::set_config(&mut tree, ensemble, now.wall);
            let peer = options::peer(&config, ensemble);
            let kept = Kept { sessions, session_changes, tail };
            Replica::member(replica_options, peer, setup::epochs(&loaded), &tree, kept, now)
        }
    };
    let limits = &config.limits;
    Shared {
        conns: Conns::new(limits.connections as usize, limits.connections_per_ip as usize),
        options,
        config,
        clock,
        brain: Mutex::new(Brain {
            replica,
            inputs: Vec::new(),
            effects: Vec::new(),
            disk: log::Batch::default(),
            written: Vec::new(),
            woken: Vec::new(),
            applying: Applying::default(),
            serving: false,
            last_checkpoint: Moment(0),
        }),
        inbox: Mutex::default(),
        tree: RwLock::new(tree),
        watches: Mutex::default(),
        touched: Mutex::default(),
        outstanding: AtomicUsize::new(0),
        log: LogQueue::default(),
        apply_soon: Sign::default(),
        passages: Passages::default(),
        slow_requests: SlowRequests::default(),
        audit,
        checkpoints: CheckpointQueue::default(),
        stats: ServerStats::default(),
        trace_mask: AtomicI64::new(TRACE_MASK),
        stop: Stop::default(),
        quorum,
        next_tick: AtomicU64::new(0),
        turns_away: AtomicBool::new(false),
        address,
    }
}
