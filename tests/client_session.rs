//! The client against scripted servers: handshakes, lost connections, ends of sessions, order.

#![cfg(feature = "client")]

mod client_fake;

use client_fake::{Conn, Fake, PASSWORD, SESSION};
use jute::client::{
    AuthPacket, DataStat, PathOnly, PathResponse, PathStat, PathWatch, SetWatches, SetWatches2,
    Stat,
};
use jute::{Decode, Encode};
use std::future::Future;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;
use zabra::client::{
    AddWatchMode, Client, ClientError, CreateMode, Event, EventType, Loss, Notice, Options,
    SessionKey, SessionState, Transaction, WatcherType,
};
use zabra::proto::{MultiRequest, MultiResponse, MultiResult, OpCode, xid};
use zabra::types::{ErrorCode, SessionId, Zxid};

/// Long enough never to run out in a test.
const LONG: i32 = 600_000;

fn options() -> Options {
    Options { session_timeout: Duration::from_mins(10), ..Options::default() }
}

/// A client and its connection to the server.
async fn connected(fake: &Fake) -> (Client, Conn) {
    let address = fake.address();
    let (client, (conn, _)) = tokio::join!(Client::connect(&address, options()), fake.greet(LONG));
    (client.expect("a client"), conn)
}

/// Polls a future once, so that its request is queued.
async fn start<T>(future: &mut (impl Future<Output = T> + Unpin)) {
    let polled = std::future::poll_fn(|cx| Poll::Ready(pin!(&mut *future).poll(cx))).await;
    assert!(polled.is_pending());
}

fn data(text: &'static str) -> Vec<u8> {
    DataStat { data: Some(text.into()), stat: Stat::default() }.to_bytes().to_vec()
}

fn path_of(body: bytes::Bytes) -> String {
    PathWatch::from_bytes(body).ok().and_then(|request| request.path).expect("a path")
}

/// Sets a data watch on a path.
async fn watch_data(
    client: &Client,
    conn: &mut Conn,
    path: &str,
    zxid: i64,
) -> zabra::client::OneShotWatch {
    let answer = async {
        let request = conn.expect(OpCode::GetData).await;
        conn.reply(request.xid, zxid, 0, &data("x")).await;
    };
    tokio::join!(client.get_and_watch(path), answer).0.expect("a watch").1
}

async fn watch_always(
    client: &Client,
    conn: &mut Conn,
    path: &str,
    mode: AddWatchMode,
) -> zabra::client::PersistentWatch {
    let answer = async {
        let request = conn.expect(OpCode::AddWatch).await;
        conn.reply(request.xid, 5, 0, &[0; 4]).await;
    };
    tokio::join!(client.add_watch(path, mode), answer).0.expect("a watch")
}

#[tokio::test]
async fn a_handshake_begins_a_session() {
    let fake = Fake::listen().await;
    let address = fake.address();
    let (client, (_conn, hello)) =
        tokio::join!(Client::connect(&address, options()), fake.greet(9000));
    let client = client.expect("a client");
    assert_eq!(hello.request.session_id, 0);
    assert_eq!(hello.request.last_zxid_seen, 0);
    assert_eq!(hello.request.time_out, LONG);
    assert_eq!(hello.request.passwd.as_deref(), Some(&[0; 16][..]));
    assert_eq!(hello.read_only, Some(false));
    let key = SessionKey { id: SessionId(SESSION), password: PASSWORD.to_vec() };
    assert_eq!(client.session(), Some(key));
    assert_eq!(client.session_timeout(), Duration::from_secs(9));
    assert_eq!(client.server(), Some(address));
    assert_eq!(client.state().get(), SessionState::Connected);
}

#[tokio::test]
async fn many_requests_are_in_flight_and_answered_in_order() {
    let fake = Fake::listen().await;
    let (client, mut conn) = connected(&fake).await;
    let answer = async {
        let mut requests = Vec::new();
        for _ in 0..3 {
            requests.push(conn.expect(OpCode::GetData).await);
        }
        for (request, text) in requests.iter().zip(["a", "b", "c"]) {
            conn.reply(request.xid, 9, 0, &data(text)).await;
        }
        requests.into_iter().map(|request| path_of(request.body)).collect::<Vec<_>>()
    };
    let (a, b, c, paths) =
        tokio::join!(client.get("/a"), client.get("/b"), client.get("/c"), answer);
    assert_eq!(paths, ["/a", "/b", "/c"]);
    for (result, text) in [(a, "a"), (b, "b"), (c, "c")] {
        assert_eq!(result.expect("data").data.as_deref(), Some(text.as_bytes()));
    }
    assert_eq!(client.last_zxid(), Zxid(9));
}

