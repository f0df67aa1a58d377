//! The word `dump`: sessions and connections by the time at which they end, and ephemeral nodes
//! (ZK: `DumpCommand`, `ExpiryQueue.dump`).

use super::text::{Date, Remote};
use crate::server::Shared;
use crate::session::Session;
use crate::types::{Moment, Now, SessionId};
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::atomic::Ordering::Relaxed;

/// A connection and its session, 0 for none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Connection {
    pub(super) remote: SocketAddr,
    pub(super) session: i64,
}

/// What is shown. Times are milliseconds since the Unix epoch.
#[derive(Debug, Default)]
pub(super) struct Dump {
    /// What is known of the sessions.
    pub(super) sessions: SessionsShown,
    /// If there may be sessions that only this server knows (ZK: `LocalSessionTracker`): those that
    /// end if nothing is heard of them, by the time.
    pub(super) locals: Option<BTreeMap<i64, Vec<SessionId>>>,
    /// Sessions with ephemeral nodes, and the paths of those.
    pub(super) ephemerals: Vec<(SessionId, Vec<String>)>,
    /// Connections by the time at which they end if nothing is heard of them.
    pub(super) connections: BTreeMap<i64, Vec<Connection>>,
}

/// What a server knows of sessions.
#[derive(Debug)]
pub(super) enum SessionsShown {
    /// Whoever expires them: those that end if nothing is heard of them, by the time.
    ByEnd(BTreeMap<i64, Vec<SessionId>>),
    /// A learner (ZK: `LearnerSessionTracker`): their timeouts in milliseconds.
    Timeouts(Vec<(SessionId, i32)>),
}

impl Default for SessionsShown {
    fn default() -> Self {
        Self::ByEnd(BTreeMap::new())
    }
}

impl Dump {
    /// The text of the word.
    pub(super) fn text(&self) -> String {
        let mut text = "SessionTracker dump:\n".to_owned();
        let id = |session: &SessionId| format!("0x{:x}", session.0);
        if let Some(locals) = &self.locals {
            sets(&mut text, "Local Session", locals, id);
        }
        match &self.sessions {
            SessionsShown::ByEnd(sessions) if self.locals.is_some() => {
                sets(&mut text, "Global Session", sessions, id);
            }
            SessionsShown::ByEnd(sessions) => sets(&mut text, "Session", sessions, id),
            SessionsShown::Timeouts(sessions) => {
                let _ = writeln!(text, "Global Sessions({}):", sessions.len());
                for (session, timeout_ms) in sessions {
                    let _ = writeln!(text, "0x{:x}\t{timeout_ms}ms", session.0);
                }
            }
        }
        text += "ephemeral nodes dump:\n";
        let _ = writeln!(text, "Sessions with Ephemerals ({}):", self.ephemerals.len());
        for (session, paths) in &self.ephemerals {
            let _ = writeln!(text, "0x{:x}:", session.0);
            for path in paths {
                let _ = writeln!(text, "\t{path}");
            }
        }
        text += "Connections dump:\n";
        sets(&mut text, "Connections", &self.connections, |connection| {
            format!("ip: {} sessionId: 0x{:x}", Remote(connection.remote), connection.session)
        });
        text
    }
}

fn sets<T>(
    text: &mut String,
    name: &str,
    sets: &BTreeMap<i64, Vec<T>>,
    show: impl Fn(&T) -> String,
) {
    let members: usize = sets.values().map(Vec::len).sum();
    let _ = writeln!(text, "{name} Sets ({})/({members}):", sets.len());
    for (time, members) in sets {
        let _ = writeln!(text, "{} expire at {}:", members.len(), Date(*time));
        for member in members {
            let _ = writeln!(text, "\t{}", show(member));
        }
    }
}

impl Shared {
    /// What there is now. Whoever learns from a leader does not know when sessions expire.
    pub(super) fn dump(&self, learns: bool) -> Dump {
        let now = self.clock.now();
        let timeout = |(id, session): (SessionId, &Session)| (id, session.timeout_ms);
        let (mut buckets, timeouts): (_, Vec<_>) =
            self.with_sessions(|it| (it.buckets(), it.iter().map(timeout).collect()));
        let (local_buckets, local_timeouts): (Vec<_>, Vec<_>) =
            self.with_local_sessions(|it| (it.buckets(), it.iter().map(timeout).collect()));
        if learns {
            buckets.clear();
        }
        let ephemerals = {
            let tree = self.tree.read();
            let owners = tree.ephemeral_owners().into_iter();
            owners.map(|owner| (owner, tree.ephemerals(owner))).collect()
        };
        let all = buckets.iter().chain(&local_buckets);
        let ends = all.flat_map(|(due, ids)| ids.iter().map(|id| (*id, *due))).collect();
        let all = timeouts.iter().chain(&local_timeouts);
        let connections = self.connections_by_end(now, &ends, &all.copied().collect());
        let by_end = |buckets: Vec<(Moment, _)>| {
            buckets.into_iter().map(|(due, ids)| (wall_of(now, due), ids)).collect()
        };
        let sessions = if learns {
            SessionsShown::Timeouts(timeouts)
        } else {
            SessionsShown::ByEnd(by_end(buckets))
        };
        let locals = self.config.quorum.local_sessions.then(|| by_end(local_buckets));
        Dump { sessions, locals, ephemerals, connections }
    }

