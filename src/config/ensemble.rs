//! The servers of an ensemble, their groups and weights, and whether they make sense together.
//!
//! Knows nothing of elections: what a quorum is, is decided where votes are counted.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use super::error::Problem;
use super::member::{Member, MemberAddress};
use super::options::Endpoint;
use super::settings::{Setting, Settings};

/// Who belongs to an ensemble, as `server.N`, `group.N` and `weight.N` say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Membership {
    /// The configuration's version: the zxid of the change that made it, 0 at first.
    pub version: i64,
    /// The servers by id; at least one.
    pub members: BTreeMap<i64, Member>,
    /// Ids of the voters by group. Empty unless the quorum is hierarchical; then every voter is
    /// in exactly one group.
    pub groups: BTreeMap<i64, BTreeSet<i64>>,
    /// The weight of every voter if the quorum is hierarchical, else empty. At least one is more
    /// than 0.
    pub weights: BTreeMap<i64, i64>,
}

impl Membership {
    /// How many servers vote.
    pub fn voters(&self) -> usize {
        self.members.values().filter(|member| member.is_voter()).count()
    }
}

impl fmt::Display for Membership {
    /// The text of `/zookeeper/config`: a line per entry, the version in the last one, which has
    /// no line end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (id, member) in &self.members {
            writeln!(f, "server.{id}={member}")?;
        }
        for (group, ids) in &self.groups {
            let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
            writeln!(f, "group.{group}={}", ids.join(":"))?;
        }
        for (id, weight) in &self.weights {
            writeln!(f, "weight.{id}={weight}")?;
        }
        write!(f, "version={:x}", self.version)
    }
}

/// An ensemble that this server belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ensemble {
    /// The id of this server, one of the members'.
    pub my_id: i64,
    /// Who belongs to it.
    pub membership: Membership,
    /// A change of membership that this server saw proposed before it stopped
    /// (`<zoo.cfg>.dynamic.next`).
    pub last_seen: Option<Membership>,
    /// `dynamicConfigFile`, where the membership was read from, if not from `zoo.cfg`.
    pub dynamic_file: Option<PathBuf>,
}

/// A membership and the lines that made it.
#[derive(Debug, Default)]
pub(super) struct MemberLines {
    pub(super) membership: Membership,
    servers: BTreeMap<i64, Setting>,
    groups: BTreeMap<i64, Setting>,
}

impl MemberLines {
    /// Reads all `server.N`, `group.N` and `weight.N`; what is wrong goes to the settings.
    pub(super) fn read(settings: &mut Settings, version: i64, multi_address: bool) -> Self {
        let mut lines = Self::default();
        lines.membership.version = version;
        for (id, setting) in numbered(settings, "server.") {
            match Member::parse(&setting.value, multi_address) {
                Ok(member) => drop(lines.membership.members.insert(id, member)),
                Err(reason) => settings.problems.push(setting.refuse(reason)),
            }
            lines.servers.insert(id, setting);
        }
        lines.read_groups(settings);
        lines.read_weights(settings);
        lines
    }

    /// The line of a server.
    pub(super) fn server(&self, id: i64) -> Option<&Setting> {
        self.servers.get(&id)
    }

    /// Whether there is any `server.N`, even one that could not be read.
    pub(super) fn has_servers(&self) -> bool {
        !self.servers.is_empty()
    }

    fn read_groups(&mut self, settings: &mut Settings) {
        for (group, setting) in numbered(settings, "group.") {
            let ids = setting.value.split(':').map(|id| id.trim().parse::<i64>());
            if let Ok(ids) = ids.collect::<Result<BTreeSet<i64>, _>>() {
                self.membership.groups.insert(group, ids);
            } else {
                let reason = "must be ids of servers, separated by colons";
                settings.problems.push(setting.refuse(reason));
            }
            self.groups.insert(group, setting);
        }
    }

    fn read_weights(&mut self, settings: &mut Settings) {
        for (id, setting) in numbered(settings, "weight.") {
            match setting.value.parse::<i64>() {
                Ok(weight) if (0..=i64::from(i32::MAX)).contains(&weight) => {
                    self.membership.weights.insert(id, weight);
                }
                _ => {
                    let reason = "must be a whole number, from 0 to 2147483647";
                    settings.problems.push(setting.refuse(reason));
                }
            }
            if !self.servers.contains_key(&id) {
                settings.note(&setting, &format!("has no meaning: there is no server.{id}"));
            }
        }
    }

