//! What survives: kills, stops, restarts; and what is refused rather than guessed.
//!
//! `ZABRA_KILL_ROUNDS` sets how often the server is killed under load; the default is 5.

#![cfg(feature = "server")]

mod server_support;

use bytes::Bytes;
use server_support::{Server, server_command, zabra};
use std::fs;
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use tempfile::tempdir;
use tokio::sync::Notify;
use zabra::client::{Client, ClientError, CreateMode, Options};

const WRITERS: usize = 8;

/// What a writer was told: how many znodes it has created, and its counter's version.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    created: usize,
    version: i32,
}

fn kill_rounds() -> usize {
    let rounds = std::env::var("ZABRA_KILL_ROUNDS");
    rounds.map_or(5, |rounds| rounds.parse().expect("ZABRA_KILL_ROUNDS is a number"))
}

fn data_of(writer: usize, number: usize) -> Bytes {
    Bytes::from(format!("{writer}/{number}/").repeat(20))
}

/// The acknowledgements of all writers, and a signal once there are enough.
struct Tally {
    count: AtomicUsize,
    enough: usize,
    reached: Notify,
}

impl Tally {
    fn add(&self) {
        if self.count.fetch_add(1, SeqCst) + 1 == self.enough {
            self.reached.notify_one();
        }
    }
}

/// Creates znodes and counts in another one until the server is gone.
async fn write(client: Client, writer: usize, mut told: Told, tally: Arc<Tally>) -> Told {
    let counter = format!("/{writer}");
    loop {
        let path = format!("{counter}/{}", told.created);
        let data = data_of(writer, told.created);
        let Told { created, version } = &mut told;
        let create = async {
            client.create(&path, data, CreateMode::Persistent).await?;
            *created += 1;
            tally.add();
            Ok::<_, ClientError>(())
        };
        let count = async {
            *version = client.set(&counter, None, None).await?.version;
            tally.add();
            Ok::<_, ClientError>(())
        };
        if tokio::try_join!(create, count).is_err() {
            return told;
        }
    }
}

