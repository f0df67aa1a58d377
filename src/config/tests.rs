//! A configuration as a whole.
use super::*;

pub(super) fn every_used_key_was_read(settings: &Settings) {
    for key in keys::used_keys() {
        assert!(settings.read.contains(key), "{key} has no field");
    }
}
