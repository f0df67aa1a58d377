//! The client against a real server: this program, or the server at the `host:port` that
//! `ZABRA_TEST_SERVER` names, such as Apache ZooKeeper's with TTLs switched on.

#![cfg(feature = "server")]

mod server_support;

use bytes::Bytes;
use server_support::{Server, zabra};
use std::ops::Deref;
use std::time::Duration;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use zabra::client::{
    AddWatchMode, Client, ClientError, CreateMode, CreateOptions, EventType, MultiResult, Notice,
    Options, ReadOp, SessionState, Transaction, WatcherType,
};
use zabra::types::{Acl, ErrorCode, Id, perms};

/// The server under test as `host:port`. It ends with this if it is a test's own.
struct Target {
    address: String,
    _own: Option<Server>,
}

impl Deref for Target {
    type Target = str;

    fn deref(&self) -> &str {
        &self.address
    }
}

fn server() -> Target {
    if let Ok(address) = std::env::var("ZABRA_TEST_SERVER") {
        return Target { address, _own: None };
    }
    let extended = "zookeeper.extendedTypesEnabled=true";
    let own = Server::run(zabra(["server", "--temporary", "-D", extended])).expect("a server");
    Target { address: own.address(), _own: Some(own) }
}

async fn connect(server: &str) -> Client {
    Client::connect(server, Options::default()).await.expect("a server that answers")
}

/// A znode of the test's own, as a connect string with chroot.
async fn fresh(server: &str) -> String {
    let client = connect(server).await;
    let mode = CreateMode::PersistentSequential;
    let path = client.create("/client-test-", None, mode).await.expect("a znode").path;
    client.close().await.expect("an end");
    format!("{server}{path}")
}