/// Checks that everything acknowledged is there, and returns what there is in all: a write that
/// was not acknowledged may have taken place.
async fn verify(client: &Client, writer: usize, told: Told) -> Told {
    let counter = format!("/{writer}");
    let found = client.children2(&counter).await.expect("the writer's znode");
    let created = found.names.len();
    assert!(created == told.created || created == told.created + 1, "{created}, {told:?}");
    let version = found.stat.version;
    assert!(version == told.version || version == told.version + 1, "{version}, {told:?}");
    // Of older ones a sample will do.
    let old = (0..created).step_by(1 + created / 50);
    for number in old.chain(created.saturating_sub(20)..created) {
        let read = client.get(&format!("{counter}/{number}")).await.expect("a znode");
        assert_eq!(read.data, Some(data_of(writer, number)));
    }
    Told { created, version }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_kills() {
    let data = tempdir().expect("a directory");
    let mut told = [Told::default(); WRITERS];
    for round in 0..kill_rounds() {
        let server = Server::start(data.path(), &[]);
        let client = server.client().await;
        for (writer, told) in told.iter_mut().enumerate() {
            if round == 0 {
                let path = format!("/{writer}");
                client.create(&path, None, CreateMode::Persistent).await.expect("a znode");
            }
            *told = verify(&client, writer, *told).await;
        }
        client.close().await.expect("an end");
        let enough = [1, 300, 40, 1500, 7][round % 5];
        let (count, reached) = (AtomicUsize::new(0), Notify::new());
        let tally = Arc::new(Tally { count, enough, reached });
        let (mut clients, mut writers) = (Vec::new(), Vec::new());
        for (writer, told) in told.into_iter().enumerate() {
            let client = server.client().await;
            clients.push(client.clone());
            writers.push(tokio::spawn(write(client, writer, told, Arc::clone(&tally))));
        }
        tally.reached.notified().await;
        // Replies are on their way all the time, and so are syncs and checkpoints.
        server.kill();
        clients.iter().for_each(Client::abandon);
        for (writer, told) in writers.into_iter().zip(&mut told) {
            *told = writer.await.expect("a writer's end");
        }
    }
    let server = Server::start(data.path(), &[]);
    let client = server.client().await;
    for (writer, told) in told.into_iter().enumerate() {
        verify(&client, writer, told).await;
    }
    client.close().await.expect("an end");
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_ends_a_server_well_and_loses_nothing() {
    let data = tempdir().expect("a directory");
    let mut told = Told::default();
    for round in 0..3 {
        let server = Server::start(data.path(), &[]);
        let client = server.client().await;
        if round == 0 {
            client.create("/0", None, CreateMode::Persistent).await.expect("a znode");
        }
        told = verify(&client, 0, told).await;
        let (count, reached) = (AtomicUsize::new(0), Notify::new());
        let tally = Arc::new(Tally { count, enough: 100, reached });
        let writer = tokio::spawn(write(client.clone(), 0, told, Arc::clone(&tally)));
        tally.reached.notified().await;
        let ended = server.terminate();
        assert_eq!(ended.status.code(), Some(0), "{}", ended.log);
        client.abandon();
        told = writer.await.expect("the writer's end");
    }
}

#[tokio::test]
async fn sessions_and_their_ephemerals_survive_restarts() {
    let data = tempdir().expect("a directory");
    let mut server = Server::start(data.path(), &[]);
    let client = server.client().await;
    let key = client.session();
    client.create("/a", None, CreateMode::Ephemeral).await.expect("a znode");
    client.abandon();
    for kill in [true, false, true] {
        if kill {
            server.kill();
        } else {
            server.terminate();
        }
        server = Server::start(data.path(), &[]);
        let options = Options { resume: key.clone(), ..Options::default() };
        let client = server.client_with(options).await.expect("the session");
        assert_eq!(client.ephemerals("/").await, Ok(vec!["/a".to_owned()]));
        client.abandon();
    }
    let options = Options { resume: key.clone(), ..Options::default() };
    server.client_with(options).await.expect("the session").close().await.expect("an end");
    server.kill();
    server = Server::start(data.path(), &[]);
    let client = server.client().await;
    assert_eq!(client.exists("/a").await, Ok(None));
    let options = Options { resume: key, ..Options::default() };
    let again = server.client_with(options).await;
    assert_eq!(again.err(), Some(ClientError::SessionExpired));
    client.close().await.expect("an end");
}

#[tokio::test]
async fn a_data_directory_belongs_to_one_process() {
    let data = tempdir().expect("a directory");
    let first = Server::start(data.path(), &[]);
    let client = first.client().await;
    let second = Server::run(server_command(data.path(), &[]));
    let ended = second.err().expect("no second server");
    assert_eq!(ended.status.code(), Some(3), "{}", ended.log);
    assert!(ended.log.contains("in use by another process"), "{}", ended.log);
    client.create("/a", None, CreateMode::Persistent).await.expect("a znode");
    client.close().await.expect("an end");
}

/// The files of the write-ahead log that hold some text, and where.
fn places_of(text: &[u8], dir: &Path) -> Vec<(PathBuf, usize)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "log") {
            let bytes = fs::read(&path).expect("a file");
            let at = bytes.windows(text.len()).position(|window| window == text);
            found.extend(at.map(|at| (path, at)));
        }
    }
    found
}

#[tokio::test]
async fn a_damaged_log_is_not_served() {
    let data = tempdir().expect("a directory");
    let server = Server::start(data.path(), &[]);
    let client = server.client().await;
    for number in 0..20 {
        let path = format!("/needle-{number:02}");
        client.create(&path, None, CreateMode::Persistent).await.expect("a znode");
    }
    client.abandon();
    server.kill();
    let places = places_of(b"/needle-07", &data.path().join("log"));
    let [(file, at)] = &places[..] else { panic!("{places:?}") };
    let whole = fs::read(file).expect("the log");
    let mut damaged = whole.clone();
    damaged[*at] ^= 1;
    fs::write(file, damaged).expect("the log");
    let refused = Server::run(server_command(data.path(), &[]));
    let ended = refused.err().expect("no server on a damaged log");
    assert_eq!(ended.status.code(), Some(3), "{}", ended.log);
    assert!(ended.log.contains("damaged"), "{}", ended.log);
    // The refusal has changed nothing.
    fs::write(file, whole).expect("the log");
    let server = Server::start(data.path(), &[]);
    let client = server.client().await;
    assert_eq!(client.all_children_number("/").await, Ok(23));
    client.close().await.expect("an end");
}

