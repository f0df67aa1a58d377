//! Runs a workload: prepares its znodes, spreads its sessions over threads, decides when to
//! measure, cleans up.

use super::BenchError;
use super::args::Common;
use super::measure::{Control, Phase, Recorder, Samples};
use super::process::Usage;
use super::report::{Latency, ProcessReport, Report};
use super::tree::{self, BUCKET, Layout};
use super::workload::{Lane, Target, Work};
use crate::client::{Client, ClientError, CreateMode, Options};
use bytes::Bytes;
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::BTreeMap;
use std::future::Future;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};

/// A workload on one server.
pub(super) struct Run {
    pub(super) name: &'static str,
    pub(super) work: Work,
    pub(super) common: Common,
    pub(super) server: String,
    pub(super) pids: Vec<String>,
}

/// What the threads of a run share.
struct Shared {
    work: Work,
    target: Target,
    control: Control,
    lanes_per_session: usize,
    all_sessions_in_one_lane: bool,
}

/// How many sessions a thread opens at the same time.
const OPENING: usize = 32;

impl Run {
    /// Prepares, measures and cleans up.
    pub(super) async fn run(self) -> Result<Report, BenchError> {
        let options = client_options(&self.common);
        let setup = Client::connect(&self.server, options.clone()).await?;
        let layout = self.prepare(&setup).await?;
        let (dir, keep) = (layout.dir.clone(), self.common.keep);
        let result = self.measure(layout, options).await;
        if !keep {
            tree::remove_tree(&setup, &dir).await?;
        }
        setup.close().await?;
        result
    }

    /// Creates the znodes that the workload needs.
    async fn prepare(&self, client: &Client) -> Result<Layout, BenchError> {
        let root = &self.common.root;
        tree::ensure(client, root).await?;
        let prefix = format!("{root}/run-");
        let dir = client.create(&prefix, None, CreateMode::PersistentSequential).await?.path;
        let bucket = if matches!(self.work, Work::List) { usize::MAX } else { BUCKET };
        let layout = Layout { dir, bucket };
        let (nodes, data) = (self.common.nodes, self.data());
        match self.work {
            Work::Mixed { .. } | Work::List | Work::Multi { .. } => {
                layout.populate(client, nodes, &data).await?;
            }
            Work::Watch => layout.populate(client, 1, &data).await?,
            Work::Load { batch, .. } => {
                layout.create_parents(client, nodes.next_multiple_of(batch)).await?;
            }
            Work::Create(_) | Work::Connect | Work::Lock(_) => {}
        }
        Ok(layout)
    }

    fn data(&self) -> Bytes {
        vec![b'x'; self.common.size].into()
    }

    fn report(&self) -> Report {
        Report {
            workload: self.name,
            server: self.server.clone(),
            sessions: self.common.sessions,
            pipeline: self.common.pipeline,
            threads: self.common.threads,
            size: self.common.size,
            nodes: self.common.nodes,
            seconds: 0.0,
            operations: 0,
            operations_per_request: self.work.operations_per_request(),
            throughput: 0.0,
            latency: Latency::of(&Samples::new().latency),
            others: BTreeMap::new(),
            errors: BTreeMap::new(),
            processes: Vec::new(),
            generator_cpus: 0.0,
        }
    }

    async fn measure(self, layout: Layout, options: Options) -> Result<Report, BenchError> {
        let mut report = self.report();
        let data = self.data();
        let Self { work, common, server, pids, .. } = self;
        let target = Target { paths: layout.paths(common.nodes), layout, data, server, options };
        let other_name = work.other_name();
        let shared = Arc::new(Shared {
            lanes_per_session: if matches!(work, Work::Lock(_)) { 1 } else { common.pipeline },
            all_sessions_in_one_lane: matches!(work, Work::Watch),
            work,
            target,
            control: Control::new(common.requests),
        });
        let mut threads = Threads::start(&shared, &common).await?;
        let bar = progress_bar(&common);
        let stop_early = tokio::signal::ctrl_c();
        tokio::pin!(stop_early);

        if !common.warmup.is_zero() {
            threads.go();
            tokio::select! {
                () = tokio::time::sleep(common.warmup) => {}
                _ = &mut stop_early => {}
            }
        }
        let before = usages(&pids)?;
        let start = Instant::now();
        shared.control.set_phase(Phase::Measure);
        threads.go();
        tokio::select! {
            () = tokio::time::sleep(common.duration), if common.requests.is_none() => {}
            () = threads.ended() => {}
            _ = &mut stop_early => {}
            () = show_progress(&bar, &shared.control, start) => {}
        }
        shared.control.set_phase(Phase::Stop);
        let elapsed = start.elapsed();
        let after = usages(&pids)?;
        bar.finish_and_clear();

        report.set_samples(&threads.join().await?, elapsed, other_name);
        let mut usages = before.into_iter().zip(after).map(|(pid_before, pid_after)| {
            let usages = (pid_before.1, pid_after.1);
            ProcessReport::new(&pid_before.0, usages, elapsed, report.operations)
        });
        report.generator_cpus = usages.next().map_or(0.0, |own| own.cpus);
        report.processes = usages.collect();
        Ok(report)
    }
}

/// What a run's clients have in common.
pub(super) fn client_options(common: &Common) -> Options {
    Options { session_timeout: common.session_timeout, ..Options::default() }
}

/// The usage of this process and of these.
fn usages(pids: &[String]) -> Result<Vec<(String, Usage)>, BenchError> {
    let pids = std::iter::once("self").chain(pids.iter().map(String::as_str));
    pids.map(|pid| Ok((pid.to_owned(), Usage::of(pid)?))).collect()
}

