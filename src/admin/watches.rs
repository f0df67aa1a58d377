//! The words `wchs`, `wchc` and `wchp` (ZK: `WatchManager`). As there, they show what `exists` and
//! `getData` left, and persistent watches, but no watches on children alone.

use crate::server::Shared;
use crate::types::ConnId;
use crate::watch::Summary;
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::atomic::Ordering::Relaxed;

/// The text of `wchs`.
pub(super) fn summary(watches: Summary) -> String {
    let Summary { connections, paths, watches } = watches;
    format!("{connections} connections watching {paths} paths\nTotal watches:{watches}\n")
}

/// The text of `wchc`: sessions with the paths they watch.
pub(super) fn by_session(sessions: &[(i64, Vec<String>)]) -> String {
    let mut text = String::new();
    for (session, paths) in sessions {
        let _ = writeln!(text, "0x{session:x}");
        for path in paths {
            let _ = writeln!(text, "\t{path}");
        }
    }
    text + "\n"
}

/// The text of `wchp`: paths with the sessions that watch them.
pub(super) fn by_path(paths: &[(String, Vec<i64>)]) -> String {
    let mut text = String::new();
    for (path, sessions) in paths {
        let _ = writeln!(text, "{path}");
        for session in sessions {
            let _ = writeln!(text, "\t0x{session:x}");
        }
    }
    text + "\n"
}

impl Shared {
    /// Which paths each session watches. A connection that is just ending does not show.
    pub(super) fn watches_by_session(&self) -> Vec<(i64, Vec<String>)> {
        let sessions = self.sessions_of_conns();
        let watches = self.watches.lock();
        let by_conn = watches.by_conn().into_iter();
        by_conn
            .filter_map(|(conn, paths)| {
                let paths = paths.into_iter().map(str::to_owned).collect();
                Some((*sessions.get(&conn)?, paths))
            })
            .collect()
    }

    /// Which sessions watch each path. A connection that is just ending does not show.
    pub(super) fn watches_by_path(&self) -> Vec<(String, Vec<i64>)> {
        let sessions = self.sessions_of_conns();
        let watches = self.watches.lock();
        let by_path = watches.by_path().into_iter();
        by_path
            .map(|(path, conns)| {
                let watching = conns.iter().filter_map(|conn| sessions.get(conn).copied());
                (path.to_owned(), watching.collect())
            })
            .collect()
    }

    fn sessions_of_conns(&self) -> HashMap<ConnId, i64> {
        self.conns.all().iter().map(|conn| (conn.id, conn.session.load(Relaxed))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::recorded;
    use super::*;

    #[test]
    fn the_layouts_are_those_of_zookeeper() {
        let text = summary(Summary { connections: 2, paths: 3, watches: 4 });
        assert_eq!(text, recorded::WCHS);
        let (one, other) = (0x0100_00be_d83a_0001, 0x0100_00be_d83a_0000);
        let owned = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect();
        let sessions = [(one, owned(&["/none"])), (other, owned(&["/a", "/a/e1", "/none"]))];
        assert_eq!(by_session(&sessions), recorded::WCHC);
        let paths = [("/a", vec![other]), ("/a/e1", vec![other]), ("/none", vec![one, other])];
        let paths = paths.map(|(path, sessions)| (path.to_owned(), sessions));
        assert_eq!(by_path(&paths), recorded::WCHP);
    }

    #[test]
    fn without_watches_there_is_an_empty_line() {
        let text = summary(Summary { connections: 0, paths: 0, watches: 0 });
        assert_eq!(text, "0 connections watching 0 paths\nTotal watches:0\n");
        assert_eq!((by_session(&[]), by_path(&[])), ("\n".to_owned(), "\n".to_owned()));
    }
}
