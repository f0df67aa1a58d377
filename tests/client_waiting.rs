//! The client before there is a connection, and its view of all events.

#![cfg(feature = "client")]

#[allow(dead_code, reason = "each test binary uses a part of it")]
mod client_fake;

use client_fake::Fake;
use jute::Encode as _;
use jute::client::{DataStat, Stat};
use std::time::Duration;
use zabra::client::{Client, ClientError, EventType, Loss, Notice, Options, SessionState};
use zabra::proto::OpCode;

/// Long enough never to run out in a test.
const LONG: i32 = 600_000;

async fn nobody() -> String {
    Fake::listen().await.address()
}

#[tokio::test]
async fn what_was_tried_is_told_for_each_server() {
    let (one, two) = (nobody().await, nobody().await);
    let servers = format!("{one},{two}");
    let client = Client::begin(&servers, Options::default()).expect("a client");
    while client.attempts().servers.len() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let attempts = client.attempts();
    let mut tried: Vec<_> = attempts.servers.iter().map(|attempt| &attempt.server).collect();
    tried.sort();
    let mut wanted = [&one, &two];
    wanted.sort();
    assert_eq!(tried, wanted);
    let refused = ClientError::ConnectionLoss(Loss::Io(std::io::ErrorKind::ConnectionRefused));
    assert!(attempts.servers.iter().all(|attempt| attempt.count > 0 && attempt.error == refused));
    let text = attempts.to_string();
    assert!(text.starts_with("tried ") && text.contains("(connection refused)"), "{text}");
    client.abandon();
}

#[tokio::test]
async fn whoever_has_waited_too_long_has_no_client() {
    let options = Options { connect_timeout: Duration::from_millis(1), ..Options::default() };
    let client = Client::begin(&nobody().await, options).expect("a client");
    assert_eq!(client.ready().await, Err(ClientError::NotConnected));
    assert_eq!(client.get("/").await, Err(ClientError::Closed));
}

#[tokio::test]
async fn a_name_without_an_address_is_called_so() {
    let servers = "no-such-name.invalid:2181";
    let client = Client::begin(servers, Options::default()).expect("a client");
    while client.attempts().servers.is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let error = client.attempts().servers[0].error;
    assert_eq!(error, ClientError::ConnectionLoss(Loss::Unresolved));
    client.abandon();
}

#[tokio::test]
async fn operations_wait_for_the_first_connection_and_attempts_end_with_it() {
    let fake = Fake::listen().await;
    let client = Client::begin(&fake.address(), Options::default()).expect("a client");
    assert_eq!(client.state().get(), SessionState::Connecting);
    let answer = async {
        let (mut conn, _) = fake.greet(LONG).await;
        let request = conn.expect(OpCode::GetData).await;
        let found = DataStat { data: None, stat: Stat::default() };
        conn.reply(request.xid, 1, 0, &found.to_bytes()).await;
        conn
    };
    let (found, _conn) = tokio::join!(client.get("/a"), answer);
    assert!(found.is_ok());
    assert_eq!(client.attempts().servers, []);
}

#[tokio::test]
async fn every_event_is_told_once_and_the_end_too() {
    let fake = Fake::listen().await;
    let client = Client::begin(&fake.address(), Options::default()).expect("a client");
    let (mut conn, _) = fake.greet(LONG).await;
    let mut events = client.events();
    let watched = async {
        // Two watches on one znode, of which the server knows as one.
        let watches = async {
            let first = client.get_and_watch("/a").await.expect("data").1;
            (first, client.get_and_watch("/a").await.expect("data").1)
        };
        let answers = async {
            for zxid in 1..=2 {
                let request = conn.expect(OpCode::GetData).await;
                let found = DataStat { data: None, stat: Stat::default() };
                conn.reply(request.xid, zxid, 0, &found.to_bytes()).await;
            }
            conn.event(EventType::DataChanged, "/a", 3).await;
            // Nobody has a watch for this one; it is told all the same.
            conn.event(EventType::Created, "/b", 4).await;
        };
        tokio::join!(watches, answers).0
    };
    let (first, second) = watched.await;
    for (kind, path) in [(EventType::DataChanged, "/a"), (EventType::Created, "/b")] {
        let notice = events.next().await;
        let matches = matches!(&notice, Ok(Notice::Event(event))
            if event.kind == kind && event.path == path);
        assert!(matches, "{notice:?}");
    }
    assert!(first.await.is_ok() && second.await.is_ok());
    client.abandon();
    assert_eq!(events.next().await, Err(ClientError::Closed));
    assert_eq!(client.events().next().await, Err(ClientError::Closed));
}
