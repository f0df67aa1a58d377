//! Containers and TTL znodes that are due are removed.

use super::*;

fn container(path: &str) -> Request {
    Request::Create(CreateOp { op: OpCode::CreateContainer, ..create_op(path, 4) })
}

impl Bench {
    /// Goes on to the next search, which may begin `due` changes.
    fn search(&mut self, due: usize) {
        let wait = self.replica.next_tick().since(self.now.mono);
        self.pass(wait);
        // Whoever is asked this often does not expire.
        let session = self.replica.session_of(A).expect("open");
        self.input(Input::Touched(vec![(session, 10_000)]));
        self.input(Input::Tick);
        assert_eq!(self.unsynced.len(), due);
        self.sync();
    }
}

#[test]
fn used_containers_and_outlived_znodes_go() {
    let mut bench = Bench::new();
    bench.connect(A, Handshake { timeout_ms: 60_000, ..fresh() });
    bench.sync();
    bench.ask(A, 1, OpCode::CreateContainer, container("/used"));
    bench.create(A, 2, "/used/child", 0);
    bench.ask(A, 3, OpCode::CreateContainer, container("/unused"));
    let ttl = CreateOp { op: OpCode::CreateTtl, ttl: 15_000, ..create_op("/ttl", 5) };
    bench.ask(A, 4, OpCode::CreateTtl, Request::Create(ttl));
    bench.sync();
    bench.search(0);
    bench.delete(A, 5, "/used/child");
    bench.exists(A, 6, "/used", true);
    bench.sync();
    bench.seen(A);
    bench.search(2);
    assert!(bench.tree.node("/used").is_none() && bench.tree.node("/ttl").is_none());
    let zxid = bench.last_zxid();
    assert!(matches!(&bench.seen(A)[..], [Seen::Event(EventType::Deleted, path, at)]
        if path == "/used" && *at >= zxid - 1));
    bench.search(0);
    bench.search(1);
    assert!(bench.tree.node("/unused").is_none());
}

#[test]
fn only_so_many_go_at_a_time() {
    let mut bench = Bench::new();
    bench.connect(A, Handshake { timeout_ms: 60_000, ..fresh() });
    bench.sync();
    for number in 0..3 {
        let path = format!("/c{number}");
        bench.ask(A, 1, OpCode::CreateContainer, container(&path));
        bench.create(A, 2, &format!("{path}/child"), 0);
        bench.delete(A, 3, &format!("{path}/child"));
    }
    bench.sync();
    // Twelve a minute are two in ten seconds.
    bench.search(2);
    bench.search(1);
    bench.search(0);
}

#[test]
fn one_that_has_been_used_again_stays() {
    let mut bench = Bench::new();
    bench.connect(A, Handshake { timeout_ms: 60_000, ..fresh() });
    bench.sync();
    bench.ask(A, 1, OpCode::CreateContainer, container("/c"));
    bench.create(A, 2, "/c/x", 0);
    bench.delete(A, 3, "/c/x");
    bench.sync();
    bench.create(A, 4, "/c/y", 0);
    bench.pass(CHECK_MS);
    bench.input(Input::Tick);
    bench.sync();
    assert!(bench.tree.node("/c/y").is_some());
}

#[test]
fn there_is_always_a_next_tick() {
    let mut bench = Bench::new();
    let start = bench.now.mono;
    assert_eq!(bench.replica.next_tick(), start.plus(CHECK_MS));
    bench.open(A);
    assert_eq!(bench.replica.next_tick(), Moment(7000));
}
