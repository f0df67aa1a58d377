//! Another tree in the place of the one that is served (ZK: `ZooKeeperServer.restoreFromSnapshot`,
//! which replaces what is in memory and nothing else).
//!
//! What is uploaded becomes databases of its own beside those in use, and the next start changes
//! over to them:
//!
//! ```text
//! dataDir/zabra-restore/snapshot      what is uploaded
//! dataDir/zabra-restore/tree          what is made of it
//! dataLogDir/zabra-restore/log
//! dataDir/zabra-restore/ready         both are complete; in it, the name for what was there before
//! ```
//!
//! Until `ready` is there nothing of it counts, and a start removes it. Once it is there, durably,
//! nothing but the new tree will be served: a start moves what was there before aside and the new
//! databases into its place, one after the other, and goes on where an earlier one was interrupted.

#[cfg(test)]
mod tests;

use super::Shared;
use super::import::{self, DataDirs, ImportError, ImportOptions, Imported};
use crate::config::Storage;
use crate::store::{RocksStore, StoreError};
use crate::types::Zxid;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const STAGING: &str = "zabra-restore";
const UPLOAD: &str = "snapshot";
const READY: &str = "ready";

/// Why another tree is not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RestoreError {
    /// Something on the disk.
    #[error("{}: {error}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// What is wrong.
        error: io::Error,
    },
    /// What was uploaded is no snapshot, not a whole one, or one of no tree.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// The databases.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An earlier one is complete, and not served yet.
    #[error("another tree is prepared, and the server is about to begin anew with it")]
    Prepared,
}

/// The places that a restore takes.
#[derive(Clone, Debug)]
pub(crate) struct Restore {
    data: PathBuf,
    log: PathBuf,
}

impl Restore {
    /// In the data directories of a server.
    pub(crate) fn of(storage: &Storage) -> Self {
        Self { data: storage.data_dir.clone(), log: storage.log_dir.clone() }
    }

    fn staging(&self) -> (PathBuf, PathBuf) {
        (self.data.join(STAGING), self.log.join(STAGING))
    }

    /// The file that a snapshot is uploaded to, empty.
    ///
    /// # Errors
    /// It cannot be made, or what was uploaded before is what the next start serves.
    pub(crate) fn begin(&self) -> Result<File, RestoreError> {
        let (staging, _) = self.staging();
        let marked = staging.join(READY);
        if in_place(&marked, || marked.try_exists())? {
            return Err(RestoreError::Prepared);
        }
        self.clear()?;
        in_place(&staging, || fs::create_dir(&staging))?;
        let path = self.upload();
        in_place(&path, || File::create(&path))
    }

    fn upload(&self) -> PathBuf {
        self.data.join(STAGING).join(UPLOAD)
    }

    /// A name that nothing has yet for what is served at this time, in seconds.
    fn free_name(&self, seconds: i64) -> String {
        let mut names = (seconds..).map(|number| format!("before-restore-{number}"));
        let free =
            |name: &String| [&self.data, &self.log].iter().all(|dir| !dir.join(name).exists());
        names.find(free).unwrap_or_default()
    }

    /// Makes databases of what was uploaded, and sees to it that the next start changes over to
    /// them. `current` is what is served, which will be kept under the name `aside`.
    ///
    /// # Errors
    /// What was uploaded is damaged, or cannot be stored. Nothing has changed.
    pub(crate) fn prepare(
        &self,
        current: &RocksStore,
        options: &ImportOptions,
        aside: &str,
    ) -> Result<Imported, RestoreError> {
        let (data, log) = self.staging();
        let upload = self.upload();
        let to = DataDirs { data: &data, log: &log };
        let imported = import::snapshot(&upload, to, options, current.import_mark()?)?;
        in_place(&upload, || fs::remove_file(&upload))?;
        let (marked, partial) = (data.join(READY), data.join("ready.partial"));
        in_place(&marked, || {
            fs::write(&partial, aside)?;
            File::open(&partial)?.sync_all()?;
            sync(&log)?;
            sync(&self.data)?;
            sync(&self.log)?;
            fs::rename(&partial, &marked)?;
            sync(&data)
        })?;
        Ok(imported)
    }

