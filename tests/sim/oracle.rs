//! The oracle of two servers, as it has to be: it lets a server go on alone only while the other
//! one is dead, and the other one never before both have been together again.

use super::broken::Broken;
use super::plan::id_of;
use super::queue::Life;
use super::world::World;
use zabra::replica::Input;
use zabra::zab::{self, Role};

impl World {
    /// A server hears whether it may go on alone, at this moment.
    pub(crate) fn oracle_says(&mut self, who: Life) {
        let server = who.server;
        let yes = self.may_be_alone(server);
        if yes {
            self.checks.alone = Some(server);
        }
        self.coverage.note(if yes { "oracle said yes" } else { "oracle said no" });
        self.input(server, Input::Quorum(zab::Input::OracleSaid(yes)));
    }

    /// Whether the oracle lets a server go on alone.
    pub(crate) fn may_be_alone(&self, server: usize) -> bool {
        if self.plan.broken == Some(Broken::RashOracle) {
            return true;
        }
        self.plan.oracle
            && server < self.plan.voters
            && self.checks.alone.is_none_or(|favoured| favoured == server)
            && !self.servers[1 - server].is_up()
    }

    /// Notes when both serve in one epoch, so that both have everything.
    pub(crate) fn note_reunion(&mut self) {
        if self.checks.alone.is_none() || self.plan.broken == Some(Broken::RashOracle) {
            return;
        }
        let status = |server: usize| {
            let running = self.servers[server].running.as_ref()?;
            let status = running.replica.status();
            status.serving.then_some((status.role, status.epochs.current))
        };
        let (Some(first), Some(second)) = (status(0), status(1)) else { return };
        let follows = |one: (Role, _), leader: usize| one.0 == Role::Following(id_of(leader));
        if first.1 == second.1 && (follows(first, 1) || follows(second, 0)) {
            self.checks.alone = None;
            self.coverage.note("two are together again");
        }
    }
}
