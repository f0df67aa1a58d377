//! Writes the audit log: as lines or JSON, among the other lines of the log or into a file.

use super::entry::Entry;
use crate::config::Audit;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

/// How often the operator hears that the file cannot be written.
const COMPLAINT: Duration = Duration::from_mins(1);

/// What the thread is told.
#[derive(Debug)]
pub(super) enum Message {
    Entry(Entry),
    End,
}

/// Where entries are written.
#[derive(Debug)]
pub(super) struct Writer {
    file: Option<BufWriter<File>>,
    json: bool,
    complained: Option<Instant>,
}

impl Writer {
    pub(super) fn open(config: &Audit) -> io::Result<Self> {
        let open = |path| OpenOptions::new().create(true).append(true).open(path);
        let file = config.file.as_ref().map(open).transpose()?;
        Ok(Self { file: file.map(BufWriter::new), json: config.json, complained: None })
    }

    /// Writes until it is told to end.
    pub(super) fn run(mut self, messages: &Receiver<Message>) {
        while let Ok(Message::Entry(entry)) = messages.recv() {
            self.write(&entry);
            loop {
                match messages.try_recv() {
                    Ok(Message::Entry(entry)) => self.write(&entry),
                    Err(TryRecvError::Empty) => break,
                    Ok(Message::End) | Err(TryRecvError::Disconnected) => return self.flush(),
                }
            }
            self.flush();
        }
    }

    fn write(&mut self, entry: &Entry) {
        let text = if self.json { json(entry) } else { entry.line() };
        let Some(file) = &mut self.file else {
            let text = if self.json { format!("{{{text}") } else { text };
            // As loud as ZooKeeper is.
            if entry.is_failure() {
                tracing::error!(target: "audit", "{text}");
            } else {
                tracing::info!(target: "audit", "{text}");
            }
            return;
        };
        let time = Timestamp::now();
        let written = if self.json {
            writeln!(file, "{{\"time\":\"{time}\",{text}")
        } else {
            let level = if entry.is_failure() { "ERROR" } else { "INFO" };
            writeln!(
                file,
                "{} {level} audit: {text}",
                time.to_zoned_datetime(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S,%3f")
            )
        };
        self.complain(written);
    }

    fn flush(&mut self) {
        let flushed = self.file.as_mut().map_or(Ok(()), BufWriter::flush);
        self.complain(flushed);
    }

    fn complain(&mut self, result: io::Result<()>) {
        let Err(error) = result else { return };
        if self.complained.is_none_or(|last| last.elapsed() > COMPLAINT) {
            self.complained = Some(Instant::now());
            tracing::error!("the audit log cannot be written: {error}");
        }
    }
}

/// The entry as an object; in a file its first field, the time, is put in front.
fn json(entry: &Entry) -> String {
    let fields = entry.fields().map(|(name, value)| {
        let value = serde_json::Value::from(value);
        format!("\"{name}\":{value}")
    });
    fields.collect::<Vec<_>>().join(",") + "}"
}
