//! Three servers in three processes: they find a leader, survive its end, take servers back, and
//! mind neither strangers nor garbage.

#![cfg(feature = "server")]

mod ensemble_support;
mod server_support;

use bytes::Bytes;
use ensemble_support::{ELECTION_PORT, Ensemble, QUORUM_PORT};
use server_support::is_closed;
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;
use zabra::client::{Client, ClientError, CreateMode, Options};

/// Writes until it succeeds: what a client library leaves to its user when a connection is lost.
async fn set(client: &Client, path: &str, data: &str) {
    loop {
        match client.set(path, Bytes::copy_from_slice(data.as_bytes()), None).await {
            Ok(_) => return,
            Err(ClientError::ConnectionLoss(_) | ClientError::NotConnected) => {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            Err(error) => panic!("{path}: {error}"),
        }
    }
}

async fn get(client: &Client, path: &str) -> String {
    client.sync("/").await.expect("a sync");
    let found = client.get(path).await.expect("a znode");
    String::from_utf8_lossy(&found.data.unwrap_or_default()).into_owned()
}

async fn create(client: &Client, path: &str, mode: CreateMode) {
    client.create(path, Bytes::from_static(b"x"), mode).await.expect("a znode");
}

#[tokio::test]
async fn what_one_server_is_told_all_of_them_know() {
    let mut ensemble = Ensemble::start(3, "");
    ensemble.leader();
    for id in 1..=3 {
        let path = format!("/of-{id}");
        create(&ensemble.client_of(id).await, &path, CreateMode::Persistent).await;
    }
    let mut modes = Vec::new();
    for id in 1..=3 {
        let client = ensemble.client_of(id).await;
        client.sync("/").await.expect("a sync");
        let names: BTreeSet<String> =
            client.children("/").await.expect("names").into_iter().collect();
        assert_eq!(names, ["of-1", "of-2", "of-3", "zookeeper"].map(str::to_owned).into());
        let config = client.config().await.expect("the configuration").data.unwrap_or_default();
        let config = String::from_utf8_lossy(&config).into_owned();
        assert!(config.starts_with("server.1="), "{config}");
        assert!(config.ends_with(":participant\nversion=0"), "{config}");
        // The server's id is the highest byte of the sessions that begin there.
        let session = client.session().expect("a session").id;
        assert_eq!(session.0 >> 56, i64::try_from(id).expect("an id"));
        modes.extend(ensemble.mode(id));
    }
    modes.sort();
    assert_eq!(modes, ["follower", "follower", "leader"]);
    ensemble.assert_alive();
}

#[tokio::test]
async fn a_new_leader_has_everything_that_was_acknowledged() {
    let mut ensemble = Ensemble::start(3, "");
    let leader = ensemble.leader();
    let client = ensemble.client().await;
    let session = client.session().expect("a session").id;
    create(&client, "/counter", CreateMode::Persistent).await;
    create(&client, "/mine", CreateMode::Ephemeral).await;
    for number in 0..100 {
        set(&client, "/counter", &number.to_string()).await;
    }
    ensemble.kill(leader);
    set(&client, "/counter", "after").await;
    assert_eq!(client.session().expect("a session").id, session);
    assert!(client.exists("/mine").await.expect("an answer").is_some());
    // Every write made a version, and at most one of them was made twice.
    let stat = client.exists("/counter").await.expect("an answer").expect("the znode");
    assert!((101..=102).contains(&stat.version), "{}", stat.version);

    // The old leader comes back as a follower, and knows what it has missed.
    ensemble.run(leader);
    ensemble.serving(leader);
    assert_eq!(ensemble.mode(leader).as_deref(), Some("follower"));
    assert_eq!(get(&ensemble.client_of(leader).await, "/counter").await, "after");
    assert!(client.exists("/mine").await.expect("an answer").is_some());
    client.close().await.expect("the end");
    let other = ensemble.client().await;
    other.sync("/").await.expect("a sync");
    assert_eq!(other.exists("/mine").await, Ok(None));
}

#[tokio::test]
async fn without_a_quorum_nobody_is_served() {
    let mut ensemble = Ensemble::new(3, "");
    ensemble.run(2);
    let alone = ensemble
        .wait("an answer", || Some(ensemble.word(2, "stat")).filter(|answer| !answer.is_empty()));
    let not_serving = "This ZooKeeper instance is not currently serving requests\n";
    assert_eq!(alone, not_serving);
    for (word, answer) in [("mntr", not_serving), ("isro", "null"), ("ruok", "imok")] {
        assert_eq!(ensemble.word(2, word), answer);
    }
    let options = Options { connect_timeout: Duration::from_millis(300), ..Options::default() };
    let refused = Client::connect(&ensemble.address(2, 2181), options).await;
    assert!(matches!(refused, Err(ClientError::NotConnected)), "a session without a quorum");
    ensemble.run(3);
    create(&ensemble.client_of(2).await, "/a", CreateMode::Persistent).await;
    // A leader that is left alone stops to serve.
    let leader = ensemble.leader();
    ensemble.kill(5 - leader);
    ensemble.wait("the end of service", || ensemble.mode(leader).is_none().then_some(()));
}

#[tokio::test]
async fn all_servers_may_end_at_once() {
    let mut ensemble = Ensemble::start(3, "");
    let client = ensemble.client().await;
    create(&client, "/a", CreateMode::Persistent).await;
    create(&client, "/mine", CreateMode::Ephemeral).await;
    for round in 0..3 {
        let text = round.to_string();
        set(&client, "/a", &text).await;
        for id in 1..=3 {
            ensemble.kill(id);
        }
        for id in 1..=3 {
            ensemble.run(id);
        }
        let other = ensemble.client().await;
        assert_eq!(get(&other, "/a").await, text);
        assert!(other.exists("/mine").await.expect("an answer").is_some());
    }
}

#[tokio::test]
async fn a_server_that_has_lost_its_data_gets_them_from_the_leader() {
    let mut ensemble = Ensemble::start(3, "");
    let leader = ensemble.leader();
    let client = ensemble.client_of(leader).await;
    for number in 0..50 {
        create(&client, &format!("/n{number}"), CreateMode::Persistent).await;
    }
    // What a server ends with is stored with its tree, and not in its log any more.
    for id in 1..=3 {
        ensemble.signal(id, "TERM");
        assert_eq!(ensemble.ended(id), Some(0), "{}", ensemble.log(id));
    }
    let lost = leader % 3 + 1;
    let data = ensemble.directory(lost).join("data");
    for part in ["tree", "log"] {
        fs::remove_dir_all(data.join(part)).expect("its data");
    }
    for id in 1..=3 {
        ensemble.run(id);
    }
    let client = ensemble.client().await;
    set(&client, "/n0", "later").await;
    ensemble.serving(lost);
    let other = ensemble.client_of(lost).await;
    assert_eq!(get(&other, "/n0").await, "later");
    assert_eq!(other.children("/").await.expect("names").len(), 51);
    assert!(ensemble.log(lost).contains("received an image"), "{}", ensemble.log(lost));
    // It has stored them: they are still there after the next end.
    set(&client, "/n1", "even later").await;
    ensemble.kill(lost);
    ensemble.run(lost);
    ensemble.serving(lost);
    assert_eq!(get(&ensemble.client_of(lost).await, "/n1").await, "even later");
}

#[tokio::test]
async fn strangers_and_garbage_do_no_harm() {
    let mut ensemble = Ensemble::start(3, "");
    let leader = ensemble.leader();
    let client = ensemble.client().await;
    create(&client, "/a", CreateMode::Persistent).await;
    let mut silent = Vec::new();
    for id in 1..=3 {
        for port in [QUORUM_PORT, ELECTION_PORT] {
            let connect = || TcpStream::connect(ensemble.address(id, port)).expect("a connection");
            silent.extend((0..20).map(|_| connect()));
            for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 64], &[0x7f; 4096]] {
                let mut socket = connect();
                socket.write_all(garbage).expect("sent");
                assert!(is_closed(socket), "{id}:{port}: {garbage:?}");
            }
            // Half a packet, and half a first message.
            let mut socket = connect();
            socket.write_all(&[0, 0, 0, 11, 0, 0]).expect("sent");
            silent.push(socket);
        }
    }
    // An epoch that nobody is in, from a server that is none.
    let mut liar = TcpStream::connect(ensemble.address(leader, QUORUM_PORT)).expect("connected");
    let claim: Vec<u8> = [
        &11_i32.to_be_bytes()[..],
        &(9_i64 << 32).to_be_bytes(),
        &20_i32.to_be_bytes(),
        &77_i64.to_be_bytes(),
        &0x10000_i32.to_be_bytes(),
        &0_i64.to_be_bytes(),
        &(-1_i32).to_be_bytes(),
    ]
    .concat();
    liar.write_all(&claim).expect("sent");
    for number in 0..20 {
        set(&client, "/a", &number.to_string()).await;
    }
    assert_eq!(ensemble.leader(), leader);
    // Elections go on among them, too.
    ensemble.kill(leader);
    set(&client, "/a", "after").await;
    assert_eq!(get(&client, "/a").await, "after");
    ensemble.assert_alive();
    drop(silent);
}

