//! Answers of Apache ZooKeeper 3.9.5 to its four-letter words, recorded on a standalone server with
//! two clients, unless something else is said. Directories were renamed.

/// `srvr`.
pub(super) const SRVR: &str = include_str!("recorded/srvr.txt");

/// `stat`.
pub(super) const STAT: &str = include_str!("recorded/stat.txt");

/// `cons`: the connection that asks, one with a session, and that one after `crst`.
pub(super) const CONS: &str = include_str!("recorded/cons.txt");

/// `conf` of a server without data.
pub(super) const CONF: &str = include_str!("recorded/conf.txt");

/// `conf` of the leader of an ensemble of three voters and an observer.
pub(super) const CONF_MEMBER: &str = include_str!("recorded/conf_member.txt");

/// `dirs` of the same.
pub(super) const DIRS: &str = include_str!("recorded/dirs.txt");

/// `envi`.
pub(super) const ENVI: &str = include_str!("recorded/envi.txt");

/// `dump`.
pub(super) const DUMP: &str = include_str!("recorded/dump.txt");

/// `wchs`.
pub(super) const WCHS: &str = include_str!("recorded/wchs.txt");

/// `wchc`.
pub(super) const WCHC: &str = include_str!("recorded/wchc.txt");

/// `wchp`.
pub(super) const WCHP: &str = include_str!("recorded/wchp.txt");

/// `mntr`, without the figures of single namespaces.
pub(super) const MNTR: &str = include_str!("recorded/mntr.txt");
