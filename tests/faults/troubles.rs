//! Makes faults happen to servers, and mends them.

use super::clients::Board;
use super::disk::{self, Tamper};
use super::network::{CLIENTS, Network};
use super::plan::{Fault, Step, Target, Trouble};
use super::random::Random;
use super::servers::Servers;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a full or broken disk may stay unnoticed. If nothing is written, it does.
const UNNOTICED: Duration = Duration::from_secs(10);
/// How long a server that was started on a full disk is looked at.
const START: Duration = Duration::from_secs(2);
const GLANCE: Duration = Duration::from_millis(20);

/// How a server that has stopped says why.
const FULL: &str = "Free some space and start the server again";
const BROKEN: &str = "Check the disk";

/// Microseconds that slow disks take more for each sync, at least and at most.
const SLOW_SYNC: (u64, u64) = (10_000, 300_000);

/// What must be undone when a fault is over.
enum Undo {
    Run(Vec<usize>),
    Continue(usize),
    Mend(Vec<(usize, usize)>),
    PlugIn(usize),
    Quicken(usize),
    LetGo(Tamper),
    /// With the length of the log before.
    Repair(usize, usize, Tamper),
    MakeRoom(usize, usize, bool),
}

/// Does what a step of a plan says, from its beginning to its end.
pub(super) fn suffer(
    servers: &mut Servers,
    board: &Board,
    step: &Step,
    tell: &mut dyn FnMut(String),
) {
    let mut undo = Vec::new();
    let mut hit = Vec::new();
    for trouble in &step.troubles {
        let Some(id) = target(servers, trouble, &hit) else { continue };
        tell(format!("{:?} of server {id} ({:?})", trouble.fault, trouble.target));
        undo.push(begin(servers, board, trouble, id, &hit));
        if trouble.fault == Fault::KillAll {
            hit.extend(servers.ids());
        }
        hit.push(id);
    }
    sleep(step.lasting);
    for undo in undo {
        end(servers, board, undo, tell);
    }
    tell("mended".to_owned());
    sleep(step.rest);
    servers.assert_alive();
}

/// The server that a fault is for, if it is running and was not hit by another one just now.
fn target(servers: &Servers, trouble: &Trouble, hit: &[usize]) -> Option<usize> {
    let is_whole = |id: &usize| servers.ensemble.is_running(*id) && !hit.contains(id);
    let leader = servers.leader();
    let others: Vec<usize> =
        servers.ids().filter(is_whole).filter(|id| Some(*id) != leader).collect();
    match trouble.target {
        Target::Leader if leader.as_ref().is_some_and(is_whole) => leader,
        Target::Leader => others.first().copied(),
        Target::Other(number) if !others.is_empty() => Some(others[number % others.len()]),
        Target::Other(_) => None,
    }
}

/// Lets a fault begin. `hit` are the servers that another one of this step has in its hands.
fn begin(
    servers: &mut Servers,
    board: &Board,
    trouble: &Trouble,
    id: usize,
    hit: &[usize],
) -> Undo {
    let mut random = Random::new(trouble.chance);
    let since = servers.ensemble.log(id).len();
    match trouble.fault {
        Fault::Kill => {
            servers.ensemble.kill(id);
            Undo::Run(vec![id])
        }
        Fault::KillAll => {
            let is_whole = |id: &usize| servers.ensemble.is_running(*id) && !hit.contains(id);
            let ids: Vec<usize> = servers.ids().filter(is_whole).collect();
            for id in &ids {
                servers.ensemble.kill(*id);
            }
            Undo::Run(ids)
        }
        Fault::Pause => {
            servers.ensemble.signal(id, "STOP");
            Undo::Continue(id)
        }
        Fault::Cut | Fault::CutOneWay => {
            let cuts = cuts(servers, trouble.fault, id, &mut random);
            for (from, to) in &cuts {
                Network::cut(*from, *to);
            }
            Undo::Mend(cuts)
        }
        Fault::Unplug => {
            Network::plug(id, "down");
            Undo::PlugIn(id)
        }
        Fault::SlowLink => {
            servers.network.as_ref().expect("a network").slow(id);
            Undo::Quicken(id)
        }
        Fault::SlowDisk => {
            let micros = random.between(SLOW_SYNC.0, SLOW_SYNC.1);
            Undo::LetGo(Tamper::delay(servers.ensemble.process(id), micros))
        }
        Fault::BrokenDisk => Undo::Repair(id, since, Tamper::fail(servers.ensemble.process(id))),
        Fault::FullDisk => {
            disk::fill(&servers.disk(id));
            board.fill.store(true, Relaxed);
            Undo::MakeRoom(id, since, random.one_in(2))
        }
    }
}

