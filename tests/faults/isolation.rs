//! A place of its own for a run: network, mounts and processes that end with it, whatever happens.
//!
//! The test starts itself again in there, as root of the machine or, where that is allowed, as root
//! of a user namespace. Where neither can be had, it runs on loopback addresses and says so.

use std::env;
use std::io::Read;
use std::process::{Command, Stdio};

/// Set in the process that does the run: how it is isolated.
const INSIDE: &str = "ZABRA_FAULTS_INSIDE";

const NAMESPACES: &str = "namespaces";
const LOOPBACK: &str = "loopback";

/// Ways into namespaces, the best first.
const WAYS: [&[&str]; 2] = [&[], &["--user", "--map-root-user"]];
const UNSHARE: [&str; 6] = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];

/// What a run needs in there.
const PROBE: &str = "ip link add zabra-a type veth peer name zabra-b && \
    ip link add zabra-c type bridge && mount -t tmpfs zabra /run && \
    ip netns add zabra && nsenter --net=/run/netns/zabra true";

/// Where this process runs, if it is one that does a run.
pub(super) fn inside() -> Option<Place> {
    let place = env::var(INSIDE).ok()?;
    // When the process that waits for this one is gone, so is its end of the pipe.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(1);
    });
    if place == NAMESPACES {
        return Some(Place::Namespaces);
    }
    eprintln!(
        "faults: no network namespaces here: the servers have loopback addresses, and there are \
         neither partitions nor slow links nor full disks"
    );
    Some(Place::Loopback)
}

/// What surrounds a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Namespaces of its own, in which it is root.
    Namespaces,
    /// Nothing: this machine as it is.
    Loopback,
}

/// Runs one test of this program in a place of its own. Gives whether it has succeeded.
pub(super) fn run(test: &str, environment: &[(&str, String)]) -> bool {
    let way = WAYS.into_iter().find(|way| works(way));
    let program = env::current_exe().expect("this program");
    let mut command = if let Some(way) = way {
        let mut command = Command::new("unshare");
        command.args(way).args(UNSHARE).arg("--").arg(program).env(INSIDE, NAMESPACES);
        command
    } else {
        let mut command = Command::new(program);
        command.env(INSIDE, LOOPBACK);
        command
    };
    command.args([test, "--exact", "--nocapture", "--quiet"]).envs(environment.iter().cloned());
    // What it has to say is on its standard error output, which nobody captures.
    command.stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = command.spawn().expect("a process");
    // Held, so that it is open for as long as this process is there.
    let pipe = child.stdin.take();
    let ended = child.wait().expect("its end");
    drop(pipe);
    ended.success()
}

fn works(way: &[&str]) -> bool {
    let mut command = Command::new("unshare");
    command.args(way).args(UNSHARE).args(["--", "sh", "-c", PROBE]);
    let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
