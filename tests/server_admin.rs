//! What operators ask over HTTP, on a real server: commands, metrics, health; and the audit log.

#![cfg(feature = "server")]

mod server_support;

use bytes::Bytes;
use serde_json::Value;
use server_support::{Ended, PATIENCE, Server, server_command, zabra};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};
use tempfile::tempdir;
use zabra::client::{Client, CreateMode, Options};

/// A server with ports for HTTP, which it chose itself.
struct Asked {
    child: Child,
    client: String,
    admin: String,
    metrics: String,
}

impl Asked {
    fn start(data: &Path, settings: &[&str]) -> Self {
        let mut command = server_command(data, settings);
        for setting in [
            "admin.serverAddress=127.0.0.1",
            "admin.serverPort=0",
            "4lw.commands.whitelist=*",
            "metricsProvider.className=\
             org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider",
            "metricsProvider.httpHost=127.0.0.1",
            "metricsProvider.httpPort=0",
        ] {
            command.args(["-D", setting]);
        }
        let mut child = command.stderr(Stdio::piped()).spawn().expect("the program");
        let log = BufReader::new(child.stderr.take().expect("its log"));
        let (mut admin, mut metrics) = (String::new(), String::new());
        let mut lines = log.lines().map_while(Result::ok);
        let client = lines.by_ref().find_map(|line| {
            if let Some((_, url)) = line.split_once("the AdminServer is at http://") {
                url.trim().trim_end_matches("/commands").clone_into(&mut admin);
            } else if let Some((_, url)) = line.split_once("Prometheus are at http://") {
                url.trim().trim_end_matches("/metrics").clone_into(&mut metrics);
            }
            line.split_once("serving clients on ").map(|(_, address)| address.trim().to_owned())
        });
        // It must not wait for somebody to read its log.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, client: client.expect("a server"), admin, metrics }
    }

    async fn client(&self) -> Client {
        Client::connect(&self.client, Options::default()).await.expect("a session")
    }

    /// Status and body of the answer to a request.
    fn ask(&self, method: &str, path: &str) -> (u16, String) {
        ask(&self.admin, method, path)
    }

    /// A command's answer.
    fn command(&self, path: &str) -> Value {
        let (status, body) = self.ask("GET", &format!("/commands/{path}"));
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).expect("JSON")
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}

fn ask(address: &str, method: &str, path: &str) -> (u16, String) {
    answer(send(address, method, path))
}

