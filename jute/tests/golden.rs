//! Bytes of real ZooKeeper servers (3.8.0, an ensemble of two voters and an observer): whole quorum
//! connections, a transaction log and a snapshot, taken apart to the last byte and put together
//! again.

use bytes::{BufMut, Bytes, BytesMut};
use jute::client::{Acl, CreateRequest, Id, MultiHeader, SetDataRequest};
use jute::disk::{FileHeader, SessionRecord, StatPersisted};
use jute::quorum::{LearnerInfo, QuorumPacket};
use jute::txn::{
    CloseSessionTxn, CreateSessionTxn, CreateTxn, ErrorTxn, MultiTxn, SetAclTxn, SubTxn, TxnDigest,
    TxnHeader,
};
use jute::{Decode, DecodeError, Decoder, Encode, client, txn};
use std::collections::BTreeMap;

type Result<T = ()> = std::result::Result<T, DecodeError>;

#[test]
fn follower_to_leader() -> Result {
    let packets = packets(include_bytes!("golden/follower.c2s"))?;
    assert_eq!(kinds(&packets), [(1, 16), (3, 25), (5, 468), (6, 1), (11, 1), (18, 1)].into());
    check_payloads(&packets)?;
    let info = LearnerInfo::from_bytes(packets[0].data.clone().unwrap_or_default())?;
    assert_eq!(info, LearnerInfo { server_id: 1, protocol_version: 0x10000, config_version: 0 });
    let create = packets.iter().filter(|packet| packet.kind == 1).nth(1).expect("many requests");
    let ip = Id { scheme: "ip".to_owned(), id: "127.0.0.1".to_owned() };
    assert_eq!((create.zxid, create.auth_info.clone()), (-1, Some(vec![ip])));
    Ok(())
}

#[test]
fn leader_to_follower() -> Result {
    let packets = packets(include_bytes!("golden/follower.s2c"))?;
    let expected = [(2, 23), (4, 23), (5, 468), (6, 1), (7, 1), (10, 1), (12, 1), (13, 1), (17, 1)];
    assert_eq!(kinds(&packets), expected.into());
    check_payloads(&packets)
}

#[test]
fn observer_to_leader() -> Result {
    let packets = packets(include_bytes!("golden/observer.c2s"))?;
    assert_eq!(kinds(&packets), [(1, 2), (3, 2), (5, 301), (16, 1), (18, 1)].into());
    check_payloads(&packets)
}

/// This connection carries a snapshot image between its second and third packet.
#[test]
fn leader_to_observer() -> Result {
    let bytes = Bytes::from_static(include_bytes!("golden/observer.s2c"));
    let mut input = Decoder::new(bytes.clone());
    let head = [QuorumPacket::decode(&mut input)?, QuorumPacket::decode(&mut input)?];
    assert_eq!(kinds(&head), [(15, 1), (17, 1)].into());
    let image = Image::decode(&mut input)?;
    let signature = String::decode(&mut input)?;
    assert_eq!(signature, "BenWasHere");
    let tail = packets(input.rest())?;
    assert_eq!(kinds(&tail), [(5, 302), (8, 3), (10, 1), (12, 1)].into());
    check_payloads(&tail)?;

    let mut again = BytesMut::new();
    for packet in &head {
        packet.encode(&mut again);
    }
    image.encode(&mut again);
    signature.encode(&mut again);
    for packet in &tail {
        packet.encode(&mut again);
    }
    assert_eq!(again, bytes);
    Ok(())
}

