//! The clients of a run, each a task that works until the run is over.

use super::clients::{Board, FILLER, Heard, data};
use super::history::{Call, Outcome, Through};
use super::random::Random;
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use zabra::client::{Client, CreateMode};
use zabra::types::ErrorCode;

/// Clients that use registers, and clients that write the ledger.
pub(super) const REGISTER_CLIENTS: usize = 8;
pub(super) const LEDGER_CLIENTS: usize = 3;

/// New registers come into use after so long, so that the history of each is short.
const GENERATION: Duration = Duration::from_secs(8);
/// Registers of a generation. The fleeting ones are also deleted.
const LASTING: usize = 2;
const FLEETING: usize = 2;

/// What is written to fill disks.
const CHUNK: usize = 200_000;

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(50);

/// One client.
pub(super) struct Worker {
    board: Arc<Board>,
    random: Random,
    work: Work,
}

/// What a client does.
pub(super) enum Work {
    /// Uses registers. The version that each had when this client last heard of it is kept, if it
    /// was there.
    Registers(HashMap<Arc<str>, i32>),
    /// Writes the ledger.
    Ledger,
    /// Writes much while a disk is to get full.
    Fill,
}

impl Worker {
    pub(super) const fn new(board: Arc<Board>, random: Random, work: Work) -> Self {
        Self { board, random, work }
    }

    /// Works in one session after the other until the run is over. Gives the session that is there
    /// at the end.
    pub(super) async fn run(mut self) -> Option<Client> {
        loop {
            // Short and long ones, within what the servers grant.
            let timeout = Duration::from_millis(self.random.between(2_000, 8_000));
            let client = self.board.session(timeout).await?;
            if self.live(&client).await {
                return Some(client);
            }
            self.board.is_gone(client.session()?.id.0);
        }
    }

    /// Works in a session with an ephemeral; tells whether the session is there at the end.
    async fn live(&mut self, client: &Client) -> bool {
        self.make_ephemeral(client).await;
        while !client.state().get().is_final() {
            if self.board.is_over() {
                return true;
            }
            if self.random.one_in(400) {
                // One way or the other, the session ends, and its ephemeral with it.
                if self.random.one_in(2) {
                    client.abandon();
                } else {
                    let _ = client.close().await;
                }
                return false;
            }
            self.work(client).await;
            tokio::time::sleep(Duration::from_millis(self.random.between(0, 25))).await;
        }
        false
    }

    async fn make_ephemeral(&self, client: &Client) {
        let Some(session) = client.session() else { return };
        let path = format!("/living/0x{:x}", session.id.0);
        while !client.state().get().is_final() {
            let created = client.create(&path, data(0), CreateMode::Ephemeral);
            let heard = self.board.hear(&path, created).await;
            if matches!(heard, Heard::Answer(_) | Heard::Refused(ErrorCode::NodeExists)) {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn work(&mut self, client: &Client) {
        let (board, random) = (&self.board, &mut self.random);
        match &mut self.work {
            Work::Registers(known) => use_register(board, random, known, client).await,
            Work::Ledger => match random.below(4) {
                0 => board.ledger.write_pair(board, client).await,
                1 => board.ledger.write(board, client, CreateMode::PersistentSequential).await,
                _ => board.ledger.write(board, client, CreateMode::Persistent).await,
            },
            Work::Fill if board.fill.load(Relaxed) => {
                let chunk = Bytes::from(vec![b'.'; CHUNK]);
                board.hear(FILLER, client.set(FILLER, chunk, None)).await;
            }
            Work::Fill => tokio::time::sleep(PAUSE).await,
        }
    }
}

async fn use_register(
    board: &Board,
    random: &mut Random,
    known: &mut HashMap<Arc<str>, i32>,
    client: &Client,
) {
    let (path, is_fleeting) = register(board, random);
    let call = call(board, random, known.get(&path).copied(), is_fleeting);
    match board.operate(client, &path, call).await {
        Some(Outcome::Created) => drop(known.insert(path, 0)),
        Some(Outcome::Written(version) | Outcome::Found { version, .. }) => {
            known.insert(path, version);
        }
        Some(Outcome::Deleted | Outcome::Refused(ErrorCode::NoNode)) => drop(known.remove(&path)),
        Some(Outcome::Refused(_)) | None => {}
    }
}

/// A register of the present generation, and whether it may be deleted.
fn register(board: &Board, random: &mut Random) -> (Arc<str>, bool) {
    let generation = u128::from(board.now()) / GENERATION.as_micros();
    let number = random.below(LASTING + FLEETING);
    (format!("/registers/{generation:03}-{number}").into(), number >= LASTING)
}

/// What to do with a register that had this version, or was not there.
fn call(board: &Board, random: &mut Random, version: Option<i32>, is_fleeting: bool) -> Call {
    let Some(version) = version else {
        let looks = random.one_in(3);
        return if looks { Call::Read(Through::Nothing) } else { Call::Create(board.value()) };
    };
    let expected = random.one_in(2).then_some(version);
    match random.below(20) {
        0..=3 => Call::Read(Through::Nothing),
        4..=6 => Call::Read(Through::Sync),
        7..=9 => Call::Read(Through::Write),
        10 if is_fleeting => Call::Delete(expected),
        _ => Call::Set(board.value(), expected),
    }
}
