//! The audit log: who changed what, from where, and whether it succeeded (ZK: `AuditHelper`,
//! `Slf4jAuditLogger`).
//!
//! What is to be said of a request is noted when it arrives and written when it is answered. A
//! thread of its own writes; whoever answers waits for it only while thousands of entries wait.

mod entry;
mod note;
mod writer;

use super::conns::Conn;
use crate::config::Audit;
use crate::types::SessionId;
use entry::Entry;
pub(crate) use note::Note;
use parking_lot::Mutex;
use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use writer::{Message, Writer};

/// Entries that may wait to be written.
const MAX_WAITING: usize = 4096;

/// Where entries go.
#[derive(Debug)]
pub(crate) struct AuditLog {
    sender: SyncSender<Message>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl AuditLog {
    /// Opens the log that the configuration asks for, if it does, and says that the server starts.
    ///
    /// # Errors
    /// The file cannot be opened or the thread not be started.
    pub(crate) fn open(config: &Audit) -> io::Result<Option<Self>> {
        if !config.enabled {
            return Ok(None);
        }
        let writer = Writer::open(config)?;
        let (sender, messages) = sync_channel(MAX_WAITING);
        let thread = std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || writer.run(&messages))?;
        let log = Self { sender, thread: Mutex::new(Some(thread)) };
        log.send(Entry::of_server("serverStart", "success"));
        Ok(Some(log))
    }

    /// Writes what there is to say of a request that is answered by this frame.
    pub(crate) fn write(&self, note: Note, conn: &Conn, frame: &[u8]) {
        let session = SessionId(conn.session.load(Relaxed));
        for entry in note.entries(session, conn.remote.ip(), frame) {
            self.send(entry);
        }
    }

    /// Says that the server stops, and waits until everything is written.
    pub(crate) fn close(&self) {
        self.send(Entry::of_server("serverStop", "invoked"));
        let _ = self.sender.send(Message::End);
        if let Some(thread) = self.thread.lock().take() {
            let _ = thread.join();
        }
    }

    fn send(&self, entry: Entry) {
        // The thread ends only after `close`.
        let _ = self.sender.send(Message::Entry(entry));
    }
}