#[test]
fn transaction_log() -> Result {
    let bytes = Bytes::from_static(include_bytes!("golden/log.100000001"));
    let mut input = Decoder::new(bytes.clone());
    let header = FileHeader::decode(&mut input)?;
    assert_eq!(header, FileHeader { magic: magic("ZKLG"), version: 2, db_id: 0 });
    let mut again = BytesMut::new();
    header.encode(&mut again);
    let mut zxids = Vec::new();
    loop {
        let checksum = i64::decode(&mut input)?;
        let entry = Bytes::decode(&mut input)?;
        if entry.is_empty() {
            break;
        }
        assert_eq!(input.byte()?, b'B');
        assert_eq!(checksum, adler32(&entry));
        let (header, entry_again) = recode_txn(entry)?;
        zxids.push(header.zxid);
        checksum.encode(&mut again);
        entry_again.encode(&mut again);
        again.put_u8(b'B');
    }
    assert_eq!(zxids, (0x1_0000_0001..=0x1_0000_0017).collect::<Vec<i64>>());
    assert!(input.rest().iter().all(|byte| *byte == 0));
    again.resize(bytes.len(), 0);
    assert_eq!(again, bytes);
    Ok(())
}

#[test]
fn snapshot() -> Result {
    let bytes = Bytes::from_static(include_bytes!("golden/snapshot.10000000e"));
    let mut input = Decoder::new(bytes.clone());
    let mut again = BytesMut::new();
    let header = FileHeader::decode(&mut input)?;
    assert_eq!(header, FileHeader { magic: magic("ZKSN"), version: 2, db_id: -1 });
    header.encode(&mut again);
    let image = Image::decode(&mut input)?;
    let paths: Vec<&str> = image.nodes.iter().map(|(path, ..)| path.as_str()).collect();
    assert!(paths.contains(&"/a/s-0000000000") && paths.contains(&"/zookeeper/config"));
    image.encode(&mut again);
    seal(&mut input, &mut again)?;
    // The digest's section: zxid, version, digest.
    let (zxid, digest) = (i64::decode(&mut input)?, TxnDigest::decode(&mut input)?);
    assert_eq!((zxid, digest.version), (0, 2));
    zxid.encode(&mut again);
    digest.encode(&mut again);
    seal(&mut input, &mut again)?;
    assert_eq!(again, bytes);
    input.finish()
}

