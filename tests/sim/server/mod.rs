//! One server: the brain with what lies around it, as the program has it, in pieces that take time.

mod boot;
mod disk;
mod run;
mod snapshots;

pub(crate) use disk::Disk;
pub(crate) use snapshots::{Image, Install};

use super::plan::{MS, Time, id_of};
use super::queue::{Event, Life};
use jute::quorum::QuorumPacket;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use zabra::replica::{Input, Replica};
use zabra::store::MemoryStore;
use zabra::tree::{Tree, TreeOptions};
use zabra::types::{ConnId, ExtendedTypes, LinkId, Moment, Now, ServerId, SessionId};
use zabra::watch::Watches;

pub(crate) const TREE: TreeOptions =
    TreeOptions { extended_types: ExtendedTypes::On, digest: true };

/// A server, running or not.
pub(crate) struct Server {
    pub(crate) index: usize,
    pub(crate) life: u64,
    pub(crate) clock: Clock,
    /// Wall times at which it was started, which its sessions' ids are made of.
    pub(crate) starts: BTreeSet<i64>,
    /// Nothing of it runs before this moment.
    pub(crate) paused_until: Time,
    /// What waits until then, in its order.
    pub(crate) deferred: VecDeque<Event>,
    pub(crate) store: MemoryStore,
    pub(crate) disk: Disk,
    /// What is lost when it dies; none while it is dead.
    pub(crate) running: Option<Running>,
}

/// What a server is while it lives.
pub(crate) struct Running {
    pub(crate) replica: Replica,
    pub(crate) tree: Tree,
    pub(crate) watches: Watches,
    pub(crate) inbox: Vec<Input>,
    pub(crate) is_awake: bool,
    /// Sessions that were heard of, with the timeouts that their connections were granted.
    pub(crate) touched: BTreeMap<SessionId, i32>,
    pub(crate) last_checkpoint: Moment,
    pub(crate) conns: BTreeSet<ConnId>,
    /// The connections to other servers, by their numbers here; they stand in the network.
    pub(crate) links: BTreeMap<LinkId, usize>,
    pub(crate) next_link: u64,
    pub(crate) dialing: Option<(ServerId, u64)>,
    pub(crate) next_attempt: u64,
    /// A tree that is arriving in the place of this one.
    pub(crate) install: Option<Install>,
    /// COMMITs that a broken leader holds back.
    pub(crate) held: BTreeMap<LinkId, QuorumPacket>,
    /// Links that wait for a view of the tree as it is now.
    pub(crate) views: Vec<LinkId>,
}

impl Server {
    pub(crate) fn new(index: usize, clock: Clock) -> Self {
        Self {
            index,
            life: 0,
            clock,
            starts: BTreeSet::new(),
            paused_until: 0,
            deferred: VecDeque::new(),
            store: MemoryStore::new(),
            disk: Disk::default(),
            running: None,
        }
    }

    pub(crate) fn id(&self) -> ServerId {
        id_of(self.index)
    }

    pub(crate) fn is_up(&self) -> bool {
        self.running.is_some()
    }

    /// This server, as long as it lives.
    pub(crate) fn life(&self) -> Life {
        Life { server: self.index, life: self.life }
    }
}

/// A server's clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    /// How fast it goes, in thousandths.
    pub(crate) pace: u64,
    /// Milliseconds added to the monotonic clock: the machine's age.
    pub(crate) age_ms: u64,
    /// Milliseconds that the wall clock is ahead.
    pub(crate) wall_ahead_ms: i64,
}

impl Clock {
    pub(crate) fn now(&self, time: Time) -> Now {
        let elapsed = time / 1000 * self.pace / MS;
        let wall = i64::try_from(elapsed).expect("a short time");
        Now {
            mono: Moment(self.age_ms + elapsed),
            wall: 1_700_000_000_000 + self.wall_ahead_ms + wall,
        }
    }
}
