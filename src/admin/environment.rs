//! The word `envi` (ZK: `Environment.list`).

use super::{process, version};
use std::fmt::Write;

/// ZooKeeper's word for what is not set.
pub(super) const ABSENT: &str = "<NA>";

/// The keys in ZooKeeper's order, with what they are here. Those of Java stay, because scripts look
/// for them; there is no Java here, and ZooKeeper has a word for properties that are not set.
pub(super) fn entries() -> Vec<(&'static str, Option<String>)> {
    let directory = std::env::current_dir().ok().map(|dir| dir.display().to_string());
    let memory = process::memory_mb();
    let (free, total) = (memory.map(|memory| memory.0), memory.map(|memory| memory.1));
    let megabytes = |size: Option<u64>| size.map(|size| format!("{size}MB"));
    vec![
        ("zookeeper.version", Some(version::FULL.to_owned())),
        ("host.name", process::kernel("hostname")),
        ("java.version", None),
        ("java.vendor", None),
        ("java.home", None),
        ("java.class.path", None),
        ("java.library.path", None),
        ("java.io.tmpdir", Some(std::env::temp_dir().display().to_string())),
        ("java.compiler", None),
        ("os.name", process::kernel("ostype")),
        ("os.arch", Some(architecture().to_owned())),
        ("os.version", process::kernel("osrelease")),
        ("user.name", std::env::var("USER").ok()),
        ("user.home", std::env::var("HOME").ok()),
        ("user.dir", directory),
        ("os.memory.free", megabytes(free)),
        ("os.memory.max", megabytes(total)),
        ("os.memory.total", megabytes(total)),
    ]
}

/// The text of the word.
pub(super) fn text(entries: &[(&str, Option<String>)]) -> String {
    let mut text = "Environment:\n".to_owned();
    for (key, value) in entries {
        let _ = writeln!(text, "{key}={}", value.as_deref().unwrap_or(ABSENT));
    }
    text
}

/// The processor as Java names it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::super::recorded;
    use super::*;

    #[test]
    fn the_keys_are_those_of_zookeeper() {
        let keys = |text: &str| -> Vec<String> {
            let keys = text.lines().map(|line| line.split('=').next().unwrap_or_default());
            keys.map(str::to_owned).collect()
        };
        assert_eq!(keys(&text(&entries())), keys(recorded::ENVI));
    }

    #[test]
    fn what_is_not_there_has_a_word() {
        let entries = [("a", Some("b c".to_owned())), ("java.compiler", None)];
        assert_eq!(text(&entries), "Environment:\na=b c\njava.compiler=<NA>\n");
    }
}
