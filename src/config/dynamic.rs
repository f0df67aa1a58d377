//! Which ensemble this server belongs to: the list of servers in `zoo.cfg` or in a dynamic file,
//! the id in `myid`, and the client ports that the own entry gives.

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::ensemble::{Ensemble, MemberLines, Membership};
use super::error::{Origin, Problem};
use super::member::{Member, Role};
use super::options::{ClientPorts, Endpoint, Quorum, TreeSettings};
use super::properties;
use super::settings::{Setting, Settings};
use super::sources::{ReadFile, file_settings, read_text};

/// Families that a dynamic file consists of.
const FAMILIES: [&str; 3] = ["server.", "group.", "weight."];

/// The largest id whose sessions cannot be taken for a znode's time to live.
const MAX_ID_WITH_TTL: i64 = 254;

/// What is known already of this server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Own<'a> {
    pub(super) my_id: Option<i64>,
    pub(super) quorum: &'a Quorum,
    pub(super) tree: &'a TreeSettings,
    pub(super) data_dir: &'a Path,
}

/// The number in the first line of `myid`; none if there is no such file.
pub(super) fn my_id(
    data_dir: &Path,
    read_file: ReadFile<'_>,
    settings: &mut Settings,
) -> Option<i64> {
    let path = data_dir.join("myid");
    let reason = match read_file(&path) {
        Ok(bytes) => {
            let text = properties::decode(&bytes);
            let line = properties::trim(text.lines().next().unwrap_or_default());
            match line.parse::<i64>() {
                Ok(id) if id >= 0 => return Some(id),
                _ => format!("the server's id must be a whole number, not \"{line}\""),
            }
        }
        Err(error) if is_absent(&error) => return None,
        Err(error) => format!("cannot be read: {error}"),
    };
    let origin = Origin::line(&path, 1);
    settings.problems.push(Problem { origin, key: None, value: None, reason });
    None
}

/// What `ErrorKind` calls a path through something that is not a directory is absence too.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// The ensemble, none if this server runs alone. The own entry's ports go to `client`.
pub(super) fn ensemble(
    config_file: Option<&Path>,
    settings: &mut Settings,
    read_file: ReadFile<'_>,
    own: &Own<'_>,
    client: &mut ClientPorts,
) -> Option<Ensemble> {
    let dynamic_file = settings.path("dynamicConfigFile");
    let static_version = version(settings);
    if let Some(path) = &dynamic_file {
        replace_by_dynamic(path, read_file, settings);
    }
    let version = dynamic_file.as_deref().map_or(static_version, version_in_name);
    let multi_address = own.quorum.multi_address.enabled;
    let mut lines = MemberLines::read(settings, version, multi_address);
    lines.check_groups(&mut settings.problems);
    lines.check_addresses(&mut settings.problems);
    let distributed = is_distributed(&lines, own, settings);
    let listed = own.my_id.filter(|id| lines.server(*id).is_some());
    let id = listed.or_else(|| only_member(&lines, distributed));
    settle_ports(&lines, id, settings, client, config_file);
    check_peer_type(&lines, id, settings);
    if !distributed {
        return None;
    }
    lines.note_voters(own.quorum.oracle_path.is_some(), settings);
    lines.check_oracle(settings);
    check_distributed(&lines, config_file, own, settings);
    let next = config_file.filter(|_| dynamic_file.is_some());
    let last_seen = next.and_then(|file| last_seen(file, read_file, multi_address, settings));
    Some(Ensemble {
        my_id: own.my_id.unwrap_or_default(),
        membership: lines.membership,
        last_seen,
        dynamic_file,
    })
}

/// `version` in `zoo.cfg`: hexadecimal.
fn version(settings: &mut Settings) -> i64 {
    let Some(setting) = settings.get("version") else { return 0 };
    match i64::from_str_radix(&setting.value, 16) {
        Ok(version) if version >= 0 => version,
        _ => {
            settings.problems.push(setting.refuse("must be a hexadecimal number"));
            0
        }
    }
}

