//! Four-letter words on a real server, over its socket.

#![cfg(feature = "server")]

use bytes::Bytes;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use zabra::client::{Client, ClientError, CreateMode, Options};
use zabra::types::ErrorCode;

/// What Apache ZooKeeper 3.9.5 shows.
const THEIR_FIGURES: &str = include_str!("../src/admin/recorded/mntr.txt");

/// A server in a process of its own, which ends with the test.
struct Server {
    process: Child,
    port: u16,
}

impl Server {
    fn start(whitelist: &str) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_zabra"))
            .args(["server", "--temporary", "--log", "off", "-D"])
            .arg(format!("4lw.commands.whitelist={whitelist}"))
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let mut line = String::new();
        let stdout = process.stdout.take().expect("an output");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        Self { process, port: line.trim().parse().expect("a port") }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a socket");
        stream
    }

    /// Everything that comes back until the server closes the connection.
    fn ask(&self, question: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect();
        stream.write_all(question.as_ref()).expect("a question");
        rest_of(&mut stream)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let ended = self.process.kill().and_then(|()| self.process.wait());
        drop(ended);
    }
}

fn rest_of(stream: &mut TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer and its end");
    answer
}

/// A text with `#` for every number, and nothing behind the beginnings of lines in `free`.
fn layout(text: &str, free: &[&str]) -> String {
    let mut layout = String::new();
    for line in text.lines() {
        if let Some(key) = free.iter().find(|key| line.starts_with(**key)) {
            layout.push_str(key);
        } else {
            for c in line.chars() {
                match c {
                    '0'..='9' if layout.ends_with('#') => {}
                    '0'..='9' => layout.push('#'),
                    other => layout.push(other),
                }
            }
        }
        layout.push('\n');
    }
    layout
}

#[test]
fn short_words_have_short_answers() {
    let server = Server::start("*");
    let table = [
        ("ruok", "imok"),
        ("isro", "rw"),
        ("gtmk", "306"),
        ("hash", ""),
        ("srst", "Server stats reset.\n"),
        ("crst", "Connection stats reset.\n"),
        ("wchs", "0 connections watching 0 paths\nTotal watches:0\n"),
        ("wchc", "\n"),
        ("wchp", "\n"),
    ];
    for (word, answer) in table {
        assert_eq!(server.ask(word), answer, "{word}");
    }
    // As netcat and telnet send it.
    assert_eq!(server.ask("ruok\n"), "imok");
    assert_eq!(server.ask("ruok\r\n"), "imok");
}

#[test]
fn long_words_have_the_layout_of_zookeeper() {
    let server = Server::start("*");
    let version = "Zookeeper version: 3.9.5-";
    let status = "Latency min/avg/max: #/#.#/#\nReceived: #\nSent: #\nConnections: #\n\
                  Outstanding: #\nZxid: #x#\nMode: standalone\nNode count: #\n";
    assert_eq!(layout(&server.ask("srvr"), &[version]), format!("{version}\n{status}"));
    let stat = layout(&server.ask("stat"), &[version]);
    let asking = " /#.#.#.#:#[#](queued=#,recved=#,sent=#)\n\n";
    assert_eq!(stat, format!("{version}\nClients:\n{asking}{status}"));
    assert_eq!(layout(&server.ask("cons"), &[]), asking);
    assert_eq!(layout(&server.ask("dirs"), &[]), "datadir_size: #\nlogdir_size: #\n");
    let expected = "clientPort=#\nsecureClientPort=-#\ndataDir=\ndataDirSize=#\ndataLogDir=\n\
                    dataLogSize=#\ntickTime=#\nmaxClientCnxns=#\nminSessionTimeout=#\n\
                    maxSessionTimeout=#\nclientPortListenBacklog=-#\nserverId=#\n";
    let conf = server.ask("conf");
    assert_eq!(layout(&conf, &["dataDir=", "dataLogDir="]), expected);
    assert!(conf.starts_with(&format!("clientPort={}\n", server.port)), "{conf}");
    let dump = layout(&server.ask("dump"), &["1 expire at "]);
    let expected = "SessionTracker dump:\nSession Sets (#)/(#):\nephemeral nodes dump:\n\
                    Sessions with Ephemerals (#):\nConnections dump:\nConnections Sets (#)/(#):\n\
                    1 expire at \n\tip: /#.#.#.#:# sessionId: #x#\n";
    assert_eq!(dump, expected);
    let envi = server.ask("envi");
    assert!(envi.starts_with("Environment:\nzookeeper.version=3.9.5-"), "{envi}");
    assert!(envi.contains("\njava.version=<NA>\n"), "{envi}");
}

#[test]
fn mntr_has_the_figures_of_zookeeper_in_its_formats() {
    let server = Server::start("*");
    let figures = server.ask("mntr");
    let form = |text: &str| -> BTreeSet<String> {
        let lines = text.lines().filter(|line| !line.starts_with("zk_version\t"));
        lines.map(|line| layout(line, &[]).replace("-#", "#")).collect()
    };
    let (ours, theirs) = (form(&figures), form(THEIR_FIGURES));
    let missing: Vec<_> = theirs.difference(&ours).collect();
    let invented: Vec<_> = ours.difference(&theirs).collect();
    assert!(missing.is_empty() && invented.is_empty(), "{missing:#?} {invented:#?}");
    assert!(figures.starts_with("zk_version\t3.9.5-"), "{figures}");
    for line in ["zk_znode_count\t5", "zk_approximate_data_size\t44", "zk_packets_received\t1"] {
        assert!(figures.lines().any(|other| other == line), "{line} is not in\n{figures}");
    }
}

