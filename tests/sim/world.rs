//! A whole ensemble with its network, disks, clocks and clients, driven by one seed in a time of
//! its own.

use super::broken::Broken;
use super::checks::Checks;
use super::clients::{Client, Conn};
use super::coverage::Coverage;
use super::net::Network;
use super::plan::{MS, Plan, Time};
use super::queue::{Event, Life, Queue};
use super::random::Random;
use super::server::{Clock, Server};
use super::trace::Trace;
use std::collections::BTreeMap;
use zabra::types::ConnId;
use zabra::zab::Role;

/// Ticks within which everything must be well again once nothing goes wrong any more.
const RECOVERY_TICKS: u64 = 150;

pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) random: Random,
    pub(crate) now: Time,
    pub(crate) queue: Queue,
    pub(crate) servers: Vec<Server>,
    pub(crate) net: Network,
    pub(crate) clients: Vec<Client>,
    pub(crate) conns: BTreeMap<ConnId, Conn>,
    pub(crate) next_conn: u64,
    pub(crate) checks: Checks,
    pub(crate) coverage: Coverage,
    pub(crate) trace: Trace,
    /// Nothing goes wrong any more.
    pub(crate) is_calm: bool,
    /// How many things have happened.
    pub(crate) steps: u64,
}

impl World {
    pub(crate) fn new(seed: u64, broken: Option<Broken>, trace: Trace) -> Self {
        let mut random = Random::new(seed);
        let plan = Plan::new(&mut random, broken);
        let clock = |random: &mut Random| Clock {
            pace: random.between(980, 1020),
            age_ms: random.between(0, 1_000_000),
            wall_ahead_ms: i64::try_from(random.between(0, 20_000)).expect("a short time") - 10_000,
        };
        let servers =
            (0..plan.servers()).map(|index| Server::new(index, clock(&mut random))).collect();
        trace.note(|| format!("{plan:?}"));
        let mut world = Self {
            net: Network::new(plan.servers()),
            clients: (0..plan.clients).map(Client::new).collect(),
            conns: BTreeMap::new(),
            next_conn: 1,
            checks: Checks::new(&plan),
            coverage: Coverage::default(),
            now: 0,
            queue: Queue::default(),
            is_calm: false,
            steps: 0,
            servers,
            plan,
            random,
            trace,
        };
        world.begin();
        world
    }

    fn begin(&mut self) {
        for server in 0..self.servers.len() {
            let at = self.random.between(0, self.plan.tick_ms * MS / 2);
            self.queue.push(at, Event::Restart(server));
        }
        for client in 0..self.clients.len() {
            self.queue.push(self.plan.tick_ms * MS, Event::Act(client));
        }
        let first = self.plan.tick_ms * MS * 3;
        self.queue.push(first, Event::Trouble);
    }

    pub(crate) fn after(&mut self, delay: Time, event: Event) {
        self.queue.push(self.now + delay, event);
    }

    /// A time full of trouble, then a time without, in which everything must become well.
    pub(crate) fn run_to_the_end(&mut self) {
        while self.now < self.plan.duration {
            self.step();
        }
        self.calm_down();
        let deadline = self.now + RECOVERY_TICKS * self.plan.tick_ms * MS;
        while !self.is_well() {
            self.step();
            assert!(self.now < deadline, "[progress] {}", self.state());
        }
        self.hush();
        let deadline = self.now + RECOVERY_TICKS * self.plan.tick_ms * MS;
        while !self.is_quiet() {
            self.step();
            assert!(self.now < deadline, "[progress] {}", self.state());
        }
        let running = self.servers.iter().filter_map(|server| server.running.as_ref());
        self.checks.check_end(running);
    }

    fn step(&mut self) {
        let (now, event) = self.queue.pop().expect("time goes on");
        self.now = now;
        self.steps += 1;
        self.dispatch(event);
    }

    fn dispatch(&mut self, event: Event) {
        if let Some(who) = life_of(&event)
            && (self.servers[who.server].life != who.life || !self.servers[who.server].is_up())
        {
            return;
        }
        if let Some(server) = self.paused(&event) {
            let it = &mut self.servers[server];
            if it.deferred.is_empty() {
                self.queue.push(it.paused_until, Event::Resume(server));
            }
            it.deferred.push_back(event);
            return;
        }
        match event {
            Event::Run(who) => self.run(who),
            Event::Tick(who) => self.tick(who),
            Event::LogDone(who) => self.log_done(who),
            Event::CheckpointDone(who) => self.checkpoint_done(who),
            Event::InstallStep(who) => self.install_step(who),
            Event::LogRead { who, link, from, max_bytes } => {
                self.log_read(who, link, from, max_bytes);
            }
            Event::SnapshotView { who, link } => self.snapshot_view(who, link),
            Event::SnapshotSent { who, link, zxid } => self.snapshot_sent(who, link, zxid),
            Event::Resume(server) => self.resume(server),
            Event::Restart(server) => {
                if !self.servers[server].is_up() {
                    self.start(server);
                }
            }
            Event::OracleSays(who) => self.oracle_says(who),
            Event::Dialed { who, target, attempt, to_master } => {
                self.dialed(who, target, attempt, to_master);
            }
            Event::Arrive { link, to } => self.arrive(link, to),
            Event::ElectionConnect { pair } => self.election_connected(pair),
            Event::ElectionArrive { from, to, connection, message } => {
                self.election_arrived(from, to, connection, message);
            }
            Event::Act(client) => self.act(client),
            Event::AtServer { conn, message } => self.at_server(conn, message),
            Event::AtClient { conn, message } => self.at_client(conn, message),
            Event::Trouble => self.make_trouble(),
            Event::Heal(partition) => self.heal(partition),
            Event::Hasten { from, to } => self.hasten(from, to),
            Event::HastenDisk(server) => self.servers[server].disk.slowness = 1,
        }
    }

