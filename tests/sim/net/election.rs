//! Messages of elections: the newest takes the place of one that has not left, a lost connection
//! loses what was on its way, and a new one begins with what was said last.

use super::super::plan::{MS, Time, index_of};
use super::super::queue::Event;
use super::super::world::World;
use bytes::Bytes;
use zabra::replica::Input;
use zabra::types::ServerId;
use zabra::zab;

/// What goes from one server to another one. The connection is one for both directions; its state
/// is that of the direction from the smaller to the greater.
#[derive(Debug, Default)]
pub(super) struct Wire {
    unsent: Option<Bytes>,
    last: Option<Bytes>,
    last_arrival: Time,
    is_up: bool,
    is_connecting: bool,
    connection: u64,
}

const fn pair(a: usize, b: usize) -> (usize, usize) {
    if a < b { (a, b) } else { (b, a) }
}

impl World {
    fn election(&mut self, (a, b): (usize, usize)) -> &mut Wire {
        &mut self.net.elections[a][b]
    }

    pub(crate) fn notify(&mut self, from: usize, to: ServerId, message: Bytes) {
        let to = index_of(to);
        self.net.elections[from][to].unsent = Some(message);
        if self.election(pair(from, to)).is_up {
            self.flush_election(from, to);
        } else {
            self.connect_election(from, to);
        }
    }

    fn flush_election(&mut self, from: usize, to: usize) {
        let Some(message) = self.net.elections[from][to].unsent.take() else { return };
        let journey = self.journey(from, to);
        let connection = self.election(pair(from, to)).connection;
        let earliest = self.now + journey;
        let wire = &mut self.net.elections[from][to];
        wire.last = Some(message.clone());
        wire.last_arrival = wire.last_arrival.max(earliest);
        let at = wire.last_arrival;
        self.queue.push(at, Event::ElectionArrive { from, to, connection, message });
    }

    fn connect_election(&mut self, from: usize, to: usize) {
        let pair = pair(from, to);
        let wire = self.election(pair);
        if !wire.is_connecting {
            wire.is_connecting = true;
            let wait = self.journey(from, to) * 2;
            self.after(wait, Event::ElectionConnect { pair });
        }
    }

    pub(crate) fn election_connected(&mut self, pair: (usize, usize)) {
        let (a, b) = pair;
        let is_open = self.net.is_open(a, b) && self.servers[a].is_up() && self.servers[b].is_up();
        let wire = self.election(pair);
        wire.is_connecting = false;
        if wire.is_up {
            return;
        }
        if is_open {
            wire.is_up = true;
            wire.connection += 1;
            for (from, to) in [(a, b), (b, a)] {
                let wire = &mut self.net.elections[from][to];
                if wire.unsent.is_none() {
                    wire.unsent.clone_from(&wire.last);
                }
                self.flush_election(from, to);
            }
        } else if [(a, b), (b, a)].iter().any(|(x, y)| self.net.elections[*x][*y].unsent.is_some())
        {
            let wire = self.election(pair);
            wire.is_connecting = true;
            let wait = self.random.between(20 * MS, 200 * MS);
            self.after(wait, Event::ElectionConnect { pair });
        }
    }

    pub(crate) fn election_arrived(
        &mut self,
        from: usize,
        to: usize,
        connection: u64,
        message: Bytes,
    ) {
        let blocked = self.net.is_blocked(from, to);
        let wire = self.election(pair(from, to));
        if wire.connection != connection || !wire.is_up {
            return;
        }
        if blocked {
            self.break_election(from, to);
            return;
        }
        let from = self.servers[from].id();
        self.input(to, Input::Quorum(zab::Input::Notification(from, message)));
    }

    /// A connection for elections breaks, with what is on its way.
    pub(crate) fn break_election(&mut self, a: usize, b: usize) {
        let wire = self.election(pair(a, b));
        wire.is_up = false;
        wire.connection += 1;
    }

    /// A server has died: it does not know any more what it said.
    pub(crate) fn forget_elections(&mut self, server: usize) {
        for other in 0..self.servers.len() {
            if other != server {
                self.break_election(server, other);
                let wire = &mut self.net.elections[server][other];
                (wire.unsent, wire.last) = (None, None);
            }
        }
    }
}
