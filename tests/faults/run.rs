//! A run: starts servers and clients, lets the faults happen, and judges what came of it.

use super::clients::{Board, FILLER, ROOTS, data};
use super::isolation::{self, Place};
use super::plan::plan;
use super::random::Random;
use super::servers::Servers;
use super::workers::{LEDGER_CLIENTS, REGISTER_CLIENTS, Work, Worker};
use super::{troubles, verdict};
use crate::server_support::PATIENCE;
use std::collections::HashMap;
use std::env;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use zabra::client::{Client, CreateMode};

/// The seed of a run, if it is not to be a new one.
const SEED: &str = "ZABRA_FAULTS_SEED";

/// How long everything must have been well before the run is judged.
const CALM: Duration = Duration::from_secs(1);

/// Does a run in a place of its own, or, if this is that place, does it here. Without a seed it is
/// the usual run: that shall fail for what was changed, and what is new is for long runs to find.
pub(super) fn run(test: &str, servers: usize, usual: u64) {
    let seed = given().unwrap_or(usual);
    if let Some(place) = isolation::inside() {
        return Run::new(place, servers, seed).judge();
    }
    run_seed(test, seed);
}

/// Does a run with a seed in a place of its own.
pub(super) fn run_seed(test: &str, seed: u64) {
    let environment = [(SEED, seed.to_string())];
    assert!(
        isolation::run(test, &environment),
        "{SEED}={seed} cargo test --test ensemble_faults {test} repeats this"
    );
}

/// The seed that was given.
fn given() -> Option<u64> {
    let given = env::var(SEED).ok()?;
    Some(given.parse().unwrap_or_else(|error| panic!("{SEED}={given}: {error}")))
}

/// The seed that was given, or a new one.
pub(super) fn seed() -> u64 {
    if let Some(given) = given() {
        return given;
    }
    let time = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    Random::new(u64::from(time.subsec_nanos())).between(0, 999_999_999)
}

struct Run {
    seed: u64,
    servers: Servers,
    board: Arc<Board>,
    /// What happened when, for whoever has to find out why.
    story: String,
}

impl Run {
    /// Starts the servers.
    fn new(place: Place, count: usize, seed: u64) -> Self {
        eprintln!("faults: {count} servers, seed {seed}");
        let servers = Servers::start(place, count);
        let board = Arc::new(Board::new(servers.ensemble.servers()));
        Self { seed, servers, board, story: String::new() }
    }

    fn judge(mut self) {
        let runtime = Runtime::new().expect("a runtime");
        runtime.block_on(prepare(&self.servers));
        let mut random = Random::new(self.seed);
        let faults = self.servers.faults();
        let clients = start_clients(&runtime, &self.board, &mut random);
        for step in plan(&mut random, self.servers.count(), &faults) {
            let (story, board) = (&mut self.story, &self.board);
            let mut tell = |text: String| {
                let _ = writeln!(story, "{} {text}", board.now());
            };
            troubles::suffer(&mut self.servers, board, &step, &mut tell);
        }
        let verdict = runtime.block_on(self.end(clients));
        self.servers.assert_alive();
        match verdict {
            Ok(summary) => eprintln!("faults: seed {}: {summary}", self.seed),
            Err(why) => panic!("{why}"),
        }
    }

    /// Lets the clients come to their end, and judges.
    async fn end(&self, mut clients: JoinSet<Option<Client>>) -> Result<String, String> {
        let (servers, board) = (&self.servers, &self.board);
        // Everything is mended now, so that writes must succeed again.
        let client = servers.ensemble.client().await;
        set_until_done(&client, FILLER).await;
        servers.ids().for_each(|id| servers.ensemble.serving(id));
        tokio::time::sleep(CALM).await;
        board.stop.store(true, Relaxed);
        let mut living = Vec::new();
        while let Some(client) = clients.join_next().await {
            living.extend(client.map_err(|error| error.to_string())?);
        }
        verdict::read_everything(board, &client).await?;
        let trees = verdict::trees(board, servers, &living).await?;
        verdict::check_trees(board, &trees)?;
        verdict::check_digests(servers)?;
        let reigns = servers.check_logs()?;
        let history = board.history.lock().expect("the history");
        let superseded = verdict::check_history(&history, &reigns)?;
        if let Some(why) = board.wrong.lock().expect("the complaints").first() {
            return Err(why.clone());
        }
        let unknown = history.iter().filter(|operation| operation.outcome.is_none()).count();
        let (tried, acknowledged) = board.ledger.counts();
        let sessions = board.sessions.lock().expect("the sessions").len();
        Ok(format!(
            "{} operations, {unknown} without an answer, {superseded} syncs by superseded \
             leaders; {acknowledged} of {tried} entries acknowledged; {sessions} sessions, {} \
             leaders: all in order",
            history.len(),
            reigns.len()
        ))
    }

    /// Writes down what is known of a run that has failed.
    fn keep(&self) {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("faults-{}", self.seed));
        if fs::create_dir_all(&dir).is_err() {
            return;
        }
        self.servers.keep_logs(&dir);
        let _ = fs::write(dir.join("story"), &self.story);
        if let Ok(history) = self.board.history.lock() {
            let lines = history.iter().map(|operation| format!("{operation}\n"));
            let _ = fs::write(dir.join("history"), lines.collect::<String>());
        }
        eprintln!("faults: seed {}: logs and history are in {}", self.seed, dir.display());
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.keep();
        }
    }
}

/// Makes what the clients need.
async fn prepare(servers: &Servers) {
    let client = servers.ensemble.client().await;
    for path in ROOTS {
        let created = client.create(path, data(0), CreateMode::Persistent).await;
        created.unwrap_or_else(|error| panic!("{path}: {error}"));
    }
    client.close().await.expect("a closed session");
}

fn start_clients(
    runtime: &Runtime,
    board: &Arc<Board>,
    random: &mut Random,
) -> JoinSet<Option<Client>> {
    let mut clients = JoinSet::new();
    let registers = (0..REGISTER_CLIENTS).map(|_| Work::Registers(HashMap::new()));
    let ledger = (0..LEDGER_CLIENTS).map(|_| Work::Ledger);
    for work in registers.chain(ledger).chain([Work::Fill]) {
        let random = Random::new(random.between(0, u64::MAX - 1));
        let worker = Worker::new(Arc::clone(board), random, work);
        clients.spawn_on(worker.run(), runtime.handle());
    }
    clients
}

/// Writes until it succeeds.
async fn set_until_done(client: &Client, path: &str) {
    let start = Instant::now();
    while let Err(error) = client.set(path, data(0), None).await {
        assert!(start.elapsed() < PATIENCE, "no write succeeds: {error}");
        tokio::time::sleep(CALM / 10).await;
    }
}
