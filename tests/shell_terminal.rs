//! `zabra shell` on a terminal: completion, history, Ctrl-C, Ctrl-D, and events while typing.

mod server_support;

use expectrl::session::OsSession;
use expectrl::{ControlCode, Eof, Expect as _, Session};
use server_support::{PATIENCE, Server};
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;
use zabra::client::{Client, CreateMode, Options};

/// A server, and a folder for the history of its shells.
struct World {
    server: Server,
    folder: TempDir,
}

impl World {
    fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let server = Server::start(&folder.path().join("data"), &[]);
        Self { server, folder }
    }

    /// A shell that has connected and shows its first prompt.
    fn shell(&self) -> Terminal {
        let mut shell = Terminal::start(&self.server.address(), self.folder.path());
        shell.wait_for("(CONNECTED) 0] ");
        shell
    }

    /// Somebody else's client.
    async fn client(&self) -> Client {
        Client::connect(&self.server.address(), Options::default()).await.expect("a connection")
    }
}

/// A shell on a terminal of its own.
struct Terminal(OsSession);

const CTRL_C: ControlCode = ControlCode::EndOfText;
const CTRL_D: ControlCode = ControlCode::EndOfTransmission;
const UP: &str = "\x1b[A";

impl Terminal {
    fn start(servers: &str, folder: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_zabra"));
        command.args(["shell", "-server", servers]).env_clear();
        command.env("TERM", "xterm").env("NO_COLOR", "1").env("HOME", folder);
        let mut session = Session::spawn(command).expect("a terminal");
        session.set_expect_timeout(Some(PATIENCE));
        Self(session)
    }

    /// Types something.
    fn type_in(&mut self, keys: &str) {
        self.0.send(keys).expect("a terminal that takes it");
    }

    /// Types a line and waits for the text that it must print.
    fn run(&mut self, line: &str, printed: &str) {
        self.type_in(&format!("{line}\r"));
        self.wait_for("\n");
        self.wait_for(printed);
        self.wait_for("] ");
    }

    /// Waits for a text. Returns what came before it.
    fn wait_for(&mut self, text: &str) -> String {
        match self.0.expect(text) {
            Ok(found) => String::from_utf8_lossy(found.before()).into_owned(),
            Err(error) => panic!("no {text:?}: {error}; {}", self.rest()),
        }
    }

    /// What has come and was not waited for.
    fn rest(&mut self) -> String {
        let mut rest = [0; 4096];
        let count = self.0.try_read(&mut rest).unwrap_or(0);
        String::from_utf8_lossy(&rest[..count]).into_owned()
    }

    fn ends(mut self) {
        self.0.expect(Eof).expect("its end");
    }
}

#[test]
fn commands_and_options_are_completed() {
    let world = World::new();
    let mut shell = world.shell();
    shell.type_in("getAll\t");
    shell.wait_for("getAllChildrenNumber ");
    shell.type_in("/\r");
    shell.wait_for("3\r\n");
    shell.type_in("get\t\t");
    // The names come in columns, this one last.
    let names = shell.wait_for("getEphemerals");
    assert!(names.contains("getAcl") && names.contains("getAllChildrenNumber"), "{names}");
}

#[tokio::test]
async fn paths_are_completed_from_the_server() {
    let world = World::new();
    let client = world.client().await;
    for path in ["/application", "/application/one", "/application/two words"] {
        client.create(path, None, CreateMode::Persistent).await.expect("a znode");
    }
    let mut shell = world.shell();
    shell.type_in("ls /app\t");
    shell.wait_for("/application");
    // What is complete goes on with a slash, if there are children.
    shell.type_in("\t");
    shell.wait_for("/application/");
    shell.type_in("o\t\r");
    shell.wait_for("/application/one");
    shell.wait_for("[]\r\n");
    shell.type_in("stat /application/t\t\r");
    shell.wait_for("\"/application/two words\"");
    shell.wait_for("numChildren = 0");
    shell.type_in("ls /application/\t\t");
    shell.wait_for("one");
    shell.wait_for("two words");
}

#[test]
fn lines_are_kept_from_one_run_to_the_next_but_not_secrets() {
    let world = World::new();
    let mut shell = world.shell();
    shell.run("create /kept once", "Created /kept");
    shell.run("addauth digest ann:secret", "");
    shell.type_in("quit\r");
    shell.ends();

    let mut shell = world.shell();
    // The last line was `quit`; the one before is not the secret one.
    shell.type_in(UP);
    shell.wait_for("quit");
    shell.type_in(UP);
    shell.wait_for("create /kept once");
    shell.type_in("\r");
    shell.wait_for("Node already exists: /kept");
    shell.wait_for("] ");
    shell.run("history", "0 - create /kept once");
    let file = world.folder.path().join(".local/state/zabra/shell_history");
    let kept = std::fs::read_to_string(file).expect("the history");
    assert!(kept.contains("create /kept once") && !kept.contains("secret"), "{kept}");
}

#[test]
fn ctrl_c_gives_up_the_line_and_ctrl_d_ends_the_shell() {
    let world = World::new();
    let mut shell = world.shell();
    shell.type_in("delete /zookeeper/con");
    shell.0.send(CTRL_C).expect("a terminal that takes it");
    shell.wait_for("(CONNECTED) 0] ");
    shell.run("ls /", "[zookeeper]");
    shell.0.send(CTRL_D).expect("a terminal that takes it");
    shell.ends();
}

#[test]
fn ctrl_c_gives_up_a_command_that_waits() {
    let world = World::new();
    let World { server, folder } = world;
    let mut shell = Terminal::start(&server.address(), folder.path());
    shell.wait_for("(CONNECTED) 0] ");
    drop(server);
    shell.wait_for("state:Disconnected");
    shell.type_in("get /zookeeper\r");
    // It says so when the first attempt has failed.
    shell.wait_for("tried 127.0.0.1");
    shell.0.send(CTRL_C).expect("a terminal that takes it");
    shell.wait_for("interrupted");
    shell.wait_for("(CONNECTING) 1] ");
    shell.0.send(CTRL_D).expect("a terminal that takes it");
    shell.ends();
}

#[tokio::test]
async fn an_event_leaves_the_line_being_typed_as_it_is() {
    let world = World::new();
    let client = world.client().await;
    client.create("/watched", None, CreateMode::Persistent).await.expect("a znode");
    let mut shell = world.shell();
    shell.run("addWatch /watched", "");
    shell.type_in("create /typed half");
    shell.wait_for("create /typed half");
    client.create("/watched/child", None, CreateMode::Persistent).await.expect("a znode");
    shell.wait_for("WATCHER::");
    shell.wait_for("WatchedEvent state:SyncConnected type:NodeCreated path:/watched/child");
    // The prompt and the line are there again below the event.
    shell.wait_for("(CONNECTED) 1] create /typed half");
    shell.type_in("-done\r");
    shell.wait_for("Created /typed");
    let data = client.get("/typed").await.expect("the znode").data;
    assert_eq!(data.as_deref(), Some(&b"half-done"[..]));
}
