//! What comes before a server can be put together: the configuration is refused or not, the store
//! opened and read.

use super::import::{self, DataDirs, ImportError, ImportOptions};
use super::recover::recover;
use super::restore::Restore;
use super::{ServerError, millis_since, options};
use crate::config::{AuthProvider, Config, Storage};
use crate::replica::{Recovered, Recovery};
use crate::store::{Durability, Loaded, Meta, RocksOptions, RocksStore, Store, StoreError};
use crate::types::{ServerId, Zxid};
use crate::zab::Epochs;
use std::time::Instant;

const TLS: &str = "TLS";
const SASL: &str = "SASL authentication";

/// A key, the feature it switches on, and whether it does.
type Switch = (&'static str, &'static str, fn(&Config) -> bool);

/// Keys that switch something on which this version does not have.
const SWITCHES: [Switch; 12] = [
    ("secureClientPort", TLS, |config| config.client.secure.is_some()),
    ("client.portUnification", TLS, |config| config.client.port_unification),
    ("client.certReload", TLS, |config| config.tls.reload_client_certificates),
    ("sslQuorum", TLS, |config| config.quorum.security.tls),
    ("portUnification", TLS, |config| config.quorum.security.port_unification),
    ("sslQuorumReloadCertFiles", TLS, |config| config.quorum.security.reload_certificates),
    ("admin.portUnification", TLS, |config| config.admin.port_unification),
    ("admin.forceHttps", TLS, |config| config.admin.force_https),
    ("admin.needClientAuth", TLS, |config| config.admin.need_client_auth),
    ("authProvider (X509AuthenticationProvider)", TLS, |config| {
        config.auth.providers.contains(&AuthProvider::X509) && config.client.secure.is_none()
    }),
    ("authProvider (SASLAuthenticationProvider)", SASL, |config| {
        config.auth.providers.contains(&AuthProvider::Sasl)
    }),
    ("quorum.auth.enableSasl", SASL, |config| config.quorum.security.sasl),
];

/// Keys, by their beginnings, that mean nothing without what this version does not have.
const PREFIXES: [(&str, &str); 4] = [
    ("ssl.", TLS),
    ("metricsProvider.ssl.", TLS),
    ("metricsProvider.httpsPort", TLS),
    ("java.security.auth.login.config", SASL),
];

/// Refuses what an operator must not believe to have, and names the rest that is not there yet.
pub(super) fn refuse_what_is_missing(config: &Config) -> Result<(), ServerError> {
    let switched = SWITCHES.iter().filter(|(.., is_on)| is_on(config));
    let switched = switched.map(|(key, feature, _)| match config.origin(key) {
        Some(origin) => format!("{origin}: {key} asks for {feature}"),
        None => format!("{key} asks for {feature}"),
    });
    let prefixed = config.origins().filter_map(|(key, origin)| {
        let (_, feature) = PREFIXES.iter().find(|(prefix, _)| key.starts_with(prefix))?;
        Some(format!("{origin}: {key} is for {feature}"))
    });
    let missing: Vec<String> = switched.chain(prefixed).collect();
    if !missing.is_empty() {
        return Err(ServerError::Config(format!(
            "{}. This version has neither TLS nor SASL: remove what asks for them to serve without",
            missing.join("; ")
        )));
    }
    let missing = [
        (!config.storage.create_database, "db.autocreate=false: the check for lost data"),
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
    change_over(config)?;
    let durability =
        if config.storage.force_sync { Durability::Synced } else { Durability::Unsynced };
    let options = RocksOptions { durability, ..RocksOptions::default() };
    let store = RocksStore::open_apart(dir, &config.storage.log_dir, &options)
        .map_err(|error| ServerError::Data(error.to_string()))?;
    take_over(config, &store)?;
    Ok(store)
}

/// Puts the tree of a restore into the place of the one that was served.
fn change_over(config: &Config) -> Result<(), ServerError> {
    let changed = Restore::of(&config.storage).change_over();
    let aside = changed.map_err(|error| ServerError::Data(format!("restore: {error}")))?;
    if let Some(aside) = aside {
        tracing::info!(
            "serving the tree that was restored; what was served before is in {}",
            aside.display()
        );
    }
    Ok(())
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
