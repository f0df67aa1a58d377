//! The committed records are what the compiler makes of the schemas, and `jutec` tells when they
//! are not.

mod common;

use common::{GENERATED_DIR, SCHEMA_DIR, schema, text_files};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

#[test]
fn committed_records_are_current() {
    let mut fresh = schema().to_rust();
    fresh.sort_by(|a, b| a.name.cmp(&b.name));
    let committed = text_files(GENERATED_DIR);
    let names = |files: &[jute::compiler::TextFile]| -> Vec<String> {
        files.iter().map(|file| file.name.clone()).collect()
    };
    assert_eq!(names(&committed), names(&fresh));
    for (committed, fresh) in committed.iter().zip(&fresh) {
        assert!(committed.text == fresh.text, "{} is stale, run jutec", fresh.name);
    }
}

#[test]
fn check_accepts_the_committed_records() {
    let output = jutec(&["--check", SCHEMA_DIR, GENERATED_DIR]);
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), String::new()));
}

#[test]
fn check_names_the_stale_the_missing_and_the_surplus_file() {
    let out = empty_folder("stale");
    assert_eq!(jutec(&[SCHEMA_DIR, &shown(&out)]).status.code(), Some(0));
    let stale = out.join("quorum.rs");
    fs::write(&stale, "// Edited.\n").expect("writable");
    let missing = out.join("disk.rs");
    fs::remove_file(&missing).expect("writable");
    let surplus = out.join("old.rs");
    fs::write(&surplus, "").expect("writable");

    let output = jutec(&["--check", SCHEMA_DIR, &shown(&out)]);
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    assert_eq!(text.lines().count(), 3, "{text}");
    for path in [&stale, &missing, &surplus] {
        assert!(text.contains(&format!("{}: ", path.display())), "{text}");
    }
    assert_eq!(fs::read_to_string(&stale).expect("readable"), "// Edited.\n");
    assert!(!missing.exists());
}

#[test]
fn faults_of_a_schema_come_with_its_path_and_leave_the_output_alone() {
    let (schema, out) = (empty_folder("bad-schema"), empty_folder("bad-schema-out"));
    let path = schema.join("a.jute");
    fs::write(&path, "module a;\n\nrecord A {\n    it x\n}\n").expect("writable");
    let output = jutec(&[&shown(&schema), &shown(&out)]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stderr(&output), format!("{}:5:1: expected `;`, found `}}`\n", path.display()));
    assert_eq!(text_files(&out), []);
}

#[test]
fn folders_must_exist_and_hold_schemas() {
    let empty = shown(&empty_folder("no-schema"));
    for arguments in [[empty.as_str(), empty.as_str()], ["/does/not/exist", empty.as_str()]] {
        let output = jutec(&arguments);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).starts_with(arguments[0]), "{}", stderr(&output));
    }
}

#[test]
fn wrong_arguments_show_the_usage() {
    for arguments in [&[][..], &["one"], &["--check", "one"], &["one", "two", "three"]] {
        let output = jutec(arguments);
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).starts_with("usage: jutec"), "{}", stderr(&output));
    }
}

fn jutec(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_jutec")).args(arguments).output().expect("jutec runs")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("messages are UTF-8")
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn empty_folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("jutec").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).expect("writable");
    }
    fs::create_dir_all(&folder).expect("writable");
    folder
}
