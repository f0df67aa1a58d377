//! What the tests of ensembles share: servers in processes of their own, each on a loopback
//! address of its own, so that all can have the ports of every zoo.cfg.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]

use crate::server_support::{PATIENCE, zabra};
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::{TempDir, tempdir};
use zabra::client::{Client, ClientError, Options};

pub const CLIENT_PORT: u16 = 2181;
pub const QUORUM_PORT: u16 = 2888;
pub const ELECTION_PORT: u16 = 3888;

/// How long to wait between two looks at something that must come.
const GLANCE: Duration = Duration::from_millis(5);

/// Servers that belong together. Dropping it kills them.
pub struct Ensemble {
    dir: TempDir,
    /// The part of the addresses that all servers have in common.
    net: String,
    members: Vec<Member>,
}

/// One server, running or not.
struct Member {
    config: PathBuf,
    child: Option<Child>,
    log: Arc<Mutex<String>>,
}

impl Ensemble {
    /// As many voters, ready to be started, with some lines more in each zoo.cfg.
    pub fn new(servers: usize, lines: &str) -> Self {
        static ENSEMBLES: AtomicU32 = AtomicU32::new(0);
        let (id, number) = (std::process::id(), ENSEMBLES.fetch_add(1, Relaxed));
        // No other ensemble of this machine has the same.
        let net = format!("127.{}.{}.{}", (id >> 8) % 256, id % 256, number * 10);
        Self::at(net.trim_end_matches('0'), servers, lines)
    }

    /// The same on other addresses: these, with the id of the server behind them.
    pub fn at(net: &str, servers: usize, lines: &str) -> Self {
        let net = net.to_owned();
        let dir = tempdir().expect("a directory");
        let mut list = String::new();
        for id in 1..=servers {
            writeln!(list, "server.{id}={net}{id}:{QUORUM_PORT}:{ELECTION_PORT}").expect("text");
        }
        let members = (1..=servers).map(|id| Member::new(dir.path(), &net, id, &list, lines));
        let members = members.collect();
        Self { dir, net, members }
    }

    /// The same, and all of them are started.
    pub fn start(servers: usize, lines: &str) -> Self {
        let mut ensemble = Self::new(servers, lines);
        for id in 1..=servers {
            ensemble.run(id);
        }
        ensemble
    }

    /// Starts a server.
    pub fn run(&mut self, id: usize) {
        self.run_by(id, self.command(id));
    }

    /// The command that is a server.
    pub fn command(&self, id: usize) -> Command {
        zabra(["server".as_ref(), self.members[id - 1].config.as_os_str()])
    }

    /// Starts a server by a command that becomes it.
    pub fn run_by(&mut self, id: usize, mut command: Command) {
        let member = self.member(id);
        let mut child = command.stderr(Stdio::piped()).spawn().expect("the program");
        let (log, text) = (child.stderr.take().expect("its log"), Arc::clone(&member.log));
        std::thread::spawn(move || collect(log, &text));
        member.child = Some(child);
    }

    /// Ends a server as `kill -9` does.
    pub fn kill(&mut self, id: usize) {
        let mut child = self.member(id).child.take().expect("a running server");
        child.kill().expect("SIGKILL");
        child.wait().expect("its end");
    }

    /// Sends a signal.
    pub fn signal(&mut self, id: usize, name: &str) {
        let pid = self.process(id).to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status().expect("kill");
        assert!(sent.success(), "kill -s {name} {pid}: {sent}");
    }

    /// Waits until a server has ended by itself; gives its exit code.
    pub fn ended(&mut self, id: usize) -> Option<i32> {
        let mut child = self.member(id).child.take().expect("a server");
        child.wait().expect("its end").code()
    }

    /// Whether a server has been started and neither been killed nor been seen to end.
    pub fn is_running(&self, id: usize) -> bool {
        self.members[id - 1].child.is_some()
    }

    /// Its process.
    pub fn process(&self, id: usize) -> u32 {
        self.members[id - 1].child.as_ref().expect("a running server").id()
    }

    /// The exit code of a server if it has ended by itself, which is told once.
    pub fn has_ended(&mut self, id: usize) -> Option<ExitStatus> {
        let member = self.member(id);
        let ended = member.child.as_mut()?.try_wait().expect("its state")?;
        member.child = None;
        Some(ended)
    }

    /// The directory of a server, with zoo.cfg and data.
    pub fn directory(&self, id: usize) -> PathBuf {
        directory(self.dir.path(), id)
    }

