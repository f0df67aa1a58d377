//! Quotas: limits and usage of subtrees, kept as text in znodes below `/zookeeper/quota`
//! (ZK: `Quotas`, `StatsTrack`, and the quota parts of `DataTree`).
//!
//! The usage is kept by every server for itself, without a transaction: it changes no version,
//! fires no watch and has no part in the digest. Still it must be the same on all servers, for
//! clients read it everywhere and the leader refuses what exceeds it. So it depends on nothing but
//! the transactions: it is counted when its node is created, and every change below the limits adds
//! to it. It is stored with the tree and goes from server to server with it.
//!
//! # What is not counted anew
//! A count of the znodes can come to something else than that sum: a change counts for the nearest
//! limits only, a count for those above it too; usage stands still while there are no limits; and
//! clients may write it. ZooKeeper counts whenever it loads a snapshot, and so from then on differs
//! from servers that did not, or had theirs from another time. Here that is done only for an image
//! of which there is no right usage, [`TreeLoader::finish_fuzzy`](super::TreeLoader::finish_fuzzy).

use super::node::NodeId;
use super::{QUOTA_PATH, Tree};
use std::collections::BTreeMap;
use std::fmt::Write;

const LIMITS: &str = "zookeeper_limits";
const STATS: &str = "zookeeper_stats";

/// Limits or usage of a subtree; -1 stands for "no limit".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotaNumbers {
    /// Znodes, the subtree's top included. As a limit it is soft: overstepping is only logged.
    pub count: i64,
    /// Bytes of data. As a limit it is soft.
    pub bytes: i64,
    /// Hard limit of znodes.
    pub count_hard: i64,
    /// Hard limit of bytes.
    pub bytes_hard: i64,
}

/// The quota that governs a path: that of the nearest ancestor (or the path itself) with limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaLimit {
    /// The subtree's top.
    pub prefix: String,
    /// What is allowed.
    pub limits: QuotaNumbers,
    /// What is there; the two hard numbers have no meaning.
    pub used: QuotaNumbers,
}

/// A node below `/zookeeper/quota` with a special name.
#[derive(Clone, Copy)]
enum Special<'a> {
    Limits(&'a str),
    Stats(&'a str),
}

/// What a path below `/zookeeper/quota` means, and the subtree it speaks of.
fn special(path: &str) -> Option<Special<'_>> {
    let (subtree, name) = path.strip_prefix(QUOTA_PATH)?.rsplit_once('/')?;
    if !subtree.is_empty() && !subtree.starts_with('/') {
        return None;
    }
    match name {
        LIMITS => Some(Special::Limits(subtree)),
        STATS => Some(Special::Stats(subtree)),
        _ => None,
    }
}

impl Tree {
    /// Limits and usage that a change at `path` has to respect, if there are any. Unreadable
    /// numbers count as -1.
    #[must_use]
    pub fn quota(&self, path: &str) -> Option<QuotaLimit> {
        let (prefix, place) = self.governing_quota(path)?;
        let numbers = |name| {
            let id = self.nodes.child(place, name)?;
            Some(Track::parse(self.nodes.get(id).content.data()).numbers())
        };
        Some(QuotaLimit {
            limits: numbers(LIMITS)?,
            used: numbers(STATS)?,
            prefix: prefix.to_owned(),
        })
    }

    /// What a new node means for quotas.
    pub(super) fn quota_node_created(&mut self, path: &str, bytes: i64) {
        match special(path) {
            Some(Special::Limits(_)) => self.limit_nodes += 1,
            Some(Special::Stats(subtree)) => self.recount(subtree),
            None => {}
        }
        self.quota_used(path, bytes, 1);
    }

    /// What a deleted node means for quotas.
    pub(super) fn quota_node_deleted(&mut self, path: &str, bytes: i64) {
        if let Some(Special::Limits(_)) = special(path) {
            self.limit_nodes -= 1;
        }
        self.quota_used(path, -bytes, -1);
    }

    /// Notes a change of usage at a path.
    pub(super) fn quota_used(&mut self, path: &str, bytes: i64, count: i64) {
        let Some((_, place)) = self.governing_quota(path) else { return };
        let Some(id) = self.nodes.child(place, STATS) else { return };
        let mut track = Track::parse(self.nodes.get(id).content.data());
        track.add(bytes, count);
        self.write_stats(id, &track);
    }

    /// Finds all limits, after a load.
    pub(super) fn find_limits(&mut self) {
        self.limit_nodes = self.limits().len();
    }

    /// Counts anew what is below all limits (ZK: `DataTree.setupQuota`).
    pub(super) fn recount_all(&mut self) {
        for id in self.limits() {
            if let Some(Special::Limits(subtree)) = special(&self.nodes.path(id)) {
                self.recount(subtree);
            }
        }
    }

