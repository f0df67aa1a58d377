//! `zabra lock` and `zabra elect`: real processes against a real server.

#![cfg(feature = "server")]

mod server_support;

use server_support::{PATIENCE, Server, zabra};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use zabra::client::Client;

fn server() -> Server {
    Server::run(zabra(["server", "--temporary"])).expect("a server")
}

/// `zabra lock` or `zabra elect` with some arguments, for a server.
fn holder(server: &Server, arguments: &[&str]) -> Command {
    let mut command = zabra(&arguments[..1]);
    command.args(["--server", &server.address(), "--session-timeout", "4s"]);
    command.args(&arguments[1..]);
    command.env("PATH", std::env::var_os("PATH").expect("a path")).stderr(Stdio::piped());
    command
}

fn spawn(mut command: Command) -> Child {
    command.spawn().expect("the program")
}

/// The next line that a process prints.
fn line(child: &mut Child) -> String {
    let mut text = String::new();
    let out = child.stdout.take().expect("its output, once");
    BufReader::new(out).read_line(&mut text).expect("a line");
    text.trim_end().to_owned()
}

fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    let sent = Command::new("kill").args(["-s", name, &id]).status().expect("kill");
    assert!(sent.success());
}

/// Waits for what must come, on a machine however busy.
fn eventually(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "never: {what}");
        sleep(Duration::from_millis(10));
    }
}

fn is_running(id: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}

/// What a command wrote to a file, once it has written a line.
fn written(path: &Path) -> String {
    eventually("the command writes", || {
        fs::read_to_string(path).is_ok_and(|text| text.ends_with('\n'))
    });
    fs::read_to_string(path).expect("it").trim_end().to_owned()
}

struct Scratch(tempfile::TempDir);

impl Scratch {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

fn code(status: ExitStatus) -> i32 {
    status.code().expect("an exit code")
}

#[test]
fn the_command_has_the_token_and_its_exit_code_is_passed_on() {
    let server = server();
    let run = |script: &str| {
        let mut command = holder(&server, &["lock", "/l/a", "--", "sh", "-c", script]);
        command.output().expect("its output")
    };
    let shown = "echo $ZABRA_FENCING_TOKEN $ZABRA_HELD_PATH $ZABRA_HELD_ZNODE; exit 7";
    let tokens = [run(shown), run(shown)].map(|output| {
        assert_eq!(code(output.status), 7, "{output:?}");
        let text = String::from_utf8(output.stdout).expect("text");
        let (token, rest) = text.trim_end().split_once(' ').expect("words");
        assert!(rest.starts_with("/l/a /l/a/_c_"), "{rest}");
        token.parse::<i64>().expect("a number")
    });
    assert!(tokens[0] < tokens[1], "{tokens:?}");
    assert_eq!(code(run("kill -s KILL $$").status), 128 + 9);
    let missing = holder(&server, &["lock", "/l/a", "no-such-command"]).output().expect("it");
    assert_eq!(code(missing.status), 127);
    let refused = holder(&server, &["lock", "/l/a", "/"]).output().expect("it");
    assert_eq!(code(refused.status), 126);
    let wrong = holder(&server, &["lock", "l/a", "true"]).output().expect("it");
    assert_eq!(code(wrong.status), 1);
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("a path must start with /"));
    let wrong = holder(&server, &["lock", "/l/a", "--timeout", "soon"]).output().expect("it");
    assert_eq!(code(wrong.status), 2);
}

#[test]
fn who_does_not_get_it_in_time_says_so_and_leaves() {
    let server = server();
    let mut first = spawn(holder(&server, &["lock", "/l"]));
    let token: i64 = line(&mut first).parse().expect("a token");
    for timeout in ["0", "50ms"] {
        let second = holder(&server, &["lock", "/l", "--timeout", timeout, "--", "true"]);
        let output = spawn(second).wait_with_output().expect("it");
        assert_eq!(code(output.status), 124);
        assert!(String::from_utf8_lossy(&output.stderr).contains("/l: held by somebody else"));
    }
    let waiting = spawn(holder(&server, &["lock", "/l", "--", "true"]));
    let mut interrupted = spawn(holder(&server, &["lock", "/l", "--", "true"]));
    children(&server, "/l", 6);
    signal(&interrupted, "INT");
    assert_eq!(code(interrupted.wait().expect("its end")), 128 + 2);
    children(&server, "/l", 4);
    signal(&first, "TERM");
    assert_eq!(code(first.wait().expect("its end")), 0);
    assert_eq!(code(waiting.wait_with_output().expect("its end").status), 0);
    children(&server, "/l", 0);
    let mut last = spawn(holder(&server, &["lock", "/l", "--json"]));
    let object: serde_json::Value = serde_json::from_str(&line(&mut last)).expect("JSON");
    assert_eq!(object["path"], "/l");
    assert!(object["token"].as_i64().expect("a token") > token);
    signal(&last, "INT");
    assert_eq!(code(last.wait().expect("its end")), 0);
}

/// Waits until a znode has so many children.
fn children(server: &Server, path: &str, count: usize) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let client = runtime.block_on(server.client());
    let number = |client: &Client| runtime.block_on(client.children(path)).map(|names| names.len());
    eventually(&format!("{count} children"), || number(&client) == Ok(count));
    runtime.block_on(client.close()).expect("an end");
}

