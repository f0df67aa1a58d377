//! Znode paths: what is allowed, and how they split (ZK: `PathUtils`).

/// Why a path is not one of a znode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidPath(pub &'static str);

impl std::fmt::Display for InvalidPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for InvalidPath {}

/// Checks a path by ZooKeeper's rules.
///
/// # Errors
/// The rule that is broken.
pub fn validate(path: &str) -> Result<(), InvalidPath> {
    if path == "/" {
        return Ok(());
    }
    let Some(names) = path.strip_prefix('/') else {
        return Err(InvalidPath("a path must start with /"));
    };
    for name in names.split('/') {
        match name {
            "" => return Err(InvalidPath("a path must not end with / nor hold an empty name")),
            "." | ".." => return Err(InvalidPath("relative names are not allowed")),
            _ => {}
        }
    }
    // Bytes below 0x80 decide for themselves; only other text needs its characters looked at.
    let printable = |byte: &u8| (0x20..0x7f).contains(byte);
    if !path.as_bytes().iter().all(printable) && !path.chars().all(is_allowed) {
        return Err(InvalidPath(
            "a path must not hold control, private or supplementary characters",
        ));
    }
    Ok(())
}

/// Whether ZooKeeper allows a character in a path. It looks at UTF-16 units, so everything outside
/// the basic plane is refused for its surrogates.
fn is_allowed(character: char) -> bool {
    !matches!(character,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{e000}'..='\u{f8ff}' | '\u{fff0}'..)
}

/// The parent's path and the name of a path that holds a `/`. The root's parent is `""`, as is the
/// parent of its children here: callers treat `""` and `"/"` alike.
#[must_use]
pub fn split(path: &str) -> Option<(&str, &str)> {
    path.rsplit_once('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_paths_pass() {
        for path in ["/", "/a", "/a/b", "/a b/ü", "/a/...", "/zookeeper/quota"] {
            assert_eq!(validate(path), Ok(()), "{path}");
        }
    }

    #[test]
    fn bad_paths_are_refused() {
        for path in [
            "",
            "a",
            "/a/",
            "//",
            "/a//b",
            "/.",
            "/a/..",
            "/a/./b",
            "/a\0",
            "/\u{1}",
            "/\u{7f}",
            "/\u{9f}",
            "/\u{e000}",
            "/\u{fff0}",
            "/\u{1f600}",
        ] {
            assert!(validate(path).is_err(), "{path:?}");
        }
    }
}
