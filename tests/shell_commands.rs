//! `zabra shell` without a terminal: one command or lines from a pipe, text and JSON, and what it
//! says when something is wrong.

#[allow(dead_code, reason = "each test binary uses a part of it")]
mod client_fake;
mod server_support;

use client_fake::Fake;
use jute::Encode as _;
use jute::client::{DataStat, Stat};
use serde_json::Value;
use server_support::{Server, zabra};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::process::{Output, Stdio};
use tempfile::TempDir;
use zabra::proto::{OpCode, xid};

fn server() -> (TempDir, Server) {
    let folder = TempDir::new().expect("a folder");
    let server = Server::start(folder.path(), &["extendedTypesEnabled=true"]);
    (folder, server)
}

/// Runs one command.
fn run(address: &str, words: &[&str]) -> Output {
    let mut command = zabra(["shell", "-server", address]);
    command.args(words).stderr(Stdio::piped()).output().expect("the program")
}

/// What it printed, what it complained about, and the exit code.
fn texts(output: &Output) -> (String, String, Option<i32>) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr), output.status.code())
}

/// What a command that must succeed prints.
fn done(address: &str, words: &[&str]) -> String {
    let (out, err, code) = texts(&run(address, words));
    assert_eq!(code, Some(0), "{words:?}: {err}");
    out
}

/// What a command that must fail complains about.
fn fails(address: &str, words: &[&str]) -> String {
    let (out, err, code) = texts(&run(address, words));
    assert_eq!((out.as_str(), code), ("", Some(1)), "{words:?}: {err}");
    err
}

/// A port at which nobody listens.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").to_string()
}

