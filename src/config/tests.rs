//! The table of keys against what is read.

use std::io::ErrorKind;

use super::*;

#[test]
fn exactly_the_used_keys_are_read() {
    let sources = Sources::built_in();
    let absent = |_: &Path| Err(ErrorKind::NotFound.into());
    let (mut settings, _) = sources.collect(&absent);
    Config::from_settings(&sources, &mut settings, &absent);
    for key in keys::used_keys() {
        assert!(settings.read.contains(key), "{key} has no field");
    }
    for key in &settings.read {
        let fate = keys::find(key).map(|known| known.fate);
        assert_eq!(fate, Some(keys::Fate::Used), "{key} has a field");
    }
}

#[test]
fn without_a_file_the_defaults_hold() {
    let config = Config::standalone(2182, "/data");
    assert_eq!(config.client.plain, Some(Endpoint::any(2182)));
    assert_eq!(config.storage.data_dir, Path::new("/data"));
    assert_eq!(config.storage.log_dir, Path::new("/data"));
    assert_eq!(config.tick_time_ms, 2000);
    let sessions = SessionLimits { min_timeout_ms: 4000, max_timeout_ms: 40_000 };
    assert_eq!(config.sessions, sessions);
    assert_eq!(config.notes, <[&str; 0]>::default());
    assert_eq!(config.ensemble, None);
}
