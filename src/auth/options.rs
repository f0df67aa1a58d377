//! What the configuration says about authentication, and the decisions that follow from it.

use super::digest::{self, DigestAlgorithm, digest_id};
use super::ip::{self, ip_identity};
use crate::types::{Acl, ErrorCode, Id, Set};
use jute::client::{RawAcl, RawId};
use std::net::IpAddr;

/// The longest list that `auth` entries may grow to: about what fits into a frame if written out.
const MAX_EXPANDED: usize = 100_000;

/// How clients prove who they are, and whether access control lists are looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthOptions {
    /// Whether there is a `digest` scheme (`DigestAuthenticationProvider.enabled`).
    pub digest_enabled: bool,
    /// The hash of the `digest` scheme (`DigestAuthenticationProvider.digestAlg`).
    pub digest_algorithm: DigestAlgorithm,
    /// The digest id whose password makes a client a super user, for whom no access control list
    /// counts (`DigestAuthenticationProvider.superDigest`).
    pub super_digest: Option<String>,
    /// Everyone may do everything (`skipACL`).
    pub skip_acl: bool,
    /// A client must have an identity under one of these schemes before it may do anything
    /// (`enforce.auth.schemes`; `sessionRequireClientSASLAuth` is `sasl`). `None` if
    /// `enforce.auth.enabled` is false.
    pub enforced_schemes: Option<Vec<String>>,
}

impl Default for AuthOptions {
    fn default() -> Self {
        Self {
            digest_enabled: true,
            digest_algorithm: DigestAlgorithm::default(),
            super_digest: None,
            skip_acl: false,
            enforced_schemes: None,
        }
    }
}

/// A client could not prove who it is; it gets `AuthFailed`, and its connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("authentication failed")]
pub struct AuthFailed;

/// Options under which no client could do anything.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthConfigError {
    /// Authentication is enforced, but no scheme would do.
    #[error("enforce.auth.enabled is true, so enforce.auth.schemes must name a scheme")]
    NoEnforcedScheme,
    /// Authentication is enforced under a scheme that this server does not have.
    #[error("the authentication scheme {0:?} is not available")]
    UnavailableScheme(String),
}

/// The schemes under which clients have identities (ZK: `ProviderRegistry`). `world`, `auth` and
/// `super` are none: the first two are words of access control lists, the last is given and not
/// proven. Schemes whose proof comes with the connection (`x509`, `sasl`) belong here too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Digest,
    Ip,
}

impl Scheme {
    /// Whether the word `auth` in an access control list stands for identities of this scheme.
    const fn is_authenticated(self) -> bool {
        match self {
            Self::Digest => true,
            Self::Ip => false,
        }
    }

    /// Whether an id may stand in an access control list.
    fn is_valid(self, id: &str) -> bool {
        match self {
            Self::Digest => digest::is_valid(id),
            Self::Ip => ip::is_valid(id),
        }
    }

    /// Whether a client's id is meant by one in an access control list.
    fn matches(self, client: &str, expression: &str) -> bool {
        match self {
            Self::Digest => client == expression,
            Self::Ip => ip::matches(client, expression),
        }
    }
}

impl AuthOptions {
    /// Checks what cannot be checked option by option.
    ///
    /// # Errors
    /// Why no client could do anything.
    pub fn validate(&self) -> Result<(), AuthConfigError> {
        let Some(schemes) = &self.enforced_schemes else { return Ok(()) };
        if schemes.is_empty() {
            return Err(AuthConfigError::NoEnforcedScheme);
        }
        match schemes.iter().find(|scheme| self.scheme(scheme).is_none()) {
            Some(missing) => Err(AuthConfigError::UnavailableScheme(missing.clone())),
            None => Ok(()),
        }
    }

    /// The scheme with this name, if clients can have identities under it here.
    fn scheme(&self, name: &str) -> Option<Scheme> {
        match name {
            "digest" if self.digest_enabled => Some(Scheme::Digest),
            "ip" => Some(Scheme::Ip),
            _ => None,
        }
    }

    /// The identities that a client proves by the data it sent under a scheme, from an address.
    ///
    /// # Errors
    /// There is no such scheme here.
    pub fn authenticate(
        &self,
        scheme: &str,
        data: &[u8],
        remote: IpAddr,
    ) -> Result<Vec<Id>, AuthFailed> {
        match self.scheme(scheme).ok_or(AuthFailed)? {
            Scheme::Digest => Ok(self.digest_identities(&String::from_utf8_lossy(data))),
            Scheme::Ip => Ok(vec![ip_identity(remote)]),
        }
    }

    fn digest_identities(&self, user_and_password: &str) -> Vec<Id> {
        let id = digest_id(user_and_password, self.digest_algorithm);
        let mut identities = Vec::new();
        if self.super_digest.as_ref() == Some(&id) {
            identities.push(Id { scheme: "super".to_owned(), id: String::new() });
        }
        identities.push(Id { scheme: "digest".to_owned(), id });
        identities
    }