#[test]
fn without_a_server_it_says_what_it_tried_and_for_how_long() {
    let address = nobody();
    let err = fails(&address, &["-timeout", "3000", "get", "/x"]);
    let tried = format!("cannot connect: tried {address} (connection refused)");
    assert!(err.starts_with(&tried) && err.contains(" s; nothing was sent"), "{err}");
    let err = fails(&address, &["-timeout", "3000", "--json", "get", "/x"]);
    let failure: Value = serde_json::from_str(&err).expect("JSON");
    assert_eq!(failure["error"], "NotConnected");
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_sent() {
    let address = nobody();
    for (words, reason) in [
        (&["get", "x"] as &[&str], "Path must start with / character\n"),
        (&["create", "/a/", "x"], "Path must not end with / character\n"),
        (&["ls", "/a/../b"], "caused by relative paths not allowed @4\n"),
        (&["set", "-b", "/a", "?"], "the data are not base64\n"),
        (&["create", "-t", "0", "/a"], "ttl must be positive"),
        (&["create", "/a", "x", "nonsense"], "Acl is not valid"),
        (&["frobnicate"], "Command not found: frobnicate\nusage: help [command]\n"),
        (&["gte", "/a"], "did you mean get?\nusage: get [-s] [-w] [-b] [-x] path\n"),
        (&["get", "-S", "/a"], "did you mean -s?"),
        (&["-sever", "a:1", "ls", "/"], "unknown option -sever; did you mean -server?\nusage: "),
        (&["-server", "a:x", "ls", "/"], "a port is not a number below 65536\n"),
        (&["-timeout", "0", "ls", "/"], "-timeout needs milliseconds"),
    ] {
        let err = fails(&address, words);
        assert!(err.contains(reason), "{words:?}: {err}");
    }
}

#[test]
fn a_request_that_is_too_large_is_refused_with_both_sizes() {
    let (_folder, server) = server();
    let mut shell = zabra(["shell", "-server", &server.address()])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program");
    let line = format!("create /large {}\nls /\n", "x".repeat(0x10_0000));
    shell.stdin.take().expect("its input").write_all(line.as_bytes()).expect("room");
    let (out, err, code) = texts(&shell.wait_with_output().expect("its end"));
    assert!(err.contains("is over the limit of 1048575"), "{err}");
    assert!(out.contains("[zookeeper]\n"), "{out}");
    assert_eq!(code, Some(0), "the exit code is the last command's");
}

#[tokio::test]
async fn a_command_in_flight_has_an_unknown_outcome() {
    let fake = Fake::listen().await;
    let address = fake.address();
    let shell = tokio::task::spawn_blocking(move || run(&address, &["set", "/x", "y"]));
    let (mut conn, _) = fake.greet(30_000).await;
    conn.expect(OpCode::SetData).await;
    // Both the connection and the server are gone.
    drop((conn, fake));
    let (_, err, code) = texts(&shell.await.expect("its end"));
    let wanted = "KeeperErrorCode = ConnectionLoss for /x: the connection was lost";
    assert!(err.starts_with(wanted), "{err}");
    assert!(err.ends_with("whether it took place is not known\n"), "{err}");
    assert_eq!(code, Some(1));
}

/// Waits until the shell has printed this.
fn wait_for(lines: &mut impl Iterator<Item = std::io::Result<String>>, text: &str) {
    let found = lines.any(|line| line.expect("text").contains(text));
    assert!(found, "no {text:?}");
}

#[tokio::test]
async fn an_expired_session_makes_room_for_another_with_the_same_credentials() {
    let fake = Fake::listen().await;
    let mut shell = zabra(["shell", "-server", &fake.address()])
        .stdin(Stdio::piped())
        .spawn()
        .expect("the program");
    let mut input = shell.stdin.take().expect("its input");
    let mut lines = BufReader::new(shell.stdout.take().expect("its output")).lines();

    let (mut conn, _) = fake.greet(30_000).await;
    writeln!(input, "addauth digest ann:secret").expect("room");
    let proof = conn.expect(OpCode::Auth).await;
    conn.reply(xid::AUTH, 0, 0, &[]).await;
    // The connection is lost, and the next server does not know the session any longer.
    drop(conn);
    let mut conn = fake.accept().await;
    let hello = conn.hello().await;
    assert_eq!(hello.request.session_id, client_fake::SESSION);
    conn.welcome(0, 0).await;
    let mut lines = tokio::task::spawn_blocking(move || {
        wait_for(&mut lines, "state:Expired");
        lines
    })
    .await
    .expect("the end of the session");

    writeln!(input, "get /x").expect("room");
    let (mut conn, hello) = fake.greet(30_000).await;
    assert_eq!(hello.request.session_id, 0);
    assert_eq!(conn.expect(OpCode::Auth).await.body, proof.body);
    conn.reply(xid::AUTH, 0, 0, &[]).await;
    let request = conn.expect(OpCode::GetData).await;
    let found = DataStat { data: Some("found".into()), stat: Stat::default() };
    conn.reply(request.xid, 1, 0, &found.to_bytes()).await;
    let ended = tokio::task::spawn_blocking(move || {
        wait_for(&mut lines, "found");
        drop(input);
        shell.wait()
    });
    let end = conn.expect(OpCode::CloseSession).await;
    conn.reply(end.xid, 2, 0, &[]).await;
    assert!(ended.await.expect("no panic").expect("its end").success());
}

#[test]
fn every_command_has_a_result_in_json() {
    let (_folder, server) = server();
    let address = server.address();
    let words = |line: &'static str| line.split(' ').collect::<Vec<_>>();
    for (line, field) in [
        ("create /a text", "created"),
        ("create -c /a/container", "created"),
        ("get -s /a", "data"),
        ("set /a new", "stat"),
        ("ls -s /", "children"),
        ("ls -R /a", "path"),
        ("stat /a", "stat"),
        ("getAcl -s /a", "acl"),
        ("setAcl /a world:anyone:cdrwa", "stat"),
        ("setAcl -R /a world:anyone:cdrwa", "path"),
        ("getAllChildrenNumber /", "count"),
        ("getEphemerals", "ephemerals"),
        ("addauth digest ann:secret", "scheme"),
        ("whoami", "identities"),
        ("addWatch /a", "mode"),
        ("printwatches", "printwatches"),
        ("setquota -n 100 /a", "quota"),
        ("listquota /a", "used"),
        ("delquota /a", "quota"),
        ("sync /", "path"),
        ("config", "servers"),
        ("version", "version"),
        ("help get", "usage"),
        ("help", "get"),
        ("deleteall /a", "count"),
        ("create /b", "created"),
        ("delete /b", "deleted"),
    ] {
        let mut asked = words(line);
        asked.push("--json");
        let out = done(&address, &asked);
        assert!(!out.is_empty(), "{line}");
        for result in out.lines() {
            let value: Value = serde_json::from_str(result).expect("JSON");
            assert!(value.get(field).is_some(), "{line}: {result}");
        }
    }
    let failure = fails(&address, &["get", "-q", "/a", "--json"]);
    let failure: Value = serde_json::from_str(&failure).expect("JSON");
    assert_eq!(failure["error"], "Usage");
    let failure = fails(&address, &["get", "/nowhere", "--json"]);
    let failure: Value = serde_json::from_str(&failure).expect("JSON");
    assert_eq!(failure["error"], "NoNode");
    assert_eq!(failure["path"], "/nowhere");
    // What zkCli calls a success is none for programs that read JSON.
    fails(&address, &["listquota", "/nowhere", "--json"]);
}

#[test]
fn data_go_through_a_pipe_as_they_are() {
    let (_folder, server) = server();
    let address = server.address();
    done(&address, &["create", "/binary"]);
    done(&address, &["set", "-b", "/binary", "AP8bWzJK"]);
    let output = run(&address, &["get", "/binary"]);
    assert_eq!(output.stdout, b"\0\xff\x1b[2J\n");
    assert_eq!(done(&address, &["get", "-b", "/binary"]), "AP8bWzJK\n");
    let json: Value =
        serde_json::from_str(&done(&address, &["get", "--json", "/binary"])).expect("JSON");
    assert_eq!(json["data"]["base64"], "AP8bWzJK");
}

#[test]
fn an_ephemeral_of_one_command_goes_with_it() {
    let (_folder, server) = server();
    let address = server.address();
    done(&address, &["create", "-e", "/gone"]);
    assert_eq!(done(&address, &["ls", "/"]), "[zookeeper]\n");
}

#[test]
fn a_subtree_below_a_chroot_is_seen_from_there() {
    let (_folder, server) = server();
    let address = server.address();
    done(&address, &["create", "/app"]);
    let below = format!("{address}/app");
    done(&below, &["create", "/a"]);
    assert_eq!(done(&below, &["ls", "-R", "/"]), "/\n/a\n");
    assert_eq!(done(&address, &["ls", "-R", "/app"]), "/app\n/app/a\n");
    let err = fails(&below, &["setquota", "-n", "5", "/a"]);
    assert!(err.contains("outside of /app: connect without a chroot"), "{err}");
}

#[test]
fn called_as_zkcli_it_is_zkcli_to_the_letter() {
    let (_folder, server) = server();
    let address = server.address();
    let out = done(&address, &["--as-zkcli", "-Dsome=thing", "ls", "/"]);
    assert_eq!(out, format!("Connecting to {address}\n[zookeeper]\n"));
    let unknown = run(&address, &["--as-zkcli", "frobnicate"]);
    assert_eq!(unknown.status.code(), Some(127));
}

#[test]
fn help_of_every_command_has_an_example() {
    let all = done("nowhere:1", &["help", "--json"]);
    let all: serde_json::Map<String, Value> = serde_json::from_str(&all).expect("JSON");
    assert!(all.len() >= 29, "{all:?}");
    for name in all.keys() {
        let help = done("nowhere:1", &[name, "--help"]);
        assert!(help.contains(&format!("\nusage: {name}")), "{help}");
        assert!(help.contains(&format!("\nexample:\n  {name}")), "{help}");
    }
    let (help, _, code) = texts(&zabra(["shell", "--help"]).output().expect("the program"));
    assert!(help.contains("\nExamples:\n") && code == Some(0), "{help}");
}
