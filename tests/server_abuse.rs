//! Connections that make no sense: they end, and everybody else is served as before.

#![cfg(feature = "server")]

mod server_support;

use bytes::BytesMut;
use jute::Encode;
use jute::client::ConnectRequest;
use rustix::process::{Resource, getrlimit, setrlimit};
use server_support::{Server, is_closed, server_command};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::{TempDir, tempdir};
use zabra::client::{Client, CreateMode};
use zabra::proto::Hello;

fn start(settings: &[&str]) -> (TempDir, Server) {
    let data = tempdir().expect("a directory");
    let server = Server::start(data.path(), settings);
    (data, server)
}

/// The same bytes on every run, as good as random (xorshift).
struct Noise(u64);

impl Noise {
    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length)
            .map(|_| {
                self.0 ^= self.0 << 13;
                self.0 ^= self.0 >> 7;
                self.0 ^= self.0 << 17;
                self.0.to_le_bytes()[0]
            })
            .collect()
    }
}

/// Sends what the server takes of it; it may well have hung up before the end.
fn send(mut socket: &TcpStream, bytes: &[u8]) {
    let _ = socket.write_all(bytes).and_then(|()| socket.shutdown(Shutdown::Write));
}

fn frame(body: &[u8]) -> Vec<u8> {
    let mut frame = BytesMut::new();
    jute::put_blob(&mut frame, body);
    frame.to_vec()
}

fn hello() -> Vec<u8> {
    let request = ConnectRequest { time_out: 30_000, ..ConnectRequest::default() };
    frame(&Hello { request, read_only: Some(false) }.to_bytes())
}

/// Bytes of the answer to a first frame: 4 for the length, then 4 + 4 + 8 + 20 + 1.
const WELCOME: usize = 41;

/// A connection with a session.
fn open(server: &Server) -> TcpStream {
    let mut socket = server.socket();
    socket.write_all(&hello()).expect("an open connection");
    let mut welcome = [0; WELCOME];
    socket.read_exact(&mut welcome).expect("an answer");
    assert_eq!(welcome[..4], [0, 0, 0, 37]);
    socket
}

/// A session that does something after every piece of abuse.
struct Witness {
    client: Client,
    version: i32,
}

impl Witness {
    async fn new(server: &Server) -> Self {
        let client = server.client().await;
        client.create("/witness", None, CreateMode::Ephemeral).await.expect("a znode");
        Self { client, version: 0 }
    }

    async fn is_served(&mut self) {
        let stat = self.client.set("/witness", None, Some(self.version)).await.expect("a stat");
        self.version = stat.version;
    }
}

#[tokio::test]
async fn bytes_that_mean_nothing_end_their_connection() {
    let (_data, mut server) = start(&[]);
    let mut witness = Witness::new(&server).await;
    let mut noise = Noise(0x5eed);
    for round in 0..100 {
        let bytes = noise.bytes(1 + round * 37);
        for socket in [server.socket(), open(&server)] {
            send(&socket, &bytes);
            assert!(is_closed(socket), "round {round}");
        }
        witness.is_served().await;
    }
    server.assert_alive();
    witness.client.close().await.expect("an end");
}

#[tokio::test]
async fn lengths_that_cannot_be_end_their_connection() {
    let (_data, mut server) = start(&[]);
    let mut witness = Witness::new(&server).await;
    for length in [-1, i32::MIN, i32::MAX, 0x10_0000] {
        for mut socket in [server.socket(), open(&server)] {
            socket.write_all(&i32::to_be_bytes(length)).expect("an open connection");
            // The server ends it by itself, whatever may still come.
            assert!(is_closed(socket), "{length}");
        }
        witness.is_served().await;
    }
    server.assert_alive();
    witness.client.close().await.expect("an end");
}

