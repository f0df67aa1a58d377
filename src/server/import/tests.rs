//! Data of Apache ZooKeeper servers, whole and damaged, into stores.

use super::*;
use crate::config::Config;
use crate::replica::{Recovered, Recovery};
use crate::server::recover::recover;
use crate::store::apache::ApacheError;
use crate::store::{Loaded, StoreError};
use crate::types::{Epoch, SessionId};
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

/// A copy of data that Apache ZooKeeper 3.8.0 has left.
fn copy(name: &str) -> TempDir {
    let from = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/apache").join(name);
    let dir = tempfile::tempdir().expect("a directory");
    let (from, to) = (from.join("version-2"), dir.path().join("version-2"));
    fs::create_dir(&to).expect("a directory");
    for file in fs::read_dir(from).expect("there") {
        let file = file.expect("a file");
        fs::copy(file.path(), to.join(file.file_name())).expect("copied");
    }
    dir
}

fn path(dir: &TempDir, name: &str) -> PathBuf {
    dir.path().join("version-2").join(name)
}

fn remove(dir: &TempDir, name: &str) {
    fs::remove_file(path(dir, name)).expect("removed");
}

fn damage(dir: &TempDir, name: &str, at: usize) {
    let mut content = fs::read(path(dir, name)).expect("there");
    content[at] ^= 1;
    fs::write(path(dir, name), content).expect("written");
}

fn open(dir: &TempDir) -> RocksStore {
    RocksStore::open(dir.path(), &RocksOptions::default()).expect("a store")
}

fn options() -> ImportOptions {
    ImportOptions::new(&Config::standalone(0, ""))
}

fn dirs(dir: &TempDir) -> DataDirs<'_> {
    DataDirs { data: dir.path(), log: dir.path() }
}

fn take(dir: &TempDir) -> Result<Option<Imported>, ImportError> {
    take_over(dirs(dir), &open(dir), &options())
}

/// What a server alone would serve.
fn loaded(dir: &TempDir) -> (Recovered, Loaded) {
    let tree = TreeOptions { digest: true, ..TreeOptions::default() };
    recover(&open(dir), Recovery::new(tree)).expect("good data")
}

/// Every file of theirs with its content.
fn files(dir: &TempDir) -> Vec<(PathBuf, Vec<u8>)> {
    let files = fs::read_dir(dir.path().join("version-2")).expect("there");
    let mut files: Vec<_> = files
        .map(|file| file.expect("a file").path())
        .map(|path| (path.clone(), fs::read(path).expect("readable")))
        .collect();
    files.sort();
    files
}

#[test]
fn an_observers_data_go_on() {
    let dir = copy("observer");
    let before = files(&dir);
    let imported = take(&dir).expect("good data").expect("something");
    let expected = Imported {
        snapshot: Some(Zxid(0x1_0000_000e)),
        applied: Zxid(0x1_0000_000e),
        last: Zxid(0x1_0000_0017),
        transactions: 9,
        digests: 7,
        znodes: 11,
        sessions: 1,
        digest: imported.digest,
    };
    assert_eq!(imported, expected);
    assert_eq!(files(&dir), before);
    assert_eq!(take(&dir).expect("taken over before"), None);

    let (recovered, loaded) = loaded(&dir);
    assert_eq!((loaded.last, loaded.applied), (imported.last, imported.applied));
    assert_eq!(recovered.tree.digest(), imported.digest);
    assert_eq!(recovered.replayed, 9);
    assert_eq!(recovered.sessions.len(), 1);
    assert_eq!((loaded.meta.accepted_epoch, loaded.meta.current_epoch), (Epoch(1), Epoch(1)));
    assert_eq!(loaded.meta.server, None);
}

#[test]
fn a_member_decides_nothing_of_the_log() {
    let dir = copy("observer");
    take(&dir).expect("good data");
    let recovery = Recovery::member(TreeOptions::default(), Zxid::ZERO);
    let (recovered, _) = recover(&open(&dir), recovery).expect("good data");
    assert_eq!(recovered.tree.last_zxid(), Zxid(0x1_0000_000e));
    assert_eq!(recovered.tail.len(), 9);
    assert_eq!(recovered.sessions.len(), 0, "its session began in the log");
}

#[test]
fn the_same_log_leads_to_the_same_tree_from_every_snapshot() {
    let newest = take(&copy("observer")).expect("good data").expect("something");
    let older = copy("observer");
    damage(&older, "snapshot.10000000e", 300);
    // The log before was not needed, and is not there.
    let error = take(&older).expect_err("a hole");
    assert!(matches!(error, ImportError::File(ApacheError::Hole { .. })), "{error}");
    assert!(!open(&older).import_mark().expect("readable").expect("begun").complete);

    let voter = copy("voter");
    let all = take(&voter).expect("good data").expect("something");
    assert_eq!(all.snapshot, Some(Zxid(0x2_0000_0003)));
    for (damaged, used) in [("snapshot.200000003", 0x1_0000_0003), ("snapshot.100000003", 0)] {
        let dir = copy("voter");
        remove(&dir, "snapshot.200000003");
        if used == 0 {
            damage(&dir, damaged, 100);
        }
        let again = take(&dir).expect("good data").expect("something");
        assert_eq!(again.snapshot, Some(Zxid(used)));
        assert_eq!((again.last, again.digest, again.znodes), (all.last, all.digest, all.znodes));
        assert_eq!(loaded(&dir).0.tree.digest(), all.digest);
    }
    assert_ne!(newest.digest, all.digest);
}

