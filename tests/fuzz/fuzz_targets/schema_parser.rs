//! Compiles the input as schemas, several if zero bytes divide it. The compiler must either tell
//! faults, in order and inside the text, or write Rust within the line width.

#![no_main]

use jute::compiler::{Diagnostic, Schema, TextFile};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let sources: Vec<TextFile> = text.split('\0').map(source).collect();
    match Schema::compile(&sources) {
        Ok(schema) => schema.to_rust().iter().for_each(check_rust),
        Err(faults) => {
            assert!(!faults.is_empty() && faults.is_sorted());
            for fault in &faults {
                check_fault(&sources, fault);
            }
        }
    }
});

/// A file that is called as its module, if the text begins with one, so that more than the first
/// check is reached.
fn source(text: &str) -> TextFile {
    let behind = text.split_once("module ").map_or("a", |(_, behind)| behind);
    let name = behind.split(';').next().unwrap_or_default();
    TextFile { name: format!("{name}.jute"), text: text.to_owned() }
}

fn check_fault(sources: &[TextFile], fault: &Diagnostic) {
    let inside = |source: &&TextFile| {
        let line = source.text.split('\n').nth(fault.line - 1);
        let columns = line.map(|line| 1..=line.chars().count() + 1);
        source.name == fault.file && columns.is_some_and(|columns| columns.contains(&fault.column))
    };
    assert!(sources.iter().any(|source| inside(&source)), "{fault}");
}

fn check_rust(file: &TextFile) {
    assert!(file.text.ends_with('\n') && !file.text.ends_with("\n\n"), "{}", file.text);
    for line in file.text.lines().filter(|line| !line.trim_start().starts_with("//")) {
        assert!(line.len() <= 100 && line.trim_end() == line, "{line:?}");
    }
}
