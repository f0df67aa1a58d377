//! What only a store on a real disk can be put through: killed processes, damaged and missing
//! files, a second process, a disk that takes no more.
#![cfg(feature = "server")]

mod store_support;

use rocksdb::{DB, Options};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use store_support::rocks::{Rocks, copy, small, temporary};
use store_support::{Harness, changes, checkpoint, entries, entry, load, mark, zxid};
use tempfile::TempDir;
use zabra::store::{CheckpointKind, Durability, RocksOptions, RocksStore, Store, StoreError};
use zabra::types::{Epoch, Zxid};

const CHILD_DIR: &str = "ZABRA_STORE_TEST_DIR";

fn open(dir: &Path) -> Result<RocksStore, StoreError> {
    RocksStore::open(dir, &small())
}

fn error_of(dir: &Path) -> StoreError {
    match open(dir) {
        Err(error) => error,
        Ok(store) => store.load(&mut |_| Ok(())).expect_err("the damage is found"),
    }
}

/// This very program, to run one of its tests as another process.
fn child(test: &str, dir: &Path, shell: &str) -> Command {
    let program = std::env::current_exe().expect("this program's path");
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("{shell} exec \"$0\" \"$@\"")).arg(program);
    command.args([test, "--exact", "--nocapture"]).env(CHILD_DIR, dir);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

/// The directory, if this process is such a child.
fn child_dir() -> Option<PathBuf> {
    std::env::var_os(CHILD_DIR).map(PathBuf::from)
}

fn report(word: &str, zxid: Zxid) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n{word} {}", zxid.0).expect("the parent listens");
    out.flush().expect("the parent listens");
}

/// Appends without end, and now and then does everything else that a server does.
#[test]
fn child_writes() {
    let Some(dir) = child_dir() else { return };
    let store = open(&dir).expect("the store opens");
    let (loaded, _) = load(&store);
    let mut next = loaded.last.next();
    for round in 0_i64.. {
        let count = round % 7 + 1;
        let batch: Vec<_> = (0..count).map(|i| entry(Zxid(next.0 + i), 500)).collect();
        store.append(&batch, Durability::Synced).expect("append");
        let last = Zxid(next.0 + count - 1);
        report("acknowledged", last);
        next = last.next();
        if round % 10 == 3 {
            store.checkpoint(&changes(&[("/a", Some("1"))], last)).expect("checkpoint");
        }
        if round % 30 == 29 {
            let durable = store.flush().expect("flush");
            report("flushed", durable);
            store.trim(Zxid(durable.0 - 20)).expect("trim");
        }
    }
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let dir = temporary();
    let (mut acknowledged, mut flushed) = (0, 0);
    for lines in [1, 40, 300, 7, 500] {
        let mut writer = child("child_writes", dir.path(), "").spawn().expect("a child");
        let out = BufReader::new(writer.stdout.take().expect("its output"));
        let mut reported = 0;
        for line in out.lines() {
            let line = line.expect("a line");
            let Some((word, number)) = line.split_once(' ') else { continue };
            let target = match word {
                "acknowledged" => &mut acknowledged,
                "flushed" => &mut flushed,
                _ => continue,
            };
            *target = number.parse().expect("a number");
            reported += 1;
            if reported == lines {
                // What it writes from now on to its death nobody hears of.
                writer.kill().expect("SIGKILL");
            }
        }
        writer.wait().expect("the child's end");
        assert!(reported >= lines, "the child ended by itself after {reported} reports");
        let store = open(dir.path()).expect("the store opens");
        let (loaded, contents) = load(&store);
        assert!(loaded.last.0 >= acknowledged, "{loaded:?}, acknowledged {acknowledged}");
        assert!(loaded.applied.0 >= flushed, "{loaded:?}, flushed {flushed}");
        for found in contents.entries {
            assert_eq!(found, entry(found.zxid, 500));
        }
    }
}

