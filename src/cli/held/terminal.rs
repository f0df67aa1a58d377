//! The terminal, which the command needs while it runs: to read from it, and for Ctrl-C.

use nix::sys::signal::{SigSet, Signal as Blocked};
use rustix::process::{Pid, Signal, getpgrp, kill_process_group};
use rustix::termios::{tcgetpgrp, tcsetpgrp};
use std::io::stdin;

/// The terminal while another process group has it. Dropping this takes it back.
pub(super) struct Lent {
    owner: Pid,
}

/// Gives the terminal to a process group, if this program's own has it.
pub(super) fn lend(group: Pid) -> Option<Lent> {
    let owner = getpgrp();
    if tcgetpgrp(stdin()) != Ok(owner) || tcsetpgrp(stdin(), group).is_err() {
        return None;
    }
    // Whoever was faster, and has read before it was given, was stopped.
    let _ = kill_process_group(group, Signal::CONT);
    Some(Lent { owner })
}

impl Drop for Lent {
    fn drop(&mut self) {
        // Taking it from the background is answered with SIGTTOU, except to who blocks that.
        let signal = SigSet::from(Blocked::SIGTTOU);
        if signal.thread_block().is_ok() {
            // There may be no terminal any longer.
            let _ = tcsetpgrp(stdin(), self.owner);
            let _ = signal.thread_unblock();
        }
    }
}
