//! Histories that must be accepted, and histories that must not.

use super::history::{Call, Operation, Outcome, Through, Time};
use super::random::Random;
use super::{linear, order};
use zabra::types::ErrorCode;

const READ: Call = Call::Read(Through::Write);

fn operation(start: Time, end: Time, call: Call, outcome: Option<Outcome>) -> Operation {
    let path = "/r".into();
    Operation { session: 1, path, call, start, end, outcome, zxid: None, seen: 0 }
}

fn created(start: Time, end: Time, value: u64) -> Operation {
    operation(start, end, Call::Create(value), Some(Outcome::Created))
}

fn set(start: Time, end: Time, value: u64, version: i32) -> Operation {
    operation(start, end, Call::Set(value, None), Some(Outcome::Written(version)))
}

fn swap(start: Time, end: Time, value: u64, expected: i32) -> Operation {
    let outcome = Some(Outcome::Written(expected + 1));
    operation(start, end, Call::Set(value, Some(expected)), outcome)
}

fn unknown(start: Time, end: Time, value: u64) -> Operation {
    operation(start, end, Call::Set(value, None), None)
}

fn read(start: Time, end: Time, value: u64, version: i32) -> Operation {
    operation(start, end, READ, Some(Outcome::Found { version, value }))
}

fn refused(start: Time, end: Time, call: Call, code: ErrorCode) -> Operation {
    operation(start, end, call, Some(Outcome::Refused(code)))
}

fn judge(history: &[Operation]) -> Result<(), String> {
    linear::check(&history.iter().collect::<Vec<_>>())
}

#[track_caller]
fn accepted(history: &[Operation]) {
    let verdict = judge(history);
    assert!(verdict.is_ok(), "{verdict:?}");
}

#[track_caller]
fn rejected(history: &[Operation]) {
    let verdict = judge(history);
    assert!(verdict.as_ref().is_err_and(|why| why.starts_with("not linearizable")), "{verdict:?}");
}

#[test]
fn what_is_in_order_is_accepted() {
    accepted(&[]);
    accepted(&[created(0, 1, 1), set(2, 3, 2, 1), read(4, 5, 2, 1)]);
    // At the same time, either may be first.
    accepted(&[created(0, 1, 1), set(2, 9, 2, 1), read(3, 4, 1, 0), read(5, 6, 2, 1)]);
    accepted(&[created(0, 1, 1), set(2, 9, 2, 2), set(2, 9, 3, 1), read(10, 11, 2, 2)]);
    let delete = operation(2, 3, Call::Delete(None), Some(Outcome::Deleted));
    accepted(&[
        created(0, 1, 1),
        delete,
        refused(4, 5, READ, ErrorCode::NoNode),
        created(6, 7, 2),
        refused(8, 9, Call::Create(3), ErrorCode::NodeExists),
        refused(8, 9, Call::Set(4, Some(1)), ErrorCode::BadVersion),
        swap(10, 11, 5, 0),
    ]);
}

#[test]
fn a_stale_read_is_rejected() {
    rejected(&[created(0, 1, 1), set(2, 3, 2, 1), read(4, 5, 1, 0)]);
    // Two reads one after the other, of a write that has not been answered yet.
    rejected(&[created(0, 1, 1), set(2, 9, 2, 1), read(3, 4, 2, 1), read(5, 6, 1, 0)]);
}

#[test]
fn a_lost_write_is_rejected() {
    rejected(&[created(0, 1, 1), set(2, 3, 2, 1), set(4, 5, 3, 1), read(6, 7, 3, 1)]);
    rejected(&[created(0, 1, 1), set(2, 3, 2, 1), refused(4, 5, READ, ErrorCode::NoNode)]);
    rejected(&[created(0, 1, 1), created(2, 3, 2)]);
}

#[test]
fn two_values_of_one_version_are_rejected() {
    rejected(&[created(0, 1, 1), unknown(2, 3, 2), unknown(2, 3, 3), read(4, 5, 2, 1), {
        read(4, 5, 3, 1)
    }]);
    rejected(&[created(0, 1, 1), swap(2, 9, 2, 0), swap(2, 9, 3, 0)]);
}

#[test]
fn a_value_from_nowhere_is_rejected() {
    rejected(&[created(0, 1, 1), read(2, 3, 7, 0)]);
    rejected(&[created(0, 1, 1), read(2, 3, 1, 1)]);
    // Read before it was written.
    rejected(&[created(0, 1, 1), read(2, 3, 2, 1), set(4, 5, 2, 1)]);
}

#[test]
fn a_refusal_without_reason_is_rejected() {
    rejected(&[created(0, 1, 1), refused(2, 3, Call::Set(2, Some(0)), ErrorCode::BadVersion)]);
    rejected(&[created(0, 1, 1), refused(2, 3, Call::Set(2, None), ErrorCode::NoNode)]);
    rejected(&[refused(0, 1, Call::Create(1), ErrorCode::NodeExists)]);
}

