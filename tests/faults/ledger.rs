//! Znodes that are created once and never changed: each that was acknowledged must be there, each
//! that was not may be, and nothing twice.

use super::clients::{Board, Heard, data};
use super::dump::Tree;
use super::history::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use zabra::client::{Client, CreateMode, MultiResult, Transaction};

const BELOW: &str = "/ledger/";

#[derive(Default)]
pub(super) struct Ledger {
    entries: Mutex<BTreeMap<Value, Entry>>,
}

/// What was tried, by the value that it holds.
struct Entry {
    /// Of the znode; the beginning, if it is sequential.
    path: String,
    /// The one that must be there if and only if this one is.
    partner: Option<Value>,
    /// What the client was told.
    acknowledged: Option<Told>,
}

/// Where an entry is, and the transaction that wrote it, of which a multi tells nothing.
#[derive(Clone, Debug)]
struct Told {
    path: String,
    zxid: Option<i64>,
}

impl Ledger {
    /// Writes one entry.
    pub(super) async fn write(&self, board: &Board, client: &Client, mode: CreateMode) {
        let value = board.value();
        let dash = if mode.is_sequential() { "-" } else { "" };
        let path = format!("{BELOW}{value:06}{dash}");
        self.note(value, &path, None);
        let heard = board.hear(&path, client.create(&path, data(value), mode)).await;
        self.understand(&[value], heard, board, |created| {
            Some(vec![Told { path: created.path, zxid: Some(created.stat.czxid) }])
        });
    }

    /// Writes two entries in one transaction.
    pub(super) async fn write_pair(&self, board: &Board, client: &Client) {
        let values = [board.value(), board.value()];
        let mut transaction = Transaction::new();
        for (value, partner) in [(values[0], values[1]), (values[1], values[0])] {
            let path = format!("{BELOW}{value:06}");
            transaction = transaction.create(&path, data(value), CreateMode::Persistent);
            self.note(value, &path, Some(partner));
        }
        let heard = board.hear("a pair", client.multi(&transaction)).await;
        let created = |result: MultiResult| match result {
            MultiResult::Create(created) => Some(Told { path: created.path, zxid: None }),
            _ => None,
        };
        self.understand(&values, heard, board, |results| {
            results.into_iter().map(created).collect()
        });
    }

    fn note(&self, value: Value, path: &str, partner: Option<Value>) {
        let entry = Entry { path: path.to_owned(), partner, acknowledged: None };
        self.entries.lock().expect("the ledger").insert(value, entry);
    }

    fn understand<T>(
        &self,
        values: &[Value],
        heard: Heard<T>,
        board: &Board,
        created: impl FnOnce(T) -> Option<Vec<Told>>,
    ) {
        let mut entries = self.entries.lock().expect("the ledger");
        match heard {
            Heard::Answer(answer) => {
                let Some(created) = created(answer).filter(|all| all.len() == values.len()) else {
                    return board.complain("a multi of creates has other results".to_owned());
                };
                for (value, created) in values.iter().zip(created) {
                    entries.get_mut(value).expect("an entry").acknowledged = Some(created);
                }
            }
            Heard::Refused(code) => {
                board.complain(format!("{}: {code}", entries[&values[0]].path));
            }
            Heard::Nothing => {}
            Heard::NotDone => values.iter().for_each(|value| drop(entries.remove(value))),
        }
    }

    /// How many entries were tried, and how many acknowledged.
    pub(super) fn counts(&self) -> (usize, usize) {
        let entries = self.entries.lock().expect("the ledger");
        let acknowledged = entries.values().filter(|entry| entry.acknowledged.is_some());
        (entries.len(), acknowledged.count())
    }

    /// Compares what was written with a tree.
    pub(super) fn check(&self, tree: &Tree) -> Result<(), String> {
        let entries = self.entries.lock().expect("the ledger");
        let mut found = BTreeSet::new();
        for (path, node) in tree.iter().filter(|(path, _)| path.starts_with(BELOW)) {
            let is_it = |(value, entry): &(&Value, &Entry)| {
                let is_named = match entry.path.strip_suffix('-') {
                    Some(_) => path.starts_with(&entry.path),
                    None => *path == entry.path,
                };
                is_named && node.data == data(**value)
            };
            // The beginning of the name is the value.
            let digits = path[BELOW.len()..].get(..6).unwrap_or_default();
            let value: Value = digits.parse().unwrap_or_default();
            let Some((value, entry)) = entries.get_key_value(&value).filter(is_it) else {
                return Err(format!("{path}: nobody has written this: {node:?}"));
            };
            if !found.insert(*value) {
                return Err(format!("{path}: was written once, and took place twice"));
            }
            let is_other = |told: &Told| {
                told.path != *path || told.zxid.is_some_and(|zxid| zxid != node.stat.czxid)
            };
            if let Some(told) = entry.acknowledged.as_ref().filter(|told| is_other(told)) {
                return Err(format!("{path}: is {node:?}, and the client was told {told:?}"));
            }
        }
        for (value, entry) in entries.iter() {
            if let Some(told) = &entry.acknowledged
                && !found.contains(value)
            {
                return Err(format!("{}: acknowledged as {told:?}, and lost", entry.path));
            }
            if let Some(partner) = entry.partner
                && found.contains(value)
                && !found.contains(&partner)
            {
                return Err(format!("{}: is there, and {partner} of its multi is not", entry.path));
            }
        }
        Ok(())
    }
}
