//! A shell that reads lines: with a prompt and line editing on a terminal, without them elsewhere.

use super::announcer::{Announcer, Kind, Print};
use super::completion::Completion;
use super::{Shell, words};
use rustyline::config::{CompletionType, Config};
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{Editor, ExternalPrinter as _};
use std::env;
use std::fs;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::time::Duration;
use tokio::runtime::Runtime;

type LineEditor = Editor<Completion, FileHistory>;

/// How many lines are kept from one run to the next.
const HISTORY_LINES: usize = 10_000;
/// How long the first prompt waits for a connection.
const FIRST_PROMPT: Duration = Duration::from_millis(500);

/// Reads lines and runs them until there are no more. The exit code is the last command's.
pub(super) fn run(runtime: &Runtime, shell: &mut Shell) -> u8 {
    if !(io::stdin().is_terminal() && io::stdout().is_terminal()) {
        return run_plain(runtime, shell);
    }
    let completion = Completion::new(runtime.handle().clone(), shell.session.current());
    match editor(completion) {
        Ok(editor) => run_edited(runtime, shell, editor),
        Err(error) => {
            eprintln!("zabra shell: no line editing: {error}");
            run_plain(runtime, shell)
        }
    }
}

/// Reads lines from a file, a pipe or another program.
fn run_plain(runtime: &Runtime, shell: &mut Shell) -> u8 {
    let print = |kind, text: String| {
        // Nobody is left to complain to.
        let _ = match kind {
            Kind::Event => io::stdout().write_all(text.as_bytes()),
            Kind::Note => io::stderr().write_all(text.as_bytes()),
        };
    };
    if let Some(code) = begin(runtime, shell, Box::new(print)) {
        return code;
    }
    runtime.spawn(async {
        if tokio::signal::ctrl_c().await.is_ok() {
            // Between lines, nothing else notices it.
            std::process::exit(i32::from(INTERRUPTED));
        }
    });
    let mut code = 0;
    for line in io::stdin().lock().lines() {
        match line {
            Ok(line) => code = run_line(runtime, shell, line, code),
            Err(error) => {
                eprintln!("zabra shell: cannot read the next command: {error}");
                return 1;
            }
        }
        if shell.is_done {
            break;
        }
    }
    code
}

/// The exit code of programs that end by Ctrl-C.
const INTERRUPTED: u8 = 130;

/// Reads lines from a terminal.
fn run_edited(runtime: &Runtime, shell: &mut Shell, mut editor: LineEditor) -> u8 {
    let print: Print = match editor.create_external_printer() {
        Ok(mut printer) => Box::new(move |_, text| {
            // Nobody is left to complain to.
            let _ = printer.print(text);
        }),
        Err(_) => Box::new(|_, text| print!("{text}")),
    };
    if let Some(code) = begin(runtime, shell, print) {
        return code;
    }
    // Ctrl-C is never the end of the shell, not even before the first command.
    runtime.spawn(async { while tokio::signal::ctrl_c().await.is_ok() {} });
    let history = history_file();
    if let Some(history) = &history {
        // There is none before the first run.
        let _ = editor.load_history(history);
    }
    println!(
        "Zabra shell, at {}. `help` lists the commands, Tab completes.",
        shell.session.place().0
    );
    runtime.block_on(shell.session.settle(FIRST_PROMPT));
    let mut code = 0;
    while !shell.is_done {
        let (servers, state) = shell.session.place();
        let prompt = format!("[zk: {servers}({state}) {}] ", shell.lines.len());
        match editor.readline(&prompt) {
            Ok(line) => {
                remember(&mut editor, history.as_ref(), &line);
                code = run_line(runtime, shell, line, code);
            }
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => break,
            Err(error) => {
                eprintln!("zabra shell: cannot read the next command: {error}");
                return 1;
            }
        }
    }
    code
}

/// Begins the session. An exit code if there can be none.
fn begin(runtime: &Runtime, shell: &mut Shell, print: Print) -> Option<u8> {
    let _guard = runtime.enter();
    let announcer = Announcer::new(print, shell.json);
    let result = shell.session.announce_by(announcer);
    result.err().map(|failure| shell.out.failure(&failure))
}

/// The exit code: the line's, or the one before if there was nothing to do or the shell is to end.
fn run_line(runtime: &Runtime, shell: &mut Shell, line: String, before: u8) -> u8 {
    let words = words::split(&line);
    if words.is_empty() {
        return before;
    }
    shell.lines.push(line);
    let code = runtime.block_on(shell.execute(&words));
    if shell.is_done { before } else { code }
}

fn editor(completion: Completion) -> rustyline::Result<LineEditor> {
    let config = Config::builder()
        .max_history_size(HISTORY_LINES)?
        .completion_type(CompletionType::List)
        .build();
    let mut editor = LineEditor::with_config(config)?;
    editor.set_helper(Some(completion));
    Ok(editor)
}

/// Where lines are kept from one run to the next; `None` for nowhere.
fn history_file() -> Option<PathBuf> {
    let file = match env::var_os("ZABRA_HISTORY") {
        Some(file) if file.is_empty() => return None,
        Some(file) => PathBuf::from(file),
        None => {
            let state = env::var_os("XDG_STATE_HOME").filter(|state| !state.is_empty());
            let state = state.map(PathBuf::from);
            let state =
                state.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".local/state")))?;
            state.join("zabra").join("shell_history")
        }
    };
    // Without the folder there is no history, and nothing else is lost.
    file.parent().map(fs::create_dir_all)?.ok()?;
    Some(file)
}

/// Adds a line to the history, at once also in the file. Lines with credentials are not kept.
fn remember(editor: &mut LineEditor, history: Option<&PathBuf>, line: &str) {
    let is_kept = !line.trim().is_empty() && !line.trim_start().starts_with("addauth");
    if is_kept
        && editor.add_history_entry(line).is_ok_and(|is_new| is_new)
        && let Some(history) = history
    {
        // A history that cannot be written is no reason to stop.
        let _ = editor.append_history(history);
    }
}