/// Appends until the disk takes no more.
#[test]
fn child_fills_the_disk() {
    let Some(dir) = child_dir() else { return };
    let store = open(&dir).expect("the store opens");
    let mut last = load(&store).0.last;
    let error = loop {
        let next = entry(last.next(), 5_000);
        match store.append(std::slice::from_ref(&next), Durability::Synced) {
            Ok(()) => last = last.next(),
            Err(error) => break error,
        }
        report("acknowledged", last);
    };
    assert!(error.is_fatal());
    let again = store.append(&[entry(last.next(), 1)], Durability::Synced);
    assert_eq!(again, Err(error.clone()), "the store is poisoned");
    assert_eq!(store.flush(), Err(error.clone()));
    report("poisoned", last);
}

#[test]
fn a_disk_that_takes_no_more_ends_the_store_but_loses_nothing() {
    let dir = temporary();
    drop(open(dir.path()).expect("a store"));
    // A limit on the size of files stands for a full disk; 512-byte blocks.
    let mut writer = child("child_fills_the_disk", dir.path(), "trap '' XFSZ; ulimit -f 60;");
    let output = writer.output().expect("the child's output");
    let output = String::from_utf8_lossy(&output.stdout);
    let number = |word| output.lines().rev().find_map(|line| line.strip_prefix(word));
    let acknowledged: i64 = number("acknowledged ").expect("some").parse().expect("a number");
    assert!(number("poisoned ").is_some(), "{output}");
    let store = open(dir.path()).expect("the store opens when there is space again");
    assert!(load(&store).0.last.0 >= acknowledged);
    store.append(&[entry(load(&store).0.last.next(), 9)], Durability::Synced).expect("append");
}

#[test]
fn how_many_znodes_will_be_found_is_known_before() {
    let dir = temporary();
    let store = open(dir.path()).expect("a store");
    assert_eq!(store.expected_znodes(), 0);
    store.append(&entries(1..=1), Durability::Synced).expect("appended");
    let data = "x".repeat(100);
    let paths: Vec<_> = (0..3_000).map(|number| format!("/{number:05}")).collect();
    let znodes: Vec<_> = paths.iter().map(|path| (path.as_str(), Some(data.as_str()))).collect();
    store.checkpoint(&changes(&znodes, zxid(1))).expect("written");
    store.flush().expect("flushed");
    drop(store);
    let expected = open(dir.path()).expect("a store").expected_znodes();
    assert!((3_000..3_100).contains(&expected), "{expected}");
}

#[test]
fn a_second_process_is_refused() {
    let harness = Rocks::fresh();
    let error = open(harness.dir.path()).expect_err("it is in use");
    assert!(matches!(error, StoreError::InUse { .. }), "{error}");
    assert!(error.to_string().contains("in use by another process"), "{error}");

    // And by another process: it ends with a failed test and writes nothing.
    let output = child("child_writes", harness.dir.path(), "").output().expect("its output");
    assert!(!output.status.success());
    assert!(!String::from_utf8_lossy(&output.stdout).contains("acknowledged"));
    drop(harness.store);
    open(harness.dir.path()).expect("free again");
}

/// The files of a store with ten entries in its write-ahead log.
fn ten_entries() -> TempDir {
    let harness = Rocks::fresh();
    for counter in 1..=10 {
        let entry = entry(zxid(counter), 100);
        harness.store.append(std::slice::from_ref(&entry), Durability::Synced).expect("append");
    }
    copy(harness.dir.path())
}

fn files(dir: &Path, kind: &str) -> Vec<PathBuf> {
    let files = fs::read_dir(dir).expect("a directory").map(|file| file.expect("a file").path());
    files.filter(|path| path.extension().is_some_and(|found| found == kind)).collect()
}

fn write_ahead_log(dir: &Path) -> PathBuf {
    let files = files(&dir.join("log"), "log");
    let size = |path: &PathBuf| fs::metadata(path).expect("a file").len();
    files.into_iter().max_by_key(size).expect("there is one")
}

fn damage(path: &Path, at: usize) {
    let mut bytes = fs::read(path).expect("readable");
    bytes[at] ^= 0x40;
    fs::write(path, bytes).expect("writable");
}

fn find(bytes: &[u8], what: &[u8]) -> usize {
    bytes.windows(what.len()).position(|window| window == what).expect("it is there")
}

