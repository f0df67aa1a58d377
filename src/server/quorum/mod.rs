//! The other servers of an ensemble, as this one reaches them: the election port and the quorum
//! port.
//!
//! Knows nothing of what servers say to each other. What the broadcast wants done comes as
//! [`Action`]s; what happens goes to the brain as its inputs.

mod election;
mod greeting;
mod images;
mod link;
mod links;
mod log_reads;
mod oracle;
mod packets;
mod sockets;

use super::Shared;
use crate::config::{Config, Endpoint, Ensemble, Member, MemberAddress};
use crate::store::Store;
use crate::types::{LinkId, ServerId};
use crate::zab::{Action, Report};
use greeting::Greeting;
pub(crate) use link::{Link, LinkFigures};
use links::Door;
use log_reads::ReadLog;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

/// What everybody can reach of the links to the other servers. A server alone has it too, idle.
pub(crate) struct Quorum {
    elections: UnboundedSender<election::Command>,
    links: UnboundedSender<links::Command>,
    table: links::Table,
}

/// What a [`Quorum`] says to its tasks.
pub(crate) struct Commands {
    elections: UnboundedReceiver<election::Command>,
    links: UnboundedReceiver<links::Command>,
}

impl Quorum {
    /// Links that [`start`] brings to life.
    pub(crate) fn new() -> (Self, Commands) {
        let (elections, to_elections) = unbounded_channel();
        let (links, to_links) = unbounded_channel();
        let commands = Commands { elections: to_elections, links: to_links };
        (Self { elections, links, table: links::Table::default() }, commands)
    }

    /// Does what the broadcast wants. `written` are the links with something in their outboxes that
    /// has not been flushed.
    pub(crate) fn act(&self, action: Action, written: &mut Vec<Arc<Link>>) {
        match action {
            // If nobody hears it, the server is ending.
            Action::Notify(server, message) => {
                let _ = self.elections.send(election::Command::Notify(server, message));
            }
            Action::Dial(server) => {
                let _ = self.links.send(links::Command::Dial(server, Door::Learners));
            }
            Action::DialMaster(server) => {
                let _ = self.links.send(links::Command::Dial(server, Door::Observers));
            }
            Action::Send(id, packet) => self.to_link(id, written, |link| link.push(&packet)),
            Action::Close(id, why) => self.to_link(id, written, |link| link.close(why)),
            Action::ReadLog { link, from, max_bytes, weigh_to } => {
                let read = ReadLog { from, max_bytes, weigh_to };
                let _ = self.links.send(links::Command::ReadLog(link, read));
            }
            Action::SendSnapshot(id) => {
                let _ = self.links.send(links::Command::SendSnapshot(id));
            }
            Action::ReceiveSnapshot(id, zxid) => {
                self.to_link(id, written, |link| link.expect_image(zxid));
            }
            Action::AskOracle => {
                let _ = self.links.send(links::Command::AskOracle);
            }
            Action::Report(report) => log(&report),
            Action::Append(..) | Action::Truncate(_) | Action::SaveEpochs(_) | Action::Stop(_) => {
                unreachable!("others do what concerns the disk or the whole server")
            }
        }
    }

    /// All links there are.
    pub(crate) fn links(&self) -> HashMap<LinkId, Arc<Link>> {
        self.table.lock().clone()
    }

    /// Does something with a link, if it is still there, and remembers it.
    fn to_link(&self, id: LinkId, written: &mut Vec<Arc<Link>>, act: impl FnOnce(&Link)) {
        if let Some(link) = written.iter().find(|link| link.id == id) {
            return act(link);
        }
        let Some(link) = self.table.lock().get(&id).cloned() else { return };
        act(&link);
        written.push(link);
    }
}

/// Tells the operator what the broadcast reports.
fn log(report: &Report) {
    match report {
        Report::BadNotification(..) | Report::Reconfigured(_) => tracing::warn!("{report}"),
        Report::Repeated(_) => tracing::debug!("{report}"),
        Report::Looking(_)
        | Report::Elected(..)
        | Report::Found(..)
        | Report::Serving(..)
        | Report::Synchronising(..) => tracing::info!("{report}"),
    }
}

