//! Small helpers around identities and access control lists that need no configuration.

use super::digest::user_of;
use crate::types::{Acl, Id};

/// Adds identities to a connection's, each once.
pub fn add_identities(known: &mut Vec<Id>, more: impl IntoIterator<Item = Id>) {
    for id in more {
        if !known.contains(&id) {
            known.push(id);
        }
    }
}

/// A list as those may see it who may not administer the znode: the hashes of `digest` entries are
/// replaced by an `x` (ZK: getACL in `FinalRequestProcessor`).
#[must_use]
pub fn mask_digests(acl: &[Acl]) -> Vec<Acl> {
    acl.iter().map(mask_digest).collect()
}

fn mask_digest(entry: &Acl) -> Acl {
    let Id { scheme, id } = &entry.id;
    if scheme != "digest" || !id.contains(':') {
        return entry.clone();
    }
    let masked = format!("{}:x", user_of(id));
    Acl { perms: entry.perms, id: Id { scheme: scheme.clone(), id: masked } }
}

/// The user's name that an identity stands for, without secrets; empty for schemes that have no
/// users (ZK: `AuthUtil.getUser`). For whoAmI and the audit log.
#[must_use]
pub fn user_name(id: &Id) -> String {
    match id.scheme.as_str() {
        "digest" => user_of(&id.id).to_owned(),
        "ip" => id.id.clone(),
        _ => String::new(),
    }
}