    /// Whether the client has proven as much as it must before anything else
    /// (ZK: `AuthenticationHelper.enforceAuthentication`).
    #[must_use]
    pub fn is_sufficient(&self, identities: &[Id]) -> bool {
        let Some(schemes) = &self.enforced_schemes else { return true };
        identities.iter().any(|identity| schemes.contains(&identity.scheme))
    }

    /// The access control list to store for one that a client sent: without duplicates, `auth`
    /// replaced by the client's identities (ZK: `PrepRequestProcessor.fixupACL`).
    ///
    /// # Errors
    /// `InvalidAcl` if the list is empty or an entry makes no sense here; `MarshallingError` where
    /// ZooKeeper stumbles over a null.
    pub fn fix_acl(
        &self,
        raw: Option<&[RawAcl]>,
        identities: &[Id],
    ) -> Result<Vec<Acl>, ErrorCode> {
        let entries = without_duplicates(raw.unwrap_or_default())?;
        if entries.is_empty() {
            return Err(ErrorCode::InvalidAcl);
        }
        let mut fixed = Vec::with_capacity(entries.len());
        for entry in entries {
            self.fix_entry(entry, identities, &mut fixed)?;
        }
        Ok(fixed)
    }

    fn fix_entry(
        &self,
        entry: &RawAcl,
        identities: &[Id],
        fixed: &mut Vec<Acl>,
    ) -> Result<(), ErrorCode> {
        let RawAcl { perms, id: RawId { scheme, id } } = entry;
        let scheme = scheme.as_deref().ok_or(ErrorCode::InvalidAcl)?;
        if scheme == "auth" {
            return self.expand_auth(*perms, identities, fixed);
        }
        let provider = self.scheme(scheme);
        if scheme != "world" && provider.is_none() {
            return Err(ErrorCode::InvalidAcl);
        }
        let id = id.as_deref().ok_or(ErrorCode::MarshallingError)?;
        if !provider.map_or(id == "anyone", |provider| provider.is_valid(id)) {
            return Err(ErrorCode::InvalidAcl);
        }
        let id = Id { scheme: scheme.to_owned(), id: id.to_owned() };
        fixed.push(Acl { perms: *perms, id });
        Ok(())
    }

    /// Gives the permissions to every identity that the client has proven.
    fn expand_auth(
        &self,
        perms: i32,
        identities: &[Id],
        fixed: &mut Vec<Acl>,
    ) -> Result<(), ErrorCode> {
        let before = fixed.len();
        let is_proven = |id: &&Id| self.scheme(&id.scheme).is_some_and(Scheme::is_authenticated);
        fixed.extend(identities.iter().filter(is_proven).map(|id| Acl { perms, id: id.clone() }));
        if fixed.len() == before || fixed.len() > MAX_EXPANDED {
            return Err(ErrorCode::InvalidAcl);
        }
        Ok(())
    }

    /// Whether a client may do something with a znode under this list: `perm` has the bits of which
    /// one entry must give at least one (ZK: `ZooKeeperServer.checkACL`). An empty list lets
    /// everyone pass.
    #[must_use]
    pub fn allows(&self, acl: &[Acl], perm: i32, identities: &[Id]) -> bool {
        self.skip_acl
            || acl.is_empty()
            || acl.iter().any(|entry| entry.perms & perm != 0 && self.means(&entry.id, identities))
            || identities.iter().any(|identity| identity.scheme == "super")
    }

    /// Whether an id in an access control list means a client with these identities.
    fn means(&self, id: &Id, identities: &[Id]) -> bool {
        if id.scheme == "world" {
            return id.id == "anyone";
        }
        let Some(scheme) = self.scheme(&id.scheme) else { return false };
        let mut same_scheme = identities.iter().filter(|identity| identity.scheme == id.scheme);
        same_scheme.any(|identity| scheme.matches(&identity.id, &id.id))
    }
}

/// The entries in their order, each once.
///
/// # Errors
/// `MarshallingError` where Java's comparison of entries fails on a null. It compares permissions,
/// then schemes, then ids, and fails on the later entry's null if all before it was equal.
fn without_duplicates(raw: &[RawAcl]) -> Result<Vec<&RawAcl>, ErrorCode> {
    let mut unique = Vec::with_capacity(raw.len());
    let mut seen = Set::default();
    for entry in raw {
        let (perms, scheme, id) = (entry.perms, &entry.id.scheme, &entry.id.id);
        // What all earlier entries are compared with before a null or the end is met.
        let compared = (perms, scheme.as_ref(), scheme.as_ref().and(id.as_ref()));
        if !seen.contains(&compared) {
            seen.extend([(perms, None, None), (perms, compared.1, None), compared]);
            unique.push(entry);
        } else if scheme.is_none() || id.is_none() {
            return Err(ErrorCode::MarshallingError);
        }
    }
    Ok(unique)
}
