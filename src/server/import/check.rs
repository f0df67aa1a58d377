//! What the files of an Apache ZooKeeper server tell besides the tree.

use super::ImportError;
use crate::store::apache::{ApacheError, ApacheFiles, LogCursor};
use crate::types::{Epoch, Zxid};
use jute::disk::ImportMark;
use std::path::Path;
use std::time::UNIX_EPOCH;

/// The greatest zxid in a name.
pub(super) fn newest_name(files: &ApacheFiles) -> Zxid {
    let snapshot = files.snapshots.first().map(|snapshot| snapshot.zxid);
    let log = files.logs.last().map(|log| log.first);
    snapshot.max(log).unwrap_or(Zxid::ZERO)
}

/// What a mark says about the last log file.
pub(in super::super) fn last_log(path: Option<&Path>) -> Result<ImportMark, ApacheError> {
    let Some(path) = path else { return Ok(ImportMark::default()) };
    let unreadable = |error: std::io::Error| ApacheError::Io {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let about = path.metadata().map_err(unreadable)?;
    let written = about.modified().map_err(unreadable)?;
    let since = written.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(ImportMark {
        log_name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        log_bytes: i64::try_from(about.len()).unwrap_or(i64::MAX),
        log_time: i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        ..ImportMark::default()
    })
}

/// Checks that ZooKeeper has not run since its data were taken over, or at least did nothing that
/// counts.
///
/// # Errors
/// `Newer`.
pub(super) fn unchanged(
    mark: &ImportMark,
    files: &ApacheFiles,
    longest: usize,
) -> Result<(), ImportError> {
    let last = Zxid(mark.last);
    let newest = newest_name(files);
    if newest > last {
        let what = format!("there is a file of {newest}, and {last} was the last transaction then");
        return Err(ImportError::Newer(what));
    }
    let epochs = [
        ("acceptedEpoch", files.epochs.accepted, mark.accepted_epoch),
        ("currentEpoch", files.epochs.current, mark.current_epoch),
    ];
    for (name, now, then) in epochs {
        if let Some(Epoch(now)) = now.filter(|now| now.0 > then.max(last.epoch().0)) {
            return Err(ImportError::Newer(format!("{name} is {now} now")));
        }
    }
    let about = last_log(files.last_log())?;
    let same = (&about.log_name, about.log_bytes, about.log_time)
        == (&mark.log_name, mark.log_bytes, mark.log_time);
    let Some(log) = files.logs.last().filter(|_| !same) else { return Ok(()) };
    // Copying a file changes its time and no more.
    let mut cursor = LogCursor::after(std::slice::from_ref(log), Zxid(log.first.0 - 1), longest);
    loop {
        match cursor.read_next() {
            Ok(Some(entry)) if entry.zxid > last => {
                let what = format!("the log goes on with {}", entry.zxid);
                return Err(ImportError::Newer(what));
            }
            Ok(Some(_)) => {}
            Ok(None) => return Ok(()),
            Err(error) => return Err(ImportError::Newer(error.to_string())),
        }
    }
}

/// The epochs that were accepted and followed (ZK: `QuorumPeer.loadDataBase`).
///
/// # Errors
/// `EpochBehind` or `EpochOrder`.
pub(super) fn epochs(files: &ApacheFiles, last: Zxid) -> Result<(Epoch, Epoch), ImportError> {
    let of_last = last.epoch();
    let mut current = files.epochs.current.unwrap_or(of_last);
    if of_last > current {
        let next = files.epochs.next;
        current = next.ok_or_else(|| ImportError::epoch_behind(last, current))?;
    }
    let accepted = files.epochs.accepted.unwrap_or(of_last);
    if accepted < current {
        let (accepted, current) = (accepted.0, current.0);
        return Err(ImportError::EpochOrder { accepted, current });
    }
    Ok((accepted, current))
}
