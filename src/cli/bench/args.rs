//! The command line of `zabra bench`.

use clap::{Args, Subcommand};
use std::time::Duration;

const EXAMPLES: &str = "Examples:
  zabra bench get -n 128 -p 8                # 128 sessions, 8 requests of each on their way
  zabra bench mixed --reads 95 --json
  zabra bench set --server a:2181 --server b:2181   # one after the other";

/// Measure a server that speaks ZooKeeper's client protocol.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub struct BenchArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: BenchCommand,
}

/// The workloads and what goes with them.
#[derive(Clone, Debug, Subcommand)]
pub enum BenchCommand {
    /// Create znodes, each at a path of its own.
    Create(CreateArgs),
    /// Change the data of random znodes.
    Set(Common),
    /// Read the data of random znodes.
    Get(Common),
    /// Read and change random znodes.
    Mixed(MixedArgs),
    /// List the children of one znode that has `--nodes` of them.
    List(Common),
    /// Change several random znodes in one request.
    Multi(MultiArgs),
    /// Begin and end sessions; the latency is that of the beginning.
    Connect(Common),
    /// Change a znode that all sessions watch; the latency is that until all know.
    Watch(Common),
    /// Hand a lock from session to session by the lock recipe; the latency is that of a hand-over.
    Lock(Common),
    /// Create `--nodes` znodes as fast as possible and leave them.
    Load(LoadArgs),
    /// Delete everything that benchmarks have left.
    Cleanup(Common),
    /// Serve canned replies: the ceiling that network, codec and load generator set.
    Stub(StubArgs),
}

/// What every workload takes.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Common {
    /// Connect string. Given several times, the servers are measured one after the other.
    #[arg(long, default_value = "127.0.0.1:2181")]
    pub server: Vec<String>,
    /// Number of sessions, each on a connection of its own.
    #[arg(long, short = 'n', default_value_t = 8, value_parser = at_least_one)]
    pub sessions: usize,
    /// Requests that each session keeps in flight.
    #[arg(long, short = 'p', default_value_t = 1, value_parser = at_least_one)]
    pub pipeline: usize,
    /// How long to measure, in seconds.
    #[arg(long, short = 'd', default_value = "10", value_parser = seconds)]
    pub duration: Duration,
    /// How many operations to measure, instead of for how long.
    #[arg(long, short = 'r', conflicts_with = "duration")]
    pub requests: Option<u64>,
    /// How long to run before measuring, in seconds.
    #[arg(long, default_value = "2", value_parser = seconds)]
    pub warmup: Duration,
    /// Bytes of data in each znode.
    #[arg(long, default_value_t = 100)]
    pub size: usize,
    /// Number of znodes.
    #[arg(long, default_value_t = 1000, value_parser = at_least_one)]
    pub nodes: usize,
    /// Threads of the load generator.
    #[arg(long, default_value_t = 1, value_parser = at_least_one)]
    pub threads: usize,
    /// Process ids of the server, separated by commas, to report its use of processor and memory.
    /// Given once for each `--server`.
    #[arg(long, value_name = "PID[,PID...]")]
    pub pid: Vec<String>,
    /// The znode below which everything happens.
    #[arg(long, default_value = "/zabra-bench")]
    pub root: String,
    /// The session timeout to ask for, in seconds.
    #[arg(long, default_value = "30", value_parser = seconds)]
    pub session_timeout: Duration,
    /// Leave the znodes that were created.
    #[arg(long)]
    pub keep: bool,
    /// Print the report as JSON, one line for each server.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `create`.
#[derive(Args, Clone, Debug)]
pub struct CreateArgs {
    /// Create ephemerals.
    #[arg(long)]
    pub ephemeral: bool,
    /// Let the server number the znodes.
    #[arg(long)]
    pub sequential: bool,
    /// What every workload takes.
    #[command(flatten)]
    pub common: Common,
}

/// Arguments of `mixed`.
#[derive(Args, Clone, Debug)]
pub struct MixedArgs {
    /// How many of a hundred operations are reads.
    #[arg(long, default_value_t = 80, value_parser = clap::value_parser!(u64).range(..=100))]
    pub reads: u64,
    /// What every workload takes.
    #[command(flatten)]
    pub common: Common,
}

/// Arguments of `multi`.
#[derive(Args, Clone, Debug)]
pub struct MultiArgs {
    /// Operations in each request.
    #[arg(long, default_value_t = 10, value_parser = at_least_one)]
    pub ops: usize,
    /// What every workload takes.
    #[command(flatten)]
    pub common: Common,
}

/// Arguments of `load`.
#[derive(Args, Clone, Debug)]
pub struct LoadArgs {
    /// Znodes that each request creates.
    #[arg(long, default_value_t = 100, value_parser = at_least_one)]
    pub batch: usize,
    /// What every workload takes.
    #[command(flatten)]
    pub common: Common,
}

/// Arguments of `stub`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example: zabra bench stub --port 2199")]
pub struct StubArgs {
    /// The port to listen on; 0 for any.
    #[arg(long)]
    pub port: u16,
    /// The address to listen on.
    #[arg(long, default_value = "127.0.0.1")]
    pub address: String,
    /// Bytes of data in every reply to getData.
    #[arg(long, default_value_t = 100)]
    pub size: usize,
    /// Names in every list of children. With more than none, use `--keep` in the load generator.
    #[arg(long, default_value_t = 0)]
    pub children: usize,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("must be at least 1".to_owned()),
        Ok(number) => Ok(number),
        Err(error) => Err(format!("{error}")),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|error| format!("{error}"))?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}
