//! The signals by which whoever started this wants it to end.

use std::future::poll_fn;
use std::task::Poll;
use std::{fs, io};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Listens for them from when it is made.
#[derive(Debug)]
pub(super) struct Signals(Vec<(i32, Signal)>);

impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        let mut kinds = vec![SignalKind::interrupt(), SignalKind::quit(), SignalKind::terminate()];
        // What `nohup` wants ignored stays so, for this program and for the command.
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        if ignored(&status) & 1 == 0 {
            kinds.push(SignalKind::hangup());
        }
        let heard = kinds.into_iter().map(|kind| Ok((kind.as_raw_value(), signal(kind)?)));
        heard.collect::<io::Result<_>>().map(Self)
    }

    /// Waits for the next one, and returns its number. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> i32 {
        poll_fn(|cx| {
            let came = self.0.iter_mut().find_map(|(number, signal)| {
                matches!(signal.poll_recv(cx), Poll::Ready(Some(()))).then_some(*number)
            });
            came.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}

/// The signals that a process ignores, from what the kernel tells of it: a bit for each, the first
/// one that of SIGHUP.
fn ignored(status: &str) -> u64 {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_told_by_the_kernel() {
        assert_eq!(ignored("Name:\tx\nSigIgn:\t0000000000001001\nSigCgt:\t02\n"), 0x1001);
        assert_eq!(ignored(""), 0);
    }
}
