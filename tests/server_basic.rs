//! The program end to end: operations, sessions and their ends, through the client library.
//! What that library promises before any server is in `client_server.rs`.

#![cfg(feature = "server")]

mod server_support;

use bytes::Bytes;
use server_support::{PATIENCE, Server};
use std::time::Duration;
use tempfile::{TempDir, tempdir};
use zabra::client::{
    AddWatchMode, Client, ClientError, CreateMode, CreateOptions, EventType, Notice, Options,
    SessionKey, Transaction,
};
use zabra::types::{Acl, ErrorCode, Id, perms};

fn start(settings: &[&str]) -> (TempDir, Server) {
    let data = tempdir().expect("a directory");
    let server = Server::start(data.path(), settings);
    (data, server)
}

fn text(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

/// A session that does not live long without its client. Needs a tick of 100 ms.
fn brief() -> Options {
    Options { session_timeout: Duration::from_millis(300), ..Options::default() }
}

async fn create(client: &Client, path: &str, mode: CreateMode) {
    client.create(path, text("x"), mode).await.expect("a znode");
}

async fn in_time<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("in time")
}

/// Waits until a znode is gone.
async fn gone(client: &Client, path: &str) {
    let (stat, event) = client.exists_and_watch(path).await.expect("an answer");
    if stat.is_some() {
        assert_eq!(in_time(event).await.map(|event| event.kind), Ok(EventType::Deleted));
    }
    assert_eq!(client.exists(path).await, Ok(None));
}

#[tokio::test]
async fn a_new_server_has_what_zookeeper_has() {
    let (_data, server) = start(&[]);
    let client = server.client().await;
    assert_eq!(client.children("/").await, Ok(vec!["zookeeper".to_owned()]));
    let mut names = client.children("/zookeeper").await.expect("names");
    names.sort();
    assert_eq!(names, ["config", "quota"]);
    assert_eq!(client.all_children_number("/").await, Ok(3));
    assert!(client.config().await.is_ok());
    let refused = client.delete("/zookeeper", None).await;
    assert_eq!(refused, Err(ClientError::Api(ErrorCode::BadArguments)));
    let refused = client.reconfig(None, Some("3"), None, None).await;
    assert_eq!(refused.err(), Some(ClientError::Api(ErrorCode::ReconfigDisabled)));
    client.close().await.expect("an end");
}

#[tokio::test]
async fn requests_of_one_session_are_answered_in_order() {
    let (_data, server) = start(&[]);
    let client = server.client().await;
    create(&client, "/a", CreateMode::Persistent).await;
    let mut answers = Vec::new();
    for number in 0..500_i32 {
        // Tasks begin in turn, so each read is queued behind the write before it.
        let (writer, reader) = (client.clone(), client.clone());
        let data = text(&number.to_string());
        let write = tokio::spawn(async move { writer.set("/a", data, Some(number)).await });
        answers.push((write, tokio::spawn(async move { reader.get("/a").await })));
    }
    for (number, (write, read)) in answers.into_iter().enumerate() {
        let written = in_time(write).await.expect("an answer").expect("a stat");
        let read = in_time(read).await.expect("an answer").expect("data");
        assert_eq!(read.data, Some(text(&number.to_string())));
        assert_eq!(read.stat, written);
    }
    client.close().await.expect("an end");
}

#[tokio::test]
async fn an_event_comes_before_a_reply_that_shows_the_change() {
    let (_data, server) = start(&[]);
    let (writer, reader) = (server.client().await, server.client().await);
    create(&writer, "/a", CreateMode::Persistent).await;
    for round in 0..100 {
        let (before, mut event) = reader.get_and_watch("/a").await.expect("data");
        let set = writer.clone();
        let set = tokio::spawn(async move { set.set("/a", text("new"), Some(round)).await });
        while reader.get("/a").await.expect("data").stat.version == before.stat.version {}
        tokio::select! {
            biased;
            event = &mut event => {
                assert_eq!(event.map(|event| event.kind), Ok(EventType::DataChanged));
            }
            () = std::future::ready(()) => panic!("round {round}: the reply came first"),
        }
        set.await.expect("an answer").expect("a stat");
    }
    writer.close().await.expect("an end");
    reader.close().await.expect("an end");
}

