//! Sessions: opening, going on, being taken over, expiring and closing.

use super::*;

fn refusal() -> [Seen; 2] {
    [Seen::Welcome(SessionId(0), 0, vec![0; 16]), Seen::Closed(CloseReason::SessionGone)]
}

#[expect(clippy::unnecessary_wraps, reason = "an owner as the table knows it")]
fn local(conn: ConnId) -> Option<Owner> {
    Some(Owner::Local(conn))
}

#[test]
fn a_session_is_open_once_the_log_has_it() {
    let mut bench = Bench::new();
    bench.connect(A, fresh());
    assert_eq!((bench.log.len(), bench.seen(A)), (1, vec![]));
    // Nothing is asked before the answer; whoever does is not heard.
    bench.exists(A, 1, "/", false);
    assert_eq!(bench.seen(A), []);
    bench.sync();
    let Seen::Welcome(session, TIMEOUT_MS, _) = bench.seen(A).remove(0) else { panic!() };
    assert_eq!(session.0 >> 56, 1);
    assert_eq!(bench.replica.session_of(A), Some(session));
    assert_eq!(bench.replica.sessions().get(session).and_then(|known| known.owner), local(A));
    assert_eq!(bench.replica.take_session_changes(), [(session, Some(TIMEOUT_MS))]);
    assert_eq!(bench.last_zxid(), 1);
}

#[test]
fn sessions_have_ids_of_their_own_while_none_is_decided() {
    let mut bench = Bench::new();
    bench.connect(A, fresh());
    bench.connect(B, fresh());
    bench.sync();
    let (a, b) = (bench.replica.session_of(A), bench.replica.session_of(B));
    assert!(a.is_some() && b.is_some() && a != b);
}

#[test]
fn an_id_that_is_in_use_is_not_given_again() {
    let mut bench = Bench::new();
    let first = bench.open(A);
    // The clock was set back before the restart.
    let taken = vec![(first, TIMEOUT_MS), (SessionId(first.0 + 1), TIMEOUT_MS)];
    let mut bench = Bench::with(Tree::new(TREE), taken);
    assert_eq!(bench.open(A), SessionId(first.0 + 2));
}

#[test]
fn the_read_only_flag_is_answered_in_kind() {
    for (asked, answered) in [(None, None), (Some(false), Some(false)), (Some(true), Some(false))] {
        let mut bench = Bench::new();
        let handshakes = [
            Handshake { read_only: asked, ..fresh() },
            Handshake { read_only: asked, ..again(SessionId(4711)) },
        ];
        for (conn, handshake) in [A, B].into_iter().zip(handshakes) {
            let mut effects = Vec::new();
            let connect = Input::Connect(conn, handshake, nobody());
            bench.replica.handle(&bench.tree, &mut bench.watches, connect, bench.now, &mut effects);
            bench.replica.handle(
                &bench.tree,
                &mut bench.watches,
                Input::Quorum(zab::Input::Persisted(Zxid(1))),
                bench.now,
                &mut effects,
            );
            bench.replica.apply(&mut bench.tree, &mut bench.watches, bench.now, &mut effects);
            let frame = effects.iter().find_map(|effect| match effect {
                Effect::Established { frame, .. } | Effect::Notify(_, frame) => Some(frame.clone()),
                _ => None,
            });
            let welcome = Welcome::from_bytes(frame.expect("an answer").slice(4..));
            assert_eq!(welcome.map(|welcome| welcome.read_only), Ok(answered));
        }
    }
}

#[test]
fn a_client_from_the_future_is_sent_away_without_a_word() {
    let mut bench = Bench::new();
    let session = bench.open(A);
    let ahead = Handshake { last_zxid_seen: Zxid(2), ..again(session) };
    bench.connect(B, ahead);
    assert_eq!(bench.seen(B), [Seen::Closed(CloseReason::ZxidAhead)]);
    // The session is not touched by that, nor its connection.
    assert_eq!(bench.seen(A), []);
    let level = Handshake { last_zxid_seen: Zxid(1), ..again(session) };
    bench.connect(C, level);
    assert!(matches!(bench.seen(C)[..], [Seen::Welcome(..)]));
}