#[test]
fn a_damaged_record_in_the_middle_of_the_write_ahead_log_is_found() {
    for (counter, ahead) in [(1, 0), (5, 0), (5, 60), (9, 0), (9, 99)] {
        let dir = ten_entries();
        let file = write_ahead_log(dir.path());
        let at = find(&fs::read(&file).expect("readable"), &entry(zxid(counter), 100).payload);
        damage(&file, at + ahead);
        let error = error_of(dir.path());
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
        assert!(error.to_string().contains(&file.display().to_string()), "{error}");
    }
}

#[test]
fn the_end_of_the_write_ahead_log_may_be_torn() {
    let dir = ten_entries();
    let file = write_ahead_log(dir.path());
    let at = find(&fs::read(&file).expect("readable"), &entry(zxid(10), 100).payload);
    for cut in [at + 99, at, at - 20] {
        let torn = copy(dir.path());
        let file = write_ahead_log(torn.path());
        let bytes = fs::read(&file).expect("readable");
        fs::write(&file, &bytes[..cut]).expect("writable");
        let store = open(torn.path()).expect("a torn write was never acknowledged");
        assert_eq!(load(&store).0.last, zxid(9));
    }
    damage(&file, at);
    let store = open(dir.path()).expect("neither was one with wrong bytes");
    assert_eq!(load(&store).0.last, zxid(9));
    store.append(&entries(10..=10), Durability::Synced).expect("the log goes on");
}

#[test]
fn a_large_record_at_the_end_may_be_torn_anywhere() {
    let harness = Rocks::open(ten_entries());
    harness.store.append(&entries(11..=11), Durability::Synced).expect("append");
    harness.store.append(&[entry(zxid(12), 200_000)], Durability::Synced).expect("append");
    let whole = copy(harness.dir.path());
    let size = fs::metadata(write_ahead_log(whole.path())).expect("a file").len();
    for page in (1..size / 4096).step_by(3) {
        // A page that did not reach the disk, though later ones did.
        let torn = copy(whole.path());
        let file = write_ahead_log(torn.path());
        let mut bytes = fs::read(&file).expect("readable");
        let at = usize::try_from(page * 4096).expect("small");
        bytes[at..at + 4096].fill(0);
        fs::write(&file, bytes).expect("writable");
        let store = open(torn.path()).expect("a torn write was never acknowledged");
        assert_eq!(load(&store).0.last, zxid(11), "page {page}");
    }
}

/// Damages byte after byte, one at a time, and looks at what becomes of it.
fn for_each_damage(
    dir: &Path,
    file: &Path,
    step: usize,
    check: impl Fn(usize, Result<store_support::Contents, StoreError>),
) {
    let name = file.strip_prefix(dir).expect("a file of the store");
    for at in (0..fs::read(file).expect("readable").len()).step_by(step) {
        let damaged = copy(dir);
        damage(&damaged.path().join(name), at);
        let found = open(damaged.path()).and_then(|store| {
            let mut contents = store_support::Contents::default();
            store.load(&mut |item| {
                contents.add(item);
                Ok(())
            })?;
            Ok(contents)
        });
        check(at, found);
    }
}

#[test]
fn no_damaged_byte_goes_unnoticed() {
    let dir = ten_entries();
    let whole = load(&open(copy(dir.path()).path()).expect("it opens")).1;
    let wal = write_ahead_log(dir.path());
    let last = find(&fs::read(&wal).expect("readable"), &entry(zxid(10), 100).payload) - 60;
    for_each_damage(dir.path(), &wal, 13, |at, found| match found {
        // The last record looks as if its write had been torn.
        Ok(found) if at > last => assert_eq!(found.entries, whole.entries[..9]),
        Ok(found) => panic!("byte {at}: {found:?}"),
        Err(error) => assert!(matches!(error, StoreError::Corrupt { .. }), "byte {at}: {error}"),
    });

    let dir = settled();
    let whole = load(&open(copy(dir.path()).path()).expect("it opens")).1;
    for database in ["log", "tree"] {
        for file in files(&dir.path().join(database), "sst") {
            for_each_damage(dir.path(), &file, 101, |at, found| {
                if let Ok(found) = found {
                    assert_eq!(found, whole, "byte {at} of {}", file.display());
                }
            });
        }
    }
}

