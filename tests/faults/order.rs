//! What holds besides the linearizability of each register: the order of all writes, and what each
//! session may see. Plain reads may be stale, but a session never goes back in time.

use super::history::{Operation, Time, Value, by_path};
use std::collections::{BTreeMap, HashMap};

/// Of one register: what each transaction that is known of left in it.
type Versions<'a> = BTreeMap<i64, &'a Operation>;

/// Checks that a transaction is the same for everybody who sees it, that writes follow each other
/// as their clients saw it, and that no session goes back.
pub(super) fn check(history: &[Operation]) -> Result<(), String> {
    no_value_is_read_before_it_is_written(history)?;
    writes_follow_each_other(history)?;
    let mut registers = BTreeMap::new();
    for (path, operations) in by_path(history) {
        registers.insert(path, versions(&operations)?);
    }
    let mut sessions: BTreeMap<i64, Vec<&Operation>> = BTreeMap::new();
    for operation in history {
        sessions.entry(operation.session).or_default().push(operation);
    }
    for operations in sessions.values_mut() {
        // A session has one operation at a time.
        operations.sort_by_key(|operation| operation.start);
        goes_forward(operations, |path| &registers[path])?;
    }
    Ok(())
}

fn no_value_is_read_before_it_is_written(history: &[Operation]) -> Result<(), String> {
    let mut written: HashMap<(&str, Value), Time> = HashMap::new();
    for operation in history {
        if let Some(value) = operation.value() {
            written.insert((&operation.path, value), operation.start);
        }
    }
    for read in history.iter().filter(|operation| operation.is_read()) {
        if let Some((_, value)) = read.content()
            && written.get(&(&*read.path, value)).is_none_or(|start| *start > read.end)
        {
            return Err(format!("nobody had written what was read:\n  {read}"));
        }
    }
    Ok(())
}

/// A write that begins after another one was acknowledged has a later transaction, whatever they
/// wrote to.
fn writes_follow_each_other(history: &[Operation]) -> Result<(), String> {
    let zxid = |write: &Operation| write.zxid.unwrap_or_default();
    let known = |operation: &&Operation| !operation.is_read() && operation.zxid.is_some();
    let mut by_start: Vec<&Operation> = history.iter().filter(known).collect();
    let mut by_end = by_start.clone();
    by_start.sort_by_key(|write| write.start);
    by_end.sort_by_key(|write| write.end);
    let mut ended = by_end.into_iter().peekable();
    let mut last: Option<&Operation> = None;
    for write in by_start {
        while let Some(earlier) = ended.next_if(|earlier| earlier.end < write.start) {
            if last.is_none_or(|last| zxid(last) < zxid(earlier)) {
                last = Some(earlier);
            }
        }
        if let Some(last) = last
            && zxid(last) >= zxid(write)
        {
            return Err(format!("the second write went before the first:\n  {last}\n  {write}"));
        }
    }
    Ok(())
}

/// What the transactions left in a register, if all who saw one saw the same.
fn versions<'a>(operations: &[&'a Operation]) -> Result<Versions<'a>, String> {
    let mut versions = Versions::new();
    for operation in operations {
        let (Some(zxid), Some(content)) = (operation.zxid, operation.content()) else { continue };
        let other: &Operation = versions.entry(zxid).or_insert(operation);
        if other.content() != Some(content) {
            return Err(format!("one transaction, two contents:\n  {other}\n  {operation}"));
        }
    }
    Ok(versions)
}

/// Whether there is a point in the order of transactions for each answer, none before the last.
fn goes_forward<'a>(
    operations: &[&'a Operation],
    versions: impl Fn(&str) -> &'a Versions<'a>,
) -> Result<(), String> {
    // The session has seen everything up to here.
    let mut point = 0;
    let mut latest: Option<&Operation> = None;
    for operation in operations.iter().copied() {
        let Some(zxid) = operation.zxid else { continue };
        if operation.is_read() {
            let mut later = versions(&operation.path).range(zxid + 1..);
            if let (Some((overwritten, by)), Some(latest)) = (later.next(), latest)
                && *overwritten <= point
            {
                return Err(format!(
                    "a session went back: it saw the first, then the second, though the third had \
                     come between:\n  {latest}\n  {operation}\n  {by}"
                ));
            }
        } else if zxid <= point
            && let Some(latest) = latest
        {
            return Err(format!(
                "a session's write went before what it saw:\n  {latest}\n  \
                 {operation}"
            ));
        }
        if zxid > point {
            point = zxid;
            latest = Some(operation);
        }
    }
    Ok(())
}
