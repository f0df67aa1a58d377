//! What is to happen in a run, made of its seed: which faults, where, for how long.

use super::random::Random;
use std::time::Duration;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    /// SIGKILL.
    Kill,
    /// SIGKILL to all servers at once.
    KillAll,
    /// SIGSTOP, and SIGCONT later.
    Pause,
    /// Nothing passes between the server and some or all others; clients reach all of them.
    Cut,
    /// The same, in one direction only.
    CutOneWay,
    /// Nothing passes between the server and anybody else.
    Unplug,
    /// Packets of the server are late, and some get lost.
    SlowLink,
    /// Each sync takes long.
    SlowDisk,
    /// Each sync fails.
    BrokenDisk,
    /// There is no room on the disk.
    FullDisk,
}

impl Fault {
    pub(super) const ALL: [Self; 10] = [
        Self::Kill,
        Self::KillAll,
        Self::Pause,
        Self::Cut,
        Self::CutOneWay,
        Self::Unplug,
        Self::SlowLink,
        Self::SlowDisk,
        Self::BrokenDisk,
        Self::FullDisk,
    ];
}

/// Which server a fault is for, chosen when it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Leader,
    /// One that does not lead; the number makes the choice.
    Other(usize),
}

/// One fault.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    pub(super) fault: Fault,
    pub(super) target: Target,
    /// What else is a matter of chance.
    pub(super) chance: u64,
}

/// Troubles at the same time, and how long they last.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) troubles: Vec<Trouble>,
    pub(super) lasting: Duration,
    /// Until the next step.
    pub(super) rest: Duration,
}

/// What a leader in particular must survive.
const OF_LEADERS: [Fault; 3] = [Fault::Kill, Fault::Pause, Fault::Cut];

/// A plan that has each of these faults, in any order, some together with another one.
pub(super) fn plan(random: &mut Random, servers: usize, faults: &[Fault]) -> Vec<Step> {
    let mut order: Vec<Trouble> = faults.iter().map(|fault| trouble(random, *fault)).collect();
    for fault in OF_LEADERS.into_iter().filter(|fault| faults.contains(fault)) {
        order.push(Trouble { target: Target::Leader, ..trouble(random, fault) });
    }
    for last in (1..order.len()).rev() {
        order.swap(last, random.below(last + 1));
    }
    let mut steps = Vec::new();
    for first in order {
        let mut troubles = vec![first];
        // Two at once are often more than three servers can do without.
        if random.one_in(if servers == 3 { 4 } else { 2 }) {
            let fault = *random.pick(faults);
            troubles.push(trouble(random, fault));
        }
        let lasting = Duration::from_millis(random.between(1_000, 3_500));
        let rest = Duration::from_millis(random.between(200, 1_200));
        steps.push(Step { troubles, lasting, rest });
    }
    steps
}

fn trouble(random: &mut Random, fault: Fault) -> Trouble {
    let leader = random.one_in(2);
    let target = if leader { Target::Leader } else { Target::Other(random.below(1000)) };
    Trouble { fault, target, chance: random.between(0, u64::from(u32::MAX)) }
}
