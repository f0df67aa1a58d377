//! From the configuration to what each part of the server needs.

use crate::auth::AuthOptions;
use crate::config::{Config, Containers, Ensemble, Limits, TreeSettings};
use crate::prep::PrepOptions;
use crate::replica::{LocalSessions, ReaperOptions, ReplicaOptions, Undecided};
use crate::store::Durability;
use crate::tree::{CONFIG_PATH, NodeRef, Tree, TreeOptions, Txn};
use crate::types::{ExtendedTypes, ServerId, Zxid};
use crate::zab::{self, PeerOptions};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The server id in the session ids of a server alone (ZK: `createSessionTrackerServerId`).
const STANDALONE_ID: ServerId = ServerId(1);
/// How many watches one connection may have; ZooKeeper knows no bound, and a client needs one.
const MAX_WATCHES: usize = 1_000_000;
/// Bytes that a packet may have beyond `jute.maxbuffer` in any of its parts, at least (ZK:
/// `BinaryInputArchive.extraMaxBuffer`, which is as much as `jute.maxbuffer` unless set).
const MIN_EXTRA: u32 = 1024;

/// What connections and threads look up.
#[derive(Debug)]
pub(crate) struct Options {
    /// Bytes in a frame from a client.
    pub(crate) frame_limit: u32,
    /// Bytes in each part of a packet from another server.
    pub(crate) packet_limit: usize,
    /// How long nothing may come of an image of the tree that a leader sends.
    pub(crate) snapshot_patience: Duration,
    /// Requests in work at which busy connections are no longer read; 0 is no limit.
    pub(crate) outstanding_limit: usize,
    /// Least and largest session timeout in milliseconds.
    pub(crate) session_timeouts: (i32, i32),
    /// How long a connection may take to open a session.
    pub(crate) sessionless_timeout: Duration,
    /// Watches of one connection.
    pub(crate) max_watches: usize,
    /// A slower sync is worth a warning.
    pub(crate) sync_warning_ms: u64,
    /// A request that takes this many milliseconds is worth a line; 0 is none.
    pub(crate) slow_request_ms: u64,
    /// Whether appends are synced.
    pub(crate) durability: Durability,
    /// Who may do what.
    pub(crate) auth: AuthOptions,
}

impl Options {
    /// What a configuration says.
    ///
    /// # Errors
    /// What it says of authentication makes no sense.
    pub(crate) fn new(config: &Config) -> Result<Self, String> {
        let limits = &config.limits;
        let force_sync = config.storage.force_sync;
        Ok(Self {
            frame_limit: limits.frame_bytes,
            packet_limit: longest(limits),
            snapshot_patience: Duration::from_millis(
                u64::from(config.tick_time_ms) * u64::from(config.quorum.init_limit.max(1)),
            ),
            outstanding_limit: limits.outstanding_requests as usize,
            session_timeouts: (config.sessions.min_timeout_ms, config.sessions.max_timeout_ms),
            sessionless_timeout: Duration::from_millis(limits.sessionless_timeout_ms.into()),
            max_watches: MAX_WATCHES,
            sync_warning_ms: config.storage.sync_warning_ms,
            slow_request_ms: limits.slow_request_ms,
            durability: if force_sync { Durability::Synced } else { Durability::Unsynced },
            auth: auth(config)?,
        })
    }
}

/// Bytes of a string, of data or of a transaction that another server wrote (ZK:
/// `BinaryInputArchive`).
pub(crate) fn longest(limits: &Limits) -> usize {
    limits.frame_bytes as usize + limits.frame_bytes.max(MIN_EXTRA) as usize
}

/// How the tree keeps its znodes.
pub(crate) fn tree(settings: &TreeSettings) -> TreeOptions {
    TreeOptions { extended_types: extended_types(settings), digest: settings.digest }
}

/// How the brain works.
pub(crate) fn replica(config: &Config, auth: AuthOptions) -> ReplicaOptions {
    let Containers { check_interval_ms, max_per_minute, max_never_used_ms } =
        config.tree.containers;
    ReplicaOptions {
        server_id: config.ensemble.as_ref().map_or(STANDALONE_ID, |it| ServerId(it.my_id)),
        tick_ms: config.tick_time_ms.max(1).into(),
        prep: PrepOptions {
            extended_types: extended_types(&config.tree),
            enforce_quota: config.tree.enforce_quota,
            digest: config.tree.digest,
            reconfig_enabled: config.quorum.reconfig_enabled,
            standalone: config.ensemble.is_none(),
            auth,
        },
        local_sessions: local_sessions(config),
        read_only_mode: config.read_only_mode,
        max_watches: MAX_WATCHES,
        reaper: ReaperOptions {
            check_interval_ms: check_interval_ms.into(),
            max_per_minute: max_per_minute as usize,
            max_never_used_ms,
        },
    }
}

