//! Every znode and session of a tree.

use super::super::text::Date;
use super::transaction::{acl, acl_object, bytes};
use super::{InspectError, InspectOptions};
use crate::store::apache::{
    ApacheError, ImageItem, SnapshotFile, SnapshotFileError, SnapshotReader,
};
use crate::store::{RocksStore, Store, StoreError, View};
use crate::types::{Map, SessionId, Zxid};
use jute::Decode;
use jute::disk::{StatPersisted, ZnodeRecord};
use serde_json::{Value, json};
use std::io::Write;

/// A session or a znode.
pub(super) enum Part {
    Session(SessionId, i32),
    Znode(String, ZnodeRecord),
}

/// Takes the parts of a tree.
pub(super) type Take<'a> = dyn FnMut(Part) -> Result<(), InspectError> + 'a;

/// What a tree amounts to.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) znodes: u64,
    pub(super) sessions: u64,
    /// How many ephemerals each session has.
    ephemerals: Map<i64, u64>,
    /// The last transaction that the znodes tell of.
    last: i64,
}

impl Totals {
    pub(super) fn add(&mut self, part: &Part) {
        match part {
            Part::Session(..) => self.sessions += 1,
            Part::Znode(_, ZnodeRecord { stat, .. }) => {
                self.znodes += 1;
                self.last = self.last.max(stat.mzxid).max(stat.pzxid);
                if stat.ephemeral_owner != 0 {
                    *self.ephemerals.entry(stat.ephemeral_owner).or_default() += 1;
                }
            }
        }
    }
}

/// Shows a snapshot of Apache ZooKeeper's: it is read twice, so that nothing is shown of one that
/// is damaged.
pub(super) fn show_snapshot(
    file: &SnapshotFile,
    options: &InspectOptions,
    out: &mut dyn Write,
) -> Result<(), InspectError> {
    let mut digest = None;
    let mut read = |take: &mut Take<'_>| {
        digest = read_snapshot(file, options, take)?;
        Ok(())
    };
    let totals = show(options, out, &mut read)?;
    let last = totals.last.max(file.zxid.0);
    show_end(Zxid(last), digest, options, out)
}

/// The last lines: of which transaction the digest is, and which one is the last.
fn show_end(
    last: Zxid,
    digest: Option<(Zxid, i64)>,
    options: &InspectOptions,
    out: &mut dyn Write,
) -> Result<(), InspectError> {
    if options.json {
        let (of, digest) = digest.unzip();
        let (of, digest) = (of.map(|zxid| zxid.to_string()), digest.map(|it| format!("{it:#x}")));
        let end = json!({ "lastZxid": last.to_string(), "digestZxid": of, "digest": digest });
        writeln!(out, "{end}")?;
        return Ok(());
    }
    if let Some((zxid, digest)) = digest {
        writeln!(out, "Target zxid digest is: {zxid}, {digest}")?;
    }
    writeln!(out, "----\nLast zxid: {last}")?;
    Ok(())
}

/// Reads a snapshot, and returns the digest in it.
pub(super) fn read_snapshot(
    file: &SnapshotFile,
    options: &InspectOptions,
    take: &mut Take<'_>,
) -> Result<Option<(Zxid, i64)>, InspectError> {
    let path = &file.path;
    let damaged = |error: SnapshotFileError| ApacheError::Snapshot { path: path.clone(), error };
    let input = file.compression.open(path).map_err(|error| damaged(error.into()))?;
    let reader = SnapshotReader::new(input, file.zxid, options.longest);
    let mut reader = reader.map_err(damaged)?;
    loop {
        match reader.read_next().map_err(damaged)? {
            ImageItem::Session(id, timeout_ms) => take(Part::Session(id, timeout_ms))?,
            ImageItem::Znode(path, record) => take(Part::Znode(path, record))?,
            ImageItem::End => break,
        }
    }
    let digest = reader.digest().filter(|digest| digest.zxid > Zxid::ZERO);
    Ok(digest.and_then(|digest| Some((digest.zxid, digest.digest?))))
}

/// Shows the tree of a store.
pub(super) fn show_store(
    store: &RocksStore,
    options: &InspectOptions,
    out: &mut dyn Write,
) -> Result<(), InspectError> {
    let view = store.view()?;
    show(options, out, &mut |take| read_store(&*view, take))?;
    let mark = view.mark().cloned().unwrap_or_default();
    let applied = Zxid(mark.applied);
    show_end(applied, Some((applied, mark.digest)), options, out)
}

