//! `zoo.cfg` and everything around it, made into one validated [`Config`] of plain data.
//!
//! - Sources, in order of precedence: [`Sources`].
//! - Which keys there are, and what becomes of each: `keys`.
//! - Their meaning and defaults (ZooKeeper 3.9's): `read`, and beside each field of `options`.
//! - What the variables of a container's environment mean: [`container`].
//! - `server.N`, `group.N`, `weight.N` and the dynamic file: `member`, `ensemble`.
//!
//! A configuration is either valid as a whole, or an error that lists everything there is to
//! mend. What is accepted but changes nothing, or changes something in a way that can surprise, is
//! said in [`Config::notes`], a line each; an unknown key is one of [`Config::warnings`], and never
//! fatal.
//!
//! Knows nothing of the modules that obey it, resolves no names and opens no socket. The only
//! files it reads are the ones a configuration consists of.

pub mod container;
mod dynamic;
mod ensemble;
mod error;
mod jvm_flags;
mod keys;
mod member;
mod options;
mod properties;
mod read;
mod secret;
mod settings;
mod sources;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use ensemble::{Ensemble, Membership};
pub use error::{ConfigError, Origin, Problem};
pub use member::{Member, MemberAddress, Role};
pub use options::{
    Admin, Audit, AuthProvider, AuthSettings, ClientPorts, Containers, DIGEST_ALGORITHMS, Endpoint,
    FourLetterWords, Limits, Metrics, MetricsProvider, MultiAddress, Quorum, QuorumSecurity,
    QuorumTiming, SessionLimits, Storage, Tls, TlsProperties, TreeSettings,
};
pub use secret::Secret;
pub use sources::{JVM_VARIABLES, ReadFile, Sources};

use settings::Settings;

/// What a server is told to do. Plain data; `Debug` shows no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The file it was read from.
    pub file: Option<PathBuf>,
    /// The text of that file, as the admin command `initial_configuration` shows it.
    pub initial: Option<Secret>,
    /// `tickTime`, 3000 if a file does not say: milliseconds in a tick, at least 1.
    pub tick_time_ms: u32,
    /// Where clients connect.
    pub client: ClientPorts,
    /// What clients may take.
    pub limits: Limits,
    /// How long sessions may last without a sign of life.
    pub sessions: SessionLimits,
    /// Where data is kept.
    pub storage: Storage,
    /// What the tree allows.
    pub tree: TreeSettings,
    /// Who is believed to be whom.
    pub auth: AuthSettings,
    /// The four-letter words that are answered.
    pub four_letter: FourLetterWords,
    /// The HTTP server for administration.
    pub admin: Admin,
    /// How metrics are published.
    pub metrics: Metrics,
    /// Certificates.
    pub tls: Tls,
    /// The log of who changed what.
    pub audit: Audit,
    /// `readonlymode.enabled`, false: a server that lost its quorum still serves reads.
    pub read_only_mode: bool,
    /// The number in the file `myid` of the data directory; none if there is no such file.
    pub my_id: Option<i64>,
    /// What servers of an ensemble need.
    pub quorum: Quorum,
    /// The ensemble; none for a server that runs alone.
    pub ensemble: Option<Ensemble>,
    /// What an operator should know, a line each, in the order of the places.
    pub notes: Vec<String>,
    /// The keys that nobody knows and that may be misspelled, a line each, in the order of the
    /// places.
    pub warnings: Vec<String>,
    origins: BTreeMap<String, Origin>,
    properties: BTreeMap<String, String>,
}

impl Config {
    /// Reads and checks a configuration.
    pub fn load(sources: &Sources) -> Result<Self, ConfigError> {
        Self::load_with(sources, &|path| std::fs::read(path))
    }

    /// Reads and checks a configuration from files that `read_file` reads.
    pub fn load_with(sources: &Sources, read_file: ReadFile<'_>) -> Result<Self, ConfigError> {
        let (config, problems) = Self::build(sources, read_file);
        if problems.is_empty() { Ok(config) } else { Err(ConfigError::new(problems)) }
    }

