//! What the process runs in and with: `environment`, `system_properties`, `initial_configuration`.

use super::super::environment;
use super::super::json::Json;
use crate::config::Config;

/// Names of the environment that are system properties as well.
const SHARED: [&str; 7] =
    ["java.io.tmpdir", "os.arch", "os.name", "os.version", "user.dir", "user.home", "user.name"];

/// The environment; what is not there has a word of ZooKeeper's.
pub(super) fn environment() -> Vec<(String, Json)> {
    let entries = environment::entries().into_iter();
    let shown = entries.map(|(key, value)| {
        let value = value.unwrap_or_else(|| environment::ABSENT.to_owned());
        (key.to_owned(), value.into())
    });
    shown.collect()
}

/// What would be system properties with ZooKeeper. Secrets do not show.
pub(super) fn system(config: &Config) -> Vec<(String, Json)> {
    let entries = environment::entries().into_iter();
    let of_process = entries.filter(|(key, _)| SHARED.contains(key));
    let of_process = of_process.filter_map(|(key, value)| Some((key.to_owned(), value?)));
    let set = config.properties().iter().map(|(key, value)| (key.clone(), value.clone()));
    let mut all: Vec<_> = of_process.chain(set).map(|(key, value)| (key, value.into())).collect();
    all.sort_by(|(left, _): &(String, Json), (right, _)| left.cmp(right));
    all
}

/// The text of the configuration file. Secrets do not show.
pub(super) fn initial(config: &Config) -> Vec<(String, Json)> {
    let text = config.initial_text().map_or(Json::Null, Json::from);
    vec![("initial_configuration".to_owned(), text)]
}