/// Reads the tree of a store.
pub(super) fn read_store(view: &dyn View, take: &mut Take<'_>) -> Result<(), InspectError> {
    // The store's own visitors know no other errors, so that of the taker waits here.
    let mut failed = Ok(());
    let mut give = |part| {
        failed = take(part);
        let stop = StoreError::Refused(String::new());
        if failed.is_ok() { Ok(()) } else { Err(stop) }
    };
    let mut read = view.sessions(&mut |id, timeout_ms| give(Part::Session(id, timeout_ms)));
    if read.is_ok() {
        read = view.znodes(&mut |path, record| {
            let record = ZnodeRecord::from_bytes(bytes::Bytes::copy_from_slice(record));
            let record = record.map_err(|error| StoreError::Corrupt {
                place: "the stored tree".to_owned(),
                what: format!("znode {path}"),
                reason: error.to_string(),
            })?;
            give(Part::Znode(path.to_owned(), record))
        });
    }
    failed?;
    Ok(read?)
}

/// Shows what `read` reads, which it does twice.
fn show(
    options: &InspectOptions,
    out: &mut dyn Write,
    read: &mut dyn FnMut(&mut Take<'_>) -> Result<(), InspectError>,
) -> Result<Totals, InspectError> {
    let mut totals = Totals::default();
    read(&mut |part| {
        totals.add(&part);
        Ok(())
    })?;
    if options.json {
        read(&mut |part| Ok(writeln!(out, "{}", object(&part, options))?))?;
        return Ok(totals);
    }
    writeln!(out, "ZNode Details (count={}):", totals.znodes)?;
    read(&mut |part| match part {
        Part::Znode(path, record) => Ok(show_znode(&path, &record, options, out)?),
        Part::Session(..) => Ok(()),
    })?;
    writeln!(out, "----\nSession Details (sid, timeout, ephemeralCount):")?;
    read(&mut |part| match part {
        Part::Session(SessionId(id), timeout_ms) => {
            let owned = totals.ephemerals.get(&id).copied().unwrap_or_default();
            Ok(writeln!(out, "{id:#018x}, {timeout_ms}, {owned}")?)
        }
        Part::Znode(..) => Ok(()),
    })?;
    Ok(totals)
}

fn show_znode(
    path: &str,
    record: &ZnodeRecord,
    options: &InspectOptions,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    let ZnodeRecord { data, acl: list, stat } = record;
    writeln!(out, "----\n{}", if path.is_empty() { "/" } else { path })?;
    writeln!(out, "  cZxid = {:#016x}", stat.czxid)?;
    writeln!(out, "  ctime = {}", Date(stat.ctime))?;
    writeln!(out, "  mZxid = {:#016x}", stat.mzxid)?;
    writeln!(out, "  mtime = {}", Date(stat.mtime))?;
    writeln!(out, "  pZxid = {:#016x}", stat.pzxid)?;
    writeln!(out, "  cversion = {}", stat.cversion)?;
    writeln!(out, "  dataVersion = {}", stat.version)?;
    writeln!(out, "  aclVersion = {}", stat.aversion)?;
    writeln!(out, "  ephemeralOwner = {:#016x}", stat.ephemeral_owner)?;
    if let Some(list) = list {
        writeln!(out, "  acl = {}", acl(Some(list)))?;
    }
    if options.data {
        let data = bytes(data.as_deref());
        writeln!(out, "  data = {}", data.as_str().unwrap_or_default())
    } else {
        writeln!(out, "  dataLength = {}", data.as_ref().map_or(0, bytes::Bytes::len))
    }
}

fn object(part: &Part, options: &InspectOptions) -> Value {
    match part {
        Part::Session(id, timeout_ms) => {
            json!({ "session": id.to_string(), "timeout": timeout_ms })
        }
        Part::Znode(path, ZnodeRecord { data, acl, stat }) => {
            let mut object = json!({
                "path": if path.is_empty() { "/" } else { path },
                "stat": stat_object(stat),
                "acl": acl_object(acl.as_deref()),
                "dataLength": data.as_ref().map_or(0, bytes::Bytes::len),
            });
            if options.data {
                object["data"] = bytes(data.as_deref());
            }
            object
        }
    }
}

fn stat_object(stat: &StatPersisted) -> Value {
    json!({
        "czxid": Zxid(stat.czxid).to_string(), "mzxid": Zxid(stat.mzxid).to_string(),
        "pzxid": Zxid(stat.pzxid).to_string(), "ctime": stat.ctime, "mtime": stat.mtime,
        "version": stat.version, "cversion": stat.cversion, "aversion": stat.aversion,
        "ephemeralOwner": SessionId(stat.ephemeral_owner).to_string(),
    })
}
