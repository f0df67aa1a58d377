//! A shell that reads lines.

use super::{Shell, words};
use std::io::{self, BufRead as _};
use tokio::runtime::Runtime;

/// Reads lines and runs them until there are no more. The exit code is the last command's.
pub(super) fn run(runtime: &Runtime, shell: &mut Shell) -> u8 {
    let mut code = 0;
    for line in io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        code = run_line(runtime, shell, line, code);
        if shell.is_done {
            break;
        }
    }
    code
}

/// The exit code: the line's, or the one before if the line is empty.
fn run_line(runtime: &Runtime, shell: &mut Shell, line: String, before: u8) -> u8 {
    let words = words::split(&line);
    if words.is_empty() {
        return before;
    }
    shell.lines.push(line);
    let code = runtime.block_on(shell.execute(&words));
    if shell.is_done { before } else { code }
}
