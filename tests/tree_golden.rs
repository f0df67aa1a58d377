//! Replays transaction logs and a snapshot that Apache ZooKeeper wrote and compares the digest that
//! ZooKeeper noted after every transaction with the tree's: equal digests mean equal trees.

use bytes::Bytes;
use jute::disk::{FileHeader, StatPersisted, TreeMark, ZnodeRecord};
use jute::{Decode, DecodeError, Decoder};
use std::collections::BTreeMap;
use zabra::tree::{Transaction, Tree, TreeLoader, TreeOptions};
use zabra::types::{Acl, ExtendedTypes, Zxid, perms};

const OPTIONS: TreeOptions = TreeOptions { extended_types: ExtendedTypes::On, digest: true };

/// The transactions of a log file, without checking their checksums.
fn transactions(file: &'static [u8]) -> Vec<Transaction> {
    let mut input = Decoder::new(Bytes::from_static(file));
    FileHeader::decode(&mut input).expect("the head of a log");
    let mut transactions = Vec::new();
    while input.remaining() > 0 {
        let (_checksum, bytes) = (input.long(), input.blob());
        let bytes = bytes.expect("an entry").expect("not null");
        transactions.push(Transaction::from_bytes(bytes).expect("a transaction"));
        assert_eq!(input.byte(), Ok(0x42), "the end of an entry");
    }
    transactions
}

/// Applies transactions and compares digests. Gives back how many there were to compare.
fn replay(tree: &mut Tree, transactions: &[Transaction]) -> usize {
    let mut compared = 0;
    for transaction in transactions {
        let last = tree.last_zxid().max(Zxid(transaction.header.zxid));
        tree.apply(transaction, &mut Vec::new());
        assert_eq!(tree.last_zxid(), last);
        if let Some(digest) = &transaction.digest {
            assert_eq!(digest.version, 2);
            assert_eq!(tree.digest(), digest.tree_digest, "after {transaction:?}");
            compared += 1;
        }
    }
    compared
}

#[test]
fn an_ensembles_log_leads_to_the_same_trees() {
    let transactions = transactions(include_bytes!("golden/ensemble.log"));
    let mut tree = Tree::new(OPTIONS);
    assert_eq!((transactions.len(), replay(&mut tree, &transactions)), (23, 20));
}

#[test]
fn a_log_across_epochs_leads_to_the_same_trees() {
    let transactions = transactions(include_bytes!("golden/epochs.log"));
    let mut tree = Tree::new(OPTIONS);
    assert_eq!((transactions.len(), replay(&mut tree, &transactions)), (7, 7));
}

/// The znodes of a snapshot file.
fn snapshot(file: &'static [u8]) -> Result<Vec<(String, ZnodeRecord)>, DecodeError> {
    let mut input = Decoder::new(Bytes::from_static(file));
    FileHeader::decode(&mut input)?;
    for _ in 0..input.int()? {
        let (_session, _timeout) = (input.long()?, input.int()?);
    }
    let mut acls: BTreeMap<i64, Vec<Acl>> = BTreeMap::new();
    for _ in 0..input.int()? {
        acls.insert(input.long()?, Decode::decode(&mut input)?);
    }
    let mut nodes = Vec::new();
    loop {
        let path = String::decode(&mut input)?;
        if path == "/" {
            return Ok(nodes);
        }
        let data = Decode::decode(&mut input)?;
        let acl = acls.get(&input.long()?).cloned();
        let stat = StatPersisted::decode(&mut input)?;
        nodes.push((path, ZnodeRecord { data, acl, stat }));
    }
}

#[test]
fn a_snapshot_loads_to_the_same_tree_and_the_log_goes_on_from_it() {
    const TAKEN_AT: i64 = 0x1_0000_000e;
    let (before, after): (Vec<_>, Vec<_>) = transactions(include_bytes!("golden/ensemble.log"))
        .into_iter()
        .partition(|txn| txn.header.zxid <= TAKEN_AT);
    let last = before.last().and_then(|txn| txn.digest.clone()).expect("a digest");

    let mut loader = TreeLoader::new(OPTIONS);
    for (path, record) in snapshot(include_bytes!("golden/ensemble.snapshot")).expect("a snapshot")
    {
        loader.insert(&path, record).expect("a znode");
    }
    let mark = TreeMark { applied: TAKEN_AT, digest: last.tree_digest };
    let mut tree = loader.finish(&mark).expect("the digest at that time");
    assert_eq!((after.len(), replay(&mut tree, &after)), (9, 7));

    let mut whole = Tree::new(OPTIONS);
    replay(&mut whole, &before);
    replay(&mut whole, &after);
    let sorted = |tree: &Tree| tree.dump().collect::<BTreeMap<_, _>>();
    let (mut whole, mut tree) = (sorted(&whole), sorted(&tree));
    // Every server keeps the configuration for itself.
    whole.remove("/zookeeper/config");
    tree.remove("/zookeeper/config");
    assert_eq!(whole, tree);
}

/// `random.log` and `random.snapshot` come from ZooKeeper 3.9.5's own tree, which was given random
/// transactions: also ones that repeat earlier ones, as a replay does, and ones that do not fit.
#[test]
fn random_transactions_lead_to_the_same_trees() {
    let transactions = transactions(include_bytes!("golden/random.log"));
    let mut tree = Tree::new(OPTIONS);
    assert_eq!((transactions.len(), replay(&mut tree, &transactions)), (600, 600));

    let snapshot = snapshot(include_bytes!("golden/random.snapshot")).expect("a snapshot");
    let wanted = snapshot.into_iter().map(|(path, record)| {
        let acl = record.acl.filter(|acl| *acl != perms::world(perms::ALL));
        let path = if path.is_empty() { "/".to_owned() } else { path };
        (path, ZnodeRecord { acl, ..record })
    });
    let wanted: BTreeMap<_, _> = wanted.collect();
    assert_eq!(wanted.len(), tree.node_count() - 1);
    assert_eq!(wanted, tree.dump().collect());
}
