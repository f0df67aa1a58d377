//! `load`: a subtree from a file that `dump` has written.
//!
//! Loading twice does no harm: what is there and equal is left alone. So a load that was
//! interrupted is gone on with by doing it again.

use super::archive::{Entry, Line, Reader, Totals};
use super::dumping::progress;
use super::subtree::{Contents, is_systems, under};
use crate::cli::shell::command::{Call, Command, Flag, Interrupt, Origin};
use crate::cli::shell::failure::{At, Failure};
use crate::cli::shell::{Shell, paths};
use crate::client::{Client, ClientError, Transaction};
use crate::types::ErrorCode;
use serde_json::json;
use std::fs::File;
use std::io::BufReader;

pub(in crate::cli::shell) const LOAD: Command = Command {
    name: "load",
    usage: "[--overwrite] [--dry-run] file [path]",
    summary: "Create the znodes of a file that dump has written; once more goes on where it ended",
    example: "load /backup/app.jsonl\nload --dry-run /backup/app.jsonl\n\
              load /backup/app.jsonl /restored",
    flags: &[
        Flag::new("overwrite", "change znodes that exist and are different"),
        Flag::new("dry-run", "only tell what would be done"),
    ],
    operands: (1, 2),
    origin: Origin::Zabra,
    interrupt: Interrupt::Fails,
    run: |shell, call| Box::pin(load(shell, call)),
};

/// No transaction has more data or znodes than these, unless one znode has.
const BATCH_BYTES: usize = 256 * 1024;
const BATCH_ZNODES: usize = 500;

/// A load under way.
struct Load {
    client: Client,
    overwrites: bool,
    dry: bool,
    batch: Vec<Planned>,
    /// Bytes of the batch.
    size: usize,
    counts: Counts,
}

/// A znode that shall exist.
struct Planned {
    path: String,
    contents: Contents,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    created: u64,
    unchanged: u64,
    /// Changed, or found to be different where nothing is done.
    changed: u64,
    ephemerals: u64,
}

async fn load(shell: &mut Shell, call: Call) -> Result<(), Failure> {
    let file = call.operand(0);
    let refused = |reason: String| Failure::Refused(format!("{file}: {reason}"));
    let given = if call.operand_count() > 1 { Some(call.path(1)?) } else { None };
    // A file that is wrong somewhere changes nothing.
    let (top, totals) = examine(file, given).map_err(refused)?;
    let client = shell.client().await?;
    let mut load = Load {
        client,
        overwrites: call.has("overwrite"),
        dry: call.has("dry-run"),
        batch: Vec::new(),
        size: 0,
        counts: Counts::default(),
    };
    let bar = progress(Some(totals.znodes));
    let mut reader = open(file).map_err(refused)?;
    reader.header().map_err(refused)?;
    while let Some(Entry::Znode(line)) = reader.entry().map_err(refused)? {
        match plan(&top, &line).map_err(|reason| refused(reader.here(reason)))? {
            None => load.counts.ephemerals += 1,
            Some(planned) => load.add(planned).await?,
        }
        bar.inc(1);
    }
    load.flush().await?;
    bar.finish_and_clear();
    report(shell, &load, file, &top)
}

fn report(shell: &mut Shell, load: &Load, file: &str, top: &str) -> Result<(), Failure> {
    let Counts { created, unchanged, changed, ephemerals } = load.counts;
    if ephemerals > 0 {
        let out = "left out: their sessions have ended";
        shell.out.remark(format_args!("{ephemerals} ephemerals {out}"))?;
    }
    let how = match (load.dry, load.overwrites) {
        (false, _) => "created, {} unchanged, {} changed",
        (true, true) => "to create, {} unchanged, {} to change",
        (true, false) => "to create, {} unchanged, {} different",
    };
    let mut how = how.split("{}");
    let mut word = || how.next().unwrap_or_default();
    let (first, second, third) = (word(), word(), word());
    shell.out.line(format_args!("{created} {first}{unchanged}{second}{changed}{third}"))?;
    shell.out.json(&json!({
        "file": file, "path": top, "dryRun": load.dry, "created": created,
        "unchanged": unchanged, "changed": changed, "ephemerals": ephemerals,
    }))?;
    Ok(())
}

fn open(file: &str) -> Result<Reader<BufReader<File>>, String> {
    File::open(file).map(|file| Reader::new(BufReader::new(file))).map_err(|e| e.to_string())
}

