//! Why a path cannot be one of a znode, in zkCli's words (ZK: `PathUtils`).

/// Checks a path.
///
/// # Errors
/// What zkCli prints.
pub(super) fn check(path: &str) -> Result<(), String> {
    if path.is_empty() {
        return Err("Path length must be > 0".to_owned());
    }
    if !path.starts_with('/') {
        return Err("Path must start with / character".to_owned());
    }
    if path == "/" {
        return Ok(());
    }
    if path.ends_with('/') {
        return Err("Path must not end with / character".to_owned());
    }
    match fault(path) {
        None => Ok(()),
        Some((at, fault)) => Err(format!("Invalid path string \"{path}\" caused by {fault} @{at}")),
    }
}

/// Checks the beginning of a sequential znode's path: the server completes its last name.
///
/// # Errors
/// What zkCli prints.
pub(super) fn check_prefix(path: &str) -> Result<(), String> {
    check(&[path, "1"].concat())
}

/// The first fault of a path that begins with `/`, and the UTF-16 unit where it is.
fn fault(path: &str) -> Option<(usize, &'static str)> {
    let mut start = 0;
    path.split('/').skip(1).find_map(|name| {
        start += 1;
        let fault = match name {
            "" => Some((start, "empty node name specified")),
            "." => Some((start, "relative paths not allowed")),
            ".." => Some((start + 1, "relative paths not allowed")),
            _ => character_fault(name).map(|(at, fault)| (start + at, fault)),
        };
        start += units(name);
        fault
    })
}

/// The first character of a name that no path may hold.
fn character_fault(name: &str) -> Option<(usize, &'static str)> {
    let (at, fault) = name.char_indices().find_map(|(at, character)| match character {
        '\0' => Some((at, "null character not allowed")),
        '\u{1}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{e000}'..='\u{f8ff}' | '\u{fff0}'.. => {
            Some((at, "invalid character"))
        }
        _ => None,
    })?;
    Some((units(&name[..at]), fault))
}

fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_told_with_their_place() {
        for (path, wanted) in [
            ("", "Path length must be > 0"),
            ("a", "Path must start with / character"),
            ("/a/", "Path must not end with / character"),
            ("/t//b", "Invalid path string \"/t//b\" caused by empty node name specified @3"),
            ("/t/../b", "Invalid path string \"/t/../b\" caused by relative paths not allowed @4"),
            (
                "/\u{fc}.\u{1}",
                "Invalid path string \"/\u{fc}.\u{1}\" caused by invalid character @3",
            ),
            ("/\u{1f600}", "Invalid path string \"/\u{1f600}\" caused by invalid character @1"),
        ] {
            assert_eq!(check(path), Err(wanted.to_owned()), "{path:?}");
        }
    }

    #[test]
    fn what_passes_here_passes_in_the_client() {
        for path in ["/", "/a", "/a/...", "/a b/\u{fc}", "/.a", "/a..", "/..a/b"] {
            assert_eq!(check(path), Ok(()), "{path}");
            assert_eq!(crate::types::path::validate(path), Ok(()), "{path}");
        }
        assert_eq!(check_prefix("/q/"), Ok(()));
    }
}
