//! The shell's commands for subtrees and streams: tree, find, watch, cp, mv, dump and load.

#![cfg(feature = "server")]

mod server_support;

use bytes::Bytes;
use server_support::{PATIENCE, Server, zabra};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use zabra::client::{Client, CreateMode, CreateOptions, Transaction};
use zabra::types::{Acl, Id, perms};

/// A server, and a client for it.
struct Place {
    server: Server,
    client: Client,
    runtime: tokio::runtime::Runtime,
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let extended = "extendedTypesEnabled=true";
        let server = Server::run(zabra(["server", "--temporary", "-D", extended]));
        let server = server.expect("a server");
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let client = runtime.block_on(server.client());
        Self { server, client, runtime, dir: tempfile::tempdir().expect("a directory") }
    }

    fn create(&self, path: &str, data: Option<&'static [u8]>, options: impl Into<CreateOptions>) {
        let created = self.client.create(path, data.map(Bytes::from_static), options);
        self.runtime.block_on(created).expect("a znode");
    }

    /// A few znodes of all kinds, below `/app`.
    fn plant(&self) {
        self.create("/app", Some(b"top"), CreateMode::Persistent);
        let mine = Acl { perms: perms::READ | perms::ADMIN, id: id("digest", "ann:hash=") };
        let acl = vec![mine, Acl { perms: perms::ALL, id: perms::anyone() }];
        let locked = CreateOptions::from(CreateMode::Persistent).acl(acl);
        self.create("/app/a b", Some(b"\xff\x00\n"), locked);
        self.create("/app/a b/none", None, CreateMode::Persistent);
        self.create("/app/a b/empty", Some(b""), CreateMode::Persistent);
        self.create("/app/ephemeral", Some(b"e"), CreateMode::Ephemeral);
        self.create("/app/queue", Some(b"q"), CreateMode::Container);
        let hour = CreateOptions::from(CreateMode::PersistentWithTtl);
        self.create("/app/ttl", Some(b"t"), hour.ttl(Duration::from_hours(1)));
    }

    fn command(&self, words: &[&str]) -> Command {
        let address = self.server.address();
        let mut command = zabra(["shell", "-server", &address]);
        command.args(words).stderr(Stdio::piped());
        command
    }

    /// What a command prints, if it succeeds.
    fn run(&self, words: &[&str]) -> String {
        let output = self.command(words).output().expect("the program");
        let text = String::from_utf8(output.stdout).expect("text");
        let errors = String::from_utf8(output.stderr).expect("text");
        assert!(output.status.success(), "{words:?}: {errors}");
        text
    }

    /// What a command says when it fails.
    fn refused(&self, words: &[&str]) -> String {
        let output = self.command(words).output().expect("the program");
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        String::from_utf8(output.stderr).expect("text")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn exists(&self, path: &str) -> bool {
        self.runtime.block_on(self.client.exists(path)).expect("an answer").is_some()
    }
}

fn id(scheme: &str, id: &str) -> Id {
    Id { scheme: scheme.to_owned(), id: id.to_owned() }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("text")
}

/// A dump without its first line, which names the top.
fn znodes(file: &Path) -> String {
    let text = fs::read_to_string(file).expect("a dump");
    text.split_once('\n').expect("lines").1.to_owned()
}

