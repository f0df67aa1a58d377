//! Rules of the source text that neither the compiler nor its lints check.

mod source_support;

use source_support::{Blank, Source, sources};
use std::collections::BTreeSet;

const MAX_COLUMNS: usize = 100;
const MAX_FUNCTION_LINES: usize = 70;
const MAX_FILE_LINES: usize = 800;
/// A hash or an address of this many characters cannot be broken, and its line may be longer; so
/// may the row of a table.
const LONG_WORD: usize = 60;

/// Longer functions that there are; this list only ever gets shorter.
const LONG_FUNCTIONS: [(&str, &str); 0] = [];

/// Words that stand in no finished code, except in the content of strings.
const BANNED: [&str; 7] = ["dbg!", "todo!", "unimplemented!", "FIXME", "TODO", "XXX", ".unwrap()"];

fn all() -> Vec<Source> {
    sources(&["src", "tests", "jute/src", "jute/tests"])
}

fn check(violations: &[String]) {
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

fn is_generated(source: &Source) -> bool {
    source.path.starts_with("jute/src/generated/")
}

fn is_test(source: &Source) -> bool {
    let path = &source.path;
    path.starts_with("tests/") || path.contains("/tests/") || path.ends_with("tests.rs")
}

#[test]
fn files_begin_with_what_they_are_for() {
    let bare = all().into_iter().filter(|source| !source.text.starts_with("//! "));
    check(&bare.map(|source| format!("{}: no `//!` header", source.path)).collect::<Vec<_>>());
}

#[test]
fn files_are_short() {
    let long = all().into_iter().filter(|source| !is_generated(source));
    let long = long.map(|source| (source.text.lines().count(), source.path));
    let long = long.filter(|(lines, _)| *lines > MAX_FILE_LINES);
    check(&long.map(|(lines, path)| format!("{path}: {lines} lines")).collect::<Vec<_>>());
}

#[test]
fn lines_are_short_and_clean() {
    let mut violations = Vec::new();
    for source in all() {
        let unbroken = |line: &str| line.split_whitespace().any(|word| word.len() > LONG_WORD);
        for (number, line) in source.text.lines().enumerate() {
            let place = format!("{}:{}", source.path, number + 1);
            let is_table = line.trim_start().starts_with("//! |");
            if line.chars().count() > MAX_COLUMNS && !is_table && !unbroken(line) {
                violations.push(format!("{place}: more than {MAX_COLUMNS} columns"));
            }
            if line.contains('\t') {
                violations.push(format!("{place}: a tab"));
            }
            if line.trim_end() != line {
                violations.push(format!("{place}: blanks at the end"));
            }
        }
        if !source.text.ends_with('\n') || source.text.ends_with("\n\n") {
            violations.push(format!("{}: must end with one line feed", source.path));
        }
    }
    check(&violations);
}

#[test]
fn no_word_says_that_something_is_unfinished() {
    let mut violations = Vec::new();
    for source in all() {
        for (number, line) in source.blanked(Blank::Strings).lines().enumerate() {
            for word in BANNED {
                if has_word(line, word) && !(word == ".unwrap()" && is_test(&source)) {
                    violations.push(format!("{}:{}: {word}", source.path, number + 1));
                }
            }
        }
    }
    check(&violations);
}

/// Whether a line holds a word that is not a part of a longer one.
fn has_word(line: &str, word: &str) -> bool {
    let part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back().filter(|_| !word.starts_with('.'));
        !part(before) && !part(line[at + word.len()..].chars().next())
    })
}

#[test]
fn functions_are_short() {
    let mut violations = Vec::new();
    let mut allowed = BTreeSet::from(LONG_FUNCTIONS);
    for source in all().iter().filter(|source| !is_generated(source)) {
        for function in functions(&source.blanked(Blank::StringsAndComments)) {
            let Function { name, line, lines } = function;
            let is_long = lines > MAX_FUNCTION_LINES;
            let listed = allowed.iter().copied().find(|entry| *entry == (&*source.path, &*name));
            match listed {
                Some(entry) if is_long => drop(allowed.remove(&entry)),
                None if is_long => {
                    violations.push(format!("{}:{line}: {name} has {lines} lines", source.path));
                }
                _ => {}
            }
        }
    }
    let stale = allowed.iter().map(|entry| format!("no longer long, strike it out: {entry:?}"));
    violations.extend(stale);
    check(&violations);
}

#[derive(Debug, PartialEq, Eq)]
struct Function {
    name: String,
    /// Where it begins, from 1.
    line: usize,
    /// From its signature to its closing brace.
    lines: usize,
}

/// The functions with bodies in a text without strings and comments.
fn functions(text: &str) -> Vec<Function> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("fn ") {
        let is_word = !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let rest = &text[at + 3..];
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        if is_word
            && end > 0
            && let Some(body) = body(rest)
        {
            let line = text[..at].lines().count().max(1);
            let lines = rest[..body].lines().count();
            found.push(Function { name: rest[..end].to_owned(), line, lines });
        }
    }
    found
}

/// Where the body of a function ends, whose signature this text begins with.
fn body(text: &str) -> Option<usize> {
    let (mut braces, mut brackets) = (0_usize, 0_usize);
    for (at, c) in text.char_indices() {
        match c {
            // `[u8; 4]` in a signature is no end.
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets = brackets.saturating_sub(1),
            ';' if braces == 0 && brackets == 0 => return None,
            '{' => braces += 1,
            '}' => {
                braces = braces.checked_sub(1)?;
                if braces == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

#[test]
fn folders_of_modules_hold_their_root() {
    let sources = sources(&["src", "jute/src"]);
    let paths: BTreeSet<_> = sources.iter().map(|source| source.path.as_str()).collect();
    let mut violations = Vec::new();
    for path in &paths {
        let Some((folder, file)) = path.rsplit_once('/') else { continue };
        let is_root = matches!(folder, "src" | "jute/src" | "jute/src/bin");
        if !is_root && !paths.contains(format!("{folder}/mod.rs").as_str()) {
            violations.push(format!("{folder}: no mod.rs"));
        }
        let module = format!("{folder}/{}/mod.rs", file.trim_end_matches(".rs"));
        if paths.contains(module.as_str()) {
            violations.push(format!("{path} beside {module}"));
        }
    }
    check(&violations);
}

#[test]
fn the_scanner_knows_strings_from_lifetimes() {
    let text =
        r##"fn f<'a>(x: &'a str) -> char { r#"fn g() {"#; b"}"; '{'; '\''; br"{"; "\"}" } // fn"##;
    let source = Source { path: String::new(), text: text.to_owned() };
    let shown = source.blanked(Blank::StringsAndComments);
    assert_eq!(shown.len(), text.len());
    assert_eq!(shown.split_whitespace().collect::<Vec<_>>().join(" "), {
        "fn f<'a>(x: &'a str) -> char { ; ; ; ; ; }"
    });
    let found = functions("mod m {\n fn a(x: [u8; 2])\n {\n if x {\n }\n }\n fn b();\n}\n");
    assert_eq!(found, [Function { name: "a".to_owned(), line: 2, lines: 5 }]);
    assert!(has_word("x.unwrap()", ".unwrap()") && !has_word("\\uXXXX", "XXX"));
}
