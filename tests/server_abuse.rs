//! Connections that make no sense: they end, and everybody else is served as before.

#![cfg(feature = "server")]

mod server_support;

use bytes::BytesMut;
use jute::Encode;
use jute::client::ConnectRequest;
use server_support::{Server, is_closed};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
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

/// A connection with a session.
fn open(server: &Server) -> TcpStream {
    let mut socket = server.socket();
    socket.write_all(&hello()).expect("an open connection");
    // The answer: 4 for the length, then 4 + 4 + 8 + 20 + 1.
    let mut welcome = [0; 41];
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

#[tokio::test]
async fn connections_that_do_nothing_keep_nobody_out() {
    let (_data, mut server) = start(&["maxClientCnxns=0"]);
    let mut witness = Witness::new(&server).await;
    let idle: Vec<_> = (0..300).map(|_| server.socket()).collect();
    let half: Vec<_> = (0..300).map(|_| server.socket()).collect();
    for mut socket in &half {
        socket.write_all(&hello()[..20]).expect("an open connection");
    }
    witness.is_served().await;
    let another = server.client().await;
    another.close().await.expect("an end");
    drop((idle, half));
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
        if socket.write_all(&hello()).and_then(|()| socket.read_exact(&mut [0; 41])).is_ok() {
            break socket;
        }
    };
    drop((third, again));
    client.close().await.expect("an end");
}
