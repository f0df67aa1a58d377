//! `jutec [--check] SCHEMA_DIR OUT_DIR`: compiles all `*.jute` files of one folder to Rust files in
//! another. With `--check` it writes nothing, and fails if a file there is not what it would write.
//!
//! Exit code 0: done; 1: a fault in the schema, a stale file or a file error; 2: wrong arguments.

use jute::compiler::{Schema, TextFile};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

const USAGE: &str = "usage: jutec [--check] SCHEMA_DIR OUT_DIR";

fn main() -> ExitCode {
    let (check, folders): (Vec<OsString>, Vec<OsString>) =
        env::args_os().skip(1).partition(|argument| argument == "--check");
    let [schema, out] = folders.as_slice() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let run = if check.is_empty() { write } else { check_current };
    match compile(Path::new(schema)).and_then(|files| run(Path::new(out), &files)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(faults) => {
            eprintln!("{}", faults.join("\n"));
            ExitCode::FAILURE
        }
    }
}

/// One line per fault.
type Faults = Vec<String>;

fn compile(folder: &Path) -> Result<Vec<TextFile>, Faults> {
    let paths = files(folder, "jute")?;
    if paths.is_empty() {
        return Err(vec![format!("{}: no .jute files", folder.display())]);
    }
    let sources = paths.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
    let shown = |fault| format!("{}", folder.join(format!("{fault}")).display());
    match Schema::compile(&sources) {
        Ok(schema) => Ok(schema.to_rust()),
        Err(faults) => Err(faults.into_iter().map(shown).collect()),
    }
}

fn write(folder: &Path, files: &[TextFile]) -> Result<(), Faults> {
    for file in files {
        let path = folder.join(&file.name);
        fs::write(&path, &file.text).map_err(|error| vec![io_fault(&path, &error)])?;
    }
    match surplus(folder, files)?.as_slice() {
        [] => Ok(()),
        faults => Err(faults.to_vec()),
    }
}

fn check_current(folder: &Path, files: &[TextFile]) -> Result<(), Faults> {
    let mut faults = surplus(folder, files)?;
    for file in files {
        let path = folder.join(&file.name);
        match fs::read_to_string(&path) {
            Ok(text) if text == file.text => {}
            Ok(_) => faults.push(format!("{}: stale, run jutec", path.display())),
            Err(error) => faults.push(io_fault(&path, &error)),
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// Rust files in the output folder that no schema stands behind.
fn surplus(folder: &Path, expected: &[TextFile]) -> Result<Faults, Faults> {
    let mut paths = files(folder, "rs")?;
    paths.retain(|path| {
        let name = path.file_name().and_then(OsStr::to_str);
        !expected.iter().any(|file| Some(file.name.as_str()) == name)
    });
    Ok(paths.iter().map(|path| format!("{}: no schema for it", path.display())).collect())
}

/// The folder's files with this extension, sorted.
fn files(folder: &Path, extension: &str) -> Result<Vec<PathBuf>, Faults> {
    let entries = fs::read_dir(folder).map_err(|error| vec![io_fault(folder, &error)])?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| vec![io_fault(folder, &error)])?.path();
        if path.extension() == Some(OsStr::new(extension)) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn read(path: &Path) -> Result<TextFile, Faults> {
    let text = fs::read_to_string(path).map_err(|error| vec![io_fault(path, &error)])?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(TextFile { name, text })
}

fn io_fault(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}