#[test]
fn what_had_no_answer_may_have_taken_place_or_not() {
    let late = |outcome| [created(0, 1, 1), unknown(2, 3, 2), outcome];
    accepted(&late(read(4, 5, 2, 1)));
    accepted(&late(read(4, 5, 1, 0)));
    // Also long after its client gave up.
    accepted(&[created(0, 1, 1), unknown(2, 3, 2), read(4, 5, 1, 0), read(6, 7, 2, 1)]);
    // But once only, not before it began, and it cannot be undone.
    rejected(&late(read(4, 5, 2, 2)));
    rejected(&[created(0, 1, 1), read(2, 3, 2, 1), unknown(4, 5, 2)]);
    rejected(&[created(0, 1, 1), unknown(2, 3, 2), read(4, 5, 2, 1), read(6, 7, 1, 0)]);
    // Nobody saw its value, only that there was one more version.
    accepted(&late(set(4, 5, 3, 2)));
    accepted(&late(set(4, 5, 3, 1)));
    rejected(&late(set(4, 5, 3, 3)));
    let removed = operation(2, 3, Call::Delete(None), None);
    accepted(&[created(0, 1, 1), removed.clone(), refused(4, 5, READ, ErrorCode::NoNode)]);
    rejected(&[created(0, 1, 1), refused(2, 3, READ, ErrorCode::NoNode), {
        operation(4, 5, Call::Delete(None), None)
    }]);
    let again = operation(2, 3, Call::Create(4), None);
    accepted(&[created(0, 1, 1), removed, again, set(4, 5, 3, 1), read(6, 7, 3, 1)]);
}

/// A register that works, used by many clients at once, of which some are never answered.
fn working_register(random: &mut Random, operations: u64, deletes: bool) -> Vec<Operation> {
    let mut history = vec![created(0, 1, 0)];
    let (mut version, mut value, mut now) = (0, 0, 10);
    for number in 1..=operations {
        now += random.between(1, 10);
        let (start, end) = (now - random.between(0, 9), now + random.between(0, 30));
        let next = if random.one_in(3) {
            read(start, end, value, version)
        } else if random.one_in(12) {
            // Does not take place.
            unknown(start, end, number)
        } else if deletes && random.one_in(8) {
            (version, value) = (0, number);
            let outcome = (!random.one_in(12)).then_some(Outcome::Deleted);
            history.push(operation(start, end, Call::Delete(None), outcome));
            now += 30;
            created(end, now, value)
        } else {
            version += 1;
            value = number;
            let answered = set(start, end, value, version);
            if random.one_in(12) { unknown(start, end, value) } else { answered }
        };
        history.push(next);
    }
    history
}

#[test]
fn long_histories_are_judged_in_time() {
    let mut random = Random::new(7);
    for (operations, deletes) in [(2000, false), (300, true)].repeat(10) {
        let mut history = working_register(&mut random, operations, deletes);
        accepted(&history);
        // It has been there for long.
        let last = history.last().expect("an operation").end;
        history.push(created(last + 1, last + 2, u64::from(u32::MAX)));
        rejected(&history);
    }
}

#[test]
fn a_session_may_read_what_is_old_but_never_goes_back() {
    let at = |zxid, session, operation| Operation { zxid: Some(zxid), session, ..operation };
    let first = || at(1, 1, created(0, 1, 1));
    let second = || at(2, 1, set(2, 3, 2, 1));
    let other = |operation| Operation { path: "/other".into(), ..operation };
    let old = || at(1, 2, read(10, 11, 1, 0));
    let new = || at(2, 2, read(12, 13, 2, 1));
    let check = |history: &[Operation]| order::check(history);
    assert_eq!(check(&[first(), second(), old(), new()]), Ok(()));
    let back = check(&[first(), second(), new(), at(1, 2, read(14, 15, 1, 0))]);
    assert!(back.as_ref().is_err_and(|why| why.contains("went back")), "{back:?}");
    // Its own write is the last thing it has seen, and so is what it read elsewhere.
    let own = check(&[first(), second(), at(1, 1, read(14, 15, 1, 0))]);
    assert!(own.as_ref().is_err_and(|why| why.contains("went back")), "{own:?}");
    let elsewhere = [
        first(),
        second(),
        at(3, 1, other(created(4, 5, 3))),
        at(3, 2, other(read(6, 7, 3, 0))),
        old(),
    ];
    let elsewhere = check(&elsewhere);
    assert!(elsewhere.as_ref().is_err_and(|why| why.contains("went back")), "{elsewhere:?}");
}

#[test]
fn the_order_of_writes_is_the_one_that_clients_saw() {
    let at = |zxid, operation| Operation { zxid: Some(zxid), ..operation };
    let swapped = order::check(&[at(2, created(0, 1, 1)), at(1, set(2, 3, 2, 1))]);
    assert!(swapped.as_ref().is_err_and(|why| why.contains("went before")), "{swapped:?}");
    let at_once = [at(2, created(0, 9, 1)), Operation { session: 2, ..at(1, set(2, 3, 2, 1)) }];
    assert_eq!(order::check(&at_once), Ok(()));
    let two = order::check(&[
        at(1, created(0, 1, 1)),
        at(1, Operation { session: 2, ..read(2, 3, 1, 4) }),
    ]);
    assert!(two.as_ref().is_err_and(|why| why.contains("two contents")), "{two:?}");
    let early = order::check(&[at(1, read(0, 1, 1, 0)), at(1, created(2, 3, 1))]);
    assert!(early.as_ref().is_err_and(|why| why.contains("nobody had written")), "{early:?}");
}