#[test]
fn a_configuration_that_contradicts_itself_is_refused() {
    let table = [
        ("server.4=h:2888:2888", "zoo.cfg:8: server.4 = \"h:2888:2888\": must have two different"),
        ("sslQuorum=true", "sslQuorum asks for TLS"),
        ("initLimit=0", "initLimit = \"0\": "),
    ];
    for (line, expected) in table {
        let mut ensemble = Ensemble::new(3, line);
        ensemble.run(1);
        assert_eq!(ensemble.ended(1), Some(2), "{line}: {}", ensemble.log(1));
        ensemble.wait(line, || ensemble.log(1).contains(expected).then_some(()));
    }
}

#[test]
fn the_data_of_another_server_are_refused() {
    let mut ensemble = Ensemble::start(3, "");
    ensemble.leader();
    ensemble.serving(1);
    ensemble.kill(1);
    fs::write(ensemble.directory(1).join("data/myid"), "2\n").expect("myid");
    ensemble.run(1);
    assert_eq!(ensemble.ended(1), Some(3));
    let expected = "holds the data of server 1, and this is server 2";
    ensemble.wait("the reason", || ensemble.log(1).contains(expected).then_some(()));
}

#[test]
fn a_port_that_is_taken_is_named() {
    let mut ensemble = Ensemble::new(3, "electionPortBindRetry=1");
    let taken = ensemble.address(1, ELECTION_PORT);
    let listener = std::net::TcpListener::bind(&taken).expect("the port");
    ensemble.run(1);
    // As ZooKeeper, if the port is that of elections.
    assert_eq!(ensemble.ended(1), Some(14));
    let expected = format!("cannot listen for elections on {taken}");
    ensemble.wait("the reason", || ensemble.log(1).contains(&expected).then_some(()));
    drop(listener);
}

#[tokio::test]
async fn a_leader_need_not_serve() {
    let ensemble = Ensemble::start(3, "leaderServes=no");
    let client = ensemble.client().await;
    create(&client, "/a", CreateMode::Persistent).await;
    let serving: Vec<usize> = (1..=3)
        .filter(|id| {
            let answer = ensemble.word(*id, "srvr");
            answer.contains("Mode: follower")
        })
        .collect();
    assert!(serving.len() <= 2, "{serving:?}");
    assert!((1..=3).all(|id| ensemble.mode(id).as_deref() != Some("leader")));
}
