//! What this server says it is.

/// The version as ZooKeeper shows it: the one whose behaviour this server has comes first, where
/// scripts look for major, minor and patch. There is no build date, so that equal sources make
/// equal programs; a fixed one keeps the form.
pub(super) const FULL: &str =
    concat!("3.9.5-zabra-", env!("CARGO_PKG_VERSION"), ", built on 1970-01-01 00:00 UTC");
