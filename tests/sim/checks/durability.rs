//! \[durability\] What is really on the disks: a quorum has everything that is decided, nothing is
//! applied or acknowledged by a server that does not have it, and no restart finds less.

use super::super::net::packets as packet;
use super::logs::Log;
use super::{Found, History};
use bytes::Bytes;
use jute::quorum::QuorumPacket;
use zabra::store::LogEntry;
use zabra::types::Zxid;

#[derive(Debug)]
pub(crate) struct Disks {
    logs: Vec<Log>,
    /// Up to where a failing disk may have truncated or emptied its log.
    doubtful: Vec<Option<Zxid>>,
    voters: usize,
}

impl Disks {
    pub(super) fn new(servers: usize, voters: usize) -> Self {
        Self { logs: vec![Log::new(); servers], doubtful: vec![None; servers], voters }
    }

    /// A server's log as a power cut would leave it, from the beginning.
    pub(super) fn log(&self, server: usize) -> &Log {
        &self.logs[server]
    }

    pub(super) fn appended(&mut self, server: usize, entries: &[LogEntry]) {
        let entries = entries.iter().map(|entry| (entry.zxid, entry.payload.clone()));
        self.logs[server].extend(entries);
    }

    pub(crate) fn truncating(&mut self, server: usize, last: Zxid) {
        self.doubtful[server] = Some(last);
    }

    /// A server has let go of the end of its log; a quorum still has what of it is decided.
    pub(super) fn truncated(
        &mut self,
        server: usize,
        last: Zxid,
        history: &History,
        alone: Option<usize>,
    ) {
        self.doubtful[server] = None;
        let gone = self.logs[server].split_off(&last.next());
        for (zxid, payload) in gone {
            if history.payload(zxid) == Some(&payload) {
                self.check_quorum(zxid, &payload, alone);
            }
        }
    }

    /// A tree has taken the place of everything; a quorum still has what is decided.
    pub(super) fn installed(
        &mut self,
        server: usize,
        log: &Log,
        history: &History,
        alone: Option<usize>,
    ) {
        let last = log.keys().next_back().copied().unwrap_or(Zxid::ZERO);
        self.truncated(server, last, history, alone);
        self.logs[server].clone_from(log);
    }

    /// All that was durable is found; something more may be.
    pub(super) fn restarted(&mut self, server: usize, found: &Found, in_tree: Log) {
        let name = server + 1;
        let log = &mut self.logs[server];
        if let Some(last) = self.doubtful[server].take()
            && found.loaded.last <= last
        {
            log.split_off(&last.next());
        }
        let last = log.keys().next_back().copied().unwrap_or(Zxid::ZERO);
        let applied = found.mark.as_ref().map_or(Zxid::ZERO, |mark| Zxid(mark.applied));
        assert!(found.loaded.last >= last, "[durability] s{name} had {last}");
        // A tree may have arrived while the disk failed; it is in the place of what was there.
        let behind_tree = std::mem::replace(log, in_tree).split_off(&applied.next());
        log.extend(behind_tree);
        for (zxid, payload) in &found.entries {
            let before = log.insert(*zxid, payload.clone());
            assert!(
                before.is_none_or(|before| before == *payload),
                "[durability] s{name}: {zxid} is not what it was"
            );
        }
        let behind = log.range(applied.next()..).count();
        assert_eq!(behind, found.entries.len(), "[durability] s{name}: the log behind {applied}");
    }

    /// A quorum has what is decided, or the one that may go on alone.
    pub(super) fn check_quorum(&self, zxid: Zxid, payload: &Bytes, alone: Option<usize>) {
        if alone.is_some_and(|server| self.logs[server].get(&zxid) == Some(payload)) {
            return;
        }
        let voters = self.logs[..self.voters].iter();
        let having = voters.filter(|log| log.get(&zxid) == Some(payload)).count();
        assert!(
            having > self.voters / 2,
            "[durability] {zxid} is decided and durable on {having} of {} voters",
            self.voters
        );
    }

    /// Nothing is applied that could be lost here.
    pub(super) fn check_applied(&self, server: usize, applied: Zxid, log: &Log) {
        self.check_has(server, applied, log, "has applied");
    }

    /// An acknowledgement says that everything up to it is durable.
    pub(super) fn sending(&self, server: usize, packet: &QuorumPacket, log: &Log) {
        let zxid = Zxid(packet.zxid);
        if packet.kind == packet::ACK && zxid.counter() > 0 {
            assert!(log.contains_key(&zxid), "[durability] s{} acks {zxid} unseen", server + 1);
            self.check_has(server, zxid, log, "acknowledges");
        }
    }

    fn check_has(&self, server: usize, up_to: Zxid, log: &Log, does: &str) {
        // What comes before the last entry that is missing is there: logs grow at their ends.
        let Some((last, payload)) = log.range(..=up_to).next_back() else { return };
        let own = self.logs[server].get(last);
        assert!(
            own == Some(payload),
            "[durability] s{} {does} {up_to}, and {last} is not durable",
            server + 1
        );
    }
}
