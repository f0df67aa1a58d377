//! Quotas, added up by the first part of the paths they are set on (ZK: `QuotaMetricsUtils`).

use crate::tree::Tree;
use std::collections::BTreeMap;

const QUOTAS: &str = "/zookeeper/quota";
const LIMITS: &str = "zookeeper_limits";

/// Limits and usage of all subtrees with quotas in a namespace. As with ZooKeeper, what has no
/// limit adds -1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct NamespaceQuota {
    pub(super) count_limit: i64,
    pub(super) bytes_limit: i64,
    pub(super) count_used: i64,
    pub(super) bytes_used: i64,
}

/// The namespaces that have quotas.
pub(super) fn by_namespace(tree: &Tree) -> BTreeMap<String, NamespaceQuota> {
    let mut namespaces: BTreeMap<String, NamespaceQuota> = BTreeMap::new();
    let mut places = vec![String::new()];
    while let Some(place) = places.pop() {
        let Some(node) = tree.node(&format!("{QUOTAS}{place}")) else { continue };
        for name in node.children() {
            if name != LIMITS {
                places.push(format!("{place}/{name}"));
                continue;
            }
            let namespace = place.split('/').nth(1);
            if let (Some(namespace), Some(quota)) = (namespace, tree.quota(&place)) {
                let sum = namespaces.entry(namespace.to_owned()).or_default();
                let (limits, used) = (quota.limits, quota.used);
                add(&mut sum.count_limit, hard_first(limits.count_hard, limits.count));
                add(&mut sum.bytes_limit, hard_first(limits.bytes_hard, limits.bytes));
                add(&mut sum.count_used, used.count);
                add(&mut sum.bytes_used, used.bytes);
            }
        }
    }
    namespaces
}

fn add(sum: &mut i64, number: i64) {
    *sum = sum.saturating_add(number);
}

fn hard_first(hard: i64, soft: i64) -> i64 {
    if hard > -1 { hard } else { soft }
}