#[test]
fn the_data_of_another_program_are_left_alone() {
    let data = tempdir().expect("a directory");
    let snapshot = data.path().join("version-2").join("snapshot.0");
    fs::create_dir(data.path().join("version-2")).expect("a directory");
    fs::write(&snapshot, b"ZKSN").expect("a file");
    let refused = Server::run(server_command(data.path(), &[]));
    let ended = refused.err().expect("no server on a ZooKeeper's data");
    assert_eq!(ended.status.code(), Some(3), "{}", ended.log);
    assert!(ended.log.contains("Apache ZooKeeper"), "{}", ended.log);
    assert_eq!(fs::read(&snapshot).expect("it is there"), b"ZKSN");
    assert_eq!(fs::read_dir(data.path().join("version-2")).expect("a directory").count(), 1);
    // What it has made of its own beside that does not let it start empty.
    let again = Server::run(server_command(data.path(), &[]));
    let ended = again.err().expect("no server on data that cannot be read");
    assert_eq!(ended.status.code(), Some(3), "{}", ended.log);
}

#[test]
fn a_wrong_configuration_is_refused_with_its_place() {
    let dir = tempdir().expect("a directory");
    let file = dir.path().join("zoo.cfg");
    let data = format!("dataDir={}\n", dir.path().join("data").display());
    for (text, place, key) in [
        ("\nclientPort=many\n", 3, "clientPort"),
        ("clientPort=0\ntickTime=-5\n", 3, "tickTime"),
        ("clientPort=0\n# A comment.\nserver.1=\n", 4, "server.1"),
    ] {
        fs::write(&file, format!("{data}{text}")).expect("a file");
        let output = zabra(["server".as_ref(), file.as_os_str()]).output().expect("the program");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{text}: {errors}");
        let place = format!("{}:{place}", file.display());
        assert!(errors.contains(&place) && errors.contains(key), "{text}: {errors}");
    }
    let missing = dir.path().join("none.cfg");
    let output = zabra(["server".as_ref(), missing.as_os_str()]).output().expect("the program");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("none.cfg"));
    assert_eq!(fs::read_dir(dir.path()).expect("a directory").count(), 1, "nothing was made");
}

#[tokio::test]
async fn a_taken_port_is_said_to_be_taken() {
    let (data, other) = (tempdir().expect("a directory"), tempdir().expect("a directory"));
    let server = Server::start(data.path(), &[]);
    let address = server.address();
    let (_, port) = address.rsplit_once(':').expect("a port");
    let mut command = zabra(["server", "-D", "clientPortAddress=127.0.0.1", "--port", port]);
    command.arg("--data-dir").arg(other.path());
    let refused = Server::run(command);
    let ended = refused.err().expect("no second server on the port");
    assert_eq!(ended.status.code(), Some(1), "{}", ended.log);
    assert!(ended.log.contains(&address), "{}", ended.log);
}

#[tokio::test]
async fn a_file_says_what_flags_say() {
    let dir = tempdir().expect("a directory");
    let file = dir.path().join("zoo.cfg");
    let data = dir.path().join("data");
    let text = format!(
        "# A comment.\ntickTime=2000\ndataDir={}\nclientPort=0\nclientPortAddress=127.0.0.1\n",
        data.display()
    );
    fs::write(&file, text).expect("a file");
    let server = Server::run(zabra(["server".as_ref(), file.as_os_str()])).expect("a server");
    let client = server.client().await;
    client.create("/a", None, CreateMode::Persistent).await.expect("a znode");
    client.close().await.expect("an end");
    assert!(data.is_dir());
}

#[tokio::test]
async fn a_temporary_server_leaves_nothing() {
    let around = tempdir().expect("a directory");
    for signal in ["TERM", "INT"] {
        let mut command = zabra(["server", "--temporary"]);
        command.env("TMPDIR", around.path());
        let mut server = Server::run(command).expect("a server");
        let mut line = String::new();
        server.stdout().read_line(&mut line).expect("a line");
        assert_eq!(server.address(), format!("127.0.0.1:{}", line.trim_end()));
        let client = server.client().await;
        client.create("/a", None, CreateMode::Persistent).await.expect("a znode");
        assert_eq!(fs::read_dir(around.path()).expect("a directory").count(), 1);
        client.close().await.expect("an end");
        server.signal(signal);
        let ended = server.ended();
        assert_eq!(ended.status.code(), Some(0), "{}", ended.log);
        assert_eq!(fs::read_dir(around.path()).expect("a directory").count(), 0);
    }
}
