//! `zabra import` and `zabra export`: from an Apache ZooKeeper server's files, and back.

use crate::config::{Config, Sources};
use crate::server::export::{self, Exported};
use crate::server::import::{self, DataDirs, ImportOptions, Imported};
use crate::types::Zxid;
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Arguments of `zabra import`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  zabra import /data                        the data of zoo.cfg's dataDir, in place
  zabra import /data --log-dir /datalog     with a dataLogDir
  zabra import /data --into /srv/zabra      into another directory
  zabra import backup --into /srv/zabra     one snapshot, as the command `snapshot` gives it

A server does the same by itself when it starts on such a directory. The files that are there stay
as they are, so that Apache ZooKeeper can be started on them again.")]
pub(super) struct ImportArguments {
    /// Data directory of an Apache ZooKeeper server (dataDir), which must be stopped; or a snapshot
    /// file that says up to which transaction it goes.
    #[arg(value_name = "DIR|FILE")]
    from: PathBuf,

    /// Where its log is, if that is another directory (dataLogDir).
    #[arg(long, value_name = "DIR")]
    log_dir: Option<PathBuf>,

    /// Data directory for Zabra [default: DIR; must be named for a FILE].
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,

    /// Where Zabra's log goes [default: as --into, else as --log-dir].
    #[arg(long, value_name = "DIR")]
    into_log: Option<PathBuf>,

    /// A key of zoo.cfg, such as jute.maxbuffer, digest.enabled, extendedTypesEnabled or
    /// snapshot.trust.empty; can be repeated.
    #[arg(short = 'D', long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
}

/// Arguments of `zabra export`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  zabra export /backup --from /srv/zabra    a snapshot, and the log behind it, in /backup/version-2
  zabra export /data                        in place, to go back to Apache ZooKeeper

Apache ZooKeeper 3.5 and later start from what is written. The file myid of a member of an ensemble
is not copied.")]
pub(super) struct ExportArguments {
    /// Data directory for an Apache ZooKeeper server, without files of one.
    #[arg(value_name = "DIR")]
    to: PathBuf,

    /// Where its log goes, if that is another directory (dataLogDir).
    #[arg(long, value_name = "DIR")]
    log_dir: Option<PathBuf>,

    /// Data directory of Zabra, which must be stopped [default: DIR].
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,

    /// Where Zabra's log is [default: as --from, else as --log-dir].
    #[arg(long, value_name = "DIR")]
    from_log: Option<PathBuf>,

    /// Write no digest of the tree: for ZooKeeper 3.9 with digest.enabled=false, which cannot read
    /// a snapshot that has one.
    #[arg(long)]
    no_digest: bool,
}

/// The directories of one side, and those of the other, which are the same unless others are named.
fn sides<'a>(
    dir: &'a Path,
    log: Option<&'a PathBuf>,
    other: Option<&'a PathBuf>,
    other_log: Option<&'a PathBuf>,
) -> (DataDirs<'a>, DataDirs<'a>) {
    let one = DataDirs { data: dir, log: log.map_or(dir, |log| log) };
    let log = other_log.or(other).map_or(one.log, |log| log);
    let other = DataDirs { data: other.map_or(dir, |data| data), log };
    (one, other)
}

/// Takes over data.
pub(super) fn import(arguments: &ImportArguments) -> ExitCode {
    super::log_to_stderr();
    let ImportArguments { from, log_dir, into, into_log, set } = arguments;
    let is_file = from.is_file();
    if is_file && into.is_none() {
        let why =
            format!("{}: a snapshot goes into the directory that --into names", from.display());
        return super::fail("import", &why);
    }
    let (from, to) = sides(from, log_dir.as_ref(), into.as_ref(), into_log.as_ref());
    let config = match configure(set, to.data) {
        Ok(config) => config,
        Err(error) => return super::fail("import", &error),
    };
    let imported = if is_file {
        import::snapshot(from.data, to, &ImportOptions::new(&config), None)
    } else {
        import::by_hand(from, to, &config)
    };
    match imported {
        Ok(imported) => {
            println!("{}", summary(&imported));
            ExitCode::SUCCESS
        }
        Err(error) if is_file => super::fail("import", &error.to_string()),
        Err(error) => {
            let (dir, remedy) = (from.data.display(), error.remedy(from, to));
            super::fail("import", &format!("{dir}: {error}. {remedy}"))
        }
    }
}

fn summary(imported: &Imported) -> String {
    let Imported { znodes, sessions, transactions, last, digest, .. } = imported;
    let snapshot = imported.snapshot.map_or("no snapshot".to_owned(), |zxid| zxid.to_string());
    format!(
        "snapshot {snapshot} and {transactions} transactions behind it: {znodes} znodes, \
         {sessions} sessions, last zxid {last}, digest {digest:#x}"
    )
}

fn configure(set: &[String], data_dir: &Path) -> Result<Config, String> {
    let mut sources = Sources::built_in().with_environment(|name| std::env::var(name).ok());
    for setting in set {
        let (key, value) =
            setting.split_once('=').ok_or_else(|| format!("-D {setting}: must be KEY=VALUE"))?;
        sources = sources.with_flag(key, value);
    }
    sources = sources.with_flag("dataDir", &data_dir.display().to_string());
    Config::load(&sources).map_err(|error| error.to_string())
}

/// Writes data.
pub(super) fn export(arguments: &ExportArguments) -> ExitCode {
    super::log_to_stderr();
    let ExportArguments { to, log_dir, from, from_log, no_digest } = arguments;
    let (to, from) = sides(to, log_dir.as_ref(), from.as_ref(), from_log.as_ref());
    match export::by_hand(from, to, !no_digest) {
        Ok(exported) => {
            let Exported { snapshot, transactions, digest, epochs, last, .. } = &exported;
            println!("{}: digest {digest:#x}", snapshot.display());
            if let Some(log) = &exported.log {
                println!("{}: {transactions} transactions", log.display());
            }
            println!("last zxid {}, epoch {}", Zxid(last.0), epochs.1.0);
            ExitCode::SUCCESS
        }
        Err(error) => super::fail("export", &error.to_string()),
    }
}