#[tokio::test]
async fn frames_may_come_in_pieces() {
    let fake = Fake::listen().await;
    let (client, mut conn) = connected(&fake).await;
    let answer = async {
        let request = conn.expect(OpCode::GetData).await;
        let mut frame = Vec::new();
        frame.extend(request.xid.to_be_bytes());
        frame.extend([0; 12]);
        frame.extend(data("x"));
        conn.trickle(&bytes::Bytes::from(frame).to_bytes()).await;
    };
    let (result, ()) = tokio::join!(client.get("/a"), answer);
    assert_eq!(result.expect("data").data.as_deref(), Some(&b"x"[..]));
}

#[tokio::test]
async fn a_dropped_future_does_not_disturb_the_stream() {
    let fake = Fake::listen().await;
    let (client, mut conn) = connected(&fake).await;
    {
        let mut dropped = Box::pin(client.get("/dropped"));
        start(&mut dropped).await;
    }
    let answer = async {
        for text in ["dropped", "kept"] {
            let request = conn.expect(OpCode::GetData).await;
            conn.reply(request.xid, 1, 0, &data(text)).await;
        }
    };
    let (result, ()) = tokio::join!(client.get("/kept"), answer);
    assert_eq!(result.expect("data").data.as_deref(), Some(&b"kept"[..]));
}

#[tokio::test]
async fn a_lost_connection_leaves_outcomes_unknown_and_queued_requests_waiting() {
    let fake = Fake::listen().await;
    let (client, mut conn) = connected(&fake).await;
    let mut sent = Box::pin(client.set("/a", None, None));
    start(&mut sent).await;
    conn.expect(OpCode::SetData).await;
    let mut states = client.state();
    drop(conn);
    assert_eq!(sent.await, Err(ClientError::ConnectionLoss(Loss::ServerClosed)));
    assert_eq!(states.changed().await, SessionState::Connecting);
    // Queued while there is no connection, the first of them given up.
    let mut queued = Box::pin(client.get("/b"));
    {
        let mut dropped = Box::pin(client.get("/dropped"));
        start(&mut dropped).await;
    }
    start(&mut queued).await;
    let (mut conn, hello) = fake.greet(LONG).await;
    assert_eq!(hello.request.session_id, SESSION);
    assert_eq!(hello.request.passwd.as_deref(), Some(&PASSWORD[..]));
    let request = conn.expect(OpCode::GetData).await;
    assert_eq!(path_of(request.body), "/b");
    conn.reply(request.xid, 1, 0, &data("b")).await;
    assert_eq!(queued.await.expect("data").data.as_deref(), Some(&b"b"[..]));
}

#[tokio::test]
async fn one_shot_watches_are_set_again_on_the_next_connection() {
    let fake = Fake::listen().await;
    let (client, mut conn) = connected(&fake).await;
    let at_data = watch_data(&client, &mut conn, "/data", 41).await;
    let answer = async {
        let request = conn.expect(OpCode::Exists).await;
        conn.reply(request.xid, 42, ErrorCode::NoNode.number(), &[]).await;
        let request = conn.expect(OpCode::Exists).await;
        conn.reply(request.xid, 42, 0, &Stat::default().to_bytes()).await;
    };
    let (missing, present, ()) = tokio::join!(
        client.exists_and_watch("/missing"),
        client.exists_and_watch("/present"),
        answer
    );
    let ((missing, at_missing), (present, _at_present)) =
        (missing.expect("no stat"), present.expect("a stat"));
    assert_eq!((missing, present), (None, Some(Stat::default())));
    drop(conn);

    let (mut conn, hello) = fake.greet(LONG).await;
    assert_eq!(hello.request.last_zxid_seen, 42);
    let request = conn.expect(OpCode::SetWatches).await;
    assert_eq!(request.xid, xid::SET_WATCHES);
    let mut watches = SetWatches::from_bytes(request.body).expect("watches");
    watches.data_watches.as_mut().expect("a list").sort();
    let list = |paths: &[&str]| Some(paths.iter().map(|&path| path.to_owned()).collect());
    let expected = SetWatches {
        relative_zxid: 42,
        data_watches: list(&["/data", "/present"]),
        exist_watches: list(&["/missing"]),
        child_watches: list(&[]),
    };
    assert_eq!(watches, expected);
    conn.event(EventType::DataChanged, "/data", -1).await;
    conn.reply(xid::SET_WATCHES, 43, 0, &[]).await;
    conn.event(EventType::Created, "/missing", 44).await;
    let event = |kind, path: &str, zxid| Event { kind, path: path.to_owned(), zxid: Zxid(zxid) };
    assert_eq!(at_data.await, Ok(event(EventType::DataChanged, "/data", -1)));
    assert_eq!(at_missing.await, Ok(event(EventType::Created, "/missing", 44)));
}

