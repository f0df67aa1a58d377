//! The watched paths, each stored once, and the lists of watches on them.

use super::registry::Heads;
use super::slab::Slab;
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::hash::BuildHasher;

/// A path that somebody watches.
#[derive(Debug)]
struct PathEntry {
    text: Box<str>,
    heads: Heads,
}

/// All watched paths by number and by text.
#[derive(Debug)]
pub(super) struct Paths {
    entries: Slab<PathEntry>,
    by_text: HashTable<u32>,
    hasher: FixedState,
}

impl Paths {
    pub(super) fn new() -> Self {
        Self { entries: Slab::new(), by_text: HashTable::new(), hasher: FixedState::default() }
    }

    /// The number of a path that is watched.
    pub(super) fn find(&self, text: &str) -> Option<u32> {
        if self.by_text.is_empty() {
            return None;
        }
        let hash = self.hasher.hash_one(text);
        self.by_text.find(hash, |number| &*self.entries[*number].text == text).copied()
    }

    /// The number of a path, which is added if it is not watched yet.
    pub(super) fn intern(&mut self, text: &str) -> u32 {
        if let Some(number) = self.find(text) {
            return number;
        }
        let number = self.entries.insert(PathEntry { text: text.into(), heads: Heads::default() });
        let Self { entries, by_text, hasher } = self;
        let hash_of = |number: &u32| hasher.hash_one(&*entries[*number].text);
        by_text.insert_unique(hash_of(&number), number, hash_of);
        number
    }

    /// Forgets a path unless it is still watched.
    pub(super) fn release(&mut self, number: u32) {
        if self.entries[number].heads.iter().any(Option::is_some) {
            return;
        }
        let hash = self.hasher.hash_one(&*self.entries[number].text);
        let found = self.by_text.find_entry(hash, |other| *other == number);
        found.expect("a stored path is in the table").remove();
        self.entries.remove(number);
    }

    pub(super) fn text(&self, number: u32) -> &str {
        &self.entries[number].text
    }

    pub(super) fn heads(&self, number: u32) -> &Heads {
        &self.entries[number].heads
    }

    pub(super) fn heads_mut(&mut self, number: u32) -> &mut Heads {
        &mut self.entries[number].heads
    }

    /// The numbers of all paths, in no particular order.
    pub(super) fn numbers(&self) -> impl Iterator<Item = u32> {
        self.by_text.iter().copied()
    }
}
