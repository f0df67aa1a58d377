//! A `zoo.cfg` and a `myid`, and which variable each line comes from.

use super::super::Config;
use super::super::error::{ConfigError, Problem};
use super::super::sources::Sources;
use super::{Image, Surroundings, problem};
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

/// One line of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    text: String,
    /// The variable that it comes from.
    variable: Option<String>,
}

/// The number of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MyId {
    /// What the file says.
    pub id: String,
    /// The variable that it comes from.
    pub variable: &'static str,
    /// Whether it is written over a file that is there.
    pub always: bool,
}

/// What a container's environment amounts to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Whose variables these are.
    pub image: Image,
    /// Where the configuration is looked for; a file that is there wins.
    pub config: PathBuf,
    /// Whether it is there.
    pub config_exists: bool,
    /// The directory for the data.
    pub data_dir: PathBuf,
    /// The number to put into `myid` of the directory for the data.
    pub my_id: Option<MyId>,
    /// Directories that must be there and belong to the server's user.
    pub directories: Vec<PathBuf>,
    /// What is logged, if the environment says so.
    pub log_level: Option<String>,
    /// What the operator should know.
    pub notes: Vec<String>,
    lines: Vec<Line>,
}

impl Plan {
    pub(super) fn new(image: Image, config: impl Into<PathBuf>, data: impl Into<PathBuf>) -> Self {
        let data_dir = data.into();
        Self {
            image,
            config: config.into(),
            config_exists: false,
            directories: vec![data_dir.clone()],
            data_dir,
            my_id: None,
            log_level: None,
            notes: Vec::new(),
            lines: Vec::new(),
        }
    }

    /// Adds a line that no variable says.
    pub(super) fn line(&mut self, key: &str, value: &str) {
        self.lines.push(Line { text: format!("{key}={value}"), variable: None });
    }

    /// Adds a line that a variable says.
    pub(super) fn line_of(&mut self, variable: &str, text: String) {
        self.lines.push(Line { text, variable: Some(variable.to_owned()) });
    }

    /// Adds a key with a variable's value, or with a default.
    pub(super) fn key(
        &mut self,
        from: &Surroundings<'_>,
        key: &str,
        variable: &str,
        default: &str,
    ) {
        let value = from.filled(variable).unwrap_or(default);
        self.line_of(variable, format!("{key}={}", escape(value)));
    }

    /// Adds a switch: a variable that says yes or no.
    pub(super) fn switch(&mut self, from: &Surroundings<'_>, key: &str, variable: &str) {
        let on = from.value(variable).is_some_and(super::is_yes);
        self.line_of(variable, format!("{key}={on}"));
    }

    /// The `zoo.cfg` to write where there is none.
    pub fn text(&self) -> String {
        self.lines.iter().flat_map(|line| [line.text.as_str(), "\n"]).collect()
    }

    /// The file with the number of the server.
    pub fn my_id_file(&self) -> PathBuf {
        self.data_dir.join("myid")
    }

    /// Looks whether a server could start with this, so that what is wrong is said of the variable.
    /// A file that is there speaks for itself.
    pub(super) fn check(&self, from: &Surroundings<'_>) -> Result<(), ConfigError> {
        if self.config_exists {
            return Ok(());
        }
        let text = self.text();
        let my_id_file = self.my_id_file();
        let read = |path: &Path| match &self.my_id {
            _ if path == self.config => Ok(text.clone().into_bytes()),
            Some(my_id) if path == my_id_file => match (from.read)(path) {
                Ok(found) if !my_id.always => Ok(found),
                _ => Ok(my_id.id.clone().into_bytes()),
            },
            None if path == my_id_file => (from.read)(path),
            _ => Err(Error::from(ErrorKind::NotFound)),
        };
        let environment = |name: &str| from.value(name).map(str::to_owned);
        let sources = Sources::file(&self.config).with_environment(environment);
        let Err(error) = Config::load_with(&sources, &read) else { return Ok(()) };
        Err(ConfigError::new(error.problems().iter().map(|found| self.blame(found)).collect()))
    }

    /// What is wrong with a line is wrong with its variable.
    fn blame(&self, found: &Problem) -> Problem {
        use super::super::error::Origin;
        let variable = match &found.origin {
            Origin::File(path, Some(number)) if *path == self.config => {
                self.lines.get(number - 1).and_then(|line| line.variable.as_deref())
            }
            Origin::File(path, _) if *path == self.my_id_file() => {
                self.my_id.as_ref().map(|my_id| my_id.variable)
            }
            _ => None,
        };
        let Some(variable) = variable else { return found.clone() };
        let reason = match &found.key {
            Some(key) => format!("as {key} of zoo.cfg, {}", found.reason),
            None => found.reason.clone(),
        };
        problem(variable, found.value.as_deref(), reason)
    }
}

/// A value as a line of a properties file.
pub(super) fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '\\' => escaped.push_str("\\\\"),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            c => escaped.push(c),
        }
    }
    escaped
}