#[test]
fn packets_are_counted_as_zookeeper_counts_them() {
    let server = Server::start("*");
    server.ask("ruok");
    server.ask("isro");
    let status = server.ask("srvr");
    assert!(status.contains("\nReceived: 3\nSent: 2\nConnections: 1\n"), "{status}");
    server.ask("srst");
    let status = server.ask("srvr");
    assert!(status.contains("\nReceived: 1\nSent: 1\n"), "{status}");
}

#[test]
fn the_trace_mask_may_arrive_in_pieces_and_is_kept() {
    let server = Server::start("*");
    let mut stream = server.connect();
    stream.write_all(b"stmk\0\0").expect("a first piece");
    // Another connection is served meanwhile, and the piece has arrived by then.
    assert_eq!(server.ask("gtmk"), "306");
    stream.write_all(b"\0\0\0\0\0\x09").expect("a second piece");
    assert_eq!(rest_of(&mut stream), "9");
    assert_eq!(server.ask("gtmk"), "9");
}

#[test]
fn what_is_not_in_the_whitelist_is_refused() {
    let server = Server::start("ruok");
    assert_eq!(server.ask("ruok"), "imok");
    assert!(server.ask("srvr").starts_with("Zookeeper version: "));
    for word in ["mntr", "stmk"] {
        let expected = format!("{word} is not executed because it is not in the whitelist.\n");
        assert_eq!(server.ask(word), expected);
    }
    let expected = "telnet close is not executed because it is not in the whitelist.\n";
    assert_eq!(server.ask([0xff, 0xf4, 0xff, 0xfd]), expected);
}

#[test]
fn an_asker_may_close_its_side_at_once() {
    let server = Server::start("*");
    let mut stream = server.connect();
    stream.write_all(b"ruok").expect("a question");
    stream.shutdown(Shutdown::Write).expect("half an end");
    assert_eq!(rest_of(&mut stream), "imok");
    // With all words enabled, the end of telnet is a broken frame.
    assert_eq!(server.ask([0xff, 0xf4, 0xff, 0xfd]), "");
}

#[tokio::test]
async fn a_session_shows_with_its_watches_and_nodes() {
    let server = Server::start("*");
    let address = format!("127.0.0.1:{}", server.port);
    let client = Client::connect(&address, Options::default()).await.expect("a session");
    let quota = "count=10,bytes=1000=;byteHardLimit=2000;countHardLimit=-1";
    let (kept, gone) = (CreateMode::Persistent, CreateMode::Ephemeral);
    let znodes = [
        ("/q", "", kept),
        ("/q/e", "123", gone),
        ("/zookeeper/quota/q", "", kept),
        ("/zookeeper/quota/q/zookeeper_limits", quota, kept),
        ("/zookeeper/quota/q/zookeeper_stats", "count=0,bytes=0", kept),
    ];
    for (path, data, mode) in znodes {
        client.create(path, Some(Bytes::from_static(data.as_bytes())), mode).await.expect(path);
    }
    let (_, watch) = client.exists_and_watch("/none").await.expect("a watch");
    let id = format!("0x{:x}", client.session().expect("a session").id.0);
    assert_eq!(server.ask("wchs"), "1 connections watching 1 paths\nTotal watches:1\n");
    assert_eq!(server.ask("wchc"), format!("{id}\n\t/none\n\n"));
    assert_eq!(server.ask("wchp"), format!("/none\n\t{id}\n\n"));

    let dump = server.ask("dump");
    let ephemerals = format!("Sessions with Ephemerals (1):\n{id}:\n\t/q/e\nConnections dump:\n");
    assert!(
        dump.starts_with("SessionTracker dump:\nSession Sets (1)/(1):\n1 expire at "),
        "{dump}"
    );
    assert!(dump.contains(&format!("\n\t{id}\nephemeral nodes dump:\n{ephemerals}")), "{dump}");
    assert!(dump.contains(&format!(" sessionId: {id}\n")), "{dump}");

    let cons = server.ask("cons");
    let line = cons.lines().find(|line| line.contains(&id)).expect("the session's line");
    let part = format!("[1](queued=0,recved=7,sent=7,sid={id},lop=EXIS,est=");
    assert!(line.contains(&part), "{line}");
    let expected = "zk_q_quota_count_limit_per_namespace\t10\n\
                    zk_q_quota_bytes_limit_per_namespace\t2000\n\
                    zk_q_quota_count_usage_per_namespace\t2\n\
                    zk_q_quota_bytes_usage_per_namespace\t3\n";
    let figures = server.ask("mntr");
    assert!(figures.contains(expected), "{figures}");
    for line in ["zk_global_sessions\t1", "zk_ephemerals_count\t1", "zk_cnt_updatelatency\t5"] {
        assert!(figures.lines().any(|other| other == line), "{line} is not in\n{figures}");
    }

    drop(watch);

    // A refused write leaves no name, and the last xid is that of the client's own requests.
    let refused = client.delete("/none", None).await;
    assert_eq!(refused, Err(ClientError::Api(ErrorCode::NoNode)));
    let cons = server.ask("cons");
    assert!(cons.contains(&format!("sid={id},lop=NA,")), "{cons}");
    server.ask("crst");
    let cons = server.ask("cons");
    let part = format!("(queued=0,recved=0,sent=0,sid={id},lop=NA,est=");
    assert!(cons.contains(&part), "{cons}");
    let part = "lzxid=0xffffffffffffffff,lresp=0,llat=0,minlat=0,avglat=0,maxlat=0)\n";
    assert!(cons.contains(part), "{cons}");
}