#[tokio::test]
async fn persistent_watches_and_credentials_come_along_and_gaps_are_told() {
    let fake = Fake::listen().await;
    let (client, mut conn) = connected(&fake).await;
    let answer = async {
        let request = conn.expect(OpCode::Auth).await;
        assert_eq!(request.xid, xid::AUTH);
        conn.reply(xid::AUTH, 0, 0, &[]).await;
    };
    let (added, ()) = tokio::join!(client.add_auth("digest", b"u:p"), answer);
    assert_eq!(added, Ok(()));
    let mut exact = watch_always(&client, &mut conn, "/a", AddWatchMode::Persistent).await;
    let mut below = watch_always(&client, &mut conn, "/b", AddWatchMode::PersistentRecursive).await;
    drop(conn);

    let (mut conn, _) = fake.greet(LONG).await;
    let request = conn.expect(OpCode::Auth).await;
    let packet = AuthPacket::from_bytes(request.body).expect("credentials");
    assert_eq!(packet.auth.as_deref(), Some(&b"u:p"[..]));
    let request = conn.expect(OpCode::SetWatches2).await;
    let watches = SetWatches2::from_bytes(request.body).expect("watches");
    assert_eq!(watches.persistent_watches, Some(vec!["/a".to_owned()]));
    assert_eq!(watches.persistent_recursive_watches, Some(vec!["/b".to_owned()]));
    conn.reply(xid::AUTH, 0, 0, &[]).await;
    conn.reply(xid::SET_WATCHES, 6, 0, &[]).await;
    conn.event(EventType::Deleted, "/b/c", 7).await;
    assert_eq!(exact.next().await, Ok(Notice::Gap));
    assert_eq!(below.next().await, Ok(Notice::Gap));
    let deleted = Event { kind: EventType::Deleted, path: "/b/c".to_owned(), zxid: Zxid(7) };
    assert_eq!(below.next().await, Ok(Notice::Event(deleted)));
}

#[tokio::test]
async fn an_expired_session_ends_everything() {
    let fake = Fake::listen().await;
    let (client, mut conn) = connected(&fake).await;
    let watch = watch_data(&client, &mut conn, "/a", 1).await;
    let mut always = watch_always(&client, &mut conn, "/a", AddWatchMode::Persistent).await;
    let mut states = client.state();
    drop(conn);
    assert_eq!(states.changed().await, SessionState::Connecting);
    let mut queued = Box::pin(client.get("/b"));
    start(&mut queued).await;
    let mut conn = fake.accept().await;
    conn.hello().await;
    conn.welcome(0, 0).await;
    assert_eq!(queued.await, Err(ClientError::SessionExpired));
    assert_eq!(watch.await, Err(ClientError::SessionExpired));
    // The gap of the lost connection is not told: there is no other connection.
    assert_eq!(always.next().await, Err(ClientError::SessionExpired));
    assert_eq!(client.get("/c").await, Err(ClientError::SessionExpired));
    assert_eq!(client.state().get(), SessionState::Expired);
}

#[tokio::test]
async fn a_reply_out_of_order_costs_the_connection() {
    let fake = Fake::listen().await;
    let (client, mut conn) = connected(&fake).await;
    let mut first = Box::pin(client.get("/a"));
    let mut second = Box::pin(client.get("/b"));
    start(&mut first).await;
    start(&mut second).await;
    let (a, b) = (conn.request().await.xid, conn.request().await.xid);
    conn.reply(b, 1, 0, &data("b")).await;
    let loss = Err(ClientError::ConnectionLoss(Loss::OutOfOrder { expected: Some(a), got: b }));
    assert_eq!(first.await, loss);
    assert_eq!(second.await, loss);
    let (_, hello) = fake.greet(LONG).await;
    assert_eq!(hello.request.session_id, SESSION);
}

#[tokio::test]
async fn an_oversized_frame_costs_the_connection() {
    for length in [0x0010_0000, u32::MAX] {
        let fake = Fake::listen().await;
        let (client, mut conn) = connected(&fake).await;
        let mut get = Box::pin(client.get("/a"));
        start(&mut get).await;
        conn.request().await;
        conn.trickle(&length.to_be_bytes()).await;
        let loss = Loss::FrameTooLarge { length, limit: 0xf_ffff };
        assert_eq!(get.await, Err(ClientError::ConnectionLoss(loss)));
    }
}

