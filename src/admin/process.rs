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
