//! Locks and elections against a real server: this program, or the one that `ZABRA_TEST_SERVER`
//! names as `host:port`.

#![cfg(feature = "server")]

mod server_support;

use bytes::Bytes;
use server_support::{PATIENCE, Server, zabra};
use std::future::Future;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;
use zabra::client::recipes::{Election, Held, Leaders, Lock, Lost};
use zabra::client::{Client, ClientError, CreateMode, Options};
use zabra::types::Zxid;

/// The server under test. It ends with this if it is a test's own.
struct Target {
    address: String,
    _own: Option<Server>,
}

impl Target {
    fn new() -> Self {
        if let Ok(address) = std::env::var("ZABRA_TEST_SERVER") {
            return Self { address, _own: None };
        }
        let own = Server::run(zabra(["server", "--temporary"])).expect("a server");
        Self { address: own.address(), _own: Some(own) }
    }

    async fn client(&self) -> Client {
        Client::connect(&self.address, short()).await.expect("a session")
    }
}

/// The shortest session that servers grant by default.
fn short() -> Options {
    Options { session_timeout: Duration::from_secs(4), ..Options::default() }
}

/// What must come, on a machine however busy.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect("it comes in time")
}

async fn names(client: &Client, path: &str) -> Vec<String> {
    let mut names = client.children(path).await.expect("names");
    names.sort();
    names
}

/// Waits until there are so many children.
async fn children(client: &Client, path: &str, count: usize) {
    soon(async {
        loop {
            match client.children_and_watch(path).await {
                Ok((read, _)) if read.names.len() == count => return,
                Ok((_, changed)) => drop(changed.await.expect("an event")),
                Err(_) => drop(client.exists_and_watch(path).await.expect("an answer").1.await),
            }
        }
    })
    .await;
}

/// A path of the test's own.
fn path(name: &str) -> String {
    format!("/recipes-{}-{name}/a", std::process::id())
}

fn lock(client: &Client, path: &str) -> Lock {
    Lock::new(client, path).expect("a lock")
}

async fn acquire(client: &Client, path: &str) -> Held {
    soon(lock(client, path).acquire()).await.expect("the lock")
}

#[tokio::test]
async fn one_holds_and_tokens_grow() {
    let server = Target::new();
    let (first, second) = (server.client().await, server.client().await);
    let path = path("one");
    let held = acquire(&first, &path).await;
    assert!(held.is_held() && held.path().starts_with(&format!("{path}/_c_")), "{held:?}");
    assert!(soon(lock(&second, &path).try_acquire()).await.expect("an answer").is_none());
    children(&second, &path, 2).await;
    let waiting = lock(&second, &path).data(Bytes::from_static(b"second"));
    let waiting = tokio::spawn(async move { waiting.acquire().await });
    children(&first, &path, 4).await;
    assert!(!waiting.is_finished());
    let before = held.token();
    held.release().await.expect("an end");
    let held = soon(waiting).await.expect("no panic").expect("the lock");
    assert!(held.token() > before, "{:?} after {before:?}", held.token());
    let own = first.get(&held.path()).await.expect("data");
    assert_eq!((own.data, Zxid(own.stat.czxid)), (Some("second".into()), held.token()));
    held.release().await.expect("an end");
    assert_eq!(names(&first, &path).await, [""; 0]);
    assert!(matches!(Lock::new(&first, "a"), Err(ClientError::InvalidPath(_))));
}

#[tokio::test]
async fn who_gives_up_leaves_nothing_behind() {
    let server = Target::new();
    let (holder, other) = (server.client().await, server.client().await);
    let path = path("gives-up");
    let held = acquire(&holder, &path).await;
    let waiting = lock(&other, &path);
    // At once, before the reply, and while it waits.
    for _ in 0..20 {
        assert!(timeout(Duration::ZERO, waiting.acquire()).await.is_err());
    }
    let waiting = tokio::spawn(async move { waiting.acquire().await });
    children(&holder, &path, 4).await;
    waiting.abort();
    children(&holder, &path, 2).await;
    drop(held);
    children(&other, &path, 0).await;
}

