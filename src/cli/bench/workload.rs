//! One operation of each workload.

use super::measure::Outcome;
use super::tree::{BUCKET, Layout};
use crate::client::{Client, ClientError, CreateMode, Options, Transaction};
use crate::types::ErrorCode;
use bytes::Bytes;
use parking_lot::Mutex;
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// What is done again and again.
#[derive(Debug)]
pub(super) enum Work {
    /// Create a znode.
    Create(CreateMode),
    /// Read or change a random znode: so many of a hundred operations are reads.
    Mixed { reads: u64 },
    /// List children.
    List,
    /// Change several znodes in one request.
    Multi { ops: usize },
    /// Begin and end a session.
    Connect,
    /// Change a znode and wait until all watches on it have fired.
    Watch,
    /// Take a lock and release it; when it was last released.
    Lock(Mutex<Option<Instant>>),
    /// Create the next znodes of the layout.
    Load { batch: usize, next: AtomicUsize },
}

/// What the operations of a run work on.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) layout: Layout,
    /// The paths of all znodes.
    pub(super) paths: Vec<String>,
    pub(super) data: Bytes,
    pub(super) server: String,
    pub(super) options: Options,
}

/// One sequence of operations, each begun when the last one has ended.
#[derive(Debug)]
pub(super) struct Lane {
    /// Its number, of all lanes of the run.
    number: usize,
    /// Its session; those of all watchers in the watch workload.
    clients: Vec<Client>,
    random: Random,
    /// How many operations it has begun.
    begun: usize,
}

impl Lane {
    pub(super) fn new(number: usize, clients: Vec<Client>) -> Self {
        Self { number, clients, random: Random::new(number), begun: 0 }
    }

    /// Whether it can go on.
    pub(super) fn is_alive(&self) -> bool {
        self.clients.iter().all(|client| !client.state().get().is_final())
    }
}

impl Work {
    /// What the second kind of latency is called, if there is one.
    pub(super) const fn other_name(&self) -> Option<&'static str> {
        match self {
            Self::Connect => Some("close"),
            Self::Watch => Some("notify_each"),
            Self::Lock(_) => Some("acquire"),
            _ => None,
        }
    }

    /// How many operations one request carries.
    pub(super) const fn operations_per_request(&self) -> usize {
        match self {
            Self::Multi { ops } => *ops,
            Self::Load { batch, .. } => *batch,
            _ => 1,
        }
    }

    /// Does one operation.
    pub(super) async fn run(
        &self,
        target: &Target,
        lane: &mut Lane,
    ) -> Result<Outcome, ClientError> {
        let index = lane.begun;
        lane.begun += 1;
        match self {
            Self::Create(mode) => create(target, lane, index, *mode).await,
            Self::Mixed { reads } => mixed(target, lane, *reads).await,
            Self::List => {
                let parent = target.layout.parent(0);
                timed(lane.client()?.children(&parent)).await
            }
            Self::Multi { ops } => multi(target, lane, *ops).await,
            Self::Connect => connect(target).await,
            Self::Watch => watch(target, lane).await,
            Self::Lock(released) => lock(target, lane, released).await,
            Self::Load { batch, next } => {
                let first = next.fetch_add(*batch, Ordering::Relaxed);
                let creation = target.layout.creation(first..first + batch, &target.data);
                timed(lane.client()?.multi(&creation)).await
            }
        }
    }
}

impl Lane {
    fn client(&self) -> Result<&Client, ClientError> {
        self.clients.first().ok_or(ClientError::NotConnected)
    }
}

async fn timed<T>(
    operation: impl Future<Output = Result<T, ClientError>>,
) -> Result<Outcome, ClientError> {
    let start = Instant::now();
    operation.await?;
    Ok(Outcome { latency: start.elapsed(), others: Vec::new() })
}