/// Brings the links to life: listens on both ports and does what is asked for.
pub(crate) fn start(
    shared: &Arc<Shared>,
    store: Arc<dyn Store>,
    ensemble: &Ensemble,
    commands: Commands,
) -> [JoinHandle<()>; 2] {
    let (config, to) = (&shared.config, &shared.quorum);
    let elections = election::Elections::new(
        Arc::clone(shared),
        elections(config, ensemble),
        to.elections.clone(),
    );
    let links =
        links::Links::new(Arc::clone(shared), store, links(config, ensemble), to.links.clone());
    [tokio::spawn(elections.run(commands.elections)), tokio::spawn(links.run(commands.links))]
}

fn elections(config: &Config, ensemble: &Ensemble) -> election::Options {
    let quorum = &config.quorum;
    let (own, servers) = addresses(ensemble, |address| address.election_port);
    let tick_ms = u64::from(config.tick_time_ms);
    let patience_ms = quorum.timing.link_timeout_ms.filter(|ms| *ms > 0).map(u64::from);
    election::Options {
        listen: bound(&own, quorum.listen_on_all),
        bind_tries: quorum.bind_retries,
        greeting: Greeting { server: ServerId(ensemble.my_id), addresses: own },
        several: quorum.multi_address.enabled,
        servers,
        connect: Duration::from_millis(quorum.timing.connect_timeout_ms.into()),
        patience: Duration::from_millis(
            patience_ms.unwrap_or(tick_ms * u64::from(quorum.sync_limit)),
        ),
        keep_alive: quorum.tcp_keep_alive,
    }
}

fn links(config: &Config, ensemble: &Ensemble) -> links::Options {
    let quorum = &config.quorum;
    let (own, servers) = addresses(ensemble, |address| address.port);
    let votes = ensemble.membership.members.get(&ensemble.my_id).is_some_and(Member::is_voter);
    let ticks = if quorum.connect_limit > 0 { quorum.connect_limit } else { quorum.init_limit };
    let connect_ms = u64::from(config.tick_time_ms) * u64::from(ticks);
    let mut listen = BTreeMap::new();
    let mut servers = BTreeMap::from([(Door::Learners, servers)]);
    if votes {
        listen.insert(Door::Learners, bound(&own, quorum.listen_on_all));
    }
    if let Some(port) = quorum.observer_master_port {
        let (own, others) = addresses(ensemble, |_| port);
        if votes {
            listen.insert(Door::Observers, bound(&own, quorum.listen_on_all));
        }
        servers.insert(Door::Observers, others);
    }
    links::Options {
        listen,
        bind_tries: quorum.bind_retries,
        servers,
        connect: Duration::from_millis(connect_ms),
        rest: Duration::from_millis(quorum.timing.leader_retry_ms.into()),
        keep_alive: quorum.tcp_keep_alive,
        oracle: quorum.oracle_path.clone(),
    }
}

/// Where this server is, and where the others are, as far as one of two ports is concerned.
fn addresses(
    ensemble: &Ensemble,
    port: impl Fn(&MemberAddress) -> u16,
) -> (Vec<Endpoint>, BTreeMap<ServerId, Vec<Endpoint>>) {
    let members = ensemble.membership.members.iter();
    let mut all: BTreeMap<ServerId, Vec<Endpoint>> = members
        .map(|(id, member)| {
            let addresses = member.addresses.iter();
            let endpoints = addresses.map(|at| Endpoint::new(at.host.clone(), port(at)));
            (ServerId(*id), endpoints.collect())
        })
        .collect();
    let own = all.remove(&ServerId(ensemble.my_id)).unwrap_or_default();
    (own, all)
}

/// Where to listen.
fn bound(own: &[Endpoint], everywhere: bool) -> Vec<Endpoint> {
    let mut bound: Vec<Endpoint> = if everywhere {
        own.iter().map(|endpoint| Endpoint::any(endpoint.port)).collect()
    } else {
        own.to_vec()
    };
    bound.sort();
    bound.dedup();
    bound
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_listens_on_each_of_its_addresses_or_on_all_with_the_same_port() {
        let own = [Endpoint::new("b", 1), Endpoint::new("a", 1), Endpoint::new("a", 2)];
        let expected = [Endpoint::new("a", 1), Endpoint::new("a", 2), Endpoint::new("b", 1)];
        assert_eq!(bound(&own, false), expected);
        assert_eq!(bound(&own, true), [Endpoint::any(1), Endpoint::any(2)]);
    }
}
