//! The AdminServer's `restore`: another tree in the place of the one that is served, or nothing.

#![cfg(feature = "server")]

mod ensemble_support;
mod server_support;

use bytes::Bytes;
use ensemble_support::Ensemble;
use serde_json::Value;
use server_support::{PATIENCE, Server, server_command, zabra};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::tempdir;
use zabra::client::{Client, CreateMode, DataStat, Options};
use zabra::types::{Acl, Id, perms};

const CREDENTIALS: &str = "digest super:test";
/// Of a member of an ensemble, which has an address of its own.
const ADMIN_PORT: u16 = 8080;
const SUPER: &str = "DigestAuthenticationProvider.superDigest=super:D/InIHSb7yEEbrWz8b9l71RjZJU=";

/// A server, and its AdminServer, whose port stays when it begins anew.
struct Restored {
    server: Server,
    admin: Admin,
}

/// An AdminServer of this machine, and who asks it.
struct Admin {
    address: String,
    credentials: &'static str,
}

/// Starts one. Another program may take its port first; then another one is tried.
fn start(data: &Path, settings: &[&str]) -> Restored {
    for _ in 0..10 {
        let probe = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let address = probe.local_addr().expect("its address");
        drop(probe);
        let port = format!("admin.serverPort={}", address.port());
        let own = ["admin.serverAddress=127.0.0.1", SUPER, &port];
        let settings: Vec<_> = own.iter().chain(settings).copied().collect();
        if let Ok(server) = Server::run(server_command(data, &settings)) {
            let admin = Admin { address: address.to_string(), credentials: CREDENTIALS };
            return Restored { server, admin };
        }
    }
    panic!("no server with an AdminServer");
}

impl Restored {
    async fn client(&self) -> Client {
        self.server.client().await
    }