async fn create(
    target: &Target,
    lane: &Lane,
    index: usize,
    mode: CreateMode,
) -> Result<Outcome, ClientError> {
    let client = lane.client()?;
    let parent = format!("{}/c{}-{}", target.layout.dir, lane.number, index / BUCKET);
    if index.is_multiple_of(BUCKET) {
        client.create(&parent, None, CreateMode::Persistent).await?;
    }
    let path = format!("{parent}/n{index}");
    timed(client.create(&path, target.data.clone(), mode)).await
}

async fn mixed(target: &Target, lane: &mut Lane, reads: u64) -> Result<Outcome, ClientError> {
    let is_read = lane.random.below(100) < reads;
    let path = lane.random.pick(&target.paths);
    let client = lane.client()?;
    if is_read {
        timed(client.get(path)).await
    } else {
        timed(client.set(path, target.data.clone(), None)).await
    }
}

async fn multi(target: &Target, lane: &mut Lane, ops: usize) -> Result<Outcome, ClientError> {
    let transaction = (0..ops).fold(Transaction::new(), |transaction, _| {
        let path = lane.random.pick(&target.paths);
        transaction.set(path, target.data.clone(), None)
    });
    timed(lane.client()?.multi(&transaction)).await
}

async fn connect(target: &Target) -> Result<Outcome, ClientError> {
    let start = Instant::now();
    let client = Client::connect(&target.server, target.options.clone()).await?;
    let latency = start.elapsed();
    let start = Instant::now();
    client.close().await?;
    Ok(Outcome { latency, others: vec![start.elapsed()] })
}

async fn watch(target: &Target, lane: &Lane) -> Result<Outcome, ClientError> {
    let mut arming = JoinSet::new();
    for client in &lane.clients {
        let (client, path) = (client.clone(), target.layout.path(0));
        arming.spawn(async move { client.get_and_watch(&path).await.map(|(_, watch)| watch) });
    }
    let watches = arming.join_all().await.into_iter().collect::<Result<Vec<_>, _>>()?;
    let start = Instant::now();
    let mut waiting = JoinSet::new();
    for watch in watches {
        waiting.spawn(async move { watch.await.map(|_| start.elapsed()) });
    }
    lane.client()?.set(&target.layout.path(0), target.data.clone(), None).await?;
    let others = waiting.join_all().await.into_iter().collect::<Result<Vec<Duration>, _>>()?;
    Ok(Outcome { latency: others.iter().copied().max().unwrap_or_default(), others })
}

/// The lock recipe: whoever has the lowest number holds the lock; everyone else watches the znode
/// before their own.
async fn lock(
    target: &Target,
    lane: &Lane,
    released: &Mutex<Option<Instant>>,
) -> Result<Outcome, ClientError> {
    let (client, dir) = (lane.client()?, &target.layout.dir);
    let start = Instant::now();
    let prefix = format!("{dir}/lock-");
    let mine = client.create(&prefix, None, CreateMode::EphemeralSequential).await?.path;
    loop {
        let names = client.children(dir).await?;
        let paths = names.iter().map(|name| format!("{dir}/{name}"));
        let mut paths: Vec<_> = paths.filter(|path| path.starts_with(&prefix)).collect();
        paths.sort_unstable();
        match paths.iter().position(|path| *path == mine) {
            Some(0) => break,
            Some(at) => {
                let (before, gone) = client.exists_and_watch(&paths[at - 1]).await?;
                if before.is_some() {
                    gone.await?;
                }
            }
            None => return Err(ClientError::Api(ErrorCode::NoNode)),
        }
    }
    let acquired = Instant::now();
    // Nobody has released the lock before its first holder.
    let since = released.lock().replace(acquired).unwrap_or(start);
    client.delete(&mine, None).await?;
    Ok(Outcome { latency: acquired - since.max(start), others: vec![acquired - start] })
}

/// A small generator of random numbers (xorshift64*).
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn new(seed: usize) -> Self {
        Self((seed as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) % limit
    }

    fn pick<'a>(&mut self, paths: &'a [String]) -> &'a str {
        let index = self.below(paths.len().max(1) as u64);
        paths.get(usize::try_from(index).unwrap_or(0)).map_or("/", String::as_str)
    }
}