#[tokio::test]
async fn an_oversized_request_is_not_sent() {
    let fake = Fake::listen().await;
    let (client, _conn) = connected(&fake).await;
    let result = client.set("/a", bytes::Bytes::from(vec![0; 0xf_ffff]), None).await;
    assert!(matches!(result, Err(ClientError::RequestTooLarge { .. })));
}

#[tokio::test]
async fn a_silent_server_is_pinged_and_then_left() {
    let fake = Fake::listen().await;
    let address = fake.address();
    let (client, (mut conn, _)) =
        tokio::join!(Client::connect(&address, options()), fake.greet(300));
    let _client = client.expect("a client");
    let frame = conn.frame().await.expect("a ping");
    assert_eq!(frame[..], *b"\xff\xff\xff\xfe\0\0\0\x0b");
    // No answer: the client comes back on another connection while this one is still open.
    let (_, hello) = fake.greet(LONG).await;
    assert_eq!(hello.request.session_id, SESSION);
}

#[tokio::test]
async fn closing_ends_the_session() {
    let fake = Fake::listen().await;
    let (client, mut conn) = connected(&fake).await;
    let answer = async {
        let request = conn.expect(OpCode::CloseSession).await;
        conn.reply(request.xid, 1, 0, &[]).await;
    };
    let (closed, ()) = tokio::join!(client.close(), answer);
    assert_eq!(closed, Ok(()));
    assert_eq!(client.get("/a").await, Err(ClientError::Closed));
    assert!(conn.frame().await.is_none());
}

#[tokio::test]
async fn dropping_the_last_clone_ends_the_session() {
    let fake = Fake::listen().await;
    let (client, mut conn) = connected(&fake).await;
    let clone = client.clone();
    drop(client);
    drop(clone);
    conn.expect(OpCode::CloseSession).await;
}

#[tokio::test]
async fn an_abandoned_session_can_be_resumed() {
    let fake = Fake::listen().await;
    let (client, mut conn) = connected(&fake).await;
    let resume = client.session();
    client.abandon();
    assert!(conn.frame().await.is_none());
    let address = fake.address();
    let options = Options { resume, ..options() };
    let (client, (_conn, hello)) =
        tokio::join!(Client::connect(&address, options), fake.greet(LONG));
    assert_eq!(hello.request.session_id, SESSION);
    assert_eq!(hello.request.passwd.as_deref(), Some(&PASSWORD[..]));
    client.expect("a client");
}

#[tokio::test]
async fn refused_credentials_end_the_client() {
    let fake = Fake::listen().await;
    let (client, mut conn) = connected(&fake).await;
    let answer = async {
        conn.expect(OpCode::Auth).await;
        conn.reply(xid::AUTH, 0, ErrorCode::AuthFailed.number(), &[]).await;
    };
    let (added, ()) = tokio::join!(client.add_auth("digest", b"x"), answer);
    assert_eq!(added, Err(ClientError::AuthFailed));
    assert_eq!(client.get("/a").await, Err(ClientError::AuthFailed));
}

#[tokio::test]
async fn the_client_finds_the_server_that_answers() {
    let (refusing, fake) = (Fake::listen().await, Fake::listen().await);
    let servers = format!("{},{}", refusing.address(), fake.address());
    drop(refusing);
    let (client, _) = tokio::join!(Client::connect(&servers, options()), fake.greet(LONG));
    assert_eq!(client.expect("a client").server(), Some(fake.address()));
}

#[tokio::test]
async fn without_a_server_there_is_no_client() {
    let fake = Fake::listen().await;
    let address = fake.address();
    drop(fake);
    let options = Options { connect_timeout: Duration::from_millis(50), ..options() };
    let result = Client::connect(&address, options).await;
    assert_eq!(result.err(), Some(ClientError::NotConnected));
}

#[tokio::test]
async fn requests_do_not_wait_for_a_connection_longer_than_a_session_lives() {
    let fake = Fake::listen().await;
    let address = fake.address();
    let options = Options { session_timeout: Duration::from_millis(50), ..options() };
    let (client, (conn, _)) = tokio::join!(Client::connect(&address, options), fake.greet(LONG));
    let client = client.expect("a client");
    let mut states = client.state();
    drop((fake, conn));
    assert_eq!(states.changed().await, SessionState::Connecting);
    assert_eq!(client.get("/a").await, Err(ClientError::NotConnected));
}

