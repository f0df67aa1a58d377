//! One network namespace for each server, all on one bridge, and what can happen to links.
//!
//! A direction between two hosts is cut by telling the sender that the receiver has a hardware
//! address that nobody has: its packets get lost, silently, and nothing but `ip` is needed.

use super::system::{system, try_system};
use std::process::{Command, Stdio};

/// The part of the addresses that all hosts have in common.
pub(super) const NET: &str = "10.77.0.";
/// The host where the clients are, which holds the bridge.
pub(super) const CLIENTS: usize = 254;

const NOBODY: &str = "02:00:00:00:00:01";

/// Ways to make a link slow, the best first. Kernels differ in what they have.
const SLOWNESS: [&str; 2] =
    ["netem delay 40ms 30ms loss 2%", "tbf rate 300kbit burst 4kb latency 300ms"];

/// The network of a run.
pub(super) struct Network {
    slowness: Option<&'static str>,
}

impl Network {
    /// Makes the network in the namespaces of this process.
    pub(super) fn new(servers: usize) -> Self {
        // Named namespaces are mounts below /run, which nobody else is to see.
        system("mount -t tmpfs zabra /run");
        system("ip link set lo up");
        system("ip link add zabra type bridge");
        system(&format!("ip addr add {NET}{CLIENTS}/24 dev zabra"));
        system("ip link set zabra up");
        for id in 1..=servers {
            system(&format!("ip netns add s{id}"));
            system(&format!("ip link add v{id} type veth peer name eth0 netns s{id}"));
            system(&format!("ip link set v{id} master zabra up"));
            system(&format!("ip -n s{id} addr add {NET}{id}/24 dev eth0"));
            system(&format!("ip -n s{id} link set lo up"));
            system(&format!("ip -n s{id} link set eth0 up"));
        }
        let works = |way: &&str| {
            let works = try_system(&format!("tc -n s1 qdisc add dev eth0 root {way}")).is_ok();
            works && try_system("tc -n s1 qdisc del dev eth0 root").is_ok()
        };
        Self { slowness: SLOWNESS.into_iter().find(works) }
    }

    /// How links are made slow, if this kernel can do that.
    pub(super) const fn slowness(&self) -> Option<&'static str> {
        self.slowness
    }

    /// The same command on the host of a server.
    pub(super) fn command(id: usize, inner: &Command) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/s{id}"));
        command.arg(inner.get_program()).args(inner.get_args());
        command.env_clear().stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    /// Nothing of one host reaches the other one from now on.
    pub(super) fn cut(from: usize, to: usize) {
        let (host, device) = host(from);
        let nobody = format!("lladdr {NOBODY} nud permanent");
        system(&format!("ip {host} neigh replace {NET}{to} {nobody} dev {device}"));
    }

    /// Ends that.
    pub(super) fn mend(from: usize, to: usize) {
        let (host, device) = host(from);
        // Another fault may have ended with it already.
        let _ = try_system(&format!("ip {host} neigh del {NET}{to} dev {device}"));
    }

    /// Pulls the cable of a server, or puts it in again.
    pub(super) fn plug(id: usize, state: &str) {
        system(&format!("ip link set v{id} {state}"));
    }

    /// Makes the link of a server slow.
    pub(super) fn slow(&self, id: usize) {
        let way = self.slowness.unwrap_or_default();
        system(&format!("tc -n s{id} qdisc replace dev eth0 root {way}"));
    }

    pub(super) fn quicken(id: usize) {
        let _ = try_system(&format!("tc -n s{id} qdisc del dev eth0 root"));
    }
}

/// Where `ip` finds a host, and its device there.
fn host(id: usize) -> (String, &'static str) {
    if id == CLIENTS { (String::new(), "zabra") } else { (format!("-n s{id}"), "eth0") }
}