fn progress_bar(common: &Common) -> ProgressBar {
    // Draws on a terminal only.
    let millis = u64::try_from(common.duration.as_millis()).unwrap_or(u64::MAX);
    let (length, template) = match common.requests {
        Some(requests) => (requests, "{wide_bar} {pos}/{len} {msg}"),
        None => (millis, "{wide_bar} {elapsed} {msg}"),
    };
    let style = ProgressStyle::with_template(template);
    ProgressBar::new(length).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// Keeps the bar up to date, for ever.
async fn show_progress(bar: &ProgressBar, control: &Control, start: Instant) {
    let mut last = 0;
    let interval = Duration::from_millis(200);
    loop {
        tokio::time::sleep(interval).await;
        let done = control.done();
        bar.set_message(format!("{} requests/s", (done - last) * 5));
        let elapsed = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        bar.set_position(if control.is_timed() { elapsed } else { done });
        last = done;
    }
}

/// The threads of a run, each with a runtime and a share of the sessions of its own.
struct Threads {
    handles: Vec<JoinHandle<Samples>>,
    go: watch::Sender<bool>,
    /// Gets a message for each thread that has opened its sessions and is then closed when all
    /// threads have ended.
    news: mpsc::Receiver<Result<(), ClientError>>,
}

impl Threads {
    /// Starts the threads and waits until all sessions are open.
    async fn start(shared: &Arc<Shared>, common: &Common) -> Result<Self, BenchError> {
        let count = if shared.all_sessions_in_one_lane { 1 } else { common.threads };
        let count = count.min(common.sessions);
        let (go, _) = watch::channel(false);
        let (ready, news) = mpsc::channel(count);
        let mut threads = Self { handles: Vec::new(), go, news };
        for number in 0..count {
            let sessions = number * common.sessions / count..(number + 1) * common.sessions / count;
            let (shared, ready, go) = (Arc::clone(shared), ready.clone(), threads.go.subscribe());
            let work = move || run_thread(drive(shared, sessions, ready, go));
            threads.handles.push(tokio::task::spawn_blocking(work));
        }
        for _ in 0..count {
            let opened = threads.news.recv().await;
            opened.unwrap_or(Err(ClientError::Closed))?;
        }
        Ok(threads)
    }

    /// Lets the lanes begin.
    fn go(&self) {
        self.go.send_replace(true);
    }

    /// Waits until all threads have ended.
    async fn ended(&mut self) {
        while self.news.recv().await.is_some() {}
    }

    /// Waits for all threads and adds up their samples.
    async fn join(self) -> Result<Samples, BenchError> {
        let mut samples = Samples::new();
        for handle in self.handles {
            let thread = handle.await.map_err(|error| BenchError::Thread(error.to_string()))?;
            samples.merge(&thread);
        }
        Ok(samples)
    }
}

/// Runs a future on a runtime of this thread's own.
fn run_thread(work: impl Future<Output = Samples>) -> Samples {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => {
            tracing::error!("no runtime: {error}");
            Samples::new()
        }
    }
}

/// What one thread does: open sessions, wait for the start, drive lanes to the end.
async fn drive(
    shared: Arc<Shared>,
    sessions: Range<usize>,
    ready: mpsc::Sender<Result<(), ClientError>>,
    mut go: watch::Receiver<bool>,
) -> Samples {
    let opened = open(&shared, sessions.len()).await;
    let news = opened.as_ref().map(drop).map_err(|error| *error);
    let _ = ready.send(news).await;
    let (Ok(clients), Ok(_)) = (opened, go.wait_for(|go| *go).await) else {
        return Samples::new();
    };
    let recorder = Arc::new(Recorder::new());
    let mut lanes = JoinSet::new();
    for lane in lanes_of(&shared, sessions, &clients) {
        lanes.spawn(drive_lane(Arc::clone(&shared), Arc::clone(&recorder), lane));
    }
    lanes.join_all().await;
    drop(ready);
    let mut closing = JoinSet::new();
    for client in clients {
        closing.spawn(async move { client.close().await });
    }
    closing.join_all().await;
    recorder.samples()
}

/// Opens sessions; none for a workload that opens its own.
async fn open(shared: &Shared, count: usize) -> Result<Vec<Client>, ClientError> {
    let count = if matches!(shared.work, Work::Connect) { 0 } else { count };
    let mut clients = Vec::with_capacity(count);
    while clients.len() < count {
        let mut opening = JoinSet::new();
        for _ in clients.len()..count.min(clients.len() + OPENING) {
            let (server, options) = (shared.target.server.clone(), shared.target.options.clone());
            opening.spawn(async move { Client::connect(&server, options).await });
        }
        for client in opening.join_all().await {
            clients.push(client?);
        }
    }
    Ok(clients)
}

/// The lanes of a thread with these sessions.
fn lanes_of(shared: &Shared, sessions: Range<usize>, clients: &[Client]) -> Vec<Lane> {
    if shared.all_sessions_in_one_lane {
        return vec![Lane::new(0, clients.to_vec())];
    }
    let mut lanes = Vec::new();
    for (index, session) in sessions.enumerate() {
        for lane in 0..shared.lanes_per_session {
            // None where each operation has a session of its own.
            let client = clients.get(index).cloned().into_iter().collect();
            lanes.push(Lane::new(session * shared.lanes_per_session + lane, client));
        }
    }
    lanes
}

/// Does operations until the run is over or the session is.
async fn drive_lane(shared: Arc<Shared>, recorder: Arc<Recorder>, mut lane: Lane) {
    while let Some(counted) = shared.control.begin() {
        let result = shared.work.run(&shared.target, &mut lane).await;
        if shared.control.counts(counted) {
            recorder.add(&result);
            shared.control.add_done(1);
        }
        if result.is_err() && !lane.is_alive() {
            break;
        }
    }
}