fn text(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

#[tokio::test]
async fn znodes_are_created_read_changed_and_deleted() {
    let server = server();
    let client = connect(&fresh(&server).await).await;
    let created = client.create("/a", text("x"), CreateMode::Persistent).await.expect("a znode");
    assert_eq!((created.path.as_str(), created.stat.data_length), ("/a", 1));
    let read = client.get("/a").await.expect("data");
    assert_eq!((read.data, read.stat), (Some(text("x")), created.stat));
    let stat = client.set("/a", None, Some(0)).await.expect("a stat");
    assert_eq!(stat.version, 1);
    assert_eq!(client.get("/a").await.expect("data").data, None);
    let wrong = client.set("/a", text("y"), Some(0)).await;
    assert_eq!(wrong, Err(ClientError::Api(ErrorCode::BadVersion)));
    let again = client.create("/a", None, CreateMode::Persistent).await;
    assert_eq!(again.err(), Some(ClientError::Api(ErrorCode::NodeExists)));
    for name in ["/a/b", "/a/c"] {
        client.create(name, None, CreateMode::Persistent).await.expect("a znode");
    }
    let mut names = client.children("/a").await.expect("names");
    names.sort();
    assert_eq!(names, ["b", "c"]);
    assert_eq!(client.children2("/a").await.expect("names").stat.num_children, 2);
    assert_eq!(client.all_children_number("/").await, Ok(3));
    assert_eq!(client.delete("/a", None).await, Err(ClientError::Api(ErrorCode::NotEmpty)));
    assert_eq!(client.delete("/a/b", None).await, Ok(()));
    assert_eq!(client.exists("/a/b").await, Ok(None));
    assert_eq!(client.sync("/a").await, Ok(()));
    client.close().await.expect("an end");
}

#[tokio::test]
async fn all_create_modes_work() {
    let server = server();
    let at = fresh(&server).await;
    let client = connect(&at).await;
    let hour = Duration::from_hours(1);
    for (mode, ttl, path) in [
        (CreateMode::Persistent, None, "/a"),
        (CreateMode::Ephemeral, None, "/b"),
        (CreateMode::PersistentSequential, None, "/c0000000002"),
        (CreateMode::EphemeralSequential, None, "/c0000000003"),
        (CreateMode::Container, None, "/d"),
        (CreateMode::PersistentWithTtl, Some(hour), "/e"),
        (CreateMode::PersistentSequentialWithTtl, Some(hour), "/c0000000006"),
    ] {
        let options = CreateOptions { ttl, ..mode.into() };
        let asked = if mode.is_sequential() { "/c" } else { path };
        let created = client.create(asked, text("x"), options).await;
        assert_eq!(created.map(|created| created.path).as_deref(), Ok(path));
    }
    let mut ephemerals = client.ephemerals("/").await.expect("paths");
    ephemerals.sort();
    assert_eq!(ephemerals, ["/b", "/c0000000003"]);
    client.close().await.expect("an end");
    let client = connect(&at).await;
    assert_eq!(client.all_children_number("/").await, Ok(5));
    client.close().await.expect("an end");
}

#[tokio::test]
async fn transactions_are_all_or_nothing() {
    let server = server();
    let client = connect(&fresh(&server).await).await;
    let good = Transaction::new()
        .create("/a", text("x"), CreateMode::Persistent)
        .set("/a", text("y"), Some(0))
        .check("/a", Some(1))
        .create("/b", None, CreateMode::Ephemeral)
        .delete("/b", None);
    let results = client.multi(&good).await.expect("results");
    assert!(matches!(&results[0], MultiResult::Create(created) if created.path == "/a"));
    assert!(matches!(&results[1], MultiResult::SetData(stat) if stat.version == 1));
    assert_eq!(results[2..=2], [MultiResult::Check]);
    assert_eq!(results[4], MultiResult::Delete);
    let bad = Transaction::new()
        .create("/c", None, CreateMode::Persistent)
        .check("/a", Some(7))
        .delete("/a", None);
    let failed = ClientError::Multi { index: 1, code: ErrorCode::BadVersion };
    assert_eq!(client.multi(&bad).await, Err(failed));
    assert_eq!(client.exists("/c").await, Ok(None));
    let reads = [ReadOp::Get("/a"), ReadOp::Get("/missing"), ReadOp::Children("/")];
    let results = client.multi_read(&reads).await.expect("results");
    assert!(matches!(&results[0], MultiResult::GetData(read) if read.data == Some(text("y"))));
    assert_eq!(results[1], MultiResult::Error(ErrorCode::NoNode.number()));
    assert!(matches!(&results[2], MultiResult::GetChildren(names) if names.names == ["a"]));
    client.close().await.expect("an end");
}

#[tokio::test]
async fn watches_fire_and_are_removed() {
    let server = server();
    let client = connect(&fresh(&server).await).await;
    let (missing, created) = client.exists_and_watch("/a").await.expect("an answer");
    assert_eq!(missing, None);
    let (_, children) = client.children_and_watch("/").await.expect("names");
    let mut all = client.add_watch("/", AddWatchMode::PersistentRecursive).await.expect("a watch");
    client.create("/a", None, CreateMode::Persistent).await.expect("a znode");
    assert_eq!(created.await.map(|event| event.kind), Ok(EventType::Created));
    assert_eq!(children.await.map(|event| event.kind), Ok(EventType::ChildrenChanged));
    let (_, deleted) = client.get_and_watch("/a").await.expect("data");
    assert_eq!(client.check_watches("/a", WatcherType::Data).await, Ok(true));
    client.delete("/a", None).await.expect("an end");
    assert_eq!(deleted.await.map(|event| event.kind), Ok(EventType::Deleted));
    for kind in [EventType::Created, EventType::Deleted] {
        let notice = all.next().await;
        let matches = matches!(&notice, Ok(Notice::Event(event))
            if event.kind == kind && event.path == "/a");
        assert!(matches, "{notice:?}");
    }
    let (_, removed) = client.get_and_watch("/").await.expect("data");
    let kinds = client.remove_watches("/", WatcherType::Any).await;
    assert_eq!(kinds, Ok(vec![WatcherType::Data, WatcherType::PersistentRecursive]));
    assert_eq!(removed.await, Err(ClientError::WatchRemoved));
    assert_eq!(all.next().await, Err(ClientError::WatchRemoved));
    assert_eq!(client.check_watches("/", WatcherType::Any).await, Ok(false));
    client.close().await.expect("an end");
}

#[tokio::test]
async fn access_is_controlled() {
    let server = server();
    let at = fresh(&server).await;
    let (owner, other) = (connect(&at).await, connect(&at).await);
    owner.add_auth("digest", b"me:secret").await.expect("an identity");
    let who = owner.whoami().await.expect("identities");
    assert!(who.iter().any(|id| id.auth_scheme == "digest" && id.user == "me"));
    let mine = Acl { perms: perms::ALL, id: Id { scheme: "auth".into(), id: String::new() } };
    let options = CreateOptions::from(CreateMode::Persistent).acl(vec![mine]);
    owner.create("/a", text("x"), options).await.expect("a znode");
    let refused = Some(ClientError::Api(ErrorCode::NoAuth));
    assert_eq!(other.get("/a").await.err(), refused);
    let open = perms::world(perms::READ);
    assert_eq!(other.set_acl("/a", &open, None).await.err(), refused);
    assert_eq!(owner.set_acl("/a", &open, Some(0)).await.map(|stat| stat.aversion), Ok(1));
    assert_eq!(other.get_acl("/a").await.map(|acl| acl.acl), Ok(open));
    assert!(other.get("/a").await.is_ok());
    let unknown = other.add_auth("no-such-scheme", b"").await;
    assert_eq!(unknown, Err(ClientError::AuthFailed));
    owner.close().await.expect("an end");
}

/// Relays connections to a server until told to cut them.
async fn proxy(server: String) -> (String, watch::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let (cut, cuts) = watch::channel(());
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let (server, mut cuts) = (server.clone(), cuts.clone());
            cuts.mark_unchanged();
            tokio::spawn(async move {
                let mut far = TcpStream::connect(server).await.expect("the server");
                tokio::select! {
                    _ = copy_bidirectional(&mut near, &mut far) => {}
                    _ = cuts.changed() => {}
                }
            });
        }
    });
    (address, cut)
}

