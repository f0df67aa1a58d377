//! The packets between a leader and its learners (ZK: `Leader`, `LearnerHandler`, `Learner`).

use super::LinkError;
use crate::types::{Epoch, ServerId, Zxid};
use bytes::{Buf, Bytes, BytesMut};
use jute::Encode;
use jute::quorum::{LearnerInfo, QuorumPacket};

/// A client's write, from a learner to the leader.
pub const REQUEST: i32 = 1;
/// A transaction, to followers.
pub const PROPOSAL: i32 = 2;
/// A transaction is durable, or a phase is done, to the leader.
pub const ACK: i32 = 3;
/// A transaction is decided, to followers.
pub const COMMIT: i32 = 4;
/// A sign of life, both ways; a learner's names the sessions that it has heard of.
pub const PING: i32 = 5;
/// A session goes on with another server: the question and its answer.
pub const REVALIDATE: i32 = 6;
/// Everything that was outstanding at a client's sync has been sent.
pub const SYNC: i32 = 7;
/// A decided transaction, to observers.
pub const INFORM: i32 = 8;
/// A reconfiguration is decided, to followers.
pub const COMMIT_AND_ACTIVATE: i32 = 9;
/// The end of what a learner lacked.
pub(super) const NEW_LEADER: i32 = 10;
/// A follower's first packet.
pub(super) const FOLLOWER_INFO: i32 = 11;
/// Clients may be served.
pub(super) const UP_TO_DATE: i32 = 12;
/// The learner's log is a prefix of the leader's; the rest comes.
pub(super) const DIFF: i32 = 13;
/// The learner's log has an end that the leader's has not.
pub(super) const TRUNC: i32 = 14;
/// A whole tree comes.
pub const SNAP: i32 = 15;
/// An observer's first packet.
pub(super) const OBSERVER_INFO: i32 = 16;
/// The leader's answer to a learner's first packet.
pub(super) const LEADER_INFO: i32 = 17;
/// The learner promises to take part in the epoch.
pub(super) const ACK_EPOCH: i32 = 18;
/// A reconfiguration is decided, to observers.
pub const INFORM_AND_ACTIVATE: i32 = 19;

/// The version that both sides must speak.
const PROTOCOL: i32 = 0x1_0000;

/// No epoch is later: zxids are positive.
const LAST_EPOCH: Epoch = Epoch(i32::MAX as i64);

/// A packet without data.
pub(super) const fn bare(kind: i32, zxid: Zxid) -> QuorumPacket {
    QuorumPacket { kind, zxid: zxid.0, data: None, auth_info: None }
}

/// A packet with data.
pub(super) const fn with_data(kind: i32, zxid: Zxid, data: Bytes) -> QuorumPacket {
    QuorumPacket { kind, zxid: zxid.0, data: Some(data), auth_info: None }
}

/// The first zxid of an epoch, which no transaction has.
pub(super) const fn start_of(epoch: Epoch) -> Zxid {
    Zxid::new(epoch, 0)
}

/// A learner's first packet.
pub(super) fn info(me: ServerId, votes: bool, accepted: Epoch) -> QuorumPacket {
    let kind = if votes { FOLLOWER_INFO } else { OBSERVER_INFO };
    let info = LearnerInfo { server_id: me.0, protocol_version: PROTOCOL, config_version: 0 };
    let mut data = BytesMut::with_capacity(info.encoded_len());
    info.encode(&mut data);
    with_data(kind, start_of(accepted), data.freeze())
}

/// What a learner says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hello {
    pub(super) server: ServerId,
    /// Whether it follows rather than observes.
    pub(super) follows: bool,
    pub(super) accepted: Epoch,
}

impl Hello {
    /// Reads a learner's first packet.
    pub(super) fn read(packet: &QuorumPacket) -> Result<Self, LinkError> {
        let follows = match packet.kind {
            FOLLOWER_INFO => true,
            OBSERVER_INFO => false,
            kind => return Err(unexpected(kind, "where a learner introduces itself")),
        };
        let mut data = packet.data.clone().unwrap_or_default();
        if data.len() < 12 {
            return Err(LinkError::Protocol("the introduction of a learner is too short".into()));
        }
        let server = ServerId(data.get_i64());
        let protocol = data.get_i32();
        if protocol < PROTOCOL {
            return Err(LinkError::Protocol(format!(
                "server {server} speaks version {protocol:#x} of the protocol, from before 3.4"
            )));
        }
        if data.len() >= 8 && data.get_i64() > 0 {
            return Err(LinkError::Protocol(format!(
                "the configuration of server {server} is newer than that of the leader"
            )));
        }
        let accepted = Zxid(packet.zxid).epoch();
        if accepted >= LAST_EPOCH {
            return Err(LinkError::Protocol(format!(
                "server {server} says that it has promised epoch {accepted}, which has no next one"
            )));
        }
        Ok(Self { server, follows, accepted })
    }
}

/// The leader's answer to a learner's first packet.
pub(super) fn leader_info(epoch: Epoch) -> QuorumPacket {
    with_data(LEADER_INFO, start_of(epoch), int(PROTOCOL))
}

/// A learner's promise; without an epoch if it had promised before.
pub(super) fn ack_epoch(last: Zxid, current: Option<Epoch>) -> QuorumPacket {
    let current = current.map_or(-1, |epoch| i32::try_from(epoch.0).unwrap_or(i32::MAX));
    with_data(ACK_EPOCH, last, int(current))
}

/// The epoch in a learner's promise.
pub(super) fn promised(packet: &QuorumPacket) -> Result<Option<Epoch>, LinkError> {
    let mut data = packet.data.clone().unwrap_or_default();
    if data.len() < 4 {
        return Err(LinkError::Protocol("an ACKEPOCH has no epoch".to_owned()));
    }
    let epoch = data.get_i32();
    Ok((epoch != -1).then_some(Epoch(epoch.into())))
}

/// What to say of a packet that does not belong where it came.
pub(super) fn unexpected(kind: i32, place: &str) -> LinkError {
    LinkError::Protocol(format!("a packet of type {kind} came {place}"))
}

fn int(value: i32) -> Bytes {
    Bytes::copy_from_slice(&value.to_be_bytes())
}