/// A connection on which a request was sent.
fn send(address: &str, method: &str, path: &str) -> TcpStream {
    let mut socket = TcpStream::connect(address).expect("a connection");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    write!(socket, "{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .expect("a request");
    socket
}

/// Status and body of the answer that comes.
fn answer(mut socket: TcpStream) -> (u16, String) {
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.expect("a status"), body.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_show_what_there_is() {
    let data = tempdir().expect("a directory");
    let server = Asked::start(data.path(), &[]);
    let client = server.client().await;
    client.create("/a", Bytes::from_static(b"x"), CreateMode::Ephemeral).await.expect("created");
    let _watch = client.get_and_watch("/a").await.expect("read");
    let session = client.session().expect("a session").id.0;
    let connections = &server.command("connections")["connections"];
    assert_eq!(connections[0]["session_id"], session);
    assert_eq!(connections[0]["last_operation"], "GETD");
    let dump = server.command("dump");
    assert_eq!(dump["session_id_to_ephemeral_paths"][session.to_string()][0], "/a");
    let watches = server.command("wchp");
    assert_eq!(watches["command"], "watches_by_path");
    assert_eq!(watches["path_to_session_ids"]["/a"][0], session);
    let monitor = server.command("monitor");
    assert_eq!(monitor["znode_count"], 6);
    assert_eq!(monitor["ephemerals_count"], 1);
    let statistics = server.command("srvr");
    assert_eq!(statistics["server_stats"]["server_state"], "standalone");
    assert_eq!(statistics["error"], Value::Null);
}

#[test]
fn requests_that_make_no_sense_are_answered_as_by_zookeeper() {
    let data = tempdir().expect("a directory");
    let server = Asked::start(data.path(), &[]);
    let unknown =
        "{\n  \"command\" : \"nonsense\",\n  \"error\" : \"Unknown command: nonsense\"\n}";
    assert_eq!(server.ask("GET", "/commands/nonsense"), (200, unknown.to_owned()));
    assert_eq!(server.ask("GET", "/").0, 404);
    assert_eq!(server.ask("PUT", "/commands/ruok").0, 405);
    assert_eq!(server.ask("TRACE", "/commands/ruok").0, 403);
    assert_eq!(server.ask("GET", "/commands/snapshot").0, 401);
    let wanted = "setTraceMask requires long traceMask argument, got x";
    assert_eq!(server.command("set_trace_mask?traceMask=x")["error"], wanted);
    assert_eq!(server.command("set_trace_mask?traceMask=307")["tracemask"], 307);
    assert_eq!(server.command("gtmk")["tracemask"], 307);
    let (_, list) = server.ask("GET", "/commands");
    assert!(list.starts_with("<a href=\"/commands/configuration\">configuration</a>\n<br/>\n"));
}

/// As `nc -N` and scripts ask.
#[test]
fn whoever_says_no_more_is_answered() {
    let data = tempdir().expect("a directory");
    let server = Asked::start(data.path(), &[]);
    let paths = [(&server.admin, "/commands/mntr"), (&server.metrics, "/metrics")];
    for (address, path) in paths {
        let socket = send(address, "GET", path);
        socket.shutdown(std::net::Shutdown::Write).expect("an end");
        let (status, body) = answer(socket);
        assert_eq!(status, 200);
        assert!(body.contains("znode_count"), "{path}: {body}");
    }
}

#[test]
fn what_is_no_request_ends_the_connection_and_nothing_else() {
    let data = tempdir().expect("a directory");
    let server = Asked::start(data.path(), &[]);
    for garbage in ["\0\0\0\u{2d}".to_owned(), "GET / ".repeat(10_000), "x\r\n\r\n".to_owned()] {
        let mut socket = TcpStream::connect(&server.admin).expect("a connection");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        // The server may have closed it before all is sent.
        let _ = socket.write_all(garbage.as_bytes());
        let _ = socket.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = socket.read_to_end(&mut answer);
        assert!(!answer.starts_with(b"HTTP/1.1 200"));
    }
    assert_eq!(server.ask("GET", "/commands/ruok").0, 200);
}

#[test]
fn health_is_told() {
    let data = tempdir().expect("a directory");
    let server = Asked::start(data.path(), &[]);
    assert_eq!(server.ask("GET", "/health/live"), (200, "live\n".to_owned()));
    assert_eq!(server.ask("GET", "/health/ready"), (200, "ready\n".to_owned()));
    assert_eq!(server.ask("POST", "/health/ready").0, 405);
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_what_clients_do() {
    let data = tempdir().expect("a directory");
    let server = Asked::start(data.path(), &[]);
    let client = server.client().await;
    client.create("/a", Bytes::from_static(b"x"), CreateMode::Persistent).await.expect("created");
    let expected = [
        "# TYPE znode_count gauge",
        "znode_count 6",
        "# TYPE connection_request_count counter",
        "connection_request_count 1",
        "connection_request_count_total 1",
        "# TYPE updatelatency summary",
        "updatelatency_count 1",
        "# TYPE zabra_request_duration_seconds histogram",
        "zabra_request_duration_seconds_count{op=\"create2\"} 1",
        "zabra_commit_stage_duration_seconds_count{stage=\"agreement\"} 2",
        "zabra_top_client_connections{client=\"127.0.0.1\"} 1",
        "rocksdb_background_errors{database=\"log\"} 0",
    ];
    // The stages of a write are counted behind its reply.
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (status, page) = ask(&server.metrics, "GET", "/metrics");
        assert_eq!(status, 200);
        let missing = expected.iter().find(|line| page.lines().all(|found| found != **line));
        let Some(missing) = missing else { break };
        assert!(Instant::now() < deadline, "{missing}\n{page}");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(ask(&server.metrics, "GET", "/").0, 404);
}

#[test]
fn secrets_do_not_show() {
    let dir = tempdir().expect("a directory");
    let (data, file) = (dir.path().join("data"), dir.path().join("zoo.cfg"));
    let digest = "super:D/InIHSb7yEEbrWz8b9l71RjZJU=";
    let text = format!(
        "dataDir={}\nclientPort=0\nclientPortAddress=127.0.0.1\nadmin.serverPort=0\n\
         DigestAuthenticationProvider.superDigest={digest}\n",
        data.display()
    );
    fs::write(&file, text).expect("a file");
    let mut command = zabra(["server".as_ref(), file.as_os_str()]);
    let mut child = command.stderr(Stdio::piped()).spawn().expect("the program");
    let log = BufReader::new(child.stderr.take().expect("its log"));
    let mut lines = log.lines().map_while(Result::ok);
    let port = lines.by_ref().find_map(|line| {
        let (_, url) = line.split_once("the AdminServer is at http://")?;
        url.trim().trim_end_matches("/commands").rsplit(':').next().map(str::to_owned)
    });
    std::thread::spawn(move || lines.for_each(drop));
    let address = format!("127.0.0.1:{}", port.expect("a port"));
    let shown = ["initial_configuration", "system_properties", "environment", "configuration"]
        .map(|command| ask(&address, "GET", &format!("/commands/{command}")).1);
    child.kill().and_then(|()| child.wait()).expect("its end");
    assert!(shown[0].contains("superDigest=(hidden)"), "{}", shown[0]);
    assert!(shown[1].contains("superDigest\" : \"(hidden)\""), "{}", shown[1]);
    assert!(!shown.concat().contains("D/InIHSb7yEEbrWz8b9l71RjZJU"), "{shown:?}");
}

#[test]
fn a_taken_port_ends_a_server_that_was_given_it() {
    let data = tempdir().expect("a directory");
    let taken = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = taken.local_addr().expect("its address").port();
    let set = format!("admin.serverPort={port}");
    let address = "admin.serverAddress=127.0.0.1";
    let Err(Ended { status, log }) = Server::run(server_command(data.path(), &[&set, address]))
    else {
        panic!("it serves");
    };
    // ZK: ExitCode.ERROR_STARTING_ADMIN_SERVER
    assert_eq!(status.code(), Some(4), "{log}");
    assert!(log.contains(&format!("admin.serverPort: cannot listen on 127.0.0.1:{port}")), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_in_the_audit_log() {
    let dir = tempdir().expect("a directory");
    let file = dir.path().join("audit.log");
    let set = format!("audit.file={}", file.display());
    let server = Server::start(&dir.path().join("data"), &["audit.enable=true", &set]);
    let client = server.client().await;
    let session = client.session().expect("a session").id;
    client.create("/s", Bytes::new(), CreateMode::PersistentSequential).await.expect("created");
    client.create("/a", Bytes::new(), CreateMode::Ephemeral).await.expect("created");
    client.get("/a").await.expect("read");
    client.delete("/none", None).await.expect_err("not there");
    let ended = server.terminate();
    assert!(ended.status.success(), "{}", ended.log);
    let text = fs::read_to_string(&file).expect("the file");
    let said: Vec<_> = text.lines().filter_map(|line| line.split_once(" audit: ")).collect();
    let from = format!("session={session}\tuser=127.0.0.1\tip=127.0.0.1");
    let user = said[0].1.split('\t').next().expect("a user");
    let expected = [
        format!("{user}\toperation=serverStart\tresult=success"),
        format!(
            "{from}\toperation=create\tznode=/s0000000000\tznode_type=persistent_sequential\t\
             result=success"
        ),
        format!("{from}\toperation=create\tznode=/a\tznode_type=ephemeral\tresult=success"),
        format!("{from}\toperation=delete\tznode=/none\tresult=failure"),
        format!("{user}\toperation=serverStop\tresult=invoked"),
    ];
    assert_eq!(said.iter().map(|(_, entry)| *entry).collect::<Vec<_>>(), expected);
    let levels: Vec<_> = said.iter().map(|(head, _)| head.rsplit(' ').next()).collect();
    let info = Some("INFO");
    assert_eq!(levels, [info, info, info, Some("ERROR"), info]);
}

#[test]
fn what_asks_for_missing_protection_is_refused_by_name() {
    let data = tempdir().expect("a directory");
    for (setting, name) in [
        ("secureClientPort=2281", "secureClientPort"),
        ("ssl.keyStore.location=/none", "ssl.keyStore.location"),
        ("client.portUnification=true", "client.portUnification"),
        ("sslQuorum=true", "sslQuorum"),
        ("admin.forceHttps=true", "admin.forceHttps"),
        ("metricsProvider.httpsPort=7443", "metricsProvider.httpsPort"),
        (
            "authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider",
            "SASLAuthenticationProvider",
        ),
        ("java.security.auth.login.config=/none", "java.security.auth.login.config"),
    ] {
        let Err(Ended { status, log }) = Server::run(server_command(data.path(), &[setting]))
        else {
            panic!("it serves with {setting}");
        };
        assert_eq!(status.code(), Some(2), "{setting}: {log}");
        assert!(log.contains(name), "{setting}: {log}");
    }
}
