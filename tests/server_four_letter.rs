//! Four-letter words on a real server, over its socket.

#![cfg(feature = "server")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

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
            .args(["server", "--temporary", "--log", "warn", "-D"])
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

/// A text with every number, and everything after the keys named, made equal.
fn layout(text: &str, free: &[&str]) -> String {
    let mut masked = String::new();
    for line in text.lines() {
        match free.iter().find(|key| line.starts_with(*key)) {
            Some(key) => masked.push_str(key),
            None => {
                masked.extend(line.split_inclusive(|c: char| !c.is_ascii_digit()).map(|part| {
                    let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
                    if rest.len() == part.len() { rest.to_owned() } else { format!("#{rest}") }
                }))
            }
        }
        masked.push('\n');
    }
    masked
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
    let dump = layout(&server.ask("dump"), &["# expire at ", "1 expire at "]);
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