#[test]
fn damage_is_not_looked_for_in_a_log_that_was_never_synced() {
    let dir = ten_entries();
    let file = write_ahead_log(dir.path());
    let at = find(&fs::read(&file).expect("readable"), &entry(zxid(5), 100).payload);
    damage(&file, at);
    let options = RocksOptions { durability: Durability::Unsynced, ..small() };
    let store = RocksStore::open(dir.path(), &options).expect("it opens");
    assert_eq!(load(&store).0.last, zxid(4));
}

/// A store whose log and tree lie in files of their own.
fn settled() -> TempDir {
    let mut harness = Rocks::fresh();
    harness.store.append(&entries(1..=10), Durability::Synced).expect("append");
    harness.store.checkpoint(&changes(&[("/", Some("")), ("/a", Some("1"))], zxid(5))).expect("");
    harness.store.flush().expect("flush");
    harness.store.trim(zxid(3)).expect("trim");
    // Opening moves what is in the write-ahead log to such a file.
    harness = Rocks::open(copy(harness.dir.path()));
    drop(harness.store);
    harness.dir
}

#[test]
fn damage_in_a_file_of_records_is_found() {
    for database in ["log", "tree"] {
        let dir = settled();
        let file = files(&dir.path().join(database), "sst").pop().expect("there is one");
        damage(&file, 20);
        let error = error_of(dir.path());
        assert!(matches!(error, StoreError::Corrupt { .. }), "{database}: {error}");
    }
}

/// Opens one of the databases as it is and changes it behind the store's back.
fn tamper(dir: &Path, database: &str, change: impl FnOnce(&DB, &rocksdb::ColumnFamily)) {
    let dir = dir.join(database);
    let families = DB::list_cf(&Options::default(), &dir).expect("its families");
    let db = DB::open_cf(&Options::default(), &dir, &families).expect("it opens");
    let last = families.last().expect("there is one");
    change(&db, db.cf_handle(last).expect("it is open"));
}

fn assert_tampering_is_found(
    database: &str,
    words: &str,
    change: impl FnOnce(&DB, &rocksdb::ColumnFamily),
) {
    let dir = settled();
    tamper(dir.path(), database, change);
    let error = error_of(dir.path()).to_string();
    assert!(error.contains(words), "{error}");
}

#[test]
fn records_that_cannot_be_are_found() {
    let key = |counter| zxid(counter).0.to_be_bytes();
    let checks = |database, words, change: &dyn Fn(&DB)| {
        assert_tampering_is_found(database, words, |db, _| change(db));
    };
    checks("log", "goes from 0x100000006 to 0x100000008", &|db| {
        db.delete(key(7)).expect("delete");
    });
    checks("log", "goes from 0x100000005 to 0x100000007", &|db| {
        db.delete(key(6)).expect("delete");
    });
    checks("log", "ends at 0x100000004", &|db| {
        db.delete_range_cf(db.cf_handle("default").expect("it is open"), key(5), key(11))
            .expect("delete");
    });
    checks("log", "log entry 0x100000007 is damaged: its checksum does not match", &|db| {
        db.put(key(7), b"other bytes").expect("put");
    });
    checks("log", "log entry 0x100000007 is damaged: it is too short", &|db| {
        db.put(key(7), b"abc").expect("put");
    });
    checks("log", "a zxid is damaged", &|db| db.put(b"odd", b"").expect("put"));
    checks("tree", "znode /a is damaged", &|db| db.put(b"\x10\x01/a", b"odd").expect("put"));
    checks("tree", "a znode's path is damaged", &|db| {
        db.put(b"\x10\x01/\xff", b"").expect("put");
    });
    checks("tree", "a session's id is damaged", &|db| db.put(b"\x10\x02odd", b"").expect("put"));
    checks("tree", "no known kind", &|db| db.put(b"\x10\x03", b"").expect("put"));
    checks("tree", "the mark is damaged", &|db| db.put(b"\x00", b"odd").expect("put"));
    checks("tree", "which is not there", &|db| {
        db.put(b"\x01", [0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 9]).expect("put");
    });
    // An entry that says it is another one.
    checks("log", "checksum does not match", &|db| {
        let other = db.get(key(8)).expect("get").expect("it is there");
        db.put(key(7), other).expect("put");
    });
}

