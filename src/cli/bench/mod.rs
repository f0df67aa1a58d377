//! `zabra bench`: a load generator for servers that speak ZooKeeper's client protocol, over our
//! own client library.
//!
//! | part | is |
//! |---|---|
//! | `args` | the command line |
//! | `runner` | prepares, spreads sessions over threads, measures, cleans up |
//! | `workload` | one operation of each workload |
//! | `measure` | phases, histograms, errors |
//! | `report` | the result for people and programs |
//! | `tree` | znodes in bulk |
//! | `process` | what the server's processes use |
//! | `stub` | a server of canned replies |
//!
//! Load is closed: each lane begins an operation when its last one has ended. So latencies are
//! those under the load that results, and a server that stalls is asked less in the meantime.

mod args;
mod measure;
mod process;
mod report;
mod runner;
mod stub;
mod tree;
mod workload;

pub use args::{
    BenchArgs, BenchCommand, Common, CreateArgs, LoadArgs, MixedArgs, MultiArgs, StubArgs,
};
pub use report::{Latency, ProcessReport, Report};

use crate::client::{Client, ClientError, CreateMode};
use parking_lot::Mutex;
use runner::Run;
use std::io::{self, Write};
use std::sync::atomic::AtomicUsize;
use std::time::Duration;
use workload::Work;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The server cannot be used.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A process cannot be looked at: which file, and why.
    #[error("{0}: {1}")]
    Process(String, String),
    /// Arguments that do not go together.
    #[error("{0}")]
    Arguments(&'static str),
    /// A thread of the load generator has died.
    #[error("a thread of the load generator: {0}")]
    Thread(String),
    /// Printing or listening failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Does what the command line says and prints the reports.
///
/// # Errors
/// Whatever keeps a report from being made. Errors of single operations are in the report.
pub async fn run(args: BenchArgs) -> Result<(), BenchError> {
    let is_json = match &args.command {
        BenchCommand::Stub(args) => return Ok(stub::run(args).await?),
        BenchCommand::Cleanup(common) => return cleanup(common).await,
        command => common_of(command).is_some_and(|common| common.json),
    };
    for report in reports(&args.command).await? {
        let text = if is_json {
            serde_json::to_string(&report).map_err(io::Error::from)?
        } else {
            report.to_string()
        };
        writeln!(io::stdout().lock(), "{text}")?;
    }
    Ok(())
}

/// Measures a workload on each of its servers, one after the other.
///
/// # Errors
/// As [`run`].
pub async fn reports(command: &BenchCommand) -> Result<Vec<Report>, BenchError> {
    let mut reports = Vec::new();
    let count = common_of(command).map_or(0, |common| common.server.len());
    for index in 0..count {
        let Some((name, common, work)) = plan(command) else { break };
        let pids = pids_of(&common, index)?;
        let server = common.server[index].clone();
        reports.push(Run { name, work, common, server, pids }.run().await?);
    }
    Ok(reports)
}

/// The processes that belong to a server.
fn pids_of(common: &Common, server: usize) -> Result<Vec<String>, BenchError> {
    if common.pid.is_empty() {
        return Ok(Vec::new());
    }
    if common.pid.len() != common.server.len() {
        return Err(BenchError::Arguments("--pid goes with each --server or with none"));
    }
    let pids = common.pid[server].split(',').map(|pid| match pid.parse::<u32>() {
        Ok(_) => Ok(pid.to_owned()),
        Err(_) => Err(BenchError::Arguments("a process id is a number")),
    });
    pids.collect()
}

/// The arguments that all workloads have; none for the stub server.
fn common_of(command: &BenchCommand) -> Option<&Common> {
    Some(match command {
        BenchCommand::Create(CreateArgs { common, .. })
        | BenchCommand::Mixed(MixedArgs { common, .. })
        | BenchCommand::Multi(MultiArgs { common, .. })
        | BenchCommand::Load(LoadArgs { common, .. })
        | BenchCommand::Set(common)
        | BenchCommand::Get(common)
        | BenchCommand::List(common)
        | BenchCommand::Connect(common)
        | BenchCommand::Watch(common)
        | BenchCommand::Lock(common)
        | BenchCommand::Cleanup(common) => common,
        BenchCommand::Stub(_) => return None,
    })
}

/// What a command measures, and under which name.
fn plan(command: &BenchCommand) -> Option<(&'static str, Common, Work)> {
    let mut common = common_of(command)?.clone();
    let (name, work) = match command {
        BenchCommand::Create(args) => ("create", Work::Create(create_mode(args))),
        BenchCommand::Set(_) => ("set", Work::Mixed { reads: 0 }),
        BenchCommand::Get(_) => ("get", Work::Mixed { reads: 100 }),
        BenchCommand::Mixed(args) => ("mixed", Work::Mixed { reads: args.reads }),
        BenchCommand::List(_) => ("list", Work::List),
        BenchCommand::Multi(args) => ("multi", Work::Multi { ops: args.ops }),
        BenchCommand::Connect(_) => ("connect", Work::Connect),
        BenchCommand::Watch(_) => ("watch", Work::Watch),
        BenchCommand::Lock(_) => ("lock", Work::Lock(Mutex::new(None))),
        BenchCommand::Load(args) => {
            let batch = tree::batch_for(args.batch, common.size);
            common.nodes = common.nodes.next_multiple_of(batch);
            common.requests = Some((common.nodes / batch) as u64);
            common.warmup = Duration::ZERO;
            common.keep = true;
            ("load", Work::Load { batch, next: AtomicUsize::new(0) })
        }
        BenchCommand::Cleanup(_) | BenchCommand::Stub(_) => return None,
    };
    Some((name, common, work))
}

const fn create_mode(args: &CreateArgs) -> CreateMode {
    match (args.ephemeral, args.sequential) {
        (false, false) => CreateMode::Persistent,
        (false, true) => CreateMode::PersistentSequential,
        (true, false) => CreateMode::Ephemeral,
        (true, true) => CreateMode::EphemeralSequential,
    }
}

/// Deletes everything below the root of benchmarks, and the root.
async fn cleanup(common: &Common) -> Result<(), BenchError> {
    for server in &common.server {
        let client = Client::connect(server, runner::client_options(common)).await?;
        tree::remove_tree(&client, &common.root).await?;
        client.close().await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
