//! The AdminServer's commands (ZK: `Commands`): their names, what each needs, and its answer.
//!
//! Unknown commands, and those that need a server that serves, are answered with 200 and an error
//! in words, as ZooKeeper does.

use super::super::json::Json;
use super::{Admin, Answer, blocking, json, restore, snapshot, text};
use crate::server::Denied;
use hyper::body::Incoming;
use hyper::header::AUTHORIZATION;
use hyper::{Method, StatusCode};
use std::net::SocketAddr;
use std::sync::Arc;

/// What most commands say while clients are not served.
const NOT_SERVING: &str = "This ZooKeeper instance is not currently serving requests";

/// A command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Configuration,
    ConnectionStatReset,
    Connections,
    Dirs,
    Dump,
    Environment,
    GetTraceMask,
    Hash,
    InitialConfiguration,
    IsReadOnly,
    LastSnapshot,
    Leader,
    Monitor,
    ObserverConnectionStatReset,
    Observers,
    Restore,
    Ruok,
    ServerStats,
    SetTraceMask,
    Snapshot,
    StatReset,
    Stats,
    SystemProperties,
    VotingView,
    WatchSummary,
    Watches,
    WatchesByPath,
    ZabState,
}

/// What there must be for a command to be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Needs {
    /// Nothing.
    Nothing,
    /// Clients are served.
    Server,
    /// The same, and whoever asks may do everything with the root.
    Permission,
}

/// Every command with its names, of which the first is the one in its answer, and what it needs.
const COMMANDS: [(Command, &[&str], Needs); 28] = [
    (Command::Configuration, &["configuration", "conf", "config"], Needs::Server),
    (Command::ConnectionStatReset, &["connection_stat_reset", "crst"], Needs::Server),
    (Command::Connections, &["connections", "cons"], Needs::Server),
    (Command::Dirs, &["dirs"], Needs::Server),
    (Command::Dump, &["dump"], Needs::Server),
    (Command::Environment, &["environment", "env", "envi"], Needs::Nothing),
    (Command::GetTraceMask, &["get_trace_mask", "gtmk"], Needs::Nothing),
    (Command::Hash, &["hash"], Needs::Server),
    (Command::InitialConfiguration, &["initial_configuration", "icfg"], Needs::Server),
    (Command::IsReadOnly, &["is_read_only", "isro"], Needs::Server),
    (Command::LastSnapshot, &["last_snapshot", "lsnp"], Needs::Server),
    (Command::Leader, &["leader", "lead"], Needs::Server),
    (Command::Monitor, &["monitor", "mntr"], Needs::Nothing),
    (
        Command::ObserverConnectionStatReset,
        &["observer_connection_stat_reset", "orst"],
        Needs::Server,
    ),
    (Command::Observers, &["observers", "obsr"], Needs::Server),
    (Command::Restore, &["restore", "rest"], Needs::Permission),
    (Command::Ruok, &["ruok"], Needs::Server),
    (Command::ServerStats, &["server_stats", "srvr"], Needs::Server),
    (Command::SetTraceMask, &["set_trace_mask", "stmk"], Needs::Nothing),
    (Command::Snapshot, &["snapshot", "snap"], Needs::Permission),
    (Command::StatReset, &["stat_reset", "srst"], Needs::Server),
    (Command::Stats, &["stats", "stat"], Needs::Server),
    (Command::SystemProperties, &["system_properties", "sysp"], Needs::Nothing),
    (Command::VotingView, &["voting_view"], Needs::Server),
    (Command::WatchSummary, &["watch_summary", "wchs"], Needs::Server),
    (Command::Watches, &["watches", "wchc"], Needs::Server),
    (Command::WatchesByPath, &["watches_by_path", "wchp"], Needs::Server),
    (Command::ZabState, &["zabstate"], Needs::Nothing),
];

/// A request for a command, or for the list of them if the name is empty.
pub(super) struct Request {
    name: String,
    method: Method,
    arguments: Vec<(String, String)>,
    authorization: Option<String>,
    body: Incoming,
    from: SocketAddr,
}

impl Request {
    pub(super) fn new(name: String, request: hyper::Request<Incoming>, from: SocketAddr) -> Self {
        let query = request.uri().query().unwrap_or_default().as_bytes();
        let arguments = form_urlencoded::parse(query).into_owned().collect();
        let authorization = request.headers().get(AUTHORIZATION);
        let authorization = authorization.and_then(|it| it.to_str().ok()).map(str::to_owned);
        let method = request.method().clone();
        Self { name, method, arguments, authorization, body: request.into_body(), from }
    }

    /// Whether whoever asks has every permission on the root; if not, status and reason.
    fn may_do_everything(&self, admin: &Admin) -> Result<(), (StatusCode, &'static str)> {
        let missing = (StatusCode::UNAUTHORIZED, "Auth info is missing for the command");
        let header = self.authorization.as_deref().ok_or(missing)?;
        admin.shared.authorize(header, self.from.ip()).map_err(|denied| match denied {
            Denied::NotAuthenticated => (StatusCode::UNAUTHORIZED, "Not authenticated"),
            Denied::NotAuthorized => (StatusCode::FORBIDDEN, "Not authorized"),
        })
    }

