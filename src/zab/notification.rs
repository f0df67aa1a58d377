//! What servers say to one another in an election (ZK: `FastLeaderElection.Notification`).
//!
//! A message says who is to lead, in the sender's opinion; it does not say who sent it, that is
//! known of the connection. Knows nothing of how a leader is found.

use super::Vote;
use crate::types::{Epoch, ServerId, Zxid};
use bytes::{Buf, BufMut, Bytes, BytesMut};

/// What a server says it is doing (ZK: `QuorumPeer.ServerState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerState {
    /// It looks for a leader.
    Looking,
    /// It follows.
    Following,
    /// It leads.
    Leading,
    /// It learns without a vote.
    Observing,
}

impl PeerState {
    const fn to_wire(self) -> i32 {
        match self {
            Self::Looking => 0,
            Self::Following => 1,
            Self::Leading => 2,
            Self::Observing => 3,
        }
    }

    const fn from_wire(number: i32) -> Result<Self, NotificationError> {
        match number {
            0 => Ok(Self::Looking),
            1 => Ok(Self::Following),
            2 => Ok(Self::Leading),
            3 => Ok(Self::Observing),
            other => Err(NotificationError::UnknownState(other)),
        }
    }
}

/// A message of an election.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// What the sender is doing.
    pub state: PeerState,
    /// Who is to lead, or leads.
    pub leader: ServerId,
    /// The last transaction in that one's log.
    pub zxid: Zxid,
    /// The sender's round of election (ZK: `electionEpoch`).
    pub round: i64,
    /// The epoch of the proposed leader's log, or the epoch it leads if it is established.
    pub peer_epoch: Epoch,
    /// The format: 0 before 3.4.6, 1 without a configuration, 2 with one.
    pub version: i32,
    /// The sender's configuration, as text that is not looked into.
    pub config: Option<Bytes>,
}

/// Why bytes are no message of an election. The sender is ignored then, as in ZooKeeper.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotificationError {
    /// No format is that short or ends there.
    #[error("a notification breaks off after {0} bytes")]
    Truncated(usize),
    /// The configuration cannot be that long.
    #[error("a notification of {size} bytes with a configuration of {length} bytes")]
    BadConfigLength {
        /// What it claims.
        length: i32,
        /// The whole message.
        size: usize,
    },
    /// The sender is doing what no server does.
    #[error("a notification with the unknown state {0}")]
    UnknownState(i32),
}

impl Notification {
    /// The format that is written: with a configuration.
    pub const VERSION: i32 = 2;

    /// Bytes of a message without its configuration.
    const HEADER: usize = 44;

    /// Whom the sender votes for.
    #[must_use]
    pub const fn vote(&self) -> Vote {
        let Self { leader, zxid, round, peer_epoch, .. } = *self;
        Vote { leader, zxid, round, peer_epoch }
    }

    /// As ZooKeeper 3.5 to 3.9 send it: always [`VERSION`](Self::VERSION), whatever
    /// [`version`](Self::version) says. A missing configuration is sent as an empty one.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let config = self.config.as_deref().unwrap_or_default();
        let length = i32::try_from(config.len()).expect("a configuration is not that long");
        let mut bytes = BytesMut::with_capacity(Self::HEADER + config.len());
        bytes.put_i32(self.state.to_wire());
        bytes.put_i64(self.leader.0);
        bytes.put_i64(self.zxid.0);
        bytes.put_i64(self.round);
        bytes.put_i64(self.peer_epoch.0);
        bytes.put_i32(Self::VERSION);
        bytes.put_i32(length);
        bytes.put_slice(config);
        bytes.freeze()
    }

    /// Reads a message of any format that there has been.
    ///
    /// 28 bytes are the first format, which has no epoch. 40 bytes are read as the second, without
    /// a version, although messages of version 1 are 40 bytes too and carry one: so does ZooKeeper,
    /// and votes of both versions are compared differently. What follows the last field that the
    /// version has is ignored.
    pub fn parse(message: Bytes) -> Result<Self, NotificationError> {
        let size = message.len();
        let truncated = NotificationError::Truncated(size);
        if size < 28 {
            return Err(truncated);
        }
        let mut rest = message;
        let state = rest.get_i32();
        let leader = ServerId(rest.get_i64());
        let zxid = Zxid(rest.get_i64());
        let round = rest.get_i64();
        let peer_epoch = match size {
            28 => zxid.epoch(),
            _ => Epoch(rest.try_get_i64().map_err(|_| truncated)?),
        };
        let version = match size {
            28 | 40 => 0,
            _ => rest.try_get_i32().map_err(|_| truncated)?,
        };
        let config = if version > 1 { Some(take_config(&mut rest, size)?) } else { None };
        let state = PeerState::from_wire(state)?;
        Ok(Self { state, leader, zxid, round, peer_epoch, version, config })
    }
}

