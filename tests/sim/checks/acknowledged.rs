//! \[writes\] What a client is told of its write is what was decided, and a write that begins after
//! another one was acknowledged comes after it: writes are linearizable.

use super::History;
use bytes::Bytes;
use jute::Decode;
use jute::client::{PathResponse, PathStat, ReplyHeader, Stat};
use zabra::proto::OpCode;
use zabra::tree::Txn;
use zabra::types::{SessionId, Zxid};

#[derive(Debug, Default)]
pub(crate) struct Acknowledged {
    /// The last one that was acknowledged to anybody.
    pub(crate) last: Zxid,
}

impl Acknowledged {
    pub(super) fn answered(
        &mut self,
        history: &History,
        session: SessionId,
        header: &ReplyHeader,
        body: &Bytes,
        op: OpCode,
        floor: Zxid,
    ) {
        let zxid = Zxid(header.zxid);
        let txn = history.txn(zxid);
        let txn = txn.unwrap_or_else(|| panic!("[writes] {zxid} is acknowledged, not decided"));
        assert_eq!(
            (txn.header.client_id, txn.header.cxid),
            (session.0, header.xid),
            "[writes] {zxid} is somebody else's"
        );
        assert!(zxid > floor, "[writes] {zxid} began after {floor} was acknowledged");
        self.last = self.last.max(zxid);
        let node = |path: &str| history.node_at(path, zxid);
        match &txn.body {
            Txn::Error(code) => assert_eq!(header.err, *code, "[writes] the error of {zxid}"),
            Txn::Create(txn) => {
                let PathResponse { path } = PathResponse::from_bytes(body.clone()).expect("a path");
                assert_eq!((path, header.err), (txn.path.clone(), 0), "[writes] of {zxid}");
            }
            Txn::Create2(txn) => {
                let PathStat { path, stat } = PathStat::from_bytes(body.clone()).expect("a path");
                assert_eq!((path, header.err), (txn.path.clone(), 0), "[writes] of {zxid}");
                assert_eq!(stat.czxid, zxid.0, "[writes] the stat of {zxid}");
            }
            Txn::SetData(txn) => {
                let stat = Stat::from_bytes(body.clone()).expect("a stat");
                let is = node(&txn.path).expect("[writes] it is there");
                assert_eq!(
                    (stat.version, stat.mzxid, header.err),
                    (is.version, zxid.0, 0),
                    "[writes] of {zxid}"
                );
            }
            // The errors of a multi are inside.
            Txn::Delete(_) | Txn::CloseSession(_) | Txn::Multi(_) => {
                assert_eq!(header.err, 0, "[writes] {op:?} of {zxid}");
            }
            other => panic!("[writes] nobody asked for {other:?}"),
        }
    }
}
