//! A server whose every step a test writes down.

use bytes::{BufMut, Bytes, BytesMut};
use jute::client::{ConnectResponse, ReplyHeader, RequestHeader};
use jute::{Decode, Decoder, Encode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use zabra::proto::{Event, EventType, Hello, OpCode, Welcome};
use zabra::types::Zxid;

/// Listens on a port of its own.
pub(crate) struct Fake(TcpListener);

/// One connection to it.
pub(crate) struct Conn(TcpStream);

/// A request as it came.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) xid: i32,
    pub(crate) op: OpCode,
    pub(crate) body: Bytes,
}

/// The session that fake servers give out.
pub(crate) const SESSION: i64 = 0x0100_0000_0000_0007;
pub(crate) const PASSWORD: &[u8; 16] = b"0123456789abcdef";

impl Fake {
    pub(crate) async fn listen() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.expect("a free port"))
    }

    pub(crate) fn address(&self) -> String {
        self.0.local_addr().expect("an address").to_string()
    }

    pub(crate) async fn accept(&self) -> Conn {
        Conn(self.0.accept().await.expect("a connection").0)
    }

    /// Accepts a connection and grants it the session.
    pub(crate) async fn greet(&self, timeout: i32) -> (Conn, Hello) {
        let mut conn = self.accept().await;
        let hello = conn.hello().await;
        conn.welcome(SESSION, timeout).await;
        (conn, hello)
    }
}

impl Conn {
    /// The next frame, `None` at the end.
    pub(crate) async fn frame(&mut self) -> Option<Bytes> {
        let length = self.0.read_u32().await.ok()?;
        let mut frame = vec![0; length as usize];
        self.0.read_exact(&mut frame).await.ok()?;
        Some(frame.into())
    }

    pub(crate) async fn hello(&mut self) -> Hello {
        let frame = self.frame().await.expect("a handshake");
        Hello::from_bytes(frame).expect("a connect request")
    }

    pub(crate) async fn welcome(&mut self, session: i64, timeout: i32) {
        self.welcome_as(session, timeout, false).await;
    }

    pub(crate) async fn welcome_as(&mut self, session: i64, timeout: i32, read_only: bool) {
        let response = ConnectResponse {
            protocol_version: 0,
            time_out: timeout,
            session_id: session,
            passwd: Some(Bytes::from_static(PASSWORD)),
        };
        self.send(&Welcome { response, read_only: Some(read_only) }.to_bytes()).await;
    }

    /// The next request that is not a ping; pings are answered.
    pub(crate) async fn request(&mut self) -> Received {
        loop {
            let frame = self.frame().await.expect("a request");
            let mut input = Decoder::new(frame);
            let RequestHeader { xid, op } = Decode::decode(&mut input).expect("a header");
            let op = OpCode::from_number(op).expect("an operation");
            if op != OpCode::Ping {
                return Received { xid, op, body: input.rest().clone() };
            }
            self.reply(xid, 0, 0, &[]).await;
        }
    }

    /// The next request, which must be of this kind.
    pub(crate) async fn expect(&mut self, op: OpCode) -> Received {
        let received = self.request().await;
        assert_eq!(received.op, op);
        received
    }

    pub(crate) async fn reply(&mut self, xid: i32, zxid: i64, err: i32, body: &[u8]) {
        let mut frame = BytesMut::new();
        ReplyHeader { xid, zxid, err }.encode(&mut frame);
        frame.put_slice(body);
        self.send(&frame).await;
    }

    pub(crate) async fn event(&mut self, kind: EventType, path: &str, zxid: i64) {
        let mut frame = BytesMut::new();
        let event = Event { kind, path: path.to_owned(), zxid: Zxid(zxid) };
        event.encode_frame(&mut frame);
        self.0.write_all(&frame).await.expect("an open connection");
    }

    async fn send(&mut self, body: &[u8]) {
        let mut frame = BytesMut::new();
        jute::put_blob(&mut frame, body);
        self.0.write_all(&frame).await.expect("an open connection");
    }

    /// Sends bytes one at a time.
    pub(crate) async fn trickle(&mut self, bytes: &[u8]) {
        self.0.set_nodelay(true).expect("an option");
        for byte in bytes {
            self.0.write_u8(*byte).await.expect("an open connection");
        }
    }
}
