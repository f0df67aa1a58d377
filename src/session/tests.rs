//! The table against hand-made stories, and against a model that looks at every session each time.

use super::{Owner, Session, Sessions};
use crate::types::{ConnId, LinkId, Moment, SessionId};
use proptest::prelude::*;
use std::collections::BTreeMap;

const TICK: u64 = 2000;
const ALICE: SessionId = SessionId(1);
const BOB: SessionId = SessionId(2);

#[test]
fn a_session_expires_at_the_tick_behind_its_timeout() {
    let mut sessions = Sessions::new(TICK);
    sessions.insert(ALICE, 4000, Moment(500));
    assert_eq!(sessions.next_expiry(), Some(Moment(6000)));
    assert!(sessions.expired(Moment(5999)).is_empty());
    assert_eq!(sessions.expired(Moment(6000)), [ALICE]);
}

#[test]
fn a_timeout_that_ends_on_a_tick_lasts_to_the_next() {
    let mut sessions = Sessions::new(TICK);
    sessions.insert(ALICE, 4000, Moment(2000));
    assert_eq!(sessions.next_expiry(), Some(Moment(8000)));
}

#[test]
fn whoever_is_touched_lives_on() {
    let mut sessions = Sessions::new(TICK);
    sessions.insert(ALICE, 4000, Moment(0));
    sessions.insert(BOB, 4000, Moment(0));
    assert!(sessions.touch(ALICE, 4000, Moment(3000)));
    assert_eq!(sessions.expired(Moment(6000)), [BOB]);
    assert_eq!(sessions.expired(Moment(8000)), [ALICE]);
}

#[test]
fn a_touch_may_bring_another_timeout_but_the_first_one_stays_on_record() {
    let mut sessions = Sessions::new(TICK);
    sessions.insert(ALICE, 40_000, Moment(0));
    assert!(sessions.touch(ALICE, 4000, Moment(0)));
    assert_eq!(sessions.next_expiry(), Some(Moment(6000)));
    assert_eq!(sessions.get(ALICE).map(|session| session.timeout_ms), Some(40_000));
}

#[test]
fn an_expired_session_is_closing_and_named_once() {
    let mut sessions = Sessions::new(TICK);
    sessions.insert(ALICE, 4000, Moment(0));
    assert_eq!(sessions.expired(Moment(100_000)), [ALICE]);
    assert!(sessions.expired(Moment(200_000)).is_empty());
    assert!(sessions.get(ALICE).is_some_and(|session| session.closing));
    assert!(!sessions.touch(ALICE, 4000, Moment(200_000)));
    assert_eq!(sessions.len(), 1);
    sessions.remove(ALICE);
    assert!(sessions.is_empty());
}

#[test]
fn a_closing_session_is_neither_touched_nor_expired() {
    let mut sessions = Sessions::new(TICK);
    sessions.insert(ALICE, 4000, Moment(0));
    sessions.set_closing(ALICE);
    assert!(!sessions.touch(ALICE, 4000, Moment(0)));
    assert_eq!(sessions.next_expiry(), None);
    assert!(sessions.expired(Moment(100_000)).is_empty());
}

#[test]
fn nobody_can_do_anything_with_an_unknown_session() {
    let mut sessions = Sessions::new(TICK);
    sessions.set_closing(ALICE);
    sessions.set_owner(ALICE, Some(Owner::Local(ConnId(1))));
    sessions.remove(ALICE);
    assert!(!sessions.touch(ALICE, 4000, Moment(0)));
    assert_eq!(sessions.get(ALICE), None);
}

#[test]
fn a_session_added_again_keeps_its_owner_and_stays_closing() {
    let mut sessions = Sessions::new(TICK);
    sessions.insert(ALICE, 4000, Moment(0));
    sessions.set_owner(ALICE, Some(Owner::Local(ConnId(9))));
    sessions.set_closing(ALICE);
    sessions.insert(ALICE, 6000, Moment(0));
    let expected =
        Session { timeout_ms: 6000, closing: true, owner: Some(Owner::Local(ConnId(9))) };
    assert_eq!(sessions.get(ALICE), Some(&expected));
    assert_eq!(sessions.next_expiry(), None);
}

#[test]
fn a_new_leader_gives_every_session_its_whole_timeout() {
    let mut sessions = Sessions::new(TICK);
    sessions.insert(ALICE, 4000, Moment(0));
    sessions.insert(BOB, 4000, Moment(0));
    sessions.set_owner(ALICE, Some(Owner::Local(ConnId(9))));
    assert_eq!(sessions.expired(Moment(50_000)), [ALICE, BOB]);
    sessions.restart(Moment(50_000));
    let expected = Session { timeout_ms: 4000, closing: false, owner: None };
    assert_eq!(sessions.get(ALICE), Some(&expected));
    assert_eq!(sessions.buckets(), [(Moment(56_000), vec![ALICE, BOB])]);
}

#[test]
fn absurd_timeouts_and_clocks_do_no_harm() {
    let mut sessions = Sessions::new(TICK);
    sessions.insert(SessionId(0), i32::MIN, Moment(0));
    sessions.insert(SessionId(i64::MIN), i32::MAX, Moment(u64::MAX));
    assert_eq!(sessions.expired(Moment(TICK)), [SessionId(0)]);
    assert_eq!(sessions.expired(Moment(u64::MAX)), [SessionId(i64::MIN)]);
}

/// What the table must do, without any thought of speed.
struct Model {
    sessions: BTreeMap<SessionId, (Session, Option<Moment>)>,
}

impl Model {
    fn due(timeout_ms: i32, now: Moment) -> Moment {
        let end = now.0 + u64::try_from(timeout_ms).expect("the tests use positive timeouts");
        Moment((end / TICK + 1) * TICK)
    }