    /// What a server has logged so far.
    pub fn log(&self, id: usize) -> String {
        self.members[id - 1].log.lock().expect("its log").clone()
    }

    /// The address of a server with one of its ports.
    pub fn address(&self, id: usize, port: u16) -> String {
        format!("{}{id}:{port}", self.net)
    }

    /// All servers, for a client.
    pub fn servers(&self) -> String {
        let all = (1..=self.members.len()).map(|id| self.address(id, CLIENT_PORT));
        all.collect::<Vec<_>>().join(",")
    }

    /// A new session with any server.
    pub async fn client(&self) -> Client {
        self.client_with(Options::default()).await.expect("a session")
    }

    pub async fn client_with(&self, options: Options) -> Result<Client, ClientError> {
        let options = Options { connect_timeout: PATIENCE, ..options };
        Client::connect(&self.servers(), options).await
    }

    /// A new session with one server.
    pub async fn client_of(&self, id: usize) -> Client {
        let options = Options { connect_timeout: PATIENCE, ..Options::default() };
        let session = Client::connect(&self.address(id, CLIENT_PORT), options).await;
        session.unwrap_or_else(|error| panic!("a session with {id}: {error}\n{}", self.log(id)))
    }

    /// What a server answers to a four-letter word; nothing if it does not.
    pub fn word(&self, id: usize, word: &str) -> String {
        let mut answer = String::new();
        if let Ok(mut socket) = TcpStream::connect(self.address(id, CLIENT_PORT)) {
            socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
            let asked = socket.write_all(word.as_bytes());
            if asked.is_ok() && socket.read_to_string(&mut answer).is_err() {
                answer.clear();
            }
        }
        answer
    }

    /// What a server is, if it serves.
    pub fn mode(&self, id: usize) -> Option<String> {
        let answer = self.word(id, "srvr");
        let mode = answer.lines().find_map(|line| line.strip_prefix("Mode: "))?;
        Some(mode.to_owned())
    }

    /// The leader, once there is one.
    pub fn leader(&self) -> usize {
        let ids = 1..=self.members.len();
        self.wait("a leader", || {
            ids.clone().find(|id| {
                self.members[*id - 1].child.is_some()
                    && self.mode(*id).is_some_and(|mode| mode == "leader")
            })
        })
    }

    /// Waits until a server serves.
    pub fn serving(&self, id: usize) {
        self.wait(&format!("server {id} to serve"), || self.mode(id));
    }

    /// Waits until something is there.
    pub fn wait<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Some(found) = look() {
                return found;
            }
            if start.elapsed() > PATIENCE {
                let logs = (1..=self.members.len()).map(|id| format!("{id}:\n{}\n", self.log(id)));
                panic!("waiting for {what}\n{}", logs.collect::<String>());
            }
            std::thread::sleep(GLANCE);
        }
    }

    /// Fails the test if a server has ended.
    pub fn assert_alive(&mut self) {
        for id in 1..=self.members.len() {
            if let Some(child) = &mut self.member(id).child {
                let ended = child.try_wait().expect("its state");
                assert!(ended.is_none(), "server {id} has ended: {}", self.log(id));
            }
        }
    }

    fn member(&mut self, id: usize) -> &mut Member {
        &mut self.members[id - 1]
    }
}

impl Drop for Ensemble {
    fn drop(&mut self) {
        for member in &mut self.members {
            if let Some(mut child) = member.child.take() {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }
}

impl Member {
    /// Writes the files of a server.
    fn new(dir: &Path, net: &str, id: usize, list: &str, lines: &str) -> Self {
        let dir = directory(dir, id);
        let data = dir.join("data");
        fs::create_dir_all(&data).expect("a directory");
        fs::write(data.join("myid"), format!("{id}\n")).expect("myid");
        let config = dir.join("zoo.cfg");
        let data = data.display();
        let text = format!(
            "tickTime=2000\ninitLimit=10\nsyncLimit=5\ndataDir={data}\nclientPort={CLIENT_PORT}\n\
             clientPortAddress={net}{id}\n4lw.commands.whitelist=*\n{lines}\n{list}"
        );
        fs::write(&config, text).expect("zoo.cfg");
        Self { config, child: None, log: Arc::default() }
    }
}

fn directory(dir: &Path, id: usize) -> PathBuf {
    dir.join(format!("server-{id}"))
}

fn collect(log: impl Read, text: &Mutex<String>) {
    for line in BufReader::new(log).lines().map_while(Result::ok) {
        let mut text = text.lock().expect("the log");
        text.push_str(&line);
        text.push('\n');
    }
}