    /// Removes what is there of a restore, so that it does not count.
    ///
    /// # Errors
    /// It cannot be removed.
    fn clear(&self) -> Result<(), RestoreError> {
        let (data, log) = self.staging();
        // The first to go, durably: with it, one half would still be changed over to.
        let marked = data.join(READY);
        in_place(&marked, || match fs::remove_file(&marked) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed.and_then(|()| sync(&data)),
        })?;
        for dir in [&log, &data] {
            in_place(dir, || match fs::remove_dir_all(dir) {
                Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            })?;
        }
        Ok(())
    }

    /// Changes over to what an earlier life of the server has prepared, before its databases are
    /// opened; tells where the earlier ones are.
    ///
    /// # Errors
    /// A directory cannot be moved. The next start tries again.
    pub(crate) fn change_over(&self) -> Result<Option<PathBuf>, RestoreError> {
        let (data, log) = self.staging();
        let marked = data.join(READY);
        let aside = in_place(&marked, || match fs::read_to_string(&marked) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            found => found.map(Some),
        })?;
        let Some(aside) = aside else {
            self.clear()?;
            return Ok(None);
        };
        let current = RocksStore::directories(&self.data, &self.log);
        let staged = RocksStore::directories(&data, &log);
        let kept = (self.data.join(&aside), self.log.join(&aside));
        let before = RocksStore::directories(&kept.0, &kept.1);
        exchange(&current.0, &staged.0, &before.0)?;
        exchange(&current.1, &staged.1, &before.1)?;
        self.clear()?;
        Ok(Some(kept.0))
    }
}

/// A snapshot that is uploaded to a running server. Nothing of it is left unless it is finished.
#[derive(Debug)]
pub(crate) struct Upload {
    restore: Restore,
    file: File,
    store: Arc<RocksStore>,
    options: ImportOptions,
    aside: String,
    finished: bool,
}

impl Upload {
    /// Begins one.
    ///
    /// # Errors
    /// There is no place for it.
    pub(crate) fn begin(shared: &Shared, store: Arc<RocksStore>) -> Result<Self, RestoreError> {
        let restore = Restore::of(&shared.config.storage);
        let options = ImportOptions::new(&shared.config);
        let aside = restore.free_name(shared.clock.now().wall / 1000);
        Ok(Self { file: restore.begin()?, restore, store, options, aside, finished: false })
    }

    /// Adds what has come.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn write(&mut self, piece: &[u8]) -> Result<(), RestoreError> {
        in_place(&self.restore.upload(), || self.file.write_all(piece))
    }

    /// Prepares the tree that has been uploaded; the last transaction in it.
    ///
    /// # Errors
    /// It cannot be used.
    pub(crate) fn finish(mut self) -> Result<Zxid, RestoreError> {
        let imported = self.restore.prepare(&self.store, &self.options, &self.aside)?;
        self.finished = true;
        Ok(imported.last)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next start.
        if !self.finished
            && let Err(error) = self.restore.clear()
        {
            tracing::warn!("what was uploaded could not be removed: {error}");
        }
    }
}

impl Shared {
    /// Ends the server, so that it begins anew with what a restore has prepared.
    pub(crate) fn change_over(&self) {
        tracing::info!("another tree is prepared; beginning anew with it");
        self.stop.restore();
    }
}

/// Moves one database into the place of another, which goes aside; or what is left of that.
fn exchange(current: &Path, staged: &Path, before: &Path) -> Result<(), RestoreError> {
    in_place(staged, || {
        if !staged.try_exists()? {
            // An earlier start has come this far.
            return Ok(());
        }
        if current.try_exists()? {
            let kept = parent(before);
            fs::create_dir_all(kept)?;
            sync(parent(kept))?;
            fs::rename(current, before)?;
            sync(kept)?;
        }
        fs::rename(staged, current)?;
        sync(parent(current))?;
        sync(parent(staged))
    })
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes the entries of a directory durable.
fn sync(dir: &Path) -> io::Result<()> {
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    File::open(dir)?.sync_all()
}

fn in_place<T>(path: &Path, act: impl FnOnce() -> io::Result<T>) -> Result<T, RestoreError> {
    act().map_err(|error| RestoreError::Io { path: path.to_owned(), error })
}
