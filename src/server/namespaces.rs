//! Bytes that are read and written, by namespace, which is the first name of a path (ZK:
//! `read_per_namespace`, `write_per_namespace`).
//!
//! A namespace is added by its first read or write, which only a znode that exists can have, and
//! stays. Nobody who looks for one waits for another.

use super::histogram::{Histogram, Shape};
use foldhash::fast::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Once, OnceLock};

/// Namespaces that are told apart. They take 2.7 KiB for each kind of access, so 540 KiB if all of
/// them are read and written, and some bytes for each rotation and each size that has occurred:
/// 4 MiB if somebody brings about all sizes everywhere. Clients must not be able to take more.
const MAX_NAMESPACES: usize = 100;
/// Places for them, one for each value of a byte of the hash. They are more than twice as many, so
/// that a free one is not far from any.
const PLACES: usize = 256;
/// Bytes of the longest name that is told apart.
const MAX_NAME: usize = 255;
/// The name that further namespaces, and those with longer names, are counted by together.
const OTHERS: &str = "other";
/// Bytes of a stat, which every read counts (ZK: `DataTree.STAT_OVERHEAD_BYTES`).
const STAT_BYTES: usize = 6 * 8 + 5 * 4;
/// The median is at most 1/16 too large, or more if most data have over 16 MiB.
const SHAPE: Shape = Shape { precision: 4, range: 24 };

/// Bytes that are read and written in each namespace.
#[derive(Debug)]
pub(crate) struct Namespaces {
    /// By the hash of the name, or behind that in the next place that was free.
    places: Box<[OnceLock<Namespace>]>,
    hashes: RandomState,
    known: AtomicUsize,
    others: Traffic,
    warning: Once,
}

#[derive(Debug)]
struct Namespace {
    name: Box<str>,
    traffic: Traffic,
}

/// Bytes that are read and written. What never occurred takes no memory.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    read: OnceLock<Box<Histogram>>,
    written: OnceLock<Box<Histogram>>,
}

impl Traffic {
    /// Bytes of each read; `None` if there was none.
    pub(crate) fn read(&self) -> Option<&Histogram> {
        self.read.get().map(|histogram| &**histogram)
    }

    /// Bytes of each write; `None` if there was none.
    pub(crate) fn written(&self) -> Option<&Histogram> {
        self.written.get().map(|histogram| &**histogram)
    }
}

impl Default for Namespaces {
    fn default() -> Self {
        Self {
            places: (0..PLACES).map(|_| OnceLock::new()).collect(),
            hashes: RandomState::default(),
            known: AtomicUsize::new(0),
            others: Traffic::default(),
            warning: Once::new(),
        }
    }
}

impl Namespaces {
    /// A client has read a znode, with as many bytes of data or of names. Lengths are those in
    /// UTF-8; ZooKeeper counts the UTF-16 units of paths and names.
    pub(crate) fn read(&self, path: &str, bytes: usize) {
        if let Some(traffic) = self.of(path) {
            add(&traffic.read, path.len() + bytes + STAT_BYTES);
        }
    }

    /// A znode has been written, with as many bytes of data.
    pub(crate) fn written(&self, path: &str, bytes: usize) {
        if let Some(traffic) = self.of(path) {
            add(&traffic.written, path.len() + bytes);
        }
    }

    /// Every namespace with a read or a write, by name.
    pub(crate) fn all(&self) -> Vec<(&str, &Traffic)> {
        let known = self.places.iter().filter_map(OnceLock::get);
        let known = known.map(|namespace| (&*namespace.name, &namespace.traffic));
        let mut all: Vec<_> = known.chain([(OTHERS, &self.others)]).collect();
        all.sort_unstable_by_key(|(name, _)| *name);
        all
    }

    /// The histograms of all of them.
    pub(crate) fn histograms(&self) -> impl Iterator<Item = &Histogram> {
        let all = self.all().into_iter();
        all.flat_map(|(_, traffic)| [traffic.read(), traffic.written()]).flatten()
    }

    /// What belongs to the namespace of a path. The root is in none.
    fn of(&self, path: &str) -> Option<&Traffic> {
        let names = path.strip_prefix('/')?;
        // First names are short: splitting at a pattern would cost more than looking for its byte.
        let end = names.bytes().position(|byte| byte == b'/');
        let name = &names[..end.unwrap_or(names.len())];
        (!name.is_empty()).then(|| self.named(name))
    }