/// The part of a member in the broadcast.
pub(crate) fn peer(config: &Config, ensemble: &Ensemble) -> PeerOptions {
    let quorum = &config.quorum;
    let timing = &quorum.timing;
    PeerOptions {
        me: ServerId(ensemble.my_id),
        ensemble: members(ensemble, quorum.oracle_path.is_some()),
        config: ensemble.membership.to_string().into(),
        tick_ms: config.tick_time_ms.max(1).into(),
        init_limit: quorum.init_limit.into(),
        sync_limit: quorum.sync_limit.into(),
        connect_limit: quorum.connect_limit.into(),
        commit_log_count: quorum.commit_log_count as usize,
        max_snapshot_syncs: quorum.max_snapshot_syncs as usize,
        max_diff_syncs: quorum.max_diff_syncs as usize,
        epoch_wait_ms: timing.epoch_wait_ms.map(u64::from),
        force_snapshot: quorum.force_snapshot_sync,
        observer_masters: quorum.observer_master_port.is_some(),
        notification_ms: (timing.min_notification_ms.into(), timing.max_notification_ms.into()),
    }
}

/// Who votes, and how votes are counted.
fn members(ensemble: &Ensemble, has_oracle: bool) -> zab::Ensemble {
    let membership = &ensemble.membership;
    let ids = |voters: bool| -> BTreeSet<ServerId> {
        let of_kind = membership.members.iter().filter(|(_, it)| it.is_voter() == voters);
        of_kind.map(|(id, _)| ServerId(*id)).collect()
    };
    if membership.groups.is_empty() {
        let members = zab::Ensemble::majority(ids(true), ids(false));
        return if has_oracle { members.with_oracle() } else { members };
    }
    let groups = membership.groups.values();
    let groups = groups.map(|group| group.iter().copied().map(ServerId).collect()).collect();
    let weights: BTreeMap<ServerId, u64> = membership
        .weights
        .iter()
        .map(|(id, weight)| (ServerId(*id), u64::try_from(*weight).unwrap_or(0)))
        .collect();
    zab::Ensemble::hierarchical(groups, weights, ids(false))
}

/// Shows the ensemble in a tree as this server knows it, unless a reconfig has changed it since.
pub(crate) fn set_config(tree: &mut Tree, ensemble: &Ensemble, wall: i64) {
    if was_reconfigured(tree, &[], ensemble) {
        return;
    }
    let membership = &ensemble.membership;
    tree.set_config(membership.to_string().as_bytes(), Zxid(membership.version), wall);
}

/// Whether a tree or the log behind it shows that a reconfig has given the ensemble other members
/// than this server knows.
pub(crate) fn was_reconfigured(tree: &Tree, tail: &[Undecided], ensemble: &Ensemble) -> bool {
    let members = members(ensemble, false);
    let shown = tree.node(CONFIG_PATH).and_then(NodeRef::data);
    shown.is_some_and(|shown| members.was_changed_in(shown))
        || tail.iter().any(|entry| match &entry.txn.body {
            Txn::Reconfig(body) => {
                body.data.as_deref().is_some_and(|text| members.was_changed_in(text))
            }
            _ => false,
        })
}

fn local_sessions(config: &Config) -> LocalSessions {
    match (config.quorum.local_sessions, config.quorum.local_session_upgrades) {
        (false, _) => LocalSessions::Off,
        (true, false) => LocalSessions::Fixed,
        (true, true) => LocalSessions::Upgradable,
    }
}

fn extended_types(settings: &TreeSettings) -> ExtendedTypes {
    match (settings.extended_types, settings.emulate_353_ttl) {
        (false, _) => ExtendedTypes::Off,
        (true, false) => ExtendedTypes::On,
        (true, true) => ExtendedTypes::Emulate353,
    }
}

fn auth(config: &Config) -> Result<AuthOptions, String> {
    let settings = &config.auth;
    let schemes = &settings.enforced_schemes;
    let options = AuthOptions {
        digest_enabled: settings.digest_enabled,
        digest_algorithm: settings.digest_algorithm.parse().map_err(|error| format!("{error}"))?,
        super_digest: settings.super_digest.as_ref().map(|secret| secret.expose().to_owned()),
        skip_acl: settings.skip_acl,
        enforced_schemes: (!schemes.is_empty()).then(|| schemes.clone()),
    };
    options.validate().map_err(|error| error.to_string())?;
    Ok(options)
}