#[test]
fn a_session_goes_on_with_another_connection() {
    let mut bench = Bench::new();
    let session = bench.open(A);
    bench.create(A, 1, "/e", 1);
    bench.sync();
    bench.seen(A);
    bench.input(Input::Closed(A));
    bench.connect(B, Handshake { timeout_ms: 9000, ..again(session) });
    let welcome = Seen::Welcome(session, 9000, password(session).to_vec());
    assert_eq!(bench.seen(B), [welcome]);
    assert!(bench.log.len() == 2, "going on is no transaction");
    bench.get_data(B, 1, "/e", false);
    assert_eq!(bench.outcomes(B), [(1, 0)]);
    // What all servers know is still the timeout that the session was opened with.
    let known = bench.replica.sessions().get(session).copied();
    assert_eq!(known.map(|known| (known.timeout_ms, known.owner)), Some((TIMEOUT_MS, local(B))));
}

#[test]
fn a_wrong_password_or_an_unknown_session_is_refused() {
    let mut bench = Bench::new();
    let session = bench.open(A);
    bench.connect(B, Handshake { password: Bytes::from_static(&[1; 16]), ..again(session) });
    assert_eq!(bench.seen(B), refusal());
    // The live connection goes all the same.
    assert_eq!(bench.seen(A), [Seen::Closed(CloseReason::SessionTakenOver)]);
    bench.connect(C, again(SessionId(4711)));
    assert_eq!(bench.seen(C), refusal());
    for conn in [A, B, C] {
        bench.input(Input::Closed(conn));
        assert_eq!(bench.replica.session_of(conn), None);
    }
    // The session itself lives.
    bench.connect(ConnId(9), again(session));
    assert!(matches!(bench.seen(ConnId(9))[..], [Seen::Welcome(..)]));
}

#[test]
fn a_connection_whose_session_was_taken_over_is_heard_no_more() {
    let mut bench = Bench::new();
    let session = bench.open(A);
    bench.create(A, 1, "/a", 0);
    bench.exists(A, 2, "/a", true);
    bench.connect(B, again(session));
    bench.create(A, 3, "/b", 0);
    bench.exists(A, 4, "/", false);
    bench.sync();
    assert_eq!(bench.seen(A), [Seen::Closed(CloseReason::SessionTakenOver)]);
    // What was on its way is done; what came later is not.
    assert!(bench.tree.node("/a").is_some() && bench.tree.node("/b").is_none());
    bench.input(Input::Closed(A));
    // The late farewell of the old connection leaves the new one alone.
    assert_eq!(bench.replica.sessions().get(session).and_then(|known| known.owner), local(B));
    assert_eq!(bench.watches.total(), 0);
    bench.seen(B);
    bench.exists(B, 1, "/a", false);
    assert_eq!(bench.outcomes(B), [(1, 0)]);
}

#[test]
fn a_connection_that_left_before_its_session_began_leaves_a_session_to_expire() {
    let mut bench = Bench::new();
    bench.connect(A, fresh());
    bench.input(Input::Closed(A));
    bench.sync();
    assert_eq!((bench.seen(A), bench.replica.sessions().len()), (vec![], 1));
    bench.pass(8000);
    bench.input(Input::Tick);
    bench.sync();
    assert!(bench.replica.sessions().is_empty());
}

#[test]
fn a_closed_connection_drops_its_watches_and_leaves_the_session() {
    let mut bench = Bench::new();
    let session = bench.open(A);
    bench.exists(A, 1, "/a", true);
    bench.create(A, 2, "/e", 1);
    bench.input(Input::Closed(A));
    assert_eq!(bench.watches.total(), 0);
    assert_eq!(bench.outcomes(A), [(1, ErrorCode::NoNode.number())]);
    bench.sync();
    assert_eq!(bench.seen(A), []);
    assert!(bench.tree.node("/e").is_some(), "the write was on its way");
    assert_eq!(bench.replica.sessions().get(session).and_then(|known| known.owner), local(A));
}