fn take_config(rest: &mut Bytes, size: usize) -> Result<Bytes, NotificationError> {
    let length = rest.try_get_i32().map_err(|_| NotificationError::Truncated(size))?;
    match usize::try_from(length) {
        Ok(bytes) if bytes <= rest.len() => Ok(rest.split_to(bytes)),
        Ok(bytes) if bytes <= size => Err(NotificationError::Truncated(size)),
        _ => Err(NotificationError::BadConfigLength { length, size }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CONFIG: &str = "server.1=127.0.0.1:24021:25021:participant\n\
        server.2=127.0.0.1:23102:23202:participant\n\
        server.3=127.0.0.1:24023:25023:observer\n\
        version=0";

    /// What an Apache ZooKeeper 3.8.0 said as leader of the first epoch.
    fn captured() -> Vec<u8> {
        let mut bytes = Vec::new();
        for word in [2_u32, 0, 2, 0, 0, 0, 1, 0, 1, 2, 0x87] {
            bytes.extend(word.to_be_bytes());
        }
        bytes.extend(CONFIG.as_bytes());
        bytes
    }

    fn parse(bytes: &[u8]) -> Result<Notification, NotificationError> {
        Notification::parse(Bytes::copy_from_slice(bytes))
    }

    fn header(state: i32, version: i32, config_length: i32) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.put_i32(state);
        for field in [3, 0x2_0000_0005, 7, 2] {
            bytes.put_i64(field);
        }
        bytes.put_i32(version);
        bytes.put_i32(config_length);
        bytes
    }

    #[test]
    fn a_message_of_zookeeper_is_read_and_written() {
        let notification = parse(&captured()).expect("it was sent by ZooKeeper");
        let expected = Notification {
            state: PeerState::Leading,
            leader: ServerId(2),
            zxid: Zxid(0),
            round: 1,
            peer_epoch: Epoch(1),
            version: 2,
            config: Some(Bytes::from_static(CONFIG.as_bytes())),
        };
        assert_eq!(notification, expected);
        assert_eq!(notification.to_bytes(), captured());
    }

    #[test]
    fn older_formats_are_read() {
        let first = parse(&header(0, 0, 0)[..28]).expect("28 bytes are a message");
        assert_eq!((first.version, first.peer_epoch, first.round), (0, Epoch(2), 7));
        // 40 bytes are taken for the format without a version, even if there is one.
        let second = parse(&header(1, 1, 0)[..40]).expect("40 bytes are a message");
        assert_eq!((second.version, second.peer_epoch), (0, Epoch(2)));
        let third = parse(&header(1, 1, -5)).expect("version 1 has no configuration");
        assert_eq!((third.version, third.config), (1, None));
    }

    #[test]
    fn a_configuration_has_to_fit() {
        let with = |length: i32, bytes: &[u8]| parse(&[&header(0, 2, length), bytes].concat());
        let config = |parsed: Result<Notification, _>| parsed.map(|found| found.config);
        assert_eq!(config(with(0, b"")), Ok(Some(Bytes::new())));
        assert_eq!(config(with(3, b"abcdef")), Ok(Some(Bytes::from_static(b"abc"))));
        assert_eq!(with(7, b"abcdef"), Err(NotificationError::Truncated(50)));
        let bad = |length| Err(NotificationError::BadConfigLength { length, size: 50 });
        assert_eq!(with(-1, b"abcdef"), bad(-1));
        assert_eq!(with(51, b"abcdef"), bad(51));
        assert_eq!(with(i32::MAX, b"abcdef"), bad(i32::MAX));
    }

    #[test]
    fn a_state_has_to_be_known() {
        for state in [-1, 4, i32::MAX] {
            let unknown = Err(NotificationError::UnknownState(state));
            assert_eq!(parse(&header(state, 2, 0)), unknown);
            assert_eq!(parse(&header(state, 2, 0)[..28]), unknown);
        }
    }

    #[test]
    fn a_part_of_a_message_is_none() {
        let whole = captured();
        for size in 0..whole.len() {
            let parsed = parse(&whole[..size]);
            match size {
                28 | 40 => assert_eq!(parsed.map(|found| found.version), Ok(0)),
                // The rest of the configuration cannot even be where its length says.
                44..135 => {
                    let length = 0x87;
                    let expected = NotificationError::BadConfigLength { length, size };
                    assert_eq!(parsed, Err(expected));
                }
                _ => assert_eq!(parsed, Err(NotificationError::Truncated(size))),
            }
        }
    }

    prop_compose! {
        fn any_notification()(
            state in 0..4_i32,
            numbers in any::<[i64; 4]>(),
            config in proptest::collection::vec(any::<u8>(), 0..100),
        ) -> Notification {
            let [leader, zxid, round, epoch] = numbers;
            Notification {
                state: PeerState::from_wire(state).expect("there are four states"),
                leader: ServerId(leader),
                zxid: Zxid(zxid),
                round,
                peer_epoch: Epoch(epoch),
                version: Notification::VERSION,
                config: Some(config.into()),
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(notification in any_notification()) {
            let bytes = notification.to_bytes();
            prop_assert_eq!(Notification::parse(bytes.clone()), Ok(notification));
            for size in (0..bytes.len()).filter(|size| ![28, 40].contains(size)) {
                prop_assert!(parse(&bytes[..size]).is_err(), "{} of {}", size, bytes.len());
            }
        }

        #[test]
        fn any_bytes_can_be_read(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn any_numbers_can_be_read(numbers in proptest::collection::vec(-3..200_i32, 0..20)) {
            let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_be_bytes()).collect();
            if let Ok(parsed) = parse(&bytes) {
                let config = parsed.config.map_or(0, |config| config.len());
                prop_assert!(config <= bytes.len().saturating_sub(44));
            }
        }
    }
}
