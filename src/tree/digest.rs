//! The tree's digest: a running proof that two servers hold the same tree
//! (ZK: `DigestCalculator`, version 2).

use crate::types::Zxid;
use crc32fast::Hasher;
use jute::disk::StatPersisted;
use std::collections::VecDeque;

/// Everything below this differs between servers and is left out.
const EXCLUDED: &str = "/zookeeper/";

/// What a znode adds to the tree's digest: the CRC-32 of its path, data and stored stat.
/// The root's path is `/` or empty. ACLs and the fields derived for clients have no part in it.
#[must_use]
pub fn node_digest(path: &str, data: Option<&[u8]>, stat: &StatPersisted) -> u32 {
    if path.starts_with(EXCLUDED) {
        return 0;
    }
    let mut crc = Hasher::new();
    crc.update(if path == "/" { b"" } else { path.as_bytes() });
    crc.update(data.unwrap_or_default());
    crc.update(&stat_bytes(stat));
    crc.finalize()
}

/// The stat in the digest's own order of fields.
fn stat_bytes(stat: &StatPersisted) -> [u8; 60] {
    let mut bytes = [0; 60];
    let longs = [stat.czxid, stat.mzxid, stat.pzxid, stat.ctime, stat.mtime];
    for (field, place) in longs.iter().zip(bytes[..40].chunks_exact_mut(8)) {
        place.copy_from_slice(&field.to_be_bytes());
    }
    let ints = [stat.version, stat.cversion, stat.aversion];
    for (field, place) in ints.iter().zip(bytes[40..52].chunks_exact_mut(4)) {
        place.copy_from_slice(&field.to_be_bytes());
    }
    bytes[52..].copy_from_slice(&stat.ephemeral_owner.to_be_bytes());
    bytes
}

/// The sum of all nodes' digests, and what it was at earlier transactions.
#[derive(Debug, Default)]
pub(super) struct Digest {
    sum: i64,
    log: VecDeque<(Zxid, i64)>,
}

impl Digest {
    /// One of this many transactions is remembered.
    const INTERVAL: i64 = 128;
    /// How many are remembered.
    const KEPT: usize = 1024;

    pub(super) fn sum(&self) -> i64 {
        self.sum
    }

    pub(super) fn replace(&mut self, old: u32, new: u32) {
        self.sum = self.sum.wrapping_sub(i64::from(old)).wrapping_add(i64::from(new));
    }

    /// Notes the digest after a transaction.
    pub(super) fn record(&mut self, zxid: Zxid) {
        if zxid.0 % Self::INTERVAL != 0 {
            return;
        }
        if self.log.len() == Self::KEPT {
            self.log.pop_front();
        }
        self.log.push_back((zxid, self.sum));
    }

    pub(super) fn log(&self) -> impl Iterator<Item = (Zxid, i64)> {
        self.log.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fresh_nodes_have_the_digests_of_the_reference() {
        let stat = StatPersisted::default();
        assert_eq!(node_digest("", Some(b""), &stat), 68_323_592);
        assert_eq!(node_digest("/", None, &stat), 68_323_592);
        assert_eq!(node_digest("/zookeeper", Some(b""), &stat), 1_303_661_912);
        assert_eq!(node_digest("/zookeeper/quota", Some(b""), &stat), 0);
        assert_ne!(node_digest("/zookeeperx", Some(b""), &stat), 0);
    }

    #[test]
    fn one_in_128_transactions_is_remembered_up_to_a_bound() {
        let mut digest = Digest::default();
        for zxid in 1..=200_000 {
            digest.replace(0, 1);
            digest.record(Zxid(zxid));
        }
        let log: Vec<_> = digest.log().collect();
        assert_eq!(log.len(), 1024);
        assert_eq!(log.last(), Some(&(Zxid(199_936), 199_936)));
        assert!(log.windows(2).all(|pair| pair[0].0.0 + 128 == pair[1].0.0));
    }
}
