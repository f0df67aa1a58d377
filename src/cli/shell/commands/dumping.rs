//! `dump`: a subtree to a file.

use super::archive::{Entry, Header, Line, Reader, Totals, VERSION};
use super::subtree::{Walk, is_systems};
use crate::cli::shell::Shell;
use crate::cli::shell::command::{Call, Command, Flag, Interrupt, Origin};
use crate::cli::shell::failure::Failure;
use crate::client::Client;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use serde_json::json;
use std::fs::{File, OpenOptions};
use std::io::{BufReader, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

pub(in crate::cli::shell) const DUMP: Command = Command {
    name: "dump",
    usage: "[--resume | --force] [--dry-run] file [path]",
    summary: "Write a subtree to a file: its data and access control lists",
    example: "dump /backup/app.jsonl /app\ndump --resume /backup/app.jsonl /app\ndump all.jsonl",
    flags: &[
        Flag::new("resume", "go on with a file whose dump did not come to its end"),
        Flag::new("force", "write over a file that exists"),
        Flag::new("dry-run", "only count what would be written"),
    ],
    operands: (1, 2),
    origin: Origin::Zabra,
    interrupt: Interrupt::Fails,
    run: |shell, call| Box::pin(dump(shell, call)),
};

/// A file under way.
struct Output {
    file: BufWriter<File>,
    name: String,
    totals: Totals,
    /// The znode that is the last one in the file already.
    after: Option<String>,
}

async fn dump(shell: &mut Shell, call: Call) -> Result<(), Failure> {
    let file = call.operand(0);
    let top = if call.operand_count() > 1 { call.path(1)? } else { "/" };
    if call.has("resume") && call.has("force") {
        return Err(call.usage("--resume and --force exclude each other"));
    }
    let client = shell.client().await?;
    let mut walk = Walk::new(client.clone(), top).with_contents();
    let mut output = None;
    if !call.has("dry-run") {
        output = Some(Output::open(file, top, call.has("resume"), call.has("force"))?);
    }
    let mut totals = output.as_ref().map(|output| output.totals).unwrap_or_default();
    if let Some(after) = output.as_mut().and_then(|output| output.after.take()) {
        walk = walk.resume_after(&after);
    }
    let bar = progress(count(&client, top).await);
    bar.set_position(totals.znodes);
    while let Some(found) = walk.next().await? {
        if is_systems(&found.path) {
            continue;
        }
        totals.znodes += 1;
        totals.bytes += u64::try_from(found.stat.data_length).unwrap_or(0);
        if let Some(output) = &mut output {
            output.put(&Line::new(top, &found))?;
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    if let Some(mut output) = output {
        output.put(&totals)?;
        output.finish()?;
    }
    let Totals { znodes, bytes } = totals;
    shell.out.line(format_args!("{znodes} znodes with {bytes} bytes of data"))?;
    Ok(shell.out.json(&json!({ "file": file, "path": top, "znodes": znodes, "bytes": bytes }))?)
}

impl Output {
    fn open(name: &str, top: &str, resumes: bool, replaces: bool) -> Result<Self, Failure> {
        let refused = |reason: String| Failure::Refused(format!("{name}: {reason}"));
        if resumes {
            return Self::resume(name, top).map_err(refused);
        }
        // What is no file, such as /dev/stdout, loses nothing by being written to.
        if !replaces && Path::new(name).is_file() {
            return Err(refused("exists; --resume goes on with it, --force replaces it".into()));
        }
        let file = File::create(name).map_err(|error| refused(error.to_string()))?;
        let (file, name) = (BufWriter::new(file), name.to_owned());
        let mut output = Self { file, name, totals: Totals::default(), after: None };
        output.put(&Header { version: VERSION, path: top.to_owned() })?;
        Ok(output)
    }

    /// Opens a file behind the last znode that it has in full.
    fn resume(name: &str, top: &str) -> Result<Self, String> {
        let mut file = OpenOptions::new().read(true).write(true).open(name);
        let file = file.as_mut().map_err(|error| error.to_string())?;
        let mut reader = Reader::new(BufReader::new(&*file));
        let header = reader.header()?;
        if header.path != top {
            return Err(format!("it is a dump of {}, not of {top}", header.path));
        }
        let (mut totals, mut after) = (Totals::default(), None);
        while let Some(entry) = reader.entry()? {
            let Entry::Znode(line) = entry else {
                return Err("it is complete; --force replaces it".to_owned());
            };
            totals.add(&line).map_err(|reason| reader.here(reason))?;
            after = Some(line.path);
        }
        let end = reader.bytes;
        file.set_len(end).map_err(|error| error.to_string())?;
        file.seek(SeekFrom::Start(end)).map_err(|error| error.to_string())?;
        let file = file.try_clone().map_err(|error| error.to_string())?;
        Ok(Self { file: BufWriter::new(file), name: name.to_owned(), totals, after })
    }

    fn put(&mut self, line: &impl Serialize) -> Result<(), Failure> {
        let written = serde_json::to_writer(&mut self.file, line).map_err(std::io::Error::from);
        written.and_then(|()| self.file.write_all(b"\n")).map_err(|error| self.failed(&error))
    }

    /// Puts everything on the disk.
    fn finish(&mut self) -> Result<(), Failure> {
        let flushed = self.file.flush();
        let is_file = Path::new(&self.name).is_file();
        let synced =
            flushed.and_then(|()| if is_file { self.file.get_ref().sync_all() } else { Ok(()) });
        synced.map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &std::io::Error) -> Failure {
        Failure::Refused(format!("{}: {error}", self.name))
    }
}

/// How many znodes there are, roughly: the servers' own are among them.
async fn count(client: &Client, top: &str) -> Option<u64> {
    let below = client.all_children_number(top).await.ok()?;
    Some(u64::try_from(below).ok()? + 1)
}

/// A bar on standard error, where that is a terminal.
pub(super) fn progress(total: Option<u64>) -> ProgressBar {
    let Some(total) = total else { return ProgressBar::new_spinner() };
    let bar = ProgressBar::new(total);
    match ProgressStyle::with_template("{wide_bar} {human_pos}/{human_len} {per_sec} {eta}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