#[tokio::test]
async fn frames_whose_content_is_cut_or_wrong_harm_nobody_else() {
    let (_data, mut server) = start(&[]);
    let mut witness = Witness::new(&server).await;
    let whole = hello();
    for end in 1..whole.len() {
        let socket = server.socket();
        send(&socket, &whole[..end]);
        assert!(is_closed(socket), "{end} bytes of the first frame");
    }
    let mut noise = Noise(0xbad);
    for op in -12..=110_i32 {
        // Every operation with a body that says nothing, and one that claims more than there is.
        for body in [noise.bytes(40), vec![0x7f; 12], vec![0xff; 64], Vec::new()] {
            let socket = open(&server);
            let request = [&1_i32.to_be_bytes()[..], &op.to_be_bytes(), &body].concat();
            send(&socket, &frame(&request));
            assert!(is_closed(socket), "operation {op}");
        }
        witness.is_served().await;
    }
    server.assert_alive();
    witness.client.close().await.expect("an end");
}

/// How many connections do nothing.
const IDLE: usize = 5_000;
/// Descriptors that they take in the test, with room for all else.
const DESCRIPTORS: u64 = IDLE as u64 + 1_000;

/// Lets this process have the descriptors that the test needs, and the server as few as a login
/// shell gives it: the server has to ask for more by itself, as Java does.
fn start_with_few_descriptors(data: &Path, settings: &[&str]) -> Server {
    let mut limit = getrlimit(Resource::Nofile);
    let allowed = limit.maximum.unwrap_or(u64::MAX);
    assert!(
        allowed >= DESCRIPTORS,
        "this test needs {DESCRIPTORS} file descriptors, and `ulimit -Hn` allows {allowed}"
    );
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).expect("more descriptors");
    let server = server_command(data, settings);
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -S -n 1024 && exec \"$@\"", "sh"]);
    command.arg(server.get_program()).args(server.get_args()).stdin(Stdio::null());
    Server::run(command).expect("a server")
}

#[tokio::test]
async fn connections_that_do_nothing_keep_nobody_out() {
    let data = tempdir().expect("a directory");
    let settings = ["maxClientCnxns=0", "nio.sessionlessCnxnTimeout=3600000"];
    let mut server = start_with_few_descriptors(data.path(), &settings);
    let mut witness = Witness::new(&server).await;
    let (hello, mut noise) = (hello(), Noise(0x1d1e));
    let mut idle = Vec::with_capacity(IDLE);
    for number in 0..IDLE {
        let mut socket = server.socket();
        // Nothing at all, half of the first frame, or a session that then does nothing.
        let begun = [0, 20, hello.len()][number % 3];
        socket.write_all(&hello[..begun]).expect("an open connection");
        idle.push(socket);
        if number % 100 == 0 {
            witness.is_served().await;
        }
    }
    // Between them come those that make no sense.
    for length in [-1, i32::MAX, 0x7f7f_7f7f] {
        let mut giant = server.socket();
        giant.write_all(&i32::to_be_bytes(length)).expect("an open connection");
        let garbage = server.socket();
        send(&garbage, &noise.bytes(4_000));
        assert!(is_closed(giant) && is_closed(garbage), "{length}");
        witness.is_served().await;
    }
    let another = server.client().await;
    another.close().await.expect("an end");
    // All of them were kept: each can still begin, or has begun.
    for (number, mut socket) in idle.iter().enumerate() {
        let rest = [0, 20, hello.len()][number % 3];
        socket.write_all(&hello[rest..]).expect("an open connection");
        if number % 100 == 0 {
            witness.is_served().await;
        }
    }
    for mut socket in &idle {
        socket.read_exact(&mut [0; WELCOME]).expect("an answer");
    }
    drop(idle);
    witness.is_served().await;
    server.assert_alive();
    witness.client.close().await.expect("an end");
}

#[tokio::test]
async fn connections_of_one_address_are_counted() {
    let (_data, server) = start(&["maxClientCnxns=3"]);
    let client = server.client().await;
    let (second, third) = (open(&server), open(&server));
    let refused = server.socket();
    assert!(is_closed(refused), "a fourth connection");
    client.create("/a", None, CreateMode::Ephemeral).await.expect("a znode");
    drop(second);
    // The server has to notice that one has gone.
    let again = loop {
        let mut socket = server.socket();
        if socket.write_all(&hello()).and_then(|()| socket.read_exact(&mut [0; WELCOME])).is_ok() {
            break socket;
        }
    };
    drop((third, again));
    client.close().await.expect("an end");
}