#[test]
fn trees_are_drawn_and_searched() {
    let place = Place::new();
    place.plant();
    let owner = place.client.session().expect("a session").id.0;
    let drawn = place.run(&["tree", "/app"]);
    let expected = format!(
        "/app (4 children, 3 B)\n├── a b (2 children, 3 B)\n│   ├── empty\n│   └── none\n\
         ├── ephemeral (1 B, ephemeral of {owner:#x})\n├── queue (1 B)\n\
         └── ttl (1 B)\n\n7 znodes, 9 bytes\n"
    );
    assert_eq!(drawn, expected);
    assert!(place.run(&["tree", "-L", "1", "/app"]).ends_with("\n\n5 znodes, 9 bytes\n"));
    assert!(place.run(&["tree"]).starts_with("/ (2 children)\n├── app (4 children, 3 B)\n"));
    let found = |conditions: &[&str]| place.run(&[&["find", "/app"], conditions].concat());
    assert_eq!(found(&["--name", "[en]*"]), "/app/a b/empty\n/app/a b/none\n/app/ephemeral\n");
    assert_eq!(found(&["--ephemeral"]), "/app/ephemeral\n");
    assert_eq!(found(&["--owner", &format!("{owner:#x}")]), "/app/ephemeral\n");
    assert_eq!(found(&["--owner", "0x1"]), "");
    assert_eq!(found(&["--larger", "2"]), "/app\n/app/a b\n");
    assert!(found(&["--json", "--larger", "2"]).contains(r#""dataLength":3"#));
    assert!(place.refused(&["find", "/app", "--larger", "big"]).contains("500, 10k or 1M"));
    assert!(place.refused(&["tree", "/missing"]).contains("Node does not exist: /missing"));
}

#[test]
fn subtrees_are_copied_and_moved() {
    let place = Place::new();
    place.plant();
    let first = place.file("first");
    place.run(&["dump", text(&first), "/app"]);
    assert_eq!(place.run(&["cp", "/app", "/copy"]), "copied 6 znodes\n");
    assert!(!place.exists("/copy/ephemeral"));
    assert!(place.refused(&["cp", "/app", "/copy"]).contains("Node already exists: /copy"));
    assert!(place.refused(&["cp", "/app", "/app/x"]).contains("/app/x is in /app itself"));
    assert!(place.refused(&["cp", "/app", "/no/x"]).contains("Node does not exist"));
    let ephemeral = place.refused(&["mv", "/app", "/moved"]);
    assert!(ephemeral.contains("/app/ephemeral is an ephemeral"), "{ephemeral}");
    assert_eq!(place.run(&["mv", "/copy", "/moved"]), "moved 6 znodes\n");
    assert!(!place.exists("/copy"));
    let second = place.file("second");
    place.run(&["dump", text(&second), "/moved"]);
    let kept = |text: &str| text.lines().filter(|l| l.contains("path")).count();
    let without = znodes(&first).lines().filter(|l| !l.contains("ephemeral")).fold(
        String::new(),
        |all, line| if line.contains("znodes") { all } else { all + line + "\n" },
    );
    assert!(znodes(&second).starts_with(&without) && kept(&without) == 6, "{without}");
}

#[test]
fn what_is_too_large_for_one_transaction_takes_several() {
    const DATA: &[u8] = &[b'x'; 300_000];
    let place = Place::new();
    place.create("/large", None, CreateMode::Persistent);
    for name in ["a", "b", "c", "d"] {
        place.create(&format!("/large/{name}"), Some(DATA), CreateMode::Persistent);
    }
    let refused = place.refused(&["mv", "/large", "/moved"]);
    assert!(refused.contains("--chunked does it in several"), "{refused}");
    assert!(place.exists("/large/d") && !place.exists("/moved"));
    assert_eq!(place.run(&["mv", "--chunked", "/large", "/moved"]), "moved 5 znodes\n");
    assert!(place.exists("/moved/d") && !place.exists("/large"));
}

#[test]
fn dumps_are_loaded() {
    let place = Place::new();
    place.plant();
    let (file, again) = (place.file("dump"), place.file("again"));
    assert_eq!(place.run(&["dump", "--dry-run", text(&file)]), "8 znodes with 9 bytes of data\n");
    assert!(!file.exists());
    place.run(&["dump", text(&file), "/app"]);
    assert!(place.refused(&["dump", text(&file), "/app"]).contains("exists; --resume"));
    let dry = place.run(&["load", "--dry-run", text(&file), "/new"]);
    assert_eq!(dry, "6 to create, 0 unchanged, 0 different\n");
    let loaded = "6 created, 0 unchanged, 0 changed\n";
    assert_eq!(place.run(&["load", text(&file), "/new"]), loaded);
    let loaded = "0 created, 6 unchanged, 0 changed\n";
    assert_eq!(place.run(&["load", text(&file), "/new"]), loaded);
    place.create("/new/ephemeral", Some(b"e"), CreateMode::Ephemeral);
    place.run(&["dump", text(&again), "/new"]);
    assert_eq!(znodes(&again), znodes(&file));
    // What is different is not changed unless that is wanted.
    place.run(&["set", "/new/a b/none", "data"]);
    let refused = place.refused(&["load", text(&file), "/new"]);
    assert!(refused.contains("/new/a b/none exists and is different"), "{refused}");
    let changed = place.run(&["load", "--overwrite", text(&file), "/new"]);
    assert_eq!(changed, "0 created, 5 unchanged, 1 changed\n");
    place.run(&["dump", "--force", text(&again), "/new"]);
    assert_eq!(znodes(&again), znodes(&file));
    assert!(place.refused(&["load", text(&file), "/no/x"]).contains("Node does not exist: /no"));
}

#[test]
fn files_that_are_wrong_change_nothing() {
    let place = Place::new();
    let file = place.file("wrong");
    let head = "{\"zabra-dump\":1,\"path\":\"/x\"}\n{\"path\":\"\"}\n";
    for (rest, reason) in [
        ("", "it is not complete"),
        ("{\"path\":\"/a\"", "it is not complete"),
        ("{\"znodes\":7,\"bytes\":0}\n", "damaged: it says it has 7 znodes, and has 1"),
        ("{\"path\":\"a\"}\n", "line 3: path \"a\" must be empty or start with /"),
        ("{\"path\":\"/a\",\"what\":1}\n", "line 3: unknown field `what`"),
        ("{\"path\":\"/a\",\"data\":{\"base64\":\"!\"}}\n", "line 3: base64"),
        ("{\"path\":\"/a\",\"acl\":[[\"world\",\"anyone\",\"x\"]]}\n", "line 3: acl: 'x'"),
        ("{\"path\":\"/a//b\"}\n", "line 3: Invalid path string"),
        ("{\"path\":\"/a\",\"ephemeral\":1}\n", "line 3: invalid type"),
    ] {
        fs::write(&file, format!("{head}{rest}")).expect("a file");
        let refused = place.refused(&["load", text(&file)]);
        assert!(refused.contains(reason), "{rest}: {refused}");
        assert!(!place.exists("/x"));
    }
    fs::write(&file, "{\"zabra-dump\":2,\"path\":\"/x\"}\n").expect("a file");
    assert!(place.refused(&["load", text(&file)]).contains("version 2"));
    fs::write(&file, "znodes\n").expect("a file");
    assert!(place.refused(&["load", text(&file)]).contains("not a file that dump has written"));
}

/// Ends a command when its output, or what it does, has come this far.
fn kill_when(mut child: Child, far_enough: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !far_enough() && child.try_wait().expect("its state").is_none() {
        assert!(Instant::now() < end, "it does not get on");
        sleep(Duration::from_millis(1));
    }
    child.kill().expect("SIGKILL");
    child.wait().expect("its end");
}

#[test]
fn what_is_killed_half_way_is_gone_on_with() {
    let place = Place::new();
    // In an order that is not that of the names.
    let count = 20_000;
    place.create("/many", None, CreateMode::Persistent);
    for n in 0..20 {
        place.create(&format!("/many/{}", n * 7 % 20), None, CreateMode::Persistent);
    }
    for chunk in (0..count).collect::<Vec<_>>().chunks(1000) {
        let all = chunk.iter().fold(Transaction::new(), |all, n| {
            let path = format!("/many/{}/{}", n % 20, n * 7919 % count);
            all.create(&path, Bytes::from(n.to_string()), CreateMode::Persistent)
        });
        place.runtime.block_on(place.client.multi(&all)).expect("znodes");
    }
    let (file, again) = (place.file("killed"), place.file("whole"));
    let length = |file: &Path| fs::metadata(file).map_or(0, |data| data.len());
    kill_when(place.command(&["dump", text(&file), "/many"]).spawn().expect("it"), || {
        length(&file) > 100_000
    });
    assert!(place.refused(&["load", text(&file), "/new"]).contains("it is not complete"));
    let resumed = place.run(&["dump", "--resume", text(&file), "/many"]);
    place.run(&["dump", text(&again), "/many"]);
    assert_eq!(fs::read(&file).expect("it"), fs::read(&again).expect("it"));
    assert!(resumed.starts_with("20021 znodes"), "{resumed}");
    kill_when(place.command(&["load", text(&file), "/new"]).spawn().expect("it"), || {
        let there = place.runtime.block_on(place.client.all_children_number("/new"));
        there.is_ok_and(|there| there > 5000)
    });
    let loaded = place.run(&["load", "--json", text(&file), "/new"]);
    let loaded: serde_json::Value = serde_json::from_str(&loaded).expect("JSON");
    let number = |name: &str| loaded[name].as_u64().expect("a number");
    assert_eq!(number("created") + number("unchanged"), 20_021, "{loaded}");
    assert!(number("unchanged") > 5000, "{loaded}");
    place.run(&["dump", "--force", text(&again), "/new"]);
    assert_eq!(znodes(&again), znodes(&file));
}

#[test]
fn events_are_streamed_until_interrupted() {
    let place = Place::new();
    place.create("/app", None, CreateMode::Persistent);
    let mut text = place.command(&["watch", "/app"]).spawn().expect("it");
    let mut json = place.command(&["--json", "watch", "-r", "/app"]).spawn().expect("it");
    let wait = Instant::now() + PATIENCE;
    // Two watches, of which four-letter words would tell; an event before them would be missed.
    let watched = |child: &mut Child| {
        let mut lines = BufReader::new(child.stdout.take().expect("output")).lines();
        let mut number = 0;
        let first = std::thread::scope(|scope| {
            let first = scope.spawn(|| lines.next().expect("a line").expect("text"));
            while !first.is_finished() {
                assert!(Instant::now() < wait, "no event");
                place.run(&["set", "/app", &number.to_string()]);
                number += 1;
            }
            first.join().expect("a line")
        });
        (first, lines)
    };
    let (first, mut lines) = watched(&mut text);
    assert!(first.starts_with("NodeDataChanged /app 0x"), "{first}");
    let (first, mut objects) = watched(&mut json);
    let event = |line: &str| serde_json::from_str::<serde_json::Value>(line).expect("JSON");
    assert_eq!(event(&first)["type"], "NodeDataChanged");
    place.run(&["create", "/app/child", "x"]);
    let is_new = |line: &String| !line.contains("NodeDataChanged");
    let mut next = || lines.by_ref().map(|line| line.expect("text")).find(is_new).expect("one");
    assert!(next().starts_with("NodeChildrenChanged /app 0x"));
    let mut object = || objects.by_ref().map(|line| line.expect("text")).find(is_new);
    let created = event(&object().expect("one"));
    assert_eq!((&created["type"], &created["path"]), (&"NodeCreated".into(), &"/app/child".into()));
    for child in [&mut text, &mut json] {
        let id = child.id().to_string();
        assert!(Command::new("kill").args(["-s", "INT", &id]).status().expect("it").success());
        assert_eq!(child.wait().expect("its end").code(), Some(0));
    }
}
