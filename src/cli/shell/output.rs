//! Where results go: lines as zkCli prints them, or JSON.
//!
//! A command gives its result in both forms, [`Output::line`] and [`Output::json`]; only the one
//! that was asked for is printed. Standard output has results alone; remarks and failures are on
//! standard error.

use super::failure::Failure;
use super::render;
use serde::Serialize;
use std::env;
use std::fmt::Display;
use std::io::{self, BufWriter, IsTerminal, Stdout, Write};

/// Where results go.
#[derive(Debug)]
pub(in crate::cli) struct Output {
    out: BufWriter<Stdout>,
    json: bool,
    is_terminal: bool,
    /// Whether failures are red.
    has_colour: bool,
}

impl Output {
    /// Prints to the standard streams.
    pub(super) fn new() -> Self {
        let out = io::stdout();
        let is_terminal = out.is_terminal();
        let has_colour = io::stderr().is_terminal() && wants_colour();
        Self { out: BufWriter::new(out), json: false, is_terminal, has_colour }
    }

    /// Chooses JSON or text for what follows.
    pub(super) fn set_json(&mut self, json: bool) {
        self.json = json;
    }

    /// Whether somebody is looking, and control characters would do harm.
    pub(in crate::cli) fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// A line of the result, as text. What others have put into it cannot disturb a terminal.
    ///
    /// # Errors
    /// As writing to standard output.
    pub(in crate::cli) fn line(&mut self, line: impl Display) -> io::Result<()> {
        if self.json {
            return Ok(());
        }
        if self.is_terminal {
            return writeln!(self.out, "{}", render::printable(line.to_string().as_bytes()));
        }
        writeln!(self.out, "{line}")
    }

    /// Bytes of the result as they are, and the end of a line; not for JSON.
    ///
    /// # Errors
    /// As writing to standard output.
    pub(in crate::cli) fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.json {
            return Ok(());
        }
        self.out.write_all(bytes)?;
        self.out.write_all(b"\n")
    }

    /// The result, or one of several, as JSON on one line.
    ///
    /// # Errors
    /// As writing to standard output.
    pub(in crate::cli) fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        if !self.json {
            return Ok(());
        }
        serde_json::to_writer(&mut self.out, value)?;
        self.out.write_all(b"\n")
    }

    /// A remark on standard error, for people only.
    ///
    /// # Errors
    /// As writing to standard output, which is written first.
    pub(in crate::cli) fn remark(&mut self, remark: impl Display) -> io::Result<()> {
        if self.json {
            return Ok(());
        }
        self.out.flush()?;
        // There is no place left to complain when standard error is gone.
        let _ = writeln!(io::stderr(), "{remark}");
        Ok(())
    }

    /// Writes out all that has been printed. Whoever prints over time calls it now and then.
    ///
    /// # Errors
    /// As writing to standard output.
    pub(in crate::cli) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Prints why a command failed. The exit code.
    pub(super) fn failure(&mut self, failure: &Failure) -> u8 {
        // What was printed before may still be wanted; if it is not, that is no news.
        let _ = self.out.flush();
        if let Some(message) = failure.message() {
            let text = match (self.json, self.has_colour) {
                (true, _) => failure_json(failure, &message),
                (false, true) => format!("\x1b[31m{message}\x1b[0m"),
                (false, false) => message,
            };
            let _ = writeln!(io::stderr(), "{text}");
        }
        failure.exit_code(self.json)
    }
}

/// Whether the user has nothing against colours.
pub(super) fn wants_colour() -> bool {
    env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

fn failure_json(failure: &Failure, message: &str) -> String {
    let mut value = serde_json::json!({ "error": failure.name(), "message": message });
    if let Some(path) = failure.path() {
        value["path"] = path.into();
    }
    value.to_string()
}
