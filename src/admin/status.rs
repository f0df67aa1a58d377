//! The words `srvr` and, below the clients, `stat` (ZK: `ServerStats.toString`).

use super::text::Mean;
use super::version;
use crate::server::{Shared, Standing, Summary};
use crate::types::Zxid;
use std::fmt;
use std::sync::atomic::Ordering::Relaxed;

/// The first line of `srvr` and `stat`.
pub(super) fn version_line() -> String {
    format!("Zookeeper version: {}\n", version::FULL)
}

/// How the server is.
pub(super) struct Status {
    /// Latencies in milliseconds.
    pub(super) latency: Summary,
    /// Packets from clients.
    pub(super) received: u64,
    /// Packets to clients.
    pub(super) sent: u64,
    /// Connections, including the one that asks.
    pub(super) connections: usize,
    /// Requests in work.
    pub(super) outstanding: usize,
    /// The last transaction.
    pub(super) zxid: Zxid,
    /// What kind of server this is.
    pub(super) mode: &'static str,
    /// Znodes, as ZooKeeper counts them.
    pub(super) nodes: usize,
    /// Bytes of the last, the smallest and the largest proposal, if it leads.
    pub(super) proposals: Option<[i64; 3]>,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, most) = (self.latency.least, self.latency.most);
        writeln!(f, "Latency min/avg/max: {least}/{}/{most}", Mean::of(&self.latency))?;
        writeln!(f, "Received: {}", self.received)?;
        writeln!(f, "Sent: {}", self.sent)?;
        writeln!(f, "Connections: {}", self.connections)?;
        writeln!(f, "Outstanding: {}", self.outstanding)?;
        writeln!(f, "Zxid: 0x{:x}", self.zxid.0)?;
        writeln!(f, "Mode: {}", self.mode)?;
        writeln!(f, "Node count: {}", self.nodes)?;
        if let Some([last, least, most]) = self.proposals {
            writeln!(f, "Proposal sizes last/min/max: {last}/{least}/{most}")?;
        }
        Ok(())
    }
}

impl Shared {
    /// How this server is now, which is this to its ensemble.
    pub(super) fn status(&self, standing: &Standing) -> Status {
        let (zxid, nodes) = {
            let tree = self.tree.read();
            (tree.last_zxid(), tree.node_count())
        };
        Status {
            latency: self.stats.latency.summary(),
            received: self.stats.received.load(Relaxed),
            sent: self.stats.sent.load(Relaxed),
            connections: self.conns.len(),
            outstanding: self.waiting(),
            zxid,
            mode: standing.mode,
            nodes,
            proposals: standing.learners.map(|_| self.stats.proposal_sizes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::recorded;
    use super::*;

    #[test]
    fn srvr_has_the_layout_of_zookeeper() {
        let status = Status {
            latency: Summary { count: 12, sum: 25, least: 0, most: 9 },
            received: 18,
            sent: 19,
            connections: 3,
            outstanding: 0,
            zxid: Zxid(6),
            mode: "standalone",
            nodes: 8,
            proposals: None,
        };
        let theirs = recorded::SRVR.split_once('\n').expect("a version line");
        assert_eq!(status.to_string(), theirs.1);
        let leader = Status { mode: "leader", proposals: Some([128, 48, 128]), ..status };
        let ends = "\nMode: leader\nNode count: 8\nProposal sizes last/min/max: 128/48/128\n";
        assert!(leader.to_string().ends_with(ends), "{leader}");
        let ours = version_line();
        for line in [theirs.0, ours.trim_end()] {
            let rest = line.strip_prefix("Zookeeper version: 3.9.5-").expect("the version");
            assert!(rest.contains(", built on "), "{line}");
        }
    }
}
