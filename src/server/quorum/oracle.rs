//! The oracle of an ensemble of two: a file whose first character says whether this server may go
//! on alone (ZK: `QuorumOracleMaj.askOracle`).
//!
//! Whoever writes the file promises that two servers never read a 1 at the same time, and that
//! whoever reads one has everything that is decided.

use parking_lot::Mutex;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The file, and what it said last.
#[derive(Clone, Debug)]
pub(super) struct Oracle {
    path: Option<PathBuf>,
    last: Arc<Mutex<Option<String>>>,
}

impl Oracle {
    pub(super) fn new(path: Option<PathBuf>) -> Self {
        Self { path, last: Arc::default() }
    }

    /// Whether this server may go on alone. A file that cannot be read says no.
    pub(super) async fn ask(&self) -> bool {
        let Some(path) = self.path.clone() else { return false };
        let file = path.clone();
        let said = tokio::task::spawn_blocking(move || read(&file)).await;
        let said = said.unwrap_or_else(|error| Err(io::Error::other(error)));
        let text = match &said {
            Ok(true) => "this server may go on alone".to_owned(),
            Ok(false) => "this server must not go on alone".to_owned(),
            Err(error) => format!("this server must not go on alone: {error}"),
        };
        let mut last = self.last.lock();
        if last.as_ref() != Some(&text) {
            tracing::info!("the oracle {} says that {text}", path.display());
            *last = Some(text);
        }
        matches!(said, Ok(true))
    }
}

fn read(path: &Path) -> io::Result<bool> {
    // A pipe would keep whoever opens it.
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut first = [0];
    let size = File::open(path)?.read(&mut first)?;
    Ok(size == 1 && first == *b"1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_a_one_at_the_beginning_says_yes() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("mastership");
        let oracle = Oracle::new(Some(path.clone()));
        assert!(!oracle.ask().await, "there is no file");
        for (text, says) in [("1", true), ("1\n", true), ("0", false), ("", false), (" 1", false)] {
            std::fs::write(&path, text).expect("a file");
            assert_eq!(oracle.ask().await, says, "{text:?}");
        }
        assert!(!Oracle::new(Some(dir.path().to_owned())).ask().await, "a directory");
        assert!(!Oracle::new(None).ask().await);
    }
}
