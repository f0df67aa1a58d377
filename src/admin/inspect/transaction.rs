//! A transaction in words, and as an object.

use super::super::text::Date;
use crate::store::LogEntry;
use crate::tree::{Transaction, Txn};
use crate::types::{Acl, SessionId};
use serde_json::{Map, Value, json};
use std::fmt::Write;

/// What kind it is, as a request that leads to it is called (ZK: `Request.op2String`).
fn name(txn: &Txn) -> &'static str {
    match txn {
        Txn::Create(_) => "create",
        Txn::Create2(_) => "create2",
        Txn::CreateContainer(_) => "createContainer",
        Txn::CreateTtl(_) => "createTTL",
        Txn::Delete(_) => "delete",
        Txn::DeleteContainer(_) => "deleteContainer",
        Txn::SetData(_) => "setData",
        Txn::Reconfig(_) => "reconfig",
        Txn::SetAcl(_) => "setACL",
        Txn::Check(_) => "check",
        Txn::Multi(_) => "multi",
        Txn::CreateSession(_) => "createSession",
        Txn::CloseSession(_) => "closeSession",
        Txn::Error(_) => "error",
    }
}

/// A line without its end, as `TxnLogToolkit` has it.
pub(super) fn text(entry: &LogEntry) -> String {
    let txn = match Transaction::from_bytes(entry.payload.clone()) {
        Ok(txn) => txn,
        Err(error) => return format!("zxid {} cannot be read: {error}", entry.zxid),
    };
    let header = &txn.header;
    let mut line = format!(
        "{} session {} cxid {:#x} zxid {} {} {}",
        Date(header.time),
        SessionId(header.client_id),
        header.cxid,
        entry.zxid,
        name(&txn.body),
        words(&txn.body)
    );
    if let Some(digest) = &txn.digest {
        // A String takes everything.
        let _ = write!(line, " digest {:#x}", digest.tree_digest);
    }
    line
}

/// The fields of a body, with commas between them.
fn words(txn: &Txn) -> String {
    match txn {
        Txn::Create(body) | Txn::Create2(body) => format!(
            "{},{},{},{},{}",
            body.path,
            data(body.data.as_deref()),
            acl(body.acl.as_deref()),
            body.ephemeral,
            body.parent_cversion
        ),
        Txn::CreateContainer(body) => format!(
            "{},{},{},{}",
            body.path,
            data(body.data.as_deref()),
            acl(body.acl.as_deref()),
            body.parent_cversion
        ),
        Txn::CreateTtl(body) => format!(
            "{},{},{},{},{}",
            body.path,
            data(body.data.as_deref()),
            acl(body.acl.as_deref()),
            body.parent_cversion,
            body.ttl
        ),
        Txn::Delete(body) | Txn::DeleteContainer(body) => body.path.clone(),
        Txn::SetData(body) | Txn::Reconfig(body) => {
            format!("{},{},{}", body.path, data(body.data.as_deref()), body.version)
        }
        Txn::SetAcl(body) => {
            format!("{},{},{}", body.path, acl(body.acl.as_deref()), body.version)
        }
        Txn::Check(body) => format!("{},{}", body.path, body.version),
        Txn::Multi(parts) => {
            let part = |part| format!("{}:{}", name(part), words(part));
            parts.iter().map(part).collect::<Vec<_>>().join(";")
        }
        Txn::CreateSession(body) => body.time_out.to_string(),
        Txn::CloseSession(body) => body.paths_to_delete.as_deref().unwrap_or_default().join(","),
        Txn::Error(code) => code.to_string(),
    }
}

/// Data as text, with escapes for what is none.
pub(super) fn data(data: Option<&[u8]>) -> String {
    let data = data.unwrap_or_default();
    match str::from_utf8(data) {
        Ok(text) if !text.contains(char::is_control) => text.to_owned(),
        _ => data.escape_ascii().to_string(),
    }
}

/// A list as ZooKeeper's records are shown.
pub(super) fn acl(acl: Option<&[Acl]>) -> String {
    let entry = |acl: &Acl| format!("s{{{},s{{'{},'{}}}}}", acl.perms, acl.id.scheme, acl.id.id);
    format!("v{{{}}}", acl.unwrap_or_default().iter().map(entry).collect::<Vec<_>>().join(","))
}

/// An object.
pub(super) fn object(at: Option<u64>, entry: &LogEntry) -> Value {
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| drop(object.insert(key.to_owned(), value));
    if let Some(at) = at {
        put("offset", at.into());
    }
    put("zxid", entry.zxid.to_string().into());
    match Transaction::from_bytes(entry.payload.clone()) {
        Ok(txn) => {
            put("time", txn.header.time.into());
            put("session", SessionId(txn.header.client_id).to_string().into());
            put("cxid", txn.header.cxid.into());
            if let Some(digest) = &txn.digest {
                put("digest", format!("{:#x}", digest.tree_digest).into());
            }
            object.extend(body(&txn.body));
        }
        Err(error) => put("error", error.to_string().into()),
    }
    object.into()
}

fn body(txn: &Txn) -> Map<String, Value> {
    let fields = match txn {
        Txn::Create(body) | Txn::Create2(body) => json!({
            "path": body.path, "data": bytes(body.data.as_deref()),
            "acl": acl_object(body.acl.as_deref()),
            "ephemeral": body.ephemeral, "parentCVersion": body.parent_cversion,
        }),
        Txn::CreateContainer(body) => json!({
            "path": body.path, "data": bytes(body.data.as_deref()),
            "acl": acl_object(body.acl.as_deref()), "parentCVersion": body.parent_cversion,
        }),
        Txn::CreateTtl(body) => json!({
            "path": body.path, "data": bytes(body.data.as_deref()),
            "acl": acl_object(body.acl.as_deref()), "parentCVersion": body.parent_cversion,
            "ttl": body.ttl,
        }),
        Txn::Delete(body) | Txn::DeleteContainer(body) => json!({ "path": body.path }),
        Txn::SetData(body) | Txn::Reconfig(body) => json!({
            "path": body.path, "data": bytes(body.data.as_deref()), "version": body.version,
        }),
        Txn::SetAcl(body) => json!({
            "path": body.path, "acl": acl_object(body.acl.as_deref()), "version": body.version,
        }),
        Txn::Check(body) => json!({ "path": body.path, "version": body.version }),
        Txn::Multi(parts) => json!({ "parts": parts.iter().map(body).collect::<Vec<_>>() }),
        Txn::CreateSession(body) => json!({ "timeout": body.time_out }),
        Txn::CloseSession(body) => json!({ "paths": body.paths_to_delete }),
        Txn::Error(code) => json!({ "code": code }),
    };
    let mut object = Map::from_iter([("type".to_owned(), Value::from(name(txn)))]);
    if let Value::Object(fields) = fields {
        object.extend(fields);
    }
    object
}

/// Data as Base64; null for a null.
pub(super) fn bytes(data: Option<&[u8]>) -> Value {
    use base64::Engine;
    data.map(|data| base64::engine::general_purpose::STANDARD.encode(data)).into()
}

/// A list as an array; null for a null.
pub(super) fn acl_object(acl: Option<&[Acl]>) -> Value {
    let entry = |acl: &Acl| json!({ "perms": acl.perms, "scheme": acl.id.scheme, "id": acl.id.id });
    acl.map(|acl| acl.iter().map(entry).collect::<Vec<_>>()).into()
}
