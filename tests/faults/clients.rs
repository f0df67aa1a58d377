//! What all clients of a run share: the history they write, their sessions, and how an answer is
//! to be understood.

use super::history::{Call, Operation, Outcome, Through, Time, Value};
use super::ledger::Ledger;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use zabra::client::{Client, ClientError, CreateMode, Loss, Options};
use zabra::types::{ErrorCode, Stat};

/// For an operation; after that its client goes on without the answer.
const OPERATION: Duration = Duration::from_secs(3);
/// For the first connection of a session.
const CONNECT: Duration = Duration::from_secs(5);

/// What is written before a read that must not be stale.
const FENCE: &str = "/fence";
/// What is written to fill disks.
pub(super) const FILLER: &str = "/filler";
/// The paths that clients write to or below.
pub(super) const ROOTS: [&str; 5] = [FENCE, FILLER, "/ledger", "/living", "/registers"];

/// How long a value is besides its number.
const PADDING: usize = 120;

/// What the clients of a run share.
pub(super) struct Board {
    servers: String,
    start: Instant,
    pub(super) history: Mutex<Vec<Operation>>,
    /// Every session that a client has had, and whether it must still be there.
    pub(super) sessions: Mutex<BTreeMap<i64, bool>>,
    pub(super) ledger: Ledger,
    /// Answers that no server may give.
    pub(super) wrong: Mutex<Vec<String>>,
    values: AtomicU64,
    /// The clients are to end.
    pub(super) stop: AtomicBool,
    /// Much is to be written, for a disk is to get full.
    pub(super) fill: AtomicBool,
}

/// What a client knows after an operation.
pub(super) enum Heard<T> {
    Answer(T),
    Refused(ErrorCode),
    /// It may have taken place.
    Nothing,
    /// It has certainly not taken place.
    NotDone,
}

impl Board {
    pub(super) fn new(servers: String) -> Self {
        Self {
            servers,
            start: Instant::now(),
            history: Mutex::default(),
            sessions: Mutex::default(),
            ledger: Ledger::default(),
            wrong: Mutex::default(),
            values: AtomicU64::new(1),
            stop: AtomicBool::new(false),
            fill: AtomicBool::new(false),
        }
    }

    pub(super) fn now(&self) -> Time {
        Time::try_from(self.start.elapsed().as_micros()).expect("a short run")
    }

    pub(super) fn is_over(&self) -> bool {
        self.stop.load(Relaxed)
    }

    /// A value that nobody else writes.
    pub(super) fn value(&self) -> Value {
        self.values.fetch_add(1, Relaxed)
    }

