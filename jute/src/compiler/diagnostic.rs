//! What is wrong with a schema, and where.

use super::ast::Place;
use std::fmt;

/// One fault in one source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Diagnostic {
    /// Name of the source.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong: one clause without a full stop.
    pub message: String,
}

impl Diagnostic {
    pub(super) fn new(source: &super::TextFile, place: Place, message: String) -> Self {
        let (line, column) = place.line_and_column(&source.text);
        Self { file: source.name.clone(), line, column, message }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)
    }
}

impl std::error::Error for Diagnostic {}