#[test]
fn signals_reach_the_whole_command_before_it_is_killed() {
    let (server, scratch) = (server(), Scratch::new());
    let (ids, caught) = (scratch.file("ids"), scratch.file("caught"));
    let script = format!(
        "trap 'echo caught >{caught}; exit 3' TERM; sleep 1000 & echo $! >{ids}; wait",
        caught = caught.display(),
        ids = ids.display(),
    );
    let mut held = spawn(holder(&server, &["lock", "/l", "--", "sh", "-c", &script]));
    let sleeper = written(&ids);
    signal(&held, "TERM");
    assert_eq!(code(held.wait().expect("its end")), 3);
    assert_eq!(written(&caught), "caught");
    eventually("the sleeper ends", || !is_running(&sleeper));
    // One that does not listen.
    fs::remove_file(&ids).expect("it");
    let script = format!("trap '' TERM INT; echo $$ >{}; while :; do sleep 1; done", ids.display());
    let arguments = ["lock", "/l", "--kill-after", "50ms", "--", "sh", "-c", &script];
    let mut held = spawn(holder(&server, &arguments));
    let deaf = written(&ids);
    signal(&held, "INT");
    assert_eq!(code(held.wait().expect("its end")), 128 + 9);
    assert!(!is_running(&deaf));
    children(&server, "/l", 0);
}

#[test]
fn nohup_is_respected() {
    let server = server();
    let program = env!("CARGO_BIN_EXE_zabra");
    let text = format!("trap '' HUP; exec {program} lock --server {} /l", server.address());
    let mut command = Command::new("sh");
    command.args(["-c", &text]).stdout(Stdio::piped());
    let mut held = spawn(command);
    assert!(!line(&mut held).is_empty());
    signal(&held, "HUP");
    signal(&held, "INT");
    // That of INT, which came later.
    assert_eq!(code(held.wait().expect("its end")), 0);
}

#[test]
fn a_lost_session_ends_the_command() {
    let (server, scratch) = (server(), Scratch::new());
    let ids = scratch.file("ids");
    let script = format!("trap '' TERM; sleep 1000 & echo $! >{}; wait; wait", ids.display());
    let mut held = spawn(holder(&server, &["lock", "/l", "--", "sh", "-c", &script]));
    let sleeper = written(&ids);
    server.kill();
    assert_eq!(code(held.wait().expect("its end")), 125);
    let mut errors = String::new();
    held.stderr.take().expect("it").read_to_string(&mut errors).expect("text");
    assert!(errors.contains("zabra lock: /l: lost: there is no connection"), "{errors}");
    assert!(!is_running(&sleeper));
}

#[test]
fn a_killed_holder_takes_its_command_along() {
    let (server, scratch) = (server(), Scratch::new());
    let ids = scratch.file("ids");
    let script = format!("echo $$ >{}; exec sleep 1000", ids.display());
    let mut held = spawn(holder(&server, &["lock", "/l", "--", "sh", "-c", &script]));
    let sleeper = written(&ids);
    held.kill().expect("SIGKILL");
    held.wait().expect("its end");
    eventually("the command ends", || !is_running(&sleeper));
    let next = holder(&server, &["lock", "/l", "--", "true"]).output().expect("it");
    assert_eq!(code(next.status), 0);
}

#[test]
fn leaders_are_observed() {
    let server = server();
    let mut observers = ["--observe", "--json"].map(|last| {
        let arguments = ["elect", "/e", "--observe", last];
        spawn(holder(&server, &arguments[..if last == "--json" { 4 } else { 3 }]))
    });
    let mut lines = observers
        .each_mut()
        .map(|observer| BufReader::new(observer.stdout.take().expect("output")).lines());
    let [text, json] = &mut lines;
    let mut next = || text.next().expect("a line").expect("text");
    let mut object = || -> serde_json::Value {
        serde_json::from_str(&json.next().expect("a line").expect("text")).expect("JSON")
    };
    assert_eq!(next(), "-");
    assert!(object()["leader"].is_null());
    let mut tokens = Vec::new();
    for value in ["one", "two"] {
        let mut leader = spawn(holder(&server, &["elect", "/e", "--value", value]));
        let token = line(&mut leader);
        assert_eq!(next(), format!("{token} {value}"));
        assert_eq!(object()["leader"]["value"], value);
        signal(&leader, "INT");
        assert_eq!(code(leader.wait().expect("its end")), 0);
        assert_eq!(next(), "-");
        assert!(object()["leader"].is_null());
        tokens.push(token.parse::<i64>().expect("a token"));
    }
    assert!(tokens[0] < tokens[1]);
    for observer in &mut observers {
        signal(observer, "INT");
        assert_eq!(code(observer.wait().expect("its end")), 0);
    }
}

#[test]
fn servers_that_are_away_are_named() {
    let gone = server();
    let address = gone.address();
    gone.kill();
    let mut command = zabra(["lock", "/l", "--connect-timeout", "100ms", "--server", &address]);
    let output = command.stderr(Stdio::piped()).output().expect("it");
    assert_eq!(code(output.status), 1);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(errors.contains(&format!("no server of {address} has answered for")), "{errors}");
}

#[test]
fn the_command_has_the_terminal() {
    let server = server();
    let program = env!("CARGO_BIN_EXE_zabra");
    let address = server.address();
    // The shell behind it reads the terminal too, when it has been given back.
    let line = format!(
        "{program} lock --server {address} /l -- sh -c 'read word; echo got $word; exit 3'; \
         echo code $?; read word; echo then $word"
    );
    let mut script = Command::new("script");
    script.args(["-qec", &line, "/dev/null"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut script = spawn(script);
    let mut typed = script.stdin.take().expect("its input");
    typed.write_all(b"one\ntwo\n").expect("typing");
    let mut shown = String::new();
    script.stdout.take().expect("its output").read_to_string(&mut shown).expect("text");
    assert!(script.wait().expect("its end").success(), "{shown}");
    let shown: Vec<_> = shown.lines().map(str::trim_end).collect();
    for line in ["got one", "code 3", "then two"] {
        assert!(shown.contains(&line), "{shown:?}");
    }
}
