//! \[logs\] Every server's log as its brain knows it: what is decided stands in it as everywhere
//! else, in the same order, and is not let go once that is known; what is applied is decided.

use super::History;
use bytes::Bytes;
use std::collections::BTreeMap;
use zabra::types::Zxid;

pub(super) type Log = BTreeMap<Zxid, Bytes>;

/// The log of one server, from the beginning: what was trimmed is known to all.
#[derive(Debug, Default)]
struct Known {
    log: Log,
    committed: Zxid,
    applied: Option<Zxid>,
}

#[derive(Debug)]
pub(super) struct Logs(Vec<Known>);

impl Logs {
    pub(super) fn new(servers: usize) -> Self {
        Self((0..servers).map(|_| Known::default()).collect())
    }

    pub(super) fn log(&self, server: usize) -> &Log {
        &self.0[server].log
    }

    pub(super) fn appended(&mut self, server: usize, zxid: Zxid, payload: &Bytes) {
        let log = &mut self.0[server].log;
        let last = log.keys().next_back().copied().unwrap_or(Zxid::ZERO);
        let follows = zxid == last.next() || (zxid.epoch() > last.epoch() && zxid.counter() == 1);
        assert!(follows, "[logs] s{} appends {zxid} after {last}", server + 1);
        log.insert(zxid, payload.clone());
    }

    /// Even what is decided may be let go here, as long as enough others have it: a leader
    /// truncates what it has not decided yet, and sends it again behind that.
    pub(super) fn truncated(&mut self, server: usize, last: Zxid) {
        let known = &mut self.0[server];
        known.log.split_off(&last.next());
        assert!(
            known.committed <= last,
            "[logs] s{} goes back to {last} and knows that {} is decided",
            server + 1,
            known.committed
        );
    }

    pub(super) fn installed(&mut self, server: usize, log: Log) {
        let last = log.keys().next_back().copied().unwrap_or(Zxid::ZERO);
        self.0[server] = Known { log, committed: last, applied: None };
    }

    pub(super) fn restarted(&mut self, server: usize, log: Log, applied: Zxid) {
        self.0[server] = Known { log, committed: applied, applied: None };
    }

    /// What a server takes for decided and was not known to be.
    pub(super) fn decided(
        &mut self,
        server: usize,
        committed: Zxid,
        history: &History,
    ) -> Vec<(Zxid, Bytes)> {
        let name = server + 1;
        let known = &mut self.0[server];
        let before = known.committed;
        assert!(before <= committed, "[logs] s{name}: decided was {before}, is {committed}");
        known.committed = committed;
        for (zxid, payload) in history.between(before, committed) {
            let own = known.log.get(zxid);
            assert_eq!(own, Some(payload), "[logs] s{name}: {zxid} is decided, and something else");
        }
        let mut new = Vec::new();
        for (zxid, payload) in known.log.range(before.next()..) {
            if *zxid > committed {
                break;
            }
            if history.payload(*zxid).is_none() {
                assert!(
                    *zxid > history.last(),
                    "[logs] s{name}: {zxid} is decided, but {} was without it",
                    history.last()
                );
                new.push((*zxid, payload.clone()));
            }
        }
        new
    }

    /// Whether a server's tree is another one than at the last look.
    pub(super) fn moved(&mut self, server: usize, applied: Zxid) -> bool {
        let known = &mut self.0[server];
        assert!(
            applied <= known.committed,
            "[logs] s{} has applied {applied}, decided is {}",
            server + 1,
            known.committed
        );
        known.applied.replace(applied) != Some(applied)
    }
}
