//! \[wire\] What leaders say to learners comes in order: proposals without holes, each as it stands
//! in the leader's log; commits in the order of the proposals and of what is decided; nothing of a
//! tree or a truncation that is not decided.

use super::super::net::packets as packet;
use super::History;
use super::logs::Logs;
use bytes::Bytes;
use jute::quorum::QuorumPacket;
use std::collections::{BTreeMap, VecDeque};
use zabra::types::{LinkId, Zxid};

/// What has been said on a link.
#[derive(Debug, Default)]
struct Said {
    last: Option<Zxid>,
    proposed: VecDeque<Zxid>,
    has_begun: bool,
    /// The last one that was committed; before UPTODATE it may not be decided yet.
    committed: Option<Zxid>,
    is_up_to_date: bool,
}

#[derive(Debug, Default)]
pub(super) struct Wires(BTreeMap<(usize, LinkId), Said>);

impl Wires {
    pub(super) fn restarted(&mut self, server: usize) {
        self.0.retain(|(other, _), _| *other != server);
    }

    pub(super) fn sending(
        &mut self,
        server: usize,
        link: LinkId,
        packet: &QuorumPacket,
        logs: &Logs,
        history: &History,
    ) {
        let name = format!("s{}", server + 1);
        let zxid = Zxid(packet.zxid);
        let said = self.0.entry((server, link)).or_default();
        match packet.kind {
            packet::PROPOSAL | packet::INFORM => {
                let own = logs.log(server).get(&zxid);
                let as_logged = own.is_some() && own == packet.data.as_ref();
                assert!(as_logged, "[wire] {name} proposes {zxid}: not as logged");
                if let Some(last) = said.last.replace(zxid) {
                    let follows =
                        zxid == last.next() || (zxid.epoch() > last.epoch() && zxid.counter() == 1);
                    assert!(follows, "[wire] {name} proposes {zxid} after {last}");
                }
                if packet.kind == packet::PROPOSAL {
                    said.proposed.push_back(zxid);
                } else {
                    check_decided(&name, zxid, own, history);
                }
            }
            packet::COMMIT => {
                let next = said.proposed.pop_front();
                assert_eq!(next, Some(zxid), "[wire] {name} commits out of order");
                said.committed = Some(zxid);
                if said.is_up_to_date {
                    check_decided(&name, zxid, logs.log(server).get(&zxid), history);
                }
            }
            packet::UP_TO_DATE => {
                said.is_up_to_date = true;
                if let Some(zxid) = said.committed {
                    check_decided(&name, zxid, logs.log(server).get(&zxid), history);
                }
            }
            packet::DIFF | packet::TRUNC | packet::SNAP => {
                assert!(!said.has_begun, "[wire] {name} begins to synchronise twice");
                said.has_begun = true;
                if packet.kind != packet::DIFF {
                    assert!(said.last.is_none(), "[wire] {name}: {zxid} comes late");
                    said.last = Some(zxid).filter(|zxid| zxid.counter() > 0);
                }
                if packet.kind == packet::SNAP {
                    assert!(zxid <= history.last(), "[wire] {name}: {zxid} is not decided");
                }
            }
            _ => {}
        }
    }
}

fn check_decided(name: &str, zxid: Zxid, own: Option<&Bytes>, history: &History) {
    assert_eq!(own, history.payload(zxid), "[wire] {name} commits {zxid}: not decided");
}
