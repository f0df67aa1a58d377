//! What is in a data directory.

use super::znodes::{Totals, read_snapshot, read_store};
use super::{InspectError, InspectOptions, log, znodes};
use crate::store::apache::{ApacheFiles, LogEnd, LogFile, LogReader, SnapshotFile};
use crate::store::{RocksOptions, RocksStore, Store, StoreError};
use crate::types::{Epoch, Zxid};
use serde_json::{Value, json};
use std::fs::File;
use std::io::Write;
use std::path::Path;

/// Shows a data directory: Apache ZooKeeper's files, Zabra's store, or both.
pub(super) fn show(
    dir: &Path,
    log_dir: &Path,
    options: &InspectOptions,
    out: &mut dyn Write,
) -> Result<(), InspectError> {
    // The directory with the files is as good as the one that it is in.
    let is_inner =
        ApacheFiles::directory(Path::new("")) == Path::new(dir.file_name().unwrap_or_default());
    let (dir, log_dir) = match dir.parent() {
        Some(parent) if is_inner && dir == log_dir => (parent, parent),
        _ => (dir, log_dir),
    };
    let files = ApacheFiles::find(dir, log_dir)?;
    let (tree, log) = RocksStore::directories(dir, log_dir);
    let has_store = tree.join("CURRENT").exists() && log.join("CURRENT").exists();
    if files.is_none() && !has_store {
        return Err(InspectError::Unknown(dir.to_owned()));
    }
    let open = || RocksStore::open_apart(dir, log_dir, &RocksOptions::default());
    let store = has_store.then(open);
    if options.znodes || options.transactions {
        return show_all(files.as_ref(), store.transpose()?.as_ref(), options, out);
    }
    let mut damaged = 0;
    let theirs = files.map(|files| describe_files(&files, options, &mut damaged)).transpose()?;
    let ours = store.map(|store| match store {
        Ok(store) => describe_store(&store),
        // A server that runs is no reason not to show the rest.
        Err(StoreError::InUse { .. }) => Ok(json!({ "state": "in use by a server" })),
        Err(error) => Err(error.into()),
    });
    let ours = ours.transpose()?;
    if options.json {
        writeln!(out, "{}", json!({ "apache": theirs, "zabra": ours }))?;
    } else {
        if let Some(theirs) = theirs {
            writeln!(out, "Apache ZooKeeper's files in {}", ApacheFiles::directory(dir).display())?;
            show_files(&theirs, out)?;
        }
        if let Some(ours) = ours {
            writeln!(out, "Zabra's store in {}", dir.display())?;
            show_fields(&ours, "  ", out)?;
        }
    }
    if damaged > 0 { Err(InspectError::Damaged(damaged)) } else { Ok(()) }
}

/// Shows every znode or transaction: Zabra's, if there are some, as they are newer.
fn show_all(
    files: Option<&ApacheFiles>,
    store: Option<&RocksStore>,
    options: &InspectOptions,
    out: &mut dyn Write,
) -> Result<(), InspectError> {
    if let Some(store) = store {
        if options.znodes {
            znodes::show_store(store, options, out)?;
        }
        if options.transactions {
            log::show_store(store, options, out)?;
        }
        return Ok(());
    }
    let Some(files) = files else { return Ok(()) };
    if let Some(newest) = files.snapshots.first().filter(|_| options.znodes) {
        znodes::show_snapshot(newest, options, out)?;
    }
    for log in files.logs.iter().filter(|_| options.transactions) {
        log::show_file(log, options, out)?;
    }
    Ok(())
}

fn describe_files(
    files: &ApacheFiles,
    options: &InspectOptions,
    damaged: &mut usize,
) -> Result<Value, InspectError> {
    let mut described = Vec::new();
    for snapshot in &files.snapshots {
        described.push(describe(&snapshot.path, damaged, describe_snapshot(snapshot, options))?);
    }
    for log in &files.logs {
        described.push(describe(&log.path, damaged, describe_log(log, options))?);
    }
    let epoch = |epoch: Option<Epoch>| epoch.map(|epoch| epoch.0);
    Ok(json!({
        "files": described,
        "acceptedEpoch": epoch(files.epochs.accepted),
        "currentEpoch": epoch(files.epochs.current),
    }))
}

