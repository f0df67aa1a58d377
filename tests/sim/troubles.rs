//! What goes wrong, and when it is over.

use super::plan::{MS, Time, Trouble};
use super::queue::Event;
use super::world::World;

impl World {
    pub(crate) fn make_trouble(&mut self) {
        if self.is_calm {
            return;
        }
        let wait = self.random.delay(self.plan.trouble_every);
        self.after(wait, Event::Trouble);
        if self.plan.troubles.is_empty() {
            return;
        }
        let trouble = *self.random.pick(&self.plan.troubles.clone());
        let server = self.random.below(self.servers.len());
        self.trace.note(|| format!("{} trouble: {trouble:?} (s{})", self.now, server + 1));
        match trouble {
            Trouble::Crash => {
                // A leader's end is what matters most.
                let server = if self.random.one_in(2) { self.leader() } else { Some(server) };
                if let Some(server) = server {
                    self.crash(server);
                }
            }
            Trouble::Pause => {
                let until = self.now + self.some_ticks();
                let paused = &mut self.servers[server].paused_until;
                *paused = until.max(*paused);
            }
            Trouble::Partition => self.partition(),
            Trouble::OneWay => {
                let other = self.random.below(self.servers.len());
                if other != server {
                    self.cut(&[(server, other)]);
                }
            }
            Trouble::Break => self.break_something(server),
            Trouble::Silence => {
                if let Some(link) = self.some_link() {
                    self.silence(link);
                }
            }
            Trouble::Slow => {
                let other = self.random.below(self.servers.len());
                let slowness = self.random.between(2, 200);
                let until = self.now + self.some_ticks() * 3;
                self.slow_down(server, other, slowness, until);
            }
            Trouble::SlowDisk => {
                let until = self.some_ticks() * 3;
                self.servers[server].disk.slowness = self.random.between(2, 500);
                self.after(until, Event::HastenDisk(server));
            }
            Trouble::BadDisk => {
                if self.servers[server].is_up() {
                    let operations = self.random.below(5);
                    self.servers[server].store.fail_after(operations);
                }
            }
            Trouble::Clock => {
                let jump = i64::try_from(self.random.between(0, 20_000)).expect("a short time");
                self.servers[server].clock.wall_ahead_ms = jump - 10_000;
            }
            Trouble::Clients => {
                let conns: Vec<_> =
                    self.conns.keys().rev().take(self.clients.len()).copied().collect();
                let conn = *self.random.pick(&conns);
                self.break_conn(conn);
            }
        }
    }

    fn leader(&self) -> Option<usize> {
        (0..self.servers.len()).find(|server| {
            let running = self.servers[*server].running.as_ref();
            running.is_some_and(|running| {
                let status = running.replica.status();
                status.serving && matches!(status.role, zabra::zab::Role::Leading)
            })
        })
    }

    /// From a part of a tick to many ticks.
    fn some_ticks(&mut self) -> Time {
        let tick = self.plan.tick_ms * MS;
        let most = *self.random.pick(&[1, 4, 20]);
        self.random.between(tick / 10, tick * most)
    }

    /// Splits the servers in two.
    fn partition(&mut self) {
        let sides: Vec<_> = (0..self.servers.len()).map(|_| self.random.one_in(2)).collect();
        let mut pairs = Vec::new();
        for from in 0..self.servers.len() {
            for to in 0..self.servers.len() {
                if sides[from] != sides[to] {
                    pairs.push((from, to));
                }
            }
        }
        self.cut(&pairs);
    }

    fn cut(&mut self, pairs: &[(usize, usize)]) {
        let partition = self.block(pairs);
        let until = self.some_ticks();
        self.after(until, Event::Heal(partition));
    }

    fn some_link(&mut self) -> Option<usize> {
        let links: Vec<_> = self.net.links.keys().copied().collect();
        if links.is_empty() { None } else { Some(*self.random.pick(&links)) }
    }

    fn break_something(&mut self, server: usize) {
        if self.random.one_in(3) {
            let other = self.random.below(self.servers.len());
            if other != server {
                self.break_election(server, other);
            }
        } else if let Some(link) = self.some_link() {
            self.break_link(link);
        }
    }
}
