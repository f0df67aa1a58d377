//! How a server starts from its disk, and how it dies.

use super::super::checks::Found;
use super::super::plan::MS;
use super::super::queue::Event;
use super::super::world::World;
use super::run::NEVER;
use super::{Running, Server, TREE};
use std::collections::{BTreeMap, BTreeSet};
use zabra::prep::PrepOptions;
use zabra::replica::{
    Kept, LocalSessions, ReaperOptions, Recovered, Recovery, Replica, ReplicaOptions,
};
use zabra::store::{Item, MemoryStore, Store};
use zabra::types::{ExtendedTypes, Now, Zxid};
use zabra::watch::Watches;
use zabra::zab::Epochs;

/// Milliseconds that pass while a server starts.
const START_MS: u64 = 5;

impl World {
    fn replica_options(&self, server: usize) -> ReplicaOptions {
        ReplicaOptions {
            server_id: self.servers[server].id(),
            tick_ms: self.plan.tick_ms,
            prep: PrepOptions {
                extended_types: ExtendedTypes::On,
                standalone: self.plan.alone,
                ..PrepOptions::default()
            },
            local_sessions: LocalSessions::Off,
            read_only_mode: false,
            max_watches: 1000,
            reaper: ReaperOptions {
                check_interval_ms: self.plan.tick_ms * 10,
                max_per_minute: 100_000,
                max_never_used_ms: 0,
            },
        }
    }

    /// When a server is started by its own clock, which may have been set back: never to the very
    /// millisecond of an earlier start, as that would give its sessions the same ids again.
    fn boot_time(&mut self, server: usize) -> Now {
        let Server { clock, starts, .. } = &mut self.servers[server];
        while !starts.insert(clock.now(self.now).wall) {
            clock.wall_ahead_ms += 1;
        }
        clock.now(self.now)
    }

    /// Starts a server from what its disk holds.
    pub(crate) fn start(&mut self, server: usize) {
        assert!(!self.servers[server].is_up(), "it is dead");
        let mut recovery =
            if self.plan.alone { Recovery::new(TREE) } else { Recovery::member(TREE, Zxid::ZERO) };
        let found = load(&self.servers[server].store, &mut recovery);
        let recovered = recovery.finish().expect("what was stored is whole");
        self.checks.restarted(server, &found);
        self.servers[server].life += 1;
        let now = self.boot_time(server);
        let options = self.replica_options(server);
        let meta = found.loaded.meta;
        let epochs = Epochs { accepted: meta.accepted_epoch, current: meta.current_epoch };
        let Recovered { tree, sessions, session_changes, tail, .. } = recovered;
        let replica = if self.plan.alone {
            Replica::new(options, &tree, sessions, session_changes, now)
        } else {
            let peer = self.plan.peer_options(server);
            let kept = Kept { sessions, session_changes, tail };
            Replica::member(options, peer, epochs, &tree, kept, now)
        };
        self.servers[server].running = Some(Running {
            replica,
            tree,
            watches: Watches::new(),
            inbox: Vec::new(),
            is_awake: false,
            touched: BTreeMap::new(),
            last_checkpoint: NEVER,
            conns: BTreeSet::new(),
            links: BTreeMap::new(),
            next_link: 1,
            dialing: None,
            next_attempt: 1,
            install: None,
            held: BTreeMap::new(),
            views: Vec::new(),
        });
        self.observe_log(server, &[]);
        self.observe(server);
        let who = self.servers[server].life();
        self.trace.note(|| format!("{} s{}: started", self.now, server + 1));
        self.after(START_MS * MS, Event::Tick(who));
    }

    /// A server dies, and comes back some time later with what its disk kept.
    pub(crate) fn crash(&mut self, server: usize) {
        if !self.servers[server].is_up() {
            return;
        }
        self.trace.note(|| format!("{} s{}: crashes", self.now, server + 1));
        self.coverage.note("crash");
        let running = self.servers[server].running.take().expect("it lives");
        self.cut_conns(running.conns);
        self.forget_links(server, running.links);
        self.forget_elections(server);
        self.crash_disk(server);
        self.servers[server].paused_until = 0;
        let tick = self.plan.tick_ms * MS;
        let away = *self.random.pick(&[tick / 10, tick, tick * 3, tick * 15]);
        let away = self.random.between(away / 2, away);
        // Whoever starts a server again does so on a disk that works.
        self.after(away, Event::Restart(server));
    }
}

/// Reads what a disk holds.
pub(super) fn load(store: &MemoryStore, recovery: &mut Recovery) -> Found {
    let (mut found_mark, mut entries) = (None, Vec::new());
    let loaded = store.load(&mut |item| {
        let taken = match item {
            Item::Znode(path, record) => recovery.znode(path, record),
            Item::Session(id, timeout_ms) => {
                recovery.session(id, timeout_ms);
                Ok(())
            }
            Item::Mark(mark) => {
                found_mark = Some(mark.clone());
                recovery.mark(&mark)
            }
            Item::Entry(entry) => {
                entries.push((entry.zxid, entry.payload.clone()));
                recovery.entry(entry.zxid, entry.payload)
            }
        };
        taken.map_err(|error| error.to_string())
    });
    let loaded = loaded.expect("[disk] what was stored can be read");
    Found { loaded, mark: found_mark, entries }
}
