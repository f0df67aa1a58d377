//! From a link's bytes to packets, with bounds on everything that a stranger can claim.

use crate::types::ServerId;
use bytes::{Buf, BytesMut};
use jute::quorum::QuorumPacket;
use jute::{Decode, Decoder, Limits};
use thiserror::Error;

/// The kind of the packet behind which an image of a tree comes.
pub(super) const SNAP: i32 = 15;
/// The kind of the packet with which a learner has been sent all that it lacked.
pub(super) const NEWLEADER: i32 = 10;
/// The kinds of the packets with which a learner introduces itself.
const FOLLOWERINFO: i32 = 11;
const OBSERVERINFO: i32 = 16;
/// The kinds that there are (ZK: `Leader`).
const KINDS: std::ops::RangeInclusive<i32> = 1..=19;
/// Most identities of a client in one packet.
const MAX_IDENTITIES: i32 = 4096;
/// Bytes before the data: kind, zxid and the data's length.
const HEAD: usize = 16;

/// What is no packet.
#[derive(Debug, Error, PartialEq, Eq)]
pub(super) enum BadPacket {
    /// Its kind does not exist.
    #[error("it sent a packet of kind {0}, which does not exist")]
    Kind(i32),
    /// Something in it is longer than it may be.
    #[error("it sent a packet with a part of {0} bytes or elements; see jute.maxbuffer")]
    Length(i32),
    /// It cannot be decoded.
    #[error("it sent a packet that cannot be read: {0}")]
    Decode(#[from] jute::DecodeError),
}

/// Cuts the next whole packet off the front of what has arrived. `limit` bounds every part of it.
///
/// # Errors
/// What comes next is no packet.
pub(super) fn cut_packet(
    input: &mut BytesMut,
    limit: usize,
) -> Result<Option<QuorumPacket>, BadPacket> {
    let size = match measure(input, limit)? {
        Size::Whole(size) => size,
        Size::AtLeast(size) => {
            // One growth at most for data that are on their way.
            input.reserve(size.saturating_sub(input.len()));
            return Ok(None);
        }
    };
    let limits = Limits { blob: limit, elements: MAX_IDENTITIES as usize };
    let mut decoder = Decoder::with_limits(input.split_to(size).freeze(), limits);
    let packet = QuorumPacket::decode(&mut decoder)?;
    decoder.finish()?;
    Ok(Some(packet))
}

/// The server that a packet introduces as the sender.
pub(super) fn introduced(packet: &QuorumPacket) -> Option<ServerId> {
    if packet.kind != FOLLOWERINFO && packet.kind != OBSERVERINFO {
        return None;
    }
    packet.data.as_ref()?.first_chunk().map(|id| ServerId(i64::from_be_bytes(*id)))
}

/// How long a packet is.
enum Size {
    Whole(usize),
    /// As far as one can tell.
    AtLeast(usize),
}

fn measure(input: &[u8], limit: usize) -> Result<Size, BadPacket> {
    let mut rest = Rest { input, at: 0 };
    let Some(kind) = rest.int() else { return Ok(Size::AtLeast(HEAD)) };
    if !KINDS.contains(&kind) {
        return Err(BadPacket::Kind(kind));
    }
    rest.at += 8;
    let Some(length) = rest.int() else { return Ok(Size::AtLeast(HEAD)) };
    rest.skip(length, limit)?;
    let Some(count) = rest.int() else { return Ok(Size::AtLeast(rest.at + 4)) };
    if !(-1..=MAX_IDENTITIES).contains(&count) {
        return Err(BadPacket::Length(count));
    }
    // The identities together are bounded as the data are.
    let start = rest.at;
    for _ in 0..2 * count.max(0) {
        let Some(length) = rest.int() else { return Ok(Size::AtLeast(rest.at + 4)) };
        rest.skip(length, limit.saturating_sub(rest.at - start))?;
    }
    Ok(if rest.at <= input.len() { Size::Whole(rest.at) } else { Size::AtLeast(rest.at) })
}

struct Rest<'a> {
    input: &'a [u8],
    at: usize,
}

impl Rest<'_> {
    fn int(&mut self) -> Option<i32> {
        let mut bytes = self.input.get(self.at..self.at + 4)?;
        self.at += 4;
        Some(bytes.get_i32())
    }

    /// Goes past a string or buffer of this length.
    fn skip(&mut self, length: i32, limit: usize) -> Result<(), BadPacket> {
        if length == -1 {
            return Ok(());
        }
        let size = usize::try_from(length).ok().filter(|size| *size <= limit);
        self.at += size.ok_or(BadPacket::Length(length))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use jute::Encode;
    use jute::client::Id;

    const LIMIT: usize = 100;

    fn packet(data: Option<usize>, identities: Option<&[(&str, &str)]>) -> QuorumPacket {
        let id =
            |(scheme, id): &(&str, &str)| Id { scheme: (*scheme).to_owned(), id: (*id).to_owned() };
        QuorumPacket {
            kind: 1,
            zxid: -1,
            data: data.map(|length| Bytes::from(vec![7; length])),
            auth_info: identities.map(|ids| ids.iter().map(id).collect()),
        }
    }

    #[test]
    fn packets_are_cut_when_they_are_whole() {
        let packets = [
            packet(None, None),
            packet(Some(0), Some(&[])),
            packet(Some(LIMIT), Some(&[("ip", "127.0.0.1"), ("digest", "a:b")])),
        ];
        let whole: Vec<u8> = packets.iter().flat_map(Encode::to_bytes).collect();
        // Byte by byte, and all at once.
        for step in [1, 7, whole.len()] {
            let (mut input, mut found) = (BytesMut::new(), Vec::new());
            for chunk in whole.chunks(step) {
                input.extend_from_slice(chunk);
                while let Some(packet) = cut_packet(&mut input, LIMIT).expect("packets") {
                    found.push(packet);
                }
            }
            assert_eq!(found, packets);
            assert!(input.is_empty());
        }
    }

    #[test]
    fn parts_are_bounded_before_they_have_arrived() {
        let long = packet(Some(LIMIT + 1), None).to_bytes();
        let mut input = BytesMut::from(&long[..16]);
        assert_eq!(cut_packet(&mut input, LIMIT), Err(BadPacket::Length(101)));
        let many = [&packet(None, None).to_bytes()[..16], &i32::MAX.to_be_bytes()].concat();
        assert_eq!(cut_packet(&mut many[..].into(), LIMIT), Err(BadPacket::Length(i32::MAX)));
        let text = "x".repeat(LIMIT / 2);
        let together = packet(None, Some(&[(&text, ""), (&text, "")])).to_bytes();
        assert!(matches!(cut_packet(&mut together[..].into(), LIMIT), Err(BadPacket::Length(50))));
    }

    #[test]
    fn other_protocols_are_noticed_at_once() {
        let mut request = BytesMut::from(&b"GET "[..]);
        assert_eq!(cut_packet(&mut request, LIMIT), Err(BadPacket::Kind(0x4745_5420)));
        let mut zeros = BytesMut::from(&[0; 64][..]);
        assert_eq!(cut_packet(&mut zeros, LIMIT), Err(BadPacket::Kind(0)));
    }

    #[test]
    fn a_negative_length_is_none() {
        let mut bytes = packet(None, None).to_bytes().to_vec();
        bytes[12..16].copy_from_slice(&(-2_i32).to_be_bytes());
        assert_eq!(cut_packet(&mut bytes[..].into(), LIMIT), Err(BadPacket::Length(-2)));
    }
}
