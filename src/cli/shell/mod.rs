//! `zabra shell`: what zkCli does, and more, at a prompt or as one command.
//!
//! | part | is |
//! |---|---|
//! | `arguments` | the options of `zabra shell` itself |
//! | `table` | all commands |
//! | `command` | what a command is; how words become a call of one |
//! | `commands` | the commands |
//! | `output`, `render`, `failure` | results as text or JSON, errors, exit codes |
//! | `session` | the session with the servers |
//! | `announcer` | watch events and news of the session, as they come |
//! | `prompt`, `completion` | line editing, history, completion |
//!
//! # How a command is added
//!
//! A file in `commands/` has a `pub(super) const` of type [`command::Command`]: name, usage, flags,
//! example, and a function that does the work. It is entered in `table::COMMANDS`, and that is all:
//! `help`, completion, the nearest match of a mistyped name and `--json` follow from the table.
//! `commands/reading.rs` is a model. The function asks [`Shell::client`] for the client, gives its
//! result to [`Shell::out`] twice, as lines and as JSON (one of them is printed), and returns a
//! [`failure::Failure`] where it fails; [`failure::At`] makes one of a client's error.
//!
//! Speaks to servers by the client library alone.

mod acl;
mod announcer;
mod arguments;
pub(in crate::cli) mod command;
mod commands;
mod completion;
pub(in crate::cli) mod failure;
pub(in crate::cli) mod output;
mod paths;
mod prompt;
pub(in crate::cli) mod render;
mod session;
mod table;
mod walk;
mod words;

pub(super) use arguments::ShellArguments;

use crate::client::{Client, ClientError};
use arguments::{Settings, Wish};
use command::{Asked, Call, Interrupt};
use failure::Failure;
use output::Output;
use session::Session;
use std::io::{self, Write as _};
use std::process::ExitCode;

/// What all commands share.
#[derive(Debug)]
pub(in crate::cli) struct Shell {
    /// Where results go.
    pub(in crate::cli) out: Output,
    session: Session,
    /// Whether JSON is printed even if a command is not told to.
    json: bool,
    /// Whether the shell is zkCli to the letter.
    as_zkcli: bool,
    /// The lines so far, of a shell that reads lines.
    lines: Vec<String>,
    /// Whether the shell is to end.
    is_done: bool,
}

/// Runs `zabra shell`.
pub(in crate::cli) fn run(arguments: &ShellArguments) -> ExitCode {
    let code = match arguments.read() {
        Ok(Wish::Help(text)) => {
            // Whoever reads only the beginning has read enough.
            let _ = writeln!(io::stdout(), "{text}");
            0
        }
        Ok(Wish::Run(settings)) => run_with(settings),
        Err(reason) => {
            eprintln!("zabra shell: {reason}\nusage: {}", arguments::USAGE);
            1
        }
    };
    ExitCode::from(code)
}

/// The exit code.
fn run_with(settings: Settings) -> u8 {
    let words = settings.words.clone();
    // One thread is enough for one command, and is there sooner.
    let mut builder = if words.is_empty() {
        tokio::runtime::Builder::new_multi_thread()
    } else {
        tokio::runtime::Builder::new_current_thread()
    };
    let runtime = match builder.worker_threads(1).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("zabra shell: cannot start: {error}");
            return 1;
        }
    };
    if settings.as_zkcli {
        let _ = writeln!(io::stdout(), "Connecting to {}", settings.servers);
    }
    let mut shell = Shell::new(settings);
    let code = if words.is_empty() {
        prompt::run(&runtime, &mut shell)
    } else {
        runtime.block_on(shell.execute(&words))
    };
    runtime.block_on(shell.session.close());
    code
}

impl Shell {
    fn new(settings: Settings) -> Self {
        Self {
            out: Output::new(),
            json: settings.json,
            as_zkcli: settings.as_zkcli,
            session: Session::new(settings),
            lines: Vec::new(),
            is_done: false,
        }
    }

    /// The client, connected or connecting.
    pub(in crate::cli) async fn client(&mut self) -> Result<Client, Failure> {
        self.session.client().await
    }

    /// Runs the command that the words are, and prints its result or failure. The exit code.
    async fn execute(&mut self, words: &[String]) -> u8 {
        // Also for what is wrong with the words themselves.
        let mut before_operands = words.iter().take_while(|word| *word != "--");
        self.out.set_json(self.json || before_operands.any(|word| word == "--json"));
        let mut result = self.dispatch(words).await;
        if result.is_ok() {
            result = self.out.flush().map_err(Failure::Output);
        }
        match result {
            Ok(()) => 0,
            Err(Failure::Client { error: ClientError::NotConnected, .. }) => {
                self.out.failure(&Failure::NotConnected(self.session.attempts()))
            }
            Err(failure @ Failure::NoSuchCommand { .. }) if self.as_zkcli => {
                self.out.failure(&failure);
                failure::ZKCLI_NO_SUCH_COMMAND
            }
            Err(failure) => self.out.failure(&failure),
        }
    }

    /// Runs the command that the words are.
    async fn dispatch(&mut self, words: &[String]) -> Result<(), Failure> {
        let Some((name, rest)) = words.split_first() else { return Ok(()) };
        let command = table::find(name)?;
        match command.parse(rest)? {
            Asked::Help(command) => {
                self.out.set_json(false);
                Ok(self.out.line(command.help())?)
            }
            Asked::Call(call) => self.call(call).await,
        }
    }

    async fn call(&mut self, call: Call) -> Result<(), Failure> {
        let command = call.command;
        self.out.set_json(self.json || call.json);
        if !call.surplus().is_empty() {
            let ignored = call.surplus().join(" ");
            self.out.remark(format_args!(
                "{}: ignored: {ignored} (text that has blanks needs quotes)",
                command.name
            ))?;
        }
        tokio::select! {
            result = (command.run)(self, call) => result,
            Ok(()) = tokio::signal::ctrl_c() => match command.interrupt {
                Interrupt::Ends => Ok(()),
                Interrupt::Fails => Err(Failure::Interrupted),
            },
        }
    }
}
