//! No bytes, however strange, make reading a configuration panic, and every refusal says why.

use proptest::prelude::*;
use zabra::config::Sources;

use crate::world::World;

const KEYS: [&str; 24] = [
    "dataDir",
    "tickTime",
    "clientPort",
    "clientPortAddress",
    "secureClientPort",
    "minSessionTimeout",
    "maxSessionTimeout",
    "initLimit",
    "syncLimit",
    "peerType",
    "dynamicConfigFile",
    "standaloneEnabled",
    "multiAddress.enabled",
    "server.1",
    "server.2",
    "server.x",
    "group.1",
    "weight.1",
    "jute.maxbuffer",
    "zookeeper.skipACL",
    "4lw.commands.whitelist",
    "enforce.auth.schemes",
    "metricsProvider.className",
    "nonsense",
];

/// Values near the ones that mean something.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("true".to_owned()),
        Just("/data".to_owned()),
        Just("dynamic".to_owned()),
        "-?[0-9]{1,12}",
        "[0-9:;|\\[\\]a-f]{0,24}",
        "(a|\\[::1\\]):[1-9]{1,2}:[1-9]{1,2}(:observer)?(;[0-9]{1,4})?",
        ".{0,12}",
    ]
}

fn text() -> impl Strategy<Value = String> {
    let line = (prop::sample::select(&KEYS[..]), value()).prop_map(|(key, v)| format!("{key}={v}"));
    prop::collection::vec(line, 0..12).prop_map(|lines| lines.join("\n"))
}

fn check(world: &World, sources: Sources) -> Result<(), TestCaseError> {
    match world.load_from(sources) {
        Ok(config) => {
            prop_assert!(config.sessions.min_timeout_ms <= config.sessions.max_timeout_ms);
            prop_assert!(config.tick_time_ms > 0);
            prop_assert!(config.client.plain.is_some() || config.client.secure.is_some());
            if let Some(ensemble) = &config.ensemble {
                prop_assert!(ensemble.membership.members.contains_key(&ensemble.my_id));
                prop_assert!(config.quorum.init_limit > 0 && config.quorum.sync_limit > 0);
            }
        }
        Err(error) => prop_assert!(!error.is_empty() && error.lines().all(|line| !line.is_empty())),
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_bytes(file in prop::collection::vec(any::<u8>(), 0..400), id in any::<[u8; 3]>()) {
        let world = World::default().file("zoo.cfg", &file).file("/data/myid", &id);
        check(&world, Sources::file("zoo.cfg"))?;
    }

    #[test]
    fn any_settings(file in text(), dynamic in text(), next in text(), flags in ".{0,60}") {
        let world = World::cfg(&format!("dataDir=/data\n{file}"))
            .file("dynamic", dynamic.as_bytes())
            .file("zoo.cfg.dynamic.next", next.as_bytes())
            .file("/data/myid", b"1")
            .variable("JVMFLAGS", &flags);
        check(&world, Sources::file("zoo.cfg"))?;
    }

    #[test]
    fn any_arguments(arguments in prop::collection::vec(value(), 0..6)) {
        if let Ok(sources) = Sources::arguments(&arguments) {
            check(&World::default(), sources)?;
        }
    }
}