    /// A new session, unless the run ends before there is one.
    pub(super) async fn session(&self, timeout: Duration) -> Option<Client> {
        while !self.is_over() {
            let options = Options {
                session_timeout: timeout,
                connect_timeout: CONNECT,
                ..Options::default()
            };
            if let Ok(client) = Client::connect(&self.servers, options).await {
                let id = client.session().expect("a session").id.0;
                let earlier = self.sessions.lock().expect("the sessions").insert(id, true);
                if earlier.is_some() {
                    self.complain(format!("session 0x{id:x} was given to two clients"));
                }
                return Some(client);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        None
    }

    /// A session has ended, or will when its time is over.
    pub(super) fn is_gone(&self, session: i64) {
        self.sessions.lock().expect("the sessions").insert(session, false);
    }

    pub(super) fn complain(&self, what: String) {
        self.wrong.lock().expect("the complaints").push(what);
    }

    /// Waits for an answer, and understands it.
    pub(super) async fn hear<T>(
        &self,
        what: &str,
        answer: impl Future<Output = Result<T, ClientError>>,
    ) -> Heard<T> {
        let error = match tokio::time::timeout(OPERATION, answer).await {
            Ok(Ok(answer)) => return Heard::Answer(answer),
            Ok(Err(error)) => error,
            Err(_) => return Heard::Nothing,
        };
        match error {
            ClientError::Api(code) | ClientError::Multi { code, .. } => match code {
                ErrorCode::SessionExpired | ErrorCode::SessionMoved => Heard::NotDone,
                ErrorCode::NoNode | ErrorCode::NodeExists | ErrorCode::BadVersion => {
                    Heard::Refused(code)
                }
                _ => self.wrong(what, &error),
            },
            ClientError::NotConnected => Heard::NotDone,
            ClientError::ConnectionLoss(Loss::ServerClosed | Loss::Io(_) | Loss::Silence)
            | ClientError::SessionExpired
            | ClientError::Closed => Heard::Nothing,
            _ => self.wrong(what, &error),
        }
    }

    fn wrong<T>(&self, what: &str, error: &ClientError) -> Heard<T> {
        self.complain(format!("{what}: {error}"));
        Heard::Nothing
    }

    /// Does something with a register, and writes it down.
    pub(super) async fn operate(
        &self,
        client: &Client,
        path: &Arc<str>,
        call: Call,
    ) -> Option<Outcome> {
        let session = client.session().expect("a session").id.0;
        let start = self.now();
        let heard = match call {
            Call::Create(value) => {
                let created = client.create(path, data(value), CreateMode::Persistent);
                map(self.hear(path, created).await, |created| {
                    (Outcome::Created, Some(created.stat.czxid))
                })
            }
            Call::Set(value, expected) => {
                let written = self.hear(path, client.set(path, data(value), expected)).await;
                map(written, |Stat { version, mzxid, .. }| (Outcome::Written(version), Some(mzxid)))
            }
            Call::Delete(expected) => {
                let deleted = self.hear(path, client.delete(path, expected)).await;
                map(deleted, |()| (Outcome::Deleted, None))
            }
            Call::Read(through) => {
                if !self.is_ready_to_read(client, through).await {
                    return None;
                }
                map(self.hear(path, client.get(path)).await, |found| {
                    let Stat { version, mzxid, .. } = found.stat;
                    let value = value(&found.data.unwrap_or_default());
                    (Outcome::Found { version, value }, Some(mzxid))
                })
            }
        };
        let (outcome, zxid) = match heard {
            Heard::Answer((outcome, zxid)) => (Some(outcome), zxid),
            Heard::Refused(code) => (Some(Outcome::Refused(code)), None),
            Heard::Nothing => (None, None),
            Heard::NotDone => return None,
        };
        let (path, seen) = (Arc::clone(path), client.last_zxid().0);
        let end = self.now();
        let operation = Operation { session, path, call, start, end, outcome, zxid, seen };
        self.history.lock().expect("the history").push(operation);
        outcome
    }

    /// Does what a read that must not be stale needs before it.
    async fn is_ready_to_read(&self, client: &Client, through: Through) -> bool {
        let ready = match through {
            Through::Nothing => return true,
            Through::Sync => self.hear("sync", client.sync("/")).await,
            Through::Write => map(self.hear(FENCE, client.set(FENCE, data(0), None)).await, drop),
        };
        matches!(ready, Heard::Answer(()))
    }
}

/// The data that hold a value.
pub(super) fn data(value: Value) -> Bytes {
    let mut data = vec![b'.'; 8 + PADDING];
    data[..8].copy_from_slice(&value.to_be_bytes());
    data.into()
}

/// The value that data hold; data that hold none stand for one that nobody has written.
fn value(data: &[u8]) -> Value {
    data.first_chunk().map_or(Value::MAX, |bytes| Value::from_be_bytes(*bytes))
}

fn map<T, U>(heard: Heard<T>, change: impl FnOnce(T) -> U) -> Heard<U> {
    match heard {
        Heard::Answer(answer) => Heard::Answer(change(answer)),
        Heard::Refused(code) => Heard::Refused(code),
        Heard::Nothing => Heard::Nothing,
        Heard::NotDone => Heard::NotDone,
    }
}