    fn insert(&mut self, id: SessionId, timeout_ms: i32, now: Moment) {
        let fresh = (Session { timeout_ms, closing: false, owner: None }, None);
        let (session, due) = self.sessions.entry(id).or_insert(fresh);
        session.timeout_ms = timeout_ms;
        *due = (!session.closing).then(|| Self::due(timeout_ms, now));
    }

    fn touch(&mut self, id: SessionId, timeout_ms: i32, now: Moment) -> bool {
        let Some((session, due)) = self.sessions.get_mut(&id) else { return false };
        if !session.closing {
            *due = Some(Self::due(timeout_ms, now));
        }
        !session.closing
    }

    fn set_closing(&mut self, id: SessionId) {
        if let Some((session, due)) = self.sessions.get_mut(&id) {
            (session.closing, *due) = (true, None);
        }
    }

    fn set_owner(&mut self, id: SessionId, owner: Option<Owner>) {
        if let Some((session, _)) = self.sessions.get_mut(&id) {
            session.owner = owner;
        }
    }

    fn claim(&mut self, id: SessionId, owner: Owner) {
        if let Some((session, _)) = self.sessions.get_mut(&id)
            && session.owner.is_none()
        {
            session.owner = Some(owner);
        }
    }

    fn expired(&mut self, now: Moment) -> Vec<SessionId> {
        let is_due = |due: Option<Moment>| due.is_some_and(|due| due <= now);
        let entries = self.sessions.iter();
        let expired: Vec<_> =
            entries.filter(|(_, (_, due))| is_due(*due)).map(|(id, _)| *id).collect();
        for id in &expired {
            self.set_closing(*id);
        }
        expired
    }

    fn restart(&mut self, now: Moment) {
        for (session, due) in self.sessions.values_mut() {
            (session.closing, session.owner) = (false, None);
            *due = Some(Self::due(session.timeout_ms, now));
        }
    }

    fn buckets(&self) -> Vec<(Moment, Vec<SessionId>)> {
        let mut buckets: BTreeMap<Moment, Vec<SessionId>> = BTreeMap::new();
        for (id, (_, due)) in &self.sessions {
            if let Some(due) = due {
                buckets.entry(*due).or_default().push(*id);
            }
        }
        buckets.into_iter().collect()
    }
}

#[derive(Clone, Debug)]
enum Op {
    Insert(SessionId, i32),
    Remove(SessionId),
    SetClosing(SessionId),
    Touch(SessionId, i32),
    SetOwner(SessionId, Option<Owner>),
    Claim(SessionId, Owner),
    Expire,
    Restart,
    Wait(u64),
}

fn any_owner() -> impl Strategy<Value = Owner> {
    let (local, learner) = (0..3_u64, 0..3_u64);
    prop_oneof![
        local.prop_map(|conn| Owner::Local(ConnId(conn))),
        learner.prop_map(|link| Owner::Learner(LinkId(link))),
    ]
}

fn any_op() -> impl Strategy<Value = Op> {
    let id = || (0..12_i64).prop_map(SessionId);
    prop_oneof![
        4 => (id(), 0..9000_i32).prop_map(|(id, timeout)| Op::Insert(id, timeout)),
        2 => id().prop_map(Op::Remove),
        1 => id().prop_map(Op::SetClosing),
        6 => (id(), 0..9000_i32).prop_map(|(id, timeout)| Op::Touch(id, timeout)),
        1 => (id(), proptest::option::of(any_owner()))
            .prop_map(|(id, owner)| Op::SetOwner(id, owner)),
        1 => (id(), any_owner()).prop_map(|(id, owner)| Op::Claim(id, owner)),
        2 => Just(Op::Expire),
        1 => Just(Op::Restart),
        4 => (0..5000_u64).prop_map(Op::Wait),
    ]
}

proptest! {
    #[test]
    fn the_table_does_what_the_model_does(ops in proptest::collection::vec(any_op(), 1..120)) {
        let mut sessions = Sessions::new(TICK);
        let mut model = Model { sessions: BTreeMap::new() };
        let mut now = Moment(0);
        for op in ops {
            match op {
                Op::Insert(id, timeout) => {
                    sessions.insert(id, timeout, now);
                    model.insert(id, timeout, now);
                }
                Op::Remove(id) => {
                    sessions.remove(id);
                    model.sessions.remove(&id);
                }
                Op::SetClosing(id) => {
                    sessions.set_closing(id);
                    model.set_closing(id);
                }
                Op::Touch(id, timeout) => {
                    let touched = sessions.touch(id, timeout, now);
                    prop_assert_eq!(touched, model.touch(id, timeout, now));
                }
                Op::SetOwner(id, owner) => {
                    sessions.set_owner(id, owner);
                    model.set_owner(id, owner);
                }
                Op::Claim(id, owner) => {
                    sessions.claim(id, owner);
                    model.claim(id, owner);
                }
                Op::Expire => prop_assert_eq!(sessions.expired(now), model.expired(now)),
                Op::Restart => {
                    sessions.restart(now);
                    model.restart(now);
                }
                Op::Wait(millis) => now = now.plus(millis),
            }
            prop_assert_eq!(sessions.buckets(), model.buckets());
            let first = model.buckets().first().map(|(due, _)| *due);
            prop_assert_eq!(sessions.next_expiry(), first);
            prop_assert_eq!(sessions.len(), model.sessions.len());
            let expected = model.sessions.iter().map(|(id, (session, _))| (*id, session));
            prop_assert!(sessions.iter().eq(expected));
        }
    }
}
