//! What the operating system knows of this process and its machine (Linux: `/proc`; elsewhere
//! nothing).

use std::fs;
use std::path::Path;

/// Open files of this process; -1 if that cannot be told.
pub(super) fn open_files() -> i64 {
    let Ok(files) = fs::read_dir("/proc/self/fd") else { return -1 };
    // The directory itself is open while it is read.
    i64::try_from(files.count()).unwrap_or(i64::MAX).saturating_sub(1)
}

/// How many files this process may have open; -1 if that cannot be told or there is no limit.
pub(super) fn max_open_files() -> i64 {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    soft_limit(&limits, "Max open files").unwrap_or(-1)
}

/// The soft limit of this name in the text of `/proc/self/limits`.
fn soft_limit(limits: &str, name: &str) -> Option<i64> {
    let rest = limits.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// Memory that is free for new programs, and all memory, in MB.
pub(super) fn memory_mb() -> Option<(u64, u64)> {
    let info = fs::read_to_string("/proc/meminfo").ok()?;
    Some((kilobytes(&info, "MemAvailable:")? / 1024, kilobytes(&info, "MemTotal:")? / 1024))
}

fn kilobytes(info: &str, name: &str) -> Option<u64> {
    let rest = info.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// What this process takes and has.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Usage {
    /// Seconds of processor time.
    pub(super) cpu_seconds: f64,
    /// When it was started, seconds since the Unix epoch.
    pub(super) started: f64,
    /// Bytes of memory that it occupies.
    pub(super) resident: u64,
    /// Bytes of its address space.
    pub(super) virtual_size: u64,
    /// Its threads.
    pub(super) threads: u64,
    /// Bytes of memory that the machine has.
    pub(super) memory: u64,
}

/// Ticks in a second of the times in `/proc`, on every Linux.
const TICKS: f64 = 100.0;

/// What this process takes now; zeros where that cannot be told.
pub(super) fn usage() -> Usage {
    let read = |file| fs::read_to_string(file).unwrap_or_default();
    let (status, info) = (read("/proc/self/status"), read("/proc/meminfo"));
    let bytes = |text: &str, name| kilobytes(text, name).unwrap_or(0) * 1024;
    let (cpu, start) = times(&read("/proc/self/stat")).unwrap_or_default();
    let boot = kilobytes(&read("/proc/stat"), "btime").unwrap_or(0);
    #[expect(clippy::cast_precision_loss, reason = "a time in seconds")]
    let boot = boot as f64;
    Usage {
        cpu_seconds: cpu / TICKS,
        started: boot + start / TICKS,
        resident: bytes(&status, "VmRSS:"),
        virtual_size: bytes(&status, "VmSize:"),
        threads: kilobytes(&status, "Threads:").unwrap_or(0),
        memory: bytes(&info, "MemTotal:"),
    }
}

/// Processor time and start in the text of `/proc/self/stat`, both in ticks. The program's name
/// stands in parentheses and may hold anything.
fn times(stat: &str) -> Option<(f64, f64)> {
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split_whitespace().collect();
    let field = |index: usize| fields.get(index)?.parse::<f64>().ok();
    Some((field(11)? + field(12)?, field(19)?))
}

/// A setting of the kernel, such as `hostname`.
pub(super) fn kernel(name: &str) -> Option<String> {
    let text = fs::read_to_string(Path::new("/proc/sys/kernel").join(name)).ok()?;
    Some(text.trim_end().to_owned())
}

/// Bytes of the files in a directory and below it. What vanishes meanwhile does not count.
pub(super) fn directory_size(dir: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(dir) else { return 0 };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(data) if data.is_dir() => directory_size(&entry.path()),
        Ok(data) => data.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_whatever_the_program_is_called() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 9 0 12345 1 2";
        assert_eq!(times(stat), Some((300.0, 12345.0)));
        assert_eq!(times("7 (a) S 1"), None);
        assert_eq!(times(""), None);
    }

    #[test]
    fn limits_are_read() {
        let limits = [
            "Limit                     Soft Limit           Hard Limit           Units",
            "Max processes             unlimited            unlimited            processes",
            "Max open files            20000                524288               files",
        ]
        .join("\n");
        let limits = limits.as_str();
        assert_eq!(soft_limit(limits, "Max open files"), Some(20_000));
        assert_eq!(soft_limit(limits, "Max processes"), None);
        assert_eq!(soft_limit(limits, "Max nothing"), None);
    }

    #[test]
    fn sizes_of_directories_include_what_is_below() -> std::io::Result<()> {
        let dir = tempfile::tempdir()?;
        fs::create_dir(dir.path().join("below"))?;
        fs::write(dir.path().join("a"), [0; 7])?;
        fs::write(dir.path().join("below/b"), [0; 11])?;
        assert_eq!(directory_size(dir.path()), 18);
        assert_eq!(directory_size(&dir.path().join("none")), 0);
        Ok(())
    }
}
