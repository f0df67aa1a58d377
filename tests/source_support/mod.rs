//! What the tests of the source text share: all Rust files of the repository, and their text
//! without strings or comments.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]

use std::fs;
use std::path::Path;

/// A Rust file.
pub struct Source {
    /// Its path below the repository's root, with `/`.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// What of a file's text is to be blanked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blank {
    /// The content of strings and characters.
    Strings,
    /// That and comments.
    StringsAndComments,
}

/// The Rust files below some folders of the repository, by path.
pub fn sources(folders: &[&str]) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    for folder in folders {
        collect(root, &root.join(folder), &mut sources);
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!sources.is_empty(), "no sources below {folders:?}");
    sources
}

fn collect(root: &Path, folder: &Path, sources: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            if path.file_name().is_none_or(|name| name != "target") {
                collect(root, &path, sources);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("UTF-8");
            let path = path.strip_prefix(root).expect("a path below the root");
            sources.push(Source { path: path.to_str().expect("UTF-8").replace('\\', "/"), text });
        }
    }
}

impl Source {
    /// The text with blanks for what is not wanted; lines and columns (in characters) stay.
    pub fn blanked(&self, blank: Blank) -> String {
        let mut scanner = Scanner { rest: &self.text, out: String::new() };
        while !scanner.rest.is_empty() {
            scanner.step(blank);
        }
        scanner.out
    }
}

struct Scanner<'a> {
    rest: &'a str,
    out: String,
}

impl Scanner<'_> {
    fn step(&mut self, blank: Blank) {
        let hide_comments = blank == Blank::StringsAndComments;
        if self.rest.starts_with("//") {
            let end = self.rest.find('\n').unwrap_or(self.rest.len());
            self.take(end, hide_comments);
        } else if self.rest.starts_with("/*") {
            let end = self.rest.find("*/").map_or(self.rest.len(), |at| at + 2);
            self.take(end, hide_comments);
        } else if let Some(end) = raw_string(self.rest).or_else(|| quoted(self.rest)) {
            self.take(end, true);
        } else {
            // A whole word at once, so that an `r` at its end does not look like a raw string.
            let word = |c: char| c.is_alphanumeric() || c == '_';
            let end = self.rest.find(|c| !word(c)).unwrap_or(self.rest.len());
            let first = self.rest.chars().next().map_or(0, char::len_utf8);
            self.take(end.max(first), false);
        }
    }

    fn take(&mut self, end: usize, hide: bool) {
        let (taken, rest) = self.rest.split_at(end);
        let shown = |c: char| if hide && c != '\n' { ' ' } else { c };
        self.out.extend(taken.chars().map(shown));
        self.rest = rest;
    }
}

/// Where a raw string that begins here ends.
fn raw_string(text: &str) -> Option<usize> {
    let body = text.strip_prefix("br").or_else(|| text.strip_prefix('r'))?;
    let hashes = body.len() - body.trim_start_matches('#').len();
    let content = body[hashes..].strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(hashes));
    let end = content.find(&close)?;
    Some(text.len() - content.len() + end + close.len())
}

/// Where a string or a character that begins here ends; lifetimes are neither.
fn quoted(text: &str) -> Option<usize> {
    let body = text.strip_prefix('b').unwrap_or(text);
    let quote = body.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    if quote == '\'' && !is_character(&body[1..]) {
        return None;
    }
    let mut escaped = false;
    for (at, c) in body.char_indices().skip(1) {
        if c == quote && !escaped {
            return Some(text.len() - body.len() + at + 1);
        }
        escaped = c == '\\' && !escaped;
    }
    None
}

/// Whether what follows a `'` makes it a character.
fn is_character(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next() == Some('\\') || chars.next() == Some('\'')
}
