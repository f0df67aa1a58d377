//! The program on data of Apache ZooKeeper servers: `server`, `import`, `export`, `inspect`.

mod server_support;

use bytes::Bytes;
use server_support::{Server, server_command, zabra};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use tempfile::TempDir;
use zabra::client::CreateMode;

/// A copy of data that Apache ZooKeeper 3.8.0 has left.
fn copy(name: &str) -> TempDir {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/apache").join(name);
    let dir = tempfile::tempdir().expect("a directory");
    let (from, to) = (from.join("version-2"), dir.path().join("version-2"));
    fs::create_dir(&to).expect("a directory");
    for file in fs::read_dir(from).expect("there") {
        let file = file.expect("a file");
        fs::copy(file.path(), to.join(file.file_name())).expect("copied");
    }
    dir
}

/// Every file of theirs with its content.
fn files(dir: &TempDir) -> Vec<(PathBuf, Vec<u8>)> {
    let files = fs::read_dir(dir.path().join("version-2")).expect("there");
    let mut files: Vec<_> = files
        .map(|file| file.expect("a file").path())
        .map(|path| (path.clone(), fs::read(path).expect("readable")))
        .collect();
    files.sort();
    files
}

fn run<A: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = A>) -> Output {
    zabra(arguments).output().expect("the program")
}

/// What a command that succeeds prints.
fn printed<A: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = A>) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

#[tokio::test]
async fn a_server_goes_on_with_them() {
    let dir = copy("voter");
    let before = files(&dir);
    let server = Server::start(dir.path(), &[]);
    let client = server.client().await;
    let children = client.children("/").await.expect("the root");
    assert!(children.contains(&"zookeeper".to_owned()) && children.len() > 1, "{children:?}");
    client
        .create("/new", Bytes::from_static(b"new"), CreateMode::Persistent)
        .await
        .expect("created");
    drop(client);
    let path = dir.path().display().to_string();
    let shown = printed(["inspect", &*path]);
    assert!(shown.contains("snapshot.200000003") && shown.contains("in use"), "{shown}");
    assert!(server.kill().log.contains("took over"), "the log says what was done");
    assert_eq!(files(&dir), before);

    let server = Server::start(dir.path(), &[]);
    let client = server.client().await;
    assert_eq!(client.get("/new").await.expect("there").data, Some(Bytes::from_static(b"new")));
    drop(client);
    assert!(!server.terminate().log.contains("took over"), "once is enough");
}

/// Data, what happens to them, and a word of the reason that is given.
type Case = (&'static str, fn(&Path), &'static str);

#[test]
fn a_server_says_why_it_does_not() {
    let cases: [Case; 3] = [
        (
            "voter",
            |dir| {
                let log = dir.join("log.300000001");
                let mut content = fs::read(&log).expect("there");
                content[60] ^= 1;
                fs::write(log, content).expect("written");
            },
            "the checksum of the transaction does not match",
        ),
        (
            "voter",
            |dir| {
                for name in ["snapshot.0", "snapshot.100000003", "snapshot.200000003"] {
                    fs::remove_file(dir.join(name)).expect("removed");
                }
            },
            "snapshot.trust.empty=true",
        ),
        ("diverged", |_| {}, "digest.enabled=false"),
    ];
    for (name, change, reason) in cases {
        let dir = copy(name);
        change(&dir.path().join("version-2"));
        for _ in 0..2 {
            let ended = Server::run(server_command(dir.path(), &[])).err().expect("refused");
            assert_eq!(ended.status.code(), Some(3), "{}", ended.log);
            assert!(ended.log.contains(reason), "{}", ended.log);
            assert!(ended.log.contains("Restore it from a backup"), "{}", ended.log);
        }
    }
    let dir = copy("diverged");
    Server::start(dir.path(), &["digest.enabled=false"]);
}

#[test]
fn they_are_taken_over_and_written_by_hand() {
    let (dir, to, back) = (copy("voter"), TempDir::new(), TempDir::new());
    let (to, back) = (to.expect("a directory"), back.expect("a directory"));
    let paths = [dir.path(), to.path(), back.path()].map(|path| path.display().to_string());
    let [dir, to, back] = &paths;
    let imported = printed(["import", dir, "--into", to]);
    assert!(imported.contains("last zxid 0x300000001"), "{imported}");
    let twice = run(["import", dir, "--into", to]);
    assert_eq!(twice.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&twice.stderr).contains("Choose another directory"));

    let exported = printed(["export", back, "--from", to]);
    assert!(exported.contains("snapshot.200000003: digest 0x"), "{exported}");
    assert!(exported.contains("log.300000001: 1 transactions"), "{exported}");
    let again = printed(["import", back]);
    assert_eq!(again, imported);
    let wrong = run(["export", dir, "--from", dir]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("there are no data of Zabra"));
}

#[test]
fn they_are_shown() {
    let dir = copy("observer");
    let file = |name: &str| dir.path().join("version-2").join(name).display().to_string();
    let log = printed(["inspect", &file("log.10000000f")]);
    assert!(log.starts_with("ZooKeeper Transactional Log File"), "{log}");
    assert!(log.contains(" zxid 0x10000000f "), "{log}");
    assert!(log.ends_with("EOF reached after 3 txns.\n"), "{log}");
    let snapshot = printed(["inspect", &file("snapshot.10000000e")]);
    assert!(snapshot.starts_with("ZNode Details (count=8):\n----\n/\n"), "{snapshot}");
    assert!(snapshot.ends_with("Last zxid: 0x10000000e\n"), "{snapshot}");

    let path = dir.path().display().to_string();
    printed(["import", &*path]);
    let all: serde_json::Value =
        serde_json::from_str(&printed(["inspect", &*path, "--json"])).expect("JSON");
    assert_eq!(all["apache"]["files"].as_array().map(Vec::len), Some(4));
    assert_eq!(all["apache"]["files"][0]["znodes"], 8);
    assert_eq!(all["zabra"]["applied"], "0x10000000e");
    assert_eq!(all["zabra"]["lastZxid"], "0x100000017");
    assert_eq!(all["zabra"]["import"]["complete"], true);
    let znodes = printed(["inspect", &*path, "--znodes", "--json", "--data"]);
    let lines = znodes.lines().map(serde_json::from_str::<serde_json::Value>);
    let lines: Vec<_> = lines.collect::<Result<_, _>>().expect("JSON");
    assert_eq!(lines.iter().filter(|line| line["path"].is_string()).count(), 8);
    let transactions = printed(["inspect", &*path, "--transactions", "--json"]);
    assert_eq!(transactions.lines().count(), 9);
}

#[test]
fn damage_is_shown() {
    let dir = copy("observer");
    let path = dir.path().join("version-2/snapshot.10000000e");
    let mut content = fs::read(&path).expect("there");
    content[100] ^= 1;
    fs::write(&path, content).expect("written");
    for what in [dir.path().display().to_string(), path.display().to_string()] {
        let shown = run(["inspect", &*what]);
        assert_eq!(shown.status.code(), Some(1));
    }
    let nothing = TempDir::new().expect("a directory");
    let shown = run(["inspect", &*nothing.path().display().to_string()]);
    assert_eq!(shown.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&shown.stderr).contains("neither a snapshot or a log"));
}
