//! A command that runs while something is held.
//!
//! It runs in a process group of its own, so that all of it can be ended. Between this program and
//! the command stands, for a moment, this program again ([`become_command`]): there the kernel is
//! asked to kill the process with its parent, so that `kill -9` of the holder ends the command long
//! before the servers give the lock to somebody else.

use super::exit;
use super::signals::Signals;
use super::terminal;
use crate::client::recipes::{Held, Lost};
use clap::Args;
use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitOptions, getppid, kill_process_group, set_parent_process_death_signal, waitpid,
};
use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::os::unix::process::CommandExt;
use std::process::{self, ExitCode};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

/// What is left of the time until somebody else can hold the lock, when it is known to be lost.
const SAFE_AFTER_LOSS: u32 = 6;

/// A command, its arguments, and the variables of its environment that tell what is held.
pub(super) struct Command<'a> {
    pub(super) program: &'a OsString,
    pub(super) arguments: &'a [OsString],
    pub(super) variables: &'a [(&'static str, String)],
}

/// How holding came to its end.
#[derive(Debug)]
pub(super) enum Ending {
    /// As it should, with an exit code.
    Code(u8),
    /// It was lost.
    Lost(Lost),
}

impl Command<'_> {
    /// Runs the command until it ends. It is sent what signals come; if it does not end
    /// `kill_after` a signal, or when what is held was lost, it is killed.
    pub(super) async fn run(
        &self,
        held: &mut Held,
        signals: &mut Signals,
        kill_after: Duration,
    ) -> Ending {
        let (group, mut exited) = match self.start() {
            Ok(started) => started,
            Err(error) => {
                eprintln!("zabra: {}: {error}", self.program.to_string_lossy());
                return Ending::Code(exit::CANNOT_RUN);
            }
        };
        let _terminal = terminal::lend(group);
        let mut kill_at: Option<Instant> = None;
        let mut lost = None;
        loop {
            tokio::select! {
                code = &mut exited => {
                    return match lost {
                        Some(reason) => {
                            // What the command has left in its group must end, too.
                            send(group, Signal::KILL);
                            Ending::Lost(reason)
                        }
                        None => Ending::Code(code.unwrap_or(exit::FAILED)),
                    };
                }
                signal = signals.next() => {
                    if let Some(signal) = Signal::from_named_raw(signal) {
                        send(group, signal);
                    }
                    kill_at = earlier(kill_at, kill_after);
                }
                reason = held.lost(), if lost.is_none() => {
                    lost = Some(reason);
                    send(group, Signal::TERM);
                    let safe = held.session_timeout() / SAFE_AFTER_LOSS;
                    kill_at = earlier(kill_at, kill_after.min(safe));
                }
                () = sleep_until(kill_at.unwrap_or_else(Instant::now)), if kill_at.is_some() => {
                    send(group, Signal::KILL);
                    kill_at = None;
                }
            }
        }
    }

    /// Starts the command. Returns its process group, and what will be its exit code.
    fn start(&self) -> io::Result<(Pid, oneshot::Receiver<u8>)> {
        let child = process::Command::new("/proc/self/exe")
            .arg0("zabra")
            .arg("under-holder")
            .arg(process::id().to_string())
            .arg("--")
            .arg(self.program)
            .args(self.arguments)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .process_group(0)
            .spawn()?;
        let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let id = id.ok_or(ErrorKind::InvalidData)?;
        let (tell, exited) = oneshot::channel();
        std::thread::Builder::new().name("wait".to_owned()).spawn(move || {
            let _ = tell.send(wait(id));
        })?;
        Ok((id, exited))
    }
}

/// The earlier of a time, if there is one, and some time from now.
fn earlier(time: Option<Instant>, from_now: Duration) -> Option<Instant> {
    let other = Instant::now().checked_add(from_now);
    time.into_iter().chain(other).min()
}

/// Waits for the end of a process, and returns its exit code.
fn wait(id: Pid) -> u8 {
    loop {
        match waitpid(Some(id), WaitOptions::UNTRACED) {
            Ok(Some((_, status))) => {
                if let Some(code) = status.exit_status() {
                    return u8::try_from(code).unwrap_or(u8::MAX);
                }
                if let Some(signal) = status.terminating_signal() {
                    return exit::of_signal(signal);
                }
                // Who is stopped at the terminal holds the lock for nothing, and nobody could
                // let him go on.
                if status.stopping_signal() == Some(Signal::TSTP.as_raw()) {
                    send(id, Signal::CONT);
                }
            }
            Ok(None) | Err(Errno::INTR) => {}
            Err(_) => return exit::FAILED,
        }
    }
}

/// Sends a signal to a process group, of which nobody may be left.
fn send(group: Pid, signal: Signal) {
    match kill_process_group(group, signal) {
        Ok(()) | Err(Errno::SRCH) => {}
        // Such as a command of another user's.
        Err(error) => eprintln!("zabra: the command cannot be sent {signal:?}: {error}"),
    }
}

/// The arguments of the moment between the holder and its command.
#[derive(Args, Debug)]
pub(in crate::cli) struct UnderHolder {
    holder: i32,
    #[arg(trailing_var_arg = true, required = true)]
    command: Vec<OsString>,
}

/// Becomes a command that ends with its holder. Returns only if that fails.
pub(in crate::cli) fn become_command(arguments: &UnderHolder) -> ExitCode {
    let Some((program, rest)) = arguments.command.split_first() else {
        return exit::CANNOT_RUN.into();
    };
    let watched = set_parent_process_death_signal(Some(Signal::KILL));
    // If the holder has ended before, there is no more signal to come.
    let holder = getppid().map(Pid::as_raw_pid);
    let error = match watched {
        Ok(()) if holder == Some(arguments.holder) => {
            process::Command::new(program).args(rest).exec()
        }
        Ok(()) => return exit::LOST.into(),
        Err(error) => error.into(),
    };
    eprintln!("zabra: {}: {error}", program.to_string_lossy());
    let code = match error.kind() {
        ErrorKind::NotFound => exit::NOT_FOUND,
        _ => exit::CANNOT_RUN,
    };
    code.into()
}
