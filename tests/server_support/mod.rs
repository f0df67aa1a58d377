//! What the tests of the program share: a server in a process of its own, and clients for it.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;
use zabra::client::{Client, ClientError, Options};

/// For what must come, on a machine however busy.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// A running server; dropping it kills it.
pub struct Server {
    child: Child,
    address: SocketAddr,
    log: Option<JoinHandle<String>>,
}

/// How a server ended.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    /// What it wrote to its standard error output.
    pub log: String,
}

/// The program with some arguments, in an environment that sets nothing.
pub fn zabra(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zabra"));
    command.args(arguments).env_clear().stdin(Stdio::null()).stdout(Stdio::piped());
    if let Some(directory) = std::env::var_os("TMPDIR") {
        command.env("TMPDIR", directory);
    }
    command
}

/// `zabra server` on the data in a directory and any free port of 127.0.0.1, with some settings
/// `KEY=VALUE`.
pub fn server_command(data: &Path, settings: &[&str]) -> Command {
    let mut command = zabra(["server", "--port", "0", "-D", "clientPortAddress=127.0.0.1"]);
    command.arg("--data-dir").arg(data);
    for setting in settings {
        command.args(["-D", setting]);
    }
    command
}

impl Server {
    /// Starts a server on the data in a directory.
    pub fn start(data: &Path, settings: &[&str]) -> Self {
        Self::run(server_command(data, settings)).expect("a server")
    }

    /// Starts a server and waits until it serves or has ended.
    pub fn run(mut command: Command) -> Result<Self, Ended> {
        let mut child = command.stderr(Stdio::piped()).spawn().expect("the program");
        let (log, lines) = follow(child.stderr.take().expect("its log"));
        while let Ok(line) = lines.recv_timeout(PATIENCE) {
            if let Some((_, address)) = line.split_once("serving clients on ") {
                let address = address.trim().parse().expect("an address");
                return Ok(Self { child, address, log: Some(log) });
            }
        }
        // The log is at its end, or the server hangs.
        let _ = child.kill();
        let status = child.wait().expect("its end");
        Err(Ended { status, log: log.join().expect("its log") })
    }

    /// Where it serves clients, as `host:port`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Its standard output.
    pub fn stdout(&mut self) -> impl BufRead + use<> {
        BufReader::new(self.child.stdout.take().expect("its output, once"))
    }

    /// Ends it as `kill -9` does.
    pub fn kill(mut self) -> Ended {
        self.child.kill().expect("SIGKILL");
        self.ended()
    }

    /// Asks it to end by SIGTERM, and waits for that.
    pub fn terminate(mut self) -> Ended {
        self.signal("TERM");
        self.ended()
    }

    /// Sends a signal.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status().expect("kill");
        assert!(sent.success(), "kill -s {name} {id}: {sent}");
    }

    /// Waits for its end.
    pub fn ended(&mut self) -> Ended {
        let status = self.child.wait().expect("its end");
        let log = self.log.take().map(|log| log.join().expect("its log"));
        Ended { status, log: log.unwrap_or_default() }
    }

    /// Fails the test if it has ended.
    pub fn assert_alive(&mut self) {
        let ended = self.child.try_wait().expect("its state");
        assert!(ended.is_none(), "the server has ended: {:?}", self.ended());
    }

    /// A new session.
    pub async fn client(&self) -> Client {
        self.client_with(Options::default()).await.expect("a session")
    }

    /// A new session, or one that is gone on with.
    pub async fn client_with(&self, options: Options) -> Result<Client, ClientError> {
        Client::connect(&self.address(), options).await
    }

    /// A plain connection whose reads end in time.
    pub fn socket(&self) -> TcpStream {
        let socket = TcpStream::connect(self.address).expect("a connection");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        socket
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.log.is_some() {
            // A temporary server removes its directory before it ends.
            let id = self.child.id().to_string();
            let _ = Command::new("kill").args(["-s", "TERM", &id]).status();
            let _ = self.child.wait();
        }
    }
}

/// Collects a log, and passes each line on while somebody listens.
fn follow(log: impl Read + Send + 'static) -> (JoinHandle<String>, Receiver<String>) {
    let (to, lines) = channel();
    let collector = std::thread::spawn(move || {
        let mut text = String::new();
        for line in BufReader::new(log).lines().map_while(Result::ok) {
            text.push_str(&line);
            text.push('\n');
            // Once the server serves, nobody listens any more.
            let _ = to.send(line);
        }
        text
    });
    (collector, lines)
}

/// Whether the server has closed the connection, after whatever it has sent.
pub fn is_closed(mut socket: TcpStream) -> bool {
    let mut rest = Vec::new();
    match socket.read_to_end(&mut rest) {
        Ok(_) => true,
        // Some of what was sent has never been read.
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}
