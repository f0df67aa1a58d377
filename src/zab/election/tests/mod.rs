//! Elections: message by message in `rules`, `established` and `random`; whole ensembles with a bad
//! network, of Zabra's servers and of ZooKeeper's, in `ensembles`.

mod classic;
mod ensembles;
mod established;
mod network;
mod random;
mod rules;

use super::{Election, ElectionOptions, Messages, Outcome, Vote};
use crate::types::{Epoch, Moment, ServerId, Zxid};
use crate::zab::{Ensemble, Notification, PeerState};
use bytes::Bytes;
use std::collections::BTreeSet;

const CONFIG: &[u8] = b"version=0";

fn ids(range: impl IntoIterator<Item = i64>) -> BTreeSet<ServerId> {
    range.into_iter().map(ServerId).collect()
}

fn of_voters(count: i64) -> Ensemble {
    Ensemble::majority(ids(1..=count), BTreeSet::new())
}

fn election(me: i64, ensemble: Ensemble) -> Election {
    let config = Bytes::from_static(CONFIG);
    let me = ServerId(me);
    Election::new(ElectionOptions { me, ensemble, config, notification_ms: (200, 60_000) })
}

const fn vote(leader: i64, zxid: i64, round: i64, epoch: i64) -> Vote {
    Vote { leader: ServerId(leader), zxid: Zxid(zxid), round, peer_epoch: Epoch(epoch) }
}

fn message_of(state: PeerState, vote: Vote) -> Notification {
    let Vote { leader, zxid, round, peer_epoch } = vote;
    let config = Some(Bytes::from_static(CONFIG));
    Notification { state, leader, zxid, round, peer_epoch, version: 2, config }
}

/// One server under test, and what it says.
struct Server {
    election: Election,
    now: Moment,
}

impl Server {
    /// Server `me`, which has begun its first round with this log.
    fn looking(me: i64, ensemble: Ensemble, zxid: i64, epoch: i64) -> Self {
        let mut server = Self { election: election(me, ensemble), now: Moment(1_000) };
        server.restart(zxid, epoch);
        server
    }

    fn restart(&mut self, zxid: i64, epoch: i64) -> Vec<(i64, PeerState, Vote)> {
        let mut out = Vec::new();
        self.election.start(Zxid(zxid), Epoch(epoch), self.now, &mut out);
        read(out)
    }

    /// What it says to a message, and whether that decides.
    fn hear(&mut self, from: i64, state: PeerState, vote: Vote) -> Heard {
        self.hear_bytes(from, message_of(state, vote).to_bytes())
    }

    fn hear_bytes(&mut self, from: i64, message: Bytes) -> Heard {
        let mut out = Vec::new();
        let outcome = self.election.notified(ServerId(from), message, self.now, &mut out);
        (read(out), outcome.expect("a message is well-formed"))
    }

    /// Lets time pass.
    fn after(&mut self, millis: u64) -> Heard {
        self.now = self.now.plus(millis);
        let mut out = Vec::new();
        let outcome = self.election.tick(self.now, &mut out);
        (read(out), outcome)
    }
}

type Heard = (Vec<(i64, PeerState, Vote)>, Option<Outcome>);

fn read(out: Vec<(ServerId, Bytes)>) -> Vec<(i64, PeerState, Vote)> {
    let parse = |(to, bytes): (ServerId, Bytes)| {
        let notification = Notification::parse(bytes).expect("what is sent can be read");
        assert_eq!(notification.version, 2);
        assert_eq!(notification.config.as_deref(), Some(CONFIG));
        (to.0, notification.state, notification.vote())
    };
    out.into_iter().map(parse).collect()
}

fn elected(vote: Vote) -> Outcome {
    Outcome { leader: vote.leader, vote }
}
