//! Every order of events around a change of databases.

use super::*;
use crate::store::RocksOptions;
use tempfile::TempDir;

const ASIDE: &str = "before-restore-1";

/// Data directories with what is served, and with what a restore has made, up to some step.
struct Place {
    dir: TempDir,
    restore: Restore,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let restore = Restore { data: dir.path().join("data"), log: dir.path().join("log") };
        let place = Self { dir, restore };
        place.put("data/tree", "old");
        place.put("log/log", "old");
        place
    }

    /// A database, and whose it is.
    fn put(&self, name: &str, content: &str) {
        let path = self.dir.path().join(name);
        fs::create_dir_all(&path).expect("a directory");
        fs::write(path.join("whose"), content).expect("a file");
    }

    fn stage(&self) {
        self.put("data/zabra-restore/tree", "new");
        self.put("log/zabra-restore/log", "new");
    }

    fn mark(&self) {
        fs::write(self.dir.path().join("data/zabra-restore/ready"), ASIDE).expect("a file");
    }

    fn rename(&self, from: &str, to: &str) {
        let [from, to] = [from, to].map(|name| self.dir.path().join(name));
        fs::create_dir_all(to.parent().expect("a parent")).expect("a directory");
        fs::rename(from, to).expect("moved");
    }

    /// Whose each database is, and what else is there.
    fn content(&self) -> Vec<String> {
        let mut found = Vec::new();
        for name in ["data", "log"] {
            for entry in fs::read_dir(self.dir.path().join(name)).expect("there") {
                let path = entry.expect("an entry").path();
                let whose = |path: PathBuf| fs::read_to_string(path.join("whose"));
                let inner = ["", "tree", "log"].map(|name| whose(path.join(name)));
                let inner = inner.into_iter().flatten().collect::<Vec<_>>().concat();
                let path = path.strip_prefix(self.dir.path()).expect("below it");
                found.push(format!("{} {inner}", path.display()));
            }
        }
        found.sort_unstable();
        found
    }

    fn change_over(&self) -> Option<PathBuf> {
        self.restore.change_over().expect("changed")
    }
}

const OLD: [&str; 2] = ["data/tree old", "log/log old"];
const NEW: [&str; 4] =
    ["data/before-restore-1 old", "data/tree new", "log/before-restore-1 old", "log/log new"];

#[test]
fn what_is_not_complete_is_removed() {
    let place = Place::new();
    assert_eq!(place.change_over(), None);
    assert_eq!(place.content(), OLD);
    place.stage();
    assert_eq!(place.change_over(), None);
    assert_eq!(place.content(), OLD);
}

#[test]
fn a_change_that_was_interrupted_is_finished() {
    let moves = [
        ("data/tree", "data/before-restore-1/tree"),
        ("data/zabra-restore/tree", "data/tree"),
        ("log/log", "log/before-restore-1/log"),
        ("log/zabra-restore/log", "log/log"),
    ];
    for done in 0..=moves.len() {
        let place = Place::new();
        place.stage();
        place.mark();
        for (from, to) in &moves[..done] {
            place.rename(from, to);
        }
        assert_eq!(place.change_over(), Some(place.dir.path().join("data").join(ASIDE)));
        assert_eq!(place.content(), NEW, "after {done} moves");
        assert_eq!(place.change_over(), None);
        assert_eq!(place.content(), NEW);
    }
}

#[test]
fn what_is_half_removed_does_not_count() {
    let place = Place::new();
    place.stage();
    place.mark();
    // No directory, so that the removal ends before anything but the mark is gone.
    let log = place.restore.log.join(STAGING);
    fs::remove_dir_all(&log).expect("removed");
    fs::write(&log, "").expect("a file");
    place.restore.clear().expect_err("it ends there");
    fs::remove_file(&log).expect("removed");
    assert_eq!(place.change_over(), None);
    assert_eq!(place.content(), OLD);
}

#[test]
fn what_is_prepared_is_not_given_up_for_another() {
    let place = Place::new();
    place.stage();
    place.mark();
    assert!(matches!(place.restore.begin(), Err(RestoreError::Prepared)));
    assert!(place.change_over().is_some());
    assert_eq!(place.content(), NEW);
}

#[test]
fn what_has_nothing_to_replace_takes_its_place() {
    let place = Place::new();
    place.stage();
    place.mark();
    for name in ["data/tree", "log/log"] {
        fs::remove_dir_all(place.dir.path().join(name)).expect("removed");
    }
    assert!(place.change_over().is_some());
    assert_eq!(place.content(), ["data/tree new", "log/log new"]);
}

#[test]
fn what_was_kept_before_is_not_in_the_way() {
    let place = Place::new();
    assert_eq!(place.restore.free_name(1), ASIDE);
    place.put("log/before-restore-1/log", "older");
    place.put("data/before-restore-2/tree", "older");
    assert_eq!(place.restore.free_name(1), "before-restore-3");
}

#[test]
fn both_databases_may_share_a_directory() {
    let dir = tempfile::tempdir().expect("a directory");
    let restore = Restore { data: dir.path().to_owned(), log: dir.path().to_owned() };
    for (name, content) in [
        ("tree", "old"),
        ("log", "old"),
        ("zabra-restore/tree", "new"),
        ("zabra-restore/log", "new"),
    ] {
        fs::create_dir_all(dir.path().join(name)).expect("a directory");
        fs::write(dir.path().join(name).join("whose"), content).expect("a file");
    }
    fs::write(dir.path().join("zabra-restore/ready"), ASIDE).expect("a file");
    let aside = restore.change_over().expect("changed").expect("there was something");
    for (path, expected) in [
        (aside.join("tree"), "old"),
        (aside.join("log"), "old"),
        (dir.path().join("tree"), "new"),
        (dir.path().join("log"), "new"),
    ] {
        assert_eq!(fs::read_to_string(path.join("whose")).expect("there"), expected);
    }
    assert!(!dir.path().join("zabra-restore").exists());
}

#[test]
fn what_is_no_snapshot_changes_nothing() {
    let place = Place::new();
    let current = tempfile::tempdir().expect("a directory");
    let store = RocksStore::open(current.path(), &RocksOptions::default()).expect("a store");
    let tree = crate::tree::TreeOptions::default();
    let options = ImportOptions { tree, longest: 1 << 20, trust_empty_snapshot: false };
    for content in ["", "ZKSN", "no snapshot at all, but longer than a header"] {
        let mut file = place.restore.begin().expect("a place");
        file.write_all(content.as_bytes()).expect("written");
        place.restore.prepare(&store, &options, ASIDE).expect_err("refused");
        assert_eq!(place.change_over(), None);
        assert_eq!(place.content(), OLD);
    }
}
