//! Where a setting was written, and what is wrong with a configuration.
//!
//! Texts are made here and nowhere else, so that every complaint names the place, the key, the
//! value and what is allowed. Values of secret keys never appear.

use std::fmt;
use std::path::{Path, PathBuf};

/// Where a setting comes from. The order is the order of precedence: the later one wins.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Nobody wrote it: it belongs to the way the server was started.
    BuiltIn,
    /// A file, and the line in it (counted from 1) where the setting starts. No line means the
    /// file as a whole.
    File(PathBuf, Option<usize>),
    /// A `-D` property in this environment variable. The number is the variable's place among the
    /// variables that are read; a later one wins.
    Environment(usize, String),
    /// A flag or an argument of the command line.
    CommandLine,
}

impl Origin {
    /// The file as a whole.
    pub(super) fn file(path: &Path) -> Self {
        Self::File(path.to_owned(), None)
    }

    /// A line of a file, counted from 1.
    pub(super) fn line(path: &Path, line: usize) -> Self {
        Self::File(path.to_owned(), Some(line))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built in"),
            Self::File(path, None) => write!(f, "{}", path.display()),
            Self::File(path, Some(line)) => write!(f, "{}:{line}", path.display()),
            Self::Environment(_, variable) => f.write_str(variable),
            Self::CommandLine => f.write_str("command line"),
        }
    }
}

/// One thing that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where it is to be mended.
    pub origin: Origin,
    /// The key, as it was written there; none if the problem is not one of a single key.
    pub key: Option<String>,
    /// The refused value; none if the key alone is the problem, or if the value is a secret.
    pub value: Option<String>,
    /// What is allowed, or what contradicts it.
    pub reason: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.key, &self.value) {
            (Some(key), Some(value)) => {
                write!(f, "{}: {key} = \"{value}\": {}", self.origin, self.reason)
            }
            (Some(key), None) => write!(f, "{}: {key}: {}", self.origin, self.reason),
            (None, _) => write!(f, "{}: {}", self.origin, self.reason),
        }
    }
}

/// A configuration that cannot be used. All its problems are reported together, one a line, in the
/// order of the places where they are to be mended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    problems: Vec<Problem>,
}

impl ConfigError {
    /// An error of these problems, of which there is at least one.
    pub(super) fn new(mut problems: Vec<Problem>) -> Self {
        assert!(!problems.is_empty(), "an error says what is wrong");
        problems.sort();
        problems.dedup();
        Self { problems }
    }

    /// What is wrong, in the order of the places; never empty.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}