#[tokio::test]
async fn a_transaction_is_seen_at_once_and_its_events_come_in_order() {
    let (_data, server) = start(&[]);
    let (writer, reader) = (server.client().await, server.client().await);
    let recursive = AddWatchMode::PersistentRecursive;
    let mut events = reader.add_watch("/", recursive).await.expect("a watch");
    let transaction = Transaction::new()
        .create("/a", text("1"), CreateMode::Persistent)
        .create("/a/b", None, CreateMode::Persistent)
        .set("/a", text("2"), Some(0))
        .delete("/a/b", None);
    writer.multi(&transaction).await.expect("results");
    for (kind, path) in [
        (EventType::Created, "/a"),
        (EventType::Created, "/a/b"),
        (EventType::DataChanged, "/a"),
        (EventType::Deleted, "/a/b"),
    ] {
        let notice = in_time(events.next()).await.expect("an event");
        let Notice::Event(event) = notice else { panic!("{notice:?}") };
        assert_eq!((event.kind, event.path.as_str()), (kind, path));
    }
    let failing = Transaction::new()
        .create("/c", None, CreateMode::Persistent)
        .delete("/none", None)
        .delete("/a", None);
    let failed = ClientError::Multi { index: 1, code: ErrorCode::NoNode };
    assert_eq!(writer.multi(&failing).await, Err(failed));
    reader.sync("/").await.expect("an answer");
    assert_eq!(reader.exists("/c").await, Ok(None));
    assert!(reader.exists("/a").await.is_ok_and(|stat| stat.is_some()));
    writer.close().await.expect("an end");
    reader.close().await.expect("an end");
}

#[tokio::test]
async fn ephemerals_go_with_their_session() {
    let (_data, server) = start(&[]);
    let (owner, other) = (server.client().await, server.client().await);
    create(&owner, "/kept", CreateMode::Persistent).await;
    create(&owner, "/kept/a", CreateMode::Ephemeral).await;
    create(&owner, "/b", CreateMode::Ephemeral).await;
    let under_ephemeral = owner.create("/b/c", None, CreateMode::Persistent).await;
    let refused = Some(ClientError::Api(ErrorCode::NoChildrenForEphemerals));
    assert_eq!(under_ephemeral.err(), refused);
    let session = owner.session().expect("a session").id;
    let stat = other.exists("/b").await.expect("an answer").expect("a znode");
    assert_eq!(stat.ephemeral_owner, session.0);
    let (_, event) = other.exists_and_watch("/kept/a").await.expect("an answer");
    owner.close().await.expect("an end");
    assert_eq!(in_time(event).await.map(|event| event.kind), Ok(EventType::Deleted));
    assert_eq!(other.exists("/b").await, Ok(None));
    assert!(other.exists("/kept").await.is_ok_and(|stat| stat.is_some()));
    other.close().await.expect("an end");
}

#[tokio::test]
async fn a_session_without_a_client_expires() {
    let (_data, server) = start(&["tickTime=100"]);
    let (owner, other) =
        (server.client_with(brief()).await.expect("a session"), server.client().await);
    assert_eq!(owner.session_timeout(), Duration::from_millis(300));
    create(&owner, "/a", CreateMode::Ephemeral).await;
    let resume = owner.session();
    owner.abandon();
    gone(&other, "/a").await;
    let again = server.client_with(Options { resume, ..brief() }).await;
    assert_eq!(again.err(), Some(ClientError::SessionExpired));
    other.close().await.expect("an end");
}

#[tokio::test]
async fn a_session_goes_on_with_its_password_only() {
    let (_data, server) = start(&[]);
    let first = server.client().await;
    create(&first, "/a", CreateMode::Ephemeral).await;
    let key = first.session().expect("a session");
    first.abandon();
    let wrong = SessionKey { password: vec![0; 16], ..key.clone() };
    let options = Options { resume: Some(wrong), ..Options::default() };
    let refused = server.client_with(options).await;
    assert_eq!(refused.err(), Some(ClientError::SessionExpired));
    let options = Options { resume: Some(key.clone()), ..Options::default() };
    let second = server.client_with(options).await.expect("the session");
    assert_eq!(second.session(), Some(key));
    assert_eq!(second.ephemerals("/").await, Ok(vec!["/a".to_owned()]));
    second.close().await.expect("an end");
}