#[test]
fn another_version_is_refused() {
    let words = "the data have format 2, this program reads format 1";
    assert_tampering_is_found("log", words, |db, meta| {
        db.put_cf(meta, "format", 2_u32.to_be_bytes()).expect("put");
    });
}

#[test]
fn missing_directories_are_told_from_fresh_ones() {
    let remove = |dir: &TempDir, name| fs::remove_dir_all(dir.path().join(name)).expect("remove");
    let assert_lost = |dir: &TempDir, words: &str| {
        let error = error_of(dir.path());
        assert!(matches!(error, StoreError::Lost { .. }), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    };
    let dir = settled();
    remove(&dir, "log");
    assert_lost(&dir, "there is a tree, but no log");

    let dir = settled();
    remove(&dir, "tree");
    assert_lost(&dir, "the log was trimmed up to 0x100000003");

    for database in ["log", "tree"] {
        let dir = settled();
        fs::remove_file(dir.path().join(database).join("CURRENT")).expect("remove");
        assert_lost(&dir, "not the file CURRENT");
    }

    let dir = ten_entries();
    remove(&dir, "tree");
    let store = open(dir.path()).expect("everything is in the log");
    assert_eq!(load(&store).1.entries.len(), 10);

    let dir = settled();
    remove(&dir, "tree");
    remove(&dir, "log");
    assert_eq!(load(&open(dir.path()).expect("fresh")).0.last, Zxid::ZERO);
}

/// Files as they are before and after a snapshot has been installed.
fn snapshot_installed() -> (TempDir, TempDir) {
    let harness = Rocks::open(settled());
    let begin = checkpoint(&[("/", Some("")), ("/new", Some(""))], CheckpointKind::SnapshotBegin);
    harness.store.checkpoint(&begin).expect("begin");
    let before = copy(harness.dir.path());
    let end = CheckpointKind::SnapshotEnd(mark(Zxid::new(Epoch(2), 7)));
    harness.store.checkpoint(&checkpoint(&[], end)).expect("end");
    (before, copy(harness.dir.path()))
}

#[test]
fn a_snapshot_counts_from_the_moment_the_tree_is_flushed() {
    let (before, after) = snapshot_installed();
    fs::remove_dir_all(after.path().join("log")).expect("remove");
    fs::rename(before.path().join("log"), after.path().join("log")).expect("move");
    for _ in 0..2 {
        let store = open(after.path()).expect("the store opens");
        let (loaded, contents) = load(&store);
        let end = Zxid::new(Epoch(2), 7);
        assert_eq!((loaded.applied, loaded.last), (end, end));
        assert_eq!(contents.paths(), ["/", "/new"]);
        assert_eq!(store.read_log(end.next(), 1), Ok(Vec::new()));
    }
}

#[test]
fn a_log_that_begins_after_a_snapshot_needs_it() {
    let (_, after) = snapshot_installed();
    fs::remove_dir_all(after.path().join("tree")).expect("remove");
    let error = error_of(after.path()).to_string();
    assert!(error.contains("begins after a snapshot of 0x200000007"), "{error}");
}

#[test]
fn a_load_sees_one_moment() {
    let harness = Rocks::open(settled());
    let store = &harness.store;
    let before = load(store);
    let mut begun = false;
    let mut found = store_support::Contents::default();
    let loaded = store.load(&mut |item| {
        if !begun {
            begun = true;
            store.append(&entries(11..=20), Durability::Synced).expect("append");
            store.checkpoint(&changes(&[("/a", None), ("/b", Some(""))], zxid(20))).expect("");
            store.flush().expect("flush");
            store.trim(zxid(21)).expect("trim");
        }
        found.add(item);
        Ok(())
    });
    assert_eq!((loaded.expect("the store loads"), found), before);
    assert_eq!(load(store).1.paths(), ["/", "/b"]);
}

#[test]
fn trimmed_entries_give_their_space_back() {
    let harness = Rocks::fresh();
    for counter in 1..=400 {
        let entry = entry(zxid(counter), 5_000);
        harness.store.append(std::slice::from_ref(&entry), Durability::Unsynced).expect("append");
    }
    harness.store.checkpoint(&changes(&[("/", Some(""))], zxid(400))).expect("checkpoint");
    harness.store.flush().expect("flush");
    let size = |dir: &Path| -> u64 {
        files(&dir.join("log"), "sst")
            .iter()
            .filter_map(|path| fs::metadata(path).ok())
            .map(|m| m.len())
            .sum()
    };
    assert!(size(harness.dir.path()) > 1_000_000, "{}", size(harness.dir.path()));
    harness.store.trim(zxid(401)).expect("trim");
    // Files in the uppermost level stay until others follow them down.
    let harness = harness.crash(false);
    assert!(size(harness.dir.path()) < 600_000, "{}", size(harness.dir.path()));
}

#[test]
fn a_log_that_is_trimmed_while_it_is_read_shows_no_hole() {
    let harness = Rocks::fresh();
    let store = &harness.store;
    store.append(&[entry(zxid(1), 2_000)], Durability::Unsynced).expect("append");
    store.checkpoint(&changes(&[("/", Some(""))], zxid(1))).expect("checkpoint");
    let written = AtomicU32::new(1);
    let (read, trimmed) = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let (mut read, mut trimmed) = (0, 0);
            loop {
                let last = written.load(Ordering::SeqCst);
                // From where the next trim is likely to be.
                let from = zxid(last.saturating_sub(40).max(1));
                match store.read_log(from, 50_000) {
                    Ok(entries) => {
                        assert_eq!(entries.first().map(|entry| entry.zxid), Some(from));
                        read += 1;
                    }
                    Err(StoreError::Trimmed { .. }) => trimmed += 1,
                    Err(error) => panic!("{error}"),
                }
                if last == 6_000 {
                    return (read, trimmed);
                }
            }
        });
        for counter in 2..=6_000 {
            store.append(&[entry(zxid(counter), 2_000)], Durability::Unsynced).expect("append");
            if counter % 30 == 0 {
                let mark = changes(&[("/", Some(""))], zxid(counter));
                store.checkpoint(&mark).expect("checkpoint");
                store.flush().expect("flush");
                store.trim(zxid(counter - 20)).expect("trim");
            }
            written.store(counter, Ordering::SeqCst);
        }
        reader.join().expect("no hole")
    });
    assert!(read > 0 && trimmed > 0, "{read} {trimmed}");
}

