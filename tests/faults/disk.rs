//! What can happen to disks: a small one that gets full, one that is slow, one that fails.
//!
//! A server's disk is a file system in memory whose size can be changed. `strace` delays the
//! server's syncs, or lets them fail.

use super::system::{system, try_system};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const SIZE: &str = "512m";
/// What a full disk has room for, in KiB.
const ROOM: u64 = 64;

/// Makes a disk.
pub(super) fn mount(dir: &Path) {
    system(&format!("mount -t tmpfs -o size={SIZE} zabra {}", dir.display()));
}

/// Takes away the room of a disk that holds nothing yet.
pub(super) fn fill(dir: &Path) {
    let dir = dir.display();
    // What is written between the two commands may not fit.
    let tries = (0..100).find_map(|_| {
        let output = system(&format!("df --output=used -k {dir}"));
        let used: u64 = output.lines().last()?.trim().parse().ok()?;
        let size = used + ROOM;
        try_system(&format!("mount -t tmpfs -o remount,size={size}k zabra {dir}")).ok()
    });
    assert!(tries.is_some(), "{dir} cannot be made smaller");
}

/// Makes room again.
pub(super) fn empty(dir: &Path) {
    system(&format!("mount -t tmpfs -o remount,size={SIZE} zabra {}", dir.display()));
}

/// Whether syncs can be tampered with here.
pub(super) fn can_tamper() -> bool {
    try_system("strace -f -o /dev/null -e trace=fdatasync -e inject=fdatasync:delay_exit=1 true")
        .is_ok()
}

/// Tampers with the syncs of a process.
pub(super) struct Tamper(Child);

impl Tamper {
    /// Each sync takes so many microseconds more.
    pub(super) fn delay(process: u32, micros: u64) -> Self {
        Self::start(process, &format!("delay_exit={micros}"))
    }

    /// Each sync fails.
    pub(super) fn fail(process: u32) -> Self {
        Self::start(process, "error=EIO")
    }

    fn start(process: u32, how: &str) -> Self {
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e"]);
        command.arg(format!("inject=fsync,fdatasync:{how}")).arg("-p").arg(process.to_string());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().expect("strace"))
    }
}

impl Drop for Tamper {
    /// Lets go of the process, which goes on.
    fn drop(&mut self) {
        // Fails if the process has ended, and strace with it.
        let _ = try_system(&format!("kill -s TERM {}", self.0.id()));
        let _ = self.0.wait();
    }
}
