//! The rules of positions.

use super::bounds::{Bounds, Sequence, follows};
use super::{LogEntry, StoreError};
use crate::types::{Epoch, Zxid};
use bytes::Bytes;

fn zxid(epoch: i64, counter: u32) -> Zxid {
    Zxid::new(Epoch(epoch), counter)
}

#[test]
fn zxids_count_up_within_an_epoch_and_begin_anew_in_a_later_one() {
    for (last, next, expected) in [
        (zxid(0, 0), zxid(0, 1), true),
        (zxid(0, 0), zxid(3, 1), true),
        (zxid(1, 7), zxid(1, 8), true),
        (zxid(1, 7), zxid(1, 9), false),
        (zxid(1, 7), zxid(1, 7), false),
        (zxid(1, 7), zxid(2, 1), true),
        (zxid(1, 7), zxid(2, 2), false),
        (zxid(2, 7), zxid(1, 8), false),
        (zxid(1, u32::MAX), zxid(2, 0), true),
    ] {
        assert_eq!(follows(last, next), expected, "{last} {next}");
    }
}

#[test]
fn log_and_tree_must_meet() {
    let recover = |floor, last, applied| Bounds::recovered("here", floor, last, applied);
    let end = |floor, last, applied| recover(floor, last, applied).map(|bounds| bounds.end);

    assert_eq!(end(Zxid(0), None, Zxid(0)), Ok(Zxid(0)), "a fresh store");
    assert_eq!(end(Zxid(0), Some(Zxid(5)), Zxid(0)), Ok(Zxid(5)), "no tree was ever flushed");
    assert_eq!(end(Zxid(3), Some(Zxid(5)), Zxid(2)), Ok(Zxid(5)), "trimmed as far as allowed");
    assert_eq!(end(Zxid(6), None, Zxid(5)), Ok(Zxid(5)), "all of the log is trimmed");
    assert_eq!(end(Zxid(6), Some(Zxid(4)), Zxid(5)), Ok(Zxid(5)), "leftovers below the floor");

    for (case, result) in [
        ("the tree is gone", recover(Zxid(3), Some(Zxid(5)), Zxid(0))),
        ("the tree is too old", recover(Zxid(4), Some(Zxid(5)), Zxid(2))),
        ("the log is gone", recover(Zxid(0), None, Zxid(5))),
        ("the log is too short", recover(Zxid(2), Some(Zxid(4)), Zxid(5))),
    ] {
        assert!(matches!(result, Err(StoreError::Lost { .. })), "{case}: {result:?}");
    }
}

#[test]
fn a_batch_is_checked_as_a_whole() {
    let bounds = Bounds { end: Zxid(4), ..Bounds::default() };
    let entries = |zxids: &[i64]| -> Vec<_> {
        let entry = |zxid: &i64| LogEntry { zxid: Zxid(*zxid), payload: Bytes::new() };
        zxids.iter().map(entry).collect()
    };
    assert_eq!(bounds.after_append(&[]), Ok(Zxid(4)));
    assert_eq!(bounds.after_append(&entries(&[5, 6])), Ok(Zxid(6)));
    let error = StoreError::OutOfOrder { last: Zxid(5), next: Zxid(7) };
    assert_eq!(bounds.after_append(&entries(&[5, 7])), Err(error));
}

#[test]
#[should_panic(expected = "is flushed")]
fn a_trim_beyond_what_is_flushed_is_a_fault_of_the_program() {
    let bounds = Bounds { durable: Zxid(4), applied: Zxid(9), end: Zxid(9), ..Bounds::default() };
    assert!(bounds.check_trim(Zxid(5)));
    bounds.check_trim(Zxid(6));
}

#[test]
fn a_hole_is_found() {
    let mut sequence = Sequence::after(Zxid(4));
    assert_eq!(sequence.check("here", Zxid(5)), Ok(()));
    let error = sequence.check("here", Zxid(7));
    assert!(matches!(error, Err(StoreError::Lost { .. })), "{error:?}");
    assert_eq!(Sequence::from(Zxid(7)).check("here", Zxid(7)), Ok(()));
    assert_eq!(Sequence::from(Zxid(7)).check("here", zxid(1, 1)), Ok(()));
    assert!(Sequence::from(Zxid(7)).check("here", Zxid(8)).is_err());
}