#[test]
fn a_tree_that_is_not_the_leaders_is_noticed() {
    let dir = copy("diverged");
    let error = take(&dir).expect_err("another tree");
    let ImportError::Digest { zxid, .. } = error else { panic!("{error}") };
    assert_eq!(zxid, Zxid(0x3_0000_0001));
    assert!(error.remedy(dirs(&dir), dirs(&dir)).contains("digest.enabled=false"));
    let tree = TreeOptions { digest: false, ..TreeOptions::default() };
    let unchecked = ImportOptions { tree, ..options() };
    let imported = take_over(dirs(&dir), &open(&dir), &unchecked).expect("not checked");
    assert_eq!(imported.expect("something").digests, 0);
}

#[test]
fn what_was_begun_is_begun_again() {
    let dir = copy("voter");
    damage(&dir, "log.300000001", 60);
    let error = take(&dir).expect_err("a damaged log");
    assert!(matches!(error, ImportError::File(ApacheError::Log { .. })), "{error}");
    let dirs_now = dirs(&dir);
    let error = crate::server::export::export(&open(&dir), dirs_now, dirs_now, true);
    assert!(error.is_err(), "half of it is no data");
    damage(&dir, "log.300000001", 60);
    let imported = take(&dir).expect("good data").expect("something");
    assert_eq!(loaded(&dir).0.tree.digest(), imported.digest);

    let dir = copy("voter");
    damage(&dir, "log.300000001", 60);
    take(&dir).expect_err("a damaged log");
    fs::rename(dir.path().join("version-2"), dir.path().join("elsewhere")).expect("renamed");
    assert!(matches!(take(&dir), Err(ImportError::Vanished)));
}

#[test]
fn a_log_without_a_snapshot_is_trusted_only_on_request() {
    let dir = copy("voter");
    for name in ["snapshot.0", "snapshot.100000003", "snapshot.200000003"] {
        remove(&dir, name);
    }
    let error = take(&dir).expect_err("no snapshot");
    assert!(matches!(error, ImportError::NoSnapshot("a log")), "{error}");
    assert!(error.remedy(dirs(&dir), dirs(&dir)).contains("snapshot.trust.empty=true"));
    let trusting = ImportOptions { trust_empty_snapshot: true, ..options() };
    let imported = take_over(dirs(&dir), &open(&dir), &trusting).expect("trusted");
    let imported = imported.expect("something");
    let whole = take(&copy("voter")).expect("good data").expect("something");
    assert_eq!((imported.snapshot, imported.applied), (None, Zxid::ZERO));
    assert_eq!(imported.last, whole.last);

    let dir = copy("voter");
    for (path, _) in files(&dir) {
        if !path.ends_with("currentEpoch") {
            fs::remove_file(path).expect("removed");
        }
    }
    let error = take(&dir).expect_err("an epoch alone");
    assert!(matches!(error, ImportError::NoSnapshot("an epoch")), "{error}");
}

#[test]
fn snapshots_that_are_all_damaged_are_named() {
    let dir = copy("voter");
    for name in ["snapshot.0", "snapshot.100000003", "snapshot.200000003"] {
        damage(&dir, name, 90);
    }
    let error = take(&dir).expect_err("no good snapshot");
    assert!(matches!(error, ImportError::NoGoodSnapshot { number: 3, .. }), "{error}");
    assert!(error.to_string().contains("snapshot.200000003"), "{error}");
}

#[test]
fn epochs_must_fit_the_log() {
    let with = |accepted: &str, current: &str, next: Option<&str>| {
        let dir = copy("voter");
        fs::write(path(&dir, "acceptedEpoch"), accepted).expect("written");
        fs::write(path(&dir, "currentEpoch"), current).expect("written");
        if let Some(next) = next {
            fs::write(path(&dir, "currentEpoch.tmp"), next).expect("written");
        }
        let taken = take(&dir).map(|_| ());
        taken.map(|()| open(&dir).meta().expect("readable"))
    };
    let meta = with("7", "5", None).expect("good");
    assert_eq!((meta.accepted_epoch, meta.current_epoch), (Epoch(7), Epoch(5)));
    assert!(matches!(with("3", "2", None), Err(ImportError::EpochBehind { .. })));
    let meta = with("3", "2", Some("3")).expect("good");
    assert_eq!((meta.accepted_epoch, meta.current_epoch), (Epoch(3), Epoch(3)));
    assert!(matches!(with("3", "4", None), Err(ImportError::EpochOrder { .. })));
}