    /// The first value of an argument.
    fn argument(&self, name: &str) -> Option<&str> {
        let found = self.arguments.iter().find(|(argument, _)| argument == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// Runs a command.
pub(super) async fn run(admin: Arc<Admin>, request: Request) -> Answer {
    if request.name.is_empty() {
        return list(&admin.shared.config.admin.command_url);
    }
    let known = COMMANDS.iter().find(|(_, names, _)| names.contains(&request.name.as_str()));
    let Some((command, names, needs)) = known else {
        let error = format!("Unknown command: {}", request.name);
        return refusal(StatusCode::OK, &request.name, &error);
    };
    let (command, name) = (*command, names[0]);
    if *needs >= Needs::Server && !admin.shared.standing().serving {
        return refusal(StatusCode::OK, &request.name, NOT_SERVING);
    }
    if *needs == Needs::Permission
        && let Err((status, why)) = request.may_do_everything(&admin)
    {
        return refusal(status, &request.name, why);
    }
    let posted = request.method == Method::POST;
    if posted != (command == Command::Restore) {
        let method = if posted { "GET" } else { "POST" };
        let error = format!("{name} is asked for by {method}");
        return refusal(StatusCode::METHOD_NOT_ALLOWED, name, &error);
    }
    match command {
        Command::Snapshot => snapshot::snapshot(&admin, request.argument("streaming")).await,
        Command::Restore => restore::restore(&admin, request.body).await,
        command => {
            let mask = request.argument("traceMask").map(str::to_owned);
            blocking(move || answer(&admin, command, name, mask.as_deref())).await
        }
    }
}

/// The links to all commands.
fn list(url: &str) -> Answer {
    let names = COMMANDS.iter().map(|(_, names, _)| names[0]);
    let links = names.map(|name| format!("<a href=\"{url}/{name}\">{name}</a>\n<br/>\n"));
    text(StatusCode::OK, "text/html; charset=utf-8", links.collect::<String>())
}

fn refusal(status: StatusCode, name: &str, error: &str) -> Answer {
    json(status, &Json::object([("command", Json::from(name)), ("error", error.into())]))
}

/// The answer to a command that only looks, or that changes what was counted.
fn answer(admin: &Admin, command: Command, name: &str, mask: Option<&str>) -> Answer {
    let shared = &admin.shared;
    let mut fields = match command {
        Command::Configuration => shared.configuration_view(),
        Command::Connections => shared.connections_view(false),
        Command::Dirs => shared.directories_view(),
        Command::Dump => shared.dump_view(),
        Command::Environment => super::properties::environment(),
        Command::Hash => shared.digests_view(),
        Command::InitialConfiguration => super::properties::initial(&shared.config),
        Command::IsReadOnly => {
            vec![("read_only".to_owned(), shared.standing().read_only.into())]
        }
        Command::LastSnapshot => shared.last_snapshot_view(),
        Command::Leader => shared
            .leader_view()
            .unwrap_or_else(|| vec![("error".to_owned(), "server is not initialized".into())]),
        Command::Monitor => shared.figures(&shared.standing()).monitor(),
        Command::Observers => shared.observers_view(),
        Command::ServerStats => shared.stats_view(),
        Command::Stats => {
            let mut fields = shared.stats_view();
            fields.extend(shared.connections_view(true));
            fields
        }
        Command::SystemProperties => super::properties::system(&shared.config),
        Command::VotingView => shared.voting_view(),
        Command::WatchSummary => shared.watch_summary_view(),
        Command::Watches => shared.watches_view(),
        Command::WatchesByPath => shared.watches_by_path_view(),
        Command::ZabState => shared.zab_view(),
        Command::GetTraceMask => vec![("tracemask".to_owned(), shared.trace_mask().into())],
        Command::SetTraceMask => match shared.set_trace_mask(mask) {
            Ok(mask) => vec![("tracemask".to_owned(), mask.into())],
            Err(why) => vec![("error".to_owned(), why.into())],
        },
        Command::ConnectionStatReset => {
            shared.reset_connections();
            Vec::new()
        }
        Command::StatReset => {
            shared.reset_stats();
            Vec::new()
        }
        Command::Ruok
        | Command::ObserverConnectionStatReset
        | Command::Snapshot
        | Command::Restore => Vec::new(),
    };
    let failed = fields.iter().any(|(field, _)| field == "error");
    fields.push(("command".to_owned(), name.into()));
    if !failed {
        fields.push(("error".to_owned(), Json::Null));
    }
    json(StatusCode::OK, &Json::Object(fields))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_means_one_command() {
        let mut names: Vec<&str> =
            COMMANDS.iter().flat_map(|(_, names, _)| *names).copied().collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn the_list_is_sorted_as_that_of_zookeeper() {
        assert!(COMMANDS.is_sorted_by_key(|(_, names, _)| names[0]));
    }
}