#[tokio::test]
async fn identities_open_what_is_closed() {
    // The digest of "super:test".
    let superuser = "zookeeper.DigestAuthenticationProvider.superDigest=\
                     super:D/InIHSb7yEEbrWz8b9l71RjZJU=";
    let (_data, server) = start(&[superuser]);
    let (owner, stranger) = (server.client().await, server.client().await);
    owner.add_auth("digest", b"me:secret").await.expect("an identity");
    let mine = Acl { perms: perms::ALL, id: Id { scheme: "auth".into(), id: String::new() } };
    let options = CreateOptions::from(CreateMode::Persistent).acl(vec![mine]);
    owner.create("/a", text("x"), options).await.expect("a znode");
    let refused = Some(ClientError::Api(ErrorCode::NoAuth));
    assert_eq!(stranger.get("/a").await.err(), refused);
    assert_eq!(stranger.set("/a", None, None).await.err(), refused);
    assert_eq!(stranger.create("/a/b", None, CreateMode::Persistent).await.err(), refused);
    // Who may delete is for the parent to say.
    stranger.add_auth("digest", b"super:test").await.expect("an identity");
    assert_eq!(stranger.get("/a").await.map(|read| read.data), Ok(Some(text("x"))));
    let acl = stranger.get_acl("/a").await.expect("a list").acl;
    assert_eq!((acl.len(), acl[0].id.scheme.as_str()), (1, "digest"));
    assert!(acl[0].id.id.starts_with("me:"));
    owner.close().await.expect("an end");
    stranger.close().await.expect("an end");
}

#[tokio::test]
async fn containers_and_expired_znodes_are_removed() {
    let settings = ["zookeeper.extendedTypesEnabled=true", "znode.container.checkIntervalMs=50"];
    let (_data, server) = start(&settings);
    let client = server.client().await;
    create(&client, "/container", CreateMode::Container).await;
    create(&client, "/container/a", CreateMode::Persistent).await;
    let brief = CreateOptions::from(CreateMode::PersistentWithTtl).ttl(Duration::from_millis(50));
    client.create("/brief", None, brief).await.expect("a znode");
    let long = CreateOptions::from(CreateMode::PersistentWithTtl).ttl(Duration::from_hours(1));
    client.create("/long", None, long).await.expect("a znode");
    gone(&client, "/brief").await;
    assert!(client.exists("/container").await.is_ok_and(|stat| stat.is_some()));
    client.delete("/container/a", None).await.expect("an end");
    gone(&client, "/container").await;
    assert!(client.exists("/long").await.is_ok_and(|stat| stat.is_some()));
    client.close().await.expect("an end");
}

#[tokio::test]
async fn a_limit_for_frames_is_kept() {
    let (_data, server) = start(&["jute.maxbuffer=5000"]);
    let client = server.client().await;
    // A create2 frame's other fields: xid, op, path, lengths, the open ACL, flags.
    let other = 4 + 4 + (4 + 2) + 4 + (4 + 4 + 4 + 5 + 4 + 6) + 4;
    let largest = Bytes::from(vec![b'x'; 5000 - other]);
    client.create("/a", largest.clone(), CreateMode::Persistent).await.expect("a znode");
    assert_eq!(client.get("/a").await.map(|read| read.data), Ok(Some(largest)));
    let larger = Bytes::from(vec![b'x'; 5001 - other]);
    let lost = client.create("/b", larger, CreateMode::Persistent).await;
    assert!(matches!(lost, Err(ClientError::ConnectionLoss(_))), "{lost:?}");
    // The client comes back with the same session.
    assert_eq!(in_time(client.exists("/b")).await, Ok(None));
    client.close().await.expect("an end");
}
