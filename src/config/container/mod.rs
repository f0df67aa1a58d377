//! What the environment of a container means, for each of the images that people replace.
//!
//! | image | its variables | its data |
//! |---|---|---|
//! | official (`zookeeper`) | `ZOO_*` | `/data`, `/datalog` |
//! | Bitnami | `ZOO_*` of its own, each also as `<NAME>_FILE` | `/bitnami/zookeeper/data` |
//! | Confluent (`cp-zookeeper`) | `ZOOKEEPER_*` | `/var/lib/zookeeper/data`, `/log` |
//! | debezium | `SERVER_ID`, `SERVER_COUNT` | `/zookeeper/data`, `/zookeeper/txns` |
//! | wurstmeister | none | `/opt/zookeeper-3.4.13/data` |
//!
//! The result is a [`Plan`]: a `zoo.cfg` and a `myid` to write where there are none. Knows nothing
//! of writing them, of users or of processes.

mod bitnami;
mod confluent;
mod official;
mod others;
mod plan;
#[cfg(test)]
mod tests;

use super::error::{ConfigError, Origin, Problem};
use super::sources::ReadFile;
pub use plan::{MyId, Plan};
use std::collections::BTreeMap;
use std::path::Path;

/// The variable that says which image's variables count, if they do not show it.
pub const IMAGE_VARIABLE: &str = "ZABRA_IMAGE";

/// An image that Zabra's takes the place of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Image {
    /// `zookeeper`, Docker's official image.
    Official,
    /// `bitnami/zookeeper`, `bitnamilegacy/zookeeper`.
    Bitnami,
    /// `confluentinc/cp-zookeeper`.
    Confluent,
    /// `debezium/zookeeper`.
    Debezium,
    /// `wurstmeister/zookeeper`.
    Wurstmeister,
}

/// All images with their names for [`IMAGE_VARIABLE`].
const IMAGES: [(&str, Image); 5] = [
    ("official", Image::Official),
    ("bitnami", Image::Bitnami),
    ("confluent", Image::Confluent),
    ("debezium", Image::Debezium),
    ("wurstmeister", Image::Wurstmeister),
];

impl Image {
    /// The numbers of the user and the group that the image runs its server as; whoever goes back
    /// to it finds files that are its own.
    pub const fn owner(self) -> (u32, u32) {
        match self {
            Self::Official | Self::Confluent => (1000, 1000),
            Self::Bitnami => (1001, 0),
            Self::Debezium => (1001, 1001),
            Self::Wurstmeister => (0, 0),
        }
    }
}

/// What a container is started with.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// The environment.
    pub variables: &'a BTreeMap<String, String>,
    /// Reads a whole file.
    pub read: ReadFile<'a>,
    /// Whether there is such a file or directory.
    pub exists: &'a dyn Fn(&Path) -> bool,
}

impl Surroundings<'_> {
    /// Which image's variables count.
    ///
    /// # Errors
    /// [`IMAGE_VARIABLE`] names none.
    pub fn image(&self) -> Result<Image, ConfigError> {
        if let Some(name) = self.filled(IMAGE_VARIABLE) {
            let known = IMAGES.iter().find(|(known, _)| *known == name);
            return known.map(|(_, image)| *image).ok_or_else(|| {
                let names: Vec<_> = IMAGES.iter().map(|(name, _)| *name).collect();
                let reason = format!("must be one of {}", names.join(", "));
                ConfigError::new(vec![problem(IMAGE_VARIABLE, Some(name), reason)])
            });
        }
        let has = |path: &str| (self.exists)(Path::new(path));
        let any = |which: fn(&str) -> bool| self.variables.keys().any(|name| which(name));
        Ok(if any(confluent::is_telling) {
            Image::Confluent
        } else if any(bitnami::is_telling) || has(bitnami::VOLUME) {
            Image::Bitnami
        } else if any(others::tells_debezium) || has(others::DEBEZIUM) {
            Image::Debezium
        } else if has(others::WURSTMEISTER) {
            Image::Wurstmeister
        } else {
            Image::Official
        })
    }

    /// What to write and where.
    ///
    /// # Errors
    /// Every variable that cannot be, with what is allowed.
    pub fn plan(&self) -> Result<Plan, ConfigError> {
        let image = self.image()?;
        let mut plan = match image {
            Image::Official => official::plan(self),
            Image::Bitnami => bitnami::plan(self)?,
            Image::Confluent => confluent::plan(self)?,
            Image::Debezium => others::debezium(self)?,
            Image::Wurstmeister => others::wurstmeister(self),
        };
        plan.config_exists = (self.exists)(&plan.config);
        plan.check(self)?;
        Ok(plan)
    }

    /// A variable's value.
    fn value(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// A variable's value, unless it is empty: scripts take that for not set.
    fn filled(&self, name: &str) -> Option<&str> {
        self.value(name).filter(|value| !value.is_empty())
    }
}

/// Something that is wrong with a variable.
fn problem(variable: &str, value: Option<&str>, reason: impl Into<String>) -> Problem {
    Problem {
        origin: Origin::Environment(0, "environment".to_owned()),
        key: Some(variable.to_owned()),
        value: value.map(str::to_owned),
        reason: reason.into(),
    }
}

/// What scripts take for yes: `yes`, `true`, `1`, in any case.
fn is_yes(value: &str) -> bool {
    ["yes", "true", "1"].iter().any(|yes| value.eq_ignore_ascii_case(yes))
}