    /// A connection ends with its session, or for lack of one. Where nobody here knows when the
    /// session ends, it does so a timeout after its last reply.
    fn connections_by_end(
        &self,
        now: Now,
        ends: &HashMap<SessionId, Moment>,
        timeouts: &HashMap<SessionId, i32>,
    ) -> BTreeMap<i64, Vec<Connection>> {
        let patience = self.config.limits.sessionless_timeout_ms;
        let mut connections: BTreeMap<i64, Vec<Connection>> = BTreeMap::new();
        for conn in self.conns.all() {
            let session = conn.session.load(Relaxed);
            let id = SessionId(session);
            let end = if session == 0 {
                conn.since_wall.saturating_add(patience.into())
            } else if let Some(due) = ends.get(&id) {
                wall_of(now, *due)
            } else if let Some(timeout_ms) = timeouts.get(&id) {
                let heard = Moment(conn.stats.last_response.load(Relaxed));
                let end = wall_of(now, heard).max(conn.since_wall);
                next_multiple(end.saturating_add((*timeout_ms).into()), patience.into())
            } else {
                // One that is closing ends now.
                now.wall
            };
            let connection = Connection { remote: conn.remote, session };
            connections.entry(end).or_default().push(connection);
        }
        connections
    }
}

/// The next time that is a multiple of an interval (ZK: `ExpiryQueue.roundToNextInterval`).
fn next_multiple(time: i64, interval: i64) -> i64 {
    let interval = interval.max(1);
    time.div_euclid(interval).saturating_add(1).saturating_mul(interval)
}

/// The wall clock's time at a moment.
fn wall_of(now: Now, moment: Moment) -> i64 {
    let ahead = i128::from(moment.0) - i128::from(now.mono.0);
    i64::try_from(i128::from(now.wall) + ahead).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::recorded;
    use super::*;

    #[test]
    fn the_layout_is_that_of_zookeeper() {
        let (one, other) = (SessionId(0x0100_00be_d83a_0000), SessionId(0x0100_00be_d83a_0001));
        let paths = ["/a/e2", "/a/e1"].map(str::to_owned).to_vec();
        let connection = |port, session| Connection {
            remote: SocketAddr::from(([127, 0, 0, 1], port)),
            session,
        };
        let second = |second: i64| (1_795_613_100 + second) * 1000;
        let dump = Dump {
            sessions: SessionsShown::ByEnd(
                [(second(60), vec![one]), (second(70), vec![other])].into(),
            ),
            locals: None,
            ephemerals: vec![(one, paths)],
            connections: [
                (second(66), vec![connection(56554, 0), connection(56508, one.0)]),
                (second(76), vec![connection(56530, other.0)]),
            ]
            .into(),
        };
        assert_eq!(dump.text(), recorded::DUMP);
    }

    #[test]
    fn a_learner_shows_timeouts() {
        let sessions = [(0x0001_0000_1272_7940, 10_000), (0x0002_0000_1272_be10, 4000)];
        let sessions = sessions.map(|(id, timeout_ms)| (SessionId(id), timeout_ms)).to_vec();
        let dump = Dump { sessions: SessionsShown::Timeouts(sessions), ..Dump::default() };
        let expected = "SessionTracker dump:\nGlobal Sessions(2):\n0x1000012727940\t10000ms\n\
                        0x200001272be10\t4000ms\nephemeral nodes dump:\n";
        assert!(dump.text().starts_with(expected), "{}", dump.text());
    }

    #[test]
    fn sessions_that_only_this_server_knows_come_first() {
        let locals = [(1_795_613_160_000, vec![SessionId(0x0001_0000_1272_7940)])].into();
        let learner = Dump {
            sessions: SessionsShown::Timeouts(Vec::new()),
            locals: Some(locals),
            ..Dump::default()
        };
        let text = learner.text();
        let expected = "SessionTracker dump:\nLocal Session Sets (1)/(1):\n1 expire at ";
        assert!(text.starts_with(expected), "{text}");
        assert!(text.contains(":\n\t0x1000012727940\nGlobal Sessions(0):\n"), "{text}");
        let leader = Dump { locals: Some(BTreeMap::new()), ..Dump::default() };
        let expected = "Local Session Sets (0)/(0):\nGlobal Session Sets (0)/(0):\n";
        assert!(leader.text().contains(expected), "{}", leader.text());
    }

    #[test]
    fn a_server_without_clients_shows_its_headings() {
        let expected = "SessionTracker dump:\nSession Sets (0)/(0):\nephemeral nodes dump:\n\
                        Sessions with Ephemerals (0):\nConnections dump:\n\
                        Connections Sets (0)/(0):\n";
        assert_eq!(Dump::default().text(), expected);
    }

    #[test]
    fn connections_end_together() {
        assert_eq!(next_multiple(31_000, 10_000), 40_000);
        assert_eq!(next_multiple(40_000, 10_000), 50_000);
        assert_eq!(next_multiple(7, 0), 8);
    }

    #[test]
    fn moments_become_times_of_the_wall_clock() {
        let now = Now { wall: 1_000_000, mono: Moment(500) };
        assert_eq!(wall_of(now, Moment(2500)), 1_002_000);
        assert_eq!(wall_of(now, Moment(400)), 999_900);
    }
}