/// Reads a file to its end. Returns the top of what it will become, and how much there is.
fn examine(file: &str, given: Option<&str>) -> Result<(String, Totals), String> {
    let mut reader = open(file)?;
    let header = reader.header()?;
    let top = given.map_or(header.path, str::to_owned);
    paths::check(&top).map_err(|reason| reader.here(reason))?;
    let mut totals = Totals::default();
    loop {
        match reader.entry()? {
            Some(Entry::Znode(line)) => {
                plan(&top, &line).map_err(|reason| reader.here(reason))?;
                totals.add(&line).map_err(|reason| reader.here(reason))?;
            }
            Some(Entry::End(end)) if end == totals => return Ok((top, totals)),
            Some(Entry::End(end)) => {
                let (wanted, there) = (end.znodes, totals.znodes);
                return Err(format!("damaged: it says it has {wanted} znodes, and has {there}"));
            }
            None => return Err("it is not complete; dump --resume goes on with it".to_owned()),
        }
    }
}

/// What is to be created for a line; `None` for an ephemeral.
fn plan(top: &str, line: &Line) -> Result<Option<Planned>, String> {
    if !line.path.is_empty() && !line.path.starts_with('/') {
        return Err(format!("path {:?} must be empty or start with /", line.path));
    }
    let path = under(top, &line.path);
    paths::check(&path)?;
    if is_systems(&path) {
        return Err(format!("{path} is the servers' own"));
    }
    let contents = line.contents()?;
    Ok((!line.ephemeral).then_some(Planned { path, contents }))
}

impl Load {
    async fn add(&mut self, planned: Planned) -> Result<(), Failure> {
        let size = planned.path.len() + planned.contents.size() + 40;
        if self.size + size > BATCH_BYTES || self.batch.len() == BATCH_ZNODES {
            self.flush().await?;
        }
        self.size += size;
        self.batch.push(planned);
        Ok(())
    }

    /// Makes the znodes of the batch what they shall be.
    async fn flush(&mut self) -> Result<(), Failure> {
        self.size = 0;
        let batch = std::mem::take(&mut self.batch);
        if !self.dry {
            match self.create(&batch).await {
                Ok(()) => return Ok(()),
                // Some are there.
                Err(Failure::Client { error: ClientError::Api(ErrorCode::NodeExists), .. }) => {}
                Err(failure) => return Err(failure),
            }
        }
        let missing = self.compare(batch).await?;
        if self.dry {
            self.counts.created += missing.len() as u64;
            return Ok(());
        }
        self.create(&missing).await
    }

    async fn create(&mut self, batch: &[Planned]) -> Result<(), Failure> {
        if batch.is_empty() {
            return Ok(());
        }
        let transaction = batch
            .iter()
            .fold(Transaction::new(), |all, planned| planned.contents.create(all, &planned.path));
        let path = |index: usize| batch.get(index).map_or("", |planned| planned.path.as_str());
        match self.client.multi(&transaction).await {
            Ok(_) => self.counts.created += batch.len() as u64,
            Err(ClientError::Multi { index, code: ErrorCode::NoNode }) => {
                let above = path(index).rsplit_once('/').map_or("", |(above, _)| above);
                return Err(ClientError::Api(ErrorCode::NoNode)).at(above);
            }
            Err(ClientError::Multi { index, code }) => {
                return Err(ClientError::Api(code)).at(path(index));
            }
            Err(error) => return Err(error).at(path(0)),
        }
        Ok(())
    }

    /// Leaves what is there and equal, changes what is different if that is wanted, and returns
    /// what is missing.
    async fn compare(&mut self, batch: Vec<Planned>) -> Result<Vec<Planned>, Failure> {
        let asked: Vec<_> = batch
            .into_iter()
            .map(|planned| {
                let (client, path) = (self.client.clone(), planned.path.clone());
                (planned, tokio::spawn(async move { present(&client, &path).await }))
            })
            .collect();
        let mut missing = Vec::new();
        for (planned, answer) in asked {
            let answer = answer.await.map_err(|error| Failure::Refused(error.to_string()))?;
            match answer.at(&planned.path)? {
                None => missing.push(planned),
                Some(present) if present == planned.contents => self.counts.unchanged += 1,
                Some(present) => {
                    self.change(&planned, &present).await?;
                    self.counts.changed += 1;
                }
            }
        }
        Ok(missing)
    }

    async fn change(&self, planned: &Planned, present: &Contents) -> Result<(), Failure> {
        let Planned { path, contents, .. } = planned;
        if self.dry {
            return Ok(());
        }
        if !self.overwrites {
            return Err(Failure::Refused(format!(
                "{path} exists and is different; --overwrite changes it"
            )));
        }
        if present.data != contents.data {
            self.client.set(path, contents.data.clone(), None).await.at(path)?;
        }
        if present.acl != contents.acl {
            self.client.set_acl(path, &contents.acl, None).await.at(path)?;
        }
        Ok(())
    }
}

/// What a znode holds; `None` if there is none.
async fn present(client: &Client, path: &str) -> Result<Option<Contents>, ClientError> {
    match tokio::join!(client.get(path), client.get_acl(path)) {
        (Err(ClientError::Api(ErrorCode::NoNode)), _) => Ok(None),
        (read, acl) => Ok(Some(Contents { data: read?.data, acl: acl?.acl })),
    }
}
