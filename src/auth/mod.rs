//! Who a client is, and what it may do: authentication schemes and access control lists.
//!
//! Identities of a connection are a list without duplicates that starts with its address. Knows
//! nothing of the tree or of connections: lists and identities come in, verdicts go out.

mod acl;
mod digest;
mod ip;
mod options;
#[cfg(test)]
mod tests;

pub use acl::{add_identities, mask_digests, user_name};
pub use digest::{DigestAlgorithm, UnknownAlgorithm, digest_id};
pub use ip::ip_identity;
pub use options::{AuthConfigError, AuthFailed, AuthOptions};