/// What is known of a file, or what is wrong with it.
fn describe(
    path: &Path,
    damaged: &mut usize,
    what: Result<Value, InspectError>,
) -> Result<Value, InspectError> {
    let mut what = match what {
        Ok(what) => what,
        Err(error @ (InspectError::Files(_) | InspectError::Read { .. })) => {
            *damaged += 1;
            json!({ "error": error.to_string() })
        }
        Err(error) => return Err(error),
    };
    what["name"] = path.file_name().unwrap_or_default().to_string_lossy().into();
    what["bytes"] = path.metadata().map_or(0, |about| about.len()).into();
    Ok(what)
}

fn describe_snapshot(file: &SnapshotFile, options: &InspectOptions) -> Result<Value, InspectError> {
    let mut totals = Totals::default();
    let digest = read_snapshot(file, options, &mut |part| {
        totals.add(&part);
        Ok(())
    })?;
    let (of, digest) = digest.unzip();
    Ok(json!({
        "kind": "snapshot", "zxid": file.zxid.to_string(),
        "znodes": totals.znodes, "sessions": totals.sessions,
        "digestZxid": of.map(|zxid| zxid.to_string()),
        "digest": digest.map(|digest| format!("{digest:#x}")),
    }))
}

fn describe_log(log: &LogFile, options: &InspectOptions) -> Result<Value, InspectError> {
    let path = || log.path.clone();
    let file = File::open(&log.path);
    let file = file.map_err(|error| InspectError::Read { path: path(), error })?;
    let damaged = |error| crate::store::apache::ApacheError::Log { path: path(), error };
    let mut reader = LogReader::new(file, options.longest).map_err(damaged)?;
    let (mut first, mut last, mut count) = (None, None, 0_u64);
    while let Some(record) = reader.read_next().map_err(damaged)? {
        first.get_or_insert(record.entry.zxid);
        last = Some(record.entry.zxid);
        count += 1;
    }
    let shown = |zxid: Option<Zxid>| zxid.map(|zxid| zxid.to_string());
    let torn = match reader.end() {
        Some(LogEnd::Torn(at)) => Some(at),
        _ => None,
    };
    Ok(json!({
        "kind": "log", "first": shown(first), "last": shown(last), "transactions": count,
        "tornAt": torn,
    }))
}

fn describe_store(store: &RocksStore) -> Result<Value, InspectError> {
    let (mut totals, view) = (Totals::default(), store.view()?);
    read_store(&*view, &mut |part| {
        totals.add(&part);
        Ok(())
    })?;
    let ((first, last), meta) = (store.log_span(), store.meta()?);
    let mark = view.mark();
    let import = store.import_mark()?.map(|mark| {
        json!({
            "complete": mark.complete, "snapshot": Zxid(mark.snapshot).to_string(),
            "last": Zxid(mark.last).to_string(),
        })
    });
    Ok(json!({
        "applied": mark.map(|mark| Zxid(mark.applied).to_string()),
        "digest": mark.map(|mark| format!("{:#x}", mark.digest)),
        "znodes": totals.znodes, "sessions": totals.sessions,
        "logFrom": first.to_string(), "lastZxid": last.to_string(),
        "acceptedEpoch": meta.accepted_epoch.0, "currentEpoch": meta.current_epoch.0,
        "server": meta.server.map(|server| server.0), "import": import,
    }))
}

fn show_files(theirs: &Value, out: &mut dyn Write) -> std::io::Result<()> {
    for file in theirs["files"].as_array().into_iter().flatten() {
        writeln!(out, "  {}", file["name"].as_str().unwrap_or_default())?;
        let mut fields = file.clone();
        if let Some(fields) = fields.as_object_mut() {
            fields.remove("name");
            fields.remove("kind");
        }
        show_fields(&fields, "    ", out)?;
    }
    let epochs = json!({
        "acceptedEpoch": theirs["acceptedEpoch"], "currentEpoch": theirs["currentEpoch"],
    });
    show_fields(&epochs, "  ", out)
}

/// A line for each field that has a value.
fn show_fields(object: &Value, indent: &str, out: &mut dyn Write) -> std::io::Result<()> {
    for (key, value) in object.as_object().into_iter().flatten() {
        match value {
            Value::Null => {}
            Value::String(text) => writeln!(out, "{indent}{key} = {text}")?,
            Value::Object(_) => {
                writeln!(out, "{indent}{key}")?;
                show_fields(value, &format!("{indent}  "), out)?;
            }
            _ => writeln!(out, "{indent}{key} = {value}")?,
        }
    }
    Ok(())
}