#[tokio::test]
async fn a_session_survives_its_connection() {
    let server = server();
    let at = fresh(&server).await;
    let (_, chroot) = at.split_at(server.len());
    let other = connect(&at).await;
    let (near, cut) = proxy(server.to_owned()).await;
    let client = connect(&format!("{near}{chroot}")).await;
    let session = client.session();
    client.create("/e", None, CreateMode::Ephemeral).await.expect("a znode");
    let (_, changed) = client.get_and_watch("/e").await.expect("data");
    let (_, created) = client.exists_and_watch("/new").await.expect("an answer");
    let mut all = client.add_watch("/e", AddWatchMode::Persistent).await.expect("a watch");
    let mut states = client.state();
    cut.send_replace(());
    // That there is no connection may be shown or not, as it passes quickly.
    while states.changed().await != SessionState::Connected {}
    other.set("/e", text("changed"), None).await.expect("a stat");
    assert_eq!(client.session(), session);
    assert_eq!(changed.await.map(|event| event.kind), Ok(EventType::DataChanged));
    assert_eq!(all.next().await, Ok(Notice::Gap));
    assert!(matches!(all.next().await, Ok(Notice::Event(_))));
    other.create("/new", None, CreateMode::Persistent).await.expect("a znode");
    assert_eq!(created.await.map(|event| event.path).as_deref(), Ok("/new"));
    other.set("/e", text("changed again"), None).await.expect("a stat");
    let notice = all.next().await;
    assert!(matches!(&notice, Ok(Notice::Event(event)) if event.path == "/e"), "{notice:?}");
    client.close().await.expect("an end");
    assert_eq!(other.exists("/e").await, Ok(None));
    other.close().await.expect("an end");
}

#[tokio::test]
async fn a_session_that_is_gone_is_expired() {
    let server = server();
    let client = connect(&server).await;
    let resume = client.session();
    client.close().await.expect("an end");
    let options = Options { resume, ..Options::default() };
    let result = Client::connect(&server, options).await;
    assert_eq!(result.err(), Some(ClientError::SessionExpired));
}
