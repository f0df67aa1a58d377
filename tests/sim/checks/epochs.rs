//! \[epochs\] The epochs on a disk only grow; the accepted one is never behind the current one nor
//! behind the log. Whoever has made an epoch its current one has the history with which that epoch
//! began.
//!
//! The log may be ahead of the current epoch: while a leader brings a server up to date, what it
//! sends is logged at once, and its epoch becomes the current one when all of that is durable.

use super::super::net::packets as packet;
use super::durability::Disks;
use super::logs::{Log, Logs};
use jute::quorum::QuorumPacket;
use std::collections::BTreeMap;
use zabra::store::Loaded;
use zabra::types::{Epoch, Zxid};
use zabra::zab::Epochs;

const NONE: Epochs = Epochs { accepted: Epoch(0), current: Epoch(0) };

#[derive(Debug)]
pub(super) struct Terms {
    /// What is on the disks.
    stored: Vec<Epochs>,
    voters: usize,
    /// With what each epoch began, as far as a leader got.
    beginnings: BTreeMap<Epoch, Log>,
}

impl Terms {
    pub(super) fn new(servers: usize, voters: usize) -> Self {
        Self { stored: vec![NONE; servers], voters, beginnings: BTreeMap::new() }
    }

    pub(super) fn saved(&mut self, server: usize, epochs: Epochs, log: &Log) {
        let name = server + 1;
        let before = std::mem::replace(&mut self.stored[server], epochs);
        assert!(
            epochs.accepted >= before.accepted && epochs.current >= before.current,
            "[epochs] s{name} goes back from {before:?} to {epochs:?}"
        );
        check_order(server, epochs, log.keys().next_back().copied());
        if epochs.current > before.current {
            self.check_beginning(server, epochs.current, log);
        }
    }

    pub(super) fn restarted(&mut self, server: usize, loaded: &Loaded) {
        let found =
            Epochs { accepted: loaded.meta.accepted_epoch, current: loaded.meta.current_epoch };
        let stored = std::mem::replace(&mut self.stored[server], found);
        // What a failing disk was given last may be there.
        assert!(
            found.accepted >= stored.accepted && found.current >= stored.current,
            "[epochs] s{} finds {found:?} instead of {stored:?}",
            server + 1
        );
        check_order(server, found, Some(loaded.last));
    }

    pub(super) fn sending(
        &mut self,
        server: usize,
        packet: &QuorumPacket,
        logs: &Logs,
        disks: &Disks,
        alone: Option<usize>,
    ) {
        let zxid = Zxid(packet.zxid);
        let epoch = zxid.epoch();
        match packet.kind {
            packet::LEADER_INFO => {
                let accepted = self.stored[server].accepted;
                assert!(accepted >= epoch, "[epochs] s{} proposes {epoch} unstored", server + 1);
            }
            packet::NEW_LEADER => {
                // One that leads alone may have proposed before anybody learns of it.
                self.beginnings.entry(epoch).or_insert_with(|| {
                    let before = logs.log(server).iter().filter(|(zxid, _)| zxid.epoch() < epoch);
                    before.map(|(zxid, payload)| (*zxid, payload.clone())).collect()
                });
            }
            packet::ACK if zxid.counter() == 0 => {
                let current = self.stored[server].current;
                assert!(current == epoch, "[epochs] s{} acks {epoch} unstored", server + 1);
                self.check_beginning(server, epoch, disks.log(server));
            }
            packet::UP_TO_DATE => {
                let epoch = self.stored[server].current;
                if alone != Some(server) {
                    self.check_quorum(server, epoch);
                }
            }
            _ => {}
        }
    }

    /// What an epoch began with is durable where that epoch is the current one.
    fn check_beginning(&self, server: usize, epoch: Epoch, log: &Log) {
        let Some(beginning) = self.beginnings.get(&epoch) else { return };
        for (zxid, payload) in beginning.iter().rev() {
            assert!(
                log.get(zxid) == Some(payload),
                "[epochs] s{} is of epoch {epoch} without {zxid}",
                server + 1
            );
        }
    }

    /// Nobody is told that an epoch has begun before a quorum has stored it.
    fn check_quorum(&self, server: usize, epoch: Epoch) {
        let voters = self.stored[..self.voters].iter();
        let having = voters.filter(|epochs| epochs.current >= epoch).count();
        assert!(
            having > self.voters / 2,
            "[epochs] s{} begins epoch {epoch} with {having} of {} voters",
            server + 1,
            self.voters
        );
    }
}

fn check_order(server: usize, epochs: Epochs, last: Option<Zxid>) {
    let logged = last.unwrap_or(Zxid::ZERO).epoch();
    assert!(
        epochs.accepted >= epochs.current && epochs.accepted >= logged,
        "[epochs] s{}: {epochs:?} with a log up to epoch {logged}",
        server + 1
    );
}
