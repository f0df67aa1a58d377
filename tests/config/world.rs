//! Files and environment variables that exist only in a test.

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind};
use std::path::Path;

use zabra::config::{Config, Sources};

/// What there is to read.
#[derive(Default)]
pub(crate) struct World {
    files: BTreeMap<String, Vec<u8>>,
    variables: BTreeMap<String, String>,
    flags: Vec<(String, String)>,
}

impl World {
    /// A `zoo.cfg` of this text.
    pub(crate) fn cfg(text: &str) -> Self {
        Self::default().file("zoo.cfg", text.as_bytes())
    }

    /// A `zoo.cfg` with what every file needs, and this text from line 3 on.
    pub(crate) fn usual(text: &str) -> Self {
        Self::cfg(&format!("dataDir=/data\nclientPort=2181\n{text}"))
    }

    pub(crate) fn file(mut self, path: &str, content: &[u8]) -> Self {
        self.files.insert(path.to_owned(), content.to_owned());
        self
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn flag(mut self, key: &str, value: &str) -> Self {
        self.flags.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Loads `zoo.cfg`; the error as the operator sees it.
    pub(crate) fn load(&self) -> Result<Config, String> {
        self.load_from(Sources::file("zoo.cfg"))
    }

    pub(crate) fn load_from(&self, sources: Sources) -> Result<Config, String> {
        let lookup = |name: &str| self.variables.get(name).cloned();
        let mut sources = sources.with_environment(lookup);
        for (key, value) in &self.flags {
            sources = sources.with_flag(key, value);
        }
        let read = |path: &Path| {
            let content = self.files.get(path.to_str().unwrap_or_default()).cloned();
            content.ok_or_else(|| Error::from(ErrorKind::NotFound))
        };
        Config::load_with(&sources, &read).map_err(|error| error.to_string())
    }

    /// Loads a file that is valid.
    pub(crate) fn config(&self) -> Config {
        self.load().expect("the configuration is valid")
    }

    /// What is wrong with a file, a line each.
    pub(crate) fn errors(&self) -> Vec<String> {
        let error = self.load().expect_err("the configuration is wrong");
        error.lines().map(str::to_owned).collect()
    }
}
