//! What a process on this machine uses of processor and memory, from `/proc`.

use super::BenchError;
use std::fs;
use std::time::Duration;

/// A process at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Usage {
    /// Time on processors so far, in user and kernel mode; in steps of 10 ms.
    pub(super) cpu: Duration,
    /// Resident memory in bytes.
    pub(super) rss: u64,
    /// The most resident memory so far, in bytes.
    pub(super) peak_rss: u64,
}

/// Linux shows times to processes in hundredths of a second, whatever its own clock.
const TICK_MILLIS: u64 = 10;

impl Usage {
    /// Looks at a process: a number or `self`.
    pub(super) fn of(pid: &str) -> Result<Self, BenchError> {
        let read = |name: &str| {
            let path = format!("/proc/{pid}/{name}");
            fs::read_to_string(&path).map_err(|error| BenchError::Process(path, error.to_string()))
        };
        let stat = read("stat")?;
        let malformed = || BenchError::Process(pid.to_owned(), "not understood".to_owned());
        let ticks = cpu_ticks(&stat).ok_or_else(malformed)?;
        let status = read("status")?;
        let size = |name| kilobytes(&status, name).ok_or_else(malformed);
        Ok(Self {
            cpu: Duration::from_millis(ticks * TICK_MILLIS),
            rss: size("VmRSS:")? * 1024,
            peak_rss: size("VmHWM:")? * 1024,
        })
    }
}

/// The sum of `utime` and `stime`, the 14th and 15th fields. The second field is the program's
/// name in parentheses, in which anything may stand.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

fn kilobytes(status: &str, name: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix(name))?;
    value.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_s_name_does_not_confuse() {
        let stat = "7 (a) b) R 1 7 7 0 -1 4194304 1 0 0 0 120 34 5 6 20 0 1 0 9 1 1";
        assert_eq!(cpu_ticks(stat), Some(154));
        assert_eq!(cpu_ticks("nonsense"), None);
    }

    #[test]
    fn memory_is_found_by_name() {
        let status = "Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
        assert_eq!(kilobytes(status, "VmRSS:"), Some(1024));
        assert_eq!(kilobytes(status, "VmSwap:"), None);
    }
}