/// Which directions are cut: between the server and one other, or some, or all other servers; in
/// one direction only also the way to or from clients.
fn cuts(servers: &Servers, fault: Fault, id: usize, random: &mut Random) -> Vec<(usize, usize)> {
    let mut others: Vec<usize> = servers.ids().filter(|other| *other != id).collect();
    if fault == Fault::CutOneWay && random.one_in(4) {
        others.push(CLIENTS);
    }
    if random.one_in(3) {
        let keep = 1 + random.below(others.len());
        while others.len() > keep {
            others.remove(random.below(others.len()));
        }
    }
    let (out, back) = match fault {
        Fault::CutOneWay => {
            let is_out = random.one_in(2);
            (is_out, !is_out)
        }
        _ => (true, true),
    };
    let mut cuts = Vec::new();
    for other in others {
        cuts.extend(out.then_some((id, other)));
        cuts.extend(back.then_some((other, id)));
    }
    cuts
}

fn end(servers: &mut Servers, board: &Board, undo: Undo, tell: &mut dyn FnMut(String)) {
    match undo {
        Undo::Run(ids) => ids.into_iter().for_each(|id| servers.run(id)),
        Undo::Continue(id) => servers.ensemble.signal(id, "CONT"),
        Undo::Mend(cuts) => cuts.into_iter().for_each(|(from, to)| Network::mend(from, to)),
        Undo::PlugIn(id) => Network::plug(id, "up"),
        Undo::Quicken(id) => Network::quicken(id),
        Undo::LetGo(tamper) => drop(tamper),
        Undo::Repair(id, since, tamper) => {
            let has_ended = has_ended(servers, id, UNNOTICED);
            drop(tamper);
            if has_ended {
                tell(format!("server {id} has noticed that its disk fails"));
                servers.assert_reason(id, since, BROKEN);
                servers.run(id);
            }
        }
        Undo::MakeRoom(id, since, starts_early) => {
            let mut has_stopped = has_ended(servers, id, UNNOTICED);
            board.fill.store(false, Relaxed);
            if has_stopped {
                tell(format!("server {id} has noticed that its disk is full"));
                servers.assert_reason(id, since, FULL);
            }
            if has_stopped && starts_early {
                let since = servers.ensemble.log(id).len();
                servers.run(id);
                has_stopped = has_ended(servers, id, START);
                if has_stopped {
                    tell(format!("server {id} does not start on a full disk"));
                    servers.assert_reason(id, since, FULL);
                }
            }
            disk::empty(&servers.disk(id));
            if has_stopped {
                servers.run(id);
            }
        }
    }
}

/// Waits a while for a server to end by itself, which it must not do as if all were well.
fn has_ended(servers: &mut Servers, id: usize, patience: Duration) -> bool {
    let start = Instant::now();
    while start.elapsed() < patience {
        if let Some(status) = servers.ensemble.has_ended(id) {
            assert!(matches!(status.code(), Some(1 | 3)), "server {id} has ended by {status}");
            return true;
        }
        sleep(GLANCE);
    }
    false
}
