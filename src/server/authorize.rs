//! Whether an operator may do over HTTP what needs every permission on the root
//! (ZK: `Commands.handleAuthentication`, `handleAuthorization`).

use super::Shared;
use crate::types::perms;
use std::net::IpAddr;

/// Why an operator may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    /// The credentials prove nothing.
    NotAuthenticated,
    /// They do not prove enough.
    NotAuthorized,
}

/// Every permission, each of which must be given.
const PERMISSIONS: [i32; 5] =
    [perms::READ, perms::WRITE, perms::CREATE, perms::DELETE, perms::ADMIN];

impl Shared {
    /// Whether whoever sends this header `Authorization` from an address may do everything: a
    /// scheme, and what that scheme wants to know, as in `digest user:password`.
    ///
    /// # Errors
    /// It may not.
    pub(crate) fn authorize(&self, header: &str, from: IpAddr) -> Result<(), Denied> {
        let (scheme, data) = credentials(header).ok_or(Denied::NotAuthenticated)?;
        let auth = &self.options.auth;
        let identities = auth.authenticate(scheme, data.as_bytes(), from);
        let identities = identities.map_err(|_| Denied::NotAuthenticated)?;
        let tree = self.tree.read();
        let root = tree.node("/").ok_or(Denied::NotAuthorized)?;
        let allowed = |perm: &i32| auth.allows(root.acl(), *perm, &identities);
        if PERMISSIONS.iter().all(allowed) { Ok(()) } else { Err(Denied::NotAuthorized) }
    }
}

/// Scheme and data. Only an address needs no data.
fn credentials(header: &str) -> Option<(&str, &str)> {
    let parts: Vec<&str> = header.trim_end_matches(' ').split(' ').collect();
    match parts[..] {
        ["ip"] => Some(("ip", "")),
        [scheme, data] if !data.is_empty() => Some((scheme, data)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_a_scheme_and_its_data() {
        let table = [
            ("digest super:secret", Some(("digest", "super:secret"))),
            ("digest super:secret ", Some(("digest", "super:secret"))),
            ("ip", Some(("ip", ""))),
            ("ip anything", Some(("ip", "anything"))),
            ("digest", None),
            ("digest a b", None),
            ("", None),
        ];
        for (header, expected) in table {
            assert_eq!(credentials(header), expected, "{header}");
        }
    }
}