#[tokio::test]
async fn others_are_waited_for_by_their_numbers() {
    let server = Target::new();
    let (client, other) = (server.client().await, server.client().await);
    let path = path("others");
    acquire(&client, &path).await.release().await.expect("an end");
    let mut before = Vec::new();
    // Names that sort otherwise than their numbers.
    for name in ["f00d__lock__", "_c_0-lock-", "0__rlock__"] {
        let name = format!("{path}/{name}");
        before.push(other.create(&name, None, CreateMode::EphemeralSequential).await.expect("it"));
    }
    other.create(&format!("{path}/config"), None, CreateMode::Ephemeral).await.expect("it");
    let mut waiting = tokio::spawn({
        let lock = lock(&client, &path);
        async move { lock.acquire().await }
    });
    children(&other, &path, 6).await;
    // The one before it goes first: then it waits for the one before that.
    for created in before.iter().rev() {
        assert!(!waiting.is_finished());
        other.delete(&created.path, None).await.expect("an end");
    }
    let held = soon(&mut waiting).await.expect("no panic").expect("the lock");
    assert!(before.iter().all(|created| Zxid(created.stat.czxid) < held.token()));
}

#[tokio::test]
async fn a_deleted_znode_is_a_lost_lock() {
    let server = Target::new();
    let (client, other) = (server.client().await, server.client().await);
    let path = path("deleted");
    let mut held = acquire(&client, &path).await;
    let all = names(&other, &path).await;
    other.set(&format!("{path}/{}", all[0]), Bytes::new(), None).await.expect("a stat");
    assert!(timeout(Duration::from_millis(50), held.lost()).await.is_err());
    other.delete(&format!("{path}/{}", all[1]), None).await.expect("an end");
    assert_eq!(soon(held.lost()).await, Lost::Deleted);
    assert!(!held.is_held());
    // One who waits enters the queue again.
    let waiting = tokio::spawn({
        let lock = lock(&other, &path);
        async move { lock.acquire().await }
    });
    children(&client, &path, 3).await;
    for name in names(&client, &path).await {
        let path = format!("{path}/{name}");
        if path != held.path() {
            client.delete(&path, None).await.expect("an end");
        }
    }
    let before = held.token();
    held.release().await.expect("an end");
    let held = soon(waiting).await.expect("no panic").expect("the lock");
    assert!(held.token() > before);
}

#[tokio::test]
async fn a_lost_session_is_a_lost_lock() {
    let server = Target::new();
    let (client, other) = (server.client().await, server.client().await);
    let path = path("session");
    let mut held = acquire(&client, &path).await;
    // The two take the session from each other until one of them ends it.
    soon(async {
        loop {
            let options = Options { resume: client.session(), ..short() };
            match Client::connect(&server.address, options).await {
                Ok(same) if same.close().await.is_err() => {}
                _ => break,
            }
        }
    })
    .await;
    assert_eq!(soon(held.lost()).await, Lost::SessionEnded);
    acquire(&other, &path).await;
}

/// Passes connections on to a server, as it is told: all, only what clients send, or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Passing {
    Both,
    ToServer,
    Nothing,
}

async fn proxy(server: String) -> (String, watch::Sender<Passing>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let (tell, passing) = watch::channel(Passing::Both);
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            if *passing.borrow() == Passing::Nothing {
                continue;
            }
            let far = TcpStream::connect(&server).await.expect("the server");
            let (near, far) = (near.into_split(), far.into_split());
            tokio::spawn(pass(near.0, far.1, passing.clone(), Passing::ToServer));
            tokio::spawn(pass(far.0, near.1, passing.clone(), Passing::Both));
        }
    });
    (address, tell)
}