    /// Waits until a znode is there.
    async fn awaits(&self, path: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.client().await.get(path).await.is_err() {
            assert!(Instant::now() < deadline, "the tree does not come");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Admin {
    /// A connection on which a request was sent, of whose body `announced` bytes are to come.
    fn send(&self, method: &str, path: &str, body: &[u8], announced: usize) -> TcpStream {
        let credentials = self.credentials;
        let mut socket = TcpStream::connect(&self.address).expect("a connection");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let head = format!(
            "{method} /commands/{path} HTTP/1.1\r\nHost: a\r\nAuthorization: {credentials}\r\n\
             Content-Length: {announced}\r\nConnection: close\r\n\r\n"
        );
        socket.write_all(head.as_bytes()).expect("a request");
        socket.write_all(body).expect("a body");
        socket
    }

    /// Status and body of the answer to a request, of whose body `announced` bytes are to come.
    fn ask(&self, method: &str, path: &str, body: &[u8], announced: usize) -> (u16, Vec<u8>) {
        let mut socket = self.send(method, path, body, announced);
        if announced > body.len() {
            socket.shutdown(std::net::Shutdown::Write).expect("an end");
        }
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).expect("an answer");
        let end = answer.windows(4).position(|found| found == b"\r\n\r\n").unwrap_or(answer.len());
        let head = String::from_utf8_lossy(&answer[..end]);
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        (status, answer.get(end + 4..).unwrap_or_default().to_vec())
    }

    fn snapshot(&self) -> Vec<u8> {
        let (status, snapshot) = self.ask("GET", "snapshot", b"", 0);
        assert_eq!(status, 200);
        snapshot
    }

    fn restore(&self, snapshot: &[u8]) -> (u16, Value) {
        let (status, answer) = self.ask("POST", "restore", snapshot, snapshot.len());
        (status, serde_json::from_slice(&answer).expect("JSON"))
    }
}

/// What a client sees of the znodes that these tests make, of which some may not be there.
async fn seen(client: &Client) -> Vec<Option<impl PartialEq + std::fmt::Debug + use<>>> {
    let mut found = Vec::new();
    for path in ["/a", "/a/b", "/a/private", "/after"] {
        let Ok(DataStat { data, stat }) = client.get(path).await else {
            found.push(None);
            continue;
        };
        let list = client.get_acl(path).await.expect("an access control list");
        found.push(Some((data, stat, list.acl)));
    }
    found
}

async fn fill(client: &Client) {
    for (path, data) in [("/a", "1"), ("/a/b", "2"), ("/a/private", "3")] {
        let data = Bytes::from(data);
        client.create(path, data, CreateMode::Persistent).await.expect("created");
    }
    let id = Id { scheme: "world".into(), id: "anyone".into() };
    let acl = [Acl { perms: perms::READ | perms::ADMIN, id }];
    client.set_acl("/a/private", &acl, None).await.expect("set");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_takes_the_place_of_what_is_served() {
    let dirs = [(); 2].map(|()| tempdir().expect("a directory"));
    let from = start(dirs[0].path(), &[]);
    let client = from.client().await;
    fill(&client).await;
    let session = client.session().expect("a session");
    let snapshot = from.admin.snapshot();
    let expected = seen(&client).await;

    let to = start(dirs[1].path(), &[]);
    let other = to.client().await;
    other.create("/after", Bytes::new(), CreateMode::Persistent).await.expect("created");
    let (status, answer) = to.admin.restore(&snapshot);
    assert_eq!(
        (status, &answer["command"], &answer["error"]),
        (200, &"restore".into(), &Value::Null)
    );
    assert!(answer["last_zxid"].is_i64(), "{answer}");
    // What was answered is kept, whatever happens now.
    let ended = to.server.kill();
    assert!(ended.log.contains("another tree is prepared"), "{}", ended.log);

    let again = start(dirs[1].path(), &[]);
    let restored = again.client().await;
    assert_eq!(seen(&restored).await, expected);
    restored.create("/after", Bytes::new(), CreateMode::Persistent).await.expect("created");
    // Sessions are in a snapshot as well.
    let options = Options { resume: Some(session), ..Options::default() };
    let gone_on = again.server.client_with(options).await.expect("the session");
    gone_on.get("/a").await.expect("read");
    let aside = std::fs::read_dir(dirs[1].path()).expect("there").filter_map(Result::ok);
    let aside: Vec<_> = aside
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("before-restore-"))
        .collect();
    assert_eq!(aside.len(), 1);
    assert!(aside[0].path().join("tree").is_dir() && aside[0].path().join("log").is_dir());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_begins_anew_by_itself() {
    let dirs = [(); 2].map(|()| tempdir().expect("a directory"));
    let from = start(dirs[0].path(), &[]);
    fill(&from.client().await).await;
    let snapshot = from.admin.snapshot();
    let log = format!("dataLogDir={}", dirs[1].path().join("log").display());
    let to = start(&dirs[1].path().join("data"), &["admin.rateLimiterIntervalInMS=1", &log]);
    for _ in 0..2 {
        assert_eq!(to.admin.restore(&snapshot).0, 200);
        to.awaits("/a/b").await;
    }
    let ended = to.server.terminate();
    assert!(ended.status.success(), "{}", ended.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asked_need_not_wait_for_it() {
    let dirs = [(); 2].map(|()| tempdir().expect("a directory"));
    let from = start(dirs[0].path(), &[]);
    fill(&from.client().await).await;
    let snapshot = from.admin.snapshot();
    let to = start(dirs[1].path(), &[]);
    drop(to.admin.send("POST", "restore", &snapshot, snapshot.len()));
    to.awaits("/a/b").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn not_everybody_may_restore() {
    let dirs = [(); 2].map(|()| tempdir().expect("a directory"));
    let from = start(dirs[0].path(), &[]);
    fill(&from.client().await).await;
    let snapshot = from.admin.snapshot();
    let mut to = start(dirs[1].path(), &["admin.rateLimiterIntervalInMS=1"]);
    // Whoever may do everything with the root may restore.
    let id = Id { scheme: "world".into(), id: "anyone".into() };
    let acl = [Acl { perms: perms::ALL & !perms::ADMIN, id }];
    to.client().await.set_acl("/", &acl, None).await.expect("set");
    for (credentials, status) in [("digest super:wrong", 403), ("nonsense", 401)] {
        to.admin.credentials = credentials;
        assert_eq!(
            to.admin.ask("POST", "restore", &snapshot, snapshot.len()).0,
            status,
            "{credentials}"
        );
    }
    assert!(to.client().await.get("/a/b").await.is_err(), "it was restored");
    to.admin.credentials = CREDENTIALS;
    assert_eq!(to.admin.restore(&snapshot).0, 200);
}

#[test]
fn a_member_of_an_ensemble_says_how_to_restore() {
    let mut ensemble = Ensemble::new(3, SUPER);
    let address = ensemble.address(1, ADMIN_PORT);
    let (host, _) = address.rsplit_once(':').expect("a port");
    let mut first = ensemble.command(1);
    let keys = [format!("admin.serverAddress={host}"), format!("admin.serverPort={ADMIN_PORT}")];
    first.args(keys.iter().flat_map(|key| ["-D", key]));
    ensemble.run_by(1, first);
    ensemble.run(2);
    ensemble.serving(1);
    let admin = Admin { address, credentials: CREDENTIALS };
    let (status, answer) = admin.restore(b"anything");
    assert_eq!(status, 409, "{answer}");
    assert!(answer["error"].as_str().is_some_and(|why| why.contains("zabra import")), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_used_changes_nothing() {
    let data = tempdir().expect("a directory");
    let server = start(data.path(), &["admin.rateLimiterIntervalInMS=1"]);
    let client = server.client().await;
    fill(&client).await;
    let (expected, snapshot) = (seen(&client).await, server.admin.snapshot());
    let mut damaged = snapshot.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    let without_zxid = &snapshot[..snapshot.len() - 21];
    for (what, sent, told) in [
        ("damaged", damaged.as_slice(), "the snapshot is damaged"),
        ("cut off", &snapshot[..middle], "not complete"),
        ("without a zxid", without_zxid, "up to which transaction it goes"),
        ("no snapshot", b"something else".as_slice(), "begin as a snapshot does"),
        ("nothing", b"".as_slice(), "begin as a snapshot does"),
    ] {
        // The shortest time between two.
        std::thread::sleep(Duration::from_millis(5));
        let (status, answer) = server.admin.restore(sent);
        assert_eq!(status, 500, "{what}: {answer}");
        let error = answer["error"].as_str().expect("why");
        assert!(error.contains(told), "{what}: {error}");
    }
    std::thread::sleep(Duration::from_millis(5));
    server.admin.ask("POST", "restore", &snapshot[..100], snapshot.len());
    assert_eq!(seen(&client).await, expected);
    let deadline = Instant::now() + PATIENCE;
    while data.path().join("zabra-restore").exists() {
        assert!(Instant::now() < deadline, "something is left");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_is_imported_by_hand() {
    let dir = tempdir().expect("a directory");
    let from = start(&dir.path().join("from"), &[]);
    let client = from.client().await;
    fill(&client).await;
    let (backup, to) = (dir.path().join("backup"), dir.path().join("to"));
    std::fs::write(&backup, from.admin.snapshot()).expect("a file");
    let expected = seen(&client).await;
    let import =
        || zabra(["import".as_ref(), backup.as_os_str(), "--into".as_ref(), to.as_os_str()]);
    let imported = import().output().expect("the program");
    assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
    let server = Server::start(&to, &[]);
    assert_eq!(seen(&server.client().await).await, expected);
    drop(server.terminate());
    let refused = import().output().expect("the program");
    assert!(!refused.status.success(), "it is in use");
    let nowhere = zabra(["import".as_ref(), backup.as_os_str()]).output().expect("the program");
    assert!(String::from_utf8_lossy(&nowhere.stderr).contains("--into"));
}

#[test]
fn restores_are_bounded_and_can_be_forbidden() {
    let dirs = [(); 2].map(|()| tempdir().expect("a directory"));
    let server = start(dirs[0].path(), &[]);
    assert_eq!(server.admin.restore(b"nonsense").0, 500);
    assert_eq!(server.admin.restore(b"nonsense").0, 429);
    let server = start(dirs[1].path(), &["admin.restore.enabled=false"]);
    assert_eq!(server.admin.restore(b"nonsense").0, 503);
}
