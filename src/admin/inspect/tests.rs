//! What is shown of transactions.

use super::transaction::{acl, data, object, text};
use crate::store::LogEntry;
use crate::tree::{Transaction, Txn};
use crate::types::{Acl, Id, Zxid};
use bytes::Bytes;
use jute::txn::{CreateTxn, DeleteTxn, TxnDigest, TxnHeader};

fn entry(body: Txn, digest: Option<i64>) -> LogEntry {
    let header = TxnHeader {
        client_id: 0x100,
        cxid: 3,
        zxid: 0x1_0000_0002,
        time: 1_700_000_000_000,
        kind: body.kind(),
    };
    let digest = digest.map(|tree_digest| TxnDigest { version: 2, tree_digest });
    let payload = Transaction { header, body, digest }.to_bytes();
    LogEntry { zxid: Zxid(0x1_0000_0002), payload }
}

fn create() -> Txn {
    let id = Id { scheme: "world".to_owned(), id: "anyone".to_owned() };
    Txn::Create2(CreateTxn {
        path: "/a".to_owned(),
        data: Some(Bytes::from_static(b"x\0")),
        acl: Some(vec![Acl { perms: 31, id }]),
        ephemeral: false,
        parent_cversion: 1,
    })
}

#[test]
fn a_transaction_is_a_line() {
    assert_eq!(
        text(&entry(create(), Some(0x51))),
        "Tue Nov 14 22:13:20 UTC 2023 session 0x100 cxid 0x3 zxid 0x100000002 create2 \
         /a,x\\x00,v{s{31,s{'world,'anyone}}},false,1 digest 0x51"
    );
    let delete = Txn::Delete(DeleteTxn { path: "/b".to_owned() });
    let multi = text(&entry(Txn::Multi(vec![delete, Txn::Error(-101)]), None));
    assert!(multi.ends_with(" multi delete:/b;error:-101"), "{multi}");
}

#[test]
fn a_transaction_is_an_object() {
    let shown = object(Some(16), &entry(create(), None));
    assert_eq!(shown["type"], "create2");
    assert_eq!(shown["data"], "eAA=");
    assert_eq!(shown["acl"][0]["scheme"], "world");
    assert_eq!(shown["offset"], 16);
    assert!(shown["digest"].is_null());
}

#[test]
fn what_is_no_transaction_is_shown_as_such() {
    let broken = LogEntry { zxid: Zxid(1), payload: Bytes::from_static(&[0; 40]) };
    assert!(text(&broken).contains("cannot be read"), "{}", text(&broken));
    assert!(object(None, &broken)["error"].is_string());
    assert_eq!(data(Some("dätä".as_bytes())), "dätä");
    assert_eq!(data(Some(b"\xff\n")), "\\xff\\n");
    assert_eq!(acl(None), "v{}");
}