#[test]
fn a_silent_session_expires_with_its_ephemerals() {
    let mut bench = Bench::new();
    let session = bench.open(A);
    bench.open(B);
    bench.create(A, 1, "/e", 1);
    bench.exists(B, 1, "/e", false);
    bench.sync();
    bench.exists(B, 2, "/e", true);
    bench.seen(A);
    bench.seen(B);
    bench.pass(5000);
    bench.input(Input::Touched(vec![(bench.replica.session_of(B).expect("open"), 10_000)]));
    bench.pass(1499);
    bench.input(Input::Tick);
    assert!(bench.unsynced.is_empty(), "it is not yet time");
    bench.pass(1);
    assert!(bench.replica.next_tick() <= bench.now.mono);
    bench.input(Input::Tick);
    bench.input(Input::Tick);
    assert_eq!(bench.unsynced.len(), 1, "a session expires once");
    // From the moment at which it expires its requests are not heard.
    bench.exists(A, 2, "/e", false);
    bench.create(A, 3, "/f", 1);
    bench.sync();
    assert_eq!(bench.seen(A), [Seen::Closed(CloseReason::SessionExpired)]);
    let deleted = Seen::Event(EventType::Deleted, "/e".to_owned(), bench.last_zxid());
    assert_eq!(bench.seen(B), [deleted]);
    assert_eq!(bench.tree.ephemeral_count(), 0);
    assert!(bench.replica.take_session_changes().contains(&(session, None)));
    bench.connect(C, again(session));
    assert_eq!(bench.seen(C), refusal());
}

#[test]
fn requests_and_news_of_a_session_keep_it_alive_for_what_its_connection_was_granted() {
    let mut bench = Bench::new();
    let session = bench.open(A);
    bench.input(Input::Closed(A));
    bench.connect(B, Handshake { timeout_ms: 20_000, ..again(session) });
    bench.seen(B);
    for _ in 0..2 {
        bench.pass(19_000);
        bench.input(Input::Tick);
        bench.ask(B, -2, OpCode::Ping, Request::Ping);
        assert_eq!(bench.outcomes(B), [(-2, 0)]);
    }
    bench.pass(19_000);
    // What an older connection was granted does not count any more.
    bench.input(Input::Touched(vec![(session, 6000), (SessionId(4711), 6000)]));
    bench.pass(19_000);
    bench.input(Input::Tick);
    bench.sync();
    assert_eq!(bench.seen(B), []);
    // Without a connection it has what the last one was granted.
    bench.input(Input::Closed(B));
    bench.input(Input::Touched(vec![(session, 20_000)]));
    bench.pass(19_000);
    bench.input(Input::Tick);
    bench.sync();
    assert_eq!(bench.replica.sessions().len(), 1);
    bench.pass(4000);
    bench.input(Input::Tick);
    bench.sync();
    assert!(bench.replica.sessions().is_empty());
}

#[test]
fn closing_takes_the_ephemerals_and_then_the_connection() {
    let mut bench = Bench::new();
    let session = bench.open(A);
    bench.open(B);
    bench.create(A, 1, "/e", 1);
    bench.create(A, 2, "/e2", 1);
    bench.sync();
    bench.get_children(B, 1, "/", true);
    bench.exists(A, 3, "/e", true);
    bench.seen(A);
    bench.seen(B);
    // The last ephemeral is not applied yet when the session closes.
    bench.create(A, 4, "/e3", 1);
    bench.close(A, 5);
    bench.create(A, 6, "/late", 0);
    bench.exists(A, 7, "/", false);
    bench.close(A, 8);
    bench.sync();
    let zxid = bench.last_zxid();
    let seen = bench.seen(A);
    assert_eq!(seen[0].outcome(), (4, 0));
    assert_eq!(seen[1], Seen::Event(EventType::Deleted, "/e".to_owned(), zxid));
    assert_eq!(seen[2], Seen::Reply { xid: 5, zxid, err: 0, body: Bytes::new() });
    assert_eq!(seen[3..], [Seen::Closed(CloseReason::ClientRequest)]);
    let children = Seen::Event(EventType::ChildrenChanged, "/".to_owned(), zxid - 1);
    assert_eq!(bench.seen(B), [children], "a one-shot watch fires once");
    assert_eq!(bench.tree.ephemeral_count(), 0);
    assert!(bench.tree.node("/late").is_none() && bench.tree.node("/e3").is_none());
    assert!(bench.replica.sessions().get(session).is_none());
    assert_eq!(bench.replica.session_of(A), None);
}

#[test]
fn a_closing_session_cannot_be_taken_over() {
    let mut bench = Bench::new();
    let session = bench.open(A);
    bench.close(A, 1);
    bench.connect(B, again(session));
    assert_eq!(bench.seen(B), refusal());
    bench.sync();
    assert_eq!(bench.seen(A), [Seen::Closed(CloseReason::SessionTakenOver)]);
    assert!(bench.replica.sessions().is_empty());
}