    fn named(&self, name: &str) -> &Traffic {
        if name == OTHERS || name.len() > MAX_NAME {
            return &self.others;
        }
        let [first, ..] = self.hashes.hash_one(name).to_le_bytes();
        let (before, from) = self.places.split_at(first.into());
        for place in from.iter().chain(before) {
            let Some(namespace) = place.get().or_else(|| self.add(place, name)) else { break };
            if *namespace.name == *name {
                return &namespace.traffic;
            }
        }
        &self.others
    }

    /// Whoever comes to have a free place, if there may be one more. Threads that come at the same
    /// time may add one more each; there are places enough.
    fn add<'a>(&self, place: &'a OnceLock<Namespace>, name: &str) -> Option<&'a Namespace> {
        if self.known.load(Relaxed) >= MAX_NAMESPACES {
            self.warning.call_once(|| {
                tracing::warn!(
                    "read_per_namespace and write_per_namespace tell {MAX_NAMESPACES} namespaces \
                     apart; further ones are counted together as {OTHERS:?}"
                );
            });
            return None;
        }
        Some(place.get_or_init(|| {
            self.known.fetch_add(1, Relaxed);
            Namespace { name: name.into(), traffic: Traffic::default() }
        }))
    }
}

fn add(histogram: &OnceLock<Box<Histogram>>, bytes: usize) {
    histogram.get_or_init(|| Box::new(Histogram::new(SHAPE))).add(bytes as u64);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums(namespaces: &Namespaces) -> Vec<(&str, Option<u64>, Option<u64>)> {
        let sum = |histogram: Option<&Histogram>| Some(histogram?.counts().sum());
        let all = namespaces.all().into_iter();
        let sums = all.map(|(name, traffic)| (name, sum(traffic.read()), sum(traffic.written())));
        sums.filter(|(_, read, written)| read.is_some() || written.is_some()).collect()
    }

    #[test]
    fn accesses_count_by_the_first_name() {
        let namespaces = Namespaces::default();
        namespaces.read("/app", 0);
        namespaces.read("/app/a", 10);
        namespaces.written("/app/a", 10);
        namespaces.written("/zookeeper/quota", 0);
        for path in ["/", ""] {
            namespaces.read(path, 1);
            namespaces.written(path, 1);
        }
        let app = ("app", Some(4 + 68 + 6 + 10 + 68), Some(6 + 10));
        assert_eq!(sums(&namespaces), [app, ("zookeeper", None, Some(16))]);
    }

    #[test]
    fn too_many_namespaces_count_together() {
        let namespaces = Namespaces::default();
        for number in 0..1000 {
            // The second time there is nothing to add.
            namespaces.written(&format!("/n{number:03}"), 5);
            namespaces.written(&format!("/n{number:03}/a"), 3);
        }
        let mut sums = sums(&namespaces);
        assert_eq!(sums.len(), MAX_NAMESPACES + 1);
        let others = (OTHERS, None, Some(900 * 20));
        assert_eq!(sums.pop(), Some(others));
        assert!(sums.iter().all(|(_, read, written)| (*read, *written) == (None, Some(20))));
    }

    #[test]
    fn long_names_are_not_kept() {
        let namespaces = Namespaces::default();
        let [longest, longer] = [MAX_NAME, MAX_NAME + 1].map(|length| "n".repeat(length));
        for name in [&longest, &longer, &OTHERS.to_owned()] {
            namespaces.written(&format!("/{name}/a"), 0);
        }
        let others = (longer.len() + 3 + OTHERS.len() + 3) as u64;
        let expected =
            [(&*longest, None, Some(longest.len() as u64 + 3)), (OTHERS, None, Some(others))];
        assert_eq!(sums(&namespaces), expected);
    }

    #[test]
    fn threads_find_the_same_namespaces() {
        let namespaces = Namespaces::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for number in 0..10_000 {
                        namespaces.written(&format!("/{}", number % 50), 0);
                    }
                });
            }
        });
        let counts = namespaces.histograms().map(|histogram| histogram.counts().count());
        assert_eq!(counts.collect::<Vec<_>>(), [800; 50]);
    }
}