    /// The server that an event must wait for because it stands still.
    fn paused(&self, event: &Event) -> Option<usize> {
        let server = match event {
            Event::AtServer { conn, .. } => self.server_of(*conn)?,
            event => life_of(event)?.server,
        };
        let it = &self.servers[server];
        (it.paused_until > self.now || !it.deferred.is_empty()).then_some(server)
    }

    /// A server goes on with what has come while it stood still.
    fn resume(&mut self, server: usize) {
        let it = &mut self.servers[server];
        if it.paused_until > self.now {
            self.queue.push(it.paused_until, Event::Resume(server));
            return;
        }
        self.checks.step_down.resumed(server);
        for event in std::mem::take(&mut it.deferred) {
            self.dispatch(event);
        }
    }

    /// From now on nothing goes wrong; every server gets a client of its own.
    fn calm_down(&mut self) {
        self.trace.note(|| format!("{} from now on all is calm", self.now));
        self.is_calm = true;
        self.heal_all();
        self.break_silent_links();
        for server in 0..self.servers.len() {
            self.servers[server].paused_until = 0;
            self.resume(server);
            self.servers[server].disk.slowness = 1;
            self.servers[server].store.fail_never();
            if !self.servers[server].is_up() {
                self.after(MS, Event::Restart(server));
            }
            for other in 0..self.servers.len() {
                self.hasten(server, other);
            }
            let mut client = Client::new(self.clients.len());
            client.fixed_server = Some(server);
            self.queue.push(self.now + MS, Event::Act(self.clients.len()));
            self.clients.push(client);
        }
    }

    /// Whether everybody serves and a new write has succeeded everywhere.
    fn is_well(&self) -> bool {
        let mut of_each = self.clients.iter().filter(|client| client.fixed_server.is_some());
        self.servers.iter().all(|server| {
            server.running.as_ref().is_some_and(|running| running.replica.is_serving())
        }) && of_each.all(|client| client.written > 0)
    }

    /// Clients ask for nothing any more.
    fn hush(&mut self) {
        for client in &mut self.clients {
            client.is_hushed = true;
        }
    }

    /// Whether everything that was asked for has come to its end.
    fn is_quiet(&self) -> bool {
        let last = self.checks.history.last();
        self.clients.iter().all(|client| client.conn.is_none() || !client.waits_for_answer())
            && self.servers.iter().all(|server| {
                server.running.as_ref().is_some_and(|running| {
                    running.tree.applied_zxid() == last
                        && running.replica.is_serving()
                        && running.replica.outstanding() == 0
                })
            })
    }

    /// What everybody is at, for a message.
    fn state(&self) -> String {
        let servers = self.servers.iter().map(|server| {
            let name = server.index + 1;
            let Some(running) = &server.running else { return format!("\n  s{name} is dead") };
            format!(
                "\n  s{name} {:?} applied {} outstanding {}",
                running.replica.status(),
                running.tree.applied_zxid(),
                running.replica.outstanding()
            )
        });
        let clients = self.clients.iter().enumerate();
        let clients = clients.map(|(number, client)| format!("\n  c{number} {client:?}"));
        let all: String = servers.chain(clients).collect();
        format!("not well at {}; decided {}{all}", self.now, self.checks.history.last())
    }

    /// Whether a server leads, and hears of too few to lead.
    pub(crate) fn is_cut_off(&self, server: usize) -> bool {
        let Some(running) = &self.servers[server].running else { return false };
        let status = running.replica.status();
        if !status.serving || status.role != Role::Leading {
            return false;
        }
        let hears = |other: &usize| {
            let it = &self.servers[*other];
            it.is_up() && it.paused_until <= self.now && !self.net.is_blocked(*other, server)
        };
        if self.may_be_alone(server) {
            return false;
        }
        let others = (0..self.plan.voters).filter(|other| *other != server);
        others.filter(hears).count() < self.plan.voters / 2
    }
}

/// Whose event it is, if it ends with that server's life.
const fn life_of(event: &Event) -> Option<Life> {
    match event {
        Event::Run(who)
        | Event::Tick(who)
        | Event::LogDone(who)
        | Event::CheckpointDone(who)
        | Event::InstallStep(who)
        | Event::LogRead { who, .. }
        | Event::OracleSays(who)
        | Event::SnapshotView { who, .. }
        | Event::SnapshotSent { who, .. }
        | Event::Dialed { who, .. } => Some(*who),
        _ => None,
    }
}