    /// Makes the quorum hierarchical if there is any group or weight: every voter has a weight,
    /// and is in one group.
    pub(super) fn check_groups(&mut self, problems: &mut Vec<Problem>) {
        let Membership { members, groups, weights, .. } = &mut self.membership;
        let is_voter = |id: &i64| members.get(id).is_some_and(Member::is_voter);
        weights.retain(|id, _| is_voter(id));
        if self.groups.is_empty() && weights.is_empty() {
            return;
        }
        let mut seen: BTreeMap<i64, i64> = BTreeMap::new();
        for (group, id) in
            groups.iter().flat_map(|(group, ids)| ids.iter().map(move |id| (group, id)))
        {
            let Some(line) = self.groups.get(group) else { continue };
            if !self.servers.contains_key(id) {
                problems
                    .push(line.refuse(format!("names server {id}, but there is no server.{id}")));
            } else if members.contains_key(id) && !is_voter(id) {
                problems.push(line.refuse(format!("names server {id}, which is an observer")));
            }
            if let Some(other) = seen.insert(*id, *group) {
                problems.push(line.refuse(format!("names server {id}, which is in group.{other}")));
            }
        }
        for (id, line) in self.servers.iter().filter(|(id, _)| is_voter(id)) {
            if !seen.contains_key(id) {
                let reason = "votes, but is in no group, although there are groups or weights";
                problems.push(line.refuse(reason));
            }
            weights.entry(*id).or_insert(1);
        }
        if let Some(line) = self.groups.values().next()
            && !weights.is_empty()
            && weights.values().all(|weight| *weight == 0)
        {
            problems.push(line.refuse_key("needs a voter whose weight is more than 0"));
        }
    }

    /// Two servers cannot have one address. Wildcards are left alone: people write them for the
    /// server itself.
    pub(super) fn check_addresses(&self, problems: &mut Vec<Problem>) {
        let mut owners: BTreeMap<Endpoint, i64> = BTreeMap::new();
        for (id, member) in &self.membership.members {
            let ports = |address: &MemberAddress| {
                [address.port, address.election_port].map(|port| Endpoint::new(&address.host, port))
            };
            let own = member.addresses.iter().flat_map(ports).filter(|own| !own.is_any());
            let mut shared = None;
            for endpoint in own {
                match owners.get(&endpoint) {
                    Some(owner) if owner != id => shared = shared.or(Some((endpoint, *owner))),
                    _ => drop(owners.insert(endpoint, *id)),
                }
            }
            if let (Some((endpoint, owner)), Some(line)) = (shared, self.servers.get(id)) {
                problems.push(line.refuse(format!("shares {endpoint} with server.{owner}")));
            }
        }
    }

    /// An oracle decides between two voters. ZooKeeper takes no notice of groups where there is
    /// one; an operator who wrote them means them.
    pub(super) fn check_oracle(&self, settings: &mut Settings) {
        let Some(oracle) = settings.get("oraclePath") else { return };
        if let Some(line) = self.groups.values().next() {
            let reason = "cannot be had together with oraclePath: remove one of them";
            settings.problems.push(line.refuse_key(reason));
        } else if self.membership.voters() != 2 {
            let voters = self.membership.voters();
            let text = format!("has no effect: it is for 2 participants, and there are {voters}");
            settings.note(&oracle, &text);
        }
    }

    /// Whether these servers are an ensemble rather than one server that runs alone.
    pub(super) fn is_distributed(&self, standalone_enabled: bool, settings: &mut Settings) -> bool {
        let voters = self.membership.voters();
        let observer = self.membership.members.iter().find(|(_, member)| !member.is_voter());
        let observer = observer.and_then(|(id, _)| self.servers.get(id));
        match (voters, observer) {
            (0, Some(line)) => {
                settings.problems.push(line.refuse("is an observer, and there is no participant"));
            }
            (1, Some(line)) if standalone_enabled => {
                let reason = "is an observer, and the only participant runs alone; set \
                     standaloneEnabled=false, or add participants";
                settings.problems.push(line.refuse(reason));
            }
            _ => {}
        }
        if voters == 1 && standalone_enabled {
            if let Some(line) = self.servers.values().next() {
                settings.note(line, "is the only server, so it runs alone");
            }
            return false;
        }
        voters > 0
    }

    /// Remarks on numbers of voters that gain nothing.
    pub(super) fn note_voters(&self, has_oracle: bool, settings: &mut Settings) {
        let Some(line) = self.servers.values().next() else { return };
        match self.membership.voters() {
            2 if has_oracle => {}
            2 => settings.note_at(
                line.origin.clone(),
                "two participants survive no failure; three survive one",
            ),
            voters if voters % 2 == 0 => settings.note_at(
                line.origin.clone(),
                format!("{voters} participants survive no more failures than {}", voters - 1),
            ),
            _ => {}
        }
    }
}

/// A family whose members are numbered. What is not a number is a problem.
fn numbered(settings: &mut Settings, prefix: &str) -> Vec<(i64, Setting)> {
    let mut found = Vec::new();
    for (rest, setting) in settings.family(prefix) {
        match rest.parse::<i64>() {
            Ok(id) if id >= 0 => found.push((id, setting)),
            _ if super::keys::is_exact(setting.key()) => {}
            _ => {
                let reason = format!("must have a whole number after {prefix}");
                settings.problems.push(setting.refuse_key(reason));
            }
        }
    }
    found.sort_by_key(|(id, _)| *id);
    found
}