/// The version at the end of a dynamic file's name, such as `zoo.cfg.dynamic.100000003`.
fn version_in_name(path: &Path) -> i64 {
    let name = path.to_string_lossy();
    let suffix = name.rsplit_once('.').map_or("", |(_, suffix)| suffix);
    i64::from_str_radix(suffix, 16).ok().filter(|version| *version >= 0).unwrap_or(0)
}

/// Takes the servers from the dynamic file; then none may be in `zoo.cfg`.
fn replace_by_dynamic(path: &Path, read_file: ReadFile<'_>, settings: &mut Settings) {
    for family in FAMILIES {
        for (_, setting) in settings.family(family) {
            let file = path.display();
            let reason = format!("must be in the dynamic configuration file, {file}, not here");
            settings.problems.push(setting.refuse_key(reason));
        }
    }
    let Some(text) = read_text(path, read_file, settings) else { return };
    for setting in file_settings(path, &text, settings) {
        let reason = if setting.key() == "version" {
            "must not be in this file: the version stands at the end of the file's name"
        } else if !FAMILIES.iter().any(|family| setting.key().starts_with(family)) {
            "must not be in this file, which has only server.N, group.N and weight.N"
        } else {
            settings.put(setting);
            continue;
        };
        settings.problems.push(setting.refuse_key(reason));
    }
}

fn is_distributed(lines: &MemberLines, own: &Own<'_>, settings: &mut Settings) -> bool {
    let standalone_enabled = own.quorum.standalone_enabled;
    if !lines.has_servers() && !standalone_enabled {
        let setting = settings.get("standaloneEnabled");
        let reason = "needs at least one server.N";
        settings.problems.extend(setting.map(|setting| setting.refuse(reason)));
    }
    lines.is_distributed(standalone_enabled, settings)
}

/// A server that runs alone is the one that is listed, whatever its `myid` says.
fn only_member(lines: &MemberLines, distributed: bool) -> Option<i64> {
    let members = &lines.membership.members;
    let only = !distributed && members.len() == 1;
    members.keys().next().copied().filter(|_| only)
}

/// The own entry's ports count; what `zoo.cfg` says besides must not contradict them. A server
/// without any port would serve nobody, so it gets the usual one.
fn settle_ports(
    lines: &MemberLines,
    id: Option<i64>,
    settings: &mut Settings,
    client: &mut ClientPorts,
    config_file: Option<&Path>,
) {
    let member = id.and_then(|id| lines.membership.members.get(&id));
    let listed = |port: fn(&Member) -> &Option<Endpoint>| member.and_then(|own| port(own).clone());
    let mut settle = |key: &str, stated: Option<Endpoint>, listed: Option<Endpoint>| {
        if let (Some(stated), Some(listed), Some(id)) = (&stated, &listed, id)
            && contradict(stated, listed)
            && let Some(setting) = settings.get(key)
        {
            let reason = format!("contradicts server.{id}, which says {listed}");
            let place = lines.server(id).map(|line| format!(" ({})", line.origin));
            let reason = reason + &place.unwrap_or_default();
            settings
                .problems
                .push(Problem { value: Some(stated.to_string()), ..setting.refuse(reason) });
        }
        listed.or(stated)
    };
    client.plain = settle("clientPort", client.plain.take(), listed(|own| &own.client));
    let secure = listed(|own| &own.secure_client);
    client.secure = settle("secureClientPort", client.secure.take(), secure);
    if client.plain.is_none() && client.secure.is_none() {
        client.plain = Some(Endpoint::any(2181));
        let origin = config_file.map_or(Origin::CommandLine, Origin::file);
        settings.note_at(origin, "no client port is set, so clients connect to 2181");
    }
}

