//! The client's view of paths: relative to its chroot.

use super::ClientError;
use crate::types::path;

/// The server's path for a client's, which is checked.
pub(super) fn full(chroot: &str, shown: &str) -> Result<String, ClientError> {
    path::validate(shown)?;
    Ok(match (chroot, shown) {
        ("", _) => shown.to_owned(),
        (_, "/") => chroot.to_owned(),
        _ => [chroot, shown].concat(),
    })
}

/// The server's path for the beginning of a sequential znode's name, which may be empty.
pub(super) fn full_prefix(chroot: &str, shown: &str) -> Result<String, ClientError> {
    path::validate(&[shown, "1"].concat())?;
    Ok([chroot, shown].concat())
}

/// The client's path for a server's. Paths outside the chroot, of which servers do not tell, are
/// left as they are.
pub(super) fn below<'a>(chroot: &str, full: &'a str) -> &'a str {
    match full.strip_prefix(chroot) {
        Some("") => "/",
        Some(shown) if shown.starts_with('/') => shown,
        _ => full,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_go_below_the_chroot_and_back() {
        for (chroot, shown, there) in
            [("", "/", "/"), ("", "/a", "/a"), ("/app", "/", "/app"), ("/app", "/a/b", "/app/a/b")]
        {
            assert_eq!(full(chroot, shown).as_deref(), Ok(there));
            assert_eq!(below(chroot, there), shown);
        }
        assert_eq!(below("/app", "/apple"), "/apple");
        assert!(full("/app", "a").is_err());
    }

    #[test]
    fn a_sequential_name_may_be_empty() {
        assert_eq!(full_prefix("/app", "/q/").as_deref(), Ok("/app/q/"));
        assert!(full("/app", "/q/").is_err());
        assert!(full_prefix("/app", "/q//").is_err());
    }
}