    /// The nodes that hold limits.
    fn limits(&self) -> Vec<NodeId> {
        let Some(top) = self.nodes.find(QUOTA_PATH) else { return Vec::new() };
        let is_limits = |id: &NodeId| self.nodes.get(*id).content.name() == LIMITS;
        self.nodes.walk(top).filter(is_limits).collect()
    }

    /// The longest prefix of a path, by whole names, that has limits, and the node that holds
    /// them. The nodes below `/zookeeper/quota` are the trie that this search needs.
    fn governing_quota<'a>(&self, path: &'a str) -> Option<(&'a str, NodeId)> {
        if self.limit_nodes == 0 {
            return None;
        }
        let mut place = self.nodes.find(QUOTA_PATH)?;
        let (mut end, mut found) = (0, None);
        for name in path.strip_prefix('/')?.split('/') {
            let Some(next) = self.nodes.child(place, name) else { break };
            place = next;
            end += 1 + name.len();
            if self.nodes.child(place, LIMITS).is_some() {
                // A limit of the whole tree is not looked for: ZooKeeper has none either.
                found = Some((&path[..end], place));
            }
        }
        found
    }

    /// Writes a subtree's usage anew, from a walk through all of it.
    fn recount(&mut self, subtree: &str) {
        let Some(id) = self.nodes.find(&format!("{QUOTA_PATH}{subtree}/{STATS}")) else { return };
        let (mut count, mut bytes) = (0, 0);
        if let Some(top) = self.nodes.find(subtree) {
            for node in self.nodes.walk(top) {
                count += 1;
                bytes += length(self.nodes.get(node).data_len());
            }
        }
        let mut track = Track::default();
        track.set(count, bytes);
        self.write_stats(id, &track);
    }

    fn write_stats(&mut self, id: NodeId, track: &Track) {
        let text = track.to_string();
        if self.nodes.get(id).content.data() != Some(text.as_bytes()) {
            self.replace_data(id, Some(text.as_bytes()));
            self.dirty.mark(id);
        }
    }
}

/// A length as a number that can be subtracted.
pub(super) fn length(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// The text form: `count=1,bytes=2`, and further pairs if there are any.
#[derive(Debug, Default, PartialEq, Eq)]
struct Track {
    values: BTreeMap<String, i64>,
}

impl Track {
    /// Never fails: any client may write these nodes, and garbage must not stop a server.
    fn parse(data: Option<&[u8]>) -> Self {
        let text = String::from_utf8_lossy(data.unwrap_or_default());
        let pairs = text.split([',', ';']).filter(|pair| !pair.is_empty());
        let values = pairs.map(|pair| {
            let mut parts = pair.split('=');
            let key = parts.next().unwrap_or_default().to_owned();
            let value = parts.next().and_then(|value| value.parse().ok()).unwrap_or(-1);
            (key, value)
        });
        Self { values: values.collect() }
    }

    fn numbers(&self) -> QuotaNumbers {
        QuotaNumbers {
            count: self.get("count"),
            bytes: self.get("bytes"),
            count_hard: self.get("countHardLimit"),
            bytes_hard: self.get("byteHardLimit"),
        }
    }

    fn get(&self, key: &str) -> i64 {
        self.values.get(key).copied().unwrap_or(-1)
    }

    fn set(&mut self, count: i64, bytes: i64) {
        self.values.insert("count".to_owned(), count);
        self.values.insert("bytes".to_owned(), bytes);
    }

    fn add(&mut self, bytes: i64, count: i64) {
        let numbers = self.numbers();
        self.set(numbers.count.wrapping_add(count), numbers.bytes.wrapping_add(bytes));
    }
}

impl std::fmt::Display for Track {
    /// Count and bytes stand first, and an odd `=` follows before anything else: so parsers of
    /// old versions go on reading the two and overlook the rest.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "count={},bytes={}", self.get("count"), self.get("bytes"))?;
        let others: Vec<_> =
            self.values.iter().filter(|(key, _)| *key != "count" && *key != "bytes").collect();
        if !others.is_empty() {
            f.write_char('=')?;
        }
        others.iter().try_for_each(|(key, value)| write!(f, ";{key}={value}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_form_is_the_references() {
        for text in [
            "count=5,bytes=-1",
            "count=1,bytes=2=;byteHardLimit=10;countHardLimit=7",
            "count=-1,bytes=-1=;other=3",
        ] {
            assert_eq!(Track::parse(Some(text.as_bytes())).to_string(), text);
        }
    }

    #[test]
    fn garbage_is_read_as_no_limit() {
        for data in
            [None, Some(&b""[..]), Some(b"garbage"), Some(b"count=x,bytes"), Some(b"\xff=;,=")]
        {
            let numbers = Track::parse(data).numbers();
            assert_eq!((numbers.count, numbers.bytes), (-1, -1), "{data:?}");
        }
    }
}
