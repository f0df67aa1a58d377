//! Tells the user what happens by itself: watch events, and what becomes of the session.

use super::render;
use crate::client::{Client, Event, EventType, Notice, SessionState, WatcherType};
use parking_lot::Mutex;
use serde_json::json;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Prints a text of whole lines, wherever the cursor is.
pub(super) type Print = Box<dyn FnMut(Kind, String) + Send>;

/// What a text is, for those who do not print everything in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An event, which belongs to the output.
    Event,
    /// A remark for people.
    Note,
}

/// Tells what happens.
pub(super) struct Announcer {
    print: Mutex<Print>,
    /// Whether watch events are told.
    tells_events: AtomicBool,
    json: bool,
}

/// When a lack of servers is told of first, and how often at least from then on.
const FIRST_REPORT: Duration = Duration::from_secs(1);
const REPORTS: Duration = Duration::from_mins(1);

impl Announcer {
    pub(super) fn new(print: Print, json: bool) -> Arc<Self> {
        Arc::new(Self { print: Mutex::new(print), tells_events: AtomicBool::new(true), json })
    }

    /// Whether watch events are told.
    pub(super) fn tells_events(&self) -> bool {
        self.tells_events.load(Ordering::Relaxed)
    }

    /// Chooses whether watch events are told.
    pub(super) fn tell_events(&self, tell: bool) {
        self.tells_events.store(tell, Ordering::Relaxed);
    }

    /// Tells something that is no event.
    pub(super) fn note(&self, text: &str) {
        if self.json {
            self.line(Kind::Note, &json!({ "note": text }).to_string());
        } else {
            self.line(Kind::Note, text);
        }
    }

    /// Tells that watches are gone.
    pub(super) fn removed(&self, path: &str, kind: WatcherType) {
        let kind = match kind {
            WatcherType::Children => "ChildWatchRemoved",
            WatcherType::Data => "DataWatchRemoved",
            _ => "PersistentWatchRemoved",
        };
        self.event("SyncConnected", kind, Some(path), -1);
    }

    /// Follows a session to its end.
    pub(super) async fn follow(self: Arc<Self>, client: Client) {
        let (mut states, mut events) = (client.state(), client.events());
        let mut shown = SessionState::Connecting;
        let mut pause = FIRST_REPORT;
        let mut report = Instant::now() + pause;
        loop {
            let state = states.get();
            if state != shown {
                shown = state;
                self.state(state);
                pause = FIRST_REPORT;
                report = Instant::now() + pause;
            }
            if state.is_final() {
                return;
            }
            tokio::select! {
                biased;
                notice = events.next() => match notice {
                    Ok(Notice::Event(event)) => self.watched(&event),
                    Ok(Notice::Gap) => self.note("events are missing here: there were too many"),
                    // The state tells why.
                    Err(_) => {}
                },
                _ = states.changed() => {}
                () = sleep_until(report), if state == SessionState::Connecting => {
                    self.note(&format!("no server answers: {}; going on", client.attempts()));
                    pause = (pause * 2).min(REPORTS);
                    report = Instant::now() + pause;
                }
            }
        }
    }

    fn state(&self, state: SessionState) {
        let name = match state {
            SessionState::Connecting => "Disconnected",
            SessionState::Connected => "SyncConnected",
            SessionState::ReadOnly => "ConnectedReadOnly",
            SessionState::Expired => "Expired",
            SessionState::AuthFailed => "AuthFailed",
            SessionState::Closed => "Closed",
        };
        self.event(name, "None", None, -1);
    }

    fn watched(&self, event: &Event) {
        let kind = match event.kind {
            EventType::Created => "NodeCreated",
            EventType::Deleted => "NodeDeleted",
            EventType::DataChanged => "NodeDataChanged",
            EventType::ChildrenChanged => "NodeChildrenChanged",
        };
        self.event("SyncConnected", kind, Some(&event.path), event.zxid.0);
    }

    /// Tells an event in zkCli's form.
    fn event(&self, state: &str, kind: &str, path: Option<&str>, zxid: i64) {
        if !self.tells_events() {
            return;
        }
        if self.json {
            let zxid = Some(zxid).filter(|zxid| *zxid >= 0).map(render::hex);
            let event = json!({ "event": kind, "path": path, "state": state, "zxid": zxid });
            self.line(Kind::Event, &event.to_string());
        } else {
            let path = path.unwrap_or("null");
            let event = format!("WatchedEvent state:{state} type:{kind} path:{path} zxid: {zxid}");
            self.line(Kind::Event, &format!("\nWATCHER::\n\n{event}"));
        }
    }

    fn line(&self, kind: Kind, text: &str) {
        self.print.lock()(kind, format!("{text}\n"));
    }
}

impl fmt::Debug for Announcer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Announcer").field("json", &self.json).finish_non_exhaustive()
    }
}