/// Passes one direction on until there is nothing; what comes while `needed` is not met is lost.
async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut passing: watch::Receiver<Passing>,
    needed: Passing,
) {
    let mut buffer = [0; 4096];
    loop {
        let count = tokio::select! {
            _ = passing.wait_for(|&now| now == Passing::Nothing) => return,
            count = from.read(&mut buffer) => count.unwrap_or(0),
        };
        let now = *passing.borrow();
        let passes = now == Passing::Both || now == needed;
        if count == 0 || passes && to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn a_lost_reply_makes_no_second_contender() {
    let server = Target::new();
    let other = server.client().await;
    let path = path("reply");
    acquire(&other, &path).await.release().await.expect("an end");
    let (near, tell) = proxy(server.address.clone()).await;
    let client = Client::connect(&near, short()).await.expect("a session");
    tell.send_replace(Passing::ToServer);
    let lock = lock(&client, &path);
    let acquired = tokio::spawn(async move { lock.acquire().await });
    children(&other, &path, 2).await;
    let there = names(&other, &path).await;
    tell.send_replace(Passing::Nothing);
    tokio::time::sleep(Duration::from_millis(10)).await;
    tell.send_replace(Passing::Both);
    let held = soon(acquired).await.expect("no panic").expect("the lock");
    assert_eq!(names(&other, &path).await, there);
    // The same when nobody waits for the reply any more.
    tell.send_replace(Passing::ToServer);
    let second = Lock::new(&client, &path).expect("a lock");
    let given_up = tokio::spawn(async move { second.acquire().await });
    children(&other, &path, 4).await;
    given_up.abort();
    tell.send_replace(Passing::Nothing);
    tokio::time::sleep(Duration::from_millis(10)).await;
    tell.send_replace(Passing::Both);
    children(&other, &path, 2).await;
    held.release().await.expect("an end");
    assert_eq!(names(&other, &path).await, [""; 0]);
}

#[tokio::test]
async fn a_lost_connection_is_a_lost_lock_if_it_stays_lost() {
    let server = Target::new();
    let other = server.client().await;
    let path = path("connection");
    let (near, tell) = proxy(server.address.clone()).await;
    let client = Client::connect(&near, short()).await.expect("a session");
    let mut held = acquire(&client, &path).await;
    tell.send_replace(Passing::Nothing);
    assert_eq!(soon(held.lost()).await, Lost::Disconnected);
    // Said in time: nobody else can have it yet.
    assert!(soon(lock(&other, &path).try_acquire()).await.expect("an answer").is_none());
    acquire(&other, &path).await;
}

#[tokio::test]
async fn leaders_are_shown_as_they_change() {
    let server = Target::new();
    let (first, second, observer) =
        (server.client().await, server.client().await, server.client().await);
    let path = path("election");
    let mut leaders = Leaders::new(&observer, &path).expect("a path");
    assert_eq!(soon(leaders.next()).await, Ok(None));
    let candidate = |client: &Client, name: &'static str| {
        let election = Election::new(client, &path).expect("an election");
        election.value(Bytes::from_static(name.as_bytes()))
    };
    let leader = soon(candidate(&first, "first").lead()).await.expect("the leadership");
    let shown = soon(leaders.next()).await.expect("an answer").expect("a leader");
    assert_eq!((&shown.value[..], shown.token), (&b"first"[..], leader.token()));
    assert_eq!(Some(shown.session), first.session().map(|session| session.id));
    let next = tokio::spawn({
        let candidate = candidate(&second, "second");
        async move { candidate.lead().await }
    });
    children(&first, &path, 6).await;
    assert!(timeout(Duration::from_millis(50), leaders.next()).await.is_err());
    leader.release().await.expect("an end");
    let leader = soon(next).await.expect("no panic").expect("the leadership");
    let shown = soon(leaders.next()).await.expect("an answer").expect("a leader");
    assert_eq!((&shown.value[..], shown.token), (&b"second"[..], leader.token()));
    leader.release().await.expect("an end");
    assert_eq!(soon(leaders.next()).await, Ok(None));
    let names = names(&observer, &path).await;
    assert_eq!(names, [""; 0]);
}
