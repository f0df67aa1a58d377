//! What the audit log will say of a request, as far as the request tells it.

use super::entry::Entry;
use crate::auth::{mask_digests, user_name};
use crate::proto::{CreateMode, CreateOp, MultiOp, MultiResponse, MultiResult, Request};
use crate::replica::ClientRequest;
use crate::types::{Acl, Id, SessionId, perms};
use bytes::Bytes;
use jute::client::{PathResponse, RawAcl, RawId};
use jute::{Decode, Decoder};
use std::net::IpAddr;

/// Where the error code of a reply stands, and the record behind it.
const ERROR: std::ops::Range<usize> = 16..20;

/// A request that is to be logged.
#[derive(Debug)]
pub(crate) struct Note {
    users: String,
    what: What,
}

#[derive(Debug)]
enum What {
    Operation(Operation),
    Multi(Vec<Operation>),
}

/// One change.
#[derive(Debug)]
struct Operation {
    name: &'static str,
    path: Option<String>,
    mode: Option<&'static str>,
    acl: Option<String>,
}

impl Operation {
    fn new(name: &'static str, path: Option<&String>) -> Self {
        Self { name, path: path.cloned(), mode: None, acl: None }
    }

    fn create(create: &CreateOp) -> Self {
        let mode = CreateMode::from_number(create.flags).map(mode_name);
        Self { mode, ..Self::new("create", create.path.as_ref()) }
    }

    /// As a part of a multi, which shows less.
    fn of_multi(op: &MultiOp) -> Option<Self> {
        Some(match op {
            MultiOp::Create(create) => {
                let operation = Self::create(create);
                // ZooKeeper looks the mode up by the path that was asked for.
                let sequential = CreateMode::from_number(create.flags)
                    .is_some_and(|mode| mode.is_sequential() || mode.is_ttl());
                Self { mode: operation.mode.filter(|_| !sequential), ..operation }
            }
            MultiOp::Delete(delete) => Self::new("delete", delete.path.as_ref()),
            MultiOp::SetData(set) => Self::new("setData", set.path.as_ref()),
            MultiOp::Check(_) | MultiOp::GetData(_) | MultiOp::GetChildren(_) => return None,
        })
    }
}

impl Note {
    /// What is to be logged of a request; nothing of one that changes nothing.
    pub(crate) fn of(request: &ClientRequest) -> Option<Self> {
        let what = What::Operation(match request.request.as_ref().ok()? {
            Request::Create(create) => Operation::create(create),
            Request::Delete(delete) => Operation::new("delete", delete.path.as_ref()),
            Request::SetData(set) => Operation::new("setData", set.path.as_ref()),
            Request::SetAcl(set) => Operation {
                acl: set.acl.as_deref().map(acl_text),
                ..Operation::new("setAcl", set.path.as_ref())
            },
            Request::Reconfig(_) => Operation::new("reconfig", None),
            Request::Multi(multi) => {
                let operations = multi.ops.iter().filter_map(Operation::of_multi);
                let what = What::Multi(operations.collect());
                return Some(Self { users: users(&request.identities), what });
            }
            _ => return None,
        });
        Some(Self { users: users(&request.identities), what })
    }

    /// What is logged now that the request is answered.
    pub(super) fn entries(self, session: SessionId, ip: IpAddr, frame: &[u8]) -> Vec<Entry> {
        let entry = |operation: Operation, result| Entry {
            session: Some(session.to_string()),
            user: self.users.clone(),
            ip: Some(ip.to_string()),
            operation: operation.name,
            znode: operation.path,
            znode_type: operation.mode,
            acl: operation.acl,
            result,
        };
        let failed = frame.get(ERROR).is_none_or(|code| code != [0; 4]);
        let body = Bytes::copy_from_slice(frame.get(ERROR.end..).unwrap_or_default());
        match self.what {
            What::Operation(operation) if failed => vec![entry(operation, "failure")],
            What::Operation(mut operation) => {
                if operation.name == "create" {
                    operation.path = created(body).or(operation.path);
                }
                vec![entry(operation, "success")]
            }
            What::Multi(operations) => match succeeded(failed, body) {
                Some(created) => {
                    let mut created = created.into_iter();
                    let named = operations.into_iter().map(|mut operation| {
                        if operation.name == "create" {
                            operation.path = created.next().or(operation.path.take());
                        }
                        entry(operation, "success")
                    });
                    named.collect()
                }
                None => vec![entry(Operation::new("multiOperation", None), "failure")],
            },
        }
    }
}

/// The path in the reply to a create; whatever follows it does not matter.
fn created(body: Bytes) -> Option<String> {
    PathResponse::decode(&mut Decoder::new(body)).ok().map(|response| response.path)
}

/// The paths that a multi has created; none if it failed.
fn succeeded(failed: bool, body: Bytes) -> Option<Vec<String>> {
    if failed {
        return None;
    }
    let results = MultiResponse::decode(&mut Decoder::new(body)).ok()?.results;
    if results.iter().any(|result| matches!(result, MultiResult::Error(_))) {
        return None;
    }
    let path = |result| match result {
        MultiResult::Create(response) => Some(response.path),
        MultiResult::Create2(response) => Some(response.path),
        _ => None,
    };
    Some(results.into_iter().filter_map(path).collect())
}

/// Names of the identities that have one.
fn users(identities: &[Id]) -> String {
    let names: Vec<String> = identities.iter().map(user_name).filter(|it| !it.is_empty()).collect();
    names.join(",")
}

/// ZooKeeper's names of the modes.
fn mode_name(mode: CreateMode) -> &'static str {
    match mode {
        CreateMode::Persistent => "persistent",
        CreateMode::Ephemeral => "ephemeral",
        CreateMode::PersistentSequential => "persistent_sequential",
        CreateMode::EphemeralSequential => "ephemeral_sequential",
        CreateMode::Container => "container",
        CreateMode::PersistentWithTtl => "persistent_with_ttl",
        CreateMode::PersistentSequentialWithTtl => "persistent_sequential_with_ttl",
    }
}

/// A list as ZooKeeper writes it, but without the hashes of passwords.
fn acl_text(list: &[RawAcl]) -> String {
    let known = list.iter().map(|entry| {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let RawId { scheme, id } = &entry.id;
        Acl { perms: entry.perms, id: Id { scheme: text(scheme), id: text(id) } }
    });
    let masked = mask_digests(&known.collect::<Vec<_>>());
    let entries = masked.iter().map(|Acl { perms, id }| {
        let letters = [
            (perms::CREATE, 'c'),
            (perms::DELETE, 'd'),
            (perms::READ, 'r'),
            (perms::WRITE, 'w'),
            (perms::ADMIN, 'a'),
        ];
        let letters = letters.into_iter().filter(|(bit, _)| perms & bit != 0);
        let letters: String = letters.map(|(_, letter)| letter).collect();
        format!("{}:{}:{letters}", id.scheme, id.id)
    });
    entries.collect()
}
