//! The load generator against its own stub, and against a real server where one is named by
//! `ZABRA_TEST_SERVER` as `host:port`.

use super::*;
use crate::client::Options;
use clap::Parser;
use tokio::net::TcpListener;

#[derive(Parser)]
struct CommandLine {
    #[command(flatten)]
    args: BenchArgs,
}

fn parse(line: &str) -> BenchCommand {
    let words = std::iter::once("bench").chain(line.split_ascii_whitespace());
    CommandLine::try_parse_from(words).expect("a command line").args.command
}

async fn stub(children: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    tokio::spawn(stub::serve(listener, 10, children));
    address
}

async fn report(line: &str, server: &str) -> Report {
    let command = parse(&format!("{line} --server {server}"));
    let mut reports = reports(&command).await.expect("a report");
    assert_eq!(reports.len(), 1);
    reports.remove(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_request_of_a_limited_run_is_counted() {
    let server = stub(0).await;
    for (line, operations) in [
        ("get -r 500 -n 3 -p 4 --threads 2 --warmup 0", 500),
        ("set -r 500 -n 3 -p 4 --warmup 0.01", 500),
        ("mixed -r 500 --reads 50", 500),
        ("create -r 500 --warmup 0", 500),
        ("create -r 500 --warmup 0 --ephemeral --sequential", 500),
        ("multi -r 50 --ops 7 --warmup 0", 350),
        ("list -r 50 --nodes 10 --warmup 0", 50),
        ("connect -r 20 --warmup 0", 20),
        ("load --nodes 990 --batch 100", 1000),
    ] {
        let report = report(line, &server).await;
        assert!(report.errors.is_empty(), "{line}: {:?}", report.errors);
        assert_eq!(report.operations, operations, "{line}");
        assert!(report.throughput > 0.0 && report.latency.p50 > 0.0, "{line}");
        assert!(report.latency.max >= report.latency.p99, "{line}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_timed_run_ends_and_processes_are_looked_at() {
    let server = stub(0).await;
    let line = format!("get -d 0.1 --warmup 0.01 --pid {}", std::process::id());
    let report = report(&line, &server).await;
    assert!(report.operations > 0);
    assert!(report.seconds >= 0.1);
    assert!(report.processes[0].rss_after > 0);
    let text = report.to_string();
    assert!(text.contains("throughput") && text.contains("p99.9"), "{text}");
    let json = serde_json::to_value(&report).expect("JSON");
    assert_eq!(json["workload"], "get");
    assert_eq!(json["latency"]["count"], report.operations);
}

#[tokio::test]
async fn a_server_that_lists_names_for_ever_does_not_keep_the_run() {
    let server = stub(3).await;
    let command = parse(&format!("get -r 5 --warmup 0 --server {server}"));
    assert!(reports(&command).await.is_err());
    let command = parse(&format!("get -r 5 --warmup 0 --keep --server {server}"));
    assert!(reports(&command).await.is_ok());
}

#[test]
fn processes_go_with_servers() {
    let pids = |line| {
        let command = parse(line);
        let common = common_of(&command).expect("arguments");
        pids_of(common, 0).ok()
    };
    assert_eq!(pids("get"), Some(Vec::new()));
    assert_eq!(pids("get --pid 1,2"), Some(vec!["1".to_owned(), "2".to_owned()]));
    assert_eq!(pids("get --server a --server b --pid 1"), None);
    assert_eq!(pids("get --pid x"), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_server_is_measured_and_left_clean() {
    let Ok(server) = std::env::var("ZABRA_TEST_SERVER") else { return };
    let root = "--root /bench-test";
    for line in [
        "get -r 500 --nodes 2500",
        "create -r 2500 -n 1",
        "list -r 20 --nodes 50",
        "multi -r 20",
        "connect -r 10",
        "watch -r 10 -n 5",
        "lock -r 20 -n 5",
    ] {
        let report = report(&format!("{line} --warmup 0.1 {root}"), &server).await;
        assert!(report.errors.is_empty(), "{line}: {:?}", report.errors);
    }
    let client = Client::connect(&server, Options::default()).await.expect("a client");
    assert_eq!(client.children("/bench-test").await, Ok(Vec::new()));
    report(&format!("load --nodes 2500 {root}"), &server).await;
    assert_eq!(client.all_children_number("/bench-test").await, Ok(2500 + 3 + 1));
    run(BenchArgs { command: parse(&format!("cleanup --server {server} {root}")) })
        .await
        .expect("a clean server");
    assert_eq!(client.exists("/bench-test").await, Ok(None));
    client.close().await.expect("an end");
}
