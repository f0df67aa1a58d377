//! The servers of a run: where they are, who leads, and that none ends without reason.

use super::disk;
use super::isolation::Place;
use super::network::{NET, Network};
use super::plan::Fault;
use super::story::{Clock, Reign, by_epoch, reigns, wrong_line};
use crate::ensemble_support::Ensemble;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Quick to notice that a server is gone, so that much can happen in a short time.
const SETTINGS: &str = "tickTime=400\ninitLimit=15\nsyncLimit=3";

pub(super) struct Servers {
    pub(super) ensemble: Ensemble,
    pub(super) network: Option<Network>,
    pub(super) clock: Clock,
    count: usize,
    can_tamper: bool,
}

impl Servers {
    /// Starts as many servers.
    pub(super) fn start(place: Place, count: usize) -> Self {
        let (ensemble, network) = match place {
            Place::Loopback => (Ensemble::new(count, SETTINGS), None),
            Place::Namespaces => (Ensemble::at(NET, count, SETTINGS), Some(Network::new(count))),
        };
        let (clock, can_tamper) = (Clock::new(), disk::can_tamper());
        let mut servers = Self { ensemble, network, clock, count, can_tamper };
        for id in servers.ids() {
            if servers.network.is_some() {
                let disk = servers.disk(id);
                disk::mount(&disk);
                fs::write(disk.join("myid"), format!("{id}\n")).expect("myid");
            }
            servers.run(id);
        }
        let faults = servers.faults();
        let missing: Vec<_> = Fault::ALL.iter().filter(|fault| !faults.contains(fault)).collect();
        if !missing.is_empty() {
            eprintln!("faults: not possible here, and left out: {missing:?}");
        }
        servers
    }

    pub(super) const fn count(&self) -> usize {
        self.count
    }

    pub(super) fn ids(&self) -> std::ops::RangeInclusive<usize> {
        1..=self.count
    }

    /// Starts a server.
    pub(super) fn run(&mut self, id: usize) {
        let mut command = self.ensemble.command(id);
        if self.network.is_some() {
            command = Network::command(id, &command);
        }
        self.ensemble.run_by(id, command);
    }

    /// The directory that is a disk of its own.
    pub(super) fn disk(&self, id: usize) -> PathBuf {
        self.ensemble.directory(id).join("data")
    }

    /// What can be done to these servers.
    pub(super) fn faults(&self) -> Vec<Fault> {
        let can = |fault: &Fault| match fault {
            Fault::Kill | Fault::KillAll | Fault::Pause => true,
            Fault::Cut | Fault::CutOneWay | Fault::Unplug | Fault::FullDisk => {
                self.network.is_some()
            }
            Fault::SlowLink => {
                self.network.as_ref().is_some_and(|network| network.slowness().is_some())
            }
            Fault::SlowDisk | Fault::BrokenDisk => self.can_tamper,
        };
        Fault::ALL.into_iter().filter(can).collect()
    }

    /// Everybody who ever led.
    pub(super) fn reigns(&self) -> Vec<Reign> {
        let of = |id: usize| reigns(id, &self.ensemble.log(id), self.clock);
        self.ids().flat_map(of).collect()
    }

    /// The one who led last.
    pub(super) fn leader(&self) -> Option<usize> {
        self.reigns().iter().max_by_key(|reign| reign.epoch).map(|reign| reign.leader)
    }

    /// One leader for each epoch, and no log that tells of something that is wrong.
    pub(super) fn check_logs(&self) -> Result<BTreeMap<i64, Reign>, String> {
        for id in self.ids() {
            if let Some(line) = wrong_line(&self.ensemble.log(id)) {
                return Err(format!("server {id}: {line}"));
            }
        }
        by_epoch(&self.reigns())
    }

    /// Fails the run if a server has ended that nobody has asked to.
    pub(super) fn assert_alive(&mut self) {
        for id in self.ids() {
            let ended = self.ensemble.has_ended(id);
            assert!(ended.is_none(), "server {id} has ended by itself: {ended:?}");
        }
    }

    /// Fails the run unless a server that has ended says why.
    pub(super) fn assert_reason(&self, id: usize, since: usize, words: &str) {
        self.ensemble.wait(&format!("server {id} to say \"{words}\""), || {
            self.ensemble.log(id)[since..].contains(words).then_some(())
        });
    }

    /// Writes the logs into a directory.
    pub(super) fn keep_logs(&self, dir: &Path) {
        for id in self.ids() {
            let _ = fs::write(dir.join(format!("server-{id}.log")), self.ensemble.log(id));
        }
    }
}