#[tokio::test]
async fn a_chroot_is_put_before_paths_and_taken_off_again() {
    let fake = Fake::listen().await;
    let servers = format!("{}/app", fake.address());
    let (client, (mut conn, _)) =
        tokio::join!(Client::connect(&servers, options()), fake.greet(LONG));
    let client = client.expect("a client");
    let answer = async {
        let request = conn.expect(OpCode::Create2).await;
        let path = "/app/q-0000000001".to_owned();
        let created = PathStat { path, stat: Stat::default() };
        conn.reply(request.xid, 1, 0, &created.to_bytes()).await;
    };
    let mode = CreateMode::PersistentSequential;
    let (created, ()) = tokio::join!(client.create("/q-", None, mode), answer);
    assert_eq!(created.expect("a path").path, "/q-0000000001");
    let watch = watch_data(&client, &mut conn, "/", 1).await;
    conn.event(EventType::DataChanged, "/app", 2).await;
    assert_eq!(watch.await.expect("an event").path, "/");
    let answer = async {
        let request = conn.expect(OpCode::Sync).await;
        let path = PathOnly::from_bytes(request.body.clone()).expect("a path").path;
        conn.reply(request.xid, 1, 0, &request.body).await;
        path
    };
    let (synced, path) = tokio::join!(client.sync("/a"), answer);
    assert_eq!((synced, path.as_deref()), (Ok(()), Some("/app/a")));
}

#[tokio::test]
async fn a_failed_multi_tells_which_operation_failed() {
    let fake = Fake::listen().await;
    let (client, mut conn) = connected(&fake).await;
    let transaction =
        Transaction::new().create("/a", None, CreateMode::Persistent).delete("/b", Some(3));
    let answer = async {
        for results in [
            vec![MultiResult::Error(0), MultiResult::Error(ErrorCode::NoNode.number())],
            vec![MultiResult::Create(PathResponse { path: "/a".to_owned() }), MultiResult::Delete],
        ] {
            let request = conn.expect(OpCode::Multi).await;
            assert_eq!(MultiRequest::from_bytes(request.body).map(|multi| multi.ops.len()), Ok(2));
            let response = MultiResponse { results };
            conn.reply(request.xid, 1, 0, &response.to_bytes()).await;
        }
    };
    let (failed, done, ()) =
        tokio::join!(client.multi(&transaction), client.multi(&transaction), answer);
    assert_eq!(failed, Err(ClientError::Multi { index: 1, code: ErrorCode::NoNode }));
    assert_eq!(done.map(|results| results.len()), Ok(2));
}

#[tokio::test]
async fn removed_watches_end() {
    let fake = Fake::listen().await;
    let (client, mut conn) = connected(&fake).await;
    let watch = watch_data(&client, &mut conn, "/a", 1).await;
    let answer = async {
        let request = conn.expect(OpCode::RemoveWatches).await;
        conn.reply(request.xid, 1, 0, &[]).await;
    };
    let (removed, ()) = tokio::join!(client.remove_watches("/a", WatcherType::Data), answer);
    assert_eq!(removed, Ok(vec![WatcherType::Data]));
    assert_eq!(watch.await, Err(ClientError::WatchRemoved));
}

#[tokio::test]
async fn room_for_requests_is_bounded_and_comes_back_with_replies() {
    let fake = Fake::listen().await;
    let address = fake.address();
    let options = Options { max_outstanding: 1, ..options() };
    let (client, (mut conn, _)) =
        tokio::join!(Client::connect(&address, options), fake.greet(LONG));
    let client = client.expect("a client");
    let mut first = Box::pin(client.get("/a"));
    let mut second = Box::pin(client.get("/b"));
    start(&mut first).await;
    start(&mut second).await;
    for (get, path) in [(first, "/a"), (second, "/b")] {
        let answer = async {
            let request = conn.expect(OpCode::GetData).await;
            assert_eq!(path_of(request.body), path);
            conn.reply(request.xid, 1, 0, &data("x")).await;
        };
        assert!(tokio::join!(get, answer).0.is_ok());
    }
}

#[tokio::test]
async fn a_session_of_a_read_only_server_is_not_taken_elsewhere() {
    let fake = Fake::listen().await;
    let address = fake.address();
    let options = Options { read_only: true, ..options() };
    let answer = async {
        let mut conn = fake.accept().await;
        assert_eq!(conn.hello().await.read_only, Some(true));
        conn.welcome_as(SESSION + 1, LONG, true).await;
        conn
    };
    let (client, conn) = tokio::join!(Client::connect(&address, options), answer);
    let client = client.expect("a client");
    assert_eq!(client.state().get(), SessionState::ReadOnly);
    drop(conn);
    let (_conn, hello) = fake.greet(LONG).await;
    assert_eq!(hello.request.session_id, 0);
}
