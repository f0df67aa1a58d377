//! Where settings come from: files, environment, command line; and the collecting of them.
//!
//! Later sources win: what is built in, the file, `-D` properties of the environment, the command
//! line. The one difference from ZooKeeper: there a property that `zoo.cfg` sets without being a
//! key of its own replaces the `-D` property. Here the environment always wins, which is what an
//! operator who sets it means, and a remark says so where they differ.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::error::{ConfigError, Origin, Problem};
use super::jvm_flags;
use super::keys;
use super::properties::{self, Property};
use super::settings::{Setting, Settings};

/// Reads a whole file.
pub type ReadFile<'a> = &'a dyn Fn(&Path) -> io::Result<Vec<u8>>;

/// The environment variables with `-D` properties, the last one the strongest. `KAFKA_OPTS` is
/// what Confluent's image passes to its ZooKeeper.
pub const JVM_VARIABLES: [&str; 3] = ["KAFKA_OPTS", "SERVER_JVMFLAGS", "JVMFLAGS"];

/// Where a configuration comes from.
#[derive(Clone, Default)]
pub struct Sources {
    file: Option<PathBuf>,
    settings: Vec<Setting>,
    variables: Vec<(usize, String, String)>,
}

/// Shows the file alone: settings and variables may hold secrets.
impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Sources {
    /// A `zoo.cfg`.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self { file: Some(path.into()), ..Self::default() }
    }

    /// No file: port 2181, data in `./data`, and a tick of 2000 ms as in ZooKeeper's sample.
    pub fn built_in() -> Self {
        let pairs = [("clientPort", "2181"), ("dataDir", "./data"), ("tickTime", "2000")];
        let setting = |(key, value)| Setting::new(Origin::BuiltIn, key, value);
        Self { settings: pairs.map(setting).into(), ..Self::default() }
    }

    /// The arguments of ZooKeeper's `ZooKeeperServerMain`: `port datadir [ticktime] [maxcnxns]`.
    /// Without the last, it does not limit connections.
    pub fn arguments(arguments: &[String]) -> Result<Self, ConfigError> {
        if !(2..=4).contains(&arguments.len()) {
            return Err(ConfigError::new(vec![Problem {
                origin: Origin::CommandLine,
                key: None,
                value: Some(arguments.join(" ")),
                reason: format!(
                    "must be a configuration file, or port datadir [ticktime] [maxcnxns], not {} \
                     arguments",
                    arguments.len()
                ),
            }]));
        }
        let mut sources = Self::default();
        sources.settings.push(Setting::new(Origin::BuiltIn, "maxClientCnxns", "0"));
        for (key, value) in
            ["clientPort", "dataDir", "tickTime", "maxClientCnxns"].into_iter().zip(arguments)
        {
            sources.settings.push(Setting::new(Origin::CommandLine, key, value));
        }
        Ok(sources)
    }

    /// Adds a setting of the command line: a key as in `zoo.cfg`.
    #[must_use]
    pub fn with_flag(mut self, key: &str, value: &str) -> Self {
        self.settings.push(Setting::new(Origin::CommandLine, key, value));
        self
    }

    /// Adds the `-D` properties of [`JVM_VARIABLES`], as `lookup` finds them:
    /// `|name| std::env::var(name).ok()`.
    #[must_use]
    pub fn with_environment(mut self, lookup: impl Fn(&str) -> Option<String>) -> Self {
        for (place, name) in JVM_VARIABLES.into_iter().enumerate() {
            self.variables.extend(lookup(name).map(|text| (place, name.to_owned(), text)));
        }
        self
    }

    /// The file, if there is one.
    pub(super) fn path(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Everything in one table, and the text of the file.
    pub(super) fn collect(&self, read_file: ReadFile<'_>) -> (Settings, Option<String>) {
        let mut settings = Settings::default();
        let (commands, built_in): (Vec<&Setting>, Vec<&Setting>) =
            self.settings.iter().partition(|setting| setting.origin == Origin::CommandLine);
        for setting in built_in {
            settings.put(setting.clone());
        }
        let text = self.file.as_deref().and_then(|path| read_text(path, read_file, &mut settings));
        if let (Some(path), Some(text)) = (&self.file, &text) {
            for setting in file_settings(path, text, &mut settings) {
                settings.put(setting);
            }
        }
        for (place, name, text) in &self.variables {
            put_variable(&mut settings, &Origin::Environment(*place, name.clone()), text);
        }
        for setting in commands {
            settings.put(setting.clone());
        }
        (settings, text)
    }
}

/// The text of a file that must be there.
pub(super) fn read_text(
    path: &Path,
    read_file: ReadFile<'_>,
    settings: &mut Settings,
) -> Option<String> {
    match read_file(path) {
        Ok(bytes) => Some(properties::decode(&bytes)),
        Err(error) => {
            settings.problems.push(Problem {
                origin: Origin::file(path),
                key: None,
                value: None,
                reason: format!("cannot be read: {error}"),
            });
            None
        }
    }
}

/// The settings of a file's text, in order.
pub(super) fn file_settings(path: &Path, text: &str, settings: &mut Settings) -> Vec<Setting> {
    let mut found = Vec::new();
    for property in properties::parse(text) {
        match property {
            Ok(Property { line, key, .. }) if key.is_empty() => {
                settings.note_at(Origin::line(path, line), "a value without a key has no effect");
            }
            Ok(Property { line, key, value }) => {
                found.push(Setting::new(Origin::line(path, line), &key, &value));
            }
            Err(bad) => settings.problems.push(Problem {
                origin: Origin::line(path, bad.line),
                key: None,
                value: None,
                reason: "\\u must be followed by four hexadecimal digits".to_owned(),
            }),
        }
    }
    found
}

/// Properties count if their name starts with `zookeeper.`, or is a key without prefix that is
/// known. Everything else is for a Java machine, and one remark says that there is none.
fn put_variable(settings: &mut Settings, origin: &Origin, text: &str) {
    let flags = jvm_flags::parse(text);
    let mut others = flags.others;
    for (key, value) in flags.properties {
        if key.starts_with("zookeeper.") || keys::find(&key).is_some() {
            settings.put(Setting::new(origin.clone(), &key, &value));
        } else {
            others.push(format!("-D{key}"));
        }
    }
    if !others.is_empty() {
        let text = format!("{} has no meaning here: Zabra is not a Java program", others.join(" "));
        settings.note_at(origin.clone(), text);
    }
}
