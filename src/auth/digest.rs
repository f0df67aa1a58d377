//! The `digest` scheme: a user name and the hash of name and password
//! (ZK: `DigestAuthenticationProvider`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512, Sha512_224, Sha512_256};
use sha3::{Sha3_224, Sha3_256, Sha3_384, Sha3_512};
use std::str::FromStr;

/// The hash that turns a password into what stands in an ACL
/// (`DigestAuthenticationProvider.digestAlg`). All servers of an ensemble must use the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names of the hashes say it all")]
pub enum DigestAlgorithm {
    #[default]
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
    Sha512_224,
    Sha512_256,
    Sha3_224,
    Sha3_256,
    Sha3_384,
    Sha3_512,
}

/// A hash that this server does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a digest algorithm of this server; it has SHA1, SHA-224, SHA-256, SHA-384, \
     SHA-512, SHA-512/224, SHA-512/256, SHA3-224, SHA3-256, SHA3-384 and SHA3-512"
)]
pub struct UnknownAlgorithm(pub String);

impl FromStr for DigestAlgorithm {
    type Err = UnknownAlgorithm;

    /// Reads a name of Java's `MessageDigest`, in which case does not matter. The old and broken
    /// MD2 and MD5, which Java still takes, are refused.
    fn from_str(name: &str) -> Result<Self, UnknownAlgorithm> {
        Ok(match name.to_ascii_uppercase().as_str() {
            "SHA" | "SHA1" | "SHA-1" => Self::Sha1,
            "SHA-224" | "SHA224" => Self::Sha224,
            "SHA-256" | "SHA256" => Self::Sha256,
            "SHA-384" | "SHA384" => Self::Sha384,
            "SHA-512" | "SHA512" => Self::Sha512,
            "SHA-512/224" | "SHA512/224" => Self::Sha512_224,
            "SHA-512/256" | "SHA512/256" => Self::Sha512_256,
            "SHA3-224" => Self::Sha3_224,
            "SHA3-256" => Self::Sha3_256,
            "SHA3-384" => Self::Sha3_384,
            "SHA3-512" => Self::Sha3_512,
            _ => return Err(UnknownAlgorithm(name.to_owned())),
        })
    }
}

impl DigestAlgorithm {
    fn hash_to_base64(self, text: &str) -> String {
        match self {
            Self::Sha1 => encode::<Sha1>(text),
            Self::Sha224 => encode::<Sha224>(text),
            Self::Sha256 => encode::<Sha256>(text),
            Self::Sha384 => encode::<Sha384>(text),
            Self::Sha512 => encode::<Sha512>(text),
            Self::Sha512_224 => encode::<Sha512_224>(text),
            Self::Sha512_256 => encode::<Sha512_256>(text),
            Self::Sha3_224 => encode::<Sha3_224>(text),
            Self::Sha3_256 => encode::<Sha3_256>(text),
            Self::Sha3_384 => encode::<Sha3_384>(text),
            Self::Sha3_512 => encode::<Sha3_512>(text),
        }
    }
}

fn encode<D: Digest>(text: &str) -> String {
    STANDARD.encode(D::digest(text))
}

/// The id that `user:password` proves: the user's name and the hash of both. Text without a colon
/// is a user without a password, as in ZooKeeper.
#[must_use]
pub fn digest_id(user_and_password: &str, algorithm: DigestAlgorithm) -> String {
    format!("{}:{}", user_of(user_and_password), algorithm.hash_to_base64(user_and_password))
}

/// What stands before the first colon.
pub(super) fn user_of(id: &str) -> &str {
    id.split_once(':').map_or(id, |(user, _)| user)
}

/// Whether an id may stand in an ACL: two parts around a colon, the first of which may be empty.
/// Java's `split` drops empty parts at the end, so `a:b:` passes and `a:` does not.
pub(super) fn is_valid(id: &str) -> bool {
    let id = id.trim_end_matches(':');
    id.bytes().filter(|byte| *byte == b':').count() == 1
}
