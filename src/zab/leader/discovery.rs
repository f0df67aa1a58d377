//! Which epoch it will be, and who takes part (ZK: `Leader.getEpochToPropose`, `waitForEpochAck`).

use super::{Leader, Learner, Progress, Stage};
use crate::types::{Epoch, LinkId, ServerId, Zxid};
use crate::zab::member::Core;
use crate::zab::packet::{self, Hello};
use crate::zab::{Action, LinkError, Output};
use jute::quorum::QuorumPacket;

impl Leader {
    /// A learner's first packet.
    pub(super) fn introduced(
        &mut self,
        link: LinkId,
        packet: &QuorumPacket,
        core: &mut Core,
        out: &mut Vec<Output>,
    ) -> Result<(), LinkError> {
        let hello = Hello::read(packet)?;
        if hello.server == core.options.me {
            return Err(LinkError::Protocol("it has the id of this server".to_owned()));
        }
        if self.is_relay() {
            self.check_observer(&hello)?;
        }
        // A server comes again when it has lost its link; the leader may not have noticed yet.
        let earlier = |learner: &Learner| learner.server() == Some(hello.server);
        let earlier = self.learners.iter().find(|(_, learner)| earlier(learner));
        if let Some(earlier) = earlier.map(|(link, _)| *link) {
            self.drop_learner(earlier, LinkError::Replaced, out);
        }
        let Some(learner) = self.learners.get_mut(&link) else { return Ok(()) };
        learner.hello = Some(hello);
        learner.progress = Progress::Introduced;
        if self.stage == Stage::Connecting {
            self.connect(hello.server, hello.accepted, core, out);
        } else if core.options.ensemble.contains(hello.server) && hello.accepted > self.epoch {
            // It promised a later epoch to a leader that failed, and must refuse this one. It could
            // only wait for the next election: better to hold that at once, for an epoch that all
            // can take part in.
            core.promised_elsewhere = core.promised_elsewhere.max(hello.accepted);
            self.quit = Some("a member of the ensemble has promised a later epoch");
        } else if self.stage >= Stage::Electing {
            self.tell(link, out);
        }
        Ok(())
    }

    /// Who may learn from a follower.
    fn check_observer(&self, hello: &Hello) -> Result<(), LinkError> {
        if hello.follows {
            let why = format!("server {} must follow the leader, not a follower", hello.server);
            return Err(LinkError::Protocol(why));
        }
        if hello.accepted > self.epoch {
            return Err(LinkError::Role("follows in an epoch before that of the observer"));
        }
        Ok(())
    }

    /// A server, this one included, has seen epochs up to this one. The new epoch is beyond what
    /// any has seen, observers too, but only voters count for the quorum.
    pub(super) fn connect(
        &mut self,
        server: ServerId,
        accepted: Epoch,
        core: &mut Core,
        out: &mut Vec<Output>,
    ) {
        self.epoch = self.epoch.max(Epoch(accepted.0 + 1));
        if core.options.ensemble.is_voter(server) {
            self.connecting.insert(server);
        }
        self.choose_epoch(core, out);
    }

    /// Promises the new epoch once a quorum has connected.
    pub(super) fn choose_epoch(&mut self, core: &mut Core, out: &mut Vec<Output>) {
        let me = core.options.me;
        if self.connecting.contains(&me) && self.is_quorum(&self.connecting, core) {
            self.stage = Stage::Promising;
            core.save_accepted(self.epoch, out);
        }
    }

    fn tell(&mut self, link: LinkId, out: &mut Vec<Output>) {
        if let Some(learner) = self.learners.get_mut(&link)
            && learner.progress == Progress::Introduced
        {
            learner.progress = Progress::Told;
            out.push(Output::Do(Action::Send(link, packet::leader_info(self.epoch))));
        }
    }

    /// The epochs are stored.
    pub(in crate::zab) fn epochs_saved(&mut self, core: &mut Core, out: &mut Vec<Output>) {
        match self.stage {
            Stage::Promising => {
                self.stage = Stage::Electing;
                for link in self.learners.keys().copied().collect::<Vec<_>>() {
                    self.tell(link, out);
                }
                self.promise(core.options.me, core, out);
            }
            Stage::Entering => {
                self.stage = Stage::Syncing;
                let promised = self.learners.iter().filter_map(|(link, learner)| {
                    let Progress::Promised(last) = learner.progress else { return None };
                    Some((*link, last))
                });
                for (link, last) in promised.collect::<Vec<_>>() {
                    self.begin_sync(link, last, core, out);
                }
                self.establish(core, out);
            }
            _ => {}
        }
    }

    /// A learner's promise.
    pub(super) fn promised(
        &mut self,
        link: LinkId,
        packet: &QuorumPacket,
        core: &mut Core,
        out: &mut Vec<Output>,
    ) -> Result<(), LinkError> {
        let last = Zxid(packet.zxid);
        let current = packet::promised(packet)?;
        let Some(learner) = self.learners.get_mut(&link) else { return Ok(()) };
        learner.progress = Progress::Promised(last);
        let Some(server) = learner.server() else { return Ok(()) };
        if let (Stage::Electing, Some(current)) = (self.stage, current) {
            // A log that is ahead of the leader's would lose its end; if it counts for the quorum,
            // what it loses may have been decided.
            if (current, last) > (self.came_from, self.history) {
                return Err(LinkError::Protocol(format!(
                    "server {server} is ahead of its leader: it is at {last} of epoch {current}, \
                     the leader at {} of epoch {}",
                    self.history, self.came_from
                )));
            }
            if last != Zxid(-1) && core.options.ensemble.is_voter(server) {
                self.promise(server, core, out);
            }
        } else if self.stage >= Stage::Syncing {
            self.begin_sync(link, last, core, out);
        }
        Ok(())
    }

    /// A voter, this server included, takes part in the epoch.
    fn promise(&mut self, server: ServerId, core: &mut Core, out: &mut Vec<Output>) {
        self.electing.insert(server);
        self.enter_epoch(core, out);
    }

    /// Enters the new epoch once a quorum has promised to take part.
    pub(super) fn enter_epoch(&mut self, core: &mut Core, out: &mut Vec<Output>) {
        let me = core.options.me;
        if self.electing.contains(&me) && self.is_quorum(&self.electing, core) {
            self.stage = Stage::Entering;
            core.save_current(self.epoch, out);
        }
    }
}