#[test]
fn a_server_that_ran_again_is_noticed() {
    let changes: [fn(&TempDir); 4] = [
        |dir| fs::write(path(dir, "snapshot.400000000"), "").expect("written"),
        |dir| fs::write(path(dir, "log.300000002"), "").expect("written"),
        |dir| fs::write(path(dir, "currentEpoch"), "4").expect("written"),
        |dir| {
            // It goes on with what the other log begins with, in the file that there was.
            let longer = copy("observer");
            let more = fs::read(path(&longer, "log.100000012")).expect("there");
            let mut record = more[16..].to_vec();
            let mut log = fs::read(path(dir, "log.300000001")).expect("there");
            record.truncate(12 + usize::from(record[11]) + 1);
            record[12 + 12..12 + 20].copy_from_slice(&0x3_0000_0002_i64.to_be_bytes());
            let mut whole = bytes::BytesMut::new();
            let payload = &record[12..record.len() - 1];
            crate::store::apache::put_log_record(&mut whole, payload);
            let end = log.iter().rposition(|byte| *byte != 0).expect("something") + 1;
            log.truncate(end);
            log.extend_from_slice(&whole);
            fs::write(path(dir, "log.300000001"), log).expect("written");
        },
    ];
    for (number, change) in changes.iter().enumerate() {
        let dir = copy("voter");
        take(&dir).expect("good data");
        change(&dir);
        let error = take(&dir).expect_err("newer");
        assert!(matches!(error, ImportError::Newer(_)), "{number}: {error}");
    }
    let dir = copy("voter");
    take(&dir).expect("good data");
    let log = fs::read(path(&dir, "log.300000001")).expect("there");
    fs::write(path(&dir, "log.300000001"), log).expect("written");
    assert_eq!(take(&dir).expect("a copy has another time"), None);
    fs::remove_dir_all(dir.path().join("version-2")).expect("removed");
    assert_eq!(take(&dir).expect("not needed any more"), None);
}

#[test]
fn data_of_both_are_refused() {
    let dir = copy("voter");
    let other = copy("observer");
    by_hand(dirs(&other), dirs(&dir), &Config::standalone(0, "")).expect("good data");
    // As if Zabra had begun by itself.
    let again = by_hand(dirs(&other), dirs(&dir), &Config::standalone(0, ""));
    assert!(matches!(again, Err(ImportError::InUse)));
    assert!(matches!(take(&dir), Err(ImportError::Newer(_))));
    let nothing = tempfile::tempdir().expect("a directory");
    let error = by_hand(dirs(&nothing), dirs(&dir), &Config::standalone(0, ""));
    assert!(matches!(error, Err(ImportError::Nothing)));
}

#[test]
fn what_is_exported_is_taken_over_again() {
    for name in ["voter", "observer"] {
        let (dir, back) = (copy(name), tempfile::tempdir().expect("a directory"));
        let imported = take(&dir).expect("good data").expect("something");
        let exported = crate::server::export::export(&open(&dir), dirs(&dir), dirs(&back), true);
        let exported = exported.expect("written");
        assert_eq!(exported.last, imported.last);
        assert_eq!(exported.transactions, imported.transactions);
        let again = take(&back).expect("good data").expect("something");
        assert_eq!(again.digest, imported.digest);
        assert_eq!((again.znodes, again.sessions), (imported.znodes, imported.sessions));
        let (one, other) = (loaded(&dir), loaded(&back));
        assert_eq!(one.1.meta, other.1.meta);
        assert_eq!(one.0.sessions, other.0.sessions);
        let znodes = |recovered: &Recovered| recovered.tree.dump().collect::<Vec<_>>();
        assert_eq!(znodes(&one.0), znodes(&other.0));
        assert_eq!(take(&back).expect("taken over before"), None);
    }
}

#[test]
fn an_export_in_place_is_no_newer_data() {
    let dir = copy("voter");
    take(&dir).expect("good data");
    let refused = crate::server::export::export(&open(&dir), dirs(&dir), dirs(&dir), true);
    assert!(refused.is_err(), "there are files already");
    fs::rename(dir.path().join("version-2"), dir.path().join("elsewhere")).expect("renamed");
    crate::server::export::export(&open(&dir), dirs(&dir), dirs(&dir), true).expect("written");
    assert_eq!(take(&dir).expect("the same data"), None);
}

#[test]
fn a_session_of_the_log_is_known() {
    let dir = copy("observer");
    take(&dir).expect("good data");
    let (recovered, _) = loaded(&dir);
    let session = *recovered.sessions.keys().next().expect("a session");
    assert_ne!(session, SessionId(0));
    let store_error = StoreError::Refused("x".to_owned());
    assert!(ImportError::from(store_error).remedy(dirs(&dir), dirs(&dir)).contains("begins anew"));
}
