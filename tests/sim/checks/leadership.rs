//! \[leadership\] An epoch has one leader at most.

use super::super::net::packets as packet;
use jute::quorum::QuorumPacket;
use std::collections::BTreeMap;
use zabra::types::{Epoch, Zxid};

#[derive(Debug, Default)]
pub(crate) struct Leadership {
    leaders: BTreeMap<Epoch, usize>,
    newest: Epoch,
}

impl Leadership {
    pub(super) fn sending(&mut self, server: usize, packet: &QuorumPacket) {
        if packet.kind == packet::NEW_LEADER {
            self.leads(server, Zxid(packet.zxid).epoch());
        }
    }

    fn leads(&mut self, server: usize, epoch: Epoch) {
        let leader = *self.leaders.entry(epoch).or_insert(server);
        assert_eq!(
            leader,
            server,
            "[leadership] s{} and s{} lead epoch {epoch}",
            leader + 1,
            server + 1
        );
    }

    /// A leader serves clients; true if that is new.
    pub(super) fn serves(&mut self, server: usize, epoch: Epoch) -> bool {
        self.leads(server, epoch);
        let is_new = epoch > self.newest;
        self.newest = self.newest.max(epoch);
        is_new
    }

    /// Whether no newer epoch than this one has begun.
    pub(crate) fn is_newest(&self, epoch: Epoch) -> bool {
        epoch >= self.newest
    }
}
