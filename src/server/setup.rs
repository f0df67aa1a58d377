//! What comes before a server can be put together: the configuration is refused or not, the store
//! opened and read.

use super::import::{self, DataDirs, ImportError, ImportOptions};
use super::recover::recover;
use super::{ServerError, millis_since, options};
use crate::config::{Config, MetricsProvider, Storage};
use crate::replica::{Recovered, Recovery};
use crate::store::{Durability, Loaded, Meta, RocksOptions, RocksStore, Store, StoreError};
use crate::types::{ServerId, Zxid};
use crate::zab::Epochs;
use std::time::Instant;

/// Refuses what an operator must not believe to have, and names the rest that is not there yet.
pub(super) fn refuse_what_is_missing(config: &Config) -> Result<(), ServerError> {
    if config.client.secure.is_some() {
        return Err(ServerError::Config(
            "secureClientPort is set; this version has no TLS. Remove the key to serve without"
                .to_owned(),
        ));
    }
    let security = &config.quorum.security;
    let unprotected = [
        (security.tls, "sslQuorum is true; this version has no TLS between servers"),
        (security.sasl, "quorum.auth.enableSasl is true; this version has no SASL"),
    ];
    for (asked_for, what) in unprotected {
        if asked_for && config.ensemble.is_some() {
            return Err(ServerError::Config(format!("{what}. Remove the key to do without")));
        }
    }
    let missing = [
        (config.origin("admin.serverPort").is_some(), "admin.serverPort: the HTTP server"),
        (config.metrics.provider == MetricsProvider::Prometheus, "Prometheus: the endpoint"),
        (config.audit, "audit.enable: the audit log"),
        (!config.storage.create_database, "db.autocreate=false: the check for lost data"),
        (config.quorum.observer_master_port.is_some(), "observerMasterPort: observing a follower"),
        (config.quorum.oracle_path.is_some(), "oraclePath: the oracle of two servers"),
        (config.quorum.reconfig_enabled, "reconfigEnabled: the operation reconfig"),
    ];
    for (asked_for, what) in missing {
        if asked_for {
            tracing::warn!("{what} is not available in this version; the setting has no effect");
        }
    }
    Ok(())
}

pub(super) fn open_store(config: &Config) -> Result<RocksStore, ServerError> {
    let dir = &config.storage.data_dir;
    if !config.storage.create_dirs && !dir.is_dir() {
        let dir = dir.display();
        return Err(ServerError::Data(format!(
            "the data directory {dir} does not exist and zookeeper.datadir.autocreate is false"
        )));
    }
    let durability =
        if config.storage.force_sync { Durability::Synced } else { Durability::Unsynced };
    let options = RocksOptions { durability, ..RocksOptions::default() };
    let store = RocksStore::open_apart(dir, &config.storage.log_dir, &options)
        .map_err(|error| ServerError::Data(error.to_string()))?;
    take_over(config, &store)?;
    Ok(store)
}

/// Goes on with what an Apache ZooKeeper server left in the data directories.
fn take_over(config: &Config, store: &RocksStore) -> Result<(), ServerError> {
    let Storage { data_dir, log_dir, .. } = &config.storage;
    let dirs = DataDirs { data: data_dir, log: log_dir };
    let refuse = |error: ImportError| {
        let (dir, remedy) = (data_dir.display(), error.remedy(dirs, dirs));
        ServerError::Data(format!("{dir}: {error}. {remedy}"))
    };
    import::take_over(dirs, store, &ImportOptions::new(config)).map_err(refuse).map(drop)
}

/// Reads the store.
pub(super) fn load(config: &Config, store: &dyn Store) -> Result<(Recovered, Loaded), ServerError> {
    let refuse = |error: StoreError| ServerError::Data(error.to_string());
    let tree = options::tree(&config.tree);
    let recovery = match &config.ensemble {
        None => Recovery::new(tree),
        Some(_) => Recovery::member(tree, Zxid::ZERO),
    };
    let started = Instant::now();
    let (recovered, loaded) = recover(store, recovery).map_err(refuse)?;
    tracing::info!(
        "{} znodes, {} sessions, last zxid {}, {} transactions replayed from the log, \
         {} undecided there, in {} ms",
        recovered.tree.node_count(),
        recovered.sessions.len(),
        recovered.tree.last_zxid(),
        recovered.replayed,
        recovered.tail.len(),
        millis_since(started)
    );
    if let Some(ensemble) = &config.ensemble {
        let me = ServerId(ensemble.my_id);
        match loaded.meta.server {
            Some(other) if other != me => {
                return Err(ServerError::Data(format!(
                    "{} holds the data of server {other}, and this is server {me}: correct the \
                     file myid in it, or choose another directory",
                    config.storage.data_dir.display()
                )));
            }
            Some(_) => {}
            None => store.set_meta(&Meta { server: Some(me), ..loaded.meta }).map_err(refuse)?,
        }
    }
    Ok((recovered, loaded))
}

/// The epochs to start with. A server that was alone so far has stored none, and what it logged
/// counts as those of its last transaction.
pub(super) fn epochs(loaded: &Loaded) -> Epochs {
    let current = loaded.meta.current_epoch.max(loaded.last.epoch());
    Epochs { accepted: loaded.meta.accepted_epoch.max(current), current }
}