    /// The configuration of a server that runs alone, without any file: a tick of 2000 ms, and
    /// every other default.
    pub fn standalone(port: u16, data_dir: impl Into<PathBuf>) -> Self {
        let absent = |_: &Path| Err(std::io::ErrorKind::NotFound.into());
        let (mut config, problems) = Self::build(&Sources::built_in(), &absent);
        assert_eq!(problems, [], "the defaults are valid");
        config.client.plain = Some(Endpoint::any(port));
        config.storage.data_dir = data_dir.into();
        config.storage.log_dir.clone_from(&config.storage.data_dir);
        config
    }

    /// Where a key was set, by its name without `zookeeper.`; none if it has its default. For
    /// remarks on what a server cannot do.
    pub fn origin(&self, key: &str) -> Option<&Origin> {
        self.origins.get(key)
    }

    /// Every key that is set, by its name without `zookeeper.`, and where.
    pub fn origins(&self) -> impl Iterator<Item = (&str, &Origin)> {
        self.origins.iter().map(|(key, origin)| (key.as_str(), origin))
    }

    /// What would be system properties with ZooKeeper, by their names there. Secrets do not show.
    pub fn properties(&self) -> &BTreeMap<String, String> {
        &self.properties
    }

    /// The text of the file it was read from, without secrets.
    pub fn initial_text(&self) -> Option<String> {
        let text = self.initial.as_ref()?.expose();
        Some(properties::without_secrets(text, keys::is_secret))
    }

    /// The configuration, and everything that is wrong with it; then it means nothing.
    fn build(sources: &Sources, read_file: ReadFile<'_>) -> (Self, Vec<Problem>) {
        let (mut settings, initial) = sources.collect(read_file);
        if sources.path().is_some() && initial.is_none() {
            // Everything would seem to be missing from a file that cannot be read.
            let problems = std::mem::take(&mut settings.problems);
            return (Self::from_settings(sources, &mut settings, read_file), problems);
        }
        let mut config = Self::from_settings(sources, &mut settings, read_file);
        config.initial = initial.map(Secret::new);
        settings.note_unused();
        config.origins = settings.origins();
        config.properties = settings.properties();
        config.notes = settings.take_notes();
        config.warnings = settings.take_warnings();
        (config, settings.problems)
    }

    fn from_settings(sources: &Sources, settings: &mut Settings, read_file: ReadFile<'_>) -> Self {
        let missing = sources.path().map_or(Origin::CommandLine, Origin::file);
        let tick_time_ms = read::tick_time(settings);
        let read_only_mode = settings.boolean("readonlymode.enabled", false);
        let storage = read::storage(settings, &missing);
        let quorum = read::quorum(settings);
        let mut client = read::client_ports(settings);
        let my_id = dynamic::my_id(&storage.data_dir, read_file, settings);
        let tree = read::tree(settings);
        let ensemble = dynamic::ensemble(
            sources.path(),
            settings,
            read_file,
            &dynamic::Own { my_id, quorum: &quorum, tree: &tree, data_dir: &storage.data_dir },
            &mut client,
        );
        Self {
            file: sources.path().map(Path::to_owned),
            initial: None,
            tick_time_ms,
            limits: read::limits(settings),
            sessions: read::session_limits(settings, tick_time_ms),
            auth: read::auth(settings, client.secure.is_some()),
            four_letter: read::four_letter_words(settings, read_only_mode),
            admin: read::admin(settings),
            metrics: read::metrics(settings),
            tls: read::tls(settings),
            audit: read::audit(settings),
            read_only_mode,
            client,
            storage,
            tree,
            my_id,
            quorum,
            ensemble,
            notes: Vec::new(),
            warnings: Vec::new(),
            origins: BTreeMap::new(),
            properties: BTreeMap::new(),
        }
    }
}

#[cfg(test)]
mod tests;