#[test]
fn single_records() -> Result {
    let payload = hex("010000179c5d0000 00000001 0000000100000002 000001a20abfa336 00000001
        000000022f61 0000000568656c6c6f 00000001 0000001f 00000005776f726c64 00000006616e796f6e65
        00 00000001 00000002 00000001ccfd5283");
    let mut input = Decoder::new(payload);
    let header = TxnHeader {
        client_id: 0x0100_0017_9c5d_0000,
        cxid: 1,
        zxid: 0x1_0000_0002,
        time: 0x01a2_0abf_a336,
        kind: 1,
    };
    assert_eq!(TxnHeader::decode(&mut input)?, header);
    let anyone = Id { scheme: "world".to_owned(), id: "anyone".to_owned() };
    let create = CreateTxn {
        path: "/a".to_owned(),
        data: Some(Bytes::from_static(b"hello")),
        acl: Some(vec![Acl { perms: 31, id: anyone }]),
        ephemeral: false,
        parent_cversion: 1,
    };
    assert_eq!(CreateTxn::decode(&mut input)?, create);
    let digest = TxnDigest { version: 2, tree_digest: 0x1_ccfd_5283 };
    assert_eq!(TxnDigest::decode(&mut input)?, digest);
    input.finish()?;

    let failed = MultiTxn::from_bytes(hex("00000003 0000000d 0000000a 000000022f6100000003
        ffffffff 00000004 ffffff9b ffffffff 00000004 fffffffe"))?;
    let code = |sub: &SubTxn| ErrorTxn::from_bytes(sub.data.clone().unwrap_or_default());
    assert_eq!(failed.txns.iter().map(|sub| sub.kind).collect::<Vec<_>>(), [13, -1, -1]);
    assert_eq!((code(&failed.txns[1])?.err, code(&failed.txns[2])?.err), (-101, -2));
    Ok(())
}

/// The packets of one direction of a connection, which must fill it.
fn packets(bytes: &[u8]) -> Result<Vec<QuorumPacket>> {
    let bytes = Bytes::copy_from_slice(bytes);
    let mut input = Decoder::new(bytes.clone());
    let mut packets = Vec::new();
    let mut again = BytesMut::new();
    while input.remaining() > 0 {
        let packet = QuorumPacket::decode(&mut input)?;
        packet.encode(&mut again);
        packets.push(packet);
    }
    assert_eq!(again, bytes);
    Ok(packets)
}

/// How many packets there are of each type.
fn kinds(packets: &[QuorumPacket]) -> BTreeMap<i32, usize> {
    let mut kinds = BTreeMap::new();
    for packet in packets {
        *kinds.entry(packet.kind).or_default() += 1;
    }
    kinds
}

fn check_payloads(packets: &[QuorumPacket]) -> Result {
    for packet in packets {
        let Some(data) = packet.data.clone() else { continue };
        let again = match packet.kind {
            1 => recode_request(data.clone())?,
            2 | 8 => {
                let (header, again) = recode_txn(data.clone())?;
                assert_eq!(header.zxid, packet.zxid);
                again
            }
            11 | 16 => recode::<LearnerInfo>(data.clone())?,
            _ => continue,
        };
        assert_eq!(again, data, "{packet:?}");
    }
    Ok(())
}

fn recode<T: Encode + Decode>(bytes: Bytes) -> Result<Bytes> {
    Ok(T::from_bytes(bytes)?.to_bytes())
}

/// Copies one record from `input` to `out`.
fn copy<T: Encode + Decode>(input: &mut Decoder, out: &mut BytesMut) -> Result {
    T::decode(input)?.encode(out);
    Ok(())
}

/// A learner's request: session, cxid, operation, and the body as the client sent it.
fn recode_request(bytes: Bytes) -> Result<Bytes> {
    let mut input = Decoder::new(bytes);
    let mut out = BytesMut::new();
    copy::<i64>(&mut input, &mut out)?;
    copy::<i32>(&mut input, &mut out)?;
    let op = i32::decode(&mut input)?;
    op.encode(&mut out);
    recode_body(op, &mut input, &mut out)?;
    input.finish()?;
    Ok(out.freeze())
}

fn recode_body(op: i32, input: &mut Decoder, out: &mut BytesMut) -> Result {
    match op {
        1 | 15 | 19 => copy::<CreateRequest>(input, out),
        2 | 13 => copy::<client::PathVersion>(input, out),
        5 => copy::<SetDataRequest>(input, out),
        7 => copy::<client::SetAclRequest>(input, out),
        9 => copy::<client::PathOnly>(input, out),
        14 => loop {
            let header = MultiHeader::decode(input)?;
            header.encode(out);
            if header.done {
                break Ok(());
            }
            recode_body(header.op, input, out)?;
        },
        21 => copy::<client::CreateTtlRequest>(input, out),
        -10 => copy::<CreateSessionTxn>(input, out),
        -11 => Ok(()),
        _ => Err(DecodeError::UnknownVariant(op)),
    }
}

/// A transaction: header, body and, unless it is an error, digest.
fn recode_txn(bytes: Bytes) -> Result<(TxnHeader, Bytes)> {
    let mut input = Decoder::new(bytes);
    let mut out = BytesMut::new();
    let header = TxnHeader::decode(&mut input)?;
    header.encode(&mut out);
    recode_txn_body(header.kind, &mut input, &mut out)?;
    if header.kind != -1 {
        let digest = TxnDigest::decode(&mut input)?;
        assert_eq!(digest.version, 2);
        digest.encode(&mut out);
    }
    input.finish()?;
    Ok((header, out.freeze()))
}

fn recode_txn_body(kind: i32, input: &mut Decoder, out: &mut BytesMut) -> Result {
    match kind {
        1 | 15 => copy::<CreateTxn>(input, out),
        2 | 20 => copy::<txn::DeleteTxn>(input, out),
        5 | 16 => copy::<txn::SetDataTxn>(input, out),
        7 => copy::<SetAclTxn>(input, out),
        13 => copy::<txn::CheckVersionTxn>(input, out),
        14 => {
            let multi = MultiTxn::decode(input)?;
            for sub in &multi.txns {
                let data = sub.data.clone().unwrap_or_default();
                let (mut input, mut again) = (Decoder::new(data.clone()), BytesMut::new());
                recode_txn_body(sub.kind, &mut input, &mut again)?;
                input.finish()?;
                assert_eq!(again, data);
            }
            multi.encode(out);
            Ok(())
        }
        19 => copy::<txn::CreateContainerTxn>(input, out),
        21 => copy::<txn::CreateTtlTxn>(input, out),
        -1 => copy::<ErrorTxn>(input, out),
        -10 => copy::<CreateSessionTxn>(input, out),
        -11 => copy::<CloseSessionTxn>(input, out),
        _ => Err(DecodeError::UnknownVariant(kind)),
    }
}

/// The tree as snapshots and the SNAP stream carry it: sessions, the ACL table, and the znodes,
/// each with its path, data, ACL number and stat, up to the end mark.
struct Image {
    sessions: Vec<(i64, SessionRecord)>,
    acls: Vec<(i64, Vec<Acl>)>,
    nodes: Vec<(String, Option<Bytes>, i64, StatPersisted)>,
}

const END_MARK: &str = "/";

impl Image {
    fn decode(input: &mut Decoder) -> Result<Self> {
        let sessions = (0..i32::decode(input)?)
            .map(|_| Ok((Decode::decode(input)?, Decode::decode(input)?)))
            .collect::<Result<_>>()?;
        let acls = (0..i32::decode(input)?)
            .map(|_| Ok((Decode::decode(input)?, Decode::decode(input)?)))
            .collect::<Result<_>>()?;
        let mut nodes = Vec::new();
        loop {
            let path = String::decode(input)?;
            if path == END_MARK {
                return Ok(Self { sessions, acls, nodes });
            }
            nodes.push((
                path,
                Decode::decode(input)?,
                Decode::decode(input)?,
                Decode::decode(input)?,
            ));
        }
    }

    fn encode(&self, out: &mut BytesMut) {
        count(self.sessions.len()).encode(out);
        for (id, session) in &self.sessions {
            id.encode(out);
            session.encode(out);
        }
        count(self.acls.len()).encode(out);
        for (id, acl) in &self.acls {
            id.encode(out);
            acl.encode(out);
        }
        for (path, data, acl, stat) in &self.nodes {
            path.encode(out);
            data.encode(out);
            acl.encode(out);
            stat.encode(out);
        }
        END_MARK.encode(out);
    }
}

/// Checks a seal of a snapshot file: the checksum of all bytes before it, and a slash.
fn seal(input: &mut Decoder, again: &mut BytesMut) -> Result {
    let checksum = i64::decode(input)?;
    assert_eq!(checksum, adler32(again));
    assert_eq!(String::decode(input)?, "/");
    checksum.encode(again);
    "/".encode(again);
    Ok(())
}

fn count(len: usize) -> i32 {
    i32::try_from(len).expect("the images are small")
}

fn magic(text: &str) -> i32 {
    text.bytes().fold(0, |magic, byte| magic << 8 | i32::from(byte))
}

fn adler32(bytes: &[u8]) -> i64 {
    let (a, b) = bytes.iter().fold((1_i64, 0_i64), |(a, b), byte| {
        let a = (a + i64::from(*byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    b << 16 | a
}

fn hex(text: &str) -> Bytes {
    let digits: Vec<u8> = text
        .chars()
        .filter_map(|c| c.to_digit(16))
        .map(|digit| u8::try_from(digit).expect("a hex digit is small"))
        .collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}
