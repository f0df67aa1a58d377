//! The packets between a leader and its learners that are about clients (ZK: `QuorumPacket`).

use crate::types::{Id, SessionId};
use crate::zab::packet::{INFORM, INFORM_AND_ACTIVATE, PROPOSAL};
pub(super) use crate::zab::packet::{PING, REQUEST, REVALIDATE, SYNC};
use bytes::{BufMut, Bytes, BytesMut};
use jute::quorum::QuorumPacket;
use jute::{DecodeError, Decoder};

/// The zxid of packets that have none.
const NO_ZXID: i64 = -1;

/// A client's request as a learner hands it on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Forwarded {
    pub(super) session: SessionId,
    pub(super) cxid: i32,
    /// The operation's number.
    pub(super) op: i32,
    /// What followed the header in the client's frame.
    pub(super) body: Bytes,
}

impl Forwarded {
    /// The packet that carries it. A session's begin is asked for by nobody in particular.
    pub(super) fn into_packet(self, identities: Option<&[Id]>) -> QuorumPacket {
        let mut data = BytesMut::with_capacity(16 + self.body.len());
        data.put_i64(self.session.0);
        data.put_i32(self.cxid);
        data.put_i32(self.op);
        data.put(self.body);
        QuorumPacket {
            kind: REQUEST,
            zxid: NO_ZXID,
            data: Some(data.freeze()),
            auth_info: identities.map(<[Id]>::to_vec),
        }
    }

    /// Reads what a packet carries.
    pub(super) fn read(data: Option<Bytes>) -> Result<Self, DecodeError> {
        let mut input = Decoder::new(data.ok_or(DecodeError::UnexpectedNull)?);
        let (session, cxid, op) = (SessionId(input.long()?), input.int()?, input.int()?);
        Ok(Self { session, cxid, op, body: input.rest().clone() })
    }
}

/// Asks whether a session may go on here, with the timeout that its client was granted.
pub(super) fn revalidate(session: SessionId, timeout_ms: i32) -> QuorumPacket {
    let mut data = BytesMut::with_capacity(12);
    data.put_i64(session.0);
    data.put_i32(timeout_ms);
    QuorumPacket { kind: REVALIDATE, zxid: NO_ZXID, data: Some(data.freeze()), auth_info: None }
}

/// Reads the session and the timeout that are asked about.
pub(super) fn read_revalidate(data: Option<Bytes>) -> Result<(SessionId, i32), DecodeError> {
    let mut input = Decoder::new(data.ok_or(DecodeError::UnexpectedNull)?);
    Ok((SessionId(input.long()?), input.int()?))
}

/// Answers whether a session may go on with whoever asked.
pub(super) fn revalidated(asked: QuorumPacket, session: SessionId, valid: bool) -> QuorumPacket {
    let mut data = BytesMut::with_capacity(9);
    data.put_i64(session.0);
    data.put_u8(u8::from(valid));
    QuorumPacket { data: Some(data.freeze()), ..asked }
}

/// Reads whether a session may go on here.
pub(super) fn read_revalidated(data: Option<Bytes>) -> Result<(SessionId, bool), DecodeError> {
    let mut input = Decoder::new(data.ok_or(DecodeError::UnexpectedNull)?);
    Ok((SessionId(input.long()?), input.byte()? != 0))
}

/// Answers a leader's ping with the sessions that have been heard of. ZooKeeper does not take null
/// for none.
pub(super) fn touches(ping: QuorumPacket, touched: &[(SessionId, i32)]) -> QuorumPacket {
    let mut data = BytesMut::with_capacity(12 * touched.len());
    for (session, timeout_ms) in touched {
        data.put_i64(session.0);
        data.put_i32(*timeout_ms);
    }
    QuorumPacket { data: Some(data.freeze()), ..ping }
}

/// Reads the sessions that a learner has heard of.
pub(super) fn read_touches(data: Option<Bytes>) -> Result<Vec<(SessionId, i32)>, DecodeError> {
    let mut input = Decoder::new(data.unwrap_or_default());
    let mut touched = Vec::with_capacity(input.remaining() / 12);
    while input.remaining() > 0 {
        touched.push((SessionId(input.long()?), input.int()?));
    }
    Ok(touched)
}

/// The transaction in a packet, if it is of a kind that carries one.
pub(super) fn transaction_in(packet: &QuorumPacket) -> Option<Bytes> {
    /// The server that is to lead next.
    const DESIGNATED: usize = 8;
    let data = packet.data.as_ref()?;
    match packet.kind {
        PROPOSAL | INFORM => Some(data.clone()),
        INFORM_AND_ACTIVATE if data.len() >= DESIGNATED => Some(data.slice(DESIGNATED..)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: SessionId = SessionId(0x0100_0017_9c5d_0000);

    #[test]
    fn a_request_is_what_java_sends() {
        let forwarded =
            Forwarded { session: SESSION, cxid: 7, op: 1, body: Bytes::from_static(b"body") };
        let id = Id { scheme: "ip".to_owned(), id: "127.0.0.1".to_owned() };
        let packet = forwarded.clone().into_packet(Some(std::slice::from_ref(&id)));
        assert_eq!((packet.kind, packet.zxid), (1, -1));
        assert_eq!(packet.auth_info, Some(vec![id]));
        let bytes = b"\x01\0\0\x17\x9c\x5d\0\0\0\0\0\x07\0\0\0\x01body";
        assert_eq!(packet.data.as_deref(), Some(&bytes[..]));
        assert_eq!(Forwarded::read(packet.data), Ok(forwarded));
        assert!(Forwarded::read(None).is_err());
        assert!(Forwarded::read(Some(Bytes::from_static(&bytes[..15]))).is_err());
    }

    #[test]
    fn a_revalidation_is_answered_in_the_packet_that_asked() {
        let asked = revalidate(SESSION, 6000);
        assert_eq!((asked.kind, asked.zxid), (6, -1));
        assert_eq!(read_revalidate(asked.data.clone()), Ok((SESSION, 6000)));
        let answer = revalidated(asked, SESSION, true);
        assert_eq!(answer.data.as_deref(), Some(&b"\x01\0\0\x17\x9c\x5d\0\0\x01"[..]));
        assert_eq!(read_revalidated(answer.data), Ok((SESSION, true)));
        assert!(read_revalidated(None).is_err());
    }

    #[test]
    fn a_ping_without_touches_has_empty_data() {
        let ping = QuorumPacket { kind: PING, zxid: 5, data: None, auth_info: None };
        let answer = touches(ping.clone(), &[]);
        assert_eq!(answer, QuorumPacket { data: Some(Bytes::new()), ..ping.clone() });
        let touched = [(SESSION, 6000), (SessionId(2), 4000)];
        let answer = touches(ping, &touched);
        assert_eq!(answer.data.as_ref().map(Bytes::len), Some(24));
        assert_eq!(read_touches(answer.data.clone()), Ok(touched.to_vec()));
        let torn = answer.data.map(|data| data.slice(..23));
        assert!(read_touches(torn).is_err());
        assert_eq!(read_touches(None), Ok(Vec::new()));
    }
}