/// Whether an address in `zoo.cfg` cannot be the one in the list. Names are not resolved, so two
/// hosts of which one is a name may be the same.
fn contradict(stated: &Endpoint, listed: &Endpoint) -> bool {
    let number = |endpoint: &Endpoint| endpoint.host.parse::<IpAddr>().ok();
    let hosts_differ = match (number(stated), number(listed)) {
        _ if stated.is_any() => false,
        _ if listed.is_any() => true,
        (Some(stated), Some(listed)) => stated != listed,
        _ => false,
    };
    hosts_differ || stated.port != listed.port
}

/// `peerType` says what the list says already; if it does not, the list counts.
fn check_peer_type(lines: &MemberLines, id: Option<i64>, settings: &mut Settings) {
    let Some(setting) = settings.get("peerType") else { return };
    let Some(role) = Role::parse(&setting.value) else {
        settings.problems.push(setting.refuse("must be participant or observer"));
        return;
    };
    let member = id.and_then(|id| lines.membership.members.get(&id));
    let listed = member.map_or(Role::Participant, |member| member.role);
    if listed != role {
        settings.note(&setting, &format!("has no meaning: the list of servers says {listed}"));
    }
}

/// What an ensemble needs besides its list.
fn check_distributed(
    lines: &MemberLines,
    config_file: Option<&Path>,
    own: &Own<'_>,
    settings: &mut Settings,
) {
    let limits = [("initLimit", own.quorum.init_limit), ("syncLimit", own.quorum.sync_limit)];
    for (key, _) in limits.into_iter().filter(|(_, ticks)| *ticks == 0) {
        let reason = "must be set in an ensemble: a whole number of ticks, at least 1";
        let problem = match settings.get(key) {
            Some(setting) => setting.refuse(reason),
            None => Problem {
                origin: config_file.map_or(Origin::CommandLine, Origin::file),
                key: Some(key.to_owned()),
                value: None,
                reason: reason.to_owned(),
            },
        };
        settings.problems.push(problem);
    }
    let my_id_file = own.data_dir.join("myid");
    let mut complain = |reason: String| {
        let origin = Origin::file(&my_id_file);
        settings.problems.push(Problem { origin, key: None, value: None, reason });
    };
    match own.my_id {
        None if is_missing(own.data_dir) => {}
        None => complain("must hold the id of this server, the N of its server.N".to_owned()),
        Some(id) if lines.server(id).is_none() => {
            complain(format!("says that this is server {id}, but there is no server.{id}"));
        }
        Some(id) if id > MAX_ID_WITH_TTL && own.tree.extended_types => complain(format!(
            "says that this is server {id}; with extendedTypesEnabled the id must be at most \
             {MAX_ID_WITH_TTL}"
        )),
        Some(_) => {}
    }
}

/// Without a data directory there is no `myid`, and the missing directory is the problem.
fn is_missing(data_dir: &Path) -> bool {
    data_dir.as_os_str().is_empty()
}

/// The membership in `<zoo.cfg>.dynamic.next`. The server can do without, so what is wrong with
/// it is only a remark.
fn last_seen(
    config_file: &Path,
    read_file: ReadFile<'_>,
    multi_address: bool,
    settings: &mut Settings,
) -> Option<Membership> {
    let mut name = config_file.as_os_str().to_owned();
    name.push(".dynamic.next");
    let path = PathBuf::from(name);
    let bytes = match read_file(&path) {
        Ok(bytes) => bytes,
        Err(error) if is_absent(&error) => return None,
        Err(error) => {
            settings.note_at(Origin::file(&path), format!("is not used: {error}"));
            return None;
        }
    };
    let mut next = Settings::default();
    let found: Vec<Setting> = file_settings(&path, &properties::decode(&bytes), &mut next);
    for setting in found {
        next.put(setting);
    }
    let version = version(&mut next);
    let mut lines = MemberLines::read(&mut next, version, multi_address);
    lines.check_groups(&mut next.problems);
    for problem in &next.problems {
        let origin = problem.origin.clone();
        settings.note_at(origin, format!("the file is not used: {}", problem.reason));
    }
    (next.problems.is_empty() && lines.has_servers()).then_some(lines.membership)
}
