//! From the configuration to what each part of the server needs.

use crate::auth::AuthOptions;
use crate::config::{Config, Containers, TreeSettings};
use crate::prep::PrepOptions;
use crate::replica::{ReaperOptions, ReplicaOptions};
use crate::store::Durability;
use crate::tree::TreeOptions;
use crate::types::{ExtendedTypes, ServerId};
use std::time::Duration;

/// The server id in the session ids of a server alone (ZK: `createSessionTrackerServerId`).
const STANDALONE_ID: ServerId = ServerId(1);
/// How many watches one connection may have; ZooKeeper knows no bound, and a client needs one.
const MAX_WATCHES: usize = 1_000_000;

/// What connections and threads look up.
#[derive(Debug)]
pub(crate) struct Options {
    /// Bytes in a frame from a client.
    pub(crate) frame_limit: u32,
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
            outstanding_limit: limits.outstanding_requests as usize,
            session_timeouts: (config.sessions.min_timeout_ms, config.sessions.max_timeout_ms),
            sessionless_timeout: Duration::from_millis(limits.sessionless_timeout_ms.into()),
            max_watches: MAX_WATCHES,
            sync_warning_ms: config.storage.sync_warning_ms,
            durability: if force_sync { Durability::Synced } else { Durability::Unsynced },
            auth: auth(config)?,
        })
    }
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
        server_id: STANDALONE_ID,
        tick_ms: config.tick_time_ms.max(1).into(),
        prep: PrepOptions {
            extended_types: extended_types(&config.tree),
            enforce_quota: config.tree.enforce_quota,
            digest: config.tree.digest,
            reconfig_enabled: config.quorum.reconfig_enabled,
            standalone: true,
            auth,
        },
        max_watches: MAX_WATCHES,
        reaper: ReaperOptions {
            check_interval_ms: check_interval_ms.into(),
            max_per_minute: max_per_minute as usize,
            max_never_used_ms,
        },
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