#[test]
fn a_log_of_which_the_end_is_kept_does_not_grow() {
    let harness = Rocks::fresh();
    let store = &harness.store;
    let size = |dir: &Path| -> u64 {
        let files = files(&dir.join("log"), "sst");
        files.iter().filter_map(|path| fs::metadata(path).ok()).map(|file| file.len()).sum()
    };
    let mut largest = 0;
    for counter in 1..=2_000 {
        store.append(&[entry(zxid(counter), 5_000)], Durability::Unsynced).expect("append");
        if counter % 100 == 0 {
            store.checkpoint(&changes(&[("/", Some(""))], zxid(counter))).expect("checkpoint");
            store.flush().expect("flush");
            store.trim(store.tail(u64::MAX, 500_000).expect("a tail")).expect("trim");
            largest = largest.max(size(harness.dir.path()));
        }
    }
    let kept = store.tail(u64::MAX, u64::MAX).expect("a tail");
    let entries = store.read_log(kept, usize::MAX).expect("the end");
    assert!(entries.len() * 5_000 >= 500_000, "{}", entries.len());
    assert_eq!(entries.last(), Some(&entry(zxid(2_000), 5_000)));
    // 10 MB were written.
    assert!(largest < 2_000_000, "{largest}");
}

#[test]
fn a_directory_that_cannot_be_is_an_error() {
    let dir = temporary();
    let file = dir.path().join("file");
    fs::write(&file, b"").expect("write");
    let error = open(&file.join("data")).expect_err("a file is no directory");
    assert!(matches!(error, StoreError::Io { .. }), "{error}");
    open(&dir.path().join("a/b")).expect("missing directories are made");
}
