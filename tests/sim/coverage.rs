//! How often the things happened that the checks are about.

use std::collections::BTreeMap;
use zabra::replica::CloseReason;
use zabra::zab::LinkError;

#[derive(Clone, Debug, Default)]
pub(crate) struct Coverage(BTreeMap<&'static str, usize>);

impl Coverage {
    pub(crate) fn note(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }

    pub(crate) fn note_close(&mut self, why: CloseReason) {
        self.note(match why {
            CloseReason::ZxidAhead => "refused: ahead",
            CloseReason::SessionGone => "refused: session gone",
            CloseReason::SessionTakenOver => "taken over",
            CloseReason::ClientRequest => "session closed",
            CloseReason::SessionExpired => "session expired",
            CloseReason::SessionMoved => "session moved",
            CloseReason::NotServing => "closed: not serving",
        });
    }

    pub(crate) fn note_link(&mut self, why: &LinkError) {
        self.note(match why {
            LinkError::Protocol(_) => "link closed: protocol",
            LinkError::Silence(_) => "link closed: silence",
            LinkError::Role(_) => "link closed: role",
            LinkError::Slow(_) | LinkError::TooSlow => "link closed: slow",
            LinkError::Busy(_) => "link closed: busy",
            LinkError::Replaced => "link closed: replaced",
        });
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (what, count) in &other.0 {
            *self.0.entry(what).or_default() += count;
        }
    }

    /// A simulation in which nothing happens finds nothing.
    pub(crate) fn check(&self, wanted: &[&str], at_least: usize) {
        for what in wanted {
            let count = self.0.get(what).copied().unwrap_or_default();
            assert!(count >= at_least, "{what}: {count}; all: {self}");
        }
    }
}

impl std::fmt::Display for Coverage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|(what, count)| writeln!(f, "{count:>9} {what}"))
    }
}
