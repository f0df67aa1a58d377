//! What is going to happen, in the order of time; what is to happen at the same time happens in the
//! order in which it was said.

use super::clients::{ToClient, ToServer};
use super::net::Side;
use super::plan::Time;
use bytes::Bytes;
use std::collections::BTreeMap;
use zabra::types::{ConnId, LinkId, ServerId, Zxid};

/// One server in one of its lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Life {
    pub(crate) server: usize,
    pub(crate) life: u64,
}

/// Something that is going to happen.
#[derive(Debug)]
pub(crate) enum Event {
    /// A server takes in what has come.
    Run(Life),
    /// A server looks at its clock.
    Tick(Life),
    /// A batch of the log is written and synced.
    LogDone(Life),
    /// The checkpoint thread has written one.
    CheckpointDone(Life),
    /// A piece of another server's tree is stored.
    InstallStep(Life),
    /// The log is read for a learner. No bytes are wanted if the tree turns out to be the smaller.
    LogRead { who: Life, link: LinkId, from: Zxid, max_bytes: usize },
    /// The tree is read for a learner.
    SnapshotView { who: Life, link: LinkId },
    /// The image has been written to the link.
    SnapshotSent { who: Life, link: LinkId, zxid: Zxid },
    /// A server goes on that stood still.
    Resume(usize),
    /// A dead server comes back.
    Restart(usize),
    /// The oracle of two servers says whether one may go on alone.
    OracleSays(Life),
    /// An attempt to connect comes to its end.
    Dialed { who: Life, target: ServerId, attempt: u64, to_master: bool },
    /// The next thing of a link arrives.
    Arrive { link: usize, to: Side },
    /// A connection for elections stands, or cannot be had.
    ElectionConnect { pair: (usize, usize) },
    /// A message of an election arrives.
    ElectionArrive { from: usize, to: usize, connection: u64, message: Bytes },
    /// A client does something.
    Act(usize),
    /// Something of a client arrives at a server.
    AtServer { conn: ConnId, message: ToServer },
    /// Something of a server arrives at a client.
    AtClient { conn: ConnId, message: ToClient },
    /// Something goes wrong.
    Trouble,
    /// What was cut off is connected again, with this number of the partition.
    Heal(u64),
    /// Packets between two servers are as fast as others again.
    Hasten { from: usize, to: usize },
    /// A disk is as fast as others again.
    HastenDisk(usize),
}

/// What is going to happen.
#[derive(Default)]
pub(crate) struct Queue {
    events: BTreeMap<(Time, u64), Event>,
    next: u64,
}

impl Queue {
    pub(crate) fn push(&mut self, at: Time, event: Event) {
        self.events.insert((at, self.next), event);
        self.next += 1;
    }

    pub(crate) fn pop(&mut self) -> Option<(Time, Event)> {
        self.events.pop_first().map(|((at, _), event)| (at, event))
    }
}
