//! The words `conf` and `dirs` (ZK: `ZooKeeperServer.dumpConf`, `DirsCommand`).

use super::process::directory_size;
use crate::config::{Config, Ensemble, MemberAddress};
use crate::server::Shared;
use crate::store::RocksStore;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// The id of a server that runs alone.
const STANDALONE_ID: i64 = 0;
/// The only algorithm of elections that is left (ZK: `FastLeaderElection`).
const ELECTION_ALGORITHM: i64 = 3;

/// A directory and the bytes in it.
#[derive(Clone, Debug)]
pub(super) struct Directory {
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
}

impl Directory {
    fn measure(path: &Path) -> Self {
        let bytes = directory_size(path);
        // What is relative is so to the directory in which the server was started.
        Self { path: std::path::absolute(path).unwrap_or_else(|_| path.to_owned()), bytes }
    }
}

/// Where the tree and the log lie.
#[derive(Clone, Debug)]
pub(super) struct Directories {
    pub(super) tree: Directory,
    pub(super) log: Directory,
}

impl Directories {
    /// The text of `dirs`.
    pub(super) fn sizes(&self) -> String {
        format!("datadir_size: {}\nlogdir_size: {}\n", self.tree.bytes, self.log.bytes)
    }
}

/// The text of `conf`: the configuration as it has taken effect, with the port that clients are
/// served on.
pub(super) fn conf(config: &Config, port: u16, dirs: &Directories) -> String {
    let number = |number: Option<i64>| number.unwrap_or(-1).to_string();
    let secure = config.client.secure.as_ref().map(|endpoint| endpoint.port.into());
    let lines = [
        ("clientPort", port.to_string()),
        ("secureClientPort", number(secure)),
        ("dataDir", dirs.tree.path.display().to_string()),
        ("dataDirSize", dirs.tree.bytes.to_string()),
        ("dataLogDir", dirs.log.path.display().to_string()),
        ("dataLogSize", dirs.log.bytes.to_string()),
        ("tickTime", config.tick_time_ms.to_string()),
        ("maxClientCnxns", config.limits.connections_per_ip.to_string()),
        ("minSessionTimeout", config.sessions.min_timeout_ms.to_string()),
        ("maxSessionTimeout", config.sessions.max_timeout_ms.to_string()),
        ("clientPortListenBacklog", number(config.client.backlog.map(i64::from))),
        ("serverId", server_id(config).to_string()),
    ];
    let mut text = String::new();
    for (key, value) in lines {
        let _ = writeln!(text, "{key}={value}");
    }
    if let Some(ensemble) = &config.ensemble {
        quorum(config, ensemble, &mut text);
    }
    text
}

/// The id of a server.
pub(super) fn server_id(config: &Config) -> i64 {
    config.ensemble.as_ref().map_or(STANDALONE_ID, |it| it.my_id)
}

/// What a member of an ensemble adds (ZK: `QuorumZooKeeperServer.dumpConf`).
fn quorum(config: &Config, ensemble: &Ensemble, text: &mut String) {
    let Some(me) = ensemble.membership.members.get(&ensemble.my_id) else { return };
    let ports = |port: fn(&MemberAddress) -> u16| -> String {
        let ports: BTreeSet<u16> = me.addresses.iter().map(port).collect();
        let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
        ports.join("|")
    };
    let lines = [
        ("initLimit", config.quorum.init_limit.to_string()),
        ("syncLimit", config.quorum.sync_limit.to_string()),
        ("electionAlg", ELECTION_ALGORITHM.to_string()),
        ("electionPort", ports(|address| address.election_port)),
        ("quorumPort", ports(|address| address.port)),
        ("peerType", u8::from(!me.is_voter()).to_string()),
    ];
    for (key, value) in lines {
        let _ = writeln!(text, "{key}={value}");
    }
    let _ = write!(text, "membership: \n{}", ensemble.membership);
}

impl Shared {
    /// Where this server's data lies.
    pub(super) fn directories(&self) -> Directories {
        let storage = &self.config.storage;
        let (tree, log) = RocksStore::directories(&storage.data_dir, &storage.log_dir);
        Directories { tree: Directory::measure(&tree), log: Directory::measure(&log) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::recorded;
    use super::*;
    use crate::config::Sources;

    fn dirs() -> Directories {
        let dir = |path: &str| Directory { path: path.into(), bytes: 478 };
        let path = "/tmp/zookeeper/data/version-2";
        Directories { tree: dir(path), log: dir(path) }
    }

    #[test]
    fn conf_has_the_layout_of_zookeeper() {
        let config = Config::standalone(29181, "/tmp/zookeeper/data");
        assert_eq!(conf(&config, 29181, &dirs()), recorded::CONF);
    }

    #[test]
    fn conf_of_a_member_has_the_layout_of_zookeeper() {
        let zoo_cfg = "tickTime=500\ninitLimit=20\nsyncLimit=8\nminSessionTimeout=1000\n\
                       maxSessionTimeout=40000\nmaxClientCnxns=0\ndataDir=/tmp/zookeeper/data\n\
                       clientPort=2181\nserver.1=127.0.0.1:46001:46002\n\
                       server.2=127.0.0.1:46004:46005\nserver.3=127.0.0.1:46007:46008\n\
                       server.4=127.0.0.1:46010:46011:observer\n";
        let read = |path: &Path| {
            let text = if path.ends_with("myid") { "3" } else { zoo_cfg };
            Ok(text.as_bytes().to_vec())
        };
        let config = Config::load_with(&Sources::file("zoo.cfg"), &read).expect("a configuration");
        assert_eq!(conf(&config, 2181, &dirs()), recorded::CONF_MEMBER);
    }

    #[test]
    fn dirs_has_the_layout_of_zookeeper() {
        assert_eq!(dirs().sizes(), recorded::DIRS);
    }
}
