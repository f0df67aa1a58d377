//! The server as the commands show it: fields under ZooKeeper's names.

use super::super::clients::{Client, ClientSession};
use super::super::json::Json;
use super::super::text::{Mean, Remote};
use super::super::{settings, version};
use crate::config::{Endpoint, Ensemble, Member, MemberAddress};
use crate::server::{Observer, Shared, Standing};
use crate::session::Sessions;
use crate::types::{ConnId, SessionId};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;

/// Names and values in their order.
type Fields = Vec<(String, Json)>;

/// The version of the digests in the tree (ZK: `DigestCalculator.DIGEST_VERSION`).
const DIGEST_VERSION: i64 = 2;

fn fields<const N: usize>(fields: [(&str, Json); N]) -> Fields {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

impl Shared {
    /// The configuration as it has taken effect (ZK: `ZooKeeperServerConf.toMap`).
    pub(super) fn configuration_view(&self) -> Fields {
        let (config, dirs) = (&self.config, self.directories());
        fields([
            ("client_port", i64::from(self.address.port()).into()),
            ("data_dir", dirs.tree.path.display().to_string().into()),
            ("data_log_dir", dirs.log.path.display().to_string().into()),
            ("tick_time", config.tick_time_ms.into()),
            ("max_client_cnxns", config.limits.connections_per_ip.into()),
            ("min_session_timeout", config.sessions.min_timeout_ms.into()),
            ("max_session_timeout", config.sessions.max_timeout_ms.into()),
            ("server_id", settings::server_id(config).into()),
            ("client_port_listen_backlog", config.client.backlog.map_or((-1).into(), Json::from)),
        ])
    }

    /// Connections of clients.
    pub(super) fn connections_view(&self, brief: bool) -> Fields {
        let shown = self.clients(ConnId(0)).into_iter().map(|client| connection(&client, brief));
        fields([
            ("connections", Json::List(shown.collect())),
            ("secure_connections", Json::List(Vec::new())),
        ])
    }

    pub(super) fn directories_view(&self) -> Fields {
        let dirs = self.directories();
        fields([("datadir_size", dirs.tree.bytes.into()), ("logdir_size", dirs.log.bytes.into())])
    }

    /// Sessions by the time at which they end, which is one of the server's own clock, and their
    /// ephemeral nodes. Whoever learns from a leader does not know when sessions end.
    pub(super) fn dump_view(&self) -> Fields {
        let learns = self.standing().learns();
        let buckets = self.with_sessions(Sessions::buckets);
        let buckets = if learns { Vec::new() } else { buckets };
        let sessions = buckets.into_iter().map(|(due, ids)| {
            (due.0.to_string(), ids.into_iter().map(|SessionId(id)| id).collect())
        });
        let tree = self.tree.read();
        let ephemerals = tree
            .ephemeral_owners()
            .into_iter()
            .map(|owner| (owner.0.to_string(), tree.ephemerals(owner).into_iter().collect()));
        fields([
            ("expiry_time_to_session_ids", Json::object(sessions)),
            ("session_id_to_ephemeral_paths", Json::object(ephemerals)),
        ])
    }

    /// The digests of the tree after earlier transactions.
    pub(super) fn digests_view(&self) -> Fields {
        let log: Vec<_> = self.tree.read().digest_log().collect();
        let digests = log.into_iter().map(|(zxid, digest)| {
            Json::object([
                ("zxid", zxid.0.into()),
                ("digest_version", DIGEST_VERSION.into()),
                ("digest", digest.into()),
            ])
        });
        fields([("digests", Json::List(digests.collect()))])
    }

    /// The tree as it is on the disk. It is brought up to date all the time, so its age in seconds
    /// says little here.
    pub(super) fn last_snapshot_view(&self) -> Fields {
        let zxid = self.tree.read().applied_zxid();
        let seconds = self.clock.now().wall / 1000;
        fields([("zxid", format!("{:x}", zxid.0).into()), ("timestamp", seconds.into())])
    }

    /// Who leads; none of a server alone.
    pub(super) fn leader_view(&self) -> Option<Fields> {
        let ensemble = self.config.ensemble.as_ref()?;
        let Standing { learners, leader, .. } = self.standing();
        let leads = learners.is_some();
        let leader = if leads { Some(ensemble.my_id) } else { leader };
        let member = leader.and_then(|id| ensemble.membership.members.get(&id));
        let host = member.and_then(|member| member.addresses.first());
        Some(fields([
            ("is_leader", leads.into()),
            ("leader_id", leader.unwrap_or(-1).into()),
            ("leader_ip", host.map_or("", |address| address.host.as_str()).into()),
        ]))
    }

    /// Who observes this server.
    pub(super) fn observers_view(&self) -> Fields {
        let observers = self.observers();
        let last = self.tree.read().applied_zxid();
        let shown = observers.iter().map(|Observer { server, link }| {
            Json::object([
                ("remote_socket_address", format!("/{}", link.address).into()),
                ("sid", (*server).into()),
                ("established", link.since_wall.into()),
                ("queued_packets", i64::from(link.waiting_bytes > 0).into()),
                ("queued_packets_size", link.waiting_bytes.into()),
                ("packets_received", link.received.into()),
                ("packets_sent", link.sent.into()),
                ("requests", 0.into()),
                ("last_zxid", last.0.into()),
            ])
        });
        fields([
            ("synced_observers", observers.len().into()),
            ("observers", Json::List(shown.collect())),
        ])
    }

    /// How the server is (ZK: `SrvrCommand`, `ServerStats`).
    pub(super) fn stats_view(&self) -> Fields {
        let standing = self.standing();
        let status = self.status(&standing);
        let sizes = sizes(&self.reply_sizes());
        let mut fields = fields([
            ("version", version::FULL.into()),
            ("read_only", standing.read_only.into()),
            ("server_stats", self.server_stats_view(&standing, &sizes)),
            ("client_response", sizes),
        ]);
        if let Some(proposals) = status.proposals {
            fields.push(("proposal_stats".to_owned(), self::sizes(&proposals)));
        }
        fields.push(("node_count".to_owned(), status.nodes.into()));
        fields
    }

    fn server_stats_view(&self, standing: &Standing, sizes: &Json) -> Json {
        let (status, dirs) = (self.status(standing), self.directories());
        let counters = &self.stats;
        Json::object([
            ("packets_sent", status.sent.into()),
            ("packets_received", status.received.into()),
            ("fsync_threshold_exceed_count", counters.slow_syncs.load(Relaxed).into()),
            ("client_response_stats", sizes.clone()),
            ("uptime", self.clock.moment().0.into()),
            ("provider_null", false.into()),
            ("data_dir_size", dirs.tree.bytes.into()),
            ("log_dir_size", dirs.log.bytes.into()),
            ("last_processed_zxid", status.zxid.0.into()),
            ("outstanding_requests", status.outstanding.into()),
            ("server_state", standing.mode.into()),
            ("avg_latency", Mean::of(&status.latency).into()),
            ("max_latency", status.latency.most.into()),
            ("min_latency", status.latency.least.into()),
            ("num_alive_client_connections", status.connections.into()),
            ("auth_failed_count", counters.auth_failed.load(Relaxed).into()),
            // As Jackson takes ZooKeeper's names apart.
            ("non_mtlsremote_conn_count", 0.into()),
            ("non_mtlslocal_conn_count", 0.into()),
        ])
    }

    /// Who votes.
    pub(super) fn voting_view(&self) -> Fields {
        let view = |ensemble: &Ensemble| {
            let members = ensemble.membership.members.iter();
            let voters = members.filter(|(_, member)| member.is_voter());
            Json::object(voters.map(|(id, member)| {
                let own = (*id == ensemble.my_id).then(|| self.client_address());
                (id.to_string(), voter(member, own))
            }))
        };
        let view = self.config.ensemble.as_ref().map_or_else(|| Json::object::<&str>([]), view);
        fields([("current_config", view)])
    }

    /// Where clients connect.
    fn client_address(&self) -> String {
        let host = self.config.client.plain.as_ref().map(|endpoint| endpoint.host.clone());
        let host = host.unwrap_or_else(|| Endpoint::ANY_HOST.to_owned());
        Endpoint::new(host, self.address.port()).to_string()
    }

    pub(super) fn watch_summary_view(&self) -> Fields {
        let summary = self.watches.lock().summary();
        fields([
            ("num_connections", summary.connections.into()),
            ("num_paths", summary.paths.into()),
            ("num_total_watches", summary.watches.into()),
        ])
    }

    pub(super) fn watches_view(&self) -> Fields {
        let sessions: BTreeMap<_, _> = self.watches_by_session().into_iter().collect();
        let shown =
            sessions.into_iter().map(|(id, paths)| (id.to_string(), paths.into_iter().collect()));
        fields([("session_id_to_watched_paths", Json::object(shown))])
    }

    pub(super) fn watches_by_path_view(&self) -> Fields {
        let paths = self.watches_by_path().into_iter();
        let shown = paths.map(|(path, sessions)| (path, sessions.into_iter().collect()));
        fields([("path_to_session_ids", Json::object(shown))])
    }

    /// This server's part in the broadcast.
    pub(super) fn zab_view(&self) -> Fields {
        let standing = self.standing();
        let ensemble = self.config.ensemble.as_ref();
        let member = ensemble.and_then(|it| Some((it, it.membership.members.get(&it.my_id)?)));
        let Some((ensemble, member)) = member else {
            return fields([("voting", false.into()), ("zabstate", "".into())]);
        };
        let zxid = self.tree.read().applied_zxid();
        fields([
            ("myid", ensemble.my_id.into()),
            ("is_leader", standing.learners.is_some().into()),
            ("quorum_address", addresses(member, |address| address.port)),
            ("election_address", addresses(member, |address| address.election_port)),
            ("client_address", self.client_address().into()),
            ("voting", member.is_voter().into()),
            ("last_zxid", format!("0x{:x}", zxid.0).into()),
            ("zab_epoch", zxid.epoch().0.into()),
            ("zab_counter", zxid.counter().into()),
            ("zabstate", standing.phase.into()),
        ])
    }

    pub(super) fn trace_mask(&self) -> i64 {
        self.trace_mask.load(Relaxed)
    }

    /// Takes a new trace mask; the error says what is wrong with it.
    pub(super) fn set_trace_mask(&self, mask: Option<&str>) -> Result<i64, String> {
        let wanted = "setTraceMask requires long traceMask argument";
        let mask = mask.ok_or_else(|| wanted.to_owned())?;
        let number: i64 = mask.parse().map_err(|_| format!("{wanted}, got {mask}"))?;
        self.trace_mask.store(number, Relaxed);
        Ok(number)
    }
}

/// One connection (ZK: `ServerCnxn.getConnectionInfo`).
fn connection(client: &Client, brief: bool) -> Json {
    let Client { remote, interest, queued, received, sent, since_wall, session } = client;
    let mut shown = fields([
        ("remote_socket_address", Remote(*remote).to_string().trim_start_matches('/').into()),
        ("interest_ops", i64::from(*interest).into()),
        ("outstanding_requests", (*queued).into()),
        ("packets_received", (*received).into()),
        ("packets_sent", (*sent).into()),
    ]);
    if !brief {
        let none = ClientSession::none(*since_wall);
        let session = session.as_ref().unwrap_or(&none);
        let latency = &session.latency;
        shown.extend(fields([
            ("session_id", session.id.into()),
            ("last_operation", session.last_op.into()),
            ("established", session.since_wall.into()),
            ("session_timeout", session.timeout_ms.into()),
            ("last_cxid", session.last_xid.into()),
            ("last_zxid", session.last_zxid.into()),
            ("last_response_time", session.last_response.into()),
            ("last_latency", session.last_latency.into()),
            ("min_latency", latency.least.into()),
            ("avg_latency", latency.sum.checked_div(latency.count).unwrap_or(0).into()),
            ("max_latency", latency.most.into()),
        ]));
    }
    Json::Object(shown)
}

/// Bytes of the last, the smallest and the largest of what is sent (ZK: `BufferStats`).
fn sizes([last, min, max]: &[i64; 3]) -> Json {
    Json::object([
        ("last_buffer_size", (*last).into()),
        ("min_buffer_size", (*min).into()),
        ("max_buffer_size", (*max).into()),
    ])
}

/// A voter; `client` is where its clients connect, if this server knows better than the list.
fn voter(member: &Member, client: Option<String>) -> Json {
    let list = |port: fn(&MemberAddress) -> u16| {
        member.addresses.iter().map(|at| endpoint(at, port).to_string()).collect()
    };
    let listed = member.client.as_ref().map(Endpoint::to_string);
    Json::object([
        ("server_addresses", list(|address| address.port)),
        ("election_addresses", list(|address| address.election_port)),
        ("client_address", client.or(listed).unwrap_or_default().into()),
        ("learner_type", member.role.to_string().into()),
    ])
}

fn endpoint(address: &MemberAddress, port: fn(&MemberAddress) -> u16) -> Endpoint {
    Endpoint::new(address.host.clone(), port(address))
}

/// Addresses of one kind, in all the ways in which ZooKeeper shows them (`MultipleAddresses`).
fn addresses(member: &Member, port: fn(&MemberAddress) -> u16) -> Json {
    let all: Vec<Endpoint> = member.addresses.iter().map(|at| endpoint(at, port)).collect();
    let texts = || all.iter().map(Endpoint::to_string).collect::<Json>();
    let ports = all.iter().map(|at| i64::from(at.port)).collect();
    let hosts = all.iter().map(|at| at.host.as_str()).collect();
    let wildcards = all.iter().map(|at| Endpoint::any(at.port).to_string()).collect();
    let first = || all.first().map_or(Json::Null, |at| at.to_string().into());
    Json::object([
        ("empty", all.is_empty().into()),
        ("all_addresses", texts()),
        ("wildcard_addresses", wildcards),
        ("all_ports", ports),
        ("all_host_strings", hosts),
        ("reachable_address", first()),
        ("all_reachable_addresses", texts()),
        ("all_reachable_addresses_or_all", texts()),
        ("reachable_or_one", first()),
        ("one", first()),
    ])
}
